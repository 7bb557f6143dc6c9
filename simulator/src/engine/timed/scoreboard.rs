//! When a core's instructions enter its integer unit (`TensixTile/BabyRISCV/README.md`, `BabyRISCV/MemoryOrdering.md`).
//!
//! The core is in order: an instruction enters the integer unit when the one before has left it and its operands are
//! there, and goes on to the load/store unit, which instructions leave in order, loads when their value has come. An
//! operand is there when the instruction that makes it moves from one unit to the next, and from then on when it has left
//! the load/store unit: what waits there behind a load cannot be read.

use tt_isa::map;
use tt_isa::timing::CoreTiming;

use super::icache::ICache;
use super::ports::Port;
use crate::model::rv32::{Kind, NO_REGISTER, Op, alu};
use crate::observe::usage::{CoreUsage, CoreWait};

/// Behind the registers of both NIUs.
const NIU_END: u32 = map::NIU_BASE + 2 * map::NIU_STRIDE;
/// Room for the longest of the queues below.
const QUEUE: usize = 8;

/// Times of the last few instructions of a kind, the oldest first.
#[derive(Clone, Copy, Default)]
struct Recent {
    times: [u64; QUEUE],
    at: usize,
}

impl Recent {
    /// The time of the instruction that was the `n`-th last one.
    fn nth_last(&self, n: u8) -> u64 {
        self.times[(self.at + QUEUE - usize::from(n)) % QUEUE]
    }

    fn push(&mut self, time: u64) {
        self.times[self.at] = time;
        self.at = (self.at + 1) % QUEUE;
    }
}

/// What memory a load or store reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// L1.
    L1,
    /// The core's local RAM.
    Local,
    /// Mailboxes, PCBufs, TTSync, semaphores; pushes of instructions.
    Sync,
    /// GPRs and configuration of the coprocessor.
    Coprocessor,
    /// A NIU.
    Noc,
    /// Any other register.
    Register,
}

impl Place {
    /// L1 or local RAM, if that is at an address.
    #[inline(always)]
    pub const fn of_memory(addr: u32) -> Option<Self> {
        match addr {
            0..map::LOCAL_RAM_BASE => Some(Self::L1),
            map::LOCAL_RAM_BASE..map::TDMA_REGS_BASE => Some(Self::Local),
            _ => None,
        }
    }

    /// What is at an address, and the address.
    #[inline]
    const fn at(addr: u32) -> (Self, u32) {
        (Self::of(addr), addr)
    }

    /// What is at an address.
    #[inline]
    const fn of(addr: u32) -> Self {
        match addr {
            0..map::LOCAL_RAM_BASE => Self::L1,
            map::LOCAL_RAM_BASE..map::TDMA_REGS_BASE => Self::Local,
            map::CFG_BASE.. => Self::Coprocessor,
            map::INSTRN_BUF_BASE.. => Self::Sync,
            map::REGFILE_BASE.. => Self::Coprocessor,
            map::NIU_BASE..NIU_END => Self::Noc,
            _ => Self::Register,
        }
    }
}

/// An access to a register that has entered the integer unit: it may be refused, and come again.
#[derive(Clone, Copy)]
struct Entered {
    at: u64,
    op: Op,
    place: Place,
    addr: u32,
}

/// The value of a register: when it moves on from the unit that makes it, and when it has been written.
#[derive(Clone, Copy, Default)]
struct Value {
    moves: u64,
    written: u64,
}

impl Value {
    /// When an instruction that could enter at `at` can take it: on its way between two units, or when it has been written.
    #[inline]
    fn ready(self, at: u64) -> u64 {
        if at <= self.moves { self.moves } else { at.max(self.written) }
    }

    /// Whether that is at once.
    #[inline(always)]
    fn is_ready(self, at: u64) -> bool {
        at == self.moves || at >= self.written
    }
}

/// Registers, and room for the index of whatever an instruction has in place of one: no access has to be checked.
const SLOTS: usize = 64;
const _: () = assert!((NO_REGISTER as usize) < SLOTS);

/// How an instruction goes through the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Through the integer unit in one clock.
    Compute,
    /// Through the integer unit in several.
    Multiply,
    /// A jump or branch.
    Branch,
    /// Through the load/store unit.
    Load,
    /// See `Load`.
    Store,
    /// Divisions, pushes in line, and what ends a turn.
    Other,
}

