//! BRISC: the list of entries, and their keys, values and mask from DRAM to L1 over NoC 0, several of them on their way at any time.

use super::{Places, units};
use crate::rt::l1::{L1, Word};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::{Noc, Pieces};
use crate::rt::sync::{WEIGHTS_FREE, WEIGHTS_READY};
use tt_kernel_abi::attention_rows::{
    AttentionRowsParams, Kind, MASK_ROW, STAGE, STAGE_ROW, STAGE_TILES, Unit,
};
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::{DramAddr, TensorView};

/// Entries on their way, each with a transaction id of its own, from 1 on.
const IN_FLIGHT: u32 = 4;
/// Two elements of a mask that are minus infinity.
const BOTH_MASKED: u32 = 0xFC00_FC00;

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionRowsParams) {
    let places = Places { launch, params };
    let mut stream = Stream { places, noc: Noc::new(0), asked: 0, ready: 0 };
    for unit in units(launch, params) {
        launch.progress(stream.asked);
        stream.bring(&unit);
    }
    stream.noc.set_read_id(0);
}

/// Entries on their way from DRAM.
struct Stream<'a> {
    places: Places<'a>,
    noc: Noc,
    /// Entries of all units that have been asked for, and that are there.
    asked: u32,
    ready: u32,
}

impl<'a> Stream<'a> {
    /// Brings a unit's entries: once for all heads where they all have room, or else once for its only head.
    #[inline(never)]
    fn bring(&mut self, unit: &Unit) {
        let has_mask = self.mask().ne[0] != 0;
        for tile in 0..self.places.params.tiles {
            if has_mask && tile % STAGE_TILES == 0 {
                self.stage(unit, tile);
            }
            self.publish(IN_FLIGHT);
            let kind = if has_mask { self.kind(unit, tile) } else { Some(Kind::Plain) };
            if let Some(kind) = kind {
                self.ask(unit, tile, kind);
            }
        }
        self.begin(Kind::End);
        self.asked += 1;
        self.publish(0);
    }

