//! Safe runtime for Tenstorrent cards.
//!
//! [`ops`] builds the descriptors that the kernels run.

pub mod ops;
