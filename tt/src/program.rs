//! Small programs for the RISC-V cores, made at run time with the encoder of [`tt_isa::rv32`].
//!
//! A program gets what it needs as constants in its words, and leaves what it finds in the tile's mailbox: [`Mailbox`]. It ends in a loop
//! that does nothing. Every wait in it has a limit, so that it ends whatever is broken.

use tt_isa::map::RiscV;
use tt_isa::rv32::{b, encode, i, jal, li, r, s};

/// Numbers of registers. The programs call nothing that saves any.
pub mod reg {
    /// Return address.
    pub const RA: u32 = 1;
    /// Temporaries.
    pub const T0: u32 = 5;
    /// See [`T0`].
    pub const T1: u32 = 6;
    /// See [`T0`].
    pub const T2: u32 = 7;
    /// The address that is looked at.
    pub const ADDR: u32 = 10;
    /// What should be there.
    pub const WANT: u32 = 11;
    /// What is there.
    pub const GOT: u32 = 12;
    /// Where a loop ends.
    pub const END: u32 = 13;
    /// The first register that [`super::Program::errors`] does not use; the programs' own up to 31.
    pub const OWN: u32 = 19;
}

/// Registers of [`Program::errors`].
const COUNT: u32 = 14;
const DIFFERENT: u32 = 15;
const FIRST_ADDR: u32 = 16;
const FIRST_WANT: u32 = 17;
const FIRST_GOT: u32 = 18;

/// Where programs leave what they find, in L1.
pub struct Mailbox;

impl Mailbox {
    /// First byte; code of BRISC ends in front of it.
    pub const BASE: u32 = 0xC00;
    /// Bytes of each core: a word that says how it ended, then words of the program's own.
    pub const STRIDE: u32 = 0x80;
    /// End of all.
    pub const END: u32 = 0x1000;
    /// What a program that has ended leaves in its first word.
    pub const ENDED: u32 = 0x600D_E4D1;
    /// Words of a core behind the first one.
    pub const WORDS: usize = Self::STRIDE as usize / 4 - 1;

    /// A core's first word.
    pub const fn of(core: RiscV) -> u32 {
        Self::BASE + Self::STRIDE * core as u32
    }
}

/// What [`Program::errors`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errors {
    /// How many there were.
    pub count: u32,
    /// Bits that were wrong in any of them.
    pub bits: u32,
    /// Where the first one was.
    pub addr: u32,
    /// What should have been there.
    pub want: u32,
    /// What was.
    pub got: u32,
}

impl Errors {
    /// From the words of a mailbox.
    pub fn read(words: &[u32; Mailbox::WORDS]) -> Self {
        Self { count: words[0], bits: words[1], addr: words[2], want: words[3], got: words[4] }
    }
}

/// A branch whose target is still to come.
#[must_use = "the branch has no target"]
pub struct Forward {
    at: usize,
    name: &'static str,
    operands: (u32, u32),
}

/// A program in the making.
pub struct Program {
    core: RiscV,
    words: Vec<u32>,
    /// Where [`errors`](Self::errors) is.
    errors: usize,
}

impl Program {
    /// An empty program of a core.
    pub fn of(core: RiscV) -> Self {
        Self { core, words: Vec::new(), errors: 0 }
    }

    /// Appends words.
    pub fn add(&mut self, words: impl IntoIterator<Item = u32>) {
        self.words.extend(words);
    }

    /// Sets a register to a value.
    pub fn set(&mut self, register: u32, value: u32) {
        self.add(li(register, value));
    }

    /// Copies a register.
    pub fn copy(&mut self, to: u32, from: u32) {
        self.add([i("Addi", to, from, 0)]);
    }

    /// The place of the next word.
    pub fn here(&self) -> usize {
        self.words.len()
    }

    /// A branch to an earlier place.
    pub fn back(&mut self, name: &'static str, a: u32, c: u32, to: usize) {
        let distance = 4 * (to as i32 - self.here() as i32);
        self.add([b(name, a, c, distance)]);
    }

    /// A branch to a later place, which [`land`](Self::land) names.
    pub fn forward(&mut self, name: &'static str, a: u32, c: u32) -> Forward {
        self.add([0]);
        Forward { at: self.here() - 1, name, operands: (a, c) }
    }

    /// A jump to a later place.
    pub fn skip(&mut self) -> Forward {
        self.forward("Beq", 0, 0)
    }

    /// Branches that end here.
    pub fn land(&mut self, branches: impl IntoIterator<Item = Forward>) {
        for Forward { at, name, operands: (a, c) } in branches {
            self.words[at] = b(name, a, c, 4 * (self.here() as i32 - at as i32));
        }
    }

    /// Calls a routine.
    pub fn call(&mut self, to: usize) {
        self.add([jal(reg::RA, 4 * (to as i32 - self.here() as i32))]);
    }

    /// The end of a routine.
    pub fn give_back(&mut self) {
        self.add([encode("Jalr", 0, reg::RA, 0, 0)]);
    }

    /// Makes the routine that [`check`](Self::check) calls, and sets its counts to zero. The program starts behind it.
    pub fn errors(&mut self) {
        for register in [COUNT, DIFFERENT, FIRST_ADDR, FIRST_WANT, FIRST_GOT] {
            self.copy(register, 0);
        }
        let over = self.skip();
        self.errors = self.here();
        self.add([r("Xor", reg::T0, reg::GOT, reg::WANT), r("Or", DIFFERENT, DIFFERENT, reg::T0)]);
        let not_first = self.forward("Bne", COUNT, 0);
        self.copy(FIRST_ADDR, reg::ADDR);
        self.copy(FIRST_WANT, reg::WANT);
        self.copy(FIRST_GOT, reg::GOT);
        self.land([not_first]);
        self.add([i("Addi", COUNT, COUNT, 1)]);
        self.give_back();
        self.land([over]);
    }

    /// Counts an error unless [`reg::GOT`] is what register `want` says.
    pub fn check(&mut self, want: u32) {
        let fine = self.forward("Beq", reg::GOT, want);
        self.copy(reg::WANT, want);
        self.call(self.errors);
        self.land([fine]);
    }

    /// Leaves the counts in the mailbox.
    pub fn leave_errors(&mut self) {
        let registers = [COUNT, DIFFERENT, FIRST_ADDR, FIRST_WANT, FIRST_GOT];
        (0..).zip(registers).for_each(|(n, register)| self.leave(n, register));
    }

    /// Leaves a register in the n-th word of the mailbox that is the program's own.
    pub fn leave(&mut self, n: u32, register: u32) {
        self.set(reg::T0, Mailbox::of(self.core) + 4 + 4 * n);
        self.add([s("Sw", register, reg::T0, 0)]);
    }

    /// The end: says so when everything else has been stored.
    pub fn end(mut self) -> Vec<u32> {
        self.set(reg::T0, Mailbox::of(self.core));
        self.set(reg::T1, Mailbox::ENDED);
        self.add([s("Sw", reg::T1, reg::T0, 0), jal(0, 0)]);
        self.words
    }
}
