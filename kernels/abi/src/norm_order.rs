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
    pub const fn offsets(&self, group: u32) -> (u32, u32) {
        let order = OrderParams { k_tiles: self.k / TILE, row_tiles: self.rows.div_ceil(TILE) };
        let row_tile = group / GROUPS;
        let first = order.offset(row_tile, 0);
        (first + group % GROUPS * GROUP_BYTES, order.offset(row_tile, 1) - first)
    }

    /// What is done with halves of Dst, of groups `first` to `first + count`.
    pub const fn items(&self, first: u32, count: u32) -> Items {
        let next = Item {
            number: 0,
            result: 0,
            unit: 0,
            group: first,
            rows: self.rows_of(first),
            row: 0,
            first: 0,
            len: 0,
            ends: false,
        };
        Items { params: *self, next, strip: 0, end: first + count }
    }
}

/// What is done with a half of Dst.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item {
    /// Counted over all that the tile works on.
    pub number: u32,
    /// The same of strips.
    pub result: u32,
    /// The same of groups.
    pub unit: u32,
    /// Group of rows.
    pub group: u32,
    /// Rows of it that exist.
    pub rows: u32,
    /// Row of the group of which it is a segment.
    pub row: u32,
    /// First element of a row.
    pub first: u32,
    /// Elements of a row.
    pub len: u32,
    /// The last one of the row, or of the group.
    pub ends: bool,
}

impl Item {
    /// Whether it is a strip of the whole group: all factors are known.
    pub const fn is_strip(&self) -> bool {
        self.row == self.rows
    }
}

/// The items of some groups, in the order in which every core of a tile takes them.
///
/// Tiles begin with different strips: all are at the same place of their groups at the same time, and what is one behind the other in memory is in few banks.
#[derive(Clone, Debug)]
pub struct Items {
    params: NormOrderParams,
    next: Item,
    /// Strips of the group that have been.
    strip: u32,
    end: u32,
}

impl Items {
    fn segment(&mut self) -> Item {
        let Item { first, .. } = self.next;
        let len = SEGMENT.min(self.params.k - first);
        let ends = first + len == self.params.k;
        let item = Item { len, ends, ..self.next };
        self.next.first = if ends { 0 } else { first + len };
        self.next.row += u32::from(ends);
        item
    }

    fn strip(&mut self) -> Item {
        let k = self.params.k;
        let strips = k.div_ceil(WIDTH);
        let first = (self.strip + self.next.group) % strips * WIDTH;
        self.strip += 1;
        let ends = self.strip == strips;
        let item = Item { first, len: WIDTH.min(k - first), ends, ..self.next };
        self.next.result += 1;
        if ends {
            self.strip = 0;
            let group = item.group + 1;
            self.next = Item {
                unit: item.unit + 1,
                group,
                rows: self.params.rows_of(group),
                row: 0,
                first: 0,
                ..self.next
            };
        }
        item
    }
}

impl Iterator for Items {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.next.group == self.end {
            return None;
        }
        let item = if self.next.is_strip() { self.strip() } else { self.segment() };
        self.next.number += 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(k: u32, rows: u32) -> NormOrderParams {
        NormOrderParams { k, rows, eps: 0.0, factor: 0.0 }
    }

    #[test]
    fn segments_come_before_strips_and_both_cover_a_group() {
        for (k, rows) in [(64, 40), (2112, 9), (4096, 33)] {
            let params = params(k, rows);
            let (first, count) = (1, params.groups() - 1);
            let items: Vec<Item> = params.items(first, count).collect();
            assert!(items.iter().enumerate().all(|(at, item)| item.number == at as u32));
            let strips = items.iter().filter(|item| item.is_strip());
            assert!(strips.enumerate().all(|(at, item)| item.result == at as u32));
            let mut rest = &items[..];
            for (unit, group) in (first..first + count).enumerate() {
                let of = rest.iter().take_while(|item| item.group == group).count();
                let (group_items, others) = rest.split_at(of);
                rest = others;
                assert!(group_items.iter().all(|item| item.unit == unit as u32));
                let (segments, strips): (Vec<_>, Vec<_>) =
                    group_items.iter().partition(|item| !item.is_strip());
                assert!(
                    segments.len() + strips.len() == of
                        && group_items[segments.len()..].iter().all(Item::is_strip)
                );
                let exist = rows.saturating_sub(group * ROW_GROUP).min(ROW_GROUP);
                let elements: u32 = segments.iter().map(|item| item.len).sum();
                assert_eq!((elements, strips.last().map(|item| item.ends)), (exist * k, Some(true)));
                let mut seen: Vec<_> =
                    strips.iter().flat_map(|item| item.first..item.first + item.len).collect();
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..k));
            }
            assert!(rest.is_empty());
        }
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
