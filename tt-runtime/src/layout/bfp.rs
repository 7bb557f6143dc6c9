//! Block floating point: sixteen numbers of a face row share an exponent.
//!
//! The rule is the vendor's host rule, bit for bit: the shared exponent is the largest exponent field; significands
//! are shifted right to it, bits shifted out are dropped without a trace; what is left is rounded to nearest, ties
//! to even; it saturates; zero has no sign. Numbers with exponent field 0 are zero.

use tt_isa::format::{FACE_DIM, TILE_EXPONENTS};

/// Magnitude bits of a BFP8 datum.
const BITS: u32 = 7;
const SIGNIFICAND: u32 = 24;

/// Packs a tile in datum order into 64 exponents and 1024 datums.
pub fn pack_bfp8_tile(tile: &[f32], out: &mut [u8]) {
    let (exponents, datums) = out.split_at_mut(TILE_EXPONENTS);
    let rows = tile.chunks_exact(FACE_DIM).zip(datums.chunks_exact_mut(FACE_DIM));
    for ((values, datums), exponent) in rows.zip(exponents) {
        let shared = values.iter().map(|x| x.to_bits() >> 23 & 255).max().unwrap_or(0);
        *exponent = shared as u8;
        for (x, datum) in values.iter().zip(datums) {
            *datum = bfp8(x.to_bits(), shared);
        }
    }
}

/// One datum for a shared exponent that is at least its own.
fn bfp8(bits: u32, shared: u32) -> u8 {
    let exponent = bits >> 23 & 255;
    if exponent == 0 {
        return 0;
    }
    let significand = bits & 0x7F_FFFF | 0x80_0000;
    let aligned = significand.checked_shr(shared - exponent).unwrap_or(0);
    let drop = SIGNIFICAND - BITS;
    let half = (1 << (drop - 1)) - 1 + (aligned >> drop & 1);
    let magnitude = ((aligned + half) >> drop).min((1 << BITS) - 1);
    let sign = if magnitude == 0 { 0 } else { bits >> 31 };
    (sign << BITS | magnitude) as u8
}

/// Value of a BFP8 datum with its shared exponent.
pub fn value(datum: u8, shared: u8) -> f32 {
    let magnitude = f64::from(datum & 0x7F) * 2f64.powi(i32::from(shared) - 127 - 6);
    (if datum >> 7 == 1 { -magnitude } else { magnitude }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn error_is_at_most_half_a_step(values in prop::array::uniform16(-1e6f32..1e6)) {
            let shared = values.iter().map(|x| x.to_bits() >> 23 & 255).max().unwrap();
            let step = 2f64.powi(shared as i32 - 127 - 6);
            for x in values {
                let got = value(bfp8(x.to_bits(), shared), shared as u8);
                let error = (f64::from(got) - f64::from(x)).abs();
                // Saturation costs up to a step.
                prop_assert!(error <= step * 1.0, "{x} -> {got}");
                if f64::from(x).abs() < 127.0 * step {
                    prop_assert!(error <= step * 0.5 + 1e-30, "{x} -> {got}");
                }
            }
        }
    }
}
