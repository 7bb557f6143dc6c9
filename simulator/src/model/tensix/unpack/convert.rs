//! Datums in L1 to datums of SrcA and SrcB, or of Dst (`Unpackers/FormatConversion.md`).
//!
//! SrcA/SrcB datums are 19 bits, left aligned: sign, eight exponent bits, ten mantissa bits. Formats with five
//! exponent bits leave the upper three exponent bits zero; integers are stored as half precision numbers are.

use tt_isa::format::DataFormat::{self, *};

use crate::fault::Fault;
use crate::model::tensix::dst;
use crate::model::tensix::src::{COLS, Row};

/// From which format to which, and where to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Conversion {
    /// Format in L1.
    pub input: DataFormat,
    /// Format in the register.
    pub output: DataFormat,
    /// To Dst instead of SrcA or SrcB.
    pub to_dst: bool,
    /// `Int8` without a sign.
    pub unsigned: bool,
}

impl Conversion {
    /// Whether the pair is defined for its destination.
    pub fn defined(&self) -> bool {
        match (self.input, self.output) {
            // In SrcA and SrcB there are no 32 bits; TF32 in L1 goes by the name of FP32 there.
            (Fp32, Fp32) | (Int32, Int32) | (Tf32, Tf32) => self.to_dst,
            (Fp32, Tf32 | Fp16 | Bf16) => true,
            (input, output) => input == output,
        }
    }

    /// Converts up to sixteen datums to the register's form: of SrcA and SrcB, or of Dst. `raw` holds the datums'
    /// bits as in L1; `exponents` their shared exponents.
    #[inline]
    pub fn apply(&self, raw: &[u32; COLS], exponents: &[u8; COLS]) -> Result<[u32; COLS], Fault> {
        let blocks = |bits: usize, convert: fn(u8, u8) -> u32| {
            std::array::from_fn(|i| convert((raw[i] << (8 - bits)) as u8, exponents[i]))
        };
        let bits = self.input.datum_bits();
        let datums: [u32; COLS] = match (self.input, self.output) {
            (Fp32, Fp32) | (Int32, _) | (Tf32, _) => return Ok(raw.map(dst::encode32)),
            (Fp32, Tf32) if self.to_dst => return Ok(raw.map(dst::encode32)),
            (Int16, _) if self.to_dst => return Ok(*raw),
            (Fp32, Tf32) => raw.map(|x| x & 0xFFFF_E000),
            (Fp32, Bf16) => raw.map(fp32_to_bf16),
            (Fp32, _) => raw.map(fp32_to_fp16),
            (Bf16, _) => raw.map(|x| x << 16),
            (Fp16, _) => raw.map(fp16),
            (Int16, _) => raw.map(|x| u32::from(dst::decode_bf16(x as u16)) << 16),
            (Fp8, _) => raw.map(|x| fp16(x << 8)),
            (Int8, _) => raw.map(|x| int8(x, self.unsigned)),
            (Bfp8 | Bfp4 | Bfp2, _) => blocks(bits, |datum, e| u32::from(bfp8_to_bf16(datum, e)) << 16),
            (Bfp8a | Bfp4a | Bfp2a, _) => {
                check_exponents(raw, exponents, bits)?;
                blocks(bits, |datum, e| fp16(u32::from(bfp8a_to_fp16(datum, e))))
            }
        };
        Ok(if !self.to_dst {
            datums
        } else if matches!(self.output, Bf16 | Bfp8 | Bfp4 | Bfp2) {
            datums.map(|x| dst::encode_bf16((x >> 16) as u16).into())
        } else {
            datums.map(|x| dst::encode_fp16(half(x)).into())
        })
    }
}

