//! Semaphores, mutexes and waits: of one thread, so that it never blocks for ever, and of three threads, so that their order shows;
//! and banks of SrcA and SrcB that two threads hand to each other.

use tt_isa::chip::wormhole::config as c;
use tt_isa::insn::{
    ADDDMAREG, ATGETM, ATRELM, CLEARDVALID, MOVA2D, MULDMAREG, NOP, RDCFG, SEMGET, SEMINIT, SEMPOST, SEMWAIT,
    SETDMAREG, SETDVALID, SETRWC, STALLWAIT, UNPACR_NOP, WRCFG,
};
use tt_isa::map::{CFG_BASE, INSTRN_BUF_BASE, INSTRN_BUF_STRIDE, PC_BUF_BASE, PC_BUF_SEMAPHORE, RiscV};
use tt_isa::stall::{block, semaphore, until};

use super::build::{Builder, Part};
use super::{Family, t_core};
use crate::case::{Action, Case};
use crate::random::Random;

/// What the generator knows of a semaphore.
#[derive(Clone, Copy, Default)]
struct Known {
    value: u32,
    max: u32,
}

pub fn generate(random: &mut Random) -> Case {
    match random.below(8) {
        0 | 1 => threads(random),
        2 => handover(random),
        _ => one_thread(random),
    }
}

fn one_thread(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Sync, t_core(random));
    b.part(Part::Body);
    let mut known = [Known::default(); 8];
    let mut held = false;
    let mut valid = 0;
    for _ in 0..random.range(4, 32) {
        let index = random.below(8);
        let sem_sel = 1 << index;
        let s = &mut known[index as usize];
        match random.below(12) {
            0 | 1 => {
                let max_value = random.below(16);
                let init_value = random.below(max_value + 1);
                *s = Known { value: init_value, max: max_value };
                b.push(SEMINIT { max_value, init_value, sem_sel }.word());
            }
            2 | 3 if s.value < s.max => {
                s.value += 1;
                b.push(SEMPOST { sem_sel }.word());
            }
            4 | 5 if s.value > 0 => {
                s.value -= 1;
                b.push(SEMGET { sem_sel }.word());
            }
            6 if s.value > 0 => {
                b.push(SEMWAIT { stall_res: random.range(1, 0xF) | 2, sem_sel, wait_sem_cond: 1 }.word());
            }
            7 if s.value < s.max => {
                b.push(SEMWAIT { stall_res: random.range(1, 0xF) | 2, sem_sel, wait_sem_cond: 2 }.word());
            }
            8 => {
                b.push(if held {
                    ATRELM { mutex_index: 0 }.word()
                } else {
                    ATGETM { mutex_index: 0 }.word()
                });
                held = !held;
            }
            9 => {
                b.sync();
                b.read(PC_BUF_BASE + PC_BUF_SEMAPHORE, 8);
                let at = PC_BUF_BASE + PC_BUF_SEMAPHORE + 4 * index;
                // A core's post does not know the maximum.
                if s.value < 15 && (s.value == 0 || random.chance(192)) {
                    s.value += 1;
                    b.act(Action::Write(at, 0));
                } else if s.value > 0 {
                    s.value -= 1;
                    b.act(Action::Write(at, 1));
                }
            }
            10 => {
                // Both, or SrcB alone.
                if valid == 0 {
                    valid = random.pick(&[2, 3]);
                    b.push(SETDVALID { setvalid: valid }.word());
                } else {
                    b.push(CLEARDVALID { cleardvalid: valid, reset: 0 }.word());
                    valid = 0;
                }
            }
            _ => {
                let ready = valid << 10 | (valid ^ 3) << 8;
                let wait_res = random.pick(&[1, 2, 6, 0x78, 0x80, 0x2000, 0x4000, ready, ready]);
                b.push(STALLWAIT { stall_res: random.range(1, 15), wait_res }.word());
            }
        }
        b.push(
            SETDMAREG {
                payload_sig_sel: random.below(0x4000),
                reg_index_16b: random.below(16),
                ..SETDMAREG::ZERO
            }
            .word(),
        );
    }
    b.dump_scalar();
    b.case
}

