//! Lets instructions of the Tensix threads pass the wait gate, keeps them in their units for a while, and looks at
//! what they touch.

use tt_isa::insn::{
    ADDDMAREG, ATGETM, ATRELM, ELWADD, MULDMAREG, Opcode, PACR, RDCFG, REG2FLOP, SEMGET, SEMINIT, SEMPOST,
    SETDMAREG, STOREREG, UNPACR, WRCFG,
};
use tt_isa::stall::{block, until};

use super::Async;
use super::clock::{Clock, Component, THREADS, Unit};
use super::report::{self, Place};
use super::shadow::Access;
use super::state::Flight;
use super::trace::rows_of;
use crate::fault::Fault;
use crate::tensix::frontend::Wait;
use crate::tensix::sync::SEMAPHORES;
use crate::tensix::{Step, Tensix, check_word, sfpu, wait_gate};
use crate::tile::Tile;

/// Instructions that a unit holds before the thread has to wait. The pages give the matrix unit's five stages and
/// that unpackers and packers take an instruction when they can start it; the rest is small on purpose.
const fn depth(unit: Unit) -> usize {
    match unit {
        Unit::Matrix => 5,
        Unit::Vector => 4,
        Unit::Unpacker0 | Unit::Unpacker1 | Unit::Packers => 2,
    }
}

/// The condition of `STALLWAIT` that instructions in a unit keep unmet.
const fn condition(unit: Unit, packers: u32) -> u32 {
    match unit {
        Unit::Unpacker0 => until::UNPACK0,
        Unit::Unpacker1 => until::UNPACK & !until::UNPACK0,
        Unit::Matrix => until::MATH,
        Unit::Vector => until::SFPU,
        Unit::Packers => packers * (until::PACK & until::PACK.wrapping_neg()),
    }
}

/// The unit that keeps an instruction; `None` for those that take effect as they pass the gate.
fn unit_of(opcode: Opcode, word: u32) -> Option<Unit> {
    match wait_gate::kind(opcode) {
        kind if kind & block::UNPACK != 0 => {
            let second = UNPACR::decode(word).unpack_block_selection != 0;
            Some(if second { Unit::Unpacker1 } else { Unit::Unpacker0 })
        }
        kind if kind & block::PACK != 0 => Some(Unit::Packers),
        block::MATH => Some(Unit::Matrix),
        block::SFPU => Some(Unit::Vector),
        _ => None,
    }
}

/// Packers that a `PACR` uses; none selected means the first.
fn packers_of(opcode: Opcode, word: u32) -> u32 {
    match opcode {
        Opcode::PACR => PACR::decode(word).pack_sel.max(1),
        _ => 0xF,
    }
}

/// GPRs that an instruction reads, and that it writes.
fn gprs_of(opcode: Opcode, word: u32) -> (Vec<u32>, Vec<u32>) {
    let range = |first: u32, count: u32| (first..first + count).filter(|&gpr| gpr < 64).collect();
    match opcode {
        Opcode::SETDMAREG => (vec![], vec![SETDMAREG::decode(word).reg_index_16b >> 1]),
        Opcode::ADDDMAREG | Opcode::MULDMAREG => {
            let op = ADDDMAREG::decode(word);
            debug_assert_eq!(MULDMAREG::decode(word).result_reg_index, op.result_reg_index);
            let mut read = vec![op.op_a_reg_index];
            if op.op_b_is_const == 0 {
                read.push(op.op_b_reg_index);
            }
            (read, vec![op.result_reg_index])
        }
        Opcode::WRCFG => {
            let op = WRCFG::decode(word);
            (range(op.gpr_address, if op.wr128b != 0 { 4 } else { 1 }), vec![])
        }
        Opcode::RDCFG => (vec![], vec![RDCFG::decode(word).gpr_address]),
        Opcode::REG2FLOP => (vec![REG2FLOP::decode(word).reg_index], vec![]),
        Opcode::STOREREG => (vec![STOREREG::decode(word).tdma_data_reg_index], vec![]),
        _ => (vec![], vec![]),
    }
}

/// Whether an instruction that changes rows of Dst adds to what is there.
fn accumulates(opcode: Opcode, word: u32) -> bool {
    match opcode {
        Opcode::ELWADD | Opcode::ELWSUB => ELWADD::decode(word).dest_accum_en != 0,
        Opcode::MVMUL | Opcode::ELWMUL | Opcode::GAPOOL | Opcode::DOTPV | Opcode::GMPOOL => true,
        _ => false,
    }
}

