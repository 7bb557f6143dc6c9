//! The matrix unit: a tile in SrcB times a tile in SrcA, added to Dst in FP32.
//!
//! Rows of Dst of a product: group g of 8 rows has its columns 0..15 at 16 g, columns 16..31 at
//! 16 g + 8. For every k-tile and fidelity phase, `MVMUL`s go through k-face, group, n-face; so two
//! accumulations into the same rows are as far apart as possible. The four address modifiers do the walking:
//! SrcA alternates between the two n-faces, SrcB steps from group to group, then both go on to the second
//! k-face, and at the end of a phase back to the start with the next phase.

use super::chip::insn::{MOVA2D, MVMUL, NOP, REPLAY, SETRWC};
use super::chip::{cfg, thread};
use super::mmio::unrolled_never;
use super::tensix::{Config, push, setc16};
use super::vector;
use crate::ttinsn;
use tt_isa::format::DataFormat;
use tt_kernel_abi::matmul::{PHASE_PRODUCTS, RESULT_ROWS, TILES_AT_ONCE};

/// `SETRWC` mask: counters of SrcA, SrcB, Dst, and the fidelity phase.
pub const RWC_ALL: u32 = 0b1111;
/// `SETRWC` mask: the counter of SrcB.
pub const RWC_SRCB: u32 = 1 << 1;
/// Both operands' valid flags.
const BOTH: u32 = 0b11;
/// That of SrcA.
pub const SRCA: u32 = 0b01;
/// That of SrcB.
pub const SRCB: u32 = 0b10;

/// Address modifiers (sections 0..3). None of them moves the counter of Dst.
pub mod step {
    /// To the other n-face.
    pub const N_FACE: u32 = 0;
    /// Back to the first n-face, next group of rows.
    pub const GROUP: u32 = 1;
    /// Second k-face, first group of rows.
    pub const K_FACE: u32 = 2;
    /// Start of the tile, next fidelity phase.
    pub const PHASE: u32 = 3;
    /// Start of another tile, next rows, first fidelity phase ([`configure_next`](super::configure_next)).
    pub const NEXT: u32 = 1;
}

/// Low half of an address modifier: SrcA and SrcB.
const fn ab(a: u32, b: u32) -> u32 {
    thread::ADDR_MOD_AB_SEC0_SrcAIncr.value(a) | thread::ADDR_MOD_AB_SEC0_SrcBIncr.value(b)
}

const A_CLEAR: u32 = thread::ADDR_MOD_AB_SEC0_SrcAClear.value(1);
const B_CLEAR: u32 = thread::ADDR_MOD_AB_SEC0_SrcBClear.value(1);
const B_CR: u32 = thread::ADDR_MOD_AB_SEC0_SrcBCR.value(1);

/// Configures the matrix unit, which has nothing to do: SrcB is TF32, and SrcA is taken for `srca`.
pub fn configure(srca: DataFormat) {
    configure_for(srca, DataFormat::Fp32);
}

/// The same where the packers take Dst, which is FP32, for `dst`.
pub fn configure_for(srca: DataFormat, dst: DataFormat) {
    let config = Config;
    config.set(
        cfg::ALU_FORMAT_SPEC_REG0_SrcA,
        cfg::ALU_FORMAT_SPEC_REG0_SrcA.value(srca as u32)
            | cfg::ALU_FORMAT_SPEC_REG1_SrcB.value(DataFormat::Tf32 as u32)
            | cfg::ALU_FORMAT_SPEC_REG2_Dstacc.value(dst as u32)
            | cfg::ALU_ACC_CTRL_Fp32_enabled.value(1)
            | cfg::ALU_ACC_CTRL_SFPU_Fp32_enabled.value(1),
    );
    config.set(cfg::STACC_RELU_ApplyRelu, 0);
    config.settle(cfg::STACC_RELU_ApplyRelu);

    ttinsn!(setc16(thread::CFG_STATE_ID_StateID, 0));
    ttinsn!(setc16(thread::ADDR_MOD_SET_Base, 0));
    ttinsn!(setc16(thread::CLR_DVALID_SrcA_Disable, 0));
    ttinsn!(setc16(thread::FIDELITY_BASE_Phase, 0));
    // SrcA counts modulo 64: 48 more is 16 less.
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC0_SrcAIncr, ab(16, 0)));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC1_SrcAIncr, ab(48, 16)));
    // SrcB: 8 beyond the carriage return, which is 0 during the first k-face.
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC2_SrcAIncr, ab(16, 8) | B_CR));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC3_SrcAIncr, A_CLEAR | B_CLEAR));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC0_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC1_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC2_DestIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC3_DestIncr, thread::ADDR_MOD_DST_SEC3_FidelityIncr.value(1)));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC0_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC1_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC2_BiasIncr, 0));
    ttinsn!(setc16(thread::ADDR_MOD_BIAS_SEC3_BiasIncr, 0));
}

