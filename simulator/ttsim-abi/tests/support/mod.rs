//! Where the library is.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::path::PathBuf;

/// `libttsim.so` as cargo has built it for this test: next to the test program.
pub fn library() -> PathBuf {
    let program = std::env::current_exe().expect("a path");
    program.with_file_name("libttsim.so")
}
