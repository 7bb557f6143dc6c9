//! Which tile a NoC coordinate means (`NoC/Coordinates.md`).
//!
//! Coordinates below 16 are positions: NoC 0's as drawn, NoC 1's counted from the opposite corner. Those from 16
//! on are translated, the same on both NoCs: Tensix columns from 18, rows 16 and 17 Ethernet, rows from 18
//! Tensix, with the harvested rows last.

use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;

const TRANSLATED: u8 = 16;

/// What stands at a position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    /// A Tensix tile, by its index in [`Grid::tensix`].
    Tensix(usize),
    /// A DRAM tile, by group of ports.
    Dram(usize),
    /// The ARC tile.
    Arc,
    /// Anything else.
    Other,
}

/// The grid of one chip with its harvested rows.
pub struct Grid {
    chip: &'static Chip,
    /// NoC 0 rows of Tensix tiles, usable ones first.
    rows: Vec<u8>,
    usable: usize,
}

impl Grid {
    /// A chip whose Tensix rows with a bit in `harvested` (bit n: the n-th Tensix row from the top) are fused off.
    pub fn new(chip: &'static Chip, harvested: u32) -> Self {
        let is_harvested = |i: usize| harvested >> i & 1 == 1;
        let pick = |want: bool| {
            let rows = chip.tensix_y.iter().enumerate();
            rows.filter(move |(i, _)| is_harvested(*i) == want).map(|(_, &y)| y)
        };
        let mut rows: Vec<u8> = pick(false).collect();
        let usable = rows.len();
        rows.extend(pick(true));
        Self { chip, rows, usable }
    }

    /// NoC 0 position and translated coordinate of every usable Tensix tile, row by row.
    pub fn tensix(&self) -> Vec<(NocXy, NocXy)> {
        let first = self.chip.tensix_translated;
        let rows = self.rows[..self.usable].iter().enumerate();
        rows.flat_map(|(j, &y)| {
            let columns = self.chip.tensix_x.iter().enumerate();
            columns.map(move |(i, &x)| (NocXy::new(x, y), NocXy::new(first.x + i as u8, first.y + j as u8)))
        })
        .collect()
    }

    /// NoC 0 position of a coordinate as `noc` numbers it; `None` outside the grid.
    pub fn position(&self, noc: u8, xy: NocXy) -> Option<NocXy> {
        let size = self.chip.grid;
        let first = self.chip.tensix_translated;
        let raw = |v: u8, size: u8| match () {
            () if v >= size => None,
            () if noc == 0 => Some(v),
            () => Some(size - 1 - v),
        };
        let column = |x: u8| self.chip.tensix_x.get(usize::from(x.checked_sub(first.x)?)).copied();
        let x = if xy.x < TRANSLATED { raw(xy.x, size.x) } else { column(xy.x) }?;
        let y = match xy.y {
            y if y < TRANSLATED => raw(y, size.y),
            // The two Ethernet rows.
            16 => Some(0),
            17 => Some(6),
            y => self.rows.get(usize::from(y - first.y)).copied(),
        }?;
        Some(NocXy::new(x, y))
    }

    /// What stands at a NoC 0 position.
    pub fn node(&self, position: NocXy) -> Node {
        let column = self.chip.tensix_x.iter().position(|&x| x == position.x);
        let row = self.rows[..self.usable].iter().position(|&y| y == position.y);
        if let (Some(column), Some(row)) = (column, row) {
            return Node::Tensix(row * self.chip.tensix_x.len() + column);
        }
        if position == self.chip.arc {
            return Node::Arc;
        }
        // The banks of a group share their ports: the group is the first bank's number, halved.
        let bank = self.chip.dram.iter().position(|bank| bank.ports.contains(&position));
        bank.map_or(Node::Other, |bank| Node::Dram(bank / 2))
    }

    /// Number of DRAM tiles (groups of ports).
    pub fn dram_groups(&self) -> usize {
        self.chip.dram.len() / 2
    }

    /// Bytes behind a DRAM tile.
    pub fn dram_group_size(&self) -> u64 {
        2 * self.chip.dram_bank_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::WORMHOLE;

    #[test]
    fn translated_rows_skip_harvested_ones() {
        let grid = Grid::new(&WORMHOLE, 0b1);
        assert_eq!(grid.tensix().len(), 72);
        assert_eq!(grid.position(0, NocXy::new(18, 18)), Some(NocXy::new(1, 2)));
        assert_eq!(grid.position(1, NocXy::new(18, 18)), Some(NocXy::new(1, 2)));
        assert_eq!(grid.position(0, NocXy::new(25, 27)), Some(NocXy::new(9, 1)));
        assert_eq!(grid.node(NocXy::new(1, 1)), Node::Other);
        assert_eq!(grid.node(NocXy::new(1, 2)), Node::Tensix(0));
        assert_eq!(grid.position(0, NocXy::new(26, 18)), None);
    }

    #[test]
    fn noc_1_counts_from_the_other_corner() {
        let grid = Grid::new(&WORMHOLE, 0);
        assert_eq!(grid.position(1, NocXy::new(9, 11)), Some(NocXy::new(0, 0)));
        assert_eq!(grid.node(NocXy::new(0, 0)), Node::Dram(0));
        assert_eq!(grid.node(NocXy::new(5, 6)), Node::Dram(5));
        assert_eq!(grid.tensix()[79], (NocXy::new(9, 11), NocXy::new(25, 27)));
    }
}
