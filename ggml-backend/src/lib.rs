//! A ggml backend for Tenstorrent cards.
//!
//! llama.cpp loads this library when `GGML_BACKEND_PATH` names it, and calls [`ggml_backend_init`]. From there on
//! ggml talks to us through tables of functions:
//!
//! ```text
//! registry -> device -> buffer type -> buffer      bytes in and out of arenas of card DRAM   (buffer)
//!                    -> backend                    graphs to descriptors                     (backend, plan)
//! ```
//!
//! [`abi`] has what ggml defines: struct layouts, which differ between hosts, and the host's functions, which are
//! looked up by name. Nothing of ggml is linked.
//! # Safety
//! The three exported symbols have no arguments; their names are part of ggml's contract.

#![allow(unsafe_code)]

pub mod abi;
mod backend;
mod buffer;
mod debug;
mod device;
mod features;
mod fusion;
mod log;
mod passes;
mod plan;
mod realised;
mod registry;
mod stats;
mod weights;

use std::ffi::{c_int, c_void};

/// ggml's entry point for a loaded backend: the registry, the same pointer every time, or NULL if this host cannot
/// be served (the log says why).
#[unsafe(no_mangle)]
pub extern "C" fn ggml_backend_init() -> *mut c_void {
    abi::guard("ggml_backend_init", std::ptr::null_mut(), registry::registry)
}

/// ggml's question how well this library fits the machine: always 1, there is only one build.
#[unsafe(no_mangle)]
pub extern "C" fn ggml_backend_score() -> c_int {
    1
}

/// The same as [`ggml_backend_init`], under the name that a program uses which links the library statically.
#[unsafe(no_mangle)]
pub extern "C" fn ggml_backend_tenstorrent_reg() -> *mut c_void {
    ggml_backend_init()
}
