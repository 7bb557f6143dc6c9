//! The simple sub-unit: integers, bits, and the fields of single precision numbers, lane by lane. Each
//! instruction's page has its name.

use tt_isa::format::fp32::{EXPONENT, MANTISSA, SIGN};
use tt_isa::insn::Opcode;
use tt_isa::sfpu::{lreg, sfpexexp, sfpiadd, sfplz, sfpmov, simple};

use super::lanes::{ALL, LaneMask, Lanes, lanes_where, map, zip};
use super::operands::Operands;
use super::{SfpuState, lanes};
use crate::fault::Fault;

/// Lowest bit of an exponent.
const EXPONENT_SHIFT: u32 = 23;

/// Executes an instruction of the sub-unit that has no other place.
pub fn execute(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    use Opcode::*;
    let (b, c) = (&sfpu.lreg[op.vb], &sfpu.lreg[op.vc]);
    let d = match op.opcode {
        SFPEXEXP => return sfpexexp(sfpu, op, enabled),
        SFPIADD => return sfpiadd(sfpu, op, enabled),
        SFPLZ => return sfplz(sfpu, op, enabled),
        SFPDIVP2 => sfpdivp2(c, op)?,
        SFPEXMAN => {
            op.allow(simple::SFPEXMAN_PAD9)?;
            let hidden = if op.has(simple::SFPEXMAN_PAD9) { 0 } else { MANTISSA + 1 };
            map(c, |c| c & MANTISSA | hidden)
        }
        SFPSHFT => {
            op.allow(simple::SFPSHFT_ARG_IMM)?;
            let immediate = op.signed_immediate() as u32;
            if op.has(simple::SFPSHFT_ARG_IMM) { map(b, |b| shift(b, immediate)) } else { zip(b, c, shift) }
        }
        SFPABS => sfpabs(c, op)?,
        SFPAND | SFPOR => {
            if op.modifier != 0 || op.immediate != 0 {
                return Err(op.undefined_modifier());
            }
            if op.opcode == SFPAND { zip(b, c, |b, c| b & c) } else { zip(b, c, |b, c| b | c) }
        }
        SFPXOR => zip(b, c, |b, c| b ^ c),
        SFPNOT => map(c, |c| !c),
        SFPSETEXP => sfpsetexp(b, c, op)?,
        SFPSETMAN => set_field(b, c, op, MANTISSA, op.immediate << 11)?,
        SFPSETSGN => set_field(b, c, op, SIGN, op.immediate << 31)?,
        _ => {
            return Err(Fault::internal(format!("{:?} is no instruction of the simple sub-unit", op.opcode)));
        }
    };
    sfpu.write(op.vd, enabled, &d);
    Ok(())
}

/// `b` shifted left by `amount`, or right if that is negative, modulo 32.
#[inline(always)]
pub(super) fn shift(b: u32, amount: u32) -> u32 {
    let right = b >> (amount.wrapping_neg() & 31);
    let left = b << (amount & 31);
    if amount & SIGN != 0 { right } else { left }
}

/// `c` with `field` from the immediate, which is in place, or from `b`.
fn set_field(b: &Lanes, c: &Lanes, op: &Operands, field: u32, immediate: u32) -> Result<Lanes, Fault> {
    op.allow(simple::SET_ARG_IMM)?;
    Ok(if op.has(simple::SET_ARG_IMM) {
        map(c, |c| c & !field | immediate)
    } else {
        zip(b, c, |b, c| c & !field | b & field)
    })
}

fn sfpsetexp(b: &Lanes, c: &Lanes, op: &Operands) -> Result<Lanes, Fault> {
    op.allow(simple::SET_ARG_IMM | simple::SFPSETEXP_ARG_EXPONENT)?;
    let immediate = op.immediate << EXPONENT_SHIFT;
    Ok(if op.has(simple::SET_ARG_IMM) {
        map(c, |c| c & !EXPONENT | immediate)
    } else if op.has(simple::SFPSETEXP_ARG_EXPONENT) {
        zip(b, c, |b, c| c & !EXPONENT | b & EXPONENT)
    } else {
        zip(b, c, |b, c| c & !EXPONENT | (b & 0xFF) << EXPONENT_SHIFT)
    })
}

fn sfpdivp2(c: &Lanes, op: &Operands) -> Result<Lanes, Fault> {
    op.allow(simple::SFPDIVP2_ADD)?;
    // Eight bits, which software extends with zeros or with the sign.
    if !matches!(op.immediate, 0..=0xFF | 0xF80..=0xFFF) {
        let what = format!("SFPDIVP2 with immediate {:#x}: eight bits exist", op.immediate);
        return Err(Fault::program(what).page(op.page()));
    }
    let immediate = (op.immediate & 0xFF) << EXPONENT_SHIFT;
    Ok(if op.has(simple::SFPDIVP2_ADD) {
        map(c, |c| {
            let sum = c & !EXPONENT | c.wrapping_add(immediate) & EXPONENT;
            if c & EXPONENT == EXPONENT { c } else { sum }
        })
    } else {
        map(c, |c| c & !EXPONENT | immediate)
    })
}

