//! The Tensix units of a tile, driven by the three TRISCs: unpackers, matrix or vector unit, packers.
//!
//! ```text
//! L1 --TRISC0: Unpacker--> Dst, or SrcA and SrcB --TRISC1: Vector or Matrix--> Dst --TRISC2: Packer--> L1
//! ```
//!
//! A *block* is 1024 numbers in 4 KiB of L1, FP32. For functions of single elements their order means nothing. For products a block is a tile
//! of 32 x 32: the left factor and the result in the order of rows in groups ([`Matrix`]), the right factor in the order of faces.
//!
//! Each thread's calls put instructions into its stream and return; only what gives memory back waits. The threads wait for each other by
//! Tensix semaphores:
//!
//! | semaphore | counts | up | down |
//! |---|---|---|---|
//! | [`TAKEN`] | blocks of Dst that hold something | [`Unpacker::block`], [`Matrix::begin`] | [`Packer::block`] |
//! | [`FILLED`] | blocks of Dst with operands | [`Unpacker::block`] | [`Vector::end`] |
//! | [`COMPUTED`] | blocks of Dst with results | [`Vector::end`], [`Matrix::end`] | [`Packer::block`] |
//!
//! # Deadlock
//! Blocks pass the three threads in order. Whoever waits does so for an earlier block of the thread before it, or for room behind it; a
//! program that packs as many blocks as it computes, and computes as many as it unpacks, comes to its end. One that does not is a hang, whose
//! report names the lines where cores wait. A thread's configuration is made by its constructor; the other two wait for
//! TRISC1's, which sets up the semaphores: each program with one of these has all three.

use tt_isa::format::{DST_ROWS_32, DataFormat};
use tt_isa::map::RiscV;
use tt_kernel_abi::l1::PROGRAM;
use tt_kernel_abi::matmul::GROUP_TILE_BYTES;
use tt_kernel_abi::program::{Starts, Wait};
use tt_kernel_abi::sfpu::{BLOCK, BLOCK_BYTES, BLOCK_ROWS, DST_SLOT_ROWS, DST_SLOTS};
use tt_kernel_sfpu::{CONSTANTS, Program};

use super::entry::Kernel;
use super::slice::{Element, Slice};
use super::wait::until;
use crate::chip::insn::{
    PACR, SEMGET, SEMINIT, SEMPOST, SETADCXY, SETRWC, SFPCONFIG, SFPENCC, STALLWAIT, UNPACR, ZEROACC,
};
use crate::chip::thread;
use crate::mmio::{Register, order};
use crate::tensix::{block, push, sem, sem_cond, setc16, sync, until as done};
use crate::to_src::Form;
use crate::unpack::{UNPACKER1, base_address};
use crate::{matrix, pack, semwait, to_dst, to_src, ttinsn, vector};

/// Tensix semaphore: blocks of Dst that are in use.
pub const TAKEN: u32 = 2;
/// Tensix semaphore: blocks of Dst with operands.
pub const FILLED: u32 = 3;
/// Tensix semaphore: blocks of Dst with results.
pub const COMPUTED: u32 = 4;

/// First row of block `number` in Dst, which has `slots` of them.
fn row(number: u32, slots: u32) -> u32 {
    number % slots * (DST_ROWS_32 as u32 / slots)
}

/// Blocks that Dst has for the matrix unit: its two halves, since half of Dst is cleared at once.
const HALVES: u32 = 2;

const _: () = assert!(DST_SLOT_ROWS * DST_SLOTS == DST_ROWS_32 as u32);

fn ready() -> Register {
    // SAFETY: a word of L1 in front of the heap, to which there are no references.
    unsafe { Register::at(PROGRAM + core::mem::offset_of!(Starts, ready) as u32) }
}

#[track_caller]
fn on(kernel: &Kernel, core: RiscV) {
    assert!(kernel.core() == core, "another core drives this unit");
}

/// Waits until TRISC1 has set the semaphores up; gives the number of blocks that Dst has.
#[track_caller]
fn wait_for_math() -> u32 {
    until(Wait::Tensix, 0, || ready().load() != 0);
    ready().load()
}

