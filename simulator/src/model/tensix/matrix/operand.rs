//! SrcA and SrcB datums as the multipliers take them: exponent, and the slice of the significand that a fidelity
//! phase multiplies, with the datum's sign.
//!
//! A fidelity phase's bit 0 selects SrcA's slice (the five high bits of the significand or the five below), bit 1
//! SrcB's (the seven high bits or the four low ones). Decoding datums costs as much as multiplying them, and
//! the same datums are multiplied several times, so [`Operands`] caches the parts until the bank changes.
//!
//! The sixteen products of an output come in two groups of eight. Both are computed side by side: a 32-bit word
//! holds the parts of datum k in its low half and those of datum k + 8 in its high half.

use crate::model::tensix::src::{COLS, ROWS, Row, SrcBanks};

/// Products of a group.
pub const GROUP: usize = 8;
/// Rows of SrcA that are multiplied at once: the inner dimension.
pub const INNER: usize = 2 * GROUP;
/// Rows of SrcB in a [`BlockB`].
pub const BLOCK_ROWS: usize = 8;

/// How the matrix unit reads the 19 bits of a datum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Eight exponent bits, seven mantissa bits.
    Bf16,
    /// Eight exponent bits, ten mantissa bits.
    Tf32,
    /// Five exponent bits, ten mantissa bits.
    Fp16,
}

impl Style {
    /// Bits of a left aligned datum that count.
    pub const fn mask(self) -> u32 {
        match self {
            Style::Bf16 => 0xFFFF_0000,
            Style::Tf32 => 0xFFFF_E000,
            Style::Fp16 => 0x8FFF_E000,
        }
    }
}

/// Exponent of a zero operand: so far below all others that a product with it never decides a group's exponent.
pub const ZERO_EXPONENT: i32 = -8192;

/// The exponent of a datum; without one the datum is zero.
#[inline(always)]
pub fn exponent(datum: u32) -> i32 {
    let exponent = (datum >> 23 & 255) as i32;
    if exponent == 0 { ZERO_EXPONENT } else { exponent }
}

/// The eleven bits of a datum's significand, the leading one included.
#[inline(always)]
pub fn significand(datum: u32) -> i32 {
    (datum >> 13 & 0x3FF | 0x400) as i32
}

/// SrcA's five bits of a phase.
#[inline(always)]
pub fn slice_a(datum: u32, low: bool) -> i32 {
    if low { significand(datum) >> 1 & 31 } else { significand(datum) >> 6 }
}

/// SrcB's seven bits of a phase; the low ones are four, above three zeros.
#[inline(always)]
pub fn slice_b(datum: u32, low: bool) -> i32 {
    if low { (significand(datum) & 15) << 3 } else { significand(datum) >> 4 }
}

/// A slice with its datum's sign; of zero it is zero.
#[inline(always)]
fn signed(datum: u32, slice: i32) -> i32 {
    let slice = if datum & 0x7F80_0000 == 0 { 0 } else { slice };
    if (datum as i32) < 0 { -slice } else { slice }
}

/// Two 16-bit parts as a word.
#[inline(always)]
fn pair(low: i32, high: i32) -> u32 {
    low as u32 & 0xFFFF | (high as u32) << 16
}

/// Sixteen rows of SrcA: `[k][column]`, of pairs (k, k + 8).
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct FaceA {
    /// Exponents.
    pub exponents: [[u32; COLS]; GROUP],
    /// High slices, low slices.
    pub slices: [[[u32; COLS]; GROUP]; 2],
}

impl FaceA {
    const ZERO: Self = Self { exponents: [[0; COLS]; GROUP], slices: [[[0; COLS]; GROUP]; 2] };

    /// Takes sixteen rows apart.
    pub fn new(rows: &[Row; INNER], style: Style) -> Self {
        let mut face = Self::ZERO;
        #[cfg(target_arch = "x86_64")]
        if super::avx2::take_apart_face(&mut face, rows, style) {
            return face;
        }
        face.take_apart(rows, style);
        face
    }

