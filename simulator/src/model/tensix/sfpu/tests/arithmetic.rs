//! MAD, simple and round sub-units.

use proptest::prelude::*;
use tt_isa::insn::*;
use tt_isa::sfpu::{sfp_stoch_rnd, sfplutfp32, sfpmad};

use super::*;
use crate::model::tensix::sfpu::fma::fused;
use crate::model::tensix::sfpu::mad::{lut8_to_fp32, lut16_to_fp32};

/// What the unit makes of IEEE's result: no denormals, no -0.
fn flushed(x: f32) -> u32 {
    if x.abs() < f32::MIN_POSITIVE { 0 } else { x.to_bits() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40_000))]

    /// Of a product with one, or a sum with zero, nothing is lost in between (`SFPMAD.md`).
    #[test]
    fn products_and_sums_alone_are_ieee(a in any::<u32>(), b in any::<u32>(), near in any::<bool>()) {
        // Half of the sums cancel.
        let b = if near { b & 0x807F_FFFF | a & 0x7F80_0000 } else { b };
        let flush = |bits: u32| if bits & 0x7F80_0000 == 0 { bits & 0x8000_0000 } else { bits };
        let [x, y] = [a, b].map(|bits| f32::from_bits(flush(bits)));
        let sums = [fused(0x3F80_0000, a, b), fused(a, 0x3F80_0000, b)];
        for (ours, ieee) in [(fused(a, b, 0), x * y), (sums[0], x + y), (sums[1], x + y)] {
            if ieee.is_nan() {
                prop_assert!(f32::from_bits(ours).is_nan() && ours & 1 == 1, "{ours:#x}");
            } else if ieee.abs() > f32::MIN_POSITIVE || ieee == 0.0 {
                prop_assert_eq!(ours, flushed(ieee), "{:e} and {:e}", x, y);
            }
        }
    }

    /// Where nothing cancels, one rounding step of a sum with extra bits is within a unit of the exact
    /// result.
    #[test]
    fn multiply_add_is_within_a_unit(a in any::<u32>(), b in any::<u32>(), c in any::<u32>()) {
        let exponents = |x: u32| x & 0x83FF_FFFF | 0x3E00_0000;
        let (a, b, c) = (exponents(a), exponents(b), exponents(c));
        let sign = (a ^ b) & 0x8000_0000;
        let c = c & 0x7FFF_FFFF | sign;
        let [x, y, z] = [a, b, c].map(|bits| f64::from(f32::from_bits(bits)));
        let exact = (x * y + z) as f32;
        let ours = fused(a, b, c);
        prop_assert!(ours.abs_diff(exact.to_bits()) <= 1, "{ours:#x} {:#x}", exact.to_bits());
    }

    #[test]
    fn casts_are_ieee(c in any::<u32>(), bits in 0u32..32) {
        let c = c & 0x8000_0000 | (c & 0x7FFF_FFFF) >> bits;
        let word = SFPCAST { lreg_src_c: 0, lreg_dest: 1, instr_mod1: 0 }.word();
        let unit = TestUnit::with([[c; LANES]]).run(word).lreg(1);
        let magnitude = f64::from(c & 0x7FFF_FFFF) as f32;
        prop_assert_eq!(unit[5], magnitude.to_bits() | c & 0x8000_0000);
    }

    #[test]
    fn rounding_to_integers_is_away_from_zero(c in any::<u32>(), spread in any::<bool>()) {
        let c = if spread { c } else { c & 0x87FF_FFFF | 0x4000_0000 };
        let x = f64::from(f32::from_bits(c));
        let modes = [
            (sfp_stoch_rnd::FP32_TO_UINT8, 255.0, false),
            (sfp_stoch_rnd::FP32_TO_INT8, 127.0, true),
            (sfp_stoch_rnd::FP32_TO_UINT16, 65535.0, false),
            (sfp_stoch_rnd::FP32_TO_INT16, 32767.0, true),
        ];
        for (instr_mod1, limit, signed) in modes {
            let magnitude = if x.is_nan() { limit } else { x.abs().round().min(limit) };
            let sign = if signed && magnitude != 0.0 { c & 0x8000_0000 } else { 0 };
            let word = SFP_STOCH_RND { lreg_dest: 1, instr_mod1, ..SFP_STOCH_RND::ZERO }.word();
            let d = TestUnit::with([[c; LANES]]).run(word).lreg(1);
            prop_assert_eq!(d[0], magnitude as u32 | sign, "{:e}", x);
        }
    }

    /// The page's formula in 64 bits, by register and by immediate.
    #[test]
    fn integers_are_shifted_and_rounded(c in any::<u32>(), amount in any::<u32>()) {
        let shifted = (u64::from(c & 0x7FFF_FFFF) << 23) >> (amount & 31);
        let rounded = (shifted >> 23) + u64::from(shifted & 0x7F_FFFF >= 0x40_0000);
        let sign = |magnitude: u64| if magnitude == 0 { 0 } else { c & 0x8000_0000 };
        let expected = [rounded.min(255) as u32, rounded.min(127) as u32 | sign(rounded)];
        let modes = [sfp_stoch_rnd::INT32_TO_UINT8, sfp_stoch_rnd::INT32_TO_INT8];
        for (mode, expected) in modes.into_iter().zip(expected) {
            let op = SFP_STOCH_RND { lreg_src_b: 1, lreg_dest: 2, instr_mod1: mode, ..SFP_STOCH_RND::ZERO };
            let by_register = TestUnit::with([[c; LANES], [amount; LANES]]).run(op.word()).lreg(2);
            let instr_mod1 = mode | sfp_stoch_rnd::USE_IMM5;
            let op = SFP_STOCH_RND { imm8_math: amount & 31, instr_mod1, ..op };
            let by_immediate = TestUnit::with([[c; LANES]]).run(op.word()).lreg(2);
            prop_assert_eq!((by_register[31], by_immediate[0]), (expected, expected));
        }
    }

    /// Ten and seven bits of mantissa: no number with so few is nearer.
    #[test]
    fn shortened_mantissas_are_nearest(c in any::<u32>()) {
        for (instr_mod1, bits) in [(sfp_stoch_rnd::FP32_TO_FP16A, 13), (sfp_stoch_rnd::FP32_TO_FP16B, 16)] {
            let word = SFP_STOCH_RND { lreg_dest: 1, instr_mod1, ..SFP_STOCH_RND::ZERO }.word();
            let d = TestUnit::with([[c; LANES]]).run(word).lreg(1)[7];
            let x = f32::from_bits(c);
            prop_assert_eq!(d & ((1 << bits) - 1), 0);
            if !x.is_finite() {
                prop_assert_eq!(d, c & 0x8000_0000 | 0x7F80_0000);
            } else if x.abs() < f32::MIN_POSITIVE {
                prop_assert_eq!(d, 0);
            } else {
                // Bits of numbers of one sign count up in equal steps within half of a unit.
                prop_assert!(i64::from(d) - i64::from(c) <= 1 << (bits - 1));
                prop_assert!(i64::from(c) - i64::from(d) < 1 << (bits - 1));
            }
        }
    }
}