impl Way {
    /// The way of a kind of instruction.
    #[inline(always)]
    pub const fn of(kind: Kind) -> Self {
        use Kind::*;
        match kind {
            Lui | Auipc | Addi | Slti | Sltiu | Xori | Ori | Andi | Slli | Srli | Srai | Add | Sub | Sll
            | Slt | Sltu | Xor | Srl | Sra | Or | And => Self::Compute,
            Mul | Mulh | Mulhsu | Mulhu => Self::Multiply,
            Jal | Jalr | Beq | Bne | Blt | Bge | Bltu | Bgeu => Self::Branch,
            Lb | Lh | Lw | Lbu | Lhu => Self::Load,
            Sb | Sh | Sw => Self::Store,
            _ => Self::Other,
        }
    }
}

/// A core between two instructions.
pub struct Scoreboard {
    timing: &'static CoreTiming,
    icache_bytes: u16,
    icache: ICache,
    /// When the next instruction may enter.
    next: u64,
    values: [Value; SLOTS],
    /// When the last instructions leave the load/store unit.
    leave: Recent,
    /// When the last loads from elsewhere than local RAM have entered, and their latency.
    loads: Recent,
    /// When the last stores leave the store queue, and when the last one to L1 does.
    stores: Recent,
    /// Their addresses.
    stored: [u32; QUEUE],
    last_store: u64,
    /// The last instruction, if it is not known yet whether it was executed.
    entered: Option<Entered>,
    /// Where the last load from elsewhere than local RAM came from: what a core that only polls waits for.
    polled: Place,
    /// What it waits for while it is asleep.
    asleep_for: CoreWait,
    usage: CoreUsage,
}

impl Scoreboard {
    /// A core with so many bytes of instruction cache that has not run yet.
    pub fn new(timing: &'static CoreTiming, icache_bytes: u16) -> Self {
        Self {
            timing,
            icache_bytes,
            icache: ICache::new(timing, icache_bytes),
            next: 0,
            values: [Value::default(); SLOTS],
            leave: Recent::default(),
            loads: Recent::default(),
            stores: Recent::default(),
            stored: [u32::MAX; QUEUE],
            last_store: 0,
            entered: None,
            polled: Place::L1,
            asleep_for: CoreWait::Word,
            usage: CoreUsage::default(),
        }
    }

    /// Leaves reset at `now`: nothing is under way, and the instruction cache is empty.
    pub fn reset(&mut self, now: u64) {
        *self = Self { next: now, usage: self.usage, ..Self::new(self.timing, self.icache_bytes) };
    }

    /// When the next instruction may enter, operands aside.
    #[inline]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The core has slept until `now`.
    #[inline]
    pub fn wake(&mut self, now: u64) {
        self.waits(self.asleep_for, now.saturating_sub(self.next));
        self.next = self.next.max(now);
    }

    /// The core falls asleep: it waits for the coprocessor, or `polls` what it has loaded last.
    #[inline]
    pub fn sleep(&mut self, polls: bool) {
        self.asleep_for = match self.polled {
            _ if !polls => CoreWait::Coprocessor,
            Place::L1 | Place::Local => CoreWait::Word,
            Place::Noc => CoreWait::Noc,
            Place::Sync => CoreWait::Coprocessor,
            Place::Coprocessor | Place::Register => CoreWait::Register,
        };
    }

    /// What it waits for while it is asleep.
    pub fn asleep_for(&self) -> CoreWait {
        self.asleep_for
    }

    /// The core has done nothing but look again since `before`.
    #[inline]
    pub fn has_only_polled(&mut self, before: &CoreUsage) {
        let executed = self.usage.executing - before.executing;
        self.usage.executing = before.executing;
        self.waits(self.asleep_for, executed);
    }

    #[inline]
    fn waits(&mut self, wait: CoreWait, clocks: u64) {
        self.usage.waits[wait as usize] += clocks;
    }

    /// What it has done so far.
    #[inline]
    pub fn usage(&self) -> &CoreUsage {
        &self.usage
    }

