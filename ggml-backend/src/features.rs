//! What this build has, for `ggml_backend_get_features`: llama.cpp prints it behind the names of backends in its line `system_info`.
//!
//! # Safety
//! The list and its strings are made once and never freed.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::ptr::null;
use std::sync::OnceLock;

use tt_runtime::WITH_KERNELS;
use tt_runtime::layout::WeightFormat;

use crate::abi::host::host;
use crate::abi::types::{Feature, Reg};
use crate::registry::c_string;

/// The list, whose last one has no name.
struct List(Box<[Feature]>);

// SAFETY: the pointers are to strings that are never freed or changed.
unsafe impl Send for List {}
// SAFETY: as above.
unsafe impl Sync for List {}

/// `ggml_backend_get_features_t`
pub extern "C" fn get(_reg: *mut Reg) -> *const Feature {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| List(list().into_iter().map(feature).chain([END]).collect())).0.as_ptr()
}

const END: Feature = Feature { name: null(), value: null() };

fn feature((name, value): (&str, String)) -> Feature {
    let leak = |text: &str| CString::into_raw(c_string(text)).cast_const();
    Feature { name: leak(name), value: leak(&value) }
}

/// Name and value; a feature without degrees has the value 1, as in other backends.
fn list() -> Vec<(&'static str, String)> {
    let chips: Vec<&str> = WITH_KERNELS.iter().map(|chip| chip.name).collect();
    let formats: Vec<&str> = WeightFormat::ALL.iter().map(|format| format.name()).collect();
    let mut all = vec![
        ("VERSION", env!("CARGO_PKG_VERSION").to_owned()),
        ("ARCHS", chips.join(",")),
        ("WEIGHTS", formats.join(",")),
        ("SIMULATOR", "1".to_owned()),
    ];
    all.extend(host().ok().map(|host| ("GGML_LAYOUT", host.layout_name())));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    #[test]
    fn the_list_has_names_and_an_end() {
        let mut at = get(std::ptr::null_mut());
        let mut found = Vec::new();
        // SAFETY: the list ends with one without a name.
        while unsafe { !(*at).name.is_null() } {
            // SAFETY: as above; the strings are terminated.
            let text = |text| unsafe { CStr::from_ptr(text) }.to_str().unwrap();
            // SAFETY: as above.
            found.push(unsafe { (text((*at).name), text((*at).value)) });
            at = at.wrapping_add(1);
        }
        assert!(
            found.iter().any(|(name, value)| *name == "ARCHS" && value.contains("wormhole")),
            "{found:?}"
        );
        assert!(found.contains(&("SIMULATOR", "1")));
    }
}
