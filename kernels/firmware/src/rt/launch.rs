//! The launch loop of every core (protocol: [`tt_kernel_abi::launch`]).
//!
//! An operator's part gets a [`Launch`]. It becomes a [`Lane`](super::lane::Lane), which has half of the heap for itself, or a
//! [`TileLaunch`], whose cores divide the heap among themselves; either takes it for good, so nobody has both.
#![allow(unsafe_code)]

use super::boot;
use super::l1::{L1, outside};
use super::leader::Leader;
use super::mmio::{self, Register};
use super::noc::Noc;
use super::ring::LaterStep;
use super::sync;
use core::mem::offset_of;
use core::ops::Deref;
use tt_isa::map::RiscV;
use tt_kernel_abi::launch::{ErrorCode, ErrorReport, Progress, Stage};
use tt_kernel_abi::operators::Operator;
use tt_kernel_abi::sfpu::ON_SFPU;
use tt_kernel_abi::{BootConfig, Op, OpDescriptor, l1};

/// A word of the mailbox.
#[inline(always)]
pub(super) fn mailbox(addr: u32) -> Register {
    if !(l1::MAILBOX..l1::MAILBOX_END).contains(&addr) || !addr.is_multiple_of(4) {
        outside();
    }
    // SAFETY: inside the mailbox, to whose words there are no references.
    unsafe { Register::at(addr) }
}

/// What an operator's part on one core gets to see.
pub struct Launch<'a> {
    /// The descriptor.
    pub op: &'a OpDescriptor,
    /// This worker's number.
    pub index: u32,
    pub(super) core: RiscV,
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
        mailbox(l1::progress_words(self.core) + offset_of!(Progress, detail) as u32).store(unit);
    }

    /// Notes an error; the launch completes all the same, and the host is told.
    pub fn fail(&self, code: ErrorCode, detail: u32, value: u32) {
        let at = |offset: usize| mailbox(l1::ERROR_REPORT + offset as u32);
        at(offset_of!(ErrorReport, core)).store(self.core as u32);
        at(offset_of!(ErrorReport, detail)).store(detail);
        at(offset_of!(ErrorReport, value)).store(value);
        // Last: it says that the report is this launch's.
        at(offset_of!(ErrorReport, code)).store(ErrorReport::tag(code, self.op.seq));
    }
}

/// A launch for whose operator the cores of a tile work together. They divide the heap by a map that is the operator's own: every core
/// has ranges of all of it, and they tell each other when one may be used ([`super::sync`]).
pub struct TileLaunch<'a>(Launch<'a>);

impl<'a> TileLaunch<'a> {
    /// This core's part of a launch.
    pub fn new(launch: Launch<'a>) -> Self {
        Self(launch)
    }

    /// `len` bytes of the heap from `at` on, an address of the operator's map.
    #[inline(always)]
    pub fn l1(&self, at: u32, len: u32) -> L1<'_> {
        if !(l1::HEAP..=l1::HEAP_END).contains(&at) || len > l1::HEAP_END - at {
            outside();
        }
        // SAFETY: inside the heap. No core of the tile has slices of it: this one's `Launch` is in here and did not become a lane, and
        // the table of operators has all cores of a launch work in the same way.
        unsafe { L1::new(at, len) }
    }
}

impl<'a> Deref for TileLaunch<'a> {
    type Target = Launch<'a>;

    #[inline(always)]
    fn deref(&self) -> &Launch<'a> {
        &self.0
    }
}

/// Notes what a core is doing.
pub(super) fn set_stage(core: RiscV, stage: Stage, seq: u32) {
    mailbox(l1::progress_words(core)).store(Progress::state(stage, seq));
}

/// Runs one launch on this core: `run` gets the operator and does this core's part. Gives the descriptor, which is there until all cores have
/// completed the launch.
fn launch<'a>(core: RiscV, seq: u32, run: impl FnOnce(Op, Launch)) -> &'a OpDescriptor {
    set_stage(core, Stage::Running, seq);
    // SAFETY: a descriptor is there, in words of any pattern, and is written to again only when all cores have completed this launch.
    let op: &'a OpDescriptor = unsafe { &*(l1::launch(seq) as *const OpDescriptor) };
    let launch = Launch { op, index: boot::word(offset_of!(BootConfig, index)).load(), core };
    match Op::from_code(op.op) {
        Some(_) if !launch.takes_part() => {}
        Some(op) => run(op, launch),
        None if core == RiscV::Brisc => launch.fail(ErrorCode::UnknownOp, 0, op.op),
        None => {}
    }
    op
}

