//! From a ggml node to descriptors: the one function that says what the device can compute.
//!
//! `supports_op` asks it with tensors that have no memory yet ([`dry_run`]), `graph_compute` with those that have; both go through
//! [`steps`], so what is promised is what is done. An operator is a row of the table in [`operators`], a family of operators is a module.
//!
//! Planning is pure: it decides by types, shapes and addresses, and whatever has to happen on the device before the launches is the
//! matter of who implements [`Memory`].

mod attention;
mod convolution;
mod dry_run;
mod elementwise;
mod fused;
mod matrix;
mod movement;
mod operators;
mod recurrent;
mod rows;
mod streams;
mod training;

pub use dry_run::dry_run;
pub use fused::fused;
pub use operators::{operator, written};

use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use crate::abi::TensorRef;
use crate::abi::host::Host;
use crate::copy_cache::Origin;

/// The view of a tensor whose first byte is at `addr`.
pub fn view(host: &Host, tensor: TensorRef<'_>, addr: u64) -> Result<TensorView, Unsupported> {
    let Some(ty) = host.element_type(tensor) else {
        return Err(format!("{} has type {}", tensor.name(), tensor.type_number()).into());
    };
    let ne = tensor.extents().ok_or_else(|| format!("extents {:?}", tensor.ne()))?;
    Ok(TensorView::new(ty, addr, ne, tensor.nb()))
}

/// The view of a tensor that a product multiplies with as it is.
///
/// # Errors
/// The kernel does not read such rows: they have to be packed into tiles.
pub fn multiplied(host: &Host, tensor: TensorRef<'_>, addr: u64) -> Result<TensorView, Unsupported> {
    let view = view(host, tensor, addr)?;
    match view.element_type() {
        Some(ty) if ops::multiplies_with(ty) => Ok(view),
        _ => {
            let (name, ty) = (tensor.name(), tensor.type_number());
            Err(format!("{name} has type {ty}, which has to be packed").into())
        }
    }
}

/// Where tensors are, and memory for what a node needs only while it is computed.
pub trait Memory {
    /// Columns and rows of the device's workers.
    fn grid(&self) -> [u32; 2];

    /// The view of a tensor as ggml has it.
    ///
    /// # Errors
    /// It is not on the device.
    fn place(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported>;

    /// The view of what a product multiplies with: tiles, if it can have them. To be asked for after all other tensors of
    /// the node have been placed: a weight that one of them reads as bytes gets its tiles elsewhere.
    ///
    /// # Errors
    /// It is not on the device.
    fn place_weights(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported>;

    /// A number that no magnitude of a weight is larger than whose tiles, or stream of integers, are in this view; infinity, if that is not known.
    fn largest_weight(&self, weights: &TensorView) -> f32;

    /// Address of `bytes` bytes that are the node's until it is computed.
    ///
    /// # Errors
    /// There is no memory left.
    fn scratch(&mut self, bytes: u64) -> Result<u64, Unsupported>;

    /// A copy of `origin` in the form of `form` (whose address does not matter), for reading: where it is, and whether it is there
    /// already or the node has to make it.
    ///
    /// # Errors
    /// There is no memory left.
    fn materialise(&mut self, origin: Origin, form: TensorView) -> Result<CopyPlace, Unsupported>;

    /// Memory for what the node makes in place of `origin`, in the form of `form`: nodes that ask for that copy find it there, and `origin` is nowhere.
    ///
    /// # Errors
    /// There is no memory left.
    fn replace(&mut self, origin: Origin, form: TensorView) -> Result<TensorView, Unsupported>;

    /// Whether a part of `source` is only there in the place of a copy ([`replace`](Self::replace)).
    fn is_replaced(&self, source: &TensorView) -> bool;
}

/// A place for a copy of a view ([`Memory::materialise`]).
pub struct CopyPlace {
    /// The copy.
    pub view: TensorView,
    /// Nothing has to be copied.
    pub is_there: bool,
}

/// Bytes of a tensor without gaps but behind its rows, with what is behind the last one.
pub fn padded_span(form: &TensorView) -> u64 {
    form.span().max(u64::from(form.ne[3]) * form.nb[3])
}

/// A node with what its families need: operands as views, parameters.
struct Node<'a> {
    host: &'a Host,
    tensor: TensorRef<'a>,
    cores: u32,
    memory: &'a mut dyn Memory,
}

impl Node<'_> {
    /// A source that has to be there.
    fn src(&mut self, index: usize) -> Result<TensorView, Unsupported> {
        self.optional(index)?.ok_or_else(|| format!("source {index} is missing").into())
    }

    /// A source that may be missing.
    fn optional(&mut self, index: usize) -> Result<Option<TensorView>, Unsupported> {
        self.tensor.source(index).map(|tensor| self.memory.place(tensor)).transpose()
    }

    /// What a product multiplies with ([`Memory::place_weights`]).
    fn weights(&mut self) -> Result<TensorView, Unsupported> {
        let tensor = self.tensor.source(0).ok_or("source 0 is missing")?;
        self.memory.place_weights(tensor)
    }

    /// The result.
    fn dst(&mut self) -> Result<TensorView, Unsupported> {
        self.memory.place(self.tensor)
    }

    /// A copy of `view` in the form of `form`, for reading; `make` is the step that makes it.
    fn materialised(
        &mut self,
        view: &TensorView,
        form: TensorView,
        make: impl FnOnce(&TensorView, &TensorView, u32) -> Result<OpDescriptor, Unsupported>,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        let copy = self.memory.materialise(view.into(), form)?;
        if !copy.is_there {
            steps.push(make(view, &copy.view, self.cores)?);
        }
        Ok(copy.view)
    }

    /// A tensor without gaps that lives while the node is computed.
    fn scratch(&mut self, ty: ElementType, ne: [u32; 4]) -> Result<TensorView, Unsupported> {
        let bytes = TensorView::contiguous(ty, 0, ne).span();
        Ok(TensorView::contiguous(ty, self.memory.scratch(bytes)?, ne))
    }

    /// The node's function by ggml's name, in one of our tables.
    fn function<T>(&self, from_name: fn(&str) -> Option<T>) -> Result<T, Unsupported> {
        let name = self.host.function_name(self.tensor);
        from_name(name).ok_or_else(|| format!("function {name}").into())
    }

    /// Word `index` of `op_params` as a float.
    fn f32(&self, index: usize) -> f32 {
        f32::from_bits(self.i32(index) as u32)
    }

    /// Word `index` of `op_params`.
    fn i32(&self, index: usize) -> i32 {
        self.tensor.param(index)
    }

    /// Word `index` of `op_params`, as a number of elements or bytes.
    fn u32(&self, index: usize) -> Result<u32, Unsupported> {
        let value = self.i32(index);
        u32::try_from(value).map_err(|_| format!("parameter {index} is {value}").into())
    }
}

/// What is to be executed for a node, in this order, or why the device cannot compute it.
pub type Steps = Result<Vec<OpDescriptor>, Unsupported>;

/// The descriptors of a node, given where its tensors are.
///
/// # Errors
/// Why the device cannot compute it.
pub fn steps(host: &Host, node: TensorRef<'_>, cores: u32, memory: &mut dyn Memory) -> Steps {
    let operator = operator(host, node).ok_or("no kernel for this operator")?;
    if node.is_empty() {
        return Ok(Vec::new());
    }
    operator.steps(Node { host, tensor: node, cores, memory })
}
