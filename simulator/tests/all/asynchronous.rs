//! The asynchronous mode reports kernels with a missing wait, naming both accesses, and reports nothing for their correct
//! versions.
//!
//! The kernel is a pipeline of all five cores: BRISC reads blocks from DRAM into a ring in L1, T0 unpacks them to
//! SrcA, T1 moves them to one half of Dst and then the other, T2 packs them to two buffers in L1, NCRISC writes
//! those to DRAM. A [`Bug`] removes one step of it.
//!
//! `TT_ASYNC_SEEDS=N` runs the correct versions with N seeds (the default is few); a bug must show within [`SEEDS_OF_A_BUG`].

use crate::hazards::{DATA, DATA_BYTES, HAZARDS, Hazard, other_tile};
use crate::host::{Host, tensix};
use crate::page::examples;
use crate::pipeline::{Bug, Pipeline};
use tt_isa::chip::WORMHOLE;
use tt_isa::map::RiscV;
use tt_simulator::{Blame, Fault, Mode, Progress};

/// Seeds within which a bug has to be found.
const SEEDS_OF_A_BUG: u64 = 100;
/// Seeds with which the correct kernel has to be clean, without `TT_ASYNC_SEEDS`.
const SEEDS_OF_A_TWIN: u64 = 40;

fn seeds_of_a_twin() -> u64 {
    std::env::var("TT_ASYNC_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(SEEDS_OF_A_TWIN)
}

/// Runs the pipeline with a seed.
fn run(bug: Option<Bug>, seed: u64) -> Result<(), Fault> {
    let mut host = Host::with_mode(Mode::Async { seed });
    let pipeline = Pipeline::new(bug);
    pipeline.start(&mut host);
    let progress = host.run()?;
    assert!(progress.asleep, "seed {seed}: still running");
    // A bug that does not show with this seed may still spoil the results.
    if bug.is_none() {
        pipeline.check(&mut host);
    }
    Ok(())
}

/// The first finding of a bug, and its seed.
fn find(bug: Bug) -> (u64, Fault) {
    (0..SEEDS_OF_A_BUG)
        .find_map(|seed| run(Some(bug), seed).err().map(|fault| (seed, fault)))
        .unwrap_or_else(|| panic!("{bug:?} was not found with {SEEDS_OF_A_BUG} seeds"))
}

#[test]
fn the_correct_kernel_is_clean() {
    for seed in 0..seeds_of_a_twin() {
        run(None, seed).unwrap_or_else(|fault| panic!("{fault}"));
    }
}

#[test]
fn every_bug_is_found() {
    for bug in Bug::ALL {
        let (seed, fault) = find(bug);
        let text = fault.to_string();
        println!("{bug:?}, seed {seed}: {text}\n");
        assert_eq!(fault.blame, Blame::Program, "{bug:?}: {text}");
        assert!(fault.page.is_some() && text.contains(&format!("(seed {seed})")), "{bug:?}: {text}");
        for part in bug.names() {
            assert!(text.contains(part), "{bug:?} should name {part}: {text}");
        }
        let again = run(Some(bug), seed).expect_err("the seed reproduces it");
        assert_eq!(again, fault, "{bug:?}");
    }
}

/// The first finding of a small hazard.
fn find_small(hazard: &Hazard) -> String {
    let found = (0..SEEDS_OF_A_BUG).find_map(|seed| run_small(hazard, true, seed).err());
    found.unwrap_or_else(|| panic!("{} was not found", hazard.name)).to_string()
}

/// A text with every number replaced by `#`.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut number = false;
    for c in text.chars() {
        number = c.is_ascii_digit() || number && (c.is_ascii_hexdigit() || c == 'x');
        match (number, out.ends_with('#')) {
            (false, _) => out.push(c),
            (true, false) => out.push('#'),
            (true, true) => {}
        }
    }
    out
}

