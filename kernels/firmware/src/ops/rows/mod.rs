//! Row by row: norms, reductions, weighted sums, softmax, sorting, gathering, rotary positions.
//!
//! ```text
//! DRAM -> row of src0 in L1, FP32 (piece by piece if it is long) -> passes over it -> row of dst -> DRAM
//! ```
//!
//! An operator a module. A lane reads a row as a whole before it writes to it, so dst may be src0.

pub mod balance;
pub mod gather;
mod merge;
pub mod norm;
pub mod reduce;
pub mod rope;
pub mod soft_max;
pub mod sort;
pub mod triangle;
pub mod weighted_sum;

use crate::rt::lane::Lane;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::TensorView;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::launch::ErrorCode;

/// Says that there is no function of this number.
fn unknown(lane: &Lane, function: u32) {
    lane.launch.fail(ErrorCode::BadDescriptor, 0, function);
}

/// A row that is read piece by piece, several times; a short one is fetched once.
struct Row<'a> {
    port: &'a mut Port,
    view: &'a TensorView,
    at: [u32; 3],
    /// The row is in the port.
    is_kept: bool,
}

impl<'a> Row<'a> {
    fn new(port: &'a mut Port, view: &'a TensorView, number: u32) -> Self {
        Self { port, view, at: split_row(view, number), is_kept: false }
    }

    /// Gives every piece to `f`.
    fn each(&mut self, noc: &mut Noc, mut f: impl FnMut(&mut Noc, &Piece, &[f32])) {
        let ne0 = self.view.ne[0];
        let mut first = 0;
        while first < ne0 {
            let piece = Piece { row: self.at, first, len: MAX_PIECE.min(ne0 - first) };
            let values = match self.is_kept {
                true => self.port.fetched(),
                false => self.port.fetch(noc, self.view, &piece),
            };
            self.is_kept = piece.len == ne0;
            f(noc, &piece, values);
            first += piece.len;
        }
    }
}

/// Writes one piece: `fill` computes it in L1.
fn write(noc: &mut Noc, port: &mut Port, view: &TensorView, piece: &Piece, fill: impl FnOnce(&mut [f32])) {
    fill(port.buffer(view, piece));
    port.send(noc, view, piece);
}
