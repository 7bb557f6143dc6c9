//! Converted datums to L1: plain, added to what is there (L1 accumulation), or as block float.

use tt_isa::format::DataFormat::{self, *};

use super::PAGE;
use crate::fault::Fault;
use crate::model::l1::L1;
use crate::model::tensix::dst::COLS;

/// Where a packer's streams of datums and of shared exponents have come to.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Streams {
    /// Next byte of datums, and of shared exponents.
    pub data: u32,
    pub exponents: u32,
    /// Block-float datums that wait for the others of their sixteen.
    waiting: [u32; COLS],
    waiting_len: usize,
}

impl Streams {
    pub fn new(data: u32, exponents: u32) -> Self {
        Self { data, exponents, ..Self::default() }
    }

    /// Whether part of the next 16 bytes has been written.
    pub fn is_open(&self) -> bool {
        self.waiting_len != 0 || !self.data.is_multiple_of(16)
    }
}

/// What a packer writes and how.
#[derive(Clone, Copy)]
pub(super) struct Sink {
    pub format: DataFormat,
    pub accumulate: bool,
}

impl Sink {
    /// Bytes of a datum, if datums go to L1 as they are: not as blocks, not added to what is there.
    #[inline]
    pub fn plain(&self) -> Option<usize> {
        (!self.accumulate && !self.format.is_block_float()).then(|| self.format.datum_bits() / 8)
    }

    /// The place of the next `len` bytes of datums, which are counted as written.
    #[inline]
    pub fn reserve<'a>(&self, l1: &'a mut L1, to: &mut Streams, len: usize) -> Result<&'a mut [u8], Fault> {
        let bytes = slice(l1, to.data, len)?;
        to.data += len as u32;
        Ok(bytes)
    }

    /// Appends up to sixteen datums.
    #[inline]
    pub fn append(&self, l1: &mut L1, to: &mut Streams, datums: &[u32]) -> Result<(), Fault> {
        let whole = datums.len() == COLS && to.waiting_len == 0;
        if whole || !self.format.is_block_float() {
            self.put(l1, to.data, to.exponents, datums)?;
            to.data += (datums.len() * self.format.datum_bits() / 8) as u32;
            to.exponents += u32::from(self.format.is_block_float());
            return Ok(());
        }
        for &datum in datums {
            to.waiting[to.waiting_len] = datum;
            to.waiting_len += 1;
            if to.waiting_len == COLS {
                to.waiting_len = 0;
                let row = to.waiting;
                self.append(l1, to, &row)?;
            }
        }
        Ok(())
    }

    /// The end of a tile: datums that wait get zeros for company, and zeros go up to the next 16 bytes.
    pub fn finish(&self, l1: &mut L1, to: &mut Streams) -> Result<(), Fault> {
        if to.waiting_len > 0 {
            self.append(l1, to, &[0; COLS][to.waiting_len..])?;
        }
        pad(l1, to.data)?;
        if self.format.is_block_float() { pad(l1, to.exponents) } else { Ok(()) }
    }

    /// Writes up to sixteen datums at `addr`; block-float datums come in sixteens, their exponent goes to `exp_addr`.
    fn put(&self, l1: &mut L1, addr: u32, exp_addr: u32, datums: &[u32]) -> Result<(), Fault> {
        let len = (datums.len() * self.format.datum_bits()).div_ceil(8);
        if self.format.is_block_float() {
            let datums = datums.try_into().map_err(|_| Fault::internal("block float needs whole rows"))?;
            let (exponent, bytes) = block_float(datums, self.format.datum_bits() as u32);
            slice(l1, exp_addr, 1)?[0] = exponent;
            slice(l1, addr, len)?.copy_from_slice(&bytes[..len]);
            return Ok(());
        }
        let out = slice(l1, addr, len)?;
        if let Some(width) = self.plain() {
            write(out, width, datums);
            return Ok(());
        }
        match self.format {
            Fp32 => {
                for (b, &datum) in out.chunks_exact_mut(4).zip(datums) {
                    let old = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                    b.copy_from_slice(&add_fp32(old, datum).to_le_bytes());
                }
            }
            _ => {
                for (b, &datum) in out.chunks_exact_mut(2).zip(datums) {
                    let (old, datum) = (u16::from_le_bytes([b[0], b[1]]), datum as u16);
                    let new = if self.format == Bf16 { add_bf16(old, datum) } else { add_fp16(old, datum) };
                    b.copy_from_slice(&new.to_le_bytes());
                }
            }
        }
        Ok(())
    }
}

/// Writes datums of `width` bytes.
#[inline]
pub(super) fn write(out: &mut [u8], width: usize, datums: &[u32]) {
    match width {
        4 => {
            for (b, &datum) in out.chunks_exact_mut(4).zip(datums) {
                b.copy_from_slice(&datum.to_le_bytes());
            }
        }
        2 => {
            for (b, &datum) in out.chunks_exact_mut(2).zip(datums) {
                b.copy_from_slice(&(datum as u16).to_le_bytes());
            }
        }
        _ => {
            for (b, &datum) in out.iter_mut().zip(datums) {
                *b = datum as u8;
            }
        }
    }
}

/// Zeros up to the next 16 bytes.
fn pad(l1: &mut L1, end: u32) -> Result<(), Fault> {
    let len = end.next_multiple_of(16) - end;
    if len > 0 {
        slice(l1, end, len as usize)?.fill(0);
    }
    Ok(())
}

/// Writable bytes of L1, or the program's fault.
fn slice(l1: &mut L1, addr: u32, len: usize) -> Result<&mut [u8], Fault> {
    l1.change(addr, len)
        .ok_or_else(|| Fault::program(format!("packing {len} bytes to L1 {addr:#x}")).page(PAGE))
}

