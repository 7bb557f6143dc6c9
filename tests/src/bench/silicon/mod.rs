//! What the timed mode says of things that somebody has measured on silicon: small programs on the cores, which measure
//! themselves with the wall clock, and what was published.
//!
//! | module | what |
//! |---|---|
//! | [`transfers`] | one core's reads and writes, as the vendor's driver makes them |
//! | [`rates`] | how much one core moves |
//! | [`dram`] | many readers or writers of DRAM at once |
//! | [`traces`] | operators that silicon has recorded |
//! | [`launches`] | what goes through the runtime |
//! | [`host`] | weights written, logits read |
//! | [`ethernet`] | links between chips |
//! | [`second`] | the second chip of an n300 |
//! | [`units`] | the coprocessor, and the host's accesses |
//!
//! `latencies`: tt-metal's `tests/tt_metal/tt_metal/data_movement/noc_estimator/noc_latencies.yaml`.

mod dram;
mod ethernet;
mod host;
mod launches;
mod program;
mod rates;
mod second;
mod traces;
mod transfers;
mod units;

use anyhow::Result;

use super::Machine;

/// Something that was measured on silicon.
pub struct Anchor {
    /// Its name.
    pub name: &'static str,
    /// Unit of both values.
    pub unit: &'static str,
    /// On silicon.
    pub published: f64,
    /// Part of it that ours may differ by.
    pub tolerance: f64,
    /// What was published is a bound: ours may be more.
    pub at_least: bool,
    /// How it is measured.
    pub measure: Measure,
}

/// How something is measured.
#[derive(Clone, Copy)]
pub enum Measure {
    /// By programs of its own, on a chip after power-on.
    Programs(fn(&mut dyn Machine) -> Result<f64>),
    /// Through the runtime, with its firmware.
    Runtime(fn() -> Result<f64>),
}

impl Anchor {
    const fn clocks(
        name: &'static str,
        published: f64,
        tolerance: f64,
        measure: fn(&mut dyn Machine) -> Result<f64>,
    ) -> Self {
        Self::new(name, "clocks", published, tolerance, measure)
    }

    const fn nanoseconds(
        name: &'static str,
        published: f64,
        tolerance: f64,
        measure: fn(&mut dyn Machine) -> Result<f64>,
    ) -> Self {
        Self::new(name, "ns", published, tolerance, measure)
    }

    const fn new(
        name: &'static str,
        unit: &'static str,
        published: f64,
        tolerance: f64,
        measure: fn(&mut dyn Machine) -> Result<f64>,
    ) -> Self {
        Self { name, unit, published, tolerance, at_least: false, measure: Measure::Programs(measure) }
    }

    const fn bytes(
        name: &'static str,
        published: f64,
        tolerance: f64,
        measure: fn(&mut dyn Machine) -> Result<f64>,
    ) -> Self {
        Self::new(name, "B/clock", published, tolerance, measure)
    }

    const fn gigabytes(
        name: &'static str,
        published: f64,
        tolerance: f64,
        measure: fn(&mut dyn Machine) -> Result<f64>,
    ) -> Self {
        Self::new(name, "GB/s", published, tolerance, measure)
    }
}

/// All of them.
pub fn anchors() -> Vec<Anchor> {
    let all = [
        &transfers::ANCHORS[..],
        &rates::ANCHORS,
        &dram::ANCHORS,
        &traces::ANCHORS,
        &units::ANCHORS,
        &launches::ANCHORS,
        &host::ANCHORS,
        &ethernet::ANCHORS,
        &second::ANCHORS,
    ];
    all.into_iter().flatten().map(Anchor::copied).collect()
}

impl Anchor {
    fn copied(&self) -> Self {
        Self { ..*self }
    }
}
