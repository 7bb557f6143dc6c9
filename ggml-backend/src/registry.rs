//! The library as ggml sees it: which devices there are, and what each of them can do.

use std::ffi::CStr;
use std::sync::Arc;

use tt_runtime::layout::WeightFormat;
use tt_runtime::{WITH_KERNELS, parse_devices};
use tt_settings::DEVICES;

use crate::abi::TensorRef;
use crate::abi::entry::{self, MemoryBytes};
use crate::abi::host::{Host, host};
use crate::abi::log;
use crate::backend::Backend;
use crate::buffer::{ALIGNMENT, Arena, alloc_size};
use crate::device::Device;
use crate::{debug, fusion, stats, support, trace};

/// The library.
struct Library;

/// Makes the library: looks at the settings, and for devices.
pub fn library() -> Box<dyn entry::Library> {
    tt_settings::read_all();
    trace::start();
    debug::start();
    Device::make_all(find_devices());
    Box::new(Library)
}

fn find_devices() -> Vec<Arc<tt_runtime::Device>> {
    let (name, text) = (DEVICES.name, DEVICES.text());
    let specs = match parse_devices(text) {
        Ok(specs) => specs,
        Err(error) => {
            log::announce_error(&format!("{name}={}: {error}", text.unwrap_or_default()));
            return Vec::new();
        }
    };
    let opened: Vec<_> = specs.iter().map(tt_runtime::Device::open).collect();
    let usable: Vec<_> = opened.into_iter().filter(usable).collect();
    match usable.len() {
        0 if !specs.is_empty() && text.is_none() => {
            log::error(&format!("no Tenstorrent card that can be used; {name}=sim simulates one"))
        }
        0 if !specs.is_empty() => log::error(&format!("no device of {name} can be used")),
        0 => {
            log::announce_idle(&format!("no Tenstorrent card found, so no device; {name}=sim simulates one"))
        }
        1 => log::info("found 1 device"),
        n => log::info(&format!("found {n} devices")),
    }
    usable
}

/// Whether a device's chip can be used; says why not.
fn usable(device: &Arc<tt_runtime::Device>) -> bool {
    let why = device.chip().err();
    if let Some(error) = &why {
        log::error(&format!("{}: {error}", device.description()));
    }
    why.is_none()
}

impl entry::Library for Library {
    fn name(&self) -> &'static CStr {
        c"Tenstorrent"
    }

    fn devices(&self) -> Vec<&'static dyn entry::Device> {
        Device::all().iter().map(|&device| device as &dyn entry::Device).collect()
    }

    fn features(&self) -> Vec<(&'static str, String)> {
        let chips: Vec<&str> = WITH_KERNELS.iter().map(|chip| chip.name).collect();
        let formats: Vec<&str> =
            WeightFormat::ALL.iter().map(|format| format.name()).chain(["exact"]).collect();
        let mut all = vec![
            ("VERSION", env!("CARGO_PKG_VERSION").to_owned()),
            ("ARCHS", chips.join(",")),
            ("WEIGHTS", formats.join(",")),
            ("SIMULATOR", "1".to_owned()),
        ];
        all.extend(host().ok().map(|host| ("GGML_LAYOUT", host.layout_name())));
        all
    }

    fn finish_loading(&self) {
        Device::all().iter().for_each(|device| device.weights.finish());
        stats::write();
    }

    fn fusions(&self) -> Vec<(&'static str, u64)> {
        fusion::Kind::ALL.map(|kind| (kind.name(), stats::fused(kind.name()))).to_vec()
    }

    fn reset_fusions(&self) {
        stats::reset_fused();
    }

    fn enable_fusions(&self, is_enabled: bool) {
        fusion::enable(is_enabled);
    }
}

impl entry::Device for Device {
    fn name(&self) -> &CStr {
        &self.name
    }

    fn description(&self) -> &CStr {
        &self.description
    }

    fn id(&self) -> Option<&CStr> {
        self.id.as_deref()
    }

    fn memory(&self) -> MemoryBytes {
        let memory = self.runtime.memory();
        MemoryBytes { free: memory.free as usize, total: memory.total as usize }
    }

    fn supports(&self, host: &'static Host, node: TensorRef<'_>) -> bool {
        support::supported(host, node)
    }

    /// A device that does not boot says so here, where ggml can still go on without it.
    fn backend(&'static self, _host: &'static Host) -> Option<Box<dyn entry::Backend>> {
        match self.runtime.info() {
            Ok(info) => {
                let (x, y) = info.grid;
                log::debug(&format!("{}: {x} x {y} Tensix tiles", self.label()));
                Some(Box::new(Backend::new(self)))
            }
            Err(error) => {
                log::error(&format!("{} cannot be used: {error}", self.label()));
                None
            }
        }
    }

    fn alignment(&self) -> usize {
        ALIGNMENT
    }

    fn alloc_size(&self, host: &'static Host, tensor: TensorRef<'_>) -> usize {
        alloc_size(host, tensor)
    }

    fn alloc(&'static self, size: usize) -> Option<Box<dyn entry::Buffer>> {
        match Arena::new(self, size as u64) {
            Ok(arena) => Some(Box::new(arena)),
            Err(error) => {
                log::error(&format!("{}: {error}", self.label()));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::entry::Library as _;

    #[test]
    fn features_name_chips_and_the_simulator() {
        let features = Library.features();
        assert!(
            features.iter().any(|(name, value)| *name == "ARCHS" && value.contains("wormhole")),
            "{features:?}"
        );
        assert!(features.contains(&("SIMULATOR", "1".to_owned())));
    }
}
