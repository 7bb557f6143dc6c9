//! Bytes that the chip moves itself (`tt_kernel_abi::transfer`): results pushed to the host's memory, DRAM filled and copied.
//!
//! A host reads a card slowly: each load waits for an answer over PCIe. Where the chip reaches memory of the host
//! ([`Transport::host_memory`](crate::transport::Transport::host_memory)), reading more than a few words of DRAM is a launch instead, in which the
//! workers write them there. A result larger than half of that memory comes in parts: while the chip fills one half, the host empties the other.
//!
//! ```text
//! page 0: the counts of launches | half 0 | half 1
//! ```
//! DRAM is filled and copied by the host where the chip cannot: few bytes, ranges that overlap, or that lie differently with regard to what a
//! NoC write wants ([`write_offset`]).

use std::ops::Range;

use tt_kernel_abi::operators::kernel::Transfer;
use tt_kernel_abi::target::{CONGRUENCE, offset, write_offset};
use tt_kernel_abi::transfer::{Kind, TransferParams};
use tt_kernel_abi::{DramAddr, OpDescriptor, l1};

use super::Session;
use crate::error::Error;
use crate::transport::{HostRange, TransportError};

/// Where the counts are pushed to: congruent to their address in L1, as NoC writes want it.
pub(super) const COUNTS_AT: u64 = (l1::COUNTS % CONGRUENCE) as u64;
/// Bytes in front of the data.
const PAGE: u64 = 4096;
/// Fewer bytes are read by the host. A launch takes some 4 us; loads of 16 bytes through a write-combined window bring 1.17 bytes a ns, of 4 bytes
/// through another one 4 bytes a us (`PCIExpressTile/README.md`, "Performance").
const WORTH_A_LAUNCH: usize = 256;

/// Bytes that the host fills or copies at a time.
const BOUNCE: usize = 1 << 20;

/// A part of a result.
struct Part {
    /// Which bytes of the result.
    range: Range<usize>,
    /// Where they are in the host's memory.
    at: u64,
}

impl Session {
    /// Reads linear DRAM.
    pub(super) fn read_dram(&mut self, addr: DramAddr, out: &mut [u8]) -> Result<(), Error> {
        let host = self
            .host_for_results()
            .filter(|_| self.pushed && out.len() >= WORTH_A_LAUNCH && self.can_have_firmware());
        match host.and_then(|host| Parts::new(host, addr, out.len())) {
            Some(parts) => self.pull(parts, addr, out),
            None => self.link.read_dram(addr, out),
        }
    }

    /// Has the chip push DRAM to the host's memory, part by part.
    fn pull(&mut self, parts: Parts, addr: DramAddr, out: &mut [u8]) -> Result<(), Error> {
        self.link.check(addr, out.len() as u64)?;
        let mut there: Option<Part> = None;
        for part in parts {
            self.moves += 1;
            let push = [self.push_to_host(addr, &part)?];
            self.start(&push, 0)?;
            if let Some(before) = there.replace(part) {
                self.link.read_host(before.at, &mut out[before.range])?;
            }
            self.complete(&push, 0)?;
            self.refusal()?.map_or(Ok(()), Err)?;
            if !self.pushed {
                // Counts do not arrive, so data does not either.
                return self.link.read_dram(addr, out);
            }
        }
        if let Some(last) = there {
            self.link.read_host(last.at, &mut out[last.range])?;
        }
        Ok(())
    }

    /// The launch that pushes a part of the bytes from `addr` on.
    fn push_to_host(&self, addr: DramAddr, part: &Part) -> Result<OpDescriptor, Error> {
        let chip = self.link.chip();
        let host = self.link.host_memory().ok_or(TransportError::NoHostMemory)?;
        let noc = host.noc + part.at;
        let node = chip.noc.node_at(chip.pcie, noc);
        let value = node.ok_or(TransportError::HostOutOfReach { chip: chip.name, noc })?;
        Ok(self.transfer(&TransferParams {
            from: addr.offset(part.range.start as u64).0,
            to: noc & u64::from(u32::MAX),
            bytes: part.range.len() as u64,
            kind: Kind::ToHost as u32,
            value,
        }))
    }

    /// Fills DRAM.
    pub(super) fn fill(&mut self, addr: DramAddr, len: u64, byte: u8) -> Result<(), Error> {
        if self.is_worth_a_launch(len) {
            let value = u32::from_le_bytes([byte; 4]);
            let params = TransferParams { from: 0, to: addr.0, bytes: len, kind: Kind::Fill as u32, value };
            return self.move_on_chip(&params, &[addr]);
        }
        let block = vec![byte; len.min(BOUNCE as u64) as usize];
        for (at, now) in blocks(len) {
            self.link.write_dram(addr.offset(at), &block[..now])?;
        }
        Ok(())
    }

