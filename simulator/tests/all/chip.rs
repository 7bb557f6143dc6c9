//! The chip as a host program sees it: windows, cores that run and sleep, NoC, faults, threads.

use crate::asm::{self, b, bytes, i, jal, li, r, s};
use crate::host::{COLUMNS, Host, ROWS, all_tiles, copy, end, niu, pattern, poke, tensix, wait_for};
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{
    CFG_BASE, DEBUG_REGS_BASE, IRAM_BASE, LOCAL_RAM_BASE, MAILBOX_BASE, MAILBOX_STRIDE, RiscV, SOFT_RESET_0,
    SOFT_RESET_ALL, TDMA_COMMAND, TDMA_REGS_BASE, WALL_CLOCK_L, XMOV_DIRECTION, XMOV_DST_ADDR, XMOV_SIZE,
    XMOV_SRC_ADDR,
};
use tt_isa::noc::{NiuRegisters, NocXy};
use tt_simulator::Blame;

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

const DATA: u32 = 0x2_0000;

#[test]
fn windows_reach_l1_and_dram() {
    let mut host = Host::new();
    let dram = WORMHOLE.dram[0];
    let places = [
        (tensix(0, 0), 0x100),
        (tensix(7, 8), u64::from(WORMHOLE.tile.l1_size) - 5000),
        (dram.ports[0], dram.base + 0xFFF0),
    ];
    for (n, &(tile, addr)) in places.iter().enumerate() {
        host.try_write(tile, addr, &pattern(5000, n as u32)).expect("memory");
    }
    for (n, &(tile, addr)) in places.iter().enumerate() {
        let mut out = vec![0; 5000];
        host.try_read(tile, addr, &mut out).expect("memory");
        assert!(out == pattern(5000, n as u32), "{tile}");
    }
    // The same tile by its position on the die.
    let first = NocXy::new(WORMHOLE.tensix_x[0], WORMHOLE.tensix_y[0]);
    assert_eq!(host.read(first, 0x100, 16), pattern(16, 0));
}

#[test]
fn where_nothing_is_the_host_is_told() {
    let mut host = Host::new();
    let fault =
        host.try_write(tensix(0, 0), u64::from(WORMHOLE.tile.l1_size) - 4, &[0; 8]).expect_err("beyond L1");
    assert_eq!((fault.blame, fault.at.tile.is_some()), (Blame::Program, true));
    let fault = host.try_read(NocXy::new(40, 40), 0, &mut [0; 4]).expect_err("no such tile");
    assert!(fault.what.contains("(40,40)"), "{fault}");
}

#[test]
fn a_multicast_reaches_its_rectangle_only() {
    let mut host = Host::new();
    host.multicast(tensix(2, 1), tensix(4, 3), DATA.into(), &7_u32.to_le_bytes()).expect("a multicast");
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            let inside = (2..=4).contains(&column) && (1..=3).contains(&row);
            assert_eq!(host.read32(tensix(column, row), DATA), if inside { 7 } else { 0 }, "{column} {row}");
        }
    }
    let fault =
        host.multicast(tensix(0, 0), NocXy::new(40, 40), DATA.into(), &[0; 4]).expect_err("no rectangle");
    assert_eq!(fault.blame, Blame::Program);
}

#[test]
fn a_core_runs_from_reset_and_sleeps_at_its_end() {
    let mut host = Host::new();
    let tile = tensix(3, 2);
    let program = [poke(DATA, 0x1234_5678), copy(DATA, DATA + 8), end()].concat();
    host.load(tile, RiscV::Brisc, &program);
    assert_eq!(host.chip.pc(tile, RiscV::Brisc), None);
    host.settle();
    assert_eq!(host.read32(tile, DATA), 0, "it is held in reset");
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    assert_eq!(host.read32(tile, DATA + 8), 0x1234_5678);
    assert_eq!(host.chip.pc(tile, RiscV::Brisc), Some(4 * (program.len() as u32 - 1)));
    let executed = host.chip.counters().riscv_instructions;
    assert!((program.len() as u64..1000).contains(&executed), "{executed}");
    // Held again and released, it starts anew.
    host.write32(tile, DATA + 8, 0);
    host.release(tile, &[]);
    host.settle();
    assert_eq!((host.chip.pc(tile, RiscV::Brisc), host.read32(tile, DATA + 8)), (None, 0));
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    assert_eq!(host.read32(tile, DATA + 8), 0x1234_5678);
}

