//! The blocks nearest to 32 values, as ggml's reference finds them (`ggml-quants.c`): for caches of keys and values.

use crate::num::f32_to_f16;

/// Values of a block.
pub const BLOCK: usize = 32;

fn put_scale(block: &mut [u8], d: f32) {
    block[..2].copy_from_slice(&(f32_to_f16(d.to_bits()) as u16).to_le_bytes());
}

/// Nearest integer, half to even, of a number of at most 2^22 in magnitude: the sum's last bit is worth one.
fn round(x: f32) -> i32 {
    const LAST_BIT_IS_ONE: f32 = 12_582_912.0;
    (x + LAST_BIT_IS_ONE).to_bits() as i32 - LAST_BIT_IS_ONE.to_bits() as i32
}

/// The `Q8_0` block nearest to 32 values, rounded as ggml's vector code does it (its scalar code rounds ties away).
pub fn encode_q8_0(values: &[f32; BLOCK], block: &mut [u8; 34]) {
    let largest = values.iter().fold(0.0, |max: f32, &x| max.max(if x < 0.0 { -x } else { x }));
    let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
    put_scale(block, largest / 127.0);
    for (q, &x) in block[2..].iter_mut().zip(values) {
        *q = round(x * inverse) as i8 as u8;
    }
}

/// The `Q4_0` block nearest to 32 values: the one of the largest magnitude becomes -8 scales.
pub fn encode_q4_0(values: &[f32; BLOCK], block: &mut [u8; 18]) {
    let (mut magnitude, mut largest) = (0.0, 0.0);
    for &x in values {
        let m = if x < 0.0 { -x } else { x };
        if m > magnitude {
            (magnitude, largest) = (m, x);
        }
    }
    let d = largest / -8.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    put_scale(block, d);
    let q = |x: f32| ((x * inverse + 8.5) as i32).min(15) as u8;
    for j in 0..16 {
        block[2 + j] = q(values[j]) | q(values[j + 16]) << 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GgmlType;
    use crate::quant::row;

    fn values(seed: u32) -> [f32; BLOCK] {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        core::array::from_fn(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as i32 as f32 / (1u32 << 29) as f32
        })
    }

    #[test]
    fn what_is_encoded_comes_back_within_half_a_step() {
        for seed in 0..200 {
            let x = values(seed);
            let largest = x.iter().fold(0f32, |m, x| m.max(x.abs()));
            let (mut block, mut out) = ([0; 34], [0.0; BLOCK]);
            encode_q8_0(&x, &mut block);
            row(GgmlType::Q8_0, &block, &mut out);
            assert!(x.iter().zip(out).all(|(x, y)| (x - y).abs() <= largest / 127.0 * 0.57));
            let mut block = [0; 18];
            encode_q4_0(&x, &mut block);
            row(GgmlType::Q4_0, &block, &mut out);
            // A value of the other sign than the largest one may lie a whole step beyond the last.
            assert!(x.iter().zip(out).all(|(x, y)| (x - y).abs() <= largest / 8.0 * 1.01));
        }
    }

    #[test]
    fn known_blocks() {
        let mut block = [0; 34];
        encode_q8_0(&core::array::from_fn(|i| i as f32 * 127.0 / 31.0), &mut block);
        assert_eq!((block[0], block[1], block[2], block[33], block[3]), (0x00, 0x3C, 0, 127, 4));
        let mut block = [0; 18];
        encode_q4_0(&core::array::from_fn(|i| i as f32 - 16.0), &mut block);
        // -16 is -8 scales of 2: nibble 0; 15 is rounded to 8 and cut to 15.
        assert_eq!((block[0], block[1], block[2], block[17]), (0x00, 0x40, 0x80, 0xF8));
        let mut block = [1; 18];
        encode_q4_0(&[0.0; BLOCK], &mut block);
        assert_eq!(block[..3], [0x00, 0x80, 0x88]);
    }
}
