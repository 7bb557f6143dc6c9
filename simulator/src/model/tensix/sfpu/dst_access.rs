//! Load and store sub-units: between Dst and registers, with conversions (`SFPLOAD.md`, `SFPSTORE.md`,
//! `SFPLOADI.md`).
//!
//! ```text
//!            columns of Dst  0 1 2 3 .. 14 15
//! row 4r + 0                 a . b .    h  .      lanes  0.. 7: the even columns (or the odd ones) of a row
//! row 4r + 1                 i . j .    p  .      lanes  8..15: of the next
//! ```
//!
//! A row's columns are handled as eight pairs, one pair a lane. Bits are those of the pages, with one exception: storing
//! single precision flushes denormals to zero, as in the vendor's simulator.

use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat;
use tt_isa::format::fp32::SIGN;
use tt_isa::sfpu::{COLUMNS, LANES, lane_config, lreg, mod0_fmt, sfploadi};

use super::lanes::{LaneMask, Lanes, blend, map, zip};
use super::operands::Operands;
use super::{ALL, SfpuState};
use crate::fault::Fault;
use crate::model::tensix::{Exec, Step, Tensix, dst, rwc};

/// What half precision exponents are below single precision's.
const REBIAS: u32 = 112;
/// Rows of Dst that a register covers.
const ROWS: usize = LANES / COLUMNS;

/// `SFPLOADI`.
pub fn sfploadi(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    let immediate = op.immediate;
    let old = &sfpu.lreg[op.vd];
    let value = match op.modifier {
        sfploadi::FLOATB => [immediate << 16; LANES],
        sfploadi::FLOATA => {
            let number = (immediate & 0x7FFF) + (REBIAS << 10);
            [(immediate & 0x8000) << 16 | number << 13; LANES]
        }
        sfploadi::USHORT => [immediate; LANES],
        sfploadi::SHORT => [immediate as u16 as i16 as u32; LANES],
        sfploadi::UPPER => map(old, |x| x & 0xFFFF | immediate << 16),
        sfploadi::LOWER => map(old, |x| x & 0xFFFF_0000 | immediate),
        _ => return Err(op.undefined_modifier()),
    };
    sfpu.write(op.vd, enabled, &value);
    Ok(())
}

/// The format that `MOD0_FMT_SRCB` stands for, or the one that was asked for.
fn format(t: &Tensix, thread: usize, op: &Operands) -> u32 {
    use DataFormat::*;
    if op.modifier != mod0_fmt::SRCB {
        return op.modifier;
    }
    let get = |field| t.cfg.get(thread, field);
    if get(c::ALU_ACC_CTRL_SFPU_Fp32_enabled) != 0 {
        return mod0_fmt::FP32;
    }
    let code = match get(c::ALU_FORMAT_SPEC_REG_SrcB_override) {
        0 => get(c::ALU_FORMAT_SPEC_REG1_SrcB),
        _ => get(c::ALU_FORMAT_SPEC_REG_SrcB_val),
    };
    match DataFormat::from_code(code) {
        Some(Fp32 | Tf32 | Bf16 | Bfp8 | Bfp4 | Bfp2 | Int32 | Int16) => mod0_fmt::BF16,
        _ => mod0_fmt::FP16,
    }
}

/// The address that an instruction names: rows in the upper eight of ten bits, then whether columns are odd.
pub fn address(t: &Tensix, thread: usize, op: &Operands) -> usize {
    let counters = t.rwc[thread].dst.value + t.cfg.get(thread, c::DEST_REGW_BASE_Base);
    let counters = if op.modifier == mod0_fmt::INT32_ALL { counters & 3 } else { counters };
    let offset = t.cfg.thread(thread, tc::DEST_TARGET_REG_CFG_MATH_Offset);
    (op.immediate + offset + counters) as usize % dst::ROWS
}

/// Where in Dst: the first of four rows, and of each lane whether its column is the odd one of the pair.
struct Place {
    row: usize,
    odd: LaneMask,
}

impl Place {
    /// `exchange` is the bit of `LaneConfig` that makes columns odd.
    fn new(sfpu: &SfpuState, address: usize, exchange: u32) -> Self {
        let odd = if address & 2 != 0 { ALL } else { sfpu.config.lanes(exchange) };
        Self { row: address & !3, odd }
    }

    /// Bits that a lane's datum is away from the low end of its pair.
    fn shifts(&self) -> [u32; COLUMNS] {
        std::array::from_fn(|i| (self.odd >> i & 1) * 16)
    }
}

/// A row as pairs of an even column (low) and an odd one.
#[inline(always)]
fn pairs(row: &[u16; dst::COLS]) -> [u32; COLUMNS] {
    std::array::from_fn(|i| u32::from(row[2 * i]) | u32::from(row[2 * i + 1]) << 16)
}

fn is_wide(format: u32) -> bool {
    use mod0_fmt::*;
    matches!(format, FP32 | INT32 | INT32_ALL | INT32_SM)
}

