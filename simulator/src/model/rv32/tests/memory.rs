//! Loads and stores.

use tt_isa::map::LOCAL_RAM_BASE;

use crate::fault::Blame;
use crate::model::rv32::Stop;
use crate::model::rv32::testing::asm::{i, s};
use crate::model::rv32::testing::{L1_BYTES, LOCAL_BYTES, Machine, PATTERN, PLAIN, WAIT};

const LOADS: [(&str, u32); 5] = [("Lw", 4), ("Lh", 2), ("Lhu", 2), ("Lb", 1), ("Lbu", 1)];
const STORES: [(&str, u32); 3] = [("Sw", 4), ("Sh", 2), ("Sb", 1)];

/// What a load makes of the word at an address.
fn extended(name: &str, word: u32, addr: u32) -> u32 {
    let bytes = word.to_le_bytes();
    let at = (addr & 3) as usize;
    match name {
        "Lw" => word,
        "Lh" => i32::from(i16::from_le_bytes([bytes[at], bytes[at + 1]])) as u32,
        "Lhu" => u16::from_le_bytes([bytes[at], bytes[at + 1]]).into(),
        "Lb" => i32::from(bytes[at] as i8) as u32,
        _ => bytes[at].into(),
    }
}

#[test]
fn loads_extend_from_everywhere() {
    for (name, size) in LOADS {
        for base in [0x800, LOCAL_RAM_BASE + 0x10, PLAIN] {
            for at in (0..4).step_by(size as usize) {
                let addr = base + at;
                let mut machine = Machine::new(&[i(name, 3, 1, -16)]).with(&[(1, addr + 16)]);
                machine.bus.l1[0x800..0x804].copy_from_slice(&PATTERN.to_le_bytes());
                machine.bus.local[0x10..0x14].copy_from_slice(&PATTERN.to_le_bytes());
                machine.steps(1);
                assert_eq!(machine.hart.x[3], extended(name, PATTERN, addr), "{name} {addr:#x}");
            }
        }
    }
}

#[test]
fn stores_write_as_many_bytes_as_they_say() {
    let value = 0x1234_5678_u32;
    for (name, size) in STORES {
        for base in [0x800, LOCAL_RAM_BASE + 0x10] {
            for at in (0..4).step_by(size as usize) {
                let mut machine = Machine::new(&[s(name, 2, 1, -4)]).with(&[(1, base + at + 4), (2, value)]);
                let memory = if base == 0x800 { &mut machine.bus.l1 } else { &mut machine.bus.local };
                memory[(base & 0xFFFF) as usize..][..4].fill(0xEE);
                machine.steps(1);
                let mut expected = [0xEE; 4];
                expected[at as usize..(at + size) as usize]
                    .copy_from_slice(&value.to_le_bytes()[..size as usize]);
                assert_eq!(machine.word(base).to_le_bytes(), expected, "{name} {base:#x} + {at}");
            }
        }
        // Registers get the size of the access.
        let mut machine = Machine::new(&[s(name, 2, 1, 0)]).with(&[(1, PLAIN), (2, value)]);
        machine.steps(1);
        assert_eq!(machine.bus.stores, [(PLAIN, size, value)]);
    }
}

#[test]
fn memory_ends_where_it_ends() {
    for (first, bytes) in [(0, L1_BYTES), (LOCAL_RAM_BASE, LOCAL_BYTES)] {
        let end = first + bytes;
        let program = [s("Sw", 2, 1, -4), i("Lw", 3, 1, -4), i("Lbu", 4, 1, -1), i("Lb", 5, 1, 0)];
        let mut machine = Machine::new(&program).with(&[(1, end), (2, 0xAB00_0001)]);
        let fault = machine.run(10).expect_err("beyond the end");
        assert!(fault.what.contains(&format!("{end:#x}")), "{fault}");
        assert_eq!(machine.hart.x[3..5], [0xAB00_0001, 0xAB]);
        assert_eq!((machine.hart.pc, machine.hart.executed), (12, 3));
    }
    // The last address there is.
    let mut machine = Machine::new(&[i("Lb", 3, 0, -1)]);
    assert!(machine.run(1).is_err());
}

#[test]
fn misaligned_accesses_are_program_errors() {
    for base in [0x800, LOCAL_RAM_BASE, PLAIN] {
        for (name, size) in LOADS.into_iter().chain(STORES) {
            for at in (1..4).filter(|at| at % size != 0) {
                let word =
                    if name.starts_with('L') { i(name, 3, 1, at as i32) } else { s(name, 3, 1, at as i32) };
                let mut machine = Machine::new(&[word]).with(&[(1, base)]);
                let fault = machine.run(1).expect_err("misaligned");
                assert_eq!((fault.blame, machine.hart.pc), (Blame::Program, 0));
                assert!(fault.what.starts_with("misaligned"), "{fault}");
                assert!(fault.what.contains(&format!("{:#010x}", base + at)), "{fault}");
            }
        }
    }
}

#[test]
fn an_access_that_has_to_wait_is_offered_again() {
    for word in [i("Lw", 3, 1, 0), s("Sw", 2, 1, 0)] {
        let mut machine = Machine::new(&[word]).with(&[(1, WAIT), (2, 7), (3, 5)]);
        machine.bus.busy = true;
        for _ in 0..3 {
            assert_eq!(machine.run(10), Ok(Stop::Blocked));
            assert_eq!((machine.hart.pc, machine.hart.executed, machine.hart.x[3]), (0, 0, 5));
            assert!(machine.bus.stores.is_empty());
        }
        machine.bus.busy = false;
        machine.steps(1);
        assert!(machine.hart.x[3] == PATTERN || machine.bus.stores == [(WAIT, 4, 7)]);
    }
}

#[test]
fn stores_to_l1_are_changes_and_others_are_not() {
    let program = [s("Sw", 0, 0, 0x400), s("Sw", 0, 1, 0), i("Lw", 3, 0, 0x400)];
    let mut machine = Machine::new(&program).with(&[(1, LOCAL_RAM_BASE)]);
    let before = machine.bus.changes;
    machine.steps(3);
    assert_eq!(machine.bus.changes, before + 1);
}
