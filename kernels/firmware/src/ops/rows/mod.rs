//! Row by row: norms, reductions, weighted sums, softmax, sorting, gathering, rotary positions.
//!
//! ```text
//! DRAM -> row of src0 in L1, FP32 (piece by piece if it is long) -> passes over it -> row of dst -> DRAM
//! ```
//!
//! A lane reads a row as a whole before it writes to it, so dst may be src0.

mod gather;
mod merge;
mod norm;
mod reduce;
mod rope;
pub mod soft_max;
mod sort;
mod weighted;

use crate::rt::lane::Lane;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::TensorView;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::rows::{RowFunction, RowsParams};

/// Runs one lane.
pub fn run(mut lane: Lane) {
    let params = RowsParams::from_words(&lane.launch.op.params);
    use RowFunction::*;
    match RowFunction::from_code(params.function) {
        Some(RmsNorm | Norm | L2Norm) => norm::run(&mut lane, &params),
        Some(Sum | CumSum | ArgMax | SumAll | DiagMask | Tri | Diag) => reduce::run(&mut lane, &params),
        Some(CountEqual) => reduce::count_equal(&mut lane, &params),
        Some(SoftMax) => soft_max::run(&mut lane, &params),
        Some(ArgSort) => sort::run(&mut lane, &params),
        Some(SortRuns) => sort::runs(&mut lane, &params),
        Some(MergeRuns) => merge::run(&mut lane, &params),
        Some(GetRows) => gather::run(&mut lane, &params),
        Some(SetRows) => gather::scatter(&mut lane, &params),
        Some(AddId) => gather::add(&mut lane, &params),
        Some(AddRows) => gather::add_rows(&mut lane),
        Some(Rope) => rope::run(&mut lane, &params),
        Some(WeightedSum) => weighted::sums(&mut lane, &params),
        Some(Balance) => weighted::matrices(&mut lane, &params),
        // On the vector unit only.
        Some(SoftMaxBack | RmsNormBack | CrossEntropy | CrossEntropyBack) | None => {
            lane.launch.fail(ErrorCode::BadDescriptor, 0, params.function);
        }
    }
}

/// A row that is read piece by piece, several times; a short one is fetched once.
struct Row<'a> {
    port: &'a mut Port,
    view: &'a TensorView,
    at: [u32; 3],
    kept: Option<&'static [f32]>,
}

impl<'a> Row<'a> {
    fn new(port: &'a mut Port, view: &'a TensorView, number: u32) -> Self {
        Self { port, view, at: split_row(view, number), kept: None }
    }

    /// Gives every piece to `f`.
    fn each(&mut self, noc: &mut Noc, mut f: impl FnMut(&mut Noc, &Piece, &[f32])) {
        let ne0 = self.view.ne[0];
        let mut first = 0;
        while first < ne0 {
            let piece = Piece { row: self.at, first, len: MAX_PIECE.min(ne0 - first) };
            let values = match self.kept {
                Some(values) => values,
                None => self.port.fetch(noc, self.view, &piece),
            };
            if piece.len == ne0 {
                self.kept = Some(values);
            }
            f(noc, &piece, values);
            first += piece.len;
        }
    }
}

/// Writes one piece: `fill` computes it in L1.
fn write(noc: &mut Noc, port: &mut Port, view: &TensorView, piece: &Piece, fill: impl FnOnce(&mut [f32])) {
    fill(port.room(view, piece));
    port.send(noc, view, piece);
}
