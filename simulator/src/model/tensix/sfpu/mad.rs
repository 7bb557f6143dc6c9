//! The MAD sub-unit: multiply-add, and piecewise linear functions from tables (`SFPMAD.md`, `SFPLUT.md`,
//! `SFPLUTFP32.md`).

use tt_isa::format::fp32::SIGN;
use tt_isa::insn::Opcode;
use tt_isa::sfpu::{LANES, lreg, sfplut, sfplutfp32, sfpmad};

use super::lanes::{LaneMask, Lanes, map, multiply_add, zip, zip3};
use super::operands::Operands;
use super::{SfpuState, lanes};
use crate::fault::Fault;

/// The register whose low four bits name a register in each lane.
pub const INDEX: usize = 7;
/// The operand of the tables.
const ARGUMENT: usize = 3;

/// Executes an instruction of the sub-unit.
pub fn execute(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    match op.opcode {
        Opcode::SFPADDI => {
            op.allow(sfpmad::INDIRECT_VD)?;
            let immediate = [op.immediate << 16; LANES];
            let d = multiply_add(&immediate, &sfpu.lreg[lreg::ONE as usize], &sfpu.lreg[op.vc]);
            sfpu.write_result(op, sfpmad::INDIRECT_VD, enabled, &d);
        }
        Opcode::SFPMULI => {
            op.allow(sfpmad::INDIRECT_VD)?;
            let immediate = [op.immediate << 16; LANES];
            let d = multiply_add(&immediate, &sfpu.lreg[op.vc], &[0; LANES]);
            sfpu.write_result(op, sfpmad::INDIRECT_VD, enabled, &d);
        }
        Opcode::SFPLUT => sfplut(sfpu, op, enabled)?,
        Opcode::SFPLUTFP32 => sfplutfp32(sfpu, op, enabled)?,
        _ => sfpmad(sfpu, op, enabled)?,
    }
    Ok(())
}

/// `SFPMAD`, and `SFPADD` and `SFPMUL`, which compute the same.
fn sfpmad(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    op.allow(sfpmad::INDIRECT_VA | sfpmad::INDIRECT_VD)?;
    let (b, c) = (&sfpu.lreg[op.vb], &sfpu.lreg[op.vc]);
    let d = if op.has(sfpmad::INDIRECT_VA) {
        let named = |lane: usize| sfpu.lreg[sfpu.lreg[INDEX][lane] as usize & 15][lane];
        multiply_add(&std::array::from_fn(named), b, c)
    } else {
        multiply_add(&sfpu.lreg[op.va], b, c)
    };
    sfpu.write_result(op, sfpmad::INDIRECT_VD, enabled, &d);
    Ok(())
}

impl SfpuState {
    /// Writes to `VD`, or with modifier bit `indirect` to the register that each lane's `LReg[7]` names.
    fn write_result(&mut self, op: &Operands, indirect: u32, enabled: LaneMask, value: &Lanes) {
        if !op.has(indirect) || op.vd == lreg::MACRO as usize {
            return self.write(op.vd, enabled, value);
        }
        for lane in (0..LANES).filter(|lane| enabled >> lane & 1 != 0) {
            let vd = self.lreg[INDEX][lane] as usize & 15;
            if vd < lreg::WRITABLE as usize {
                self.lreg[vd][lane] = value[lane];
            }
        }
    }
}

/// Bits of 0.5, 1.0, 1.5, .. as bounds of an absolute value. Comparing bits puts NaN behind all numbers.
mod bound {
    pub const HALF: u32 = 0x3F00_0000;
    pub const ONE: u32 = 0x3F80_0000;
    pub const ONE_AND_A_HALF: u32 = 0x3FC0_0000;
    pub const TWO: u32 = 0x4000_0000;
    pub const THREE: u32 = 0x4040_0000;
    pub const FOUR: u32 = 0x4080_0000;
}

