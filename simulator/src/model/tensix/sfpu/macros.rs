//! `SFPLOADMACRO`: a load, and up to four instructions scheduled for later, one for each sub-unit except the
//! load's (`SFPLOADMACRO.md`).
//!
//! ```text
//! cycle      issued            simple     MAD        round     store
//! 0          SFPLOADMACRO
//! 1          the next one      delay 0    delay 0    ..        ..
//! 2          ..                delay 1    ..
//! ```
//!
//! Time is counted in instructions of the thread: each takes one cycle. All instructions of one cycle read the
//! registers as they were before it, and the MAD sub-unit's results appear one cycle later than the
//! others'. This applies while something is scheduled; otherwise instructions execute one after another, as
//! everywhere else in this module.
//!
//! Delays in cycles would depend on how long the thread stalls. Software uses delays in instructions
//! (`WaitForElapsedInstructions`); delays in cycles other than 0 are refused.

use tt_isa::insn::{Opcode, SubUnit, Unit};
use tt_isa::sfpu::{lreg, sfploadmacro as bits, sfpshft2};

use super::config::{Columns, LaneConfig, LoadMacroConfig};
use super::flags::FlagStack;
use super::lanes::{ALL, LaneMask, Lanes, blend};
use super::operands::Operands;
use super::{LREGS, SfpuState, dispatch, dst_access};
use crate::fault::Fault;
use crate::model::tensix::{Exec, Step, Tensix};

const PAGE: &str = "TensixTile/TensixCoprocessor/SFPLOADMACRO.md";

/// Sub-units that can be scheduled, in the order of `Sequence`.
const SCHEDULED: [SubUnit; 4] = [SubUnit::Simple, SubUnit::Mad, SubUnit::Round, SubUnit::Store];

/// Where an instruction of the vector unit executes if it is issued by a thread; any other one nowhere.
fn sub_unit(opcode: Opcode) -> Option<SubUnit> {
    match opcode.unit() {
        Unit::Vector(sub_unit) => Some(sub_unit),
        _ => None,
    }
}

/// Whether an instruction can be scheduled to a sub-unit.
fn can_execute(unit: SubUnit, opcode: Opcode) -> bool {
    sub_unit(opcode) == Some(unit) || opcode == Opcode::SFPNOP && unit != SubUnit::Store
}

/// An instruction to come.
#[derive(Clone, Copy, Debug)]
struct Scheduled {
    op: Operands,
    unit: SubUnit,
    /// Instructions of the vector unit that come first.
    delay: u32,
    /// Dst address of a store.
    address: usize,
}

/// What is scheduled, and results that are not there yet.
#[derive(Clone, Default, Debug)]
pub struct Schedule {
    thread: usize,
    instructions: Vec<Scheduled>,
    late: Vec<Write>,
    /// The instruction before was `SFPSWAP`: only `SFPNOP` can have the next cycle.
    after_swap: bool,
    /// A scheduled `SFPSWAP` executed in the cycle before: it needs the simple and round sub-units for another.
    swapping: bool,
}

/// A register's new lanes.
#[derive(Clone, Debug)]
struct Write {
    register: usize,
    lanes: LaneMask,
    value: Lanes,
}

/// State that instructions of one cycle share and one of them may change.
#[derive(Clone)]
struct Snapshot {
    lreg: [Lanes; LREGS],
    flags: LaneMask,
    use_flags: LaneMask,
    stack: FlagStack,
    config: LaneConfig,
    load_macro: LoadMacroConfig,
}

