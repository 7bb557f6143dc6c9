//! From a ggml node to a descriptor: the one function that says what the device can compute.
//!
//! `supports_op` asks it with tensors that have no memory yet, `graph_compute` with those that have; both go through
//! [`descriptor`], so what is promised is what is done.

#![allow(unsafe_code)]

use std::ffi::CStr;

use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use crate::abi::host::{Host, Operator, host};
use crate::abi::types::Tensor;
use crate::log;

/// Where a tensor without memory is taken to be: any address with the alignment of the buffer type.
const ANYWHERE: u64 = 1 << 24;
/// Cores that `supports_op` plans for; how many there are makes no difference to what is possible.
const ANY_CORES: u32 = 1;

/// A tensor's name, for messages.
pub fn name(tensor: &Tensor) -> String {
    // SAFETY: ggml terminates names; the array is ours to read.
    let name = unsafe { CStr::from_ptr(tensor.name.as_ptr()) };
    name.to_string_lossy().into_owned()
}

/// A source of a node.
pub fn source(node: &Tensor, index: usize) -> Option<&Tensor> {
    // SAFETY: ggml's graphs point to live tensors or nowhere.
    unsafe { node.src[index].as_ref() }
}

/// The view of a tensor whose first byte is at `addr`.
pub fn view(host: &Host, tensor: &Tensor, addr: u64) -> Result<TensorView, Unsupported> {
    let Some(ty) = host.element_type(tensor.type_) else {
        return Err(Unsupported(format!("{} has type {}", name(tensor), tensor.type_).into()));
    };
    let mut ne = [0; 4];
    for (to, from) in ne.iter_mut().zip(tensor.ne) {
        *to = u32::try_from(from).map_err(|_| Unsupported(format!("extent {from}").into()))?;
    }
    Ok(TensorView::new(ty, addr, ne, tensor.nb.map(|nb| nb as u64)))
}

/// The descriptor of a node, given where its tensors are.
///
/// # Errors
/// Why the device cannot compute it.
pub fn descriptor(
    host: &Host,
    operator: Operator,
    node: &Tensor,
    cores: u32,
    mut place: impl FnMut(&Tensor) -> Result<TensorView, Unsupported>,
) -> Result<OpDescriptor, Unsupported> {
    let mut operand = |index: usize| match source(node, index) {
        Some(tensor) => place(tensor),
        None => Err("a source is missing".into()),
    };
    let _ = host;
    match operator {
        Operator::View => Ok(OpDescriptor::NOP),
        Operator::MulMat => {
            let (src0, src1) = (operand(0)?, operand(1)?);
            ops::matmul(&src0, &src1, &place(node)?, cores)
        }
        Operator::SetRows => {
            let (rows, indices) = (operand(0)?, operand(1)?);
            ops::set_rows(&rows, &indices, &place(node)?, cores)
        }
    }
}

/// Whether the device can compute a node.
pub fn supported(node: &Tensor) -> bool {
    let Ok(host) = host() else { return false };
    let Some(operator) = host.operator(node.op) else { return false };
    let result = descriptor(host, operator, node, ANY_CORES, |tensor| {
        view(host, tensor, ANYWHERE + tensor.view_offs as u64)
    });
    if let Err(reason) = &result
        && log::env_flag("GGML_TT_DEBUG")
    {
        log::debug(&format!("{} {} not supported: {reason}", host.operator_name(node.op), name(node)));
    }
    result.is_ok()
}

/// Whether a tensor's rows, matrices and batches follow one another without gaps.
pub fn is_contiguous(view: &TensorView) -> bool {
    let Some(ty) = view.element_type() else { return false };
    !matches!(ty, ElementType::I32 | ElementType::I64)
        && TensorView::contiguous(ty, view.addr, view.ne).nb == view.nb
}
