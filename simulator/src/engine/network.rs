//! When packets are where: NIUs, routers and links, DRAM channels (`NoC/README.md`, `NoC/RoutingPaths.md`, `DRAMTile/README.md`).
//!
//! ```text
//! store to CMD_CTRL -> NIU -> router -> hop .. hop -> router -> NIU -> memory -> NIU -> .. -> NIU -> counter
//!                      `---------------- leg --------------------'     `------ leg back ---------'
//! ```
//! A packet's head waits at each link of its way until it is free, then goes on; its tail follows as many flits later. Legs are
//! looked at in the order in which they start. So packets share a link by turns, which for bulk transfers comes to the same
//! as the routers' interleaving; short packets pass the bulk, as in a virtual channel of their own.
//!
//! The PCIe tile takes what tiles write to the host's memory as fast as PCIe carries it, and acknowledges it from its controller
//! (`PCIExpressTile/README.md`, "Performance").
//!
//! Buffers are not simulated flit by flit, but what they do to bulk writes to DRAM, which takes less than a link brings, is
//! ([`Network::pace_to_dram`], `DRAMTile/README.md`, "Performance"): they fill up, and what is behind them goes no faster than
//! what is in front.
//!
//! Times are in sixteenths of a clock ([`TICKS`]).

use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;
use tt_isa::timing::{TICKS, Timing};

use crate::model::grid::{Grid, Node};
use crate::model::noc::{Action, Remote, Request};
use crate::observe::usage::{ChannelUsage, LinkUsage, LinkWay};

mod link;

use link::Link;

/// What a position has on each NoC.
const PORTS: usize = 4;
/// From the NIU to the router, from the router to the NIU, to the next router in x, and in y.
const IN: usize = 0;
const OUT: usize = 1;
const X: usize = 2;
const Y: usize = 3;

/// The NoCs and the DRAM of a chip.
pub struct Network {
    timing: &'static Timing,
    size: NocXy,
    flit_bytes: u32,
    links: Vec<Link>,
    channels: Vec<Channel>,
    /// When the NIU of each position takes the next request to its DRAM, by NoC.
    endpoints: [Vec<u64>; 2],
    /// Until when the routers of each position are reserved for a multicast, by NoC.
    reserved: [Vec<u64>; 2],
    /// Until when PCIe is busy with what tiles write to the host.
    pcie: u64,
    /// The way of the last leg, to be reused.
    way: Vec<usize>,
}

/// A channel of DRAM.
#[derive(Clone, Default)]
struct Channel {
    /// Until when it is busy.
    until: u64,
    /// The tile whose bulk write comes last, and until when others' and its own are on their way or wait.
    writer: Option<NocXy>,
    others: u64,
    own: u64,
    /// What it has done.
    usage: ChannelUsage,
}

/// A packet's way, ends first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Leg {
    noc: u8,
    from: NocXy,
    to: NocXy,
    flits: u64,
    /// Ticks for each flit where it enters the NoC, on its links, and where it leaves.
    enter: u64,
    links: u64,
    leave: u64,
}

/// When a packet has left its tile, and when it reaches the end of its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Arrival {
    left: u64,
    head: u64,
    tail: u64,
}

/// A response that will leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Response {
    leg: Leg,
    start: u64,
    /// When the last bytes are there.
    last: u64,
}

impl Response {
    /// The clock at which it leaves.
    pub fn leaves(&self) -> u64 {
        self.start / TICKS
    }
}

/// Places of an axis that a multicast passes on its way from `from` to the farthest one from `first` to `last`.
fn passed(noc: u8, from: u8, [first, last]: [u8; 2], size: u8) -> Vec<u8> {
    let distance = |to: u8| match noc {
        0 => (to + size - from) % size,
        _ => (from + size - to) % size,
    };
    let farthest = (first..=last).map(distance).max().unwrap_or(0);
    let place = |n: u8| match noc {
        0 => (from + n) % size,
        _ => (from + size - n) % size,
    };
    (0..=farthest).map(place).collect()
}