/// Datums in storage form.
fn gather(dst: &dst::Dst, place: &Place, wide: bool) -> Lanes {
    let mut out = [0; LANES];
    let shifts = place.shifts();
    for r in 0..ROWS {
        let lanes = &mut out[r * COLUMNS..][..COLUMNS];
        if wide {
            let row = dst.read32(place.row + r);
            for i in 0..COLUMNS {
                lanes[i] = if shifts[i] != 0 { row[2 * i + 1] } else { row[2 * i] };
            }
        } else {
            let row = pairs(&dst.read16(place.row + r));
            for i in 0..COLUMNS {
                lanes[i] = row[i] >> shifts[i] & 0xFFFF;
            }
        }
    }
    out
}

/// `SFPLOAD`.
pub fn sfpload(t: &mut Tensix, thread: usize, op: &Operands) -> Exec {
    let format = format(t, thread, op);
    let place = Place::new(&t.sfpu, address(t, thread, op), lane_config::DEST_RD_COL_EXCHANGE);
    if op.vd < lreg::WRITABLE as usize {
        if t.sfpu.hazard_checks {
            t.sfpu.check_load(thread, op, place.row, is_wide(format))?;
        }
        let raw = gather(&t.dst, &place, is_wide(format));
        let value = load(&t.sfpu, op.vd, format, &raw);
        let sfpu = &mut t.sfpu;
        let enabled = if format == mod0_fmt::INT32_ALL { ALL } else { sfpu.enabled() };
        let enabled = enabled & !sfpu.config.lanes(lane_config::BLOCK_SFPU_RD_FROM_DEST);
        sfpu.write(op.vd, enabled, &value);
        let captured = sfpu.config.dest_index() & sfpu.config.lanes(lane_config::CAPTURE_DEFAULT_DEST_INDEX);
        if op.vd < 4 && captured != 0 {
            let index = |lane: usize| {
                let column = 2 * (lane % COLUMNS) as u32 + (place.odd >> lane & 1);
                ((place.row + lane / COLUMNS) as u32) << 4 | column
            };
            sfpu.write(op.vd + 4, enabled & captured, &std::array::from_fn(index));
        }
    }
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, addr_mode(op), false)?;
    Ok(Step::Done)
}

fn addr_mode(op: &Operands) -> u32 {
    tt_isa::insn::SFPLOAD::decode(op.word).sfpu_addr_mode
}

/// Registers' datums of Dst's.
fn load(sfpu: &SfpuState, vd: usize, format: u32, raw: &Lanes) -> Lanes {
    use mod0_fmt::*;
    match format {
        FP16 => {
            let value = map(raw, fp16_to_fp32);
            let infinite = sfpu.config.lanes(lane_config::ENABLE_FP16A_INF);
            if infinite == 0 {
                return value;
            }
            let mut special = value;
            blend(&mut special, &map(raw, fp16_to_fp32_or_infinity), infinite);
            special
        }
        BF16 => map(raw, |x| dst::decode32(x << 16)),
        FP32 | INT32 | INT32_ALL => map(raw, dst::decode32),
        INT32_SM => map(raw, |x| to_twos_complement(dst::decode32(x))),
        INT8 => map(raw, |x| x >> 15 << 31 | x >> 5 & 0x7F),
        INT8_COMP => map(raw, |x| to_twos_complement(x >> 15 << 31 | x >> 5 & 0x3FF)),
        INT16 => map(raw, |x| x >> 15 << 31 | x & 0x7FFF),
        LO16_ONLY => zip(raw, &sfpu.lreg[vd], |x, old| old & 0xFFFF_0000 | x),
        HI16_ONLY => zip(raw, &sfpu.lreg[vd], |x, old| x << 16 | old & 0xFFFF),
        HI16 => map(raw, |x| x << 16),
        UINT16 | LO16 => *raw,
        _ => [0; LANES],
    }
}

/// Of half precision in storage form. Denormals become other denormals.
#[inline(always)]
fn fp16_to_fp32(x: u32) -> u32 {
    let (sign, mantissa, exponent) = (x >> 15, x >> 5 & 0x3FF, x & 31);
    let exponent = if exponent == 0 { 0 } else { exponent + REBIAS };
    sign << 31 | exponent << 23 | mantissa << 13
}

/// The same, but the largest number is infinity.
#[inline(always)]
fn fp16_to_fp32_or_infinity(x: u32) -> u32 {
    if x & 0x7FFF == 0x7FFF { x >> 15 << 31 | 0x7F80_0000 } else { fp16_to_fp32(x) }
}

#[inline(always)]
fn to_twos_complement(x: u32) -> u32 {
    let magnitude = x & !SIGN;
    if x & SIGN != 0 { magnitude.wrapping_neg() } else { magnitude }
}

#[inline(always)]
fn to_sign_magnitude(x: u32) -> u32 {
    if x & SIGN != 0 { SIGN | x.wrapping_neg() & !SIGN } else { x }
}

