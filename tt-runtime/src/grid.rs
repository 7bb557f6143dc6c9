//! The grid of Tensix tiles of a chip, and its DRAM banks: places by three kinds of coordinates, which are three types.
//!
//! | type | counts | used for |
//! |---|---|---|
//! | [`Logical`] | columns and rows of the tiles that are left after harvesting, from 0 | programs |
//! | [`Translated`] | what requests on both NoCs name; no gaps by harvesting | the NoC |
//! | [`Physical`] | the place on NoC 0 | distances |
//!
//! A [`Tile`] has all three and is made by a [`Grid`] only, so every tile that a program names is there. What a chip looks like is data of
//! `tt_isa::chip`; which rows or columns are harvested the chip says itself.

use std::fmt;

use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;

/// Column and row of a tile, counted from 0 over those that are left after harvesting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Logical {
    /// Column.
    pub x: u32,
    /// Row.
    pub y: u32,
}

impl Logical {
    /// The tile in a column and a row.
    pub const fn new(x: u32, y: u32) -> Self {
        Self { x, y }
    }
}

impl From<(u32, u32)> for Logical {
    fn from((x, y): (u32, u32)) -> Self {
        Self { x, y }
    }
}

impl fmt::Display for Logical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.x, self.y)
    }
}

/// What a NoC request names to reach a tile.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Translated(pub NocXy);

/// A place on NoC 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Physical(pub NocXy);

impl fmt::Display for Translated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Physical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Tensix tile of a grid.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tile {
    logical: Logical,
    translated: NocXy,
    physical: NocXy,
}

impl Tile {
    /// Column and row.
    pub fn logical(&self) -> Logical {
        self.logical
    }

    /// What requests name.
    pub fn translated(&self) -> Translated {
        Translated(self.translated)
    }

    /// Where it is.
    pub fn physical(&self) -> Physical {
        Physical(self.physical)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.logical, self.translated)
    }
}

/// A rectangle of tiles, all of which are there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TileRange {
    first: Tile,
    last: Tile,
}

impl TileRange {
    /// The tile with the smallest column and row.
    pub fn first(&self) -> Tile {
        self.first
    }

    /// The tile with the largest column and row.
    pub fn last(&self) -> Tile {
        self.last
    }

    /// Columns.
    pub fn columns(&self) -> u32 {
        self.last.logical.x - self.first.logical.x + 1
    }

    /// Rows.
    pub fn rows(&self) -> u32 {
        self.last.logical.y - self.first.logical.y + 1
    }

    /// Tiles.
    pub fn len(&self) -> usize {
        (self.columns() * self.rows()) as usize
    }

    /// Never: a range has at least one tile.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether a tile is in it.
    pub fn contains(&self, tile: Tile) -> bool {
        let (first, last, at) = (self.first.logical, self.last.logical, tile.logical);
        (first.x..=last.x).contains(&at.x) && (first.y..=last.y).contains(&at.y)
    }

    /// Whether all tiles of another range are in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.contains(other.first) && self.contains(other.last)
    }

    /// Places of its tiles, row by row.
    pub fn places(&self) -> impl Iterator<Item = Logical> + use<> {
        let (first, last) = (self.first.logical, self.last.logical);
        (first.y..=last.y).flat_map(move |y| (first.x..=last.x).map(move |x| Logical { x, y }))
    }

    /// The corners, as requests name them.
    pub(crate) fn rect(&self) -> (NocXy, NocXy) {
        (self.first.translated, self.last.translated)
    }
}

impl From<Tile> for TileRange {
    fn from(tile: Tile) -> Self {
        Self { first: tile, last: tile }
    }
}

impl fmt::Display for TileRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "tile {}", self.first),
            false => write!(f, "tiles {} to {}", self.first.logical, self.last.logical),
        }
    }
}

/// A place that is not there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GridError {
    /// Outside of the grid.
    #[error(
        "there is no tile {at}: the grid has columns 0 to {} and rows 0 to {} (harvested {lines}: {harvested})",
        columns - 1, rows - 1
    )]
    Outside {
        /// What was asked for.
        at: Logical,
        /// Columns of the grid.
        columns: u32,
        /// Rows of the grid.
        rows: u32,
        /// Rows or columns that are harvested.
        harvested: u32,
        /// "rows" or "columns".
        lines: &'static str,
    },
    /// No tile has this place on the NoC: it is harvested, or something else is there.
    #[error("there is no Tensix tile at {at} of NoC 0, or it is harvested")]
    NotATile {
        /// The place.
        at: Physical,
    },
    /// No tile has this name.
    #[error("no Tensix tile has the translated coordinate {at}")]
    NoSuchName {
        /// The name.
        at: Translated,
    },
    /// The corners of a range are in the wrong order.
    #[error("a range from {first} to {last} has no tiles: name its smallest column and row first")]
    Reversed {
        /// First corner.
        first: Logical,
        /// Last corner.
        last: Logical,
    },
    /// No such bank.
    #[error("there is no DRAM bank {bank}: the chip has {banks}")]
    NoBank {
        /// What was asked for.
        bank: usize,
        /// Banks.
        banks: usize,
    },
}

