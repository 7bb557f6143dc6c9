//! What ran on the devices, for `GGML_TT_STATS=FILE`: one line of JSON, written whenever a backend is freed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tt_runtime::{Counters, Transfers};

use crate::abi::log;
use crate::debug::{check, profile};
use crate::device::Device;
use crate::passes::{self, Total};
use crate::weights::Totals;

static OPERATORS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

static FUSED: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// Copies of views that a node needed and an earlier one had made.
static REUSED: AtomicU64 = AtomicU64::new(0);

/// Counts copies that did not have to be made.
pub fn count_reused(copies: usize) {
    REUSED.fetch_add(copies as u64, Ordering::Relaxed);
}

/// Counts an operator.
pub fn count(operator: &str) {
    let mut operators = OPERATORS.lock();
    match operators.get_mut(operator) {
        Some(n) => *n += 1,
        None => {
            operators.insert(operator.to_owned(), 1);
        }
    }
}

/// Counts a group of nodes that was computed as one.
pub fn count_fused(name: &'static str) {
    *FUSED.lock().entry(name).or_default() += 1;
}

/// Writes the totals of this process, if a file is named.
pub fn write() {
    let Some(path) = tt_settings::STATS.get() else { return };
    let counters: Vec<_> = Device::all().iter().map(|device| device.runtime.counters()).collect();
    let total = |of: fn(&Counters) -> Option<u64>| counters.iter().filter_map(of).reduce(|a, b| a + b);
    let weights: Vec<_> = Device::all().iter().map(|device| weights(&device.weights.totals())).collect();
    let check = check::totals()
        .map(|(compared, different)| serde_json::json!({ "compared": compared, "different": different }));
    let line = serde_json::json!({
        "check": check,
        "clocks": total(|c| c.clocks),
        "clocks_us": counters.iter().find_map(|c| c.clocks_us),
        "host": { "written": transfers(&counters, |c| c.written), "read": transfers(&counters, |c| c.read) },
        "fused": *FUSED.lock(),
        "reused_copies": REUSED.load(Ordering::Relaxed),
        "passes": passes::totals().iter().map(pass).collect::<Vec<_>>(),
        "ops": *OPERATORS.lock(),
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
