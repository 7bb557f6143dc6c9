//! `GGML_TT_PROFILE=1`: a table by operator whenever a backend is freed; `GGML_TT_STATS` has the same by tensor.
//!
//! A simulator's time says nothing about a card's, so there the clocks of the simulated chip are counted; a card is measured with the
//! host's clock. The share of an operator is that of clocks, where they are known, or of time. Where the simulator keeps time
//! (`docs/timing.md`), the table says what that went to ([`busy`]).

mod busy;
mod table;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tt_runtime::usage::Usage;
use tt_runtime::{Counters, Device, Transfers};

use crate::abi::log;
use busy::Busy;

/// What an operator took.
#[derive(Clone, Default)]
struct Row {
    count: u64,
    launches: u64,
    clocks: u64,
    /// Clocks in a microsecond, where those are time.
    clocks_us: Option<u32>,
    instructions: u64,
    tensix: u64,
    bytes: u64,
    time: Duration,
    busy: Busy,
    usage: Option<Usage>,
}

/// Operator, and name of the tensor without the number of its layer.
type Key = (String, String);

/// What ran.
#[derive(Default)]
struct Rows {
    /// Since the last table, and before.
    now: BTreeMap<Key, Row>,
    before: BTreeMap<Key, Row>,
    /// What the host had written and read when the first operator of this table began.
    host: Option<[Transfers; 2]>,
}

static ROWS: Mutex<Rows> = Mutex::new(Rows { now: BTreeMap::new(), before: BTreeMap::new(), host: None });

pub(super) fn is_on() -> bool {
    tt_settings::PROFILE.is_on()
}

/// The measurement of an operator that runs.
pub struct Running<'a> {
    device: &'a Device,
    before: Counters,
    usage: Option<Usage>,
    begin: Instant,
}

/// Starts to measure, if that is asked for.
pub fn begin(device: &Device) -> Option<Running<'_>> {
    if !is_on() {
        return None;
    }
    // A card counts no clocks but those of its steps.
    if device.counters().clocks.is_none()
        && let Err(error) = device.keep_times(true)
    {
        log::error(&format!("no times of steps: {error}"));
    }
    Some(Running { device, before: device.counters(), usage: device.usage(), begin: Instant::now() })
}

impl Running<'_> {
    /// The operator is done that has made a tensor; it had `bytes` bytes of operands and results.
    pub fn end(self, operator: &str, tensor: &str, bytes: u64) {
        let (time, now) = (self.begin.elapsed(), self.device.counters());
        let since = |of: fn(&Counters) -> Option<u64>| {
            of(&now).unwrap_or(0).saturating_sub(of(&self.before).unwrap_or(0))
        };
        let usage = self.usage.as_ref().zip(self.device.usage());
        let usage = usage.map(|(before, now)| now.since(before));
        let row = Row {
            count: 1,
            launches: since(|c| Some(c.launches)),
            clocks: since(|c| c.clocks.or(c.step_clocks)),
            clocks_us: now.clocks_us,
            instructions: since(|c| c.riscv_instructions),
            tensix: since(|c| c.tensix_instructions),
            bytes,
            time,
            busy: usage.as_ref().map(Busy::of).unwrap_or_default(),
            usage,
        };
        let key = (operator.to_owned(), of_all_layers(tensor).to_owned());
        let mut rows = ROWS.lock();
        rows.now.entry(key).or_default().add(&row);
        rows.host.get_or_insert([self.before.written, self.before.read]);
    }
}

impl Row {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.launches += other.launches;
        self.clocks += other.clocks;
        self.clocks_us = self.clocks_us.or(other.clocks_us);
        self.instructions += other.instructions;
        self.tensix += other.tensix;
        self.bytes += other.bytes;
        self.time += other.time;
        self.busy.add(&other.busy);
        self.usage = match (self.usage.take(), &other.usage) {
            (Some(own), Some(other)) => Some(own.and(other)),
            (own, other) => own.or_else(|| other.clone()),
        };
    }
}

/// A tensor's name without its layer: llama.cpp appends `-12`.
fn of_all_layers(tensor: &str) -> &str {
    match tensor.rsplit_once('-') {
        Some((name, layer)) if !layer.is_empty() && layer.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => tensor,
    }
}

/// Prints the table of what ran since the last one, on a device.
pub fn report(device: &Device) {
    let mut rows = ROWS.lock();
    let now = std::mem::take(&mut rows.now);
    let before = rows.host.take();
    for (key, row) in &now {
        rows.before.entry(key.clone()).or_default().add(row);
    }
    drop(rows);
    let counters = device.counters();
    let host = before.map(|before| [before, [counters.written, counters.read]]);
    for line in table::lines(&by_operator(&now), host) {
        log::info(&line);
    }
}

/// Everything that ran so far, by operator and tensor, if the setting is on.
pub fn totals() -> Option<serde_json::Value> {
    if !is_on() {
        return None;
    }
    let rows = ROWS.lock();
    let mut all = rows.before.clone();
    rows.now.iter().for_each(|(key, row)| all.entry(key.clone()).or_default().add(row));
    Some(all.iter().map(json).collect())
}

fn json(((operator, tensor), row): (&Key, &Row)) -> serde_json::Value {
    serde_json::json!({
        "operator": operator,
        "tensor": tensor,
        "count": row.count,
        "launches": row.launches,
        "clocks": row.clocks,
        "riscv_instructions": row.instructions,
        "tensix_instructions": row.tensix,
        "bytes": row.bytes,
        "host_s": row.time.as_secs_f64(),
        "usage": row.usage.as_ref().map(busy::json),
    })
}

fn by_operator(rows: &BTreeMap<Key, Row>) -> BTreeMap<String, Row> {
    let mut all = BTreeMap::<String, Row>::new();
    rows.iter().for_each(|((operator, _), row)| all.entry(operator.clone()).or_default().add(row));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_have_one_row() {
        assert_eq!(["Qcur-12", "Qcur", "l-out", "x-"].map(of_all_layers), ["Qcur", "Qcur", "l-out", "x-"]);
    }
}
