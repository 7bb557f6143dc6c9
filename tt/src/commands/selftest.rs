//! `tt selftest`: what is printed of a test, and into which files.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;

use super::{Devices, Done, Error, write};
use crate::findings::{Finding, Outcome, Place};
use crate::picture;
use crate::selftest::{Extent, Options, Report, run};

/// Tests devices.
#[derive(Args)]
pub struct Selftest {
    #[command(flatten)]
    devices: Devices,
    /// All of DRAM instead of a sample: minutes on a card
    #[arg(long)]
    full: bool,
    /// Only 64 KiB of each L1
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    /// Draw the grid; of several devices the last one
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Selftest {
    /// Tests the devices.
    ///
    /// # Errors
    /// A device cannot be opened.
    pub fn run(&self) -> Result<Done, Error> {
        let options = Options {
            extent: if self.full { Extent::All } else { Extent::Sample },
            quick: self.quick,
            progress: !self.json && std::io::stderr().is_terminal(),
        };
        let mut reports = Vec::new();
        for spec in self.devices.some()? {
            let report = run(&spec, options)?;
            if !self.json {
                print(&report);
            }
            if let Some(path) = &self.svg {
                write(path, &picture::svg(&report))?;
            }
            reports.push(report);
        }
        if self.json {
            println!("{}", serde_json::to_string_pretty(&reports)?);
        }
        Ok(if reports.iter().all(|report| report.passed) { Done::Well } else { Done::Faults })
    }
}

/// For people: the grid, the faults, and what was covered.
fn print(report: &Report) {
    anstream::println!("{}\n\n{}", report.device, picture::text(report));
    let faults: Vec<&Finding> = report.findings.iter().filter(|finding| finding.outcome.is_bad()).collect();
    for line in covered(&report.findings) {
        anstream::println!("{line}");
    }
    for finding in &faults {
        anstream::println!("FAULT {finding}");
    }
    let verdict = if report.passed { "no fault found" } else { "faults found" };
    anstream::println!("{verdict} ({:.1} s)", report.seconds);
}

/// For each check how many passed, and what was covered.
fn covered(findings: &[Finding]) -> Vec<String> {
    let mut checks: Vec<&'static str> = Vec::new();
    for finding in findings {
        if !checks.contains(&finding.check) {
            checks.push(finding.check);
        }
    }
    let line = |check: &'static str| {
        let all: Vec<&Finding> = findings.iter().filter(|finding| finding.check == check).collect();
        let passed: Vec<&&Finding> =
            all.iter().filter(|finding| finding.outcome == Outcome::Passed).collect();
        let detail = passed.first().or(all.last().as_ref()).map_or("", |finding| &finding.detail);
        let single = all.len() == 1 || all.iter().any(|finding| matches!(finding.place, Place::Link { .. }));
        match all.iter().map(|finding| finding.outcome).max() {
            Some(Outcome::Skipped) => format!("{check}: not tested: {detail}"),
            Some(outcome) if single && outcome.is_bad() => format!("{check}: see below"),
            _ if single => {
                let chip = all.iter().rfind(|finding| finding.place == Place::Chip);
                format!("{check}: {}", chip.map_or(detail, |finding| &finding.detail))
            }
            _ => format!("{check}: {} of {} passed ({detail})", passed.len(), all.len()),
        }
    };
    checks.into_iter().map(line).collect()
}