/// Of three registers the one that belongs to the argument: below 1.0, below 2.0, above.
fn entry(sfpu: &SfpuState, first: usize) -> Lanes {
    let argument = &sfpu.lreg[ARGUMENT];
    let [low, middle, high] = [first, first + 1, first + 2].map(|i| &sfpu.lreg[i]);
    let low = zip3(argument, low, middle, |x, a, b| if x & !SIGN < bound::ONE { a } else { b });
    zip3(argument, &low, high, |x, a, b| if x & !SIGN < bound::TWO { a } else { b })
}

/// The argument's absolute value.
fn magnitude(sfpu: &SfpuState) -> Lanes {
    map(&sfpu.lreg[ARGUMENT], |x| x & !SIGN)
}

/// An 8-bit coefficient: sign, exponent below 127, mantissa. The last one is zero.
#[inline(always)]
pub(super) fn lut8_to_fp32(x: u32) -> u32 {
    let (sign, exponent, mantissa) = (x >> 7 & 1, x >> 4 & 7, x & 15);
    if x & 0xFF == 0xFF { 0 } else { sign << 31 | (127 - exponent) << 23 | mantissa << 19 }
}

/// A 16-bit coefficient: half precision, but exponent 0 is normal and 31 is zero (or a denormal, which is
/// zero).
#[inline(always)]
pub(super) fn lut16_to_fp32(x: u32) -> u32 {
    let (sign, exponent, mantissa) = (x >> 15 & 1, x >> 10 & 31, x & 0x3FF);
    sign << 31 | (if exponent == 31 { 0 } else { 112 + exponent }) << 23 | mantissa << 13
}

fn sfplut(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    op.allow(sfplut::SGN_RETAIN | sfplut::INDIRECT_VD)?;
    let line = entry(sfpu, 0);
    let slope = map(&line, |line| lut8_to_fp32(line >> 8));
    let d = multiply_add(&slope, &magnitude(sfpu), &map(&line, lut8_to_fp32));
    let d = retain_sign(sfpu, op.has(sfplut::SGN_RETAIN), d);
    sfpu.write_result(op, sfplut::INDIRECT_VD, enabled, &d);
    Ok(())
}

fn retain_sign(sfpu: &SfpuState, retain: bool, d: Lanes) -> Lanes {
    if !retain {
        return d;
    }
    lanes::zip(&d, &sfpu.lreg[ARGUMENT], |d, x| d & !SIGN | x & SIGN)
}

fn sfplutfp32(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    use sfplutfp32::*;
    let magnitude = magnitude(sfpu);
    let linear = |a: &Lanes, c: &Lanes| multiply_add(a, &magnitude, c);
    let d = match op.modifier & !SGN_RETAIN {
        FP32_3ENTRY_TABLE | INDIRECT_VD => linear(&entry(sfpu, 0), &entry(sfpu, 4)),
        FP16_3ENTRY_TABLE => {
            let line = entry(sfpu, 0);
            linear(&map(&line, |line| lut16_to_fp32(line >> 16)), &map(&line, lut16_to_fp32))
        }
        table @ (FP16_6ENTRY_TABLE1 | FP16_6ENTRY_TABLE2) => {
            let last = if table == FP16_6ENTRY_TABLE2 { bound::FOUR } else { bound::THREE };
            let half = |line: &Lanes| zip(line, &magnitude, |line, x| half_of(line, x, last));
            linear(&half(&entry(sfpu, 0)), &half(&entry(sfpu, 4)))
        }
        _ => return Err(op.undefined_modifier()),
    };
    let d = retain_sign(sfpu, op.has(SGN_RETAIN), d);
    sfpu.write_result(op, INDIRECT_VD, enabled, &d);
    Ok(())
}

/// The coefficient of the upper or lower half of an entry's range.
#[inline(always)]
fn half_of(line: u32, magnitude: u32, last: u32) -> u32 {
    let middle = if magnitude < bound::ONE {
        bound::HALF
    } else if magnitude < bound::TWO {
        bound::ONE_AND_A_HALF
    } else {
        last
    };
    lut16_to_fp32(if magnitude >= middle { line >> 16 } else { line })
}
