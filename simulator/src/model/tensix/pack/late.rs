//! The late conversion: intermediate values to L1's format, always truncating (`Packers/FormatConversion.md`).
//!
//! Its result for block-float datums is sign, exponent and seven mantissa bits, in bfloat16's layout;
//! [`store`](super::store) finds their common exponent.

use tt_isa::format::DataFormat::{self, *};

use super::CONVERSION_PAGE;
use super::early::{Class, flush};
use crate::fault::Fault;
use crate::model::tensix::dst::COLS;

/// A late conversion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Late {
    Same,
    SingleToBrain,
    SingleToHalf,
    SingleToFp8,
    SingleToE5M7,
    BrainToSingle,
    BrainToHalf,
    BrainToFp8,
    BrainToE5M7,
    HalfToSingle,
    HalfToBrain,
    HalfToFp8,
    HalfToE5M7,
}

impl Late {
    /// The conversion of a class, by the name `from`, to a format of L1.
    pub fn choose(class: Class, from: DataFormat, to: DataFormat) -> Result<Self, Fault> {
        use Class::*;
        let integer = matches!(from, Int32 | DataFormat::Int16 | DataFormat::Int8);
        Ok(match (class, to) {
            (_, Int32 | DataFormat::Int16 | DataFormat::Int8) if from == to => Late::Same,
            _ if integer => return Err(undefined(from, to)),
            (Single, Fp32) => Late::Same,
            (Single, Tf32) if from == Tf32 => Late::Same,
            (Single, Bf16 | Bfp8 | Bfp4 | Bfp2) => Late::SingleToBrain,
            (Single, Fp16) => Late::SingleToHalf,
            (Single, Fp8) => Late::SingleToFp8,
            (Single, Bfp8a | Bfp4a | Bfp2a) => Late::SingleToE5M7,
            (Brain, Fp32 | Tf32) => Late::BrainToSingle,
            (Brain, Bf16 | Bfp8 | Bfp4 | Bfp2) => Late::Same,
            (Brain, Fp16) => Late::BrainToHalf,
            (Brain, Fp8) => Late::BrainToFp8,
            (Brain, Bfp8a | Bfp4a | Bfp2a) => Late::BrainToE5M7,
            (Half, Fp32 | Tf32) => Late::HalfToSingle,
            (Half, Bf16 | Bfp8 | Bfp4 | Bfp2) => Late::HalfToBrain,
            (Half, Fp16) => Late::Same,
            (Half, Fp8) => Late::HalfToFp8,
            (Half, Bfp8a | Bfp4a | Bfp2a) => Late::HalfToE5M7,
            _ => return Err(undefined(from, to)),
        })
    }

    /// Converts a row.
    #[inline]
    pub fn apply(self, row: [u32; COLS]) -> [u32; COLS] {
        match self {
            Late::Same => row,
            Late::SingleToBrain => row.map(|x| flush(x >> 16)),
            Late::SingleToHalf => row.map(single_to_half),
            Late::SingleToFp8 => row.map(|x| half_to_fp8(single_to_half(x))),
            Late::SingleToE5M7 => row.map(|x| half_to_e5m7(single_to_half(x))),
            Late::BrainToSingle => row.map(|x| x << 16),
            Late::BrainToHalf => row.map(|x| single_to_half(x << 16)),
            Late::BrainToFp8 => row.map(|x| half_to_fp8(single_to_half(x << 16))),
            Late::BrainToE5M7 => row.map(|x| half_to_e5m7(single_to_half(x << 16))),
            Late::HalfToSingle => row.map(half_to_single),
            Late::HalfToBrain => row.map(half_to_brain),
            Late::HalfToFp8 => row.map(half_to_fp8),
            Late::HalfToE5M7 => row.map(half_to_e5m7),
        }
    }
}

fn undefined(from: DataFormat, to: DataFormat) -> Fault {
    Fault::program(format!("packing from {from:?} to {to:?}")).page(CONVERSION_PAGE)
}

