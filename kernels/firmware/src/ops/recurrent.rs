//! `SSM_SCAN`, `GATED_DELTA_NET`, `GATED_LINEAR_ATTN`, `RWKV_WKV6`, `RWKV_WKV7`: state that is carried from token to token,
//! in FP32.
//!
//! ```text
//! DRAM -> lines of state, which stay in L1 -> token by token: its vectors and values -> results -> DRAM
//!                                          -> after the last tokens: the lines -> DRAM
//! ```

use crate::rt::heap;
use crate::rt::lane::Lane;
use crate::rt::mmio::load;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::Piece;
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::recurrent::{Kind, MAX_STATE, Plane, RecurrentParams};
use tt_kernel_abi::{OpDescriptor, TensorView};

const _: () = assert!(4 * MAX_STATE + 3 * Port::BYTES <= heap::BYTES);

/// Some lines of a head.
struct Block {
    first: u32,
    len: u32,
    head: u32,
    sequence: u32,
}

/// Runs one lane.
pub fn run(mut lane: Lane) {
    let op = lane.launch.op;
    let params = RecurrentParams::from_words(&op.params);
    let Some(kind) = Kind::from_code(params.kind) else {
        return lane.launch.fail(ErrorCode::BadDescriptor, 0, params.kind);
    };
    let state = lane.heap.floats(MAX_STATE);
    let mut ports = [(); 3].map(|()| Port::new(&mut lane.heap));
    let [_, lines, heads, _] = op.src0.ne;
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
                load(ports[0].fetch_raw(&mut lane.noc, &op.more[2], &at, 4))
            }
        };
        if before >= op.src0.ne[3] {
            lane.launch.fail(ErrorCode::IndexOutOfRange, block.sequence, before);
            continue;
        }
        let size = op.src0.ne[0] as usize;
        let lines = &mut state[..size * len as usize];
        for (number, line) in (block.first..).zip(lines.chunks_exact_mut(size)) {
            let at = Piece { row: [number, block.head, before], first: 0, len: op.src0.ne[0] };
            line.copy_from_slice(ports[0].fetch(&mut lane.noc, &op.src0, &at));
        }
        tokens(&mut lane.noc, &mut ports, op, &params, kind, &block, lines);
    }
}

/// Carries the lines through all tokens.
fn tokens(
    noc: &mut Noc,
    [vectors, values, output]: &mut [Port; 3],
    op: &OpDescriptor,
    params: &RecurrentParams,
    kind: Kind,
    block: &Block,
    lines: &mut [f32],
) {
    let (size, tokens) = (op.src0.ne[0], op.dst.ne[2]);
    for token in 0..tokens {
        let row = [block.head, token, block.sequence];
        let all = vectors.fetch(noc, &op.more[0], &Piece { row, first: 0, len: op.more[0].ne[0] });
        let piece = Piece { row, first: block.first, len: block.len };
        let values = values.fetch(noc, &op.src1, &piece);
        let vectors = Vectors { all, size: size as usize };
        let bonus = match kind {
            Kind::Bonus => dot(vectors.get(Plane::Compared), vectors.get(Plane::Query)),
            _ => 0.0,
        };
        let results = output.room(&op.dst, &piece).iter_mut().zip(values);
        for (line, (result, &value)) in lines.chunks_exact_mut(size as usize).zip(results) {
            *result = vectors.advance(kind, line, value, bonus) * params.scale;
        }
        output.send(noc, &op.dst, &piece);
        let slot = tokens - 1 - token;
        if slot < params.slots {
            let addr = op.more[1].addr + u64::from(slot) * params.slot_stride;
            keep(noc, output, &TensorView { addr, ..op.more[1] }, block, lines);
        }
    }
}

/// Writes the lines.
fn keep(noc: &mut Noc, port: &mut Port, to: &TensorView, block: &Block, lines: &[f32]) {
    for (number, line) in (block.first..).zip(lines.chunks_exact(to.ne[0] as usize)) {
        let piece = Piece { row: [number, block.head, block.sequence], first: 0, len: to.ne[0] };
        port.room(to, &piece).copy_from_slice(line);
        port.send(noc, to, &piece);
    }
}

/// The vectors of a token and head.
struct Vectors<'a> {
    all: &'a [f32],
    size: usize,
}

impl Vectors<'_> {
    fn get(&self, plane: Plane) -> &[f32] {
        &self.all[plane as usize * self.size..][..self.size]
    }

    /// What one token does to a line; gives the result without its scale.
    fn advance(&self, kind: Kind, line: &mut [f32], value: f32, bonus: f32) -> f32 {
        let query = self.get(Plane::Query);
        let compared = match kind {
            Kind::Delta | Kind::Correction => dot(line, self.get(Plane::Compared)),
            _ => 0.0,
        };
        let before = match kind {
            Kind::Bonus => Some(dot(line, query) + value * bonus),
            _ => None,
        };
        let value = if kind == Kind::Delta { value + compared } else { value };
        let (decay, key) = (self.get(Plane::Decay), self.get(Plane::Key));
        for ((x, &w), &k) in line.iter_mut().zip(decay).zip(key) {
            *x = *x * w + value * k;
        }
        if kind == Kind::Correction {
            for (x, &b) in line.iter_mut().zip(self.get(Plane::Corrected)) {
                *x += compared * b;
            }
        }
        before.unwrap_or_else(|| dot(line, query))
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (&a, &b)| sum + a * b)
}
