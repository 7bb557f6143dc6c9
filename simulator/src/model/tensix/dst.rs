//! Dst: the result register of the matrix unit, and the vector unit's memory (`Dst.md`).
//!
//! 1024 rows of 16 datums of 16 bits, or 512 rows of 32 bits: row r of the latter has its high halves in 16-bit
//! row `r' = (r & 0x1F8) << 1 | r & 7` and its low halves in row `r' + 8`. Datums are stored with the mantissa in
//! front of the exponent. A row can be invalid: it then reads as zero.

use crate::model::access::RowLog;

/// 16-bit rows.
pub const ROWS: usize = tt_isa::format::DST_ROWS;
/// Datums of a row.
pub const COLS: usize = 16;
/// Where the low halves of a 32-bit row are, relative to the high halves.
const LOW_HALF: usize = 8;

/// The register.
pub struct Dst {
    rows: Box<[[u16; COLS]; ROWS]>,
    valid: Box<[bool; ROWS]>,
    /// In the asynchronous mode: which rows are accessed.
    log: Option<Box<RowLog>>,
}

impl Default for Dst {
    fn default() -> Self {
        Self { rows: Box::new([[0; COLS]; ROWS]), valid: Box::new([true; ROWS]), log: None }
    }
}

/// 16-bit row that holds the high halves of 32-bit row `row`.
#[inline]
pub const fn high_row(row: usize) -> usize {
    ((row & 0x1F8) << 1) | (row & 0x207)
}

/// Storage form of a single precision (or integer) datum, to value and back: sign, mantissa and exponent of the
/// high half change places.
#[inline]
pub const fn decode32(x: u32) -> u32 {
    (x & 0x8000_FFFF) | ((x & 0x00FF_0000) << 7) | ((x & 0x7F00_0000) >> 8)
}

/// Reverse of [`decode32`].
#[inline]
pub const fn encode32(x: u32) -> u32 {
    (x & 0x8000_FFFF) | ((x & 0x7F80_0000) >> 7) | ((x & 0x007F_0000) << 8)
}

/// Storage form of a bfloat16 datum, to value.
#[inline]
pub const fn decode_bf16(x: u16) -> u16 {
    (x & 0x8000) | ((x & 0xFF) << 7) | ((x >> 8) & 0x7F)
}

/// Storage form of a half precision datum, to value.
#[inline]
pub const fn decode_fp16(x: u16) -> u16 {
    (x & 0x8000) | ((x & 0x1F) << 10) | ((x >> 5) & 0x3FF)
}

/// Reverse of [`decode_fp16`].
#[inline]
pub const fn encode_fp16(x: u16) -> u16 {
    (x & 0x8000) | ((x & 0x3FF) << 5) | ((x >> 10) & 0x1F)
}

/// Reverse of [`decode_bf16`].
#[inline]
pub const fn encode_bf16(x: u16) -> u16 {
    (x & 0x8000) | ((x & 0x7F) << 8) | ((x >> 7) & 0xFF)
}

/// A half precision datum laid out as a single precision number, the upper three exponent bits zero.
#[inline]
pub const fn widen_fp16(x: u16) -> u32 {
    (x as u32 & 0x8000) << 16 | (x as u32 & 0x7FFF) << 13
}

/// Reverse of [`widen_fp16`]; the upper three exponent bits are dropped.
#[inline]
pub const fn narrow_fp16(x: u32) -> u16 {
    (x >> 16 & 0x8000 | x >> 13 & 0x7FFF) as u16
}

impl Dst {
    /// From now on accesses are noted.
    pub fn enable_log(&mut self) {
        self.log = Some(Box::default());
    }

    /// Where accesses are noted, if they are.
    pub fn log(&self) -> Option<&RowLog> {
        self.log.as_deref()
    }

    /// A 32-bit row, in storage form.
    #[inline]
    pub fn read32(&self, row: usize) -> [u32; COLS] {
        let high = high_row(row);
        if let Some(log) = &self.log {
            log.note_read([high, high + LOW_HALF]);
        }
        if !self.valid[high] {
            return [0; COLS];
        }
        let (h, l) = (&self.rows[high], &self.rows[high + LOW_HALF]);
        std::array::from_fn(|i| u32::from(h[i]) << 16 | u32::from(l[i]))
    }

    /// Whether a 32-bit row is valid.
    #[inline]
    pub fn is_valid32(&self, row: usize) -> bool {
        self.valid[high_row(row)]
    }

    /// Whether a 16-bit row is valid.
    #[inline]
    pub fn is_valid16(&self, row: usize) -> bool {
        self.valid[row]
    }

    /// Writes a 32-bit row, in storage form.
    #[inline]
    pub fn write32(&mut self, row: usize, data: &[u32; COLS]) {
        let high = high_row(row);
        if let Some(log) = &self.log {
            log.note_write([high, high + LOW_HALF]);
        }
        self.rows[high] = data.map(|x| (x >> 16) as u16);
        self.rows[high + LOW_HALF] = data.map(|x| x as u16);
        self.valid[high] = true;
    }

    /// Writes the first datums of a 32-bit row, in storage form; the others keep their bits.
    #[inline]
    pub fn write32_part(&mut self, row: usize, data: &[u32]) {
        let high = high_row(row);
        if let Some(log) = &self.log {
            log.note_write([high, high + LOW_HALF]);
        }
        for (i, &datum) in data.iter().enumerate() {
            self.rows[high][i] = (datum >> 16) as u16;
            self.rows[high + LOW_HALF][i] = datum as u16;
        }
        self.valid[high] = true;
    }

