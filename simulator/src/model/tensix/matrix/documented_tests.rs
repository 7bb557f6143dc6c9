//! Features that the ISA pages define and the vendor's simulator refuses: expected values are worked out by hand.

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::config as c;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::*;

use crate::fault::Blame;
use crate::model::tensix::dst::{decode32, encode_fp16, encode32, widen_fp16};
use crate::model::tensix::src::COLS;
use crate::model::tensix::{Step, Tensix};

/// Both banks valid, every datum of SrcA row r the number r + 1 (and column / 16), of SrcB twice that.
fn unit(a: DataFormat, b: DataFormat, wide: bool) -> Tensix {
    let mut t = crate::model::tensix::testing::tensix();
    let mut set = |field: CfgField, value: u32| {
        let old = t.cfg.word(0, field.index);
        t.cfg.write(0, field.index, field.with(old, value)).unwrap();
    };
    set(c::ALU_FORMAT_SPEC_REG0_SrcA, a as u32);
    set(c::ALU_FORMAT_SPEC_REG1_SrcB, b as u32);
    set(c::ALU_ACC_CTRL_Fp32_enabled, wide.into());
    for row in 0..64 {
        for col in 0..COLS {
            let x = datum(row, col);
            t.src_a.unpack_mut()[row][col] = x.to_bits();
            t.src_b.unpack_mut()[row][col] = (2.0 * x).to_bits();
        }
    }
    t.src_a.give_to_matrix().unwrap();
    t.src_b.give_to_matrix().unwrap();
    t
}

fn datum(row: usize, col: usize) -> f32 {
    1.0 + row as f32 + col as f32 / 16.0
}

fn run(t: &mut Tensix, word: u32) {
    let opcode = Opcode::of(word).unwrap();
    assert_eq!(super::execute(t, 0, opcode, word).unwrap(), Step::Done);
}

fn dst(t: &Tensix, row: usize) -> [f32; COLS] {
    t.dst.read32(row).map(|x| f32::from_bits(decode32(x)))
}

fn row_of(row: usize, times: f32) -> [f32; COLS] {
    std::array::from_fn(|col| times * datum(row, col))
}

#[test]
fn single_rows_move_from_and_to_anywhere() {
    let mut t = unit(Tf32, Tf32, true);
    run(&mut t, MOVA2D { src: 13, dst: 77, ..MOVA2D::ZERO }.word());
    assert_eq!(dst(&t, 77), row_of(13, 1.0));
    run(&mut t, MOVB2D { src: 9, dst: 3, instr_mod: 0, ..MOVB2D::ZERO }.word());
    assert_eq!(dst(&t, 3), row_of(9, 2.0));
    run(&mut t, MOVD2A { src: 62, dst: 3, ..MOVD2A::ZERO }.word());
    run(&mut t, MOVB2A { srca: 61, srcb: 5, ..MOVB2A::ZERO }.word());
    let a = t.src_a.matrix();
    assert_eq!([a[62], a[61]], [row_of(9, 2.0), row_of(5, 2.0)].map(|row| row.map(f32::to_bits)));
}

#[test]
fn blocks_of_rows_are_aligned_downwards() {
    let mut t = unit(Tf32, Tf32, true);
    run(&mut t, MOVA2D { src: 13, dst: 21, instr_mod: 2, ..MOVA2D::ZERO }.word());
    assert_eq!([dst(&t, 16), dst(&t, 23)], [row_of(8, 1.0), row_of(15, 1.0)]);
    t.rwc[0].src_b.value = 5;
    run(&mut t, MVMUL { dst: 37, ..MVMUL::ZERO }.word());
    let products = |row: usize| {
        let column = |col| (0..16).map(|k| 2.0 * datum(row, k) * datum(k, col)).sum::<f32>();
        std::array::from_fn::<f32, COLS, _>(column)
    };
    // Phase 0 alone: to a few per cent.
    for (got, exact) in dst(&t, 33).iter().zip(products(1)) {
        assert!((got / exact - 1.0).abs() < 0.05, "{got} for {exact}");
    }
}

#[test]
fn one_row_of_src_b_goes_to_every_other_row() {
    let mut t = unit(Bf16, Bf16, true);
    run(&mut t, MVMUL { dst: 8, ..MVMUL::ZERO }.word());
    t.rwc[0].src_b.value = 3;
    run(&mut t, MVMUL { dst: 65, instr_mod19: 1, ..MVMUL::ZERO }.word());
    let expected = dst(&t, 11);
    assert_ne!(expected, [0.0; COLS]);
    let rows: Vec<bool> = (64..72).map(|row| dst(&t, row) == expected).collect();
    assert_eq!(rows, [false, true, false, true, false, true, false, true]);
    run(&mut t, DOTPV { dst: 80, ..DOTPV::ZERO }.word());
    t.rwc[0].src_b.value = 0;
    run(&mut t, DOTPV { dst: 88, ..DOTPV::ZERO }.word());
    assert_eq!(dst(&t, 91), expected);
}

