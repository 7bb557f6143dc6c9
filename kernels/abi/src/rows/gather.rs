//! Rows that indices name: read, written, added.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

numbered! {
    /// What is done with the rows that are named.
    GatherFunction {
        /// Rows of src0 by the indices src1 (ggml `GET_ROWS`).
        GetRows,
        /// Rows of src0 to those rows of the result that the indices src1 name (ggml `SET_ROWS`, for the types that
        /// [`Op::SetRows`](crate::Op::SetRows) does not write).
        SetRows,
        /// Rows of src0 plus those rows of src1 that the indices `more[0]` name.
        AddId,
        /// Rows of src0 added to those rows of the result that the indices src1 name; `rows` counts rows of the result.
        AddRows,
    }
}

/// Parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GatherParams {
    /// A [`GatherFunction`] as a number.
    pub function: u32,
    /// Rows.
    pub rows: u32,
}
