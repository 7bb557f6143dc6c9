//! Predication against a model with one stack for each lane.

use tt_isa::insn::*;
use tt_isa::sfpu::{sfpencc, sfpexexp, sfpiadd, sfplz, sfpsetcc};

use super::*;

/// A lane as the pages write it.
#[derive(Clone, Default)]
struct Lane {
    flags: bool,
    use_flags: bool,
    stack: Vec<(bool, bool)>,
}

impl Lane {
    fn enabled(&self) -> bool {
        !self.use_flags || self.flags
    }

    fn pop_mode(&mut self, mode: u32) {
        let top = self.stack.last().copied().unwrap_or((false, false));
        let (a, b) = (self.flags, top.0);
        if mode == 0 {
            self.stack.pop();
        } else if self.stack.len() == 8 {
            self.stack[0] = top;
        }
        let flags = match mode {
            0 | 1 => b,
            2 => !b,
            3 => a && b,
            4 => a || b,
            5 => a && !b,
            6 => a || !b,
            7 => !a && b,
            8 => !a || b,
            9 => !a && !b,
            10 => !a || !b,
            11 => a != b,
            12 => a == b,
            13 => !a,
            14 => true,
            _ => false,
        };
        self.use_flags = match mode {
            ..=12 => top.1,
            13 => self.use_flags,
            _ => true,
        };
        self.flags = flags;
    }
}

#[test]
fn flags_follow_the_model() {
    let mut random = Random::new(0xF1A6);
    let mut unit = TestUnit::new();
    let mut lanes = vec![Lane::default(); LANES];
    for step in 0..200_000 {
        let depth = lanes[0].stack.len();
        let values: Lanes = random.lanes().map(|x| if x & 6 == 0 { 0 } else { x });
        unit.0.sfpu.lreg[0] = values;
        let word = match random.next() % 6 {
            0 if depth < 8 => {
                lanes.iter_mut().for_each(|lane| lane.stack.push((lane.flags, lane.use_flags)));
                SFPPUSHC::ZERO.word()
            }
            1 => {
                let instr_mod1 = if depth == 0 { 1 + random.next() % 15 } else { random.next() % 16 };
                lanes.iter_mut().for_each(|lane| lane.pop_mode(instr_mod1));
                SFPPOPC { lreg_dest: 0, instr_mod1 }.word()
            }
            2 => {
                for lane in &mut lanes {
                    let top = lane.stack.last().copied().unwrap_or((true, true));
                    lane.flags = top.1 && lane.use_flags && top.0 && !lane.flags;
                }
                SFPCOMPC::ZERO.word()
            }
            3 => {
                let (instr_mod1, imm12_math) = (random.next() & 11, random.next() % 4);
                for lane in &mut lanes {
                    if instr_mod1 & sfpencc::EI != 0 {
                        lane.use_flags = imm12_math & sfpencc::IMM_E != 0;
                    } else if instr_mod1 & sfpencc::EC != 0 {
                        lane.use_flags = !lane.use_flags;
                    }
                    lane.flags = instr_mod1 & sfpencc::RI == 0 || imm12_math & sfpencc::IMM_R != 0;
                }
                SFPENCC { imm12_math, lreg_dest: 0, instr_mod1 }.word()
            }
            4 => {
                let instr_mod1 = [0, 1, 2, 4, 6, 8][random.next() as usize % 6];
                let imm12_math = random.next() % 2;
                for (lane, &c) in lanes.iter_mut().zip(&values) {
                    let condition = match instr_mod1 {
                        sfpsetcc::LREG_LT0 => (c as i32) < 0,
                        sfpsetcc::IMM_BIT0 => imm12_math == 1,
                        sfpsetcc::LREG_NE0 => c != 0,
                        sfpsetcc::LREG_GTE0 => c as i32 >= 0,
                        sfpsetcc::LREG_EQ0 => c == 0,
                        _ => false,
                    };
                    if lane.enabled() {
                        lane.flags = lane.use_flags && condition;
                    }
                }
                SFPSETCC { imm12_math, lreg_c: 0, lreg_dest: 0, instr_mod1 }.word()
            }
            _ => by_result(&mut random, &mut lanes, &values),
        };
        unit.run(word);
        let mask = |f: fn(&Lane) -> bool| (0..LANES).map(|i| u32::from(f(&lanes[i])) << i).sum::<u32>();
        let got = (unit.0.sfpu.flags, unit.0.sfpu.use_flags);
        assert_eq!(got, (mask(|l| l.flags), mask(|l| l.use_flags)), "step {step}, {:?}", Disassembly(word));
        assert_eq!(unit.0.sfpu.enabled(), mask(Lane::enabled));
    }
}

/// Instructions that set flags by what they compute.
fn by_result(random: &mut Random, lanes: &mut [Lane], values: &Lanes) -> u32 {
    let mode = random.next() % 16;
    let flag = |lane: &mut Lane, set: Option<bool>, invert: bool| {
        if lane.enabled() {
            lane.flags = set.unwrap_or(lane.flags) != invert;
        }
    };
    // Not to register 8: the results of these set no flags.
    let lreg_dest = 1 + 7 * (random.next() % 2);
    let counts = lreg_dest < 8;
    match random.next() % 3 {
        0 => {
            let instr_mod1 = mode & 11;
            for (lane, &c) in lanes.iter_mut().zip(values).filter(|_| counts) {
                let negative = instr_mod1 & sfpexexp::NODEBIAS == 0 && c >> 23 & 0xFF < 127;
                let set = (instr_mod1 & sfpexexp::SET_CC_SGN_EXP != 0).then_some(negative);
                flag(lane, set, instr_mod1 & sfpexexp::SET_CC_COMP_EXP != 0);
            }
            SFPEXEXP { lreg_c: 0, lreg_dest, instr_mod1 }.word()
        }
        1 => {
            let instr_mod1 = mode | sfpiadd::ARG_IMM;
            for (lane, &c) in lanes.iter_mut().zip(values).filter(|_| counts) {
                let set = (instr_mod1 & sfpiadd::CC_NONE == 0).then_some((c.wrapping_sub(5) as i32) < 0);
                flag(lane, set, instr_mod1 & sfpiadd::CC_GTE0 != 0);
            }
            SFPIADD { imm12_math: 0xFFB, lreg_c: 0, lreg_dest, instr_mod1 }.word()
        }
        _ => {
            let instr_mod1 = mode & 14;
            for (lane, &c) in lanes.iter_mut().zip(values).filter(|_| counts) {
                let c = if instr_mod1 & sfplz::NOSGN_MASK != 0 { c & 0x7FFF_FFFF } else { c };
                let set = (instr_mod1 & sfplz::CC_NE0 != 0).then_some(c != 0);
                flag(lane, set, instr_mod1 & sfplz::CC_COMP != 0);
            }
            SFPLZ { lreg_c: 0, lreg_dest, instr_mod1 }.word()
        }
    }
}

#[test]
fn the_stack_has_eight_entries() {
    let mut unit = TestUnit::new();
    let fault = unit.try_run(SFPPOPC::ZERO.word()).unwrap_err();
    assert!(fault.to_string().contains("empty stack"), "{fault}");
    (0..8).for_each(|_| _ = unit.run(SFPPUSHC::ZERO.word()));
    let fault = unit.try_run(SFPPUSHC::ZERO.word()).unwrap_err();
    assert!(fault.to_string().contains("full stack"), "{fault}");
    (0..8).for_each(|_| _ = unit.run(SFPPOPC::ZERO.word()));
}
