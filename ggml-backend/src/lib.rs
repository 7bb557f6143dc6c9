//! A ggml backend for Tenstorrent cards.
//!
//! llama.cpp loads this library when `GGML_BACKEND_PATH` names it, and calls [`ggml_backend_init`]. From there on
//! ggml calls through tables of functions (`abi::entry`), whose traits are implemented here:
//!
//! ```text
//! registry: Library -> device: Device -> buffer: Buffer        bytes in and out of arenas of card DRAM; weights become tiles (weights)
//!                                     -> backend: Backend      graph --[fusion]--> nodes --[plan]--> descriptors --> the device
//!                      supports_op: plan, without memory       (support)
//! ```
//!
//! `abi` has what ggml defines: struct layouts, which differ between hosts, and the host's functions, which are
//! looked up by name. Nothing of ggml is linked. Unsafe code is there only.

mod abi;
mod backend;
mod buffer;
mod copy_cache;
mod debug;
mod device;
mod fusion;
mod passes;
mod plan;
mod registry;
mod scratch;
mod stats;
mod support;
mod trace;
mod weights;

abi::entry::exports!(registry::library);
