//! The adder behind the multipliers: two sums of products and a datum of Dst become the new datum.
//!
//! The ISA pages call their arithmetic a rough guide; the bits are those of the vendor's simulator:
//!
//! 1. The three terms are shifted right to the largest of their exponents. The sums are rounded half towards plus
//!    infinity, Dst's datum half away from zero. Into 16-bit Dst each term then loses its 13 low bits the same way.
//! 2. They are added exactly.
//! 3. The result is normalised and rounded half away from zero to the mantissa that Dst holds. Underflow and
//!    cancellation give +0; overflow gives infinity, of half precision its largest number.

/// What a datum of Dst is to the adder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accumulator {
    /// Single precision, in 32-bit Dst.
    Fp32,
    /// Bfloat16, in 16-bit Dst.
    Bf16,
    /// Half precision, in 16-bit Dst.
    Fp16,
}

/// A sum of products: `sum * 2^(exponent - 127 - 10)` (half precision: `- 15 - 10`), `|sum| < 2^15`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Term {
    /// With its sign.
    pub sum: i32,
    /// Not negative.
    pub exponent: i32,
}

/// Bits by which a sum is above the last bit of a single precision mantissa.
const SUM_SHIFT: u32 = 13;

/// `value` shifted right, rounded half towards plus infinity.
#[inline(always)]
fn align(value: i32, shift: i32) -> i32 {
    // A shift by 31 leaves nothing of any term.
    let shift = shift.min(31) as u32;
    (value + ((1u32 << shift) >> 1) as i32) >> shift
}

/// `old` + the terms. `old` and the result are laid out as single precision numbers: eight exponent bits (of half
/// precision the upper three are zero), 23 mantissa bits of which 16-bit formats have the upper ones.
#[inline(always)]
pub fn accumulate(accumulator: Accumulator, old: u32, terms: [Term; 2]) -> u32 {
    accumulate_aligned(accumulator, old, terms, align)
}

/// The same of a term that is less than zero by mistake of the vendor's simulator: zero minus a zero that counts as
/// a number, computed without sign. Shifted right it becomes large.
pub fn accumulate_wrapped(accumulator: Accumulator, old: u32, term: Term) -> u32 {
    accumulate_aligned(accumulator, old, [term, Term::default()], |value, shift| match shift {
        31.. => 0,
        _ => ((value as u32).wrapping_add((1 << shift) >> 1) >> shift) as i32,
    })
}

#[inline(always)]
fn accumulate_aligned(
    accumulator: Accumulator,
    old: u32,
    terms: [Term; 2],
    align_term: impl Fn(i32, i32) -> i32,
) -> u32 {
    let exponent_old = ((old >> 23) & 255) as i32;
    let magnitude_old = if exponent_old == 0 { 0 } else { (old & 0x7F_FFFF | 0x80_0000) as i32 };
    let exponent = terms[0].exponent.max(terms[1].exponent).max(exponent_old);
    let mut parts = terms.map(|term| align_term(term.sum << SUM_SHIFT, exponent - term.exponent));
    let mut part_old = align(magnitude_old, exponent - exponent_old);
    if accumulator != Accumulator::Fp32 {
        let cut = |x: i32| x.wrapping_add(1 << (SUM_SHIFT - 1)) & -(1 << SUM_SHIFT);
        parts = parts.map(cut);
        part_old = cut(part_old);
    }
    let part_old = if (old as i32) < 0 { -part_old } else { part_old };
    let total = parts[0].wrapping_add(parts[1]).wrapping_add(part_old);
    encode(accumulator, total, exponent)
}

/// `total * 2^(largest - 127 - 23)` (half precision: `- 15 - 23`), normalised and rounded; zero if none of the terms
/// has an exponent.
#[inline(always)]
fn encode(accumulator: Accumulator, total: i32, largest: i32) -> u32 {
    // Mantissa bits that Dst does not have.
    let dropped = match accumulator {
        Accumulator::Fp32 => 0,
        Accumulator::Bf16 => 16,
        Accumulator::Fp16 => 13,
    };
    let magnitude = total.unsigned_abs();
    let zeros = (magnitude | (magnitude == 0) as u32).leading_zeros();
    let left_aligned = magnitude << zeros;
    let below = 8 + dropped;
    let rounded = ((left_aligned >> below) + (left_aligned >> (below - 1) & 1)) << dropped;
    // The renormaliser miscounts the leading sign bits of -1.
    let wrong = if total == -1 && dropped == 0 { 27 } else { 0 };
    let exponent = largest + 8 - zeros as i32 + wrong + (rounded >> 24) as i32;
    let (limit, overflow) = match accumulator {
        Accumulator::Fp16 => (32, 31 << 23 | 0x3FF << 13),
        _ => (255, 255 << 23),
    };
    let number = (exponent.clamp(0, 255) as u32) << 23 | rounded & 0x7F_FFFF;
    let value = if exponent >= limit { overflow } else { number };
    if total == 0 || largest == 0 || exponent <= 0 { 0 } else { value | total as u32 & 1 << 31 }
}
