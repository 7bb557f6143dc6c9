//! Which tile a NoC coordinate means (`NoC/Coordinates.md`).
//!
//! Each NoC counts from its own corner. This crate names tiles by NoC 0's coordinates; NoC 1 counts from the opposite
//! corner. Software mostly uses translated coordinates, which are the same on both NoCs: columns
//! from 16 on, rows from 16 on, harvested Tensix rows last. The translation tables are in the NIUs' registers;
//! [`Grid::translation`] is what firmware writes there.

use tt_isa::chip::Chip;
use tt_isa::noc::{Endpoint, NocXy, node_id as bits};

use crate::model::noc::niu::NiuSetup;

/// First translated coordinate; those below stand for themselves.
const TRANSLATED: usize = 16;

/// What stands at a position. Indices count in [`Grid`]'s order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    /// A Tensix tile, by its index in [`Grid::tensix`].
    Tensix(usize),
    /// An Ethernet tile, by channel.
    Ethernet(usize),
    /// A DRAM tile.
    Dram {
        /// Which memory; three tiles share one.
        group: usize,
        /// Position, counted row by row.
        edge: usize,
    },
    /// The PCI Express tile.
    Pcie(usize),
    /// The ARC tile.
    Arc(usize),
    /// A tile with nothing but NIUs.
    Empty(usize),
    /// A Tensix tile that is fused off.
    Harvested(usize),
}

