//! A card without cores: memory that keeps what is written to it, and workers that complete every launch at once and compute nothing.
//!
//! It is for tests of what happens before and after a launch (planning, residency of weights, allocation), which need neither a card nor a
//! simulator, and no results. All Tensix tiles have one L1, which is enough for a host that writes to all of them by multicast and
//! looks at one word of one of them.

use std::collections::HashMap;
use std::mem::offset_of;

use tt_isa::chip::{Board, Chip};
use tt_isa::map::{DEBUG_REGS_BASE, NIU_BASE, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_kernel_abi::l1;
use tt_kernel_abi::launch::{Launch, Stream};

use super::{Advance, Shown, Simulated, Transport, TransportError, Window};

/// Bytes of a page of memory.
const PAGE: u64 = 16 << 10;

/// A chip that accepts everything and computes nothing.
pub struct Null {
    chip: &'static Chip,
    windows: Vec<Shown>,
    /// What each of them shows.
    targets: Vec<TlbTarget>,
    workers: u32,
    /// By tile and number of the page; a page that nobody has written to is zeros.
    pages: HashMap<(NocXy, u64), Box<[u8]>>,
}

impl Null {
    /// A chip of a board, with all of its rows.
    pub fn new(board: &'static Board) -> Self {
        let chip = board.chip;
        let windows: Vec<Shown> = Window::all(chip).iter().map(Window::shown).collect();
        let targets = vec![TlbTarget::unicast(NocXy::new(0, 0), 0); windows.len()];
        // It has no telemetry, so nothing says that rows are harvested.
        let workers = chip.workers(0).count() as u32;
        Self { chip, windows, targets, workers, pages: HashMap::new() }
    }

    /// Whose memory an access to a tile reaches: all Tensix tiles share theirs.
    fn owner(&self, tile: NocXy) -> NocXy {
        let shared = NocXy::new(self.chip.translated_x[0], self.chip.translated_y[0]);
        if self.place(tile).is_some() { shared } else { tile }
    }

    /// NoC 0 coordinate of a Tensix tile that is named by its translated one.
    fn place(&self, tile: NocXy) -> Option<NocXy> {
        let index = |all: &[u8], at: u8| all.iter().position(|&n| n == at);
        let column = index(self.chip.translated_x, tile.x)?;
        let row = index(self.chip.translated_y, tile.y)?;
        Some(NocXy::new(self.chip.tensix_x[column], self.chip.tensix_y[row]))
    }

    fn page(&mut self, owner: NocXy, number: u64) -> &mut [u8] {
        self.pages.entry((owner, number)).or_insert_with(|| vec![0; PAGE as usize].into_boxed_slice())
    }

    fn store(&mut self, owner: NocXy, mut addr: u64, mut data: &[u8]) {
        while !data.is_empty() {
            let from = (addr % PAGE) as usize;
            let (now, rest) = data.split_at(data.len().min(PAGE as usize - from));
            self.page(owner, addr / PAGE)[from..from + now.len()].copy_from_slice(now);
            (addr, data) = (addr + now.len() as u64, rest);
        }
    }

    fn load(&self, owner: NocXy, mut addr: u64, mut out: &mut [u8]) {
        while !out.is_empty() {
            let from = (addr % PAGE) as usize;
            let len = out.len().min(PAGE as usize - from);
            let (now, rest) = out.split_at_mut(len);
            match self.pages.get(&(owner, addr / PAGE)) {
                Some(page) => now.copy_from_slice(&page[from..from + len]),
                None => now.fill(0),
            }
            (addr, out) = (addr + len as u64, rest);
        }
    }

    fn load_word(&self, owner: NocXy, addr: u32) -> u32 {
        let mut word = [0; 4];
        self.load(owner, u64::from(addr), &mut word);
        u32::from_le_bytes(word)
    }

    fn store_word(&mut self, owner: NocXy, addr: u32, word: u32) {
        self.store(owner, u64::from(addr), &word.to_le_bytes());
    }

    /// Every worker counts itself on the completion word, for as many launches.
    fn complete(&mut self, owner: NocXy, launches: u32) {
        let count = self.load_word(owner, l1::COMPLETION);
        self.store_word(owner, l1::COMPLETION, count.wrapping_add(self.workers * launches));
    }

    /// A launch and the steps behind it are complete as soon as they are started.
    fn launched(&mut self, owner: NocXy, seq: u32) {
        let steps = l1::launch(seq) + (offset_of!(Launch, stream) + offset_of!(Stream, steps)) as u32;
        let steps = self.load_word(owner, steps);
        self.complete(owner, steps + 1);
        self.store_word(owner, l1::FINISHED, seq + steps);
        self.store_word(owner, l1::GO, seq + steps);
    }

    /// What the cores do about a write to all of them.
    fn written(&mut self, owner: NocXy, addr: u64, data: &[u8]) {
        let word = data.try_into().map(u32::from_le_bytes);
        match word {
            Ok(word) if addr == u64::from(DEBUG_REGS_BASE + SOFT_RESET_0) && word != SOFT_RESET_ALL => {
                self.complete(owner, 1);
            }
            Ok(seq) if addr == u64::from(l1::GO) => self.launched(owner, seq),
            _ => {}
        }
    }
}

impl Transport for Null {
    fn chip(&self) -> &'static Chip {
        self.chip
    }

    fn windows(&self) -> &[Shown] {
        &self.windows
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        self.targets[window] = *target;
        Ok(())
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        let shows = self.targets[window];
        let (tile, addr) = (shows.end, shows.addr + offset);
        match self.place(tile) {
            Some(place) if addr == u64::from(NIU_BASE + self.chip.noc.registers.node_id) => {
                out.copy_from_slice(&self.chip.node_id(place, 0).to_le_bytes()[..out.len()]);
            }
            _ => self.load(self.owner(tile), addr, out),
        }
        Ok(())
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        let shows = self.targets[window];
        let (owner, addr) = (self.owner(shows.end), shows.addr + offset);
        self.store(owner, addr, data);
        if shows.multicast {
            self.written(owner, addr, data);
        }
        Ok(())
    }

    fn read_bar(&mut self, _offset: u64) -> Result<u32, TransportError> {
        Ok(0)
    }

    fn pci_id(&mut self) -> Result<u32, TransportError> {
        Ok(self.chip.pci_id)
    }

    fn executes(&self) -> bool {
        false
    }

    fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        Some(self)
    }
}

impl Simulated for Null {
    fn advance(&mut self, _clocks: u32) -> Result<Advance, TransportError> {
        // What has not completed never will.
        Ok(Advance { asleep: true })
    }
}
