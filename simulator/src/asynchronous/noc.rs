//! NoC requests that take their time.
//!
//! Each packet goes through the three steps of [`crate::noc::deliver`], a seeded delay before each: its data leaves
//! (writes), it does what it is for at the other end, and the response comes back and is counted. Packets overtake
//! each other freely, but for those from one tile to the same place whose requests ask for a static or linked
//! virtual channel: they arrive in the order in which they were made (`NoC/Ordering.md`).
//!
//! Until a step is done its end of the request is under way: nothing may write what is to be read there, nor touch
//! what is to be written ([`super::state::Async::l1_access`]). In DRAM, two writes under way at once that touch the
//! same bytes are a race. A read may touch bytes that are being written, as long as nobody uses what it brings of
//! them: it is spoilt ([`super::shadow::L1Shadow::spoil`]). So is what a read brings of bytes that nothing ever wrote.

use super::clock::Response;
use super::random::{Pace, Random};
use super::report::RequestInfo;
use super::shadow::Spoilt;
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
struct Flight {
    due: u64,
    tile: usize,
    /// Its request's number in the tile.
    id: u32,
    packet: Request,
    /// Last packet of its request.
    last: bool,
    data: Data,
    next: Next,
    /// Bytes of a read's data without a definite value: first, how many, and why.
    spoilt: Vec<(u32, u32, Spoilt)>,
}

/// Packets under way on a chip.
#[derive(Default)]
pub struct UnderWay {
    flights: Vec<Flight>,
    random: Option<(Random, Pace)>,
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
        Self { flights: Vec::new(), random }
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
        self.collect()?;
        self.step_packets()
    }

    /// Sends the requests that the tiles have made on their way.
    fn collect(&mut self) -> Result<(), Fault> {
        for tile in 0..self.tiles.len() {
            if !self.tiles[tile].has_requests() {
                continue;
            }
            let requests = std::mem::take(&mut self.tiles[tile].port_mut().outbox);
            for request in requests {
                let id = self.number(tile, request);
                for n in 0..request.packet_count() {
                    let packet = request.packet(n);
                    let spoilt = self.check_dram(tile, id, &packet)?;
                    let due = self.clock + self.under_way.delay();
                    let last = n + 1 == request.packet_count();
                    let next = if packet.is_write() { Next::Depart } else { Next::Arrive };
                    let flight = Flight { due, tile, id, packet, last, data: Data::default(), next, spoilt };
                    self.under_way.flights.push(flight);
                }
            }
        }
        Ok(())
    }

    /// Number of a request: the one that it got when it was made, or a new one if the host made it.
    fn number(&mut self, tile: usize, request: Request) -> u32 {
        let Some(state) = &mut self.tiles[tile].asynchronous else { return 0 };
        state.outgoing.pop_front().unwrap_or_else(|| {
            state.requests.push(RequestInfo { request, core: None, pc: 0 });
            state.requests.len() as u32 - 1
        })
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
                let answers = self.as_visitor(None, |chip| {
                    let visitor = Visitor::Noc(packed(&chip.tiles[tile]));
                    chip.visit(visitor, None);
                    chip.arrive(from, &packet, &mut flight.data)
                })?;
                self.note_unwritten(flight);
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
                    for (first, len, by) in flight.spoilt.drain(..) {
                        state.l1.spoil(packet.own_addr as u32 + first, len, &by);
                    }
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
        if flight.last
            && let Some(state) = &mut self.tiles[flight.tile].asynchronous
        {
            state.request_done(flight.id, response);
        }
    }

    /// Looks for packets that are under way and meet `packet` in DRAM. Two writes are a race at once; of a read's
    /// data the bytes that both touch are spoilt, which matters when somebody uses them. Those of the packet's own
    /// data come back.
    fn check_dram(
        &mut self,
        tile: usize,
        id: u32,
        packet: &Request,
    ) -> Result<Vec<(u32, u32, Spoilt)>, Fault> {
        let mut spoilt = Vec::new();
        let Some(group) = self.dram_group(packet) else { return Ok(spoilt) };
        let end = |packet: &Request| packet.addr + u64::from(packet.len);
        for n in 0..self.under_way.flights.len() {
            let other = &self.under_way.flights[n];
            let old = &other.packet;
            let (first, last) = (packet.addr.max(old.addr), end(packet).min(end(old)));
            let done = matches!(other.next, Next::Respond { .. });
            let ordered = packet.in_order && old.in_order;
            if first >= last || done || ordered || self.dram_group(old) != Some(group) {
                continue;
            }
            let len = (last - first) as u32;
            match (packet.is_write(), old.is_write()) {
                (true, true) => return Err(self.dram_race(tile, id, packet, other)),
                (true, false) => {
                    let (at, by) = ((first - old.addr) as u32, Spoilt::Written(self.who(tile, id)));
                    self.under_way.flights[n].spoilt.push((at, len, by));
                }
                (false, true) => {
                    let by = Spoilt::Written(self.who(other.tile, other.id));
                    spoilt.push(((first - packet.addr) as u32, len, by));
                }
                (false, false) => {}
            }
        }
        Ok(spoilt)
    }

    /// Notes which bytes of what a read found in DRAM nothing had ever written there.
    fn note_unwritten(&self, flight: &mut Flight) {
        let packet = &flight.packet;
        let (Action::Read, Some(group), Remote::Tile(at)) =
            (packet.action, self.dram_group(packet), packet.remote)
        else {
            return;
        };
        for (first, len) in self.dram[group].unwritten(packet.addr, packet.len) {
            let why = Spoilt::Unwritten(packet.addr + u64::from(first), at);
            flight.spoilt.push((first, len, why));
        }
    }

    /// The DRAM tile that a packet goes to.
    fn dram_group(&self, packet: &Request) -> Option<usize> {
        let Remote::Tile(at) = packet.remote else { return None };
        match self.grid.at(packet.noc, at) {
            Some(Node::Dram { group, .. }) => Some(group),
            _ => None,
        }
    }

    /// A request and its tile.
    fn who(&self, tile: usize, id: u32) -> String {
        let tile = &self.tiles[tile];
        let request = tile.asynchronous.as_ref().map(|state| state.requests[id as usize].to_string());
        format!("{} in tile {}", request.unwrap_or_default(), tile.position)
    }

    fn dram_race(&self, tile: usize, id: u32, packet: &Request, other: &Flight) -> Fault {
        let seed = self.tiles[tile].asynchronous.as_ref().map_or(0, |state| state.seed);
        let what = format!(
            "data race on DRAM {:#x}: {} writes it, {} writes it, and both are under way at once; wait until the \
             NIU has counted the first one's response (seed {seed})",
            packet.addr.max(other.packet.addr),
            self.who(other.tile, other.id),
            self.who(tile, id),
        );
        Fault::program(what).page("NoC/Ordering.md").in_tile(self.tiles[tile].position)
    }
}

/// A tile's position as [`Visitor::Noc`] has it.
fn packed(tile: &Tile) -> u32 {
    u32::from(tile.position.x) | u32::from(tile.position.y) << 8
}