/// State of the units that reset leaves open, and the semaphores; then the other threads may begin.
fn set_up(slots: u32, math: impl FnOnce()) {
    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
    // All SFPU lanes on, predication enabled; constant register 11 = -1.
    ttinsn!(SFPENCC { imm12_math: 3, lreg_dest: 0, instr_mod1: 10 }.word());
    ttinsn!(SFPCONFIG { imm16_math: 0, config_dest: 11, instr_mod1: 1 }.word());
    for semaphore in [TAKEN, FILLED, COMPUTED] {
        push(SEMINIT { max_value: slots, init_value: 0, sem_sel: sem(semaphore) }.word());
    }
    math();
    sync();
    order();
    ready().store(slots);
}

#[track_caller]
fn is_block(slice: &Slice<f32>) {
    assert!(slice.range().len() == BLOCK_BYTES, "a block has 1024 numbers");
    assert!(slice.range().address().is_multiple_of(16), "a block begins at a multiple of 16");
}

/// Brings blocks from L1 to Dst for functions of single elements. TRISC0 has it.
pub struct Unpacker {
    number: u32,
}

impl Unpacker {
    /// Sets unpacker 0 up.
    ///
    /// # Panics
    /// Not on TRISC0.
    #[track_caller]
    pub fn new(kernel: &Kernel) -> Self {
        on(kernel, RiscV::Trisc0);
        assert!(
            wait_for_math() == DST_SLOTS,
            "TRISC1 drives the matrix unit, which takes no blocks from Dst"
        );
        to_dst::configure();
        to_dst::set_len(BLOCK);
        Self { number: 0 }
    }

    /// Brings the one or two operands of a block to Dst, and waits until they have left L1.
    ///
    /// # Panics
    /// A block with other than 1024 numbers, or more than two of them.
    #[track_caller]
    pub fn block(&mut self, operands: &[&Slice<f32>]) {
        assert!(matches!(operands.len(), 1 | 2), "a function has one or two operands");
        semwait!(block::UNPACK | block::SYNC, TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(TAKEN) }.word());
        for (&operand, at) in operands.iter().zip([0, BLOCK_ROWS]) {
            is_block(operand);
            to_dst::unpack(operand.range(), row(self.number, DST_SLOTS) + at);
        }
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: done::UNPACK0 }.word());
        ttinsn!(SEMPOST { sem_sel: sem(FILLED) }.word());
        sync();
        self.number += 1;
    }
}

/// The vector unit, for functions of single elements of blocks. TRISC1 has it.
///
/// A function is a [`Program`] of `tt_kernel::sfpu`, which has those of the built-in operators, or instructions of one's own; it is run for 32
/// elements at a time by [`apply!`](crate::apply).
pub struct Vector {
    number: u32,
}

impl Vector {
    /// Sets the vector unit up.
    ///
    /// # Panics
    /// Not on TRISC1.
    #[track_caller]
    pub fn new(kernel: &Kernel) -> Self {
        on(kernel, RiscV::Trisc1);
        set_up(DST_SLOTS, vector::configure);
        Self { number: 0 }
    }

    /// Puts a program's constants where it expects them; `own` are the function's own parameters, as patterns of FP32.
    pub fn constants(&mut self, program: &Program, own: &[u32; CONSTANTS]) {
        vector::set_constants(&program.constants().with(own));
    }

    /// Waits, in the instruction stream, for the operands of the next block.
    pub fn begin(&mut self) {
        semwait!(block::SFPU | block::MATH | block::CFG, FILLED, sem_cond::WHILE_ZERO);
        push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, row(self.number, DST_SLOTS)));
        ttinsn!(SETRWC { bit_mask: vector::RWC_DST, ..SETRWC::ZERO }.word());
    }

    /// Hands the block on to the packers.
    pub fn end(&mut self) {
        ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: done::SFPU }.word());
        ttinsn!(SEMGET { sem_sel: sem(FILLED) }.word());
        ttinsn!(SEMPOST { sem_sel: sem(COMPUTED) }.word());
        self.number += 1;
    }

    /// Waits until everything is done.
    pub fn finish(self) {
        sync();
    }
}

