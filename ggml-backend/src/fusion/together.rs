//! Products with the same row that do not follow one another, as those of queries, keys and values: the first one's launch has them all.
//!
//! ```text
//! graph    MUL_MAT q | ROPE q | MUL_MAT v | MUL_MAT k | ..
//! steps    MUL_MAT q v k | ROPE q | ..
//! ```
//! Later ones are so computed before the nodes between. That changes nothing if no node between reads or writes where their results go: ggml gives memory
//! that is free when a node is computed, and it may not be free yet. ggml often puts the second product to where the first one was, once that has been rotated. So
//! the first one's rotation belongs to the group, and what it rotates is not in ggml's memory.

use std::ops::Range;

use super::{Group, Kind, following, passes};
use crate::abi::host::Host;
use crate::abi::{GraphRef, TensorRef};

/// Products of a group, at most.
const MOST: usize = 3;
/// How many nodes further on the last one may be.
const REACH: usize = 24;

/// The group that the first of `nodes` begins: a product, its rotation if that follows, and other products.
pub(super) fn find<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>]) -> Option<Group<'a>> {
    let first = *nodes.first().filter(|_| Kind::MulMats.is_wanted())?;
    if !is_product(host, first) {
        return None;
    }
    let row = first.source(1)?;
    let mut found = vec![first];
    found.extend(rotation(host, graph, nodes));
    let most = found.len() + MOST - 1;
    let least = found.len() + 1;
    for (place, &node) in nodes.iter().enumerate().take(REACH).skip(1) {
        let is_one = is_product(host, node) && node.source(1).is_some_and(|source| source.is(row));
        let is_alike = is_one && first.source(0)?.ne()[0] == node.source(0)?.ne()[0];
        // What is computed with its next node stays with it.
        let is_alone = is_alike && following(host, graph, &nodes[place..]).is_empty();
        if is_alone && nodes[..place].iter().all(|&before| leaves_alone(host, before, node, &found)) {
            found.push(node);
        }
        if found.len() == most {
            break;
        }
    }
    (found.len() >= least).then_some(Group { kind: Kind::MulMats, nodes: found, len: 1 })
}

/// The rotation of the first product's result, if it is the next node that computes something.
fn rotation<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>]) -> Option<TensorRef<'a>> {
    let [first, rest @ ..] = nodes else { return None };
    let next = *rest.iter().find(|node| !host.is_view(**node))?;
    let is_one = host.operator_name(next) == "ROPE" && host.computes(next) && !next.is_empty();
    (is_one && passes(host, graph, *first, next.source(0)?)).then_some(next)
}

/// Whether a node is a product with one row.
fn is_product(host: &Host, node: TensorRef<'_>) -> bool {
    let one_row = node.ne()[1..].iter().all(|&rows| rows == 1);
    one_row && host.operator_name(node) == "MUL_MAT" && host.computes(node) && !node.is_empty()
}

/// Whether `before` neither reads nor writes the memory of `node`'s result. Products that are computed with it read nothing afterwards, and what a rotation in the
/// group rotates is elsewhere.
fn leaves_alone(host: &Host, before: TensorRef<'_>, node: TensorRef<'_>, group: &[TensorRef<'_>]) -> bool {
    if host.is_view(before) {
        return true;
    }
    let result = range(host, node);
    let is_apart = |tensor: TensorRef<'_>| {
        let other = range(host, tensor);
        other.end <= result.start || result.end <= other.start
    };
    let rotates = group.get(1).is_some_and(|second| !is_product(host, *second));
    match group.iter().position(|member| member.is(before)) {
        Some(0) if rotates => true,
        Some(1) if rotates => {
            is_apart(before) && before.sources().all(|(index, source)| index == 0 || is_apart(source))
        }
        Some(_) => is_apart(before),
        None => is_apart(before) && before.sources().all(|(_, source)| is_apart(source)),
    }
}

/// The bytes of a tensor.
fn range(host: &Host, tensor: TensorRef<'_>) -> Range<u64> {
    let first = tensor.address();
    first..first + host.nbytes(tensor) as u64
}
