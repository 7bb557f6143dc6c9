//! Which nodes become one step: what one of them makes stays in L1, because only the next one reads it.
//!
//! ```text
//! graph --[find]--> nodes of a group --[plan::fused]--> descriptors, or the reason why each node goes by itself
//! ```
//!
//! Here graphs are looked at, not tensors: types, shapes and memory are the plan's matter.

mod experts;
mod ordered;
mod sorted;
mod together;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::abi::host::Host;
use crate::abi::{GraphRef, TensorRef, log};

/// A pattern of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A norm and the product with its weights.
    NormMul,
    /// Rotary positions, and the rows' way into a cache.
    RopeSetRows,
    /// A matrix product and a sum: bias or residual.
    MulMatAdd,
    /// A norm and the product with its weights, for products with many rows of the result, which nobody else reads.
    NormMulMats,
    /// Two matrix products with the same activations, and the gated unit of them.
    MulMatGlu,
    /// The same of products whose matrices indices name.
    MulMatIdGlu,
    /// What a token's experts have made times their weights, the sum of that, and of it and something else.
    MulAdds,
    /// A sort, and a view of the first indices of each row, which is all that is read of it.
    ArgsortView,
    /// A gated unit, and a product with many rows of its result.
    GluMulMat,
    /// The same, and a sum.
    GluMulMatAdd,
    /// All of these, with many rows.
    MulMatGluMulMat,
    /// The same, and a sum: a model's whole feed-forward part, residual included.
    MulMatGluMulMatAdd,
    /// Matrix products with the same row of activations, which do not follow one another: queries, keys and values; with the rotation of the first one's
    /// result, if that comes next.
    MulMats,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::NormMul,
        Self::RopeSetRows,
        Self::MulMatAdd,
        Self::MulMatGlu,
        Self::MulMatIdGlu,
        Self::ArgsortView,
        Self::MulAdds,
        Self::GluMulMat,
        Self::GluMulMatAdd,
        Self::MulMatGluMulMat,
        Self::MulMatGluMulMatAdd,
        Self::MulMats,
        Self::NormMulMats,
    ];

    /// What the user and the statistics call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NormMul => "RMS_NORM+MUL",
            Self::RopeSetRows => "ROPE+SET_ROWS",
            Self::MulMatAdd => "MUL_MAT+ADD",
            Self::MulMatGlu => "MUL_MAT+GLU",
            Self::MulMatIdGlu => "MUL_MAT_ID+GLU",
            Self::ArgsortView => "ARGSORT+VIEW",
            Self::MulAdds => "MUL+ADD",
            Self::GluMulMat => "GLU+MUL_MAT",
            Self::GluMulMatAdd => "GLU+MUL_MAT+ADD",
            Self::MulMatGluMulMat => "MUL_MAT+GLU+MUL_MAT",
            Self::MulMatGluMulMatAdd => "MUL_MAT+GLU+MUL_MAT+ADD",
            Self::MulMats => "MUL_MAT+MUL_MAT",
            Self::NormMulMats => "RMS_NORM+MUL+MUL_MAT",
        }
    }

    /// The pattern that these nodes are, by their operators.
    fn of(host: &Host, nodes: &[TensorRef<'_>]) -> Option<Self> {
        let names: Vec<&str> = nodes.iter().map(|&node| host.operator_name(node)).collect();
        match names.as_slice() {
            ["RMS_NORM" | "NORM" | "L2_NORM", "MUL"] => Some(Self::NormMul),
            ["ROPE" | "ROPE_BACK", "SET_ROWS"] => Some(Self::RopeSetRows),
            ["MUL_MAT", "ADD"] => Some(Self::MulMatAdd),
            ["MUL_MAT", "MUL_MAT", "GLU"] => Some(Self::MulMatGlu),
            ["MUL_MAT_ID", "MUL_MAT_ID", "GLU"] => Some(Self::MulMatIdGlu),
            ["GLU", "MUL_MAT"] => Some(Self::GluMulMat),
            ["GLU", "MUL_MAT", "ADD"] => Some(Self::GluMulMatAdd),
            ["MUL_MAT", "MUL_MAT", "GLU", "MUL_MAT"] => Some(Self::MulMatGluMulMat),
            ["MUL_MAT", "MUL_MAT", "GLU", "MUL_MAT", "ADD"] => Some(Self::MulMatGluMulMatAdd),
            _ => None,
        }
    }

    fn is_wanted(self) -> bool {
        static WANTED: OnceLock<Vec<Kind>> = OnceLock::new();
        are_enabled() && WANTED.get_or_init(|| wanted(tt_settings::FUSION.text())).contains(&self)
    }
}

/// Programs may switch all fusions off while they run.
static ENABLED: AtomicBool = AtomicBool::new(true);

/// Switches all fusions on or off, from the next graph on.
pub fn enable(is_enabled: bool) {
    ENABLED.store(is_enabled, Ordering::Relaxed);
}

