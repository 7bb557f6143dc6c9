//! How often a graph's tensors are used: ggml counts that for every graph it makes.
//!
//! The part of a graph that a backend gets does not show who else reads a tensor: another part, on another device, may. The counts are
//! those of the whole graph (`ggml_node_get_use_count`), in a hash table that parts share.

#![allow(unsafe_code)]

use super::types::{Graph, Tensor};

/// Where the graph counts the nodes that read a tensor, and how many those are; `None` if it does not know the tensor.
///
/// # Safety
/// The graph is one of ggml's: its table has `size` places, a bit for each that is taken, and a key and a count for each.
pub unsafe fn find(graph: &Graph, tensor: &Tensor) -> Option<(usize, i32)> {
    let table = &graph.visited;
    let first = (std::ptr::from_ref(tensor) as usize >> 4).checked_rem(table.size)?;
    let mut places = (first..table.size).chain(0..first);
    // SAFETY: this function's contract.
    let mut taken = places.by_ref().take_while(|&place| unsafe { is_taken(graph, place) });
    // SAFETY: this function's contract.
    taken.find_map(|place| Some((place, unsafe { at(graph, place, tensor) }?)))
}

/// How many nodes read a tensor that is counted at `place`; `None` if it is not counted there.
///
/// # Safety
/// As for [`find`].
pub unsafe fn at(graph: &Graph, place: usize, tensor: &Tensor) -> Option<i32> {
    let (keys, counts) = (graph.visited.keys, graph.use_counts);
    // SAFETY: this function's contract.
    if keys.is_null() || counts.is_null() || !unsafe { is_taken(graph, place) } {
        return None;
    }
    // SAFETY: `place` is taken, and by contract it has a key and a count.
    unsafe { std::ptr::eq(*keys.add(place), tensor).then(|| *counts.add(place)) }
}

/// Whether there is something at a place of the table.
///
/// # Safety
/// As for [`find`].
unsafe fn is_taken(graph: &Graph, place: usize) -> bool {
    let table = &graph.visited;
    // SAFETY: `place` is below `size`, and by contract there are so many bits.
    place < table.size
        && !table.used.is_null()
        && unsafe { *table.used.add(place / 32) } >> (place % 32) & 1 != 0
}
