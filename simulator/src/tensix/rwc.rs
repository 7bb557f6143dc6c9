//! Register window counters: where in SrcA, SrcB and Dst the next matrix or vector instruction works, and which
//! fidelity phase it computes (`RWCs.md`).
//!
//! Each thread has its own set. Instructions name an address modifier (four `ThreadConfig` registers) that moves
//! the counters on afterwards; "CR" variants count a carriage return copy on and return to it.

use tt_isa::cfg::CfgField;
use tt_isa::cfg::thread as t;
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
        } else if move_.cr {
            self.set((self.cr + move_.increment) & mask);
        } else {
            self.value = (self.value + move_.increment) & mask;
            if move_.to_cr {
                self.cr = self.value;
            }
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

const PAGE: &str = "TensixTile/TensixCoprocessor/RWCs.md";

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
    if move_dst.to_cr && (move_dst.clear || move_dst.cr) {
        return Err(Fault::undocumented("DestCToCR together with DestClear or DestCR").page(PAGE));
    }
    rwc.dst.step(move_dst, dst::ROWS as u32);
    if phase {
        rwc.fidelity = match dest(t::ADDR_MOD_DST_SEC0_FidelityClear) {
            0 => (rwc.fidelity + dest(t::ADDR_MOD_DST_SEC0_FidelityIncr)) & 3,
            _ => 0,
        };
    }
    let bias = |field| cfg.thread(thread, nth(field, n, BIAS_STRIDE));
    if bias(t::ADDR_MOD_BIAS_SEC0_BiasClear) != 0 {
        return Err(Fault::not_implemented("BiasClear in an address modifier").page(PAGE));
    }
    match bias(t::ADDR_MOD_BIAS_SEC0_BiasIncr) {
        0 => {}
        1 => rwc.bias ^= 1,
        n => return Err(Fault::undocumented(format!("BiasIncr {n}")).page(PAGE)),
    }
    Ok(())
}

/// Hands the matrix unit's banks back to the unpackers (`FlipSrcA`, `FlipSrcB`): bit 0 SrcA, bit 1 SrcB.
pub fn flip_sources(t: &mut Tensix, thread: usize, flip: u32) -> Result<(), Fault> {
    use tt_isa::cfg::thread::{CLR_DVALID_SrcA_Disable, CLR_DVALID_SrcB_Disable};
    if flip & 1 != 0 {
        t.src_a.flip_matrix(t.cfg.thread(thread, CLR_DVALID_SrcA_Disable) == 0)?;
    }
    if flip & 2 != 0 {
        t.src_b.flip_matrix(t.cfg.thread(thread, CLR_DVALID_SrcB_Disable) == 0)?;
    }
    Ok(())
}

/// `SETRWC`.
pub fn setrwc(t: &mut Tensix, thread: usize, word: u32) -> Exec {
    let op = SETRWC::decode(word);
    if op.rwc_cr > 7 || op.rwc_cr & 3 & !op.bit_mask != 0 {
        return Err(Fault::undocumented(format!("rwc_cr {:#x} with bit_mask {:#x}", op.rwc_cr, op.bit_mask))
            .page(PAGE));
    }
    let rwc = &mut t.rwc[thread];
    let set = |counter: &mut Counter, bit: u32, value: u32, rows: u32| {
        if op.bit_mask & bit != 0 {
            counter.set(if op.rwc_cr & bit != 0 { (counter.cr + value) & (rows - 1) } else { value });
        }
    };
    set(&mut rwc.src_a, 1, op.rwc_a, src::ROWS as u32);
    set(&mut rwc.src_b, 2, op.rwc_b, src::ROWS as u32);
    set(&mut rwc.dst, 4, op.rwc_d, dst::ROWS as u32);
    if op.bit_mask & 8 != 0 {
        rwc.fidelity = 0;
    }
    flip_sources(t, thread, op.clear_ab_vld)?;
    Ok(Step::Done)
}

/// `INCRWC`.
pub fn incrwc(rwc: &mut Rwc, word: u32) -> Exec {
    let op = INCRWC::decode(word);
    if op.rwc_cr & !4 != 0 {
        return Err(Fault::undocumented(format!("rwc_cr {:#x}", op.rwc_cr)).page(PAGE));
    }
    let plain = |increment| Move { increment, ..Move::default() };
    rwc.src_a.step(plain(op.rwc_a), src::ROWS as u32);
    rwc.src_b.step(plain(op.rwc_b), src::ROWS as u32);
    rwc.dst.step(Move { cr: op.rwc_cr & 4 != 0, ..plain(op.rwc_d) }, dst::ROWS as u32);
    Ok(Step::Done)
}
