//! Faults: what went wrong in the simulated hardware, and who is to blame.
//!
//! Every unit returns a [`Fault`] instead of guessing. The unit that finds it says *what* is wrong; the layers
//! above add *where*: Tensix thread and instruction, core and pc, tile.

use std::fmt;

use tt_isa::insn::Disassembly;
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

/// Who is to blame for a fault, and has to act.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The program (or host) did what the documents forbid or leave undefined.
    Program,
    /// The documents do not say what the hardware does here; nothing should rely on it.
    Undocumented,
    /// The hardware defines it and this simulator does not have it.
    NotImplemented,
    /// A broken invariant of the simulator itself.
    Internal,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blame::Program => "program error",
            Blame::Undocumented => "undocumented behaviour",
            Blame::NotImplemented => "not implemented in the simulator",
            Blame::Internal => "simulator bug",
        })
    }
}

/// Where a fault happened, as far as it is known.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Location {
    /// Number of the chip, if there are several.
    pub chip: Option<usize>,
    /// Tile, NoC 0 coordinate.
    pub tile: Option<NocXy>,
    /// RISC-V core.
    pub core: Option<RiscV>,
    /// Its pc.
    pub pc: Option<u32>,
    /// Tensix thread.
    pub thread: Option<u8>,
    /// Tensix instruction word.
    pub instruction: Option<u32>,
}

/// A fault: blame, what, where, and the ISA page to read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Fault {
    /// Whose fault it is.
    pub blame: Blame,
    /// What is wrong, with operand values.
    pub what: String,
    /// ISA page that says so, below `WormholeB0/`.
    pub page: Option<&'static str>,
    /// Where.
    pub at: Box<Location>,
}

impl Fault {
    /// A fault with no location yet.
    pub fn new(blame: Blame, what: impl Into<String>) -> Self {
        Self { blame, what: what.into(), page: None, at: Box::default() }
    }

    /// The program's fault.
    pub fn program(what: impl Into<String>) -> Self {
        Self::new(Blame::Program, what)
    }

    /// No document says what happens here.
    pub fn undocumented(what: impl Into<String>) -> Self {
        Self::new(Blame::Undocumented, what)
    }

    /// Ours to add.
    pub fn not_implemented(what: impl Into<String>) -> Self {
        Self::new(Blame::NotImplemented, what)
    }

    /// Our bug.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(Blame::Internal, what)
    }

    /// Names the ISA page.
    pub fn page(mut self, page: &'static str) -> Self {
        self.page = Some(page);
        self
    }

    /// Adds the Tensix thread and instruction, unless an inner layer named them.
    pub fn in_thread(mut self, thread: u8, instruction: u32) -> Self {
        self.at.thread.get_or_insert(thread);
        self.at.instruction.get_or_insert(instruction);
        self
    }

    /// Adds the core and its pc.
    pub fn on_core(mut self, core: RiscV, pc: u32) -> Self {
        self.at.core.get_or_insert(core);
        self.at.pc.get_or_insert(pc);
        self
    }

    /// Adds the pc of a tile's only core.
    pub fn at_pc(mut self, pc: u32) -> Self {
        self.at.pc.get_or_insert(pc);
        self
    }

    /// Adds the chip.
    pub fn on_chip(mut self, chip: usize) -> Self {
        self.at.chip.get_or_insert(chip);
        self
    }

    /// Adds the tile.
    pub fn in_tile(mut self, tile: NocXy) -> Self {
        self.at.tile.get_or_insert(tile);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.blame, self.what)?;
        let at = &self.at;
        if let Some(chip) = at.chip.filter(|&chip| chip != 0) {
            write!(f, "; chip {chip}")?;
        }
        if let Some(tile) = at.tile {
            write!(f, "; tile {tile}")?;
        }
        if let Some(core) = at.core {
            write!(f, "; {}", core.name())?;
        }
        if let Some(pc) = at.pc {
            let sign = if at.core.is_some() { " " } else { "; " };
            write!(f, "{sign}pc {pc:#010x}")?;
        }
        if let Some(thread) = at.thread {
            write!(f, "; Tensix thread {thread}")?;
        }
        if let Some(word) = at.instruction {
            write!(f, "; instruction {:?}", Disassembly(word))?;
        }
        if let Some(page) = self.page {
            write!(f, "; see {page}")?;
        }
        Ok(())
    }
}
