//! A small graph that the host itself builds: from how it looks we learn what the host does.
//!
//! ```text
//! leaf f32[8] -> view f32[4], from the third element -> SCALE by 0.5
//! ```
//!
//! # Safety
//! The host's functions are called as its headers say; the context is freed with the sample, and nothing in it is used after that.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};

use super::symbols::{Missing, function};
use super::types::{Graph, InitParams, Tensor};

/// Bytes of the context: three tensors and a graph of [`MOST_NODES`] nodes need less than a tenth.
const CONTEXT_BYTES: usize = 1 << 17;
const MOST_NODES: usize = 8;

type Free = unsafe extern "C" fn(*mut c_void);

/// `GGML_TYPE_F32`, the first one since ever.
pub const F32: c_int = 0;
/// Elements of the leaf.
pub const LEAF: usize = 8;
/// Elements of the view.
pub const VIEW: usize = 4;
/// Where the view begins in the leaf, in bytes.
pub const VIEW_OFFSET: usize = 8;
/// What the view is multiplied with.
pub const FACTOR: f32 = 0.5;

/// The graph and its tensors. None of them has data.
pub struct Sample {
    /// A tensor without operator.
    pub leaf: *mut Tensor,
    /// A view of it.
    pub view: *mut Tensor,
    /// What the graph computes.
    pub node: *mut Tensor,
    /// The graph.
    pub graph: *mut Graph,
    context: *mut c_void,
    free: Free,
}

impl Sample {
    /// Has the host build it.
    pub fn build() -> Result<Self, Missing> {
        type New1d = unsafe extern "C" fn(*mut c_void, c_int, i64) -> *mut Tensor;
        type View1d = unsafe extern "C" fn(*mut c_void, *mut Tensor, i64, usize) -> *mut Tensor;
        type Scale = unsafe extern "C" fn(*mut c_void, *mut Tensor, f32) -> *mut Tensor;
        type NewGraph = unsafe extern "C" fn(*mut c_void, usize, bool) -> *mut Graph;
        let init = function!("ggml_init", unsafe extern "C" fn(InitParams) -> *mut c_void)?;
        let free = function!("ggml_free", Free)?;
        let tensor = function!("ggml_new_tensor_1d", New1d)?;
        let view = function!("ggml_view_1d", View1d)?;
        let scale = function!("ggml_scale", Scale)?;
        let graph = function!("ggml_new_graph_custom", NewGraph)?;
        let expand = function!("ggml_build_forward_expand", unsafe extern "C" fn(*mut Graph, *mut Tensor))?;
        // SAFETY: the functions are called as the host's headers declare them: a context of its own, with room for three tensors and a
        // graph, and what they have made in it.
        unsafe {
            let params =
                InitParams { mem_size: CONTEXT_BYTES, mem_buffer: std::ptr::null_mut(), no_alloc: true };
            let context = init(params);
            let leaf = tensor(context, F32, LEAF as i64);
            let view = view(context, leaf, VIEW as i64, VIEW_OFFSET);
            let node = scale(context, view, FACTOR);
            let graph = graph(context, MOST_NODES, false);
            expand(graph, node);
            Ok(Self { leaf, view, node, graph, context, free })
        }
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        // SAFETY: the context is the sample's own and is freed once; the tensors in it are not used after the sample.
        unsafe { (self.free)(self.context) };
    }
}

/// `ggml_set_name`
pub type SetName = unsafe extern "C" fn(*mut Tensor, *const c_char) -> *mut Tensor;
