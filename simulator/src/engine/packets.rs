//! When the NoC's packets move, in modes in which they have delays.
//!
//! ```text
//! made -> depart (a write's data leaves) -> arrive (what it is for) -> respond (the response comes back and is counted)
//! ```
//! A delay comes before each step: a random one, or what the way takes ([`Network`]). Packets with random delays may overtake
//! each other, except those from one tile to the same place whose requests ask for a static or linked virtual channel: they
//! arrive in the order in which they were made (`NoC/Ordering.md`). The fabric implements the steps; this module only
//! schedules them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tt_isa::noc::NocXy;

use super::network::{Network, Response};
use super::random::{Pace, Random};
use crate::model::grid::{Grid, Node};
use crate::model::noc::{Data, Remote, Request};
use crate::observe::usage::{ChannelUsage, LinkUsage};

/// Clocks between two looks at the NoC, at most, where delays are random.
const QUANTUM: u64 = 112;
/// Where packets take the time of their way: less than the shortest time to another tile, a request, one hop and two ports. So
/// what tiles do in a quantum reaches others in a later one, on any number of host threads.
const TIMED_QUANTUM: u64 = 28;
/// Where only one tile does anything, and stops soon after it asks for something.
const ALONE_QUANTUM: u64 = 2048;
/// Clocks that a step may be late, so that not every packet ends a quantum.
const LATE: u64 = 4;
/// The quantum while tiles have nothing to do with each other, and for how long that must have been so. What then happens first
/// is late by this much at most, and so are counters of packets that have left.
const QUIET_QUANTUM: u64 = 112;
const QUIET: u64 = 2048;

/// What a packet does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A write's data leaves.
    Depart,
    /// It does what it is for.
    Arrive,
    /// The response comes back, from so many tiles.
    Respond {
        /// How many.
        answers: u32,
    },
}

/// A packet under way, with what observers want to remember of it.
pub struct InFlight<N> {
    due: u64,
    /// When its request was made.
    pub made: u64,
    /// When it arrives, if it is known before.
    arrives: u64,
    /// The tile that made its request, and its NoC 0 position.
    pub from: Node,
    own: NocXy,
    /// The packet.
    pub packet: Request,
    /// Its data.
    pub data: Data,
    /// What it does next.
    pub next: Step,
    /// It arrives at DRAM: no tile sees that before the response comes.
    at_memory: bool,
    /// The response, until it leaves.
    response: Option<Response>,
    /// The observers' note.
    pub note: N,
}

impl<N> InFlight<N> {
    /// When it does its next step, or has done its last one.
    pub fn due(&self) -> u64 {
        self.due
    }
}

/// A request, and when and where it was made.
pub struct Made<N> {
    /// Clock.
    pub clock: u64,
    /// Its tile.
    pub from: Node,
    /// The tile's NoC 0 position.
    pub own: NocXy,
    /// The packet.
    pub packet: Request,
    /// The observers' note.
    pub note: N,
}

/// Where delays come from.
enum Delays {
    Random(Random, Pace),
    Network(Box<Network>),
}

/// Packets under way on a chip.
pub struct Packets<N> {
    /// By time and then in the order in which they came: those whose next step a tile sees, and those that only have to
    /// come one after the other.
    queues: [BinaryHeap<Reverse<(u64, u64, usize)>>; 2],
    /// When a tile has last asked for something else than DRAM.
    lively: u64,
    slots: Vec<Option<InFlight<N>>>,
    free: Vec<usize>,
    count: u64,
    delays: Delays,
}

