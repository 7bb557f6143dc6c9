//! The Tensix instruction set.
//!
//! A Tensix instruction is a 32-bit word: the opcode in bits 31:24, operands below. A RISC-V core pushes it
//! to its thread's frontend either with a store of the word to [`crate::map::INSTRN_BUF_BASE`] or in line, as
//! `.ttinsn`: the word rotated left by two, which no RV32IM encoding can be since its low bits are not `11`
//! (`TensixTile/BabyRISCV/PushTensixInstruction.md`).
//!
//! `table` is the only place where encodings are written: Wormhole's. Each row becomes a struct of the instruction's
//! name (`MVMUL { dst, addr_mode, .. }`, `const` [`MVMUL::word`](table::MVMUL::word) and `decode`), an [`Opcode`], an
//! [`InsnInfo`] with its encoding and its [`Effects`]: what the instruction does to the machine. What another chip
//! changes, of either, is written with that chip ([`crate::chip::blackhole::insn`]); an [`InsnSet`] is the whole of a
//! chip's instructions.

use core::fmt;

/// Makes the struct of an instruction's operands from its row.
macro_rules! operands {
    ($(#[$doc:meta])* $name:ident = $opcode:expr; { $($field:ident[$hi:literal, $lo:literal]);* }) => {
        #[doc = concat!("Operands of `", stringify!($name), "`.")]
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct $name { $(
            #[doc = concat!("Bits ", stringify!($hi), ":", stringify!($lo), ".")]
            pub $field: u32,
        )* }

        impl $name {
            /// All operands zero; for `..X::ZERO` in constants.
            pub const ZERO: Self = Self { $($field: 0,)* };

            /// The instruction word. Fails to compile (or panics) if an operand does not fit its bits.
            pub const fn word(self) -> u32 {
                #[allow(unused_mut)]
                let mut word = ($opcode as u32) << 24;
                $(
                    assert!(self.$field >> ($hi - $lo) <= 1, concat!(stringify!($name), ".", stringify!($field)));
                    word |= self.$field << $lo;
                )*
                word
            }

            /// Operands of `word`; its opcode is ignored.
            #[allow(unused_variables)]
            pub const fn decode(word: u32) -> Self {
                Self { $($field: $crate::insn::Field { name: "", hi: $hi, lo: $lo }.get(word),)* }
            }
        }
    };
}
pub(crate) use operands;

/// Makes the fields of a row from its operands.
macro_rules! fields {
    ($($field:ident[$hi:literal, $lo:literal]);*) => {
        &[ $( $crate::insn::Field { name: stringify!($field), hi: $hi, lo: $lo } ),* ]
    };
}
pub(crate) use fields;

mod effects;
mod set;
mod table;
pub(crate) use effects::{Columns, by_opcode, columns, effects, resolve, wait};
pub use effects::{Cost, Effects, Operand, SubUnit, Unit, WordEffects};
pub(crate) use set::row_of;
pub use set::{Disassembled, InsnSet};
pub use table::*;

/// One operand of an instruction: its name and its bits `hi:lo` in the word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Operand name.
    pub name: &'static str,
    /// Highest bit, at most 23.
    pub hi: u32,
    /// Lowest bit.
    pub lo: u32,
}

impl Field {
    /// Bits of the word that this operand occupies.
    pub const fn mask(&self) -> u32 {
        ((2u32 << (self.hi - self.lo)) - 1) << self.lo
    }

    /// The operand's value in `word`.
    pub const fn get(&self, word: u32) -> u32 {
        (word & self.mask()) >> self.lo
    }
}

/// One row of the instruction table.
#[derive(Clone, Copy, Debug)]
pub struct InsnInfo {
    /// Mnemonic as in the ISA documents.
    pub name: &'static str,
    /// Bits 31:24.
    pub opcode: u8,
    /// Operands, from the highest bit down. Bits that no operand covers must be zero.
    pub fields: &'static [Field],
    /// `false`: exists in silicon, but no published software issues it and the operands are not tabulated. `true`
    /// also for the few that the documents describe all the same.
    pub used_by_software: bool,
    /// What it does to the machine.
    pub effects: Effects,
}

impl InsnInfo {
    /// Bits that must be zero in a well-formed word (opcode excluded).
    pub const fn reserved_mask(&self) -> u32 {
        let mut used = 0;
        let mut i = 0;
        while i < self.fields.len() {
            used |= self.fields[i].mask();
            i += 1;
        }
        0x00FF_FFFF & !used
    }
}

/// Wormhole's instructions.
pub const WORMHOLE: InsnSet = InsnSet { rows: INSTRUCTIONS, by_opcode: &table::EFFECTS };

/// Row of Wormhole's table for `word`'s opcode, if there is one.
pub const fn info(word: u32) -> Option<&'static InsnInfo> {
    WORMHOLE.info(word)
}

/// The in-line (`.ttinsn`) form of an instruction word, as it is in RISC-V code.
pub const fn ttinsn(word: u32) -> u32 {
    word.rotate_left(2)
}

/// The instruction word of an in-line form, if `code` (a RISC-V code word) is one.
pub const fn from_ttinsn(code: u32) -> Option<u32> {
    if code & 3 == 3 { None } else { Some(code.rotate_right(2)) }
}

/// Prints a word of Wormhole's ([`InsnSet::disassemble`]).
#[derive(Clone, Copy)]
pub struct Disassembly(pub u32);

impl fmt::Display for Disassembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        WORMHOLE.disassemble(self.0).fmt(f)
    }
}

impl fmt::Debug for Disassembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x} {self}", self.0)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn operands_do_not_overlap_and_opcodes_are_unique() {
        for (i, row) in INSTRUCTIONS.iter().enumerate() {
            let mut used = 0;
            for field in row.fields {
                assert!(field.hi <= 23 && field.lo <= field.hi, "{} {}", row.name, field.name);
                assert_eq!(used & field.mask(), 0, "{} {}", row.name, field.name);
                used |= field.mask();
            }
            assert!(INSTRUCTIONS[i + 1..].iter().all(|other| other.opcode != row.opcode), "{}", row.name);
            assert_eq!(info(u32::from(row.opcode) << 24).map(|found| found.name), Some(row.name));
        }
    }

    #[test]
    fn words_encode_decode_and_print() {
        let op = MVMUL { clear_dvalid: 3, instr_mod19: 0, addr_mode: 2, dst: 0x38 };
        assert_eq!(op.word(), 0x26C1_0038);
        assert_eq!(MVMUL::decode(op.word()), op);
        assert_eq!(
            Disassembly(op.word()).to_string(),
            "MVMUL clear_dvalid=0x3 instr_mod19=0x0 addr_mode=0x2 dst=0x38"
        );
        assert!(Disassembly(0x2604_0000).to_string().contains("reserved bits"));
        assert!(Disassembly(0xFF00_0000).to_string().contains("unknown opcode"));
        assert_eq!(Opcode::of(op.word()), Some(Opcode::MVMUL));
    }

    #[test]
    fn in_line_words_are_no_riscv_code() {
        for row in INSTRUCTIONS {
            let word = u32::from(row.opcode) << 24;
            assert_eq!(from_ttinsn(ttinsn(word)), Some(word), "{}", row.name);
        }
        assert_eq!(from_ttinsn(0x0000_0013), None);
    }
}
