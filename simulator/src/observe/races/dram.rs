//! Races of NoC packets in DRAM.
//!
//! The shadow keeps, for every 32 bytes, the last write and the reads since then. A packet that reaches DRAM
//! is compared with these, if one of the two writes. Order comes from:
//!
//! - in one tile, the vector clock of the core that made the later request, if the NIU had counted the earlier one's
//!   response by then ([`VectorClock`]), or a static or linked virtual channel that both requests use;
//! - between tiles, a chain of NoC writes, atomics or reads of L1 that starts in the first tile after the response was
//!   counted there, and ends in the second ([`Completed`]);
//! - a host write to a tile's L1: everything complete at that time comes before everything after it.
//!
//! Two writes without order are a race at once. A read may touch bytes that are being written, as long as the data is not
//! used: such bytes are poisoned in L1 ([`super::shadow::L1Shadow::poison`]), as are bytes that nothing ever wrote. If
//! they have already been used when the write comes, that is the race.

use std::collections::HashMap;

use super::Races;
use super::clock::VectorClock;
use super::shadow::Poison;
use crate::fault::Fault;
use crate::model::dram::Dram;
use crate::model::noc::{Action, Remote, Request};

/// Bytes that the shadow looks at together: as many as a mask has bits.
const BLOCK: u64 = 32;
/// Accesses to a block that are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 128;

/// How many requests of each tile were completed before.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Completed(Vec<u32>);

impl Completed {
    /// The later of both, tile by tile.
    pub fn join(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        self.0.iter_mut().zip(&other.0).for_each(|(mine, &theirs)| *mine = theirs.max(*mine));
    }

    /// One more of a tile's requests is done; how many that makes.
    pub fn next(&mut self, tile: usize) -> u32 {
        self.0.resize(self.0.len().max(tile + 1), 0);
        self.0[tile] += 1;
        self.0[tile]
    }

    /// How many of a tile.
    pub fn of(&self, tile: usize) -> u32 {
        self.0.get(tile).copied().unwrap_or(0)
    }

    /// Whether a tile's `n`-th is among them.
    fn covers(&self, tile: usize, n: u32) -> bool {
        self.0.get(tile).is_some_and(|&done| done >= n)
    }
}

/// What happened before a request was made.
#[derive(Debug)]
pub struct Snapshot {
    /// In its tile, before the core or thread made it.
    pub clock: VectorClock,
    /// Of the requests of all tiles.
    pub completed: Completed,
    /// Of the announcements of all tiles.
    pub announced: Completed,
}

/// What a packet has done to a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Access {
    /// Index of the tile that made the request.
    tile: u32,
    /// The request's number there.
    id: u32,
    write: bool,
    /// Which bytes.
    mask: u32,
}

/// Accesses to blocks of DRAM, by DRAM tile and block.
#[derive(Default)]
pub struct DramShadow(HashMap<(usize, u64), Vec<Access>>);

/// The blocks that a packet touches, each with a mask of its bytes.
fn blocks(packet: &Request) -> Vec<(u64, u32)> {
    let line = |bytes: u64| packet.addr & !(bytes - 1);
    match packet.action {
        Action::WriteMasked { mask } => vec![(packet.addr / BLOCK, mask)],
        Action::WriteInline { mask, .. } => vec![(packet.addr / BLOCK, mask << (line(16) % BLOCK))],
        _ => {
            let end = packet.addr + u64::from(packet.len);
            let block = |n: u64| {
                let first = packet.addr.max(n * BLOCK) - n * BLOCK;
                let last = end.min((n + 1) * BLOCK) - n * BLOCK;
                (n, (u32::MAX << first) & (u32::MAX >> (BLOCK - last)))
            };
            (packet.addr / BLOCK..end.div_ceil(BLOCK)).map(block).collect()
        }
    }
}

/// A packet that has come to DRAM.
pub struct Packet<'a> {
    /// The packet.
    pub request: &'a Request,
    /// Index of the tile that made its request, and the request's number there.
    pub tile: usize,
    /// See `tile`.
    pub id: u32,
    /// What happened before.
    pub snapshot: &'a Snapshot,
}

