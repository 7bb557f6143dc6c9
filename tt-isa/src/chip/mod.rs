//! Chips and boards as data: what differs from one chip to the next, in one place for each chip.
//!
//! A [`Chip`] is a constant. The host uses the one of the device that it has opened ([`identify`]). Code that is
//! compiled for one chip uses the constant itself, so its fields are constants too. What all chips share
//! is in the modules of its subject ([`crate::map`], [`crate::noc`], ..) and is not repeated here.
//!
//! | module | what it holds |
//! |---|---|
//! | [`wormhole`] | Wormhole B0: chip, registers by name, names of tiles |
//! | [`blackhole`] | Blackhole A0: chip, instructions, registers, names of tiles |
//! | `board` | boards with Wormhole chips |
//!
//! Sources: `WormholeB0/README.md`, `NoC/Coordinates.md`, `DRAMTile/README.md`, the same pages below `BlackholeA0/`,
//! the vendor's soc descriptors; further ones are named where they are used.

use crate::arc::Management;
use crate::cfg::Registers;
use crate::insn::InsnSet;
use crate::map::TileMap;
use crate::noc::{NiuMap, NocXy, Translation};
use crate::stall::Conditions;
use crate::timing::Timing;
use crate::tlb::HostMap;

pub mod blackhole;
mod board;
pub mod wormhole;

pub use blackhole::BLACKHOLE;
pub use board::{BOARDS, Board, EthEnd, EthLink, board};
pub use wormhole::WORMHOLE;

/// A DRAM bank as software sees it: a contiguous range of one DRAM tile's NoC address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DramBank {
    /// NoC 0 coordinates of the tiles (ports) that reach this bank.
    pub ports: &'static [NocXy],
    /// Address of the bank's first byte at those ports.
    pub base: u64,
}

/// The NIUs of a group of DRAM tiles in each tile's NoC address space, a block a tile (`DRAMTile/README.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DramNiu {
    /// The first block.
    pub base: u64,
    /// Which of a group's ports ([`DramBank::ports`]) each block is of.
    pub ports: &'static [usize],
    /// Distance between the blocks of two tiles.
    pub tile_stride: u64,
    /// Distance between the two NIUs of a tile.
    pub noc_stride: u64,
}

/// How requests name the tiles of a chip.
#[derive(Clone, Copy, Debug)]
pub struct Naming {
    /// NoC 0's tables as firmware sets them up, on a chip some of whose Tensix rows (or columns) are harvested: bit n is the
    /// n-th of [`Chip::tensix_y`] (or `tensix_x`).
    pub tables: fn(harvested: u32) -> Translation,
    /// By these tables, the name of the tile at a NoC 0 position: what its NIUs show as their own.
    pub name: fn(&Translation, NocXy) -> NocXy,
}

/// The chip that a part was designed for. Chips with a part of the same design share what is written for it: kernels,
/// models of the simulator, the modules here that describe its registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Design {
    /// Wormhole's.
    Wormhole,
    /// Blackhole's.
    Blackhole,
}

/// Of which design the parts of a chip are that differ in more than sizes and places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Designs {
    /// Tensix coprocessor.
    pub coprocessor: Design,
    /// Ethernet tiles ([`crate::eth`] is Wormhole's).
    pub ethernet: Design,
    /// PCIe controller ([`crate::pcie`] is Wormhole's).
    pub pcie: Design,
    /// Management processor: messages and registers ([`crate::arc`] is Wormhole's, but for the telemetry table).
    pub management: Design,
}

/// What is left out of a chip's Tensix tiles where some do not work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Harvesting {
    /// Whole rows.
    Rows,
    /// Whole columns.
    Columns,
}

/// A chip.
#[derive(Debug)]
pub struct Chip {
    /// Name, as in `wormhole`.
    pub name: &'static str,
    /// PCI vendor and device id, as the configuration word at 0.
    pub pci_id: u32,
    /// Columns and rows of the NoC.
    pub grid: NocXy,
    /// NoC 0 columns that hold Tensix tiles.
    pub tensix_x: &'static [u8],
    /// NoC 0 rows that hold Tensix tiles.
    pub tensix_y: &'static [u8],
    /// What is harvested.
    pub harvesting: Harvesting,
    /// How requests name tiles.
    pub naming: Naming,
    /// Translated columns of Tensix tiles; harvested ones last (`NoC/Coordinates.md`).
    pub translated_x: &'static [u8],
    /// Translated rows of Tensix tiles; harvested ones last.
    pub translated_y: &'static [u8],
    /// NoC 0 coordinates of the Ethernet tiles, by channel.
    pub ethernet: &'static [NocXy],
    /// NoC 0 coordinate of the PCIe tile that faces the host. Of a chip with two it is the one of most boards.
    pub pcie: NocXy,
    /// NoC 0 coordinate of the ARC tile.
    pub arc: NocXy,
    /// DRAM banks.
    pub dram: &'static [DramBank],
    /// Bytes in each DRAM bank.
    pub dram_bank_size: u64,
    /// Translated coordinate of the first bank's first port: the ports of a bank and the banks of a column follow one another
    /// in y, the second half of the banks is in the next column, and a missing bank leaves no gap. `None`: DRAM tiles have
    /// no translated coordinates, a request names the port as in [`DramBank::ports`].
    pub dram_translated: Option<NocXy>,
    /// NIUs in the NoC address space of DRAM tiles, where it is known.
    pub dram_niu: Option<DramNiu>,
    /// Designs of its parts.
    pub designs: Designs,
    /// Addresses in a Tensix tile.
    pub tile: TileMap,
    /// NIUs and the limits of requests.
    pub noc: NiuMap,
    /// BARs and host windows.
    pub host: HostMap,
    /// How the management processor is reached.
    pub management: Management,
    /// Instructions of the Tensix coprocessor.
    pub insn: InsnSet,
    /// Its configuration registers.
    pub registers: Registers,
    /// Conditions of `STALLWAIT`.
    pub until: Conditions,
    /// What things cost, if that is known.
    pub timing: Option<&'static Timing>,
}

