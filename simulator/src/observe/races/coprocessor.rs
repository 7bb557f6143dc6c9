//! The coprocessor's instructions: their accesses to L1, Dst, SrcA, SrcB, configuration and GPRs, and the order they create.

use tt_isa::insn::{Opcode, Operand, Unit};
use tt_isa::stall::until;

use super::TileRaces;
use super::clock::{Component, Origin, VectorClock};
use super::report::{self, Place};
use super::shadow::Access;
use super::state::Kept;
use crate::fault::Fault;
use crate::model::access::{Accesses, rows_of};
use crate::model::tensix::Tensix;
use crate::model::tensix::frontend::Wait;
use crate::model::tensix::pipe::{Pipe, packers};
use crate::model::tensix::sync::SEMAPHORES;
use crate::observe::{Handover, Issued};

impl TileRaces {
    /// Words have left a FIFO: what follows knows what their cores handed over.
    pub(super) fn words_left_fifo(&mut self, thread: usize, count: usize) {
        let state = &mut self.threads[thread];
        for _ in 0..count {
            let Some(pushed) = state.pushed.pop_front() else { return };
            // What was a MOP before has been expanded.
            state.clock.advance(Component::mop(thread), state.mops[1]);
            state.mops[1] += u32::from(pushed.mop);
            state.clock.join(&pushed.clock);
            state.config = state.config.max(pushed.config);
        }
    }

    /// A wait is over: what it waited for happened before.
    pub(super) fn join_after_wait(&mut self, tensix: &Tensix, thread: usize, wait: Wait) {
        match wait {
            Wait::Semaphore(op) => {
                for index in (0..SEMAPHORES).filter(|index| op.sem_sel >> index & 1 == 1) {
                    self.threads[thread].clock.join(&self.semaphores[index]);
                }
            }
            Wait::Stall(op) => self.units_waited_for(tensix, thread, op.wait_res),
        }
    }

    fn units_waited_for(&mut self, tensix: &Tensix, thread: usize, conditions: u32) {
        for pipe in Pipe::ALL {
            let used = if pipe == Pipe::Packers { self.threads[thread].packers } else { 0 };
            let all = pipe.condition(used);
            if all != 0 && conditions & all == all {
                let n = self.pipes[pipe as usize].n[thread];
                self.threads[thread].clock.advance(Component::pipe(pipe, thread), n);
                if pipe == Pipe::Packers {
                    self.threads[thread].packers = 0;
                }
            }
        }
        let state = &mut self.threads[thread];
        if conditions & until::RISCV != 0 {
            state.clock.advance(Component::config(thread + 1), state.config);
        }
        let owners = [
            (until::SRCA_CLEAR, 0, tensix.banks(0).unpack_bank, false),
            (until::SRCB_CLEAR, 1, tensix.banks(1).unpack_bank, false),
            (until::SRCA_VALID, 0, tensix.banks(0).matrix_bank, true),
            (until::SRCB_VALID, 1, tensix.banks(1).matrix_bank, true),
        ];
        for (_, which, bank, given) in owners.into_iter().filter(|owner| conditions & owner.0 != 0) {
            let bank = &self.banks[which][bank];
            state.clock.join(if given { &bank.given } else { &bank.freed });
        }
    }

    /// An instruction has taken effect.
    pub(super) fn instruction_issued(&mut self, issued: &Issued) -> Result<(), Fault> {
        let &Issued { thread, opcode, word, pipe, valid, accesses, .. } = issued;
        self.join_banks(valid, thread, accesses, pipe);
        let (component, n) = self.number(thread, opcode, pipe);
        let access = Access { component, n, write: false, mask: u32::MAX, what: word };
        let clock = self.threads[thread].clock;
        self.sync_instruction(thread, opcode, word, n);
        self.check_memory(opcode, &access, accesses, &clock)?;
        self.check_gprs(thread, opcode, &access, &clock)?;
        self.check_banks(&access, accesses, &clock)?;
        self.keep(issued, &access);
        Ok(())
    }

