//! `ROPE` and `ROPE_BACK`: pairs of elements are rotated by angles that grow with the position.
//!
//! Cosines and sines depend on the token (dimension 2) alone; rows of one token follow each other, so a lane
//! computes them once for all heads.
//!
//! With indices in more[1] the rows of a token go to that row of a cache which the token's index names, in the cache's type
//! (`SET_ROWS`). dst is the cache then, cut into heads: elements, heads, rows.

use super::gather::index;
use super::write;
use crate::rt::lane::Lane;
use crate::rt::math::cos_sin;
use crate::rt::mmio::load;
use crate::rt::rows::Port;
use libm::logf;
use tt_kernel_abi::elementwise::{Piece, split_row};
use tt_kernel_abi::rows::{MAX_ROPE, Rope, RowsParams};

/// Cosine and sine of every pair.
struct Rotation {
    cos: &'static mut [f32],
    sin: &'static mut [f32],
    factors: &'static mut [f32],
}

/// Runs one lane.
pub fn run(lane: &mut Lane, params: &RowsParams) {
    let (op, rope) = (lane.launch.op, &params.rope);
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let heap = &mut lane.heap;
    let half = MAX_ROPE / 2;
    let mut rotation =
        Rotation { cos: heap.floats(half), sin: heap.floats(half), factors: heap.floats(half) };
    rotation.factors.fill(1.0);
    if op.more[0].ne[0] > 0 {
        let piece = Piece { row: [0; 3], first: 0, len: rope.pairs };
        let factors = input.fetch(&mut lane.noc, &op.more[0], &piece);
        rotation.factors[..rope.pairs as usize].copy_from_slice(factors);
    }
    let (first, end) = lane.share(params.rows);
    let mut token = None;
    let mut target = None;
    for number in first..end {
        lane.launch.progress(number);
        let row = split_row(&op.src0, number);
        if token != Some(row[1]) {
            token = Some(row[1]);
            let positions = positions(lane, &mut input, rope, row[1]);
            rotation.prepare(rope, positions);
            target = match op.more[1].ne[0] {
                0 => Some(row[1]),
                _ => index(lane, &mut input, &op.more[1], [row[1], 0, 0], op.dst.ne[2]),
            };
        }
        let Some(target) = target else { continue };
        let piece = Piece { row, first: 0, len: op.src0.ne[0] };
        let x = input.fetch(&mut lane.noc, &op.src0, &piece);
        let to = Piece { row: [row[0], target, row[2]], ..piece };
        write(&mut lane.noc, &mut output, &op.dst, &to, |y| rotation.apply(rope, x, y));
    }
}

/// The position ids of a token: one, or four that lie `ne[2]` apart.
fn positions(lane: &mut Lane, port: &mut Port, rope: &Rope, token: u32) -> [f32; 4] {
    let op = lane.launch.op;
    let mut ids = [0.0; 4];
    let count = if rope.flags & Rope::MULTI != 0 { 4 } else { 1 };
    for (i, id) in (0..).zip(&mut ids[..count]) {
        let piece = Piece { row: [0; 3], first: token + i * op.src0.ne[2], len: 1 };
        *id = load(port.fetch_raw(&mut lane.noc, &op.src1, &piece, 4)) as i32 as f32;
    }
    ids
}

impl Rotation {
    fn prepare(&mut self, rope: &Rope, base: [f32; 4]) {
        let mut theta = base;
        for pair in 0..rope.pairs {
            let angle = match rope.flags & Rope::MULTI {
                0 => theta[0],
                _ => theta[section(rope, pair, &base, &mut theta)],
            };
            let (cos, sin) = yarn(rope, angle / self.factors[pair as usize], pair);
            self.cos[pair as usize] = cos;
            self.sin[pair as usize] = sin * rope.sin_sign;
            for theta in &mut theta {
                *theta *= rope.theta_scale;
            }
        }
    }

    fn apply(&self, rope: &Rope, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(x);
        let step = if rope.distance == 1 { 2 } else { 1 };
        for pair in 0..rope.pairs as usize {
            let first = rope.offset as usize + pair * step;
            let second = first + rope.distance as usize;
            let (x0, x1) = (x[first], x[second]);
            let (cos, sin) = (self.cos[pair], self.sin[pair]);
            y[first] = x0 * cos - x1 * sin;
            y[second] = x0 * sin + x1 * cos;
        }
    }
}

/// Which position id rotates a pair. With independent sections its angle starts anew at the first pair.
fn section(rope: &Rope, pair: u32, base: &[f32; 4], theta: &mut [f32; 4]) -> usize {
    let [t, h, w, e] = rope.sections;
    let sector = pair % (t + h + w + e);
    if rope.flags & Rope::INDEPENDENT != 0 {
        for (id, start) in [0, t, t + h, t + h + w].into_iter().enumerate() {
            if sector == start {
                theta[id] = base[id];
                break;
            }
        }
    }
    if rope.flags & Rope::INTERLEAVED != 0 {
        return match sector % 3 {
            1 if sector < 3 * h => 1,
            2 if sector < 3 * w => 2,
            0 if sector < 3 * t => 0,
            _ => 3,
        };
    }
    match sector {
        s if s < t => 0,
        s if s < t + h => 1,
        s if s < t + h + w => 2,
        _ => 3,
    }
}

/// Cosine and sine of an angle, corrected for extrapolation (YaRN).
fn yarn(rope: &Rope, extrapolated: f32, pair: u32) -> (f32, f32) {
    let interpolated = rope.freq_scale * extrapolated;
    let (mut theta, mut scale) = (interpolated, rope.mscale);
    if rope.ext_factor != 0.0 {
        let [low, high] = rope.corr;
        let y = (pair as f32 - low) / (high - low).max(0.001);
        let mix = (1.0 - y.clamp(0.0, 1.0)) * rope.ext_factor;
        theta = interpolated * (1.0 - mix) + extrapolated * mix;
        scale *= 1.0 + 0.1 * logf(1.0 / rope.freq_scale);
    }
    let (cos, sin) = cos_sin(theta);
    (cos * scale, sin * scale)
}