const fn mvmul(dst: u32, addr_mode: u32) -> u32 {
    MVMUL { dst, addr_mode, ..MVMUL::ZERO }.word()
}

/// The two n-faces of group `$g`, whose results are `$at` rows of Dst and more from the first; `$last` is the step after them.
macro_rules! group {
    ($at:expr, $g:literal, $last:expr) => {
        ttinsn!(mvmul($at + 16 * $g, step::N_FACE));
        ttinsn!(mvmul($at + 16 * $g + 8, $last));
    };
}

/// One fidelity phase of a tile, for 1 to 4 groups of rows.
macro_rules! phase {
    ($at:expr, 1) => {
        group!($at, 0, step::K_FACE);
        group!($at, 0, step::PHASE);
    };
    ($at:expr, 2) => {
        group!($at, 0, step::GROUP);
        group!($at, 1, step::K_FACE);
        group!($at, 0, step::GROUP);
        group!($at, 1, step::PHASE);
    };
    ($at:expr, 3) => {
        group!($at, 0, step::GROUP);
        group!($at, 1, step::GROUP);
        group!($at, 2, step::K_FACE);
        group!($at, 0, step::GROUP);
        group!($at, 1, step::GROUP);
        group!($at, 2, step::PHASE);
    };
    ($at:expr, 4) => {
        group!($at, 0, step::GROUP);
        group!($at, 1, step::GROUP);
        group!($at, 2, step::GROUP);
        group!($at, 3, step::K_FACE);
        group!($at, 0, step::GROUP);
        group!($at, 1, step::GROUP);
        group!($at, 2, step::GROUP);
        group!($at, 3, step::PHASE);
    };
}

