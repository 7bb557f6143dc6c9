//! Between Dst and registers: every 16-bit datum of every format, addresses, and lane configuration.

use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat;
use tt_isa::insn::*;
use tt_isa::sfpu::{lane_config as bits, mod0_fmt as fmt, sfpconfig, sfploadi};

use super::*;
use crate::model::tensix::dst;

fn load(instr_mod0: u32, dest_reg_addr: u32) -> u32 {
    SFPLOAD { lreg_ind: 1, instr_mod0, sfpu_addr_mode: 0, dest_reg_addr }.word()
}

fn store(instr_mod0: u32, dest_reg_addr: u32) -> u32 {
    SFPSTORE { lreg_ind: 0, instr_mod0, sfpu_addr_mode: 0, dest_reg_addr }.word()
}

fn lane_config(imm16_math: u32) -> u32 {
    SFPCONFIG { imm16_math, config_dest: 15, instr_mod1: sfpconfig::IMM16_IS_VALUE }.word()
}

/// The register that a load makes of these datums in storage form.
fn loaded(unit: &mut TestUnit, format: u32, datums: &[u16; LANES]) -> Lanes {
    for row in 0..4 {
        // Odd columns have something else.
        let pair = |i: usize| if i.is_multiple_of(2) { datums[8 * row + i / 2] } else { 0xDEAD };
        unit.0.dst.write16(row, &std::array::from_fn(pair));
    }
    unit.run(load(format, 0)).lreg(1)
}

/// Half precision with neither infinities nor NaN.
fn half(sign: u32, exponent: i32, mantissa: u32) -> f64 {
    let value = (1.0 + f64::from(mantissa) / 1024.0) * 2f64.powi(exponent - 15);
    if sign != 0 { -value } else { value }
}

#[test]
fn every_16_bit_datum_is_loaded() {
    let mut unit = TestUnit::new();
    for block in 0..0x1_0000 / LANES as u32 {
        let datums: [u16; LANES] = std::array::from_fn(|i| (block * 32 + i as u32) as u16);
        let signed = |x: u16, magnitude: u16| u32::from(magnitude) | u32::from(x >> 15) << 31;
        let twos = |x: u16, magnitude: u16| {
            let magnitude = i32::from(magnitude);
            (if x >> 15 != 0 { -magnitude } else { magnitude }) as u32
        };
        let old = unit.0.sfpu.lreg[1];
        let low = loaded(&mut unit, fmt::LO16_ONLY, &datums);
        let high = loaded(&mut unit, fmt::HI16_ONLY, &datums);
        let [fp16, bf16, int8, int8_comp, int16, uint16, lo16, hi16, zero] = [
            fmt::FP16,
            fmt::BF16,
            fmt::INT8,
            fmt::INT8_COMP,
            fmt::INT16,
            fmt::UINT16,
            fmt::LO16,
            fmt::HI16,
            fmt::ZERO,
        ]
        .map(|format| loaded(&mut unit, format, &datums));
        for i in 0..LANES {
            let x = datums[i];
            let wide = u32::from(x);
            assert_eq!((low[i], high[i]), (old[i] & 0xFFFF_0000 | wide, wide << 16 | wide));
            assert_eq!((uint16[i], lo16[i], hi16[i], zero[i]), (wide, wide, wide << 16, 0));
            assert_eq!(int8[i], signed(x, x >> 5 & 0x7F));
            assert_eq!(int8_comp[i], twos(x, x >> 5 & 0x3FF));
            assert_eq!(int16[i], signed(x, x & 0x7FFF));
            assert_eq!(bf16[i], u32::from(dst::decode_bf16(x)) << 16);
            if x & 31 != 0 {
                let value = half(wide >> 15, i32::from(x & 31), wide >> 5 & 0x3FF);
                assert_eq!(f64::from(f32::from_bits(fp16[i])), value);
            } else {
                assert_eq!(fp16[i] & 0x7F80_0000, 0, "zero or a denormal");
            }
        }
    }
}

