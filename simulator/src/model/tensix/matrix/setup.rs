//! What configuration and counters set for a matrix unit instruction: formats, fidelity phase, rows.
//!
//! SrcA's format (or its override) decides how the matrix unit reads both operands and what 16-bit Dst holds;
//! SrcB's own format only sets the number of significant mantissa bits.

use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, *};

use super::accumulate::Accumulator;
use super::operand::Style;
use super::product::Operation;
use crate::fault::Fault;
use crate::model::tensix::{Tensix, dst};

const PAGE: &str = "TensixTile/TensixCoprocessor/SrcASrcB.md";

/// Kind of arithmetic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Math {
    /// Floating point.
    Float {
        /// How SrcA and SrcB are read.
        styles: [Style; 2],
        /// How products are added up.
        operation: Operation,
    },
    /// Integers of SrcA and SrcB into 32-bit integers of Dst.
    Int8 {
        /// Fidelity phase, 0..3.
        phase: u32,
    },
}

/// A [`Setup`] that was read, and at which state of configuration, by which thread.
pub type Kept = Option<((u64, usize), Setup)>;

/// What arithmetic instructions find in configuration and counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setup {
    /// Kind of arithmetic.
    pub math: Math,
    /// SrcB datums without exponent are zero. (SrcA's always are.)
    pub flush_b: bool,
}

impl Setup {
    /// What an instruction of `thread` finds now. Configuration is read only when it may have changed.
    #[inline]
    pub fn of(t: &mut Tensix, thread: usize) -> Result<Self, Fault> {
        let setup = match (t.cfg.generation(), t.matrix.setup) {
            (Some(generation), Some((state, setup))) if state == (generation, thread) => setup,
            (generation, _) => {
                let setup = Self::read(t, thread)?;
                t.matrix.setup = generation.map(|generation| ((generation, thread), setup));
                setup
            }
        };
        Ok(setup.later(t.rwc[thread].fidelity))
    }

    /// The same `phases` later.
    #[inline]
    fn later(mut self, phases: u32) -> Self {
        let (Math::Float { operation: Operation { phase, .. }, .. } | Math::Int8 { phase }) = &mut self.math;
        *phase = (*phase + phases) & 3;
        self
    }

    /// Reads configuration, in the first phase.
    fn read(t: &Tensix, thread: usize) -> Result<Self, Fault> {
        let get = |field| t.cfg.get(thread, field);
        if get(c::ALU_ROUNDING_MODE_Fpu_srnd_en) != 0 {
            return Err(Fault::not_implemented("stochastic rounding in the matrix unit").page(PAGE));
        }
        let phase = t.cfg.thread(thread, tc::FIDELITY_BASE_Phase) & 3;
        let flush_b = get(c::ALU_ACC_CTRL_Zero_Flag_disabled_src) == 0;
        if get(c::ALU_ACC_CTRL_INT8_math_enabled) != 0 {
            return Ok(Self { math: Math::Int8 { phase }, flush_b });
        }
        let styles = styles(t, thread)?;
        let half = styles[0] == Style::Fp16;
        let accumulator = match (get(c::ALU_ACC_CTRL_Fp32_enabled) != 0, half) {
            (true, _) => Accumulator::Fp32,
            (false, false) => Accumulator::Bf16,
            (false, true) => Accumulator::Fp16,
        };
        let operation = Operation { phase, half, accumulator };
        Ok(Self { math: Math::Float { styles, operation }, flush_b })
    }
}

/// Format of SrcA, overridden or not.
pub fn format_a(t: &Tensix, thread: usize) -> Result<DataFormat, Fault> {
    let get = |field| t.cfg.get(thread, field);
    format(
        "SrcA",
        match get(c::ALU_FORMAT_SPEC_REG_SrcA_override) {
            0 => get(c::ALU_FORMAT_SPEC_REG0_SrcA),
            _ => get(c::ALU_FORMAT_SPEC_REG_SrcA_val),
        },
    )
}

/// Format of SrcB, overridden or not.
pub fn format_b(t: &Tensix, thread: usize) -> Result<DataFormat, Fault> {
    let get = |field| t.cfg.get(thread, field);
    format(
        "SrcB",
        match get(c::ALU_FORMAT_SPEC_REG_SrcB_override) {
            0 => get(c::ALU_FORMAT_SPEC_REG1_SrcB),
            _ => get(c::ALU_FORMAT_SPEC_REG_SrcB_val),
        },
    )
}

fn format(of: &str, code: u32) -> Result<DataFormat, Fault> {
    DataFormat::from_code(code)
        .ok_or_else(|| Fault::program(format!("{of} has format {code}, which does not exist")).page(PAGE))
}

/// How a register of this format is read.
pub fn style(format: DataFormat) -> Style {
    match format {
        Tf32 => Style::Tf32,
        Fp16 | Fp8 | Bfp8a | Bfp4a | Bfp2a | Int8 => Style::Fp16,
        Fp32 | Bf16 | Bfp8 | Bfp4 | Bfp2 | Int32 | Int16 => Style::Bf16,
    }
}

fn styles(t: &Tensix, thread: usize) -> Result<[Style; 2], Fault> {
    let (a, b) = (format_a(t, thread)?, format_b(t, thread)?);
    let styles = [style(a), style(b)];
    if (styles[0] == Style::Fp16) != (styles[1] == Style::Fp16) {
        let what = format!("matrix arithmetic on SrcA {a:?} and SrcB {b:?}: exponents of different width");
        return Err(Fault::undocumented(what).page(PAGE));
    }
    Ok(styles)
}

/// Dst row that `thread` addresses with `offset`, of a block of `rows` (a power of two) that are aligned.
#[inline]
pub fn dst_row(t: &Tensix, thread: usize, offset: u32, rows: usize) -> usize {
    let row = t.rwc[thread].dst.value + offset + t.cfg.thread(thread, tc::DEST_TARGET_REG_CFG_MATH_Offset);
    row as usize & (dst::ROWS - rows)
}