/// Fidelity phases 0, 1 and 2, then the banks go back to the unpackers.
macro_rules! tile {
    ($groups:tt) => {{
        phase!(0, $groups);
        phase!(0, $groups);
        phase!(0, $groups);
        ttinsn!(SETRWC { clear_ab_vld: BOTH, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    }};
}

/// A tile of weights with tile `$row` of the rows; `$banks` go back to the unpackers.
macro_rules! rows {
    ($row:literal, $banks:expr) => {{
        phase!($row * RESULT_ROWS, 4);
        phase!($row * RESULT_ROWS, 4);
        phase!($row * RESULT_ROWS, 4);
        ttinsn!(SETRWC { clear_ab_vld: $banks, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    }};
}

/// Multiplies the tile in SrcA with several tiles of rows, 2 to 4, one after the other in SrcB. Their products are added to Dst at [`RESULT_ROWS`] rows from one
/// to the next. SrcB goes back to the unpackers after each of them, SrcA after the last one.
#[inline(never)]
pub fn multiply_with_rows(tiles: u32) {
    rows!(0, SRCB);
    match tiles {
        2 => rows!(1, BOTH),
        3 => {
            rows!(1, SRCB);
            rows!(2, BOTH);
        }
        _ => {
            rows!(1, SRCB);
            rows!(2, SRCB);
            rows!(3, BOTH);
        }
    }
}

const _: () = assert!(TILES_AT_ONCE == 4);

/// Instructions of a fidelity phase of a whole tile of rows.
const PHASE_WORDS: u32 = PHASE_PRODUCTS;
const REPLAY_PHASE: REPLAY =
    REPLAY { start_idx: 0, len: PHASE_WORDS, execute_while_loading: 0, load_mode: 0 };

/// A tile of weights with a whole tile of rows whose results are tile `$tile` of Dst: the first phase is recorded on its way, and the others are that once more. So the
/// core sends less than half as many words as the matrix unit takes.
macro_rules! recorded {
    ($tile:literal) => {{
        ttinsn!(REPLAY { execute_while_loading: 1, load_mode: 1, ..REPLAY_PHASE }.word());
        phase!($tile * RESULT_ROWS, 4);
        ttinsn!(REPLAY_PHASE.word());
        ttinsn!(REPLAY_PHASE.word());
    }};
}

/// Fidelity phases of [`multiply_at`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phases {
    /// 0, 1 and 2: all but low part times low part.
    Three,
    /// 0 and 1: the low part of SrcB is empty.
    HighB,
    /// 0: both are.
    High,
}

/// Sets the matrix unit, which is configured and idle, up for [`multiply_at`]: records a phase.
#[inline(never)]
pub fn record_phase() {
    ttinsn!(REPLAY { load_mode: 1, ..REPLAY_PHASE }.word());
    phase!(0, 4);
}

/// Instructions that [`record_pause`] records behind a phase.
const PAUSE_WORDS: u32 = REPLAY_WORDS - PHASE_WORDS;

/// Records what [`pause`] repeats: instructions that do nothing, each of which takes TRISC1's thread a clock.
#[inline(never)]
pub fn record_pause() {
    ttinsn!(REPLAY { start_idx: PHASE_WORDS, len: PAUSE_WORDS, load_mode: 1, ..REPLAY_PHASE }.word());
    for _ in 0..unrolled_never(PAUSE_WORDS) {
        ttinsn!(NOP::ZERO.word());
    }
}

/// Leaves the matrix unit idle for so many clocks, behind what has been and before what follows: what it draws is less on average.
#[inline(never)]
pub fn pause(clocks: u32) {
    let mut left = clocks;
    while left > 0 {
        let len = left.min(PAUSE_WORDS);
        push(REPLAY { start_idx: PHASE_WORDS, len, ..REPLAY_PHASE }.word());
        left -= len;
    }
}

/// Does what [`multiply_to`] does, for results at row `row` of Dst, with a phase that has been recorded once ([`record_phase`]): a few words a tile, of code that is the
/// same for all. TRISC1's instruction cache does not hold a phase for each tile of Dst.
#[inline(always)]
pub fn multiply_at(row: u32, phases: Phases, last: bool) {
    // In the instruction stream, before what follows and behind what has been (`SETC16.md`).
    push(setc16(thread::DEST_TARGET_REG_CFG_MATH_Offset, row));
    ttinsn!(REPLAY_PHASE.word());
    if phases != Phases::High {
        ttinsn!(REPLAY_PHASE.word());
    }
    if phases == Phases::Three {
        ttinsn!(REPLAY_PHASE.word());
    }
    match last {
        true => ttinsn!(SETRWC { clear_ab_vld: BOTH, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word()),
        false => ttinsn!(SETRWC { clear_ab_vld: SRCA, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word()),
    }
}

/// Multiplies the tile in SrcA with the tile of rows in SrcB, and adds the product to tile `tile` of Dst, 0 to 7. SrcA goes back to the unpackers, and SrcB if
/// `last` says that no other tile of weights is multiplied with these rows.
#[inline(never)]
pub fn multiply_to(tile: u32, last: bool) {
    match tile {
        0 => recorded!(0),
        1 => recorded!(1),
        2 => recorded!(2),
        3 => recorded!(3),
        4 => recorded!(4),
        5 => recorded!(5),
        6 => recorded!(6),
        _ => recorded!(7),
    }
    match last {
        true => ttinsn!(SETRWC { clear_ab_vld: BOTH, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word()),
        false => ttinsn!(SETRWC { clear_ab_vld: SRCA, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word()),
    }
}

const _: () = assert!(tt_isa::format::DST_ROWS_32 as u32 == 8 * RESULT_ROWS);

/// Multiplies the tile in SrcB, `groups` groups of 8 rows, with the one in SrcA, and adds the product to Dst. It waits for both; their banks go back
/// to the unpackers.
#[inline(never)]
pub fn multiply_tile(groups: u32) {
    match groups {
        1 => tile!(1),
        2 => tile!(2),
        3 => tile!(3),
        _ => tile!(4),
    }
}

/// A fidelity phase of a tile and one group of rows, whose k-faces' products go to different rows of Dst.
macro_rules! phase_apart {
    ($first:expr, $second:expr) => {
        group!($first, 0, step::K_FACE);
        group!($second, 0, step::PHASE);
    };
}

/// Fidelity phases 0, 1 and 2 of it; `$banks` go back to the unpackers.
macro_rules! apart {
    ($first:expr, $second:expr, $banks:expr) => {{
        phase_apart!($first, $second);
        phase_apart!($first, $second);
        phase_apart!($first, $second);
        ttinsn!(SETRWC { clear_ab_vld: $banks, bit_mask: RWC_ALL, ..SETRWC::ZERO }.word());
    }};
}

/// Rows of Dst from one of a tile's products with one group of rows to the next, if they are kept apart ([`multiply_group`]).
pub const APART_ROWS: u32 = 64;

/// What [`multiply_group`] adds the products of a tile's two k-faces to: how many times [`APART_ROWS`] are in front.
#[derive(Clone, Copy)]
pub enum Faces {
    /// The tile's weights: both to the same rows.
    Together,
    /// Each to rows of its own.
    Apart,
    /// Another tile with the same rows: both to the second rows.
    SecondTogether,
    /// Each to rows of its own, the second and the third.
    SecondApart,
}

/// Multiplies the group of rows in SrcB with the tile in SrcA. SrcA goes back to the unpackers, and SrcB if `last` says that no other tile is multiplied with
/// these rows.
#[inline(never)]
pub fn multiply_group(faces: Faces, last: bool) {
    match (faces, last) {
        (Faces::Together, true) => apart!(0, 0, BOTH),
        (Faces::Together, false) => apart!(0, 0, SRCA),
        (Faces::Apart, _) => apart!(0, APART_ROWS, BOTH),
        (Faces::SecondTogether, _) => apart!(APART_ROWS, APART_ROWS, BOTH),
        (Faces::SecondApart, _) => apart!(APART_ROWS, 2 * APART_ROWS, BOTH),
    }
}

/// What [`multiply_next`] needs beside [`configure`]: SrcB goes on from tile to tile, and comes back to the tile's first rows for every phase. [`multiply_group`] and the
/// products of whole tiles need [`configure`] again.
pub fn configure_next() {
    // SrcB counts modulo 64: 56 more is 8 less.
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC1_SrcAIncr, ab(0, 8) | A_CLEAR));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC2_SrcAIncr, ab(16, 8)));
    ttinsn!(setc16(thread::ADDR_MOD_AB_SEC3_SrcAIncr, ab(0, 56) | A_CLEAR));
    ttinsn!(setc16(thread::ADDR_MOD_DST_SEC1_DestIncr, thread::ADDR_MOD_DST_SEC1_FidelityClear.value(1)));
}

/// A fidelity phase of the next 16 rows in SrcB; `$last` is the last `MVMUL`, of row `$second` and 8 more.
macro_rules! phase_next {
    ($first:expr, $second:expr, $last:expr) => {
        group!($first, 0, step::K_FACE);
        ttinsn!(mvmul($second, step::N_FACE));
        ttinsn!($last);
    };
}

/// Fidelity phases 0, 1 and 2 of them; `$banks` go back to the unpackers.
macro_rules! next {
    ($first:expr, $second:expr, $banks:expr) => {{
        const LAST: MVMUL = MVMUL { dst: $second + 8, ..MVMUL::ZERO };
        phase_next!($first, $second, MVMUL { addr_mode: step::PHASE, ..LAST }.word());
        phase_next!($first, $second, MVMUL { addr_mode: step::PHASE, ..LAST }.word());
        phase_next!($first, $second, MVMUL { addr_mode: step::NEXT, clear_dvalid: $banks, ..LAST }.word());
    }};
}

/// Instructions of [`multiply_next`].
pub const NEXT_WORDS: u32 = 12;
/// How many instructions a thread can record (`REPLAY.md`).
pub const REPLAY_WORDS: u32 = 32;

/// Multiplies the next 16 rows in SrcB, eight with each k-face, with the tile in SrcA, and adds the product to Dst from its counter on. SrcA goes back to the unpackers
/// where its tile is one of weights ([`Faces::Together`], [`Faces::Apart`]); SrcB stays.
#[inline(never)]
pub fn multiply_next(faces: Faces) {
    match faces {
        Faces::Together => next!(0, 0, SRCA),
        Faces::Apart => next!(0, APART_ROWS, SRCA),
        Faces::SecondTogether => next!(APART_ROWS, APART_ROWS, 0),
        Faces::SecondApart => next!(APART_ROWS, 2 * APART_ROWS, 0),
    }
}

/// Multiplies eight rows in SrcB with a face in SrcA, for the eight rows of Dst from `row` on: these are defined then, whatever they hold (the vector unit may
/// not write to some columns of rows that `ZEROACC` has cleared and nothing has written since, `ZEROACC.md`). Operands stay; counters do not.
pub fn define_rows(row: u32) {
    push(mvmul(row, step::N_FACE));
}

/// Configures the matrix unit, which has nothing to do, for moves from SrcA to Dst that leave all counters alone, and the vector unit with it. Dst gets FP32: numbers of BFP8_b or BF16 are TF32
/// numbers with zeros behind (`MOVA2D.md`). The packers take Dst for `dst`.
pub fn configure_moves(dst: DataFormat) {
    let config = Config;
    config.set(
        cfg::ALU_FORMAT_SPEC_REG0_SrcA,
        cfg::ALU_FORMAT_SPEC_REG0_SrcA.value(DataFormat::Tf32 as u32)
            | cfg::ALU_FORMAT_SPEC_REG1_SrcB.value(DataFormat::Tf32 as u32)
            | cfg::ALU_FORMAT_SPEC_REG2_Dstacc.value(dst as u32)
            | cfg::ALU_ACC_CTRL_Fp32_enabled.value(1)
            | cfg::ALU_ACC_CTRL_SFPU_Fp32_enabled.value(1),
    );
    config.set(cfg::STACC_RELU_ApplyRelu, 0);
    config.settle(cfg::STACC_RELU_ApplyRelu);
    ttinsn!(setc16(thread::CLR_DVALID_SrcA_Disable, 0));
    vector::configure();
}

/// Moves eight rows of SrcA.
const fn mova2d(src: u32, dst: u32) -> u32 {
    MOVA2D { src, dst, instr_mod: MOVE_EIGHT, addr_mode: vector::step::STAY, ..MOVA2D::ZERO }.word()
}

/// `MOVA2D` of eight rows.
const MOVE_EIGHT: u32 = 2;

/// Moves the first eight rows of SrcA to the rows of Dst from `row` on, as [`define_rows`] does.
pub fn move_rows(row: u32) {
    push(mova2d(0, row));
}

/// Moves a tile from SrcA to Dst, 64 rows.
#[inline(never)]
pub fn move_tile() {
    ttinsn!(mova2d(0, 0));
    ttinsn!(mova2d(8, 8));
    ttinsn!(mova2d(16, 16));
    ttinsn!(mova2d(24, 24));
    ttinsn!(mova2d(32, 32));
    ttinsn!(mova2d(40, 40));
    ttinsn!(mova2d(48, 48));
    ttinsn!(mova2d(56, 56));
}
