//! Branches, jumps, pages of code, code that changes, and illegal instructions.

use crate::fault::Blame;
use crate::model::rv32::testing::asm::{b, encode, i, jal, li, nop, r, s};
use crate::model::rv32::testing::{HOLD, L1_BYTES, Machine};
use crate::model::rv32::{PAGE_BYTES, Stop};

#[test]
fn branches_both_ways() {
    let (low, high) = (1, 0xFFFF_FFFF);
    for (name, when_equal, low_high, high_low) in [
        ("Beq", true, false, false),
        ("Bne", false, true, true),
        ("Blt", false, false, true),
        ("Bge", true, true, false),
        ("Bltu", false, true, false),
        ("Bgeu", true, false, true),
    ] {
        for (x, y, taken) in [(high, high, when_equal), (low, high, low_high), (high, low, high_low)] {
            for offset in [-8, 12, 4092, -4096] {
                let mut machine = Machine::new(&[]).with(&[(1, x), (2, y)]);
                machine.put(PAGE_BYTES, &[b(name, 1, 2, offset)]);
                machine.hart.pc = PAGE_BYTES;
                machine.steps(1);
                let target = PAGE_BYTES.wrapping_add_signed(if taken { offset } else { 4 });
                assert_eq!(machine.hart.pc, target, "{name} {x:#x}, {y:#x}, {offset}");
            }
        }
    }
}

#[test]
fn jumps_link() {
    let mut machine = Machine::new(&[nop(), jal(1, 0x2000)]);
    machine.steps(2);
    assert_eq!((machine.hart.pc, machine.hart.x[1]), (0x2004, 8));
    machine.put(0x2004, &[i("Jalr", 2, 3, -3)]);
    machine.hart.x[3] = 0x1008;
    machine.steps(1);
    // 0x1005 without its low bit.
    assert_eq!((machine.hart.pc, machine.hart.x[2]), (0x1004, 0x2008));
    // The target is taken before the link is written.
    machine.put(0x1004, &[i("Jalr", 3, 3, 0)]);
    machine.steps(1);
    assert_eq!((machine.hart.pc, machine.hart.x[3]), (0x1008, 0x1008));
}

#[test]
fn a_misaligned_target_is_a_program_error() {
    for program in [[jal(0, 6)], [b("Beq", 0, 0, 2)], [i("Jalr", 0, 1, 0)]] {
        let mut machine = Machine::new(&program).with(&[(1, 0x102)]);
        let fault = machine.run(10).expect_err("misaligned");
        assert_eq!((fault.blame, machine.hart.executed), (Blame::Program, 1));
        assert!(fault.what.contains("multiple of 4"), "{fault}");
        assert_eq!(machine.hart.pc % 4, 2);
    }
    // Not taken, it does not matter.
    Machine::new(&[b("Bne", 0, 0, 2), nop()]).steps(2);
}

#[test]
fn code_goes_on_across_pages() {
    let mut machine = Machine::new(&[]);
    let last = PAGE_BYTES - 4;
    machine.put(last, &[i("Addi", 1, 1, 1), i("Addi", 1, 1, 2), b("Bne", 1, 2, -8), nop()]);
    machine.hart.x[2] = 3;
    machine.hart.pc = last;
    machine.steps(3);
    assert_eq!((machine.hart.x[1], machine.hart.pc), (3, last + 12));
    machine.hart.x[2] = 12;
    machine.hart.pc = last;
    machine.steps(3 * 3);
    assert_eq!((machine.hart.x[1], machine.hart.pc), (12, last + 12));
}

#[test]
fn a_budget_is_kept_to_the_instruction() {
    for budget in [0, 1, 2, 7, 1000] {
        let mut machine = Machine::new(&[i("Addi", 1, 1, 1), s("Sw", 1, 0, 64), jal(0, -8)]);
        machine.steps(budget);
        assert_eq!(machine.hart.x[1], budget.div_ceil(3));
        assert_eq!(machine.hart.pc, budget % 3 * 4);
    }
}

#[test]
fn what_is_no_instruction_faults_at_its_pc() {
    // All ones; a conditional move of another extension; CSR access; the instructions that pause.
    for (word, what) in [
        (0xFFFF_FFFF, "0xffffffff"),
        (0x0E00_5033, "0x0e005033"),
        (0xB000_2573, "0xb0002573"),
        (0x0000_0073, "Ecall"),
        (0x0010_0073, "Ebreak"),
    ] {
        let mut machine = Machine::new(&[nop(), word]);
        let fault = machine.run(10).expect_err("no instruction");
        assert!(fault.what.contains(what), "{fault}");
        assert_eq!((machine.hart.pc, machine.hart.executed), (4, 1));
    }
}

