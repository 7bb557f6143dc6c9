//! The list of units that a core works on: every core of a tile walks it and sees the same.

use crate::rt::launch::Launch;
use tt_kernel_abi::matmul::{MatmulParams, ROW_GROUP, TILE, block_tiles, first_n_tile, share};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// One unit of work.
#[derive(Clone, Copy)]
pub struct Unit {
    /// Index into this core's range, from 0.
    pub number: u32,
    /// Row tile and batch differ from the unit before: other activations.
    pub new_rows: bool,
    /// Of a gated unit: 0 for src0's result, 1 for more[2]'s.
    pub side: u32,
    /// The result of the n-tile is complete with this unit.
    pub is_last_side: bool,
    /// Tile of n.
    pub n_tile: u32,
    /// First row of src1.
    pub row: u32,
    /// Rows, 1 to 32.
    pub rows: u32,
    /// Indices in dimensions 2 and 3 of src1 and dst.
    pub batch: [u32; 2],
}

impl Unit {
    /// Groups of 8 rows.
    pub fn groups(&self) -> u32 {
        self.rows.div_ceil(ROW_GROUP)
    }
}

/// A range of k-tiles.
#[derive(Clone, Copy)]
pub struct Tiles {
    /// First tile.
    pub first: u32,
    /// Number of tiles.
    pub count: u32,
}

impl Tiles {
    /// Cuts the range into pieces of at most `size`.
    pub fn pieces(self, size: u32) -> impl Iterator<Item = Tiles> {
        let end = self.first + self.count;
        (self.first..end)
            .step_by(size as usize)
            .map(move |first| Tiles { first, count: size.min(end - first) })
    }
}

/// This core's units, in order.
pub struct Plan {
    params: MatmulParams,
    rows: u32,
    batches: u32,
    weights: ElementType,
    number: u32,
    count: u32,
    side: u32,
    sides: u32,
    /// N-tiles of this row tile that come before.
    column: u32,
    /// Row tile, counted over all batches, and the n-tile that it begins with.
    rows_number: u32,
    first_n_tile: u32,
    row_tile: u32,
    batch: [u32; 2],
}

impl Plan {
    /// The units of the core that runs `launch`; `None` if there are none or the descriptor's weight type is unknown.
    pub fn new(launch: &Launch) -> Option<Self> {
        let op = launch.op;
        let params = MatmulParams::from_words(&op.params);
        let (first, count) = share(params.units, launch.index, op.cores);
        if count == 0 {
            return None;
        }
        let (rows_number, column) = (first / params.n_tiles, first % params.n_tiles);
        let (batch, row_tile) = (rows_number / params.row_tiles, rows_number % params.row_tiles);
        let batches = op.src1.ne[2];
        let sides = if op.more[2].ne[0] > 0 { 2 } else { 1 };
        let mut plan = Self {
            params,
            rows: op.src1.ne[1],
            batches,
            weights: op.src0.element_type()?,
            number: 0,
            count: count * sides,
            side: 0,
            sides,
            column,
            rows_number,
            first_n_tile: 0,
            row_tile,
            batch: [batch % batches, batch / batches],
        };
        plan.begin_rows();
        Some(plan)
    }

    fn begin_rows(&mut self) {
        let MatmulParams { units, n_tiles, .. } = self.params;
        self.first_n_tile = first_n_tile(n_tiles, self.rows_number, units / n_tiles);
    }

    /// Goes on to the next row tile.
    fn next_rows(&mut self) {
        self.column = 0;
        self.rows_number += 1;
        self.begin_rows();
        self.row_tile += 1;
        if self.row_tile == self.params.row_tiles {
            self.row_tile = 0;
            self.batch[0] += 1;
            if self.batch[0] == self.batches {
                self.batch = [0, self.batch[1] + 1];
            }
        }
    }

    /// Type of the weights.
    pub fn weights(&self) -> ElementType {
        self.weights
    }

    /// k-tiles in a block of weights.
    pub fn block_tiles(&self) -> u32 {
        block_tiles(self.weights)
    }

    /// Chunks of K: parts that fit the activation buffer.
    pub fn chunks(&self) -> impl Iterator<Item = Tiles> + use<> {
        Tiles { first: 0, count: self.params.k_tiles }.pieces(self.params.chunk_tiles)
    }

    /// Whether the activations of `unit` have to be brought anew, chunk by chunk: always if K has more than one
    /// chunk, otherwise for the first unit of a row tile.
    pub fn loads(&self, unit: &Unit) -> bool {
        unit.new_rows || self.params.k_tiles > self.params.chunk_tiles
    }

    /// What `unit` multiplies with.
    pub fn source<'a>(&self, op: &'a OpDescriptor, unit: &Unit) -> &'a TensorView {
        if unit.side == 0 { &op.src0 } else { &op.more[2] }
    }

    /// Offset in src0 of the matrix that `unit` multiplies with.
    pub fn weight_batch(&self, op: &OpDescriptor, unit: &Unit) -> u64 {
        let (i2, i3) = (unit.batch[0] / self.params.r2, unit.batch[1] / self.params.r3);
        u64::from(i2) * op.src0.nb[2] + u64::from(i3) * op.src0.nb[3]
    }
}

impl Iterator for Plan {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if self.number == self.count {
            return None;
        }
        let row = self.row_tile * TILE;
        let n_tile = self.first_n_tile + self.column;
        let unit = Unit {
            number: self.number,
            new_rows: self.number == 0 || (self.column == 0 && self.side == 0),
            side: self.side,
            is_last_side: self.side + 1 == self.sides,
            n_tile: if n_tile < self.params.n_tiles { n_tile } else { n_tile - self.params.n_tiles },
            row,
            rows: TILE.min(self.rows - row),
            batch: self.batch,
        };
        self.number += 1;
        self.side += 1;
        if self.side < self.sides {
            return Some(unit);
        }
        self.side = 0;
        self.column += 1;
        if self.column == self.params.n_tiles {
            self.next_rows();
        }
        Some(unit)
    }
}
