//! The registry's table.
//!
//! ggml may ask for it several times in a process, and tells backends apart by the pointer that it gets: it is made once
//! and never freed, nor are its devices.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::super::guard;
use super::super::host::{Host, host};
use super::super::log;
use super::super::types::{self, Reg, RegTable};
use super::{Library, device, features, fusion};

/// The registry, with what belongs to it.
struct Registry {
    library: Box<dyn Library>,
    struct_: *mut Reg,
    devices: Vec<*mut types::Device>,
}

// SAFETY: the pointers are to structs that are not written to once they are made; `Library` can be used from any thread.
unsafe impl Send for Registry {}
// SAFETY: as above.
unsafe impl Sync for Registry {}

static REGISTRY: OnceLock<Option<Registry>> = OnceLock::new();

/// The registry of a library, which is made when this is first called; NULL if this host cannot be served (the log says why).
pub fn registry(library: fn() -> Box<dyn Library>) -> *mut c_void {
    guard("ggml_backend_init", null_mut(), || {
        let registry = REGISTRY.get_or_init(|| match host() {
            Ok(host) => Some(make(host, library())),
            Err(error) => {
                log::announce_error(&error.to_string());
                None
            }
        });
        registry.as_ref().map_or(null_mut(), |registry| registry.struct_.cast())
    })
}

fn make(host: &'static Host, library: Box<dyn Library>) -> Registry {
    let struct_ = Box::into_raw(Box::new(Reg {
        api_version: host.api_version(),
        iface: RegTable { get_name, get_device_count, get_device, get_proc_address },
        context: null_mut(),
    }));
    let devices = library.devices().into_iter().map(|device| device::make(host, device, struct_)).collect();
    Registry { library, struct_, devices }
}

fn get() -> Option<&'static Registry> {
    REGISTRY.get()?.as_ref()
}

extern "C" fn get_name(_reg: *mut Reg) -> *const c_char {
    get().map_or(c"".as_ptr(), |registry| registry.library.name().as_ptr())
}

extern "C" fn get_device_count(_reg: *mut Reg) -> usize {
    get().map_or(0, |registry| registry.devices.len())
}

extern "C" fn get_device(_reg: *mut Reg, index: usize) -> *mut types::Device {
    get().and_then(|registry| registry.devices.get(index).copied()).unwrap_or(null_mut())
}

/// Functions that ggml's interface does not have, by name.
unsafe extern "C" fn get_proc_address(_reg: *mut Reg, name: *const c_char) -> *mut c_void {
    // SAFETY: ggml passes a string that ends with a zero byte.
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"ggml_backend_get_features" => get_features as *mut c_void,
        b"ggml_backend_tt_finish_loading" => finish_loading as *mut c_void,
        name => fusion::function(name).unwrap_or(null_mut()),
    }
}

/// Asks the library, if there is one.
pub fn with_library<T>(otherwise: T, ask: impl FnOnce(&dyn Library) -> T) -> T {
    get().map_or(otherwise, |registry| ask(&*registry.library))
}

/// `ggml_backend_get_features_t`
extern "C" fn get_features(_reg: *mut Reg) -> *const types::Feature {
    guard("get_features", features::none(), || {
        get().map_or(features::none(), |registry| features::list(&*registry.library))
    })
}

/// `void ggml_backend_tt_finish_loading(void)`: blocks until all weights are on their devices, and writes the statistics.
extern "C" fn finish_loading() {
    guard("finish_loading", (), || {
        if let Some(registry) = get() {
            registry.library.finish_loading();
        }
    });
}