/// The grid of one chip with its harvested rows.
pub struct Grid {
    chip: &'static Chip,
    /// NoC 0 rows of Tensix tiles, usable ones first.
    rows: Vec<u8>,
    usable: usize,
    /// Row by row.
    nodes: Vec<Node>,
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
        let mut grid = Self { chip, rows, usable, nodes: Vec::new() };
        grid.nodes = grid.positions().map(|at| grid.find(at)).collect();
        grid
    }

    /// All positions, row by row.
    pub fn positions(&self) -> impl Iterator<Item = NocXy> + use<> {
        let size = self.chip.grid;
        (0..size.y).flat_map(move |y| (0..size.x).map(move |x| NocXy::new(x, y)))
    }

    /// NoC 0 position of every usable Tensix tile, row by row.
    pub fn tensix(&self) -> Vec<NocXy> {
        let rows = &self.rows[..self.usable];
        rows.iter().flat_map(|&y| self.chip.tensix_x.iter().map(move |&x| NocXy::new(x, y))).collect()
    }

    /// Number of a position, row by row.
    pub fn number(&self, at: NocXy) -> usize {
        usize::from(at.y) * usize::from(self.chip.grid.x) + usize::from(at.x)
    }

    /// The position with a number.
    pub fn numbered(&self, number: usize) -> NocXy {
        let width = usize::from(self.chip.grid.x);
        NocXy::new((number % width) as u8, (number / width) as u8)
    }

    /// A position as `noc` counts; the other way round it is the same.
    pub fn on(&self, noc: u8, at: NocXy) -> NocXy {
        if noc == 0 { at } else { at.mirrored(self.chip.grid) }
    }

    /// What stands at a position as `noc` counts; `None` outside the grid.
    pub fn at(&self, noc: u8, at: NocXy) -> Option<Node> {
        let size = self.chip.grid;
        (at.x < size.x && at.y < size.y).then(|| self.nodes[self.number(self.on(noc, at))])
    }

    /// What stands at a coordinate that may be translated, by the tables of firmware.
    pub fn named(&self, at: NocXy) -> Option<Node> {
        let [x, y] = self.translation(0);
        let entry = |table: [u32; 4], v: u8| match table.get(usize::from(v / 8)) {
            Some(word) => (word >> (v % 8 * 4) & 15) as u8,
            None => v,
        };
        self.at(0, NocXy::new(entry(x, at.x), entry(y, at.y)))
    }

    fn find(&self, at: NocXy) -> Node {
        let chip = self.chip;
        let number = self.number(at);
        let column = chip.tensix_x.iter().position(|&x| x == at.x);
        let row = self.rows.iter().position(|&y| y == at.y);
        if let (Some(column), Some(row)) = (column, row) {
            let tensix = Node::Tensix(row * chip.tensix_x.len() + column);
            return if row < self.usable { tensix } else { Node::Harvested(number) };
        }
        if at == chip.arc {
            return Node::Arc(number);
        }
        if at == chip.pcie {
            return Node::Pcie(number);
        }
        if let Some(channel) = chip.ethernet.iter().position(|&tile| tile == at) {
            return Node::Ethernet(channel);
        }
        // The banks of a group share their ports: the group is the first bank's number, halved.
        let bank = chip.dram.iter().position(|bank| bank.ports.contains(&at));
        bank.map_or(Node::Empty(number), |bank| Node::Dram { group: bank / 2, edge: number })
    }

    /// The columns that translated x stand for, from 16 on, and the rows of y, as NoC 0 counts: first those without
    /// Tensix tiles, then those with them.
    fn translated(&self) -> [Vec<u8>; 2] {
        let rest = |size: u8, tensix: &[u8]| (0..size).filter(|v| !tensix.contains(v)).collect::<Vec<_>>();
        let columns = rest(self.chip.grid.x, self.chip.tensix_x);
        let rows = rest(self.chip.grid.y, self.chip.tensix_y);
        [[&columns[..], self.chip.tensix_x].concat(), [&rows[..], &self.rows].concat()]
    }

    /// Translation tables of x and y as firmware sets them up on `noc`.
    pub fn translation(&self, noc: u8) -> [[u32; 4]; 2] {
        let size = [self.chip.grid.x, self.chip.grid.y];
        let mut tables = [[0; 4]; 2];
        for ((table, translated), size) in tables.iter_mut().zip(self.translated()).zip(size) {
            let raw = |v: u8| if noc == 0 { v } else { size - 1 - v };
            let entries = (0..TRANSLATED as u8).chain(translated.into_iter().map(raw));
            for (i, entry) in entries.enumerate() {
                table[i / 8] |= u32::from(entry) << (i % 8 * 4);
            }
        }
        tables
    }

    /// What firmware sets up the NIU of a tile with.
    pub fn niu_setup(&self, noc: u8, at: NocXy) -> NiuSetup {
        let size = self.chip.grid;
        let [columns, rows] = self.translated();
        let logical =
            |list: &[u8], v: u8| list.iter().position(|&entry| entry == v).unwrap_or(0) + TRANSLATED;
        let position = self.on(noc, at);
        let mask = |list: &[u8], tensix: &[u8], size: u8| {
            let off = list.iter().filter(|v| !tensix.contains(v));
            off.fold(0, |mask, &v| mask | 1 << if noc == 0 { v } else { size - 1 - v })
        };
        NiuSetup {
            noc,
            position,
            logical: NocXy::new(logical(&columns, at.x) as u8, logical(&rows, at.y) as u8),
            node_id: node_id(noc, size),
            endpoint: self.endpoint(noc, at),
            translation: self.translation(noc),
            broadcast_off: [
                mask(&columns, self.chip.tensix_x, size.x),
                mask(&rows, &self.rows[..self.usable], size.y),
            ],
            off: matches!(self.nodes[self.number(at)], Node::Harvested(_)),
        }
    }

    /// Indices count tiles of a kind row by row, harvested ones too.
    fn endpoint(&self, noc: u8, at: NocXy) -> u32 {
        let chip = self.chip;
        match self.nodes[self.number(at)] {
            Node::Tensix(_) | Node::Harvested(_) => {
                let place = |list: &[u8], v: u8| list.iter().position(|&e| e == v).unwrap_or(0);
                let index = place(chip.tensix_y, at.y) * chip.tensix_x.len() + place(chip.tensix_x, at.x);
                Endpoint::Tensix.id(noc, 0, index as u8)
            }
            Node::Dram { group, .. } => {
                let port = chip.dram[2 * group].ports.iter().position(|&port| port == at);
                Endpoint::Dram.id(noc, group as u8, port.unwrap_or(0) as u8)
            }
            Node::Ethernet(channel) => Endpoint::Ethernet.id(noc, 0, channel as u8),
            Node::Pcie(_) => Endpoint::PcieOrEmpty.id(noc, 0, PCIE_INDEX),
            Node::Arc(_) => Endpoint::Arc.id(noc, 0, 0),
            Node::Empty(_) => Endpoint::PcieOrEmpty.id(noc, 0, 0),
        }
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

/// Index of the PCIe tile among the tiles of its type.
const PCIE_INDEX: u8 = 2;

/// `NODE_ID` above the position: size and way of routing. Where the torus changes datelines is documented nowhere; those
/// bits read as zero.
fn node_id(noc: u8, size: NocXy) -> u32 {
    let routing = if noc == 0 { bits::X_FIRST } else { 0 };
    u32::from(size.x) << bits::WIDTH_SHIFT | u32::from(size.y) << bits::HEIGHT_SHIFT | routing
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::WORMHOLE;

    #[test]
    fn translated_rows_skip_harvested_ones() {
        let grid = Grid::new(&WORMHOLE, 0b1);
        assert_eq!(grid.tensix().len(), 72);
        assert_eq!(grid.named(NocXy::new(18, 18)), Some(Node::Tensix(0)));
        assert_eq!(grid.tensix()[0], NocXy::new(1, 2));
        assert_eq!(grid.named(NocXy::new(25, 27)), Some(Node::Harvested(19)));
        assert_eq!(grid.at(0, NocXy::new(9, 1)), Some(Node::Harvested(19)));
        assert_eq!(grid.named(NocXy::new(40, 18)), None);
    }

    /// The example of `NoC/Coordinates.md`: rows 7 and 10 are harvested.
    #[test]
    fn tables_are_those_of_the_documents() {
        let grid = Grid::new(&WORMHOLE, 1 << 5 | 1 << 8);
        let identity = [0x7654_3210, 0xFEDC_BA98];
        let entries = |list: [u8; 16]| {
            let word = |half: &[u8]| half.iter().rev().fold(0, |word, &v| word << 4 | u32::from(v));
            [identity[0], identity[1], word(&list[..8]), word(&list[8..])]
        };
        let columns = entries([0, 5, 1, 2, 3, 4, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0]);
        let rows = entries([0, 6, 1, 2, 3, 4, 5, 8, 9, 11, 7, 10, 0, 0, 0, 0]);
        assert_eq!(grid.translation(0), [columns, rows]);
        let columns = entries([9, 4, 8, 7, 6, 5, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
        let rows = entries([11, 5, 10, 9, 8, 7, 6, 3, 2, 0, 4, 1, 0, 0, 0, 0]);
        assert_eq!(grid.translation(1), [columns, rows]);
    }

    #[test]
    fn noc_1_counts_from_the_other_corner() {
        let grid = Grid::new(&WORMHOLE, 0);
        assert_eq!(grid.at(1, NocXy::new(9, 11)), Some(Node::Dram { group: 0, edge: 0 }));
        assert!(matches!(grid.at(0, NocXy::new(5, 6)), Some(Node::Dram { group: 5, .. })));
        assert_eq!(grid.tensix()[79], NocXy::new(9, 11));
        let niu = grid.niu_setup(1, NocXy::new(9, 11));
        assert_eq!((niu.position, niu.logical), (NocXy::new(0, 0), NocXy::new(25, 27)));
    }
}
