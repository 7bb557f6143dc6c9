//! `RMS_NORM`, `NORM`, `L2_NORM` of rows that the vector unit does not take ([`crate::ops::sfpu_rows`]), in FP32; the product with src1, if there is one, before a row leaves L1.

use super::{Row, unknown, write};
use crate::rt::heap;
use crate::rt::lane::Lane;
use crate::rt::math::sum;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use libm::sqrtf;
use tt_kernel_abi::TensorView;
use tt_kernel_abi::elementwise::Piece;
use tt_kernel_abi::rows::norm::{NormFunction, NormParams};

// It leaves the ring of weights alone.
const _: () = assert!(3 * Port::BYTES <= heap::KEPT_BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &NormParams) {
    let Some(function) = NormFunction::from_code(params.function) else {
        return unknown(&lane, params.function);
    };
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let mut factors = (op.src1.ne[0] > 0).then(|| Factors::new(Port::new(&mut lane.heap), &op.src1));
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let mut row = Row::new(&mut input, &op.src0, number);
        let (mean, scale) = statistics(&mut row, &mut lane.noc, function, params.eps);
        row.each(&mut lane.noc, |noc, piece, x| {
            let factors = factors.as_mut().map(|factors| factors.fetch(noc, piece));
            write(noc, &mut output, &op.dst, piece, |y| {
                match mean == 0.0 {
                    true => y.iter_mut().zip(x).for_each(|(y, &x)| *y = x * scale),
                    false => y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - mean) * scale),
                }
                for (y, &factor) in y.iter_mut().zip(factors.unwrap_or(&[])) {
                    *y *= factor;
                }
            });
        });
    }
}

/// What rows are multiplied with: rows of src1, which repeat. A short one is fetched once for all rows that it serves.
struct Factors<'a> {
    port: Port,
    view: &'a TensorView,
    /// The row that is in the port as a whole.
    kept: Option<[u32; 3]>,
}

impl<'a> Factors<'a> {
    fn new(port: Port, view: &'a TensorView) -> Self {
        Self { port, view, kept: None }
    }

    /// The partners of a piece of the result.
    fn fetch(&mut self, noc: &mut Noc, piece: &Piece) -> &[f32] {
        let row = core::array::from_fn(|dim| piece.row[dim] % self.view.ne[dim + 1]);
        if self.kept == Some(row) {
            return self.port.fetched();
        }
        self.kept = (piece.len == self.view.ne[0]).then_some(row);
        self.port.fetch(noc, self.view, &Piece { row, ..*piece })
    }
}

/// What is subtracted from a row's elements, and what they are multiplied with then.
fn statistics(row: &mut Row, noc: &mut Noc, function: NormFunction, eps: f32) -> (f32, f32) {
    let n = row.view.ne[0] as f32;
    let mut mean = 0.0;
    if function == NormFunction::Norm {
        let mut total = 0.0;
        row.each(noc, |_, _, x| total += sum(x, |x| x));
        mean = total / n;
    }
    let mut squares = 0.0;
    // A subtraction is a third of the work, and most norms do not have any.
    row.each(noc, |_, _, x| {
        squares += match mean == 0.0 {
            true => sum(x, |x| x * x),
            false => sum(x, |x| (x - mean) * (x - mean)),
        };
    });
    let scale = match function == NormFunction::L2Norm {
        true => 1.0 / sqrtf(squares).max(eps),
        false => 1.0 / sqrtf(squares / n + eps),
    };
    (mean, scale)
}