/// `SFPSTORE`. `lanes` are those that execute, enabled or not.
pub fn sfpstore(t: &mut Tensix, thread: usize, op: &Operands, lanes: LaneMask) -> Exec {
    store_at(t, thread, op, address(t, thread, op), lanes);
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, addr_mode(op), false)?;
    Ok(Step::Done)
}

/// `SFPSTORE` to an address, without moving counters.
pub fn store_at(t: &mut Tensix, thread: usize, op: &Operands, address: usize, lanes: LaneMask) {
    let format = format(t, thread, op);
    let place = Place::new(&t.sfpu, address, lane_config::DEST_WR_COL_EXCHANGE);
    let enabled = if format == mod0_fmt::INT32_ALL { ALL } else { t.sfpu.enabled() };
    let enabled = enabled & lanes & !t.sfpu.config.lanes(lane_config::BLOCK_DEST_WR_FROM_SFPU);
    let value = &t.sfpu.lreg[op.vd];
    match store(format, value) {
        Stored::Narrow(raw) => scatter16(&mut t.dst, &place, enabled, &raw),
        Stored::Wide(raw) => scatter32(&mut t.dst, &place, enabled, &raw),
    }
}

/// Datums in storage form.
enum Stored {
    /// Of 16 bits.
    Narrow(Lanes),
    /// Of 32 bits.
    Wide(Lanes),
}

/// Dst's datums of registers'.
fn store(format: u32, value: &Lanes) -> Stored {
    use Stored::{Narrow, Wide};
    use mod0_fmt::*;
    match format {
        FP16 => Narrow(map(value, fp32_to_fp16)),
        BF16 => Narrow(map(value, |x| dst::encode32(flush(x)) >> 16)),
        FP32 => Wide(map(value, |x| dst::encode32(flush(x)))),
        INT32 | INT32_ALL => Wide(map(value, dst::encode32)),
        INT32_SM => Wide(map(value, |x| dst::encode32(to_sign_magnitude(x)))),
        INT8 => Narrow(map(value, int8)),
        INT8_COMP => Narrow(map(value, |x| int8(to_sign_magnitude(x)))),
        INT16 => Narrow(map(value, |x| x >> 31 << 15 | x & 0x7FFF)),
        UINT16 | LO16_ONLY => Narrow(*value),
        HI16_ONLY => Narrow(map(value, |x| x >> 16)),
        LO16 => Wide(map(value, |x| x.rotate_left(16))),
        HI16 => Wide(*value),
        _ => Narrow([0; LANES]),
    }
}

/// Denormals become zeros of the same sign.
#[inline(always)]
fn flush(x: u32) -> u32 {
    if x & 0x7F80_0000 == 0 { x & SIGN } else { x }
}

/// Half precision in storage form: truncated, small numbers become zero, large ones and NaN the largest.
#[inline(always)]
fn fp32_to_fp16(x: u32) -> u32 {
    let exponent = (x >> 23 & 0xFF) as i32 - REBIAS as i32;
    let (exponent, mantissa) = match exponent {
        ..=0 => (0, 0),
        1..=31 => (exponent as u32, x >> 13 & 0x3FF),
        _ => (31, 0x3FF),
    };
    x >> 31 << 15 | mantissa << 5 | exponent
}

/// Integer "8" in storage form: ten bits of magnitude and half precision's exponent 16.
#[inline(always)]
fn int8(x: u32) -> u32 {
    x >> 31 << 15 | (x & 0x3FF) << 5 | 16
}

fn scatter16(dst: &mut dst::Dst, place: &Place, enabled: LaneMask, raw: &Lanes) {
    for r in 0..ROWS {
        let mask = enabled >> (r * COLUMNS) & 0xFF;
        if mask != 0 {
            let lanes = raw[r * COLUMNS..][..COLUMNS].try_into().expect("a row of lanes");
            merge(dst.part16_mut(place.row + r), lanes, mask, place);
        }
    }
}

fn scatter32(dst: &mut dst::Dst, place: &Place, enabled: LaneMask, raw: &Lanes) {
    for r in 0..ROWS {
        let mask = enabled >> (r * COLUMNS) & 0xFF;
        if mask != 0 {
            let lanes: &[u32; COLUMNS] = raw[r * COLUMNS..][..COLUMNS].try_into().expect("a row of lanes");
            let [high, low] = dst.part32_mut(place.row + r);
            merge(high, &lanes.map(|x| x >> 16), mask, place);
            merge(low, lanes, mask, place);
        }
    }
}

/// Writes the low halves of a row of lanes to their columns.
#[inline(always)]
fn merge(row: &mut [u16; dst::COLS], lanes: &[u32; COLUMNS], mask: LaneMask, place: &Place) {
    let mut new = pairs(row);
    let shifts = place.shifts();
    for i in 0..COLUMNS {
        let merged = new[i] & !(0xFFFF << shifts[i]) | (lanes[i] & 0xFFFF) << shifts[i];
        new[i] = if mask & (1 << i) != 0 { merged } else { new[i] };
    }
    for i in 0..COLUMNS {
        row[2 * i] = new[i] as u16;
        row[2 * i + 1] = (new[i] >> 16) as u16;
    }
}
