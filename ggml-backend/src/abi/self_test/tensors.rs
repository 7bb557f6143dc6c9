//! Fields of tensors and graphs that the host has made.
//!
//! # Safety
//! The sample lives as long as its tensors are looked at. A host with other structs may have anything in them: this runs in a child.

use std::ffi::{CStr, c_char, c_int};

use super::super::sample::{FACTOR, LEAF, Sample, SetName, VIEW, VIEW_OFFSET};
use super::super::symbols::function;
use super::super::types::{FLAG_OUTPUT, Graph, Tensor};
use super::super::uses;
use super::{Failure, holds};

/// `struct ggml_object`, which every tensor has in front of it.
const OBJECT_BYTES: usize = 32;

type OfTensor<T> = unsafe extern "C" fn(*const Tensor) -> T;

/// Compares them.
pub fn check() -> Result<(), Failure> {
    let overhead = function!("ggml_tensor_overhead", unsafe extern "C" fn() -> usize).map_err(say)?;
    let set_name = function!("ggml_set_name", SetName).map_err(say)?;
    let set_output = function!("ggml_set_output", unsafe extern "C" fn(*mut Tensor)).map_err(say)?;
    let nbytes = function!("ggml_nbytes", OfTensor<usize>).map_err(say)?;
    let op_desc = function!("ggml_op_desc", OfTensor<*const c_char>).map_err(say)?;
    let op_name = function!("ggml_op_name", unsafe extern "C" fn(c_int) -> *const c_char).map_err(say)?;
    // SAFETY: takes nothing.
    let overhead = unsafe { overhead() };
    let expected = size_of::<Tensor>() + OBJECT_BYTES;
    if overhead != expected {
        return Err(format!("a tensor takes {overhead} bytes instead of {expected}"));
    }
    let sample = Sample::build().map_err(say)?;
    // SAFETY: the host has just made these tensors, which live as long as `sample`. If its structs are others, something else is read: in a
    // child.
    let (leaf, view, node) = unsafe {
        set_name(sample.leaf, c"leaf".as_ptr());
        set_output(sample.leaf);
        (&*sample.leaf, &*sample.view, &*sample.node)
    };
    // SAFETY: as above.
    let name = unsafe { CStr::from_ptr(leaf.name.as_ptr()) };
    holds(name == c"leaf", "a tensor's name is elsewhere")?;
    let is_leaf = leaf.ne == [LEAF as i64, 1, 1, 1] && leaf.nb == [4, 32, 32, 32];
    holds(is_leaf, "a tensor's extents are elsewhere")?;
    let is_view = std::ptr::eq(view.view_src, leaf) && view.view_offs == VIEW_OFFSET;
    holds(is_view && view.ne[0] == VIEW as i64, "what a view is of is elsewhere")?;
    holds(leaf.flags & FLAG_OUTPUT != 0 && view.flags & FLAG_OUTPUT == 0, "a tensor's flags are elsewhere")?;
    holds(std::ptr::eq(node.src[0], view) && node.src[1].is_null(), "a node's sources are elsewhere")?;
    holds(node.op_params[0] == FACTOR.to_bits() as i32, "a node's parameters are elsewhere")?;
    holds(leaf.data.is_null() && leaf.buffer.is_null(), "a tensor's data are elsewhere")?;
    // SAFETY: the host has made the node; its operator is one of the host's.
    let (of_node, of_number, bytes) =
        unsafe { (CStr::from_ptr(op_desc(node)), CStr::from_ptr(op_name(node.op)), nbytes(leaf)) };
    holds(of_node == c"SCALE" && of_number == c"SCALE", "a node's operator is elsewhere")?;
    holds(bytes == LEAF * size_of::<f32>(), "a tensor's size is another one")?;
    graph(&sample, view, node)
}

fn graph(sample: &Sample, view: &Tensor, node: &Tensor) -> Result<(), Failure> {
    let n_nodes = function!("ggml_graph_n_nodes", unsafe extern "C" fn(*mut Graph) -> c_int).map_err(say)?;
    let nth = function!("ggml_graph_node", unsafe extern "C" fn(*mut Graph, c_int) -> *mut Tensor);
    let nth = nth.map_err(say)?;
    // SAFETY: the host has made the graph, which lives as long as `sample`. If its struct is another one, something else is read: in a
    // child.
    let (graph, count) = unsafe { (&*sample.graph, n_nodes(sample.graph)) };
    holds(count == 2 && graph.n_nodes == count && graph.n_leafs == 1, "a graph's counts are elsewhere")?;
    for index in 0..count {
        // SAFETY: the graph has so many nodes.
        let same = unsafe { std::ptr::eq(*graph.nodes.add(index as usize), nth(sample.graph, index)) };
        holds(same, "a graph's nodes are elsewhere")?;
    }
    // SAFETY: the host has made the graph; if its table is elsewhere, something else is read: in a child.
    let counts = unsafe { [view, node].map(|tensor| uses::find(graph, tensor)) };
    let counts = counts.map(|found| found.map(|(_, count)| count));
    holds(counts == [Some(1), Some(0)], "a graph's use counts are elsewhere")
}

fn say(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}
