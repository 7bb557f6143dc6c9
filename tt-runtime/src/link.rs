//! Access to a chip's tiles and DRAM over a transport's window.
//!
//! The window shows 16 MiB of one tile's addresses (or a rectangle of tiles'). It is pointed somewhere else only when
//! an access lies outside of what it shows; transfers of linear DRAM go bank by bank for that reason.

use tt_isa::arc;
use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;
use tt_isa::tlb::{ARC_APB_BAR0, ARC_CSM_BAR0, TlbTarget};
use tt_kernel_abi::Shards;
use tt_kernel_abi::dram::DRAM_PAGE;

use crate::DramAddr;
use crate::error::Error;
use crate::transport::{Transport, TransportError, WINDOW_BYTES};

/// A register of ARC's reset unit, in BAR 0.
const fn reset_unit(register: u32) -> u64 {
    ARC_APB_BAR0 + (arc::RESET_UNIT + register) as u64
}

/// No telemetry table has more entries.
const MOST_TAGS: u32 = 256;

/// A chip behind a transport.
pub struct Link {
    pub(crate) transport: Box<dyn Transport>,
    chip: &'static Chip,
    window: Option<TlbTarget>,
}

impl Link {
    /// A chip of this type.
    pub fn new(transport: Box<dyn Transport>, chip: &'static Chip) -> Self {
        Self { transport, chip, window: None }
    }

    /// Number of Tensix rows that are harvested, from telemetry.
    pub fn harvested_rows(&mut self) -> Result<u32, TransportError> {
        let csm = |address: u32| ARC_CSM_BAR0 + u64::from(address).wrapping_sub(u64::from(arc::CSM_BASE));
        let table = csm(self.transport.read_bar(reset_unit(arc::TELEMETRY_TABLE))?);
        let values = csm(self.transport.read_bar(reset_unit(arc::TELEMETRY_VALUES))?);
        let count = self.transport.read_bar(table + 4)?.min(MOST_TAGS);
        for i in 0..u64::from(count) {
            let entry = self.transport.read_bar(table + 8 + 4 * i)?;
            if entry as u16 == arc::tag::HARVESTING_STATE {
                let value = self.transport.read_bar(values + 4 * u64::from(entry >> 16))?;
                return Ok(value.count_ones());
            }
        }
        Ok(0)
    }

    /// Offset of `target.addr` in the window, after pointing the window there.
    fn show(&mut self, target: TlbTarget) -> Result<u64, TransportError> {
        let base = target.addr / WINDOW_BYTES * WINDOW_BYTES;
        let shown = TlbTarget { addr: base, ..target };
        if self.window != Some(shown) {
            self.window = None;
            self.transport.configure_window(&shown)?;
            self.window = Some(shown);
        }
        Ok(target.addr - base)
    }

    /// Reads a tile's memory.
    pub fn read(&mut self, tile: NocXy, mut addr: u64, mut out: &mut [u8]) -> Result<(), TransportError> {
        while !out.is_empty() {
            let offset = self.show(TlbTarget::unicast(tile, addr))?;
            let len = out.len().min((WINDOW_BYTES - offset) as usize);
            let (now, rest) = out.split_at_mut(len);
            self.transport.read(offset, now)?;
            out = rest;
            addr += len as u64;
        }
        Ok(())
    }

    /// Writes memory of one tile, or of every Tensix tile of a rectangle.
    fn write_target(&mut self, mut target: TlbTarget, mut data: &[u8]) -> Result<(), TransportError> {
        while !data.is_empty() {
            let offset = self.show(target)?;
            let len = data.len().min((WINDOW_BYTES - offset) as usize);
            let (now, rest) = data.split_at(len);
            self.transport.write(offset, now)?;
            data = rest;
            target.addr += len as u64;
        }
        Ok(())
    }

    /// Writes a tile's memory.
    pub fn write(&mut self, tile: NocXy, addr: u64, data: &[u8]) -> Result<(), TransportError> {
        self.write_target(TlbTarget::unicast(tile, addr), data)
    }

    /// Writes the same to every Tensix tile of a rectangle.
    pub fn multicast(&mut self, rect: (NocXy, NocXy), addr: u64, data: &[u8]) -> Result<(), TransportError> {
        self.write_target(TlbTarget::rect(rect.0, rect.1, addr), data)
    }

    /// Reads a word.
    pub fn read32(&mut self, tile: NocXy, addr: u64) -> Result<u32, TransportError> {
        let mut word = [0; 4];
        self.read(tile, addr, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Bytes of DRAM.
    pub fn dram_size(&self) -> u64 {
        self.chip.dram.len() as u64 * self.chip.dram_bank_size
    }

    fn check(&self, addr: DramAddr, len: usize) -> Result<(), Error> {
        let size = self.dram_size();
        match addr.0.checked_add(len as u64) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Error::OutOfRange { addr, len: len as u64, size }),
        }
    }

    /// Reads linear DRAM.
    pub fn read_dram(&mut self, addr: DramAddr, out: &mut [u8]) -> Result<(), Error> {
        self.check(addr, out.len())?;
        for bank in 0..self.chip.dram.len() {
            for (range, noc) in pieces(self.chip, addr, out.len(), bank) {
                self.read(self.chip.dram[bank].ports[0], noc, &mut out[range])?;
            }
        }
        Ok(())
    }

    /// Writes linear DRAM.
    pub fn write_dram(&mut self, addr: DramAddr, data: &[u8]) -> Result<(), Error> {
        self.check(addr, data.len())?;
        for bank in 0..self.chip.dram.len() {
            for (range, noc) in pieces(self.chip, addr, data.len(), bank) {
                self.write(self.chip.dram[bank].ports[0], noc, &data[range])?;
            }
        }
        Ok(())
    }

    /// Reads bytes of a matrix' stream of tiles, from byte `at` on.
    pub fn read_shards(&mut self, shards: &Shards, at: u64, out: &mut [u8]) -> Result<(), TransportError> {
        for (range, bank, offset) in runs(shards, at, out.len()) {
            let bank = &self.chip.dram[bank];
            self.read(bank.ports[0], bank.base + offset, &mut out[range])?;
        }
        Ok(())
    }

    /// Writes bytes of a matrix' stream of tiles, from byte `at` on.
    pub fn write_shards(&mut self, shards: &Shards, at: u64, data: &[u8]) -> Result<(), TransportError> {
        for (range, bank, offset) in runs(shards, at, data.len()) {
            let bank = &self.chip.dram[bank];
            self.write(bank.ports[0], bank.base + offset, &data[range])?;
        }
        Ok(())
    }
}

/// The runs of `len` bytes of a stream from `at` on: range of the bytes, bank, offset in the bank.
fn runs(shards: &Shards, at: u64, len: usize) -> impl Iterator<Item = (std::ops::Range<usize>, usize, u64)> {
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
    use super::*;
    use proptest::prelude::*;
    use tt_isa::chip::WORMHOLE;

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
