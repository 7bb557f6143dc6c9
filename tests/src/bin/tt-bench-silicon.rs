//! What the timed mode says of things that were measured on silicon, one JSON object a line: ours, what was published, by how much
//! ours differs, and by how much it may.
//!
//! Arguments name the figures to measure; without any, or with `anchors`, all are. With `at_least` what was published is a bound.

use anyhow::{Context as _, Result};
use serde_json::json;
use tt_isa::chip::board;
use tt_runtime::transport::sim::Sim;
use tt_runtime::{Mode, SimOptions};
use tt_tests::bench::silicon::{Measure, anchors};
use tt_tests::bench::transport::Bare;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|name| name != "anchors").collect();
    let board = board("n150").context("n150 is a board")?;
    let options = SimOptions { mode: Mode::Timed, ..SimOptions::default() };
    for anchor in anchors() {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == anchor.name) {
            continue;
        }
        let value = match anchor.measure {
            Measure::Programs(measure) => measure(&mut Bare(Box::new(Sim::new(board, 0, &options)?))),
            Measure::Runtime(measure) => measure(),
        };
        let value = value.with_context(|| anchor.name)?;
        let deviation = value / anchor.published - 1.0;
        let mut line = json!({
            "name": format!("silicon.{}", anchor.name),
            "value": value,
            "unit": anchor.unit,
            "published": anchor.published,
            "deviation": (deviation * 1e4).round() / 1e4,
            "tolerance": anchor.tolerance,
        });
        if anchor.at_least {
            line["at_least"] = true.into();
        }
        println!("{line}");
    }
    Ok(())
}
