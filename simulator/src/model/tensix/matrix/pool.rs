//! `GMPOOL`: the largest datum of each column of sixteen rows of SrcA and of a row of Dst (`GMPOOL.md`).
//!
//! Row 0 of SrcB scales the rows of SrcA by powers of two (its exponents are added); a row whose datum is zero is
//! ignored. With `max_pool_index_en` the row of the largest of the first eight is tracked in the low bits of 32-bit Dst.

use tt_isa::insn::GMPOOL;

use super::operand::Style;
use super::setup::{Math, Setup, dst_row};
use crate::fault::Fault;
use crate::model::tensix::src::COLS;
use crate::model::tensix::{Exec, Step, Tensix, rwc};

const PAGE: &str = "TensixTile/TensixCoprocessor/GMPOOL.md";
/// Rows of SrcA.
const ROWS_A: usize = 16;
/// Rows of Dst that are written: the result, and zeros.
const ROWS_DST: usize = 4;
/// What undefined rows of Dst are: less than any number.
const UNDEFINED: u32 = u32::MAX;

/// How a datum of Dst is read and written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DstStyle {
    Int32,
    Fp16,
    Bf16,
    Tf32,
}

/// A datum of either register; exponents are those of SrcA and SrcB together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Datum {
    negative: bool,
    /// Nine bits.
    exponent: u32,
    /// Ten bits.
    magnitude: u32,
}

impl Datum {
    const ZERO: Self = Self { negative: false, exponent: 0, magnitude: 0 };
    /// A row that does not count.
    const LEAST: Self = Self { negative: true, exponent: 511, magnitude: 1023 };

    fn comparable(self) -> i32 {
        let x = (self.exponent << 10 | self.magnitude) as i32;
        if self.negative { -x } else { x }
    }

    /// From Dst's storage form, 16-bit datums in the upper half.
    fn of_dst(x: u32, style: DstStyle) -> Self {
        let (exponent, magnitude) = match style {
            DstStyle::Int32 => (x >> 10 & 0x3F | (x >> 24 & 7) << 6, x & 0x3FF),
            DstStyle::Fp16 => ((x >> 16 & 0x1F) + 15, x >> 21 & 0x3FF),
            DstStyle::Bf16 => ((x >> 16 & 0xFF) + 127, (x >> 24 & 0x7F) << 3),
            DstStyle::Tf32 => ((x >> 16 & 0xFF) + 127, (x >> 24 & 0x7F) << 3 | x >> 13 & 7),
        };
        Self { negative: x >> 31 != 0, exponent, magnitude }
    }

    /// To Dst's storage form. Exponents wrap.
    fn to_dst(self, style: DstStyle) -> u32 {
        let sign = u32::from(self.negative) << 31;
        match style {
            DstStyle::Int32 => sign | (self.exponent & 7) << 10 | self.magnitude,
            DstStyle::Fp16 if self.exponent & 0x3F == 0 => 0,
            DstStyle::Fp16 => sign | self.magnitude << 21 | (self.exponent.wrapping_sub(15) & 0x1F) << 16,
            DstStyle::Bf16 | DstStyle::Tf32 if self.exponent == 0 => 0,
            DstStyle::Bf16 | DstStyle::Tf32 => {
                let low = if style == DstStyle::Tf32 { (self.magnitude & 7) << 13 } else { 0 };
                let exponent = (self.exponent.wrapping_sub(127) & 0xFF) << 16;
                sign | (self.magnitude & 0x3F8) << 21 | exponent | low
            }
        }
    }
}

/// What an instruction does to each column.
struct Pool {
    /// How SrcA is read; integers as `None`.
    source: Option<Style>,
    dst: DstStyle,
    wide: bool,
    index: bool,
}

impl Pool {
    fn of(setup: &Setup, index: bool) -> Result<Self, Fault> {
        use super::accumulate::Accumulator::Fp32;
        let Math::Float { styles: [style, _], operation } = setup.math else {
            return Ok(Self { source: None, dst: DstStyle::Int32, wide: true, index });
        };
        let wide = operation.accumulator == Fp32;
        let dst = match (style, wide, index) {
            (Style::Tf32, _, true) => DstStyle::Int32,
            (Style::Fp16, false, _) | (Style::Fp16, true, true) => DstStyle::Fp16,
            (Style::Fp16, true, false) => {
                // The page's exponents do not fit together there.
                return Err(Fault::undocumented("GMPOOL of half precision into 32-bit Dst").page(PAGE));
            }
            (Style::Bf16, true, true) | (_, false, _) => DstStyle::Bf16,
            (_, true, false) => DstStyle::Tf32,
        };
        Ok(Self { source: Some(style), dst, wide, index })
    }

    /// A datum of SrcA, scaled.
    fn source(&self, a: u32, b: u32) -> Datum {
        let (exponent_a, exponent_b) = (a >> 23 & 0xFF, b >> 23 & 0xFF);
        if exponent_b == 0 {
            return Datum::LEAST;
        }
        if exponent_a == 0 {
            return Datum::ZERO;
        }
        let (exponent, mask) = match self.source {
            None => (0, 0x3FF),
            Some(Style::Fp16) => ((exponent_a & 0x1F) + (exponent_b & 0x1F), 0x3FF),
            Some(Style::Tf32) => (exponent_a + exponent_b, 0x3FF),
            Some(Style::Bf16) => (exponent_a + exponent_b, 0x3F8),
        };
        Datum { negative: a >> 31 != 0, exponent, magnitude: a >> 13 & mask }
    }