#[test]
fn every_half_precision_number_is_stored_and_loaded() {
    for block in 0..0x1_0000 / LANES as u32 {
        let wanted: [u16; LANES] = std::array::from_fn(|i| (block * 32 + i as u32) as u16);
        let values = wanted.map(|x| {
            let (sign, exponent) = (u32::from(x >> 15), i32::from(x >> 10 & 31));
            // Exponent 0 is flushed, with its sign.
            if exponent == 0 {
                sign << 31 | 0x1234
            } else {
                (half(sign, exponent, u32::from(x & 0x3FF)) as f32).to_bits()
            }
        });
        // Bits below ten of mantissa are cut off.
        let mut unit = TestUnit::with([values.map(|x| x | 0x1FFF)]);
        unit.run(store(fmt::FP16, 8));
        for i in 0..LANES {
            let x = wanted[i];
            let expected = if x >> 10 & 31 == 0 { x & 0x8000 } else { x };
            assert_eq!(dst::decode_fp16(unit.0.dst.read16(8 + i / 8)[2 * (i % 8)]), expected);
        }
    }
    let mut unit = TestUnit::with([[f32::INFINITY.to_bits(); LANES]]);
    unit.run(store(fmt::FP16, 0));
    assert_eq!(unit.run(load(fmt::FP16, 0)).lreg(1)[0], 131_008f32.to_bits());
    let infinite = unit.run(lane_config(bits::ENABLE_FP16A_INF)).run(load(fmt::FP16, 0)).lreg(1)[0];
    assert_eq!(infinite, f32::INFINITY.to_bits());
}

#[test]
fn every_immediate() {
    let mut unit = TestUnit::with([[0x89AB_CDEF; LANES]]);
    let mut run = |instr_mod0, imm16| {
        unit.0.sfpu.lreg[0] = [0x89AB_CDEF; LANES];
        unit.run(SFPLOADI { lreg_ind: 0, instr_mod0, imm16 }.word()).lreg(0)[31]
    };
    for x in 0..0x1_0000u32 {
        assert_eq!(run(sfploadi::FLOATB, x), x << 16);
        assert_eq!(run(sfploadi::USHORT, x), x);
        assert_eq!(run(sfploadi::SHORT, x) as i32, i32::from(x as u16 as i16));
        assert_eq!(run(sfploadi::UPPER, x), x << 16 | 0xCDEF);
        assert_eq!(run(sfploadi::LOWER, x), 0x89AB_0000 | x);
        let value = half(x >> 15, (x >> 10 & 31) as i32, x & 0x3FF);
        assert_eq!(f64::from(f32::from_bits(run(sfploadi::FLOATA, x))), value);
    }
}

#[test]
fn integers_change_their_sign_s_form() {
    let mut random = Random::new(5);
    for _ in 0..2_000 {
        let values = random.lanes().map(|x| if x % 7 == 0 { x & 0x8000_03FF } else { x });
        let mut unit = TestUnit::with([values]);
        let there = unit.run(store(fmt::INT32_SM, 0)).run(load(fmt::INT32, 0)).lreg(1);
        let back = unit.run(load(fmt::INT32_SM, 0)).lreg(1);
        let small = unit.run(store(fmt::INT8_COMP, 64)).run(load(fmt::INT8_COMP, 64)).lreg(1);
        let magnitude = unit.run(store(fmt::INT8, 64)).run(load(fmt::INT8_COMP, 64)).lreg(1);
        let sixteen = unit.run(store(fmt::INT16, 64)).run(load(fmt::INT16, 64)).lreg(1);
        for i in 0..LANES {
            let x = values[i] as i32;
            assert_eq!(there[i], x.unsigned_abs() & 0x7FFF_FFFF | values[i] & 0x8000_0000);
            assert_eq!(back[i] as i32, if x == i32::MIN { 0 } else { x });
            let sign = if x < 0 { -1 } else { 1 };
            assert_eq!(small[i] as i32, sign * (x.unsigned_abs() & 0x3FF) as i32);
            assert_eq!(magnitude[i] as i32, sign * (values[i] & 0x3FF) as i32);
            assert_eq!(sixteen[i], values[i] & 0x8000_7FFF);
        }
    }
}