#[test]
fn a_card_that_waits_costs_nothing() {
    const FLAG: u32 = 0x1_0000;
    let mut host = Host::new();
    for tile in all_tiles() {
        for core in RiscV::ALL {
            host.load(tile, core, &[wait_for(FLAG, 1), end()].concat());
        }
        host.release(tile, &RiscV::ALL);
    }
    host.settle();
    let executed = host.chip.counters().riscv_instructions;
    assert!(executed < 72 * 5 * 40, "{executed} instructions until all sleep");
    // 10^15 clocks: awake cores would not get through in years.
    for _ in 0..1000 {
        let progress = host.chip.advance(1 << 40).expect("no fault");
        assert!(progress.asleep);
    }
    assert_eq!(host.chip.counters().riscv_instructions, executed);
    // Nothing but the one tile wakes.
    host.write32(tensix(3, 3), FLAG, 1);
    host.settle();
    assert!(host.chip.counters().riscv_instructions < executed + 5 * 40);
}

#[test]
fn a_polling_core_sleeps_until_the_host_writes() {
    let mut host = Host::new();
    let tile = tensix(0, 0);
    host.load(tile, RiscV::Brisc, &[wait_for(DATA, 5), poke(DATA + 4, 6), end()].concat());
    host.release(tile, &[RiscV::Brisc]);
    for value in [0, 1, 4] {
        host.write32(tile, DATA, value);
        host.settle();
        assert_eq!(host.read32(tile, DATA + 4), 0);
    }
    assert!(host.chip.counters().riscv_instructions < 200);
    host.write32(tile, DATA, 5);
    host.settle();
    assert_eq!(host.read32(tile, DATA + 4), 6);
}

#[test]
fn five_cores_pass_a_token_round() {
    const ROUNDS: u32 = 50;
    let mut host = Host::new();
    let tile = tensix(1, 1);
    for (n, core) in RiscV::ALL.into_iter().enumerate() {
        // x8: the token that this core waits for; it passes on the next number, five to a round.
        let mut program = [&li(5, DATA)[..], &li(8, n as u32), &li(9, n as u32 + 5 * ROUNDS)].concat();
        program.extend([
            i("Lw", 7, 5, 0),
            b("Bne", 7, 8, -4),
            i("Addi", 7, 7, 1),
            s("Sw", 7, 5, 0),
            i("Addi", 8, 8, 5),
            b("Bne", 8, 9, -20),
        ]);
        program.extend(end());
        host.load(tile, core, &program);
    }
    host.release(tile, &RiscV::ALL);
    host.settle();
    assert_eq!(host.read32(tile, DATA), 5 * ROUNDS);
}

#[test]
fn every_core_has_its_own_local_ram() {
    let mut host = Host::new();
    let tile = tensix(1, 0);
    for (n, core) in RiscV::ALL.into_iter().enumerate() {
        let n = n as u32;
        let last = LOCAL_RAM_BASE + WORMHOLE.tile.local_ram[core as usize] - 4;
        let program = [poke(last, 100 + n), copy(last, DATA + 4 * n), end()];
        host.load(tile, core, &program.concat());
    }
    host.release(tile, &RiscV::ALL);
    host.settle();
    for n in 0..5 {
        assert_eq!(host.read32(tile, DATA + 4 * n), 100 + n);
    }
}

#[test]
fn mailboxes_carry_words_in_order() {
    let mut host = Host::new();
    let tile = tensix(0, 1);
    let mailbox = |core: RiscV| MAILBOX_BASE + core as u32 * MAILBOX_STRIDE;
    // B sends 1, 2, .. 100 to T0, which keeps the sum of each word times the number of words before it.
    let mut send = [li(5, mailbox(RiscV::Trisc0)), li(9, 100)].concat();
    send.extend([i("Addi", 8, 8, 1), s("Sw", 8, 5, 0), b("Bne", 8, 9, -8)]);
    send.extend(end());
    host.load(tile, RiscV::Brisc, &send);
    let mut receive = [li(5, mailbox(RiscV::Brisc)), li(9, 100)].concat();
    receive.extend([
        i("Lw", 7, 5, 0),
        r("Mul", 7, 7, 8),
        r("Add", 10, 10, 7),
        i("Addi", 8, 8, 1),
        b("Bne", 8, 9, -16),
    ]);
    receive.extend([&li(5, DATA)[..], &[s("Sw", 10, 5, 0)], &end()].concat());
    host.load(tile, RiscV::Trisc0, &receive);
    host.release(tile, &[RiscV::Brisc, RiscV::Trisc0]);
    host.settle();
    assert_eq!(host.read32(tile, DATA), (0..100).map(|n| n * (n + 1)).sum::<u32>());
}

