//! Where unpacked datums go: rows and columns of SrcA, SrcB or Dst.

use super::PAGE;
use crate::fault::Fault;
use crate::model::tensix::src::{COLS, ROWS};
use crate::model::tensix::{Tensix, dst};

/// A register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// `rows` rows from `first_row` on.
    SrcA {
        first_row: usize,
        rows: usize,
    },
    SrcB {
        first_row: usize,
    },
    /// Sixteen or 32 bits wide.
    Dst16,
    Dst32,
}

/// How datums are placed.
pub(super) struct Output {
    pub target: Target,
    /// Rows and columns of each sixteen rows change places.
    pub transpose: bool,
    /// Datums in front of the register's first one.
    pub skip: u32,
    /// Columns by which datums move to the left; the first ones are lost.
    pub col_shift: usize,
    /// Zeros behind each datum, and whether they leave what is there.
    pub zeros_between: u32,
    pub interleave: bool,
}

impl Output {
    /// Whether a run from `addr` on fills rows one after the other, from their first column.
    pub fn in_rows(&self, addr: u32) -> bool {
        self.col_shift == 0
            && self.zeros_between == 0
            && addr >= self.skip
            && addr.is_multiple_of(COLS as u32)
    }

    /// Addresses that a datum takes.
    pub fn step(&self) -> u32 {
        1 + self.zeros_between
    }

    /// First row of the register for a run of `rows` rows from `addr` on; see [`in_rows`](Self::in_rows).
    pub fn row(&self, addr: u32, rows: usize) -> Result<usize, Fault> {
        let row = ((addr - self.skip) / COLS as u32) as usize;
        let (first, limit) = match self.target {
            Target::SrcA { first_row, rows } => (first_row, rows),
            Target::SrcB { first_row } => (first_row, ROWS),
            // Ten bits, of which the others are not looked at; of 32-bit rows as well (`Dst.md`, `Adj32`).
            Target::Dst16 | Target::Dst32 => return Ok(row % dst::ROWS),
        };
        if row + rows > limit || first + row + rows > limit.max(ROWS) {
            let what = format!("unpacking {rows} rows to row {row} of {:?}", self.target);
            return Err(Fault::program(what).page(PAGE));
        }
        Ok(first + row)
    }

    /// Writes a row, or the first datums of one; `row` is what [`row`](Self::row) has said.
    #[inline]
    pub fn put_row(&self, t: &mut Tensix, row: usize, datums: &[u32]) {
        let bank = match self.target {
            Target::Dst32 => return t.dst.write32_part(row % dst::ROWS, datums),
            Target::Dst16 => {
                let row = row % dst::ROWS;
                return datums.iter().enumerate().for_each(|(i, &x)| t.dst.put16(row, i, x as u16));
            }
            Target::SrcA { .. } => t.src_a.unpack_mut(),
            Target::SrcB { .. } => t.src_b.unpack_mut(),
        };
        if self.transpose {
            for (col, &datum) in datums.iter().enumerate() {
                bank[row & !15 | col][row & 15] = datum;
            }
        } else {
            bank[row][..datums.len()].copy_from_slice(datums);
        }
    }

    /// Writes a datum at any address, and zeros behind it; datums in front of the register are dropped.
    pub fn put(&self, t: &mut Tensix, addr: u32, datum: u32) -> Result<(), Fault> {
        for k in 0..self.step() {
            if k == 0 || !self.interleave {
                self.put_one(t, addr.wrapping_add(k), if k == 0 { datum } else { 0 })?;
            }
        }
        Ok(())
    }

    fn put_one(&self, t: &mut Tensix, addr: u32, datum: u32) -> Result<(), Fault> {
        let Some(col) = (addr as usize % COLS).checked_sub(self.col_shift) else { return Ok(()) };
        // Dst has no datums in front of it: its rows are counted modulo its size.
        let addr = match self.target {
            Target::Dst16 | Target::Dst32 => {
                addr.wrapping_sub(self.skip) % (dst::ROWS * COLS) as u32 + self.skip
            }
            _ if addr < self.skip => return Ok(()),
            _ => addr,
        };
        let row = self.row(addr & !15, 1)?;
        match self.target {
            Target::Dst32 => t.dst.put32(row, col, datum),
            Target::Dst16 => t.dst.put16(row, col, datum as u16),
            Target::SrcA { .. } if self.transpose => {
                t.src_a.unpack_mut()[row & !15 | col][row & 15] = datum;
            }
            Target::SrcA { .. } => t.src_a.unpack_mut()[row][col] = datum,
            Target::SrcB { .. } => t.src_b.unpack_mut()[row][col] = datum,
        }
        Ok(())
    }
}
