//! BRISC: a product's weights that are tiles, as blocks: what a slot of a ring takes, in the order in which TRISC0 unpacks them. It is a list that
//! can be stopped in and gone on with later: the weights of a step may be read before the step begins ([`crate::ops::ahead`]).

use super::plan::{Plan, Unit};
use crate::rt::experts;
use crate::rt::l1::L1;
use crate::rt::noc::Noc;
use crate::rt::tilize::Tiles;
use tt_kernel_abi::exact::GROUP_TILES;
use tt_kernel_abi::matmul::{MORE_PARTS, MatmulParams, Part};
use tt_kernel_abi::{DramAddr, OpDescriptor, Shard, Shards, TensorView};

/// The blocks that are left.
pub struct Blocks<'a> {
    plan: Plan<'a>,
    src0: TensorView,
    /// Where the weights of other products begin: of a gated unit's, or of those with the same row.
    others: [u64; MORE_PARTS],
    unit: Option<Unit<'a>>,
    /// First tile of K of the next block.
    tile: u32,
    shards: Shards,
    shard: Shard,
    banks: u32,
    /// The indices, if they name the matrices.
    experts: L1<'static>,
}

/// A block's place in the stream of its matrix, and bytes.
pub struct Block {
    at: u64,
    len: u32,
}

impl<'a> Blocks<'a> {
    /// Those of a plan of `op`.
    pub fn new(plan: Plan<'a>, op: &OpDescriptor, params: &MatmulParams, banks: u32) -> Self {
        let src0 = op.src0;
        let others = match params.parts[0].n_tiles {
            0 => [op.more[2].addr; MORE_PARTS],
            _ => params.parts.map(|part| Part::address(part.weights)),
        };
        let experts = if params.experts() > 0 { experts::place(op) } else { L1::EMPTY };
        let (shards, shard) = (Shards::of_matrix(&src0, 0, banks), Shard::default());
        let mut blocks = Self { plan, src0, others, unit: None, tile: 0, shards, shard, banks, experts };
        blocks.next_unit();
        blocks
    }

    /// Those of worker `index` in a launch of `op`, whose rows are not sorted; `None` if it has no part in it. Indices are [in their place](experts::place).
    pub fn of(op: &OpDescriptor, params: &MatmulParams, index: u32, banks: u32) -> Option<Self> {
        let plan = if index < op.cores { Plan::of(op, params, index, None) } else { None };
        plan.map(|plan| Self::new(plan, op, params, banks))
    }

    /// Number of the unit that the next block is of.
    pub fn unit(&self) -> Option<u32> {
        self.unit.map(|unit| unit.number)
    }

    fn next_unit(&mut self) {
        self.unit = self.plan.next();
        self.tile = 0;
        if let Some(unit) = &self.unit {
            // There is one of the two at most.
            let addr = match unit.side + unit.part {
                0 => self.src0.addr,
                other => self.others[other as usize - 1],
            };
            let offset = match self.plan.has_experts() {
                true => {
                    let index = &self.experts.words()[unit.batch[0] as usize];
                    u64::from(index.load()) * self.src0.nb[2]
                }
                false => self.plan.matrix(&self.src0, unit),
            };
            let matrix = DramAddr(addr.wrapping_add(offset));
            let bytes = self.src0.nb[1] * u64::from(self.plan.n_tiles());
            let shards = Shards::new(matrix, bytes, self.banks);
            if shards != self.shards {
                (self.shards, self.shard) = (shards, Shard::default());
            }
        }
    }

    /// Starts to read a block.
    #[inline(never)]
    pub fn read(&mut self, noc: &mut Noc, block: &Block, slot: L1) {
        noc.read_shards(&self.shards, &mut self.shard, block.at, slot.part(0, block.len));
    }
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    /// The next block. It is read before the one after it is asked for.
    #[inline(never)]
    fn next(&mut self) -> Option<Block> {
        if self.tile == self.plan.k_tiles() {
            self.next_unit();
        }
        let unit = self.unit.as_ref()?;
        let Tiles { first, count } = self.plan.block(self.tile);
        self.tile += count;
        let block = self.src0.nb[0] as u32;
        let (before, len) = match self.plan.weights().exact() {
            // Chunks of K are whole groups.
            Some(kind) => (first / GROUP_TILES as u32 * block, kind.group_bytes(count as usize) as u32),
            None => (first * block, count * block),
        };
        Some(Block { at: u64::from(unit.n_tile) * self.src0.nb[1] + u64::from(before), len })
    }
}
