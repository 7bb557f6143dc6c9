//! Programs of users: kernels that have tiles for themselves while they run.
//!
//! The firmware's images, its mailbox and its configuration stay in L1 meanwhile; everything of a program lies in the heap. The host
//!
//! 1. holds the cores of a tile in reset,
//! 2. writes an image for each core that is used, each with a [`Block`] at [`BLOCK_AT`] that says where things are,
//! 3. writes [`Starts`] to [`PROGRAM`](crate::l1::PROGRAM) and releases BRISC alone. It starts as firmware does, at the beginning of
//!    L1, finds a program there, tells the other cores where they begin, releases those that are used, and jumps to its own image or, if there is
//!    none, puts itself into reset.
//!
//! Each core says in its [`Status`] how far it is; the host polls these words. To bring the firmware back the host holds the cores in reset
//! again, clears `PROGRAM` and the mailbox, and releases BRISC.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;
use tt_isa::map::CORES;

/// Where a tile's cores begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Starts {
    /// The cores that are used: bit n is the core with [`tt_isa::map::RiscV`] number n. 0: there is no program.
    pub cores: u32,
    /// First address of each core's image.
    pub start: [u32; CORES],
    /// 0; TRISC1 writes how many blocks Dst has when the Tensix units are as the other threads expect them.
    pub ready: u32,
    /// Not 0: Tensix threads of the tile wait for semaphores that a program has left so. TRISC1's firmware lets them go on.
    pub stuck: u32,
}

const _: () = assert!(size_of::<Starts>() <= crate::l1::PROGRAM_BYTES as usize);

/// Where in an image its block is: behind a jump over it.
pub const BLOCK_AT: u32 = 16;

/// What an image is told by the host: it is a part of the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Block {
    /// First address behind the stack.
    pub stack: u32,
    /// The core, a [`tt_isa::map::RiscV`] number.
    pub core: u32,
    /// Address of the core's [`Status`].
    pub status: u32,
    /// Address of its arguments ([`Argument`]).
    pub arguments: u32,
    /// How many there are.
    pub argument_count: u32,
    /// Address of the ring that its text goes to.
    pub print: u32,
    /// Bytes of the ring, a power of two; 0: there is none.
    pub print_bytes: u32,
    /// Address of the [`SCRATCH_BYTES`] bytes that NoC requests of this core take.
    pub scratch: u32,
    /// Address of the number of its spans, and [`SPANS_AT`] bytes behind it of the first [`SpanRecord`].
    pub spans: u32,
    /// Room for so many.
    pub most_spans: u32,
}

/// Bytes of a [`Block`].
pub const BLOCK_BYTES: u32 = size_of::<Block>() as u32;
/// Bytes that a core has for its own NoC requests: the old value of an atomic, and a word to be sent.
pub const SCRATCH_BYTES: u32 = 64;

/// Bytes from the number of spans to the first one.
pub const SPANS_AT: u32 = 16;

/// A stretch of time by the tile's wall clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SpanRecord {
    /// Address of its name, in the image.
    pub name: u32,
    /// Bytes of that.
    pub name_bytes: u32,
    /// Low and high half.
    pub begin: [u32; 2],
    /// The same.
    pub end: [u32; 2],
}

/// Bytes of a [`SpanRecord`].
pub const SPAN_BYTES: u32 = size_of::<SpanRecord>() as u32;

numbered! {
    /// What a core of a program is doing.
    State {
        /// It has not started.
        Waiting,
        /// Its kernel runs.
        Running,
        /// Its kernel has returned.
        Done,
        /// Its kernel has panicked.
        Panicked,
    }
}

/// How far a core is. The host zeroes it before the start; its words are written by the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Status {
    /// A [`State`].
    pub state: u32,
    /// Of what the core waits for, or where it has panicked: the line in its source, 0 while it waits for nothing.
    pub line: u32,
    /// Address of the name of the file.
    pub file: u32,
    /// Bytes of it.
    pub file_bytes: u32,
    /// What it waits for, a [`Wait`]; with a panic the address of a message, 0 if there is none.
    pub what: u32,
    /// What is waited for is to have this value; with a panic the bytes of the message.
    pub value: u32,
    /// The print ring: bytes that have been written so far.
    pub printed: u32,
    /// Written by the host: bytes of the print ring that have been taken out so far.
    pub taken: u32,
}

/// Bytes of a [`Status`].
pub const STATUS_BYTES: u32 = size_of::<Status>() as u32;

numbered! {
    /// What a core waits for.
    Wait {
        /// Nothing.
        Nothing,
        /// NoC reads.
        Reads,
        /// NoC writes.
        Writes,
        /// A NoC atomic.
        Atomic,
        /// A semaphore.
        Semaphore,
        /// Data in a circular buffer.
        Data,
        /// Room in a circular buffer.
        Room,
        /// The Tensix thread.
        Tensix,
        /// The host, which takes text out of the print ring.
        Host,
    }
}

/// An argument of a kernel: what it is, and three words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Argument {
    /// An [`ArgumentKind`] in the low half; bytes of an element, where there are some, in the high half.
    pub kind: u32,
    /// What follows from the kind.
    pub words: [u32; 3],
}

/// Bytes of an [`Argument`].
pub const ARGUMENT_BYTES: u32 = size_of::<Argument>() as u32;

impl Argument {
    /// An argument of a kind whose elements have `size` bytes.
    pub const fn new(kind: ArgumentKind, size: u32, words: [u32; 3]) -> Self {
        Self { kind: kind as u32 | size << 16, words }
    }
}

numbered! {
    /// What an argument is.
    ArgumentKind {
        /// None.
        None,
        /// A word: itself.
        Word,
        /// A buffer in this tile's L1: address, bytes.
        L1,
        /// The same address on the tiles of a rectangle: address, bytes, first and last tile as bytes x, y, x, y (translated).
        L1Range,
        /// Linear DRAM: low and high half of the address, bytes.
        Dram,
        /// A semaphore of the tiles of a rectangle: address, and the tiles.
        Semaphore,
        /// The writing end of a circular buffer: address, bytes of a page and of its pages' number in the halves, address of its two counts.
        Producer,
        /// The reading end of one.
        Consumer,
        /// A tile: its bytes x, y (translated).
        Tile,
        /// Memory of the host: low half of the address behind the PCIe tile, the tile's register with the high bits, bytes.
        Host,
        /// A run of bytes of one DRAM bank: the bank, offset of the first byte in it, bytes.
        Bank,
    }
}

/// Two corners of a rectangle of tiles in a word: bytes x, y, x, y.
pub const fn rectangle(first: [u8; 2], last: [u8; 2]) -> u32 {
    u32::from_le_bytes([first[0], first[1], last[0], last[1]])
}
