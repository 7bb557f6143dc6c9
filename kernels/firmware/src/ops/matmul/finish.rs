//! What becomes of a result on its way from the packers to DRAM: nothing, a sum with another tensor (more[1], whose rows repeat), or
//! a gated unit of two results (src0's and more[2]'s).
//!
//! NCRISC does it, while the other cores are at the next unit. Addends are on their way while the unit is multiplied.

use super::plan::Unit;
use super::trisc2::slot;
use crate::ops::elementwise::functions;
use crate::rt::mmio::{load, store};
use crate::rt::noc::Noc;
use tt_kernel_abi::elementwise::Glu;
use tt_kernel_abi::matmul::{ADD_STAGE, ADD_STAGE_ROW, GROUP_TILE_BYTES, MatmulParams, ROW_GROUP, TILE};
use tt_kernel_abi::target::offset;
use tt_kernel_abi::{DramAddr, OpDescriptor};

/// Bytes of 16 floats.
pub const HALF_ROW: u32 = 64;
/// Bytes of a face of 8 rows.
pub const FACE: u32 = ROW_GROUP * HALF_ROW;

/// What is done with results.
#[derive(Clone, Copy)]
pub enum Finish {
    /// Nothing.
    Copy,
    /// Another tensor is added.
    Add,
    /// The function of this unit's result and of that of the one before, which is the gated one.
    Glu(Glu, [f32; 4]),
}

impl Finish {
    /// What a descriptor asks for; a function's number that is none gives `None`.
    pub fn of(op: &OpDescriptor, params: &MatmulParams) -> Option<Self> {
        let [alpha, limit] = params.glu_params.map(f32::from_bits);
        Some(match (op.more[1].ne[0], op.more[2].ne[0]) {
            (0, 0) => Self::Copy,
            (_, 0) => Self::Add,
            _ => Self::Glu(Glu::from_code(params.glu)?, [alpha, limit, 0.0, 0.0]),
        })
    }

    /// Asks for what a unit's result will be added to; the reads end with the next wait for reads.
    pub fn prepare(self, noc: &mut Noc, op: &OpDescriptor, unit: &Unit) {
        if !matches!(self, Self::Add) {
            return;
        }
        let columns = columns(op, unit);
        for row in 0..unit.rows {
            let addr = addend(op, unit, row);
            noc.read_dram(DramAddr(addr), staged_addend(row, addr), 4 * columns);
        }
    }

    /// Puts row `row` of a unit's result to `staged`.
    pub fn row(self, op: &OpDescriptor, unit: &Unit, row: u32, staged: u32) {
        let columns = columns(op, unit);
        match self {
            Self::Copy => (0..columns).for_each(|i| store(staged + 4 * i, load(result(unit.number, row, i)))),
            Self::Add => {
                let with = staged_addend(row, addend(op, unit, row));
                for i in 0..columns {
                    let sum = float(result(unit.number, row, i)) + float(with + 4 * i);
                    store(staged + 4 * i, sum.to_bits());
                }
            }
            Self::Glu(function, params) => {
                let columns = columns as usize;
                let values = |number| {
                    core::array::from_fn(
                        |i| if i < columns { float(result(number, row, i as u32)) } else { 0.0 },
                    )
                };
                let (x, gate): ([f32; TILE as usize], [f32; TILE as usize]) =
                    (values(unit.number - 1), values(unit.number));
                let mut out = [0.0; TILE as usize];
                functions::glu(function, params, &x[..columns], &gate[..columns], &mut out[..columns]);
                for (i, value) in (0..).zip(&out[..columns]) {
                    store(staged + 4 * i, value.to_bits());
                }
            }
        }
    }
}

/// Columns of a unit that exist.
pub fn columns(op: &OpDescriptor, unit: &Unit) -> u32 {
    TILE.min(op.dst.ne[0] - unit.n_tile * TILE)
}

fn float(l1: u32) -> f32 {
    f32::from_bits(load(l1))
}

/// Where the packers have put an element of unit `number`'s result.
#[inline(always)]
fn result(number: u32, row: u32, column: u32) -> u32 {
    let from = slot(number) + row / ROW_GROUP * GROUP_TILE_BYTES + row % ROW_GROUP * HALF_ROW;
    let face = if column < 16 { from } else { from + FACE - HALF_ROW };
    face + 4 * column
}

/// DRAM address of the addends of a row of a unit.
fn addend(op: &OpDescriptor, unit: &Unit, row: u32) -> u64 {
    let view = &op.more[1];
    let [i1, i2, i3] =
        [(unit.row + row) % view.ne[1], unit.batch[0] % view.ne[2], unit.batch[1] % view.ne[3]];
    view.addr
        + u64::from(unit.n_tile * TILE * 4)
        + u64::from(i1) * view.nb[1]
        + u64::from(i2) * view.nb[2]
        + u64::from(i3) * view.nb[3]
}

/// Where they go: the NoC wants the offset modulo 32 to be that of the source.
fn staged_addend(row: u32, addr: u64) -> u32 {
    ADD_STAGE + row * ADD_STAGE_ROW + offset(addr)
}