/// Drops mantissa bits; saturates to the largest number, there is no infinity.
fn single_to_half(x: u32) -> u32 {
    let sign = x >> 31 << 15;
    match ((x >> 23 & 255) as i32) - 112 {
        ..0 => sign,
        32.. => sign | 0x7FFF,
        exponent => sign | (exponent as u32) << 10 | (x & 0x7F_FFFF) >> 13,
    }
}

/// Denormals only get more mantissa bits, not their exponent.
fn half_to_single(x: u32) -> u32 {
    let bias = if x & 0x7C00 != 0 { 112 << 10 } else { 0 };
    (x & 0x8000) << 16 | ((x & 0x7FFF) + bias) << 13
}

fn half_to_brain(x: u32) -> u32 {
    match x >> 10 & 31 {
        0 => 0,
        exponent => x & 0x8000 | (exponent + 112) << 7 | (x & 0x3FF) >> 3,
    }
}

/// Denormals become +0, as wherever mantissas get shorter and exponents do not.
fn half_to_fp8(x: u32) -> u32 {
    if x & 0x7C00 == 0 { 0 } else { x >> 8 }
}

/// Five exponent bits in front of seven mantissa bits.
fn half_to_e5m7(x: u32) -> u32 {
    match x >> 10 & 31 {
        0 => 0,
        exponent => x & 0x8000 | exponent << 7 | (x & 0x3FF) >> 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(from: DataFormat, to: DataFormat, x: u32) -> u32 {
        Late::choose(Class::of(from).unwrap(), from, to).unwrap().apply([x; COLS])[3]
    }

    #[test]
    fn single_to_half_precision_cuts_and_saturates() {
        assert_eq!(one(Fp32, Fp16, 1.0f32.to_bits()), 0x3C00);
        assert_eq!(one(Fp32, Fp16, (-2.5f32).to_bits()), 0xC100);
        assert_eq!(one(Fp32, Fp16, 1e9f32.to_bits()), 0x7FFF);
        assert_eq!(one(Fp32, Fp16, 1e-9f32.to_bits()), 0);
    }

    /// By hand from the page: pairs that the vendor's simulator does not have.
    #[test]
    fn other_pairs() {
        assert_eq!(one(Fp32, Bf16, 0x3F81_FFFF), 0x3F81);
        assert_eq!(one(Fp32, Bf16, 0x8001_0000), 0);
        assert_eq!(one(Tf32, Tf32, 0x3F81_E000), 0x3F81_E000);
        assert_eq!(one(Bf16, Tf32, 0x3F81), 0x3F81_0000);
        assert_eq!(one(Bf16, Fp16, 0xBFC0), 0xBE00);
        assert_eq!(one(Bf16, Fp8, 0xBFC0), 0xBE);
        assert_eq!(one(Fp32, Fp8, 1e9f32.to_bits()), 0x7F);
        assert_eq!(one(Fp16, Fp8, 0x3FFF), 0x3F);
        assert_eq!(one(Fp16, Fp8, 0x83FF), 0);
        assert_eq!(one(Fp16, Tf32, 0x3C01), 0x3F80_2000);
        // 1.5 and -2: exponents 15 and 16 of five bits.
        assert_eq!(one(Fp32, Bfp8a, 1.5f32.to_bits()), 15 << 7 | 0x40);
        assert_eq!(one(Bf16, Bfp4a, 0xC000), 0x8000 | 16 << 7);
        assert_eq!(one(Fp16, Bfp2a, 0x3E00), 15 << 7 | 0x40);
        assert_eq!(one(Int8, Int8, 0x85), 0x85);
    }

    #[test]
    fn integers_stay_what_they_are() {
        for (from, to) in [(Int32, Fp32), (Fp32, Int32), (Int16, Int8), (Fp32, Tf32), (Bf16, Int16)] {
            assert!(Late::choose(Class::of(from).unwrap(), from, to).is_err(), "{from:?} to {to:?}");
        }
    }
}