/// Whether fusions are switched on.
pub fn are_enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// `0`, or names with commas.
fn wanted(text: Option<&str>) -> Vec<Kind> {
    match text {
        None | Some("" | "1") => Kind::ALL.to_vec(),
        Some("0") => Vec::new(),
        Some(names) => names.split(',').filter_map(|name| named(name.trim())).collect(),
    }
}

fn named(name: &str) -> Option<Kind> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name));
    if kind.is_none() {
        let names = Kind::ALL.map(Kind::name).join(", ");
        log::error(&format!("{}: {name} is no fusion; 0, or some of: {names}", tt_settings::FUSION.name));
    }
    kind
}

/// Nodes that are computed together.
pub struct Group<'a> {
    /// The pattern.
    pub kind: Kind,
    /// The nodes without the views between them.
    pub nodes: Vec<TensorRef<'a>>,
    /// Of a result that is not in ggml's memory but where they find it: the nodes that read it, which are none of the group.
    pub readers: Vec<TensorRef<'a>>,
    /// How many nodes of the graph that are, views included. Of nodes that do not follow one another only the first one is counted.
    pub len: usize,
}

impl<'a> Group<'a> {
    /// Whether all of what ggml's nodes write is there afterwards, but for results that only the next node of the group reads.
    pub fn has_whole_results(&self) -> bool {
        self.readers.is_empty() && self.kind != Kind::ArgsortView
    }

    /// Nodes whose results are in ggml's memory afterwards: the last one, or all but what is rotated; none if there are [`readers`](Self::readers).
    pub fn results(&self, host: &Host) -> &[TensorRef<'a>] {
        match self.kind {
            Kind::MulMats if host.operator_name(self.nodes[1]) == "ROPE" => &self.nodes[1..],
            Kind::MulMats => &self.nodes,
            Kind::NormMulMats => &[],
            _ => &self.nodes[self.nodes.len() - 1..],
        }
    }
}

/// The groups that the first of `nodes` begins, the longest first: which of them can be computed as one is the plan's matter.
pub fn find<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>]) -> Vec<Group<'a>> {
    let apart = ordered::find(host, graph, nodes).or_else(|| sorted::find(host, graph, nodes));
    let sums = experts::find(host, graph, nodes);
    let found: Vec<_> = apart.into_iter().chain(sums).chain(following(host, graph, nodes)).collect();
    if found.is_empty() { together::find(host, graph, nodes).into_iter().collect() } else { found }
}

/// Nodes of the longest pattern.
const MOST_NODES: usize = 5;

/// The same of nodes that follow one another.
fn following<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>]) -> Vec<Group<'a>> {
    let computed = nodes.iter().copied().enumerate().filter(|(_, node)| !host.is_view(*node));
    let (places, nodes): (Vec<usize>, Vec<TensorRef<'a>>) = computed.take(MOST_NODES).unzip();
    if places.first() != Some(&0) {
        return Vec::new();
    }
    let counts = (2..=nodes.len()).rev();
    counts.filter_map(|count| group(host, graph, &nodes[..count], places[count - 1] + 1)).collect()
}

/// The group that all of these nodes are, `len` of the graph's with views.
fn group<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>], len: usize) -> Option<Group<'a>> {
    let kind = Kind::of(host, nodes).filter(|kind| kind.is_wanted())?;
    let computes = |node: &TensorRef<'_>| host.computes(*node) && !node.is_empty();
    let read_by = |later: &TensorRef<'_>, node: TensorRef<'_>| {
        (0..2).any(|i| later.source(i).is_some_and(|source| passes(host, graph, node, source)))
    };
    let passed_on = |i: usize| nodes[i + 1..].iter().any(|later| read_by(later, nodes[i]));
    let is_one = nodes.iter().all(computes) && (0..nodes.len() - 1).all(passed_on);
    is_one.then(|| Group { kind, nodes: nodes.to_vec(), readers: Vec::new(), len })
}

/// Whether `source` is the result of `node`, or a view of all of it, and nobody else ever sees that result.
fn passes(host: &Host, graph: GraphRef<'_>, node: TensorRef<'_>, source: TensorRef<'_>) -> bool {
    let mut at = source;
    while !at.is(node) {
        let Some(of) = at.source(0).filter(|_| host.is_view(at)) else {
            return false;
        };
        if !graph.is_used_once(at, true) || at.address() != of.address() {
            return false;
        }
        at = of;
    }
    graph.is_used_once(node, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fusions_are_chosen_by_name() {
        assert_eq!(wanted(None), Kind::ALL);
        assert_eq!(wanted(Some("1")), Kind::ALL);
        assert!(wanted(Some("0")).is_empty());
        assert_eq!(wanted(Some("rope+set_rows")), [Kind::RopeSetRows]);
        assert_eq!(wanted(Some("nonsense, RMS_NORM+MUL")), [Kind::NormMul]);
    }
}
