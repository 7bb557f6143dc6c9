//! The five RISC-V cores of every tile: each does the same sums, products, quotients and shifts, and the host compares.

use tt_isa::map::{CORES, RiscV};
use tt_isa::rv32::{i, r, s};
use tt_runtime::Error;

use super::Step;
use crate::findings::{Finding, Outcome};
use crate::machine::{Ending, Job, Machine};
use crate::program::{Mailbox, Program, reg};

/// Name of the check.
pub const CHECK: &str = "RISC-V cores";
/// Where the cores leave their results, by core: behind all of the programs.
const RESULTS: u32 = 0x2_0000;
const STRIDE: u32 = 0x1000;
const A: u32 = reg::OWN;
const B: u32 = reg::OWN + 1;
const OUT: u32 = reg::OWN + 2;

/// Operands: limits, signs, division by zero and its overflow, and numbers without a pattern.
const OPERANDS: [(u32, u32); 10] = [
    (0, 0),
    (1, 0),
    (u32::MAX, 1),
    (0x8000_0000, u32::MAX),
    (0x7FFF_FFFF, 0x8000_0000),
    (0x1234_5678, 0x9ABC_DEF0),
    (0xDEAD_BEEF, 0x0000_0013),
    (0xFFFF_FFF9, 7),
    (0x5555_5555, 0xAAAA_AAAA),
    (0x0001_0001, 0xFFFE_FFFF),
];

/// An instruction, and what it computes.
type Operation = (&'static str, fn(u32, u32) -> u32);

/// What the cores execute; the specification says what comes of a division by zero (RISC-V unprivileged specification, "M").
const OPERATIONS: [Operation; 16] = [
    ("Add", u32::wrapping_add),
    ("Sub", u32::wrapping_sub),
    ("Xor", |a, b| a ^ b),
    ("Or", |a, b| a | b),
    ("And", |a, b| a & b),
    ("Sll", |a, b| a << (b % 32)),
    ("Srl", |a, b| a >> (b % 32)),
    ("Sra", |a, b| ((a as i32) >> (b % 32)) as u32),
    ("Slt", |a, b| u32::from((a as i32) < (b as i32))),
    ("Mul", u32::wrapping_mul),
    ("Mulh", |a, b| ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32),
    ("Mulhu", |a, b| ((u64::from(a) * u64::from(b)) >> 32) as u32),
    ("Div", |a, b| if b == 0 { u32::MAX } else { (a as i32).wrapping_div(b as i32) as u32 }),
    ("Divu", |a, b| a.checked_div(b).unwrap_or(u32::MAX)),
    ("Rem", |a, b| if b == 0 { a } else { (a as i32).wrapping_rem(b as i32) as u32 }),
    ("Remu", |a, b| if b == 0 { a } else { a % b }),
];

/// Tests the cores of every tile.
///
/// # Errors
/// The chip does not answer.
pub fn test(machine: &mut Machine, step: &Step) -> Result<Vec<Finding>, Error> {
    let tiles = machine.present();
    start_as_after_reset(machine)?;
    let job = |tile, core| Job { tile, core, code: program(core) };
    let jobs: Vec<Job> = tiles.iter().flat_map(|&(tile, _)| RiscV::ALL.map(|core| job(tile, core))).collect();
    let endings = machine.run(&jobs)?;
    let mut findings = Vec::new();
    for (&(tile, place), endings) in tiles.iter().zip(endings.chunks(CORES)) {
        step.one();
        let mut wrong = Vec::new();
        for (core, ending) in RiscV::ALL.into_iter().zip(endings) {
            if *ending == Ending::Hung {
                wrong.push(format!("{} does not come to its end", core.name()));
                continue;
            }
            let results = machine.words(tile, results(core).into(), OPERATIONS.len() * OPERANDS.len())?;
            wrong.extend(compare(&results).map(|what| format!("{}: {what}", core.name())));
        }
        let hung = endings.contains(&Ending::Hung);
        findings.push(match wrong.is_empty() {
            true => Finding::new(place, CHECK, Outcome::Passed, "all five, arithmetic"),
            false => {
                let outcome = if hung { Outcome::Hung } else { Outcome::Failed };
                Finding::new(place, CHECK, outcome, wrong.join("; "))
            }
        });
    }
    Ok(findings)
}

/// Makes all cores start where they do after a reset of the chip: firmware that ran before may have set other places. Only BRISC reaches the
/// registers.
///
/// # Errors
/// The chip does not answer.
pub fn start_as_after_reset(machine: &mut Machine) -> Result<(), Error> {
    let places = machine.chip().tile.reset_pc;
    let mut program = Program::of(RiscV::Brisc);
    for register in [places.trisc_enable, places.ncrisc_enable] {
        program.set(reg::T0, register);
        program.add([
            s("Sw", 0, reg::T0, 0),
            i("Lw", reg::T1, reg::T0, 0),
            r("And", reg::T1, reg::T1, reg::T1),
        ]);
    }
    let code = program.end();
    let tiles = machine.present();
    let jobs: Vec<Job> =
        tiles.iter().map(|&(tile, _)| Job { tile, core: RiscV::Brisc, code: code.clone() }).collect();
    machine.run(&jobs)?;
    Ok(())
}

const fn results(core: RiscV) -> u32 {
    RESULTS + STRIDE * core as u32
}

fn program(core: RiscV) -> Vec<u32> {
    let mut program = Program::of(core);
    program.set(OUT, results(core));
    for (a, b) in OPERANDS {
        program.set(A, a);
        program.set(B, b);
        for (name, _) in OPERATIONS {
            program.add([r(name, reg::T0, A, B), s("Sw", reg::T0, OUT, 0), i("Addi", OUT, OUT, 4)]);
        }
    }
    debug_assert!(core != RiscV::Brisc || 4 * program.here() < Mailbox::BASE as usize);
    program.end()
}

/// The first result that is wrong.
fn compare(results: &[u32]) -> Option<String> {
    let all =
        OPERANDS.iter().flat_map(|&(a, b)| OPERATIONS.iter().map(move |&(name, f)| (name, a, b, f(a, b))));
    let wrong = all.zip(results).find(|((.., want), got)| want != *got);
    wrong.map(|((name, a, b, want), got)| {
        format!("{} of {a:#010x} and {b:#010x} is {got:#010x} instead of {want:#010x}", name.to_lowercase())
    })
}
