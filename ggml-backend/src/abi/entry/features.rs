//! What this build has, for `ggml_backend_get_features`: llama.cpp prints it behind the names of backends in its line `system_info`.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr::null;
use std::sync::OnceLock;

use super::super::types::Feature;
use super::Library;

/// A list whose last feature has no name; its strings are never freed.
struct List(Box<[Feature]>);

// SAFETY: the pointers are to strings that are never freed or changed.
unsafe impl Send for List {}
// SAFETY: as above.
unsafe impl Sync for List {}

const END: Feature = Feature { name: null(), value: null() };

/// The list of no features.
pub fn none() -> *const Feature {
    static NONE: OnceLock<List> = OnceLock::new();
    NONE.get_or_init(|| List(Box::new([END]))).0.as_ptr()
}

/// The library's list, made once and never freed.
pub fn list(library: &dyn Library) -> *const Feature {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| List(library.features().into_iter().map(feature).chain([END]).collect())).0.as_ptr()
}

fn feature((name, value): (&str, String)) -> Feature {
    let leak = |text: &str| CString::new(text).unwrap_or_default().into_raw().cast_const();
    Feature { name: leak(name), value: leak(&value) }
}
