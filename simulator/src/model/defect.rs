//! Defects that a chip is made with: what a program that tests chips has to find.
//!
//! ```text
//! stuck bit of L1          after every write the bit has its value again
//! stuck address line       of a DRAM bank: addresses that differ in the bit mean the same bytes
//! dead link                of a NoC: packets of one tile to another are lost there, or lose a bit of each flit
//! dead unit                of a tile's coprocessor: one datum of each result is wrong
//! ```
//!
//! A chip without defects pays nothing for them, or a branch where a branch was. What a defect does to silicon is not known to
//! this detail: these are the plain fault models of memory and network tests, and they say where a fault is, not how it looks.
//!
//! The host's own accesses take no links, and multicasts meet no dead ones. Where a core executes many instructions in a row a stuck bit
//! holds for each of them; units of the coprocessor see it from the next turn of the tile on.

use std::str::FromStr;

use tt_isa::noc::{Axis, NocXy};

/// What is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// A bit of L1.
    L1Bit {
        /// NoC 0 position of the tile.
        tile: NocXy,
        /// Byte address.
        addr: u32,
        /// Bit of the byte.
        bit: u8,
        /// What it is stuck at.
        high: bool,
    },
    /// An address line of a DRAM bank.
    DramAddress {
        /// Number of the bank ([`tt_isa::chip::Chip::dram`]).
        bank: usize,
        /// Bit of the offset in the bank.
        bit: u8,
        /// What it is stuck at.
        high: bool,
    },
    /// A link from a router to the next one.
    Link {
        /// The NoC, 0 or 1.
        noc: u8,
        /// NoC 0 position of the router that it leaves.
        from: NocXy,
        /// The axis that it runs along; the direction is the NoC's.
        axis: Axis,
        /// What becomes of packets.
        effect: LinkEffect,
    },
    /// A unit of a tile's coprocessor.
    Unit {
        /// NoC 0 position of the tile.
        tile: NocXy,
        /// Which one.
        unit: Unit,
    },
}

/// What a dead link does to packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkEffect {
    /// They go no further.
    Lost,
    /// A bit of each flit of their data is the wrong way.
    Corrupted,
}

/// Units of the coprocessor that can be dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Products, sums and maxima of the matrix unit; moves between registers work.
    Matrix,
    /// The vector unit.
    Vector,
    /// Unpacker 0, to SrcA and Dst.
    Unpacker0,
    /// Unpacker 1, to SrcB.
    Unpacker1,
    /// The packers.
    Packers,
}

impl Unit {
    const NAMES: [(&str, Unit); 5] = [
        ("matrix", Unit::Matrix),
        ("vector", Unit::Vector),
        ("unpacker0", Unit::Unpacker0),
        ("unpacker1", Unit::Unpacker1),
        ("packers", Unit::Packers),
    ];
}

/// Dead units of one coprocessor.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct DeadUnits {
    /// [`Unit::Matrix`].
    pub matrix: bool,
    /// [`Unit::Vector`].
    pub vector: bool,
    /// [`Unit::Unpacker0`] and [`Unit::Unpacker1`].
    pub unpackers: [bool; 2],
    /// [`Unit::Packers`].
    pub packers: bool,
}

impl DeadUnits {
    /// One more.
    pub fn add(&mut self, unit: Unit) {
        match unit {
            Unit::Matrix => self.matrix = true,
            Unit::Vector => self.vector = true,
            Unit::Unpacker0 => self.unpackers[0] = true,
            Unit::Unpacker1 => self.unpackers[1] = true,
            Unit::Packers => self.packers = true,
        }
    }
}

/// Bit of a datum that a dead unit has the wrong way: of the mantissa in every format of 19 bits or more.
pub const WRONG_BIT: u32 = 1 << 21;

/// A bit of L1 that is stuck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stuck {
    /// Byte address.
    pub addr: u32,
    /// Bit of the byte, as a mask.
    pub mask: u8,
    /// What it is stuck at.
    pub high: bool,
}

/// An address line of a DRAM bank that is stuck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StuckLine {
    /// First byte of the bank in its memory.
    pub base: u64,
    /// Bytes of the bank.
    pub size: u64,
    /// The line.
    pub bit: u8,
    /// What it is stuck at.
    pub high: bool,
}

