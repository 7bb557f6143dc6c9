//! Vectors of integers with one exponent, for cores without an FPU: where many products are added up, a multiplication and an addition
//! take a tenth of the instructions of emulated FP32.
//!
//! A value is `mantissa * 2^exponent` with a mantissa below 2^[`BITS`]. Its error is 2^-29 of the largest element of its vector
//! at most, so small elements have fewer digits than in FP32, while sums of products, whose error the largest elements make, have more.
//! Infinities and NaN have no place; who meets them computes in FP32.

/// Bits of a mantissa without its sign.
pub const BITS: u32 = 30;
/// Exponent of a mantissa of 30 bits in a vector whose largest exponent field is 0.
const BIAS: i32 = 127 + BITS as i32 - 1;

/// The largest exponent field of FP32 patterns, or `None` if there is one that is not finite.
#[inline(always)]
pub fn top(mut patterns: impl Iterator<Item = u32>) -> Option<u32> {
    patterns.try_fold(1, |top, bits| {
        let field = bits >> 23 & 0xFF;
        (field < 255).then_some(top.max(field))
    })
}

/// The mantissa of an FP32 number beside others with exponent fields up to `top`.
#[inline(always)]
pub fn mantissa(bits: u32, top: u32) -> i32 {
    let (field, rest) = (bits >> 23 & 0xFF, bits & 0x7F_FFFF);
    // Denormals have the exponent of field 1, and no leading one.
    let (field, leading) = if field == 0 { (1, 0) } else { (field, 1 << 23) };
    let size = ((rest | leading) << (BITS - 24)) >> (top - field).min(31);
    let negative = bits as i32 >> 31;
    (size as i32 ^ negative) - negative
}

/// The exponent of mantissas beside others with exponent fields up to `top`.
#[inline(always)]
pub const fn exponent(top: u32) -> i32 {
    top as i32 - BIAS
}

/// Turns patterns of finite FP32 numbers, whose largest exponent field is `top`, into mantissas; gives their exponent.
#[inline(always)]
pub fn split(patterns: &mut [u32], top: u32) -> i32 {
    patterns.iter_mut().for_each(|word| *word = mantissa(*word, top) as u32);
    exponent(top)
}

/// Mantissa and exponent of one number, if it is finite.
#[inline(always)]
pub fn of(value: f32) -> Option<(i32, i32)> {
    let bits = value.to_bits();
    let field = (bits >> 23 & 0xFF).max(1);
    (field < 255).then(|| (mantissa(bits, field), exponent(field)))
}

/// High half of a product: of mantissas below 2^30 it is below 2^28, and its exponent the sum of theirs and 32.
#[inline(always)]
pub fn high(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 32) as i32
}

/// Sum of products; its exponent is the sum of the vectors' and 32.
#[inline(always)]
pub fn dot(a: &[u32], b: &[u32]) -> i64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let product = |(&a, &b): (&u32, &u32)| high(a as i32, b as i32);
    // Four products fit into a word.
    let sum = |a: &[u32], b: &[u32]| i64::from(a.iter().zip(b).map(product).sum::<i32>());
    a.iter().zip(b).map(|(a, b)| sum(a, b)).sum::<i64>() + sum(a_rest, b_rest)
}

/// `mantissa * 2^exponent` in FP32, rounded to the nearest, ties to even.
#[inline(never)]
pub fn float(mantissa: i64, exponent: i32) -> f32 {
    if mantissa == 0 {
        return 0.0;
    }
    let sign = (mantissa >> 63) as u32 & 0x8000_0000;
    let zeros = mantissa.unsigned_abs().leading_zeros();
    let digits = mantissa.unsigned_abs() << zeros;
    // The leading one stands at bit 63: its value is the exponent field's.
    let field = exponent + 63 - zeros as i32 + 127;
    let (digits, field) = match field {
        255.. => return f32::from_bits(sign | 0x7F80_0000),
        1..255 => (digits, field as u32),
        // Denormal: shifted further, what falls off below stays visible.
        _ => {
            let shift = (1 - field).min(63) as u32;
            (digits >> shift | u64::from(digits << (63 - shift) << 1 != 0), 0)
        }
    };
    let kept = (digits >> 40) as u32;
    let below = digits << 24;
    let half = 1 << 63;
    let up = below > half || below == half && kept & 1 == 1;
    // A carry out of the digits goes on into the field, as it should.
    let fraction = if field == 0 { kept } else { kept & 0x7F_FFFF };
    f32::from_bits(sign | ((field << 23) + fraction + u32::from(up)))
}

/// As [`float`] for a mantissa of one word, and fast where that is not much smaller than 2^30.
#[inline(always)]
pub fn float_of_word(mantissa: i32, exponent: i32) -> f32 {
    let mut digits = mantissa.unsigned_abs();
    let mut field = exponent + 126 + BITS as i32;
    if digits.wrapping_sub(1) >= 1 << BITS {
        return float(i64::from(mantissa), exponent);
    }
    while digits < 1 << BITS {
        digits <<= 1;
        field -= 1;
    }
    if field as u32 >= 253 {
        return float(i64::from(mantissa), exponent);
    }
    let rounded = (digits + 0x3F + (digits >> 7 & 1)) >> 7;
    // The leading one adds the one that is missing in the field.
    f32::from_bits((mantissa as u32 & 0x8000_0000) | (((field as u32) << 23) + rounded))
}

