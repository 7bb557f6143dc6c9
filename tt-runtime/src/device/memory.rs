//! DRAM of a device: allocations, and bytes in and out of it, plain or as weight tiles.
//!
//! Every call takes the device's lock for as long as its transfer takes.

use std::sync::Arc;

use tt_kernel_abi::{DramAddr, Shards, TensorView, relay};

use super::second::{self, Run, WORTH_A_DOWNLOAD, WORTH_AN_UPLOAD};
use super::{Device, dram_size};
use crate::error::Error;

/// How much DRAM there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryInfo {
    /// Bytes that can be allocated on an empty device.
    pub total: u64,
    /// Bytes that can be allocated now.
    pub free: u64,
}

impl Device {
    /// How much DRAM there is.
    pub fn memory(&self) -> MemoryInfo {
        MemoryInfo { total: self.total, free: self.allocator.lock().free_bytes() }
    }

    /// Allocates `bytes` bytes of DRAM; their content is undefined.
    ///
    /// # Errors
    /// Not enough memory in one piece.
    pub fn alloc(self: &Arc<Self>, bytes: u64) -> Result<Allocation, Error> {
        let mut allocator = self.allocator.lock();
        match allocator.allocate(bytes) {
            Some(addr) => Ok(Allocation { device: Arc::clone(self), addr: DramAddr(addr), len: bytes }),
            None => Err(Error::OutOfMemory {
                wanted: bytes,
                free: allocator.free_bytes(),
                largest: allocator.largest(),
            }),
        }
    }

