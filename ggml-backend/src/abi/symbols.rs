//! The host's functions, by name: nothing of ggml is linked.
//!
//! # Safety
//! A symbol is given the type that ggml's headers give it, in every version that we know.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};

/// ggml's libraries: a program may have loaded them without making their symbols global.
const LIBRARIES: [&CStr; 2] = [c"libggml-base.so.0", c"libggml.so.0"];

/// Address of a symbol of the host.
pub fn symbol(name: &str) -> Option<*mut c_void> {
    let name = CString::new(name).ok()?;
    // SAFETY: asks the dynamic linker; the strings are terminated.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let within = |library: &CStr| {
        // SAFETY: RTLD_NOLOAD only looks for a library that is there; its handle is kept.
        unsafe {
            let library = libc::dlopen(library.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_LAZY);
            if library.is_null() { library } else { libc::dlsym(library, name.as_ptr()) }
        }
    };
    let mut found = [address].into_iter().chain(LIBRARIES.into_iter().map(within));
    found.find(|address| !address.is_null())
}

/// A function of the host has to be there and is not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the program does not export {0}: llama.cpp has to be built with shared libraries (GGML_BACKEND_DL), or a program that \
     contains ggml be linked with -rdynamic"
)]
pub struct Missing(pub &'static str);

/// The host's function of this name and type, or [`Missing`].
macro_rules! function {
    ($name:literal, $type:ty) => {
        match $crate::abi::symbols::symbol($name) {
            Some(address) => {
                // SAFETY: ggml's header declares the function so.
                #[allow(unused_unsafe, reason = "callers may be in an unsafe block")]
                let function = unsafe { std::mem::transmute::<*mut std::ffi::c_void, $type>(address) };
                Ok(function)
            }
            None => Err($crate::abi::symbols::Missing($name)),
        }
    };
}
pub(crate) use function;
