//! The list of units that a core works on: every core of a tile walks it and sees the same.

use super::group::Table;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::GROUPS_READY;
use crate::rt::tilize::Tiles;
use tt_kernel_abi::matmul::{
    Groups, Halves, MatmulParams, ROW_GROUP, TILE, block_tiles, first_n_tile, share,
};
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// One unit of work.
#[derive(Clone, Copy)]
pub struct Unit<'a> {
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
    /// Of `MUL_MAT_ID`: the rows are others.
    pub listed: Option<Listed<'a>>,
}

/// Rows that are multiplied with the same matrix.
#[derive(Clone, Copy)]
pub struct Listed<'a> {
    table: Table<'a>,
    /// The first one's word of the table.
    first: u32,
    /// The matrix.
    matrix: u32,
}

impl Unit<'_> {
    /// DRAM address of row `row` of the unit in src1 or dst.
    pub fn address(&self, view: &TensorView, row: u32) -> u64 {
        let (i1, [i2, i3]) = match self.listed {
            None => (self.row + row, self.batch),
            Some(Listed { table, first, .. }) => (0, Groups::unpack_row(table.get(first + row))),
        };
        view.addr + u64::from(i1) * view.nb[1] + u64::from(i2) * view.nb[2] + u64::from(i3) * view.nb[3]
    }

    /// Groups of 8 rows.
    pub fn groups(&self) -> u32 {
        self.rows.div_ceil(ROW_GROUP)
    }
}

/// Rows that share a unit's activations.
#[derive(Clone, Copy)]
struct RowTile<'a> {
    row: u32,
    rows: u32,
    batch: [u32; 2],
    listed: Option<Listed<'a>>,
}

/// This core's units, in order.
pub struct Plan<'a> {
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
    /// Row tile, counted over all batches, how many there are, and the n-tile that it begins with.
    rows_number: u32,
    rows_count: u32,
    first_n_tile: u32,
    row_tile: RowTile<'a>,
    table: Option<Table<'a>>,
}

impl<'a> Plan<'a> {
    /// The units of the core that runs `launch`; `None` if there are none or the descriptor's weight type is unknown.
    /// Of `MUL_MAT_ID` they are known when the rows are sorted: waits for that.
    pub fn new(launch: &'a TileLaunch, params: &MatmulParams) -> Option<Self> {
        let op = launch.op;
        let table = (params.ids > 0).then(|| Table::of(launch, params));
        let rows_count = match table {
            None => params.units / params.n_tiles,
            Some(table) => {
                GROUPS_READY.wait(1);
                table.get(Groups::COUNT)
            }
        };
        let (first, count) = share(rows_count * params.n_tiles, launch.index, op.cores);
        if count == 0 {
            return None;
        }
        let sides = if op.more[2].ne[0] > 0 { 2 } else { 1 };
        let mut plan = Self {
            params: *params,
            rows: op.src1.ne[1],
            batches: op.src1.ne[2],
            weights: op.src0.element_type()?,
            number: 0,
            count: count * sides,
            side: 0,
            sides,
            column: first % params.n_tiles,
            rows_number: first / params.n_tiles,
            rows_count,
            first_n_tile: 0,
            row_tile: RowTile { row: 0, rows: 0, batch: [0; 2], listed: None },
            table,
        };
        plan.begin_rows();
        Some(plan)
    }

    /// What there is to know about row tile `rows_number`.
    fn begin_rows(&mut self) {
        let number = self.rows_number;
        self.first_n_tile = first_n_tile(self.params.n_tiles, number, self.rows_count);
        self.row_tile = match self.table {
            None => {
                let (batch, row) = (number / self.params.row_tiles, number % self.params.row_tiles * TILE);
                let batch = [batch % self.batches, batch / self.batches];
                RowTile { row, rows: TILE.min(self.rows - row), batch, listed: None }
            }
            Some(table) => {
                let [matrix, first, rows] = table.layout.tile(number).map(|word| table.get(word));
                let listed = Listed { table, first: table.layout.row(first), matrix };
                RowTile { row: 0, rows, batch: [0; 2], listed: Some(listed) }
            }
        };
    }

    /// Goes on to the next row tile.
    fn next_rows(&mut self) {
        self.column = 0;
        self.rows_number += 1;
        if self.rows_number < self.rows_count {
            self.begin_rows();
        }
    }

    /// Type of the weights.
    pub fn weights(&self) -> ElementType {
        self.weights
    }

    /// How half-precision weights come to SrcA.
    pub fn halves(&self) -> Halves {
        // The host checks numbers.
        Halves::from_code(self.params.halves).unwrap_or(Halves::None)
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
    pub fn source<'b>(&self, op: &'b OpDescriptor, unit: &Unit) -> &'b TensorView {
        if unit.side == 0 { &op.src0 } else { &op.more[2] }
    }

    /// Offset in src0 of the matrix that `unit` multiplies with.
    pub fn matrix(&self, op: &OpDescriptor, unit: &Unit) -> u64 {
        if let Some(listed) = unit.listed {
            return u64::from(listed.matrix) * op.src0.nb[2];
        }
        let (i2, i3) = (unit.batch[0] / self.params.r2, unit.batch[1] / self.params.r3);
        u64::from(i2) * op.src0.nb[2] + u64::from(i3) * op.src0.nb[3]
    }
}

impl<'a> Iterator for Plan<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        if self.number == self.count {
            return None;
        }
        let RowTile { row, rows, batch, listed } = self.row_tile;
        let n_tile = self.first_n_tile + self.column;
        let unit = Unit {
            number: self.number,
            new_rows: self.number == 0 || (self.column == 0 && self.side == 0),
            side: self.side,
            is_last_side: self.side + 1 == self.sides,
            n_tile: if n_tile < self.params.n_tiles { n_tile } else { n_tile - self.params.n_tiles },
            row,
            rows,
            batch,
            listed,
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