/// The Tensix tiles of a chip that are left after harvesting, and its DRAM banks.
#[derive(Clone, Debug)]
pub struct Grid {
    chip: &'static Chip,
    columns: u32,
    rows: u32,
    /// Row by row.
    tiles: Vec<Tile>,
}

/// A DRAM bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bank {
    /// Its number.
    pub number: usize,
    /// Bytes.
    pub bytes: u64,
    /// Places where it is reached.
    pub ports: &'static [NocXy],
}

impl Grid {
    pub(crate) fn new(
        chip: &'static Chip,
        (columns, rows): (u32, u32),
        workers: &[NocXy],
        places: &[NocXy],
    ) -> Self {
        let tiles = workers.iter().zip(places).zip(0..).map(|((&translated, &physical), n)| Tile {
            logical: Logical { x: n % columns, y: n / columns },
            translated,
            physical,
        });
        Self { chip, columns, rows, tiles: tiles.collect() }
    }

    /// The chip.
    pub fn chip(&self) -> &'static Chip {
        self.chip
    }

    /// Columns.
    pub fn columns(&self) -> u32 {
        self.columns
    }

    /// Rows.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Rows, or columns on chips that are harvested by columns, of Tensix tiles that are switched off.
    pub fn harvested(&self) -> u32 {
        let all = self.chip.tensix_x.len() as u32 * self.chip.tensix_y.len() as u32;
        let line = match self.chip.harvestable() == self.chip.tensix_y.len() as u32 {
            true => self.columns,
            false => self.rows,
        };
        (all - self.columns * self.rows) / line.max(1)
    }

    /// The tile in a column and a row.
    ///
    /// # Errors
    /// It is outside of the grid.
    pub fn tile(&self, at: impl Into<Logical>) -> Result<Tile, GridError> {
        let at = at.into();
        if at.x >= self.columns || at.y >= self.rows {
            let by_rows = self.chip.harvestable() == self.chip.tensix_y.len() as u32;
            return Err(GridError::Outside {
                at,
                columns: self.columns,
                rows: self.rows,
                harvested: self.harvested(),
                lines: if by_rows { "rows" } else { "columns" },
            });
        }
        Ok(self.tiles[(at.y * self.columns + at.x) as usize])
    }

    /// The tile at a place on NoC 0.
    ///
    /// # Errors
    /// It is harvested, or none of Tensix.
    pub fn at_physical(&self, at: Physical) -> Result<Tile, GridError> {
        self.tiles.iter().find(|tile| tile.physical == at.0).copied().ok_or(GridError::NotATile { at })
    }

    /// The tile that requests name so.
    ///
    /// # Errors
    /// There is none.
    pub fn at_translated(&self, at: Translated) -> Result<Tile, GridError> {
        self.tiles.iter().find(|tile| tile.translated == at.0).copied().ok_or(GridError::NoSuchName { at })
    }

    /// All tiles, row by row.
    pub fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// All tiles, as a range.
    pub fn all(&self) -> TileRange {
        TileRange { first: self.tiles[0], last: self.tiles[self.tiles.len() - 1] }
    }

    /// The rectangle from one tile to another, both included.
    ///
    /// # Errors
    /// A corner is outside; the last one is left of or above the first one.
    pub fn range(&self, first: impl Into<Logical>, last: impl Into<Logical>) -> Result<TileRange, GridError> {
        let (first, last) = (self.tile(first)?, self.tile(last)?);
        if last.logical.x < first.logical.x || last.logical.y < first.logical.y {
            return Err(GridError::Reversed { first: first.logical, last: last.logical });
        }
        Ok(TileRange { first, last })
    }

    /// A row of tiles.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn row(&self, y: u32) -> Result<TileRange, GridError> {
        self.range((0, y), (self.columns - 1, y))
    }

    /// A column of tiles.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn column(&self, x: u32) -> Result<TileRange, GridError> {
        self.range((x, 0), (x, self.rows - 1))
    }

    /// The tiles of a range, row by row.
    pub fn tiles_of(&self, range: TileRange) -> impl Iterator<Item = Tile> + use<'_> {
        range.places().map(|at| self.tiles[(at.y * self.columns + at.x) as usize])
    }

    /// The tiles left of, right of, above and below a tile, where there are some.
    pub fn neighbours(&self, tile: Tile) -> [Option<Tile>; 4] {
        let Logical { x, y } = tile.logical;
        let left = x.checked_sub(1).map(|x| Logical { x, y });
        let above = y.checked_sub(1).map(|y| Logical { x, y });
        [left, Some(Logical { x: x + 1, y }), above, Some(Logical { x, y: y + 1 })]
            .map(|at| self.tile(at?).ok())
    }

    /// The DRAM banks.
    pub fn banks(&self) -> impl Iterator<Item = Bank> + use<> {
        let chip = self.chip;
        chip.dram.iter().enumerate().map(move |(number, bank)| Bank {
            number,
            bytes: chip.dram_bank_size,
            ports: bank.ports,
        })
    }

    /// The tiles by their distance from a DRAM bank: first those to which its data has the fewest links to go on NoC 0.
    ///
    /// # Errors
    /// There is no such bank.
    pub fn near(&self, bank: usize) -> Result<Vec<Tile>, GridError> {
        let banks = self.chip.dram.len();
        let bank = self.chip.dram.get(bank).ok_or(GridError::NoBank { bank, banks })?;
        let hops = |tile: &Tile| bank.ports.iter().map(|port| port.hops(tile.physical, self.chip.grid)).min();
        let mut tiles = self.tiles.clone();
        tiles.sort_by_key(hops);
        Ok(tiles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::WORMHOLE;

    fn grid(harvested: u32) -> Grid {
        let workers: Vec<NocXy> = WORMHOLE.workers(harvested).collect();
        let rows = &WORMHOLE.tensix_y[..WORMHOLE.tensix_y.len() - harvested as usize];
        let places: Vec<NocXy> =
            rows.iter().flat_map(|&y| WORMHOLE.tensix_x.iter().map(move |&x| NocXy::new(x, y))).collect();
        Grid::new(&WORMHOLE, WORMHOLE.workers_grid(harvested), &workers, &places)
    }

    #[test]
    fn three_kinds_of_coordinates_name_the_same_tile() {
        let grid = grid(2);
        assert_eq!((grid.columns(), grid.rows(), grid.harvested(), grid.tiles().len()), (8, 8, 2, 64));
        for &tile in grid.tiles() {
            assert_eq!(grid.tile(tile.logical()), Ok(tile));
            assert_eq!(grid.at_physical(tile.physical()), Ok(tile));
            assert_eq!(grid.at_translated(tile.translated()), Ok(tile));
        }
        let error = grid.tile((3, 8)).unwrap_err().to_string();
        assert!(error.contains("(3, 8)") && error.contains("harvested rows: 2"), "{error}");
        let harvested = Physical(NocXy::new(1, WORMHOLE.tensix_y[9]));
        assert_eq!(grid.at_physical(harvested), Err(GridError::NotATile { at: harvested }));
    }

    #[test]
    fn ranges_rows_and_neighbours() {
        let grid = grid(2);
        let range = grid.range((1, 2), (3, 5)).unwrap();
        assert_eq!((range.columns(), range.rows(), range.len()), (3, 4, 12));
        assert_eq!(grid.tiles_of(range).count(), 12);
        assert!(grid.tiles_of(range).all(|tile| range.contains(tile)));
        assert!(grid.all().covers(&range) && !range.covers(&grid.all()));
        assert!(matches!(grid.range((3, 5), (1, 2)), Err(GridError::Reversed { .. })));
        assert_eq!((grid.row(7).unwrap().len(), grid.column(0).unwrap().len()), (8, 8));
        let corner = grid.neighbours(grid.tile((0, 0)).unwrap());
        assert_eq!(
            corner.map(|tile| tile.map(|tile| tile.logical())),
            [None, Some(Logical::new(1, 0)), None, Some(Logical::new(0, 1))]
        );
    }

    #[test]
    fn tiles_near_a_bank_come_first() {
        let grid = grid(0);
        for bank in grid.banks() {
            let near = grid.near(bank.number).unwrap();
            let hops = |tile: &Tile| {
                bank.ports.iter().map(|port| port.hops(tile.physical().0, WORMHOLE.grid)).min().unwrap()
            };
            assert_eq!(near.len(), 80);
            assert!(near.windows(2).all(|pair| hops(&pair[0]) <= hops(&pair[1])));
        }
        assert!(matches!(grid.near(12), Err(GridError::NoBank { bank: 12, banks: 12 })));
    }
}
