//! What a test of a chip finds: for each thing that was looked at, where it is, what was done, and what came of it.

use std::fmt;

use serde::Serialize;
use tt_isa::noc::{Axis, NocXy, RouterLink};

/// Where something is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Place {
    /// A tile, by its NoC 0 position.
    Tile {
        /// Column.
        x: u8,
        /// Row.
        y: u8,
    },
    /// A DRAM bank.
    Bank {
        /// Its number.
        number: usize,
    },
    /// A link of a NoC from a router to the next one.
    Link {
        /// The NoC.
        noc: u8,
        /// Column of the router that it leaves, on NoC 0.
        x: u8,
        /// Its row.
        y: u8,
        /// `x` or `y`.
        axis: char,
    },
    /// The chip as a whole.
    Chip,
}

impl From<NocXy> for Place {
    fn from(NocXy { x, y }: NocXy) -> Self {
        Self::Tile { x, y }
    }
}

impl From<RouterLink> for Place {
    fn from(RouterLink { noc, from, axis }: RouterLink) -> Self {
        Self::Link { noc, x: from.x, y: from.y, axis: if axis == Axis::X { 'x' } else { 'y' } }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Place::Tile { x, y } => write!(f, "tile ({x},{y})"),
            Place::Bank { number } => write!(f, "DRAM bank {number}"),
            Place::Link { noc, x, y, axis } => {
                let axis = if axis == 'x' { Axis::X } else { Axis::Y };
                write!(f, "link {}", RouterLink { noc, from: NocXy::new(x, y), axis })
            }
            Place::Chip => f.write_str("chip"),
        }
    }
}

/// What came of a test.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// Not done, with the reason.
    Skipped,
    /// Not as it should be.
    Failed,
    /// Nothing came back.
    Hung,
}

impl Outcome {
    /// Whether it is a fault.
    pub fn is_bad(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::Hung)
    }
}

/// One of them.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What was tested.
    pub check: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What was covered, or what was wrong.
    pub detail: String,
}

impl Finding {
    /// One.
    pub fn new(
        place: impl Into<Place>,
        check: &'static str,
        outcome: Outcome,
        detail: impl Into<String>,
    ) -> Self {
        Self { place: place.into(), check, outcome, detail: detail.into() }
    }

    /// One of the chip as a whole that was not tested.
    pub fn skipped(check: &'static str, reason: impl Into<String>) -> Self {
        Self::new(Place::Chip, check, Outcome::Skipped, reason)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.check, self.detail)
    }
}

/// The worst outcome of what was found in a place; `None` if nothing was tested there.
pub fn verdict(findings: &[Finding], place: Place) -> Option<Outcome> {
    findings.iter().filter(|finding| finding.place == place).map(|finding| finding.outcome).max()
}