#[test]
fn a_core_has_four_words_in_its_mailboxes() {
    let mut host = Host::new();
    let tile = tensix(0, 1);
    let mailbox = |core: RiscV| MAILBOX_BASE + core as u32 * MAILBOX_STRIDE;
    // B sends three words to T1, then two to T2: the last has to wait. It counts in L1 what it has got rid of.
    let targets = [RiscV::Trisc1, RiscV::Trisc1, RiscV::Trisc1, RiscV::Trisc2, RiscV::Trisc2];
    let mut send = Vec::new();
    for (n, core) in targets.into_iter().enumerate() {
        send.extend([poke(mailbox(core), 10 + n as u32), poke(DATA, n as u32 + 1)].concat());
    }
    send.extend(end());
    host.load(tile, RiscV::Brisc, &send);
    // T1 asks, and takes one word once it is told to; T2 asks for what there is.
    let from_b = mailbox(RiscV::Brisc);
    let ask = copy(from_b + 4, DATA + 8);
    let take = [wait_for(DATA + 4, 1), copy(from_b, DATA + 12), copy(from_b + 4, DATA + 16)].concat();
    host.load(tile, RiscV::Trisc1, &[wait_for(from_b + 4, 1), ask, take, end()].concat());
    host.release(tile, &[RiscV::Brisc, RiscV::Trisc1]);
    host.settle();
    assert_eq!([0, 8, 12].map(|at| host.read32(tile, DATA + at)), [4, 1, 0]);
    host.write32(tile, DATA + 4, 1);
    host.settle();
    assert_eq!([0, 12, 16].map(|at| host.read32(tile, DATA + at)), [5, 10, 1]);
}

#[test]
fn cores_start_where_configuration_says() {
    let mut host = Host::new();
    let tile = tensix(0, 0);
    let registers = WORMHOLE.tile.reset_pc;
    let reset = SOFT_RESET_ALL
        & !RiscV::Brisc.soft_reset_bit()
        & !RiscV::Trisc1.soft_reset_bit()
        & !RiscV::Ncrisc.soft_reset_bit();
    let brisc = [
        poke(registers.trisc[1], 0x3_0000),
        poke(registers.trisc_enable, 0b010),
        poke(registers.ncrisc, 0x3_1000),
        poke(registers.ncrisc_enable, 1),
        poke(DEBUG_REGS_BASE + SOFT_RESET_0, reset),
        end(),
    ];
    host.load(tile, RiscV::Brisc, &brisc.concat());
    host.write(tile, 0x3_0000, &bytes(&[poke(DATA, 1), end()].concat()));
    host.write(tile, 0x3_1000, &bytes(&[poke(DATA + 4, 2), end()].concat()));
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    assert_eq!((host.read32(tile, DATA), host.read32(tile, DATA + 4)), (1, 2));
}

#[test]
fn ncrisc_runs_from_instruction_ram() {
    let mut host = Host::new();
    let tile = tensix(0, 0);
    let in_iram = [poke(DATA, 77), end()].concat();
    host.write(tile, 0x3_0000, &bytes(&in_iram));
    let mover = |register: u32, value| poke(TDMA_REGS_BASE + register, value);
    let reset = SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit() & !RiscV::Ncrisc.soft_reset_bit();
    let brisc = [
        mover(XMOV_SRC_ADDR, 0x3_0000 >> 4),
        mover(XMOV_DST_ADDR, 0x4000),
        mover(XMOV_SIZE, 256 >> 4),
        mover(XMOV_DIRECTION, 1),
        mover(TDMA_COMMAND, 0x40),
        poke(WORMHOLE.tile.reset_pc.ncrisc, IRAM_BASE),
        poke(WORMHOLE.tile.reset_pc.ncrisc_enable, 1),
        poke(DEBUG_REGS_BASE + SOFT_RESET_0, reset),
        end(),
    ];
    host.load(tile, RiscV::Brisc, &brisc.concat());
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    assert_eq!(host.read32(tile, DATA), 77);
    // Other code in the same place is seen.
    host.release(tile, &[]);
    host.write(tile, 0x3_0000, &bytes(&[poke(DATA, 78), end()].concat()));
    host.release(tile, &[RiscV::Brisc]);
    host.settle();
    assert_eq!(host.read32(tile, DATA), 78);
}

#[test]
fn the_clock_goes_on() {
    let mut host = Host::new();
    let tile = tensix(0, 0);
    let clock = DEBUG_REGS_BASE + WALL_CLOCK_L;
    // Waits 100000 clocks by the clock, which is not idling.
    let mut program = [&li(5, clock)[..], &li(9, 100_000), &[i("Lw", 8, 5, 0)]].concat();
    program.extend([i("Lw", 7, 5, 0), r("Sub", 7, 7, 8), b("Bltu", 7, 9, -8)]);
    program.extend([poke(DATA, 1), end()].concat());
    host.load(tile, RiscV::Brisc, &program);
    host.release(tile, &[RiscV::Brisc]);
    let progress = host.chip.advance(50_000).expect("no fault");
    assert_eq!((progress.asleep, host.read32(tile, DATA)), (false, 0));
    host.settle();
    assert_eq!(host.read32(tile, DATA), 1);
}

