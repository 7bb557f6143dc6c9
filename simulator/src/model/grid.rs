//! Which tile a NoC coordinate means (`NoC/Coordinates.md`).
//!
//! Each NoC counts from its own corner. This crate names tiles by NoC 0's coordinates; NoC 1 counts from the opposite
//! corner. Software mostly uses translated coordinates, which are the same on both NoCs. The translation tables are in
//! the NIUs' registers; which ones firmware writes there is the chip's ([`Chip::naming`]).

use tt_isa::chip::{Chip, Design, DramBank, Harvesting};
use tt_isa::noc::{Endpoint, NocXy, Translation};

use crate::model::noc::niu::NiuSetup;

/// What stands at a position. Indices count in [`Grid`]'s order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Node {
    /// A Tensix tile, by its index in [`Grid::tensix`].
    Tensix(usize),
    /// An Ethernet tile, by channel.
    Ethernet(usize),
    /// A tile of a design that has no model, but for its NIUs.
    Unmodelled(usize),
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

/// The grid of one chip with its harvested rows or columns.
pub struct Grid {
    chip: &'static Chip,
    /// NoC 0 columns of Tensix tiles, those in use first, and how many are in use.
    columns: (Vec<u8>, usize),
    /// The same of rows.
    rows: (Vec<u8>, usize),
    /// NoC 0's translation tables as firmware sets them up.
    translation: Translation,
    /// DRAM banks that share their ports: that many follow one another.
    banks_of_group: usize,
    /// Row by row.
    nodes: Vec<Node>,
}

/// `all`, those without a bit in `out` first, and how many these are.
fn in_use_first(all: &[u8], out: u32) -> (Vec<u8>, usize) {
    let pick = |want: u32| (0..).zip(all).filter(move |(n, _)| out >> n & 1 == want).map(|(_, &v)| v);
    let mut list: Vec<u8> = pick(0).collect();
    let in_use = list.len();
    list.extend(pick(1));
    (list, in_use)
}

impl Grid {
    /// A chip whose Tensix rows (or columns, if it is harvested by columns) with a bit in `harvested` are fused off: bit n is
    /// the n-th one that holds Tensix tiles.
    pub fn new(chip: &'static Chip, harvested: u32) -> Self {
        let (columns, rows) = match chip.harvesting {
            Harvesting::Columns => (harvested, 0),
            Harvesting::Rows => (0, harvested),
        };
        let first: &DramBank = &chip.dram[0];
        let mut grid = Self {
            chip,
            columns: in_use_first(chip.tensix_x, columns),
            rows: in_use_first(chip.tensix_y, rows),
            translation: (chip.naming.tables)(harvested),
            banks_of_group: chip.dram.iter().take_while(|bank| bank.ports == first.ports).count(),
            nodes: Vec::new(),
        };
        grid.nodes = grid.positions().map(|at| grid.find(at)).collect();
        grid
    }

    /// Tensix columns in use.
    fn columns_in_use(&self) -> &[u8] {
        &self.columns.0[..self.columns.1]
    }

    /// Tensix rows in use.
    fn rows_in_use(&self) -> &[u8] {
        &self.rows.0[..self.rows.1]
    }

    /// All positions, row by row.
    pub fn positions(&self) -> impl Iterator<Item = NocXy> + use<> {
        let size = self.chip.grid;
        (0..size.y).flat_map(move |y| (0..size.x).map(move |x| NocXy::new(x, y)))
    }

    /// NoC 0 position of every usable Tensix tile, row by row.
    pub fn tensix(&self) -> Vec<NocXy> {
        let columns = self.columns_in_use();
        self.rows_in_use().iter().flat_map(|&y| columns.iter().map(move |&x| NocXy::new(x, y))).collect()
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
        self.at(0, self.chip.noc.position(&self.translation, at))
    }

