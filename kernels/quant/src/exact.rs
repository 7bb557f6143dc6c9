//! Weights without a second rounding: the integers of a quantised type as the matrix unit takes them, and beside them the scales of its blocks.
//!
//! A matrix of K x N is a stream, n-tile by n-tile (32 columns of the result each), as matrices of tiles are. The stream of an n-tile is cut into
//! **groups** of [`GROUP_TILES`] k-tiles, 256 elements of K, which is a super-block of the K-quants; only the last group may have fewer. A group is
//!
//! ```text
//! integers   1024 bytes a k-tile: the bytes of a BFP8_b tile (sign, seven bits of magnitude) in its order, without its exponents; zero has no sign
//! words      one of each of the 8 k-tiles and 32 columns, what Kind says; zeros for k-tiles that the last group has not. They are in cells of 32 bits, row
//!            by row of 16 cells (Kind::place): row 8 b + 4 h + i has the 16 columns of half h and k-tile 4 b + i, and if words are shorter, above it what
//!            would be so many rows further on as there are. So four rows are four k-tiles of the same columns, what a register of the vector unit takes.
//! outer      32 FP32 for each of Kind::outer: factors of all that the group's words stand for
//! ```
//!
//! The unpacker is told one exponent for all integers, so that magnitude 1 is 1.0. What a column's product is:
//!
//! | [`Kind`] | of a k-tile, with `p` the product of its integers, `p0`, `p1` of its first and second 16 elements, `s`, `s0`, `s1` the sums of the activations |
//! |---|---|
//! | [`Scale`](Kind::Scale) | `word * p` |
//! | [`ScaleMin`](Kind::ScaleMin) | `low * p + high * s` |
//! | [`TwoScales`](Kind::TwoScales) | `low * p0 + high * p1` |
//! | [`SuperMin`](Kind::SuperMin) | `outer0 * (byte0 * p) + outer1 * (byte1 * s)` |
//! | [`SuperTwo`](Kind::SuperTwo) | `outer0 * (byte0 * p0 + byte1 * p1)` |
//! | [`SuperFour`](Kind::SuperFour) | `outer0 * p + outer1 * (low nibble * s0 + high nibble * s1)` |
//!
//! [`parts`] takes blocks apart into these and says why nothing is rounded; [`value`] puts them together again.

pub mod parts;

use crate::ggml_type::GgmlType;

/// k-tiles of a group.
pub const GROUP_TILES: usize = 8;
/// k-tiles whose words follow one another, a row each.
pub const REGISTER_TILES: usize = 4;
/// Bytes of a k-tile's integers.
pub const INTEGER_BYTES: usize = 1024;
/// Columns of an n-tile.
pub const COLUMNS: usize = 32;
/// Cells of a row.
pub const CELLS: usize = 16;
/// The largest magnitude of an integer.
pub const LARGEST: u8 = 127;

/// What the words of a group are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// FP32: the scale of 32 elements.
    Scale,
    /// Two F16 ([`half`]), scale and what is added: low and high half, the type's own bits.
    ScaleMin,
    /// Two F16 ([`half`]), scales of 16 elements each.
    TwoScales,
    /// Two unsigned bytes: factor of the scale, factor of the minimum.
    SuperMin,
    /// Two signed bytes, factors of the scale for 16 elements each.
    SuperTwo,
    /// One byte, two factors of four bits of the minimum, for 16 elements each: the low four bits are the first ones'. Factors of the scale are in the integers.
    SuperFour,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Scale, Self::ScaleMin, Self::TwoScales, Self::SuperMin, Self::SuperTwo, Self::SuperFour];

    /// The kind of a type; `None` if a type's values are not integers of seven bits times scales.
    pub const fn of(ty: GgmlType) -> Option<Self> {
        use GgmlType::*;
        Some(match ty {
            Q4_0 | Q5_0 | Q8_0 | IQ4_NL | MXFP4 => Self::Scale,
            Q4_1 | Q5_1 => Self::ScaleMin,
            NVFP4 => Self::TwoScales,
            Q4_K | Q5_K => Self::SuperMin,
            Q3_K | Q6_K | IQ4_XS => Self::SuperTwo,
            Q2_K => Self::SuperFour,
            _ => return None,
        })
    }

    /// Bytes of the word of a k-tile and a column.
    pub const fn word_bytes(self) -> usize {
        match self {
            Self::Scale | Self::ScaleMin | Self::TwoScales => 4,
            Self::SuperMin | Self::SuperTwo => 2,
            Self::SuperFour => 1,
        }
    }

    /// Rows of cells that a group's words are in.
    pub const fn word_rows(self) -> usize {
        GROUP_TILES * COLUMNS / CELLS * self.word_bytes() / 4
    }

    /// Where the word of a k-tile and a column is: its cell, and which of the cell's words, from the low bits up.
    pub const fn place(self, tile: usize, column: usize) -> (usize, usize) {
        let halves = COLUMNS / CELLS;
        let row = (tile / REGISTER_TILES * halves + column / CELLS) * REGISTER_TILES + tile % REGISTER_TILES;
        (row % self.word_rows() * CELLS + column % CELLS, row / self.word_rows())
    }

    /// FP32 of a group and a column.
    pub const fn outer(self) -> usize {
        match self {
            Self::Scale | Self::ScaleMin | Self::TwoScales => 0,
            Self::SuperTwo => 1,
            Self::SuperMin | Self::SuperFour => 2,
        }
    }

    /// Bytes of a group of `tiles` k-tiles.
    pub const fn group_bytes(self, tiles: usize) -> usize {
        let words = GROUP_TILES * COLUMNS * self.word_bytes();
        tiles * INTEGER_BYTES + words + COLUMNS * 4 * self.outer()
    }

    /// Bytes of an n-tile.
    pub const fn column_bytes(self, k_tiles: usize) -> usize {
        let (whole, rest) = (k_tiles / GROUP_TILES, k_tiles % GROUP_TILES);
        whole * self.group_bytes(GROUP_TILES) + if rest > 0 { self.group_bytes(rest) } else { 0 }
    }
}