    /// Writes DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn write(&self, addr: DramAddr, data: &[u8]) -> Result<(), Error> {
        let _span = tracing::trace_span!("upload", addr = addr.0, bytes = data.len()).entered();
        self.with_first(data.len() >= WORTH_AN_UPLOAD, |session, first| {
            let before = session.clocks();
            session.link.check(addr, data.len() as u64)?;
            match first {
                Some(first) => second::upload(first, session, &[Run::linear(addr, data.len())], data)?,
                None => session.link.write_dram(addr, data)?,
            }
            let clocks = session.clocks() - before;
            session.written.add(data.len(), clocks);
            Ok(())
        })
    }

    /// Reads DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn read(&self, addr: DramAddr, out: &mut [u8]) -> Result<(), Error> {
        let _span = tracing::trace_span!("download", addr = addr.0, bytes = out.len()).entered();
        self.with_first(out.len() >= WORTH_A_DOWNLOAD, |session, first| {
            let before = session.clocks();
            session.link.check(addr, out.len() as u64)?;
            match first {
                Some(first) => second::download(first, session, &[Run::linear(addr, out.len())], out)?,
                None => session.read_dram(addr, out)?,
            }
            let clocks = session.clocks() - before;
            session.read.add(out.len(), clocks);
            Ok(())
        })
    }

    /// Writes weight tiles from byte `at` of them on. `tiles` is as [`TensorView::tiles`] makes it; its tiles follow one
    /// another in the order of that function, wherever they lie in DRAM ([`Shards`]).
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn write_tiles(&self, tiles: &TensorView, at: u64, data: &[u8]) -> Result<(), Error> {
        let banks = self.check_tiles(tiles, at, data.len())?;
        let _span = tracing::trace_span!("upload", tiles = tiles.addr, at, bytes = data.len()).entered();
        self.with_first(data.len() >= WORTH_AN_UPLOAD, |session, first| {
            if let Some(first) = first {
                return second::upload(first, session, &tile_runs(tiles, at, data.len(), banks), data);
            }
            for (shards, at, range) in matrices(tiles, at, data.len(), banks) {
                session.link.write_shards(&shards, at, &data[range])?;
            }
            Ok(())
        })
    }

    /// Reads weight tiles from byte `at` of them on, as [`write_tiles`](Self::write_tiles) writes them.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn read_tiles(&self, tiles: &TensorView, at: u64, out: &mut [u8]) -> Result<(), Error> {
        let banks = self.check_tiles(tiles, at, out.len())?;
        let _span = tracing::trace_span!("download", tiles = tiles.addr, at, bytes = out.len()).entered();
        self.with_first(out.len() >= WORTH_A_DOWNLOAD, |session, first| {
            if let Some(first) = first {
                return second::download(first, session, &tile_runs(tiles, at, out.len(), banks), out);
            }
            for (shards, at, range) in matrices(tiles, at, out.len(), banks) {
                session.link.read_shards(&shards, at, &mut out[range])?;
            }
            Ok(())
        })
    }

    /// Number of DRAM banks, if `len` bytes of tiles from byte `at` on are within them.
    fn check_tiles(&self, tiles: &TensorView, at: u64, len: usize) -> Result<u32, Error> {
        self.check_view(tiles)?;
        let (size, addr) = (tiles.span(), DramAddr(tiles.addr.saturating_add(at)));
        match at.checked_add(len as u64) {
            Some(end) if end <= size => Ok(self.chip()?.dram.len() as u32),
            _ => Err(Error::OutOfRange { addr, len: len as u64, size: tiles.addr + size }),
        }
    }

    /// Fills `len` bytes of DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn fill(&self, addr: DramAddr, len: u64, byte: u8) -> Result<(), Error> {
        let _span = tracing::trace_span!("fill", addr = addr.0, bytes = len).entered();
        self.with(|session| session.fill(addr, len, byte))
    }

    /// Copies DRAM to DRAM; the ranges may overlap.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn copy(&self, to: DramAddr, from: DramAddr, len: u64) -> Result<(), Error> {
        let _span = tracing::trace_span!("copy", to = to.0, from = from.0, bytes = len).entered();
        self.with(|session| session.copy(to, from, len))
    }

    /// Copies DRAM of the other chip of the same card, over the links between the two; cores of the chip that has the bytes do it. `false`:
    /// `source` is not the other chip, or the place of the bytes is not one that the links take (multiples of 32).
    ///
    /// # Errors
    /// Beyond the end; one of the chips fails, and both devices with it.
    pub fn copy_from(&self, to: DramAddr, source: &Self, from: DramAddr, bytes: u64) -> Result<bool, Error> {
        if !self.spec.is_beside(&source.spec) || !(to.0 | from.0).is_multiple_of(relay::ALIGN) || bytes == 0 {
            return Ok(false);
        }
        let _span = tracing::trace_span!("relay", to = to.0, from = from.0, bytes).entered();
        let (first, second) = if self.is_second() { (source, self) } else { (self, source) };
        first.with_both(second, |one, two| second::copy(one, two, self.is_second(), (from, to), bytes))?;
        Ok(true)
    }

    /// Kernels trust addresses: a tensor has to lie in DRAM as a whole.
    pub(super) fn check_view(&self, view: &TensorView) -> Result<(), Error> {
        let (len, size) = (view.span(), dram_size(self.chip()?));
        match view.addr.checked_add(len) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Error::OutOfRange { addr: DramAddr(view.addr), len, size }),
        }
    }
}

/// The runs of `len` bytes of tiles from byte `at` on.
fn tile_runs(tiles: &TensorView, at: u64, len: usize, banks: u32) -> Vec<Run> {
    let matrices = matrices(tiles, at, len, banks);
    matrices.flat_map(|(shards, at, range)| Run::of_shards(&shards, at, &range, banks)).collect()
}

/// The parts of `len` bytes of tiles from byte `at` on, by matrix: where that is, the first byte in it, and which of the
/// `len` bytes.
fn matrices(
    tiles: &TensorView,
    at: u64,
    len: usize,
    banks: u32,
) -> impl Iterator<Item = (Shards, u64, std::ops::Range<usize>)> {
    let (tiles, end) = (*tiles, at + len as u64);
    let matrix = tiles.nb[2].max(1);
    (at / matrix..end.div_ceil(matrix)).map(move |i| {
        let (from, to) = (at.max(i * matrix), end.min((i + 1) * matrix));
        let range = (from - at) as usize..(to - at) as usize;
        (Shards::of_matrix(&tiles, i * matrix, banks), from - i * matrix, range)
    })
}

/// A piece of a device's DRAM; freed when dropped.
pub struct Allocation {
    device: Arc<Device>,
    addr: DramAddr,
    len: u64,
}

impl Allocation {
    /// First byte.
    pub fn addr(&self) -> DramAddr {
        self.addr
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device that it is on.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        self.device.allocator.lock().release(self.addr.0, self.len);
    }
}