/// Words that threads hand to each other: registers that nothing here depends on.
const PLACES: [u32; 4] = [
    c::THCON_SEC0_REG3_Base_address.index,
    c::THCON_SEC0_REG3_Base_cntx1_address.index,
    c::THCON_SEC1_REG3_Base_address.index,
    c::THCON_SEC1_REG3_Base_cntx1_address.index,
];
/// What thread 1 makes of them.
const TAKEN: u32 = c::THCON_SEC0_REG1_L1_Dest_addr.index;
/// The register in which all threads count.
const COUNT: u32 = c::THCON_SEC0_REG8_L1_Dest_addr.index;
/// Where each thread says that it has come to its end: BRISC has no TTSync on the vendor's simulator.
const ENDS: [u32; 3] = [
    c::THCON_SEC1_REG1_L1_Dest_addr.index,
    c::THCON_SEC1_REG8_L1_Dest_addr.index,
    c::THCON_SEC0_REG0_TileDescriptor.index + 1,
];
/// Words that thread 0 may be ahead: what it is given then fits into its FIFO of 29 instructions. With more, BRISC waits
/// for room in it before it gives thread 1 what thread 0 waits for. The vendor's simulator has longer FIFOs.
const AHEAD: u32 = 5;
/// All kinds of instruction.
const ALL: u32 = 0x1FF;
const SETTLED: u32 =
    STALLWAIT { stall_res: block::SYNC | block::CFG | block::THCON, wait_res: until::THCON }.word();

/// BRISC feeds three threads. Thread 0 hands words to thread 1, which makes one number of them that depends on their
/// order; and all three count under a mutex.
fn threads(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Sync, RiscV::Brisc);
    let sem_sel = 1 << random.below(8);
    push(&mut b, 0, &[SEMINIT { max_value: random.range(1, 3), init_value: 0, sem_sel }.word()]);
    end(&mut b, 0, 0x100);
    b.part(Part::Body);
    let (mut sent, mut taken) = (0, 0);
    let words = random.range(1, 8);
    while taken < words {
        if sent < words && sent - taken < AHEAD && (sent == taken || random.chance(140)) {
            let low = random.below(0x1_0000);
            give(&mut b, sem_sel, PLACES[sent as usize % 4], low);
            sent += 1;
        } else {
            take(&mut b, sem_sel, PLACES[taken as usize % 4]);
            taken += 1;
        }
    }
    push(&mut b, 1, &[WRCFG { gpr_address: 0, wr128b: 0, cfg_reg: TAKEN }.word(), NOP {}.word()]);
    for _ in 0..random.below(6) {
        let (thread, by) = (random.below(3), random.below(0x1_0000));
        count(&mut b, thread, by);
    }
    b.part(Part::Dump);
    (0..3).for_each(|thread| end(&mut b, thread, 0x200));
    for register in [TAKEN, COUNT] {
        b.read(CFG_BASE + 4 * register, 1);
    }
    b.case
}

/// BRISC feeds two threads as a kernel does that copies tiles to Dst: thread 0 gives SrcA's bank as soon as that is free, and only then,
/// by instructions without data, SrcB's; thread 1 waits for SrcA's bank, and hands back both. Thread 0 is ahead by SrcA's bank when thread 1
/// begins.
fn handover(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Sync, RiscV::Brisc);
    b.part(Part::Body);
    let faces = random.range(2, 4);
    let nop = |unpack_block_selection, no_op| UNPACR_NOP { unpack_block_selection, no_op }.word();
    let free = STALLWAIT { stall_res: block::UNPACK, wait_res: until::SRCA_CLEAR }.word();
    for _ in 0..faces {
        push(&mut b, 0, &[free, nop(0, GIVE), nop(1, CLEAR), nop(1, GIVE)]);
    }
    for face in 0..faces {
        // In fewer cycles SrcB's bank would not be there, here and on the vendor's simulator.
        for rows in 0..random.range(2, 4) {
            push(&mut b, 1, &[MOVA2D { dst: 32 * face + 8 * rows, instr_mod: 2, ..MOVA2D::ZERO }.word()]);
        }
        push(&mut b, 1, &[SETRWC { clear_ab_vld: 3, bit_mask: random.below(16), ..SETRWC::ZERO }.word()]);
    }
    b.part(Part::Dump);
    (0..2).for_each(|thread| end(&mut b, thread, 0x200));
    b.read(CFG_BASE + 4 * ENDS[0], 1);
    b.read(CFG_BASE + 4 * ENDS[1], 1);
    b.case
}