    /// Writes one datum of a 32-bit row, in storage form.
    #[inline]
    pub fn put32(&mut self, row: usize, col: usize, datum: u32) {
        let high = high_row(row);
        self.rows[high][col] = (datum >> 16) as u16;
        self.rows[high + LOW_HALF][col] = datum as u16;
        self.valid[high] = true;
    }

    /// Writes one datum of a 16-bit row, in storage form.
    #[inline]
    pub fn put16(&mut self, row: usize, col: usize, datum: u16) {
        self.rows[row][col] = datum;
        self.valid[row] = true;
    }

    /// Turns a bit of a row's first datum the wrong way, which is in the mantissa of every format's high half.
    pub fn spoil(&mut self, row: usize) {
        self.rows[row][0] ^= 1 << 13;
    }

    /// A 16-bit row, in storage form.
    #[inline]
    pub fn read16(&self, row: usize) -> [u16; COLS] {
        if let Some(log) = &self.log {
            log.note_read([row]);
        }
        if self.valid[row] { self.rows[row] } else { [0; COLS] }
    }

    /// Writes a 16-bit row, in storage form.
    #[inline]
    pub fn write16(&mut self, row: usize, data: &[u16; COLS]) {
        if let Some(log) = &self.log {
            log.note_write([row]);
        }
        self.rows[row] = *data;
        self.valid[row] = true;
    }

    /// `count` 32-bit rows of one aligned group of eight, to be changed in storage form: high halves, low halves.
    /// The rows become valid; those that were not read as zero.
    #[inline]
    pub fn rows32_mut(&mut self, row: usize, count: usize) -> [&mut [[u16; COLS]]; 2] {
        debug_assert!((row & 7) + count <= 8);
        let high = high_row(row);
        if let Some(log) = &self.log {
            log.note_update(high..high + count);
            log.note_update(high + LOW_HALF..high + LOW_HALF + count);
        }
        for r in high..high + count {
            if !self.valid[r] {
                self.rows[r] = [0; COLS];
                self.rows[r + LOW_HALF] = [0; COLS];
                self.valid[r] = true;
            }
        }
        let (front, back) = self.rows[high..high + LOW_HALF + count].split_at_mut(LOW_HALF);
        [&mut front[..count], back]
    }

    /// The same of 16-bit rows.
    #[inline]
    pub fn rows16_mut(&mut self, row: usize, count: usize) -> &mut [[u16; COLS]] {
        if let Some(log) = &self.log {
            log.note_update(row..row + count);
        }
        for r in row..row + count {
            if !self.valid[r] {
                self.rows[r] = [0; COLS];
                self.valid[r] = true;
            }
        }
        &mut self.rows[row..row + count]
    }

    /// A 16-bit row of which some datums are to be written, in storage form. The others keep their bits.
    #[inline]
    pub fn part16_mut(&mut self, row: usize) -> &mut [u16; COLS] {
        if let Some(log) = &self.log {
            log.note_write([row]);
        }
        self.valid[row] = true;
        &mut self.rows[row]
    }

    /// The same of a 32-bit row: its high halves and its low halves.
    #[inline]
    pub fn part32_mut(&mut self, row: usize) -> [&mut [u16; COLS]; 2] {
        let high = high_row(row);
        if let Some(log) = &self.log {
            log.note_write([high, high + LOW_HALF]);
        }
        self.valid[high] = true;
        let (above, below) = self.rows[high..].split_at_mut(LOW_HALF);
        [&mut above[0], &mut below[0]]
    }

    /// All that is stored, valid or not. This is no access of the program's.
    pub fn storage(&self) -> &[[u16; COLS]; ROWS] {
        &self.rows
    }

    /// Gives columns back what they had stored: bit i of `columns` is column i.
    pub fn restore_columns(&mut self, old: &[[u16; COLS]; ROWS], columns: u16) {
        for (row, old) in self.rows.iter_mut().zip(old) {
            (0..COLS).filter(|i| columns >> i & 1 != 0).for_each(|i| row[i] = old[i]);
        }
    }

    /// Makes 16-bit rows invalid.
    pub fn invalidate(&mut self, rows: std::ops::Range<usize>) {
        if let Some(log) = &self.log {
            log.note_write(rows.clone());
        }
        self.valid[rows].fill(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_rows_interleave_in_groups_of_eight() {
        assert_eq!((high_row(0), high_row(7), high_row(8), high_row(511)), (0, 7, 16, 1015));
        let mut dst = Dst::default();
        dst.write32(9, &[0x1234_5678; COLS]);
        assert_eq!(dst.read16(17), [0x1234; COLS]);
        assert_eq!(dst.read32(9), [0x1234_5678; COLS]);
        dst.invalidate(0..512);
        assert_eq!(dst.read32(9), [0; COLS]);
    }

    #[test]
    fn storage_form_round_trips() {
        for x in [0, 1, 0x3F80_0000, 0xBF80_1234, 0x7F80_0000, u32::MAX, 0x8000_0000, 0x0080_0000] {
            assert_eq!(decode32(encode32(x)), x);
        }
        assert_eq!(encode32(0x3F80_0000), 0x007F_0000);
        for x in 0..=u16::MAX {
            assert_eq!(decode_bf16(encode_bf16(x)), x);
            assert_eq!(decode_fp16(encode_fp16(x)), x);
            assert_eq!(encode32(u32::from(x) << 16), u32::from(encode_bf16(x)) << 16);
        }
    }
}
