//! The devices that tests run on.

use std::sync::Arc;

use tt_runtime::{Device, parse_devices};

/// One device, named as in `GGML_TT_DEVICES`.
pub fn open(name: &str) -> Arc<Device> {
    Device::open(&parse_devices(Some(name)).expect("a device")[0])
}

/// Devices of each kind that runs kernels here.
pub fn devices() -> Vec<Arc<Device>> {
    let mut names: Vec<String> =
        ["sim:n150,rows=2", "sim:n150,rows=2,async=3", "sim:n150,rows=2,timed"].map(String::from).into();
    match std::env::var("TTSIM_LIB") {
        Ok(library) => names.push(format!("ttsim:{library}")),
        Err(_) => println!("SKIPPED: the vendor's simulator (TTSIM_LIB is not set)"),
    }
    names.iter().map(|name| open(name)).collect()
}
