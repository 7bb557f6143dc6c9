//! Predication: lane flags, and the flag stack that compilers use for `if` and `else` (`VectorUnit.md`, Lane
//! Predication Masks; `SFPSETCC.md`, `SFPENCC.md`, `SFPPUSHC.md`, `SFPPOPC.md`, `SFPCOMPC.md`).

use tt_isa::insn::Opcode;
use tt_isa::sfpu::{sfpencc, sfpsetcc};

use super::SfpuState;
use super::lanes::{ALL, LaneMask, lanes_where};
use super::operands::Operands;
use crate::fault::Fault;

/// Entries that the stack holds.
const DEPTH: usize = 8;

/// One level of the stack, of all lanes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Entry {
    /// `LaneFlags`.
    pub flags: LaneMask,
    /// `UseLaneFlagsForLaneEnable`.
    pub use_flags: LaneMask,
    /// Lanes that have this level at all.
    occupied: LaneMask,
}

impl Entry {
    /// Replaces the bits of some lanes.
    fn blend(&mut self, new: Entry, lanes: LaneMask) {
        let pick = |old: LaneMask, new: LaneMask| old & !lanes | new & lanes;
        *self = Entry {
            flags: pick(self.flags, new.flags),
            use_flags: pick(self.use_flags, new.use_flags),
            occupied: pick(self.occupied, new.occupied),
        };
    }
}

/// `FlagStack`: the first level is the top.
#[derive(Clone, Default, Debug)]
pub struct FlagStack {
    levels: [Entry; DEPTH],
}

impl FlagStack {
    fn push(&mut self, entry: Entry, lanes: LaneMask) {
        for i in (1..DEPTH).rev() {
            let above = self.levels[i - 1];
            self.levels[i].blend(above, lanes);
        }
        self.levels[0].blend(Entry { occupied: ALL, ..entry }, lanes);
    }

    fn pop(&mut self, lanes: LaneMask) {
        for i in 0..DEPTH {
            let below = self.levels.get(i + 1).copied().unwrap_or_default();
            self.levels[i].blend(below, lanes);
        }
    }

    /// Lanes that have no room.
    fn full(&self) -> LaneMask {
        self.levels[DEPTH - 1].occupied
    }

    /// The top, and in lanes that have none these flags.
    fn top_or(&self, flags: LaneMask, use_flags: LaneMask) -> Entry {
        let mut top = Entry { flags, use_flags, occupied: 0 };
        top.blend(self.levels[0], self.levels[0].occupied);
        top
    }
}

/// Executes an instruction of this module in some lanes, enabled or not.
pub fn execute(sfpu: &mut SfpuState, op: &Operands, lanes: LaneMask) -> Result<(), Fault> {
    match op.opcode {
        Opcode::SFPSETCC => sfpsetcc(sfpu, op, lanes)?,
        Opcode::SFPENCC => sfpencc(sfpu, op, lanes)?,
        Opcode::SFPPUSHC => sfppushc(sfpu, op, lanes)?,
        Opcode::SFPPOPC => sfppopc(sfpu, op, lanes)?,
        _ => sfpcompc(sfpu, lanes),
    }
    Ok(())
}

impl SfpuState {
    fn replace_flags(&mut self, flags: LaneMask, lanes: LaneMask) {
        self.flags = self.flags & !lanes | flags & lanes;
    }

    fn replace_use_flags(&mut self, use_flags: LaneMask, lanes: LaneMask) {
        self.use_flags = self.use_flags & !lanes | use_flags & lanes;
    }
}

fn sfpsetcc(sfpu: &mut SfpuState, op: &Operands, lanes: LaneMask) -> Result<(), Fault> {
    use sfpsetcc::*;
    let c = &sfpu.lreg[op.vc];
    let flags = if op.has(CLEAR) {
        0
    } else if op.has(IMM_BIT0) {
        if op.immediate != 0 { ALL } else { 0 }
    } else {
        match op.modifier {
            LREG_LT0 => lanes_where(c, |c| (c as i32) < 0),
            LREG_NE0 => lanes_where(c, |c| c != 0),
            LREG_GTE0 => lanes_where(c, |c| (c as i32) >= 0),
            LREG_EQ0 => lanes_where(c, |c| c == 0),
            _ => return Err(op.undefined_modifier()),
        }
    };
    // Lanes that take part independent of their flags get them cleared.
    let flags = flags & sfpu.use_flags;
    sfpu.replace_flags(flags, lanes & sfpu.enabled());
    Ok(())
}

fn sfpencc(sfpu: &mut SfpuState, op: &Operands, lanes: LaneMask) -> Result<(), Fault> {
    use sfpencc::*;
    op.allow(EC | EI | RI)?;
    let all = |bit: u32| if op.immediate & bit != 0 { ALL } else { 0 };
    if op.has(EI) {
        sfpu.replace_use_flags(all(IMM_E), lanes);
    } else if op.has(EC) {
        sfpu.use_flags ^= lanes;
    }
    sfpu.replace_flags(if op.has(RI) { all(IMM_R) } else { ALL }, lanes);
    Ok(())
}

fn sfppushc(sfpu: &mut SfpuState, op: &Operands, lanes: LaneMask) -> Result<(), Fault> {
    op.allow(0)?;
    if sfpu.stack.full() & lanes != 0 {
        let what = format!("SFPPUSHC on a full stack: it has {DEPTH} entries");
        return Err(Fault::program(what).page(op.page()));
    }
    let entry = Entry { flags: sfpu.flags, use_flags: sfpu.use_flags, ..Entry::default() };
    sfpu.stack.push(entry, lanes);
    Ok(())
}

fn sfppopc(sfpu: &mut SfpuState, op: &Operands, lanes: LaneMask) -> Result<(), Fault> {
    let top = sfpu.stack.top_or(0, 0);
    let full = sfpu.stack.full() & lanes;
    if op.modifier == 0 {
        if !sfpu.stack.levels[0].occupied & lanes != 0 {
            return Err(Fault::program("SFPPOPC from an empty stack").page(op.page()));
        }
        sfpu.stack.pop(lanes);
    } else {
        // Hardware's fault: looking at a full stack overwrites its bottom.
        sfpu.stack.levels[DEPTH - 1].blend(top, full);
    }
    let (a, b) = (sfpu.flags, top.flags);
    let flags = match op.modifier {
        0 | 1 => b,
        2 => !b,
        3 => a & b,
        4 => a | b,
        5 => a & !b,
        6 => a | !b,
        7 => !a & b,
        8 => !a | b,
        9 => !(a | b),
        10 => !(a & b),
        11 => a ^ b,
        12 => !(a ^ b),
        13 => !a,
        14 => ALL,
        _ => 0,
    };
    sfpu.replace_flags(flags, lanes);
    match op.modifier {
        0..=12 => sfpu.replace_use_flags(top.use_flags, lanes),
        13 => {}
        _ => sfpu.replace_use_flags(ALL, lanes),
    }
    Ok(())
}

fn sfpcompc(sfpu: &mut SfpuState, lanes: LaneMask) {
    let top = sfpu.stack.top_or(ALL, ALL);
    let flags = top.use_flags & sfpu.use_flags & top.flags & !sfpu.flags;
    sfpu.replace_flags(flags, lanes);
}