impl Async {
    /// Takes instructions that are done out of their units; whether there were any.
    pub fn retire(&mut self, tile: &mut Tile) -> bool {
        let mut any = false;
        for unit in Unit::ALL {
            while self.units[unit as usize].flights.front().is_some_and(|flight| flight.done <= self.now) {
                let queue = &mut self.units[unit as usize];
                let Some(flight) = queue.flights.pop_front() else { break };
                queue.done[flight.thread] += 1;
                for &(which, bank, given) in &flight.banks {
                    let state = &mut self.banks[which][bank];
                    state.late = false;
                    if given {
                        state.given = flight.clock
                    } else {
                        state.freed = flight.clock
                    }
                    let banks = if which == 0 { &mut tile.tensix.src_a } else { &mut tile.tensix.src_b };
                    banks.valid[bank] = given;
                }
                any = true;
            }
        }
        if any {
            self.show_busy(&mut tile.tensix);
            tile.changes += 1;
        }
        any
    }

    /// Tells the wait gates which units are busy for whom.
    fn show_busy(&self, tensix: &mut Tensix) {
        (tensix.busy, tensix.in_flight) = ([0; THREADS], [0; THREADS]);
        for unit in Unit::ALL {
            for flight in &self.units[unit as usize].flights {
                tensix.in_flight[flight.thread] += 1;
                tensix.busy[flight.thread] |= condition(unit, flight.packers);
            }
        }
    }

    /// Lets a thread's next instruction pass the gate, if it may; whether anything happened.
    pub fn thread_step(&mut self, tile: &mut Tile, thread: usize) -> Result<bool, Fault> {
        if self.threads[thread].pause > self.now || !self.may_move(tile, thread) {
            return Ok(false);
        }
        let moved = self.thread_instruction(tile, thread)?;
        let waits = self.threads[thread].pause > self.now;
        self.threads[thread].blocked = (!moved && !waits).then_some(tile.changes);
        if moved {
            tile.changes += 1;
            if self.random.once_in(4) {
                self.threads[thread].pause = self.now + self.gate_pace[thread].delay(&mut self.random);
            }
        }
        Ok(moved)
    }

    fn thread_instruction(&mut self, tile: &mut Tile, thread: usize) -> Result<bool, Fault> {
        let waiting = tile.tensix.frontend[thread].waiting();
        let word = tile.tensix.frontend[thread].peek()?;
        let popped = waiting - tile.tensix.frontend[thread].waiting();
        self.left_fifo(thread, popped);
        let Some(word) = word else {
            sfpu::settle(&mut tile.tensix, thread)?;
            return Ok(self.release(&mut tile.tensix, thread)? || popped > 0);
        };
        let located = |fault: Fault| fault.in_thread(thread as u8, word);
        let opcode = check_word(word).map_err(located)?;
        if !self.passes_gate(&mut tile.tensix, thread, opcode).map_err(located)? {
            return Ok(popped > 0);
        }
        let unit = unit_of(opcode, word);
        if wait_gate::kind(opcode) & block::THCON != 0 && self.scalar_busy > self.now {
            self.threads[thread].pause = self.scalar_busy;
            return Ok(popped > 0);
        }
        if !self.has_room(&tile.tensix, unit) {
            return Ok(popped > 0);
        }
        let issued = self.issue(tile, thread, opcode, word, unit).map_err(located)?;
        Ok(issued || popped > 0)
    }

    /// Words have left a FIFO: what follows knows what their cores handed over.
    fn left_fifo(&mut self, thread: usize, count: usize) {
        let state = &mut self.threads[thread];
        for _ in 0..count {
            let Some(pushed) = state.pushed.pop_front() else { return };
            // What was a MOP before has been expanded.
            state.clock.learn(Component::mop(thread), state.mops[1]);
            state.mops[1] += u32::from(pushed.mop);
            state.clock.join(&pushed.clock);
            state.config = state.config.max(pushed.config);
        }
    }

