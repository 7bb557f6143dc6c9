//! The decoder against the specification's listing.

use proptest::prelude::*;

use crate::model::rv32::decode::NO_REGISTER;
use crate::model::rv32::testing::asm::{Format, LISTING, encode};
use crate::model::rv32::{Kind, decode};

/// The listing's name of a word, if it is an instruction.
fn listed(word: u32) -> Option<&'static str> {
    LISTING.iter().find(|(_, format, bits)| word & format.mask() == *bits).map(|row| row.0)
}

/// An immediate that the format can hold, from any number.
fn fitting(format: Format, any: i32) -> i32 {
    match format {
        Format::R | Format::Fence | Format::Fixed => 0,
        Format::I | Format::S => any >> 20,
        Format::Shift => any & 31,
        Format::B => (any >> 19) & !1,
        Format::U => any & !0xFFF,
        Format::J => (any >> 11) & !1,
    }
}

proptest! {
    #[test]
    fn every_operand_comes_through(
        row in 0..LISTING.len(), rd in 0..32_u32, rs1 in 0..32_u32, rs2 in 0..32_u32, any: i32,
    ) {
        let (name, format, _) = LISTING[row];
        let imm = fitting(format, any);
        let op = decode(encode(name, rd, rs1, rs2, imm));
        prop_assert_eq!(format!("{:?}", op.kind), name);
        let [has_rd, has_rs1, has_rs2] = format.registers();
        if has_rd {
            prop_assert_eq!(u32::from(op.rd), if rd == 0 { NO_REGISTER.into() } else { rd });
        }
        if has_rs1 {
            prop_assert_eq!(u32::from(op.rs1), rs1);
        }
        if has_rs2 {
            prop_assert_eq!(u32::from(op.rs2), rs2);
        }
        prop_assert_eq!(op.imm, imm);
    }

    #[test]
    fn words_are_what_the_listing_says(any: u32, row in 0..LISTING.len(), flip in 0..32_u32) {
        // Arbitrary words, and words one bit away from an instruction.
        for word in [any | 3, (encode(LISTING[row].0, any, any >> 8, any >> 16, any as i32) ^ 1 << flip) | 3] {
            let kind = decode(word).kind;
            let name = if kind == Kind::Illegal { None } else { Some(format!("{kind:?}")) };
            prop_assert_eq!(name.as_deref(), listed(word), "{:#010x}", word);
        }
    }

    #[test]
    fn other_low_bits_are_tensix_instructions(word: u32) {
        prop_assume!(word & 3 != 3);
        let op = decode(word);
        prop_assert_eq!((op.kind, op.imm as u32), (Kind::TtInsn, word.rotate_right(2)));
    }
}
