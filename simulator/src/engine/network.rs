//! When packets are where: NIUs, routers and links, DRAM channels (`NoC/README.md`, `NoC/RoutingPaths.md`, `DRAMTile/README.md`).
//!
//! ```text
//! store to CMD_CTRL -> NIU -> router -> hop .. hop -> router -> NIU -> memory -> NIU -> .. -> NIU -> counter
//!                      `---------------- leg --------------------'     `------ leg back ---------'
//! ```
//! Each link is busy until some time: a packet's head waits at each link of its way, then goes on; its tail follows as many
//! flits later. Legs are looked at in the order in which they start. So two packets share a link by turns, which for bulk
//! transfers comes to the same as the routers' interleaving; short packets pass the bulk, as in a virtual channel of their
//! own. Not here: buffers that fill up and stop what is behind them, and with them what dynamic channels lose when many
//! write to DRAM.
//!
//! Times are in sixteenths of a clock ([`TICKS`]).

use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;
use tt_isa::timing::{TICKS, Timing};

use crate::model::grid::{Grid, Node};
use crate::model::noc::{Action, Remote, Request};

/// What a position has on each NoC.
const PORTS: usize = 4;
/// From the NIU to the router, from the router to the NIU, to the next router in x, and in y.
const IN: usize = 0;
const OUT: usize = 1;
const X: usize = 2;
const Y: usize = 3;

/// A link, or a port of a NIU.
#[derive(Clone, Copy, Default)]
struct Link {
    /// Until when bulk and short packets have taken it.
    bulk: u64,
    short: u64,
}

/// The NoCs and the DRAM of a chip.
pub struct Network {
    timing: &'static Timing,
    size: NocXy,
    links: Vec<Link>,
    /// DRAM channels, until when each is busy.
    channels: Vec<u64>,
    /// When the NIU of each position takes the next request to its DRAM, by NoC.
    endpoints: [Vec<u64>; 2],
    /// Reserved multicasts of each NoC, one after the other.
    reserved: [u64; 2],
    /// The way of the last leg, to be reused.
    way: Vec<usize>,
}

/// A packet's way, ends first.
struct Leg {
    noc: u8,
    from: NocXy,
    to: NocXy,
    flits: u64,
    /// Ticks for each flit where it enters and leaves the NoC; links carry one a clock.
    enter: u64,
    leave: u64,
}

/// When a packet reaches the end of its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Arrival {
    head: u64,
    tail: u64,
}

impl Network {
    /// Everything idle.
    pub fn new(chip: &'static Chip, timing: &'static Timing) -> Self {
        let positions = usize::from(chip.grid.x) * usize::from(chip.grid.y);
        Self {
            timing,
            size: chip.grid,
            links: vec![Link::default(); 2 * positions * PORTS],
            channels: vec![0; chip.dram.len()],
            endpoints: [vec![0; positions], vec![0; positions]],
            reserved: [0; 2],
            way: Vec::new(),
        }
    }

    /// A request was made at clock `made` by the tile at `from`: when its data, if it has any, has been read, and when it does
    /// what it is for.
    pub fn request(&mut self, grid: &Grid, made: u64, from: NocXy, packet: &Request) -> (u64, u64) {
        let noc = &self.timing.noc;
        let (issued, write_extra, complete) = (made + u64::from(noc.request), noc.write_extra, noc.complete);
        let mut start = issued * TICKS;
        let flits =
            1 + if packet.is_write() { u64::from(packet.flits()) } else { u64::from(is_atomic(packet)) };
        let mut enter = TICKS;
        if packet.is_write() && flits > u64::from(noc.small) {
            enter += u64::from(write_extra) * TICKS / flits;
        }
        let Some(to) = self.target(grid, from, packet) else { return (issued, issued) };
        if packet.reserves {
            start = self.reserve(packet.noc, from, to, start);
        }
        let leg = Leg { noc: packet.noc, from, to, flits, enter, leave: TICKS };
        let arrival = self.travel(&leg, start);
        if packet.reserves {
            self.reserved[usize::from(packet.noc)] = arrival.tail;
        }
        let departed = start / TICKS + flits;
        let reached = if packet.is_write() {
            arrival.tail.div_ceil(TICKS) + u64::from(complete) / 2
        } else {
            arrival.head / TICKS
        };
        (departed, reached.max(departed))
    }

