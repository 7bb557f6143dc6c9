//! Norms of which only products see the result: they may write what these read.
//!
//! ```text
//! graph    RMS_NORM | MUL | MUL_MAT q | ROPE q | MUL_MAT k | ..
//! steps    norm in the order of products | q | ROPE q | k | ..
//! ```
//! Products do not follow one another, and each may be a part of another group. So they are none of this one: its result stays where they find it
//! ([`Group::readers`]), until something is written to where ggml has the rows.

use super::{Group, Kind, passes};
use crate::abi::host::Host;
use crate::abi::{GraphRef, TensorRef};

/// The group that the first of `nodes` begins: a norm and the product with its weights, if all that read its result are products with these rows, further on among `nodes`.
pub(super) fn find<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>]) -> Option<Group<'a>> {
    let norm = *nodes.first().filter(|_| Kind::NormMulMats.is_wanted())?;
    let place = 1 + nodes.iter().skip(1).position(|node| !host.is_view(*node))?;
    let mul = nodes[place];
    let computes = |node: &TensorRef<'_>| host.computes(*node) && !node.is_empty();
    let is_norm = host.operator_name(norm) == "RMS_NORM" && host.operator_name(mul) == "MUL";
    let is_passed_on =
        || (0..2).any(|i| mul.source(i).is_some_and(|source| passes(host, graph, norm, source)));
    if !is_norm || ![norm, mul].iter().all(computes) || !is_passed_on() {
        return None;
    }
    // ggml counts the nodes of its whole graph: none of them may be in another part of it.
    let (_, uses) = graph.uses(mul).filter(|_| mul.view_of().is_none() && !mul.is_output())?;
    let multiplies = |node: &TensorRef<'_>| {
        host.operator_name(*node) == "MUL_MAT"
            && computes(node)
            && node.source(1).is_some_and(|source| source.is(mul))
    };
    let readers: Vec<_> = nodes[place + 1..].iter().copied().filter(multiplies).collect();
    let is_all = !readers.is_empty() && usize::try_from(uses) == Ok(readers.len());
    is_all.then(|| Group { kind: Kind::NormMulMats, nodes: vec![norm, mul], readers, len: place + 1 })
}