impl SfpuState {
    /// Whether something is to come.
    #[inline]
    pub fn has_scheduled(&self) -> bool {
        !self.schedule.instructions.is_empty() || !self.schedule.late.is_empty()
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            lreg: self.lreg,
            flags: self.flags,
            use_flags: self.use_flags,
            stack: self.stack.clone(),
            config: self.config.clone(),
            load_macro: self.load_macro.clone(),
        }
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        let Snapshot { lreg, flags, use_flags, stack, config, load_macro } = snapshot.clone();
        self.lreg = lreg;
        (self.flags, self.use_flags, self.stack) = (flags, use_flags, stack);
        (self.config, self.load_macro) = (config, load_macro);
    }

    /// Registers that differ from `before`, as writes.
    fn writes_since(&self, before: &Snapshot) -> Vec<Write> {
        let changed = |register: usize| {
            let (old, new) = (&before.lreg[register], &self.lreg[register]);
            let lanes = (0..old.len()).fold(0, |mask, i| mask | LaneMask::from(old[i] != new[i]) << i);
            (lanes != 0).then_some(Write { register, lanes, value: *new })
        };
        (0..LREGS).filter_map(changed).collect()
    }

    fn commit(&mut self, writes: &[Write]) {
        for write in writes {
            blend(&mut self.lreg[write.register], &write.value, write.lanes);
        }
    }
}

/// Executes an instruction that a thread issued, with those whose time has come.
pub fn issue(t: &mut Tensix, thread: usize, op: &Operands, lanes: LaneMask) -> Exec {
    if std::mem::take(&mut t.sfpu.schedule.after_swap) && op.opcode != Opcode::SFPNOP {
        pass(t, thread)?;
    }
    t.sfpu.schedule.after_swap = op.opcode == Opcode::SFPSWAP;
    let due = take_due(t, true);
    let unit = sub_unit(op.opcode);
    if let (Some(unit), Some(other)) = (unit, due.iter().find(|other| Some(other.unit) == unit)) {
        let what = format!(
            "{:?} is lost: {:?}, which SFPLOADMACRO scheduled for this cycle, takes the {unit:?} sub-unit",
            op.opcode, other.op.opcode
        );
        return Err(Fault::program(what).page(PAGE));
    }
    cycle(t, thread, Some((op, lanes)), &due)?;
    Ok(Step::Done)
}

/// A cycle in which `thread` issues nothing to the vector unit: what was scheduled for it executes.
pub fn pass(t: &mut Tensix, thread: usize) -> Result<(), Fault> {
    if t.sfpu.schedule.thread != thread {
        return Ok(());
    }
    let due = take_due(t, false);
    cycle(t, thread, None, &due)
}

/// Cycles until nothing happens by itself any more: `thread` has nothing to execute.
pub fn settle(t: &mut Tensix, thread: usize) -> Result<(), Fault> {
    let moves = |schedule: &Schedule| {
        !schedule.late.is_empty() || schedule.instructions.iter().any(|scheduled| scheduled.delay == 0)
    };
    while t.sfpu.schedule.thread == thread && moves(&t.sfpu.schedule) {
        pass(t, thread)?;
    }
    Ok(())
}

/// Takes the instructions of this cycle; the others count the one that is being issued.
fn take_due(t: &mut Tensix, issued: bool) -> Vec<Scheduled> {
    let instructions = &mut t.sfpu.schedule.instructions;
    let due = instructions.extract_if(.., |scheduled| scheduled.delay == 0).collect();
    if issued {
        instructions.iter_mut().for_each(|scheduled| scheduled.delay -= 1);
    }
    due
}

/// One cycle: each instruction sees the registers as they were before.
fn cycle(
    t: &mut Tensix,
    thread: usize,
    issued: Option<(&Operands, LaneMask)>,
    due: &[Scheduled],
) -> Result<(), Fault> {
    check_together(due)?;
    check_after_swap(t, due)?;
    let owner = t.sfpu.schedule.thread;
    let before = t.sfpu.snapshot();
    let mut after = before.clone();
    let (mut writes, mut late) = (std::mem::take(&mut t.sfpu.schedule.late), Vec::new());
    let mut execute =
        |t: &mut Tensix, op: &Operands, unit: Option<SubUnit>, run: &mut dyn FnMut(&mut Tensix) -> Exec| {
            t.sfpu.restore(&before);
            run(t)?;
            let list = if is_late(op) { &mut late } else { &mut writes };
            list.extend(t.sfpu.writes_since(&before));
            if unit == Some(SubUnit::Simple) {
                after = Snapshot { lreg: before.lreg, ..t.sfpu.snapshot() };
            }
            Ok::<(), Fault>(())
        };
    for scheduled in due {
        execute(t, &scheduled.op, Some(scheduled.unit), &mut |t| {
            if scheduled.unit == SubUnit::Store {
                dst_access::store_at(t, owner, &scheduled.op, scheduled.address, ALL);
                return Ok(Step::Done);
            }
            dispatch(t, owner, &scheduled.op, ALL)
        })?;
    }
    if let Some((op, lanes)) = issued {
        execute(t, op, sub_unit(op.opcode), &mut |t| dispatch(t, thread, op, lanes))?;
    }
    t.sfpu.restore(&after);
    t.sfpu.commit(&writes);
    t.sfpu.schedule.late = late;
    Ok(())
}