    /// Copies DRAM; the ranges may overlap.
    pub(super) fn copy(&mut self, to: DramAddr, from: DramAddr, len: u64) -> Result<(), Error> {
        let apart = from.0.abs_diff(to.0) >= len;
        if self.is_worth_a_launch(len) && apart && write_offset(from.0) == write_offset(to.0) {
            let params =
                TransferParams { from: from.0, to: to.0, bytes: len, kind: Kind::Copy as u32, value: 0 };
            return self.move_on_chip(&params, &[from, to]);
        }
        let mut block = vec![0; len.min(BOUNCE as u64) as usize];
        // Overlapping upwards, the last piece has to go first.
        let backwards = from.0 < to.0 && !apart;
        for (at, now) in blocks(len) {
            let at = if backwards { len - at - now as u64 } else { at };
            self.link.read_dram(from.offset(at), &mut block[..now])?;
            self.link.write_dram(to.offset(at), &block[..now])?;
        }
        Ok(())
    }

    fn is_worth_a_launch(&self, len: u64) -> bool {
        len >= WORTH_A_LAUNCH as u64 && self.link.executes() && self.can_have_firmware()
    }

    /// A launch that moves bytes within the chip's DRAM, at these addresses.
    fn move_on_chip(&mut self, params: &TransferParams, at: &[DramAddr]) -> Result<(), Error> {
        at.iter().try_for_each(|&addr| self.link.check(addr, params.bytes))?;
        self.moves += 1;
        let step = self.transfer(params);
        self.execute(&step)
    }

    /// A transfer on as many workers as it has pieces.
    fn transfer(&self, params: &TransferParams) -> OpDescriptor {
        OpDescriptor::of::<Transfer>(params, params.pieces().min(self.workers.len() as u32))
    }
}

/// First byte and bytes of the blocks of `len` bytes.
fn blocks(len: u64) -> impl Iterator<Item = (u64, usize)> {
    (0..len).step_by(BOUNCE).map(move |at| (at, (len - at).min(BOUNCE as u64) as usize))
}

/// The parts of a result, one after the other in the two halves of the host's memory.
struct Parts {
    host: HostRange,
    addr: DramAddr,
    len: usize,
    next: usize,
    count: u64,
}

impl Parts {
    /// `None`: there is no room for data.
    fn new(host: HostRange, addr: DramAddr, len: usize) -> Option<Self> {
        (host.bytes > PAGE + 2 * u64::from(CONGRUENCE)).then_some(Self { host, addr, len, next: 0, count: 0 })
    }

    /// Bytes of a half.
    fn half(&self) -> u64 {
        (self.host.bytes - PAGE) / 2 / u64::from(CONGRUENCE) * u64::from(CONGRUENCE)
    }
}

impl Iterator for Parts {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        let left = self.len - self.next;
        if left == 0 {
            return None;
        }
        // As far from a multiple of the congruence as in DRAM.
        let skipped = u64::from(offset(self.addr.offset(self.next as u64).0));
        let room = usize::try_from(self.half() - skipped).unwrap_or(left);
        let range = self.next..self.next + left.min(room);
        let at = PAGE + self.count % 2 * self.half() + skipped;
        self.next = range.end;
        self.count += 1;
        Some(Part { range, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_turns_and_are_congruent_to_their_source() {
        let host = HostRange { noc: 1 << 35, bytes: 64 << 10 };
        let addr = DramAddr(0x10_0005);
        let parts: Vec<Part> = Parts::new(host, addr, 100_000).expect("room").collect();
        assert_eq!(parts.len(), 4);
        let mut next = 0;
        for (n, part) in parts.iter().enumerate() {
            assert_eq!(part.range.start, next);
            next = part.range.end;
            let source = addr.offset(part.range.start as u64);
            assert_eq!(part.at % 32, source.0 % 32);
            let (begin, end) = (part.at, part.at + part.range.len() as u64);
            let half = if n % 2 == 0 { 4096..34816 } else { 34816..65536 };
            assert!(half.contains(&begin) && end <= half.end, "{begin} {end}");
        }
        assert_eq!(next, 100_000);
        assert!(Parts::new(HostRange { bytes: 4096, ..host }, addr, 300).is_none());
    }
}
