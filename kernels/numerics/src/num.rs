//! Number formats in integer arithmetic, for cores without an FPU. Patterns are `u32`, low bits used.
//!
//! It lives here rather than in the firmware because it can be tested on the host.

/// Rounds an FP32 pattern to ten mantissa bits, half away from zero.
///
/// What lies within half a unit of the largest finite number becomes infinite.
pub const fn round_for_srca(bits: u32) -> u32 {
    bits.wrapping_add(0x2000) & 0xFFFF_C000
}

/// Exact FP32 pattern of a binary16.
pub const fn f16_to_f32(half: u32) -> u32 {
    let sign = (half & 0x8000) << 16;
    let (exponent, mantissa) = ((half >> 10) & 31, half & 0x3FF);
    sign | match exponent {
        0 if mantissa == 0 => 0,
        0 => {
            // mantissa * 2^-24, normalised.
            let shift = mantissa.leading_zeros() - 21;
            ((113 - shift) << 23) | ((mantissa << shift) & 0x3FF) << 13
        }
        31 => 0x7F80_0000 | (mantissa << 13),
        _ => ((exponent + 112) << 23) | (mantissa << 13),
    }
}

/// [`f16_to_f32`] and [`round_for_srca`] in one, short for normal numbers.
#[inline(always)]
pub const fn f16_for_srca(half: u32) -> u32 {
    let normal = (half & 0x7C00).wrapping_sub(0x400) < 0x7800;
    if normal {
        let magnitude = ((half & 0x7FFF) << 13) + (112 << 23);
        return (half & 0x8000) << 16 | round_for_srca(magnitude);
    }
    round_for_srca(f16_to_f32(half))
}

/// A binary16 scale taken apart: sign, exponent, integer mantissa: `value = mantissa * 2^(exponent - 150)`.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    sign: u32,
    exponent: i32,
    mantissa: u32,
}

impl Scale {
    /// Takes a binary16 pattern apart.
    pub const fn new(half: u32) -> Self {
        let (exponent, mantissa) = ((half >> 10) & 31, half & 0x3FF);
        let sign = (half & 0x8000) << 16;
        match exponent {
            0 => Self { sign, exponent: 126, mantissa },
            // Infinite and NaN scales become a large finite one: the matrix unit has no infinities either.
            _ => Self { sign, exponent: exponent as i32 + 125, mantissa: mantissa | 0x400 },
        }
    }

    /// FP32 pattern of `scale * quant`, rounded for SrcA. |quant| is at most 128.
    pub const fn times(self, quant: i32) -> u32 {
        let product = self.mantissa * quant.unsigned_abs();
        if product == 0 {
            return 0;
        }
        let zeros = product.leading_zeros();
        // product < 2^19: it fits a mantissa exactly.
        let mantissa = (product << zeros) >> 8;
        // The hidden bit adds the one that is missing here.
        let exponent = (self.exponent + 7 - zeros as i32) as u32;
        let sign = self.sign ^ ((quant as u32) & 0x8000_0000);
        round_for_srca(sign | ((exponent << 23) + mantissa))
    }
}

/// The least normal F16, as FP32 pattern.
const NORMAL: u32 = 0x3880_0000;
/// 65520: the first value that rounds to infinity.
const TOO_LARGE: u32 = 0x477F_F000;

/// [`f32_to_f16`] of what nearly all are: those that become neither a denormal number nor infinity. `None` of others.
#[inline(always)]
pub const fn normal_f16(bits: u32) -> Option<u32> {
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude.wrapping_sub(NORMAL) >= TOO_LARGE - NORMAL {
        return None;
    }
    // Rebias, and round at bit 13.
    let rebased = magnitude - (112 << 23);
    Some(((bits >> 16) & 0x8000) | ((rebased + 0xFFF + ((rebased >> 13) & 1)) >> 13))
}

