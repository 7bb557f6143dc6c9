//! How often a graph's tensors are used: ggml counts that for every graph it makes.
//!
//! The part of a graph that a backend gets does not show who else reads a tensor: another part, on another device, may. The counts are
//! those of the whole graph (`ggml_node_get_use_count`), in a hash table that parts share.

#![allow(unsafe_code)]

use super::types::{Graph, Tensor};

/// How many nodes read a tensor; `None` if the graph does not know it.
///
/// # Safety
/// The graph is one of ggml's: its table has `size` places, a bit for each that is taken, and a key and a count for each.
pub unsafe fn count(graph: &Graph, tensor: &Tensor) -> Option<i32> {
    let table = &graph.visited;
    if table.size == 0 || table.used.is_null() || table.keys.is_null() || graph.use_counts.is_null() {
        return None;
    }
    let first = (std::ptr::from_ref(tensor) as usize >> 4) % table.size;
    for at in (first..table.size).chain(0..first) {
        // SAFETY: `at` is below `size`, and by contract the bits, keys and counts have so many places.
        unsafe {
            if *table.used.add(at / 32) >> (at % 32) & 1 == 0 {
                return None;
            }
            if std::ptr::eq(*table.keys.add(at), tensor) {
                return Some(*graph.use_counts.add(at));
            }
        }
    }
    None
}
