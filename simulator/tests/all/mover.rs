//! The mover, started by `XMOV` and TDMA-RISC, and registers written by the scalar unit and packers. Of these, the vendor's
//! simulator has only the mover's copies to instruction RAM (`chip.rs`), so expected values are worked out by hand from
//! `Mover.md`, `XMOV.md`, `TDMA-RISC.md`, `LOADREG.md` and `PACR_SETREG.md`.

use crate::support::datapath::{IN, OUT, set_gpr};
use crate::support::{Program, run_here};
use tt_isa::chip::wormhole::config as c;
use tt_isa::insn::{LOADREG, NOP, PACR_SETREG, STALLWAIT, STOREREG, WRCFG, XMOV};
use tt_isa::map::{
    CFG_BASE, REGFILE_BASE, RiscV, TDMA_ACC_PACKED_SIZE, TDMA_COMMAND, TDMA_FIFO_PACKED_TILE_STATUS,
    TDMA_PACK_SCALERS, TDMA_REGS_BASE, TDMA_STATUS, XMOV_DIRECTION, XMOV_DST_ADDR, XMOV_L1_BASE_ADDR,
    XMOV_SIZE, XMOV_SRC_ADDR, tdma_command,
};
use tt_isa::stall::{block, until};

const PATTERN: u32 = 0x1_0203;

fn pattern() -> Vec<u8> {
    (0..64u32).flat_map(|i| (PATTERN * (i + 1)).to_le_bytes()).collect()
}

/// A program with a pattern in its input and other bytes in its output.
fn program(len: u32) -> Program {
    let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + len);
    p.memory(IN, pattern());
    p.memory(OUT, vec![0xEE; 256]);
    p
}

fn tdma(p: &mut Program, register: u32, value: u32) {
    p.write(TDMA_REGS_BASE + register, value);
}

/// Orders from TDMA-RISC, addresses and length in bytes.
fn order(p: &mut Program, from: u32, to: u32, len: u32, direction: u32) {
    for (register, value) in [
        (XMOV_SRC_ADDR, from / 16),
        (XMOV_DST_ADDR, to / 16),
        (XMOV_SIZE, len / 16),
        (XMOV_DIRECTION, direction),
    ] {
        tdma(p, register, value);
    }
    tdma(p, TDMA_COMMAND, tdma_command::MOVE);
}

fn xmov(p: &mut Program, from: u32, to: u32, len: u32, direction: u32) {
    let source = c::THCON_SEC0_REG6_Source_address.index;
    for (gpr, value) in [from / 16, to / 16, (len / 16) | (direction << 30), 0].into_iter().enumerate() {
        set_gpr(p, 0, 4 + gpr as u32, value);
    }
    for (gpr, index) in (4..7).zip(source..) {
        p.push(0, WRCFG { gpr_address: gpr, wr128b: 0, cfg_reg: index }.word());
    }
    p.push(0, NOP {}.word());
    p.push(0, XMOV {}.word());
    p.push(0, STALLWAIT { stall_res: block::XMOV | block::THCON, wait_res: until::XMOV }.word());
}

