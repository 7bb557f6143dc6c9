//! BRISC: a product's weights as blocks that a slot of the ring that outlives steps takes ([`tt_kernel_abi::ahead`]), in the order in which TRISC0 unpacks them: blocks of K of all columns of a block of the
//! result. It is a list that can be stopped in and gone on with later: the weights of a step may be read before the step begins.

use super::columns::{Blocks, Columns};
use super::plan_of;
use crate::rt::l1::L1;
use crate::rt::noc::Noc;
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::matmul_block::{Block, BlockParams};

/// The blocks that are left.
pub struct Slots {
    blocks: Blocks,
    columns: Columns,
    /// The block of K that columns are read of: block of the result, first tile of K and how many.
    of: Option<(Block, (u32, u32))>,
    /// Its next column.
    number: u32,
}

/// A column's part of a block of K.
pub struct Slot {
    of: (Block, (u32, u32)),
    number: u32,
}

impl Slots {
    /// Those of worker `index` in a launch of `op`; `None` if not all workers are in it.
    pub fn of(op: &OpDescriptor, params: &BlockParams, index: u32, banks: u32) -> Option<Self> {
        let blocks = Blocks::new(plan_of(op, params, index)?);
        let columns = Columns::new(op, params, banks);
        Some(Self { blocks, columns, of: None, number: 0 })
    }

    /// Number of the block of the result that the next block is of.
    pub fn unit(&self) -> u32 {
        self.blocks.begun().saturating_sub(1)
    }

    /// Starts to read a block.
    #[inline(never)]
    pub fn read(&mut self, noc: &mut Noc, slot: &Slot, to: L1) {
        let (block, (first, count)) = &slot.of;
        self.columns.read_column(noc, block, slot.number, [*first, *count], to);
    }
}

impl Iterator for Slots {
    type Item = Slot;

    /// The next block. It is read before the one after it is asked for.
    #[inline(never)]
    fn next(&mut self) -> Option<Slot> {
        if self.of.is_none_or(|(block, _)| self.number == self.columns.count(&block)) {
            (self.of, self.number) = (self.blocks.next(), 0);
        }
        let slot = Slot { of: self.of?, number: self.number };
        self.number += 1;
        Some(slot)
    }
}
