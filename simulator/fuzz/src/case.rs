//! A case: the initial memory of a tile, the actions of one of its cores, and the memory that is the result.
//!
//! ```text
//! fills -> L1      setup, body -> list -> core -> registers, instruction buffers      looks -> list -> core -> L1 -> result
//! ```
//!
//! A case does not depend on where it runs: [`crate::image`] turns it into bytes for one tile (or a pair of tiles), and the
//! same bytes go to both simulators. Its parts are plain lists so that [`crate::shrink`] can cut them.

use tt_isa::map::RiscV;
use tt_isa::noc::Ctrl;

use crate::random::Random;

/// A kind of cases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// RV32IM programs: arithmetic, branches, loops, memory.
    Riscv,
    /// Scalar and configuration unit.
    Scalar,
    /// Address counters, seen in what an unpacker and a packer do with them.
    Counters,
    /// Semaphores, mutexes, waits.
    Sync,
    /// Unpackers: formats, contexts, tilize, transpose.
    Unpack,
    /// Matrix unit: products, element by element, pooling, moves, counters.
    Matrix,
    /// Packers: formats, edges, ReLU, accumulation.
    Pack,
    /// MOP and replay expanders.
    Expand,
    /// Vector unit.
    Sfpu,
    /// NoC requests between two tiles and DRAM.
    Noc,
}

impl Family {
    /// Every family, its name, and its weight in a campaign.
    pub const ALL: [(Family, &'static str, u32); 10] = [
        (Family::Riscv, "riscv", 12),
        (Family::Scalar, "scalar", 8),
        (Family::Counters, "counters", 6),
        (Family::Sync, "sync", 4),
        (Family::Unpack, "unpack", 12),
        (Family::Matrix, "matrix", 20),
        (Family::Pack, "pack", 14),
        (Family::Expand, "expand", 6),
        (Family::Sfpu, "sfpu", 14),
        (Family::Noc, "noc", 4),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    /// The family of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// Kinds of data in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Zeros.
    Zero,
    /// Any bits.
    Bits,
    /// Single precision: mostly numbers near 1, some of any size, and special ones.
    Floats,
    /// Half precision in 16 bits, mostly near 1.
    Halves,
    /// bfloat16, mostly near 1.
    Bfloats,
    /// Signs and magnitudes of integers in 32 bits, many of them small.
    Integers,
    /// Block floats: some exponents near each other, then any bits.
    Blocks,
    /// Single precision: 1.0 everywhere.
    Ones,
}

impl Data {
    /// Every kind and its name in files.
    pub const ALL: [(Data, &'static str); 8] = [
        (Data::Zero, "zero"),
        (Data::Bits, "bits"),
        (Data::Floats, "floats"),
        (Data::Halves, "halves"),
        (Data::Bfloats, "bfloats"),
        (Data::Integers, "integers"),
        (Data::Blocks, "blocks"),
        (Data::Ones, "ones"),
    ];

    fn word(self, i: u32, random: &mut Random) -> u32 {
        match self {
            Data::Zero => 0,
            Data::Bits => random.word(),
            Data::Floats => float(random),
            Data::Halves => {
                let mut half = || {
                    let word = random.word();
                    if word >> 24 < 16 {
                        word & 0xFFFF
                    } else {
                        word & 0x83FF | (12 + (word >> 16 & 7)) << 10
                    }
                };
                half() | half() << 16
            }
            Data::Bfloats => float(random) >> 16 | float(random) & 0xFFFF_0000,
            Data::Integers => {
                let word = random.word();
                let shift = word >> 8 & 31;
                word & 0x8000_0000 | (random.word() & 0x7FFF_FFFF) >> shift
            }
            Data::Blocks if i < 16 => (0..4).fold(0, |word, _| word << 8 | (120 + random.below(16))),
            Data::Blocks => random.word(),
            Data::Ones => 0x3F80_0000,
        }
    }
}

fn float(random: &mut Random) -> u32 {
    const SPECIAL: [u32; 16] = [
        0,
        0x8000_0000,
        0x7F80_0000,
        0xFF80_0000,
        0x7FC0_0000,
        0xFFFF_FFFF,
        1,
        0x8000_0001,
        0x007F_FFFF,
        0x0080_0000,
        0x7F7F_FFFF,
        0x3F80_8000,
        0x3F81_8000,
        0xBF7F_FFFF,
        0x3F80_0000,
        0xBF80_0000,
    ];
    let word = random.word();
    match random.below(16) {
        0 => SPECIAL[(word & 15) as usize],
        1 => word,
        2 => word & 0x8000_03FF,
        3 => word & 0x8000_7FFF | 0x3F80_8000,
        4..=6 => word & 0x8FFF_FFFF | 0x3800_0000,
        _ => word & 0x83FF_FFFF | 0x3C00_0000,
    }
}

/// A piece of L1 that is set before the core starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// Where.
    pub addr: u32,
    /// How much.
    pub words: u32,
    /// With what.
    pub data: Data,
    /// Which of that.
    pub seed: u64,
}

impl Fill {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut random = Random::new(self.seed);
        (0..self.words).flat_map(|i| self.data.word(i, &mut random).to_le_bytes()).collect()
    }
}

/// Where the other end of a NoC request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Remote {
    /// The tile itself.
    Own,
    /// The other tile of the pair, whose cores are held in reset.
    Partner,
    /// A piece of DRAM that belongs to the case.
    Dram,
}

