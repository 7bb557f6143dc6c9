//! Prints how many instructions a second a core executes, for a few kinds of loop.
//!
//! `cargo run --release -p tt-simulator --example hart_speed`

use std::time::Instant;

use tt_isa::chip::BOARDS;
use tt_isa::map::{DEBUG_REGS_BASE, LOCAL_RAM_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;
use tt_isa::tlb::{TLB_CONFIG_BASE, TLB_GROUPS, TlbTarget};
use tt_simulator::{Chip, ChipConfig, Fault};

#[path = "../tests/support/asm.rs"]
mod asm;
use asm::{b, encode, i, jal, li, nop, r, s};

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
    let board = &BOARDS[0];
    let mut chip = Chip::new(ChipConfig::of_board(board, 0))?;
    write(&mut chip, RiscV::Brisc.default_reset_pc(), &asm::bytes(program))?;
    // What the call calls: it returns at once.
    write(&mut chip, 0x1000, &asm::bytes(&[i("Jalr", 0, 1, 0)]))?;
    let reset = SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit();
    write(&mut chip, DEBUG_REGS_BASE + SOFT_RESET_0, &reset.to_le_bytes())?;
    chip.advance(1_000_000)?;
    let before = chip.counters().riscv_instructions;
    let begin = Instant::now();
    chip.advance(CLOCKS)?;
    Ok((chip.counters().riscv_instructions - before) as f64 / begin.elapsed().as_secs_f64())
}

/// Writes to the tile through the first 16 MiB window.
fn write(chip: &mut Chip, addr: u32, bytes: &[u8]) -> Result<(), Fault> {
    let group = TLB_GROUPS[2];
    let addr = u64::from(addr);
    let mask = (1 << group.log2_size) - 1;
    let word = TlbTarget::unicast(TILE, addr & !mask).encode(group.log2_size);
    chip.bar0_write(TLB_CONFIG_BASE + 8 * u64::from(group.first), &word.to_le_bytes())?;
    chip.bar0_write(group.bar0 + (addr & mask), bytes)
}
