//! Difficult blocks of quantised types: where their scales are, and which values are put there.

use tt_runtime::layout::GgmlType;

use crate::random::Random;

/// First bytes of the half precision scales and minima of a block; the rest are quants, and scales of other kinds.
pub fn half_fields(ty: GgmlType) -> &'static [usize] {
    use GgmlType::*;
    match ty {
        F32 | BF16 | MXFP4 | NVFP4 | IQ1_M => &[],
        F16 | Q4_0 | Q5_0 | Q8_0 | IQ4_NL | IQ4_XS | IQ1_S | IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS | IQ3_S
        | Q1_0 | Q2_0 => &[0],
        Q4_1 | Q5_1 | Q4_K | Q5_K => &[0, 2],
        Q2_K => &[80, 82],
        Q3_K => &[108],
        Q6_K => &[208],
        TQ1_0 => &[52],
        TQ2_0 => &[64],
    }
}

/// Half precision numbers for scales: all finite.
#[derive(Clone, Copy, Debug)]
pub enum Scales {
    /// Zeros, denormals, and the smallest normal number.
    Small,
    /// Zeros beside ones.
    Gaps,
    /// The largest number beside one, zero, and denormals.
    Large,
}

impl Scales {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Small, Self::Gaps, Self::Large];

    /// As half precision patterns.
    fn halves(self) -> &'static [u16] {
        match self {
            Self::Small => &[0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x8400],
            Self::Gaps => &[0x0000, 0x3C00, 0xBC00],
            Self::Large => &[0x7BFF, 0xFBFF, 0x3C00, 0x0000, 0x0001],
        }
    }

    /// NVFP4's scales: four bits of exponent, three of mantissa; 0x7F is no number.
    fn eighths(self) -> &'static [u8] {
        match self {
            Self::Small => &[0, 1, 7, 8],
            Self::Gaps => &[0, 0x38],
            Self::Large => &[0x7E, 0x38, 0, 1],
        }
    }

    /// Exponent bytes of MXFP4's blocks (2^(e - 128)), and of floats of 16 and 32 bits.
    fn exponents(self) -> &'static [u8] {
        match self {
            Self::Small => &[0, 1, 2, 40, 60],
            Self::Gaps => &[1, 127, 128],
            Self::Large => &[180, 127, 0],
        }
    }
}

/// Rows of `k` values of a type, none of them infinite or no number: random quants, and scales of a kind.
///
/// # Panics
/// `k` values are not whole blocks.
pub fn finite_rows(ty: GgmlType, scales: Scales, k: usize, rows: usize, random: &mut Random) -> Vec<u8> {
    let bytes = ty.row_bytes(k).expect("whole blocks") * rows;
    let mut data = random.bytes(bytes);
    let (halves, eighths, exponents) = (scales.halves(), scales.eighths(), scales.exponents());
    let mut below = |n: usize| random.below(n as u32) as usize;
    for block in data.chunks_exact_mut(ty.block().1) {
        match ty {
            // Sign and exponent; what is below stays random.
            GgmlType::F32 | GgmlType::BF16 => {
                let exponent = u32::from(exponents[below(exponents.len())]);
                let top = block.len() - 2;
                block[top + 1] = block[top + 1] & 0x80 | (exponent >> 1) as u8;
                block[top] = block[top] & 0x7F | (exponent << 7) as u8;
            }
            GgmlType::MXFP4 => block[0] = exponents[below(exponents.len())],
            GgmlType::NVFP4 => block[..4].iter_mut().for_each(|scale| *scale = eighths[below(eighths.len())]),
            // The half is spread over the upper nibbles of four words.
            GgmlType::IQ1_M => put_spread(block, halves[below(halves.len())]),
            _ => {}
        }
        for &at in half_fields(ty) {
            block[at..at + 2].copy_from_slice(&halves[below(halves.len())].to_le_bytes());
        }
    }
    data
}

/// The scale of an IQ1_M block.
fn put_spread(block: &mut [u8], half: u16) {
    let first = block.len() - 8;
    for (i, word) in block[first..].as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let nibble = (half >> (4 * i) & 15) as u8;
        word[1] = word[1] & 0x0F | nibble << 4;
    }
}