impl StuckLine {
    /// Where an access to `addr` ends up.
    pub fn apply(&self, addr: u64) -> u64 {
        match addr.checked_sub(self.base) {
            Some(at) if at < self.size => {
                let at = if self.high { at | 1 << self.bit } else { at & !(1 << self.bit) };
                self.base + at
            }
            _ => addr,
        }
    }

    /// Bytes from `addr` on that stay together.
    pub fn together(&self, addr: u64) -> u64 {
        let run = 1 << self.bit;
        run - addr % run
    }
}

/// A text that names no defect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no defect: l1/X-Y/ADDRESS/BIT/0 or /1 (a stuck bit), dram/BANK/BIT/0 or /1 (a stuck address line), link/NOC/X-Y/x or y/lost or \
     corrupted, unit/X-Y/matrix, vector, unpacker0, unpacker1 or packers; X-Y is a position on NoC 0"
)]
pub struct UnknownDefect(String);

impl FromStr for Defect {
    type Err = UnknownDefect;

    /// As the message of [`UnknownDefect`] says.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split('/').collect();
        let defect = match parts[..] {
            ["l1", tile, addr, bit, high] => l1_bit(tile, addr, bit, high),
            ["dram", bank, bit, high] => dram_address(bank, bit, high),
            ["link", noc, from, axis, effect] => link(noc, from, axis, effect),
            ["unit", tile, unit] => dead_unit(tile, unit),
            _ => None,
        };
        defect.ok_or_else(|| UnknownDefect(text.to_owned()))
    }
}

fn l1_bit(tile: &str, addr: &str, bit: &str, high: &str) -> Option<Defect> {
    let addr = match addr.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => addr.parse().ok()?,
    };
    Some(Defect::L1Bit { tile: position(tile)?, addr, bit: number(bit, 8)?, high: level(high)? })
}

fn dram_address(bank: &str, bit: &str, high: &str) -> Option<Defect> {
    Some(Defect::DramAddress { bank: bank.parse().ok()?, bit: number(bit, 64)?, high: level(high)? })
}

fn link(noc: &str, from: &str, axis: &str, effect: &str) -> Option<Defect> {
    let axis = match axis {
        "x" => Axis::X,
        "y" => Axis::Y,
        _ => return None,
    };
    let effect = match effect {
        "lost" => LinkEffect::Lost,
        "corrupted" => LinkEffect::Corrupted,
        _ => return None,
    };
    Some(Defect::Link { noc: number(noc, 2)?, from: position(from)?, axis, effect })
}

fn dead_unit(tile: &str, unit: &str) -> Option<Defect> {
    let (_, unit) = Unit::NAMES.into_iter().find(|(name, _)| *name == unit)?;
    Some(Defect::Unit { tile: position(tile)?, unit })
}

fn position(text: &str) -> Option<NocXy> {
    let (x, y) = text.split_once('-')?;
    Some(NocXy::new(x.parse().ok()?, y.parse().ok()?))
}

fn number(text: &str, below: u8) -> Option<u8> {
    text.parse().ok().filter(|&n| n < below)
}

fn level(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defects_are_read() {
        let tile = NocXy::new(1, 10);
        let read = |text: &str| text.parse::<Defect>();
        let bit = Defect::L1Bit { tile, addr: 0x2_0000, bit: 5, high: true };
        assert_eq!(read("l1/1-10/0x20000/5/1"), Ok(bit));
        assert_eq!(read("dram/3/16/0"), Ok(Defect::DramAddress { bank: 3, bit: 16, high: false }));
        let link = Defect::Link { noc: 1, from: tile, axis: Axis::Y, effect: LinkEffect::Lost };
        assert_eq!(read("link/1/1-10/y/lost"), Ok(link));
        assert_eq!(read("unit/1-10/vector"), Ok(Defect::Unit { tile, unit: Unit::Vector }));
        for text in
            ["", "l1/1-10/0x20000/8/1", "link/2/1-1/x/lost", "unit/1/vector", "unit/1-1/cache", "dram/1/2/2"]
        {
            assert_eq!(read(text), Err(UnknownDefect(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_stuck_line_maps_two_addresses_to_one() {
        let line = StuckLine { base: 1 << 30, size: 1 << 30, bit: 4, high: true };
        assert_eq!(line.apply(0x105), 0x105);
        assert_eq!([line.apply((1 << 30) + 0x105), line.apply((1 << 30) + 0x115)], [(1 << 30) + 0x115; 2]);
        assert_eq!([line.together(0x105), line.together(0x10F)], [11, 1]);
    }
}
