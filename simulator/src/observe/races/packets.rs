//! The chip's part of the race detector: NoC requests, from the tile that makes them to the memory that they reach.
//!
//! Until a step of a packet is done, nothing may write memory that the step will read, nor
//! touch memory that it will write ([`TileRaces::l1_access`]). Accesses to DRAM are compared in [`super::dram`].

use std::collections::HashSet;
use std::sync::Arc;

use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;

use super::TileRaces;
use super::clock::{Response, VectorClock};
use super::dram::{Completed, DramShadow, Packet, Snapshot};
use super::findings::Same;
use super::report::RequestInfo;
use super::state::Requester;
use crate::fault::Fault;
use crate::model::dram::Dram;
use crate::model::noc::{Action, Request};

/// The race detector of a chip.
pub struct Races {
    pub(super) tiles: Vec<TileRaces>,
    /// NoC 0 positions of the tiles.
    pub(super) positions: Vec<NocXy>,
    /// What packets have done in DRAM.
    pub(super) dram: DramShadow,
    /// Findings of other tiles that a tile's are compared with.
    known: HashSet<Same>,
    /// Who accesses tiles over the NoC at present.
    accessor: Accessor,
}

/// Who accesses tiles over the NoC.
enum Accessor {
    Host,
    /// A tile's own request, at its own end.
    OwnEnd(usize),
    /// A packet of a tile, packed as x | y << 8.
    Packet(u32, Arc<Snapshot>),
}

/// What the detector remembers of a packet under way.
#[derive(Clone)]
pub struct Note {
    /// Its request's number in the tile.
    id: u32,
    /// What happened before the request was made.
    snapshot: Arc<Snapshot>,
    /// What happened before in the tile that a read or an atomic has come to.
    returned: Option<Completed>,
}

impl Races {
    /// Of the Tensix tiles of a chip at these positions. `notes`: findings are noted, and no faults.
    pub fn new(chip: &Chip, seed: u64, positions: &[NocXy], notes: bool) -> Self {
        Self {
            tiles: (0..positions.len()).map(|index| TileRaces::new(chip, seed, index, notes)).collect(),
            known: HashSet::new(),
            positions: positions.to_vec(),
            dram: DramShadow::default(),
            accessor: Accessor::Host,
        }
    }

    /// The tiles' ends of it.
    pub fn tiles_mut(&mut self) -> impl Iterator<Item = &mut TileRaces> {
        self.tiles.iter_mut()
    }

    /// Takes the findings that were noted since the last call: each once, whichever tiles have it.
    pub fn take_findings(&mut self) -> Vec<Fault> {
        if self.tiles.iter_mut().fold(false, |any, tile| any | std::mem::take(&mut tile.findings.other_code))
        {
            self.known.clear();
        }
        let mut new = Vec::new();
        for (tile, &at) in self.tiles.iter_mut().zip(&self.positions) {
            let found = tile.findings.take().into_iter().filter(|(same, _)| self.known.insert(*same));
            new.extend(found.map(|(_, fault)| fault.in_tile(at)));
        }
        new
    }

    /// A request leaves its tile's outbox: its number and what happened before, as noted when it was made, or new if
    /// the host made it.
    pub fn made(&mut self, tile: usize, request: Request) -> Note {
        let state = &mut self.tiles[tile];
        let (id, clock): (u32, VectorClock) = state.outgoing.pop_front().unwrap_or_else(|| {
            state.requests.push(RequestInfo::new(request, None, 0));
            (state.requests.len() as u32 - 1, state.snapshot())
        });
        if let Action::Atomic(_) = request.action {
            state.announced.announce(tile, &clock);
        }
        let (completed, announced) = (state.completed.clone(), state.announced.known().clone());
        let snapshot = Snapshot { clock, completed, announced };
        Note { id, snapshot: Arc::new(snapshot), returned: None }
    }

    /// From now on tiles are accessed at the own end of a tile's request.
    pub fn at_own_end(&mut self, tile: usize) {
        self.accessor = Accessor::OwnEnd(tile);
    }