    /// The same, where the core may be asleep now.
    pub fn usage_at(&self, asleep: bool, now: u64) -> CoreUsage {
        let mut usage = self.usage;
        if asleep {
            usage.waits[self.asleep_for as usize] += now.saturating_sub(self.next);
        }
        usage
    }

    /// Lets an instruction enter that the integer unit has for one clock, or for as many as a product takes
    /// (`multiplies`); whether it has entered, before `limit`. Those before it have been executed.
    #[inline(always)]
    pub fn compute(&mut self, pc: u32, op: &Op, multiplies: bool, limit: u64) -> bool {
        self.icache.goes_on(pc);
        let Some(at) = self.at_once(op, limit).or_else(|| self.wait(op, limit)) else { return false };
        let done = at + if multiplies { u64::from(self.timing.multiply) } else { 1 };
        self.usage.executing += done - at;
        self.next = done;
        let leave = self.leaves(done + 1);
        self.set(op, done, leave);
        true
    }

    /// The same of a jump or branch, where its operands say where it leads.
    #[inline(always)]
    pub fn branch(&mut self, pc: u32, op: &Op, [a, b]: [u32; 2], limit: u64) -> bool {
        self.icache.goes_on(pc);
        let Some(at) = self.at_once(op, limit).or_else(|| self.wait(op, limit)) else { return false };
        self.usage.executing += 1;
        self.next = at + 1;
        let leave = self.leaves(at + 2);
        let target = match op.kind {
            Kind::Jalr => a.wrapping_add(op.imm as u32) & !1,
            _ => pc.wrapping_add(op.imm as u32),
        };
        let jumps = matches!(op.kind, Kind::Jal | Kind::Jalr);
        if jumps {
            self.set(op, at + 1, leave);
        }
        let taken = target != pc.wrapping_add(4) && (jumps || alu::taken(op.kind, a, b));
        let predicted = match op.kind {
            Kind::Jal => taken,
            Kind::Jalr => !taken,
            // Backward branches are taken to be loops.
            _ => op.imm < 0,
        };
        let mut late = if taken != predicted { u64::from(self.timing.mispredict) } else { 0 };
        if taken {
            late += self.icache.jump(target);
        }
        if late != 0 {
            self.next += late;
            self.waits(CoreWait::Code, late);
        }
        true
    }

    /// The same of a load from L1 or local RAM: when it has entered.
    #[inline(always)]
    pub fn load(&mut self, pc: u32, op: &Op, from: (Place, u32), limit: u64, port: &mut Port) -> Option<u64> {
        let place = from.0;
        self.icache.goes_on(pc);
        let latency = self.latency(place);
        let free = self.next >= self.load_room(place) && self.next >= self.store_room();
        let at = if free { self.at_once(op, limit) } else { None };
        let at = at.or_else(|| self.wait_for_memory(op, place, limit))?;
        self.usage.executing += 1;
        self.next = at + 1;
        let served = if place == Place::L1 { port.take(at, 1) } else { at };
        self.loaded(op, at, from, served + latency);
        Some(at)
    }

    /// The same of a store there.
    #[inline(always)]
    pub fn store(
        &mut self,
        pc: u32,
        op: &Op,
        (place, addr): (Place, u32),
        limit: u64,
        port: &mut Port,
    ) -> Option<u64> {
        self.icache.goes_on(pc);
        let at = if self.next >= self.store_room() { self.at_once(op, limit) } else { None };
        let at = at.or_else(|| self.wait_for_memory(op, place, limit))?;
        self.usage.executing += 1;
        self.next = at + 1;
        let done = if place == Place::L1 {
            let clocks = u64::from(self.timing.store_l1);
            self.last_store = port.take(self.last_store.max(at), clocks) + clocks;
            self.last_store
        } else {
            at + 1
        };
        self.stored(addr, done);
        self.leaves(at + 2);
        Some(at)
    }

