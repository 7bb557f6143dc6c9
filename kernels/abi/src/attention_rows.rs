//! Attention of many tokens (`FLASH_ATTN_EXT` of a prompt): how the work is cut, and where things are in L1.
//!
//! A **unit** is a tile of 32 tokens, some heads of queries that share a head of the cache, and some tiles of the values' elements. A tile of the grid walks along
//! the positions once for each of the unit's heads, [`BLOCK_TILES`] tiles of 32 positions at a time, with the largest score so far and the sum of powers (online
//! softmax). So scores are in Dst alone, and of any number of positions.
//!
//! Positions that are masked for all tokens of the tile are left out: what is walked along is a list of **entries** ([`Kind`]), which the core that reads the mask
//! makes. Entry n has slot n of a ring in L1 for keys, values and mask; where a unit has several heads, all its entries fit into the ring, and DRAM
//! is read once.
//!
//! Dst, in tiles of 64 rows: three of scores, one of what a row has come to ([`STATE`]), and up to four of sums of values ([`SUMS`]).
//!
//! With a causal mask the last tiles of tokens have the most positions. They come first, and cores take turns there and back.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::l1::{HEAP, HEAP_END};
use crate::matmul::{RESULT_ROWS, TILE};
use crate::numbered::numbered;
use crate::sfpu::BLOCK_BYTES;
use crate::target::CONGRUENCE;
use tt_isa::format::DST_ROWS_32;

/// Tiles of positions of a block, at most.
pub const BLOCK_TILES: u32 = 3;
/// First row of Dst of what rows have come to.
pub const STATE: u32 = BLOCK_TILES * RESULT_ROWS;
/// First row of Dst of sums of values.
pub const SUMS: u32 = DST_ROWS_32 as u32 / 2;
/// Tiles of values of a unit, at most.
pub const MAX_VALUE_TILES: u32 = (DST_ROWS_32 as u32 - SUMS) / RESULT_ROWS;

const _: () = assert!(STATE + RESULT_ROWS <= SUMS && MAX_VALUE_TILES == 4);

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AttentionRowsParams {
    /// Tiles of tokens, times `inner`.
    pub units: u32,
    /// Units of a tile of tokens: sequences, heads of the cache, groups of heads that share one, parts of the values' elements.
    pub inner: u32,
    /// Heads of queries of a unit.
    pub heads: u32,
    /// Groups of such heads that share a head of the cache.
    pub groups: u32,
    /// Heads of the cache.
    pub kv_heads: u32,
    /// Parts of the values' elements.
    pub parts: u32,
    /// Tokens.
    pub tokens: u32,
    /// Tiles of positions.
    pub tiles: u32,
    /// Tiles of a head's elements of keys, and of a part of those of values.
    pub key_tiles: u32,
    /// See above.
    pub value_tiles: u32,
    /// Factor of scores, FP32.
    pub scale: u32,
    /// Slots of the ring.
    pub slots: u32,
}

/// A unit's place in the work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    /// First token, and how many.
    pub token: u32,
    /// See above.
    pub tokens: u32,
    /// Head of the cache, and first head of queries.
    pub kv_head: u32,
    /// See above.
    pub head: u32,
    /// Part of the values' elements.
    pub part: u32,
    /// Sequence.
    pub batch: u32,
}

numbered! {
    /// What an entry is.
    Kind {
        /// A tile of positions in which nothing is masked.
        Plain,
        /// A tile of positions with a tile of the mask.
        Masked,
        /// The end of a unit's list.
        End,
    }
}

/// A tile that is one, as SrcB wants it: what a mask is multiplied with.
pub const IDENTITY: u32 = HEAP;
/// Entries, a word each.
pub const ENTRIES: u32 = IDENTITY + BLOCK_BYTES;
/// How many there are, and so slots at most.
pub const MAX_SLOTS: u32 = 256;
/// Powers of a block's scores.
pub const POWERS: u32 = ENTRIES + 4 * MAX_SLOTS;
/// Sums of values.
pub const OUT: u32 = POWERS + BLOCK_TILES * BLOCK_BYTES;
/// Tiles of positions whose mask is looked at together.
pub const STAGE_TILES: u32 = 16;
/// Bytes of a row of it.
pub const STAGE_ROW: u32 = STAGE_TILES * MASK_ROW;
/// Bytes of a row of a tile of the mask, F16.
pub const MASK_ROW: u32 = 2 * TILE;
/// Where it comes in.
pub const STAGE: u32 = OUT + MAX_VALUE_TILES * BLOCK_BYTES;
/// Queries of a head, tile by tile, as SrcB wants them; behind them those of two heads as they come.
pub const QUERIES: u32 = STAGE + TILE * STAGE_ROW;
/// Bytes of a tile of the mask.
pub const MASK_BYTES: u32 = TILE * MASK_ROW;
/// Slots that are enough where DRAM is read for each head: two blocks.
pub const FEW_SLOTS: u32 = 2 * BLOCK_TILES + 1;