    /// From now on tiles are accessed by a packet of a tile.
    pub fn at_remote_end(&mut self, tile: usize, note: &Note) {
        let at = self.positions[tile];
        let packed = u32::from(at.x) | u32::from(at.y) << 8;
        self.accessor = Accessor::Packet(packed, Arc::clone(&note.snapshot));
    }

    /// From now on tiles are accessed by the host.
    pub fn at_host(&mut self) {
        self.accessor = Accessor::Host;
    }

    /// A tile's memory or registers were accessed over the NoC.
    ///
    /// # Errors
    /// A race, or a read of what nothing has written.
    pub fn accessed(&mut self, tile: usize, addr: u64, len: usize, write: bool) -> Result<(), Fault> {
        let Ok(addr) = u32::try_from(addr) else { return Ok(()) };
        if u64::from(addr) + len as u64 > u64::from(self.tiles[tile].l1.size()) {
            return Ok(());
        }
        let by = match &self.accessor {
            Accessor::Host => Requester::Host,
            Accessor::OwnEnd(own) if *own == tile => Requester::Own,
            Accessor::OwnEnd(_) => Requester::Host,
            Accessor::Packet(from, snapshot) => Requester::Tile(*from, snapshot),
        };
        let at = self.positions[tile];
        self.tiles[tile].accessed_from_noc(addr, len as u32, write, by).map_err(|fault| fault.in_tile(at))
    }

    /// A write's data has left its tile.
    pub fn departed(&mut self, tile: usize, note: &Note) {
        self.own_end_done(tile, note, Response::Sent);
    }

    /// A packet has done what it is for, in DRAM (the group and its memory) or in a Tensix tile.
    ///
    /// # Errors
    /// A race.
    pub fn arrived(
        &mut self,
        tile: usize,
        packet: &Request,
        note: &mut Note,
        dram: Option<(usize, &Dram)>,
        remote: Option<usize>,
    ) -> Result<(), Fault> {
        if let Some((group, dram)) = dram {
            let packet = Packet { request: packet, tile, id: note.id, snapshot: &note.snapshot };
            self.access_dram(&packet, group, dram)?;
        }
        let brings = matches!(packet.action, Action::Read | Action::Atomic(_));
        note.returned = remote.filter(|_| brings).map(|index| self.tiles[index].completed.clone());
        Ok(())
    }

    /// A packet's response has been counted in its tile.
    pub fn responded(&mut self, tile: usize, packet: &Request, note: &mut Note) {
        if let Some(response) = response(packet) {
            self.own_end_done(tile, note, response);
        }
        self.tiles[tile].completed.join(&note.returned.take().unwrap_or_default());
    }

    /// What a request had to do at its own tile is done with its last packet, and counted.
    fn own_end_done(&mut self, tile: usize, note: &Note, response: Response) {
        let state = &mut self.tiles[tile];
        if state.requests[note.id as usize].packet_done(response) {
            state.request_done(note.id, response);
        }
    }
}

/// What the response to a request is counted as; `None` if there is none.
fn response(request: &Request) -> Option<Response> {
    request.respond.then_some(match request.action {
        Action::Read => Response::Read,
        Action::Atomic(_) => Response::Atomic,
        _ => Response::Write,
    })
}

/// First byte and bytes in L1, which has `l1_size`, at the end of the tile that makes a request, and whether they are
/// written.
pub(super) fn own_end(request: &Request, l1_size: u32) -> Option<(u32, u32, bool)> {
    let (len, write) = match request.action {
        Action::Read => (request.len, true),
        Action::Write => (request.len, false),
        Action::WriteMasked { .. } => (32, false),
        Action::WriteInline { .. } => return None,
        Action::Atomic(_) if request.respond => (4, true),
        Action::Atomic(_) => return None,
    };
    let addr = u32::try_from(request.own_addr).ok().filter(|&addr| addr < l1_size)?;
    Some((addr, len, write))
}
