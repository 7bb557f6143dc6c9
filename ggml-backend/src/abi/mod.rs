//! ggml's C ABI: the structs that it and we exchange, and the functions of the host.
//!
//! One binary serves every ggml from 0.9.5 on. Structs that are the same in all of them are in [`types`]; those that are not, and the choice
//! between them, in [`tables`], which is the only module that depends on a host's layout. Everything is plain `repr(C)`, written by hand:
//! it is little, and sizes and offsets are asserted.
//!
//! ```text
//! symbols, version --[recognise, self_test]--> Layout --[host]--> buffers, backends, names
//! ```

pub mod host;
mod recognise;
mod sample;
mod self_test;
pub mod symbols;
pub mod tables;
pub mod types;
pub mod uses;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f` for a caller in C. A panic must not unwind into it: it is logged, and `fallback` is returned.
pub fn guard<T>(what: &str, fallback: T, f: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => value,
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            crate::log::error(&format!("internal error in {what}: {}", text.unwrap_or_default()));
            fallback
        }
    }
}
