//! The exponential function in integer arithmetic, for cores without an FPU.
//!
//! `e^x = 2^n * 2^(i/16) * 2^f` with `f < 1/16`: the product of x's mantissa with log2(e) gives n, i and f exactly enough,
//! a table gives the second factor, and a polynomial the third. About forty instructions of RV32IM, a tenth of what
//! the same takes in emulated floating point.

/// log2(e) * 2^31.
const LOG2_E: u64 = 0xB8AA_3B29;
/// 2^(i/16) * 2^31.
const POWERS: [u32; 16] = [
    0x8000_0000,
    0x85AA_C368,
    0x8B95_C1E4,
    0x91C3_D374,
    0x9837_F052,
    0x9EF5_3261,
    0xA5FE_D6AA,
    0xAD58_3EEA,
    0xB504_F334,
    0xBD08_A39F,
    0xC567_2A11,
    0xCE24_8C15,
    0xD744_FCCB,
    0xE0CC_DEEC,
    0xEAC0_C6E8,
    0xF525_7D15,
];
/// ln(2)^k / k! * 2^32, for k = 1 to 4.
const SERIES: [u32; 4] = [0xB172_17F8, 0x3D7F_7BFF, 0x0E35_846C, 0x0276_556E];

/// Upper half of a product.
const fn high(a: u32, b: u32) -> u32 {
    ((a as u64 * b as u64) >> 32) as u32
}

/// FP32 pattern of e^x for the FP32 pattern of x; at most 1 ulp off, denormal results included.
pub const fn exp(bits: u32) -> u32 {
    let (negative, magnitude) = (bits >> 31 == 1, bits & 0x7FFF_FFFF);
    if magnitude > 0x7F80_0000 {
        return bits | 0x40_0000;
    }
    // |x| >= 128: out of range on both sides.
    if magnitude >= 0x4300_0000 {
        return if negative { 0 } else { 0x7F80_0000 };
    }
    let exponent = (magnitude >> 23) as i32 - 127;
    // |x| < 2^-26: 1 to the last bit.
    if exponent < -26 {
        return 0x3F80_0000;
    }
    let mantissa = (magnitude & 0x7F_FFFF) | 0x80_0000;
    // mantissa * 2^(exponent - 23) * log2(e) with 32 fraction bits: the product has 23 + 31 - exponent.
    let product = mantissa as u64 * LOG2_E;
    let shift = 22 - exponent;
    let scaled = if shift > 0 { (product + (1 << (shift - 1))) >> shift } else { product << -shift };
    let scaled = if negative { (scaled as i64).wrapping_neg() } else { scaled as i64 };
    let (n, fraction) = ((scaled >> 32) as i32, scaled as u32);
    power(n, fraction)
}

/// FP32 pattern of `2^(n + fraction / 2^32)`.
const fn power(n: i32, fraction: u32) -> u32 {
    let f = fraction << 4 >> 4;
    let [c1, c2, c3, c4] = SERIES;
    // 2^f - 1, 32 fraction bits.
    let series = high(f, c1 + high(f, c2 + high(f, c3 + high(f, c4))));
    let power = POWERS[(fraction >> 28) as usize];
    // 1.31 bits, in 2^31..2^32.
    let value = power + high(power, series);
    if n > 127 {
        return 0x7F80_0000;
    }
    if n >= -126 {
        // Rounding may carry into the exponent, which is right.
        return (((n + 126) as u32) << 23) + (value >> 8) + ((value >> 7) & 1);
    }
    let shift = (8 - 126 - n) as u32;
    if shift > 32 {
        return 0;
    }
    ((value as u64 + (1u64 << (shift - 1))) >> shift) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance of two patterns of the same sign, in units of the last place.
    fn ulps(a: u32, b: u32) -> u32 {
        a.abs_diff(b)
    }

    fn worst(patterns: impl Iterator<Item = u32>) -> (u32, u32) {
        let mut worst = (0, 0);
        for bits in patterns {
            let expected = (f64::from(f32::from_bits(bits))).exp() as f32;
            let distance = ulps(exp(bits), expected.to_bits());
            if distance > worst.0 {
                worst = (distance, bits);
            }
        }
        worst
    }

    #[test]
    fn tables_are_what_they_say() {
        for (i, &power) in (0..).zip(&POWERS) {
            assert_eq!(power, (2f64.powi(31) * (f64::from(i) / 16.0).exp2()).round() as u32);
        }
        let mut factor = 1.0;
        for (k, &c) in (1..).zip(&SERIES) {
            factor *= std::f64::consts::LN_2 / f64::from(k);
            assert!(c.abs_diff((factor * 2f64.powi(32)).round() as u32) <= 1, "{k}: {c:#x}");
        }
    }

    #[test]
    fn at_most_one_ulp_off() {
        // Every exponent and sign, with mantissas at steps that have nothing to do with the table.
        let (distance, bits) =
            worst((0..=0xFF80_0000u32).step_by(997).filter(|&bits| !f32::from_bits(bits).is_nan()));
        assert!(distance <= 1, "{distance} ulp at {bits:#010x} ({})", f32::from_bits(bits));
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(exp(0), 0x3F80_0000);
        assert_eq!(exp(0x8000_0000), 0x3F80_0000);
        assert_eq!(exp(f32::INFINITY.to_bits()), f32::INFINITY.to_bits());
        assert_eq!(exp(f32::NEG_INFINITY.to_bits()), 0);
        assert!(f32::from_bits(exp(f32::NAN.to_bits())).is_nan());
        assert_eq!(exp(88.72284f32.to_bits()), f32::INFINITY.to_bits());
        assert_eq!(exp((-103.0f32).to_bits()), ((-103f64).exp() as f32).to_bits());
    }
}