/// Binary16 of an FP32 pattern, round to nearest even, as the host converts: what is too large becomes
/// infinite, what is too small a denormal or zero, every NaN the quiet NaN with the sign kept.
pub const fn f32_to_f16(bits: u32) -> u32 {
    if let Some(half) = normal_f16(bits) {
        return half;
    }
    let sign = (bits >> 16) & 0x8000;
    let magnitude = bits & 0x7FFF_FFFF;
    if magnitude > 0x7F80_0000 {
        return sign | 0x7E00;
    }
    if magnitude >= TOO_LARGE {
        return sign | 0x7C00;
    }
    // Denormal, in units of 2^-24.
    let exponent = magnitude >> 23;
    if exponent < 102 {
        return sign;
    }
    let mantissa = (magnitude & 0x7F_FFFF) | 0x80_0000;
    let shift = 126 - exponent;
    let half_unit = (1 << (shift - 1)) - 1;
    sign | ((mantissa + half_unit + ((mantissa >> shift) & 1)) >> shift)
}

/// Exact FP32 pattern of a bfloat16.
pub const fn bf16_to_f32(bf16: u32) -> u32 {
    bf16 << 16
}

/// bfloat16 of an FP32 pattern, round to nearest even, as the host converts: a NaN becomes quiet, its sign and upper
/// bits kept.
pub const fn f32_to_bf16(bits: u32) -> u32 {
    if bits & 0x7FFF_FFFF > 0x7F80_0000 {
        return (bits >> 16) | 0x40;
    }
    bits.wrapping_add(0x7FFF + ((bits >> 16) & 1)) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_for_srca_are_rounded_like_all_others() {
        for half in 0..1 << 16 {
            assert_eq!(f16_for_srca(half), round_for_srca(f16_to_f32(half)), "{half:#06x}");
        }
    }

    #[test]
    fn every_f16_widens_as_the_host_does_it() {
        for half in 0..=u16::MAX {
            let ours = f16_to_f32(u32::from(half));
            let host = half::f16::from_bits(half).to_f32();
            match host.is_nan() {
                true => assert!(f32::from_bits(ours).is_nan(), "{half:#06x}"),
                false => assert_eq!(ours, host.to_bits(), "{half:#06x}"),
            }
        }
    }

    #[test]
    fn f32_narrows_as_the_host_does_it() {
        // Every upper half, with lower halves around the ties.
        for upper in 0..=u32::from(u16::MAX) {
            for lower in [0, 1, 0xFFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001, 0x7FFF, 0x8000, 0xF000, 0xFFFF]
            {
                let bits = (upper << 16) | lower;
                let host = half::f16::from_f32(f32::from_bits(bits));
                match host.is_nan() {
                    true => assert_eq!(f32_to_f16(bits) & 0x7FFF, 0x7E00, "{bits:#010x}"),
                    false => assert_eq!(f32_to_f16(bits), u32::from(host.to_bits()), "{bits:#010x}"),
                }
            }
        }
    }

    #[test]
    fn bf16_narrows_as_the_host_does_it() {
        for upper in 0..=u32::from(u16::MAX) {
            for lower in [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF] {
                let bits = (upper << 16) | lower;
                let host = half::bf16::from_f32(f32::from_bits(bits));
                assert_eq!(f32_to_bf16(bits), u32::from(host.to_bits()), "{bits:#010x}");
            }
        }
    }

    #[test]
    fn every_scale_times_every_quant_is_exact_up_to_the_rounding() {
        for half in (0..=u16::MAX).filter(|half| (half >> 10) & 31 != 31) {
            let scale = half::f16::from_bits(half).to_f32();
            for quant in [-128, -127, -100, -33, -8, -1, 0, 1, 2, 7, 31, 64, 99, 127] {
                let expected = round_for_srca((scale * quant as f32).to_bits());
                let ours = Scale::new(u32::from(half)).times(quant);
                // The sign of zero does not matter to the matrix unit.
                assert!(
                    ours == expected || (ours | expected) << 1 == 0,
                    "{half:#06x} * {quant}: {ours:#010x}"
                );
            }
        }
    }
}
