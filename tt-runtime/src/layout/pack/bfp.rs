//! Block floating point: sixteen numbers of a face row share an exponent.
//!
//! The rule is the vendor's host rule, bit for bit (tt-metal 0.81, `pack_as_bfp8_tiles` and its relatives): the shared
//! exponent is the largest exponent field; significands are shifted right to it, bits shifted out are dropped without
//! a trace; what is left is rounded to nearest, ties to even; it saturates; zero has no sign. Numbers with exponent
//! field 0 are zero. Infinities and NaNs are numbers with exponent 255.
//!
//! A weight matrix is packed transposed: the sixteen numbers that share an exponent lie one below the other in
//! sixteen rows of ggml's matrix. So everything here works on sixteen neighbouring columns at once, lane by lane,
//! and nothing has to be reduced across lanes.

use super::lanes::Lanes;
use tt_isa::format::FACE_DIM;

const EXPONENT: u32 = 0x7F80_0000;
const MANTISSA: u32 = 0x007F_FFFF;
/// Mantissa bits, and the bias of exponents.
const MANTISSA_BITS: u32 = 23;
const BIAS: u32 = 127;

/// Shared exponent fields with which aligning is a product: what has exponent field 0 vanishes, the factor is a normal number, and
/// there are neither infinities nor NaNs.
const ORDINARY: std::ops::RangeInclusive<u32> = MANTISSA_BITS + 1..=254;

/// Exponent fields, in place, shared by the rows of a face in each column: that of the largest magnitude.
#[inline(always)]
pub fn shared_exponents<L: Lanes>(rows: &[L; FACE_DIM]) -> L {
    let magnitude = L::splat(EXPONENT | MANTISSA);
    let mut largest = rows[0].and(magnitude);
    for row in &rows[1..] {
        largest = largest.max(row.and(magnitude));
    }
    largest.and(L::splat(EXPONENT))
}

/// Datums of a face, four rows' in a word, for its shared exponent fields (in place).
#[inline(always)]
pub fn face_datums<L: Lanes, const MAGNITUDE: u32>(rows: &[L; FACE_DIM], shared: L) -> [L; 4] {
    let mut words = [shared; 4];
    let fields = shared.shr::<MANTISSA_BITS>();
    let spread = L::splat(ORDINARY.end() - ORDINARY.start());
    let beyond = fields.sub(L::splat(*ORDINARY.start())).max(spread).sub(spread);
    let groups = words.iter_mut().zip(rows.as_chunks::<4>().0);
    if beyond.any() {
        for (word, rows) in groups {
            *word = datums::<L, MAGNITUDE>(*rows, shared);
        }
    } else {
        let unit = L::splat(2 * BIAS + MANTISSA_BITS).sub(fields).shl::<MANTISSA_BITS>();
        for (word, rows) in groups {
            *word = ordinary_datums::<L, MAGNITUDE>(*rows, unit);
        }
    }
    words
}

/// [`datums`] where the shared exponent fields are [`ORDINARY`]; `unit` is one over the last bit of a significand that needs no
/// shift.
///
/// The product with it is exact, and dropping what is behind its point is the shift to the right. Signed integers of
/// 24 bits are then rounded as [`rounded`] does it, and saturate when they become bytes.
#[inline(always)]
fn ordinary_datums<L: Lanes, const MAGNITUDE: u32>(rows: [L; 4], unit: L) -> L {
    let [a, b, c, d] = rows;
    let datums = L::signed_bytes([
        signed::<L, MAGNITUDE>(a, unit),
        signed::<L, MAGNITUDE>(b, unit),
        signed::<L, MAGNITUDE>(c, unit),
        signed::<L, MAGNITUDE>(d, unit),
    ]);
    let magnitudes = datums.abs_bytes().min_bytes(L::splat(largest::<MAGNITUDE>()));
    magnitudes.or(sign_bits::<L, MAGNITUDE>(datums))
}

