//! Register window counters: where in SrcA, SrcB and Dst the next matrix or vector instruction works, and which
//! fidelity phase it computes (`RWCs.md`).
//!
//! Each thread has its own set. Instructions name an address modifier (four `ThreadConfig` registers) that moves
//! the counters on afterwards; "CR" variants count a carriage return copy on and return to it.

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::thread as t;
use tt_isa::insn::{INCRWC, SETRWC};

use super::config::ConfigState;
use super::{Exec, Step, Tensix, dst, src};
use crate::fault::Fault;

/// A counter and its carriage return copy.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counter {
    /// Present value.
    pub value: u32,
    /// Copy.
    pub cr: u32,
}

impl Counter {
    fn set(&mut self, value: u32) {
        *self = Self { value, cr: value };
    }

    fn step(&mut self, move_: Move, rows: u32) {
        let mask = rows - 1;
        if move_.clear {
            self.set(0);
        } else if move_.to_cr {
            self.set((self.value + move_.increment) & mask);
        } else if move_.cr {
            self.set((self.cr + move_.increment) & mask);
        } else {
            self.value = (self.value + move_.increment) & mask;
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Move {
    increment: u32,
    clear: bool,
    cr: bool,
    to_cr: bool,
}

/// The counters of one thread.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Rwc {
    /// Row of SrcA.
    pub src_a: Counter,
    /// Row of SrcB.
    pub src_b: Counter,
    /// Row of Dst.
    pub dst: Counter,
    /// Fidelity phase, 0..3.
    pub fidelity: u32,
    /// Selects address modifiers 4..7 while odd.
    pub bias: u32,
}

/// Field of address modifier `n`: the registers of the eight modifiers follow one another.
const fn nth(field: CfgField, n: u32, stride: u32) -> CfgField {
    CfgField { index: field.index + n * stride, ..field }
}

const AB_STRIDE: u32 = t::ADDR_MOD_AB_SEC1_SrcAIncr.index - t::ADDR_MOD_AB_SEC0_SrcAIncr.index;
const DST_STRIDE: u32 = t::ADDR_MOD_DST_SEC1_DestIncr.index - t::ADDR_MOD_DST_SEC0_DestIncr.index;
const BIAS_STRIDE: u32 = t::ADDR_MOD_BIAS_SEC1_BiasIncr.index - t::ADDR_MOD_BIAS_SEC0_BiasIncr.index;

/// Applies address modifier `addr_mode` (0..3) of `thread`: `ApplyAddrMod` of the ISA pages. Vector unit
/// instructions leave the fidelity phase alone.
pub fn apply_addr_mod(
    rwc: &mut Rwc,
    cfg: &ConfigState,
    thread: usize,
    addr_mode: u32,
    phase: bool,
) -> Result<(), Fault> {
    let high = rwc.bias != 0 || cfg.thread(thread, t::ADDR_MOD_SET_Base) != 0;
    let n = addr_mode + if high { 4 } else { 0 };
    let ab = |field| cfg.thread(thread, nth(field, n, AB_STRIDE));
    let dest = |field| cfg.thread(thread, nth(field, n, DST_STRIDE));
    rwc.src_a.step(
        Move {
            increment: ab(t::ADDR_MOD_AB_SEC0_SrcAIncr),
            clear: ab(t::ADDR_MOD_AB_SEC0_SrcAClear) != 0,
            cr: ab(t::ADDR_MOD_AB_SEC0_SrcACR) != 0,
            to_cr: false,
        },
        src::ROWS as u32,
    );
    rwc.src_b.step(
        Move {
            increment: ab(t::ADDR_MOD_AB_SEC0_SrcBIncr),
            clear: ab(t::ADDR_MOD_AB_SEC0_SrcBClear) != 0,
            cr: ab(t::ADDR_MOD_AB_SEC0_SrcBCR) != 0,
            to_cr: false,
        },
        src::ROWS as u32,
    );
    let move_dst = Move {
        increment: dest(t::ADDR_MOD_DST_SEC0_DestIncr),
        clear: dest(t::ADDR_MOD_DST_SEC0_DestClear) != 0,
        cr: dest(t::ADDR_MOD_DST_SEC0_DestCR) != 0,
        to_cr: dest(t::ADDR_MOD_DST_SEC0_DestCToCR) != 0,
    };
    rwc.dst.step(move_dst, dst::ROWS as u32);
    if phase {
        rwc.fidelity = match dest(t::ADDR_MOD_DST_SEC0_FidelityClear) {
            0 => (rwc.fidelity + dest(t::ADDR_MOD_DST_SEC0_FidelityIncr)) & 3,
            _ => 0,
        };
    }
    let bias = |field| cfg.thread(thread, nth(field, n, BIAS_STRIDE));
    if bias(t::ADDR_MOD_BIAS_SEC0_BiasClear) != 0 {
        rwc.bias = 0;
    } else if bias(t::ADDR_MOD_BIAS_SEC0_BiasIncr) & 3 != 0 {
        rwc.bias ^= 1;
    }
    Ok(())
}

/// Hands the matrix unit's banks back to the unpackers (`FlipSrcA`, `FlipSrcB`): bit 0 SrcA, bit 1 SrcB.
pub fn flip_sources(t: &mut Tensix, thread: usize, flip: u32) -> Result<(), Fault> {
    use tt_isa::chip::wormhole::thread::{CLR_DVALID_SrcA_Disable, CLR_DVALID_SrcB_Disable};
    if flip & 1 != 0 {
        t.src_a.flip_matrix(t.cfg.thread(thread, CLR_DVALID_SrcA_Disable) == 0)?;
    }
    if flip & 2 != 0 {
        t.src_b.flip_matrix(t.cfg.thread(thread, CLR_DVALID_SrcB_Disable) == 0)?;
    }
    Ok(())
}

/// Whether the matrix unit has the banks that an instruction hands back ([`flip_sources`]).
///
/// # Errors
/// It has not.
fn check_release(t: &Tensix, thread: usize, flip: u32) -> Result<(), Fault> {
    use tt_isa::chip::wormhole::thread::{CLR_DVALID_SrcA_Disable, CLR_DVALID_SrcB_Disable};
    if flip & 1 != 0 && t.cfg.thread(thread, CLR_DVALID_SrcA_Disable) == 0 {
        t.src_a.check_release()?;
    }
    if flip & 2 != 0 && t.cfg.thread(thread, CLR_DVALID_SrcB_Disable) == 0 {
        t.src_b.check_release()?;
    }
    Ok(())
}

/// The fault of a `SETRWC` at a thread's gate that would hand back a bank that the matrix unit does not have.
///
/// # Errors
/// That fault.
pub(super) fn check_setrwc(t: &Tensix, thread: usize, word: u32) -> Result<(), Fault> {
    check_release(t, thread, SETRWC::decode(word).clear_ab_vld)
}

/// `SETRWC`: sets counters and their copies, to a number or to a copy (of Dst also: to itself) and a number.
///
/// Unlike the instructions that read SrcA or SrcB it does not wait for the banks that it hands back (`SETRWC.md`). The vendor's kernels
/// still rely on a bank to be there in time: where one thread copies SrcA's datums to Dst and then hands both back, the other one has given
/// SrcB a few cycles before, by two instructions without data. Such an
/// instruction therefore waits until the others have come as far as they can, which is one of the orders that silicon allows. If
/// the bank does not come it is a fault ([`Tensix::check_gates`]). For the race detector, which has any order do, it is a finding at once.
pub fn setrwc(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    let op = SETRWC::decode(word);
    if check_release(t, thread, op.clear_ab_vld).is_err() {
        return Ok(Step::Stall);
    }
    let rwc = &mut t.rwc[thread];
    let set = |counter: &mut Counter, bit: u32, value: u32, rows: u32| {
        let base = if op.rwc_cr & bit != 0 { counter.cr } else { 0 };
        counter.set((base + value) & (rows - 1));
    };
    if op.bit_mask & 1 != 0 {
        set(&mut rwc.src_a, 1, op.rwc_a, src::ROWS as u32);
    }
    if op.bit_mask & 2 != 0 {
        set(&mut rwc.src_b, 2, op.rwc_b, src::ROWS as u32);
    }
    if op.rwc_cr & 8 != 0 {
        rwc.dst.step(Move { increment: op.rwc_d, to_cr: true, ..Move::default() }, dst::ROWS as u32);
    } else if op.bit_mask & 4 != 0 {
        set(&mut rwc.dst, 4, op.rwc_d, dst::ROWS as u32);
    }
    if op.bit_mask & 8 != 0 {
        rwc.fidelity = 0;
    }
    flip_sources(t, thread, op.clear_ab_vld)?;
    Ok(Step::Done)
}

/// `INCRWC`: moves counters on, or their copies and the counters there.
pub fn incrwc(rwc: &mut Rwc, word: u32) -> Exec {
    let op = INCRWC::decode(word);
    let by = |increment, bit| Move { increment, cr: op.rwc_cr & bit != 0, ..Move::default() };
    rwc.src_a.step(by(op.rwc_a, 1), src::ROWS as u32);
    rwc.src_b.step(by(op.rwc_b, 2), src::ROWS as u32);
    rwc.dst.step(by(op.rwc_d, 4), dst::ROWS as u32);
    Ok(Step::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(value: u32, cr: u32) -> Counter {
        Counter { value, cr }
    }

    #[test]
    fn counters_wrap_return_and_remember() {
        let step = |from: (u32, u32), move_: Move| {
            let mut c = counter(from.0, from.1);
            c.step(move_, 64);
            (c.value, c.cr)
        };
        let by = |increment| Move { increment, ..Move::default() };
        assert_eq!(step((62, 7), by(3)), (1, 7));
        assert_eq!(step((62, 7), Move { cr: true, ..by(3) }), (10, 10));
        assert_eq!(step((62, 7), Move { to_cr: true, cr: true, ..by(3) }), (1, 1));
        assert_eq!(step((62, 7), Move { clear: true, to_cr: true, ..by(3) }), (0, 0));
    }

    #[test]
    fn setrwc_and_incrwc() {
        let mut t = crate::model::tensix::testing::tensix();
        let set = SETRWC { rwc_a: 5, rwc_b: 6, rwc_d: 7, bit_mask: 7, ..SETRWC::ZERO };
        setrwc(&mut t, 0, set.word()).unwrap();
        incrwc(&mut t.rwc[0], INCRWC { rwc_a: 2, rwc_b: 2, rwc_d: 2, rwc_cr: 3 }.word()).unwrap();
        let rwc = t.rwc[0];
        assert_eq!((rwc.src_a, rwc.src_b, rwc.dst), (counter(7, 7), counter(8, 8), counter(9, 7)));
        setrwc(&mut t, 0, SETRWC { rwc_d: 1, rwc_cr: 8, ..SETRWC::ZERO }.word()).unwrap();
        assert_eq!(t.rwc[0].dst, counter(10, 10));
        setrwc(&mut t, 0, SETRWC { rwc_d: 1, rwc_cr: 4, bit_mask: 4, ..SETRWC::ZERO }.word()).unwrap();
        assert_eq!((t.rwc[0].dst, t.rwc[0].src_a), (counter(11, 11), counter(7, 7)));
        assert_eq!(t.rwc[1], Rwc::default());
    }

    #[test]
    fn setrwc_of_a_bank_that_is_not_valid_lets_other_threads_go_on_first() {
        let mut t = crate::model::tensix::testing::tensix();
        let word = SETRWC { clear_ab_vld: 3, rwc_a: 8, bit_mask: 1, ..SETRWC::ZERO }.word();
        t.src_a.give_to_matrix().unwrap();
        assert_eq!(setrwc(&mut t, 1, word).unwrap(), Step::Stall);
        assert_eq!((t.rwc[1], t.src_a.matrix_ready()), (Rwc::default(), true));
        assert!(check_setrwc(&t, 1, word).unwrap_err().to_string().contains("SrcB bank 0 is not valid"));
        t.src_b.give_to_matrix().unwrap();
        assert_eq!(setrwc(&mut t, 1, word).unwrap(), Step::Done);
        assert_eq!((t.src_a.matrix_bank, t.src_b.matrix_bank, t.rwc[1].src_a.value), (1, 1, 8));
        assert_eq!(setrwc(&mut t, 1, word).unwrap(), Step::Stall);
    }

    #[test]
    fn the_bias_selects_the_upper_address_modifiers() {
        let mut cfg = ConfigState::new(&tt_isa::chip::WORMHOLE);
        let bias = |field: CfgField, n| (field.index + n * BIAS_STRIDE, field.value(1) as u16);
        let (index, value) = bias(t::ADDR_MOD_BIAS_SEC0_BiasIncr, 1);
        cfg.set_thread(0, index, value).unwrap();
        let (index, value) = bias(t::ADDR_MOD_BIAS_SEC0_BiasClear, 5);
        cfg.set_thread(0, index, value).unwrap();
        let field = nth(t::ADDR_MOD_AB_SEC0_SrcAIncr, 5, AB_STRIDE);
        cfg.set_thread(0, field.index, field.value(9) as u16).unwrap();
        let mut rwc = Rwc::default();
        let mut apply = |n| {
            apply_addr_mod(&mut rwc, &cfg, 0, n, true).unwrap();
            (rwc.bias, rwc.src_a.value)
        };
        assert_eq!([apply(1), apply(1), apply(0)], [(1, 0), (0, 9), (0, 9)]);
    }
}
