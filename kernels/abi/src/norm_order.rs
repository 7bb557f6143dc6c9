//! What host and device must agree on for `RMS_NORM` of rows, times weights, whose result is what products in blocks multiply with ([`crate::matmul_block`]): parameters,
//! work split, places in L1. The result is bit for bit what [`crate::order`] makes of the norm's rows.
//!
//! A group of eight rows is what a packer packs of a tile, and a unit of work: its rows stay in L1 whole and are brought to Dst twice. First each by itself, in segments as a norm of rows
//! has them ([`crate::sfpu::rows`]), for its factor; then all eight together with the weights, in strips of K, for the result.
//!
//! ```text
//! half of Dst:   segment of a row            strip: 8 rows, weights
//! end of Dst:                                factors of the 8 rows
//! ```

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::l1::{HEAP, HEAP_END};
use crate::matmul::{GROUPS, ROW_GROUP, TILE};
use crate::matmul_block::ACT_TILE_BYTES;
use crate::order::OrderParams;
use crate::sfpu::rows::{HALF_ROWS, SEGMENT};
use crate::target::{CONGRUENCE, offset};
use tt_isa::format::{DST_ROWS_32, FACE_DIM};

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct NormOrderParams {
    /// Elements of a row.
    pub k: u32,
    /// Rows.
    pub rows: u32,
    /// What keeps the divisor from zero.
    pub eps: f32,
    /// 1 / elements of a row.
    pub factor: f32,
}

/// Elements of a row in a strip, at most.
pub const WIDTH: u32 = 256;
/// Rows of Dst that a strip has of a row.
pub const WIDTH_ROWS: u32 = WIDTH / FACE_DIM as u32;
/// Row of a half of Dst where the strip's weights begin.
pub const WEIGHTS_ROW: u32 = ROW_GROUP * WIDTH_ROWS;
/// Row of Dst (not of a half) where the factors begin: a vector register each, which two rows' distance of addresses is between.
pub const FACTORS_ROW: u32 = DST_ROWS_32 as u32 - 2 * ROW_GROUP;
/// Bytes that a group of rows has of a tile.
pub const GROUP_BYTES: u32 = ACT_TILE_BYTES / GROUPS;
/// Elements of a row are a multiple of this: whole vector registers, and packers have something to pack.
pub const K_STEP: u32 = 2 * TILE;

/// Strips of the result that L1 holds at once.
pub const OUT_SLOTS: u32 = 8;
/// Bytes of one.
pub const OUT_SLOT: u32 = WIDTH / TILE * GROUP_BYTES;
/// Units whose rows L1 holds at once.
pub const UNITS: u32 = 2;

const OUT: u32 = HEAP;
/// Where the strip of a row that does not exist is.
const ZEROS: u32 = OUT + OUT_SLOTS * OUT_SLOT;
/// Bytes of it.
pub const ZERO_BYTES: u32 = 4 * WIDTH;
const WEIGHTS: u32 = ZEROS + ZERO_BYTES;

const _: () = {
    assert!((ZEROS | WEIGHTS).is_multiple_of(CONGRUENCE) && SEGMENT.is_multiple_of(K_STEP));
    // What halves hold does not reach the factors.
    assert!(WEIGHTS_ROW + WIDTH_ROWS <= HALF_ROWS && SEGMENT / FACE_DIM as u32 <= HALF_ROWS);
    assert!(HALF_ROWS + WEIGHTS_ROW + WIDTH_ROWS <= FACTORS_ROW);
    assert!(HALF_ROWS + SEGMENT / FACE_DIM as u32 <= FACTORS_ROW);
};

/// Bytes of a row in L1, and what its address is off modulo [`CONGRUENCE`].
const fn row_room(k: u32) -> u32 {
    (4 * k).next_multiple_of(CONGRUENCE) + CONGRUENCE
}

/// Whether L1 has room for rows of `k` elements.
pub const fn fits(k: u32) -> bool {
    k <= HEAP_END && WEIGHTS + (1 + UNITS * ROW_GROUP) * row_room(k) <= HEAP_END
}

/// Where strip `number` of the result is in L1.
pub const fn result(number: u32) -> u32 {
    OUT + number % OUT_SLOTS * OUT_SLOT
}

/// Where zeros are.
pub const fn zeros() -> u32 {
    ZEROS
}

/// Where the weights come in, whose address in DRAM is `addr`.
pub const fn weights(addr: u64) -> u32 {
    WEIGHTS + offset(addr)
}

