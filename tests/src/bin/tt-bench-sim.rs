//! Figures of the built-in simulator, one JSON object a line; with `TTSIM_LIB` set also the vendor's, for comparison.
//!
//! Arguments name the figures to measure; without any, all are.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tt_isa::chip::{WORMHOLE, board};
use tt_runtime::transport::{Transport, sim::Sim, ttsim::TtSim};
use tt_runtime::{Device, DeviceSpec, SimOptions};
use tt_tests::bench::mvmul::mvmul_rate;
use tt_tests::bench::noc::read_rate;
use tt_tests::bench::transport::Bare;
use tt_tests::bench::{Load, riscv_rate};

/// Time of each measurement.
const TIME: Duration = Duration::from_secs(2);
/// Rows of tiles that every board has: the last ones are those that are harvested.
const ROWS: usize = 8;

/// Measures one figure on a device.
type Measure = fn(&DeviceSpec) -> Result<f64>;

fn main() -> Result<()> {
    let ours = DeviceSpec::sim(board("n150").context("n150 is a board")?, 0, SimOptions::default());
    let peer = std::env::var_os("TTSIM_LIB")
        .filter(|path| !path.is_empty())
        .map(|path| DeviceSpec::TtSim { library: PathBuf::from(path) });
    let figures: [(&str, &str, Measure); 4] = [
        ("sim.hart1", "instructions/s", |spec| harts(spec, Load::OneHart)),
        ("sim.hart320", "instructions/s", |spec| harts(spec, Load::AllHarts)),
        ("sim.noc64", "bytes/s", |spec| read_rate(&mut bare(spec)?, &WORMHOLE.tensix_y[..ROWS], TIME)),
        ("sim.mvmul", "MVMUL/s", |spec| mvmul_rate(&Device::open(spec), TIME)),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for (name, unit, measure) in figures {
        if !wanted.is_empty() && !wanted.iter().any(|w| w == name) {
            continue;
        }
        let value = measure(&ours).with_context(|| format!("{name} on the built-in simulator"))?;
        let mut figure = json!({ "name": name, "value": value, "unit": unit });
        if let Some(peer) = &peer {
            let peer_value = measure(peer).with_context(|| format!("{name} on the vendor's simulator"))?;
            figure["peer"] = json!("ttsim");
            figure["peer_value"] = json!(peer_value);
            figure["ratio"] = json!(value / peer_value);
        }
        println!("{figure}");
    }
    Ok(())
}

fn harts(spec: &DeviceSpec, load: Load) -> Result<f64> {
    riscv_rate(&mut bare(spec)?, load, &WORMHOLE.tensix_y[..ROWS], TIME)
}

fn bare(spec: &DeviceSpec) -> Result<Bare> {
    let chip: Box<dyn Transport> = match spec {
        DeviceSpec::Sim { board, chip, options, .. } => Box::new(Sim::new(board, *chip, options)?),
        DeviceSpec::TtSim { library } => Box::new(TtSim::new(library)?),
        DeviceSpec::Card(_) | DeviceSpec::Unusable(_) | DeviceSpec::Metal { .. } | DeviceSpec::Second(_) => {
            anyhow::bail!("not a simulator of its own")
        }
        DeviceSpec::Null { .. } => anyhow::bail!("a device that computes nothing has no speed"),
    };
    Ok(Bare(chip))
}