/// Whether an instruction's results are there a cycle later than others'.
fn is_late(op: &Operands) -> bool {
    match op.opcode {
        Opcode::SFPSHFT2 => {
            (sfpshft2::SUBVEC_SHFLROR1_AND_COPY4..=sfpshft2::SUBVEC_SHFLSHR1).contains(&op.modifier)
        }
        opcode => opcode.effects().cost.is_some_and(|cost| cost.latency > 1),
    }
}

/// Refuses instructions that cannot share a cycle.
fn check_together(due: &[Scheduled]) -> Result<(), Fault> {
    let of =
        |unit: SubUnit| due.iter().find(|scheduled| scheduled.unit == unit).map(|scheduled| &scheduled.op);
    let works = |op: &&Operands| op.opcode != Opcode::SFPNOP;
    if let (Some(simple), Some(round)) = (of(SubUnit::Simple).filter(works), of(SubUnit::Round).filter(works))
    {
        // Registers 0 to 3, 4 to 7, and the macros' own have a write port each.
        let bank = |op: &Operands| op.vd / 4;
        if bank(simple) == bank(round) {
            let what = format!(
                "{:?} to LReg[{}] and {:?} to LReg[{}] in one cycle",
                simple.opcode, simple.vd, round.opcode, round.vd
            );
            return Err(Fault::program(what).page(PAGE));
        }
    }
    let swaps = of(SubUnit::Simple).is_some_and(|op| op.opcode == Opcode::SFPSWAP);
    if swaps && of(SubUnit::Mad).is_none_or(|op| op.opcode != Opcode::SFPNOP) {
        return Err(Fault::program("SFPSWAP scheduled without SFPNOP in the MAD sub-unit").page(PAGE));
    }
    Ok(())
}

/// Refuses what a scheduled `SFPSWAP` of the cycle before leaves no room for.
fn check_after_swap(t: &mut Tensix, due: &[Scheduled]) -> Result<(), Fault> {
    let swaps = due.iter().any(|scheduled| scheduled.op.opcode == Opcode::SFPSWAP);
    if !std::mem::replace(&mut t.sfpu.schedule.swapping, swaps) {
        return Ok(());
    }
    let needs = |unit: SubUnit| matches!(unit, SubUnit::Simple | SubUnit::Round);
    match due.iter().find(|other| needs(other.unit) && other.op.opcode != Opcode::SFPNOP) {
        None => Ok(()),
        Some(other) => {
            let what = format!("{:?} scheduled for the cycle after a scheduled SFPSWAP", other.op.opcode);
            Err(Fault::program(what).page(PAGE))
        }
    }
}

/// `SFPLOADMACRO`, when its cycle comes.
pub fn sfploadmacro(t: &mut Tensix, thread: usize, op: &Operands) -> Exec {
    let (index, low) = (op.vd >> 2, op.vd & 3);
    let load = Operands { opcode: Opcode::SFPLOAD, vd: (op.immediate as usize & 1) << 2 | low, ..*op };
    let address = dst_access::address(t, thread, &load);
    schedule(&mut t.sfpu, index, &load, address)?;
    t.sfpu.schedule.thread = thread;
    dst_access::sfpload(t, thread, &load)
}

