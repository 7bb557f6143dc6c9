//! Semaphores, mutexes and waits of one thread, mostly such that it comes to its end.

use tt_isa::insn::{
    ATGETM, ATRELM, CLEARDVALID, SEMGET, SEMINIT, SEMPOST, SEMWAIT, SETDMAREG, SETDVALID, STALLWAIT,
};
use tt_isa::map::{PC_BUF_BASE, PC_BUF_SEMAPHORE};

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
    let mut b = Builder::new(Family::Sync, t_core(random));
    b.part(Part::Body);
    let mut known = [Known::default(); 8];
    let mut held = false;
    let mut valid = false;
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
                if s.value < s.max {
                    s.value += 1;
                    b.act(Action::Write(at, 0));
                } else if s.value > 0 {
                    s.value -= 1;
                    b.act(Action::Write(at, 1));
                }
            }
            10 => {
                b.push(if valid {
                    CLEARDVALID { cleardvalid: 3, reset: 0 }.word()
                } else {
                    SETDVALID { setvalid: 3 }.word()
                });
                valid = !valid;
            }
            _ => {
                let ready = if valid { 0xC00 } else { 0x300 };
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