#[test]
fn special_operands() {
    const INF: u32 = 0x7F80_0000;
    const MAX: u32 = 0x7F7F_FFFF;
    const ONE: u32 = 0x3F80_0000;
    const MINUS_ONE: u32 = 0xBF80_0000;
    assert_eq!(fused(MAX, MAX, 0), INF);
    assert_eq!(fused(MAX, MAX, 0xFF7F_FFFF), INF, "a product that is too large stays infinite");
    assert_eq!(fused(INF, MINUS_ONE, 0), 0xFF80_0000);
    assert!(f32::from_bits(fused(INF, 0, ONE)).is_nan());
    assert!(f32::from_bits(fused(INF, 1, ONE)).is_nan(), "a denormal is zero");
    assert!(f32::from_bits(fused(INF, ONE, 0xFF80_0000)).is_nan());
    assert_eq!(fused(1, ONE, 0x7F_FFFF), 0);
    assert_eq!(fused(0x8000_0000, ONE, 0x8000_0000), 0);
    assert_eq!(fused(ONE, ONE, MINUS_ONE), 0);
    assert_eq!(fused(0x0080_0000, 0x3F00_0000, 0), 0, "half of the smallest number");
}

#[test]
fn coefficients_are_what_the_tables_say() {
    for x in 0..256u32 {
        let sign = if x & 0x80 != 0 { -1.0 } else { 1.0 };
        let value = sign * (1.0 + f64::from(x & 15) / 16.0) * 2f64.powi(-(x as i32 >> 4 & 7));
        let expected = if x == 255 { 0.0 } else { value };
        assert_eq!(f64::from(f32::from_bits(lut8_to_fp32(x))), expected);
    }
    for x in 0..=0xFFFFu32 {
        let (exponent, sign) = (x as i32 >> 10 & 31, if x & 0x8000 != 0 { -1.0 } else { 1.0 });
        let value = sign * (1.0 + f64::from(x & 0x3FF) / 1024.0) * 2f64.powi(exponent - 15);
        // Exponent 31 is a denormal, zero to arithmetic.
        let expected = if exponent == 31 { 0.0 } else { value };
        assert_eq!(f64::from(f32::from_bits(flushed(f32::from_bits(lut16_to_fp32(x))))), expected);
    }
}

