//! `GGML_TT_DEBUG=1`: why `supports_op` says no, and why nodes are not computed as one; each reason once.
//!
//! ggml asks thousands of times about the same operators; what was said is remembered.

use std::collections::HashSet;

use parking_lot::Mutex;

use crate::abi::TensorRef;
use crate::abi::host::Host;
use crate::abi::log;

/// More reasons than this are not remembered, and not said.
const MOST: usize = 10_000;

static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// Says something about a node, unless it was said before of one like it.
pub fn say(host: &Host, node: TensorRef<'_>, reason: &str) {
    if !tt_settings::DEBUG.is_on() {
        return;
    }
    let text = format!("{}: {reason}", describe(host, node));
    let mut said = SAID.lock();
    let said = said.get_or_insert_default();
    // Without the names of tensors: layers differ in nothing else.
    if said.len() < MOST
        && said.insert(format!("{} {}: {reason}", host.report_name(node), shapes(host, node)))
    {
        log::debug(&text);
    }
}

/// A node in one line: operator, name, types and extents of result and sources.
pub fn describe(host: &Host, node: TensorRef<'_>) -> String {
    format!("{} {}: {}", host.report_name(node), node.name(), shapes(host, node))
}

fn shapes(host: &Host, node: TensorRef<'_>) -> String {
    let source = |(index, source)| format!("src{index} {}", shape(host, source));
    let all: Vec<String> = node.sources().map(source).collect();
    format!("{} <- {}", shape(host, node), all.join(", "))
}

/// Type and extents of a tensor, and strides where there are gaps or another order.
pub fn shape(host: &Host, tensor: TensorRef<'_>) -> String {
    let ty = host.type_name(tensor);
    let strides = match is_contiguous(tensor) {
        true => String::new(),
        false => format!(" nb{:?}", tensor.nb()),
    };
    format!("{ty}{:?}{strides}", tensor.ne())
}

fn is_contiguous(tensor: TensorRef<'_>) -> bool {
    let (ne, nb) = (tensor.ne(), tensor.nb());
    (1..3).all(|dim| ne[dim + 1] == 1 || nb[dim + 1] == nb[dim] * ne[dim] as u64) && nb[0] <= nb[1]
}
