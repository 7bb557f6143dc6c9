//! NoC requests that take their time.
//!
//! Each packet goes through the three steps of [`crate::noc::deliver`], a seeded delay before each: its data leaves
//! (writes), it does what it is for at the other end, and the response comes back and is counted. Packets overtake
//! each other freely, but for those from one tile to the same place whose requests ask for a static or linked
//! virtual channel: they arrive in the order in which they were made (`NoC/Ordering.md`).
//!
//! Until a step is done its end of the request is under way: nothing may write what is to be read there, nor touch
//! what is to be written ([`super::state::Async::l1_access`]). What packets do in DRAM is compared in [`super::dram`].

use std::sync::Arc;

use super::clock::{Clock, Response};
use super::dram::{Dones, DramShadow, Knowledge};
use super::random::{Pace, Random};
use super::report::RequestInfo;
use super::state::Visitor;
use crate::chip::Chip;
use crate::fault::Fault;
use crate::grid::Node;
use crate::noc::deliver::{Data, located};
use crate::noc::{Action, Remote, Request};
use crate::tile::Tile;

/// Clocks between two looks at the NoC, at most.
const QUANTUM: u64 = 112;

/// How time passes inside of a chip.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Mode {
    /// Units finish at once; as many instructions a second as the host can give.
    #[default]
    Fast,
    /// Everything finishes after a random but legal delay, and accesses that nothing orders are findings.
    Async {
        /// All delays follow from it.
        seed: u64,
    },
}

/// What the response to a request is counted as; `None` if there is none.
fn response(request: &Request) -> Option<Response> {
    request.respond.then_some(match request.action {
        Action::Read => Response::Read,
        Action::Atomic(_) => Response::Atomic,
        _ => Response::Write,
    })
}

/// First byte and bytes in L1 at the end of the tile that makes a request, and whether they are written.
pub fn own_end(request: &Request) -> Option<(u32, u32, bool)> {
    let (len, write) = match request.action {
        Action::Read => (request.len, true),
        Action::Write => (request.len, false),
        Action::WriteMasked { .. } => (32, false),
        Action::WriteInline { .. } => return None,
        Action::Atomic(_) if request.respond => (4, true),
        Action::Atomic(_) => return None,
    };
    let addr = u32::try_from(request.own_addr).ok().filter(|&addr| addr < tt_isa::map::L1_SIZE)?;
    Some((addr, len, write))
}

/// What a packet does next.
enum Next {
    Depart,
    Arrive,
    Respond { answers: u32 },
}

/// A packet under way.
pub struct Flight {
    due: u64,
    /// Index of the tile that made its request.
    pub tile: usize,
    /// Its request's number in the tile.
    pub id: u32,
    /// The packet.
    pub packet: Request,
    data: Data,
    next: Next,
    /// What whoever made the request knew.
    pub knows: Arc<Knowledge>,
    /// What the tile knew that a read or an atomic has come to.
    learns: Option<Dones>,
}

/// Packets under way on a chip.
#[derive(Default)]
pub struct UnderWay {
    flights: Vec<Flight>,
    random: Option<(Random, Pace)>,
    /// What packets have done in DRAM.
    pub dram: DramShadow,
}