/// The tables' entries and bounds, with coefficients that are exact.
#[test]
fn tables_choose_by_magnitude() {
    let half =
        |x: f32| u32::from(((x.to_bits() >> 13 & 0x3FFFF) - (112 << 10)) as u16) | (x.to_bits() >> 31) << 15;
    let arguments = [
        0.25f32,
        0.5,
        0.75,
        1.0,
        1.25,
        1.5,
        1.75,
        2.0,
        2.5,
        3.0,
        3.5,
        4.0,
        100.0,
        f32::INFINITY,
        -0.25,
        -1.75,
    ];
    let argument = |i: usize| arguments[i % arguments.len()];
    let lines: [f32; 3] = [0.5, 2.0, 4.0];
    let upper: [f32; 3] = [0.75, 3.0, 6.0];
    let three = |x: f32| {
        if x < 1.0 {
            0
        } else if x < 2.0 {
            1
        } else {
            2
        }
    };
    let x: Lanes = std::array::from_fn(|i| argument(i).to_bits());
    let full = |values: [f32; 3], i: usize| [values[i].to_bits(); LANES];
    let pair = |i: usize| [half(upper[i]) << 16 | half(lines[i]); LANES];
    let run = |registers: [Lanes; 8], instr_mod1: u32| {
        TestUnit::with(registers).run(SFPLUTFP32 { lreg_dest: 6, instr_mod1 }.word()).lreg(6)
    };
    let zero = [0; LANES];
    let singles = [
        full(lines, 0),
        full(lines, 1),
        full(lines, 2),
        x,
        full(upper, 0),
        full(upper, 1),
        full(upper, 2),
        zero,
    ];
    let got = run(singles, sfplutfp32::FP32_3ENTRY_TABLE);
    for i in 0..LANES {
        let (b, e) = (argument(i).abs(), three(argument(i).abs()));
        assert_eq!(f32::from_bits(got[i]), lines[e] * b + upper[e], "{b}");
    }
    let signed = run(singles, sfplutfp32::FP32_3ENTRY_TABLE | sfplutfp32::SGN_RETAIN);
    (0..LANES).for_each(|i| assert_eq!(signed[i], got[i] | argument(i).to_bits() & 0x8000_0000));

    // Writes to the register that LReg[7] names, independent of VD.
    let indirect = [pair(0), pair(1), pair(2), x, zero, zero, zero, [5; LANES]];
    let mut unit = TestUnit::with(indirect);
    unit.run(SFPLUTFP32 { lreg_dest: 6, instr_mod1: sfplutfp32::FP16_3ENTRY_TABLE }.word());
    for i in 0..LANES {
        let (b, e) = (argument(i).abs(), three(argument(i).abs()));
        assert_eq!((f32::from_bits(unit.lreg(5)[i]), unit.lreg(6)[i]), (upper[e] * b + lines[e], 0), "{b}");
    }

    for (mode, last) in [(sfplutfp32::FP16_6ENTRY_TABLE1, 3.0), (sfplutfp32::FP16_6ENTRY_TABLE2, 4.0)] {
        let got = run([pair(0), pair(1), pair(2), x, pair(0), pair(1), pair(2), zero], mode);
        for i in 0..LANES {
            let b = argument(i).abs();
            let e = three(b);
            let table = if b >= [0.5, 1.5, last][e] { upper } else { lines };
            assert_eq!(f32::from_bits(got[i]), table[e] * b + table[e], "{b} mode {mode}");
        }
    }
    let fault = TestUnit::new().try_run(SFPLUTFP32 { lreg_dest: 0, instr_mod1: 1 }.word()).unwrap_err();
    assert!(fault.to_string().contains("SFPLUTFP32.md"), "{fault}");
}

