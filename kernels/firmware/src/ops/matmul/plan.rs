//! The list of units that a core works on: every core of a tile walks it and sees the same.

use super::group::Table;
use crate::rt::launch::TileLaunch;
use crate::rt::sync::GROUPS_READY;
use crate::rt::tilize::Tiles;
use tt_kernel_abi::matmul::{
    GROUPS, Groups, Halves, MORE_PARTS, MatmulParams, ROW_GROUP, TILE, block_tiles, first_n_tile,
    row_block_tiles, share, share_of_part,
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
    /// Which of the launch's products it is of, if these have addresses of their own.
    pub part: u32,
    /// Tile of n.
    pub n_tile: u32,
    /// First row of src1.
    pub row: u32,
    /// Rows, 1 to 32 for each tile.
    pub rows: u32,
    /// Tiles of rows.
    pub tiles: u32,
    /// Results of units that come before: each tile has one.
    pub result: u32,
    /// Indices in dimensions 2 and 3 of src1 and dst: of a `MUL_MAT_ID` with one token the first one says which of its indices.
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

    /// Groups of 8 rows in a tile. Where there are several tiles, the last one has all, too.
    pub fn groups(&self) -> u32 {
        if self.tiles > 1 { GROUPS } else { self.rows.div_ceil(ROW_GROUP) }
    }

    /// Rows of a tile of rows: first one, counted in the unit, and how many.
    pub fn tile_rows(&self, tile: u32) -> (u32, u32) {
        (tile * TILE, TILE.min(self.rows - tile * TILE))
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

/// Where a launch has several products with one row: this core's units of each.
#[derive(Clone, Copy)]
struct Parts {
    index: u32,
    cores: u32,
    /// Tiles of n of each product but the first one; of all behind the last one of these, too.
    n_tiles: [u32; MORE_PARTS],
    /// They are of the matrices that indices name, and have rows and results of their own.
    experts: bool,
    /// How many products there are.
    count: u32,
    /// The product that is next to give units, and those that are left of it.
    part: u32,
    left: u32,
}

impl Parts {
    /// Of a launch; `None` if there is one product.
    fn of(op: &OpDescriptor, params: &MatmulParams, index: u32) -> Option<Self> {
        let experts = params.experts() > 0;
        let n_tiles = match experts {
            true => [params.n_tiles; MORE_PARTS],
            false => params.parts.map(|part| part.n_tiles),
        };
        let count = params.products();
        (count > 1 || experts).then_some(Self {
            index,
            cores: op.cores,
            n_tiles,
            experts,
            count,
            part: 0,
            left: 0,
        })
    }

    /// The first product's first unit, and how many units there are of all.
    fn begin(&mut self, n_tiles: u32) -> (u32, u32) {
        let (first, own) = self.share(0, n_tiles);
        self.left = own;
        let others = (1..self.count).map(|part| self.share(part, self.n_tiles_of(part)).1);
        (first, own + others.sum::<u32>())
    }

    /// Tiles of n of a product that is not the first one.
    fn n_tiles_of(&self, part: u32) -> u32 {
        self.n_tiles[(part as usize).min(MORE_PARTS) - 1]
    }

    /// First unit of a product, and their number.
    fn share(&self, part: u32, n_tiles: u32) -> (u32, u32) {
        share_of_part(n_tiles, self.index, self.cores, [part, self.count])
    }
}

/// This core's units, in order.
///
/// It is large, and every core makes one for each product: it is made where it stays, and whoever has one refers to it.
pub struct Plan<'a> {
    k_tiles: u32,
    chunk_tiles: u32,
    n_tiles: u32,
    row_tiles: u32,
    tiles_at_once: u32,
    r2: u32,
    r3: u32,
    halves: u32,
    block_tiles: u32,
    rows: u32,
    batches: u32,
    weights: ElementType,
    number: u32,
    result: u32,
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
    parts: Option<Parts>,
}

impl<'a> Plan<'a> {
    /// The units of the core that runs `launch`; `None` if there are none or the descriptor's weight type is unknown.
    /// Of `MUL_MAT_ID` they are known when the rows are sorted: waits for that.
    pub fn new(launch: &'a TileLaunch, params: &MatmulParams) -> Option<Self> {
        let table = params.sorts().then(|| Table::of(launch, params));
        Self::of(launch.op, params, launch.index, table)
    }

    /// The units of worker `index` in a launch of `op`, which has that table if it is a `MUL_MAT_ID`.
    pub fn of(
        op: &OpDescriptor,
        params: &MatmulParams,
        index: u32,
        table: Option<Table<'a>>,
    ) -> Option<Self> {
        let mut parts = Parts::of(op, params, index);
        let rows_count = match table {
            None if parts.is_some() => 1,
            None => params.units / params.n_tiles,
            Some(table) => {
                GROUPS_READY.wait(1);
                table.get(Groups::COUNT)
            }
        };
        let (first, count) = match &mut parts {
            None => share(rows_count * params.n_tiles, index, op.cores),
            Some(parts) => parts.begin(params.n_tiles),
        };
        if count == 0 {
            return None;
        }
        let sides = if op.more[2].ne[0] > 0 { 2 } else { 1 };
        let weights = op.src0.element_type()?;
        let block_tiles = match params.row != 0 && weights.is_tiles() {
            true => row_block_tiles(weights),
            false => block_tiles(weights),
        };
        let mut plan = Self {
            k_tiles: params.k_tiles,
            chunk_tiles: params.chunk_tiles,
            n_tiles: params.n_tiles,
            row_tiles: params.row_tiles,
            tiles_at_once: params.tiles_at_once,
            r2: params.r2,
            r3: params.r3,
            halves: params.halves,
            block_tiles,
            rows: op.src1.ne[1],
            batches: op.src1.ne[2],
            weights,
            number: 0,
            result: 0,
            count: count * sides,
            side: 0,
            sides,
            column: first % params.n_tiles,
            rows_number: if parts.is_some() { 0 } else { first / params.n_tiles },
            rows_count,
            first_n_tile: 0,
            row_tile: RowTile { row: 0, rows: 0, batch: [0; 2], listed: None },
            table,
            parts,
        };
        plan.begin_rows();
        Some(plan)
    }

    /// What there is to know about row tile `rows_number`.
    #[inline(never)]
    fn begin_rows(&mut self) {
        let number = self.rows_number;
        self.first_n_tile = first_n_tile(self.n_tiles, number, self.rows_count);
        self.row_tile = match self.table {
            None => {
                let most = TILE * self.tiles_at_once;
                let (batch, row) = (number / self.row_tiles, number % self.row_tiles * most);
                let batch = [batch % self.batches, batch / self.batches];
                RowTile { row, rows: most.min(self.rows - row), batch, listed: None }
            }
            Some(table) => {
                let [matrix, first, rows] = table.layout.tile(number).map(|word| table.get(word));
                let listed = Listed { table, first: table.layout.row(first), matrix };
                RowTile { row: 0, rows, batch: [0; 2], listed: Some(listed) }
            }
        };
    }

    /// Goes on to the next product that has units.
    #[inline(always)]
    fn next_part(&mut self) {
        let Some(parts) = &mut self.parts else { return };
        while parts.left == 0 && parts.part + 1 < parts.count {
            parts.part += 1;
            self.n_tiles = parts.n_tiles_of(parts.part);
            (self.column, parts.left) = parts.share(parts.part, self.n_tiles);
        }
        parts.left -= 1;
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
        Halves::from_code(self.halves).unwrap_or(Halves::None)
    }

    /// k-tiles in a block of weights.
    pub fn block_tiles(&self) -> u32 {
        self.block_tiles
    }

    /// Chunks of K: parts that fit the activation buffer.
    pub fn chunks(&self) -> impl Iterator<Item = Tiles> + use<> {
        Tiles { first: 0, count: self.k_tiles }.pieces(self.chunk_tiles)
    }

    /// Whether the activations of `unit` have to be brought anew, chunk by chunk: always if K has more than one
    /// chunk, otherwise for the first unit of a row tile.
    pub fn loads(&self, unit: &Unit) -> bool {
        unit.new_rows || self.k_tiles > self.chunk_tiles
    }

    /// Which of the rows of activations in L1 a unit multiplies with, if each index has one of its own.
    pub fn own_row(&self, op: &OpDescriptor, unit: &Unit) -> u32 {
        if op.src1.nb[2] != 0 && self.has_experts() { unit.batch[0] } else { 0 }
    }

    /// Whether indices name the matrices, and each has a single row.
    pub fn has_experts(&self) -> bool {
        self.parts.is_some_and(|parts| parts.experts)
    }

    /// Offset in src0 of the matrix that `unit` multiplies with, if that is not a matter of [indices](Self::has_experts).
    pub fn matrix(&self, src0: &TensorView, unit: &Unit) -> u64 {
        if let Some(listed) = unit.listed {
            return u64::from(listed.matrix) * src0.nb[2];
        }
        let (i2, i3) = (unit.batch[0] / self.r2, unit.batch[1] / self.r3);
        u64::from(i2) * src0.nb[2] + u64::from(i3) * src0.nb[3]
    }

    /// Which tiles of K come to L1 together, from `first` on: what a slot of the ring takes, of one chunk.
    pub fn block(&self, first: u32) -> Tiles {
        let end = self.k_tiles.min((first / self.chunk_tiles + 1) * self.chunk_tiles);
        Tiles { first, count: self.block_tiles().min(end - first) }
    }

    /// Tiles of K.
    pub fn k_tiles(&self) -> u32 {
        self.k_tiles
    }

    /// Tiles of n of the matrix that the last unit is of.
    pub fn n_tiles(&self) -> u32 {
        self.n_tiles
    }
}

impl<'a> Iterator for Plan<'a> {
    type Item = Unit<'a>;

    fn next(&mut self) -> Option<Unit<'a>> {
        if self.number == self.count {
            return None;
        }
        if self.side == 0 {
            self.next_part();
        }
        let RowTile { row, rows, batch, listed } = self.row_tile;
        let (part, batch) = match self.parts {
            None => (0, batch),
            Some(parts) if parts.experts => (0, [parts.part, 0]),
            Some(parts) => (parts.part, batch),
        };
        let n_tile = self.first_n_tile + self.column;
        let unit = Unit {
            number: self.number,
            new_rows: self.number == 0 || (self.column == 0 && self.side == 0 && self.parts.is_none()),
            side: self.side,
            is_last_side: self.side + 1 == self.sides,
            part,
            n_tile: if n_tile < self.n_tiles { n_tile } else { n_tile - self.n_tiles },
            row,
            rows,
            tiles: rows.div_ceil(TILE),
            result: self.result,
            batch,
            listed,
        };
        self.number += 1;
        self.result += unit.tiles;
        self.side += 1;
        if self.side < self.sides {
            return Some(unit);
        }
        self.side = 0;
        self.column += 1;
        if self.column == self.n_tiles && self.parts.is_none() {
            self.next_rows();
        }
        Some(unit)
    }
}