#[test]
fn no_code_beyond_memory() {
    let mut machine = Machine::new(&[jal(0, L1_BYTES as i32)]);
    let fault = machine.run(10).expect_err("nothing there");
    assert_eq!((fault.what.as_str(), machine.hart.pc), ("no code", L1_BYTES));
}

#[test]
fn fences_do_nothing() {
    let before = Machine::new(&[]).hart.x;
    for word in [encode("Fence", 0, 0, 0, 0), 0x0FF0_000F, 0x0000_100F] {
        let mut machine = Machine::new(&[word]);
        machine.steps(1);
        assert_eq!((machine.hart.pc, machine.hart.x), (4, before));
    }
}

#[test]
fn tensix_instructions_in_line_are_pushed_and_wait_for_room() {
    let word = 0xB200_0001;
    let mut machine = Machine::new(&[tt_isa::insn::ttinsn(word), nop()]);
    machine.bus.busy = true;
    assert_eq!(machine.run(10), Ok(Stop::Blocked));
    assert_eq!((machine.hart.pc, machine.hart.executed, machine.bus.pushed.len()), (0, 0, 0));
    machine.bus.busy = false;
    machine.steps(2);
    assert_eq!(machine.bus.pushed, [word]);
}

#[test]
fn a_core_may_put_itself_into_reset() {
    let mut machine = Machine::new(&[s("Sw", 0, 1, 0), nop()]).with(&[(1, HOLD)]);
    assert_eq!(machine.run(10), Ok(Stop::Held));
    assert_eq!((machine.hart.pc, machine.hart.executed), (4, 1));
}

#[test]
fn stored_code_is_executed_at_once() {
    // Replaces the instruction that follows, and one on another page, both decoded by a first round.
    let other = PAGE_BYTES as i32;
    let mut program = vec![s("Sw", 5, 0, 4), i("Addi", 1, 1, 1), jal(1, other - 8)];
    let mut machine = Machine::new(&program);
    machine.put(PAGE_BYTES, &[i("Addi", 2, 2, 1), jal(0, -other - 4)]);
    machine.hart.x[5] = program[1];
    machine.steps(5);
    assert_eq!((machine.hart.pc, machine.hart.x[2]), (0, 1));
    machine.hart.x[5] = i("Addi", 1, 0, 100);
    machine.steps(2);
    assert_eq!(machine.hart.x[1], 100);
    // By a narrow store: the immediate's upper bits are in the last byte.
    program = vec![s("Sb", 6, 7, 3), jal(0, other - 4)];
    machine.put(0, &program);
    machine.hart.pc = 0;
    machine.hart.x[6] = 0x06;
    machine.hart.x[7] = PAGE_BYTES;
    machine.hart.x[2] = 0;
    machine.steps(3);
    assert_eq!(machine.hart.x[2], 0x061);
}

#[test]
fn code_that_others_write_is_executed_at_once() {
    let mut machine = Machine::new(&[i("Addi", 1, 1, 1), jal(0, -4)]);
    machine.steps(20);
    assert_eq!(machine.hart.x[1], 10);
    machine.put(0, &[i("Addi", 1, 1, 100)]);
    machine.steps(2);
    assert_eq!(machine.hart.x[1], 110);
}

#[test]
fn reset_clears_registers_and_keeps_the_count() {
    let mut machine = Machine::new(&li(1, 0x1234_5678));
    machine.steps(2);
    machine.hart.reset(0x40);
    assert_eq!((machine.hart.pc, machine.hart.x[1], machine.hart.executed), (0x40, 0, 2));
}

#[test]
fn a_function_with_a_loop() {
    // Greatest common divisor of x10 and x11 by remainders, called at 0x100.
    let mut machine = Machine::new(&[jal(1, 0x100), jal(0, 0)]).with(&[(10, 1071), (11, 462)]);
    machine.put(
        0x100,
        &[
            b("Beq", 11, 0, 20),
            r("Remu", 12, 10, 11),
            r("Add", 10, 11, 0),
            r("Add", 11, 12, 0),
            jal(0, -16),
            i("Jalr", 0, 1, 0),
        ],
    );
    assert_eq!(machine.run(1000), Ok(Stop::Spinning));
    assert_eq!((machine.hart.x[10], machine.hart.pc), (21, 4));
}
