//! When a core's instructions enter its integer unit (`TensixTile/BabyRISCV/README.md`, `BabyRISCV/MemoryOrdering.md`).
//!
//! The core is in order: an instruction enters the integer unit when the one before has left it and its operands are
//! there, and goes on to the load/store unit, which instructions leave in order, loads when their value has come. An
//! operand is there when the instruction that makes it moves from one unit to the next, and from then on when it has left
//! the load/store unit: what waits there behind a load cannot be read.

use tt_isa::map::{self, RiscV};
use tt_isa::timing::CoreTiming;

use super::icache::ICache;
use crate::model::rv32::{Kind, Op};
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
    /// What is at an address.
    #[inline]
    pub const fn of(addr: u32) -> Self {
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

/// An instruction that has entered the integer unit.
#[derive(Clone, Copy)]
struct Entered {
    at: u64,
    pc: u32,
    op: Op,
    /// Of a load or store.
    place: Place,
    addr: u32,
    /// Clocks in the integer unit.
    occupied: u64,
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

/// The core's last jump or branch, until it is known where it went.
#[derive(Clone, Copy)]
struct Branch {
    pc: u32,
    kind: Kind,
    backward: bool,
}

/// A core between two instructions.
pub struct Scoreboard {
    timing: &'static CoreTiming,
    icache: ICache,
    /// When the next instruction may enter.
    next: u64,
    values: [Value; 33],
    /// When the last instructions leave the load/store unit.
    leave: Recent,
    /// When the last loads from elsewhere than local RAM have entered, and their latency.
    loads: Recent,
    /// When the last stores leave the store queue, and when the last one to L1 does.
    stores: Recent,
    /// Their addresses.
    stored: [u32; QUEUE],
    last_store: u64,
    entered: Option<Entered>,
    branch: Option<Branch>,
    accepted: u64,
    /// Where the last load from elsewhere than local RAM came from: what a core that only polls waits for.
    polled: Place,
    /// What it waits for while it is asleep.
    asleep_for: CoreWait,
    usage: CoreUsage,
}

impl Scoreboard {
    /// A core that has not run yet.
    pub fn new(timing: &'static CoreTiming, core: RiscV) -> Self {
        Self {
            timing,
            icache: ICache::new(timing, core),
            next: 0,
            values: [Value::default(); 33],
            leave: Recent::default(),
            loads: Recent::default(),
            stores: Recent::default(),
            stored: [u32::MAX; QUEUE],
            last_store: 0,
            entered: None,
            branch: None,
            accepted: 0,
            polled: Place::L1,
            asleep_for: CoreWait::Word,
            usage: CoreUsage::default(),
        }
    }

    /// Leaves reset at `now`: nothing is under way, and the instruction cache is empty.
    pub fn reset(&mut self, now: u64, core: RiscV) {
        *self = Self { next: now, usage: self.usage, ..Self::new(self.timing, core) };
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

    /// Instructions that have been let in.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Lets an instruction of one clock enter whose operands are there, behind one of the same line of code: most are. Whether
    /// it has been that easy; otherwise nothing has changed.
    #[inline(always)]
    pub fn enter_at_once(&mut self, pc: u32, op: &Op, limit: u64) -> bool {
        let at = self.next;
        // An immediate may look like a register that is not there yet: then it takes the other way for nothing.
        let [first, second] =
            [op.rs1, op.rs2].map(|register| self.values[usize::from(register)].is_ready(at));
        let easy = is_simple(op.kind)
            && first
            && second
            && self.icache.is_last(pc)
            && self.branch.is_none()
            && self.entered.is_none()
            && at < limit
            && self.leave.nth_last(self.timing.queue) <= at;
        if easy {
            self.next = at + 1;
            self.usage.executing += 1;
            self.accepted += 1;
            let leave = (at + 2).max(self.leave.nth_last(1) + 1);
            self.leave.push(leave);
            self.values[usize::from(op.rd).min(32)] = Value { moves: at + 1, written: leave };
        }
        easy
    }

    /// Lets an instruction enter if it can before `limit`: when it does, or `None`. Those before it have been executed.
    #[inline]
    pub fn enter(&mut self, pc: u32, op: &Op, [a, b]: [u32; 2], limit: u64) -> Option<(u64, Place, u32)> {
        self.commit();
        self.follow(pc);
        let kind = op.kind;
        let mut at = self.next;
        if at >= limit {
            return None;
        }
        let free = at;
        let (uses_a, uses_b) = uses(kind);
        let [first, second] = [op.rs1, op.rs2].map(|register| self.values[usize::from(register)]);
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
        at = at.max(self.leave.nth_last(self.timing.queue).saturating_sub(1));
        let mut place = Place::Sync;
        let mut addr = 0;
        if is_memory(kind) {
            if kind != Kind::TtInsn {
                addr = a.wrapping_add(op.imm as u32);
                place = Place::of(addr);
            }
            // Neither enters while the store queue is full.
            at = at.max(self.stores.nth_last(self.timing.stores_queued));
            if is_load(kind) && place != Place::Local {
                let latency = self.latency(place);
                at = at.max((self.loads.nth_last(self.timing.loads_in_flight) + latency).saturating_sub(1));
            }
        }
        if at != free {
            self.waits(CoreWait::Operand, ready - free);
            self.waits(CoreWait::Memory, at - ready);
        }
        if at >= limit {
            self.next = at;
            return None;
        }
        self.accepted += 1;
        let entered = Entered { at, pc, op: *op, place, addr, occupied: self.occupied(kind, a, b) };
        if is_memory(kind) && !matches!(place, Place::L1 | Place::Local) {
            // It may have to be executed again.
            self.entered = Some(entered);
        } else {
            self.execute(&entered);
        }
        Some((at, place, addr))
    }

    /// The last instruction that entered has not been executed, and comes again.
    pub fn cancel(&mut self) {
        if self.entered.take().is_some() {
            self.accepted -= 1;
        }
    }

    /// The last instruction that entered has been executed.
    #[inline]
    pub fn commit(&mut self) {
        if let Some(entered) = self.entered.take() {
            self.execute(&entered);
        }
    }

    /// An instruction is executed.
    #[inline]
    fn execute(&mut self, &Entered { at, pc, op, place, addr, occupied }: &Entered) {
        self.next = at + occupied;
        self.usage.executing += occupied;
        let kind = op.kind;
        let mut leave = at + occupied + 1;
        if is_load(kind) {
            let latency = self.latency(place);
            if place != Place::Local {
                self.loads.push(at);
                self.polled = place;
            }
            // A load from where a store still waits enters behind it.
            let conflict = if place == Place::L1 && self.last_store > at { self.conflict(addr) } else { 0 };
            leave = leave.max(at.max(conflict) + latency);
        } else if is_memory(kind) {
            self.store(at, place, addr);
        }
        leave = leave.max(self.leave.nth_last(1) + 1);
        self.leave.push(leave);
        if writes(kind) {
            let moves = if is_load(kind) { leave } else { at + occupied };
            self.values[usize::from(op.rd).min(32)] = Value { moves, written: leave };
        }
        if is_branch(kind) {
            self.branch = Some(Branch { pc, kind, backward: op.imm < 0 });
        }
    }

    /// When the last store to the same address leaves the store queue.
    fn conflict(&self, addr: u32) -> u64 {
        let stores = self.stored.iter().zip(&self.stores.times);
        stores.filter(|&(&stored, _)| stored == addr).map(|(_, &time)| time).max().unwrap_or(0)
    }

    fn store(&mut self, at: u64, place: Place, addr: u32) {
        let done = match place {
            Place::L1 => {
                self.last_store = self.last_store.max(at) + u64::from(self.timing.store_l1);
                self.last_store
            }
            _ => at + 1,
        };
        self.stored[self.stores.at] = addr;
        // The queue is in order.
        self.stores.push(done.max(self.stores.nth_last(1)));
    }

    /// Where the last jump led to, and whether the code is at hand.
    #[inline]
    fn follow(&mut self, pc: u32) {
        let mut taken = false;
        let before = self.next;
        if let Some(branch) = self.branch.take() {
            taken = pc != branch.pc.wrapping_add(4);
            let predicted = match branch.kind {
                Kind::Jal => taken,
                Kind::Jalr => !taken,
                // Backward branches are taken to be loops.
                _ => branch.backward,
            };
            if taken != predicted {
                self.next += u64::from(self.timing.mispredict);
            }
        }
        self.next += self.icache.fetch(pc, taken);
        if self.next != before {
            self.waits(CoreWait::Code, self.next - before);
        }
    }

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

    #[inline]
    fn occupied(&self, kind: Kind, a: u32, b: u32) -> u64 {
        match kind {
            Kind::Mul | Kind::Mulh | Kind::Mulhsu | Kind::Mulhu => u64::from(self.timing.multiply),
            Kind::Div | Kind::Rem => self.divide(a as i32 as i64, b as i32 as i64),
            Kind::Divu | Kind::Remu => self.divide(i64::from(a), i64::from(b)),
            _ => 1,
        }
    }

    fn divide(&self, a: i64, b: i64) -> u64 {
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

#[inline]
const fn is_store(kind: Kind) -> bool {
    matches!(kind, Kind::Sb | Kind::Sh | Kind::Sw)
}

/// Loads, stores, and pushes in line, which are stores.
#[inline]
const fn is_memory(kind: Kind) -> bool {
    is_load(kind) || is_store(kind) || matches!(kind, Kind::TtInsn)
}

#[inline]
const fn is_branch(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Jal | Kind::Jalr | Kind::Beq | Kind::Bne | Kind::Blt | Kind::Bge | Kind::Bltu | Kind::Bgeu
    )
}

/// Instructions of the integer unit that take a clock and change nothing but a register.
#[inline(always)]
const fn is_simple(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Lui | Auipc
            | Addi
            | Slti
            | Sltiu
            | Xori
            | Ori
            | Andi
            | Slli
            | Srli
            | Srai
            | Add
            | Sub
            | Sll
            | Slt
            | Sltu
            | Xor
            | Srl
            | Sra
            | Or
            | And
    )
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

/// Whether it has a destination register.
#[inline]
const fn writes(kind: Kind) -> bool {
    !is_store(kind)
        && !matches!(kind, Kind::TtInsn | Kind::Fence)
        && (!is_branch(kind) || matches!(kind, Kind::Jal | Kind::Jalr))
}