/// What multiplies the integers of a column in a group.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Factors {
    /// A word of each k-tile, in the low bits where words are shorter than 32.
    pub words: [u32; GROUP_TILES],
    /// Outer factors; those that a kind has not are 0.
    pub outer: [f32; 2],
}

/// The number that half a word is, computed as the vector unit can do it. Denormal halves are the numbers that they are to ggml; but the vector unit
/// takes denormal FP32 for zero, so none may occur on the way. Moving the fields to their places in FP32 makes a denormal `x` the number
/// `y = x / 2 + 2^-15`, and `2 y - 2^-14` is `x` again; normal numbers are less than that, so the smaller of both is right for all.
/// Exponent field 31 is that of numbers from 2^16 to 2^17: there are neither infinities nor NaNs.
pub fn half(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let number = f32::from_bits((u32::from(half & 0x7FFF) << 13) + ((127 - 15) << 23));
    let denormal = 2.0 * number - SMALLEST_NORMAL_HALF;
    let magnitude = if number < denormal { number } else { denormal };
    f32::from_bits(magnitude.to_bits() | sign)
}

/// 2^-14
const SMALLEST_NORMAL_HALF: f32 = f32::from_bits((127 - 14) << 23);

/// The value of element `k` of a group's column, with its integer as a datum: bit for bit ggml's `to_float` ([`parts`]). Every product is exact, the sum is
/// rounded once.
pub fn value(kind: Kind, factors: &Factors, k: usize, datum: u8) -> f32 {
    let magnitude = f32::from(datum & LARGEST);
    let integer = if datum > LARGEST { -magnitude } else { magnitude };
    let (word, [outer0, outer1], second) = (factors.words[k / 32], factors.outer, k % 32 / 16);
    let halves = [word as u16, (word >> 16) as u16].map(half);
    let bytes = [word as u8, (word >> 8) as u8];
    match kind {
        Kind::Scale => f32::from_bits(word) * integer,
        Kind::ScaleMin => halves[0] * integer + halves[1],
        Kind::TwoScales => halves[second] * integer,
        Kind::SuperMin => outer0 * f32::from(bytes[0]) * integer + outer1 * f32::from(bytes[1]),
        Kind::SuperTwo => outer0 * f32::from(bytes[second].cast_signed()) * integer,
        Kind::SuperFour => outer0 * integer + outer1 * f32::from(bytes[0] >> (4 * second) & 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_whole_groups_has_at_most_nine_bits() {
        for kind in Kind::ALL {
            let (bytes, weights) = (kind.column_bytes(GROUP_TILES), GROUP_TILES * INTEGER_BYTES);
            assert!(8 * bytes <= 9 * weights, "{kind:?}: {bytes} bytes");
            // What the NoC wants of addresses in DRAM.
            assert!(
                (1..=2 * GROUP_TILES).all(|tiles| kind.column_bytes(tiles).is_multiple_of(64)),
                "{kind:?}"
            );
        }
    }
}
