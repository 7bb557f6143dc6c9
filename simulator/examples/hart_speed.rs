//! Prints how many instructions a second a core executes, for a few kinds of loop.
//!
//! `cargo run --release -p tt-simulator --example hart_speed`

use std::time::Instant;

use tt_isa::map::{LOCAL_RAM_BASE, RiscV};
use tt_isa::noc::NocXy;
use tt_simulator::Fault;

#[path = "../tests/support/asm.rs"]
mod asm;
#[path = "../tests/support/host.rs"]
mod host;
use asm::{b, encode, i, jal, li, nop, r, s};
use host::Host;

const TILE: NocXy = NocXy { x: 1, y: 1 };
const DATA: u32 = 0x2_0000;
const CLOCKS: u64 = 100_000_000;

fn main() -> Result<(), Fault> {
    for (name, setup, body) in loops() {
        let mut words = setup;
        words.extend(&body);
        words.push(jal(0, -4 * body.len() as i32));
        println!("{name:36} {:6.0} M instructions/s", rate(&words)? / 1e6);
    }
    Ok(())
}

/// Name, what comes before, and the body of each loop.
fn loops() -> Vec<(&'static str, Vec<u32>, Vec<u32>)> {
    let arithmetic = vec![
        r("Add", 10, 10, 11),
        r("Xor", 11, 11, 10),
        i("Slli", 10, 10, 1),
        r("Sub", 12, 10, 11),
        r("Or", 11, 11, 12),
        i("Addi", 6, 6, 1),
        r("Sltu", 13, 10, 11),
    ];
    let memory = |at: u32| {
        let body = vec![
            i("Lw", 10, 5, 0),
            i("Addi", 10, 10, 1),
            s("Sw", 10, 5, 0),
            i("Lbu", 11, 5, 5),
            r("Add", 12, 12, 11),
        ];
        (li(5, at).to_vec(), body)
    };
    let branches = vec![
        i("Addi", 10, 10, 1),
        i("Andi", 11, 10, 3),
        b("Bne", 11, 0, 8),
        i("Addi", 12, 12, 1),
        b("Bltu", 10, 12, 8),
        nop(),
    ];
    let multiply =
        vec![r("Mul", 10, 10, 11), r("Mulhu", 12, 10, 11), i("Addi", 10, 10, 7), r("Divu", 13, 10, 11)];
    let short = vec![i("Addi", 10, 10, 1)];
    let (l1, l1_body) = memory(DATA);
    let (local, local_body) = memory(LOCAL_RAM_BASE);
    let call = vec![i("Addi", 10, 10, 1), encode("Jal", 1, 0, 0, 0x1000 - 4)];
    vec![
        ("arithmetic", vec![], arithmetic),
        ("one addition and a jump", vec![], short),
        ("multiply and divide", li(11, 12345).to_vec(), multiply),
        ("branches", vec![], branches),
        ("loads and stores in L1", l1, l1_body),
        ("loads and stores in local RAM", local, local_body),
        ("calls to another page of code", vec![], call),
    ]
}

/// Instructions a second of a program that never ends.
fn rate(program: &[u32]) -> Result<f64, Fault> {
    let mut host = Host::new();
    host.load(TILE, RiscV::Brisc, program);
    // What the call calls: it returns at once.
    host.write32(TILE, 0x1000, i("Jalr", 0, 1, 0));
    host.release(TILE, &[RiscV::Brisc]);
    let chip = &mut host.chip;
    chip.advance(1_000_000)?;
    let before = chip.counters().riscv_instructions;
    let begin = Instant::now();
    chip.advance(CLOCKS)?;
    Ok((chip.counters().riscv_instructions - before) as f64 / begin.elapsed().as_secs_f64())
}
