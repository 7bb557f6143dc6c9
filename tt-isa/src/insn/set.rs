//! The instruction set of a chip: its rows, looked up and printed.

use core::fmt;

use super::{Effects, InsnInfo};

/// The instructions of a chip, by rising opcode.
#[derive(Clone, Copy, Debug)]
pub struct InsnSet {
    /// The rows.
    pub rows: &'static [InsnInfo],
    /// What they do, by opcode; of opcodes that the chip does not have [`Effects::NONE`].
    pub by_opcode: &'static [Effects; 256],
}

impl InsnSet {
    /// Row for `word`'s opcode, if there is one.
    pub const fn info(&self, word: u32) -> Option<&'static InsnInfo> {
        row_of(self.rows, word)
    }

    /// Row of the instruction called `name`, if there is one.
    pub const fn named(&self, name: &str) -> Option<&'static InsnInfo> {
        let mut i = 0;
        while i < self.rows.len() {
            if crate::text::equal(self.rows[i].name, name) {
                return Some(&self.rows[i]);
            }
            i += 1;
        }
        None
    }

    /// What the instruction of a word does to the machine.
    #[inline(always)]
    pub const fn effects(&self, word: u32) -> &'static Effects {
        &self.by_opcode[(word >> 24) as usize]
    }

    /// A word as text.
    pub const fn disassemble(&self, word: u32) -> Disassembled {
        Disassembled { set: *self, word }
    }
}

/// The row of a word's opcode.
pub(crate) const fn row_of(rows: &'static [InsnInfo], word: u32) -> Option<&'static InsnInfo> {
    let mut i = 0;
    while i < rows.len() {
        if rows[i].opcode as u32 == word >> 24 {
            return Some(&rows[i]);
        }
        i += 1;
    }
    None
}

/// A word of an [`InsnSet`], printed as `MVMUL clear_dvalid=0x3 instr_mod19=0x0 addr_mode=0x1 dst=0x0`; with `{:#}` also who
/// executes it and what it may read and write: `.. dst=0x0 ; matrix: SrcA, SrcB, Dst, Rwc, Config -> Dst, Rwc, Owners`.
#[derive(Clone, Copy)]
pub struct Disassembled {
    set: InsnSet,
    word: u32,
}

impl fmt::Display for Disassembled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(row) = self.set.info(self.word) else {
            return write!(f, "unknown opcode in {:#010x}", self.word);
        };
        f.write_str(row.name)?;
        if !row.used_by_software {
            return write!(f, " {:#08x}", self.word & 0x00FF_FFFF);
        }
        for field in row.fields {
            write!(f, " {}={:#x}", field.name, field.get(self.word))?;
        }
        match self.word & row.reserved_mask() {
            0 if f.alternate() => write!(f, " ; {}", row.effects.of(self.word)),
            0 => Ok(()),
            bits => write!(f, " (reserved bits {bits:#08x} set)"),
        }
    }
}