#[test]
fn the_documentation_shows_what_is_found() {
    let bugs = Bug::ALL.into_iter().map(|bug| find(bug).1.to_string());
    let found: Vec<String> =
        bugs.chain(HAZARDS.iter().map(find_small)).map(|text| without_numbers(&text)).collect();
    let examples = examples("Asynchronous mode");
    assert!(examples.len() >= 12, "one of each kind");
    for example in examples {
        assert!(found.contains(&without_numbers(&example)), "not found any more: {example}");
    }
}

/// Runs the programs of a small hazard with a seed.
fn run_small(hazard: &Hazard, broken: bool, seed: u64) -> Result<(), Fault> {
    let mut host = Host::with_mode(Mode::Async { seed });
    start_small(&mut host, hazard, broken);
    let progress = host.run()?;
    assert!(progress.asleep, "{}, seed {seed}: still running", hazard.name);
    Ok(())
}

fn start_small(host: &mut Host, hazard: &Hazard, broken: bool) {
    let tile = tensix(0, 0);
    for tile in [tile, other_tile()] {
        host.write(tile, DATA, &[0; DATA_BYTES]);
    }
    host.try_write(WORMHOLE.dram[0].ports[0], 0, &[7; 0x2000]).expect("DRAM");
    let programs = (hazard.programs)(broken);
    for (tile, core, code) in &programs {
        host.load(*tile, *core, &code.0);
    }
    for tile in [other_tile(), tile] {
        let cores = programs.iter().filter(|(of, ..)| *of == tile).map(|(_, core, _)| *core);
        host.release(tile, &cores.collect::<Vec<RiscV>>());
    }
}

/// Where findings are noted, the run goes on behind each, and the first one is among the notes: of all that the race detector finds, which
/// the vector unit's results that are used too early are no part of.
#[test]
fn findings_can_be_noted() {
    let mut noted = 0;
    for bug in Bug::ALL {
        let (seed, fault) = find(bug);
        let mut host = Host::with_notes(seed);
        Pipeline::new(Some(bug)).start(&mut host);
        let end = host.run();
        noted += usize::from(is_noted(&mut host, &fault, end, &format!("{bug:?}")));
    }
    for hazard in HAZARDS {
        let (seed, fault) = (0..SEEDS_OF_A_BUG)
            .find_map(|seed| run_small(hazard, true, seed).err().map(|fault| (seed, fault)))
            .expect("found, as another test shows");
        let mut host = Host::with_notes(seed);
        start_small(&mut host, hazard, true);
        let end = host.run();
        noted += usize::from(is_noted(&mut host, &fault, end, hazard.name));
    }
    assert_eq!(noted, Bug::ALL.len() + HAZARDS.len() - 2, "all but the vector unit's");
}

/// Whether a finding was noted. Otherwise it is a fault as it was.
fn is_noted(host: &mut Host, fault: &Fault, end: Result<Progress, Fault>, name: &str) -> bool {
    let notes = host.chip.take_findings();
    if end.as_ref().err() == Some(fault) {
        return false;
    }
    // A fault says in the end which packet it was, if it was one.
    let is_there = notes.iter().any(|note| fault.what.starts_with(&note.what));
    assert!(is_there, "{name}: {notes:#?}\ndo not have {fault}");
    assert!(notes.iter().all(|note| note.at.tile.is_some()), "{name}: {notes:?}");
    assert_eq!(host.chip.take_findings(), [], "{name}: each once");
    true
}

#[test]
fn small_hazards_are_found_and_their_twins_are_clean() {
    for hazard in HAZARDS {
        for seed in 0..seeds_of_a_twin() {
            run_small(hazard, false, seed).unwrap_or_else(|fault| panic!("without {}: {fault}", hazard.name));
        }
        let text = find_small(hazard);
        println!("{}: {text}\n", hazard.name);
        for part in hazard.names {
            assert!(text.contains(part), "{} should name {part}: {text}", hazard.name);
        }
    }
}
