//! Access to a chip's tiles and DRAM over a transport's windows.
//!
//! A window shows a piece of one tile's addresses (or a rectangle of tiles'). One is pointed somewhere else only when an access lies outside
//! of what all of its kind show ([`cache`]); transfers of linear DRAM go bank by bank for that reason. Nothing above this module
//! knows that there are windows.
//!
//! # Order
//! Launches and registers go through control windows, which keep the order of writes. Bulk data may still be under way when its write
//! returns: on its way to the card, and then on the NoC, where what goes to one bank says nothing of what goes to another. So the next
//! write to control first reads a word back from each bank that has got bulk data since, the word that it got last.

use tt_isa::arc;
use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_kernel_abi::Shards;
use tt_kernel_abi::dram::DRAM_PAGE;

use crate::DramAddr;
use crate::error::Error;
use crate::transport::{Advance, HostRange, Purpose, Simulated, Transport, TransportError};

mod cache;

use cache::Cache;

/// No telemetry table has more entries.
const MOST_TAGS: u32 = 256;

/// A chip behind a transport.
pub struct Link {
    pub(crate) transport: Box<dyn Transport>,
    chip: &'static Chip,
    windows: Cache,
    /// Where each bank has got bulk data last, if it has not been read back since.
    unsettled: Vec<Option<u64>>,
}

impl Link {
    /// The chip of a transport.
    pub fn new(transport: Box<dyn Transport>) -> Self {
        let (chip, windows) = (transport.chip(), Cache::new(transport.windows()));
        Self { transport, chip, windows, unsettled: vec![None; chip.dram.len()] }
    }