/// The one value that all columns have.
fn uniform(columns: &Columns, what: &str) -> Result<u32, Fault> {
    match columns.iter().all(|value| *value == columns[0]) {
        true => Ok(columns[0]),
        false => {
            Err(Fault::not_implemented(format!("SFPLOADMACRO with another {what} in each lane")).page(PAGE))
        }
    }
}

fn schedule(sfpu: &mut SfpuState, index: usize, load: &Operands, address: usize) -> Result<(), Fault> {
    let sequence = uniform(&sfpu.load_macro.sequences[index], "Sequence")?;
    let misc = uniform(&sfpu.load_macro.misc, "Misc")?;
    for (i, unit) in SCHEDULED.into_iter().enumerate() {
        let part = sequence >> (bits::UNIT_BITS * i as u32) & 0xFF;
        let delay = part >> bits::DELAY_SHIFT & 7;
        // An instruction of the same time is forgotten, even for nothing; the last place is never taken.
        if delay != 7 {
            sfpu.schedule.instructions.retain(|other| other.unit != unit || other.delay != delay);
        }
        let Some(template) = template(sfpu, unit, part)? else { continue };
        if delay > 0 && misc >> (bits::UNIT_DELAY_KIND_SHIFT + i as u32) & 1 == 0 {
            let what =
                format!("a delay of {delay} cycles in the {unit:?} sub-unit: it would depend on stalls");
            return Err(Fault::not_implemented(what).page(PAGE));
        }
        let op = if unit == SubUnit::Store {
            let uses_load = misc >> (bits::USES_LOAD_MOD0_SHIFT + index as u32) & 1 != 0;
            let modifier = if uses_load { load.modifier } else { misc & bits::STORE_MOD0 };
            let vd = match part {
                part if part & bits::USE_MACRO_REGISTER != 0 => lreg::MACRO as usize,
                part if part & bits::REPLACE_VB != 0 => template.vd,
                _ => load.vd,
            };
            Operands { vd, modifier, ..template }
        } else {
            replace_operands(template, part, load.vd)
        };
        sfpu.schedule.instructions.push(Scheduled { op, unit, delay, address });
    }
    Ok(())
}

/// The instruction that a part of `Sequence` selects, before its operands are replaced.
fn template(sfpu: &SfpuState, unit: SubUnit, part: u32) -> Result<Option<Operands>, Fault> {
    let nop = Operands::decode(Opcode::SFPNOP, 0);
    let op = match part & bits::SELECT {
        bits::SELECT_NOTHING => return Ok(None),
        bits::SELECT_NOP => nop,
        bits::SELECT_STORE => Operands::decode(Opcode::SFPSTORE, 0),
        select @ bits::SELECT_TEMPLATE.. => {
            let columns = &sfpu.load_macro.templates[(select - bits::SELECT_TEMPLATE) as usize];
            let word = uniform(columns, "InstructionTemplate")?;
            let opcode = crate::model::tensix::check_word(word)?;
            Operands::decode(opcode, word)
        }
        select => return Err(Fault::undocumented(format!("SFPLOADMACRO that schedules {select}")).page(PAGE)),
    };
    match can_execute(unit, op.opcode) {
        true => Ok(Some(op)),
        false if unit == SubUnit::Store => {
            Err(Fault::undocumented(format!("{:?} scheduled to the Store sub-unit", op.opcode)).page(PAGE))
        }
        false => Ok(Some(nop)),
    }
}

/// Puts the loaded register in place of an operand and of the result. Operands that the template does not
/// have are its own `VD`.
fn replace_operands(template: Operands, part: u32, loaded: usize) -> Operands {
    let mut op = template;
    if part & bits::REPLACE_VB != 0 {
        op.vb = loaded;
    } else {
        op.vc = loaded;
    }
    op.vd = if part & bits::USE_MACRO_REGISTER != 0 { lreg::MACRO as usize } else { loaded };
    op
}
