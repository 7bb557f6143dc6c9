//! The Rust tests of the whole workspace: with cargo-nextest if it is there, else with `cargo test`.
//!
//! A skipped test prints a line `SKIPPED: reason`. nextest keeps the output of passing tests in its JUnit
//! file (see `.config/nextest.toml`), where this module finds these lines; with `cargo test` it finds them in the shown output.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::llama::Llama;
use crate::process::{Echo, cargo, run, watch};
use crate::report::Report;
use crate::{paths, tools};

/// What the whole-system tests get to know.
pub struct Setting<'a> {
    /// The llama.cpp build, if there is one.
    pub host: Option<&'a Llama>,
    /// `libggml-tenstorrent.so`, if it was built.
    pub library: Option<PathBuf>,
    /// The logits program, if it was built.
    pub logits: Option<PathBuf>,
    /// The folder of real models; they are in it as far as they were asked for.
    pub models: PathBuf,
    /// Run the long variants too.
    pub full: bool,
}

impl Setting<'_> {
    fn apply(&self, command: &mut Command) {
        if let Some(host) = self.host {
            command.env("TT_LLAMA_BIN", host.bin());
        }
        if let Some(library) = &self.library {
            command.env("TT_BACKEND_SO", library);
        }
        if let Some(logits) = &self.logits {
            command.env("TT_LOGITS", logits);
        }
        if let Some(models) = paths::extra_models() {
            command.env("TT_EXTRA_MODELS", models);
        }
        command.env("TT_MODELS", &self.models);
        if self.full {
            command.env("TT_FULL", "1");
        }
        // Settings of the person's own shell must not change what is tested.
        for setting in tt_settings::ALL {
            command.env_remove(setting.name);
        }
    }
}

/// Runs the tests and collects skips; returns the runner's own summary line.
pub fn step(report: &mut Report, setting: &Setting, filter: Option<&str>) -> Option<String> {
    let mut summary = None;
    let mut skipped = Vec::new();
    if tools::has_nextest() {
        report.step("tests (cargo nextest)", || with_nextest(setting, filter, &mut skipped, &mut summary));
        report.step("documentation tests", || run(cargo().args(["test", "--quiet", "--workspace", "--doc"])));
    } else {
        println!(
            "\ncargo-nextest is not installed: using cargo test (install: cargo install --locked cargo-nextest)"
        );
        report.step("tests (cargo test)", || with_cargo_test(setting, filter, &mut skipped, &mut summary));
    }
    report.skipped_tests(skipped);
    summary
}

type Lines<'a> = &'a mut Vec<String>;

fn with_nextest(
    setting: &Setting,
    filter: Option<&str>,
    skipped: Lines,
    summary: &mut Option<String>,
) -> Result<()> {
    let junit = paths::target().join("nextest/default/junit.xml");
    let _ = fs::remove_file(&junit);
    let mut command = cargo();
    command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--color", "never"]).args(filter);
    setting.apply(&mut command);
    let watched = watch(&mut command, &paths::target().join("nextest.log"), None, Echo::Shown, |_| true)?;
    *summary = last_line_with(&watched.log, "Summary [");
    *skipped = junit_skips(&fs::read_to_string(&junit).unwrap_or_default());
    if !watched.status.is_some_and(|status| status.success()) {
        bail!("{}", summary.as_deref().unwrap_or("the tests did not run"));
    }
    Ok(())
}

fn with_cargo_test(
    setting: &Setting,
    filter: Option<&str>,
    skipped: Lines,
    summary: &mut Option<String>,
) -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]).args(filter).args(["--", "--show-output"]);
    setting.apply(&mut command);
    let watched = watch(&mut command, &paths::target().join("cargo-test.log"), None, Echo::Shown, |_| true)?;
    let results: Vec<&str> = watched.out.lines().filter(|line| line.starts_with("test result:")).collect();
    *summary = Some(format!("{} test binaries: {}", results.len(), totals(&results)));
    *skipped = shown_skips(&watched.out);
    if !watched.status.is_some_and(|status| status.success()) {
        bail!("{}", summary.as_deref().unwrap_or_default());
    }
    Ok(())
}

fn totals(results: &[&str]) -> String {
    let sum = |word: &str| -> u64 {
        results
            .iter()
            .flat_map(|line| line.split(['.', ';']))
            .filter_map(|part| part.trim().strip_suffix(word)?.trim().parse::<u64>().ok())
            .sum()
    };
    format!("{} passed, {} failed, {} ignored", sum("passed"), sum("failed"), sum("ignored"))
}

fn last_line_with(text: &str, what: &str) -> Option<String> {
    text.lines().rev().find(|line| line.contains(what)).map(|line| line.trim().to_owned())
}

/// `test name: reason` for each SKIPPED line, with the test case in whose output it is.
fn junit_skips(xml: &str) -> Vec<String> {
    let mut test = "";
    let mut found = Vec::new();
    for line in xml.lines() {
        if let Some((_, rest)) = line.split_once("<testcase name=\"") {
            test = rest.split('"').next().unwrap_or_default();
        }
        if let Some((_, reason)) = line.split_once("SKIPPED: ") {
            let reason = reason.split("</system").next().unwrap_or_default();
            push_once(&mut found, format!("{test}: {}", unescape(reason)));
        }
    }
    found
}

/// The same from `cargo test -- --show-output`, which heads each output with the test's name.
fn shown_skips(text: &str) -> Vec<String> {
    let mut test = "";
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("---- ") {
            test = name.split(' ').next().unwrap_or_default();
        }
        if let Some((_, reason)) = line.split_once("SKIPPED: ") {
            push_once(&mut found, format!("{test}: {reason}"));
        }
    }
    found
}

fn push_once(list: &mut Vec<String>, line: String) {
    if !list.contains(&line) {
        list.push(line);
    }
}

fn unescape(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_found_in_junit() {
        let xml = "<testcase name=\"a::b\" time=\"1\">\n<system-out>running\nSKIPPED: no &lt;file&gt;</system-out>\n\
                   <testcase name=\"c\"/>\n<system-err>SKIPPED: twice\nSKIPPED: twice\n</system-err>";
        assert_eq!(junit_skips(xml), ["a::b: no <file>", "c: twice"]);
    }

    #[test]
    fn skips_are_found_in_shown_output() {
        let text = "successes:\n\n---- logits::stories stdout ----\nSKIPPED: no model\n";
        assert_eq!(shown_skips(text), ["logits::stories: no model"]);
    }

    #[test]
    fn cargo_test_results_are_added_up() {
        let lines = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ];
        assert_eq!(totals(&lines), "7 passed, 2 failed, 1 ignored");
    }
}
