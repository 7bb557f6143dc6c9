//! What the examples share: their kernels, and the device that the command line names.

use std::sync::Arc;

use anyhow::{Context, Result};
use tt_runtime::{Device, parse_devices};

pub mod matrix;

/// The kernels in `kernels/src/bin`, compiled by this package's build script.
pub mod kernels {
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}

/// Opens the device that the first argument names, as in `GGML_TT_DEVICES`; without one it is a simulated n150.
///
/// # Errors
/// There is no such device.
pub fn device() -> Result<Arc<Device>> {
    device_or("sim")
}

/// The same, with a device of the example's own where the command line names none.
///
/// # Errors
/// There is no such device.
pub fn device_or(name: &str) -> Result<Arc<Device>> {
    let name = std::env::args().nth(1).unwrap_or(name.into());
    let spec = parse_devices(Some(&name))?.into_iter().next().context("there is no device")?;
    Ok(Device::open(&spec))
}
