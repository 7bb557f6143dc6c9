//! A backend: computes graphs on a device, node by node, or groups of nodes as one.
//!
//! ```text
//! graph --[executor]--> a node or a group --[crate::plan, planning]--> descriptors, and what they need
//!                                         --[resources]--> weights ready, memory --> launches
//! ```

mod executor;
mod planning;
mod resources;

use std::time::Instant;

use executor::Executor;

use crate::abi::entry::{self, is_for_weights};
use crate::abi::host::Host;
use crate::abi::{GraphRef, TensorRef};
use crate::device::Device;
use crate::passes::{self, Progress};
use crate::{debug, stats};

/// A backend for a device.
pub struct Backend {
    device: &'static Device,
    progress: Progress,
}

impl Backend {
    /// A backend that has computed nothing yet.
    pub fn new(device: &'static Device) -> Self {
        Self { device, progress: Progress::default() }
    }
}

impl entry::Backend for Backend {
    fn compute(&mut self, host: &'static Host, graph: GraphRef<'_>) -> bool {
        let (device, nodes) = (self.device, graph.nodes());
        let _span = tracing::info_span!("graph", device = %device.label(), nodes = nodes.len()).entered();
        let clocks = || device.runtime.counters().clocks.unwrap_or(0);
        let (begin, before) = (Instant::now(), clocks());
        device.weights.graph_begins();
        let done = Executor::new(host, device, graph).run(&nodes);
        device.weights.graph_ends();
        passes::graph(
            &mut self.progress,
            &device.label(),
            &products(host, &nodes),
            begin,
            clocks().saturating_sub(before),
        );
        done
    }
}

impl Drop for Backend {
    /// Says what ran.
    fn drop(&mut self) {
        stats::write();
        debug::report(&self.device.runtime);
        self.device.weights.report();
    }
}

/// The products of a graph with weights.
fn products(host: &'static Host, nodes: &[TensorRef<'_>]) -> Vec<passes::Product> {
    let product = |&node: &TensorRef<'_>| {
        let (weight, activations) = (node.source(0)?, node.source(1)?);
        let rows = activations.ne()[1..].iter().product::<i64>() as u64;
        let wanted = is_for_weights(host, weight)
            && host.operator_name(node) == "MUL_MAT"
            && weight.ne()[2..] == [1, 1]
            && activations.ne()[1] > 0;
        wanted.then_some((weight.address(), rows))
    };
    nodes.iter().filter_map(product).collect()
}