    fn mask(&self) -> &'a TensorView {
        &self.places.launch.op.more[1]
    }

    /// Address of the mask of a unit's first token and tile `tile` of positions.
    fn mask_address(&self, unit: &Unit, tile: u32) -> u64 {
        let mask = self.mask();
        mask.addr
            + u64::from(tile * MASK_ROW)
            + u64::from(unit.token) * mask.nb[1]
            + u64::from(unit.batch % mask.ne[3]) * mask.nb[3]
    }

    /// Brings the mask of the tiles from `tile` on, for [`kind`](Self::kind).
    #[inline(never)]
    fn stage(&mut self, unit: &Unit, tile: u32) {
        // Nobody waits for reads that are under way while this one is waited for.
        self.publish(0);
        let bytes = STAGE_ROW.min((self.places.params.tiles - tile) * MASK_ROW);
        let at = self.mask_address(unit, tile);
        let pieces = Pieces { count: unit.tokens, stride: self.mask().nb[1], bytes, pitch: STAGE_ROW };
        self.noc.set_read_id(0);
        self.noc.read_pieces(DramAddr(at), &pieces, self.staged());
        self.noc.wait_reads();
    }

    fn staged(&self) -> L1<'a> {
        self.places.launch.l1(STAGE, TILE * STAGE_ROW)
    }

    /// What a tile of positions is; `None` if all of it is masked.
    #[inline(never)]
    fn kind(&self, unit: &Unit, tile: u32) -> Option<Kind> {
        const ROW: usize = STAGE_ROW as usize / 4;
        const WORDS: usize = MASK_ROW as usize / 4;
        let staged = self.staged().part(0, unit.tokens * STAGE_ROW).words();
        let first = (tile % STAGE_TILES) as usize * WORDS;
        let rows = || staged.as_chunks::<ROW>().0.iter().map(|row| &row[first..first + WORDS]);
        match staged[first].load() {
            0 if rows().all(is_zero) => Some(Kind::Plain),
            BOTH_MASKED if rows().all(is_masked) => None,
            _ => Some(Kind::Masked),
        }
    }

    /// Asks for a tile of positions.
    #[inline(never)]
    fn ask(&mut self, unit: &Unit, tile: u32, kind: Kind) {
        self.begin(kind);
        let (op, entry, params) = (self.places.launch.op, self.asked, self.places.params);
        self.rows(unit, &op.src1, [tile, 0], params.key_bytes(), self.places.keys(entry));
        let of_part = unit.part * params.value_bytes();
        self.rows(unit, &op.more[0], [tile, of_part], params.value_bytes(), self.places.values(entry));
        if kind == Kind::Masked {
            let (at, stride) = (self.mask_address(unit, tile), self.mask().nb[1]);
            let pieces = Pieces { count: unit.tokens, stride, bytes: MASK_ROW, pitch: MASK_ROW };
            let to = self.places.mask(entry);
            self.noc.read_pieces(DramAddr(at), &pieces, to);
            // Missing tokens are the last one once more: the unpacker takes whole tiles.
            let at = at + u64::from(unit.tokens - 1) * stride;
            let pieces = Pieces { count: TILE - unit.tokens, stride: 0, ..pieces };
            self.noc.read_pieces(DramAddr(at), &pieces, to.skip(unit.tokens * MASK_ROW));
        }
        self.asked += 1;
    }

    /// Begins an entry: waits for its slot, and for its transaction id.
    fn begin(&mut self, kind: Kind) {
        self.publish(IN_FLIGHT - 1);
        if let Some(before) = (self.asked + 1).checked_sub(self.places.params.slots)
            && !WEIGHTS_FREE.has_reached(before)
        {
            self.publish(0);
            WEIGHTS_FREE.wait(before);
        }
        self.places.entry(self.asked).store(kind as u32);
        self.noc.set_read_id(1 + self.asked % IN_FLIGHT);
    }

    /// Asks for `bytes` of the rows of a tile of positions of a cache, from byte `first` of a row on.
    fn rows(&mut self, unit: &Unit, cache: &TensorView, [tile, first]: [u32; 2], bytes: u32, to: L1) {
        let at = cache.addr
            + u64::from(first)
            + u64::from(tile * TILE) * cache.nb[1]
            + u64::from(unit.kv_head) * cache.nb[2]
            + u64::from(unit.batch) * cache.nb[3];
        let pieces = Pieces { count: TILE, stride: cache.nb[1], bytes, pitch: bytes };
        self.noc.read_pieces(DramAddr(at), &pieces, to);
    }

    /// Publishes entries that are there, and waits for others until no more than `most` are on their way.
    #[inline(never)]
    fn publish(&mut self, most: u32) {
        while self.ready < self.asked {
            let id = 1 + self.ready % IN_FLIGHT;
            if self.asked - self.ready > most {
                self.noc.wait_read_id(id);
            } else if !self.noc.has_read_id(id) {
                return;
            }
            self.ready += 1;
            WEIGHTS_READY.publish(self.ready);
        }
    }
}

/// Words that are loaded before the first one is looked at: a load's result is there eight clocks later.
const AT_ONCE: usize = 8;

/// All bits that are set in one of the words, which have been changed by `f`.
#[inline(always)]
fn bits(words: &[Word], f: impl Fn(u32) -> u32) -> u32 {
    let loaded = words.as_chunks::<AT_ONCE>().0.iter().map(|chunk| chunk.each_ref().map(|word| word.load()));
    loaded.fold(0, |sum, chunk| chunk.into_iter().fold(sum, |sum, word| sum | f(word)))
}

/// Whether nothing is masked in a row of a tile of the mask.
#[inline(always)]
fn is_zero(words: &[Word]) -> bool {
    bits(words, |word| word) == 0
}

/// Whether everything is.
#[inline(always)]
fn is_masked(words: &[Word]) -> bool {
    bits(words, |word| word ^ BOTH_MASKED) == 0
}

const _: () = assert!((MASK_ROW as usize / 4).is_multiple_of(AT_ONCE));
