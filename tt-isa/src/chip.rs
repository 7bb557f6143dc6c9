//! Chips and boards as data: which tile is where, which DRAM bank is reached how.
//!
//! Sources: `WormholeB0/README.md`, `NoC/Coordinates.md`, `DRAMTile/README.md`, the vendor's soc descriptors.

use crate::noc::NocXy;

/// A DRAM bank as software sees it: a contiguous range of one DRAM tile's NoC address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DramBank {
    /// NoC 0 coordinates of the tiles (ports) that reach this bank.
    pub ports: &'static [NocXy],
    /// Address of the bank's first byte at those ports.
    pub base: u64,
}

/// A chip's grid.
#[derive(Debug)]
pub struct Chip {
    /// Name, as in `wormhole`.
    pub name: &'static str,
    /// Columns and rows of the NoC.
    pub grid: NocXy,
    /// NoC 0 columns that hold Tensix tiles.
    pub tensix_x: &'static [u8],
    /// NoC 0 rows that hold Tensix tiles.
    pub tensix_y: &'static [u8],
    /// NoC 0 coordinates of the Ethernet tiles, by channel.
    pub ethernet: &'static [NocXy],
    /// NoC 0 coordinate of the PCIe tile.
    pub pcie: NocXy,
    /// NoC 0 coordinate of the ARC tile.
    pub arc: NocXy,
    /// DRAM banks.
    pub dram: &'static [DramBank],
    /// Bytes in each DRAM bank.
    pub dram_bank_size: u64,
    /// Translated coordinate of the first Tensix tile: its columns and rows follow without gaps, harvested
    /// rows last (`NoC/Coordinates.md`).
    pub tensix_translated: NocXy,
    /// PCI vendor and device id, as the configuration word at 0.
    pub pci_id: u32,
}

const fn xy(x: u8, y: u8) -> NocXy {
    NocXy::new(x, y)
}

const fn bank(ports: &'static [NocXy], channel: u64) -> DramBank {
    DramBank { ports, base: channel << 30 }
}

const D0: &[NocXy] = &[xy(0, 11), xy(0, 1), xy(0, 0)];
const D1: &[NocXy] = &[xy(0, 5), xy(0, 7), xy(0, 6)];
const D2: &[NocXy] = &[xy(5, 11), xy(5, 1), xy(5, 0)];
const D3: &[NocXy] = &[xy(5, 2), xy(5, 10), xy(5, 9)];
const D4: &[NocXy] = &[xy(5, 8), xy(5, 4), xy(5, 3)];
const D5: &[NocXy] = &[xy(5, 5), xy(5, 7), xy(5, 6)];

/// Wormhole B0.
pub const WORMHOLE: Chip = Chip {
    name: "wormhole",
    grid: xy(10, 12),
    tensix_x: &[1, 2, 3, 4, 6, 7, 8, 9],
    tensix_y: &[1, 2, 3, 4, 5, 7, 8, 9, 10, 11],
    ethernet: &[
        xy(9, 0),
        xy(1, 0),
        xy(8, 0),
        xy(2, 0),
        xy(7, 0),
        xy(3, 0),
        xy(6, 0),
        xy(4, 0),
        xy(9, 6),
        xy(1, 6),
        xy(8, 6),
        xy(2, 6),
        xy(7, 6),
        xy(3, 6),
        xy(6, 6),
        xy(4, 6),
    ],
    pcie: xy(0, 3),
    arc: xy(0, 10),
    dram: &[
        bank(D0, 0),
        bank(D0, 1),
        bank(D1, 0),
        bank(D1, 1),
        bank(D2, 0),
        bank(D2, 1),
        bank(D3, 0),
        bank(D3, 1),
        bank(D4, 0),
        bank(D4, 1),
        bank(D5, 0),
        bank(D5, 1),
    ],
    dram_bank_size: 1 << 30,
    tensix_translated: xy(18, 18),
    pci_id: 0x401E_1E52,
};

/// A board: its chips and how many Tensix rows are harvested on each.
#[derive(Debug)]
pub struct Board {
    /// Name, as users write it.
    pub name: &'static str,
    /// Chip type.
    pub chip: &'static Chip,
    /// Harvested Tensix rows of each chip.
    pub harvested_rows: &'static [u8],
    /// Board type in the upper half of the telemetry's board id.
    pub board_type: u32,
}

/// Boards that can be described without a card. Which rows are harvested differs from card to card: only
/// their number is a property of the board.
pub const BOARDS: &[Board] = &[
    Board { name: "n150", chip: &WORMHOLE, harvested_rows: &[1], board_type: 0x18 },
    Board { name: "n300", chip: &WORMHOLE, harvested_rows: &[2, 2], board_type: 0x14 },
    Board { name: "galaxy", chip: &WORMHOLE, harvested_rows: &[0], board_type: 0x35 },
];

/// The board called `name`.
pub fn board(name: &str) -> Option<&'static Board> {
    BOARDS.iter().find(|board| board.name == name)
}
