//! `tt selftest`: whether a chip does what it should.
//!
//! ```text
//! machine: programs on single cores            l1, cores, units   each tile by itself
//!                                              dram               each bank, from some tile
//!                                              links              every link of both NoCs
//!                                              pushes             a tile writes to the host's memory
//! runtime: its firmware on all tiles           product            a product through every layer
//! ```
//!
//! What is broken keeps nothing else from being tested: a tile that hangs is a finding, and the test goes on.

mod cores;
mod dram;
mod l1;
mod links;
mod product;
mod pushes;
mod units;

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tt_isa::noc::NocXy;
use tt_runtime::{Device, DeviceSpec, Error};

pub use dram::Extent;

use crate::bench::rate_of_all;
use crate::findings::{Finding, Outcome, Place};
use crate::machine::Machine;

/// Name of the check of what DRAM gives.
const BANDWIDTH: &str = "DRAM bandwidth";
/// Part of the published bandwidth that is enough: harvested rows leave fewer ways that do not cross.
const ENOUGH: f64 = 0.8;
/// How long a test of all of DRAM may take on a card.
const PATIENCE_ALL: Duration = Duration::from_secs(1800);

/// What to test.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// All of DRAM, or a sample.
    pub extent: Extent,
    /// A sample of L1.
    pub quick: bool,
    /// Shows how far it is.
    pub progress: bool,
}

/// What was found on a chip.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The device, as it is named to users.
    pub device: String,
    /// Its chip.
    pub chip: &'static str,
    /// NoC 0 positions of its Tensix tiles.
    pub tiles: Vec<[u8; 2]>,
    /// Columns and rows of its NoC.
    pub grid: [u8; 2],
    /// No finding is a fault.
    pub passed: bool,
    /// How long it took.
    pub seconds: f64,
    /// Everything that was tested.
    pub findings: Vec<Finding>,
}

/// Progress of the test.
pub struct Step(ProgressBar);

impl Step {
    fn new(shown: bool, steps: u64) -> Self {
        if !shown {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(steps);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        Self(if let Ok(style) = style { bar.with_style(style) } else { bar })
    }

    fn begin(&self, what: &'static str) {
        self.0.set_message(what);
    }

    /// One more thing has been tested.
    pub fn one(&self) {
        self.0.inc(1);
    }
}

/// Tests a device.
///
/// # Errors
/// It cannot be opened.
pub fn run(spec: &DeviceSpec, options: Options) -> Result<Report, Error> {
    let started = Instant::now();
    let device = Device::open(spec).description();
    let mut machine = Machine::open(spec)?;
    let chip = machine.chip();
    let tiles = machine.present();
    let steps = 3 * tiles.len() + chip.dram.len() + 3;
    let step = Step::new(options.progress, steps as u64);
    let mut findings = silent(&machine);
    on_cores(&mut machine, options, &step, &mut findings);
    // A card has one user at a time: the runtime is the next one.
    drop(machine);
    step.begin(product::CHECK);
    findings.push(product::test(spec));
    step.one();
    step.0.finish_and_clear();
    Ok(Report {
        device,
        chip: chip.name,
        tiles: tiles.iter().map(|(_, place)| [place.x, place.y]).collect(),
        grid: [chip.grid.x, chip.grid.y],
        passed: !findings.iter().any(|finding| finding.outcome.is_bad()),
        seconds: started.elapsed().as_secs_f64(),
        findings,
    })
}

/// Tiles that do not answer.
fn silent(machine: &Machine) -> Vec<Finding> {
    let silent = machine.workers().iter().filter(|worker| worker.place.is_none());
    let what =
        |name: NocXy| format!("the tile that is named {name} does not answer: everything reads as ones");
    silent.map(|worker| Finding::new(Place::Chip, "tile", Outcome::Hung, what(worker.name))).collect()
}

/// The tests without firmware. One that cannot be made is a finding, too, and the others are made.
fn on_cores(machine: &mut Machine, options: Options, step: &Step, findings: &mut Vec<Finding>) {
    let mut add = |check, found: Result<Vec<Finding>, Error>| {
        let failed =
            |error: Error| vec![Finding::new(Place::Chip, check, Outcome::Failed, error.to_string())];
        findings.extend(found.unwrap_or_else(failed));
        findings.clone()
    };
    step.begin(l1::CHECK);
    add(l1::CHECK, l1::test(machine, options.quick, step));
    step.begin(cores::CHECK);
    add(cores::CHECK, cores::test(machine, step));
    step.begin(units::CHECK);
    add(units::CHECK, units::test(machine, step));
    step.begin(dram::CHECK);
    if options.extent == Extent::All {
        machine.set_patience(PATIENCE_ALL);
    }
    let so_far = add(dram::CHECK, dram::test(machine, options.extent, step));
    step.begin(links::CHECK);
    add(links::CHECK, links::test(machine, &so_far, step));
    step.begin(pushes::CHECK);
    add(pushes::CHECK, pushes::test(machine, step).map(|finding| vec![finding]));
    add(BANDWIDTH, bandwidth(machine).map(|finding| vec![finding]));
}

/// What all channels of DRAM give, where time means something.
fn bandwidth(machine: &mut Machine) -> Result<Finding, Error> {
    let Some(clocks_us) = machine.clocks_us() else {
        return Ok(Finding::skipped(BANDWIDTH, "time means nothing in this simulator (sim,timed keeps it)"));
    };
    let (rate, published) = rate_of_all(machine, clocks_us)?;
    let outcome = if rate < ENOUGH * published { Outcome::Failed } else { Outcome::Passed };
    Ok(Finding::new(
        Place::Chip,
        BANDWIDTH,
        outcome,
        format!("{rate:.1} GB/s read from all channels; {published} were measured on a card"),
    ))
}
