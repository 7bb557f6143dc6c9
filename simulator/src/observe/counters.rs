//! Counters: how many instructions the coprocessor has executed, by opcode.

use tt_isa::insn::Opcode;

use super::Observer;

/// Tensix instructions of one tile.
pub struct Counters {
    by_opcode: Box<[u64; 256]>,
}

impl Default for Counters {
    fn default() -> Self {
        Self { by_opcode: Box::new([0; 256]) }
    }
}

impl Counters {
    /// Instructions so far, by opcode (bits 31:24 of the word).
    pub fn by_opcode(&self) -> &[u64; 256] {
        &self.by_opcode
    }

    /// Instructions so far.
    pub fn total(&self) -> u64 {
        self.by_opcode.iter().sum()
    }
}

impl Observer for Counters {
    #[inline(always)]
    fn tensix_retired(&mut self, _thread: usize, opcode: Opcode, _word: u32) {
        self.by_opcode[opcode as usize] += 1;
    }
}