/// The same for whole rows of the formats that weights and activations have, as one pass over L1's bytes: the
/// way that nearly all datums of a model take. `false`, and nothing is done, for other formats.
pub(super) fn rows(conversion: &Conversion, bytes: &[u8], exponents: &[u8], out: &mut [Row]) -> bool {
    match (conversion.input, conversion.output) {
        (Fp32, Tf32) => {
            for (row, bytes) in out.iter_mut().zip(bytes.chunks_exact(4 * COLS)) {
                for (x, b) in row.iter_mut().zip(bytes.chunks_exact(4)) {
                    *x = u32::from_le_bytes([b[0], b[1], b[2], b[3]]) & 0xFFFF_E000;
                }
            }
        }
        (Bf16, Bf16) => {
            for (row, bytes) in out.iter_mut().zip(bytes.chunks_exact(2 * COLS)) {
                for (x, b) in row.iter_mut().zip(bytes.chunks_exact(2)) {
                    *x = u32::from(u16::from_le_bytes([b[0], b[1]])) << 16;
                }
            }
        }
        (Bfp8, Bfp8) => {
            for ((row, bytes), &exponent) in out.iter_mut().zip(bytes.chunks_exact(COLS)).zip(exponents) {
                for (x, &datum) in row.iter_mut().zip(bytes) {
                    *x = bfp8(datum, exponent);
                }
            }
        }
        (Bfp4, Bfp4) => {
            for ((row, bytes), &exponent) in out.iter_mut().zip(bytes.chunks_exact(COLS / 2)).zip(exponents) {
                for (pair, &datums) in row.chunks_exact_mut(2).zip(bytes) {
                    pair[0] = bfp8(datums << 4, exponent);
                    pair[1] = bfp8(datums & 0xF0, exponent);
                }
            }
        }
        _ => return false,
    }
    true
}

/// For each BFP8 datum its bits at exponent 0, and what goes off the exponent in the low byte. Magnitude zero
/// takes any exponent away: bit 8 says so.
const BFP8: [u32; 256] = {
    let mut table = [0; 256];
    let mut datum = 0;
    while datum < 256 {
        let magnitude = (datum as u8) << 1;
        table[datum] = if magnitude == 0 {
            1 << 8 | if datum >> 7 != 0 { 0xFF80_0000 } else { 0 }
        } else {
            let shift = magnitude.leading_zeros();
            (datum as u32 >> 7) << 31 | ((magnitude << shift) as u32 & 0x7E) << 16 | shift
        };
        datum += 1;
    }
    table
};

/// [`bfp8_to_bf16`] by table, left aligned.
#[inline(always)]
fn bfp8(datum: u8, exponent: u8) -> u32 {
    let entry = BFP8[usize::from(datum)];
    let exponent = u32::from(exponent.wrapping_sub(entry as u8)) << 23;
    // All ones where the exponent counts, zero where bit 8 takes it away.
    let keep = (entry >> 8 & 1).wrapping_sub(1);
    entry & 0xFFFF_0000 | exponent & keep
}

/// Narrowing drops bits, it does not round; bfloat16 has no denormals.
fn fp32_to_bf16(x: u32) -> u32 {
    if x & 0x7F80_0000 == 0 { x & 0x8000_0000 } else { x & 0xFFFF_0000 }
}

/// Five exponent bits where eight are. Saturates; there is no infinity.
fn fp32_to_fp16(x: u32) -> u32 {
    let (sign, mantissa) = (x & 0x8000_0000, x & 0x7F_E000);
    match ((x >> 23 & 255) as i32) - 112 {
        ..0 => sign,
        32.. => sign | 31 << 23 | 0x7F_E000,
        exponent => sign | (exponent as u32) << 23 | mantissa,
    }
}

/// A half precision number, or what counts as one.
fn fp16(x: u32) -> u32 {
    (x & 0x8000) << 16 | (x & 0x7FFF) << 13
}

/// An integer is the mantissa of a number with exponent 16.
fn int8(x: u32, unsigned: bool) -> u32 {
    let sign = if unsigned { 0 } else { x & 0x80 };
    let magnitude = x - sign;
    fp16(sign << 8 | if magnitude != 0 { 16 << 10 | magnitude } else { 0 })
}

/// A BFP8 datum (sign, seven magnitude bits with explicit leading one) with its shared exponent, as bfloat16.
/// Magnitude zero stands for +0, or with the sign set for -infinity; the exponent wraps.
fn bfp8_to_bf16(datum: u8, exponent: u8) -> u16 {
    let sign = u16::from(datum >> 7) << 15;
    let magnitude = datum << 1;
    if magnitude == 0 {
        return if sign == 0 { 0 } else { 0xFF80 };
    }
    let shift = magnitude.leading_zeros();
    let exponent = exponent.wrapping_sub(shift as u8);
    sign | u16::from(exponent) << 7 | u16::from(magnitude << shift & 0x7E)
}

