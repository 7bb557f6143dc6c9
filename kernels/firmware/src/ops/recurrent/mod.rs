//! `SSM_SCAN`, `GATED_DELTA_NET`, `GATED_LINEAR_ATTN`, `RWKV_WKV6`, `RWKV_WKV7`: state that is carried from token to token.
//! `SOLVE_TRI`: columns of a solution, which grow from row to row.
//!
//! ```text
//! DRAM -> lines of state, which stay in L1 -> token by token: its vectors and values -> results -> DRAM
//!                                          -> after the last tokens: the lines -> DRAM
//! ```
//!
//! Lines and vectors are integers with one exponent ([`fixed`]) while all that comes in is finite, and FP32 from the first
//! token on that brings anything else ([`Lines`]).

mod lines;
mod plain;
mod split;

use self::lines::Lines;
use crate::rt::heap;
use crate::rt::lane::Lane;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::recurrent::{Kind, MAX_STATE, Plane, RecurrentParams};
use tt_kernel_abi::{OpDescriptor, TensorView};
use tt_kernel_numerics::fixed;

const _: () = assert!(4 * (MAX_STATE + 3 * MAX_PIECE) + 3 * Port::BYTES <= heap::BYTES);

/// Some lines of a head.
struct Block {
    first: u32,
    len: u32,
    head: u32,
    sequence: u32,
}

/// Runs one lane.
pub fn run(mut lane: Lane, params: &RecurrentParams) {
    let op = lane.launch.op;
    let Some(kind) = Kind::from_code(params.kind) else {
        return lane.launch.fail(ErrorCode::BadDescriptor, 0, params.kind);
    };
    let mut ports = [(); 3].map(|()| Port::new(&mut lane.heap));
    let [size, lines, heads, _] = op.src0.ne;
    let mut state = Lines::new(&mut lane.heap, size as usize);
    let mut vectors = split::Vectors::new(&mut lane.heap, size as usize);
    let (first, end) = lane.share(params.units);
    for unit in first..end {
        lane.launch.progress(unit);
        let (rest, block) = (unit / params.per_head, unit % params.per_head);
        let first = block * params.lines;
        let len = params.lines.min(lines - first);
        let block = Block { first, len, head: rest % heads, sequence: rest / heads };
        let before = match op.more[2].ne[0] {
            0 => block.sequence,
            _ => {
                let at = Piece { row: [0; 3], first: block.sequence, len: 1 };
                ports[0].fetch_word(&mut lane.noc, &op.more[2], &at)
            }
        };
        if before >= op.src0.ne[3] {
            lane.launch.fail(ErrorCode::IndexOutOfRange, block.sequence, before);
            continue;
        }
        match kind {
            Kind::Solve => state.begin(&block),
            _ => state.fetch(&mut lane.noc, &mut ports[0], &op.src0, &block, before),
        }
        tokens(&mut lane.noc, &mut ports, op, params, kind, &block, (&mut state, &mut vectors));
    }
}

/// Carries the lines through all tokens.
fn tokens(
    noc: &mut Noc,
    [all, values, output]: &mut [Port; 3],
    op: &OpDescriptor,
    params: &RecurrentParams,
    kind: Kind,
    block: &Block,
    (lines, vectors): (&mut Lines, &mut split::Vectors),
) {
    let tokens = op.dst.ne[2];
    for token in 0..tokens {
        let row = [block.head, token, block.sequence];
        let len = match kind {
            // What is behind the diagonal is not looked at.
            Kind::Solve => token + 1,
            _ => op.more[0].ne[0],
        };
        let all = all.fetch(noc, &op.more[0], &Piece { row, first: 0, len });
        let piece = Piece { row, first: block.first, len: block.len };
        let values = values.fetch(noc, &op.src1, &piece);
        let finite = fixed::top(patterns(values)).is_some() && vectors.split(kind, all);
        if lines.is_split && !finite {
            lines.join();
        }
        let plain = plain::Vectors::new(all, lines.size());
        let bonus = match (kind, lines.is_split) {
            (Kind::Bonus, true) => vectors.dot(Plane::Compared, Plane::Query),
            (Kind::Bonus, false) => plain.dot(Plane::Compared, Plane::Query),
            (Kind::Solve, _) => 1.0 / all[token as usize],
            _ => 0.0,
        };
        let results = output.buffer(&op.dst, &piece).iter_mut().zip(values);
        for (number, (result, &value)) in results.enumerate() {
            let sum = match lines.is_split {
                _ if kind == Kind::Solve => solve(lines, number, vectors, all, bonus, value),
                true => vectors.advance(kind, &mut lines.line(number), value, bonus),
                false => plain.advance(kind, lines.patterns(number), value, bonus),
            };
            *result = sum * params.scale;
        }
        output.send(noc, &op.dst, &piece);
        let slot = tokens - 1 - token;
        if slot < params.slots {
            let addr = op.more[1].addr + u64::from(slot) * params.slot_stride;
            lines.send(noc, output, &TensorView { addr, ..op.more[1] }, block);
        }
    }
}

/// Finds element `at` of a line of a solution: `all` is the row of the equations, up to its diagonal.
#[inline(never)]
fn solve(
    lines: &mut Lines,
    number: usize,
    vectors: &split::Vectors,
    all: &[f32],
    inverse: f32,
    value: f32,
) -> f32 {
    let at = all.len() - 1;
    let x = match lines.is_split {
        true => {
            let mut line = lines.line(number);
            let x = (value - vectors.dot_row(&line, at)) * inverse;
            if line.append(at, x) {
                return x;
            }
            lines.join();
            x
        }
        false => (value - plain::dot(&lines.patterns(number)[..at], all)) / all[at],
    };
    lines.patterns(number)[at] = x.to_bits();
    x
}

fn patterns(values: &[f32]) -> impl Iterator<Item = u32> {
    values.iter().map(|value| value.to_bits())
}
