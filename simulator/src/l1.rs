//! L1: the tile's 1464 KiB of RAM, shared by its RISC-V cores, the Tensix coprocessor and the NoC.

use tt_isa::map::L1_SIZE;

/// The L1 of one tile. Addresses are byte offsets; callers check alignment, this checks bounds.
pub struct L1 {
    bytes: Box<[u8]>,
}

impl Default for L1 {
    fn default() -> Self {
        Self { bytes: vec![0; L1_SIZE as usize].into_boxed_slice() }
    }
}

impl L1 {
    /// `len` bytes at `addr`, or `None` beyond the end.
    pub fn get(&self, addr: u32, len: usize) -> Option<&[u8]> {
        self.bytes.get(addr as usize..(addr as usize).checked_add(len)?)
    }

    /// `len` writable bytes at `addr`, or `None` beyond the end.
    pub fn get_mut(&mut self, addr: u32, len: usize) -> Option<&mut [u8]> {
        self.bytes.get_mut(addr as usize..(addr as usize).checked_add(len)?)
    }

    /// All of it.
    #[inline(always)]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}
