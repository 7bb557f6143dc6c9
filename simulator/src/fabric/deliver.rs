//! Delivery: what a request does at its source, at its destination, and when its response returns.
//!
//! Both networks deliver all waiting requests, tile by tile in a fixed order, and each tile's in the order in
//! which they were made. This is one of the orders that `NoC/Ordering.md` allows, and the same on any number of host
//! threads. The three steps share only the request, its data and the number of responses, so that they can also
//! happen at different times ([`super::transit`]).

use tt_isa::chip::Design;
use tt_isa::noc::{MMIO_BASE, NocXy};

use super::Chip;
use super::defects::Way;
use crate::engine::fast::Memory;
use crate::fault::Fault;
use crate::model::grid::Node;
use crate::model::noc::alignment::{Kind, check_alignment, kind};
use crate::model::noc::atomic::Atomic;
use crate::model::noc::request::MASKED_BLOCK;
use crate::model::noc::{ATOMICS, Action, COORDINATES, Data, MEMORY_MAP, Port, Remote, Request};

impl Chip {
    /// Delivers all requests that wait.
    ///
    /// # Errors
    /// The first fault; its request is lost, those after it go on waiting.
    pub(super) fn deliver(&mut self) -> Result<(), Fault> {
        self.deliver_in_time()?;
        let mut data = std::mem::take(&mut self.packet);
        // Where packets take time, they are under way.
        let done = self.in_time();
        let result = self.sources().skip(done).try_for_each(|from| self.deliver_from(from, &mut data));
        self.packet = data;
        result.and_then(|()| self.trace_delivery())
    }

    fn deliver_from(&mut self, from: Node, data: &mut Data) -> Result<(), Fault> {
        if !self.has_requests(from) {
            return Ok(());
        }
        let mut requests = std::mem::take(&mut self.port_mut(from).outbox);
        for (n, request) in requests.iter().enumerate() {
            if self.is_done_at_once(from, request)? {
                continue;
            }
            let packets = (0..request.packet_count()).map(|n| request.packet(n));
            let result = packets.into_iter().try_for_each(|packet| self.carry_out(from, &packet, data));
            if let Err(fault) = result {
                self.port_mut(from).outbox.splice(..0, requests[n + 1..].iter().copied());
                return Err(located(fault, self.position(from), request));
            }
        }
        // The box keeps its room, unless requests have made new ones.
        requests.clear();
        let outbox = &mut self.port_mut(from).outbox;
        if outbox.is_empty() {
            *outbox = requests;
        }
        Ok(())
    }

    /// Reads of DRAM that had to wait behind other requests.
    fn is_done_at_once(&mut self, from: Node, request: &Request) -> Result<bool, Fault> {
        let Node::Tensix(index) = from else { return Ok(false) };
        let memory = Memory {
            grid: &self.grid,
            dram: &self.dram,
            traced: self.tracer.is_some(),
            lossy: !self.dead_links.is_empty(),
        };
        let done = self.engines[index].do_read(&mut self.tiles[index], memory, request);
        if done {
            self.collect_reads_of(index)?;
        }
        Ok(done)
    }

    /// Counts and traces the reads that tiles have had done.
    ///
    /// # Errors
    /// The trace cannot be written.
    pub(super) fn collect_reads(&mut self) -> Result<(), Fault> {
        if self.in_flight.is_some() {
            return Ok(());
        }
        let mut result = Ok(());
        for index in 0..self.tiles.len() {
            result = result.and(self.collect_reads_of(index));
        }
        result
    }

