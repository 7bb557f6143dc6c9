//! What ran on the devices, for `GGML_TT_STATS=FILE`: one line of JSON, written whenever a backend is freed.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tt_runtime::{Counters, Transfers};

use crate::abi::log;
use crate::debug::{check, profile};
use crate::device::Device;
use crate::passes::{self, Total};
use crate::weights::Totals;

/// What a graph has counted.
#[derive(Default)]
pub struct Counts {
    operators: BTreeMap<String, u64>,
    fused: BTreeMap<&'static str, u64>,
    reused: u64,
    /// Graphs that were planned, and those whose plan was known.
    graphs: [u64; 2],
}

/// Of all graphs of the process.
static TOTALS: Mutex<Counts> =
    Mutex::new(Counts { operators: BTreeMap::new(), fused: BTreeMap::new(), reused: 0, graphs: [0; 2] });

impl Counts {
    /// Counts an operator.
    pub fn operator(&mut self, name: &str) {
        add(&mut self.operators, name, 1);
    }

    /// Counts a group of nodes that was computed as one.
    pub fn fused(&mut self, name: &'static str) {
        *self.fused.entry(name).or_default() += 1;
    }

    /// Counts copies of views that a node needed and an earlier one had made.
    pub fn reused(&mut self, copies: usize) {
        self.reused += copies as u64;
    }

    /// Adds them to the totals of the process: those of a graph that was planned, or whose plan was known.
    pub fn enter(&self, is_known: bool) {
        let mut totals = TOTALS.lock();
        totals.graphs[usize::from(is_known)] += 1;
        self.operators.iter().for_each(|(name, n)| add(&mut totals.operators, name, *n));
        self.fused.iter().for_each(|(name, n)| *totals.fused.entry(name).or_default() += n);
        totals.reused += self.reused;
    }
}

/// Groups of a kind that have been computed as one since [`reset_fused`].
pub fn fused(name: &str) -> u64 {
    let of = |counts: &BTreeMap<&'static str, u64>| counts.get(name).copied().unwrap_or(0);
    let before = of(&FUSED_BEFORE.lock());
    of(&TOTALS.lock().fused).saturating_sub(before)
}

/// Lets [`fused`] count from now on.
pub fn reset_fused() {
    let now = TOTALS.lock().fused.clone();
    *FUSED_BEFORE.lock() = now;
}

/// What [`fused`] does not count.
static FUSED_BEFORE: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

fn add(counts: &mut BTreeMap<String, u64>, name: &str, n: u64) {
    match counts.get_mut(name) {
        Some(count) => *count += n,
        None => {
            counts.insert(name.to_owned(), n);
        }
    }
}

/// Writes the totals of this process, if a file is named.
pub fn write() {
    let Some(path) = tt_settings::STATS.get() else { return };
    let counters: Vec<_> = Device::all().iter().map(|device| device.runtime.counters()).collect();
    let total = |of: fn(&Counters) -> Option<u64>| counters.iter().filter_map(of).reduce(|a, b| a + b);
    let weights: Vec<_> = Device::all().iter().map(|device| weights(&device.weights.totals())).collect();
    let check = check::totals()
        .map(|(compared, different)| serde_json::json!({ "compared": compared, "different": different }));
    let counted = TOTALS.lock();
    let line = serde_json::json!({
        "check": check,
        "clocks": total(|c| c.clocks),
        "clocks_us": counters.iter().find_map(|c| c.clocks_us),
        "host": { "written": transfers(&counters, |c| c.written), "read": transfers(&counters, |c| c.read) },
        "graphs": { "planned": counted.graphs[0], "known": counted.graphs[1] },
        "fused": counted.fused,
        "reused_copies": counted.reused,
        "passes": passes::totals().iter().map(pass).collect::<Vec<_>>(),
        "ops": counted.operators,
        "profile": profile::totals(),
        "launches": counters.iter().map(|c| c.launches).sum::<u64>(),
        "streams": counters.iter().map(|c| c.streams).sum::<u64>(),
        "tensix_instructions": total(|c| c.tensix_instructions),
        "riscv_instructions": total(|c| c.riscv_instructions),
        "weights": weights,
    });
    if let Err(error) = std::fs::write(path, format!("{line}\n")) {
        log::warn(&format!("{}={}: {error}", tt_settings::STATS.name, path.display()));
    }
}

/// Passes of a device over models with the same number of rows: times are totals in seconds.
fn pass((device, rows, total): &(String, u64, Total)) -> serde_json::Value {
    serde_json::json!({
        "device": device,
        "rows": rows,
        "count": total.count,
        "graph_s": total.in_graphs.as_secs_f64(),
        "clocks": total.clocks,
        "between_s": total.between.as_secs_f64(),
    })
}

/// What the host has moved to or from all devices, weights aside.
fn transfers(counters: &[Counters], of: fn(&Counters) -> Transfers) -> serde_json::Value {
    let sum = |field: fn(&Transfers) -> u64| counters.iter().map(|c| field(&of(c))).sum::<u64>();
    serde_json::json!({
        "count": sum(|t| t.count),
        "bytes": sum(|t| t.bytes),
        "clocks": sum(|t| t.clocks),
    })
}

/// What a device's weights took, in seconds and bytes.
fn weights(totals: &Totals) -> serde_json::Value {
    let [read, convert, upload] = totals.busy.map(|time| time.as_secs_f64());
    serde_json::json!({
        "kinds": totals.kinds,
        "rounded": totals.rounded,
        "bytes": totals.bytes,
        "tile_bytes": totals.tile_bytes,
        "wall_s": totals.wall.as_secs_f64(),
        "read_s": read,
        "convert_s": convert,
        "upload_s": upload,
        "staging_bytes": totals.staging_bytes,
        "importance": {
            "weights": totals.importance.weights,
            "error": totals.importance.weighted.relative(),
            "error_unweighted": totals.importance.plain.relative(),
        },
    })
}