#[test]
fn a_fault_names_tile_core_and_pc() {
    for (word, what) in [
        (0xFFFF_FFFF, "0xffffffff"),
        (i("Lw", 1, 0, 2), "misaligned load of 4 bytes at 0x00000002"),
        (i("Lw", 1, 0, -4), "0xfffffffc"),
        (jal(0, 0x1E_0000 >> 1), "no code"),
    ] {
        let mut host = Host::new();
        let tile = tensix(4, 4);
        // Far enough up in L1 that the jump leaves it.
        let at = WORMHOLE.tile.l1_size - 16;
        host.load(tile, RiscV::Trisc2, &[&li(5, at)[..], &[i("Jalr", 0, 5, 0)]].concat());
        host.write(tile, at, &bytes(&[asm::nop(), word]));
        host.release(tile, &[RiscV::Trisc2]);
        let fault = host.run().expect_err("a fault");
        assert!(fault.what.contains(what), "{fault}");
        assert_eq!(fault.at.core, Some(RiscV::Trisc2));
        let position = NocXy::new(WORMHOLE.tensix_x[4], WORMHOLE.tensix_y[4]);
        assert_eq!(fault.at.tile, Some(position));
        if what != "no code" {
            assert_eq!(fault.at.pc, Some(at + 4), "{fault}");
        }
        // The chip can still be read.
        assert_eq!(host.chip.pc(tile, RiscV::Trisc2), fault.at.pc);
    }
}

#[test]
fn registers_belong_to_cores() {
    // NCRISC does not see the coprocessor; BRISC has no thread of its own to push in-line instructions to.
    for (core, program) in [
        (RiscV::Ncrisc, copy(CFG_BASE, DATA)),
        (RiscV::Brisc, vec![tt_isa::insn::ttinsn(0x0200_0000)]),
        (RiscV::Trisc0, vec![li(5, niu(0, REG.ctrl))[0], s("Sb", 0, 5, 28)]),
    ] {
        let mut host = Host::new();
        host.load(tensix(0, 0), core, &program);
        host.release(tensix(0, 0), &[core]);
        let fault = host.run().expect_err("a fault");
        assert_eq!((fault.blame, fault.at.core), (Blame::Program, Some(core)), "{fault}");
    }
}

#[test]
fn a_fault_leaves_the_same_state_on_any_number_of_threads() {
    let outcome = |threads| {
        let mut host = Host::with_threads(threads);
        for tile in all_tiles() {
            host.load(tile, RiscV::Brisc, &[poke(DATA, 1), vec![0xFFFF_FFFF]].concat());
            host.release(tile, &[RiscV::Brisc]);
        }
        let fault = host.run().expect_err("a fault");
        let words: Vec<u32> = all_tiles().map(|tile| host.read32(tile, DATA)).collect();
        (fault, words, host.chip.counters())
    };
    let (fault, words, counters) = outcome(1);
    assert!(words.iter().all(|&word| word == 1), "all had their turn");
    assert_eq!(outcome(4), (fault, words, counters));
}

#[test]
fn of_several_faults_in_one_quantum_none_is_lost() {
    let mut host = Host::new();
    let tiles = [tensix(0, 0), tensix(3, 2), tensix(7, 8)];
    for tile in tiles {
        host.load(tile, RiscV::Brisc, &[0xFFFF_FFFF]);
        host.release(tile, &[RiscV::Brisc]);
    }
    let mut told: Vec<_> = tiles.iter().map(|_| host.run().expect_err("a fault").at.tile).collect();
    told.dedup();
    assert_eq!(told.len(), tiles.len(), "each tile's own: {told:?}");
}

#[test]
fn all_tiles_tell_the_same_time() {
    let mut host = Host::new();
    host.load(tensix(0, 0), RiscV::Brisc, &[poke(DATA, 1), end()].concat());
    // Reads the clock for as long as the test runs.
    let mut busy = li(5, DEBUG_REGS_BASE + WALL_CLOCK_L).to_vec();
    busy.extend([i("Lw", 7, 5, 0), jal(0, -4)]);
    host.load(tensix(1, 0), RiscV::Brisc, &busy);
    host.release(tensix(0, 0), &[RiscV::Brisc]);
    host.release(tensix(1, 0), &[RiscV::Brisc]);
    host.chip.advance(100_000).expect("no fault");
    let times = [(0, 0), (1, 0), (7, 8)]
        .map(|(column, row)| host.read32(tensix(column, row), DEBUG_REGS_BASE + WALL_CLOCK_L));
    assert_eq!(times, [100_000; 3]);
}