#[test]
fn registers_are_named_by_lanes() {
    let one = [1f32.to_bits(); LANES];
    let registers: [Lanes; 8] =
        std::array::from_fn(|r| if r == 7 { counting(0x70) } else { [(r as f32).to_bits(); LANES] });
    let word =
        |instr_mod1| SFPMAD { lreg_src_a: 3, lreg_src_b: 10, lreg_src_c: 9, lreg_dest: 6, instr_mod1 }.word();
    let read = TestUnit::with(registers).run(word(sfpmad::INDIRECT_VA)).lreg(6);
    assert_eq!((read[1], read[5], read[10]), (1f32.to_bits(), 5f32.to_bits(), one[0]));
    let mut unit = TestUnit::with(registers);
    unit.run(word(sfpmad::INDIRECT_VD));
    for lane in 0..LANES {
        let written = (0..7).filter(|&r| unit.lreg(r)[lane] != (r as f32).to_bits()).collect::<Vec<_>>();
        let named = lane & 15;
        // Register 3 is given its own value, 7 is the index, and those above cannot be written.
        let expected = if named < 7 && named != 3 { vec![named] } else { vec![] };
        assert_eq!(written, expected, "lane {lane}");
        assert_eq!(unit.lreg(7)[lane] == 3f32.to_bits(), named == 7);
    }
}

#[test]
fn modifiers_without_meaning_are_faults() {
    let words = [
        SFPMAD { instr_mod1: 1, ..SFPMAD::ZERO }.word(),
        SFPMULI { instr_mod1: 4, ..SFPMULI::ZERO }.word(),
        SFPLUT { instr_mod0: 1, ..SFPLUT::ZERO }.word(),
        SFPEXMAN { instr_mod1: 2, ..SFPEXMAN::ZERO }.word(),
        SFPAND { instr_mod1: 1, ..SFPAND::ZERO }.word(),
        SFPSHFT2 { instr_mod1: 7, ..SFPSHFT2::ZERO }.word(),
        SFPSWAP { instr_mod1: 10, ..SFPSWAP::ZERO }.word(),
        SFP_STOCH_RND { instr_mod1: 8, ..SFP_STOCH_RND::ZERO }.word(),
        SFPLOADI { instr_mod0: 3, ..SFPLOADI::ZERO }.word(),
        SFPDIVP2 { imm12_math: 0x100, ..SFPDIVP2::ZERO }.word(),
        SFPPUSHC { instr_mod1: 1, ..SFPPUSHC::ZERO }.word(),
    ];
    for word in words {
        let fault = TestUnit::new().try_run(word).unwrap_err();
        assert!(fault.page.is_some_and(|page| page.contains("SFP")), "{:?}: {fault}", Disassembly(word));
    }
    let stochastic = SFP_STOCH_RND { rnd_mode: 1, ..SFP_STOCH_RND::ZERO }.word();
    for word in [stochastic, SFPCAST { instr_mod1: 1, ..SFPCAST::ZERO }.word()] {
        let fault = TestUnit::new().try_run(word).unwrap_err();
        assert!(fault.to_string().contains("stochastic rounding"), "{fault}");
    }
}

#[test]
fn exponents_wrap_and_infinities_stay() {
    let c = [0x0080_0000, 0x7F00_0001, 0x7F80_0000, 0xFFC0_0000];
    let c: Lanes = std::array::from_fn(|i| c[i % 4]);
    let word = |imm12_math, instr_mod1| SFPDIVP2 { imm12_math, lreg_c: 0, lreg_dest: 1, instr_mod1 }.word();
    let d = TestUnit::with([c]).run(word(2, 1)).lreg(1);
    assert_eq!(d[..4], [0x0180_0000, 1, 0x7F80_0000, 0xFFC0_0000]);
    let d = TestUnit::with([c]).run(word(0xFFE, 1)).lreg(1);
    assert_eq!(d[..2], [0x7F80_0000, 0x7E00_0001]);
    let d = TestUnit::with([c]).run(word(200, 0)).lreg(1);
    assert_eq!(d[..4], [0x6400_0000, 0x6400_0001, 0x6400_0000, 0xE440_0000]);
}

/// Counted by halving.
#[test]
fn leading_zeros() {
    let mut random = Random::new(3);
    for shift in 0..33 {
        let c: Lanes = random.lanes().map(|x| (u64::from(x) >> shift) as u32);
        let d = TestUnit::with([c]).run(SFPLZ { lreg_c: 0, lreg_dest: 1, instr_mod1: 0 }.word()).lreg(1);
        for i in 0..LANES {
            let mut zeros = 32;
            let mut x = c[i];
            while x != 0 {
                x /= 2;
                zeros -= 1;
            }
            assert_eq!(d[i], zeros);
        }
    }
}
