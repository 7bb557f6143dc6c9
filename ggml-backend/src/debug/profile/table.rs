//! The profile as text: a line for each operator, largest share first, and the sum.

use std::collections::BTreeMap;

use tt_runtime::Transfers;
use tt_runtime::usage::{CoreWait, RiscV};

use super::Row;
use super::busy::{Busy, part};

/// What the host had written and read at the begin, and at the end.
type Host = Option<[[Transfers; 2]; 2]>;

/// The table of these rows; nothing if there are none.
pub fn lines(rows: &BTreeMap<String, Row>, host: Host) -> Vec<String> {
    let mut all = Row::default();
    rows.values().for_each(|row| all.add(row));
    if all.count == 0 {
        return Vec::new();
    }
    let share = |row: &Row| match all.clocks {
        0 => row.time.as_secs_f64() / all.time.as_secs_f64(),
        clocks => row.clocks as f64 / clocks as f64,
    };
    let mut sorted: Vec<(&str, &Row)> = rows.iter().map(|(name, row)| (name.as_str(), row)).collect();
    sorted.sort_by(|a, b| share(b.1).total_cmp(&share(a.1)));
    sorted.push(("all", &all));
    match all.clocks_us {
        Some(clocks_us) => {
            let clocks_us = f64::from(clocks_us);
            let line = |(name, row): (&str, &Row)| timed_line(name, row, share(row), clocks_us);
            let table = std::iter::once(timed_head()).chain(sorted.into_iter().map(line));
            table.chain(host.map(|host| host_line(host, clocks_us))).chain([limit(&all)]).collect()
        }
        None => {
            let line = |(name, row): (&str, &Row)| line(name, row, share(row));
            std::iter::once(head()).chain(sorted.into_iter().map(line)).collect()
        }
    }
}

fn head() -> String {
    format!(
        "profile: {:24} {:>7} {:>8} {:>12} {:>6} {:>14} {:>12} {:>13} {:>9}",
        "operator", "count", "launches", "clocks", "share", "RISC-V instr.", "Tensix", "bytes", "ms"
    )
}

fn line(name: &str, row: &Row, share: f64) -> String {
    format!(
        "profile: {name:24} {:7} {:8} {:12} {:5.1}% {:14} {:12} {:13} {:9.1}",
        row.count,
        row.launches,
        row.clocks,
        100.0 * share,
        row.instructions,
        row.tensix,
        row.bytes,
        row.time.as_secs_f64() * 1e3,
    )
}

/// Where clocks are time. The cores' columns are parts of the time of all cores; what is missing they have spent in reset.
fn timed_head() -> String {
    format!(
        "profile: {:24} {:>7} {:>8} {:>10} {:>6} | {:>6} {:>6} {:>6} | {:>7} {:>6} {:>6} {:>6} {:>6} | {:>13}",
        "operator",
        "count",
        "launches",
        "us",
        "share",
        "DRAM",
        "matrix",
        "vector",
        "execute",
        "stall",
        "NoC",
        "Tensix",
        "word",
        "DRAM bytes"
    )
}

fn timed_line(name: &str, row: &Row, share: f64, clocks_us: f64) -> String {
    let busy = &row.busy;
    let percent = |part: f64| format!("{:.1}%", 100.0 * part);
    format!(
        "profile: {name:24} {:7} {:8} {:10.1} {:>6} | {:>6} {:>6} {:>6} | {:>7} {:>6} {:>6} {:>6} {:>6} | {:13}",
        row.count,
        row.launches,
        row.clocks as f64 / clocks_us,
        percent(share),
        percent(part(busy.channels, busy.of_channels)),
        percent(part(busy.matrix, busy.of_units)),
        percent(part(busy.vector, busy.of_units)),
        percent(part(busy.executing, busy.of_cores)),
        percent(busy.waited(&[CoreWait::Operand, CoreWait::Memory, CoreWait::Code])),
        percent(busy.waited(&[CoreWait::Noc])),
        percent(busy.waited(&[CoreWait::Coprocessor, CoreWait::Register])),
        percent(busy.waited(&[CoreWait::Word])),
        busy.dram_bytes,
    )
}