    /// Forgets a latched wait whose condition is met, and learns what it tells; whether there was one.
    fn release(&mut self, tensix: &mut Tensix, thread: usize) -> Result<bool, Fault> {
        let Some(wait) = tensix.frontend[thread].wait else { return Ok(false) };
        if !tensix.release_wait(thread)? {
            return Ok(false);
        }
        match wait {
            Wait::Semaphore(op) => {
                for index in (0..SEMAPHORES).filter(|index| op.sem_sel >> index & 1 == 1) {
                    self.threads[thread].clock.join(&self.semaphores[index]);
                }
            }
            Wait::Stall(op) => self.units_waited_for(tensix, thread, op.wait_res),
        }
        Ok(true)
    }

    fn units_waited_for(&mut self, tensix: &Tensix, thread: usize, conditions: u32) {
        for unit in Unit::ALL {
            let used = if unit == Unit::Packers { self.threads[thread].packers } else { 0 };
            let all = condition(unit, used);
            if all != 0 && conditions & all == all {
                let n = self.units[unit as usize].n[thread];
                self.threads[thread].clock.learn(Component::unit(unit, thread), n);
                if unit == Unit::Packers {
                    self.threads[thread].packers = 0;
                }
            }
        }
        let state = &mut self.threads[thread];
        if conditions & until::RISCV != 0 {
            state.clock.learn(Component::config(thread + 1), state.config);
        }
        let owners = [
            (until::SRCA_CLEAR, 0, tensix.src_a.unpack_bank, false),
            (until::SRCB_CLEAR, 1, tensix.src_b.unpack_bank, false),
            (until::SRCA_VALID, 0, tensix.src_a.matrix_bank, true),
            (until::SRCB_VALID, 1, tensix.src_b.matrix_bank, true),
        ];
        for (_, which, bank, given) in owners.into_iter().filter(|owner| conditions & owner.0 != 0) {
            let bank = &self.banks[which][bank];
            state.clock.join(if given { &bank.given } else { &bank.freed });
        }
    }

    fn passes_gate(&mut self, tensix: &mut Tensix, thread: usize, opcode: Opcode) -> Result<bool, Fault> {
        self.release(tensix, thread)?;
        let Some(wait) = tensix.frontend[thread].wait else { return Ok(true) };
        if wait.block_mask() & wait_gate::kind(opcode) != 0 {
            return Ok(false);
        }
        if matches!(opcode, Opcode::STALLWAIT | Opcode::SEMWAIT) {
            let what = format!(
                "{opcode:?} while {wait:?} is still latched and does not block the sync unit: the earlier wait is \
                 forgotten before it is met; add block bit B1 to it (seed {})",
                self.seed
            );
            return Err(Fault::program(what).page("TensixTile/TensixCoprocessor/SEMWAIT.md"));
        }
        Ok(true)
    }

    /// Whether an instruction can enter its unit.
    fn has_room(&self, tensix: &Tensix, unit: Option<Unit>) -> bool {
        let Some(unit) = unit else { return true };
        let late = match unit {
            Unit::Unpacker0 => self.banks[0][tensix.src_a.unpack_bank].late,
            Unit::Unpacker1 => self.banks[1][tensix.src_b.unpack_bank].late,
            Unit::Matrix => {
                self.banks[0][tensix.src_a.matrix_bank].late && tensix.src_a.matrix_ready()
                    || self.banks[1][tensix.src_b.matrix_bank].late && tensix.src_b.matrix_ready()
            }
            _ => false,
        };
        !late && self.units[unit as usize].flights.len() < depth(unit)
    }

    /// Executes an instruction, and notes what it touches until it is done.
    fn issue(
        &mut self,
        tile: &mut Tile,
        thread: usize,
        opcode: Opcode,
        word: u32,
        unit: Option<Unit>,
    ) -> Result<bool, Fault> {
        let valid = [tile.tensix.src_a.valid, tile.tensix.src_b.valid];
        start_traces(tile);
        let step = tile.tensix.dispatch(thread, opcode, word, &mut tile.l1)?;
        let touched = take_traces(tile);
        if step == Step::Stall {
            return Ok(false);
        }
        tile.tensix.frontend[thread].take();
        tile.tensix.executed[opcode as usize] += 1;
        if let Some(trace) = &mut tile.tensix.trace {
            trace.push((thread as u8, word));
        }
        self.join_banks(valid, thread, &touched, unit);
        let (component, n) = self.number(thread, opcode, unit);
        let access = Access { component, n, write: false, mask: u32::MAX, what: word };
        let clock = self.threads[thread].clock;
        self.sync_instruction(thread, opcode, word, n);
        self.check_memory(opcode, &access, &touched, &clock)?;
        self.check_gprs(thread, opcode, &access, &clock)?;
        self.check_banks(&access, &touched, &clock)?;
        self.keep(tile, thread, (opcode, word), unit, valid, &access);
        let requests = tile.port.outbox.len();
        for request in std::mem::take(&mut tile.tensix.requests) {
            tile.serve_tensix(request)?;
        }
        tile.note_requests(self, requests, (None, 0), &clock)?;
        Ok(true)
    }

