//! What an instruction does to the machine: the unit that executes it, what holds it back, what it reads and writes, and
//! what it costs. The rows are in [`super::table`], beside the encodings.
//!
//! The lists of operands are upper bounds: which of them a word touches depends on its fields and on the configuration. An
//! operand that a field names carries that field.

use core::fmt;

use super::{Field, InsnInfo};
use crate::stall::block;

/// Who executes an instruction (`TensixCoprocessor/README.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// The thread's MOP and replay expanders: it never reaches a unit.
    Frontend,
    /// Semaphores, mutexes and waits.
    Sync,
    /// Address counters and data valid flags.
    Misc,
    /// Configuration registers.
    Config,
    /// Scalar unit ("ThCon"): GPRs, L1, memory-mapped registers.
    Scalar,
    /// Mover.
    Mover,
    /// One of the two unpackers, by the word.
    Unpackers,
    /// Matrix unit ("FPU").
    Matrix,
    /// Vector unit ("SFPU"), and its part.
    Vector(SubUnit),
    /// The packers that the word selects.
    Packers,
    /// In silicon, but described nowhere.
    Unknown,
}

impl Unit {
    /// Name in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Frontend => "frontend",
            Unit::Sync => "sync",
            Unit::Misc => "misc",
            Unit::Config => "config",
            Unit::Scalar => "scalar",
            Unit::Mover => "mover",
            Unit::Unpackers => "unpacker",
            Unit::Matrix => "matrix",
            Unit::Vector(SubUnit::Load) => "vector load",
            Unit::Vector(SubUnit::Simple) => "vector simple",
            Unit::Vector(SubUnit::Mad) => "vector MAD",
            Unit::Vector(SubUnit::Round) => "vector round",
            Unit::Vector(SubUnit::Store) => "vector store",
            Unit::Packers => "packer",
            Unit::Unknown => "unknown",
        }
    }

    /// Whether it is the vector unit.
    pub const fn is_vector(self) -> bool {
        matches!(self, Unit::Vector(_))
    }
}

/// Sub-units of the vector unit (`VectorUnit.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubUnit {
    /// Loads; also immediates and no-ops.
    Load,
    /// Bits, integers, flags.
    Simple,
    /// Multiplication and addition.
    Mad,
    /// Conversions, shifts across lanes.
    Round,
    /// Stores.
    Store,
}

/// Something that an instruction reads or writes. `F` is a field of the word, or in the table its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operand<F = Field> {
    /// Bytes of L1.
    L1,
    /// A bank of SrcA.
    SrcA,
    /// A bank of SrcB.
    SrcB,
    /// Which unit owns the banks of SrcA and SrcB.
    Owners,
    /// Rows of Dst.
    Dst,
    /// Rows of Dst if a field is not zero.
    DstIf(F),
    /// Which rows of Dst are valid.
    DstFlags,
    /// `Config` registers. Whoever reads some of them reads `ThreadConfig`, too.
    Config,
    /// `ThreadConfig` registers.
    ThreadConfig,
    /// Register window counters.
    Rwc,
    /// Address counters.
    Adc,
    /// What packers tell of themselves.
    Statistics,
    /// Memory-mapped registers of the tile.
    Registers,
    /// Semaphores that a field selects, a bit each.
    Semaphores(F),
    /// A mutex.
    Mutex(F),
    /// A GPR.
    Gpr(F),
    /// A GPR, unless the other field is not zero.
    GprUnless(F, F),
    /// The GPR that a half GPR with this number is in.
    GprHalf(F),
    /// The same, or where signals are taken (`SETDMAREG_Special.md`) four of them.
    GprSignals(F),
    /// The GPRs that `STOREIND` stores: one, or the first two or all of an aligned group of four.
    GprsStored(F),
    /// One GPR, or the four of an aligned group if the other field is not zero.
    GprsIf(F, F),
    /// One GPR, or the four of an aligned group if the other field is zero.
    GprsIfZero(F, F),
    /// A register of the vector unit.
    LReg(F),
    /// Registers of the vector unit that depend on more than a field.
    LRegs,
    /// Lane flags, their stack, and whether they count.
    LaneFlags,
}

