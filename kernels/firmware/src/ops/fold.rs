//! `COL2IM_1D`, `CONV_TRANSPOSE_1D` and the last step of `CONV_TRANSPOSE_2D`: windows put back where they overlap, in
//! FP32.
//!
//! ```text
//! DRAM -> the parts of source rows that reach a piece of the result, one after the other -> their sum -> DRAM
//! ```

use crate::rt::lane::Lane;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::Piece;
use tt_kernel_abi::fold::{FoldFunction, FoldParams, between};
use tt_kernel_abi::launch::ErrorCode;
use tt_kernel_abi::{OpDescriptor, TensorView};

/// Runs one lane.
pub fn run(mut lane: Lane, params: &FoldParams) {
    let op = lane.launch.op;
    let Some(function) = FoldFunction::from_code(params.pieces.function) else {
        return lane.launch.fail(ErrorCode::BadDescriptor, 0, params.pieces.function);
    };
    let mut ports = [Port::new(&mut lane.heap), Port::new(&mut lane.heap)];
    let mut output = Port::new(&mut lane.heap);
    let (first, end) = lane.share(params.pieces.count);
    for number in first..end {
        lane.launch.progress(number);
        let piece = params.pieces.locate(&op.dst, number);
        let out = output.buffer(&op.dst, &piece);
        out.fill(0.0);
        match function {
            FoldFunction::Windows => windows(&mut lane.noc, &mut ports[0], op, params, &piece, out),
            FoldFunction::Products => products(&mut lane.noc, &mut ports, op, params, &piece, out),
        }
        output.send(&mut lane.noc, &op.dst, &piece);
    }
}

/// Adds what reaches the piece from the windows' elements.
fn windows(
    noc: &mut Noc,
    port: &mut Port,
    op: &OpDescriptor,
    params: &FoldParams,
    piece: &Piece,
    out: &mut [f32],
) {
    let [oy, channel, image] = piece.row;
    let src = TensorView { addr: op.src0.addr + u64::from(image) * params.image_stride, ..op.src0 };
    let [across, down] = params.kernel;
    for ky in 0..down {
        let at = (oy + params.pad[1]) as i32 - ky as i32;
        let (y, end) = between(at, at + 1, params.stride[1], src.ne[1]);
        if y == end {
            continue;
        }
        for kx in 0..across {
            // Column i goes to i * stride - low of the piece.
            let low = (piece.first + params.pad[0]) as i32 - kx as i32;
            let (i, end) = between(low, low + piece.len as i32, params.stride[0], src.ne[0]);
            if i == end {
                continue;
            }
            let part = Piece { row: [y, ky * across + kx, channel], first: i, len: end - i };
            let mut to = ((i * params.stride[0]) as i32 - low) as usize;
            for &x in port.fetch(noc, &src, &part) {
                out[to] += x;
                to += params.stride[0] as usize;
            }
        }
    }
}

/// Adds the products that reach the piece.
fn products(
    noc: &mut Noc,
    [kernels, signals]: &mut [Port; 2],
    op: &OpDescriptor,
    params: &FoldParams,
    piece: &Piece,
    out: &mut [f32],
) {
    let ([across, _], [stride, _]) = (params.kernel, params.stride);
    let behind = (piece.first + piece.len) as i32;
    let (i, end) = between((piece.first + 1) as i32 - across as i32, behind, stride, op.src1.ne[0]);
    if i == end {
        return;
    }
    // The elements of the kernel that reach the piece from any of these columns.
    let from = piece.first.saturating_sub((end - 1) * stride);
    let to = across.min(piece.first + piece.len - i * stride);
    for channel in 0..op.src1.ne[1] {
        let row = [piece.row[0], channel, 0];
        let kernel = kernels.fetch(noc, &op.src0, &Piece { row, first: from, len: to - from });
        let row = [channel, 0, 0];
        let signal = signals.fetch(noc, &op.src1, &Piece { row, first: i, len: end - i });
        for (i, &x) in (i..end).zip(signal) {
            // Element k goes to i * stride + k - first of the piece.
            let shift = (i * stride) as i32 - piece.first as i32;
            let first = (-shift).max(from as i32) as u32;
            let end = (piece.len as i32 - shift).min(to as i32) as u32;
            let target = (first as i32 + shift) as usize;
            let factors = &kernel[(first - from) as usize..(end - from) as usize];
            for (y, &factor) in out[target..].iter_mut().zip(factors) {
                *y += x * factor;
            }
        }
    }
}