    /// The same of one tile.
    fn collect_reads_of(&mut self, index: usize) -> Result<(), Fault> {
        let Some(reads) = self.engines[index].reads_mut() else { return Ok(()) };
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

    /// All three steps of a packet.
    fn carry_out(&mut self, from: Node, packet: &Request, data: &mut Data) -> Result<(), Fault> {
        self.depart(from, packet, data)?;
        if self.is_lost(from, packet, Way::There, data) {
            return Ok(());
        }
        let answers = self.arrive(from, packet, data)?;
        if self.is_lost(from, packet, Way::Back, data) {
            return Ok(());
        }
        self.respond(from, packet, answers, data)
    }

    /// First step: the data of a write is read where it comes from.
    ///
    /// # Errors
    /// Nothing is there.
    pub(super) fn depart(&mut self, from: Node, packet: &Request, data: &mut Data) -> Result<(), Fault> {
        self.traffic.noc_requests += 1;
        self.traffic.noc_bytes += u64::from(packet.len);
        if self.tracer.is_some() {
            self.trace_packet(from, packet)?;
        }
        let out = data.of(packet);
        match packet.action {
            Action::Read | Action::Atomic(_) => return Ok(()),
            Action::WriteInline { data: word, .. } => {
                out.as_chunks_mut().0.fill(word.to_le_bytes());
                return Ok(());
            }
            Action::Write => self.read_node(packet.noc, from, packet.own_addr, out)?,
            Action::WriteMasked { .. }
                if packet.own_addr >= MMIO_BASE
                    || kind(self.remote_node(packet)?, packet.addr) == Kind::Mmio =>
            {
                let mut word = [0; 4];
                self.read_node(packet.noc, from, packet.own_addr, &mut word)?;
                out.as_chunks_mut().0.fill(word);
            }
            Action::WriteMasked { .. } => {
                let line = packet.own_addr & !(MASKED_BLOCK as u64 - 1);
                self.read_node(packet.noc, from, line, out)?;
            }
        }
        self.port_mut(from).niu[usize::from(packet.noc)].count_departed(packet);
        Ok(())
    }

    /// Second step: what it does where it goes, and what it brings back; how many tiles have answered.
    ///
    /// # Errors
    /// Nothing is there, or not for this request.
    pub(super) fn arrive(&mut self, from: Node, packet: &Request, data: &mut Data) -> Result<u32, Fault> {
        let Remote::Rect(first, last) = packet.remote else {
            self.arrive_at(self.remote_node(packet)?, packet, data)?;
            return Ok(1);
        };
        self.node_at(packet.noc, first).and(self.node_at(packet.noc, last))?;
        let mut answers = 0;
        for index in 0..self.tiles.len() {
            let node = Node::Tensix(index);
            if (packet.include_self || node != from) && self.is_within(packet.noc, index, first, last) {
                self.arrive_at(node, packet, data)?;
                answers += 1;
            }
        }
        if answers == 0 {
            let what = format!("multicast from {first} to {last}, where no tile receives it");
            return Err(Fault::program(what).page(MEMORY_MAP));
        }
        Ok(answers)
    }

    fn arrive_at(&mut self, to: Node, packet: &Request, data: &mut Data) -> Result<(), Fault> {
        check_alignment(packet, to)?;
        let out = data.of(packet);
        match packet.action {
            Action::Read => self.read_node(packet.noc, to, packet.addr, out)?,
            Action::Write => self.write_node(packet.noc, to, packet.addr, out)?,
            Action::WriteMasked { mask } | Action::WriteInline { mask, .. } => {
                self.write_masked(packet, to, mask, out)?;
            }
            Action::Atomic(atomic) => self.apply_atomic(packet, to, atomic, out)?,
        }
        self.store_header(packet, to, data)?;
        self.port_mut(to).niu[usize::from(packet.noc)].count_arrived(packet);
        Ok(())
    }

    /// Third step: data comes back, and responses are counted.
    ///
    /// # Errors
    /// The data goes where nothing is.
    pub(super) fn respond(
        &mut self,
        from: Node,
        packet: &Request,
        answers: u32,
        data: &mut Data,
    ) -> Result<(), Fault> {
        if !packet.respond {
            return Ok(());
        }
        match packet.action {
            Action::Read | Action::Atomic(_) => {
                self.write_node(packet.noc, from, packet.own_addr, data.of(packet))?;
            }
            _ => {}
        }
        // Acknowledgements from PCIe and ARC have lost their transaction id (`NoC/MemoryMap.md`).
        let lost = packet.is_write() && matches!(self.remote_node(packet), Ok(Node::Pcie(_) | Node::Arc(_)));
        let id = if lost { 0 } else { packet.tag };
        self.port_mut(from).niu[usize::from(packet.noc)].count_responses(packet, answers, id);
        Ok(())
    }

    pub(super) fn remote_node(&self, packet: &Request) -> Result<Node, Fault> {
        match packet.remote {
            Remote::Tile(at) => self.node_at(packet.noc, at),
            Remote::Rect(at, _) => self.node_at(packet.noc, at),
        }
    }

    /// The tile at a position as `noc` counts.
    pub(super) fn node_at(&self, noc: u8, at: NocXy) -> Result<Node, Fault> {
        self.grid.at(noc, at).ok_or_else(|| {
            let what = format!("NoC {noc} request to {at}, where nothing answers");
            Fault::program(what).page(COORDINATES)
        })
    }

    /// Whether a Tensix tile is in a rectangle and receives broadcasts.
    pub(super) fn is_within(&self, noc: u8, index: usize, first: NocXy, last: NocXy) -> bool {
        let tile = &self.tiles[index];
        let at = self.grid.on(noc, tile.position());
        (first.x..=last.x).contains(&at.x)
            && (first.y..=last.y).contains(&at.y)
            && tile.port().niu[usize::from(noc)].receives_broadcasts()
    }

    /// Writes the bytes whose bits are set.
    fn write_masked(&mut self, packet: &Request, to: Node, mask: u32, bytes: &[u8]) -> Result<(), Fault> {
        if kind(to, packet.addr) == Kind::Mmio {
            return self.write_node(packet.noc, to, packet.addr, &bytes[..4]);
        }
        let line = packet.addr & !(bytes.len() as u64 - 1);
        let mut at = 0;
        while at < bytes.len() {
            let run = (mask >> at).trailing_ones() as usize;
            if run == 0 {
                at += 1;
                continue;
            }
            self.write_node(packet.noc, to, line + at as u64, &bytes[at..at + run])?;
            at += run;
        }
        Ok(())
    }

    fn apply_atomic(
        &mut self,
        packet: &Request,
        to: Node,
        atomic: Atomic,
        old: &mut [u8],
    ) -> Result<(), Fault> {
        if kind(to, packet.addr) != Kind::L1 {
            return Err(Fault::program("NoC atomics work on L1 only").page(ATOMICS));
        }
        let mut line = [0; 16];
        let at = packet.addr & !15;
        self.read_node(packet.noc, to, at, &mut line)?;
        let word = (packet.addr - at) as usize;
        old.copy_from_slice(&line[word..word + 4]);
        atomic.apply(&mut line);
        self.write_node(packet.noc, to, at, &line)
    }

    /// A posted write may ask for its first 16 bytes to be stored twice.
    fn store_header(&mut self, packet: &Request, to: Node, data: &mut Data) -> Result<(), Fault> {
        let Some(addr) = packet.header_store else { return Ok(()) };
        if !matches!(to, Node::Tensix(_) | Node::Ethernet(_))
            && self.port_mut(to).niu[usize::from(packet.noc)].ignores_header_store()
        {
            return Ok(());
        }
        let bytes = data.of(packet);
        let header = bytes.len().min(16);
        self.write_node(packet.noc, to, addr, &bytes[..header])
    }

    /// Reads what a tile shows to a NoC.
    ///
    /// # Errors
    /// Nothing is there.
    pub(super) fn read_node(&mut self, noc: u8, node: Node, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        if let Some(niu) = self.edge_niu(noc, node, addr) {
            return self.read_edge_niu(niu, out);
        }
        match node {
            Node::Tensix(index) => self.read_tile(index, addr, out),
            Node::Ethernet(index) => self.ethernet[index].noc_read(addr, out),
            Node::Dram { group, .. } if self.dram[group].read(addr, out) => Ok(()),
            Node::Arc(_) => self.arc.noc_read(addr, out),
            Node::Pcie(_) if !self.has_pcie() => Err(self.nothing(node, addr, out.len())),
            Node::Pcie(_) if self.arc.dbi_mode()[0] => self.pcie.dbi_read(addr, out),
            Node::Pcie(_) => self.pcie.noc_read(addr, out),
            _ => Err(self.nothing(node, addr, out.len())),
        }
    }

    /// Writes what a tile shows to a NoC.
    ///
    /// # Errors
    /// Nothing is there.
    pub(super) fn write_node(&mut self, noc: u8, node: Node, addr: u64, data: &[u8]) -> Result<(), Fault> {
        if let Some(niu) = self.edge_niu(noc, node, addr) {
            return self.write_edge_niu(niu, data);
        }
        match node {
            Node::Tensix(index) => self.write_tile(index, addr, data),
            Node::Ethernet(index) => self.ethernet[index].noc_write(addr, data),
            Node::Dram { group, .. } if self.dram[group].write(addr, data) => Ok(()),
            Node::Arc(_) => {
                self.arc.noc_write(addr, data)?;
                self.reset_if_asked();
                Ok(())
            }
            Node::Pcie(_) if !self.has_pcie() => Err(self.nothing(node, addr, data.len())),
            Node::Pcie(_) if self.arc.dbi_mode()[1] => self.pcie.dbi_write(addr, data),
            Node::Pcie(_) => self.push(addr, data),
            _ => Err(self.nothing(node, addr, data.len())),
        }
    }

    /// Reads a Tensix tile over the NoC.
    fn read_tile(&mut self, index: usize, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.tiles[index].noc_read(addr, out)?;
        let races = self.races.as_mut();
        races.map_or(Ok(()), |races| races.accessed(index, addr, out.len(), false))
    }

    /// Writes to a Tensix tile over the NoC.
    pub(super) fn write_tile(&mut self, index: usize, addr: u64, data: &[u8]) -> Result<(), Fault> {
        self.tiles[index].noc_write(addr, data)?;
        let races = self.races.as_mut();
        races.map_or(Ok(()), |races| races.accessed(index, addr, data.len(), true))
    }

    /// Whether the chip's PCIe controller is of the design that the model has.
    pub(super) fn has_pcie(&self) -> bool {
        self.config.board.chip.designs.pcie == Design::Wormhole
    }

    fn nothing(&self, node: Node, addr: u64, len: usize) -> Fault {
        let at = self.position(node);
        let (what, page) = match node {
            Node::Dram { .. } => (
                format!("{len} bytes at {addr:#x} of the DRAM tile {at}: beyond its end"),
                "DRAMTile/README.md",
            ),
            Node::Harvested(_) => (
                format!("{len} bytes at {addr:#x} of the tile {at}, which is harvested (fused off)"),
                COORDINATES,
            ),
            Node::Pcie(_) | Node::Unmodelled(_) => {
                let name = self.config.board.chip.name;
                let what =
                    format!("{len} bytes at {addr:#x} of the tile {at}: a {name}'s Ethernet and PCIe tiles");
                return Fault::not_implemented(what).page(COORDINATES);
            }
            _ => (format!("{len} bytes at {addr:#x} of the tile {at}, where nothing answers"), COORDINATES),
        };
        Fault::program(what).page(page)
    }

    /// NIUs of a tile; the caller changes registers, so sleepers wake.
    pub(super) fn port_mut(&mut self, node: Node) -> &mut Port {
        match node {
            Node::Tensix(index) => self.tiles[index].port_mut(),
            Node::Ethernet(index) => self.ethernet[index].port_mut(),
            Node::Dram { edge, .. }
            | Node::Unmodelled(edge)
            | Node::Pcie(edge)
            | Node::Arc(edge)
            | Node::Empty(edge)
            | Node::Harvested(edge) => &mut self.edges[edge],
        }
    }
}

/// Adds a request, its tile and its core to a fault.
pub(super) fn located(mut fault: Fault, at: NocXy, request: &Request) -> Fault {
    let Request { action, noc, len, .. } = request;
    fault.what = format!("{} ({action:?} over NoC {noc} of {len} bytes)", fault.what);
    fault.at.tile = Some(at);
    fault.at.core = request.core;
    fault
}