impl UnderWay {
    /// None yet; delays of a mode.
    pub fn new(mode: Mode) -> Self {
        let random = match mode {
            Mode::Fast => None,
            Mode::Async { seed } => {
                let mut random = Random::new(seed, u64::MAX);
                let pace = Pace::choose(&mut random, 16);
                Some((random, pace))
            }
        };
        Self { random, ..Self::default() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    fn delay(&mut self) -> u64 {
        self.random.as_mut().map_or(1, |(random, pace)| pace.delay(random))
    }

    fn quantum(&mut self) -> u64 {
        self.random.as_mut().map_or(1, |(random, _)| 16 + random.below(QUANTUM - 16))
    }

    /// When a packet may do its next step: not before an older one that it must not overtake.
    fn due(&mut self, clock: u64, tile: usize, packet: &Request) -> u64 {
        let due = clock + self.delay();
        let same = |other: &&Flight| {
            let r = &other.packet;
            other.tile == tile && r.in_order && (r.noc, r.remote) == (packet.noc, packet.remote)
        };
        match packet.in_order {
            true => {
                self.flights.iter().filter(same).map(|other| other.due).max().map_or(due, |at| due.max(at))
            }
            false => due,
        }
    }
}

impl Chip {
    /// Clocks until the NoC is looked at again: few while tiles run, or until the next packet has something to do.
    pub(crate) fn quantum_async(&mut self) -> u32 {
        let awake = self.tiles.iter().any(Tile::is_awake) || self.ethernet.iter().any(|tile| tile.is_awake());
        let next = self.under_way.flights.iter().map(|flight| flight.due).min();
        let quantum = match next {
            Some(due) if !awake => due.saturating_sub(self.clock),
            _ => self.under_way.quantum(),
        };
        quantum.clamp(1, u64::from(u32::MAX)) as u32
    }

    /// [`Chip::deliver`] of what the Tensix tiles have made: packets do the steps whose time has come.
    pub(crate) fn deliver_async(&mut self) -> Result<(), Fault> {
        self.forget_what_the_host_knows();
        self.collect();
        self.step_packets()
    }

    /// Sends the requests that the tiles have made on their way.
    fn collect(&mut self) {
        for tile in 0..self.tiles.len() {
            if !self.tiles[tile].has_requests() {
                continue;
            }
            let requests = std::mem::take(&mut self.tiles[tile].port_mut().outbox);
            for request in requests {
                let (id, clock) = self.number(tile, request);
                let dones = self.tiles[tile].asynchronous.as_ref().map(|state| state.dones.clone());
                let knows = Arc::new(Knowledge { clock, dones: dones.unwrap_or_default() });
                for n in 0..request.packet_count() {
                    let packet = request.packet(n);
                    let due = self.clock + self.under_way.delay();
                    let next = if packet.is_write() { Next::Depart } else { Next::Arrive };
                    let knows = Arc::clone(&knows);
                    let data = Data::default();
                    let flight = Flight { due, tile, id, packet, data, next, knows, learns: None };
                    self.under_way.flights.push(flight);
                }
            }
        }
    }

    /// Number of a request and what its maker knew: as noted when it was made, or new if the host made it.
    fn number(&mut self, tile: usize, request: Request) -> (u32, Clock) {
        let Some(state) = &mut self.tiles[tile].asynchronous else { return (0, Clock::ZERO) };
        if let Some(noted) = state.outgoing.pop_front() {
            return noted;
        }
        state.requests.push(RequestInfo::new(request, None, 0));
        (state.requests.len() as u32 - 1, state.so_far())
    }

    /// Lets packets do the steps whose time has come.
    fn step_packets(&mut self) -> Result<(), Fault> {
        let clock = self.clock;
        let flights = std::mem::take(&mut self.under_way.flights);
        let (mut due, later): (Vec<_>, Vec<_>) = flights.into_iter().partition(|flight| flight.due <= clock);
        self.under_way.flights = later;
        due.sort_by_key(|flight| flight.due);
        for mut flight in due {
            let result = self.step_packet(&mut flight);
            let at = self.tiles[flight.tile].position;
            if result.map_err(|fault| located(fault, at, &flight.packet))? {
                self.under_way.flights.push(flight);
            }
        }
        Ok(())
    }

    /// One step of a packet; whether there are more.
    fn step_packet(&mut self, flight: &mut Flight) -> Result<bool, Fault> {
        let from = Node::Tensix(flight.tile);
        let (packet, tile) = (flight.packet, flight.tile);
        match flight.next {
            Next::Depart => {
                self.as_visitor(Some(tile), |chip| chip.depart(from, &packet, &mut flight.data))?;
                self.own_end_done(flight, Response::Sent);
                flight.next = Next::Arrive;
                flight.due = self.under_way.due(self.clock, tile, &packet);
            }
            Next::Arrive => {
                if !packet.is_write() {
                    // Counts the request.
                    self.depart(from, &packet, &mut flight.data)?;
                }
                let knows = Arc::clone(&flight.knows);
                let answers = self.as_visitor(None, |chip| {
                    let visitor = Visitor::Noc(packed(&chip.tiles[tile]));
                    chip.visit(visitor, None);
                    chip.tell(Some(&knows));
                    let answers = chip.arrive(from, &packet, &mut flight.data);
                    chip.tell(None);
                    answers
                })?;
                self.access_dram(flight)?;
                flight.learns = self.dones_of_remote(&packet);
                if !packet.respond {
                    return Ok(false);
                }
                flight.next = Next::Respond { answers };
                flight.due = self.clock + self.under_way.delay();
            }
            Next::Respond { answers } => {
                self.as_visitor(Some(tile), |chip| chip.respond(from, &packet, answers, &mut flight.data))?;
                if let Some(response) = response(&packet) {
                    self.own_end_done(flight, response);
                }
                if let Some(state) = &mut self.tiles[tile].asynchronous {
                    state.dones.join(&flight.learns.take().unwrap_or_default());
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs `f` while NoC accesses to tile `own` are its own ones.
    fn as_visitor<T>(&mut self, own: Option<usize>, f: impl FnOnce(&mut Self) -> T) -> T {
        self.visit(Visitor::Host, own);
        let result = f(self);
        self.visit(Visitor::Host, None);
        result
    }

    /// Tells all tiles who accesses them from now on.
    fn visit(&mut self, visitor: Visitor, own: Option<usize>) {
        for (index, tile) in self.tiles.iter_mut().enumerate() {
            if let Some(state) = &mut tile.asynchronous {
                state.visitor = if Some(index) == own { Visitor::Own } else { visitor };
            }
        }
    }

    /// What a request had to do at its own tile is done with its last packet, and counted.
    fn own_end_done(&mut self, flight: &Flight, response: Response) {
        if let Some(state) = &mut self.tiles[flight.tile].asynchronous
            && state.requests[flight.id as usize].packet_done(response)
        {
            state.request_done(flight.id, response);
        }
    }

    /// Tells all tiles what the one that accesses them from now on knows.
    fn tell(&mut self, knows: Option<&Arc<Knowledge>>) {
        for state in self.tiles.iter_mut().filter_map(|tile| tile.asynchronous.as_mut()) {
            state.visitor_knows = knows.cloned();
        }
    }

    /// What the Tensix tile knows that a packet brings something back from.
    fn dones_of_remote(&self, packet: &Request) -> Option<Dones> {
        let Remote::Tile(at) = packet.remote else { return None };
        let Some(Node::Tensix(index)) = self.grid.at(packet.noc, at) else { return None };
        let brings = matches!(packet.action, Action::Read | Action::Atomic(_));
        self.tiles[index].asynchronous.as_ref().filter(|_| brings).map(|state| state.dones.clone())
    }
}

/// A tile's position as [`Visitor::Noc`] has it.
fn packed(tile: &Tile) -> u32 {
    u32::from(tile.position.x) | u32::from(tile.position.y) << 8
}
