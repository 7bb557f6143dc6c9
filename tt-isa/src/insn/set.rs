//! The instruction set of a chip: its rows, looked up and printed.

use core::fmt;

use super::InsnInfo;

/// The instructions of a chip, by rising opcode.
#[derive(Clone, Copy, Debug)]
pub struct InsnSet {
    /// The rows.
    pub rows: &'static [InsnInfo],
}

impl InsnSet {
    /// Row for `word`'s opcode, if there is one.
    pub const fn info(&self, word: u32) -> Option<&'static InsnInfo> {
        let mut i = 0;
        while i < self.rows.len() {
            if self.rows[i].opcode as u32 == word >> 24 {
                return Some(&self.rows[i]);
            }
            i += 1;
        }
        None
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

    /// A word as text.
    pub const fn disassemble(&self, word: u32) -> Disassembled {
        Disassembled { set: *self, word }
    }
}

/// A word of an [`InsnSet`], printed as `MVMUL clear_dvalid=0x3 instr_mod19=0x0 addr_mode=0x1 dst=0x0`.
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
            0 => Ok(()),
            bits => write!(f, " (reserved bits {bits:#08x} set)"),
        }
    }
}
