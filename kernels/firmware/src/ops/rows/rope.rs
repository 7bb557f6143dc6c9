//! `ROPE` and `ROPE_BACK`: pairs of elements are rotated by angles that grow with the position.
//!
//! Cosines and sines depend on the token (dimension 2) alone; rows of one token follow each other, so a lane
//! computes them once for all heads, or takes them from a table that an earlier launch has made. Pairs are rotated in integers ([`fixed`]): a pair has one exponent, which is what the accuracy
//! of a rotation follows.
//!
//! With indices in more[1] the rows of a token go to that row of a cache which the token's index names, in the cache's type
//! (`SET_ROWS`). dst is the cache then, cut into heads: elements, heads, rows.

use super::gather::index;
use super::write;
use crate::rt::heap::{self, Heap};
use crate::rt::lane::Lane;
use crate::rt::mmio::order;
use crate::rt::rows::Port;
use core::ops::Range;
use libm::{logf, sincosf};
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece, split_row};
use tt_kernel_abi::rows::rope::{MAX_ROPE, Rope, RopeParams, TABLE_PAIRS};
use tt_kernel_abi::{OpDescriptor, TensorView};
use tt_kernel_numerics::fixed::{self, high};
use tt_kernel_numerics::trig;

/// Cosine and sine of every pair, times the factor of the result: mantissas ([`fixed`]), patterns of I32.
struct Rotation {
    cos: &'static mut [u32],
    sin: &'static mut [u32],
    /// Exponent of them all.
    exponent: i32,
    /// The factor.
    scale: i32,
    /// What the angle of every pair is multiplied with.
    factors: &'static mut [f32],
}

// It leaves the ring of weights alone.
const _: () = assert!(2 * Port::BYTES + 12 * (MAX_ROPE / 2) <= heap::KEPT_BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &RopeParams) {
    let (op, rope) = (lane.launch.op, &params.rope);
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let mut rotation = Rotation::new(&mut lane.heap, rope);
    if rope.flags & Rope::TABLE != 0 {
        return rotation.write_table(&mut lane, [&mut input, &mut output], params);
    }
    let prepared = rope.flags & Rope::PREPARED != 0;
    if !prepared {
        rotation.set_factors(&mut lane, &mut input, rope, 0..rope.pairs);
    }
    let (first, end) = lane.share(params.rows);
    let mut token = None;
    let mut target = None;
    let mut number = first;
    while number < end {
        lane.launch.progress(number);
        let row = split_row(&op.src0, number);
        if token != Some(row[1]) {
            token = Some(row[1]);
            match prepared {
                true => rotation.fetch(&mut lane, &mut input, rope, row[1]),
                false => {
                    let positions = positions(&mut lane, &mut input, rope, [row[1], op.src0.ne[2]]);
                    rotation.prepare(rope, positions, 0..rope.pairs);
                }
            }
            target = match op.more[1].ne[0] {
                0 => Some(row[1]),
                _ => index(&mut lane, &mut input, &op.more[1], [row[1], 0, 0], op.dst.ne[2]),
            };
        }
        let heads = Heads::of(op, (op.src0.ne[1] - row[0]).min(end - number));
        number += heads.count;
        let Some(target) = target else { continue };
        let x = input.fetch(&mut lane.noc, &op.src0, &Piece { row, first: 0, len: heads.span() });
        let len = heads.count * heads.len;
        let to = Piece { row: [row[0], target, row[2]], first: 0, len };
        write(&mut lane.noc, &mut output, &op.dst, &to, |y| {
            let rows = x.chunks(heads.pitch as usize).zip(y.chunks_exact_mut(heads.len as usize));
            rows.for_each(|(x, y)| rotation.apply(rope, &x[..heads.len as usize], y));
        });
    }
}

/// Rows of a token that come and go together.
struct Heads {
    count: u32,
    /// Elements of a row.
    len: u32,
    /// Elements from one row of src0 to the next.
    pitch: u32,
}

impl Heads {
    /// Up to `most` rows, if src0's lie close together and dst's side by side.
    fn of(op: &OpDescriptor, most: u32) -> Self {
        let (src, dst, len) = (&op.src0, &op.dst, op.src0.ne[0]);
        let row_bytes = |view: &TensorView| {
            let blocks = view.element_type().map_or(0, |ty| len / ty.block_len() * ty.block_bytes());
            u64::from(blocks)
        };
        let pitch = (src.nb[1] / src.nb[0].max(1)) as u32;
        let close = src.nb[0] * u64::from(len) == row_bytes(src)
            && src.nb[1] == src.nb[0] * u64::from(pitch)
            && (len..=2 * len).contains(&pitch)
            && dst.nb[1] == row_bytes(dst);
        match close {
            true => Self { count: most.min(1 + (MAX_PIECE - len) / pitch), len, pitch },
            false => Self { count: 1, len, pitch: len },
        }
    }

    /// Elements from the first to the last one of them all in src0.
    fn span(&self) -> u32 {
        (self.count - 1) * self.pitch + self.len
    }
}

