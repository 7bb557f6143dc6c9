//! `supports_op`: what the device computes is what can be planned.

use crate::abi::TensorRef;
use crate::abi::host::Host;
use crate::debug::{filter, refusals};
use crate::plan;

/// Whether the device computes a node. The node's tensors need not have memory.
pub fn supported(host: &Host, node: TensorRef<'_>) -> bool {
    if host.is_view(node) {
        return true;
    }
    let names = [host.operator_name(node), host.function_name(node)];
    if plan::operator(host, node).is_some() && filter::keeps_off(names, || node.name()) {
        refusals::say(host, node, "not supported: kept off by GGML_TT_OPFILTER");
        return false;
    }
    let result = plan::dry_run(host, node);
    if let Err(reason) = &result {
        refusals::say(host, node, &format!("not supported: {reason}"));
    }
    result.is_ok()
}
