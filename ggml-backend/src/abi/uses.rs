//! How often a graph's tensors are used: ggml counts that for every graph it makes.
//!
//! The part of a graph that a backend gets does not show who else reads a tensor: another part, on another device, may. The counts are
//! those of the whole graph (`ggml_node_get_use_count`), in a hash table that parts share.
//!
//! # Safety
//! The graph is one of ggml's: its table has `size` places, a bit for each that is taken, and a key and a count for each.

#![allow(unsafe_code)]

use super::types::{FLAG_OUTPUT, Graph, Tensor};

/// The counts of a graph.
pub struct Uses<'a>(&'a Graph);

impl<'a> Uses<'a> {
    /// Of this graph.
    pub fn of(graph: &'a Graph) -> Self {
        Self(graph)
    }

    /// Whether one node reads a tensor, and the user does not. Of a tensor that is a view (`may_be_view`) others may still see the memory.
    pub fn is_used_once(&self, tensor: &Tensor, may_be_view: bool) -> bool {
        (may_be_view || tensor.view_src.is_null())
            && tensor.flags & FLAG_OUTPUT == 0
            && self.count(tensor) == Some(1)
    }

    /// How many nodes read a tensor; `None` if the graph does not know it.
    pub fn count(&self, tensor: &Tensor) -> Option<i32> {
        let table = &self.0.visited;
        if table.size == 0 || table.used.is_null() || table.keys.is_null() || self.0.use_counts.is_null() {
            return None;
        }
        let first = (std::ptr::from_ref(tensor) as usize >> 4) % table.size;
        for at in (first..table.size).chain(0..first) {
            // SAFETY: see the module.
            unsafe {
                if *table.used.add(at / 32) >> (at % 32) & 1 == 0 {
                    return None;
                }
                if std::ptr::eq(*table.keys.add(at), tensor) {
                    return Some(*self.0.use_counts.add(at));
                }
            }
        }
        None
    }
}
