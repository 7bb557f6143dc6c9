//! The MAD sub-unit's arithmetic: `x * y + z` of single precision, partially fused (`SFPMAD.md`).
//!
//! The page gives the data flow; the bits are those of the vendor's simulator:
//!
//! 1. Denormal operands are zero. The product keeps 28 bits, the lowest of them sticky.
//! 2. A product below the smallest exponent is zero; one above the largest is infinite, whatever is added.
//! 3. The operand with the smaller exponent is shifted right. Bits that fall off are or-ed into its lowest
//!    bit, unless the whole operand falls off: then nothing is left of it.
//! 4. Sum or difference is normalised and rounded to nearest even. Denormals, and all zeros, become +0.
//! 5. A result that is not a number has the lowest bit set; its other bits are those of the sum, as if the
//!    operands had been numbers.
//!
//! Every case is computed for every lane, and the right one is selected at the end, so no lane branches.

use tt_isa::format::fp32::{EXPONENT as INFINITY, MANTISSA, SIGN};

/// Least of the results that are not a number.
const NAN: u32 = INFINITY | 1;
const HIDDEN: u32 = 0x80_0000;
/// Bits that a sum has below a mantissa's.
const GUARD: u32 = 3;
/// Place of a normalised sum's highest bit.
const UNIT: i32 = 26;

/// `a` where `condition` holds, otherwise `b`, by masks: branches in a lane would keep the loop from being
/// vectors.
#[inline(always)]
fn select(condition: bool, a: u32, b: u32) -> u32 {
    let mask = u32::from(condition).wrapping_neg();
    (a & mask) | (b & !mask)
}

/// An operand taken apart. A denormal's significand is zero.
struct Operand {
    exponent: i32,
    significand: u32,
    /// Without the sign.
    magnitude: u32,
}

impl Operand {
    #[inline(always)]
    fn new(x: u32) -> Self {
        let magnitude = x & !SIGN;
        let significand = select(magnitude <= MANTISSA, 0, x & MANTISSA | HIDDEN);
        Self { exponent: (magnitude >> 23) as i32, significand, magnitude }
    }

    #[inline(always)]
    fn is_infinite(&self) -> bool {
        self.magnitude == INFINITY
    }

    #[inline(always)]
    fn is_nan(&self) -> bool {
        self.magnitude > INFINITY
    }

    /// Infinite or not a number.
    #[inline(always)]
    fn is_special(&self) -> bool {
        self.magnitude >= INFINITY
    }
}

/// Product of two significands (24 bits each) without its lowest 20 bits, which are or-ed into bit 0.
#[inline(always)]
fn product(x: u32, y: u32) -> u32 {
    // In halves of 12 bits: vectors of 32-bit lanes have no wider products.
    let (x_high, x_low, y_high, y_low) = (x >> 12, x & 0xFFF, y >> 12, y & 0xFFF);
    let middle = x_high * y_low + x_low * y_high;
    let low = x_low * y_low + ((middle & 0xFF) << 12);
    let sticky = u32::from(low & 0xF_FFFF != 0);
    (((x_high * y_high) << 4) + (middle >> 8) + (low >> 20)) | sticky
}

/// `x` shifted right by `amount` (not negative); bits that fall off are or-ed into bit 0 unless nothing is
/// left.
#[inline(always)]
fn align(x: u32, amount: i32) -> u32 {
    let amount = amount.min(31) as u32;
    let shifted = x >> amount;
    let lost = u32::from(shifted << amount != x);
    select(shifted == 0, 0, shifted | lost)
}

/// Place of the highest one of a number below 2^31, by conversion to floating point (exact: the bits that
/// could round it up are cleared first).
#[inline(always)]
fn highest_bit(x: u32) -> i32 {
    (((x & !(x >> 1)) as i32 as f32).to_bits() >> 23) as i32 - 127
}

/// `x * y + z`.
#[inline(always)]
pub fn fused(x: u32, y: u32, z: u32) -> u32 {
    let (ox, oy, oz) = (Operand::new(x), Operand::new(y), Operand::new(z));
    let (p_sign, z_sign) = ((x ^ y) & SIGN, z & SIGN);
    let opposite = p_sign != z_sign;
    let p = product(ox.significand, oy.significand);
    let p_exponent = ox.exponent + oy.exponent - 127;

    let p_infinite = ox.is_special() | oy.is_special() | (p_exponent >= 255);
    let no_product = ox.is_nan()
        | oy.is_nan()
        | (ox.is_infinite() & (oy.significand == 0))
        | (oy.is_infinite() & (ox.significand == 0));
    let no_sum = no_product | (oz.is_infinite() & p_infinite & opposite);
    let nan = no_sum | oz.is_nan();
    let nan_bits = select(no_sum, p_sign, z_sign) | NAN;
    let infinite = p_infinite | oz.is_infinite();
    let infinite_bits = select(oz.is_infinite(), z, p_sign | INFINITY);

    let vanished = (p == 0) | (p_exponent < 0);
    let p = select(vanished, 0, p);
    let p_exponent = select(vanished, 0, p_exponent.min(255) as u32) as i32;
    let exponent = p_exponent.max(oz.exponent);
    let p = align(p, exponent - p_exponent);
    let z = align(oz.significand << GUARD, exponent - oz.exponent);
    let difference = select(p >= z, p.wrapping_sub(z), z.wrapping_sub(p));
    let sum = select(opposite, difference, p + z);
    let sign = select(p >= z, p_sign, z_sign);

    let excess = highest_bit(sum) - UNIT;
    let exponent = exponent + excess;
    // A sum has two bits too many at most; of those that fall off only the lowest is kept.
    let kept = sum & u32::from(excess > 0);
    let normal = ((sum >> excess.clamp(0, 2)) | kept) << (-excess).clamp(0, UNIT);
    let truncated = ((exponent as u32) << 23).wrapping_add((normal >> GUARD) & MANTISSA);
    let up = u32::from((normal & 7) + (truncated & 1) > 4);
    let rounded = truncated.wrapping_add(up);

    let zero = (sum == 0) | (exponent < 0) | (rounded <= MANTISSA);
    let overflow = exponent >= 255;
    let number = select(zero, 0, sign | select(overflow, INFINITY, rounded));
    let number = select(infinite, infinite_bits, number);
    let leak = select(zero | overflow, 0, rounded);
    select(nan, nan_bits | leak, number)
}
