//! Reports as tables and as JSON.

use std::fmt::Write as _;

use serde_json::json;
use tt_isa::insn;

use crate::campaign::{Counts, Finding, Report};
use crate::corpus::{Entry, Expected, to_text};

/// Tables for people.
pub fn table(report: &Report, seconds: f64) -> String {
    let mut text = format!(
        "{:<10} {:>10} {:>10} {:>12} {:>15} {:>9} {:>8}\n",
        "family", "cases", "same", "both refuse", "vendor refuses", "refused", "differ"
    );
    let rows = report.families.iter().map(|(family, counts)| (family.name(), *counts));
    for (name, c) in rows.chain([("all", report.total())]) {
        let _ = writeln!(
            text,
            "{name:<10} {:>10} {:>10} {:>12} {:>15} {:>9} {:>8}",
            c.cases, c.same, c.both_refuse, c.vendor_refuses, c.refused, c.differ
        );
    }
    let _ = writeln!(text, "{:.0} cases a second", report.total().cases as f64 / seconds);
    text += "\ninstructions in cases with equal results\n";
    let opcodes: Vec<String> =
        report.opcodes.iter().map(|(opcode, count)| format!("{} {count}", mnemonic(*opcode))).collect();
    for line in opcodes.chunks(6) {
        let _ = writeln!(text, "  {}", line.join(", "));
    }
    list(&mut text, "refused by the vendor's simulator alone", &report.vendor_refuses);
    list(&mut text, "refused here", &report.here_refuses);
    if !report.differences.is_empty() {
        text += "\ndifferences\n";
        for ((family, difference), count) in &report.differences {
            let _ = writeln!(text, "  {count:>8}  {}: {difference}", family.name());
        }
    }
    text
}

fn mnemonic(opcode: u8) -> &'static str {
    insn::info(u32::from(opcode) << 24).map_or("unknown", |row| row.name)
}

fn list(text: &mut String, title: &str, counts: &std::collections::BTreeMap<String, u64>) {
    if counts.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    let mut rows: Vec<_> = counts.iter().collect();
    rows.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), kind.as_str()));
    for (kind, count) in rows {
        let _ = writeln!(text, "  {count:>8}  {kind}");
    }
}

/// The same for programs: one object.
pub fn json(report: &Report, seconds: f64) -> serde_json::Value {
    let families: std::collections::BTreeMap<&str, Counts> =
        report.families.iter().map(|(family, counts)| (family.name(), *counts)).collect();
    let opcodes: std::collections::BTreeMap<&str, u64> =
        report.opcodes.iter().map(|(opcode, count)| (mnemonic(*opcode), *count)).collect();
    let differences: Vec<_> = report
        .differences
        .iter()
        .map(|((family, what), count)| {
            json!({ "family": family.name(), "what": what.to_string(), "count": count })
        })
        .collect();
    json!({
        "total": report.total(),
        "families": families,
        "opcodes": opcodes,
        "vendor_refuses": report.vendor_refuses,
        "here_refuses": report.here_refuses,
        "differences": differences,
        "seconds": seconds,
    })
}

/// A finding in full: what differs, then the case as the corpus would have it.
pub fn finding(finding: &Finding) -> String {
    let entry = Entry { case: finding.case.clone(), expected: Expected::Refused };
    let text = to_text(&entry);
    let case = text.trim_end_matches("result refused\n");
    let detail: String = finding.detail.lines().map(|line| format!("# {line}\n")).collect();
    format!("# case {}: {}\n{detail}{case}", finding.n, finding.difference)
}
