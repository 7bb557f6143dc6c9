//! ggml's C ABI, and the only unsafe code of this crate.
//!
//! ```text
//! ggml --[entry: extern "C" functions]--> traits Library, Device, Buffer, Backend      (the rest of the crate implements them)
//! ggml <--[host, log, reference]------    names, sizes, types; messages; the CPU backend
//!          [tensor]                       what a trait's function gets: TensorRef, GraphRef, slices of bytes
//! ```
//!
//! One binary serves every ggml from 0.9.5 on. Structs that are the same in all of them are in [`types`]; those that are not, and the choice
//! between them, in [`tables`], which is the only module that depends on a host's layout. Everything is plain `repr(C)`, written by hand:
//! it is little, and sizes and offsets are asserted.
//!
//! ```text
//! symbols, version --[recognise, self_test]--> Layout --[host]--> buffers, backends, names
//! ```
//!
//! Nothing here knows the rest of the crate.

mod content;
pub mod entry;
pub mod host;
#[cfg(test)]
mod layouts;
pub mod log;
mod recognise;
pub mod reference;
mod sample;
mod self_test;
mod symbols;
mod tables;
pub mod tensor;
#[cfg(test)]
pub mod testing;
mod types;
mod uses;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use content::Content;
pub use tensor::{GraphRef, TensorRef};

/// Runs `f` for a caller in C. A panic must not unwind into it: it is logged, and `fallback` is returned.
fn guard<T>(what: &str, fallback: T, f: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            log::error(&format!("internal error in {what}: {}", text.unwrap_or_default()));
            fallback
        }
    }
}