/// How often a program of 32 elements runs in a block.
#[doc(hidden)]
pub const TIMES: u32 = BLOCK / tt_isa::sfpu::LANES as u32;

/// Applies a constant [`Program`](tt_kernel_sfpu::Program) to the next block: `apply!(vector, PROGRAM)` for functions of one operand, which the
/// program has in register 0, `apply!(vector, PROGRAM, binary)` for those of two, in registers 0 and 1. The result is what it leaves in register 0.
#[macro_export]
macro_rules! apply {
    ($vector:expr, $program:ident) => {
        $crate::apply!(@ $vector, $program, {})
    };
    ($vector:expr, $program:ident, binary) => {
        $crate::apply!(@ $vector, $program, {
            $crate::ttinsn!($crate::vector::load(1, $crate::abi::sfpu::BLOCK_ROWS));
        })
    };
    (@ $vector:expr, $program:ident, $second:block) => {{
        $vector.begin();
        for _ in 0..$crate::program::compute::TIMES {
            $crate::ttinsn!($crate::vector::load(0, 0));
            $second
            $crate::ttprogram!($program);
            $crate::ttinsn!($crate::vector::store($crate::vector::step::ON));
        }
        $vector.end();
    }};
}

/// Formats of the right factor's tiles in L1, all in the order of faces. `tt_runtime::convert::encode` makes them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// 4096 bytes; the unpackers cut the mantissa to TF32's 10 bits.
    F32,
    /// 2048 bytes, exact.
    Bf16,
    /// 1088 bytes, first the shared exponents; exact.
    Bfp8,
    /// 576 bytes, first the shared exponents; exact.
    Bfp4,
}

impl Right {
    /// What it is in L1, and in SrcA.
    const fn formats(self) -> (DataFormat, DataFormat) {
        match self {
            Self::F32 => (DataFormat::Fp32, DataFormat::Tf32),
            Self::Bf16 => (DataFormat::Bf16, DataFormat::Bf16),
            Self::Bfp8 => (DataFormat::Bfp8, DataFormat::Bfp8),
            Self::Bfp4 => (DataFormat::Bfp4, DataFormat::Bfp4),
        }
    }

    /// Bytes of a tile.
    pub const fn tile_bytes(self) -> usize {
        self.formats().0.tile_bytes()
    }
}

/// Brings tiles from L1 to SrcA and SrcB for products. TRISC0 has it.
pub struct Factors(Right);

impl Factors {
    /// Sets both unpackers up, for FP32.
    ///
    /// # Panics
    /// Not on TRISC0.
    #[track_caller]
    pub fn new(kernel: &Kernel) -> Self {
        Self::with(kernel, Right::F32)
    }

    /// The same for right factors of a format, which TRISC1's [`Matrix`] has to have, too.
    ///
    /// # Panics
    /// Not on TRISC0.
    #[track_caller]
    pub fn with(kernel: &Kernel, right: Right) -> Self {
        on(kernel, RiscV::Trisc0);
        assert!(
            wait_for_math() == HALVES,
            "TRISC1 drives the vector unit, which takes no tiles from SrcA and SrcB"
        );
        // The base address of the rows is set with each tile.
        to_src::configure(right.formats(), &Form::TILES, 0);
        to_src::set_rows(BLOCK);
        Self(right)
    }

    /// Brings a pair of tiles to the matrix unit: `left` in the order of rows in groups, `right` in the order of faces, as elements or as bytes of its format. It
    /// waits until both have left L1.
    ///
    /// # Panics
    /// A left block with other than 1024 numbers, a right one with other than a tile's bytes.
    #[track_caller]
    pub fn tile<T: Element>(&mut self, left: &Slice<f32>, right: &Slice<T>) {
        is_block(left);
        assert!(right.range().len() as usize == self.0.tile_bytes(), "a tile has the bytes of its format");
        assert!(right.range().address().is_multiple_of(16), "a tile begins at a multiple of 16");
        to_src::set_rows_at(base_address(left.range()));
        ttinsn!(SETADCXY { cnt_set_mask: UNPACKER1, bit_mask: 0b0010, ..SETADCXY::ZERO }.word());
        to_src::unpack_rows();
        to_src::set_tile(base_address(right.range()));
        ttinsn!(UNPACR { ovrd_thread_id: 1, set_dat_valid: 1, last: 1, ..UNPACR::ZERO }.word());
        sync();
    }
}

