//! What a Blackhole's firmware writes into the translation tables of its NIUs (`noc_init.c`).
//!
//! A request names a tile by x and y. Each NIU looks both up in tables of 32 entries before it routes. Unlike Wormhole's,
//! these tables have no part in which tiles are named by their position, and NoC 1's tables give the same tiles the same names.
//!
//! ```text
//! Tensix     x 1..7, 10..16  the remaining columns, rising; harvested ones from 16 down.  y unchanged
//! DRAM       x 17, 18        the columns of banks, the one with all banks first.  y 12..23: three ports a bank
//! PCIe       (19, 24)        the endpoint
//! Ethernet   (20.., 25)      the remaining channels, in order
//! L2CPU      (8, 26..29)     security (8, 30)     ARC (8, 0)
//! ```

use super::{BLACKHOLE, DRAM_ROWS, OTHER_PCIE, PHYSICAL_COLUMNS};
use crate::noc::NocXy;

/// Entries of a table.
const ENTRIES: usize = 32;
/// Entries in one register of a table.
const ENTRIES_OF_REGISTER: usize = 6;
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

/// The two tables of NoC 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    x: [u8; ENTRIES],
    y: [u8; ENTRIES],
}

impl Translation {
    /// Those of a chip with this much of it.
    pub fn of(present: &Present) -> Self {
        let mut tables = Self { x: [0; ENTRIES], y: [0; ENTRIES] };
        for i in 0..ENTRIES {
            (tables.x[i], tables.y[i]) = (i as u8, i as u8);
        }
        tables.set_tensix(present.tensix_columns);
        tables.set_dram(present.missing_bank);
        let pcie = if present.other_pcie { OTHER_PCIE } else { BLACKHOLE.pcie };
        (tables.x[19], tables.y[24]) = (pcie.x, pcie.y);
        let channels = (0..PHYSICAL_COLUMNS.len()).filter(|channel| present.ethernet >> channel & 1 == 1);
        for (entry, channel) in tables.x[20..].iter_mut().zip(channels) {
            *entry = PHYSICAL_COLUMNS[channel];
        }
        tables.y[25] = BLACKHOLE.ethernet[0].y;
        tables.y[26..31].copy_from_slice(&COLUMN_8);
        tables
    }

    fn set_tensix(&mut self, columns: u16) {
        let works =
            |x: u8| PHYSICAL_COLUMNS.iter().position(|&at| at == x).is_some_and(|i| columns >> i & 1 == 1);
        let names = BLACKHOLE.translated_x;
        let left = BLACKHOLE.tensix_x.iter().copied().filter(|&x| works(x));
        let harvested = PHYSICAL_COLUMNS.iter().copied().filter(|&x| !works(x));
        for (&name, x) in names.iter().zip(left) {
            self.x[usize::from(name)] = x;
        }
        for (&name, x) in names.iter().rev().zip(harvested) {
            self.x[usize::from(name)] = x;
        }
    }

    fn set_dram(&mut self, missing: Option<u8>) {
        let rows = DRAM_ROWS.len();
        let (side, row) =
            missing.map_or((1, rows - 1), |bank| (usize::from(bank) / rows, usize::from(bank) % rows));
        // The side with all its banks comes first, the row with a missing one last.
        (self.x[17], self.x[18]) = (DRAM_COLUMNS[1 - side], DRAM_COLUMNS[side]);
        let order = (0..rows).filter(|&r| r != row).chain([row]);
        for (ports, r) in self.y[12..24].chunks_mut(DRAM_ROWS[0].len()).zip(order) {
            ports.copy_from_slice(&DRAM_ROWS[r]);
        }
    }

    /// NoC 0 position of the tile that a request means.
    pub fn position(&self, tile: NocXy) -> NocXy {
        let raw = BLACKHOLE.noc.untranslated_rows.checked_shr(tile.y.into()).unwrap_or(0) & 1 == 1;
        let entry = |table: &[u8; ENTRIES], name: u8| table[usize::from(name) % ENTRIES];
        NocXy::new(if raw { tile.x } else { entry(&self.x, tile.x) }, entry(&self.y, tile.y))
    }

    /// The tables as the registers from [`x_translate_table`](crate::noc::NiuRegisters::x_translate_table) and
    /// [`y_translate_table`](crate::noc::NiuRegisters::y_translate_table) on hold them.
    pub fn registers(&self) -> [[u32; ENTRIES.div_ceil(ENTRIES_OF_REGISTER)]; 2] {
        [self.x, self.y].map(|table| {
            let mut words = [0; ENTRIES.div_ceil(ENTRIES_OF_REGISTER)];
            for (word, entries) in words.iter_mut().zip(table.chunks(ENTRIES_OF_REGISTER)) {
                for (i, &entry) in (0..).zip(entries) {
                    *word |= u32::from(entry) << (BLACKHOLE.noc.translation_bits * i);
                }
            }
            words
        })
    }
}