    /// What happened before a bank was handed over happened before an instruction that uses it.
    fn join_banks(&mut self, valid: [[bool; 2]; 2], thread: usize, accesses: &Accesses, pipe: Option<Pipe>) {
        for which in 0..2 {
            for bank in 0..2 {
                let matrix = accesses.banks[which] & 0b0101 << bank != 0;
                let unpacker = accesses.banks[which] & 0b01_0000 << bank != 0;
                let state = &self.banks[which][bank];
                if matrix && pipe == Some(Pipe::Matrix) && valid[which][bank] {
                    self.threads[thread].clock.join(&state.given);
                }
                if unpacker {
                    self.threads[thread].clock.join(&state.freed);
                }
            }
        }
    }

    /// Component and number of an instruction.
    fn number(&mut self, thread: usize, opcode: Opcode, pipe: Option<Pipe>) -> (Component, u32) {
        let state = &mut self.threads[thread];
        // The WRCFG before the last instruction has taken effect by now.
        state.clock.advance(Component::wrcfg(thread), state.wrcfg[1]);
        state.wrcfg[1] = state.wrcfg[0];
        match pipe {
            Some(pipe) => {
                let n = &mut self.pipes[pipe as usize].n[thread];
                *n += 1;
                (Component::pipe(pipe, thread), *n)
            }
            None if opcode == Opcode::WRCFG => {
                state.wrcfg[0] += 1;
                (Component::wrcfg(thread), state.wrcfg[0])
            }
            None => {
                state.n += 1;
                state.clock.advance(Component::thread(thread), state.n);
                (Component::thread(thread), state.n)
            }
        }
    }

    /// Semaphores and mutexes order threads.
    fn sync_instruction(&mut self, thread: usize, opcode: Opcode, word: u32, n: u32) {
        for operand in opcode.effects().writes {
            match *operand {
                Operand::Semaphores(field) => {
                    for index in (0..SEMAPHORES).filter(|index| field.get(word) >> index & 1 == 1) {
                        self.semaphores[index].join(&self.threads[thread].clock);
                        self.semaphores[index].advance(Component::thread(thread), n);
                    }
                }
                Operand::Mutex(field) => {
                    let (mutex, clock) =
                        (&mut self.mutexes[field.get(word) as usize], &mut self.threads[thread].clock);
                    if opcode == Opcode::ATGETM {
                        clock.join(mutex);
                    } else {
                        *mutex = *clock;
                    }
                }
                _ => {}
            }
        }
    }

    /// L1, Dst and configuration.
    fn check_memory(
        &mut self,
        opcode: Opcode,
        access: &Access,
        accesses: &Accesses,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        for range in &accesses.l1 {
            self.l1_access(range.addr, range.len, Access { write: range.write, ..*access }, clock)?;
        }
        self.check_input(access, accesses)?;
        let config: Vec<_> = match opcode.effects() {
            // `RMWCIB`: reading and writing are one.
            both if both.unit == Unit::Config
                && both.may_read(Operand::Config)
                && both.may_write(Operand::Config) =>
            {
                accesses.config.iter().filter(|access| access.write).copied().collect()
            }
            _ => accesses.config.clone(),
        };
        self.config_access(&config, *access, clock)?;
        let dst = &accesses.dst;
        // Whether an instruction that changes rows of Dst adds to what is there.
        let adds = opcode.effects().reads_dst(access.what);
        let read = rows_of(&dst.read).chain(rows_of(&dst.updated).filter(|_| adds));
        for row in read {
            if self.dst_written[row / 64] >> (row % 64) & 1 == 0 {
                return Err(report::uninitialised(Place::Dst(row), access, &self.requests, self.seed));
            }
            self.dst_access(row, *access, clock)?;
        }
        for row in rows_of(&dst.written).chain(rows_of(&dst.updated)) {
            self.dst_written[row / 64] |= 1 << (row % 64);
            self.dst_access(row, Access { write: true, ..*access }, clock)?;
        }
        Ok(())
    }

