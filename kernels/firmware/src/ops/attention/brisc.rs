//! BRISC: keys, mask and values from DRAM to L1 over NoC 0, in tiles of 32 positions, of which several are on their way at any time.

use super::{Places, units};
use crate::rt::l1::{L1, fill};
use crate::rt::launch::TileLaunch;
use crate::rt::mmio::order;
use crate::rt::noc::{Noc, Pieces};
use crate::rt::sync::{OUT_FREE, WEIGHTS_READY};
use tt_kernel_abi::attention::{AttentionParams, MASK_BYTES, Unit};
use tt_kernel_abi::matmul::TILE;
use tt_kernel_abi::target::offset;
use tt_kernel_abi::{DramAddr, TensorView};

/// Tiles on their way, each with a transaction id of its own, from 1 on.
const IN_FLIGHT: u32 = 4;

/// Runs BRISC's part.
#[inline(never)]
pub fn run(launch: &TileLaunch, params: &AttentionParams) {
    let mut stream = Stream { launch, params, noc: Noc::new(0), ready: 0 };
    for unit in units(launch, params) {
        launch.progress(unit.number);
        if unit.number >= params.sets {
            OUT_FREE.wait(unit.number - params.sets + 1);
        }
        stream.bring(&unit);
    }
    stream.noc.set_read_id(0);
}

/// Tiles on their way from DRAM.
struct Stream<'a> {
    launch: &'a TileLaunch<'a>,
    params: &'a AttentionParams,
    noc: Noc,
    /// Tiles of all units that are there, of keys and of values.
    ready: u32,
}

impl<'a> Stream<'a> {
    /// Brings all of a unit: tiles of keys, then as many of values.
    #[inline(never)]
    fn bring(&mut self, unit: &Unit) {
        let all = 2 * unit.tiles;
        for item in 0..all + IN_FLIGHT - 1 {
            if item < all {
                self.noc.set_read_id(1 + item % IN_FLIGHT);
                self.ask(unit, item);
            }
            if let Some(item) = item.checked_sub(IN_FLIGHT - 1) {
                if item >= all {
                    break;
                }
                self.noc.wait_read_id(1 + item % IN_FLIGHT);
                if item < unit.tiles {
                    self.finish(unit, item);
                }
                self.ready += 1;
                WEIGHTS_READY.publish(self.ready);
            }
        }
    }

    /// Asks for item `item` of a unit.
    #[inline(never)]
    fn ask(&mut self, unit: &Unit, item: u32) {
        let (op, params) = (self.launch.op, self.params);
        let places = Places::of(self.launch, params, unit);
        if item >= unit.tiles {
            let tile = item - unit.tiles;
            let bytes = params.value_bytes();
            return self.rows(unit, &op.more[0], tile, [bytes, bytes], places.values(tile));
        }
        if op.more[1].ne[0] > 0 {
            let at = self.mask_address(unit, item);
            let to = self.staged_mask(unit, item);
            self.noc.read_dram(DramAddr(at), to);
        }
        self.rows(unit, &op.src1, item, [params.key_bytes(), params.key_pitch()], places.keys(item));
    }

    /// Asks for the rows of a tile of positions of a cache.
    #[inline(never)]
    fn rows(&mut self, unit: &Unit, cache: &TensorView, tile: u32, [bytes, pitch]: [u32; 2], to: L1) {
        let position = (unit.first_tile + tile) * TILE;
        let at = cache.addr
            + u64::from(position) * cache.nb[1]
            + u64::from(unit.group * self.params.heads) * cache.nb[2]
            + u64::from(unit.batch) * cache.nb[3];
        let pieces = Pieces { count: TILE, stride: cache.nb[1], bytes, pitch };
        self.noc.read_pieces(DramAddr(at), &pieces, to);
    }

    #[inline(never)]
    fn mask_address(&self, unit: &Unit, tile: u32) -> u64 {
        let mask = &self.launch.op.more[1];
        mask.addr
            + u64::from((unit.first_tile + tile) * 2 * TILE)
            + u64::from(unit.batch % mask.ne[3]) * mask.nb[3]
    }

    fn staged_mask(&self, unit: &Unit, tile: u32) -> L1<'a> {
        let at = self.mask_address(unit, tile);
        let range = self.launch.l1(self.params.mask(unit.number), self.params.mask_bytes());
        range.part(tile * 2 * TILE + offset(at), 2 * TILE)
    }

    /// Says whether something in a tile is masked, and puts the mask behind its keys if so.
    #[inline(never)]
    fn finish(&self, unit: &Unit, tile: u32) {
        let places = Places::of(self.launch, self.params, unit);
        let flag = &places.flags()[tile as usize];
        if self.launch.op.more[1].ne[0] == 0 {
            return flag.store(0);
        }
        let mask = self.staged_mask(unit, tile).elements::<u16>();
        let is_masked = mask.iter().any(|element| element.load() & 0x7FFF != 0);
        if is_masked {
            let keys = places.keys(tile);
            let pitch = self.params.key_pitch();
            for (i, element) in (0..).zip(mask) {
                let behind = keys.part(i * pitch + self.params.key_bytes(), MASK_BYTES);
                fill(behind.words(), 0);
                behind.elements::<u16>()[0].store(element.load());
            }
        }
        flag.store(u32::from(is_masked));
        order();
    }
}