/// What the host has moved since the first operator began.
fn host_line([before, after]: [[Transfers; 2]; 2], clocks_us: f64) -> String {
    let [written, read] = [0, 1].map(|n| {
        let (before, after) = (before[n], after[n]);
        let us = after.clocks.saturating_sub(before.clocks) as f64 / clocks_us;
        let (count, bytes) =
            (after.count.saturating_sub(before.count), after.bytes.saturating_sub(before.bytes));
        format!("{count} of {bytes} bytes in {us:.1} us")
    });
    format!("profile: host, since the first of them began: writes {written}; reads {read}")
}

/// What takes most of the time.
fn limit(all: &Row) -> String {
    let busy = &all.busy;
    let parts = parts(busy);
    let listed: Vec<String> =
        parts.iter().map(|(name, part)| format!("{name} {:.0}%", 100.0 * part)).collect();
    let first = parts.first().map_or("nothing", |(name, _)| name.as_str());
    format!("profile: limited by {first}; of the time were busy: {}", listed.join(", "))
}

/// What was busy for which part of the time, the largest first. Of cores, the busiest one of each operator counts.
fn parts(busy: &Busy) -> Vec<(String, f64)> {
    let cores: u64 = busy.busiest.iter().sum();
    let most = RiscV::ALL.into_iter().max_by_key(|&core| busy.busiest[core as usize]).unwrap_or(RiscV::Brisc);
    let mut parts = vec![
        (format!("RISC-V cores (mostly {})", most.name()), part(cores, busy.clocks)),
        ("DRAM".to_owned(), part(busy.channels, busy.of_channels)),
        ("the busiest matrix unit".to_owned(), part(busy.busiest_matrix, busy.clocks)),
    ];
    // One chip alone has none.
    if busy.busiest_link > 0 {
        parts.push(("the busiest Ethernet link".to_owned(), part(busy.busiest_link, busy.clocks)));
    }
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    parts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn names(lines: &[String]) -> Vec<&str> {
        lines.iter().map(|line| line.split_whitespace().nth(1).unwrap()).collect()
    }

    #[test]
    fn the_largest_share_comes_first_and_shares_make_a_whole() {
        let row = |clocks, ms| Row { count: 1, clocks, time: Duration::from_millis(ms), ..Row::default() };
        let by_clocks = BTreeMap::from([("ADD".to_owned(), row(10, 9)), ("MUL".to_owned(), row(30, 1))]);
        let table = lines(&by_clocks, None);
        assert_eq!(names(&table), ["operator", "MUL", "ADD", "all"]);
        assert!(table[1].contains(" 75.0% "));
        let by_time = BTreeMap::from([("ADD".to_owned(), row(0, 9)), ("MUL".to_owned(), row(0, 1))]);
        let table = lines(&by_time, None);
        assert_eq!(names(&table), ["operator", "ADD", "MUL", "all"]);
        assert!(table[1].contains(" 90.0% "));
        assert!(lines(&BTreeMap::new(), None).is_empty());
    }

    #[test]
    fn where_time_is_kept_the_limit_is_said() {
        let busy = Busy {
            clocks: 1000,
            of_channels: 12_000,
            channels: 6000,
            busiest: [100, 0, 0, 0, 800],
            busiest_link: 700,
            ..Busy::default()
        };
        let row = Row { count: 1, clocks: 1000, clocks_us: Some(1000), busy, ..Row::default() };
        let table = lines(&BTreeMap::from([("ADD".to_owned(), row)]), None);
        assert_eq!(names(&table), ["operator", "ADD", "all", "limited"]);
        assert!(table[1].contains(" 1.0 100.0% |  50.0% "), "{}", table[1]);
        let limit = table.last().unwrap();
        assert!(
            limit.contains("limited by RISC-V cores (mostly NCRISC); ")
                && limit.contains(" 90%, the busiest Ethernet link 70%, DRAM 50%")
        );
    }
}
