//! One number for each window of one channel, in FP32.

use super::{Part, Rows};
use crate::rt::elements::element;
use crate::rt::lane::Lane;
use crate::rt::rows::Port;
use tt_kernel_abi::ElementType;
use tt_kernel_abi::elementwise::Piece;
use tt_kernel_abi::windows::{WindowFunction, WindowParams};

/// Runs one lane.
pub fn run(lane: &mut Lane, params: &WindowParams, function: WindowFunction) {
    let op = lane.launch.op;
    let Some(ty) = op.src0.element_type() else { return };
    let mut rows = Rows::new(&mut lane.heap, ty.block_bytes());
    let (mut weights, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = lane.share(params.units);
    for unit in first..end {
        lane.launch.progress(unit);
        let (row, ox) = (unit / params.per_row, unit % params.per_row * params.step);
        let windows = params.step.min(params.out[0] - ox);
        let (rest, oy) = (row / params.out[1], row % params.out[1]);
        let (image, channel) = (rest / op.src0.ne[3], rest % op.src0.ne[3]);
        let columns = params.columns(&op.src0, ox, windows);
        let base = op.src0.addr + u64::from(image) * params.image_stride + u64::from(channel) * op.src0.nb[3];
        rows.fetch(&mut lane.noc, params, &op.src0, &Part { base, channels: 1, oy, oz: 0, columns });
        let factors = match function {
            WindowFunction::WeightedSum => {
                let piece = Piece { row: [channel, 0, 0], first: 0, len: op.src1.ne[0] };
                weights.fetch(&mut lane.noc, &op.src1, &piece)
            }
            _ => &[],
        };
        let piece = Piece { row: [oy, channel, image], first: ox, len: windows };
        let window = Window { params, rows: &rows, ty, columns: op.src0.ne[0] };
        for (ox, y) in (ox..).zip(output.buffer(&op.dst, &piece)) {
            *y = window.reduce(function, ox, factors);
        }
        output.send(&mut lane.noc, &op.dst, &piece);
    }
}

struct Window<'a> {
    params: &'a WindowParams,
    rows: &'a Rows,
    ty: ElementType,
    columns: u32,
}

impl Window<'_> {
    /// The result of the window with number `ox` in its row.
    fn reduce(&self, function: WindowFunction, ox: u32, factors: &[f32]) -> f32 {
        match function {
            WindowFunction::Maximum => self.fold(ox, f32::MIN, |max, x, _| if x > max { x } else { max }),
            WindowFunction::WeightedSum => self.fold(ox, 0.0, |sum, x, k| sum + factors[k] * x),
            _ => {
                let mut count = 0;
                let sum = self.fold(ox, 0.0, |sum, x, _| {
                    count += 1;
                    sum + x
                });
                match if self.params.area == 0 { count } else { self.params.area } {
                    0 => 0.0,
                    n => sum / n as f32,
                }
            }
        }
    }

    /// Gives the elements inside the image one by one to `f`, with their number in the window.
    fn fold(&self, ox: u32, mut value: f32, mut f: impl FnMut(f32, f32, usize) -> f32) -> f32 {
        let (first, end) = self.params.inside(0, ox, self.columns);
        let mut number = 0;
        for row in self.rows.list() {
            if let Some(row) = row {
                for k in first..end {
                    let column = self.params.source(0, ox, k) as u32 - self.rows.first;
                    let x = f32::from_bits(element(self.ty, row, column));
                    value = f(value, x, (number + k) as usize);
                }
            }
            number += self.params.kernel[0];
        }
        value
    }
}