    /// A packet has done at clock `at` what it is for: when its response has been counted.
    pub fn respond(&mut self, grid: &Grid, at: u64, own: NocXy, packet: &Request) -> u64 {
        let Some(from) = self.target(grid, own, packet) else { return at + 1 };
        let node = match packet.remote {
            Remote::Tile(to) => grid.at(packet.noc, to),
            Remote::Rect(..) => None,
        };
        let noc = &self.timing.noc;
        let (complete, serve, extra) =
            (u64::from(noc.complete), u64::from(noc.serve), u64::from(noc.read_extra_ticks));
        let flits = 1 + if packet.action == Action::Read {
            u64::from(packet.flits())
        } else {
            u64::from(is_atomic(packet))
        };
        let ready = at * TICKS;
        let (start, enter, leave, last) = match (node, packet.action) {
            (Some(Node::Dram { group, edge }), Action::Read) => {
                let (start, pace, last) = self.read_dram(group, edge, packet, ready);
                (start, TICKS, pace, last)
            }
            (Some(Node::Dram { group, .. }), _) => (self.write_dram(group, packet, ready), TICKS, TICKS, 0),
            (_, Action::Read) => (ready + serve * TICKS, TICKS + extra, TICKS + extra, 0),
            _ => (ready + serve * TICKS, TICKS, TICKS, 0),
        };
        let leg = Leg { noc: packet.noc, from, to: own, flits, enter, leave };
        let arrival = self.travel(&leg, start);
        // The last bytes may come later than the way takes.
        let way = arrival.head.saturating_sub(start);
        arrival.tail.max(last + way).div_ceil(TICKS) + complete
    }

    /// Where a packet's way ends; the far corner of a rectangle. Positions are NoC 0's.
    fn target(&self, grid: &Grid, from: NocXy, packet: &Request) -> Option<NocXy> {
        match packet.remote {
            Remote::Tile(to) => Some(grid.on(packet.noc, to)),
            Remote::Rect(first, last) => {
                let corners = [first, last].map(|corner| grid.on(packet.noc, corner));
                let hops = |&to: &NocXy| self.hops(packet.noc, from, to);
                corners.into_iter().max_by_key(hops)
            }
        }
    }

    /// Waits until no reserved multicast is under way, and reserves the way: there and back once.
    fn reserve(&mut self, noc: u8, from: NocXy, to: NocXy, start: u64) -> u64 {
        let timing = &self.timing.noc;
        let hops = self.hops(noc, from, to) + self.hops(noc, to, from);
        let ports = 4 * u64::from(timing.niu) + u64::from(timing.serve);
        let start = start.max(self.reserved[usize::from(noc)]);
        start + (hops * u64::from(timing.hop) + ports) * TICKS
    }

    /// A read reaches a DRAM tile: when the response starts, ticks for each of its flits, and when the last bytes come.
    fn read_dram(&mut self, group: usize, edge: usize, packet: &Request, ready: u64) -> (u64, u64, u64) {
        let dram = &self.timing.dram;
        let (pace, serve, burst) =
            (u64::from(dram.ticks_32_bytes), u64::from(dram.serve) * TICKS, dram.burst);
        let endpoint = &mut self.endpoints[usize::from(packet.noc)][edge];
        let taken = ready.max(*endpoint);
        *endpoint = taken + u64::from(dram.request_ticks);
        let first = taken + serve;
        let moving = u64::from(packet.flits()) * pace;
        let start = self.occupy(group, packet.addr, first, moving);
        let pauses = u64::from(packet.len.saturating_sub(1) / u32::from(burst)) * serve;
        (start, pace, start + moving + pauses)
    }

