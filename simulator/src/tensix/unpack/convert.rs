//! Datums in L1 to datums of SrcA and SrcB.

use tt_isa::format::DataFormat;

use super::{PAGE, Run, Setup};
use crate::fault::Fault;
use crate::l1::L1;

/// Reads and converts the run's datums.
pub(super) fn datums(setup: &Setup, run: &Run, l1: &L1, out: &mut [u32]) -> Result<(), Fault> {
    let bits = setup.input.datum_bits() as u32;
    // Exponents take whole 16-byte units.
    let base = setup.base + setup.exponents.next_multiple_of(16);
    let start = run.first * bits;
    if start % 8 != 0 {
        return Err(Fault::not_implemented(format!("unpack from the middle of a byte, datum {}", run.first))
            .page(PAGE));
    }
    let addr = base + start / 8;
    let bytes = slice(l1, addr, (run.count * bits as usize).div_ceil(8))?;
    match setup.input {
        DataFormat::Fp32 => fp32(setup.output, bytes, out),
        DataFormat::Bf16 => {
            for (x, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                *x = u32::from(u16::from_le_bytes([b[0], b[1]])) << 16;
            }
        }
        _ => block_float(setup, run, l1, bytes, out)?,
    }
    Ok(())
}

fn slice(l1: &L1, addr: u32, len: usize) -> Result<&[u8], Fault> {
    l1.get(addr, len)
        .ok_or_else(|| Fault::program(format!("unpack of {len} bytes at L1 {addr:#x}")).page(PAGE))
}

/// Narrowing drops bits, it does not round; BF16 has no denormals.
fn fp32(output: DataFormat, bytes: &[u8], out: &mut [u32]) {
    for (x, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
        let value = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        *x = match output {
            DataFormat::Tf32 => value & 0xFFFF_E000,
            _ if value & 0x7F80_0000 == 0 => value & 0x8000_0000,
            _ => value & 0xFFFF_0000,
        };
    }
}

fn block_float(setup: &Setup, run: &Run, l1: &L1, bytes: &[u8], out: &mut [u32]) -> Result<(), Fault> {
    let width = setup.input.datum_bits();
    let first = run.first as usize;
    let groups = (first + run.count).div_ceil(16) - first / 16;
    let exponents = slice(l1, setup.base + run.first / 16, groups)?;
    for (i, x) in out.iter_mut().enumerate() {
        let bit = i * width;
        // Narrower datums are wider ones with low bits missing.
        let datum = (bytes[bit / 8] >> (bit % 8)) << (8 - width);
        *x = u32::from(bfp8_to_bf16(datum, exponents[(first % 16 + i) / 16])) << 16;
    }
    Ok(())
}

/// A BFP8 datum (sign, seven magnitude bits with explicit leading one) with its shared exponent, as bfloat16.
/// Magnitude zero stands for +0, or with the sign set for -infinity; the exponent wraps.
pub(super) fn bfp8_to_bf16(datum: u8, exponent: u8) -> u16 {
    let sign = u16::from(datum >> 7) << 15;
    let magnitude = datum << 1;
    if magnitude == 0 {
        return if sign == 0 { 0 } else { 0xFF80 };
    }
    let shift = magnitude.leading_zeros();
    let exponent = exponent.wrapping_sub(shift as u8);
    sign | u16::from(exponent) << 7 | u16::from(magnitude << shift & 0x7E)
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
    }

    #[test]
    fn single_precision_is_cut() {
        let mut out = [0; 2];
        let bytes: Vec<u8> = [0x3F80_1FFFu32, 0x8000_0001].iter().flat_map(|x| x.to_le_bytes()).collect();
        fp32(DataFormat::Tf32, &bytes, &mut out);
        assert_eq!(out, [0x3F80_0000, 0x8000_0000]);
        fp32(DataFormat::Bf16, &bytes, &mut out);
        assert_eq!(out, [0x3F80_0000, 0x8000_0000]);
    }
}
