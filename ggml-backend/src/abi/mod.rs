//! ggml's C ABI: the structs that it and we exchange, and the functions of the host.
//!
//! Three layouts are served by one binary. They differ in how many function pointers the tables of buffer types
//! and buffers have, and so in where the fields behind them are; [`host::Layout`] knows. Structs that are the same
//! everywhere are plain `repr(C)` ([`types`]), written by hand: they are few, and their sizes are asserted.

pub mod host;
pub mod types;

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
