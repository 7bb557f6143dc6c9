//! NCRISC, before a `MUL_MAT_ID`: which rows are multiplied with which matrix.
//!
//! Every tile reads all indices and sorts the rows by matrix (counting them first), so that no tile has to wait for another.
//! The table is for all cores of the tile ([`Groups`]); they take their units from it.

use crate::rt::l1::Word;
use crate::rt::launch::TileLaunch;
use crate::rt::noc::Noc;
use crate::rt::sync::GROUPS_READY;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::{ACT_STAGE, ACT_STAGE_BYTES, Groups, MatmulParams, TILE};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, TensorView};

/// The table of a launch.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// Which word is what.
    pub layout: Groups,
    words: &'a [Word],
}

impl<'a> Table<'a> {
    /// That of a launch with indices.
    pub fn of(launch: &'a TileLaunch, params: &MatmulParams) -> Self {
        let layout = Groups::new(params.ids, launch.op.src0.ne[2]);
        Self { layout, words: launch.l1(layout.address(), layout.bytes()).words() }
    }

    /// A word.
    pub fn at(self, word: u32) -> &'a Word {
        &self.words[word as usize]
    }

    /// A word's value.
    pub fn get(self, word: u32) -> u32 {
        self.at(word).load()
    }
}

/// Makes the table, and says that it is there.
#[inline(never)]
pub fn sort(noc: &mut Noc, launch: &TileLaunch, params: &MatmulParams) {
    let (op, table) = (launch.op, Table::of(launch, params));
    fetch(noc, launch, table);
    make_tiles(table, op.src0.ne[2]);
    place_rows(table, &op.more[0]);
    GROUPS_READY.publish(1);
}

/// Brings the indices, and counts the rows of every matrix.
fn fetch(noc: &mut Noc, launch: &TileLaunch, table: Table) {
    let (matrices, ids, layout) = (launch.op.src0.ne[2], &launch.op.more[0], table.layout);
    (0..matrices).for_each(|number| table.at(layout.matrix(number)).store(0));
    let [used, tokens, ..] = ids.ne;
    // Rows of indices come with what is before them: the NoC wants the offset modulo `CONGRUENCE` to be that of the source.
    let slot = (4 * used + 2 * CONGRUENCE - 1) & !(CONGRUENCE - 1);
    let at_once = ACT_STAGE_BYTES / slot;
    let address = |token: u32| ids.addr + u64::from(token) * ids.nb[1];
    let staged =
        |token: u32| launch.l1(ACT_STAGE + token % at_once * slot + offset(address(token)), 4 * used);
    let mut first = 0;
    while first < tokens {
        let end = tokens.min(first + at_once);
        for token in first..end {
            noc.read_dram(DramAddr(address(token)), staged(token));
        }
        noc.wait_reads();
        for token in first..end {
            for (i, index) in (0..).zip(staged(token).words()) {
                let mut matrix = index.load();
                if matrix >= matrices {
                    launch.fail(ErrorCode::IndexOutOfRange, token, matrix);
                    matrix = 0;
                }
                table.at(layout.id(token * used + i)).store(matrix);
                let rows = table.at(layout.matrix(matrix));
                rows.store(rows.load() + 1);
            }
        }
        first = end;
    }
}

/// Cuts the rows of every matrix into row tiles; puts where its rows begin into the place of their number.
fn make_tiles(table: Table, matrices: u32) {
    let (mut tile, mut first) = (0, 0);
    for matrix in 0..matrices {
        let cursor = table.at(table.layout.matrix(matrix));
        let end = first + cursor.load();
        cursor.store(first);
        while first < end {
            let rows = TILE.min(end - first);
            for (word, value) in table.layout.tile(tile).into_iter().zip([matrix, first, rows]) {
                table.at(word).store(value);
            }
            tile += 1;
            first += rows;
        }
    }
    table.at(Groups::COUNT).store(tile);
}

fn place_rows(table: Table, ids: &TensorView) {
    let [used, tokens, ..] = ids.ne;
    for token in 0..tokens {
        for i in 0..used {
            let matrix = table.get(table.layout.id(token * used + i));
            let cursor = table.at(table.layout.matrix(matrix));
            let place = cursor.load();
            cursor.store(place + 1);
            table.at(table.layout.row(place)).store(Groups::pack_row(i, token));
        }
    }
}