/// The position ids of a token among `tokens`: one, or four that lie as far apart as there are tokens.
fn positions(lane: &mut Lane, port: &mut Port, rope: &Rope, [token, tokens]: [u32; 2]) -> [f32; 4] {
    let op = lane.launch.op;
    let mut ids = [0.0; 4];
    let count = if rope.flags & Rope::MULTI != 0 { 4 } else { 1 };
    for (i, id) in (0..).zip(&mut ids[..count]) {
        let piece = Piece { row: [0; 3], first: token + i * tokens, len: 1 };
        *id = port.fetch_word(&mut lane.noc, &op.src1, &piece) as i32 as f32;
    }
    ids
}

impl Rotation {
    fn new(heap: &mut Heap, rope: &Rope) -> Self {
        let half = MAX_ROPE / 2;
        let yarn = if rope.ext_factor == 0.0 { 1.0 } else { 1.0 + 0.1 * logf(1.0 / rope.freq_scale) };
        let (scale, exponent) = fixed::of(rope.mscale * yarn).unwrap_or_default();
        Self { cos: heap.words(half), sin: heap.words(half), exponent, scale, factors: heap.floats(half) }
    }

    /// Takes what models divide angles by, if there is anything, for some pairs.
    fn set_factors(&mut self, lane: &mut Lane, input: &mut Port, rope: &Rope, pairs: Range<u32>) {
        let view = &lane.launch.op.more[0];
        let divisors = (view.ne[0] > 0).then(|| {
            let piece = Piece { row: [0; 3], first: pairs.start, len: pairs.len() as u32 };
            input.fetch(&mut lane.noc, view, &piece)
        });
        let factors = &mut self.factors[pairs.start as usize..pairs.end as usize];
        for (i, (pair, factor)) in pairs.zip(factors).enumerate() {
            *factor = yarn(rope, pair);
            if let Some(divisors) = divisors {
                *factor /= divisors[i];
            }
        }
    }

    /// Writes the parts of a table that are the lane's.
    fn write_table(&mut self, lane: &mut Lane, [input, output]: [&mut Port; 2], params: &RopeParams) {
        let (table, rope) = (&lane.launch.op.dst, &params.rope);
        let parts = rope.table_parts();
        let of = |part: u32| part * TABLE_PAIRS..((part + 1) * TABLE_PAIRS).min(rope.pairs);
        let (first, end) = lane.share(params.rows);
        match end - first {
            0 => return,
            1 => self.set_factors(lane, input, rope, of(first % parts)),
            _ => self.set_factors(lane, input, rope, 0..rope.pairs),
        }
        for number in first..end {
            lane.launch.progress(number);
            let (token, part) = (number / parts, number % parts);
            let positions = positions(lane, input, rope, [token, params.rows / parts]);
            let pairs = of(part);
            self.prepare(rope, positions, pairs.clone());
            let is_last = part + 1 == parts;
            if rope.flags & Rope::FLOATS != 0 {
                self.write_floats(lane, output, rope, token, pairs, is_last);
                continue;
            }
            // The exponent stands behind the last part.
            let last = u32::from(is_last);
            let len = 2 * pairs.len() as u32 + last;
            let piece = Piece { row: [token, 0, 0], first: 2 * pairs.start, len };
            let words = output.raw_buffer(table, &piece).words();
            let pairs = pairs.start as usize..pairs.end as usize;
            let values = self.cos[pairs.clone()].iter().zip(&self.sin[pairs]);
            let values = values.flat_map(|(&cos, &sin)| [cos, sin]).chain([self.exponent as u32]);
            words.iter().take(len as usize).zip(values).for_each(|(word, value)| word.store(value));
            order();
            output.send_raw(&mut lane.noc, table, &piece, 4);
        }
    }

    /// Writes a part of a table for the vector unit. Behind the last pair of neighbours elements stay as they are: they are rotated by nothing.
    fn write_floats(
        &self,
        lane: &mut Lane,
        output: &mut Port,
        rope: &Rope,
        token: u32,
        pairs: Range<u32>,
        is_last: bool,
    ) {
        let table = &lane.launch.op.dst;
        let row = [token, 0, 0];
        let at = pairs.start as usize..pairs.end as usize;
        let float = |&word: &u32| fixed::float_of_word(word as i32, self.exponent);
        let (cos, sin) = (self.cos[at.clone()].iter().map(float), self.sin[at].iter().map(float));
        if rope.distance == 1 {
            let end = if is_last { table.ne[0] } else { 2 * pairs.end };
            let piece = Piece { row, first: 2 * pairs.start, len: end - 2 * pairs.start };
            let rest = [1.0, 0.0].into_iter().cycle();
            let values = cos.zip(sin).flat_map(|(cos, sin)| [cos, sin]).chain(rest);
            let fill = |y: &mut [f32]| y.iter_mut().zip(values).for_each(|(y, value)| *y = value);
            write(&mut lane.noc, output, table, &piece, fill);
            return;
        }
        let len = pairs.len() as u32;
        let piece = Piece { row, first: pairs.start, len };
        write(&mut lane.noc, output, table, &piece, |y| y.iter_mut().zip(cos).for_each(|(y, cos)| *y = cos));
        let piece = Piece { first: rope.pairs + pairs.start, ..piece };
        write(&mut lane.noc, output, table, &piece, |y| y.iter_mut().zip(sin).for_each(|(y, sin)| *y = sin));
    }

