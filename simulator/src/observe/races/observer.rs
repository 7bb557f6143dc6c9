//! The race detector of a tile as an [`Observer`]: which events it handles.

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;

use super::TileRaces;
use crate::fault::Fault;
use crate::model::access::ConfigAccess;
use crate::model::noc::Request;
use crate::model::tensix::Tensix;
use crate::model::tensix::frontend::Wait;
use crate::model::tensix::pipe::Pipe;
use crate::model::tile::Tile;
use crate::observe::{Executing, Issued, Observer, Stored};

impl Observer for TileRaces {
    const ACCESSES: bool = true;

    fn quantum(&mut self, _clock: u64, _budget: u32, released: u8) {
        let clock = self.snapshot();
        self.start_released(released, &clock);
    }

    fn core_executes(&mut self, now: &Executing) -> Result<(), Fault> {
        self.instruction(now)
    }

    fn load_l1(&mut self, now: &Executing, tile: &Tile, addr: u32, size: u32) -> Result<(), Fault> {
        self.core_loads(now, tile, addr, size)
    }

    fn store_l1(&mut self, now: &Executing, addr: u32, size: u32) -> Result<(), Fault> {
        self.core_stores(now, addr, size)
    }

    fn before_load(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        self.check_sync_bug(now, addr)
    }

    fn loaded(&mut self, now: &Executing, addr: u32, config: &[ConfigAccess]) -> Result<(), Fault> {
        self.register_loaded(now, addr, config)
    }

    fn before_store(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        self.check_mop_config(now, addr)
    }

    fn stored(&mut self, now: &Executing, store: &Stored) -> Result<(), Fault> {
        self.register_stored(now, store)
    }

    fn pushed(&mut self, core: RiscV, thread: usize, word: u32) {
        self.word_pushed(core, thread, word);
    }

    fn left_fifo(&mut self, thread: usize, count: usize) {
        self.words_left_fifo(thread, count);
    }

    fn wait_over(&mut self, tensix: &Tensix, thread: usize, wait: Wait) {
        self.join_after_wait(tensix, thread, wait);
    }

    fn wait_replaced(&mut self, opcode: Opcode, latched: Wait) -> Result<(), Fault> {
        self.found(("wait", [None, Some((opcode as u8, 0))]), |it| {
            let what = format!(
                "{opcode:?} while {latched:?} is still latched and does not block the sync unit: the earlier wait is \
                 forgotten before it is met; add block bit B1 to it (seed {})",
                it.seed
            );
            Fault::program(what).page("TensixTile/TensixCoprocessor/SEMWAIT.md")
        })
    }

    fn stalled(&mut self, tensix: &Tensix, thread: usize, opcode: Opcode, word: u32) -> Result<(), Fault> {
        match opcode {
            Opcode::SETRWC => self.bank_is_late(tensix, thread, word),
            _ => Ok(()),
        }
    }

    fn issued(&mut self, issued: &Issued) -> Result<(), Fault> {
        self.instruction_issued(issued)
    }

    fn left_pipe(&mut self, pipe: Pipe) {
        self.instruction_done(pipe);
    }

    fn requested(&mut self, thread: usize, requests: &[Request]) -> Result<(), Fault> {
        let clock = self.threads[thread].clock;
        self.note_requests(requests, (None, 0), &clock)
    }
}
