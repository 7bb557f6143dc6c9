//! ggml's quantised types: rows of blocks as single precision numbers, bit for bit what ggml's own `to_float` gives, and
//! the blocks nearest to such numbers ([`encode`]). The table of types is in [`ggml_type`].
//!
//! It is a crate of its own because a type of ggml is what it is without a card: the host packs weights with it before
//! there is a device, and the tests compare it with ggml's own code.
//!
//! The host packs weights from these values and the cores read weights and caches with the same code. Every decoder is
//! a plain loop over one block, written so that it vectorises where there is something to vectorise with: the host
//! compiles [`row`] once for each instruction set. There is no fused multiply-add in any of them: the results are the
//! same everywhere, whatever computes the products ([`arithmetic`]). (Which of two NaNs an addition gives is open, here as in C.)

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod arithmetic;
pub mod encode;
pub mod exact;
pub mod ggml_type;
mod grids;
mod iq;
mod k;
mod simple;
mod small;

pub use self::ggml_type::GgmlType;

use self::arithmetic::Arithmetic;

macro_rules! blocks {
    ($decode:path, $bytes:literal => $len:literal, $row:ident, $out:ident) => {{
        let blocks = $row.as_chunks::<$bytes>().0.iter();
        for (block, values) in blocks.zip($out.as_chunks_mut::<$len>().0) {
            $decode(block, values);
        }
    }};
}

/// Values of the whole blocks in `row`, with the instruction set of the caller; `out` has as many elements as they
/// encode.
#[inline(always)]
pub fn row<A: Arithmetic>(ty: GgmlType, row: &[u8], out: &mut [f32]) {
    use GgmlType::*;
    match ty {
        F32 => out.iter_mut().zip(row.as_chunks().0).for_each(|(x, b)| *x = f32::from_le_bytes(*b)),
        F16 => {
            out.iter_mut().zip(row.as_chunks().0).for_each(|(x, b)| *x = f16(u16::from_le_bytes(*b)));
        }
        BF16 => {
            let bits = |b: &[u8; 2]| f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16);
            out.iter_mut().zip(row.as_chunks().0).for_each(|(x, b)| *x = bits(b));
        }
        Q4_0 => blocks!(simple::q4_0::<A>, 18 => 32, row, out),
        Q4_1 => blocks!(simple::q4_1::<A>, 20 => 32, row, out),
        Q5_0 => blocks!(simple::q5_0::<A>, 22 => 32, row, out),
        Q5_1 => blocks!(simple::q5_1::<A>, 24 => 32, row, out),
        Q8_0 => blocks!(simple::q8_0::<A>, 34 => 32, row, out),
        Q1_0 => blocks!(simple::q1_0, 18 => 128, row, out),
        Q2_0 => blocks!(simple::q2_0::<A>, 18 => 64, row, out),
        Q2_K => blocks!(k::q2_k::<A>, 84 => 256, row, out),
        Q3_K => blocks!(k::q3_k::<A>, 110 => 256, row, out),
        Q4_K => blocks!(k::q4_k::<A>, 144 => 256, row, out),
        Q5_K => blocks!(k::q5_k::<A>, 176 => 256, row, out),
        Q6_K => blocks!(k::q6_k::<A>, 210 => 256, row, out),
        IQ1_S => blocks!(iq::iq1_s::<A>, 50 => 256, row, out),
        IQ1_M => blocks!(iq::iq1_m::<A>, 56 => 256, row, out),
        IQ2_XXS => blocks!(iq::iq2_xxs::<A>, 66 => 256, row, out),
        IQ2_XS => blocks!(iq::iq2_xs::<A>, 74 => 256, row, out),
        IQ2_S => blocks!(iq::iq2_s::<A>, 82 => 256, row, out),
        IQ3_XXS => blocks!(iq::iq3_xxs::<A>, 98 => 256, row, out),
        IQ3_S => blocks!(iq::iq3_s::<A>, 110 => 256, row, out),
        IQ4_NL => blocks!(iq::iq4_nl::<A>, 18 => 32, row, out),
        IQ4_XS => blocks!(iq::iq4_xs::<A>, 136 => 256, row, out),
        TQ1_0 => blocks!(small::tq1_0::<A>, 54 => 256, row, out),
        TQ2_0 => blocks!(small::tq2_0::<A>, 66 => 256, row, out),
        MXFP4 => blocks!(small::mxfp4::<A>, 17 => 32, row, out),
        NVFP4 => blocks!(small::nvfp4::<A>, 36 => 64, row, out),
    }
}

/// [`row`] for the cores: once in an image, and small rather than fast.
#[cfg(target_arch = "riscv32")]
#[inline(never)]
pub fn row_on_core(ty: GgmlType, blocks: &[u8], out: &mut [f32]) {
    row::<arithmetic::Integers>(ty, blocks, out);
}

/// Value of a half precision number, without a branch.
#[inline(always)]
fn f16(half: u16) -> f32 {
    let half = u32::from(half);
    let (sign, rest) = ((half & 0x8000) << 16, half & 0x7FFF);
    // Exponent and mantissa in place with the wrong bias; the product is exact, denormals included.
    let value = f32::from_bits(rest << 13) * f32::from_bits((127 + 112) << 23);
    let special = if rest >= 0x7C00 { 0x7F80_0000 } else { 0 };
    f32::from_bits(value.to_bits() | special | sign)
}

/// The half precision number at byte `at` of a block.
#[inline(always)]
fn f16_at(block: &[u8], at: usize) -> f32 {
    f16(u16_at(block, at))
}

#[inline(always)]
fn u16_at(block: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([block[at], block[at + 1]])
}

#[inline(always)]
fn u32_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::arithmetic::{Floats, Integers};
    use super::*;
    use rand_xoshiro::SplitMix64;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    #[test]
    fn every_half_precision_number() {
        for bits in 0..=u16::MAX {
            let (got, want) = (f16(bits), half::f16::from_bits(bits).to_f32());
            assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{bits:#06x}");
        }
    }

    #[test]
    fn blocks_of_quantised_types() {
        let mut block = std::vec![0x00, 0x38]; // 0.5
        block.extend((0..32).map(|i| (i as i8 - 16) as u8));
        let mut out = [0.0; 32];
        row::<Floats>(GgmlType::Q8_0, &block, &mut out);
        assert_eq!((out[0], out[16], out[31]), (-8.0, 0.0, 7.5));

        let mut block = std::vec![0x00, 0xBC]; // -1
        block.extend([0x80u8; 16]);
        row::<Floats>(GgmlType::Q4_0, &block, &mut out);
        assert_eq!((out[0], out[15], out[16], out[31]), (8.0, 8.0, 0.0, 0.0));
    }

    #[test]
    fn cores_decode_the_same_bits() {
        let mut random = SplitMix64::seed_from_u64(1);
        for ty in GgmlType::ALL {
            let (len, bytes) = ty.block();
            let blocks = (1 << 16) / len;
            let mut row = std::vec![0; blocks * bytes];
            random.fill_bytes(&mut row);
            let mut values = [std::vec![0.0; blocks * len], std::vec![0.0; blocks * len]];
            let [floats, integers] = &mut values;
            super::row::<Floats>(ty, &row, floats);
            super::row::<Integers>(ty, &row, integers);
            let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
            assert!(floats.iter().zip(integers.iter()).all(same), "{}", ty.name());
        }
    }
}
