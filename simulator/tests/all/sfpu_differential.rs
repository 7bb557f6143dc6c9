//! Random vector unit instructions on random registers give the same results here and on the vendor's simulator.
//!
//! For each instruction that the vendor has, and for sequences of them with the flag stack, at least
//! [`CASES`] cases: the instruction in a lane with random operands, most of which are awkward numbers; and
//! every operand of 16 bits in every format that is loaded, stored or an immediate. `TTSIM_LIB` names the
//! vendor's library; without it the tests are skipped and say so. `SFPU_CASES` asks for more.
//!
//! The library ends the process on errors, so each instruction has a child process: this test binary again.

use std::process::Command;

use crate::support::sfpu::{LANEWISE, SLOTS, Trials, modes};
use crate::support::vectors::difference;
use crate::support::{Pair, Random, vendor_library};
use tt_isa::insn::{INSTRUCTIONS, Opcode};
use tt_isa::sfpu::LANES;

/// Lanes' results of an instruction.
const CASES: u32 = 100_000;
/// Groups of results of one program.
const GROUPS: u32 = 7;
/// What the child does: name of an instruction, cases.
const ORDER: &str = "SFPU_DIFFERENTIAL";
const SEQUENCES: &str = "sequences";
const EXHAUSTIVE: &str = "exhaustive";

#[test]
fn random_instructions_agree_with_the_vendor() {
    if vendor_library().is_none() {
        return;
    }
    let cases = std::env::var("SFPU_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let names = LANEWISE.iter().map(|opcode| format!("{opcode:?}")).chain([SEQUENCES.to_string()]);
    let wrong: Vec<String> = names.filter_map(|name| child(&name, cases).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Has a child process compare an instruction.
fn child(name: &str, cases: u32) -> Result<(), String> {
    let output = Command::new(std::env::current_exe().expect("this test's path"))
        .args(["--exact", "sfpu_differential::differential_child", "--nocapture"])
        .env(ORDER, format!("{name} {cases}"))
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().find(|line| line.starts_with("compared ")) {
        Some(line) if output.status.success() => {
            println!("{line}");
            Ok(())
        }
        _ => Err(format!("{name}: {}{}", text.trim(), String::from_utf8_lossy(&output.stderr).trim())),
    }
}

#[test]
fn all_16_bit_operands_agree_with_the_vendor() {
    if vendor_library().is_none() {
        return;
    }
    child(EXHAUSTIVE, 0).unwrap();
}

/// Programs that load and store every 16-bit datum in every format, and load every immediate.
fn exhaustive() -> impl Iterator<Item = Trials> {
    let chunks = (0..64).flat_map(|chunk| [Trials::all_loads(chunk), Trials::all_stores(chunk)]);
    let firsts = || (0..0x1_0000).step_by((GROUPS * SLOTS) as usize);
    let immediates =
        modes(Opcode::SFPLOADI).iter().flat_map(move |&mode| firsts().map(move |first| (mode, first)));
    chunks.chain(immediates.map(|(mode, first)| Trials::all_immediates(mode, first)))
}

#[test]
fn differential_child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let (name, cases) = order.split_once(' ').expect("name and cases");
    let cases: u32 = cases.parse().expect("a number of cases");
    if name == EXHAUSTIVE {
        let mut pair = Pair::open(&vendor_library().expect("the parent has it"));
        let programs = exhaustive().enumerate().map(|(i, trials)| agree(&mut pair, trials, name, i as u64));
        println!("compared {} programs of 16-bit operands", programs.count());
        return;
    }
    let opcode = LANEWISE.iter().copied().find(|opcode| format!("{opcode:?}") == name);
    assert!(opcode.is_some() || name == SEQUENCES, "{name} is none of {} instructions", INSTRUCTIONS.len());
    let mut pair = Pair::open(&vendor_library().expect("the parent has it"));
    let mut seeds = Random(0x5F37_59DF_0BAD_CAFE ^ opcode.map_or(0, |opcode| opcode as u64) << 40);
    let mut compared = 0;
    while compared < cases {
        let seed = u64::from(seeds.next());
        let mut trials = Trials::new(seed, GROUPS);
        // Registers 0 to 7 and the flags.
        while trials.room() >= 9 {
            match opcode {
                Some(opcode) => {
                    let word = trials.legal(opcode);
                    trials.trial(word, &[0, 1, 2, 3, 4, 5, 6, 7]);
                }
                None => trials.sequence(),
            }
            compared += LANES as u32;
        }
        agree(&mut pair, trials, name, seed);
    }
    println!("compared {compared} cases of {name}");
}

/// Runs a program here and at the vendor's.
fn agree(pair: &mut Pair, trials: Trials, name: &str, seed: u64) {
    let [ours, theirs] = pair.run(&trials.finish());
    let theirs = theirs.expect("the vendor's result");
    let ours = ours.unwrap_or_else(|text| panic!("seed {seed}: {text}"));
    if let Some(text) = difference(name, &ours, &theirs) {
        panic!("seed {seed}: {text}");
    }
}
