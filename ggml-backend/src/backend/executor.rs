//! Nodes one after the other: what is computed together, and what watches it.

use tt_runtime::ops::Unsupported;
use tt_runtime::{DramAddr, Error, OpDescriptor};

use super::operands::{placed, written};
use super::resources::NodeResources;
use crate::abi::entry::is_for_weights;
use crate::abi::host::{Host, Operator};
use crate::abi::{GraphRef, TensorRef, log};
use crate::copy_cache::CopyCache;
use crate::device::Device;
use crate::fusion::{self, Group};
use crate::weights::WeightError;
use crate::{debug, plan, stats};

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

/// Computes nodes one after the other, or in groups; the log says what went wrong.
pub fn compute_all(
    host: &'static Host,
    device: &'static Device,
    graph: GraphRef<'_>,
    nodes: &[TensorRef<'_>],
) -> bool {
    let mut rest = nodes;
    let mut copies = CopyCache::default();
    while let Some(&node) = rest.first() {
        let group = fusion::find(host, graph, rest);
        let done = match group.map(|group| (compute_group(host, device, &group, &mut copies), group.len)) {
            Some((Ok(true), len)) => Ok(len),
            Some((Err(error), _)) => Err(error),
            Some((Ok(false), _)) | None => compute(host, device, node, &mut copies).map(|()| 1),
        };
        match done {
            Ok(len) => rest = &rest[len..],
            Err(error) => {
                log::error(&format!("{} {}: {error}", host.operator_name(node), node.name()));
                return false;
            }
        }
    }
    true
}

fn compute(
    host: &'static Host,
    device: &'static Device,
    node: TensorRef<'_>,
    copies: &mut CopyCache,
) -> Result<(), ComputeError> {
    let operator = host
        .operator(node)
        .ok_or_else(|| Unsupported(format!("operator {}", host.operator_name(node)).into()))?;
    let skip = operator == Operator::View || node.is_empty() || !host.computes(node);
    if skip {
        return Ok(());
    }
    let nodes = [node];
    let run = Run::begin(host, device, &nodes);
    let cores = device.runtime.info()?.workers();
    let mut memory = NodeResources::new(host, device, node, copies);
    let steps = plan::steps(host, operator, node, cores, &mut memory);
    if let Some(error) = memory.failed.take() {
        return Err(error);
    }
    run.execute(&steps?)?;
    memory.computed()
}

/// Computes a group as one; `false` if its nodes have to be computed one by one.
fn compute_group(
    host: &'static Host,
    device: &'static Device,
    group: &Group<'_>,
    copies: &mut CopyCache,
) -> Result<bool, ComputeError> {
    let Some(&node) = group.nodes.last() else { return Ok(false) };
    let cores = device.runtime.info()?.workers();
    let mut memory = NodeResources::new(host, device, node, copies);
    let steps = plan::fused(host, group.kind, &group.nodes, cores, &mut memory);
    if let Some(error) = memory.failed.take() {
        return Err(error);
    }
    let steps = match steps {
        Ok(steps) => steps,
        Err(reason) => {
            debug::refusals::say(host, node, &format!("not fused as {}: {reason}", group.kind.name()));
            return Ok(false);
        }
    };
    Run::begin(host, device, &group.nodes).execute(&steps)?;
    memory.computed()?;
    stats::count_fused(group.kind.name());
    Ok(true)
}

/// Nodes that are computed in one go, with what watches them.
struct Run<'a> {
    host: &'static Host,
    device: &'static Device,
    nodes: &'a [TensorRef<'a>],
    check: Option<debug::check::Check<'a>>,
    profile: Option<debug::profile::Running<'a>>,
}

impl<'a> Run<'a> {
    fn begin(host: &'static Host, device: &'static Device, nodes: &'a [TensorRef<'a>]) -> Self {
        let check = debug::check::begin(host, nodes);
        Self { host, device, nodes, check, profile: debug::profile::begin(&device.runtime) }
    }

    /// Runs their descriptors; the last node's result is written.
    fn execute(self, steps: &[OpDescriptor]) -> Result<(), ComputeError> {
        let Self { host, device, nodes, check, profile } = self;
        if let Some(&node) = nodes.last() {
            before_writing(host, device, node)?;
        }
        for descriptor in steps {
            device.runtime.execute(descriptor)?;
        }
        nodes.iter().for_each(|&node| stats::count(host.operator_name(node)));
        if let Some(profile) = profile {
            profile.end(&debug::check::name(host, nodes), operand_bytes(host, nodes));
        }
        if let Some(check) = check {
            check.end();
        }
        Ok(())
    }
}

/// Prepares the memory that a node writes to. A weight is prepared for being written again and again.
fn before_writing(
    host: &'static Host,
    device: &'static Device,
    node: TensorRef<'_>,
) -> Result<(), ComputeError> {
    for tensor in written(host, node) {
        let view = placed(host, tensor)?;
        let (addr, len) = (DramAddr(view.addr), view.span());
        match is_for_weights(host, tensor) {
            true => device.weights.before_update(addr, len)?,
            false => device.weights.before_write(addr, len)?,
        }
    }
    Ok(())
}

/// Bytes of the result and sources of nodes, without what one of them makes for another.
fn operand_bytes(host: &Host, nodes: &[TensorRef<'_>]) -> u64 {
    let between = &nodes[..nodes.len().saturating_sub(1)];
    let sources = nodes.iter().flat_map(|node| node.sources()).map(|(_, source)| source);
    let sources = sources.filter(|source| between.iter().all(|node| node.address() != source.address()));
    sources.chain(nodes.last().copied()).map(|tensor| host.nbytes(tensor) as u64).sum()
}