const _: () =
    assert!((IDENTITY | ENTRIES | POWERS | OUT | STAGE | QUERIES | MASK_BYTES).is_multiple_of(CONGRUENCE));

impl AttentionRowsParams {
    /// The unit that is the `number`th of core `index` of `cores`, if there is one.
    pub const fn unit(&self, number: u32, index: u32, cores: u32) -> Option<Unit> {
        let turn = if number.is_multiple_of(2) { index } else { cores - 1 - index };
        let at = number * cores + turn;
        if at >= self.units {
            return None;
        }
        let token = (self.units / self.inner - 1 - at / self.inner) * TILE;
        let left = self.tokens - token;
        let (rest, part) = (at % self.inner / self.parts, at % self.parts);
        let (rest, group) = (rest / self.groups, rest % self.groups);
        let (batch, kv_head) = (rest / self.kv_heads, rest % self.kv_heads);
        let head = (kv_head * self.groups + group) * self.heads;
        Some(Unit { token, tokens: if left < TILE { left } else { TILE }, kv_head, head, part, batch })
    }

    /// Bytes of a position's keys, and of its values.
    pub const fn key_bytes(&self) -> u32 {
        self.key_tiles * 2 * TILE
    }

    /// See [`key_bytes`](Self::key_bytes).
    pub const fn value_bytes(&self) -> u32 {
        self.value_tiles * 2 * TILE
    }

    /// Bytes of a head's queries of a tile of tokens, FP32.
    pub const fn query_bytes(&self) -> u32 {
        self.key_tiles * BLOCK_BYTES
    }

    /// Bytes of a token's.
    pub const fn query_row(&self) -> u32 {
        self.query_bytes() / TILE
    }

    /// Where the queries of the core's `number`th head come in, a token's one behind the other.
    pub const fn queries_in(&self, number: u32) -> u32 {
        QUERIES + (1 + number % 2) * self.query_bytes()
    }

    /// Where the ring of slots begins.
    const fn ring(&self) -> u32 {
        QUERIES + 3 * self.query_bytes()
    }

    /// Bytes of a slot.
    pub const fn slot_bytes(&self) -> u32 {
        TILE * (self.key_bytes() + self.value_bytes()) + MASK_BYTES
    }

    /// Where the keys of entry `entry` are.
    pub const fn keys(&self, entry: u32) -> u32 {
        self.ring() + entry % self.slots * self.slot_bytes()
    }

    /// Where its values are.
    pub const fn values(&self, entry: u32) -> u32 {
        self.keys(entry) + TILE * self.key_bytes()
    }

    /// Where its tile of the mask is.
    pub const fn mask(&self, entry: u32) -> u32 {
        self.values(entry) + TILE * self.value_bytes()
    }

    /// Slots that L1 has room for.
    pub const fn room(&self) -> u32 {
        let slots = HEAP_END.saturating_sub(self.ring()) / self.slot_bytes();
        if slots < MAX_SLOTS { slots } else { MAX_SLOTS }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SMALL: AttentionRowsParams = AttentionRowsParams {
        units: 3 * 2 * 2 * 2 * 2,
        inner: 16,
        heads: 3,
        groups: 2,
        kv_heads: 2,
        parts: 2,
        tokens: 70,
        tiles: 4,
        key_tiles: 2,
        value_tiles: 3,
        scale: 0,
        slots: 7,
    };

    #[test]
    fn units_cover_everything_once() {
        let mut seen = BTreeSet::new();
        for index in 0..7 {
            for unit in (0..).map_while(|number| SMALL.unit(number, index, 7)) {
                assert_eq!(unit.head / 6, unit.kv_head);
                for token in unit.token..unit.token + unit.tokens {
                    for head in unit.head..unit.head + 3 {
                        assert!(seen.insert((token, head, unit.part, unit.batch)), "{unit:?}");
                    }
                }
            }
        }
        assert_eq!(seen.len(), 70 * 12 * 2 * 2);
        assert_eq!(SMALL.unit(0, 0, 7).unwrap().token, 64);
    }

    #[test]
    fn what_is_in_l1_does_not_overlap() {
        let params = AttentionRowsParams { slots: SMALL.room(), ..SMALL };
        assert!(params.slots > 64);
        assert!(params.keys(params.slots - 1) + params.slot_bytes() <= HEAP_END);
        let queries = [QUERIES, params.queries_in(0), params.queries_in(1)];
        let slot = [params.keys(0), params.values(0), params.mask(0), params.keys(1)];
        let places = [&queries[..], &slot].concat();
        assert!(places.is_sorted() && places.iter().all(|at| at.is_multiple_of(CONGRUENCE)));
        assert_eq!(params.queries_in(1) + params.query_bytes(), params.keys(0));
        assert_eq!(params.mask(0) + MASK_BYTES, params.keys(1));
    }
}