/// `UNPACR_NOP` that fills the unpacker's bank with zeros, and that gives it to the matrix unit.
const CLEAR: u32 = 1;
const GIVE: u32 = 7;

/// `SETDMAREG` of a GPR's low half.
fn low(gpr: u32, value: u32) -> u32 {
    let (payload_sig_sel, payload_sig_sel_size) = (value & 0x3FFF, value >> 14 & 3);
    SETDMAREG { payload_sig_sel, payload_sig_sel_size, reg_index_16b: 2 * gpr, ..SETDMAREG::ZERO }.word()
}

/// Thread 0 waits for a free place and fills it.
fn give(b: &mut Builder, sem_sel: u32, place: u32, word: u32) {
    let wait = SEMWAIT { stall_res: ALL, sem_sel, wait_sem_cond: semaphore::WHILE_MAX }.word();
    let write = WRCFG { gpr_address: 4, wr128b: 0, cfg_reg: place }.word();
    push(b, 0, &[wait, low(4, word), write, NOP {}.word(), SEMPOST { sem_sel }.word()]);
}

/// Thread 1 waits for a word and takes it: GPR 0 becomes the product of its low half and the sum with the word.
fn take(b: &mut Builder, sem_sel: u32, place: u32) {
    let wait = SEMWAIT { stall_res: ALL, sem_sel, wait_sem_cond: semaphore::WHILE_ZERO }.word();
    let read = RDCFG { gpr_address: 5, cfg_reg: place }.word();
    let add =
        ADDDMAREG { op_b_is_const: 0, result_reg_index: 5, op_b_reg_index: 0, op_a_reg_index: 5 }.word();
    let multiply =
        MULDMAREG { op_b_is_const: 0, result_reg_index: 6, op_b_reg_index: 0, op_a_reg_index: 5 }.word();
    let sum =
        ADDDMAREG { op_b_is_const: 0, result_reg_index: 0, op_b_reg_index: 6, op_a_reg_index: 5 }.word();
    push(b, 1, &[wait, read, SETTLED, SEMGET { sem_sel }.word(), add, multiply, sum]);
}

/// A thread adds to the count.
fn count(b: &mut Builder, thread: u32, by: u32) {
    let add =
        ADDDMAREG { op_b_is_const: 0, result_reg_index: 9, op_b_reg_index: 8, op_a_reg_index: 9 }.word();
    let words = [
        ATGETM { mutex_index: 0 }.word(),
        RDCFG { gpr_address: 9, cfg_reg: COUNT }.word(),
        low(8, by),
        SETTLED,
        add,
        WRCFG { gpr_address: 9, wr128b: 0, cfg_reg: COUNT }.word(),
        NOP {}.word(),
        ATRELM { mutex_index: 0 }.word(),
    ];
    push(b, thread, &words);
}

/// BRISC waits until a thread has come here.
fn end(b: &mut Builder, thread: u32, mark: u32) {
    let register = ENDS[thread as usize];
    push(
        b,
        thread,
        &[low(12, mark), WRCFG { gpr_address: 12, wr128b: 0, cfg_reg: register }.word(), NOP {}.word()],
    );
    b.act(Action::Wait(CFG_BASE + 4 * register, mark));
}

/// BRISC's pushes to a thread.
fn push(b: &mut Builder, thread: u32, words: &[u32]) {
    for &word in words {
        b.act(Action::Write(INSTRN_BUF_BASE + thread * INSTRN_BUF_STRIDE, word));
    }
}
