//! Packets with delays, those of Ethernet tiles only where time is kept: each goes through the three steps of [`super::deliver`], with delays of
//! [`crate::engine::packets`] between them.

use super::Chip;
use super::defects::Way;
use super::deliver::located;
use crate::engine::packets::{InFlight, Made, Step};
use crate::fault::Fault;
use crate::model::grid::Node;
use crate::model::noc::{Remote, Request};
use crate::observe::races::Note;

/// Where the order of requests is.
const ORDERING: &str = "NoC/Ordering.md";

/// A packet, with what the race detector remembers of it.
type Packet = InFlight<Option<Note>>;

impl Chip {
    /// Where packets take their time: those of the Tensix tiles do the steps whose time has come.
    ///
    /// # Errors
    /// The first fault; its packet is lost.
    pub(super) fn deliver_in_time(&mut self) -> Result<(), Fault> {
        if self.in_flight.is_none() {
            return Ok(());
        }
        if let Some(races) = &mut self.races {
            races.order_after_host();
        }
        self.send();
        self.step_packets()
    }

    /// The host reads its own memory, at an address of the PCIe tile: in the asynchronous mode what tiles write there has to have been
    /// acknowledged, since who has told the host that it is there has waited for that.
    ///
    /// # Errors
    /// A write is still under way.
    pub fn check_host_access(&self, access: &str, addr: u64, len: usize) -> Result<(), Fault> {
        let packets = self.in_flight.as_ref().filter(|_| self.races.is_some());
        for moving in packets.into_iter().flat_map(|packets| packets.under_way()) {
            let packet = &moving.packet;
            let apart = packet.addr >= addr + len as u64 || addr >= packet.addr + u64::from(packet.len);
            if !apart && packet.is_write() && matches!(self.remote_node(packet), Ok(Node::Pcie(_))) {
                let what = format!(
                    "data race: the host {access} {len} bytes of its memory at {addr:#x} of the PCIe tile while a NoC {} write of {} bytes is not acknowledged",
                    packet.noc, packet.len
                );
                return Err(located(Fault::program(what).page(ORDERING), self.position(moving.from), packet));
            }
        }
        Ok(())
    }

    /// How many of [`Self::sources`] have packets that take time, where packets do: the race detector knows Tensix tiles only.
    pub(super) fn in_time(&self) -> usize {
        match (&self.in_flight, &self.races) {
            (None, _) => 0,
            (Some(_), Some(_)) => self.tiles.len(),
            (Some(_), None) => self.tiles.len() + self.ethernet.len(),
        }
    }

    /// Sends the requests that the tiles have made on their way, in the order in which they were made where that is known.
    fn send(&mut self) {
        let mut made = Vec::new();
        for from in self.sources().take(self.in_time()) {
            if !self.has_requests(from) {
                continue;
            }
            let clocks = match from {
                Node::Tensix(index) => self.engines[index].take_made(&self.tiles[index], self.clock),
                Node::Ethernet(index) => {
                    self.ethernet_engines[index].take_made(&self.ethernet[index], self.clock)
                }
                _ => None,
            };
            let own = self.position(from);
            let requests = std::mem::take(&mut self.port_mut(from).outbox);
            for (n, request) in requests.into_iter().enumerate() {
                let clock = clocks.as_ref().and_then(|clocks| clocks.get(n)).copied().unwrap_or(self.clock);
                let note = match (&mut self.races, from) {
                    (Some(races), Node::Tensix(index)) => Some(races.made(index, request)),
                    _ => None,
                };
                made.push((clock, from, own, request, note));
            }
        }
        made.sort_by_key(|&(clock, ..)| clock);
        let Some(in_flight) = &mut self.in_flight else { return };
        for (clock, from, own, request, note) in made {
            for n in 0..request.packet_count() {
                let packet = request.packet(n);
                in_flight.add(&self.grid, Made { clock, from, own, packet, note: note.clone() });
            }
        }
    }

