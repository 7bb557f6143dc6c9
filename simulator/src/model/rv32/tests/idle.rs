//! A core sleeps if and only if it would repeat itself for ever.

use tt_isa::map::LOCAL_RAM_BASE;

use crate::model::rv32::Stop;
use crate::model::rv32::testing::asm::{b, i, jal, nop, s};
use crate::model::rv32::testing::{CLOCK, Machine, PLAIN};

const FLAG: u32 = 0x800;
const ENOUGH: u32 = 10_000;

/// Polls the word at x1 until it is not zero, then goes on.
fn poll() -> Vec<u32> {
    vec![i("Lw", 2, 1, 0), b("Beq", 2, 0, -4), i("Addi", 3, 0, 1), jal(0, 0)]
}

#[test]
fn polling_sleeps_soon_and_goes_on_after_a_change() {
    let mut machine = Machine::new(&poll()).with(&[(1, FLAG)]);
    assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
    assert!(machine.hart.executed < 20, "{}", machine.hart.executed);
    // Woken for nothing, it sleeps again.
    machine.bus.changes += 1;
    assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
    assert!(machine.hart.executed < 40, "{}", machine.hart.executed);
    machine.put(FLAG, &[1]);
    assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
    assert_eq!((machine.hart.x[3], machine.hart.pc), (1, 12));
}

#[test]
fn a_change_between_load_and_branch_is_not_missed() {
    // However a turn ends, a core that has read the old value looks again before it sleeps.
    for turn in 1..12 {
        let mut machine = Machine::new(&poll()).with(&[(1, FLAG)]);
        let _ = machine.run(turn);
        machine.put(FLAG, &[1]);
        assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
        assert_eq!(machine.hart.x[3], 1, "turn of {turn}");
    }
}

#[test]
fn polling_through_a_call_sleeps() {
    // Two backward jumps a round: the call to 0x40 and the loop.
    let mut machine = Machine::new(&[]).with(&[(10, FLAG)]);
    machine.put(0x40, &[i("Lw", 2, 10, 0), i("Jalr", 0, 1, 0)]);
    machine.put(0x80, &[jal(1, -0x40), b("Beq", 2, 0, -4)]);
    machine.hart.pc = 0x80;
    assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
}

#[test]
fn long_rounds_sleep() {
    // A round of eleven backward jumps: ten of a counted loop, one back to its start. No power of two.
    let program = [i("Addi", 2, 0, 10), i("Addi", 2, 2, -1), b("Bne", 2, 0, -4), jal(0, -12)];
    let mut machine = Machine::new(&program);
    assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
    assert!(machine.hart.executed < 200, "{}", machine.hart.executed);
}

#[test]
fn a_register_that_is_polled_sleeps() {
    let mut machine = Machine::new(&[i("Lw", 2, 1, 0), b("Bne", 2, 0, -4)]).with(&[(1, PLAIN)]);
    assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
}

#[test]
fn whoever_does_something_stays_awake() {
    for (what, word, address) in [
        ("a store to L1", s("Sw", 0, 1, 0), FLAG),
        ("a store to local RAM", s("Sb", 0, 1, 0), LOCAL_RAM_BASE),
        ("a store to a register", s("Sw", 0, 1, 0), PLAIN),
        ("the clock", i("Lw", 0, 1, 0), CLOCK),
        ("a counter", i("Addi", 2, 2, 1), 0),
        ("a Tensix instruction", tt_isa::insn::ttinsn(0x0200_0000), 0),
    ] {
        let mut machine = Machine::new(&[word, nop(), jal(0, -8)]).with(&[(1, address)]);
        assert_eq!(machine.run(ENOUGH), Ok(Stop::Budget), "{what}");
    }
}

#[test]
fn a_delay_loop_ends_by_itself() {
    let mut machine = Machine::new(&[i("Addi", 2, 2, -1), b("Bne", 2, 0, -4), jal(0, 0)]).with(&[(2, 3000)]);
    assert_eq!(machine.run(ENOUGH), Ok(Stop::Spinning));
    assert_eq!((machine.hart.x[2], machine.hart.pc), (0, 8));
}
