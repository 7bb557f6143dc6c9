//! Safe views of what the host owns: tensors and graphs.
//!
//! ggml gives raw pointers to structs that it goes on using. What the rest of the library gets is a [`TensorRef`] or a [`GraphRef`]: values
//! to read, with a lifetime that ends with ggml's call.
//!
//! ```text
//! entry point: *const Tensor --[TensorRef::new, unsafe]--> TensorRef -> extents, parameters, sources, what it is a view of
//! ```
//!
//! # Safety
//! The one unsafe step is at the entry point: a tensor that ggml passes is alive during the call, and so are the sources, the tensor that it
//! is a view of, and the buffer that it points to (`ggml-backend.cpp` uses them after the call). Nobody writes to them meanwhile.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_int};

use super::types::{Buffer, FLAG_OUTPUT, Graph, MAX_DIMS, Tensor};
use super::uses;

/// A tensor of the host.
#[derive(Clone, Copy)]
pub struct TensorRef<'a>(&'a Tensor);

impl<'a> TensorRef<'a> {
    /// # Safety
    /// The tensor, its sources, what it is a view of and its buffer are alive for `'a` or NULL, and nobody writes to them; the same holds for
    /// all tensors that can be reached so.
    pub(super) unsafe fn new(tensor: *const Tensor) -> Self {
        // SAFETY: alive for 'a by contract.
        Self(unsafe { &*tensor })
    }

    /// Whether it is the same tensor.
    pub fn is(self, other: TensorRef<'_>) -> bool {
        std::ptr::eq(self.0, other.0)
    }

    /// ggml's struct.
    pub(super) fn raw(self) -> &'a Tensor {
        self.0
    }

    /// Elements in each dimension.
    pub fn ne(self) -> [i64; MAX_DIMS] {
        self.0.ne
    }

    /// Elements in each dimension, if the device can count so many.
    pub fn extents(self) -> Option<[u32; MAX_DIMS]> {
        let mut extents = [0; MAX_DIMS];
        for (to, from) in extents.iter_mut().zip(self.0.ne) {
            *to = u32::try_from(from).ok()?;
        }
        Some(extents)
    }

    /// Strides in bytes.
    pub fn nb(self) -> [u64; MAX_DIMS] {
        self.0.nb.map(|nb| nb as u64)
    }

    /// Whether it has no element: recurrent models copy ranges of states that may hold none.
    pub fn is_empty(self) -> bool {
        self.0.ne.contains(&0)
    }

    /// `enum ggml_type`, whose meaning the host knows ([`super::host::Host::element_type`]).
    pub fn type_number(self) -> c_int {
        self.0.type_
    }

    /// Word `index` of the operator's parameters.
    pub fn param(self, index: usize) -> i32 {
        self.0.op_params[index]
    }

    /// An operand of the operator.
    pub fn source(self, index: usize) -> Option<Self> {
        let source = *self.0.src.get(index)?;
        // SAFETY: a source of a tensor that is alive for 'a is alive for 'a, by the contract of `new`.
        (!source.is_null()).then(|| unsafe { Self::new(source) })
    }

    /// All operands with their numbers.
    pub fn sources(self) -> impl Iterator<Item = (usize, Self)> {
        (0..self.0.src.len()).filter_map(move |index| Some((index, self.source(index)?)))
    }

    /// The tensor that this is a view of.
    pub fn view_of(self) -> Option<Self> {
        let of = self.0.view_src;
        // SAFETY: what a tensor that is alive for 'a is a view of is alive for 'a, by the contract of `new`.
        (!of.is_null()).then(|| unsafe { Self::new(of) })
    }

    /// The tensor that owns the memory: the end of the chain of views.
    pub fn root(self) -> Self {
        self.view_of().map_or(self, Self::root)
    }

    /// Bytes from the beginning of what it is a view of.
    pub fn view_offset(self) -> u64 {
        self.0.view_offs as u64
    }

    /// Where its data are, or 0: an address of the host, or a made-up one in a buffer of ours.
    pub fn address(self) -> u64 {
        self.0.data as u64
    }

    /// Whether the user wants to read it.
    pub fn is_output(self) -> bool {
        self.0.flags & FLAG_OUTPUT != 0
    }

    /// Its name, for messages and importance matrices.
    pub fn name(self) -> String {
        let bytes = self.0.name.map(|c| c as u8);
        CStr::from_bytes_until_nul(&bytes).unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The buffer that it is in, or NULL.
    pub(super) fn buffer(self) -> *mut Buffer {
        self.0.buffer
    }
}

/// A graph of the host.
#[derive(Clone, Copy)]
pub struct GraphRef<'a>(&'a Graph);

impl<'a> GraphRef<'a> {
    /// # Safety
    /// The graph is alive for `'a` with all its tensors, as in [`TensorRef::new`]; it has `n_nodes` nodes, and the table of its uses has the
    /// places that it says.
    pub(super) unsafe fn new(graph: *const Graph) -> Self {
        // SAFETY: alive for 'a by contract.
        Self(unsafe { &*graph })
    }

    /// How many nodes there are.
    pub fn len(self) -> usize {
        usize::try_from(self.0.n_nodes).unwrap_or(0)
    }

    /// The nodes, in an order in which they can be computed.
    pub fn nodes(self) -> Vec<TensorRef<'a>> {
        (0..self.len()).filter_map(|index| self.node(index)).collect()
    }

    /// A node, if there are so many.
    pub fn node(self, index: usize) -> Option<TensorRef<'a>> {
        // SAFETY: by the contract of `new` there are `len` nodes, which are alive for 'a.
        (index < self.len()).then(|| unsafe { TensorRef::new(*self.0.nodes.add(index)) })
    }

    /// How many nodes of ggml's whole graph read a tensor, and where that is counted; `None` if the graph does not know it.
    pub fn uses(self, tensor: TensorRef<'_>) -> Option<(usize, i32)> {
        // SAFETY: by the contract of `new` the table has the places that it says.
        unsafe { uses::find(self.0, tensor.raw()) }
    }

    /// Whether [`uses`](Self::uses) would still give this: faster than asking for it.
    pub fn has_uses(self, tensor: TensorRef<'_>, uses: Option<(usize, i32)>) -> bool {
        match uses {
            // SAFETY: as in `uses`.
            Some((at, count)) => (unsafe { uses::at(self.0, at, tensor.raw()) }) == Some(count),
            None => self.uses(tensor).is_none(),
        }
    }

    /// Whether one node reads a tensor, and the user does not. Of a tensor that is a view (`may_be_view`) others may still see the memory.
    pub fn is_used_once(self, tensor: TensorRef<'_>, may_be_view: bool) -> bool {
        (may_be_view || tensor.view_of().is_none())
            && !tensor.is_output()
            && self.uses(tensor).is_some_and(|(_, uses)| uses == 1)
    }
}