fn words(p: &Program) -> Vec<u32> {
    let bytes = run_here(p).unwrap();
    bytes.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn l1_is_copied_and_cleared() {
    let mut p = program(64);
    order(&mut p, IN + 16, OUT, 32, 3);
    order(&mut p, 0xFFFF_FFF0, OUT + 16, 16, 0);
    assert_eq!(
        words(&p)[..12],
        [&[5, 6, 7, 8].map(|n| n * PATTERN)[..], &[0; 4], &[0xEEEE_EEEE; 4]].concat()
    );
    let mut p = program(64);
    xmov(&mut p, IN + 16, OUT, 32, 3);
    xmov(&mut p, 0, OUT + 16, 16, 0);
    assert_eq!(
        words(&p)[..12],
        [&[5, 6, 7, 8].map(|n| n * PATTERN)[..], &[0; 4], &[0xEEEE_EEEE; 4]].concat()
    );
}

#[test]
fn configuration_is_written() {
    // Four whole registers, of both banks; bank 1 is 188 words further.
    let first = c::THCON_SEC0_REG3_Base_address.index;
    let mut p = program(32);
    order(&mut p, IN, 4 * first, 16, 1);
    xmov(&mut p, IN + 16, 4 * (188 + first), 16, 1);
    order(&mut p, 0, 4 * first + 4 * 188, 16, 2);
    xmov(&mut p, IN + 32, 4 * (188 + first), 16, 1);
    p.sync(0);
    for i in 0..4 {
        p.copy(CFG_BASE + 4 * (first + i), OUT + 4 * i);
        p.copy(CFG_BASE + 4 * (188 + first + i), OUT + 16 + 4 * i);
    }
    assert_eq!(words(&p), [1, 2, 3, 4, 9, 10, 11, 12].map(|n| n * PATTERN));
    // What is mapped nowhere is lost.
    let mut p = program(16);
    order(&mut p, IN, 0x5_0000, 64, 1);
    assert_eq!(words(&p), [0xEEEE_EEEE; 4]);
}

#[test]
fn orders_that_make_no_sense_are_faults() {
    let fault = |from, to, len, direction| {
        let mut p = program(16);
        order(&mut p, from, to, len, direction);
        run_here(&p).unwrap_err()
    };
    assert!(fault(0x20_0000, OUT, 16, 3).contains("mover from L1"));
    assert!(fault(IN, 0x20_0000, 16, 3).contains("mover to L1"));
    assert!(fault(IN, 0x4_FFF0, 32, 1).contains("more than one region"));
    assert!(fault(IN, 0x4_4000, 16, 1).contains("instruction RAM"));
    assert!(fault(IN, IN + 16, 32, 3).contains("overlap"));
    let mut p = program(16);
    tdma(&mut p, TDMA_COMMAND, 0x41);
    assert!(run_here(&p).unwrap_err().contains("command"));
}

#[test]
fn commands_of_one_word() {
    let mut p = program(48);
    let compact = |source: u32, destination: u32, len: u32, to_l1: u32| {
        tdma_command::COMPACT | to_l1 << 30 | len << 24 | destination << 16 | source << 8 | tdma_command::MOVE
    };
    // Sources count from the core's base; destinations have eight bits.
    tdma(&mut p, XMOV_L1_BASE_ADDR, IN / 16);
    tdma(&mut p, TDMA_COMMAND, compact(2, 0x80, 1, 1));
    tdma(&mut p, TDMA_COMMAND, tdma_command::COMPACT | tdma_command::NOP);
    tdma(&mut p, TDMA_COMMAND, tdma_command::WAIT);
    for i in 0..4 {
        p.copy(0x800 + 4 * i, OUT + 4 * i);
    }
    // Writes of 32 and 64 bits, then what the registers say.
    let write = tdma_command::WRITE | tdma_command::WRITE_FLAGS;
    for (register, value) in [(XMOV_SRC_ADDR, OUT + 16), (XMOV_SIZE, 0x1111), (XMOV_DIRECTION, 0x2222)] {
        tdma(&mut p, register, value);
    }
    tdma(&mut p, TDMA_COMMAND, write);
    tdma(&mut p, XMOV_SRC_ADDR, OUT + 24);
    tdma(&mut p, TDMA_COMMAND, write | tdma_command::WRITE_64);
    p.copy(TDMA_REGS_BASE + XMOV_L1_BASE_ADDR, OUT + 32);
    p.copy(TDMA_REGS_BASE + XMOV_SIZE, OUT + 36);
    // Both queues empty, room for four commands.
    p.copy(TDMA_REGS_BASE + TDMA_STATUS, OUT + 40);
    let expected = [
        [9, 10, 11, 12].map(|n| n * PATTERN),
        [0x1111, 0xEEEE_EEEE, 0x1111, 0x2222],
        [IN / 16, 0, 0x428, 0xEEEE_EEEE],
    ];
    assert_eq!(words(&p), expected.concat());
}

#[test]
fn the_scalar_unit_and_packers_reach_registers() {
    let mut p = program(24);
    let register = |offset: u32| (TDMA_REGS_BASE + offset - 0xFFB0_0000) / 4;
    set_gpr(&mut p, 0, 1, 0x0123_4567);
    p.push(0, STOREREG { tdma_data_reg_index: 1, reg_addr: register(XMOV_L1_BASE_ADDR) }.word());
    p.push(0, LOADREG { tdma_data_reg_index: 2, reg_addr: register(XMOV_L1_BASE_ADDR) }.word());
    p.push(0, LOADREG { tdma_data_reg_index: 3, reg_addr: register(TDMA_STATUS) }.word());
    p.sync(0);
    // Factors 3, 5, 7; the second address is 0xFFB00000 + 0x02C, and 0x11 << 12 from the instruction.
    tdma(&mut p, TDMA_PACK_SCALERS, 3 | 5 << 9 | 7 << 18);
    tdma(&mut p, TDMA_FIFO_PACKED_TILE_STATUS, (XMOV_L1_BASE_ADDR / 4) << 10);
    p.set(c::THCON_SEC0_REG1_Out_data_format, 6);
    p.push(
        0,
        PACR_SETREG {
            push: 1,
            addr_sel: 1,
            wr_data: 0x101,
            pack_sel: 15,
            stream_id: 0x11,
            flush: 1,
            last: 0,
        }
        .word(),
    );
    p.sync(0);
    p.copy(REGFILE_BASE + 8, OUT);
    p.copy(REGFILE_BASE + 12, OUT + 4);
    p.copy(TDMA_REGS_BASE + XMOV_L1_BASE_ADDR, OUT + 8);
    p.copy(TDMA_REGS_BASE + TDMA_PACK_SCALERS, OUT + 12);
    p.copy(TDMA_REGS_BASE + TDMA_FIFO_PACKED_TILE_STATUS, OUT + 16);
    tdma(&mut p, TDMA_ACC_PACKED_SIZE + 0x340, 0xF_1234);
    let expected = [
        0x0123_4567,
        0x428,
        // Factor 7: format 6 has 2 in its low bits.
        0x101 + ((0x101 * 7) << 12),
        3 | 5 << 9 | 7 << 18,
        ((XMOV_L1_BASE_ADDR / 4) << 10) << 8 | 0x55,
        0xEEEE_EEEE,
    ];
    assert_eq!(words(&p), expected);
}