impl Remote {
    /// Every one and its name in files.
    pub const ALL: [(Remote, &'static str); 3] =
        [(Remote::Own, "own"), (Remote::Partner, "partner"), (Remote::Dram, "dram")];
}

/// A NoC request of the tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// NoC 0 or 1.
    pub noc: u32,
    /// Initiator register set.
    pub buffer: u32,
    /// `CTRL`.
    pub ctrl: Ctrl,
    /// Other end.
    pub remote: Remote,
    /// Address there (in DRAM: in the case's piece).
    pub there: u32,
    /// Address in the tile's own L1.
    pub here: u32,
    /// `AT_LEN_BE`.
    pub len: u32,
    /// `AT_DATA`.
    pub data: u32,
    /// Transaction id.
    pub id: u32,
}

/// What the core does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Push a Tensix instruction to the core's thread (BRISC: thread 0).
    Push(u32),
    /// Store a word.
    Write(u32, u32),
    /// Copy words from an address on to an address in L1 on.
    Copy {
        /// First word.
        from: u32,
        /// Its place.
        to: u32,
        /// Words.
        words: u32,
    },
    /// Poll the word at an address until it has a value.
    Wait(u32, u32),
    /// Wait until the coprocessor has done all that it was given (TTSync).
    Sync,
    /// Make a NoC request, and wait until the NIU has taken it.
    Request(Request),
    /// A RISC-V instruction. A case either has only these or none.
    Code(u32),
}

/// Memory that is the result of the case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Look {
    /// Whose.
    pub at: Remote,
    /// First byte.
    pub addr: u32,
    /// Bytes; a multiple of 4.
    pub len: u32,
}

impl Look {
    /// Of the tile's own L1.
    pub const fn own(addr: u32, len: u32) -> Self {
        Self { at: Remote::Own, addr, len }
    }
}

/// A case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// Who made it.
    pub family: Family,
    /// The core that runs.
    pub core: RiscV,
    /// Memory before.
    pub fills: Vec<Fill>,
    /// What makes the body legal.
    pub setup: Vec<Action>,
    /// The sequence under test.
    pub body: Vec<Action>,
    /// Brings state to memory.
    pub dump: Vec<Action>,
    /// The result.
    pub looks: Vec<Look>,
}

impl Case {
    /// A case without any content.
    pub fn new(family: Family, core: RiscV) -> Self {
        let none = Vec::new;
        Self { family, core, fills: Vec::new(), setup: none(), body: none(), dump: none(), looks: Vec::new() }
    }

    /// Everything that the core does.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.setup.iter().chain(&self.body).chain(&self.dump)
    }

    /// Whether the case needs a second tile.
    pub fn is_pair(&self) -> bool {
        self.family == Family::Noc
    }

    /// Bytes of the result.
    pub fn result_len(&self) -> usize {
        self.looks.iter().map(|look| look.len as usize).sum()
    }

    /// Tensix instructions of the body.
    pub fn pushed(&self) -> impl Iterator<Item = u32> {
        self.body.iter().filter_map(|action| match action {
            Action::Push(word) => Some(*word),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for (data, name) in Data::ALL {
            let fill = Fill { addr: 0, words: 64, data, seed: 7 };
            assert_eq!(fill.bytes(), fill.bytes(), "{name}");
            assert_eq!(fill.bytes().len(), 256, "{name}");
        }
        let of = |seed| Fill { addr: 0, words: 8, data: Data::Floats, seed }.bytes();
        assert_ne!(of(1), of(2));
    }
}
