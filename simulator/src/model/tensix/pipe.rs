//! The units that may keep an instruction for a while after it has passed the wait gate, each in order.

use tt_isa::insn::{Opcode, PACR, UNPACR, Unit};
use tt_isa::stall::{block, until};

/// Number of [`Pipe`]s.
pub const PIPES: usize = 5;

/// A unit that keeps instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Pipe {
    /// Unpacker 0.
    Unpacker0,
    /// Unpacker 1.
    Unpacker1,
    /// Matrix unit.
    Matrix,
    /// Vector unit.
    Vector,
    /// All four packers.
    Packers,
}

impl Pipe {
    /// All of them.
    pub const ALL: [Pipe; PIPES] =
        [Pipe::Unpacker0, Pipe::Unpacker1, Pipe::Matrix, Pipe::Vector, Pipe::Packers];

    /// Name in messages.
    pub const fn name(self) -> &'static str {
        ["unpacker 0", "unpacker 1", "the matrix unit", "the vector unit", "the packers"][self as usize]
    }

    /// The pipe of an instruction; `None` for those that take effect as they pass the gate.
    #[inline]
    pub fn of(opcode: Opcode, word: u32) -> Option<Self> {
        match opcode.unit() {
            Unit::Unpackers => {
                let second = UNPACR::decode(word).unpack_block_selection != 0;
                Some(if second { Pipe::Unpacker1 } else { Pipe::Unpacker0 })
            }
            // `CLREXPHIST` goes through the matrix unit.
            Unit::Packers if opcode.effects().wait == block::MATH => Some(Pipe::Matrix),
            Unit::Packers => Some(Pipe::Packers),
            Unit::Matrix => Some(Pipe::Matrix),
            Unit::Vector(_) => Some(Pipe::Vector),
            _ => None,
        }
    }

    /// The conditions of `STALLWAIT` that instructions in it keep unmet; `packers`: which ones they use, as bits.
    pub const fn condition(self, packers: u32) -> u32 {
        match self {
            Pipe::Unpacker0 => until::UNPACK0,
            Pipe::Unpacker1 => until::UNPACK & !until::UNPACK0,
            Pipe::Matrix => until::MATH,
            Pipe::Vector => until::SFPU,
            Pipe::Packers => packers * (until::PACK & until::PACK.wrapping_neg()),
        }
    }
}

/// The condition of `STALLWAIT` that the mover keeps unmet while it works.
pub const MOVER: u32 = until::XMOV;

/// Packers that an instruction of the packers uses, as bits; none selected means the first.
pub fn packers(opcode: Opcode, word: u32) -> u32 {
    match opcode {
        Opcode::PACR => PACR::decode(word).pack_sel.max(1),
        _ => 0xF,
    }
}
