//! `GGML_TT_DEBUG=1`: why `supports_op` says no, and why nodes are not computed as one; each reason once.
//!
//! ggml asks thousands of times about the same operators; what was said is remembered.

use std::collections::HashSet;
use std::sync::OnceLock;

use parking_lot::Mutex;

use crate::abi::host::Host;
use crate::abi::types::Tensor;
use crate::{log, plan};

/// More reasons than this are not remembered, and not said.
const MOST: usize = 10_000;

static SAID: Mutex<Option<HashSet<String>>> = Mutex::new(None);

/// Says something about a node, unless it was said before of one like it.
pub fn say(host: &Host, node: &Tensor, reason: &str) {
    static ASKED: OnceLock<bool> = OnceLock::new();
    if !ASKED.get_or_init(|| log::env_flag("GGML_TT_DEBUG")) {
        return;
    }
    let text = format!("{}: {reason}", describe(host, node));
    let mut said = SAID.lock();
    let said = said.get_or_insert_default();
    // Without the names of tensors: layers differ in nothing else.
    if said.len() < MOST && said.insert(format!("{}: {reason}", shapes(host, node))) {
        log::debug(&text);
    }
}

/// A node in one line: operator, name, types and extents of result and sources.
pub fn describe(host: &Host, node: &Tensor) -> String {
    format!("{} {}: {}", host.function_name(node), plan::name(node), shapes(host, node))
}

fn shapes(host: &Host, node: &Tensor) -> String {
    let sources = (0..node.src.len()).filter_map(|index| {
        plan::source(node, index).map(|source| format!("src{index} {}", shape(host, source)))
    });
    let all: Vec<String> = sources.collect();
    format!("{} {} <- {}", host.operator_name(node.op), shape(host, node), all.join(", "))
}

/// Type and extents of a tensor, and strides where there are gaps or another order.
pub fn shape(host: &Host, tensor: &Tensor) -> String {
    let ty = host.type_name(tensor.type_);
    let strides = match is_contiguous(tensor) {
        true => String::new(),
        false => format!(" nb{:?}", tensor.nb),
    };
    format!("{ty}{:?}{strides}", tensor.ne)
}

fn is_contiguous(tensor: &Tensor) -> bool {
    (1..3)
        .all(|dim| tensor.ne[dim + 1] == 1 || tensor.nb[dim + 1] == tensor.nb[dim] * tensor.ne[dim] as usize)
        && tensor.nb[0] <= tensor.nb[1]
}
