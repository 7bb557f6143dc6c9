//! `RMS_NORM`, `NORM`, `L2_NORM`, in FP32.

use super::{Row, write};
use crate::rt::lane::Lane;
use crate::rt::math::sum;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use libm::sqrtf;
use tt_kernel_abi::rows::{RowFunction, RowsParams};

pub fn run(lane: &mut Lane, params: &RowsParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let mut row = Row::new(&mut input, &op.src0, number);
        let (mean, scale) = statistics(&mut row, &mut lane.noc, params);
        row.each(&mut lane.noc, |noc, piece, x| {
            write(noc, &mut output, &op.dst, piece, |y| {
                for (y, &x) in y.iter_mut().zip(x) {
                    *y = (x - mean) * scale;
                }
            });
        });
    }
}

/// What is subtracted from a row's elements, and what they are multiplied with then.
fn statistics(row: &mut Row, noc: &mut Noc, params: &RowsParams) -> (f32, f32) {
    let n = row.view.ne[0] as f32;
    let eps = params.f[0];
    let mut mean = 0.0;
    if params.function == RowFunction::Norm as u32 {
        let mut total = 0.0;
        row.each(noc, |_, _, x| total += sum(x, |x| x));
        mean = total / n;
    }
    let mut squares = 0.0;
    row.each(noc, |_, _, x| squares += sum(x, |x| (x - mean) * (x - mean)));
    let scale = match params.function == RowFunction::L2Norm as u32 {
        true => 1.0 / sqrtf(squares).max(eps),
        false => 1.0 / sqrtf(squares / n + eps),
    };
    (mean, scale)
}