impl NormOrderParams {
    /// Groups of rows: all that tiles of rows have.
    pub const fn groups(&self) -> u32 {
        self.rows.div_ceil(TILE) * GROUPS
    }

    /// Rows of a group that exist.
    pub const fn rows_of(&self, group: u32) -> u32 {
        let left = self.rows.saturating_sub(group * ROW_GROUP);
        if left < ROW_GROUP { left } else { ROW_GROUP }
    }

    /// Where row `row` of a tile's unit `unit` comes in; `addr` is an address in DRAM of any row: all are as far from a line of the NoC.
    pub const fn row(&self, unit: u32, row: u32, addr: u64) -> u32 {
        WEIGHTS + (1 + unit % UNITS * ROW_GROUP + row) * row_room(self.k) + offset(addr)
    }

    /// Offset in bytes of what a group has of the first tile of K, and from there to what it has of the next one.
    #[inline(never)]
    pub const fn offsets(&self, group: u32) -> (u32, u32) {
        let order = OrderParams { k_tiles: self.k / TILE, row_tiles: self.rows.div_ceil(TILE) };
        let row_tile = group / GROUPS;
        let first = order.offset(row_tile, 0);
        (first + group % GROUPS * GROUP_BYTES, order.offset(row_tile, 1) - first)
    }

    /// How many segments a row has: every core of a tile takes those of a group's rows, one row after the other, then the group's strips.
    pub const fn segments(&self) -> u32 {
        self.k.div_ceil(SEGMENT)
    }

    /// First element and number of elements of segment `number` of a row.
    pub const fn segment(&self, number: u32) -> (u32, u32) {
        piece(self.k, number * SEGMENT, SEGMENT)
    }

    /// How many strips a group has.
    pub const fn strips(&self) -> u32 {
        self.k.div_ceil(WIDTH)
    }

    /// First element and number of elements of a row of strip `number` of a group. Groups begin with different ones: all tiles are at the same place of their groups at the same time,
    /// and what is one behind the other in memory is in few banks.
    pub const fn strip(&self, group: u32, number: u32) -> (u32, u32) {
        piece(self.k, (number + group) % self.strips() * WIDTH, WIDTH)
    }
}

/// A piece of a row of `k` elements from `first` on: that, and its length, `most` elements or what there is.
const fn piece(k: u32, first: u32, most: u32) -> (u32, u32) {
    let left = k - first;
    (first, if left < most { left } else { most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(k: u32, rows: u32) -> NormOrderParams {
        NormOrderParams { k, rows, eps: 0.0, factor: 0.0 }
    }

    #[test]
    fn segments_and_strips_cover_a_row() {
        for k in [64, 2112, 4096] {
            let params = params(k, 40);
            let segments: Vec<_> = (0..params.segments()).map(|number| params.segment(number)).collect();
            let elements = |of: &[(u32, u32)]| -> Vec<u32> {
                let mut all: Vec<u32> = of.iter().flat_map(|&(first, len)| first..first + len).collect();
                all.sort_unstable();
                all
            };
            assert!(elements(&segments).into_iter().eq(0..k));
            assert!(segments.iter().all(|(_, len)| *len <= SEGMENT));
            for group in 0..params.groups() {
                let strips: Vec<_> = (0..params.strips()).map(|number| params.strip(group, number)).collect();
                assert!(elements(&strips).into_iter().eq(0..k));
                assert!(strips.iter().all(|(_, len)| *len <= WIDTH && len.is_multiple_of(K_STEP)));
            }
        }
    }

    #[test]
    fn groups_that_are_not_full() {
        let params = params(64, 42);
        let rows: Vec<u32> = (0..params.groups()).map(|group| params.rows_of(group)).collect();
        assert_eq!(rows, [8, 8, 8, 8, 8, 2, 0, 0]);
    }

    #[test]
    fn groups_have_places_of_their_own() {
        let params = params(192, 330);
        let of = |group| {
            let (first, step) = params.offsets(group);
            (0..6).map(move |k| first + k * step)
        };
        let mut places: Vec<u32> = (0..params.groups()).flat_map(of).collect();
        places.sort_unstable();
        assert!(places.into_iter().eq((0..params.groups() * 6).map(|place| place * GROUP_BYTES)));
    }

    #[test]
    fn rows_of_large_models_fit() {
        assert!([2048, 4096, 8192, 16384].into_iter().all(fits) && !fits(1 << 15) && !fits(u32::MAX));
    }
}