impl Network {
    /// Everything idle.
    pub fn new(chip: &'static Chip, timing: &'static Timing) -> Self {
        let positions = usize::from(chip.grid.x) * usize::from(chip.grid.y);
        Self {
            timing,
            size: chip.grid,
            flit_bytes: chip.noc.link_width,
            links: vec![Link::default(); 2 * positions * PORTS],
            channels: vec![Channel::default(); chip.dram.len()],
            endpoints: [vec![0; positions], vec![0; positions]],
            reserved: [vec![0; positions], vec![0; positions]],
            pcie: 0,
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
        let Some(to) = self.target(grid, from, packet) else { return (issued, issued) };
        let bulk = packet.is_write() && flits > u64::from(noc.small);
        let extra = if bulk { u64::from(write_extra) * TICKS / flits } else { 0 };
        let tree = self.tree(grid, from, packet);
        if packet.reserves {
            start = self.reserve(packet.noc, [from, to], &tree, start);
        }
        let links = if bulk { self.pace_to_dram(grid, from, packet, start) } else { TICKS };
        let leg =
            Leg { noc: packet.noc, from, to, flits, enter: (TICKS + extra).max(links), links, leave: links };
        let arrival = self.travel(&leg, start);
        if packet.reserves || packet.in_order {
            // Others wait for the whole transaction.
            tree.iter().for_each(|&at| self.reserved[usize::from(packet.noc)][at] = arrival.tail);
        }
        if bulk {
            self.expect_write(grid, from, packet, arrival.tail);
        }
        let departed = arrival.left.div_ceil(TICKS);
        let reached = if packet.is_write() {
            self.push(grid, packet, arrival).div_ceil(TICKS) + u64::from(complete) / 2
        } else {
            arrival.head / TICKS
        };
        (departed, reached.max(departed))
    }

    /// A packet has done at clock `at` what it is for: the response; `None` if none comes.
    pub fn serve(&mut self, grid: &Grid, at: u64, own: NocXy, packet: &Request) -> Option<Response> {
        let from = self.target(grid, own, packet)?;
        let node = match packet.remote {
            Remote::Tile(to) => grid.at(packet.noc, to),
            Remote::Rect(..) => None,
        };
        let noc = &self.timing.noc;
        let (serve, extra) = (u64::from(noc.serve), u64::from(noc.read_extra_ticks));
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
            (Some(Node::Pcie(_)), action) => {
                let (pcie, clocks_us) = (&self.timing.pcie, u64::from(self.timing.clocks_us));
                let memory = if action == Action::Read { pcie.memory_ns } else { 0 };
                let ns = u64::from(pcie.controller_ns) + u64::from(memory);
                (ready + ns * clocks_us * TICKS / 1000, TICKS, TICKS, 0)
            }
            (_, Action::Read) => (ready + serve * TICKS, TICKS + extra, TICKS + extra, 0),
            _ => (ready + serve * TICKS, TICKS, TICKS, 0),
        };
        let leg = Leg { noc: packet.noc, from, to: own, flits, enter, links: TICKS, leave };
        Some(Response { leg, start, last })
    }

    /// A response leaves: the clock at which it has been counted.
    pub fn leave(&mut self, response: &Response) -> u64 {
        let Response { leg, start, last } = response;
        let arrival = self.travel(leg, *start);
        // The last bytes may come later than the way takes.
        let way = arrival.head.saturating_sub(*start);
        arrival.tail.max(last + way).div_ceil(TICKS) + u64::from(self.timing.noc.complete)
    }

    /// When the last byte of a write has been taken where it goes: PCIe takes less than a link brings.
    fn push(&mut self, grid: &Grid, packet: &Request, arrival: Arrival) -> u64 {
        let Remote::Tile(to) = packet.remote else { return arrival.tail };
        let Some(Node::Pcie(_)) = grid.at(packet.noc, to) else { return arrival.tail };
        let (pcie, clocks_us) = (&self.timing.pcie, u64::from(self.timing.clocks_us));
        let ticks = u64::from(packet.len) * clocks_us * TICKS / u64::from(pcie.push_bytes_us);
        self.pcie = self.pcie.max(arrival.head) + ticks;
        self.pcie.max(arrival.tail)
    }

    /// The channel of DRAM that a packet goes to, if it goes there.
    fn channel_of(&self, grid: &Grid, packet: &Request) -> Option<usize> {
        let Remote::Tile(to) = packet.remote else { return None };
        let Some(Node::Dram { group, .. }) = grid.at(packet.noc, to) else { return None };
        Some(channel(group, packet.addr))
    }

