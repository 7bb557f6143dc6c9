//! What happened before a RISC-V core's next instruction, and which of its own stores happened before a message that it sends
//! (`BabyRISCV/MemoryOrdering.md`).
//!
//! Stores to one region of memory arrive in order; a store to another region may overtake them. So a message of the
//! core (an instruction, a NoC request, a mailbox word) carries the core's vector clock, but of its own stores
//! to L1 or to configuration only those that have certainly arrived. A store has certainly arrived when a load from the
//! same address, or from the same region after four more stores, has returned. A load has returned once an
//! instruction uses its result, or seven instructions later.

use std::collections::VecDeque;

use super::clock::{Component, VectorClock};
use crate::model::rv32::{Kind, NO_REGISTER, Op};
use crate::model::tile::HARTS;

/// A store has left the queue of four when so many more were made.
const STORE_QUEUE: u64 = 3;
/// Instructions after which a load has returned, used or not: the retire-order queue holds eight.
const RETIRE_QUEUE: u32 = 7;
/// Remembered snapshots at stores.
const LOG: usize = 512;

/// Regions of memory whose stores are kept track of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Region {
    /// L1.
    L1,
    /// Tensix GPRs and configuration.
    Config,
    /// Anything else.
    Other,
}

/// A load that may not have returned.
struct Pending {
    register: u8,
    age: u32,
    /// Joined when it has returned.
    clock: VectorClock,
    /// TTSync: no other load from the same region may start before it has returned.
    sync: bool,
}

/// A store that may be in the store queue.
struct Recent {
    number: u64,
    region: Region,
    addr: u32,
    time: u32,
}

/// A core's clock.
pub struct CoreClock {
    index: usize,
    /// Counts stores and hand-overs: the number of this core's accesses in its components.
    time: u32,
    /// What happened before. Of its own components: what has arrived.
    clock: VectorClock,
    pending: Vec<Pending>,
    stores: u64,
    recent: VecDeque<Recent>,
    /// The last stores to L1 and to configuration that have left the queue.
    left: [u32; 2],
    /// Number of the last push to each Tensix thread, and of the last store to its TTSync.
    pushes: [u64; 3],
    syncs: [u64; 3],
    /// What a flag in L1 tells: the clock from the store of that time on.
    log: VecDeque<(u32, VectorClock)>,
    log_is_old: bool,
}

impl CoreClock {
    /// CoreClock `index`, in reset.
    pub fn new(index: usize) -> Self {
        Self {
            index,
            time: 0,
            clock: VectorClock::ZERO,
            pending: Vec::new(),
            stores: 0,
            recent: VecDeque::new(),
            left: [0; 2],
            pushes: [0; 3],
            syncs: [0; 3],
            log: VecDeque::new(),
            log_is_old: true,
        }
    }

    /// Leaves reset; `clock` happened before.
    pub fn start(&mut self, clock: &VectorClock) {
        self.pending.clear();
        self.join(clock);
    }

    /// `clock` happened before from now on.
    pub fn join(&mut self, clock: &VectorClock) {
        self.log_is_old |= self.clock.join(clock);
    }

    /// The same, once the load to `register` has returned.
    pub fn join_later(&mut self, register: u8, clock: VectorClock, sync: bool) {
        self.pending.push(Pending { register, age: 0, clock, sync });
    }

    /// An instruction is about to execute: loads whose results it uses have returned.
    pub fn instruction(&mut self, op: &Op) {
        let used = operands(op);
        let mut returned = VectorClock::ZERO;
        self.pending.retain_mut(|load| {
            load.age += 1;
            // Responses come back in order, so nothing after the used one needs a check.
            let back = used.contains(&load.register) || load.age > RETIRE_QUEUE;
            if back {
                returned.join(&load.clock);
            }
            !back
        });
        self.join(&returned);
    }

    /// Whether a load from TTSync may not have returned.
    pub fn sync_under_way(&self) -> bool {
        self.pending.iter().any(|load| load.sync)
    }

    /// What happened before its own next access: its own accesses are in order.
    pub fn in_order(&self) -> VectorClock {
        let mut clock = self.clock;
        for component in self.own() {
            clock.set(component, u32::MAX);
        }
        clock
    }

    /// What happened before, of its own stores those that have arrived.
    pub fn clock(&self) -> &VectorClock {
        &self.clock
    }

    /// Its own accesses so far; later ones have other numbers.
    pub fn snapshot(&mut self) -> VectorClock {
        self.time += 1;
        let mut clock = VectorClock::ZERO;
        let [stores, config, loads] = self.own();
        clock.advance(stores, self.time);
        clock.advance(config, self.time);
        clock.advance(loads, self.time);
        clock
    }

    fn own(&self) -> [Component; 3] {
        [Component::stores(self.index), Component::config(self.index), Component::loads(self.index)]
    }

    /// The number that a load has.
    pub fn load_number(&self) -> u32 {
        self.time + 1
    }