/// Launch loop of T0, T1, T2 and NCRISC.
pub fn serve(core: RiscV, run: fn(Op, Launch)) -> ! {
    let mut seq = 0;
    loop {
        set_stage(core, Stage::Idle, seq);
        seq = mailbox(l1::GO).wait_while_equal(seq);
        launch(core, seq, run);
        mmio::order();
        mailbox(l1::done_word(core)).store(seq);
    }
}

/// The cores that BRISC waits for.
const SIBLINGS: [RiscV; 4] = [RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2, RiscV::Ncrisc];

/// Waits until BRISC's siblings poll the go word for the first time.
pub(super) fn wait_for_siblings_idle() {
    for core in SIBLINGS {
        while mailbox(l1::progress_words(core)).load() != Progress::state(Stage::Idle, 0) {}
    }
}

/// What BRISC does in the launch loop.
pub trait Work {
    /// Its part of an operator.
    fn run(&mut self, op: Op, launch: Launch);
    /// What comes between its part of a launch, if it has one, and the wait for its tile's other cores.
    fn after(&mut self, op: &OpDescriptor);
    /// The tile's other cores have completed the launch, too.
    fn joined(&mut self);
    /// Whether there is something to do in [`wait`](Self::wait).
    fn is_idle(&self) -> bool;
    /// A little of what is done while BRISC waits for others. It waits for nothing.
    fn wait(&mut self);
}

/// Waits for another go word than that of launch `seq`.
fn wait_for_go(seq: u32, work: &mut impl Work) -> u32 {
    while !work.is_idle() {
        if let Some(go) = mailbox(l1::GO).look(|go| go != seq) {
            return go;
        }
        work.wait();
    }
    mailbox(l1::GO).wait_while_equal(seq)
}

/// Adds one to a count of the leader's; nobody wants the old value.
///
/// # Safety
/// `word` is one for atomics.
unsafe fn count(leader: u32, word: u32) {
    let noc = Noc::new(0);
    // The host may take the tile away as soon as the leader has the count. Whoever has it next must not take the answer for one of his own.
    mailbox(l1::COUNT_ANSWERS + 4).store(noc.atomics().wrapping_add(1));
    mailbox(l1::COUNT_ANSWERS).store(1);
    mailbox(l1::COUNT_ANSWERS).load_and_wait();
    // SAFETY: by contract.
    unsafe { noc.increment(leader, word, sync::ATOMIC_RETURN) };
}

/// Launch loop of BRISC: also joins the other cores and counts the worker on the completion word. The leader's starts the steps of streams.
/// What it does while it waits is made from the place of a later step's descriptor.
pub fn serve_and_complete<W: Work>(work: fn(u32, LaterStep) -> W) -> ! {
    // SAFETY: the only one.
    let mut work = work(boot::word(offset_of!(BootConfig, index)).load(), unsafe { LaterStep::new() });
    let completion = boot::word(offset_of!(BootConfig, completion_node)).load();
    let mut leader = Leader::here();
    let mut seq = 0;
    loop {
        // SAFETY: the leader's count of completions.
        unsafe { count(completion, l1::COMPLETION) };
        set_stage(RiscV::Brisc, Stage::Idle, seq);
        seq = match &mut leader {
            Some(leader) => leader.next(seq, &mut work),
            None => wait_for_go(seq, &mut work),
        };
        let op = launch(RiscV::Brisc, seq, |op, launch| work.run(op, launch));
        set_stage(RiscV::Brisc, Stage::Joining, seq);
        if let Some(leader) = &mut leader {
            leader.send(seq);
        }
        work.after(op);
        for core in SIBLINGS {
            while !work.is_idle() && mailbox(l1::done_word(core)).look(|done| done == seq).is_none() {
                if let Some(leader) = &leader {
                    leader.stop_if_told();
                }
                work.wait();
            }
            match &leader {
                None => while mailbox(l1::done_word(core)).load() != seq {},
                // A sibling that hangs never is done.
                Some(leader) => {
                    while mailbox(l1::done_word(core)).look(|done| done == seq).is_none() {
                        leader.stop_if_told();
                    }
                }
            }
        }
        mmio::order();
        work.joined();
        sync::clear();
        let report = mailbox(l1::ERROR_REPORT).load();
        if report != 0 && report >> 8 == seq & 0xFF_FFFF {
            // SAFETY: the leader's count of errors.
            unsafe { count(completion, l1::ERROR_COUNT) };
        }
    }
}