/// The rounded number of steps, with its sign.
#[inline(always)]
fn signed<L: Lanes, const MAGNITUDE: u32>(bits: L, unit: L) -> L {
    // One and a half: its mantissa takes negative numbers too.
    let magic = 1.5 * rounder::<MAGNITUDE>();
    bits.whole_product(unit).plus_float(magic).sub(L::splat(magic.to_bits()))
}

/// The largest magnitude in every byte.
const fn largest<const MAGNITUDE: u32>() -> u32 {
    ((1 << MAGNITUDE) - 1) * EACH_BYTE
}

/// The highest bits of bytes, moved to where datums have their signs.
#[inline(always)]
fn sign_bits<L: Lanes, const MAGNITUDE: u32>(bytes: L) -> L {
    let signs = bytes.and(L::splat(SIGNS));
    match MAGNITUDE {
        7 => signs,
        3 => signs.shr::<4>(),
        _ => signs.shr::<6>(),
    }
}

/// Datums of `MAGNITUDE` bits and a sign of four rows, a byte each from the lowest on, for shared exponent fields (in place)
/// that are at least their own.
#[inline(always)]
pub fn datums<L: Lanes, const MAGNITUDE: u32>(rows: [L; 4], shared: L) -> L {
    let [a, b, c, d] = rows;
    let magnitudes = merge([
        rounded::<L, MAGNITUDE>(a, shared),
        rounded::<L, MAGNITUDE>(b, shared),
        rounded::<L, MAGNITUDE>(c, shared),
        rounded::<L, MAGNITUDE>(d, shared),
    ]);
    let magnitudes = magnitudes.min_bytes(L::splat(largest::<MAGNITUDE>()));
    let signs = merge([a.shr::<24>(), b.shr::<24>(), c.shr::<24>(), d.shr::<24>()]);
    let signs = sign_bits::<L, MAGNITUDE>(signs);
    magnitudes.or(signs.where_set_bytes(magnitudes))
}

/// A bit in each byte of a word.
const EACH_BYTE: u32 = 0x0101_0101;
/// The highest bit of each byte.
const SIGNS: u32 = 0x80 * EACH_BYTE;

/// The low bytes of four rows in one word.
#[inline(always)]
pub fn merge<L: Lanes>(rows: [L; 4]) -> L {
    let [a, b, c, d] = rows;
    let (low, pair) = (L::splat(0xFF), L::splat(0xFFFF));
    let ab = a.and(low).or(b.and(low).shl::<8>());
    let cd = c.and(low).or(d.shl::<8>()).and(pair);
    ab.or(cd.shl::<16>())
}

/// The rounded magnitude, not saturated yet, in the low byte; anything above.
///
/// The aligned significand is an integer below 2^24: adding a power of two whose last mantissa bit stands for the
/// datum's last bit rounds it there, to nearest, ties to even, in one floating point addition.
#[inline(always)]
fn rounded<L: Lanes, const MAGNITUDE: u32>(bits: L, shared: L) -> L {
    let exponent = bits.and(L::splat(EXPONENT));
    let significand = bits.and(L::splat(MANTISSA)).or(L::splat(MANTISSA + 1));
    let aligned = significand.shr_by(shared.sub(exponent).shr::<23>()).where_set(exponent);
    aligned.plus_float(rounder::<MAGNITUDE>())
}

/// The power of two whose last mantissa bit stands for the last bit of a datum, where significands of 24 bits are integers.
const fn rounder<const MAGNITUDE: u32>() -> f32 {
    let dropped = MANTISSA_BITS + 1 - MAGNITUDE;
    f32::from_bits((BIAS + MANTISSA_BITS + dropped) << MANTISSA_BITS)
}

/// One datum for a shared exponent.
#[cfg(test)]
pub fn datum<const MAGNITUDE: u32>(bits: u32, shared: u32) -> u32 {
    let lanes = datums::<super::lanes::Portable, MAGNITUDE>([[bits; FACE_DIM]; 4], [shared; FACE_DIM]);
    assert_eq!(lanes[0], (lanes[0] & 0xFF) * EACH_BYTE);
    lanes[0] & 0xFF
}