    /// Lets any other instruction enter, or one behind an access to a register. When it does, and what it accesses.
    pub fn enter(
        &mut self,
        pc: u32,
        op: &Op,
        operands: [u32; 2],
        limit: u64,
        port: &mut Port,
    ) -> Option<(u64, Place, u32)> {
        self.commit();
        let nothing = |entered: bool| entered.then_some((0, Place::Local, 0));
        let way = Way::of(op.kind);
        match way {
            Way::Compute | Way::Multiply => {
                return nothing(self.compute(pc, op, way == Way::Multiply, limit));
            }
            Way::Branch => return nothing(self.branch(pc, op, operands, limit)),
            Way::Other if op.kind != Kind::TtInsn => return nothing(self.divide(pc, op, operands, limit)),
            Way::Load | Way::Store | Way::Other => {}
        }
        let (place, addr) = match op.kind {
            Kind::TtInsn => (Place::Sync, 0),
            _ => Place::at(operands[0].wrapping_add(op.imm as u32)),
        };
        if matches!(place, Place::L1 | Place::Local) {
            let at = match way {
                Way::Load => self.load(pc, op, (place, addr), limit, port),
                _ => self.store(pc, op, (place, addr), limit, port),
            };
            return at.map(|at| (at, place, addr));
        }
        self.icache.goes_on(pc);
        let at = self.wait_for_memory(op, place, limit)?;
        // It may have to be executed again.
        self.entered = Some(Entered { at, op: *op, place, addr });
        Some((at, place, addr))
    }

    /// A division, or what takes a clock and has no result.
    fn divide(&mut self, pc: u32, op: &Op, [a, b]: [u32; 2], limit: u64) -> bool {
        self.icache.goes_on(pc);
        let Some(at) = self.at_once(op, limit).or_else(|| self.wait(op, limit)) else { return false };
        let done = at
            + match op.kind {
                Kind::Div | Kind::Rem => self.division(a as i32 as i64, b as i32 as i64),
                Kind::Divu | Kind::Remu => self.division(i64::from(a), i64::from(b)),
                _ => 1,
            };
        self.usage.executing += done - at;
        self.next = done;
        let leave = self.leaves(done + 1);
        if op.kind != Kind::Fence {
            self.set(op, done, leave);
        }
        true
    }

    /// Whether it is not known yet if the last instruction has been executed.
    #[inline(always)]
    pub fn is_undecided(&self) -> bool {
        self.entered.is_some()
    }

    /// The last instruction that entered has not been executed, and comes again.
    pub fn cancel(&mut self) {
        self.entered = None;
    }

    /// The last instruction that entered has been executed.
    #[inline]
    pub fn commit(&mut self) {
        if let Some(Entered { at, op, place, addr }) = self.entered.take() {
            self.usage.executing += 1;
            self.next = at + 1;
            if is_load(op.kind) {
                self.loaded(&op, at, (place, addr), at + self.latency(place));
            } else {
                self.stored(addr, at + 1);
                self.leaves(at + 2);
            }
        }
    }

    /// When an instruction enters that has to wait for nothing, which most do not; `None` if it has to.
    #[inline(always)]
    fn at_once(&self, op: &Op, limit: u64) -> Option<u64> {
        let at = self.next;
        // An immediate may look like a register that is not there yet: then it waits for nothing.
        let [first, second] = [op.rs1, op.rs2].map(|register| self.values[usize::from(register) % SLOTS]);
        let free = first.is_ready(at) && second.is_ready(at) && at < limit;
        (free && self.leave.nth_last(self.timing.queue) <= at).then_some(at)
    }

    /// When an instruction of the integer unit enters, if that is before `limit`.
    fn wait(&mut self, op: &Op, limit: u64) -> Option<u64> {
        self.wait_until(op, 0, limit)
    }

    /// The same of one that goes to the load/store unit.
    fn wait_for_memory(&mut self, op: &Op, place: Place, limit: u64) -> Option<u64> {
        let room = self.store_room().max(if is_load(op.kind) { self.load_room(place) } else { 0 });
        self.wait_until(op, room, limit)
    }

    /// The same; `room`: when there is room where it goes.
    fn wait_until(&mut self, op: &Op, room: u64, limit: u64) -> Option<u64> {
        let free = self.next;
        if free >= limit {
            return None;
        }
        let mut at = free;
        let (uses_a, uses_b) = uses(op.kind);
        let [first, second] = [op.rs1, op.rs2].map(|register| self.values[usize::from(register) % SLOTS]);
        // The later of the two may make the other one wait.
        for _ in 0..1 + u32::from(uses_b) {
            if uses_a {
                at = first.ready(at);
            }
            if uses_b {
                at = second.ready(at);
            }
        }
        let ready = at;
        at = at.max(self.leave.nth_last(self.timing.queue).saturating_sub(1)).max(room);
        self.waits(CoreWait::Operand, ready - free);
        self.waits(CoreWait::Memory, at - ready);
        if at >= limit {
            self.next = at;
            return None;
        }
        Some(at)
    }

