//! llama.cpp's interface for looking at fusions: counts of groups that were computed as one, and a switch. Its `test-fusion` looks these functions up
//! by name (`ggml_backend_reg_get_proc_address`); no header declares them.
//!
//! Counts and switch are the process's, for all of its devices.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::OnceLock;

use super::super::guard;
use super::super::types;
use super::registry::with_library;

/// A function of the interface, by name.
pub fn function(name: &[u8]) -> Option<*mut c_void> {
    Some(match name {
        b"ggml_backend_fusion_get" => get as *mut c_void,
        b"ggml_backend_fusion_stats_init" => stats_reset as *mut c_void,
        b"ggml_backend_fusion_stats_reset" => stats_reset as *mut c_void,
        b"ggml_backend_fusion_stats_get" => stats_get as *mut c_void,
        b"ggml_backend_fusion_set_enabled" => set_enabled as *mut c_void,
        _ => return None,
    })
}

/// What the other functions get: the device, so that it is not NULL.
extern "C" fn get(device: *mut types::Device) -> *mut c_void {
    device.cast()
}

/// Counts begin, or begin again: groups are always counted.
extern "C" fn stats_reset(_info: *mut c_void) {
    guard("fusion_stats_reset", (), || with_library((), |library| library.reset_fusions()));
}

/// Writes up to `size` names and counts, each where there is an array for them; gives how many there are.
///
/// # Safety
/// The arrays have `size` places, or are NULL.
unsafe extern "C" fn stats_get(
    _info: *mut c_void,
    names: *mut *const c_char,
    counts: *mut u64,
    size: c_int,
) -> c_int {
    guard("fusion_stats_get", 0, || {
        let fusions = with_library(Vec::new(), |library| library.fusions());
        let size = usize::try_from(size).unwrap_or(0);
        for (index, ((_, count), name)) in fusions.iter().zip(labels(&fusions)).take(size).enumerate() {
            if !names.is_null() {
                // SAFETY: `index` is below `size`, and by contract there are so many places.
                unsafe { names.add(index).write(name.as_ptr()) };
            }
            if !counts.is_null() {
                // SAFETY: as above.
                unsafe { counts.add(index).write(*count) };
            }
        }
        fusions.len() as c_int
    })
}

/// The names as strings for C, made once and never freed.
fn labels(fusions: &[(&str, u64)]) -> &'static [CString] {
    static LABELS: OnceLock<Vec<CString>> = OnceLock::new();
    LABELS.get_or_init(|| fusions.iter().map(|(name, _)| CString::new(*name).unwrap_or_default()).collect())
}

/// Whether groups are computed as one from the next graph on; those that `GGML_TT_FUSION` leaves out never are.
extern "C" fn set_enabled(_info: *mut c_void, is_enabled: bool) {
    guard("fusion_set_enabled", (), || with_library((), |library| library.enable_fusions(is_enabled)));
}
