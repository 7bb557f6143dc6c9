//! Nodes one after the other, or in groups. A node's way leads forward only:
//!
//! ```text
//! plan (planning) -> resources (resources) -> steps of the graph's stream
//! ```
//!
//! The stream is started at the end of the graph, and before that only if a node needs something of the device (a weight that has to be
//! uploaded first, say), or if a report wants each node by itself.

use tracing::Level;
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{Error, OpDescriptor, Stream, StreamError};

use super::planning::Planning;
use super::program::{Owner, Recording, log_failure, owner};
use super::resources::{Done, Needs};
use crate::abi::entry::is_for_weights;
use crate::abi::host::Host;
use crate::abi::{GraphRef, TensorRef, log};
use crate::copy_cache::CopyCache;
use crate::debug;
use crate::device::Device;
use crate::fusion::{self, Group, Kind};
use crate::plan::{self, Memory, Steps};
use crate::scratch::Pool;
use crate::weights::WeightError;

/// Why a node could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// It cannot be planned.
    #[error("not supported: {0}")]
    Unsupported(#[from] Unsupported),
    /// The device.
    #[error(transparent)]
    Device(#[from] Error),
    /// A weight.
    #[error(transparent)]
    Weight(#[from] WeightError),
}

/// A graph that is being computed.
pub struct Executor<'a> {
    host: &'static Host,
    device: &'static Device,
    graph: GraphRef<'a>,
    pool: &'a Pool,
    copies: CopyCache,
    stream: Stream<'static>,
    recording: Recording,
    /// Nodes that have been computed before their turn.
    done: Vec<TensorRef<'a>>,
    /// All steps have gone to the stream, and nothing wants to see them one by one.
    can_be_repeated: bool,
}

/// A plan: descriptors, and what they need.
struct Plan {
    steps: Vec<OpDescriptor>,
    needs: Needs,
}

impl<'a> Executor<'a> {
    /// Nothing is computed yet. `pool` has the memory between steps.
    pub fn new(host: &'static Host, device: &'static Device, graph: GraphRef<'a>, pool: &'a Pool) -> Self {
        let (stream, copies) = (device.runtime.stream(), CopyCache::default());
        let recording = Recording::default();
        Self { host, device, graph, pool, copies, stream, recording, done: Vec::new(), can_be_repeated: true }
    }

    /// Computes the graph's nodes, and says whether all went well; the log says what did not. Also gives what was done, if it can be done again as it is.
    pub fn run(mut self, nodes: &[TensorRef<'a>]) -> (bool, Option<Recording>) {
        let done = self.all(nodes);
        self.recording.counts.enter(false);
        (done, (done && self.can_be_repeated).then_some(self.recording))
    }

    fn all(&mut self, nodes: &[TensorRef<'a>]) -> bool {
        let mut rest = nodes;
        while let Some(&node) = rest.first() {
            match self.next(node, rest) {
                Ok(len) => rest = &rest[len..],
                Err(error) => {
                    log::error(&format!("{} {}: {error}", self.host.operator_name(node), node.name()));
                    return false;
                }
            }
        }
        self.finish()
    }

    /// Runs what has been pushed; the log says what went wrong.
    fn finish(&mut self) -> bool {
        let result = self.stream.finish();
        if let Err(StreamError { step, error }) = &result {
            log_failure(step.and_then(|step| owner(&self.recording.owners, step)), error);
        }
        result.is_ok()
    }

    /// Computes the first of the nodes that are left, or a group of them; gives how many those are.
    fn next(&mut self, node: TensorRef<'a>, rest: &[TensorRef<'a>]) -> Result<usize, ComputeError> {
        if let Some(index) = self.done.iter().position(|done| done.is(node)) {
            self.done.swap_remove(index);
            return Ok(1);
        }
        for group in fusion::find(self.host, self.graph, rest) {
            // What is compared has to be in ggml's memory.
            let is_seen = group.has_whole_results() || !debug::compares_results();
            if is_seen && self.compute_group(&group)? {
                return Ok(group.len);
            }
        }
        self.compute(node).map(|()| 1)
    }

    fn compute(&mut self, node: TensorRef<'a>) -> Result<(), ComputeError> {
        let host = self.host;
        if host.is_view(node) || node.is_empty() || !host.computes(node) {
            return Ok(());
        }
        let plan = self.plan(node, |cores, memory| plan::steps(host, node, cores, memory))?;
        self.execute(None, &[node], &[node], plan)
    }

    /// Computes a group as one; `false` if its nodes have to be computed one by one.
    fn compute_group(&mut self, group: &Group<'a>) -> Result<bool, ComputeError> {
        let (host, Some(&node)) = (self.host, group.nodes.last()) else { return Ok(false) };
        let fused = |cores, memory: &mut dyn Memory| plan::fused(host, group, cores, memory);
        let plan = match self.plan(node, fused) {
            Ok(plan) => plan,
            Err(ComputeError::Unsupported(reason)) => {
                debug::refusals::say(host, node, &format!("not fused as {}: {reason}", group.kind.name()));
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.execute(Some(group.kind.name()), &group.nodes, group.results(host), plan)?;
        self.recording.counts.fused(group.kind.name());
        if group.kind == Kind::MulMats {
            self.done.extend_from_slice(&group.nodes[1..]);
        }
        Ok(true)
    }

    /// Plans a node, or a group by its last node. Nothing happens on the device.
    fn plan(
        &mut self,
        node: TensorRef<'_>,
        steps: impl FnOnce(u32, &mut dyn Memory) -> Steps,
    ) -> Result<Plan, ComputeError> {
        let info = self.device.runtime.info()?;
        let (cores, grid) = (info.workers(), [info.grid.0, info.grid.1]);
        let mut planning = Planning::new(self.host, self.device, grid, node, self.pool, &mut self.copies);
        let steps = steps(cores, &mut planning);
        // An error that is no question of support comes first.
        let needs = planning.finish()?;
        let limited = |step| ops::with_matrix_units(step, self.device.matrix_units);
        Ok(Plan { steps: steps?.into_iter().map(limited).collect(), needs })
    }

    /// Gets what a plan needs, and pushes its steps, which write `results`; `group` is what reports call several nodes.
    fn execute(
        &mut self,
        group: Option<&'static str>,
        nodes: &[TensorRef<'a>],
        results: &[TensorRef<'a>],
        plan: Plan,
    ) -> Result<(), ComputeError> {
        let (host, device, Some(&node)) = (self.host, self.device, nodes.last()) else { return Ok(()) };
        let resources = plan.needs.acquire(host, device, results)?;
        let name = || group.map_or_else(|| host.report_name(node), str::to_owned);
        device.runtime.mark_operator(Some(&|| format!("{} {}", name(), node.name())));
        let is_reported = wants_each_node();
        match is_reported {
            true => self.run_alone(&name(), nodes, &plan.steps)?,
            false => together(&plan.steps).try_for_each(|steps| self.stream.push_together(steps))?,
        }
        device.runtime.mark_operator(None);
        let recording = &mut self.recording;
        recording.steps.extend_from_slice(&plan.steps);
        recording.owners.push(Owner { end: self.stream.len(), name: format!("{} {}", name(), node.name()) });
        let computed = nodes.iter().filter(|node| !host.is_view(**node));
        computed.for_each(|&node| recording.counts.operator(host.operator_name(node)));
        let Done { tiles, written } =
            resources.computed(host, results, &mut self.copies, &mut recording.counts)?;
        recording.tiles.extend(tiles);
        recording.written.extend(written);
        // A weight that is trained is prepared for it with every graph.
        let written = results.iter().flat_map(|&node| plan::written(host, node));
        let is_training = written.into_iter().any(|tensor| is_for_weights(host, tensor));
        self.can_be_repeated &= !is_reported && !is_training;
        Ok(())
    }

    /// Runs steps each by itself, between the begin and the end of reports.
    fn run_alone(
        &mut self,
        name: &str,
        nodes: &[TensorRef<'_>],
        steps: &[OpDescriptor],
    ) -> Result<(), ComputeError> {
        let (host, device, Some(&node)) = (self.host, self.device, nodes.last()) else { return Ok(()) };
        let _span = tracing::debug_span!("node", name, launches = steps.len()).entered();
        // What was pushed before is not part of it.
        self.stream.finish().map_err(Error::from)?;
        let check = debug::check::begin(host, name, nodes);
        let profile = debug::profile::begin(&device.runtime);
        for steps in together(steps) {
            let _span = tracing::trace_span!("launch", op = %steps[0].name(), steps = steps.len()).entered();
            self.stream.push_together(steps)?;
            self.stream.finish().map_err(Error::from)?;
        }
        if let Some(profile) = profile {
            profile.end(name, &node.name(), operand_bytes(host, nodes));
        }
        if let Some(check) = check {
            check.end();
        }
        Ok(())
    }
}

/// The steps, with those together between which nothing may be.
fn together(steps: &[OpDescriptor]) -> impl Iterator<Item = &[OpDescriptor]> {
    steps.chunk_by(|step, _| ops::needs_next(step))
}

/// Whether a report or a timeline shows the nodes of a graph.
pub fn shows_nodes(device: &Device) -> bool {
    wants_each_node() || device.runtime.shows_operators()
}

/// Whether something looks at nodes one by one, so that each runs by itself.
fn wants_each_node() -> bool {
    debug::wants_each_node() || tracing::enabled!(Level::DEBUG)
}

/// Bytes of the result and sources of nodes, without what one of them makes for another.
fn operand_bytes(host: &Host, nodes: &[TensorRef<'_>]) -> u64 {
    let between = &nodes[..nodes.len().saturating_sub(1)];
    let sources = nodes.iter().flat_map(|node| node.sources()).map(|(_, source)| source);
    let sources = sources.filter(|source| between.iter().all(|node| node.address() != source.address()));
    sources.chain(nodes.last().copied()).map(|tensor| host.nbytes(tensor) as u64).sum()
}