/// Clocks, where units are free and operands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cost {
    /// Until the unit takes the next instruction.
    pub issue: u8,
    /// Until the result can be read.
    pub latency: u8,
}

/// What an instruction does to the machine.
#[derive(Clone, Copy, Debug)]
pub struct Effects {
    /// Who executes it.
    pub unit: Unit,
    /// Bits of a wait's [block mask](block) that hold it back.
    pub wait: u32,
    /// What it may read.
    pub reads: &'static [Operand],
    /// What it may write.
    pub writes: &'static [Operand],
    /// What it costs; `None` only for what is described nowhere.
    pub cost: Option<Cost>,
}

/// Block mask bits that hold instructions of one kind back, by the names of the table.
pub(crate) mod wait {
    use super::block;

    pub const NONE: u32 = 0;
    pub const SYNC: u32 = block::SYNC;
    pub const MISC: u32 = block::MISC;
    pub const CFG: u32 = block::CFG;
    pub const MATH: u32 = block::MATH;
    pub const SFPU: u32 = block::SFPU;
    pub const THCON: u32 = block::THCON | block::MISC;
    pub const XMOV: u32 = block::XMOV | block::MISC;
    pub const PACK: u32 = block::PACK | block::MISC;
    pub const UNPACK: u32 = block::UNPACK | block::MISC;
}

impl Operand {
    /// Numbers of the GPRs that it is in a word; none if it is something else.
    pub const fn gprs(self, word: u32) -> core::ops::Range<u32> {
        let (first, count) = match self {
            Operand::Gpr(field) => (field.get(word), 1),
            Operand::GprUnless(field, flag) => (field.get(word), (flag.get(word) == 0) as u32),
            Operand::GprHalf(field) => (field.get(word) >> 1, 1),
            Operand::GprSignals(field) => match super::SETDMAREG::decode(word) {
                op if op.set_signals_mode != 0 && op.payload_sig_sel_size > 1 => {
                    (field.get(word) >> 1 & !3, 4)
                }
                _ => (field.get(word) >> 1, 1),
            },
            Operand::GprsStored(field) => match super::STOREIND::decode(word) {
                op if op.size_sel != 0 => (field.get(word), 1),
                op if op.mem_hier_sel == 0 => (field.get(word) & !3, 2),
                op if op.reg_size_sel != 0 => (field.get(word), 1),
                _ => (field.get(word) & !3, 4),
            },
            Operand::GprsIf(field, flag) if flag.get(word) != 0 => (field.get(word) & !3, 4),
            Operand::GprsIfZero(field, flag) if flag.get(word) == 0 => (field.get(word) & !3, 4),
            Operand::GprsIf(field, _) | Operand::GprsIfZero(field, _) => (field.get(word), 1),
            _ => (0, 0),
        };
        first..first + count
    }

    /// Whether it is a GPR, or several.
    const fn is_gpr(self) -> bool {
        matches!(
            self,
            Operand::Gpr(_)
                | Operand::GprUnless(..)
                | Operand::GprHalf(_)
                | Operand::GprSignals(_)
                | Operand::GprsStored(_)
                | Operand::GprsIf(..)
                | Operand::GprsIfZero(..)
        )
    }

    /// The field that names it, if one does.
    pub const fn field(self) -> Option<Field> {
        match self {
            Operand::Semaphores(field)
            | Operand::Mutex(field)
            | Operand::Gpr(field)
            | Operand::GprUnless(field, _)
            | Operand::GprHalf(field)
            | Operand::GprSignals(field)
            | Operand::GprsStored(field)
            | Operand::GprsIf(field, _)
            | Operand::GprsIfZero(field, _)
            | Operand::LReg(field) => Some(field),
            _ => None,
        }
    }