    /// The new datum of Dst of a column whose datums in SrcA, with their scales, are `column`.
    fn column(&self, old: u32, column: &[(u32, u32); ROWS_A]) -> u32 {
        const INDEX: [u32; 8] = [0, 3, 6, 1, 4, 7, 2, 5];
        let mut max = Datum::of_dst(old, self.dst);
        let mut index = old & 0xFF;
        let phase = old.wrapping_add(0x100) & 0xF00;
        for i in 0..ROWS_A {
            // Of equal datums the last one counts: rows 4 to 7, 0 to 3, then the others.
            let i = if i < INDEX.len() { i ^ 4 } else { i };
            let datum = self.source(column[i].0, column[i].1);
            if datum.comparable() >= max.comparable() {
                max = datum;
                if let Some(transformed) = INDEX.get(i) {
                    index = (phase >> 4) + transformed;
                }
            }
        }
        match (self.index, self.dst) {
            (false, dst) => max.to_dst(dst),
            (true, DstStyle::Int32) => phase | index,
            (true, dst) => max.to_dst(dst) | phase | index,
        }
    }
}

/// `GMPOOL`.
pub(super) fn gmpool(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    let op = GMPOOL::decode(word);
    if !t.src_a.matrix_ready() || !t.src_b.matrix_ready() {
        return Ok(Step::Stall);
    }
    let pool = Pool::of(&Setup::of(t, thread)?, op.max_pool_index_en != 0)?;
    let a = t.rwc[thread].src_a.value as usize & 0x30;
    let b = t.rwc[thread].src_b.value as usize & 0x38;
    let to = dst_row(t, thread, op.dst, ROWS_DST);
    let scales = t.src_b.matrix()[b];
    let read = |t: &Tensix, row: usize| {
        let defined = if pool.wide { t.dst.is_valid32(row) } else { t.dst.is_valid16(row) };
        match (defined, pool.wide) {
            (false, _) => [UNDEFINED; COLS],
            (true, true) => t.dst.read32(row),
            (true, false) => t.dst.read16(row).map(|x| u32::from(x) << 16),
        }
    };
    let old = read(t, to);
    let first: [u32; COLS] = std::array::from_fn(|col| {
        let column = std::array::from_fn(|i| (t.src_a.matrix()[a + i][col], scales[i]));
        pool.column(old[col], &column)
    });
    for i in 0..ROWS_DST {
        let row = match i {
            0 => first,
            _ if pool.index && pool.wide => read(t, to + i).map(|x| x.wrapping_add(0x100) & 0xF00),
            _ => [0; COLS],
        };
        if pool.wide {
            t.dst.write32(to + i, &row);
        } else {
            t.dst.write16(to + i, &row.map(|x| (x >> 16) as u16));
        }
    }
    t.matrix.last_src_a_row = a;
    rwc::apply_addr_mod(&mut t.rwc[thread], &t.cfg, thread, op.addr_mode, true)?;
    rwc::flip_sources(t, thread, op.clear_dvalid)?;
    Ok(Step::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tensix::dst;

    const ONE: u32 = 0x3F80_0000;

    fn pool(source: Style, dst: DstStyle) -> Pool {
        Pool { source: Some(source), dst, wide: dst != DstStyle::Bf16, index: false }
    }

    fn column(datums: &[f32]) -> [(u32, u32); ROWS_A] {
        std::array::from_fn(|i| (datums[i % datums.len()].to_bits(), ONE))
    }

    #[test]
    fn the_largest_counts_whatever_its_sign() {
        let p = pool(Style::Tf32, DstStyle::Tf32);
        let max = |old: f32, datums: &[f32]| {
            f32::from_bits(dst::decode32(p.column(dst::encode32(old.to_bits()), &column(datums))))
        };
        assert_eq!(max(-8.0, &[-2.5, -3.0]), -2.5);
        assert_eq!(max(-1.0, &[-2.5, -3.0]), -1.0);
        assert_eq!(max(0.5, &[2.5, -3.0]), 2.5);
        assert_eq!(p.column(UNDEFINED, &column(&[-3e38])), dst::encode32((-3e38f32).to_bits() & 0xFFFF_E000));
    }

    #[test]
    fn rows_are_scaled_or_left_out() {
        let p = pool(Style::Tf32, DstStyle::Tf32);
        let mut datums = column(&[1.0]);
        datums[3].1 = 4.0f32.to_bits();
        assert_eq!(p.column(UNDEFINED, &datums), dst::encode32(4.0f32.to_bits()));
        let mut datums = column(&[7.0]);
        datums.iter_mut().skip(1).for_each(|x| x.1 = 0);
        datums[0].0 = 2.0f32.to_bits();
        assert_eq!(p.column(UNDEFINED, &datums), dst::encode32(2.0f32.to_bits()));
    }

    #[test]
    fn the_index_is_that_of_the_first_eight_rows() {
        let p = Pool { index: true, ..pool(Style::Bf16, DstStyle::Bf16) };
        let mut datums = column(&[1.0]);
        datums[5].0 = 2.0f32.to_bits();
        // 5 is transformed to 7; the phase goes on by one from what Dst has.
        assert_eq!(p.column(0xFF00_0000, &datums), dst::encode32(2.0f32.to_bits()) | 0x100 | 0x10 | 7);
    }
}
