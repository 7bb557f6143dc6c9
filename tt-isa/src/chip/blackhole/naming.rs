//! What a Blackhole's firmware writes into the translation tables of its NIUs (`noc_init.c`).
//!
//! A request names a tile by x and y. Each NIU looks both up in tables of 32 entries before it routes. Unlike Wormhole's,
//! these tables have no part in which every tile is named by its position, and NoC 1's tables make the same names mean the same tiles.
//!
//! ```text
//! Tensix     x 1..7, 10..16  the columns that are left, rising; harvested ones from 16 down.  y as it is
//! DRAM       x 17, 18        the columns of banks, that with all banks first.  y 12..23: three ports a bank
//! PCIe       (19, 24)        the endpoint
//! Ethernet   (20.., 25)      the channels that are left, in their order
//! L2CPU      (8, 26..29)     security (8, 30)     ARC (8, 0)
//! ```

use super::{BLACKHOLE, DRAM_ROWS, OTHER_PCIE, PHYSICAL_COLUMNS};
use crate::chip::Naming;
use crate::noc::{NAMES, NocXy, Translation};

/// NoC 0 rows of the tiles in column 8 that have a translated name: L2CPU 0..3, security.
const COLUMN_8: [u8; 5] = [3, 9, 5, 7, 2];
/// Columns of the banks.
const DRAM_COLUMNS: [u8; 2] = [0, 9];

/// What of a chip is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Present {
    /// Tensix columns that work, one bit each by physical index ([`PHYSICAL_COLUMNS`]).
    pub tensix_columns: u16,
    /// The bank that is missing, if one is.
    pub missing_bank: Option<u8>,
    /// Ethernet channels in use, one bit each.
    pub ethernet: u16,
    /// The endpoint is the PCIe tile at (11,0).
    pub other_pcie: bool,
}

impl Present {
    /// Everything works; two Ethernet channels are never used.
    pub const ALL: Self = Self {
        tensix_columns: 0x3FFF,
        missing_bank: None,
        ethernet: 0x3FFF & !(1 << 4 | 1 << 7),
        other_pcie: false,
    };
}

pub(super) const NAMING: Naming = Naming {
    tables: |harvested| tables(&Present { tensix_columns: present(harvested), ..Present::ALL }),
    name,
};

/// [`Present::tensix_columns`] where those with a bit are harvested, counted from the left.
fn present(harvested: u32) -> u16 {
    let bit =
        |x: &u8| BLACKHOLE.tensix_x.iter().position(|column| column == x).map_or(0, |n| harvested >> n & 1);
    let columns = PHYSICAL_COLUMNS.iter().enumerate();
    columns.fold(0, |mask, (i, x)| mask | u16::from(bit(x) == 0) << i)
}

/// The first name of a tile: Tensix, DRAM, PCIe, Ethernet, column 8. A tile without one has its position.
fn name(tables: &Translation, tile: NocXy) -> NocXy {
    let dram = BLACKHOLE.dram.len();
    let dram = (0..dram).flat_map(|bank| (0..3).map(move |port| BLACKHOLE.dram_port(bank, port)));
    let ethernet = (20..NAMES as u8).map(|x| NocXy::new(x, 25));
    let column_8 = (26..31).map(|y| NocXy::new(8, y));
    let mut names = BLACKHOLE.workers(0).chain(dram).chain([PCIE]).chain(ethernet).chain(column_8);
    names.find(|&name| BLACKHOLE.noc.position(tables, name) == tile).unwrap_or(tile)
}

/// Name of the endpoint.
const PCIE: NocXy = NocXy::new(19, 24);

/// NoC 0's tables on a chip with this much of it.
pub fn tables(present: &Present) -> Translation {
    let identity = core::array::from_fn(|name| name as u8);
    let names = NocXy::new(NAMES as u8, NAMES as u8);
    let mut tables = Translation { x: identity, y: identity, names, positions: 0 };
    set_tensix(&mut tables, present.tensix_columns);
    set_dram(&mut tables, present.missing_bank);
    let pcie = if present.other_pcie { OTHER_PCIE } else { BLACKHOLE.pcie };
    (tables.x[usize::from(PCIE.x)], tables.y[usize::from(PCIE.y)]) = (pcie.x, pcie.y);
    let channels = (0..PHYSICAL_COLUMNS.len()).filter(|channel| present.ethernet >> channel & 1 == 1);
    for (entry, channel) in tables.x[20..].iter_mut().zip(channels) {
        *entry = PHYSICAL_COLUMNS[channel];
    }
    tables.y[25] = BLACKHOLE.ethernet[0].y;
    tables.y[26..31].copy_from_slice(&COLUMN_8);
    tables
}

fn set_tensix(tables: &mut Translation, columns: u16) {
    let works =
        |x: u8| PHYSICAL_COLUMNS.iter().position(|&at| at == x).is_some_and(|i| columns >> i & 1 == 1);
    let names = BLACKHOLE.translated_x;
    let left = BLACKHOLE.tensix_x.iter().copied().filter(|&x| works(x));
    let harvested = PHYSICAL_COLUMNS.iter().copied().filter(|&x| !works(x));
    for (&name, x) in names.iter().zip(left) {
        tables.x[usize::from(name)] = x;
    }
    for (&name, x) in names.iter().rev().zip(harvested) {
        tables.x[usize::from(name)] = x;
    }
}

fn set_dram(tables: &mut Translation, missing: Option<u8>) {
    let rows = DRAM_ROWS.len();
    let (side, row) =
        missing.map_or((1, rows - 1), |bank| (usize::from(bank) / rows, usize::from(bank) % rows));
    // The side with all its banks comes first, the row with a missing one last.
    (tables.x[17], tables.x[18]) = (DRAM_COLUMNS[1 - side], DRAM_COLUMNS[side]);
    let order = (0..rows).filter(|&r| r != row).chain([row]);
    for (ports, r) in tables.y[12..24].chunks_mut(DRAM_ROWS[0].len()).zip(order) {
        ports.copy_from_slice(&DRAM_ROWS[r]);
    }
}