impl Races {
    /// Everything complete when the host writes to L1 comes before everything after the write.
    pub fn order_after_host(&mut self) {
        if self.tiles.iter_mut().fold(false, |any, tile| any | std::mem::take(&mut tile.host_wrote)) {
            let mut shadow = std::mem::take(&mut self.dram);
            shadow.0.retain(|_, accesses| {
                accesses.retain(|access| !self.is_done(access));
                !accesses.is_empty()
            });
            self.dram = shadow;
        }
    }

    /// Whether an access needs nothing more: its responses are counted, or it gets none.
    fn is_done(&self, access: &Access) -> bool {
        let request = &self.tiles[access.tile as usize].requests[access.id as usize];
        request.done.is_some() || !request.request.respond
    }

    /// A packet has come to DRAM, the memory of a group: compares it with those before it.
    ///
    /// # Errors
    /// A race.
    pub(super) fn access_dram(&mut self, packet: &Packet, group: usize, dram: &Dram) -> Result<(), Fault> {
        if packet.request.action == Action::Read {
            self.note_unwritten(packet, dram);
        }
        let mut shadow = std::mem::take(&mut self.dram);
        let result = blocks(packet.request).into_iter().try_for_each(|(block, mask)| {
            let write = packet.request.is_write();
            let new = Access { tile: packet.tile as u32, id: packet.id, write, mask };
            self.access_block(shadow.0.entry((group, block)).or_default(), block, new, packet)
        });
        self.dram = shadow;
        result
    }

    fn access_block(
        &mut self,
        cell: &mut Vec<Access>,
        block: u64,
        new: Access,
        packet: &Packet,
    ) -> Result<(), Fault> {
        for old in cell.iter().filter(|old| (old.write || new.write) && old.mask & new.mask != 0) {
            if self.is_ordered(old, packet) {
                continue;
            }
            let shared = old.mask & new.mask;
            let addr = block * BLOCK + u64::from(shared.trailing_zeros());
            let len = 32 - shared.leading_zeros() - shared.trailing_zeros();
            match (old.write, new.write) {
                (true, true) => self.found_in_dram(addr, old, "writes", packet)?,
                (true, false) => self.poison(new, addr, len, old),
                (false, _) if self.has_used(old, addr, len) => {
                    self.found_in_dram(addr, old, "has read and used", packet)?;
                }
                (false, _) => self.poison(*old, addr, len, &new),
            }
        }
        // A read may still be poisoned by a later write, so only writes make room.
        let same = |old: &Access| (old.tile, old.id, old.write) == (new.tile, new.id, new.write);
        cell.retain(|old| !(same(old) || new.write && old.mask & !new.mask == 0));
        if cell.len() == REMEMBERED {
            cell.remove(0);
        }
        cell.push(new);
        Ok(())
    }

    /// Whether a packet comes after an access for certain.
    fn is_ordered(&self, old: &Access, packet: &Packet) -> bool {
        let tile = old.tile as usize;
        let first = &self.tiles[tile].requests[old.id as usize];
        if tile != packet.tile {
            return first.done.is_some_and(|done| packet.snapshot.completed.covers(tile, done.of_tile));
        }
        let (a, b) = (&first.request, packet.request);
        let one_channel = a.in_order && b.in_order && (a.noc, a.remote) == (b.noc, b.remote);
        old.id == packet.id
            || one_channel
            || first.done.is_some_and(|done| packet.snapshot.clock.covers(done.component, done.n))
    }

    /// The bytes of a read that its request has brought from `addr` on have no definite value, since `by` writes there.
    fn poison(&mut self, read: Access, addr: u64, len: u32, by: &Access) {
        let why = Poison::Written(self.who(by.tile as usize, by.id));
        let state = &mut self.tiles[read.tile as usize];
        let request = &mut state.requests[read.id as usize];
        let offset = (addr - request.request.addr) as u32;
        if request.done.is_none() {
            request.poisoned.push((offset, len, why));
            return;
        }
        let first = request.request.own_addr as u32 + offset;
        for at in first..first + len {
            if state.l1.brought_by(at & !3) == Some(read.id) {
                state.l1.poison(at, 1, &why);
            }
        }
    }

