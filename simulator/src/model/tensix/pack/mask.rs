//! Edge masks: which datums of a tile are replaced, by their position in it (`Packers/EdgeMasking.md`).
//!
//! A tile position generator counts the datums that a packer takes. The position's y selects one of four masks of
//! sixteen columns. The page also describes a selection by faces, but silicon lacks its register.

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::config as c;

use crate::model::tensix::Tensix;
use crate::model::tensix::dst::COLS;

const ROW_SETS: [CfgField; 4] = [
    c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0,
    c::TILE_ROW_SET_MAPPING_1_row_set_mapping_0,
    c::TILE_ROW_SET_MAPPING_2_row_set_mapping_0,
    c::TILE_ROW_SET_MAPPING_3_row_set_mapping_0,
];
const MASKS: [CfgField; 4] = [
    c::PCK_EDGE_OFFSET_SEC0_mask,
    c::PCK_EDGE_OFFSET_SEC1_mask,
    c::PCK_EDGE_OFFSET_SEC2_mask,
    c::PCK_EDGE_OFFSET_SEC3_mask,
];

/// Position within a tile.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Position {
    x: u32,
    y: u32,
    z: u32,
}

/// One packer's masks.
#[derive(Clone, Copy)]
pub(super) struct EdgeMask {
    /// Two bits for each y: which mask.
    row_set: u32,
    masks: [u32; 4],
    /// Rows of a plane, or planes of a row if y and z are transposed.
    plane_rows: u32,
    transposed: bool,
}

impl EdgeMask {
    pub fn read(t: &Tensix, thread: usize, packer: usize) -> Self {
        let get = |field| t.cfg.get(thread, field);
        let set = get(c::PCK_EDGE_TILE_ROW_SET_SELECT_select) >> (2 * packer) & 3;
        // One register for each packer.
        let counter = |field: CfgField| get(CfgField { index: field.index + packer as u32, ..field });
        Self {
            row_set: t.cfg.word(t.cfg.bank(thread), ROW_SETS[set as usize].index),
            masks: MASKS.map(get),
            plane_rows: counter(c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane),
            transposed: counter(c::PACK_COUNTERS_SEC0_pack_yz_transposed) != 0,
        }
    }

    fn of_row(&self, y: u32) -> u32 {
        self.masks[(self.row_set >> (2 * (y & 15)) & 3) as usize]
    }

    /// The mask of the datums in columns `first..first + len`, whose position is counted on; ones elsewhere.
    #[inline]
    pub fn next(&self, first: usize, len: usize, at: &mut Position) -> u32 {
        if at.x == 0 && len == COLS {
            let mask = self.of_row(at.y);
            self.next_row(at);
            return mask;
        }
        let mut mask = 0xFFFF;
        for col in first..first + len {
            mask &= !(1 << col) | self.of_row(at.y);
            at.x += 1;
            if at.x == COLS as u32 {
                at.x = 0;
                self.next_row(at);
            }
        }
        mask
    }

    fn next_row(&self, at: &mut Position) {
        let (inner, outer) = if self.transposed { (&mut at.z, &mut at.y) } else { (&mut at.y, &mut at.z) };
        *inner = inner.wrapping_add(1);
        if *inner == self.plane_rows {
            *inner = 0;
            *outer = outer.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand from the page, except for the order of rows, which is the vendor simulator's.
    #[test]
    fn positions_go_row_by_row_or_plane_by_plane() {
        let mask = EdgeMask {
            row_set: 0b11_10_01_00,
            masks: [0x1, 0x2, 0x4, 0x8],
            plane_rows: 3,
            transposed: false,
        };
        let rows = |mask: EdgeMask| {
            let mut at = Position::default();
            [0; 7].map(|_| mask.next(0, COLS, &mut at))
        };
        assert_eq!(rows(mask), [1, 2, 4, 1, 2, 4, 1]);
        assert_eq!(rows(EdgeMask { transposed: true, ..mask }), [1, 1, 1, 2, 2, 2, 4]);
        // Without a size a plane has no end; beyond 16 rows the sets start again.
        assert_eq!(rows(EdgeMask { plane_rows: 0, ..mask }), [1, 2, 4, 8, 1, 1, 1]);
    }

    #[test]
    fn parts_of_rows_are_counted_by_datum() {
        let mask = EdgeMask { row_set: 0b01_00, masks: [0xFFFF, 0, 0, 0], plane_rows: 16, transposed: false };
        let mut at = Position::default();
        assert_eq!(mask.next(0, 12, &mut at), 0xFFFF);
        // Four datums of row 0, then of row 1.
        assert_eq!(mask.next(2, 8, &mut at), 0xFC3F);
    }
}