/// A BFP8a datum with its shared exponent, as a half precision number; like [`bfp8_to_bf16`], except for the lowest
/// number, which is finite.
fn bfp8a_to_fp16(datum: u8, exponent: u8) -> u16 {
    let sign = u16::from(datum >> 7) << 15;
    let magnitude = datum << 1;
    if magnitude == 0 {
        return if sign == 0 { 0 } else { 0xFC00 };
    }
    let shift = magnitude.leading_zeros();
    let exponent = exponent.wrapping_sub(shift as u8);
    sign | u16::from(exponent) << 10 | u16::from(magnitude << shift & 0x7E) << 3
}

/// Exponents of five bits, shared or of the datum's own, do not go beyond them.
fn check_exponents(raw: &[u32; COLS], exponents: &[u8; COLS], bits: usize) -> Result<(), Fault> {
    for (&datum, &exponent) in raw.iter().zip(exponents) {
        let magnitude = (datum << (9 - bits)) as u8;
        if magnitude != 0 && exponent.wrapping_sub(magnitude.leading_zeros() as u8) > 31 {
            let what = format!("block-float datum {datum:#x} with the five-bit exponent {exponent}");
            return Err(Fault::program(what).page("TensixTile/TensixCoprocessor/FloatBitPatterns.md"));
        }
    }
    Ok(())
}

/// A half precision number, from the form that it has in SrcA and SrcB.
fn half(x: u32) -> u16 {
    (x >> 16 & 0x8000) as u16 | (x >> 13 & 0x7FFF) as u16
}

/// Bits of the datums at bit address `bit` of `bytes`, each `width` bits; the first `out.len()` of them.
#[inline]
pub(super) fn gather(bytes: &[u8], bit: usize, width: usize, out: &mut [u32]) {
    match width {
        32 => {
            for (x, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                *x = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
        16 => {
            for (x, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                *x = u32::from(u16::from_le_bytes([b[0], b[1]]));
            }
        }
        8 => {
            for (x, b) in out.iter_mut().zip(bytes) {
                *x = u32::from(*b);
            }
        }
        _ => {
            for (i, x) in out.iter_mut().enumerate() {
                let at = bit + i * width;
                *x = u32::from(bytes[at / 8]) >> (at % 8) & ((1 << width) - 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_float_datums() {
        // 1.0: magnitude 64 at exponent 127.
        assert_eq!(bfp8_to_bf16(0x40, 127), 0x3F80);
        assert_eq!(bfp8_to_bf16(0xC0, 127), 0xBF80);
        // The smallest magnitude: 2^-6.
        assert_eq!(bfp8_to_bf16(0x01, 127), (127 - 6) << 7);
        assert_eq!(bfp8_to_bf16(0x7F, 127), 0x3F80 | 0x7E);
        assert_eq!(bfp8_to_bf16(0, 200), 0);
        assert_eq!(bfp8_to_bf16(0x80, 200), 0xFF80);
        for datum in 0..=255 {
            for exponent in 0..=255 {
                assert_eq!(bfp8(datum, exponent), u32::from(bfp8_to_bf16(datum, exponent)) << 16);
            }
        }
    }

    #[test]
    fn single_precision_is_cut() {
        let c = |output| Conversion { input: Fp32, output, to_dst: false, unsigned: false };
        let one = |output, x| c(output).apply(&[x; COLS], &[0; COLS]).unwrap()[0];
        assert_eq!(one(Tf32, 0x3F80_1FFF), 0x3F80_0000);
        assert_eq!(one(Tf32, 0x8000_0001), 0x8000_0000);
        assert_eq!(one(Bf16, 0x3F80_FFFF), 0x3F80_0000);
        assert_eq!(one(Bf16, 0x8000_0001), 0x8000_0000);
        assert_eq!(one(Fp16, 1.0f32.to_bits()), 15 << 23);
        assert_eq!(one(Fp16, (-1e9f32).to_bits()), 0x8000_0000 | 31 << 23 | 0x7F_E000);
        assert_eq!(one(Fp16, 1e-9f32.to_bits()), 0);
    }

    #[test]
    fn integers_are_mantissas() {
        assert_eq!(int8(0, false), 0);
        assert_eq!(int8(0x85, false), fp16(0x8000 | 16 << 10 | 5));
        assert_eq!(int8(0x85, true), fp16(16 << 10 | 0x85));
    }

    #[test]
    fn narrow_datums_are_packed_low_bits_first() {
        let mut out = [0; 4];
        gather(&[0x21, 0x43], 0, 4, &mut out);
        assert_eq!(out, [1, 2, 3, 4]);
        gather(&[0b11_10_01_00, 0b01], 2, 2, &mut out);
        assert_eq!(out, [1, 2, 3, 1]);
    }
}
