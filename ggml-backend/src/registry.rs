//! The registry: which devices there are.
//!
//! ggml may ask several times in a process, and tells backends apart by the pointer that it gets: it is made once
//! and never freed.
//!
//! # Safety
//! The functions here are called by ggml with the pointer that [`registry`] returned.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{Arc, OnceLock};

use tt_runtime::parse_devices;

use crate::abi::guard;
use crate::abi::host::host;
use crate::abi::types::{self, Reg, RegTable};
use crate::device::Device;
use crate::{debug, features, log, stats};

/// Which devices to use (`tt_runtime::parse_devices`).
const DEVICES: &str = "GGML_TT_DEVICES";

/// A pointer to something that is never freed and never changes.
struct Shared(*mut Reg);

// SAFETY: points to a registry that is not written to once it is made.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

static REGISTRY: OnceLock<Option<Shared>> = OnceLock::new();
static DEVICE_LIST: OnceLock<Vec<&'static Device>> = OnceLock::new();

/// The registry, or NULL if this host cannot be served.
pub fn registry() -> *mut c_void {
    REGISTRY.get_or_init(make).as_ref().map_or(std::ptr::null_mut(), |shared| shared.0.cast())
}

/// All devices.
pub fn devices() -> &'static [&'static Device] {
    DEVICE_LIST.get().map_or(&[], Vec::as_slice)
}

fn make() -> Option<Shared> {
    let host = match host() {
        Ok(host) => host,
        Err(error) => {
            log::announce_error(&error.to_string());
            return None;
        }
    };
    debug::start();
    let reg = Box::leak(Box::new(Reg {
        api_version: host.api_version(),
        iface: RegTable { get_name, get_device_count, get_device, get_proc_address },
        context: std::ptr::null_mut(),
    }));
    let reg: *mut Reg = reg;
    let devices = find_devices(reg);
    let _ = DEVICE_LIST.set(devices);
    Some(Shared(reg))
}

fn find_devices(reg: *mut Reg) -> Vec<&'static Device> {
    let text = std::env::var(DEVICES).ok();
    let specs = match parse_devices(text.as_deref()) {
        Ok(specs) => specs,
        Err(error) => {
            log::announce_error(&format!("{DEVICES}={}: {error}", text.unwrap_or_default()));
            return Vec::new();
        }
    };
    let opened: Vec<_> = specs.iter().map(tt_runtime::Device::open).collect();
    let usable: Vec<_> = opened.into_iter().filter(usable).collect();
    match usable.len() {
        0 if !specs.is_empty() => log::error(&format!("no device of {DEVICES} can be used")),
        0 => log::announce_idle(&format!(
            "no Tenstorrent card found, so no device; {DEVICES}=sim simulates one"
        )),
        1 => log::info("found 1 device"),
        n => log::info(&format!("found {n} devices")),
    }
    usable.into_iter().enumerate().map(|(i, device)| Device::leak(i, device, reg)).collect()
}

/// Whether a device's chip can be used; says why not.
fn usable(device: &Arc<tt_runtime::Device>) -> bool {
    let why = device.chip().err();
    if let Some(error) = &why {
        log::error(&format!("{}: {error}", device.description()));
    }
    why.is_none()
}

extern "C" fn get_name(_reg: *mut Reg) -> *const c_char {
    c"Tenstorrent".as_ptr()
}

extern "C" fn get_device_count(_reg: *mut Reg) -> usize {
    devices().len()
}

extern "C" fn get_device(_reg: *mut Reg, index: usize) -> *mut types::Device {
    guard("get_device", std::ptr::null_mut(), || {
        devices().get(index).map_or(std::ptr::null_mut(), |device| device.pointer())
    })
}

/// Functions that ggml's interface does not have, by name.
unsafe extern "C" fn get_proc_address(_reg: *mut Reg, name: *const c_char) -> *mut c_void {
    // SAFETY: ggml passes a terminated string.
    match unsafe { CStr::from_ptr(name) }.to_bytes() {
        b"ggml_backend_get_features" => features::get as *mut c_void,
        b"ggml_backend_tt_finish_loading" => finish_loading as *mut c_void,
        _ => std::ptr::null_mut(),
    }
}

/// `void ggml_backend_tt_finish_loading(void)`: waits until all weights are on their devices, and writes the statistics.
extern "C" fn finish_loading() {
    guard("finish_loading", (), || {
        devices().iter().for_each(|device| device.weights.finish());
        stats::write();
    });
}

/// A string for C; ours have no zero bytes.
pub fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
