//! What becomes of a finding: a fault, or a note, and the run goes on.
//!
//! A fault is what a kernel of one's own is to end with. Of programs that somebody else has written the whole list is wanted: then each
//! finding is noted once, for the same two accesses and until a core's code changes, and the detector goes on as if there had been an
//! order.

use std::collections::HashSet;

use super::TileRaces;
use super::clock::Origin;
use super::report::{self, Place};
use super::shadow::Access;
use crate::fault::Fault;

/// What a finding has in common with those that say nothing new: its kind, and who takes part by what code or instruction.
pub type Same = (&'static str, [Option<Source>; 2]);

/// Who accesses something: kind of source, and a pc or an instruction word.
pub type Source = (u8, u32);

/// Kind of a source for requests of the tile's NIUs, done or not.
const OWN_REQUEST: u8 = u8::MAX;

/// Findings that were noted.
#[derive(Default)]
pub struct Findings {
    /// Findings are noted; otherwise they are faults.
    notes: bool,
    known: HashSet<Same>,
    new: Vec<(Same, Fault)>,
    /// Code has changed since the chip last took findings: what is found from now on is of another kernel.
    pub(super) other_code: bool,
}

impl Findings {
    /// None yet; `notes`: they are to be noted.
    pub fn new(notes: bool) -> Self {
        Self { notes, ..Self::default() }
    }

    /// A core's code has changed.
    pub(super) fn code_changed(&mut self) {
        self.known.clear();
        self.other_code = true;
    }

    /// Takes what is new.
    pub(super) fn take(&mut self) -> Vec<(Same, Fault)> {
        std::mem::take(&mut self.new)
    }
}

impl TileRaces {
    /// Something was found.
    ///
    /// # Errors
    /// The finding, unless findings are noted.
    pub(super) fn found(&mut self, same: Same, fault: impl FnOnce(&Self) -> Fault) -> Result<(), Fault> {
        if !self.findings.notes {
            return Err(fault(self));
        }
        if self.findings.known.insert(same) {
            let fault = fault(self);
            self.findings.new.push((same, fault));
        }
        Ok(())
    }

    /// Two accesses have no order.
    pub(super) fn found_race(&mut self, place: Place, first: &Access, second: &Access) -> Result<(), Fault> {
        let same = (place.kind(), [Some(self.source(first)), Some(self.source(second))]);
        self.found(same, |it| report::race(place, first, second, &it.requests, it.seed))
    }

    /// Something is read that nothing has written.
    pub(super) fn found_unwritten(&mut self, place: Place, by: &Access) -> Result<(), Fault> {
        let same = (place.kind(), [None, Some(self.source(by))]);
        self.found(same, |it| report::uninitialised(place, by, &it.requests, it.seed))
    }

    /// Whose access it is. A request's is that of the code that has made it.
    pub(super) fn source(&self, access: &Access) -> Source {
        match access.component.origin() {
            Origin::Noc(_) | Origin::UnderWay => {
                (OWN_REQUEST, self.requests.get(access.what as usize).map_or(0, |request| request.pc))
            }
            Origin::Arrival => (access.component.0, 0),
            _ => (access.component.0, access.what),
        }
    }

    /// A request of this tile, as part of a finding.
    pub(super) fn request_source(&self, id: u32) -> Source {
        (OWN_REQUEST, self.requests[id as usize].pc)
    }
}
