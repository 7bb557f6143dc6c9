//! The kernel driver without a kernel: its rules over a simulated chip, for tests of what lies above the driver.
//!
//! ```text
//! Driver, File, Mapping (tt_sys::kmd) -> file -> state: files, windows, locks, buffers, resets -> tt_simulator::Chip
//! ```
//! A [`Mock`] is one device with one [`Version`] of the driver; [`Rules`] says what that version does. What users of a driver rely
//! on is [`conformance`], a list that runs on a mock and on the real driver: where they differ the mock is wrong.
//!
//! The chip's time passes in reads of a word or two from windows and DMA buffers, which is how a program waits for a card.
//!
//! Not there: resets of the kinds 0 to 3, peer mappings, windows as DMA buffers, an IOMMU; the chip does not reach pinned pages (their address
//! is given, as without an IOMMU), only DMA buffers.

pub mod conformance;
mod file;
mod memory;
mod power;
mod reset;
mod rules;
mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tt_simulator::{ChipConfig, Fault};
use tt_sys::kmd::ioctl::Version;
use tt_sys::kmd::{Driver, File, OpenFlags, errno};

pub use rules::{Rules, VERSIONS};

use state::State;

/// A device behind a driver.
#[derive(Clone)]
pub struct Mock {
    node: PathBuf,
    shared: Arc<Shared>,
}

/// What files and mappings of a device share.
struct Shared {
    state: Mutex<State>,
    /// Somebody gave something back.
    changed: Condvar,
}

impl Mock {
    /// A chip behind a driver of this version, at a device node.
    ///
    /// # Errors
    /// The chip cannot be made.
    pub fn new(node: &Path, version: Version, chip: ChipConfig) -> Result<Self, Fault> {
        let state = Mutex::new(State::new(version, chip)?);
        Ok(Self { node: node.into(), shared: Arc::new(Shared { state, changed: Condvar::new() }) })
    }

    /// The device is pulled out: reads give all ones, ioctls fail.
    pub fn remove(&self) {
        self.shared.state.lock().detached = true;
    }

    /// The chip's firmware answers nothing from now on, until the board is reset from outside: resets fail.
    pub fn hang(&self) {
        self.shared.state.lock().hung = true;
    }

    /// Nothing on the NoC answers from now on, as after a request that never ends: windows read as ones. A reset helps.
    pub fn wedge(&self) {
        self.shared.state.lock().wedged = true;
    }

    /// The firmware is an old one, whose register of the telemetry table is zero.
    pub fn age_firmware(&self) {
        self.shared.state.lock().old_firmware = true;
    }

    /// Calls of an ioctl fail with an error number from now on; `None`: not any more.
    pub fn fail(&self, ioctl: u32, error: Option<i32>) {
        let failing = &mut self.shared.state.lock().failing;
        match error {
            Some(error) => failing.insert(ioctl, error),
            None => failing.remove(&ioctl),
        };
    }

    /// Opens fail for want of permission.
    pub fn deny(&self) {
        self.shared.state.lock().denied = true;
    }

    /// Files that are open.
    pub fn open_files(&self) -> usize {
        self.shared.state.lock().files.len()
    }

    /// A word of a tile, past the driver.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn tile_word(&self, tile: tt_isa::noc::NocXy, addr: u64) -> Result<u32, Fault> {
        let mut word = [0; 4];
        self.shared.state.lock().chip.tile_read(tile, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }
}

impl Driver for Mock {
    fn open(&self, node: &Path, flags: OpenFlags) -> io::Result<Box<dyn File>> {
        let mut state = self.shared.state.lock();
        if node != self.node {
            return Err(error(errno::ENOENT));
        }
        if state.denied {
            return Err(error(errno::EACCES));
        }
        while state.must_wait(flags) {
            if flags.contains(OpenFlags::NO_WAIT) {
                return Err(error(errno::EAGAIN));
            }
            self.shared.changed.wait(&mut state);
        }
        let id = state.open(flags);
        Ok(Box::new(file::MockFile::new(Arc::clone(&self.shared), id)))
    }
}

fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}
