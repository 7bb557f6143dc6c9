//! Which nodes become one step: what one of them makes stays in L1, because only the next one reads it.
//!
//! ```text
//! graph --[find]--> nodes of a group --[plan::fused]--> descriptors, or the reason why each node goes by itself
//! ```
//!
//! Here graphs are looked at, not tensors: types, shapes and memory are the plan's matter.

mod uses;

use std::sync::OnceLock;

use crate::abi::host::{Host, Operator};
use crate::abi::types::{FLAG_COMPUTE, Tensor};
use crate::{log, plan};
pub use uses::Uses;

/// Which fusions to use: `0`, or names with commas.
const NAME: &str = "GGML_TT_FUSION";

/// A pattern of nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A norm and the product with its weights.
    NormMul,
    /// Rotary positions, and the rows' way into a cache.
    RopeSetRows,
}

impl Kind {
    const ALL: [Self; 2] = [Self::NormMul, Self::RopeSetRows];

    /// What the user and the statistics call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NormMul => "RMS_NORM+MUL",
            Self::RopeSetRows => "ROPE+SET_ROWS",
        }
    }

    /// The pattern that begins with this operator and goes on with that one.
    fn of(host: &Host, first: &Tensor, next: &Tensor) -> Option<Self> {
        match (host.operator(first.op)?, host.operator(next.op)?) {
            (Operator::Norm(_), Operator::Binary) if host.operator_name(next.op) == "MUL" => {
                Some(Self::NormMul)
            }
            (Operator::Rope(_), Operator::SetRows) => Some(Self::RopeSetRows),
            _ => None,
        }
    }

    fn is_wanted(self) -> bool {
        static WANTED: OnceLock<Vec<Kind>> = OnceLock::new();
        WANTED.get_or_init(|| wanted(std::env::var(NAME).ok().as_deref())).contains(&self)
    }
}

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
        log::error(&format!("{NAME}: {name} is no fusion; 0, or some of: {names}"));
    }
    kind
}

/// Nodes that are computed together.
pub struct Group<'a> {
    /// The pattern.
    pub kind: Kind,
    /// The nodes without the views between them.
    pub nodes: Vec<&'a Tensor>,
    /// How many nodes of the graph that are, views included.
    pub len: usize,
}

/// The group that the first of `nodes` begins.
pub fn find<'a>(host: &Host, uses: &Uses<'_>, nodes: &[&'a Tensor]) -> Option<Group<'a>> {
    let first = *nodes.first()?;
    let behind = nodes[1..].iter().position(|node| host.operator(node.op) != Some(Operator::View))? + 1;
    let next = nodes[behind];
    let kind = Kind::of(host, first, next).filter(|kind| kind.is_wanted())?;
    let computes = |node: &Tensor| node.flags & FLAG_COMPUTE != 0 && !node.ne.contains(&0);
    let passed_on = plan::source(next, 0).is_some_and(|source| passes(host, uses, first, source));
    (passed_on && computes(first) && computes(next)).then(|| Group {
        kind,
        nodes: vec![first, next],
        len: behind + 1,
    })
}

/// Whether `source` is the result of `node`, or a view of all of it, and nobody else ever sees that result.
fn passes(host: &Host, uses: &Uses<'_>, node: &Tensor, source: &Tensor) -> bool {
    let mut at = source;
    while !std::ptr::eq(at, node) {
        let Some(of) = plan::source(at, 0).filter(|_| host.operator(at.op) == Some(Operator::View)) else {
            return false;
        };
        if !uses.is_used_once(at, true) || at.data != of.data {
            return false;
        }
        at = of;
    }
    uses.is_used_once(node, false)
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