    /// An instruction that uses a bank that was handed over knows what whoever did that knew.
    fn join_banks(&mut self, valid: [[bool; 2]; 2], thread: usize, touched: &Touched, unit: Option<Unit>) {
        for which in 0..2 {
            for bank in 0..2 {
                let matrix = touched.banks[which] & 0b0101 << bank != 0;
                let unpacker = touched.banks[which] & 0b01_0000 << bank != 0;
                let state = &self.banks[which][bank];
                if matrix && unit == Some(Unit::Matrix) && valid[which][bank] {
                    self.threads[thread].clock.join(&state.given);
                }
                if unpacker {
                    self.threads[thread].clock.join(&state.freed);
                }
            }
        }
    }

    /// Component and number of an instruction.
    fn number(&mut self, thread: usize, opcode: Opcode, unit: Option<Unit>) -> (Component, u32) {
        let state = &mut self.threads[thread];
        // The WRCFG before the last instruction has taken effect by now.
        state.clock.learn(Component::wrcfg(thread), state.wrcfg[1]);
        state.wrcfg[1] = state.wrcfg[0];
        match unit {
            Some(unit) => {
                let n = &mut self.units[unit as usize].n[thread];
                *n += 1;
                (Component::unit(unit, thread), *n)
            }
            None if opcode == Opcode::WRCFG => {
                state.wrcfg[0] += 1;
                (Component::wrcfg(thread), state.wrcfg[0])
            }
            None => {
                state.n += 1;
                state.clock.learn(Component::thread(thread), state.n);
                (Component::thread(thread), state.n)
            }
        }
    }

    /// Semaphores and mutexes pass on what the thread knows.
    fn sync_instruction(&mut self, thread: usize, opcode: Opcode, word: u32, n: u32) {
        let mask = match opcode {
            Opcode::SEMINIT => SEMINIT::decode(word).sem_sel,
            Opcode::SEMPOST => SEMPOST::decode(word).sem_sel,
            Opcode::SEMGET => SEMGET::decode(word).sem_sel,
            Opcode::ATGETM => {
                let mutex = ATGETM::decode(word).mutex_index as usize;
                self.threads[thread].clock.join(&self.mutexes[mutex]);
                0
            }
            Opcode::ATRELM => {
                self.mutexes[ATRELM::decode(word).mutex_index as usize] = self.threads[thread].clock;
                0
            }
            _ => 0,
        };
        for index in (0..SEMAPHORES).filter(|index| mask >> index & 1 == 1) {
            self.semaphores[index].join(&self.threads[thread].clock);
            self.semaphores[index].learn(Component::thread(thread), n);
        }
    }

