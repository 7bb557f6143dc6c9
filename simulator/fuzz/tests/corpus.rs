//! Replays the corpus: cases with the vendor's recorded results.
//!
//! This simulator must give the recorded results. With `TTSIM_LIB` the vendor's library must give them
//! too, and a short campaign runs on both simulators.

use std::path::{Path, PathBuf};

use tt_fuzz::campaign::{self, Options};
use tt_fuzz::case::Case;
use tt_fuzz::corpus::{self, Entry, Expected};
use tt_fuzz::report;
use tt_fuzz::run::{Here, Outcome, Vendor, capacity};

fn library() -> Option<PathBuf> {
    std::env::var_os("TTSIM_LIB").map(PathBuf::from)
}

/// Every file of the corpus with its cases.
fn files() -> Vec<(String, Vec<Entry>)> {
    corpus::folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).expect("a corpus")
}

/// Runs the cases of a file and names those whose result is not the recorded one.
fn wrong(name: &str, entries: &[Entry], mut run: impl FnMut(&[&Case]) -> Vec<Outcome>) -> Vec<String> {
    let pair = entries.first().is_some_and(|entry| entry.case.is_pair());
    let mut wrong = Vec::new();
    for (first, some) in (0..).step_by(capacity(pair)).zip(entries.chunks(capacity(pair))) {
        let cases: Vec<&Case> = some.iter().map(|entry| &entry.case).collect();
        for (i, (entry, outcome)) in some.iter().zip(run(&cases)).enumerate() {
            if Expected::of(&outcome) != Some(entry.expected) {
                let what = match outcome {
                    Outcome::Done(_) => "another result".to_owned(),
                    Outcome::Hangs => "hangs".to_owned(),
                    Outcome::Refused(refusal) => refusal.what,
                };
                wrong.push(format!("{name}, case {}: {what}", first + i));
            }
        }
    }
    wrong
}

#[test]
fn recorded_cases_give_the_recorded_results() {
    let files = files();
    assert!(files.iter().map(|file| file.1.len()).sum::<usize>() >= 100, "the corpus is there");
    let run = |cases: &[&Case]| Here.run(cases).unwrap_or_else(|error| panic!("{error}"));
    let wrong: Vec<String> = files.iter().flat_map(|(name, entries)| wrong(name, entries, run)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_record_is_the_vendors() {
    let Some(library) = library() else {
        return println!("SKIPPED: TTSIM_LIB is not set: recorded results only");
    };
    let mut vendor = Vendor::start(&library).unwrap();
    let mut all = Vec::new();
    for (name, entries) in files() {
        all.extend(wrong(&name, &entries, |cases| {
            vendor.run(cases).unwrap_or_else(|error| panic!("{error}"))
        }));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn new_cases_give_equal_results() {
    let Some(library) = library() else {
        return println!("SKIPPED: TTSIM_LIB is not set: no vendor's simulator");
    };
    let options =
        Options { first: 0, cases: 2000, seed: 3, family: None, jobs: 1, propose: None, progress: |_, _| {} };
    let report = campaign::run(&library, &options).unwrap_or_else(|error| panic!("{error}"));
    let findings: Vec<String> = report.findings.iter().map(report::finding).collect();
    assert_eq!(report.total().differ, 0, "{}", findings.join("\n"));
    assert!(report.total().same >= 1800, "{}", report::table(&report, 1.0));
}
