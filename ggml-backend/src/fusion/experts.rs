//! What a token's experts have made, times their weights, and added up.
//!
//! ```text
//! graph    MUL [columns, experts, tokens] | VIEW of each expert | ADD | ADD | .. | ADD residual
//! step     all of it
//! ```
//! llama.cpp's `build_moe_ffn` adds the experts one after the other, and most models add the residual behind that.

use super::{Group, Kind};
use crate::abi::host::Host;
use crate::abi::{GraphRef, TensorRef};

/// The groups that the first of `nodes` begins, the longer one first: with the sum of something else behind that of the experts, and without.
pub(super) fn find<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>]) -> Vec<Group<'a>> {
    let Some(&mul) = nodes.first().filter(|_| Kind::MulAdds.is_wanted()) else { return Vec::new() };
    let Some(experts) = experts(host, graph, mul) else { return Vec::new() };
    let computed = nodes.iter().copied().enumerate().filter(|(_, node)| !host.is_view(*node));
    // All experts but the first one are added to something, and one more tensor may be.
    let (places, nodes): (Vec<usize>, Vec<TensorRef<'a>>) = computed.take(experts + 1).unzip();
    if nodes.len() < experts || !(1..experts).all(|expert| adds(host, graph, &nodes, expert)) {
        return Vec::new();
    }
    let group = |count: usize| Group {
        kind: Kind::MulAdds,
        nodes: nodes[..count].to_vec(),
        readers: Vec::new(),
        len: places[count - 1] + 1,
    };
    let more = nodes.len() > experts && adds_more(host, graph, nodes[experts - 1], nodes[experts]);
    more.then(|| group(experts + 1)).into_iter().chain([group(experts)]).collect()
}

/// How many experts a product with their weights is of, if they are added up: each has a view, and nobody else reads the result.
fn experts(host: &Host, graph: GraphRef<'_>, mul: TensorRef<'_>) -> Option<usize> {
    let [_, count, tokens, ne3] = mul.ne();
    let is_one = host.operator_name(mul) == "MUL" && host.computes(mul) && !mul.is_empty();
    let weights = mul.source(1).filter(|_| is_one && count > 1 && ne3 == 1)?;
    let (_, uses) = graph.uses(mul).filter(|_| mul.view_of().is_none() && !mul.is_output())?;
    (weights.ne() == [1, count, tokens, 1] && i64::from(uses) == count)
        .then(|| usize::try_from(count).ok())?
}

/// Whether node `expert` adds that expert to the sum of those before it, which nobody else reads.
fn adds(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'_>], expert: usize) -> bool {
    let (mul, add) = (nodes[0], nodes[expert]);
    let is_expert = |tensor: TensorRef<'_>, expert: usize| is_expert(host, graph, mul, tensor, expert);
    let is_before = |tensor: TensorRef<'_>| match expert {
        1 => is_expert(tensor, 0),
        _ => tensor.is(nodes[expert - 1]) && graph.is_used_once(tensor, false),
    };
    let sources = [add.source(0), add.source(1)];
    let (Some(a), Some(b)) = sources.into() else { return false };
    let is_sum = is_before(a) && is_expert(b, expert) || is_before(b) && is_expert(a, expert);
    is_sum && is_add(host, add)
}

fn is_add(host: &Host, node: TensorRef<'_>) -> bool {
    host.operator_name(node) == "ADD" && host.computes(node) && !node.is_empty()
}

/// Whether a tensor is the view of an expert, for one node.
fn is_expert(
    host: &Host,
    graph: GraphRef<'_>,
    mul: TensorRef<'_>,
    view: TensorRef<'_>,
    expert: usize,
) -> bool {
    let ([columns, _, tokens, _], [nb0, nb1, nb2, _]) = (mul.ne(), mul.nb());
    let is_place = view.address() == mul.address() + expert as u64 * nb1 && view.nb()[..2] == [nb0, nb2];
    let is_view = host.is_view(view) && view.source(0).is_some_and(|source| source.is(mul));
    is_view && is_place && view.ne() == [columns, tokens, 1, 1] && graph.is_used_once(view, true)
}

/// Whether a node adds something of the same shape to the sum of all experts, which nobody else reads.
fn adds_more(host: &Host, graph: GraphRef<'_>, sum: TensorRef<'_>, add: TensorRef<'_>) -> bool {
    let is_sum = |tensor: Option<TensorRef<'_>>| tensor.is_some_and(|tensor| tensor.is(sum));
    let other = if is_sum(add.source(0)) { add.source(1) } else { add.source(0) };
    let reads = is_sum(add.source(0)) != is_sum(add.source(1));
    let is_alike = other.is_some_and(|other| other.ne() == sum.ne());
    is_add(host, add) && reads && is_alike && graph.is_used_once(sum, false)
}
