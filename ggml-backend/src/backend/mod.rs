//! A backend: computes graphs on a device, node by node, or groups of nodes as one.
//!
//! ```text
//! graph --[known: program]--> the steps that it had before
//! graph --[executor]--> a node or a group --[crate::plan, planning]--> descriptors, and what they need
//!                                         --[resources]--> weights ready, memory --> launches
//! ```

mod executor;
mod planning;
mod program;
mod resources;

use std::time::Instant;

use executor::{Executor, shows_nodes};
use program::Programs;

use crate::abi::entry::{self, is_for_weights};
use crate::abi::host::Host;
use crate::abi::{Content, GraphRef, TensorRef};
use crate::device::Device;
use crate::passes::{self, Progress};
use crate::{debug, stats};

/// A backend for a device.
pub struct Backend {
    device: &'static Device,
    progress: Progress,
    programs: Programs,
}

impl Backend {
    /// A backend that has computed nothing yet.
    pub fn new(device: &'static Device) -> Self {
        Self { device, progress: Progress::default(), programs: Programs::default() }
    }
}

impl entry::Backend for Backend {
    fn compute(&mut self, host: &'static Host, graph: GraphRef<'_>) -> bool {
        let device = self.device;
        let _span = tracing::info_span!("graph", device = %device.label(), nodes = graph.len()).entered();
        let clocks = || device.runtime.counters().clocks.unwrap_or(0);
        let (begin, before) = (Instant::now(), clocks());
        let mut enter = |products: &[passes::Product]| {
            let clocks = clocks().saturating_sub(before);
            passes::graph(&mut self.progress, &device.label(), products, begin, clocks);
        };
        device.weights.graph_begins();
        let known = if shows_nodes(device) { None } else { self.programs.run(host, device, graph) };
        let done = match known {
            Some((products, done)) => {
                enter(products);
                done
            }
            None => {
                let (products, done) = plan_and_run(&mut self.programs, host, device, graph);
                enter(&products);
                done
            }
        };
        device.weights.graph_ends();
        done
    }
}

/// Computes a graph that is not known, and keeps the program. Gives its products, and whether all went well; the log says what did not.
fn plan_and_run(
    programs: &mut Programs,
    host: &'static Host,
    device: &'static Device,
    graph: GraphRef<'_>,
) -> (Vec<passes::Product>, bool) {
    let (nodes, weights) = (graph.nodes(), device.weights.changes());
    let (done, recording) = Executor::new(host, device, graph, programs.pool()).run(&nodes);
    let products = products(host, &nodes);
    if let Some(recording) = recording {
        programs.keep(device, Content::of(host, graph), weights, recording, &products);
    }
    (products, done)
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
