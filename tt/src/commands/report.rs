//! `tt report`: a file to attach to a report of a fault. It has versions, telemetry and what the test has found, and nothing that says whose machine
//! it is: no names of users, hosts or processes, no paths, and of the serial number the first four digits.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tt_runtime::DeviceSpec;

use super::{Devices, Done, Error, write};
use crate::findings::Finding;
use crate::inventory::{Entry, look};
use crate::selftest::{Extent, Options, run};

/// Writes the report.
#[derive(Args)]
pub struct Report {
    /// Where to
    #[arg(default_value = "tt-report.json")]
    file: PathBuf,
    #[command(flatten)]
    devices: Devices,
    /// Leave the test out
    #[arg(long)]
    no_selftest: bool,
}

impl Report {
    /// Writes it.
    ///
    /// # Errors
    /// An argument names no device, or the file cannot be written.
    pub fn run(&self) -> Result<Done, Error> {
        let devices = self.devices.list()?;
        let of = |spec: &DeviceSpec| {
            let entry = look(spec, true);
            // A device that cannot be asked cannot be tested.
            let tested = !self.no_selftest && entry.chip.is_some();
            json!({ "device": device(&entry), "selftest": tested.then(|| selftest(spec)) })
        };
        let report = json!({
            "tt": env!("CARGO_PKG_VERSION"),
            "system": { "os": std::env::consts::OS, "architecture": std::env::consts::ARCH, "kernel": kernel() },
            "devices": devices.iter().map(of).collect::<Vec<Value>>(),
        });
        write(&self.file, &serde_json::to_string_pretty(&report)?)?;
        println!("{} is written: {} devices", self.file.display(), devices.len());
        Ok(Done::Well)
    }
}

/// Release of the kernel, which decides which driver can be built.
fn kernel() -> Option<String> {
    Some(std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?.trim().to_owned())
}

/// What is known of a device, without what is its owner's.
fn device(entry: &Entry) -> Value {
    let card = entry.card.as_ref().map(|card| {
        json!({
            "board": card.board,
            "serial": card.serial.as_deref().map(shortened),
            "driver": card.driver,
            "firmware": card.firmware,
            "users": card.users.len(),
        })
    });
    let mut chip = json!(entry.chip);
    if let Some(id) = chip.get_mut("board_id") {
        *id = json!(entry.chip.as_ref().and_then(|chip| chip.board_id.as_deref()).map(shortened));
    }
    json!({ "name": entry.device, "card": card, "chip": chip, "problem": entry.problem.as_deref().map(scrubbed) })
}

/// What the test finds: of what has passed the number, of what has not everything.
fn selftest(spec: &DeviceSpec) -> Value {
    let options = Options { extent: Extent::Sample, quick: false, progress: false };
    match run(spec, options) {
        Ok(report) => {
            let passed = report.findings.iter().filter(|finding| !finding.outcome.is_bad()).count();
            let bad = report.findings.iter().filter(|finding| finding.outcome.is_bad());
            let of = |finding: &Finding| Finding { detail: scrubbed(&finding.detail), ..finding.clone() };
            json!({
                "passed": report.passed,
                "seconds": report.seconds,
                "without_fault": passed,
                "faults": bad.map(of).collect::<Vec<Finding>>(),
            })
        }
        Err(error) => json!({ "error": scrubbed(&error.to_string()) }),
    }
}

/// The first digits of a number: which board it is, and not whose.
fn shortened(serial: &str) -> String {
    serial.chars().take(4).chain("..".chars()).collect()
}

/// A message without paths, but for the driver's nodes, and without names of processes.
fn scrubbed(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_start_matches(['"', '(', '`']);
        let is_path = bare.starts_with('/') && !bare.starts_with("/dev/tenstorrent/");
        if is_path { "<path>".to_owned() } else { word.to_owned() }
    };
    let words: Vec<String> = text.split(' ').map(word).collect();
    let mut out: Vec<String> = Vec::new();
    let mut after_process = 0;
    for word in words {
        // "process 123 (name)".
        after_process = match word.as_str() {
            "process" => 2,
            _ if after_process > 0 => {
                after_process -= 1;
                continue;
            }
            _ => 0,
        };
        out.push(word);
    }
    out.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_personal_is_left() {
        assert_eq!(shortened("0100018511732044"), "0100..");
        let text = "/dev/tenstorrent/0: process 123 (llama) uses it";
        assert_eq!(scrubbed(text), "/dev/tenstorrent/0: process uses it");
        assert_eq!(scrubbed("vendor simulator: /home/me/libttsim.so died"), "vendor simulator: <path> died");
    }
}