#[test]
fn bits_are_stored_as_they_are() {
    let mut random = Random::new(6);
    let values = random.lanes();
    let mut unit = TestUnit::with([values]);
    let raw = |unit: &TestUnit, i: usize| unit.0.dst.read32(4 + i / 8)[2 * (i % 8) + 1];
    for (format, expected) in [(fmt::HI16, values), (fmt::LO16, values.map(|x| x.rotate_left(16)))] {
        unit.run(store(format, 6));
        assert!((0..LANES).all(|i| raw(&unit, i) == expected[i]), "format {format}");
    }
    unit.run(store(fmt::INT32, 6));
    assert_eq!(unit.run(load(fmt::INT32, 6)).lreg(1), values);
    // Denormals: kept as integers, flushed as numbers.
    let mut unit = TestUnit::with([[0x8000_0001; LANES]]);
    assert_eq!(unit.run(store(fmt::INT32, 0)).run(load(fmt::FP32, 0)).lreg(1)[0], 0x8000_0001);
    assert_eq!(unit.run(store(fmt::FP32, 0)).run(load(fmt::FP32, 0)).lreg(1)[0], 0x8000_0000);
    unit.run(store(fmt::ZERO, 0));
    assert_eq!(unit.run(load(fmt::UINT16, 0)).lreg(1)[0], 0);
}

#[test]
fn the_format_follows_the_configuration() {
    let formats = [
        (DataFormat::Fp16, true),
        (DataFormat::Tf32, false),
        (DataFormat::Bfp8a, true),
        (DataFormat::Int32, false),
    ];
    for (format, is_half) in formats {
        let mut unit = TestUnit::new();
        unit.0.dst.write16(0, &[dst::encode_fp16(0x3C00); dst::COLS]);
        let set = |unit: &mut TestUnit, field: tt_isa::cfg::CfgField, value: u32| {
            let old = unit.0.cfg.read(0, field.index).unwrap();
            unit.0.cfg.write(0, field.index, field.with(old, value)).unwrap();
        };
        set(&mut unit, c::ALU_FORMAT_SPEC_REG1_SrcB, format as u32);
        let expected =
            if is_half { 0x3F80_0000 } else { u32::from(dst::decode_bf16(dst::encode_fp16(0x3C00))) << 16 };
        assert_eq!(unit.run(load(fmt::SRCB, 0)).lreg(1)[0], expected, "{format:?}");
        // The override wins.
        set(&mut unit, c::ALU_FORMAT_SPEC_REG_SrcB_override, 1);
        set(&mut unit, c::ALU_FORMAT_SPEC_REG_SrcB_val, DataFormat::Fp16 as u32);
        assert_eq!(unit.run(load(fmt::SRCB, 0)).lreg(1)[0], 0x3F80_0000);
        set(&mut unit, c::ALU_ACC_CTRL_SFPU_Fp32_enabled, 1);
        unit.0.dst.write32(0, &[dst::encode32(0x1234_5678); dst::COLS]);
        assert_eq!(unit.run(load(fmt::SRCB, 0)).lreg(1)[0], 0x1234_5678);
    }
}