/// Value of a datum with its shared exponent: `magnitude / 2^(MAGNITUDE - 1) * 2^(exponent - 127)`.
pub fn value<const MAGNITUDE: u32>(datum: u8, shared: u8) -> f32 {
    let magnitude = f64::from(datum & ((1 << MAGNITUDE) - 1));
    let value = magnitude * 2f64.powi(i32::from(shared) - 127 - (MAGNITUDE as i32 - 1));
    (if datum >> MAGNITUDE & 1 == 1 { -value } else { value }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bfp8(bits: u32, shared: u32) -> u32 {
        datum::<7>(bits, shared << 23)
    }

    #[test]
    fn the_rule_at_its_corners() {
        let one = 1.0f32.to_bits();
        assert_eq!(bfp8(one, 127), 0x40);
        assert_eq!(bfp8((-1.0f32).to_bits(), 127), 0xC0);
        // Ties to even: 64.5 and 65.5 of 64.
        assert_eq!(bfp8((1.0 + 0.5 / 64.0f32).to_bits(), 127), 64);
        assert_eq!(bfp8((1.0 + 1.5 / 64.0f32).to_bits(), 127), 66);
        // Saturation instead of a larger exponent.
        assert_eq!(bfp8(1.999_999_9f32.to_bits(), 127), 0x7F);
        // What is shifted out leaves no trace: just above a tie is a tie.
        assert_eq!(bfp8(0x3F80_0001, 127 + 7), 0);
        assert_eq!(bfp8(0x8000_0000, 127), 0);
        assert_eq!(bfp8(0x0000_0001, 0), 0);
        assert_eq!(
            (bfp8(f32::INFINITY.to_bits(), 255), bfp8(f32::NEG_INFINITY.to_bits(), 255)),
            (0x40, 0xC0)
        );
        assert_eq!(bfp8(0x7FC0_0000, 255), 0x60);
        assert_eq!(bfp8(one, 255), 0);
    }

    #[test]
    fn narrow_formats_saturate_and_round_to_even() {
        let shared = 127 << 23;
        let bfp4 = |x: f32| datum::<3>(x.to_bits(), shared);
        assert_eq!((bfp4(1.0), bfp4(-1.0), bfp4(1.75), bfp4(1.9)), (4, 12, 7, 7));
        // Quarters: 1.125 is between 4 and 5, 1.375 between 5 and 6.
        assert_eq!((bfp4(1.125), bfp4(1.375), bfp4(-0.125), bfp4(0.12)), (4, 6, 0, 0));
        let bfp2 = |x: f32| datum::<1>(x.to_bits(), shared);
        // Saturation at 1; one half is a tie and goes to 0.
        assert_eq!((bfp2(1.9), bfp2(-1.0), bfp2(0.75), bfp2(0.5), bfp2(-0.5)), (1, 3, 1, 0, 0));
    }

    proptest! {
        #[test]
        fn error_is_at_most_half_a_step(values in prop::array::uniform16(-1e6f32..1e6)) {
            let shared = values.iter().map(|x| x.to_bits() >> 23 & 255).max().unwrap();
            let step = 2f64.powi(shared as i32 - 127 - 6);
            // What is shifted out before rounding is less than one in the last bit of the largest number's mantissa.
            let dropped = 2f64.powi(shared as i32 - 127 - 23);
            for x in values {
                let got = value::<7>(bfp8(x.to_bits(), shared) as u8, shared as u8);
                let error = (f64::from(got) - f64::from(x)).abs();
                // Saturation costs up to a step.
                prop_assert!(error <= step * 1.0, "{x} -> {got}");
                if f64::from(x).abs() < 127.0 * step {
                    prop_assert!(error <= step * 0.5 + dropped, "{x} -> {got}");
                }
            }
        }
    }
}