impl<N> Packets<N> {
    /// None yet; delays of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, u64::MAX);
        let pace = Pace::choose(&mut random, 16);
        Self::with(Delays::Random(random, pace))
    }

    /// None yet; they take the time of their way.
    pub fn timed(network: Network) -> Self {
        Self::with(Delays::Network(Box::new(network)))
    }

    fn with(delays: Delays) -> Self {
        Self { queues: Default::default(), lively: 0, slots: Vec::new(), free: Vec::new(), count: 0, delays }
    }

    /// What links and DRAM have done, where packets take the time of their way.
    pub fn usage(&self) -> (Vec<LinkUsage>, Vec<ChannelUsage>) {
        match &self.delays {
            Delays::Random(..) => Default::default(),
            Delays::Network(network) => network.usage(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(BinaryHeap::is_empty)
    }

    /// Clocks until the NoC must be processed again, and whether only one tile runs until then: few while tiles run (`events`:
    /// when the first and the second of them do something, [`u64::MAX`] for never), or until the next packet has something
    /// to do.
    pub fn quantum(&mut self, clock: u64, events: [u64; 2]) -> (u64, bool) {
        let [due, memory] = [0, 1].map(|n| self.queues[n].peek().map(|&Reverse((due, ..))| due));
        match &mut self.delays {
            Delays::Random(random, _) => match due {
                Some(due) if events[0] == u64::MAX => (due.saturating_sub(clock), false),
                _ => (16 + random.below(QUANTUM - 16), false),
            },
            Delays::Network(_) => {
                // A response does not come sooner than what is asked for.
                let memory = memory.unwrap_or(u64::MAX).saturating_add(TIMED_QUANTUM);
                let due = due.unwrap_or(u64::MAX).min(memory).saturating_sub(clock);
                let most = if clock - self.lively.min(clock) > QUIET { QUIET_QUANTUM } else { TIMED_QUANTUM };
                let [event, second] = events.map(|event| event.saturating_sub(clock));
                // Nothing happens until then; from the first event on, others may have to wait for what it does.
                let idle = due.min(event);
                let alone = due.min(second);
                if idle >= TIMED_QUANTUM {
                    (idle, false)
                } else if alone > TIMED_QUANTUM {
                    (alone.min(ALONE_QUANTUM), true)
                } else {
                    (due.clamp(LATE, most), false)
                }
            }
        }
    }

    /// Sends a packet on its way.
    pub fn add(&mut self, grid: &Grid, made: Made<N>) {
        let Made { clock, from, own, packet, note } = made;
        let next = if packet.is_write() { Step::Depart } else { Step::Arrive };
        let mut at_memory = false;
        let (due, arrives) = match &mut self.delays {
            Delays::Random(random, pace) => {
                let due = clock + pace.delay(random);
                // They leave in the order in which they were made, too.
                (if packet.in_order { due.max(self.last_in_order(from, &packet)) } else { due }, 0)
            }
            Delays::Network(network) => {
                at_memory = is_memory(grid, &packet);
                if !at_memory {
                    self.lively = self.lively.max(clock);
                }
                let (departs, arrives) = network.request(grid, clock, own, &packet);
                (if next == Step::Depart { departs } else { arrives }, arrives)
            }
        };
        self.put_back(InFlight {
            due,
            made: clock,
            arrives,
            from,
            own,
            packet,
            data: Data::default(),
            next,
            at_memory,
            response: None,
            note,
        });
    }

    /// Takes the next packet whose step is due.
    pub fn take_due(&mut self, clock: u64) -> Option<InFlight<N>> {
        loop {
            let next = |n: usize| self.queues[n].peek().map_or((u64::MAX, 0, 0), |&Reverse(next)| next);
            let first = usize::from(next(1) < next(0));
            let (due, _, slot) = next(first);
            if due > clock || due == u64::MAX {
                return None;
            }
            self.queues[first].pop();
            self.free.push(slot);
            let mut packet = self.slots[slot].take()?;
            let (Delays::Network(network), Some(response)) = (&mut self.delays, packet.response.take())
            else {
                return Some(packet);
            };
            packet.due = network.leave(&response);
            self.put_back(packet);
        }
    }

    /// A packet goes on to another step; see [`Self::put_back`].
    pub fn advance(&mut self, grid: &Grid, clock: u64, packet: &mut InFlight<N>, next: Step) {
        packet.due = match (&mut self.delays, next) {
            (Delays::Network(_), Step::Arrive) => packet.arrives,
            (Delays::Network(network), _) => {
                match network.serve(grid, packet.due, packet.own, &packet.packet) {
                    // Others may start before it does.
                    Some(response) if response.leaves() > packet.due + TIMED_QUANTUM => {
                        packet.response = Some(response);
                        response.leaves()
                    }
                    Some(response) => network.leave(&response),
                    None => packet.due + 1,
                }
            }
            (Delays::Random(random, pace), next) => {
                let due = clock + pace.delay(random);
                // What must not be overtaken is not.
                let held = next == Step::Arrive && packet.packet.in_order;
                if held { due.max(self.last_in_order(packet.from, &packet.packet)) } else { due }
            }
        };
        packet.next = next;
    }

    /// A packet that has more to do is under way again.
    pub fn put_back(&mut self, packet: InFlight<N>) {
        let slot = self.free.pop().unwrap_or(self.slots.len());
        let unseen = packet.response.is_some() || packet.at_memory && packet.next == Step::Arrive;
        self.queues[usize::from(unseen)].push(Reverse((packet.due, self.count, slot)));
        self.count += 1;
        if slot == self.slots.len() {
            self.slots.push(Some(packet));
        } else {
            self.slots[slot] = Some(packet);
        }
    }

    /// What a write to a tile, or a read from one, takes if nothing is in its way: clocks until it does what it is for, and from then on
    /// until who asked for it has the data or the acknowledgement. Where packets take the time of their way.
    pub fn idle_way(&self, grid: &Grid, noc: u8, ends: [NocXy; 2], len: u32, reads: bool) -> [u64; 2] {
        match &self.delays {
            Delays::Random(..) => [0; 2],
            Delays::Network(network) => network.idle_way(grid, noc, ends, len, reads),
        }
    }

    /// All of them, in no order.
    pub fn under_way(&self) -> impl Iterator<Item = &InFlight<N>> {
        self.slots.iter().flatten()
    }

    /// When the last of those does its next step that a packet of a tile's must not overtake.
    fn last_in_order(&self, from: Node, own: &Request) -> u64 {
        let same = |other: &&InFlight<N>| {
            let r = &other.packet;
            other.from == from && r.in_order && (r.noc, r.remote) == (own.noc, own.remote)
        };
        self.under_way().filter(same).map(|other| other.due).max().unwrap_or(0)
    }
}

/// Whether a packet goes to DRAM.
fn is_memory(grid: &Grid, packet: &Request) -> bool {
    match packet.remote {
        Remote::Tile(to) => matches!(grid.at(packet.noc, to), Some(Node::Dram { .. })),
        Remote::Rect(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::noc::Action;
    use crate::model::noc::request::Limits;
    use tt_isa::chip::WORMHOLE;

    /// Writes of a tile to a rectangle, in one static channel or in dynamic ones; numbered by their addresses.
    fn multicast(number: u64, in_order: bool) -> Request {
        Request {
            limits: Limits::of(&WORMHOLE.noc),
            noc: 0,
            action: Action::Write,
            remote: Remote::Rect(NocXy::new(1, 1), NocXy::new(4, 1)),
            addr: number,
            own_addr: 0,
            len: 64,
            respond: true,
            include_self: false,
            tag: 0,
            in_order,
            reserves: true,
            header_store: None,
            core: None,
        }
    }

    /// The order in which eight writes arrive that were made one clock after the other.
    fn arrivals(seed: u64, in_order: bool) -> Vec<u64> {
        let (grid, own) = (Grid::new(&WORMHOLE, 0), NocXy::new(1, 1));
        let from = grid.at(0, own).expect("a tile");
        let (mut packets, mut arrived) = (Packets::<()>::new(seed), Vec::new());
        for clock in 0..10_000 {
            if clock < 8 {
                packets.add(&grid, Made { clock, from, own, packet: multicast(clock, in_order), note: () });
            }
            while let Some(mut packet) = packets.take_due(clock) {
                if packet.next == Step::Depart {
                    packets.advance(&grid, clock, &mut packet, Step::Arrive);
                    packets.put_back(packet);
                } else {
                    arrived.push(packet.packet.addr);
                }
            }
        }
        assert_eq!(arrived.len(), 8);
        arrived
    }

    #[test]
    fn packets_of_a_static_channel_arrive_in_order_and_others_need_not() {
        assert!((0..100).all(|seed| arrivals(seed, true).is_sorted()));
        assert!((0..100).any(|seed| !arrivals(seed, false).is_sorted()));
    }
}