    /// A store to `addr`; its number.
    pub fn store(&mut self, region: Region, addr: u32) -> u32 {
        self.time += 1;
        self.stores += 1;
        self.recent.push_back(Recent { number: self.stores, region, addr, time: self.time });
        while let Some(old) = self.recent.pop_front_if(|old| old.number + STORE_QUEUE <= self.stores) {
            if old.region != Region::Other {
                self.left[old.region as usize] = old.time;
            }
        }
        if region == Region::L1 && (self.log_is_old || self.log.is_empty()) {
            self.log_is_old = false;
            if self.log.len() == LOG {
                self.log.pop_front();
            }
            let clock = self.release(Region::L1);
            self.log.push_back((self.time, clock));
        }
        self.time
    }

    /// What happened before a message sent by a store to `region`.
    pub fn release(&self, region: Region) -> VectorClock {
        let mut clock = self.clock;
        let [stores, config, loads] = self.own();
        match region {
            Region::L1 => clock.set(stores, self.time),
            Region::Config => clock.set(config, self.time),
            Region::Other => {}
        }
        clock.set(loads, self.time);
        clock
    }

    /// What happened before the store of `time` to L1, for a reader that sees it.
    pub fn snapshot_at(&self, time: u32) -> VectorClock {
        let at = self.log.partition_point(|(when, _)| *when <= time);
        let mut clock = at.checked_sub(1).map_or(VectorClock::ZERO, |i| self.log[i].1);
        clock.set(Component::stores(self.index), time);
        clock.set(Component::loads(self.index), time);
        clock
    }

    /// The core's own stores that have arrived once a load of `addr` in `region` has returned.
    pub fn arrived(&self, region: Region, addr: u32) -> VectorClock {
        let component = match region {
            Region::L1 => Component::stores(self.index),
            Region::Config => Component::config(self.index),
            Region::Other => return VectorClock::ZERO,
        };
        let same = self.recent.iter().rev().find(|store| store.region == region && store.addr == addr);
        let mut clock = VectorClock::ZERO;
        clock.advance(component, same.map_or(self.left[region as usize], |store| store.time));
        clock
    }

    /// An instruction was pushed to a Tensix thread.
    pub fn pushed(&mut self, thread: usize) {
        self.pushes[thread] = self.stores;
    }

    /// A store to a thread's TTSync.
    pub fn sync_stored(&mut self, thread: usize) {
        self.syncs[thread] = self.stores;
    }

    /// Whether a load from a thread's TTSync starts after all pushes to the thread have arrived.
    pub fn sync_is_ordered(&self, thread: usize) -> bool {
        let push = self.pushes[thread];
        self.syncs[thread] > push || push + STORE_QUEUE <= self.stores || push == 0
    }
}

/// All cores of a tile.
pub fn all() -> [CoreClock; HARTS] {
    std::array::from_fn(CoreClock::new)
}

/// Registers whose values an instruction needs.
fn operands(op: &Op) -> [u8; 2] {
    use Kind::*;
    let none = NO_REGISTER;
    match op.kind {
        Unknown | Illegal | TtInsn | Lui | Auipc | Jal | Fence | Ecall | Ebreak => [none; 2],
        Jalr | Lb | Lh | Lw | Lbu | Lhu | Addi | Slti | Sltiu | Xori | Ori | Andi | Slli | Srli | Srai => {
            [op.rs1, none]
        }
        _ => [op.rs1, op.rs2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rv32::decode;

    const NOP: u32 = 0x13;

    #[test]
    fn a_load_has_returned_when_it_is_used_or_much_later() {
        let news = {
            let mut clock = VectorClock::ZERO;
            clock.advance(Component::stores(3), 9);
            clock
        };
        let happened = |core: &CoreClock| core.clock.covers(Component::stores(3), 9);
        let mut core = CoreClock::new(0);
        core.join_later(7, news, false);
        core.instruction(&decode(NOP));
        assert!(!happened(&core));
        // and x0, x7, x0
        core.instruction(&decode(0x0003_F033));
        assert!(happened(&core));
        let mut core = CoreClock::new(0);
        core.join_later(7, news, false);
        for _ in 0..=RETIRE_QUEUE {
            assert!(!happened(&core));
            core.instruction(&decode(NOP));
        }
        assert!(happened(&core));
    }

    #[test]
    fn what_is_handed_on_leaves_out_stores_that_may_be_late() {
        let mut core = CoreClock::new(2);
        let own = Component::stores(2);
        let first = core.store(Region::L1, 0x100);
        let second = core.store(Region::L1, 0x104);
        assert!(core.release(Region::L1).covers(own, second));
        assert!(!core.release(Region::Other).covers(own, first));
        let seen = core.arrived(Region::L1, 0x100);
        core.join(&seen);
        assert!(core.release(Region::Other).covers(own, first));
        assert!(!core.release(Region::Other).covers(own, second));
        for _ in 0..STORE_QUEUE {
            core.store(Region::Other, 0);
        }
        assert!(core.arrived(Region::L1, 0x200).covers(own, second));
    }

    #[test]
    fn a_flag_tells_what_happened_before_it_was_stored() {
        let mut core = CoreClock::new(1);
        let mut news = VectorClock::ZERO;
        let flag = core.store(Region::L1, 0x100);
        news.advance(Component::stores(4), 3);
        core.join(&news);
        let next = core.store(Region::L1, 0x100);
        assert!(!core.snapshot_at(flag).covers(Component::stores(4), 3));
        assert!(core.snapshot_at(next).covers(Component::stores(4), 3));
        assert!(core.snapshot_at(next).covers(Component::stores(1), flag));
    }
}
