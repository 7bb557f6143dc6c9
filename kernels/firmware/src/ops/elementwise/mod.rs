//! Element by element: unary functions, binary ones with repetition, gated units.
//!
//! ```text
//! DRAM -> pieces of src0, src1 in L1, FP32 -> function -> piece of dst -> DRAM
//! ```
//!
//! Each lane works through its pieces one after the other. A piece is written after it was read as a whole, and no
//! two lanes have the same piece, so dst may be one of the sources.

pub mod functions;

use crate::rt::heap;
use crate::rt::lane::Lane;
use crate::rt::rows::Port;
use tt_kernel_abi::TensorView;
use tt_kernel_abi::elementwise::{Binary, ElementwiseParams, Glu, OWN_PARAMS, Piece, Pieces, Unary};
use tt_kernel_abi::launch::ErrorCode;

fn own(params: &ElementwiseParams) -> [f32; OWN_PARAMS] {
    params.own.map(f32::from_bits)
}

fn unknown(lane: &Lane, pieces: &Pieces) {
    lane.launch.fail(ErrorCode::BadDescriptor, 0, pieces.function);
}

// It leaves the ring of weights alone.
const _: () = assert!(3 * Port::BYTES <= heap::KEPT_BYTES);

/// `dst[i] = f(src0[i])`
pub fn unary(mut lane: Lane, params: &ElementwiseParams) {
    let (op, pieces) = (lane.launch.op, &params.pieces);
    let Some(function) = Unary::from_code(pieces.function) else { return unknown(&lane, pieces) };
    let reads = !matches!(function, Unary::Fill | Unary::Arange);
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let (first, end) = lane.share(pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        let piece = pieces.locate(&op.dst, number);
        let x: &[f32] = if reads { input.fetch(&mut lane.noc, &op.src0, &piece) } else { &[] };
        let out = output.buffer(&op.dst, &piece);
        functions::unary(function, own(params), piece.first, x, out);
        output.send(&mut lane.noc, &op.dst, &piece);
    }
}

/// The elements of `view` that go with a piece of rows of `ne0` elements, and the number of the first one's partner
/// among them: the same piece, or the whole of a row that is repeated.
pub fn partner(view: &TensorView, ne0: u32, piece: &Piece) -> (Piece, u32) {
    let row = core::array::from_fn(|dim| piece.row[dim] % view.ne[dim + 1]);
    match view.ne[0] == ne0 {
        true => (Piece { row, ..*piece }, 0),
        false => (Piece { row, first: 0, len: view.ne[0] }, piece.first % view.ne[0]),
    }
}

/// Works through the pieces of an operator with two sources. `f` gets a piece of src0, its partners in src1, the number of
/// the first element's partner, and where the result goes.
fn pairs(mut lane: Lane, pieces: &Pieces, f: impl Fn(&[f32], &[f32], u32, &mut [f32])) {
    let op = lane.launch.op;
    let (mut a, mut b) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let mut output = Port::new(&mut lane.heap);
    let (first, end) = lane.share(pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        let piece = pieces.locate(&op.dst, number);
        let (partner, phase) = partner(&op.src1, op.dst.ne[0], &piece);
        let x = a.fetch(&mut lane.noc, &op.src0, &piece);
        let y = b.fetch(&mut lane.noc, &op.src1, &partner);
        f(x, y, phase, output.buffer(&op.dst, &piece));
        output.send(&mut lane.noc, &op.dst, &piece);
    }
}

/// `dst[i] = f(src0[i], src1[i mod ne])`
pub fn binary(lane: Lane, params: &ElementwiseParams) {
    let pieces = &params.pieces;
    let Some(function) = Binary::from_code(pieces.function) else { return unknown(&lane, pieces) };
    pairs(lane, pieces, |x, y, phase, out| functions::binary(function, phase, x, y, out));
}

/// `dst[i] = f(src0[i]) * src1[i]`
pub fn glu(lane: Lane, params: &ElementwiseParams) {
    let (pieces, own) = (&params.pieces, own(params));
    let Some(function) = Glu::from_code(pieces.function) else { return unknown(&lane, pieces) };
    pairs(lane, pieces, |x, gate, _, out| functions::glu(function, own, x, gate, out));
}
