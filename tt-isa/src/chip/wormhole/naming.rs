//! How requests name tiles (`NoC/Coordinates.md`): x and y below 16 are positions; from 16 on the columns and rows without
//! Tensix tiles come first, then those with them, harvested rows last.

use super::WORMHOLE;
use crate::chip::Naming;
use crate::noc::{NAMES, NocXy, Translation};

/// First name that is not a position.
const FIRST: u8 = 16;

pub(super) const NAMING: Naming = Naming { tables, name };

fn tables(harvested: u32) -> Translation {
    let size = WORMHOLE.grid;
    let others = |size: u8, tensix: &'static [u8]| (0..size).filter(move |v| !tensix.contains(v));
    let rows = |out: u32| {
        let rows = (0..).zip(WORMHOLE.tensix_y);
        rows.filter(move |(n, _)| harvested >> n & 1 == out).map(|(_, &y)| y)
    };
    let columns = others(size.x, WORMHOLE.tensix_x).chain(WORMHOLE.tensix_x.iter().copied());
    let rows = others(size.y, WORMHOLE.tensix_y).chain(rows(0)).chain(rows(1));
    Translation {
        x: table(columns),
        y: table(rows),
        names: NocXy::new(FIRST + size.x, FIRST + size.y),
        positions: FIRST,
    }
}

fn table(named: impl Iterator<Item = u8>) -> [u8; NAMES] {
    let mut table = [0; NAMES];
    for (entry, v) in table.iter_mut().zip((0..FIRST).chain(named)) {
        *entry = v;
    }
    table
}

/// The name of the tile at a position.
fn name(tables: &Translation, tile: NocXy) -> NocXy {
    let named = |table: &[u8; NAMES], end: u8, v: u8| {
        (FIRST..end).find(|&name| table[usize::from(name)] == v).unwrap_or(FIRST)
    };
    NocXy::new(named(&tables.x, tables.names.x, tile.x), named(&tables.y, tables.names.y, tile.y))
}
