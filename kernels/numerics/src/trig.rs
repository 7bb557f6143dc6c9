//! Sine and cosine in integer arithmetic, for cores without an FPU.
//!
//! The angle is turned into a fraction of a full turn with 32 bits, which is exact enough for angles up to 2^24; the
//! eighth of the turn says which polynomial gives which result. Errors are absolute (a rotation's are): near a zero of the
//! function the relative one is larger, so `SIN` and `COS` as operators do not use this.

/// 1 / (2 pi) * 2^64.
const TURNS_HIGH: u64 = 0x28BE_60DB;
const TURNS_LOW: u64 = 0x9391_054A;
/// 2 pi * 2^29.
const RADIANS: i64 = 0xC90F_DAA2;
/// Angles from here on (2^24) are not known to a fraction of a turn.
pub const LIMIT: f32 = 16_777_216.0;
/// Largest difference from the true value.
pub const MAX_ERROR: f64 = 1.2e-7;

/// Fixed point with 30 fraction bits.
const ONE: i32 = 1 << 30;

/// Product with 30 fraction bits.
const fn mul(a: i32, b: i32) -> i32 {
    ((a as i64 * b as i64) >> 30) as i32
}

/// Fraction of a turn, 32 bits, of an FP32 pattern below [`LIMIT`] in magnitude.
const fn turn(bits: u32) -> u32 {
    let exponent = ((bits >> 23) & 0xFF) as i32 - 127;
    let mantissa = ((bits & 0x7F_FFFF) | 0x80_0000) as u64;
    // mantissa / (2 pi): 24 integer and 32 fraction bits.
    let product = mantissa * TURNS_HIGH + ((mantissa * TURNS_LOW) >> 32);
    // Rounded: half a unit of the last bit is added before it goes.
    let turn = match 23 - exponent {
        0 => product,
        shift @ 1..=56 => (product + (1 << (shift - 1))) >> shift,
        _ => 0,
    };
    let turn = turn as u32;
    if bits >> 31 == 1 { turn.wrapping_neg() } else { turn }
}

/// Cosine and sine as FP32 patterns; the angle's magnitude is below [`LIMIT`].
pub fn cos_sin(bits: u32) -> (u32, u32) {
    let (cos, sin) = fixed_cos_sin(bits);
    (to_f32(cos), to_f32(sin))
}

/// Cosine and sine with 30 fraction bits.
pub fn fixed_cos_sin(bits: u32) -> (i32, i32) {
    let turn = turn(bits);
    // Nearest quarter, and the rest of -1/8 to 1/8 of a turn.
    let quarter = turn.wrapping_add(1 << 29) >> 30;
    let rest = turn.wrapping_sub(quarter << 30) as i32;
    // 32 fraction bits of a turn times 2 pi with 29, to radians with 30.
    let r = ((rest as i64 * RADIANS) >> 31) as i32;
    let (cos, sin) = (cosine(r), sine(r));
    match quarter {
        0 => (cos, sin),
        1 => (-sin, cos),
        2 => (-cos, -sin),
        _ => (sin, -cos),
    }
}

/// Series of the sine for an angle of at most pi/4.
const fn sine(r: i32) -> i32 {
    let z = mul(r, r);
    let s = ONE / 362_880;
    let s = -ONE / 5040 + mul(z, s);
    let s = ONE / 120 + mul(z, s);
    let s = -ONE / 6 + mul(z, s);
    r + mul(mul(r, z), s)
}

/// Series of the cosine.
const fn cosine(r: i32) -> i32 {
    let z = mul(r, r);
    let c = -ONE / 3_628_800;
    let c = ONE / 40_320 + mul(z, c);
    let c = -ONE / 720 + mul(z, c);
    let c = ONE / 24 + mul(z, c);
    let c = -ONE / 2 + mul(z, c);
    ONE + mul(z, c)
}

/// FP32 pattern of a fixed-point number.
fn to_f32(fixed: i32) -> u32 {
    let bits = (fixed as f32).to_bits();
    // Divided by 2^30, unless it is zero.
    if fixed == 0 { 0 } else { bits - (30 << 23) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_exact_as_promised() {
        let mut worst = 0f64;
        for bits in (0..LIMIT.to_bits()).step_by(397) {
            for bits in [bits, bits | 0x8000_0000] {
                let angle = f64::from(f32::from_bits(bits));
                let (cos, sin) = cos_sin(bits);
                let error = |ours: u32, exact: f64| (f64::from(f32::from_bits(ours)) - exact).abs();
                worst = worst.max(error(cos, angle.cos())).max(error(sin, angle.sin()));
            }
        }
        assert!(worst <= MAX_ERROR, "{worst}");
    }

    #[test]
    fn quarters_are_exact() {
        assert_eq!(cos_sin(0), (0x3F80_0000, 0));
        let (cos, sin) = cos_sin(core::f32::consts::FRAC_PI_2.to_bits());
        assert!(f32::from_bits(cos).abs() < 1e-7 && f32::from_bits(sin) == 1.0);
    }
}
