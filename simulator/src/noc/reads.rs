//! Reads of DRAM by Tensix tiles: most of what the NoC moves, and nothing that another tile sees happen.
//!
//! DRAM does not change while tiles run. So a tile whose cores have nothing else to do has its own reads done, on its own host
//! thread and with its L1 still in the cache, and goes on. What others see of them, the counters of the DRAM tiles' NIUs, is
//! added up when all tiles have run. A read behind a request of another kind waits with it for the delivery.

use super::alignment::check_alignment;
use super::{Action, Remote, Request};
use crate::chip::Chip;
use crate::dram::Dram;
use crate::fault::Fault;
use crate::grid::{Grid, Node};
use crate::tile::Tile;

/// What tiles read while they run.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    /// Which tile a coordinate means.
    pub grid: &'a Grid,
    /// By group.
    pub dram: &'a [Dram],
    /// Requests are traced.
    pub traced: bool,
}

impl<'a> Memory<'a> {
    /// The memory that a plain read of DRAM reads, and the number of the tile that it goes to.
    fn source(&self, request: &Request) -> Option<(&'a Dram, usize)> {
        let (Action::Read, Remote::Tile(at)) = (request.action, request.remote) else { return None };
        let node = self.grid.at(request.noc, at)?;
        let Node::Dram { group, edge } = node else { return None };
        let dram = &self.dram[group];
        // What is amiss is said when the request is delivered.
        let fine = dram.holds(request.addr, request.len as usize) && check_alignment(request, node).is_ok();
        fine.then_some((dram, edge))
    }
}

/// Reads that a tile has had done, until the chip knows of them.
#[derive(Default)]
pub struct Reads {
    sums: Vec<Sum>,
    /// The requests themselves, if they are traced.
    requests: Vec<Request>,
}

/// Reads from one DRAM tile over one NoC.
struct Sum {
    edge: usize,
    noc: usize,
    packets: u32,
    flits: u32,
    bytes: u64,
}

impl Reads {
    fn add(&mut self, edge: usize, request: &Request, traced: bool) {
        let noc = usize::from(request.noc);
        let place = self.sums.iter().position(|sum| (sum.edge, sum.noc) == (edge, noc));
        let place = place.unwrap_or_else(|| {
            self.sums.push(Sum { edge, noc, packets: 0, flits: 0, bytes: 0 });
            self.sums.len() - 1
        });
        let sum = &mut self.sums[place];
        sum.packets = sum.packets.wrapping_add(request.packet_count());
        sum.flits = sum.flits.wrapping_add(request.flits());
        sum.bytes += u64::from(request.len);
        if traced {
            self.requests.push(*request);
        }
    }
}

impl Tile {
    /// Does the reads of DRAM at the front of the outbox; whether there were any.
    pub(crate) fn do_reads(&mut self, memory: Memory) -> bool {
        if self.port.outbox.is_empty() || self.is_asynchronous {
            return false;
        }
        let mut outbox = std::mem::take(&mut self.port.outbox);
        let done = outbox.iter().take_while(|request| self.do_read(memory, request)).count();
        outbox.drain(..done);
        self.port.outbox = outbox;
        done > 0
    }

    /// Does a request if it is a read of DRAM without faults.
    pub(crate) fn do_read(&mut self, memory: Memory, request: &Request) -> bool {
        let Some((dram, edge)) = memory.source(request) else { return false };
        let Some(bytes) = self.noc_l1(request.own_addr, request.len as usize) else { return false };
        if !dram.read(request.addr, bytes) {
            return false;
        }
        let niu = &mut self.port.niu[usize::from(request.noc)];
        niu.count_read_responses(request.packet_count(), request.flits(), request.tag);
        self.reads.add(edge, request, memory.traced);
        true
    }
}

impl Chip {
    /// Counts and traces the reads that tiles have had done.
    ///
    /// # Errors
    /// The trace cannot be written.
    pub(crate) fn collect_reads(&mut self) -> Result<(), Fault> {
        let mut result = Ok(());
        for index in 0..self.tiles.len() {
            result = result.and(self.collect_reads_of(index));
        }
        result
    }

    /// The same of one tile.
    pub(crate) fn collect_reads_of(&mut self, index: usize) -> Result<(), Fault> {
        let reads = &mut self.tiles[index].reads;
        for sum in reads.sums.drain(..) {
            self.edges[sum.edge].niu[sum.noc].count_reads(sum.packets, sum.flits);
            self.traffic.noc_requests += u64::from(sum.packets);
            self.traffic.noc_bytes += sum.bytes;
        }
        if reads.requests.is_empty() {
            return Ok(());
        }
        let requests = std::mem::take(&mut reads.requests);
        let packets =
            requests.iter().flat_map(|request| (0..request.packet_count()).map(|n| request.packet(n)));
        packets.into_iter().try_for_each(|packet| Ok(self.trace_packet(Node::Tensix(index), &packet)?))
    }
}