    /// When there is room for a load or store: neither enters while the store queue is full.
    #[inline(always)]
    fn store_room(&self) -> u64 {
        self.stores.nth_last(self.timing.stores_queued)
    }

    /// When there is room for one more load.
    #[inline(always)]
    fn load_room(&self, place: Place) -> u64 {
        if place == Place::Local {
            return 0;
        }
        (self.loads.nth_last(self.timing.loads_in_flight) + self.latency(place)).saturating_sub(1)
    }

    /// An instruction leaves the load/store unit at `leave`, or behind the one before.
    #[inline(always)]
    fn leaves(&mut self, leave: u64) -> u64 {
        let leave = leave.max(self.leave.nth_last(1) + 1);
        self.leave.push(leave);
        leave
    }

    /// The destination register gets its value.
    #[inline(always)]
    fn set(&mut self, op: &Op, moves: u64, written: u64) {
        self.values[usize::from(op.rd) % SLOTS] = Value { moves, written };
    }

    /// A load has entered at `at`, and its value comes at `value`.
    #[inline(always)]
    fn loaded(&mut self, op: &Op, at: u64, (place, addr): (Place, u32), value: u64) {
        if place != Place::Local {
            self.loads.push(at);
            self.polled = place;
        }
        // A load from where a store still waits enters behind it.
        let conflict = if place == Place::L1 && self.last_store > at { self.conflict(addr) } else { 0 };
        let leave = self.leaves((at + 2).max(value + conflict.saturating_sub(at)));
        self.set(op, leave, leave);
    }

    /// When the last store to the same address leaves the store queue.
    fn conflict(&self, addr: u32) -> u64 {
        let stores = self.stored.iter().zip(&self.stores.times);
        stores.filter(|&(&stored, _)| stored == addr).map(|(_, &time)| time).max().unwrap_or(0)
    }

    /// A store has entered that leaves the store queue at `done`.
    #[inline(always)]
    fn stored(&mut self, addr: u32, done: u64) {
        self.stored[self.stores.at] = addr;
        // The queue is in order.
        self.stores.push(done.max(self.stores.nth_last(1)));
    }

    #[inline(always)]
    fn latency(&self, place: Place) -> u64 {
        let timing = self.timing;
        u64::from(match place {
            Place::L1 => timing.load_l1,
            Place::Local => timing.load_local,
            Place::Sync => timing.load_sync,
            Place::Coprocessor => timing.load_coprocessor,
            Place::Noc | Place::Register => timing.load_register,
        })
    }

    /// Clocks of a division.
    fn division(&self, a: i64, b: i64) -> u64 {
        let [least, most] = self.timing.divide.map(u64::from);
        if b == 0 || b == 1 || (a == i64::from(i32::MIN) && b == -1) {
            return u64::from(self.timing.divide_trivial);
        }
        let bits = u64::from(64 - a.unsigned_abs().leading_zeros());
        (bits + 1).clamp(least, most)
    }
}

#[inline]
const fn is_load(kind: Kind) -> bool {
    matches!(kind, Kind::Lb | Kind::Lh | Kind::Lw | Kind::Lbu | Kind::Lhu)
}

/// Which register operands an instruction has.
#[inline]
const fn uses(kind: Kind) -> (bool, bool) {
    use Kind::*;
    match kind {
        Lui | Auipc | Jal | TtInsn | Fence | Unknown | Illegal | Ecall | Ebreak => (false, false),
        Beq | Bne | Blt | Bge | Bltu | Bgeu | Sb | Sh | Sw | Add | Sub | Sll | Slt | Sltu | Xor | Srl
        | Sra | Or | And | Mul | Mulh | Mulhsu | Mulhu | Div | Divu | Rem | Remu => (true, true),
        _ => (true, false),
    }
}
