//! A chip that the vendor's user-mode driver reaches ([`tt_sys::metal`]): the same cards as by the kernel driver alone, in another way, with chips
//! without PCIe included; and what that driver takes for a card, a simulator's library.
//!
//! ```text
//! Metal: two windows that show everything -> tile, address, order -> Umd, one for all chips of the process
//! ```
//! The driver has windows of its own and points them itself. What is here is the order of writes: those through the window for registers
//! are strict, those of bulk data are not. A write to a rectangle of tiles is one to each of them.
//!
//! The driver finds no memory of the host that chips write to without huge pages, so the completion word is polled.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tt_isa::chip::{CHIPS, Chip};
use tt_isa::noc::NocXy;
use tt_isa::pcie::config;
use tt_isa::tlb::TlbTarget;
use tt_sys::metal::{Architecture, Place, Umd, UmdError, simulator};

use tt_sys::ttsim::Server;

use super::remote::{bar_on_noc, tiles};
use super::{Advance, Purpose, Shown, Simulated, Transport, TransportError};
use crate::chip::{recognise, title};

/// Addresses of a tile.
const SHOWN: u64 = 1 << 36;
const WINDOWS: [Shown; 2] =
    [Shown { bytes: SHOWN, purpose: Purpose::Bulk }, Shown { bytes: SHOWN, purpose: Purpose::Control }];
/// The driver lets a simulator's clock go on by one at a time.
const POLL_CLOCKS: u32 = 16;

/// The driver, which all devices of the process share, and the chips that they have.
struct Driver {
    umd: Mutex<Umd>,
    taken: Mutex<BTreeSet<i32>>,
}

static DRIVER: Mutex<Weak<Driver>> = Mutex::new(Weak::new());

impl Driver {
    fn shared() -> Result<Arc<Self>, TransportError> {
        let mut known = DRIVER.lock();
        if let Some(driver) = known.upgrade() {
            return Ok(driver);
        }
        simulator().as_deref().map_or(Ok(()), check_simulator)?;
        let driver = Arc::new(Self { umd: Mutex::new(Umd::open()?), taken: Mutex::new(BTreeSet::new()) });
        *known = Arc::downgrade(&driver);
        Ok(driver)
    }
}

/// Whether a simulator is of the chip that the description beside it names: with another one it would end this process, at the driver's
/// first access. It is asked in a process of its own.
fn check_simulator(library: &Path) -> Result<(), TransportError> {
    let Ok(description) = std::fs::read_to_string(library.with_file_name("soc_descriptor.yaml")) else {
        // The driver's bridge says what is missing.
        return Ok(());
    };
    let mut server = Server::start(library).map_err(|error| {
        TransportError::Metal(format!("TT_METAL_SIMULATOR={}: {error}", library.display()))
    })?;
    let chip = recognise(server.config_read32(config::ID)?)?;
    let named =
        description.lines().find_map(|line| line.strip_prefix("arch_name:")).unwrap_or_default().trim();
    if named.to_lowercase().starts_with(chip.name) {
        return Ok(());
    }
    Err(TransportError::Metal(format!(
        "TT_METAL_SIMULATOR={}: its chip is a {}, and soc_descriptor.yaml beside it is of a {named}",
        library.display(),
        title(chip.name)
    )))
}

/// A chip of the driver's.
pub struct Metal {
    driver: Arc<Driver>,
    number: i32,
    chip: &'static Chip,
    targets: [TlbTarget; WINDOWS.len()],
    /// What is written when the chip is given back.
    stop: Option<(NocXy, u64, u32)>,
    simulated: bool,
}

impl From<UmdError> for TransportError {
    fn from(error: UmdError) -> Self {
        TransportError::Metal(error.to_string())
    }
}

impl Metal {
    /// The chip of a number, by the driver's count.
    ///
    /// # Errors
    /// The driver is not there or finds no such chip, the chip is not one of those described, or this process has it already.
    pub fn open(number: u32) -> Result<Self, TransportError> {
        let driver = Driver::shared()?;
        let chips = driver.umd.lock().chips()?;
        let Some(number) = i32::try_from(number).ok().filter(|number| chips.contains(number)) else {
            let there = chips.iter().map(i32::to_string).collect::<Vec<_>>().join(", ");
            return Err(TransportError::Metal(format!(
                "the vendor's driver has no chip {number} (it has: {there})"
            )));
        };
        let kind = driver.umd.lock().architecture(number)?;
        let name = match kind {
            Architecture::Wormhole => "wormhole",
            Architecture::Blackhole => "blackhole",
            Architecture::Other(_) => "",
        };
        let Some(&chip) = CHIPS.iter().find(|chip| chip.name == name) else {
            return Err(TransportError::Metal(format!(
                "chip {number} is of a kind that is not described ({kind:?})"
            )));
        };
        if !driver.taken.lock().insert(number) {
            return Err(TransportError::Metal(format!(
                "another device of this process has chip {number}: name it once"
            )));
        }
        let simulated = simulator().is_some();
        let targets = [TlbTarget::unicast(chip.arc, 0); WINDOWS.len()];
        Ok(Self { driver, number, chip, targets, stop: None, simulated })
    }

    fn place(&self, tile: NocXy, addr: u64) -> Place {
        Place { chip: self.number, x: tile.x, y: tile.y, addr }
    }
}

/// Whether accesses through a window are strict.
fn is_strict(window: usize) -> bool {
    WINDOWS[window].purpose == Purpose::Control
}

impl Transport for Metal {
    fn chip(&self) -> &'static Chip {
        self.chip
    }

    fn windows(&self) -> &[Shown] {
        &WINDOWS
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        self.targets[window] = *target;
        Ok(())
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        let target = self.targets[window];
        if target.multicast {
            return Err(super::RemoteError::MulticastRead.into());
        }
        let place = self.place(target.end, target.addr + offset);
        Ok(self.driver.umd.lock().read(place, is_strict(window), out)?)
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        let target = self.targets[window];
        let umd = self.driver.umd.lock();
        tiles(&target).try_for_each(|tile| {
            Ok(umd.write(self.place(tile, target.addr + offset), is_strict(window), data)?)
        })
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        let place = self.place(self.chip.arc, bar_on_noc(self.chip, offset));
        self.driver.umd.lock().read(place, true, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// As the chip's kind has it: the driver does not tell.
    fn pci_id(&mut self) -> Result<u32, TransportError> {
        Ok(self.chip.pci_id)
    }

    /// The driver does nothing for a process that is killed: the word is written when the chip is given back in order.
    fn stop_at_exit(&mut self, tile: NocXy, addr: u64, word: u32) -> Result<(), TransportError> {
        self.stop = Some((tile, addr, word));
        Ok(())
    }

    fn multicasts(&self) -> bool {
        false
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        if self.simulated { Some(self) } else { None }
    }
}

impl Simulated for Metal {
    fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        let umd = self.driver.umd.lock();
        (0..clocks).try_for_each(|_| umd.advance(self.number))?;
        Ok(Advance { asleep: false })
    }

    fn poll_clocks(&self) -> u32 {
        POLL_CLOCKS
    }
}

impl Drop for Metal {
    fn drop(&mut self) {
        if let Some((tile, addr, word)) = self.stop {
            // Where that fails there is nobody to tell, and the next user puts the cores into reset.
            let _ = self.driver.umd.lock().write(self.place(tile, addr), true, &word.to_le_bytes());
        }
        self.driver.taken.lock().remove(&self.number);
    }
}
