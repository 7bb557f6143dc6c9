//! From a ggml node to a descriptor: the one function that says what the device can compute.
//!
//! `supports_op` asks it with tensors that have no memory yet, `graph_compute` with those that have; both go through
//! [`descriptor`], so what is promised is what is done.

#![allow(unsafe_code)]

use std::ffi::CStr;

use tt_runtime::ops::elementwise::{Binary, Glu, Unary};
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

/// A node with what its families need: operands as views, parameters.
pub struct Node<'a, P> {
    host: &'a Host,
    tensor: &'a Tensor,
    cores: u32,
    place: P,
}

impl<P: FnMut(&Tensor) -> Result<TensorView, Unsupported>> Node<'_, P> {
    /// A source that has to be there.
    fn src(&mut self, index: usize) -> Result<TensorView, Unsupported> {
        self.optional(index)?.ok_or_else(|| format!("source {index} is missing").into())
    }

    /// A source that may be missing.
    fn optional(&mut self, index: usize) -> Result<Option<TensorView>, Unsupported> {
        source(self.tensor, index).map(&mut self.place).transpose()
    }

    /// The result.
    fn dst(&mut self) -> Result<TensorView, Unsupported> {
        (self.place)(self.tensor)
    }

    /// The node's function by ggml's name, in one of our tables.
    fn function<T>(&self, from_name: fn(&str) -> Option<T>) -> Result<T, Unsupported> {
        let name = self.host.function_name(self.tensor);
        from_name(name).ok_or_else(|| format!("function {name}").into())
    }

    /// Word `index` of `op_params` as a float.
    fn f32(&self, index: usize) -> f32 {
        f32::from_bits(self.tensor.op_params[index] as u32)
    }

    fn descriptor(mut self, operator: Operator) -> Result<OpDescriptor, Unsupported> {
        let cores = self.cores;
        match operator {
            Operator::View => Ok(OpDescriptor::NOP),
            Operator::MulMat => ops::matmul(&self.src(0)?, &self.src(1)?, &self.dst()?, cores),
            Operator::SetRows => ops::set_rows(&self.src(0)?, &self.src(1)?, &self.dst()?, cores),
            Operator::Unary => self.unary(),
            Operator::Fill => self.fill(),
            Operator::Binary => {
                let function = self.function(Binary::from_name)?;
                ops::binary(function, &self.src(0)?, &self.src(1)?, &self.dst()?, cores)
            }
            Operator::Add1 => ops::binary(Binary::Add, &self.src(0)?, &self.src(1)?, &self.dst()?, cores),
            Operator::Glu => self.glu(),
        }
    }

    fn unary(&mut self) -> Result<OpDescriptor, Unsupported> {
        let function = self.function(Unary::from_name)?;
        // `UNARY` has the function's number in front of its parameters.
        let params = match function {
            Unary::Xielu => [self.f32(1), self.f32(2), self.f32(3), self.f32(4)],
            _ => [self.f32(0), self.f32(1), 0.0, 0.0],
        };
        ops::unary(function, &params, &self.src(0)?, &self.dst()?, self.cores)
    }

    fn fill(&mut self) -> Result<OpDescriptor, Unsupported> {
        let function = self.function(Unary::from_name)?;
        let params = match function {
            // start, stop, step
            Unary::Arange => [self.f32(0), self.f32(2)],
            _ => [self.f32(0), 0.0],
        };
        ops::fill(function, &params, &self.dst()?, self.cores)
    }

    fn glu(&mut self) -> Result<OpDescriptor, Unsupported> {
        let function = self.function(Glu::from_name)?;
        let swapped = self.tensor.op_params[1] != 0;
        let params = [self.f32(2), self.f32(3)];
        let (src0, src1) = (self.src(0)?, self.optional(1)?);
        ops::glu(function, swapped, &params, &src0, src1.as_ref(), &self.dst()?, self.cores)
    }
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
    place: impl FnMut(&Tensor) -> Result<TensorView, Unsupported>,
) -> Result<OpDescriptor, Unsupported> {
    Node { host, tensor: node, cores, place }.descriptor(operator)
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
