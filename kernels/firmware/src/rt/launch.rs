//! The launch loop of every core (protocol: [`tt_kernel_abi::launch`]).
//!
//! # Safety
//!
//! One block: the descriptor is read as a struct from its place in L1. The host writes it only while every
//! core waits for the go word, so it does not change while it is read.
#![allow(unsafe_code)]

use super::mmio::{self, load, store};
use super::noc::Noc;
use super::sync;
use crate::boot_word;
use core::mem::offset_of;
use tt_isa::map::RiscV;
use tt_kernel_abi::launch::{ErrorCode, ErrorReport, Progress, Stage};
use tt_kernel_abi::operators::Operator;
use tt_kernel_abi::sfpu::ON_SFPU;
use tt_kernel_abi::{Op, OpDescriptor, l1};

/// What an operator's part on one core gets to see.
pub struct Launch<'a> {
    /// The descriptor.
    pub op: &'a OpDescriptor,
    /// This worker's number.
    pub index: u32,
    core: RiscV,
}

impl<'a> Launch<'a> {
    /// The parameters, if the descriptor is one of this operator.
    #[inline(always)]
    pub fn params<O: Operator>(&self) -> &'a O::Params {
        self.op.params.get::<O>()
    }

    /// Whether all five cores work on an operator together that lanes could do as well.
    pub fn on_vector_unit(&self) -> bool {
        self.op.flags & ON_SFPU != 0
    }

    /// Whether this worker takes part.
    pub fn takes_part(&self) -> bool {
        self.index < self.op.cores
    }

    /// Notes which unit of work the core is at, for the report after a time-out.
    pub fn progress(&self, unit: u32) {
        store(l1::progress_words(self.core) + offset_of!(Progress, detail) as u32, unit);
    }

    /// Notes an error; the launch completes all the same, and the host is told.
    pub fn fail(&self, code: ErrorCode, detail: u32, value: u32) {
        let at = |offset: usize| l1::ERROR_REPORT + offset as u32;
        store(at(offset_of!(ErrorReport, core)), self.core as u32);
        store(at(offset_of!(ErrorReport, detail)), detail);
        store(at(offset_of!(ErrorReport, value)), value);
        // Last: it says that the report is this launch's.
        store(at(offset_of!(ErrorReport, code)), ErrorReport::tag(code, self.op.seq));
    }
}

fn stage(core: RiscV, stage: Stage, seq: u32) {
    store(l1::progress_words(core), Progress::state(stage, seq));
}

/// Runs one launch on this core: `run` gets the operator and does this core's part.
fn launch(core: RiscV, seq: u32, run: fn(Op, Launch)) {
    stage(core, Stage::Running, seq);
    // SAFETY: see the module.
    let op = unsafe { &*(l1::DESCRIPTOR as *const OpDescriptor) };
    let launch = Launch { op, index: boot_word!(index), core };
    match Op::from_code(op.op) {
        Some(_) if !launch.takes_part() => {}
        Some(op) => run(op, launch),
        None if core == RiscV::Brisc => launch.fail(ErrorCode::UnknownOp, 0, op.op),
        None => {}
    }
}

/// Launch loop of T0, T1, T2 and NCRISC.
pub fn serve(core: RiscV, run: fn(Op, Launch)) -> ! {
    let mut seq = 0;
    loop {
        stage(core, Stage::Idle, seq);
        seq = mmio::wait_while_equal(l1::GO, seq);
        launch(core, seq, run);
        mmio::order();
        store(l1::done_word(core), seq);
    }
}

/// The cores that BRISC waits for.
const SIBLINGS: [RiscV; 4] = [RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2, RiscV::Ncrisc];

/// Waits until BRISC's siblings poll the go word for the first time.
pub fn wait_for_siblings_idle() {
    for core in SIBLINGS {
        while load(l1::progress_words(core)) != Progress::state(Stage::Idle, 0) {}
    }
}

/// Launch loop of BRISC: also joins the other cores and counts the worker on the completion word.
pub fn serve_and_complete(run: fn(Op, Launch)) -> ! {
    let completion = boot_word!(completion_node);
    let mut seq = 0;
    loop {
        let noc = Noc::new(0);
        noc.increment(completion, l1::COMPLETION, sync::ATOMIC_RETURN);
        stage(RiscV::Brisc, Stage::Idle, seq);
        seq = mmio::wait_while_equal(l1::GO, seq);
        launch(RiscV::Brisc, seq, run);
        stage(RiscV::Brisc, Stage::Joining, seq);
        for core in SIBLINGS {
            while load(l1::done_word(core)) != seq {}
        }
        mmio::order();
        sync::clear();
        let report = load(l1::ERROR_REPORT);
        if report != 0 && report >> 8 == seq & 0xFF_FFFF {
            Noc::new(0).increment(completion, l1::ERROR_COUNT, sync::ATOMIC_RETURN);
        }
    }
}
