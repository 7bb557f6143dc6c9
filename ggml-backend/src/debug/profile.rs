//! `GGML_TT_PROFILE=1`: a table by operator whenever a backend is freed.
//!
//! A simulator's time says nothing about a card's, so there the clocks of the simulated chip are counted; a card is measured with the
//! host's clock. The share of an operator is that of clocks, where they are known, or of time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tt_runtime::{Counters, Device};

use crate::abi::log;

/// What an operator took.
#[derive(Clone, Copy, Default)]
struct Row {
    count: u64,
    launches: u64,
    clocks: u64,
    instructions: u64,
    tensix: u64,
    bytes: u64,
    time: Duration,
}

static ROWS: Mutex<BTreeMap<String, Row>> = Mutex::new(BTreeMap::new());

fn is_on() -> bool {
    tt_settings::PROFILE.is_on()
}

/// The measurement of an operator that runs.
pub struct Running<'a> {
    device: &'a Device,
    before: Counters,
    begin: Instant,
}

/// Starts to measure, if that is asked for.
pub fn begin(device: &Device) -> Option<Running<'_>> {
    is_on().then(|| Running { device, before: device.counters(), begin: Instant::now() })
}

impl Running<'_> {
    /// The operator is done; it had `bytes` bytes of operands and results.
    pub fn end(self, operator: &str, bytes: u64) {
        let (time, now) = (self.begin.elapsed(), self.device.counters());
        let since = |of: fn(&Counters) -> Option<u64>| {
            of(&now).unwrap_or(0).saturating_sub(of(&self.before).unwrap_or(0))
        };
        let mut rows = ROWS.lock();
        let row = rows.entry(operator.to_owned()).or_default();
        row.count += 1;
        row.launches += since(|c| Some(c.launches));
        row.clocks += since(|c| c.clocks);
        row.instructions += since(|c| c.riscv_instructions);
        row.tensix += since(|c| c.tensix_instructions);
        row.bytes += bytes;
        row.time += time;
    }
}

/// Prints the table of what ran since the last one.
pub fn report() {
    let rows = std::mem::take(&mut *ROWS.lock());
    for line in table(&rows) {
        log::info(&line);
    }
}

fn table(rows: &BTreeMap<String, Row>) -> Vec<String> {
    let mut all = Row::default();
    for row in rows.values() {
        all.count += row.count;
        all.launches += row.launches;
        all.clocks += row.clocks;
        all.instructions += row.instructions;
        all.tensix += row.tensix;
        all.bytes += row.bytes;
        all.time += row.time;
    }
    if all.count == 0 {
        return Vec::new();
    }
    let share = |row: &Row| match all.clocks {
        0 => row.time.as_secs_f64() / all.time.as_secs_f64(),
        clocks => row.clocks as f64 / clocks as f64,
    };
    let mut sorted: Vec<(&str, Row)> = rows.iter().map(|(name, row)| (name.as_str(), *row)).collect();
    sorted.sort_by(|a, b| share(&b.1).total_cmp(&share(&a.1)));
    sorted.push(("all", all));
    let head = format!(
        "profile: {:24} {:>7} {:>8} {:>12} {:>6} {:>14} {:>12} {:>13} {:>9}",
        "operator", "count", "launches", "clocks", "share", "RISC-V instr.", "Tensix", "bytes", "ms"
    );
    let line = |(name, row): (&str, Row)| {
        format!(
            "profile: {name:24} {:7} {:8} {:12} {:5.1}% {:14} {:12} {:13} {:9.1}",
            row.count,
            row.launches,
            row.clocks,
            100.0 * share(&row),
            row.instructions,
            row.tensix,
            row.bytes,
            row.time.as_secs_f64() * 1e3,
        )
    };
    std::iter::once(head).chain(sorted.into_iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_share_comes_first_and_shares_make_a_whole() {
        let row = |clocks, ms| Row { count: 1, clocks, time: Duration::from_millis(ms), ..Row::default() };
        let names = |rows: &BTreeMap<String, Row>| -> Vec<String> {
            let lines = table(rows);
            lines.iter().map(|line| line.split_whitespace().nth(1).unwrap().to_owned()).collect()
        };
        let by_clocks = BTreeMap::from([("ADD".to_owned(), row(10, 9)), ("MUL".to_owned(), row(30, 1))]);
        assert_eq!(names(&by_clocks), ["operator", "MUL", "ADD", "all"]);
        assert!(table(&by_clocks)[1].contains(" 75.0% "));
        let by_time = BTreeMap::from([("ADD".to_owned(), row(0, 9)), ("MUL".to_owned(), row(0, 1))]);
        assert_eq!(names(&by_time), ["operator", "ADD", "MUL", "all"]);
        assert!(table(&by_time)[1].contains(" 90.0% "));
        assert!(table(&BTreeMap::new()).is_empty());
    }
}