    /// Whether a word has it.
    fn is_in(self, word: u32) -> bool {
        match self {
            Operand::DstIf(field) => field.get(word) != 0,
            operand => !operand.is_gpr() || !operand.gprs(word).is_empty(),
        }
    }

    /// Prints what it is in a word.
    fn print(self, word: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::DstIf(_) => f.write_str("Dst"),
            Operand::DstFlags => f.write_str("Dst flags"),
            Operand::LaneFlags => f.write_str("lane flags"),
            Operand::Semaphores(field) => write!(f, "semaphores {:#x}", field.get(word)),
            Operand::Mutex(field) => write!(f, "mutex {}", field.get(word)),
            Operand::LReg(field) => write!(f, "LReg[{}]", field.get(word)),
            gprs if gprs.is_gpr() => match gprs.gprs(word) {
                one if one.len() == 1 => write!(f, "GPR {}", one.start),
                several => write!(f, "GPR {}..{}", several.start, several.end - 1),
            },
            plain => write!(f, "{plain:?}"),
        }
    }
}

impl Effects {
    /// Of what is no instruction.
    pub const NONE: Self =
        Self { unit: Unit::Unknown, wait: wait::NONE, reads: &[], writes: &[], cost: None };

    /// Prints who executes a word and what it reads and writes, as `matrix: SrcA, SrcB, Dst -> Dst`.
    pub const fn of(&self, word: u32) -> WordEffects<'_> {
        WordEffects { effects: self, word }
    }

    /// GPRs that a word reads.
    pub fn gprs_read(&self, word: u32) -> impl Iterator<Item = u32> {
        self.reads.iter().flat_map(move |operand| operand.gprs(word))
    }

    /// GPRs that a word writes.
    pub fn gprs_written(&self, word: u32) -> impl Iterator<Item = u32> {
        self.writes.iter().flat_map(move |operand| operand.gprs(word))
    }

    /// Whether a word reads rows of Dst.
    pub fn reads_dst(&self, word: u32) -> bool {
        self.reads.iter().any(|operand| match operand {
            Operand::Dst => true,
            Operand::DstIf(field) => field.get(word) != 0,
            _ => false,
        })
    }

    /// Whether it may write something.
    pub fn may_write(&self, what: Operand) -> bool {
        self.writes.contains(&what)
    }

    /// Whether it may read something.
    pub fn may_read(&self, what: Operand) -> bool {
        self.reads.contains(&what)
    }

    /// Registers of the vector unit that fields of a word name: what it reads, or what it writes. `None` if it takes more than
    /// fields to know.
    pub fn lregs(operands: &[Operand], word: u32) -> Option<u32> {
        operands.iter().try_fold(0, |set, operand| match operand {
            Operand::LReg(field) => Some(set | 1 << field.get(word)),
            Operand::LRegs => None,
            _ => Some(set),
        })
    }
}

/// The [`Effects`] of a word, as text.
#[derive(Clone, Copy)]
pub struct WordEffects<'a> {
    effects: &'a Effects,
    word: u32,
}

impl fmt::Display for WordEffects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Effects { unit, reads, writes, .. } = self.effects;
        f.write_str(unit.name())?;
        if !reads.is_empty() || !writes.is_empty() {
            f.write_str(":")?;
        }
        self.list(f, reads)?;
        if !writes.is_empty() {
            f.write_str(" ->")?;
            self.list(f, writes)?;
        }
        Ok(())
    }
}

impl WordEffects<'_> {
    fn list(&self, f: &mut fmt::Formatter<'_>, operands: &[Operand]) -> fmt::Result {
        let mut separator = " ";
        for operand in operands.iter().filter(|operand| operand.is_in(self.word)) {
            f.write_str(separator)?;
            operand.print(self.word, f)?;
            separator = ", ";
        }
        Ok(())
    }
}

