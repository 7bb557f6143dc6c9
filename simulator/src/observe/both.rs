//! Two observers as one.

use tt_isa::insn::Opcode;
use tt_isa::map::RiscV;

use super::usage::CoreWait;
use super::{CoreState, Executing, Issued, Observer, Stored};
use crate::fault::Fault;
use crate::model::access::ConfigAccess;
use crate::model::noc::Request;
use crate::model::rv32::Retired;
use crate::model::tensix::Tensix;
use crate::model::tensix::frontend::Wait;
use crate::model::tensix::pipe::Pipe;
use crate::model::tile::Tile;

/// The first one sees everything first; what it refuses, the second one does not see.
pub struct Both<'a, A, B>(pub &'a mut A, pub &'a mut B);

impl<A: Observer, B: Observer> Observer for Both<'_, A, B> {
    const ACCESSES: bool = A::ACCESSES || B::ACCESSES;

    #[inline(always)]
    fn quantum(&mut self, clock: u64, budget: u32, released: u8) {
        self.0.quantum(clock, budget, released);
        self.1.quantum(clock, budget, released);
    }

    #[inline(always)]
    fn core_state(&mut self, clock: u64, core: RiscV, state: CoreState) {
        self.0.core_state(clock, core, state);
        self.1.core_state(clock, core, state);
    }

    #[inline(always)]
    fn core_waits(&mut self, clock: u64, core: RiscV, wait: CoreWait) {
        self.0.core_waits(clock, core, wait);
        self.1.core_waits(clock, core, wait);
    }

    #[inline(always)]
    fn time(&mut self, clock: u64) {
        self.0.time(clock);
        self.1.time(clock);
    }

    #[inline(always)]
    fn wants_instructions(&self, core: RiscV) -> bool {
        self.0.wants_instructions(core) || self.1.wants_instructions(core)
    }

    #[inline(always)]
    fn core_retired(&mut self, clock: u64, core: RiscV, retired: &Retired) {
        self.0.core_retired(clock, core, retired);
        self.1.core_retired(clock, core, retired);
    }

    #[inline(always)]
    fn tensix_retired(&mut self, thread: usize, opcode: Opcode, word: u32) {
        self.0.tensix_retired(thread, opcode, word);
        self.1.tensix_retired(thread, opcode, word);
    }

    #[inline(always)]
    fn core_executes(&mut self, now: &Executing) -> Result<(), Fault> {
        self.0.core_executes(now)?;
        self.1.core_executes(now)
    }

    #[inline(always)]
    fn load_l1(&mut self, now: &Executing, tile: &Tile, addr: u32, size: u32) -> Result<(), Fault> {
        self.0.load_l1(now, tile, addr, size)?;
        self.1.load_l1(now, tile, addr, size)
    }

    #[inline(always)]
    fn store_l1(&mut self, now: &Executing, addr: u32, size: u32) -> Result<(), Fault> {
        self.0.store_l1(now, addr, size)?;
        self.1.store_l1(now, addr, size)
    }

    #[inline(always)]
    fn before_load(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        self.0.before_load(now, addr)?;
        self.1.before_load(now, addr)
    }

    #[inline(always)]
    fn loaded(&mut self, now: &Executing, addr: u32, config: &[ConfigAccess]) -> Result<(), Fault> {
        self.0.loaded(now, addr, config)?;
        self.1.loaded(now, addr, config)
    }

    #[inline(always)]
    fn before_store(&mut self, now: &Executing, addr: u32) -> Result<(), Fault> {
        self.0.before_store(now, addr)?;
        self.1.before_store(now, addr)
    }

    #[inline(always)]
    fn stored(&mut self, now: &Executing, store: &Stored) -> Result<(), Fault> {
        self.0.stored(now, store)?;
        self.1.stored(now, store)
    }

    #[inline(always)]
    fn pushed(&mut self, core: RiscV, thread: usize, word: u32) {
        self.0.pushed(core, thread, word);
        self.1.pushed(core, thread, word);
    }

    #[inline(always)]
    fn left_fifo(&mut self, thread: usize, count: usize) {
        self.0.left_fifo(thread, count);
        self.1.left_fifo(thread, count);
    }

    #[inline(always)]
    fn wait_over(&mut self, tensix: &Tensix, thread: usize, wait: Wait) {
        self.0.wait_over(tensix, thread, wait);
        self.1.wait_over(tensix, thread, wait);
    }

    #[inline(always)]
    fn wait_replaced(&mut self, opcode: Opcode, latched: Wait) -> Result<(), Fault> {
        self.0.wait_replaced(opcode, latched)?;
        self.1.wait_replaced(opcode, latched)
    }

    #[inline(always)]
    fn stalled(&mut self, tensix: &Tensix, thread: usize, opcode: Opcode, word: u32) -> Result<(), Fault> {
        self.0.stalled(tensix, thread, opcode, word)?;
        self.1.stalled(tensix, thread, opcode, word)
    }

    #[inline(always)]
    fn issued(&mut self, issued: &Issued) -> Result<(), Fault> {
        self.0.issued(issued)?;
        self.1.issued(issued)
    }

    #[inline(always)]
    fn left_pipe(&mut self, pipe: Pipe) {
        self.0.left_pipe(pipe);
        self.1.left_pipe(pipe);
    }

    #[inline(always)]
    fn requested(&mut self, thread: usize, requests: &[Request]) -> Result<(), Fault> {
        self.0.requested(thread, requests)?;
        self.1.requested(thread, requests)
    }
}