    /// A write has reached a DRAM tile: when it has been taken.
    fn write_dram(&mut self, group: usize, packet: &Request, ready: u64) -> u64 {
        let moving = u64::from(packet.flits()) * u64::from(self.timing.dram.ticks_32_bytes);
        let serve = u64::from(self.timing.noc.serve) * TICKS;
        // The data has come over the NoC at a flit a clock: the channel lags behind by the difference only.
        let begun = ready.saturating_sub(u64::from(packet.flits()) * TICKS);
        (self.occupy(group, packet.addr, begun, moving) + moving).max(ready) + serve
    }

    /// Occupies a DRAM channel for some time, `at` the earliest; from when on.
    fn occupy(&mut self, group: usize, addr: u64, at: u64, ticks: u64) -> u64 {
        let channel = &mut self.channels[2 * group + (addr >> 30 & 1) as usize];
        let start = at.max(*channel);
        *channel = start + ticks;
        start
    }

    /// Sends a packet on its way.
    fn travel(&mut self, leg: &Leg, start: u64) -> Arrival {
        if leg.from == leg.to {
            // It does not reach a router (`TensixTile/L1.md`).
            return Arrival { head: start, tail: start + leg.flits * leg.enter.max(leg.leave) };
        }
        let mut way = std::mem::take(&mut self.way);
        self.find_way(leg, &mut way);
        let (hop, niu) = (u64::from(self.timing.noc.hop) * TICKS, u64::from(self.timing.noc.niu) * TICKS);
        let mut head = start;
        let last = way.len() - 1;
        for (i, &link) in way.iter().enumerate() {
            let (pace, latency) = match i {
                0 => (leg.enter, niu),
                _ if i == last => (leg.leave, niu),
                _ => (TICKS, hop),
            };
            head = self.take(link, head, leg.flits, pace) + latency;
        }
        self.way = way;
        Arrival { head, tail: head + leg.flits * leg.enter.max(leg.leave) }
    }

    /// A packet takes a link; when its head passes.
    fn take(&mut self, link: usize, at: u64, flits: u64, pace: u64) -> u64 {
        let small = u64::from(self.timing.noc.small);
        let link = &mut self.links[link];
        let ticks = flits * pace;
        if flits > small {
            let start = at.max(link.bulk);
            link.bulk = start + ticks;
            return start;
        }
        let start = at.max(link.short);
        link.short = start + ticks;
        if link.bulk > start {
            link.bulk += ticks;
        }
        start
    }

    /// Routers between two positions.
    fn hops(&self, noc: u8, from: NocXy, to: NocXy) -> u64 {
        let distance = |from: u8, to: u8, size: u8| {
            let (from, to) = if noc == 0 { (from, to) } else { (to, from) };
            u64::from((to + size - from) % size)
        };
        distance(from.x, to.x, self.size.x) + distance(from.y, to.y, self.size.y)
    }

    /// NoC 0 goes right, then down; NoC 1 up, then left. Both wrap round.
    fn find_way(&self, leg: &Leg, way: &mut Vec<usize>) {
        way.clear();
        let (mut x, mut y) = (leg.from.x, leg.from.y);
        way.push(self.link(leg.noc, x, y, IN));
        let step = |v: u8, size: u8| if leg.noc == 0 { (v + 1) % size } else { (v + size - 1) % size };
        for axis in if leg.noc == 0 { [X, Y] } else { [Y, X] } {
            if axis == X {
                while x != leg.to.x {
                    way.push(self.link(leg.noc, x, y, X));
                    x = step(x, self.size.x);
                }
            } else {
                while y != leg.to.y {
                    way.push(self.link(leg.noc, x, y, Y));
                    y = step(y, self.size.y);
                }
            }
        }
        way.push(self.link(leg.noc, x, y, OUT));
    }

    fn link(&self, noc: u8, x: u8, y: u8, port: usize) -> usize {
        let position = usize::from(y) * usize::from(self.size.x) + usize::from(x);
        (usize::from(noc) * usize::from(self.size.x) * usize::from(self.size.y) + position) * PORTS + port
    }
}

fn is_atomic(packet: &Request) -> bool {
    matches!(packet.action, Action::Atomic(_))
}

#[cfg(test)]
mod tests;