    /// Takes a token's row of a table.
    fn fetch(&mut self, lane: &mut Lane, input: &mut Port, rope: &Rope, token: u32) {
        let row = Piece { row: [token, 0, 0], first: 0, len: rope.table_row() };
        let words = input.fetch_raw(&mut lane.noc, &lane.launch.op.src1, &row, 4).words();
        let (pairs, exponent) = words.split_at(2 * rope.pairs as usize);
        let rotations = self.cos.iter_mut().zip(&mut *self.sin);
        for ((cos, sin), pair) in rotations.zip(pairs.as_chunks::<2>().0) {
            (*cos, *sin) = (pair[0].load(), pair[1].load());
        }
        self.exponent = exponent[0].load() as i32;
    }

    /// Cosines and sines of some pairs at a position. Angles follow from one another, so that they are the same whoever computes them.
    fn prepare(&mut self, rope: &Rope, base: [f32; 4], pairs: Range<u32>) {
        let mut theta = base;
        let ids = if rope.flags & Rope::MULTI != 0 { 4 } else { 1 };
        for pair in 0..pairs.end {
            let id = if ids == 1 { 0 } else { section(rope, pair, &base, &mut theta) };
            if pairs.contains(&pair) {
                self.set_pair(rope, pair as usize, theta[id]);
            }
            for theta in &mut theta[..ids] {
                *theta *= rope.theta_scale;
            }
        }
    }

    fn set_pair(&mut self, rope: &Rope, pair: usize, theta: f32) {
        let factor = self.factors[pair];
        let angle = if factor.to_bits() == ONE { theta } else { theta * factor };
        let (cos, sin) = fixed_cos_sin(angle);
        let sin = if rope.sin_sign.is_sign_negative() { -sin } else { sin };
        let scaled = |x: i32| ((i64::from(x) * i64::from(self.scale)) >> 30) as u32;
        self.cos[pair] = scaled(cos);
        self.sin[pair] = scaled(sin);
    }

    fn apply(&self, rope: &Rope, x: &[f32], y: &mut [f32]) {
        let (first, distance) = (rope.offset as usize, rope.distance as usize);
        let pairs = rope.pairs as usize;
        let end = if distance == 1 { first + 2 * pairs } else { first + distance + pairs };
        if 2 * pairs < x.len() {
            y[..first].copy_from_slice(&x[..first]);
            y[first..end].copy_from_slice(&x[first..end]);
            y[end..].copy_from_slice(&x[end..]);
        }
        let step = if distance == 1 { 2 } else { 1 };
        let places = (first..).step_by(step).map(|first| (first, first + distance));
        for ((first, second), (&cos, &sin)) in places.zip(self.cos[..pairs].iter().zip(&*self.sin)) {
            [y[first], y[second]] = self.rotate(x[first], x[second], cos as i32, sin as i32);
        }
    }

    #[inline(always)]
    fn rotate(&self, x0: f32, x1: f32, cos: i32, sin: i32) -> [f32; 2] {
        let Some(([m0, m1], exponent)) = fixed::pair(x0, x1) else {
            let [cos, sin] = [cos, sin].map(|x| fixed::float_of_word(x, self.exponent));
            return [x0 * cos - x1 * sin, x0 * sin + x1 * cos];
        };
        // Both sums are below 2^30: a quarter of the product of a mantissa and a cosine of at most 2^30 each, twice.
        let sums = [high(m0, cos) - high(m1, sin), high(m0, sin) + high(m1, cos)];
        sums.map(|sum| fixed::float_of_word(sum, exponent + self.exponent + 32))
    }
}

/// 1 as a pattern.
const ONE: u32 = 0x3F80_0000;

/// Cosine and sine of any angle, with 30 fraction bits.
fn fixed_cos_sin(angle: f32) -> (i32, i32) {
    // As integers, positive patterns have the order of what they stand for.
    if angle.to_bits() & 0x7FFF_FFFF < trig::LIMIT.to_bits() {
        return trig::fixed_cos_sin(angle.to_bits());
    }
    let (sin, cos) = sincosf(angle);
    let scale = (1 << 30) as f32;
    ((cos * scale) as i32, (sin * scale) as i32)
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

/// Factor of a pair's angle: interpolation, corrected for extrapolation (YaRN).
fn yarn(rope: &Rope, pair: u32) -> f32 {
    if rope.ext_factor == 0.0 {
        return rope.freq_scale;
    }
    let [low, high] = rope.corr;
    let y = (pair as f32 - low) / (high - low).max(0.001);
    let mix = (1.0 - y.clamp(0.0, 1.0)) * rope.ext_factor;
    rope.freq_scale * (1.0 - mix) + mix
}
