//! NCRISC, before a `MUL_MAT_ID`: which rows are multiplied with which matrix.
//!
//! Every tile reads all indices and sorts the rows by matrix (counting them first), so that no tile has to wait for another.
//! The tables are for all cores of the tile ([`Groups`]); they take their units from them.

use crate::rt::launch::Launch;
use crate::rt::mmio::{load, store};
use crate::rt::noc::Noc;
use crate::rt::sync::GROUPS_READY;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::matmul::{ACT_STAGE, ACT_STAGE_BYTES, Groups, TILE};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, TensorView};

/// Makes the tables, and says that they are there.
pub fn sort(noc: &mut Noc, launch: &Launch, groups: Groups) {
    let op = launch.op;
    fetch(noc, launch, groups);
    make_tiles(groups, op.src0.ne[2]);
    place_rows(groups, &op.more[0]);
    GROUPS_READY.publish(1);
}

/// Brings the indices, and counts the rows of every matrix.
fn fetch(noc: &mut Noc, launch: &Launch, groups: Groups) {
    let (matrices, ids) = (launch.op.src0.ne[2], &launch.op.more[0]);
    (0..matrices).for_each(|number| store(groups.matrix(number), 0));
    let [used, tokens, ..] = ids.ne;
    // Rows of indices come with what is before them: the NoC wants the offset modulo `CONGRUENCE` to be that of the source.
    let slot = (4 * used + 2 * CONGRUENCE - 1) & !(CONGRUENCE - 1);
    let at_once = ACT_STAGE_BYTES / slot;
    let address = |token: u32| ids.addr + u64::from(token) * ids.nb[1];
    let staged = |token: u32| ACT_STAGE + token % at_once * slot + offset(address(token));
    let mut first = 0;
    while first < tokens {
        let end = tokens.min(first + at_once);
        for token in first..end {
            noc.read_dram(DramAddr(address(token)), staged(token), 4 * used);
        }
        noc.wait_reads();
        for token in first..end {
            for i in 0..used {
                let mut matrix = load(staged(token) + 4 * i);
                if matrix >= matrices {
                    launch.fail(ErrorCode::IndexOutOfRange, token, matrix);
                    matrix = 0;
                }
                store(groups.id(token * used + i), matrix);
                store(groups.matrix(matrix), load(groups.matrix(matrix)) + 1);
            }
        }
        first = end;
    }
}

/// Cuts the rows of every matrix into row tiles; puts where its rows begin into the place of their number.
fn make_tiles(groups: Groups, matrices: u32) {
    let (mut tile, mut first) = (0, 0);
    for matrix in 0..matrices {
        let end = first + load(groups.matrix(matrix));
        store(groups.matrix(matrix), first);
        while first < end {
            let rows = TILE.min(end - first);
            let at = groups.tile(tile);
            store(at, matrix);
            store(at + 4, first);
            store(at + 8, rows);
            tile += 1;
            first += rows;
        }
    }
    store(groups.count(), tile);
}

fn place_rows(groups: Groups, ids: &TensorView) {
    let [used, tokens, ..] = ids.ne;
    for token in 0..tokens {
        for i in 0..used {
            let cursor = groups.matrix(load(groups.id(token * used + i)));
            let place = load(cursor);
            store(cursor, place + 1);
            store(groups.row(place), Groups::pack_row(i, token));
        }
    }
}