    /// Lets packets do the steps whose time has come.
    fn step_packets(&mut self) -> Result<(), Fault> {
        while let Some(mut packet) = self.in_flight.as_mut().and_then(|packets| packets.take_due(self.clock))
        {
            let at = self.position(packet.from);
            let next = self.step_packet(&mut packet).map_err(|fault| located(fault, at, &packet.packet))?;
            match (next, &mut self.in_flight) {
                (Some(next), Some(in_flight)) => {
                    in_flight.advance(&self.grid, self.clock, &mut packet, next);
                    in_flight.put_back(packet);
                }
                _ if self.tracer.is_some() => self.trace_transfer(&packet)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// One step of a packet; the next one.
    fn step_packet(&mut self, moving: &mut Packet) -> Result<Option<Step>, Fault> {
        let (packet, from) = (moving.packet, moving.from);
        match moving.next {
            Step::Depart => {
                self.at_own_end(from, |chip| chip.depart(from, &packet, &mut moving.data))?;
                if let (Some(races), Some(note), Node::Tensix(tile)) = (&mut self.races, &moving.note, from) {
                    races.departed(tile, note);
                }
                Ok(Some(Step::Arrive))
            }
            Step::Arrive => {
                if !packet.is_write() {
                    // Counts the request.
                    self.depart(from, &packet, &mut moving.data)?;
                }
                if self.is_lost(from, &packet, Way::There, &mut moving.data) {
                    return Ok(None);
                }
                let answers = self.at_remote_end(moving)?;
                self.note_arrival(moving)?;
                Ok(packet.respond.then_some(Step::Respond { answers }))
            }
            Step::Respond { answers } => {
                if self.is_lost(from, &packet, Way::Back, &mut moving.data) {
                    return Ok(None);
                }
                self.at_own_end(from, |chip| chip.respond(from, &packet, answers, &mut moving.data))?;
                if let (Some(races), Some(note), Node::Tensix(tile)) =
                    (&mut self.races, &mut moving.note, from)
                {
                    races.responded(tile, &packet, note);
                }
                Ok(None)
            }
        }
    }

    /// Does something while accesses to a tile over the NoC are its own ones.
    fn at_own_end<T>(&mut self, from: Node, f: impl FnOnce(&mut Self) -> T) -> T {
        if let (Some(races), Node::Tensix(tile)) = (&mut self.races, from) {
            races.at_own_end(tile);
        }
        let result = f(self);
        if let Some(races) = &mut self.races {
            races.at_host();
        }
        result
    }

    /// A packet does what it is for; how many tiles answer.
    fn at_remote_end(&mut self, moving: &mut Packet) -> Result<u32, Fault> {
        if let (Some(races), Some(note), Node::Tensix(tile)) = (&mut self.races, &moving.note, moving.from) {
            races.at_remote_end(tile, note);
        }
        match self.single_node(&moving.packet) {
            Some(Node::Tensix(index)) => self.tiles[index].set_clock(self.clock),
            Some(Node::Ethernet(index)) => self.ethernet[index].set_clock(self.clock),
            _ => {}
        }
        let answers = self.arrive(moving.from, &moving.packet, &mut moving.data);
        if let Some(races) = &mut self.races {
            races.at_host();
        }
        answers
    }

    /// Tells the race detector what a packet has come to.
    fn note_arrival(&mut self, moving: &mut Packet) -> Result<(), Fault> {
        let node = self.single_node(&moving.packet);
        let (Some(races), Some(note), Node::Tensix(tile)) = (&mut self.races, &mut moving.note, moving.from)
        else {
            return Ok(());
        };
        let dram = match node {
            Some(Node::Dram { group, .. }) => Some((group, &self.dram[group])),
            _ => None,
        };
        let remote = match node {
            Some(Node::Tensix(index)) => Some(index),
            _ => None,
        };
        races.arrived(tile, &moving.packet, note, dram, remote)
    }

    /// The tile that a packet goes to, if it is one.
    fn single_node(&self, packet: &Request) -> Option<Node> {
        match packet.remote {
            Remote::Tile(at) => self.grid.at(packet.noc, at),
            Remote::Rect(..) => None,
        }
    }
}