#[test]
fn half_precision_and_what_lies_below_tf32_come_from_wide_rows() {
    let mut t = unit(Fp16, Fp16, true);
    let (high, low) = (encode_fp16(0x3C01), encode_fp16(0xC123));
    t.dst.write32(4, &[u32::from(high) << 16 | u32::from(low); COLS]);
    run(&mut t, MOVD2B { src: 8, dst: 4, ..MOVD2B::ZERO }.word());
    run(&mut t, MOVD2B { src: 9, dst: 4, dest_32b_lo: 1, ..MOVD2B::ZERO }.word());
    assert_eq!([t.src_b.matrix()[8][7], t.src_b.matrix()[9][7]], [widen_fp16(0x3C01), widen_fp16(0xC123)]);
    run(&mut t, MOVB2D { src: 9, dst: 5, dest_32b_lo: 1, ..MOVB2D::ZERO }.word());
    assert_eq!(t.dst.read32(5)[0] & 0xFFFF, u32::from(low));

    let mut t = unit(Tf32, Tf32, true);
    t.dst.write32(4, &[encode32(0x3F80_1EAB); COLS]);
    run(&mut t, MOVD2A { src: 8, dst: 4, dest_32b_lo: 1, ..MOVD2A::ZERO }.word());
    assert_eq!(t.src_a.matrix()[8][0], 0xAB << 23 | 0x1E << 13);
}

#[test]
fn shifts_move_columns() {
    let mut t = unit(Tf32, Tf32, true);
    run(&mut t, SHIFTXB { src: 2, ..SHIFTXB::ZERO }.word());
    run(&mut t, SHIFTXB { src: 3, shift_in_zero: 1, ..SHIFTXB::ZERO }.word());
    let b = |t: &Tensix, row: usize, col: usize| f32::from_bits(t.src_b.matrix()[row][col]);
    assert_eq!(
        [b(&t, 2, 0), b(&t, 2, 14), b(&t, 2, 15)],
        [2.0 * datum(2, 1), 2.0 * datum(2, 15), 2.0 * datum(2, 0)]
    );
    assert_eq!([b(&t, 3, 14), b(&t, 3, 15)], [2.0 * datum(3, 15), 0.0]);
    // The rows are those of the last instruction that had some.
    run(&mut t, MOVA2D { src: 40, dst: 0, instr_mod: 2, ..MOVA2D::ZERO }.word());
    let a = |t: &Tensix, row: usize, col: usize| f32::from_bits(t.src_a.matrix()[row][col]);
    run(&mut t, SHIFTXA { direction: 2 }.word());
    assert_eq!([a(&t, 5, 0), a(&t, 5, 1), a(&t, 5, 15)], [0.0, datum(37, 0), datum(37, 14)]);
    run(&mut t, SHIFTXA { direction: 3 }.word());
    assert_eq!([a(&t, 5, 0), a(&t, 5, 15)], [datum(37, 1), 0.0]);
    let fault = super::execute(&mut t, 0, Opcode::SHIFTXA, SHIFTXA { direction: 1 }.word()).unwrap_err();
    assert_eq!(fault.blame, Blame::Undocumented);
}

#[test]
fn banks_are_cleared_kept_and_reset() {
    let mut t = unit(Tf32, Tf32, true);
    run(&mut t, ZEROSRC { src_mask: 1, write_mode: 1, zero_val: 1, ..ZEROSRC::ZERO }.word());
    assert_eq!(t.src_a.matrix()[63][15], 0xFFFF_E000);
    run(&mut t, ZEROSRC { src_mask: 2, ..ZEROSRC::ZERO }.word());
    assert_eq!(f32::from_bits(t.src_b.matrix()[0][0]), 2.0, "the unpacker's bank is another one");
    run(&mut t, CLEARDVALID { cleardvalid: 1, reset: 2 }.word());
    assert!(!t.src_a.matrix_ready() && t.src_a.matrix_bank == 0 && t.src_b.matrix_ready());
    run(&mut t, CLEARDVALID { cleardvalid: 0, reset: 1 }.word());
    assert!(!t.src_b.matrix_ready() && t.src_b.unpack_bank == 0 && t.src_b.unpack_ready());
    let word = MOVA2D { instr_mod: 2, ..MOVA2D::ZERO }.word();
    assert_eq!(super::execute(&mut t, 0, Opcode::MOVA2D, word).unwrap(), Step::Stall);
    run(&mut t, MOVDBGA2D { instr_mod: 2, ..MOVDBGA2D::ZERO }.word());
    assert_eq!(super::execute(&mut t, 0, Opcode::MVMUL, MVMUL::ZERO.word()).unwrap(), Step::Stall);
}

#[test]
fn maxima_of_integers_and_half_precision() {
    let mut t = unit(Fp16, Fp16, false);
    for col in 0..COLS {
        for row in 0..16 {
            t.src_a.matrix_mut()[row][col] = widen_fp16(0xC000 + (row * 16 + col) as u16);
        }
        t.src_b.matrix_mut()[0][col] = widen_fp16(0x3C00);
    }
    t.dst.invalidate(0..4);
    run(&mut t, GMPOOL { instr_mod19: 1, ..GMPOOL::ZERO }.word());
    let expected: [u16; COLS] = std::array::from_fn(|col| encode_fp16(0xC000 + col as u16));
    assert_eq!(t.dst.read16(0), expected);
    assert_eq!(t.dst.read16(3), [0; COLS]);
    // Into 32-bit Dst the page's exponents contradict each other.
    let mut t = unit(Fp16, Fp16, true);
    let fault = super::execute(&mut t, 0, Opcode::GMPOOL, GMPOOL::ZERO.word()).unwrap_err();
    assert_eq!(fault.blame, Blame::Undocumented);
}