    /// What the chip is.
    pub fn chip(&self) -> &'static Chip {
        self.chip
    }

    /// Number of rows or columns of Tensix tiles that are harvested, from telemetry.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn harvested(&mut self) -> Result<u32, TransportError> {
        let harvest = self.chip.management.harvest;
        Ok(harvest.harvested(self.telemetry(harvest.tag())?, self.chip.harvestable()))
    }

    /// Everything that ARC's telemetry tells, as tags ([`tt_isa::arc::tag`]) with their values.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn telemetry_table(&mut self) -> Result<Vec<(u16, u32)>, TransportError> {
        let table = self.arc_read(self.chip.management.telemetry_table)?;
        let values = self.arc_read(self.chip.management.telemetry_values)?;
        let count = self.arc_read(table.wrapping_add(4))?.min(MOST_TAGS);
        (0..count)
            .map(|i| {
                let entry = self.arc_read(table.wrapping_add(8 + 4 * i))?;
                let value = self.arc_read(values.wrapping_add(4 * (entry >> 16)))?;
                Ok((entry as u16, value))
            })
            .collect()
    }

    /// A value of ARC's telemetry, if it has the tag.
    fn telemetry(&mut self, tag: u16) -> Result<Option<u32>, TransportError> {
        let table = self.arc_read(self.chip.management.telemetry_table)?;
        let values = self.arc_read(self.chip.management.telemetry_values)?;
        let count = self.arc_read(table.wrapping_add(4))?.min(MOST_TAGS);
        for i in 0..count {
            let entry = self.arc_read(table.wrapping_add(8 + 4 * i))?;
            if entry as u16 == tag {
                return Ok(Some(self.arc_read(values.wrapping_add(4 * (entry >> 16)))?));
            }
        }
        Ok(None)
    }

    /// Reads a word at an address of ARC's own.
    fn arc_read(&mut self, address: u32) -> Result<u32, TransportError> {
        match self.chip.management.bar0 {
            Some(bar0) if address >= arc::APB_BASE => {
                self.transport.read_bar(bar0.apb + u64::from(address - arc::APB_BASE))
            }
            Some(bar0) => {
                let offset = u64::from(address).wrapping_sub(u64::from(arc::CSM_BASE));
                self.transport.read_bar(bar0.csm.wrapping_add(offset))
            }
            None => self.read32(self.chip.arc, self.chip.management.noc + u64::from(address)),
        }
    }

    /// The window that shows `target.addr`, and where in it, after pointing one there; and how many bytes follow.
    fn show(&mut self, purpose: Purpose, target: TlbTarget) -> Result<(usize, u64, usize), TransportError> {
        let (found, base) = self.windows.find(purpose, &target);
        if !found.points {
            let target = TlbTarget { addr: base, ordering: purpose.ordering(), ..target };
            self.transport.configure_window(found.window, &target)?;
            self.windows.points(found.window, target);
        }
        let offset = target.addr - base;
        Ok((found.window, offset, (found.bytes - offset).try_into().unwrap_or(usize::MAX)))
    }

    fn read_as(
        &mut self,
        purpose: Purpose,
        tile: NocXy,
        mut addr: u64,
        mut out: &mut [u8],
    ) -> Result<(), TransportError> {
        while !out.is_empty() {
            let (window, offset, most) = self.show(purpose, TlbTarget::unicast(tile, addr))?;
            let len = out.len().min(most);
            let (now, rest) = out.split_at_mut(len);
            self.transport.read(window, offset, now)?;
            out = rest;
            addr += len as u64;
        }
        Ok(())
    }

    fn write_as(
        &mut self,
        purpose: Purpose,
        mut target: TlbTarget,
        mut data: &[u8],
    ) -> Result<(), TransportError> {
        while !data.is_empty() {
            let (window, offset, most) = self.show(purpose, target)?;
            let len = data.len().min(most);
            let (now, rest) = data.split_at(len);
            self.transport.write(window, offset, now)?;
            data = rest;
            target.addr += len as u64;
        }
        Ok(())
    }

    /// Waits until bulk data is where it was written to.
    pub(crate) fn settle(&mut self) -> Result<(), TransportError> {
        for bank in 0..self.unsettled.len() {
            if let Some(last) = self.unsettled[bank] {
                self.read_bulk(self.chip.dram_port(bank, 0), last & !3, &mut [0; 4])?;
                self.unsettled[bank] = None;
            }
        }
        Ok(())
    }

    /// Reads a tile's memory.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn read(&mut self, tile: NocXy, addr: u64, out: &mut [u8]) -> Result<(), TransportError> {
        self.read_as(Purpose::Control, tile, addr, out)
    }

    /// Writes a tile's memory.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn write(&mut self, tile: NocXy, addr: u64, data: &[u8]) -> Result<(), TransportError> {
        self.settle()?;
        self.write_as(Purpose::Control, TlbTarget::unicast(tile, addr), data)
    }

    /// Writes the same to every Tensix tile of a rectangle.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn multicast(&mut self, rect: (NocXy, NocXy), addr: u64, data: &[u8]) -> Result<(), TransportError> {
        self.settle()?;
        self.write_as(Purpose::Control, TlbTarget::rect(rect.0, rect.1, addr), data)
    }

    fn read_bulk(&mut self, tile: NocXy, addr: u64, out: &mut [u8]) -> Result<(), TransportError> {
        self.read_as(Purpose::Bulk, tile, addr, out)
    }

    /// Writes bulk data to an address of a bank's tile.
    fn write_bulk(&mut self, bank: usize, addr: u64, data: &[u8]) -> Result<(), TransportError> {
        if let Some(more) = data.len().checked_sub(1) {
            self.unsettled[bank] = Some(addr + more as u64);
        }
        self.write_as(Purpose::Bulk, TlbTarget::unicast(self.chip.dram_port(bank, 0), addr), data)
    }

    /// Reads a word.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn read32(&mut self, tile: NocXy, addr: u64) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        self.read(tile, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Lets time pass on a simulator; does nothing on a card.
    ///
    /// # Errors
    /// A fault on the chip.
    pub fn advance(&mut self, clocks: u32) -> Result<Advance, TransportError> {
        self.simulated().map_or(Ok(Advance { asleep: false }), |simulated| simulated.advance(clocks))
    }

    /// Whether launches do anything ([`Transport::executes`]).
    pub fn executes(&self) -> bool {
        self.transport.executes()
    }

    /// What only a simulator answers.
    pub fn simulated(&mut self) -> Option<&mut dyn Simulated> {
        self.transport.simulated()
    }

    /// Memory of this host that the chip can write to ([`Transport::host_memory`]).
    pub fn host_memory(&self) -> Option<HostRange> {
        self.transport.host_memory()
    }

    /// Reads that memory, from byte `offset` of it on.
    ///
    /// # Errors
    /// There is none.
    pub fn read_host(&mut self, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        self.transport.read_host(offset, out)
    }

    /// Writes that memory, from byte `offset` of it on.
    ///
    /// # Errors
    /// There is none.
    pub fn write_host(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        self.transport.write_host(offset, data)
    }

    /// Has a word written when this process ends ([`Transport::stop_at_exit`]).
    ///
    /// # Errors
    /// The driver does not take it.
    pub fn stop_at_exit(&mut self, tile: NocXy, addr: u64, word: u32) -> Result<(), TransportError> {
        self.transport.stop_at_exit(tile, addr, word)
    }

    /// Whether the chip is still there, and still ours.
    ///
    /// # Errors
    /// Why not.
    pub fn check_chip(&mut self) -> Result<(), TransportError> {
        self.transport.check()
    }

    /// Says that there is work.
    pub fn busy(&mut self) {
        self.transport.busy();
    }

    /// Bytes of DRAM.
    pub fn dram_size(&self) -> u64 {
        self.chip.dram.len() as u64 * self.chip.dram_bank_size
    }

    /// # Errors
    /// Not all of these bytes of linear DRAM exist.
    pub(crate) fn check(&self, addr: DramAddr, len: u64) -> Result<(), Error> {
        let size = self.dram_size();
        match addr.0.checked_add(len) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Error::OutOfRange { addr, len, size }),
        }
    }

    /// Reads linear DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn read_dram(&mut self, addr: DramAddr, out: &mut [u8]) -> Result<(), Error> {
        self.check(addr, out.len() as u64)?;
        for bank in 0..self.chip.dram.len() {
            for (range, noc) in pieces(self.chip, addr, out.len(), bank) {
                self.read_bulk(self.chip.dram_port(bank, 0), noc, &mut out[range])?;
            }
        }
        Ok(())
    }

    /// Writes linear DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn write_dram(&mut self, addr: DramAddr, data: &[u8]) -> Result<(), Error> {
        self.check(addr, data.len() as u64)?;
        for bank in 0..self.chip.dram.len() {
            for (range, noc) in pieces(self.chip, addr, data.len(), bank) {
                self.write_bulk(bank, noc, &data[range])?;
            }
        }
        Ok(())
    }

    /// Reads bytes of a matrix' stream of tiles, from byte `at` on.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn read_shards(&mut self, shards: &Shards, at: u64, out: &mut [u8]) -> Result<(), TransportError> {
        for (range, bank, offset) in runs(shards, at, out.len()) {
            let (port, base) = (self.chip.dram_port(bank, 0), self.chip.dram[bank].base);
            self.read_bulk(port, base + offset, &mut out[range])?;
        }
        Ok(())
    }

    /// Writes bytes of a matrix' stream of tiles, from byte `at` on.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn write_shards(&mut self, shards: &Shards, at: u64, data: &[u8]) -> Result<(), TransportError> {
        for (range, bank, offset) in runs(shards, at, data.len()) {
            self.write_bulk(bank, self.chip.dram[bank].base + offset, &data[range])?;
        }
        Ok(())
    }
}