    /// The same in place, for whatever vectors its caller is compiled for.
    #[inline(always)]
    pub(super) fn take_apart(&mut self, rows: &[Row; INNER], style: Style) {
        let mask = style.mask();
        for k in 0..GROUP {
            for c in 0..COLS {
                let (x, y) = (rows[k][c] & mask, rows[k + GROUP][c] & mask);
                self.exponents[k][c] = pair(exponent(x), exponent(y));
                let slice = |low| pair(signed(x, slice_a(x, low)), signed(y, slice_a(y, low)));
                self.slices[0][k][c] = slice(false);
                self.slices[1][k][c] = slice(true);
            }
        }
    }
}

/// Rows of SrcB: `[row][k]`, of pairs (k, k + 8). Slices are doubled.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct BlockB {
    /// Exponents.
    pub exponents: [[u32; GROUP]; BLOCK_ROWS],
    /// High slices, low slices.
    pub slices: [[[u32; GROUP]; BLOCK_ROWS]; 2],
    /// Whether a row has a number other than zero.
    pub live: [bool; BLOCK_ROWS],
}

impl BlockB {
    const ZERO: Self = Self {
        exponents: [[0; GROUP]; BLOCK_ROWS],
        slices: [[[0; GROUP]; BLOCK_ROWS]; 2],
        live: [false; BLOCK_ROWS],
    };

    /// Takes eight rows apart.
    pub fn new(rows: &[Row; BLOCK_ROWS], style: Style) -> Self {
        let mut block = Self::ZERO;
        #[cfg(target_arch = "x86_64")]
        if super::avx2::take_apart_block(&mut block, rows, style) {
            return block;
        }
        block.take_apart(rows, style);
        block
    }

    /// The same in place, for whatever vectors its caller is compiled for.
    #[inline(always)]
    pub(super) fn take_apart(&mut self, rows: &[Row; BLOCK_ROWS], style: Style) {
        for (r, row) in rows.iter().enumerate() {
            let row = row.map(|x| x & style.mask());
            for k in 0..GROUP {
                let (x, y) = (row[k], row[k + GROUP]);
                self.exponents[r][k] = pair(exponent(x), exponent(y));
                let slice = |low| pair(2 * signed(x, slice_b(x, low)), 2 * signed(y, slice_b(y, low)));
                self.slices[0][r][k] = slice(false);
                self.slices[1][r][k] = slice(true);
            }
            self.live[r] = row.iter().any(|&x| x & 0x7F80_0000 != 0);
        }
    }
}

/// Parts of rows, and of which state of the bank they are.
struct Kept<T> {
    generation: u64,
    style: Option<Style>,
    parts: T,
}

impl<T> Kept<T> {
    const fn nothing(parts: T) -> Self {
        Self { generation: 0, style: None, parts }
    }

    #[inline]
    fn get(&mut self, generation: u64, style: Style, make: impl FnOnce() -> T) -> &T {
        if self.generation != generation || self.style != Some(style) {
            (self.generation, self.style, self.parts) = (generation, Some(style), make());
        }
        &self.parts
    }
}

/// The parts of both registers' datums, made when they are first used.
pub struct Operands {
    a: Box<[[Kept<FaceA>; ROWS / INNER]; 2]>,
    b: Box<[[Kept<BlockB>; ROWS / BLOCK_ROWS]; 2]>,
}

impl Default for Operands {
    fn default() -> Self {
        Self {
            a: Box::new([const { [const { Kept::nothing(FaceA::ZERO) }; ROWS / INNER] }; 2]),
            b: Box::new([const { [const { Kept::nothing(BlockB::ZERO) }; ROWS / BLOCK_ROWS] }; 2]),
        }
    }
}

impl Operands {
    /// Sixteen rows of SrcA from `row` on, a multiple of sixteen, and eight of SrcB, a multiple of eight.
    #[inline]
    pub fn get(
        &mut self,
        src_a: (&SrcBanks, usize, Style),
        src_b: (&SrcBanks, usize, Style),
    ) -> (&FaceA, &BlockB) {
        let (bank, row, style) = src_a;
        let face = self.a[bank.matrix_bank][row / INNER].get(bank.generation(), style, || {
            FaceA::new(bank.matrix()[row..row + INNER].try_into().expect("sixteen rows"), style)
        });
        let (bank, row, style) = src_b;
        let block = self.b[bank.matrix_bank][row / BLOCK_ROWS].get(bank.generation(), style, || {
            BlockB::new(bank.matrix()[row..row + BLOCK_ROWS].try_into().expect("eight rows"), style)
        });
        (face, block)
    }
}