#[test]
fn addresses_add_up_and_counters_move() {
    let mut unit = TestUnit::with([counting(0x100)]);
    let t = &mut unit.0;
    t.rwc[1].dst.value = 20;
    t.cfg.write(0, c::DEST_REGW_BASE_Base.index, 4).unwrap();
    t.cfg.set_thread(1, tc::DEST_TARGET_REG_CFG_MATH_Offset.index, 32).unwrap();
    t.cfg.set_thread(1, tc::ADDR_MOD_DST_SEC2_DestIncr.index, 6).unwrap();
    t.rwc[1].fidelity = 3;
    let word = SFPSTORE { lreg_ind: 0, instr_mod0: fmt::UINT16, sfpu_addr_mode: 2, dest_reg_addr: 11 };
    unit.run(word.word());
    // 20 + 4 + 32 + 11: the lowest bit does not count, the next one says odd columns.
    assert_eq!(unit.0.dst.read16(64)[1], 0x100);
    assert_eq!(unit.0.dst.read16(67)[15], 0x11F);
    assert_eq!((unit.0.rwc[1].dst.value, unit.0.rwc[1].fidelity), (26, 3));
    // Counters give their low bits only, and all lanes are written.
    (unit.0.sfpu.use_flags, unit.0.sfpu.flags) = (u32::MAX, 0);
    unit.run(SFPSTORE { instr_mod0: fmt::INT32_ALL, ..word }.word());
    assert_eq!(unit.0.dst.read32(44)[0], dst::encode32(0x100));
    assert_eq!(unit.run(load(fmt::INT32_ALL, 12)).lreg(1), unit.lreg(0));
    // Past the end it starts again.
    unit.0.rwc[1].dst.value = 1000;
    unit.0.sfpu.use_flags = 0;
    unit.run(word.word());
    assert_eq!(unit.0.dst.read16((1000 + 47) & 1020)[1], 0x100);
}

#[test]
fn lanes_that_are_off_keep_rows_invalid() {
    let mut unit = TestUnit::with([[7; LANES]]);
    unit.0.dst.write16(0, &[5; dst::COLS]);
    unit.0.dst.invalidate(0..4);
    (unit.0.sfpu.use_flags, unit.0.sfpu.flags) = (u32::MAX, 0x0000_0101);
    unit.run(store(fmt::UINT16, 0));
    // A write makes the row valid, and what it held before is back: the vendor's simulator does the same.
    assert_eq!(unit.0.dst.read16(0)[..3], [7, 5, 5]);
    assert_eq!(unit.0.dst.read16(1)[..3], [7, 0, 0]);
    assert_eq!(unit.0.dst.read16(2), [0; dst::COLS]);
    unit.run(store(fmt::INT32, 16));
    assert_eq!(unit.0.dst.read32(16)[0], dst::encode32(7));
}

#[test]
fn lane_configuration_blocks_exchanges_and_captures() {
    let mut unit = TestUnit::with([counting(0x40)]);
    unit.run(lane_config(bits::DEST_WR_COL_EXCHANGE)).run(store(fmt::UINT16, 0));
    assert_eq!(unit.0.dst.read16(0)[..4], [0, 0x40, 0, 0x41]);
    unit.run(lane_config(bits::DEST_RD_COL_EXCHANGE));
    assert_eq!(unit.run(load(fmt::UINT16, 0)).lreg(1), unit.lreg(0));
    unit.run(lane_config(bits::BLOCK_SFPU_RD_FROM_DEST)).run(load(fmt::ZERO, 0));
    assert_eq!(unit.lreg(1), unit.lreg(0));
    unit.run(lane_config(bits::BLOCK_DEST_WR_FROM_SFPU)).run(store(fmt::ZERO, 0));
    assert_eq!(unit.0.dst.read16(0)[1], 0x40);
    let capture = bits::ENABLE_DEST_INDEX | bits::CAPTURE_DEFAULT_DEST_INDEX;
    unit.run(lane_config(capture)).run(load(fmt::UINT16, 0x16));
    let index = unit.lreg(5);
    assert_eq!((index[0], index[1], index[31]), (0x14 << 4 | 1, 0x14 << 4 | 3, 0x17 << 4 | 15));
}