/// The columns of a row, with operands that name their fields.
pub(crate) struct Columns {
    pub unit: Unit,
    pub wait: u32,
    pub reads: &'static [Operand<&'static str>],
    pub writes: &'static [Operand<&'static str>],
    pub cost: Option<Cost>,
}

impl Columns {
    /// What they say of words whose fields are known.
    pub const fn with(&self, reads: &'static [Operand], writes: &'static [Operand]) -> Effects {
        Effects { unit: self.unit, wait: self.wait, reads, writes, cost: self.cost }
    }
}

/// The [`Columns`] of a row: unit, what a wait calls it, what it reads and writes, and perhaps its cost.
macro_rules! columns {
    ($unit:ident $wait:ident [$($read:expr),*] -> [$($write:expr),*] $(@ $issue:literal, $latency:literal)?) => {
        Columns {
            unit: columns!(@unit $unit),
            wait: wait::$wait,
            reads: &[$($read),*],
            writes: &[$($write),*],
            cost: columns!(@cost $($issue, $latency)?),
        }
    };
    (@unit Load) => { Unit::Vector(SubUnit::Load) };
    (@unit Simple) => { Unit::Vector(SubUnit::Simple) };
    (@unit Mad) => { Unit::Vector(SubUnit::Mad) };
    (@unit Round) => { Unit::Vector(SubUnit::Round) };
    (@unit Store) => { Unit::Vector(SubUnit::Store) };
    (@unit $unit:ident) => { Unit::$unit };
    (@cost) => { None };
    (@cost $issue:literal, $latency:literal) => { Some(Cost { issue: $issue, latency: $latency }) };
}
pub(crate) use columns;

/// The [`Effects`] of a row: its [`Columns`] with its fields put in.
macro_rules! effects {
    ($columns:expr, $fields:expr) => {{
        use $crate::insn::{Operand, resolve};
        const READS: [Operand; $columns.reads.len()] = resolve($columns.reads, $fields);
        const WRITES: [Operand; $columns.writes.len()] = resolve($columns.writes, $fields);
        $columns.with(&READS, &WRITES)
    }};
}
pub(crate) use effects;

/// [`Effects`] of a chip's rows, by opcode.
pub(crate) const fn by_opcode(rows: &[InsnInfo]) -> [Effects; 256] {
    let mut all = [Effects::NONE; 256];
    let mut i = 0;
    while i < rows.len() {
        all[rows[i].opcode as usize] = rows[i].effects;
        i += 1;
    }
    all
}

/// Operands of the table with the fields that they name.
pub(crate) const fn resolve<const N: usize>(named: &[Operand<&str>], fields: &[Field]) -> [Operand; N] {
    let mut operands = [Operand::L1; N];
    let mut i = 0;
    while i < N {
        operands[i] = resolve_one(named[i], fields);
        i += 1;
    }
    operands
}

const fn resolve_one(named: Operand<&str>, fields: &[Field]) -> Operand {
    match named {
        Operand::L1 => Operand::L1,
        Operand::SrcA => Operand::SrcA,
        Operand::SrcB => Operand::SrcB,
        Operand::Owners => Operand::Owners,
        Operand::Dst => Operand::Dst,
        Operand::DstIf(a) => Operand::DstIf(find(fields, a)),
        Operand::DstFlags => Operand::DstFlags,
        Operand::Config => Operand::Config,
        Operand::ThreadConfig => Operand::ThreadConfig,
        Operand::Rwc => Operand::Rwc,
        Operand::Adc => Operand::Adc,
        Operand::Statistics => Operand::Statistics,
        Operand::Registers => Operand::Registers,
        Operand::Semaphores(a) => Operand::Semaphores(find(fields, a)),
        Operand::Mutex(a) => Operand::Mutex(find(fields, a)),
        Operand::Gpr(a) => Operand::Gpr(find(fields, a)),
        Operand::GprUnless(a, b) => Operand::GprUnless(find(fields, a), find(fields, b)),
        Operand::GprHalf(a) => Operand::GprHalf(find(fields, a)),
        Operand::GprSignals(a) => Operand::GprSignals(find(fields, a)),
        Operand::GprsStored(a) => Operand::GprsStored(find(fields, a)),
        Operand::GprsIf(a, b) => Operand::GprsIf(find(fields, a), find(fields, b)),
        Operand::GprsIfZero(a, b) => Operand::GprsIfZero(find(fields, a), find(fields, b)),
        Operand::LReg(a) => Operand::LReg(find(fields, a)),
        Operand::LRegs => Operand::LRegs,
        Operand::LaneFlags => Operand::LaneFlags,
    }
}

