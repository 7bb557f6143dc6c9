//! A Wormhole as software.

pub mod fault;
pub mod l1;
pub mod tensix;
