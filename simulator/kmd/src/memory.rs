//! The host's memory as the chip reaches it: DMA buffers, and regions of the outbound iATU that show them to the NoC.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tt_isa::pcie::{HOST_WINDOW_SIZE, iatu};
use tt_simulator::{Chip, Fault, HostMemory};

/// DMA buffers by their address on the bus.
#[derive(Clone, Default)]
pub struct Buffers(Arc<Mutex<BTreeMap<u64, Vec<u8>>>>);

impl Buffers {
    /// Makes a buffer.
    pub fn insert(&self, addr: u64, len: usize) {
        self.0.lock().insert(addr, vec![0; len]);
    }

    /// Gives a buffer back.
    pub fn remove(&self, addr: u64) {
        self.0.lock().remove(&addr);
    }

    /// Calls `f` with the bytes at an address, if there are so many.
    fn with(&self, addr: u64, len: usize, f: impl FnOnce(&mut [u8])) -> bool {
        let mut buffers = self.0.lock();
        let Some((&base, bytes)) = buffers.range_mut(..=addr).next_back() else { return false };
        let from = (addr - base) as usize;
        let piece = from.checked_add(len).and_then(|end| bytes.get_mut(from..end));
        piece.map(f).is_some()
    }
}

impl HostMemory for Buffers {
    fn read(&self, addr: u64, out: &mut [u8]) -> bool {
        self.with(addr, out.len(), |bytes| out.copy_from_slice(bytes))
    }

    fn write(&self, addr: u64, data: &[u8]) -> bool {
        self.with(addr, data.len(), |bytes| bytes.copy_from_slice(data))
    }
}

/// A region of the outbound iATU.
#[derive(Clone, Copy)]
struct Region {
    base: u64,
    size: u64,
    owner: u64,
}

/// The regions.
#[derive(Default)]
pub struct Regions([Option<Region>; iatu::REGIONS]);

impl Regions {
    /// Shows `size` bytes of the bus at `target` to the NoC: number of the region, and the first address in the PCIe tile's window.
    /// `None` if there is no region or no place left.
    pub fn show(
        &mut self,
        chip: &mut Chip,
        owner: u64,
        [target, size]: [u64; 2],
        top_down: bool,
    ) -> Result<Option<(usize, u64)>, Fault> {
        let free = self.0.iter().position(Option::is_none);
        let Some((n, base)) = free.zip(self.place(size, top_down)) else { return Ok(None) };
        self.0[n] = Some(Region { base, size, owner });
        set(chip, n, base, base + size - 1, target)?;
        Ok(Some((n, base)))
    }

    /// First address of a gap of `size` bytes.
    fn place(&self, size: u64, top_down: bool) -> Option<u64> {
        let mut used: Vec<(u64, u64)> = self.0.iter().flatten().map(|r| (r.base, r.base + r.size)).collect();
        used.extend([(0, 0), (HOST_WINDOW_SIZE, HOST_WINDOW_SIZE)]);
        used.sort_unstable();
        let fits = |pair: &[(u64, u64)]| pair[1].0 - pair[0].1 >= size;
        match top_down {
            false => used.windows(2).find(|pair| fits(pair)).map(|pair| pair[0].1),
            true => used.windows(2).rfind(|pair| fits(pair)).map(|pair| pair[1].0 - size),
        }
    }

    /// Switches a region off.
    pub fn hide(&mut self, chip: &mut Chip, n: usize) -> Result<(), Fault> {
        self.0[n] = None;
        chip.bar2_write(register(n, iatu::CTRL_2), 0)
    }

    /// Switches all of a file's regions off.
    pub fn release(&mut self, chip: &mut Chip, owner: u64) -> Result<(), Fault> {
        let owned = |region: &Option<Region>| region.is_some_and(|region| region.owner == owner);
        let numbers: Vec<usize> = (0..self.0.len()).filter(|&n| owned(&self.0[n])).collect();
        numbers.into_iter().try_for_each(|n| self.hide(chip, n))
    }
}

fn register(n: usize, at: u64) -> u64 {
    // Outbound and inbound regions take turns.
    iatu::BASE + 2 * n as u64 * iatu::STRIDE + at
}

fn set(chip: &mut Chip, n: usize, first: u64, last: u64, target: u64) -> Result<(), Fault> {
    let words = [
        (iatu::LOWER_BASE, first as u32),
        (iatu::UPPER_BASE, 0),
        (iatu::LIMIT, last as u32),
        (iatu::LOWER_TARGET, target as u32),
        (iatu::UPPER_TARGET, (target >> 32) as u32),
        (iatu::CTRL_2, iatu::ENABLE),
    ];
    words.into_iter().try_for_each(|(at, word)| chip.bar2_write(register(n, at), word))
}
