//! `SOFT_MAX` with mask, ALiBi and sinks, in FP32.

use super::{Row, write};
use crate::rt::lane::Lane;
use crate::rt::math::exp;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use libm::powf;
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::soft_max::SoftMaxParams;

/// Exponents of a row: `scale * x + slope * mask`.
struct Logits<'a> {
    op: &'a OpDescriptor,
    mask: &'a mut Port,
    mask_row: Option<[u32; 3]>,
    scale: f32,
    slope: f32,
}

impl Logits<'_> {
    /// Gives the exponents of a piece one by one to `f`.
    fn each(&mut self, noc: &mut Noc, piece: &Piece, x: &[f32], mut f: impl FnMut(f32)) {
        let Some(row) = self.mask_row else {
            x.iter().for_each(|&x| f(x * self.scale));
            return;
        };
        let mask = self.mask.fetch(noc, &self.op.src1, &Piece { row, ..*piece });
        for (&x, &m) in x.iter().zip(mask) {
            f(x * self.scale + self.slope * m);
        }
    }
}

/// ALiBi's slope of a head.
pub fn slope(params: &SoftMaxParams, head: u32) -> f32 {
    let (lower, [base, other]) = (params.lower_heads, params.bases);
    match (params.has_slopes, head < lower) {
        (0, _) => 1.0,
        (_, true) => powf(base, (head + 1) as f32),
        (_, false) => powf(other, (2 * (head - lower) + 1) as f32),
    }
}

/// Runs one lane.
pub fn run(mut lane: Lane, params: &SoftMaxParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let mut mask = Port::new(&mut lane.heap);
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let at = split_row(&op.src0, number);
        let sink = (op.more[0].ne[0] > 0).then(|| {
            let piece = Piece { row: [0; 3], first: at[1], len: 1 };
            input.fetch(&mut lane.noc, &op.more[0], &piece)[0]
        });
        let mut row = Row::new(&mut input, &op.src0, number);
        let mut logits = Logits {
            op,
            mask: &mut mask,
            mask_row: (op.src1.ne[0] > 0).then(|| [at[0], at[1] % op.src1.ne[2], at[2] % op.src1.ne[3]]),
            scale: params.scale,
            slope: slope(params, at[1]),
        };
        let mut max = sink.unwrap_or(f32::NEG_INFINITY);
        row.each(&mut lane.noc, |noc, piece, x| logits.each(noc, piece, x, |v| max = max.max(v)));
        if max == f32::NEG_INFINITY && params.masked_rows_are_zero != 0 {
            zeros(&mut lane, &mut row, &mut output);
            continue;
        }
        let sink = sink.map_or(0.0, |sink| exp(sink - max));
        match op.dst.ne[0] <= MAX_PIECE {
            true => short(&mut lane, &mut row, &mut logits, &mut output, max, sink),
            false => long(&mut lane, &mut row, &mut logits, &mut output, max, sink),
        }
    }
}

/// A row in which everything is masked.
fn zeros(lane: &mut Lane, row: &mut Row, output: &mut Port) {
    let dst = &lane.launch.op.dst;
    row.each(&mut lane.noc, |noc, piece, _| write(noc, output, dst, piece, |y| y.fill(0.0)));
}

/// A row that is in L1 as a whole: every power is computed once, in the place from which the row is sent.
fn short(lane: &mut Lane, row: &mut Row, logits: &mut Logits, output: &mut Port, max: f32, mut sum: f32) {
    let dst = &lane.launch.op.dst;
    row.each(&mut lane.noc, |noc, piece, x| {
        let y = output.buffer(dst, piece);
        let mut next = y.iter_mut();
        logits.each(noc, piece, x, |v| {
            let power = exp(v - max);
            sum += power;
            if let Some(y) = next.next() {
                *y = power;
            }
        });
        let scale = 1.0 / sum;
        y.iter_mut().for_each(|y| *y *= scale);
        output.send(noc, dst, piece);
    });
}

/// A longer row: one pass for the sum, one for the result.
fn long(lane: &mut Lane, row: &mut Row, logits: &mut Logits, output: &mut Port, max: f32, mut sum: f32) {
    let dst = &lane.launch.op.dst;
    row.each(&mut lane.noc, |noc, piece, x| logits.each(noc, piece, x, |v| sum += exp(v - max)));
    let scale = 1.0 / sum;
    row.each(&mut lane.noc, |noc, piece, x| {
        let mut next = output.buffer(dst, piece).iter_mut();
        logits.each(noc, piece, x, |v| {
            if let Some(y) = next.next() {
                *y = exp(v - max) * scale;
            }
        });
        output.send(noc, dst, piece);
    });
}
