//! Row-major weights to FP32 tiles, in integer arithmetic (the cores have no FPU).
//!
//! A row of src0 becomes a column of K x N tiles: element k of the row goes to row k of the tile. The number
//! formats are in [`tt_kernel_abi::num`].

use crate::rt::mmio::{load, load8, load16, store};
use tt_kernel_abi::ElementType;
use tt_kernel_abi::num::{Scale, f16_to_f32, round_for_srca};

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