    fn find(&self, at: NocXy) -> Node {
        let chip = self.chip;
        let number = self.number(at);
        let column = self.columns.0.iter().position(|&x| x == at.x);
        let row = self.rows.0.iter().position(|&y| y == at.y);
        if let (Some(column), Some(row)) = (column, row) {
            let tensix = Node::Tensix(row * self.columns.1 + column);
            let in_use = column < self.columns.1 && row < self.rows.1;
            return if in_use { tensix } else { Node::Harvested(number) };
        }
        if at == chip.arc {
            return Node::Arc(number);
        }
        if at == chip.pcie {
            return Node::Pcie(number);
        }
        if let Some(channel) = self.ethernet().iter().position(|&tile| tile == at) {
            return Node::Ethernet(channel);
        }
        if chip.ethernet.contains(&at) {
            return Node::Unmodelled(number);
        }
        let bank = chip.dram.iter().position(|bank| bank.ports.contains(&at));
        let group = bank.map(|bank| bank / self.banks_of_group);
        group.map_or(Node::Empty(number), |group| Node::Dram { group, edge: number })
    }

    /// What firmware sets up the NIU of a tile with.
    pub fn niu_setup(&self, noc: u8, at: NocXy) -> NiuSetup {
        let chip = self.chip;
        let size = chip.grid;
        // Only tiles in Tensix rows and columns in use receive broadcasts.
        let mask = |in_use: &[u8], size: u8| {
            let off = (0..size).filter(|v| !in_use.contains(v));
            off.fold(0, |mask, v| mask | 1 << if noc == 0 { v } else { size - 1 - v })
        };
        NiuSetup {
            map: &chip.noc,
            noc,
            position: self.on(noc, at),
            logical: (chip.naming.name)(&self.translation, at),
            node_id: chip.node_id(at, noc),
            endpoint: self.endpoint(noc, at),
            translation: self.translation.on(noc, size),
            broadcast_off: [mask(self.columns_in_use(), size.x), mask(self.rows_in_use(), size.y)],
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
                let port = self.dram_ports(group).iter().position(|&port| port == at);
                Endpoint::Dram.id(noc, group as u8, port.unwrap_or(0) as u8)
            }
            Node::Ethernet(channel) => Endpoint::Ethernet.id(noc, 0, channel as u8),
            Node::Unmodelled(_) => {
                let channel = chip.ethernet.iter().position(|&tile| tile == at).unwrap_or(0);
                Endpoint::Ethernet.id(noc, 0, channel as u8)
            }
            Node::Pcie(_) => Endpoint::PcieOrEmpty.id(noc, 0, PCIE_INDEX),
            Node::Arc(_) => Endpoint::Arc.id(noc, 0, 0),
            Node::Empty(_) => Endpoint::PcieOrEmpty.id(noc, 0, 0),
        }
    }

    /// Ethernet tiles that are modelled, by channel: those of Wormhole's design.
    pub fn ethernet(&self) -> &'static [NocXy] {
        match self.chip.designs.ethernet {
            Design::Wormhole => self.chip.ethernet,
            Design::Blackhole => &[],
        }
    }

    /// Number of memories behind DRAM tiles.
    pub fn dram_groups(&self) -> usize {
        self.chip.dram.len() / self.banks_of_group
    }

    /// Bytes of one of them.
    pub fn dram_group_size(&self) -> u64 {
        self.banks_of_group as u64 * self.chip.dram_bank_size
    }

    /// The DRAM tiles that share a memory.
    pub fn dram_ports(&self, group: usize) -> &'static [NocXy] {
        self.chip.dram[group * self.banks_of_group].ports
    }
}

/// Index of the PCIe tile among the tiles of its type.
const PCIE_INDEX: u8 = 2;

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

    /// The registers of both tables.
    fn tables(grid: &Grid, noc: u8) -> [[u32; 4]; 2] {
        let tables = grid.translation.on(noc, WORMHOLE.grid);
        [&tables.x, &tables.y].map(|table| {
            let words = WORMHOLE.noc.table_words(table);
            words[..WORMHOLE.noc.table_registers()].try_into().expect("four registers")
        })
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
        assert_eq!(tables(&grid, 0), [columns, rows]);
        let columns = entries([9, 4, 8, 7, 6, 5, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
        let rows = entries([11, 5, 10, 9, 8, 7, 6, 3, 2, 0, 4, 1, 0, 0, 0, 0]);
        assert_eq!(tables(&grid, 1), [columns, rows]);
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
