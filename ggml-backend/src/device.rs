//! A device: the runtime's, with a name for ggml and the weights in its buffers.

use std::ffi::CString;
use std::sync::{Arc, OnceLock};

use crate::abi::log;
use crate::weights::Weights;

/// A device; it lives for ever.
pub struct Device {
    /// "TT0"
    pub name: CString,
    /// For the user.
    pub description: CString,
    /// PCI address, if it has one.
    pub id: Option<CString>,
    /// The runtime's device.
    pub runtime: Arc<tt_runtime::Device>,
    /// Weights in its buffers.
    pub weights: Weights,
    /// Tiles that multiply at the same time where there are many rows, at most.
    pub matrix_units: u32,
}

/// So many matrix units of a Wormhole are known to be safe in products without pauses: the vendor's library pauses them where there are more
/// (`compute_throttle_utils.hpp`: `WH_B0_MM_MAX_CORES_NO_THROTTLE_OR_STAGGER`).
const SAFE_MATRIX_UNITS: u32 = 48;

/// What the user has chosen, or what is safe for a card.
fn matrix_units(is_silicon: bool) -> u32 {
    let chosen = tt_settings::MATRIX_UNITS.text().map(|text| (text, text.trim().parse()));
    match chosen {
        Some((_, Ok(0))) => u32::MAX,
        Some((_, Ok(most))) => most,
        Some((text, Err(_))) => {
            let name = tt_settings::MATRIX_UNITS.name;
            log::error(&format!("{name}: {text} is no number of matrix units; 0 is all of them"));
            SAFE_MATRIX_UNITS
        }
        None if is_silicon => SAFE_MATRIX_UNITS,
        None => u32::MAX,
    }
}

static ALL: OnceLock<Vec<&'static Device>> = OnceLock::new();

impl Device {
    /// Makes a device of each of the runtime's.
    pub fn make_all(runtimes: Vec<Arc<tt_runtime::Device>>) {
        ALL.get_or_init(|| runtimes.into_iter().enumerate().map(|(i, it)| Self::leak(i, it)).collect());
    }

    /// All devices of the process; none before [`Device::make_all`].
    pub fn all() -> &'static [&'static Self] {
        ALL.get().map_or(&[], Vec::as_slice)
    }

    fn leak(index: usize, runtime: Arc<tt_runtime::Device>) -> &'static Self {
        let device: &'static Self = Box::leak(Box::new(Self {
            name: c_string(&format!("TT{index}")),
            description: c_string(&runtime.description()),
            id: runtime.pci_address().map(|address| c_string(&address)),
            weights: Weights::new(Arc::clone(&runtime)),
            matrix_units: matrix_units(runtime.is_silicon()),
            runtime,
        }));
        let description = device.description.to_string_lossy();
        let mut card = device.runtime.card().map_or_else(String::new, about);
        if device.runtime.is_second() {
            card += ", its second chip";
        }
        let memory = device.runtime.memory().total >> 20;
        log::info(&format!("{}: {description}, {memory} MiB{card}", device.label()));
        device
    }

    /// Its name, for messages.
    pub fn label(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }
}

/// Where a card is, and what drives it.
fn about(card: &tt_runtime::cards::Card) -> String {
    let told = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!(", {name} {value}"));
    let [serial, firmware] = [told("board", &card.serial), told("firmware", &card.firmware)];
    format!(
        ", {} at {}{}, driver {}{}",
        card.name(),
        card.address,
        serial.unwrap_or_default(),
        card.driver,
        firmware.unwrap_or_else(|| ", firmware unknown".to_owned())
    )
}

/// A string for C; ours have no zero bytes.
fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
