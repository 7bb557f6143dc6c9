//! What becomes of a result on its way from the packers to DRAM: nothing, a sum with another tensor (more[1], whose rows repeat), or
//! a gated unit of two results (src0's and more[2]'s).
//!
//! NCRISC does it, while the other cores are at the next unit, but for gated units of the vector unit ([`super::trisc1`]). Addends are on their way while the unit is multiplied.

use super::plan::Unit;
use super::trisc2::slot;
use crate::ops::elementwise::functions;
use crate::rt::l1::{L1, Word, copy};
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use tt_kernel_abi::elementwise::Glu;
use tt_kernel_abi::matmul::{
    ADD_STAGE, ADD_STAGE_ROW, GROUP_FACE_BYTES, GROUP_TILE_BYTES, HALF_ROW_BYTES, MatmulParams, ROW_GROUP,
    TILE,
};
use tt_kernel_abi::target::offset;
use tt_kernel_abi::{DramAddr, OpDescriptor};

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
    pub fn prepare(self, noc: &mut Noc, launch: &TileLaunch, unit: &Unit) {
        if !matches!(self, Self::Add) {
            return;
        }
        for row in 0..unit.rows {
            let addr = addend(launch.op, unit, row);
            noc.read_dram(DramAddr(addr), staged_addend(launch, unit, row, addr));
        }
    }

    /// Puts row `row` of the result of a unit's tile of rows to `staged`, which has as many words as columns exist.
    #[inline(never)]
    pub fn row(self, launch: &TileLaunch, unit: &Unit, tile: u32, row: u32, staged: L1) {
        let (staged, result) = (staged.words(), halves(launch, unit.result + tile, row));
        match self {
            Self::Copy => staged.chunks(HALF).zip(result).for_each(|(to, from)| copy(from, to)),
            Self::Add => {
                let with = staged_addend(launch, unit, row, addend(launch.op, unit, row)).words();
                let (low, high) = staged.split_at(staged.len().min(HALF));
                let (with_low, with_high) = with.split_at(low.len());
                add(low, result[0], with_low);
                add(high, result[1], with_high);
            }
            Self::Glu(function, params) => {
                let n = staged.len().min(TILE as usize);
                let before = halves(launch, unit.result - 1, row);
                let mut out = [0.0; TILE as usize];
                let (x, gate) = (values(before), values(result));
                functions::glu(function, params, &x[..n], &gate[..n], &mut out[..n]);
                staged.iter().zip(out).for_each(|(to, value)| to.store(value.to_bits()));
            }
        }
    }
}

/// Sums of words that are floats.
fn add(to: &[Word], from: &[Word], with: &[Word]) {
    for ((to, from), with) in to.iter().zip(from).zip(with) {
        to.store((float(from) + float(with)).to_bits());
    }
}

/// Elements of half a row.
const HALF: usize = HALF_ROW_BYTES as usize / 4;

/// The elements of a row's halves. Those behind the last column mean nothing.
fn values(halves: [&[Word]; 2]) -> [f32; TILE as usize] {
    let mut values = [0.0; TILE as usize];
    for (values, half) in values.chunks_exact_mut(HALF).zip(halves) {
        values.iter_mut().zip(half).for_each(|(value, word)| *value = float(word));
    }
    values
}

/// Columns of a unit that exist.
pub fn columns(op: &OpDescriptor, unit: &Unit) -> u32 {
    match unit.part {
        0 => TILE.min(op.dst.ne[0] - unit.n_tile * TILE),
        // Other products have whole tiles.
        _ => TILE,
    }
}

fn float(word: &Word) -> f32 {
    f32::from_bits(word.load())
}

/// The two halves of a row of result `number`, where the packers have put them.
#[inline(always)]
fn halves<'a>(launch: &'a TileLaunch, number: u32, row: u32) -> [&'a [Word]; 2] {
    let at = row / ROW_GROUP * GROUP_TILE_BYTES + row % ROW_GROUP * HALF_ROW_BYTES;
    let slot = slot(launch, number);
    [at, at + GROUP_FACE_BYTES].map(|at| slot.part(at, HALF_ROW_BYTES).words())
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
fn staged_addend<'a>(launch: &'a TileLaunch, unit: &Unit, row: u32, addr: u64) -> L1<'a> {
    launch.l1(ADD_STAGE + row * ADD_STAGE_ROW + offset(addr), 4 * columns(launch.op, unit))
}
