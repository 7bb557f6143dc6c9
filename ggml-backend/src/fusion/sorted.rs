//! Rows that are sorted for a few of their indices, as where a model chooses experts: the others are not put in order.
//!
//! ```text
//! graph    ARGSORT [64] | VIEW [8] | GET_ROWS | .. | MUL_MAT_ID
//! step     the first 8
//! ```
//! llama.cpp's `ggml_argsort_top_k` is a sort and a view of the first indices of each row. If the view is all that reads the sort's result, nothing else of it is written.

use super::{Group, Kind};
use crate::abi::host::Host;
use crate::abi::{GraphRef, TensorRef};

/// How many nodes further on the view may be.
const REACH: usize = 4;

/// The group that the first of `nodes` begins: a sort, and the view of its first indices.
pub(super) fn find<'a>(host: &Host, graph: GraphRef<'_>, nodes: &[TensorRef<'a>]) -> Option<Group<'a>> {
    let sort = *nodes.first().filter(|_| Kind::ArgsortView.is_wanted())?;
    let is_sort = host.operator_name(sort) == "ARGSORT" && host.computes(sort) && !sort.is_empty();
    if !is_sort || !graph.is_used_once(sort, false) {
        return None;
    }
    let of_sort =
        |node: &&TensorRef<'a>| host.is_view(**node) && node.source(0).is_some_and(|source| source.is(sort));
    let first = *nodes.iter().take(REACH).skip(1).find(of_sort)?;
    let ([few, rows @ ..], [all, all_rows @ ..]) = (first.ne(), sort.ne());
    let is_first = first.address() == sort.address() && first.nb() == sort.nb() && rows == all_rows;
    (is_first && !first.is_empty() && few < all).then(|| Group {
        kind: Kind::ArgsortView,
        nodes: vec![sort, first],
        readers: Vec::new(),
        len: 1,
    })
}
