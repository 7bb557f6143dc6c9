//! `DIAG_MASK_INF`, `DIAG_MASK_ZERO`, `TRI`, `DIAG`.

use super::super::Unsupported;
use super::super::check::FLOATS;
use super::{build, count_rows, floats_alike, operand, shape};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::triangle::{TriangleFunction, TriangleParams};
use tt_kernel_abi::{OpDescriptor, TensorView};

/// Which elements of a matrix stay ([`triangle`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Triangle {
    /// Up to `past` behind the diagonal; the others become this pattern.
    Causal {
        /// Columns in front of the square.
        past: u32,
        /// FP32 pattern.
        fill: u32,
    },
    /// ggml's triangle of this number; the others become zero.
    Tri(u32),
}

/// Descriptor for `DIAG_MASK_INF`, `DIAG_MASK_ZERO`, `TRI`.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn triangle(
    triangle: Triangle,
    src: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    floats_alike(src, dst)?;
    let rows = count_rows(src)?;
    let (function, side, fill) = match triangle {
        Triangle::Causal { past, fill } => (TriangleFunction::Causal, past, f32::from_bits(fill)),
        Triangle::Tri(kind) if kind < 4 => (TriangleFunction::Tri, kind, 0.0),
        Triangle::Tri(kind) => return Err(format!("triangle {kind}").into()),
    };
    let params = TriangleParams { function: function as u32, rows, side, fill };
    build::<kernel::Triangle>(&params, rows, [src, &TensorView::NONE, dst], cores)
}

/// Descriptor for `DIAG`: matrices with the rows of `src` on their diagonals.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn diag(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, FLOATS)?;
    operand("dst", dst, FLOATS)?;
    shape("src0", src.ne, [dst.ne[0], 1, dst.ne[2], dst.ne[3]])?;
    shape("dst", dst.ne, [dst.ne[0], dst.ne[0], dst.ne[2], dst.ne[3]])?;
    let rows = count_rows(dst)?;
    let params = TriangleParams { function: TriangleFunction::Diag as u32, rows, side: 0, fill: 0.0 };
    build::<kernel::Triangle>(&params, rows, [src, &TensorView::NONE, dst], cores)
}