/// The matrix unit: sums of products of tiles. TRISC1 has it.
///
/// A result is 32 x 32 in FP32, like the left factor in groups of 8 rows: first columns 0 to 15 of the 8 rows, then columns 16 to 31, then the next
/// group. Factors in FP32 are rounded to TF32 (10 bits of mantissa; the unpackers cut the rest off), those of other formats ([`Right`]) are exact; products are exact to 2^-12 of each (fidelity phases 0
/// to 2), sums are FP32.
pub struct Matrix {
    number: u32,
}

impl Matrix {
    /// Sets the matrix unit up, for FP32.
    ///
    /// # Panics
    /// Not on TRISC1.
    #[track_caller]
    pub fn new(kernel: &Kernel) -> Self {
        Self::with(kernel, Right::F32)
    }

    /// The same for right factors of a format, as [`Factors::with`].
    ///
    /// # Panics
    /// Not on TRISC1.
    #[track_caller]
    pub fn with(kernel: &Kernel, right: Right) -> Self {
        on(kernel, RiscV::Trisc1);
        set_up(HALVES, || matrix::configure(right.formats().1));
        Self { number: 0 }
    }

    /// Waits, in the instruction stream, for room in Dst, and begins a sum at zero.
    pub fn begin(&mut self) {
        semwait!(block::MATH | block::CFG | block::SYNC, TAKEN, sem_cond::WHILE_MAX);
        ttinsn!(SEMPOST { sem_sel: sem(TAKEN) }.word());
        push(ZEROACC { clear_mode: CLEAR_HALF, dst: self.number % HALVES, ..ZEROACC::ZERO }.word());
        push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, row(self.number, HALVES)));
        ttinsn!(SETRWC { bit_mask: matrix::RWC_ALL, ..SETRWC::ZERO }.word());
    }

    /// Adds the product of the next pair of tiles to the sum.
    pub fn multiply(&mut self) {
        matrix::multiply_tile(4);
    }

    /// Hands the sum on to the packers.
    pub fn end(&mut self) {
        ttinsn!(STALLWAIT { stall_res: block::SYNC | block::CFG, wait_res: done::MATH }.word());
        ttinsn!(SEMPOST { sem_sel: sem(COMPUTED) }.word());
        self.number += 1;
    }

    /// Waits until everything is done.
    pub fn finish(self) {
        sync();
    }
}

/// `ZEROACC`: half of Dst.
const CLEAR_HALF: u32 = 2;

/// Brings results from Dst to L1. TRISC2 has it.
pub struct Packer {
    number: u32,
    slots: u32,
}

impl Packer {
    /// Sets the packers up.
    ///
    /// # Panics
    /// Not on TRISC2.
    #[track_caller]
    pub fn new(kernel: &Kernel) -> Self {
        on(kernel, RiscV::Trisc2);
        let slots = wait_for_math();
        pack::configure();
        Self { number: 0, slots }
    }

    /// Brings the next result to a block in L1, and waits until it is there.
    ///
    /// # Panics
    /// A block with other than 1024 numbers.
    #[track_caller]
    pub fn block(&mut self, to: &mut Slice<f32>) {
        is_block(to);
        pack::aim(row(self.number, self.slots), to.range());
        semwait!(block::PACK, COMPUTED, sem_cond::WHILE_ZERO);
        ttinsn!(PACR { pack_sel: 0b1111, last: 1, ..PACR::ZERO }.word());
        ttinsn!(STALLWAIT { stall_res: block::SYNC, wait_res: done::PACK }.word());
        ttinsn!(SEMGET { sem_sel: sem(COMPUTED) }.word());
        ttinsn!(SEMGET { sem_sel: sem(TAKEN) }.word());
        sync();
        self.number += 1;
    }
}

// A block is a tile of groups of rows.
const _: () = assert!(4 * GROUP_TILE_BYTES == BLOCK_BYTES);