    /// Whether any of the bytes that a read has brought from `addr` on were used.
    fn has_used(&self, read: &Access, addr: u64, len: u32) -> bool {
        let request = &self.tiles[read.tile as usize].requests[read.id as usize];
        request.uses((addr - request.request.addr) as u32, len)
    }

    /// Notes which bytes of what a read found in DRAM nothing had ever written there.
    fn note_unwritten(&mut self, packet: &Packet, dram: &Dram) {
        let Remote::Tile(at) = packet.request.remote else { return };
        let runs = dram.unwritten(packet.request.addr, packet.request.len);
        let request = &mut self.tiles[packet.tile].requests[packet.id as usize];
        request.from_dram = true;
        let base = (packet.request.addr - request.request.addr) as u32;
        for (first, len) in runs {
            let why = Poison::Unwritten(packet.request.addr + u64::from(first), at);
            request.poisoned.push((base + first, len, why));
        }
    }

    /// A request and its tile.
    fn who(&self, tile: usize, id: u32) -> String {
        format!("{} in tile {}", self.tiles[tile].requests[id as usize], self.positions[tile])
    }

    /// A packet writes what another access has no order with.
    fn found_in_dram(
        &mut self,
        addr: u64,
        first: &Access,
        verb: &'static str,
        packet: &Packet,
    ) -> Result<(), Fault> {
        let sources = [(first.tile as usize, first.id), (packet.tile, packet.id)]
            .map(|(tile, id)| Some(self.tiles[tile].request_source(id)));
        let fault = self.dram_race(addr, first, verb, packet);
        self.tiles[packet.tile].found((verb, sources), |_| fault)
    }

    fn dram_race(&self, addr: u64, first: &Access, verb: &str, packet: &Packet) -> Fault {
        let seed = self.tiles[packet.tile].seed;
        let what = format!(
            "data race on DRAM {addr:#x}: {} {verb} it, {} writes it, and nothing orders the two; wait until the NIU \
             has counted the first one's response, and let the second one's tile know over the NoC (seed {seed})",
            self.who(first.tile as usize, first.id),
            self.who(packet.tile, packet.id),
        );
        Fault::program(what).page("NoC/Ordering.md").in_tile(self.positions[packet.tile])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::noc::request::Limits;
    use tt_isa::chip::WORMHOLE;
    use tt_isa::noc::NocXy;

    fn packet(action: Action, addr: u64, len: u32) -> Request {
        Request {
            limits: Limits::of(&WORMHOLE.noc),
            noc: 0,
            action,
            remote: Remote::Tile(NocXy::new(0, 0)),
            addr,
            own_addr: 0,
            len,
            respond: true,
            include_self: false,
            tag: 0,
            in_order: false,
            reserves: false,
            header_store: None,
            core: None,
        }
    }

    #[test]
    fn blocks_of_a_packet() {
        assert_eq!(blocks(&packet(Action::Read, 28, 8)), [(0, 0xF000_0000), (1, 0xF)]);
        assert_eq!(blocks(&packet(Action::Write, 64, 32)), [(2, u32::MAX)]);
        assert_eq!(blocks(&packet(Action::WriteInline { data: 0, mask: 0xF0 }, 0x34, 4)), [(1, 0xF0_0000)]);
        assert_eq!(blocks(&packet(Action::WriteMasked { mask: 6 }, 0x40, 32)), [(2, 6)]);
    }

    #[test]
    fn what_is_done_is_told() {
        let (mut a, mut b) = (Completed::default(), Completed::default());
        assert_eq!((a.next(3), a.next(3), b.next(0)), (1, 2, 1));
        assert!(!b.covers(3, 1));
        b.join(&a);
        assert!(b.covers(3, 2) && b.covers(0, 1) && !b.covers(3, 3));
    }
}
