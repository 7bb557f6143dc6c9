//! Rows written where indices say: src0 = rows, F32; src1 = indices, I32 or I64; dst = F32 or F16.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most elements of a piece.
pub const MAX_SET_PIECE: u32 = 2048;
/// Elements of a piece below which it is not worth a core: a request of the NoC takes as long for fewer.
pub const MIN_SET_PIECE: u32 = 64;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetRowsParams {
    /// Pieces of all rows.
    pub pieces: u32,
    /// Pieces of a row.
    pub per_row: u32,
    /// Elements of a piece; a row's last one may have fewer.
    pub len: u32,
}

impl SetRowsParams {
    /// `rows` rows of `ne0` elements as the work of up to `cores` cores; `None` if there are too many pieces to be counted.
    pub fn new(rows: u32, ne0: u32, cores: u32) -> Option<Self> {
        // As many pieces as there are cores for a row; their length a multiple of the least.
        let fair = ne0.div_ceil((cores / rows.max(1)).max(1));
        let len = fair.next_multiple_of(MIN_SET_PIECE).min(MAX_SET_PIECE);
        let per_row = ne0.div_ceil(len).max(1);
        Some(Self { pieces: rows.checked_mul(per_row)?, per_row, len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_are_cut_for_many_cores() {
        let of = |rows, ne0, cores| {
            let SetRowsParams { pieces, per_row, len } = SetRowsParams::new(rows, ne0, cores).unwrap();
            [pieces, per_row, len]
        };
        assert_eq!(of(1, 512, 72), [8, 8, 64]);
        assert_eq!(of(8, 1024, 72), [64, 8, 128]);
        assert_eq!(of(512, 512, 72), [512, 1, 512]);
        assert_eq!(of(3, 5000, 1), [9, 3, 2048]);
        assert_eq!(of(1, 1, 72), [1, 1, 64]);
        assert!(SetRowsParams::new(u32::MAX, 5000, 72).is_none());
    }
}