    /// L1, Dst and configuration.
    fn check_memory(
        &mut self,
        opcode: Opcode,
        access: &Access,
        touched: &Touched,
        clock: &Clock,
    ) -> Result<(), Fault> {
        for range in &touched.l1 {
            self.l1_access(range.addr, range.len, Access { write: range.write, ..*access }, clock)?;
        }
        self.check_input(access, touched)?;
        let config: Vec<_> = match opcode {
            Opcode::RMWCIB0 | Opcode::RMWCIB1 | Opcode::RMWCIB2 | Opcode::RMWCIB3 => {
                // Reading and writing are one.
                touched.config.iter().filter(|access| access.write).copied().collect()
            }
            _ => touched.config.clone(),
        };
        self.config_access(&config, *access, clock)?;
        let dst = &touched.dst;
        let read =
            rows_of(&dst.read).chain(rows_of(&dst.updated).filter(|_| accumulates(opcode, access.what)));
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
    fn check_input(&mut self, access: &Access, touched: &Touched) -> Result<(), Fault> {
        let read = || touched.l1.iter().filter(|range| !range.write && range.len > 0);
        let bytes = || read().flat_map(|range| range.addr..range.addr + range.len);
        let Some(first) = bytes().next() else { return Ok(()) };
        if let Some(at) = bytes().find(|&at| self.l1.spoilt_by(at).is_some()) {
            return Err(self.without_value(at, access));
        }
        if bytes().all(|at| !self.l1.is_written(at)) {
            return Err(self.without_value(first, access));
        }
        read().for_each(|range| self.note_use(range.addr, range.len));
        Ok(())
    }

    fn dst_access(&mut self, row: usize, access: Access, clock: &Clock) -> Result<(), Fault> {
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
        clock: &Clock,
    ) -> Result<(), Fault> {
        let (read, written) = gprs_of(opcode, access.what);
        for gpr in read {
            self.gpr_access(thread, gpr as usize, *access, clock)?;
        }
        for gpr in written {
            self.gpr_access(thread, gpr as usize, Access { write: true, ..*access }, clock)?;
        }
        Ok(())
    }

    fn check_banks(&mut self, access: &Access, touched: &Touched, clock: &Clock) -> Result<(), Fault> {
        for which in 0..2 {
            for bank in 0..2 {
                let bits = touched.banks[which];
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

    /// Keeps an instruction in its unit for a while; banks change hands when it is done.
    fn keep(
        &mut self,
        tile: &mut Tile,
        thread: usize,
        (opcode, word): (Opcode, u32),
        unit: Option<Unit>,
        valid: [[bool; 2]; 2],
        access: &Access,
    ) {
        let mut clock = self.threads[thread].clock;
        clock.learn(access.component, access.n);
        let mut changed = Vec::new();
        for which in 0..2 {
            let banks = if which == 0 { &mut tile.tensix.src_a } else { &mut tile.tensix.src_b };
            for bank in 0..2 {
                let given = banks.valid[bank];
                if given == valid[which][bank] {
                    continue;
                }
                if unit.is_some() {
                    banks.valid[bank] = !given;
                    self.banks[which][bank].late = true;
                    changed.push((which, bank, given));
                } else if given {
                    self.banks[which][bank].given = clock;
                } else {
                    self.banks[which][bank].freed = clock;
                }
            }
        }
        let Some(unit) = unit else {
            if wait_gate::kind(opcode) & block::THCON != 0 {
                // The thread waits until the scalar unit is done; so do the others, if they need it.
                self.scalar_busy = self.now + 1 + self.random.below(4);
                self.threads[thread].pause = self.scalar_busy;
            }
            return;
        };
        let packers = if unit == Unit::Packers { packers_of(opcode, word) } else { 0 };
        self.threads[thread].packers |= packers;
        let queue = &mut self.units[unit as usize];
        let done = self.now + queue.pace.delay(&mut self.random);
        let done = queue.flights.back().map_or(done, |last| done.max(last.done));
        queue.flights.push_back(Flight { thread, done, packers, banks: changed, clock });
        self.show_busy(&mut tile.tensix);
    }

    /// What a core that polls a word learns from an access to it that it did not know of.
    pub fn known_by(&self, access: &Access) -> Clock {
        use super::clock::Origin;
        match access.component.origin() {
            Origin::Stores(core) => self.cores[core].at_store(access.n),
            Origin::UnderWay => Clock::ZERO,
            _ => {
                let mut clock = Clock::ZERO;
                clock.learn(access.component, access.n);
                clock
            }
        }
    }
}

/// What an instruction has touched.
struct Touched {
    l1: Vec<super::trace::Range>,
    dst: super::trace::RowSets,
    config: Vec<super::trace::ConfigAccess>,
    /// SrcA and SrcB: bits of [`crate::tensix::src::SrcBanks::take_touched`].
    banks: [u8; 2],
}

fn start_traces(tile: &Tile) {
    if let Some(trace) = tile.l1.trace() {
        trace.start();
    }
    if let Some(trace) = tile.tensix.cfg.trace() {
        trace.start();
    }
    tile.tensix.src_a.take_touched();
    tile.tensix.src_b.take_touched();
}

fn take_traces(tile: &Tile) -> Touched {
    Touched {
        l1: tile.l1.trace().map(|trace| trace.take()).unwrap_or_default(),
        dst: tile.tensix.dst.trace().map(|trace| trace.take()).unwrap_or_default(),
        config: tile.tensix.cfg.trace().map(|trace| trace.take()).unwrap_or_default(),
        banks: [tile.tensix.src_a.take_touched(), tile.tensix.src_b.take_touched()],
    }
}