/// The runs of `len` bytes of a stream from `at` on: range of the bytes, bank, offset in the bank.
pub(crate) fn runs(
    shards: &Shards,
    at: u64,
    len: usize,
) -> impl Iterator<Item = (std::ops::Range<usize>, usize, u64)> + use<> {
    let end = at + len as u64;
    shards.iter().filter_map(move |shard| {
        let (from, to) = (at.max(shard.first), end.min(shard.first + shard.len));
        let range = from.saturating_sub(at) as usize..to.saturating_sub(at) as usize;
        (from < to).then(|| (range, shard.bank as usize, shard.offset + from - shard.first))
    })
}

/// The pieces of `len` bytes from `addr` that lie in `bank`: range of the bytes, NoC address.
fn pieces(
    chip: &'static Chip,
    addr: DramAddr,
    len: usize,
    bank: usize,
) -> impl Iterator<Item = (std::ops::Range<usize>, u64)> {
    let banks = chip.dram.len() as u64;
    let page = u64::from(DRAM_PAGE);
    let first = addr.0 / page;
    // The first page at or after `first` that is in this bank.
    let skip = (bank as u64 + banks - first % banks) % banks;
    let base = chip.dram[bank].base;
    let end = addr.0 + len as u64;
    (0..).map(move |i| first + skip + i * banks).take_while(move |p| p * page < end).map(move |p| {
        let from = (p * page).max(addr.0);
        let to = ((p + 1) * page).min(end);
        let at = DramAddr(from).locate(banks as u32);
        ((from - addr.0) as usize..(to - addr.0) as usize, base + at.offset)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use proptest::prelude::*;
    use tt_isa::chip::WORMHOLE;
    use tt_isa::noc::NocXy;

    use super::*;
    use crate::transport::Shown;

    /// Notes accesses: whether it is a write, the tile, the address.
    struct Notes {
        windows: Vec<Shown>,
        targets: Vec<TlbTarget>,
        seen: Arc<Mutex<Vec<(bool, NocXy, u64)>>>,
    }

    impl Notes {
        fn note(&self, write: bool, window: usize, offset: u64) {
            let target = self.targets[window];
            self.seen.lock().push((write, target.end, target.addr + offset));
        }
    }

    impl Transport for Notes {
        fn chip(&self) -> &'static Chip {
            &WORMHOLE
        }

        fn windows(&self) -> &[Shown] {
            &self.windows
        }

        fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
            self.targets[window] = *target;
            Ok(())
        }

        fn read(&mut self, window: usize, offset: u64, _out: &mut [u8]) -> Result<(), TransportError> {
            self.note(false, window, offset);
            Ok(())
        }

        fn write(&mut self, window: usize, offset: u64, _data: &[u8]) -> Result<(), TransportError> {
            self.note(true, window, offset);
            Ok(())
        }

        fn read_bar(&mut self, _offset: u64) -> Result<u32, TransportError> {
            Ok(0)
        }

        fn pci_id(&mut self) -> Result<u32, TransportError> {
            Ok(WORMHOLE.pci_id)
        }
    }

    /// What was written to several banks is read back from each of them before a launch, once, whatever else is read between.
    #[test]
    fn a_launch_waits_for_bulk_data_of_every_bank() {
        let window = |purpose| Shown { bytes: 16 << 20, purpose };
        let windows = vec![window(Purpose::Control), window(Purpose::Bulk), window(Purpose::Bulk)];
        let seen = Arc::new(Mutex::new(Vec::new()));
        let targets = vec![TlbTarget::unicast(NocXy::new(0, 0), 0); windows.len()];
        let mut link = Link::new(Box::new(Notes { windows, targets, seen: Arc::clone(&seen) }));
        link.write_dram(DramAddr(0), &vec![1; 3 * DRAM_PAGE as usize]).expect("written");
        let worker = NocXy::new(18, 18);
        link.read32(worker, 0x100).expect("a word");
        seen.lock().clear();
        for _ in 0..2 {
            link.multicast((worker, worker), 0x200, &[0; 4]).expect("written");
        }
        let end = |bank: usize| {
            (false, WORMHOLE.dram_port(bank, 0), WORMHOLE.dram[bank].base + u64::from(DRAM_PAGE) - 4)
        };
        let launch = (true, worker, 0x200);
        assert_eq!(*seen.lock(), [end(0), end(1), end(2), launch, launch]);
    }

    proptest! {
        #[test]
        fn pieces_cover_every_byte_once(addr in 0u64..500_000, len in 0usize..400_000) {
            let mut seen = vec![0u8; len];
            for bank in 0..WORMHOLE.dram.len() {
                for (range, noc) in pieces(&WORMHOLE, DramAddr(addr), len, bank) {
                    for (i, at) in range.zip(noc..) {
                        let want = DramAddr(addr + i as u64).locate(12);
                        prop_assert_eq!((want.bank as usize, WORMHOLE.dram[bank].base + want.offset), (bank, at));
                        seen[i] += 1;
                    }
                }
            }
            prop_assert!(seen.iter().all(|&n| n == 1));
        }
    }
}
