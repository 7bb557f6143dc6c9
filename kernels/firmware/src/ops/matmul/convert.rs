//! Row-major weights to FP32 tiles, in integer arithmetic (the cores have no FPU).
//!
//! A row of src0 becomes a column of K x N tiles: element k of the row goes to row k of the tile. Values are
//! exact up to the rounding to the mantissa bits that SrcA's fidelity phases use: ten, hidden bit included.

use crate::rt::mmio::{load, load8, load16, store};
use tt_kernel_abi::ElementType;

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

/// A binary16 scale taken apart: sign, exponent, integer mantissa: `value = mantissa * 2^(exponent - 150)`.
#[derive(Clone, Copy)]
struct Scale {
    sign: u32,
    exponent: i32,
    mantissa: u32,
}

impl Scale {
    fn new(half: u32) -> Self {
        let (exponent, mantissa) = ((half >> 10) & 31, half & 0x3FF);
        let sign = (half & 0x8000) << 16;
        match exponent {
            0 => Self { sign, exponent: 126, mantissa },
            // Infinite and NaN scales become a large finite one: the matrix unit has no infinities either.
            _ => Self { sign, exponent: exponent as i32 + 125, mantissa: mantissa | 0x400 },
        }
    }

    /// FP32 pattern of `scale * quant`, rounded for SrcA. |quant| is at most 128.
    fn times(self, quant: i32) -> u32 {
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

/// Walks down a column of tiles, 16 floats from row to row, face after face.
struct Column {
    at: u32,
    k: u32,
}

impl Column {
    #[inline(always)]
    fn put(&mut self, value: u32) {
        store(self.at, value);
        self.k += 1;
        // Rows 0..15 are in one face, 16..31 two faces further, then comes the next tile.
        self.at += if self.k & 15 == 0 { 64 + 1024 } else { 64 };
    }
}

/// Converts the row of `count` elements at `from` into the tile column at `to` and fills up with zeros to
/// `padded` elements. Quantised rows consist of whole blocks.
pub fn convert_row(ty: ElementType, from: u32, to: u32, count: u32, padded: u32) {
    let mut column = Column { at: to, k: 0 };
    match ty {
        ElementType::F32 => (0..count).for_each(|i| column.put(round_for_srca(load(from + 4 * i)))),
        ElementType::F16 => {
            (0..count).for_each(|i| column.put(round_for_srca(f16_to_f32(load16(from + 2 * i)))));
        }
        ElementType::BF16 => (0..count).for_each(|i| column.put(load16(from + 2 * i) << 16)),
        ElementType::Q8_0 => (0..count / 32).for_each(|block| q8_0(&mut column, from + 34 * block)),
        ElementType::Q4_0 => (0..count / 32).for_each(|block| q4_0(&mut column, from + 18 * block)),
        _ => {}
    }
    for _ in count..padded {
        column.put(0);
    }
}

fn q8_0(column: &mut Column, block: u32) {
    let scale = Scale::new(load16(block));
    for i in 0..32 {
        column.put(scale.times(i32::from(load8(block + 2 + i) as u8 as i8)));
    }
}

fn q4_0(column: &mut Column, block: u32) {
    let scale = Scale::new(load16(block));
    let mut values = [0; 16];
    for (quant, value) in (-8..).zip(values.iter_mut()) {
        *value = scale.times(quant);
    }
    for shift in [0, 4] {
        for i in 0..16 {
            column.put(values[(load8(block + 2 + i) >> shift) as usize & 15]);
        }
    }
}