    /// Ticks for each flit of a bulk write on its way. DRAM takes less than a link brings, so the buffers behind it fill up.
    /// In a static virtual channel all behind it go as fast as DRAM takes them. In dynamic ones those of several tiles fill
    /// the pool that the virtual channels of a router share, and what is left to each is the flit that it is
    /// guaranteed, one for each round trip of a hop.
    fn pace_to_dram(&self, grid: &Grid, from: NocXy, packet: &Request, start: u64) -> u64 {
        let Some(channel) = self.channel_of(grid, packet).map(|n| &self.channels[n]) else { return TICKS };
        let noc = &self.timing.noc;
        if packet.in_order {
            return u64::from(self.timing.dram.ticks_32_bytes);
        }
        let others = if channel.writer == Some(from) { channel.others } else { channel.own };
        if others > start {
            2 * u64::from(noc.hop) * TICKS
                / (u64::from(noc.request_channels) * u64::from(noc.guaranteed_flits))
        } else {
            TICKS
        }
    }

    /// A bulk write will reach DRAM at `tail`.
    fn expect_write(&mut self, grid: &Grid, from: NocXy, packet: &Request, tail: u64) {
        let Some(n) = self.channel_of(grid, packet) else { return };
        let channel = &mut self.channels[n];
        if channel.writer != Some(from) {
            channel.others = channel.others.max(channel.own);
            channel.writer = Some(from);
        }
        channel.own = channel.own.max(tail);
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

    /// Positions whose routers are in a multicast's tree, or a few more: rows and columns from the tile on to the farthest of the rectangle. None of a packet to one tile.
    fn tree(&self, grid: &Grid, from: NocXy, packet: &Request) -> Vec<usize> {
        let Remote::Rect(first, last) = packet.remote else { return Vec::new() };
        let [a, b] = [first, last].map(|corner| grid.on(packet.noc, corner));
        let columns = passed(packet.noc, from.x, [a.x.min(b.x), a.x.max(b.x)], self.size.x);
        let rows = passed(packet.noc, from.y, [a.y.min(b.y), a.y.max(b.y)], self.size.y);
        let row = |y: u8| usize::from(y) * usize::from(self.size.x);
        rows.iter().flat_map(|&y| columns.iter().map(move |&x| row(y) + usize::from(x))).collect()
    }

    /// Waits until no multicast has any router of the tree reserved, and reserves them: there and back once. (All routers of the tree have to be ready, those
    /// elsewhere do not matter: `NoC/MemoryMap.md`, `NOC_CMD_PATH_RESERVE`; `NoC/README.md`, "Performance".)
    fn reserve(&mut self, noc: u8, [from, to]: [NocXy; 2], tree: &[usize], start: u64) -> u64 {
        let timing = &self.timing.noc;
        let hops = self.hops(noc, from, to) + self.hops(noc, to, from);
        let ports = 4 * u64::from(timing.niu) + u64::from(timing.serve);
        let reserved = &self.reserved[usize::from(noc)];
        let start = tree.iter().map(|&at| reserved[at]).fold(start, u64::max);
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
        let start = self.occupy(group, packet, first, moving);
        let pauses = u64::from(packet.len.saturating_sub(1) / u32::from(burst)) * serve;
        (start, pace, start + moving + pauses)
    }

    /// A write has reached a DRAM tile: when it has been taken.
    fn write_dram(&mut self, group: usize, packet: &Request, ready: u64) -> u64 {
        let moving = u64::from(packet.flits()) * u64::from(self.timing.dram.ticks_32_bytes);
        let serve = u64::from(self.timing.dram.write_serve) * TICKS;
        // The data has come over the NoC at a flit a clock, if not as fast as the channel takes it: that lags behind by the
        // difference only.
        let paced = packet.in_order && packet.flits() > u32::from(self.timing.noc.small);
        let came = if paced { moving } else { u64::from(packet.flits()) * TICKS };
        let begun = ready.saturating_sub(came);
        (self.occupy(group, packet, begun, moving) + moving).max(ready) + serve
    }

    /// Occupies a DRAM channel for some time, `at` the earliest; from when on.
    fn occupy(&mut self, group: usize, packet: &Request, at: u64, ticks: u64) -> u64 {
        let channel = &mut self.channels[channel(group, packet.addr)];
        let start = at.max(channel.until);
        channel.until = start + ticks;
        let usage = &mut channel.usage;
        let bytes = if packet.is_write() { &mut usage.written } else { &mut usage.read };
        *bytes += u64::from(packet.len);
        usage.busy += ticks;
        usage.waited += start - at;
        start
    }

    /// Sends a packet on its way.
    fn travel(&mut self, leg: &Leg, start: u64) -> Arrival {
        if leg.from == leg.to {
            // It does not reach a router (`TensixTile/L1.md`).
            let tail = start + leg.flits * leg.enter.max(leg.leave);
            return Arrival { left: tail, head: start, tail };
        }
        let mut way = std::mem::take(&mut self.way);
        self.find_way(leg, &mut way);
        let (hop, niu) = (u64::from(self.timing.noc.hop) * TICKS, u64::from(self.timing.noc.niu) * TICKS);
        let small = leg.flits <= u64::from(self.timing.noc.small);
        let mut arrival = Arrival { left: 0, head: start, tail: start };
        let last = way.len() - 1;
        for (i, &link) in way.iter().enumerate() {
            let (pace, latency) = match i {
                0 => (leg.enter, niu),
                _ if i == last => (leg.leave, niu),
                _ => (leg.links, hop),
            };
            let (head, tail) = self.links[link].take(arrival.head, leg.flits, pace, small);
            if i == 0 {
                arrival.left = tail;
            }
            arrival.head = head + latency;
            arrival.tail = arrival.tail.max(tail) + latency;
        }
        self.way = way;
        arrival
    }

    /// What a transfer between two positions takes if nothing is in its way ([`super::packets::Packets::idle_way`]). Nothing is taken by it.
    pub fn idle_way(&self, grid: &Grid, noc: u8, [from, to]: [NocXy; 2], len: u32, reads: bool) -> [u64; 2] {
        let timing = &self.timing.noc;
        let on = |at| grid.on(noc, at);
        let ports = 2 * u64::from(timing.niu);
        let way = |from, to| self.hops(noc, from, to) * u64::from(timing.hop) + ports;
        let [there, back] = [way(on(from), on(to)), way(on(to), on(from))];
        let flits = u64::from(len.div_ceil(self.flit_bytes));
        let memory = matches!(grid.at(noc, on(to)), Some(Node::Dram { .. }));
        let serve = match (memory, reads) {
            (true, true) => u64::from(self.timing.dram.serve),
            (true, false) => u64::from(self.timing.dram.write_serve),
            (false, _) => u64::from(timing.serve),
        };
        let pace = if memory { u64::from(self.timing.dram.ticks_32_bytes) } else { TICKS };
        let data = (flits * pace).div_ceil(TICKS);
        let (out, home) = if reads { (1, data) } else { (data, 1) };
        [u64::from(timing.request) + there + out, serve + back + home + u64::from(timing.complete)]
    }

    /// What each link has carried, and each channel of DRAM has done; times in clocks.
    pub fn usage(&self) -> (Vec<LinkUsage>, Vec<ChannelUsage>) {
        let positions = usize::from(self.size.x) * usize::from(self.size.y);
        let used = self.links.iter().enumerate().filter(|(_, link)| link.flits > 0);
        let links = used.map(|(n, link)| {
            let (position, port) = (n / PORTS % positions, n % PORTS);
            let width = usize::from(self.size.x);
            LinkUsage {
                noc: (n / PORTS / positions) as u8,
                at: NocXy::new((position % width) as u8, (position / width) as u8),
                way: [LinkWay::In, LinkWay::Out, LinkWay::X, LinkWay::Y][port],
                bytes: link.flits * u64::from(self.flit_bytes),
                busy: link.busy / TICKS,
                waited: link.waited / TICKS,
            }
        });
        let channels = self.channels.iter().map(|channel| {
            let usage = channel.usage;
            ChannelUsage { busy: usage.busy / TICKS, waited: usage.waited / TICKS, ..usage }
        });
        (links.collect(), channels.collect())
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

/// The channel of a group of DRAM tiles that has an address.
fn channel(group: usize, addr: u64) -> usize {
    2 * group + (addr >> 30 & 1) as usize
}

fn is_atomic(packet: &Request) -> bool {
    matches!(packet.action, Action::Atomic(_))
}

#[cfg(test)]
mod tests;