/// The field with a name; fails to compile if there is none.
const fn find(fields: &[Field], name: &str) -> Field {
    let mut i = 0;
    while i < fields.len() {
        if crate::text::equal(fields[i].name, name) {
            return fields[i];
        }
        i += 1;
    }
    panic!("an operand names a field that the instruction does not have")
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    use super::super::*;

    #[test]
    fn operands_name_gprs() {
        let written = |word: u32| Opcode::of(word).unwrap().effects().gprs_written(word).collect::<Vec<_>>();
        let read = |word: u32| Opcode::of(word).unwrap().effects().gprs_read(word).collect::<Vec<_>>();
        let add = ADDDMAREG { op_b_is_const: 1, result_reg_index: 3, op_b_reg_index: 5, op_a_reg_index: 7 };
        assert_eq!((read(add.word()), written(add.word())), (vec![7], vec![3]));
        assert_eq!(read(ADDDMAREG { op_b_is_const: 0, ..add }.word()), [7, 5]);
        let write = WRCFG { gpr_address: 8, wr128b: 1, cfg_reg: 0 };
        assert_eq!(read(write.word()), [8, 9, 10, 11]);
        assert_eq!(read(WRCFG { wr128b: 0, ..write }.word()), [8]);
        let half = SETDMAREG { payload_sig_sel_size: 3, reg_index_16b: 9, ..SETDMAREG::ZERO };
        assert_eq!(written(half.word()), [4]);
        assert_eq!(written(SETDMAREG { set_signals_mode: 1, ..half }.word()), [4, 5, 6, 7]);
    }

    #[test]
    fn effects_print_what_a_word_touches() {
        let text = |word: u32| WORMHOLE.effects(word).of(word).to_string();
        assert_eq!(text(MVMUL::ZERO.word()), "matrix: SrcA, SrcB, Dst, Rwc, Config -> Dst, Rwc, Owners");
        assert_eq!(text(SETADC::ZERO.word()), "misc: -> Adc");
        assert_eq!(text(NOP {}.word()), "misc");
        let low = MOVA2D { dest_32b_lo: 1, ..MOVA2D::ZERO };
        assert_eq!(text(low.word()), "matrix: SrcA, Dst, Rwc, Config -> Dst, Rwc");
        assert_eq!(text(MOVA2D::ZERO.word()), "matrix: SrcA, Rwc, Config -> Dst, Rwc");
        let add = ADDDMAREG { op_b_is_const: 1, result_reg_index: 3, op_b_reg_index: 5, op_a_reg_index: 7 };
        assert_eq!(text(add.word()), "scalar: GPR 7 -> GPR 3");
        assert_eq!(
            text(WRCFG { gpr_address: 8, wr128b: 1, cfg_reg: 0 }.word()),
            "config: GPR 8..11 -> Config"
        );
        assert_eq!(text(SEMPOST { sem_sel: 6 }.word()), "sync: semaphores 0x6 -> semaphores 0x6");
        let word = SFPXOR { lreg_c: 3, lreg_dest: 2 }.word();
        assert_eq!(text(word), "vector simple: LReg[3], LReg[2] -> LReg[2]");
        assert_eq!(
            std::format!("{:#}", Disassembly(word)),
            "SFPXOR lreg_c=0x3 lreg_dest=0x2 ; vector simple: LReg[3], LReg[2] -> LReg[2]"
        );
    }
}