/// Sixteen bfloat16 datums (or with five exponent bits, the others zero) as shared exponent and datums of `bits` bits. Magnitudes are rounded half up to seven
/// bits, then cut; the largest exponent counts as that of a number, whatever the datum.
fn block_float(datums: &[u32; COLS], bits: u32) -> (u8, [u8; COLS]) {
    let exponent_of = |datum: u32| datum >> 7 & 255;
    let max = datums.iter().map(|&d| exponent_of(d)).max().unwrap_or(0);
    let mut bytes = [0; COLS];
    for (i, &datum) in datums.iter().enumerate() {
        let (exponent, mantissa) = (exponent_of(datum), datum & 127);
        let significand = if exponent != 0 { mantissa | 128 } else { mantissa };
        let shift = max - exponent;
        let rounded = if shift >= 8 { 0 } else { ((significand + (1 << shift)) >> (shift + 1)).min(127) };
        let magnitude = rounded >> (8 - bits);
        // -0 would read back as -infinity.
        let sign = if magnitude != 0 { datum >> 15 & 1 } else { 0 };
        let at = i as u32 * bits;
        bytes[(at / 8) as usize] |= ((magnitude | sign << (bits - 1)) << (at % 8)) as u8;
    }
    (max as u8, bytes)
}

fn flush32(x: u32) -> u32 {
    if x & 0x7FFF_FFFF < 0x80_0000 { x & 0x8000_0000 } else { x }
}

/// Single precision, to nearest even, no denormals, one NaN.
fn add_fp32(old: u32, new: u32) -> u32 {
    let sum = (f32::from_bits(flush32(old)) + f32::from_bits(flush32(new))).to_bits();
    if sum & 0x7FFF_FFFF > 0x7F80_0000 { 0x7FC0_0000 } else { flush32(sum) }
}

/// bfloat16, to nearest even, no denormals. NaNs count as huge numbers, one in L1 as a larger one.
fn add_bf16(old: u16, new: u16) -> u16 {
    const INF: u16 = 0x7F80;
    if (old | new) & 0x7FFF == INF && old & 0x7FFF == INF && new & 0x7FFF == INF && old != new {
        return 0x7FC0;
    }
    let sign = |x: u16| u64::from(x >> 15) << 63;
    let number = |x: u16| match x & 0x7FFF {
        ..0x80 => f64::from_bits(sign(x)),
        _ => f64::from(f32::from_bits(u32::from(x) << 16)),
    };
    let a = if old & 0x7FFF > INF { f64::from_bits(sign(old) | f64::MAX.to_bits()) } else { number(old) };
    let b = if new & 0x7FFF > INF {
        f64::from_bits(sign(new) | (255 - 127 + 1023) << 52 | u64::from(new & 0x7F) << 45)
    } else {
        number(new)
    };
    let sum = (a + b).to_bits();
    let (sign, exponent) = (((sum >> 63) as u16) << 15, (sum >> 52 & 0x7FF) as i32 - 1023 + 127);
    match exponent {
        ..1 => sign,
        255.. => sign | INF,
        _ => {
            let m = sum & ((1 << 52) - 1);
            let rounded = (m + (1 << 44) - 1 + (m >> 45 & 1)) >> 45;
            sign | ((exponent as u64) << 7).wrapping_add(rounded) as u16
        }
    }
}

/// Half precision with exponent 31 for numbers, to nearest even. Saturates, and so does underflow.
fn add_fp16(old: u16, new: u16) -> u16 {
    const MAX: u16 = 0x7FFF;
    let wide = |x: u16| {
        let sign = u32::from(x & 0x8000) << 16;
        let magnitude = u32::from(x & 0x7FFF);
        f32::from_bits(if magnitude >= 0x400 { sign | ((magnitude << 13) + (112 << 23)) } else { sign })
    };
    let sum = (wide(old) + wide(new)).to_bits();
    let sign = (sum >> 16) as u16 & 0x8000;
    if sum & 0x7FFF_FFFF == 0 {
        return sign | if old >> 10 & 31 >= 30 { MAX } else { 0 };
    }
    let exponent = (sum >> 23 & 0xFF) as i32 - 112;
    if exponent <= 0 {
        return sign | if exponent < 0 { MAX } else { 0 };
    }
    let m = sum & 0x7F_FFFF;
    let rounded = (m + (1 << 12) - 1 + (m >> 13 & 1)) >> 13;
    sign | (((exponent as u32) << 10) + rounded).min(u32::from(MAX)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_float_shares_the_largest_exponent() {
        let mut datums = [0; COLS];
        datums[0] = 0x3F80; // 1.0
        datums[1] = 0xBF00; // -0.5
        datums[2] = 0xB800; // far below
        let (exponent, bytes) = block_float(&datums, 8);
        assert_eq!((exponent, &bytes[..3]), (127, &[0x40, 0xA0, 0][..]));
        let (_, bytes) = block_float(&datums, 4);
        assert_eq!(bytes[0], 0xA4);
        let (_, bytes) = block_float(&datums, 2);
        assert_eq!(bytes[0], 0b0001);
    }

    #[test]
    fn accumulation() {
        let f = |x: f32| x.to_bits();
        assert_eq!(add_fp32(f(1.5), f(2.25)), f(3.75));
        assert_eq!(add_fp32(0x7F80_0000, 0xFF80_0000), 0x7FC0_0000);
        assert_eq!(add_bf16(0x3F80, 0x4000), 0x4040);
        assert_eq!(add_bf16(0x7F80, 0xFF80), 0x7FC0);
        assert_eq!(add_fp16(0x3C00, 0x4000), 0x4200);
        assert_eq!(add_fp16(0x7BFF, 0x7BFF), 0x7FFF);
        assert_eq!(add_fp16(0x3C00, 0xBC00), 0);
    }
}
