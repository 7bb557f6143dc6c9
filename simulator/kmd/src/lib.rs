//! The kernel driver without a kernel: its rules over a simulated chip, for tests of what lies above the driver.
//!
//! ```text
//! Driver, File, Mapping (tt_sys::kmd) -> file -> state: files, windows, locks, buffers, resets -> tt_simulator::System
//! ```
//! A [`Mock`] is one device, with the chip of its card that has no PCIe behind it, and one [`Version`] of the driver; [`Rules`] says what
//! that version does. [`Mocks`] are several devices of a machine. What users of a driver rely on is [`conformance`], a list that runs on a
//! mock and on the real driver: where they differ the mock is wrong.
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
use tt_isa::chip::Board;
use tt_isa::noc::NocXy;
use tt_simulator::{ChipConfig, Fault, System};
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
    /// A card behind a driver of this version, at a device node and on a PCI bus: the chip that the host reaches, and those of its board that
    /// are behind it ([`Board::behind`]), harvested as usual.
    ///
    /// # Errors
    /// The chips cannot be made.
    pub fn new(
        node: &Path,
        version: Version,
        bus: u8,
        board: &'static Board,
        threads: usize,
    ) -> Result<Self, Fault> {
        let config = |index| ChipConfig { threads, ..ChipConfig::of_board(board, index) };
        let card = System::of(std::iter::once(0).chain(board.behind(0)).map(config))?;
        let state = Mutex::new(State::new(version, bus, board.chip, card));
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

    /// The process that has files open is killed: what they held is given back, as the kernel does it, and nothing that is left of them reaches the
    /// card any more.
    pub fn kill(&self) {
        let mut state = self.shared.state.lock();
        let files: Vec<u64> = state.files.keys().copied().collect();
        files.into_iter().for_each(|file| state.release(file));
        state.mapped.fill(0);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// What has been read and written through mappings so far.
    pub fn accesses(&self) -> Accesses {
        self.shared.state.lock().accesses
    }

    /// Time passes on the card.
    ///
    /// # Errors
    /// A fault of a chip.
    pub fn advance(&self, clocks: u64) -> Result<(), Fault> {
        self.shared.state.lock().card.advance(clocks).map(drop)
    }

    /// Files that are open.
    pub fn open_files(&self) -> usize {
        self.shared.state.lock().files.len()
    }

    /// A word of a tile, past the driver.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn tile_word(&self, tile: NocXy, addr: u64) -> Result<u32, Fault> {
        self.word_of(0, tile, addr)
    }

    /// A word of a tile of one of the card's chips.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn word_of(&self, chip: usize, tile: NocXy, addr: u64) -> Result<u32, Fault> {
        let mut word = [0; 4];
        self.shared.state.lock().card.chips()[chip].tile_read(tile, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Writes a word of a tile, past the driver.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn set_tile_word(&self, tile: NocXy, addr: u64, word: u32) -> Result<(), Fault> {
        self.shared.state.lock().chip().tile_write(tile, addr, &word.to_le_bytes())
    }
}

/// What a host has done with what it has mapped of a card, DMA buffers apart.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Accesses {
    /// Reads, each of any number of bytes.
    pub reads: u64,
    /// Bytes of them.
    pub read: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes of them.
    pub written: u64,
}

/// The cards of a machine, each a PCI function of its own with a node of its own.
#[derive(Clone)]
pub struct Mocks(pub Vec<Mock>);

impl Driver for Mocks {
    fn open(&self, node: &Path, flags: OpenFlags) -> io::Result<Box<dyn File>> {
        let card = self.0.iter().find(|mock| mock.node == node);
        card.ok_or_else(|| error(errno::ENOENT))?.open(node, flags)
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
