//! What a graph computes, and where: everything that plans depend on, to be compared.
//!
//! ggml hands the same graph over again for every token, as long as nothing but inputs has changed. It is the same for a backend if its nodes
//! are, with their parameters, places, sources, and how often they are used; contents of tensors do not matter.

use std::collections::HashSet;
use std::ffi::c_void;
use std::ptr::from_ref;

use super::entry::is_for_weights;
use super::host::Host;
use super::tensor::{GraphRef, TensorRef};
use super::types::{Buffer, MAX_DIMS, MAX_SRC, Tensor};

/// The content of a graph. Tensors are looked at only through the graph that it is compared with, whose they are.
pub struct Content {
    nodes: Vec<Node>,
    /// Sources that are no nodes, each once.
    leafs: Vec<(Source, Fields)>,
    /// A source in each buffer that sources are in, and whether the buffer is for weights.
    buffers: Vec<(Source, bool)>,
}

// SAFETY: pointers are compared, and not followed.
#[allow(unsafe_code)]
unsafe impl Send for Content {}

struct Node {
    tensor: *const Tensor,
    /// Where the graph counts its uses, and how many there are.
    uses: Option<(usize, i32)>,
    fields: Fields,
}

/// Number of a node, and of one of its sources.
type Source = (usize, usize);

/// What a tensor has, but for its name.
#[derive(PartialEq)]
struct Fields {
    kind: [i32; 3],
    params: [i32; 16],
    ne: [i64; MAX_DIMS],
    nb: [usize; MAX_DIMS],
    sources: [*mut Tensor; MAX_SRC],
    view: (*mut Tensor, usize),
    place: (*mut c_void, *mut Buffer),
}

impl Fields {
    fn of(tensor: TensorRef<'_>) -> Self {
        let raw = tensor.raw();
        Self {
            kind: [raw.type_, raw.op, raw.flags],
            params: raw.op_params,
            ne: raw.ne,
            nb: raw.nb,
            sources: raw.src,
            view: (raw.view_src, raw.view_offs),
            place: (raw.data, raw.buffer),
        }
    }
}

impl Content {
    /// The content of a graph, to be kept.
    pub fn of(host: &'static Host, graph: GraphRef<'_>) -> Self {
        let nodes = graph.nodes();
        let mut known: HashSet<*const Tensor> = nodes.iter().map(|node| from_ref(node.raw())).collect();
        let mut in_buffers = HashSet::new();
        let (mut leafs, mut buffers) = (Vec::new(), Vec::new());
        for (number, node) in nodes.iter().enumerate() {
            for (index, source) in node.sources() {
                if known.insert(from_ref(source.raw())) {
                    leafs.push(((number, index), Fields::of(source)));
                }
                if in_buffers.insert(source.buffer()) {
                    buffers.push(((number, index), is_for_weights(host, source)));
                }
            }
        }
        let nodes = nodes.into_iter().map(|node| Node {
            tensor: from_ref(node.raw()),
            uses: graph.uses(node),
            fields: Fields::of(node),
        });
        Self { nodes: nodes.collect(), leafs, buffers }
    }

    /// Whether it is that of a graph.
    pub fn is_of(&self, host: &'static Host, graph: GraphRef<'_>) -> bool {
        let source = |(node, source): Source| graph.node(node)?.source(source);
        let same_nodes = || {
            self.nodes.iter().enumerate().all(|(number, kept)| {
                graph.node(number).is_some_and(|node| {
                    from_ref(node.raw()) == kept.tensor
                        && Fields::of(node) == kept.fields
                        && graph.has_uses(node, kept.uses)
                })
            })
        };
        // Nodes are the same ones, and so their sources are.
        let same_leafs =
            || self.leafs.iter().all(|(at, kept)| source(*at).is_some_and(|leaf| Fields::of(leaf) == *kept));
        let same_buffers = || {
            let is_same = |at, kept| source(at).is_some_and(|tensor| is_for_weights(host, tensor) == kept);
            self.buffers.iter().all(|&(at, kept)| is_same(at, kept))
        };
        graph.len() == self.nodes.len() && same_nodes() && same_leafs() && same_buffers()
    }
}
