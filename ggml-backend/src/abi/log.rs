//! Logging through ggml, so that the program's own settings apply.
//!
//! What ends in the program's hands may not reach the user: llama.cpp's programs queue their log for a thread, do not wait for it
//! when they end, and do not show lines of information unless asked. So what a user has to know to get any further
//! ([`announce`]) goes to standard error directly where the program has a log of its own, and into that log as a line
//! for developers, so that it is not normally shown twice.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::sync::OnceLock;

use super::symbols::symbol;

type Log = unsafe extern "C" fn(c_int, *const c_char, ...);

const DEBUG: c_int = 1;
const INFO: c_int = 2;
const WARN: c_int = 3;
const ERROR: c_int = 4;

fn find() -> Option<Log> {
    // SAFETY: ggml's header declares the function so, in every version.
    symbol("ggml_log_internal").map(|address| unsafe { std::mem::transmute::<*mut c_void, Log>(address) })
}

fn line_of(text: &str) -> String {
    format!("ggml_tenstorrent: {}\n", text.replace('\0', " "))
}

fn log(level: c_int, text: &str) {
    static LOG: OnceLock<Option<Log>> = OnceLock::new();
    let line = line_of(text);
    match (LOG.get_or_init(find), CString::new(line.as_str())) {
        // SAFETY: the function is variadic: it gets the format `%s` and one string that ends with a zero byte.
        (Some(log), Ok(line)) => unsafe { log(level, c"%s".as_ptr(), line.as_ptr()) },
        // No ggml to log through: a program that does not export it, or one in Rust.
        _ => print(&line),
    }
}

/// To standard error. If that is closed, there is nobody to tell.
fn print(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Whether standard error is closed or `/dev/null`.
fn nobody_reads_stderr() -> bool {
    let device =
        |path| std::fs::metadata(path).ok().filter(|it| it.file_type().is_char_device()).map(|it| it.rdev());
    match std::fs::metadata("/dev/fd/2") {
        Ok(_) => device("/dev/fd/2").is_some() && device("/dev/fd/2") == device("/dev/null"),
        Err(_) => true,
    }
}

/// Whether ggml's log is what it is without a setting: lines of any level, written to standard error at once. An older ggml does not
/// tell.
fn is_ggmls_own() -> Option<bool> {
    type Get = unsafe extern "C" fn(*mut *mut c_void, *mut *mut c_void);
    let (get, own) = (symbol("ggml_log_get")?, symbol("ggml_log_callback_default")?);
    let (mut callback, mut data) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: ggml's header declares the function so; it writes to two places that are ours.
    unsafe { std::mem::transmute::<*mut c_void, Get>(get)(&raw mut callback, &raw mut data) };
    Some(callback == own)
}

/// Says once what the user has to know, however the program treats its log.
fn announce(level: c_int, text: &str) {
    match is_ggmls_own() {
        Some(true) => log(level, text),
        _ if nobody_reads_stderr() => log(level, text),
        Some(false) => {
            print(&line_of(text));
            log(DEBUG, text);
        }
        None => print(&line_of(text)),
    }
}

/// The library cannot do what it was loaded for.
pub fn announce_error(text: &str) {
    announce(ERROR, &format!("error: {text}"));
}

/// The library has nothing to do.
pub fn announce_idle(text: &str) {
    announce(WARN, text);
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
