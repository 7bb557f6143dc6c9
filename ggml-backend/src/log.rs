//! Logging through ggml, so that the program's own settings apply.
//!
//! # Safety
//! `ggml_log_internal` is variadic; it is given the format `%s` and a terminated string.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::OnceLock;

use crate::abi::host::symbol;

type Log = unsafe extern "C" fn(c_int, *const c_char, ...);

const DEBUG: c_int = 1;
const INFO: c_int = 2;
const WARN: c_int = 3;
const ERROR: c_int = 4;

fn find() -> Option<Log> {
    // SAFETY: ggml's header gives the function this type.
    symbol("ggml_log_internal").map(|address| unsafe { std::mem::transmute::<*mut c_void, Log>(address) })
}

fn log(level: c_int, text: &str) {
    static LOG: OnceLock<Option<Log>> = OnceLock::new();
    let line = format!("ggml_tenstorrent: {}\n", text.replace('\0', " "));
    match (LOG.get_or_init(find), CString::new(line.as_str())) {
        // SAFETY: see the module.
        (Some(log), Ok(line)) => unsafe { log(level, c"%s".as_ptr(), line.as_ptr()) },
        // No ggml to log through: it cannot have loaded us, but a Rust program can.
        _ => eprint!("{line}"),
    }
}

/// For developers.
pub fn debug(text: &str) {
    log(DEBUG, text);
}

/// Once at start.
pub fn info(text: &str) {
    log(INFO, text);
}

/// Something works less well than it could.
pub fn warn(text: &str) {
    log(WARN, text);
}

/// Something does not work.
pub fn error(text: &str) {
    log(ERROR, text);
}

/// Whether an environment variable asks for something: `1`, `on`, `yes` or `true`.
pub fn env_flag(name: &str) -> bool {
    let value = std::env::var(name).unwrap_or_default();
    ["1", "on", "yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}
