//! Conversions that round (`SFPSTOCHRND.md`, `SFPCAST.md`): to the nearest, never stochastically.

use tt_isa::format::fp32::{EXPONENT, MANTISSA, SIGN};
use tt_isa::insn::SFP_STOCH_RND;
use tt_isa::sfpu::{sfp_stoch_rnd, simple};

use super::SfpuState;
use super::lanes::{LaneMask, Lanes, map, zip};
use super::operands::Operands;
use crate::fault::Fault;

fn stochastic(op: &Operands) -> Fault {
    Fault::not_implemented(format!("stochastic rounding ({:?})", op.opcode)).page(op.page())
}

/// `SFPCAST`: sign-magnitude integer to single precision, to nearest even.
pub fn sfpcast(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    op.allow(simple::SFPCAST_RND_STOCH)?;
    if op.has(simple::SFPCAST_RND_STOCH) {
        return Err(stochastic(op));
    }
    let d = map(&sfpu.lreg[op.vc], int_to_fp32);
    sfpu.write(op.vd, enabled, &d);
    Ok(())
}

/// The conversion is IEEE's, which the host's is too.
#[inline(always)]
fn int_to_fp32(c: u32) -> u32 {
    (((c & !SIGN) as i32) as f32).to_bits() | c & SIGN
}

/// `SFP_STOCH_RND` without randomness: half of a unit and more rounds away from zero.
pub fn sfp_stoch_rnd(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    use sfp_stoch_rnd::*;
    if SFP_STOCH_RND::decode(op.word).rnd_mode != 0 {
        return Err(stochastic(op));
    }
    let c = &sfpu.lreg[op.vc];
    let d = match op.modifier {
        FP32_TO_FP16A => map(c, |c| shorten(c, 13)),
        FP32_TO_FP16B => map(c, |c| shorten(c, 16)),
        FP32_TO_UINT8 => map(c, |c| to_integer(c & !SIGN, 0xFF)),
        FP32_TO_INT8 => map(c, |c| to_integer(c, 0x7F)),
        FP32_TO_UINT16 => map(c, |c| to_integer(c & !SIGN, 0xFFFF)),
        FP32_TO_INT16 => map(c, |c| to_integer(c, 0x7FFF)),
        INT32_TO_UINT8 | INT32_TO_INT8 => shift_right(op, &sfpu.lreg[op.vb], c),
        modifier if modifier & !USE_IMM5 == INT32_TO_UINT8 || modifier & !USE_IMM5 == INT32_TO_INT8 => {
            shift_right(op, &[op.immediate; tt_isa::sfpu::LANES], c)
        }
        _ => return Err(op.undefined_modifier()),
    };
    sfpu.write(op.vd, enabled, &d);
    // The vendor's simulator draws a random number here too, and does not use it.
    sfpu.prng.advance(enabled);
    Ok(())
}

/// Single precision without its lowest mantissa bits. Zeros and denormals become +0, NaN infinity.
#[inline(always)]
fn shorten(c: u32, bits: u32) -> u32 {
    let half = 1 << (bits - 1);
    // Half of a unit carries into the mantissa, and on into the exponent.
    let rounded = (c.wrapping_add(half)) >> bits << bits;
    match c & EXPONENT {
        0 => 0,
        EXPONENT => c & !MANTISSA,
        _ => rounded,
    }
}

/// Single precision to a sign-magnitude integer of at most `limit`; NaN is above every limit.
#[inline(always)]
fn to_integer(c: u32, limit: u32) -> u32 {
    let exponent = ((c & EXPONENT) >> 23) as i32 - 127;
    let significand = c & MANTISSA | (MANTISSA + 1);
    // From -1 on: the integer has up to 16 bits, and one more below for rounding.
    let twice = significand >> (22 - exponent).clamp(7, 23);
    let magnitude = match exponent {
        ..=-2 => 0,
        16.. => limit,
        _ => ((twice + 1) >> 1).min(limit),
    };
    if magnitude == 0 { 0 } else { magnitude | c & SIGN }
}

/// A sign-magnitude integer shifted right, rounded and limited.
fn shift_right(op: &Operands, amounts: &Lanes, c: &Lanes) -> Lanes {
    let signed = op.modifier & !sfp_stoch_rnd::USE_IMM5 == sfp_stoch_rnd::INT32_TO_INT8;
    let (limit, sign) = if signed { (0x7F, SIGN) } else { (0xFF, 0) };
    zip(amounts, c, |amount, c| {
        // Rounding looks at 23 bits that are shifted out; the ones below are lost, and no half of a unit is
        // theirs.
        let twice = (c & !SIGN) << 1 >> (amount & 31);
        let magnitude = (twice >> 1) + (twice & 1);
        let magnitude = magnitude.min(limit);
        if magnitude == 0 { 0 } else { magnitude | c & sign }
    })
}