    /// An instruction whose whole input in L1 was never written has the wrong address, or its producer is missing.
    /// Some of it may be padding that nobody looks at.
    fn check_input(&mut self, access: &Access, accesses: &Accesses) -> Result<(), Fault> {
        let read = || accesses.l1.iter().filter(|range| !range.write && range.len > 0);
        let bytes = || read().flat_map(|range| range.addr..range.addr + range.len);
        let Some(first) = bytes().next() else { return Ok(()) };
        if let Some(at) = bytes().find(|&at| self.l1.poisoned_by(at).is_some()) {
            return Err(self.without_value(at, access));
        }
        if bytes().all(|at| !self.l1.is_written(at)) {
            return Err(self.without_value(first, access));
        }
        read().for_each(|range| self.note_use(range.addr, range.len));
        Ok(())
    }

    fn dst_access(&mut self, row: usize, access: Access, clock: &VectorClock) -> Result<(), Fault> {
        if let Some(first) = self.dst[row].conflict(&access, clock) {
            return Err(self.race(Place::Dst(row), &first, &access));
        }
        self.dst[row].record(access, clock);
        Ok(())
    }

    fn check_gprs(
        &mut self,
        thread: usize,
        opcode: Opcode,
        access: &Access,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        let effects = opcode.effects();
        for gpr in effects.gprs_read(access.what) {
            self.gpr_access(thread, gpr as usize, *access, clock)?;
        }
        for gpr in effects.gprs_written(access.what) {
            self.gpr_access(thread, gpr as usize, Access { write: true, ..*access }, clock)?;
        }
        Ok(())
    }

    fn check_banks(
        &mut self,
        access: &Access,
        accesses: &Accesses,
        clock: &VectorClock,
    ) -> Result<(), Fault> {
        for which in 0..2 {
            for bank in 0..2 {
                let bits = accesses.banks[which];
                let (read, write) = (bits & 1 << bank != 0, bits & 0b01_0100 << bank != 0);
                if !read && !write {
                    continue;
                }
                let access = Access { write, ..*access };
                let state = &mut self.banks[which][bank];
                if read && !write && !state.written {
                    let place = Place::Src(which, bank);
                    return Err(report::uninitialised(place, &access, &self.requests, self.seed));
                }
                state.written |= write;
                if let Some(first) = state.cell.conflict(&access, clock) {
                    return Err(self.race(Place::Src(which, bank), &first, &access));
                }
                self.banks[which][bank].cell.record(access, clock);
            }
        }
        Ok(())
    }

    /// Remembers what has happened once an instruction is done: banks change hands then.
    fn keep(&mut self, issued: &Issued, access: &Access) {
        let thread = issued.thread;
        let mut clock = self.threads[thread].clock;
        clock.advance(access.component, access.n);
        let Some(pipe) = issued.pipe else {
            self.handed_over(issued.handovers, &clock);
            return;
        };
        if pipe == Pipe::Packers {
            self.threads[thread].packers |= packers(issued.opcode, issued.word);
        }
        let handovers = issued.handovers.to_vec();
        self.pipes[pipe as usize].kept.push_back(Kept { thread, handovers, clock });
    }

    /// The oldest instruction in a pipe is done.
    pub(super) fn instruction_done(&mut self, pipe: Pipe) {
        let queue = &mut self.pipes[pipe as usize];
        let Some(kept) = queue.kept.pop_front() else { return };
        queue.done[kept.thread] += 1;
        self.handed_over(&kept.handovers, &kept.clock);
    }

    /// Banks have changed hands.
    fn handed_over(&mut self, handovers: &[Handover], clock: &VectorClock) {
        for &Handover { which, bank, given } in handovers {
            let bank = &mut self.banks[which][bank];
            if given { bank.given = *clock } else { bank.freed = *clock }
        }
    }

    /// What happened before an access that a poll sees.
    pub(super) fn snapshot_of(&self, access: &Access) -> VectorClock {
        match access.component.origin() {
            Origin::Stores(core) => self.cores[core].snapshot_at(access.n),
            Origin::UnderWay => VectorClock::ZERO,
            Origin::Arrival => {
                let mut clock = self.announced.before_arrival(access.n).unwrap_or(VectorClock::ZERO);
                clock.advance(access.component, access.n);
                clock
            }
            _ => {
                let mut clock = VectorClock::ZERO;
                clock.advance(access.component, access.n);
                clock
            }
        }
    }
}