fn sfpabs(c: &Lanes, op: &Operands) -> Result<Lanes, Fault> {
    op.allow(simple::SFPABS_FLOAT)?;
    Ok(if op.has(simple::SFPABS_FLOAT) {
        // The page leaves -infinity alone like -NaN; the vendor's simulator does not.
        map(c, |c| if c > SIGN | EXPONENT { c } else { c & !SIGN })
    } else {
        map(c, |c| (c as i32).wrapping_abs() as u32)
    })
}

fn sfpexexp(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    use sfpexexp::*;
    op.allow(NODEBIAS | SET_CC_SGN_EXP | SET_CC_COMP_EXP)?;
    let bias = if op.has(NODEBIAS) { 0 } else { 127 };
    let d = map(&sfpu.lreg[op.vc], |c| ((c & EXPONENT) >> EXPONENT_SHIFT).wrapping_sub(bias));
    sfpu.write(op.vd, enabled, &d);
    sfpu.set_flags(op, enabled, op.has(SET_CC_SGN_EXP), op.has(SET_CC_COMP_EXP), || negative(&d));
    Ok(())
}

fn sfpiadd(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    use sfpiadd::*;
    let (b, c) = (&sfpu.lreg[op.vb], &sfpu.lreg[op.vc]);
    let d = if op.has(ARG_IMM) {
        let immediate = op.signed_immediate() as u32;
        map(c, |c| c.wrapping_add(immediate))
    } else if op.has(ARG_2SCOMP_LREG_DST) {
        zip(b, c, |b, c| c.wrapping_sub(b))
    } else {
        zip(b, c, |b, c| c.wrapping_add(b))
    };
    sfpu.write(op.vd, enabled, &d);
    sfpu.set_flags(op, enabled, !op.has(CC_NONE), op.has(CC_GTE0), || negative(&d));
    Ok(())
}

fn sfplz(sfpu: &mut SfpuState, op: &Operands, enabled: LaneMask) -> Result<(), Fault> {
    use sfplz::*;
    op.allow(CC_NE0 | NOSGN_MASK | CC_COMP)?;
    let keep = if op.has(NOSGN_MASK) { !SIGN } else { u32::MAX };
    let c = map(&sfpu.lreg[op.vc], |c| c & keep);
    sfpu.write(op.vd, enabled, &map(&c, u32::leading_zeros));
    sfpu.set_flags(op, enabled, op.has(CC_NE0), op.has(CC_COMP), || lanes_where(&c, |c| c != 0));
    Ok(())
}

fn negative(d: &Lanes) -> LaneMask {
    lanes_where(d, |d| d & SIGN != 0)
}

impl SfpuState {
    /// What `SFPEXEXP`, `SFPIADD` and `SFPLZ` do to lane flags: `set` them to a condition, then `invert`
    /// them. Instructions with a result that is not written leave them.
    fn set_flags(
        &mut self,
        op: &Operands,
        enabled: LaneMask,
        set: bool,
        invert: bool,
        condition: impl FnOnce() -> LaneMask,
    ) {
        if op.vd >= lreg::WRITABLE as usize {
            return;
        }
        if set {
            self.flags = self.flags & !enabled | condition() & enabled;
        }
        if invert {
            self.flags ^= enabled;
        }
    }
}

/// `SFPMOV`. `lanes` are those that execute, enabled or not.
pub fn sfpmov(sfpu: &mut SfpuState, op: &Operands, lanes: LaneMask) -> Result<(), Fault> {
    use sfpmov::*;
    op.allow(NEGATE | ALL_LANES_ENABLED | FROM_SPECIAL)?;
    let enabled = lanes & if op.modifier == ALL_LANES_ENABLED { ALL } else { sfpu.enabled() };
    let x = if op.has(FROM_SPECIAL) {
        special(sfpu, op.vc as u32, enabled)
    } else if op.has(NEGATE) {
        map(&sfpu.lreg[op.vc], |c| c ^ SIGN)
    } else {
        sfpu.lreg[op.vc]
    };
    sfpu.write(op.vd, enabled, &x);
    Ok(())
}

/// A configuration register as `SFPMOV` numbers them, or random bits.
fn special(sfpu: &mut SfpuState, vc: u32, enabled: LaneMask) -> Lanes {
    if vc == sfpmov::SPECIAL_PRNG {
        return sfpu.prng.advance(enabled);
    }
    let columns = sfpu.load_macro.register(vc).unwrap_or_else(|| sfpu.config.register(vc));
    lanes::broadcast(&columns)
}