/// Two FP32 numbers as mantissas with one exponent, if they are normal.
#[inline(always)]
pub fn pair(a: f32, b: f32) -> Option<([i32; 2], i32)> {
    let bits = [a, b].map(f32::to_bits);
    let [a, b] = bits.map(|bits| bits >> 23 & 0xFF);
    if a.wrapping_sub(1) >= 254 || b.wrapping_sub(1) >= 254 {
        return None;
    }
    let mut sizes = bits.map(|bits| (bits << 8 | 1 << 31) >> (32 - BITS));
    let top = match a > b {
        true => {
            sizes[1] >>= (a - b).min(31);
            a
        }
        false => {
            sizes[0] >>= (b - a).min(31);
            b
        }
    };
    let signed = |i: usize| {
        let negative = bits[i] as i32 >> 31;
        (sizes[i] as i32 ^ negative) - negative
    };
    Some(([signed(0), signed(1)], top as i32 - BIAS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::SplitMix64;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    fn random() -> impl FnMut() -> u32 {
        let mut numbers = SplitMix64::seed_from_u64(0x2545_F491);
        move || numbers.next_u32()
    }

    fn two_to(exponent: i32) -> f64 {
        2f64.powi(exponent)
    }

    #[test]
    fn numbers_come_back() {
        let (mut first, mut random) = (random(), random());
        random();
        let corners = [0, 1, 0x7F_FFFF, 0x80_0000, 0x3F80_0000, 0x7F7F_FFFF, 0xBF80_0001];
        for bits in corners.into_iter().chain(core::iter::repeat_with(&mut first).take(100_000)) {
            let value = f32::from_bits(bits);
            match of(value) {
                Some((mantissa, exponent)) => {
                    assert_eq!(float(i64::from(mantissa), exponent), value);
                    assert!(mantissa.unsigned_abs() < 1 << BITS);
                }
                None => assert!(!value.is_finite()),
            }
            let other = f32::from_bits(random());
            match pair(value, other) {
                Some((mantissas, exponent)) => {
                    let [a, b] = mantissas.map(|mantissa| f64::from(mantissa) * two_to(exponent));
                    let bound = f64::from(value.abs().max(other.abs())) * two_to(-29);
                    assert!((a - f64::from(value)).abs() <= bound && (b - f64::from(other)).abs() <= bound);
                }
                None => assert!(!value.is_normal() || !other.is_normal()),
            }
        }
    }

    #[test]
    fn floats_are_rounded_as_the_host_rounds() {
        let mut random = random();
        for _ in 0..300_000 {
            let mantissa = (i64::from(random()) << 32 | i64::from(random())) >> (random() % 64);
            let exponent = (random() % 300) as i32 - 220;
            // Exact in FP64, and rounded once, if the mantissa has 53 bits.
            let mantissa = mantissa >> 11;
            let want = (mantissa as f64 * two_to(exponent)) as f32;
            assert_eq!(float(mantissa, exponent).to_bits(), want.to_bits(), "{mantissa} * 2^{exponent}");
            if let Ok(word) = i32::try_from(mantissa) {
                assert_eq!(float_of_word(word, exponent).to_bits(), want.to_bits(), "{word} * 2^{exponent}");
            }
        }
        assert_eq!(float(1, 128), f32::INFINITY);
        assert_eq!(float(-1, -200), -0.0);
    }

    #[test]
    fn sums_of_products_are_exact_to_the_largest_factors() {
        let mut random = random();
        for len in [1, 3, 4, 16, 66, 128] {
            let vectors = [(); 2].map(|()| -> std::vec::Vec<f32> {
                (0..len).map(|_| f32::from_bits(random() & 0x83FF_FFFF | 0x3C00_0000)).collect()
            });
            let largest = vectors.each_ref().map(|v| v.iter().fold(0f32, |max, x| max.max(x.abs())));
            let mut mantissas =
                vectors.each_ref().map(|v| v.iter().map(|x| x.to_bits()).collect::<std::vec::Vec<u32>>());
            let split = |words: &mut std::vec::Vec<u32>| {
                let top = top(words.iter().copied()).unwrap();
                split(words, top)
            };
            let exponents: i32 = mantissas.iter_mut().map(split).sum();
            let got = float(dot(&mantissas[0], &mantissas[1]), exponents + 32);
            let [a, b] = &vectors;
            let want: f64 = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            let bound = len as f64 * f64::from(largest[0]) * f64::from(largest[1]) * two_to(-25);
            assert!((f64::from(got) - want).abs() < bound, "{got} for {want}");
        }
        let top = |values: &[f32]| top(values.iter().map(|value| value.to_bits()));
        assert_eq!([top(&[1.0, f32::NAN]), top(&[f32::INFINITY]), top(&[0.0])], [None, None, Some(1)]);
    }
}
