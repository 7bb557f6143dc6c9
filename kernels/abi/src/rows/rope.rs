//! Rotary positions: pairs of elements are rotated; src1 = positions, `more[0]` = frequency factors, `more[1]` = rows of a cache.
//!
//! Cosines and sines depend on token and pair alone. A descriptor with [`Rope::TABLE`] writes them down for all tokens, and those with
//! [`Rope::PREPARED`], of every layer, for queries and keys, read them: on lanes as integers, on the vector unit as FP32 ([`Rope::FLOATS`]).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Longest row that can be rotated.
pub const MAX_ROPE: u32 = 4096;

/// Pairs of a part of a table's row: a token's are few, and each takes a core hundreds of clocks.
pub const TABLE_PAIRS: u32 = 4;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RopeParams {
    /// Rows; of a table, parts of rows.
    pub rows: u32,
    /// Heads, side by side, that a row has: all are rotated by the token's row of the table. One, unless the vector unit rotates them.
    pub heads: u32,
    /// How.
    pub rope: Rope,
}

/// How pairs of elements are rotated (ggml `ROPE`).
#[derive(Clone, Copy, PartialEq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rope {
    /// First rotated element.
    pub offset: u32,
    /// Distance of a pair's elements; 1: neighbours.
    pub distance: u32,
    /// Pairs.
    pub pairs: u32,
    /// Flags: [`Rope::MULTI`], [`Rope::INTERLEAVED`], [`Rope::INDEPENDENT`].
    pub flags: u32,
    /// Pairs of each position id.
    pub sections: [u32; 4],
    /// Factor from one pair's angle to the next.
    pub theta_scale: f32,
    /// Interpolation factor of angles.
    pub freq_scale: f32,
    /// YaRN's weight of extrapolation; 0: none.
    pub ext_factor: f32,
    /// Factor of the result.
    pub mscale: f32,
    /// YaRN's pairs between which extrapolation fades out.
    pub corr: [f32; 2],
    /// 1, or -1 to rotate backwards.
    pub sin_sign: f32,
}

impl Rope {
    /// Four position ids for each token.
    pub const MULTI: u32 = 1;
    /// Position ids alternate from pair to pair.
    pub const INTERLEAVED: u32 = 2;
    /// Angles start anew in every section.
    pub const INDEPENDENT: u32 = 4;
    /// dst is a table, which is made.
    pub const TABLE: u32 = 8;
    /// src1 is a table.
    pub const PREPARED: u32 = 16;
    /// A table is one of FP32 for the vector unit, in the order of a row's elements: each pair's cosine in the place of its first element, its sine in
    /// that of the second one.
    pub const FLOATS: u32 = 32;

    /// Elements (I32) of a token's row of a table: mantissas of each pair's cosine and sine, and the exponent of them all.
    pub const fn table_row(&self) -> u32 {
        2 * self.pairs + 1
    }

    /// Whether the pairs of a row of `ne0` elements are neighbours from its beginning on, or its halves: what the vector unit rotates.
    pub const fn fills_registers(&self, ne0: u32) -> bool {
        self.offset == 0
            && match self.distance {
                1 => 2 * self.pairs <= ne0,
                distance => distance == self.pairs && 2 * self.pairs == ne0,
            }
    }

    /// Parts of a token's row of a table, each the work of a lane: [`TABLE_PAIRS`] pairs.
    pub const fn table_parts(&self) -> u32 {
        self.pairs.div_ceil(TABLE_PAIRS)
    }
}
