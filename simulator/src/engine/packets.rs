//! When the NoC's packets move, where they take their time.
//!
//! ```text
//! made -> depart (a write's data leaves) -> arrive (what it is for) -> respond (the response comes back and is counted)
//! ```
//! A delay comes before each step. Packets overtake each other freely, but for those from one tile to the same place whose
//! requests ask for a static or linked virtual channel: they arrive in the order in which they were made
//! (`NoC/Ordering.md`). What a step does is the fabric's; here is only the time.

use super::random::{Pace, Random};
use crate::model::noc::{Data, Request};

/// Clocks between two looks at the NoC, at most.
const QUANTUM: u64 = 112;

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
    /// Index of the tile that made its request.
    pub tile: usize,
    /// The packet.
    pub packet: Request,
    /// Its data.
    pub data: Data,
    /// What it does next.
    pub next: Step,
    /// The observers' note.
    pub note: N,
}

/// Packets under way on a chip.
pub struct Packets<N> {
    in_flight: Vec<InFlight<N>>,
    random: Random,
    pace: Pace,
}

impl<N> Packets<N> {
    /// None yet; delays of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, u64::MAX);
        let pace = Pace::choose(&mut random, 16);
        Self { in_flight: Vec::new(), random, pace }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Clocks until the NoC is to be looked at again: few while tiles run, or until the next packet has something to do.
    pub fn quantum(&mut self, clock: u64, awake: bool) -> u64 {
        match self.in_flight.iter().map(|packet| packet.due).min() {
            Some(due) if !awake => due.saturating_sub(clock),
            _ => 16 + self.random.below(QUANTUM - 16),
        }
    }

    /// A packet of a request that was made by `clock`.
    pub fn add(&mut self, clock: u64, tile: usize, packet: Request, note: N) {
        let due = clock + self.pace.delay(&mut self.random);
        let next = if packet.is_write() { Step::Depart } else { Step::Arrive };
        self.in_flight.push(InFlight { due, tile, packet, data: Data::default(), next, note });
    }

    /// Takes the packets whose next step is due, in the order in which they are.
    pub fn take_due(&mut self, clock: u64) -> Vec<InFlight<N>> {
        let in_flight = std::mem::take(&mut self.in_flight);
        let (mut due, later): (Vec<_>, Vec<_>) =
            in_flight.into_iter().partition(|packet| packet.due <= clock);
        self.in_flight = later;
        due.sort_by_key(|packet| packet.due);
        due
    }

    /// A packet goes on to another step; see [`Self::put_back`].
    pub fn advance(&mut self, clock: u64, packet: &mut InFlight<N>, next: Step) {
        packet.due = match next {
            // What must not be overtaken is not.
            Step::Arrive => self.due_in_order(clock, packet.tile, &packet.packet),
            _ => clock + self.pace.delay(&mut self.random),
        };
        packet.next = next;
    }

    /// A packet that has more to do is under way again.
    pub fn put_back(&mut self, packet: InFlight<N>) {
        self.in_flight.push(packet);
    }

    /// When a packet may arrive: not before an older one that it must not overtake.
    fn due_in_order(&mut self, clock: u64, tile: usize, packet: &Request) -> u64 {
        let due = clock + self.pace.delay(&mut self.random);
        let same = |other: &&InFlight<N>| {
            let r = &other.packet;
            other.tile == tile && r.in_order && (r.noc, r.remote) == (packet.noc, packet.remote)
        };
        match packet.in_order {
            true => {
                self.in_flight.iter().filter(same).map(|other| other.due).max().map_or(due, |at| due.max(at))
            }
            false => due,
        }
    }
}