impl Chip {
    /// Translated coordinates of the Tensix tiles that are left when `harvested` rows (or columns) are out, row by row.
    pub fn workers(&self, harvested: u32) -> impl Iterator<Item = NocXy> + use<> {
        let (columns, rows) = self.workers_grid(harvested);
        let (x, y) = (self.translated_x, self.translated_y);
        (0..rows).flat_map(move |row| {
            (0..columns).map(move |column| NocXy::new(x[column as usize], y[row as usize]))
        })
    }

    /// Columns and rows of Tensix tiles that are left when `harvested` rows (or columns) are out.
    pub const fn workers_grid(&self, harvested: u32) -> (u32, u32) {
        let (columns, rows) = (self.tensix_x.len() as u32, self.tensix_y.len() as u32);
        match self.harvesting {
            Harvesting::Rows => (columns, rows.saturating_sub(harvested)),
            Harvesting::Columns => (columns.saturating_sub(harvested), rows),
        }
    }

    /// Rows (or columns) of Tensix tiles, of which some may be harvested.
    pub const fn harvestable(&self) -> u32 {
        match self.harvesting {
            Harvesting::Rows => self.tensix_y.len() as u32,
            Harvesting::Columns => self.tensix_x.len() as u32,
        }
    }

    /// What a request over NoC 0 names to reach a bank through one of its ports. `bank` counts the banks that are there.
    pub const fn dram_port(&self, bank: usize, port: usize) -> NocXy {
        match self.dram_translated {
            None => self.dram[bank].ports[port],
            Some(first) => {
                let (column, row) = (bank / (self.dram.len() / 2), bank % (self.dram.len() / 2));
                let ports = self.dram[0].ports.len();
                NocXy::new(first.x + column as u8, first.y + (row * ports + port) as u8)
            }
        }
    }

    /// `NODE_ID` of the tile at a NoC 0 coordinate, without the dateline bits.
    pub const fn node_id(&self, tile: NocXy, noc: u8) -> u32 {
        use crate::noc::node_id::{HEIGHT_SHIFT, WIDTH_SHIFT, X_FIRST};
        let (at, order) = match noc {
            0 => (tile, X_FIRST),
            _ => (tile.mirrored(self.grid), 0),
        };
        let size = (self.grid.x as u32) << WIDTH_SHIFT | (self.grid.y as u32) << HEIGHT_SHIFT;
        at.x as u32 | (at.y as u32) << 6 | size | order
    }
}

/// Every chip that is described.
pub const CHIPS: &[&Chip] = &[&WORMHOLE, &BLACKHOLE];

/// A chip that is known and not described, so that it can be refused with reasons.
#[derive(Debug)]
pub struct Undescribed {
    /// Name, as in `grayskull`.
    pub name: &'static str,
    /// PCI vendor and device id.
    pub pci_id: u32,
    /// Why nothing here runs on it.
    pub reasons: &'static [&'static str],
}

/// Grayskull (e75, e150).
pub const GRAYSKULL: Undescribed = Undescribed {
    name: "grayskull",
    pci_id: 0xFACA_1E52,
    reasons: &[
        "its matrix unit does not accumulate in FP32",
        "its RISC-V cores have no multiplication (RV32I)",
        "the vendor's kernel driver no longer supports it",
    ],
};

/// What a PCI id stands for.
#[derive(Clone, Copy, Debug)]
pub enum Identity {
    /// A chip that is described.
    Chip(&'static Chip),
    /// One that is only known.
    Undescribed(&'static Undescribed),
}

/// The chip with a PCI vendor and device id, as the configuration word at 0.
pub fn identify(pci_id: u32) -> Option<Identity> {
    match CHIPS.iter().find(|chip| chip.pci_id == pci_id) {
        Some(chip) => Some(Identity::Chip(chip)),
        None if pci_id == GRAYSKULL.pci_id => Some(Identity::Undescribed(&GRAYSKULL)),
        None => None,
    }
}

const fn xy(x: u8, y: u8) -> NocXy {
    NocXy::new(x, y)
}

const fn places<const N: usize>(list: [[u8; 2]; N]) -> [NocXy; N] {
    let mut places = [xy(0, 0); N];
    let mut i = 0;
    while i < N {
        places[i] = xy(list[i][0], list[i][1]);
        i += 1;
    }
    places
}
