//! A backend: computes graphs on a device, node by node.
//!
//! # Safety
//! ggml calls these functions with backends that [`make`] made, and with graphs whose tensors are alive.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};
use std::sync::Arc;
use std::time::Instant;

use tt_runtime::ops::Unsupported;
use tt_runtime::{Allocation, DramAddr, Error, OpDescriptor, TensorView};

use crate::abi::guard;
use crate::abi::host::{Host, Operator, host};
use crate::abi::tables::{BackendFields, BackendFunctions};
use crate::abi::types::{Backend, Graph, Tensor, status};
use crate::abi::uses::Uses;
use crate::buffer::{self, Arena, arena_of, is_for_weights, status_of};
use crate::device::Device;
use crate::fusion::{self, Group};
use crate::realised::{KeptCopy, Realised};
use crate::weights::{Tiles, WeightError};
use crate::{debug, log, passes, plan, stats};

/// Tells our backends from others.
static GUID: [u8; 16] = *b"tenstorrent-ggml";

/// A backend for a device.
pub fn make(device: &'static Device) -> *mut Backend {
    let functions = BackendFunctions { get_name, free, graph_compute };
    let fields = BackendFields { device: device.pointer(), context: (&raw const *device).cast_mut().cast() };
    host().map_or(std::ptr::null_mut(), |host| host.make_backend(&GUID, &functions, fields))
}

/// The device of a backend.
///
/// # Safety
/// `backend` came from [`make`].
unsafe fn device_of(backend: *mut Backend) -> Option<&'static Device> {
    // SAFETY: by contract its context is a leaked `Device`.
    unsafe { host().ok()?.backend_fields(backend).context.cast::<Device>().as_ref() }
}

unsafe extern "C" fn get_name(backend: *mut Backend) -> *const c_char {
    // SAFETY: see the module.
    unsafe { device_of(backend) }.map_or(c"TT".as_ptr(), |device| device.name.as_ptr())
}

unsafe extern "C" fn free(backend: *mut Backend) {
    guard("free", (), || {
        stats::write();
        debug::report();
        passes::ended(backend as usize);
        // SAFETY: see the module.
        if let Some(device) = unsafe { device_of(backend) } {
            device.weights.report();
        }
        if let Ok(host) = host() {
            // SAFETY: see the module; ggml does not use the backend again.
            unsafe { host.free_backend(backend) };
        }
    });
}

unsafe extern "C" fn graph_compute(backend: *mut Backend, graph: *mut Graph) -> c_int {
    guard("graph_compute", status::FAILED, || {
        // SAFETY: see the module.
        let (Ok(host), Some(device)) = (host(), unsafe { device_of(backend) }) else { return status::FAILED };
        // SAFETY: see the module.
        let (graph, nodes) = unsafe {
            let graph = &*graph;
            let nodes = (0..graph.n_nodes.max(0) as usize).map(|index| &**graph.nodes.add(index));
            (graph, nodes.collect::<Vec<_>>())
        };
        let begin = Instant::now();
        device.weights.graph_begins();
        let done = compute_all(host, device, &Uses::of(graph), &nodes);
        device.weights.graph_ends();
        passes::graph(backend as usize, &device.name.to_string_lossy(), &products(host, &nodes), begin);
        status_of(done)
    })
}

/// The products of a graph with matrices of weights.
fn products(host: &Host, nodes: &[&Tensor]) -> Vec<passes::Product> {
    let product = |node: &&Tensor| {
        let (weight, activations) = (plan::source(node, 0)?, plan::source(node, 1)?);
        // SAFETY: tensors of a graph have valid buffers, or none.
        let is_weight = !weight.buffer.is_null() && unsafe { is_for_weights(weight.buffer) };
        let wanted = is_weight
            && host.operator(node.op) == Some(Operator::MulMat)
            && weight.ne[2..] == [1, 1]
            && activations.ne[1] > 0;
        wanted.then(|| (weight.data as usize, activations.ne[1..].iter().product::<i64>() as u64))
    };
    nodes.iter().filter_map(product).collect()
}

/// Computes nodes one after the other, or in groups; the log says what went wrong.
fn compute_all(host: &Host, device: &'static Device, uses: &Uses<'_>, nodes: &[&Tensor]) -> bool {
    let mut rest = nodes;
    let mut realised = Realised::default();
    while let Some(&node) = rest.first() {
        let group = fusion::find(host, uses, rest);
        let done = match group.map(|group| (compute_group(host, device, &group, &mut realised), group.len)) {
            Some((Ok(true), len)) => Ok(len),
            Some((Err(error), _)) => Err(error),
            Some((Ok(false), _)) | None => compute(host, device, node, &mut realised).map(|()| 1),
        };
        match done {
            Ok(len) => rest = &rest[len..],
            Err(error) => {
                log::error(&format!("{} {}: {error}", host.operator_name(node.op), plan::name(node)));
                return false;
            }
        }
    }
    true
}

/// Why a node could not be computed.
#[derive(Debug, thiserror::Error)]
enum ComputeError {
    #[error("not supported: {0}")]
    Unsupported(#[from] Unsupported),
    #[error(transparent)]
    Device(#[from] Error),
    #[error(transparent)]
    Weight(#[from] WeightError),
}

fn compute(
    host: &Host,
    device: &'static Device,
    node: &Tensor,
    realised: &mut Realised,
) -> Result<(), ComputeError> {
    let operator = host
        .operator(node.op)
        .ok_or_else(|| Unsupported(format!("operator {}", host.operator_name(node.op)).into()))?;
    let skip = operator == Operator::View || plan::is_empty(node) || !host.computes(node);
    if skip {
        return Ok(());
    }
    let nodes = [node];
    let run = Run::begin(host, device, &nodes);
    let cores = device.runtime.info()?.workers();
    let mut memory = Held::new(host, device, node, realised);
    let steps = plan::steps(host, operator, node, cores, &mut memory);
    if let Some(error) = memory.failed.take() {
        return Err(error);
    }
    run.execute(&steps?)?;
    memory.computed()
}

/// Computes a group as one; `false` if its nodes have to be computed one by one.
fn compute_group(
    host: &Host,
    device: &'static Device,
    group: &Group<'_>,
    realised: &mut Realised,
) -> Result<bool, ComputeError> {
    let Some(&node) = group.nodes.last() else { return Ok(false) };
    let cores = device.runtime.info()?.workers();
    let mut memory = Held::new(host, device, node, realised);
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
    host: &'a Host,
    device: &'static Device,
    nodes: &'a [&'a Tensor],
    check: Option<debug::check::Check<'a>>,
    profile: Option<debug::profile::Running<'a>>,
}

impl<'a> Run<'a> {
    fn begin(host: &'a Host, device: &'static Device, nodes: &'a [&'a Tensor]) -> Self {
        let check = debug::check::begin(host, nodes);
        Self { host, device, nodes, check, profile: debug::profile::begin(&device.runtime) }
    }

    /// Runs their descriptors; the last node's result is written.
    fn execute(self, steps: &[OpDescriptor]) -> Result<(), ComputeError> {
        let Self { host, device, nodes, check, profile } = self;
        if let Some(node) = nodes.last() {
            before_writing(host, device, node)?;
        }
        for descriptor in steps {
            device.runtime.execute(descriptor)?;
        }
        nodes.iter().for_each(|node| stats::count(host.operator_name(node.op)));
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
fn before_writing(host: &Host, device: &'static Device, node: &Tensor) -> Result<(), ComputeError> {
    for tensor in written(host, node) {
        let view = placed(host, tensor)?;
        let (addr, len) = (DramAddr(view.addr), view.span());
        // SAFETY: `placed` has found its buffer.
        match unsafe { is_for_weights(tensor.buffer) } {
            true => device.weights.before_update(addr, len)?,
            false => device.weights.before_write(addr, len)?,
        }
    }
    Ok(())
}

/// The tensors that a node writes to.
fn written<'a>(host: &Host, node: &'a Tensor) -> impl Iterator<Item = &'a Tensor> {
    plan::written(host.operator(node.op).unwrap_or(Operator::View), node)
}

/// Bytes of the result and sources of nodes, without what one of them makes for another.
fn operand_bytes(host: &Host, nodes: &[&Tensor]) -> u64 {
    let data = |tensor: &Tensor| tensor.data;
    let between = &nodes[..nodes.len().saturating_sub(1)];
    let sources = nodes.iter().flat_map(|node| (0..node.src.len()).filter_map(|i| plan::source(node, i)));
    let sources = sources.filter(|source| between.iter().all(|node| data(node) != data(source)));
    sources.chain(nodes.last().copied()).map(|tensor| host.nbytes(tensor) as u64).sum()
}

/// The memory of a node while it is computed: dropped, and so freed, after the launches.
struct Held<'a> {
    host: &'a Host,
    device: &'static Device,
    node: &'a Tensor,
    tiles: Vec<Tiles>,
    scratch: Vec<Allocation>,
    /// Copies that earlier nodes have made, and those that this one uses or makes.
    realised: &'a mut Realised,
    used: Vec<KeptCopy>,
    made: Vec<KeptCopy>,
    failed: Option<ComputeError>,
}

impl<'a> Held<'a> {
    fn new(host: &'a Host, device: &'static Device, node: &'a Tensor, realised: &'a mut Realised) -> Self {
        let (tiles, scratch, used, made) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { host, device, node, tiles, scratch, realised, used, made, failed: None }
    }

    /// The node's steps have run: its copies can be used again, but for those of what it has written.
    fn computed(self) -> Result<(), ComputeError> {
        stats::count_reused(self.used.len());
        self.realised.keep(self.made);
        for tensor in written(self.host, self.node) {
            let written = placed(self.host, tensor)?;
            self.realised.written(written.addr, written.span());
        }
        Ok(())
    }

    /// Memory of the device; if there is none left, copies of earlier nodes give theirs back.
    fn alloc(&mut self, bytes: u64) -> Result<Allocation, Unsupported> {
        let runtime = &self.device.runtime;
        let memory = match runtime.alloc(bytes) {
            Err(_) if self.realised.clear() => runtime.alloc(bytes),
            result => result,
        };
        self.kept(memory.map_err(ComputeError::from))
    }

    /// Whether an address is in memory that this node has for itself. A later step may write there, and what is copied from there
    /// is nothing that another node can ask for.
    fn is_own(&self, addr: u64) -> bool {
        let copies = self.used.iter().chain(&self.made).map(|copy| &*copy.memory);
        let mut all = copies.chain(&self.scratch);
        all.any(|memory| (memory.addr().0..memory.addr().0 + memory.len()).contains(&addr))
    }

    fn weights(&mut self, tensor: &Tensor) -> Result<TensorView, ComputeError> {
        match matrices(self.host, self.device, tensor)? {
            Operand::Plain(view) => Ok(view),
            Operand::Tiles(tiles) => {
                let view = tiles.view;
                self.tiles.push(tiles);
                Ok(view)
            }
        }
    }

    /// Keeps what is no question of support for the end.
    fn kept<T>(&mut self, result: Result<T, ComputeError>) -> Result<T, Unsupported> {
        result.map_err(|error| match error {
            ComputeError::Unsupported(why) => why,
            other => {
                let why = other.to_string().into();
                self.failed = Some(other);
                why
            }
        })
    }
}

impl plan::Memory for Held<'_> {
    fn place(&mut self, tensor: &Tensor) -> Result<TensorView, Unsupported> {
        let view = bytes(self.host, self.device, self.node, tensor);
        self.kept(view)
    }

    fn place_weights(&mut self, tensor: &Tensor) -> Result<TensorView, Unsupported> {
        let view = self.weights(tensor);
        self.kept(view)
    }

    fn scratch(&mut self, bytes: u64) -> Result<u64, Unsupported> {
        let memory = self.alloc(bytes)?;
        let addr = memory.addr().0;
        self.scratch.push(memory);
        Ok(addr)
    }

    fn realise(&mut self, source: &TensorView, form: TensorView) -> Result<plan::CopyPlace, Unsupported> {
        if self.is_own(source.addr) {
            let addr = self.scratch(plan::room(&form))?;
            return Ok(plan::CopyPlace { view: TensorView { addr, ..form }, is_there: false });
        }
        let earlier = self.made.iter().find(|copy| copy.is(source, &form));
        if let Some(copy) = earlier.or_else(|| self.realised.find(source, &form)) {
            let copy = copy.clone();
            let view = copy.view;
            self.used.push(copy);
            return Ok(plan::CopyPlace { view, is_there: true });
        }
        let memory = self.alloc(plan::room(&form))?;
        let view = TensorView { addr: memory.addr().0, ..form };
        self.made.push(KeptCopy { source: *source, view, memory: Arc::new(memory) });
        Ok(plan::CopyPlace { view, is_there: false })
    }
}

/// An operand as a kernel gets it.
enum Operand {
    /// ggml's bytes.
    Plain(TensorView),
    /// Weight tiles.
    Tiles(Tiles),
}

/// An operand whose bytes a kernel reads, or a result.
fn bytes(
    host: &Host,
    device: &'static Device,
    node: &Tensor,
    tensor: &Tensor,
) -> Result<TensorView, ComputeError> {
    let view = placed(host, tensor)?;
    if !std::ptr::eq(node, tensor) {
        device.weights.before_compute(DramAddr(view.addr), view.span())?;
    }
    Ok(view)
}

/// What a product multiplies with: a weight's tiles; tiles beside the bytes of what could be one, or of what kernels
/// cannot read; else the bytes themselves, as those of a weight that changes with every graph.
fn matrices(host: &Host, device: &'static Device, tensor: &Tensor) -> Result<Operand, ComputeError> {
    let arena = arena(tensor)?;
    let addr = arena.address(tensor);
    // SAFETY: `arena` has found its buffer.
    let weight = buffer::weight(host, tensor).filter(|_| unsafe { is_for_weights(tensor.buffer) });
    let plain = plan::multiplied(host, tensor, addr.0);
    if let Ok(view) = &plain
        && device.weights.is_updated(addr, view.span())
    {
        device.weights.before_compute(addr, view.span())?;
        return Ok(Operand::Plain(*view));
    }
    if let Some(weight) = weight
        && weight.place_bytes().is_some()
    {
        return Ok(Operand::Tiles(device.weights.tiles(addr, weight)?));
    }
    let of = plan::matrices(host, tensor, addr.0);
    if let Some(of) = of
        && (weight.is_some() || plain.is_err())
    {
        match device.weights.copied(&of) {
            Ok(tiles) => return Ok(Operand::Tiles(tiles)),
            Err(error) if plain.is_err() => return Err(error.into()),
            Err(error) => {
                log::warn(&format!("{} is used as it is, which is slower: {error}", plan::name(tensor)))
            }
        }
    }
    let view = plain?;
    device.weights.before_compute(addr, view.span())?;
    Ok(Operand::Plain(view))
}

/// The arena of ours that a tensor is in.
fn arena(tensor: &Tensor) -> Result<&Arena, Unsupported> {
    // SAFETY: tensors of a graph have valid buffers.
    unsafe { arena_of(tensor) }
        .ok_or_else(|| format!("{} is not in a buffer of this backend", plan::name(tensor)).into())
}

/// The view of a tensor in an arena of ours.
fn placed(host: &Host, tensor: &Tensor) -> Result<TensorView, Unsupported> {
    plan::view(host, tensor, arena(tensor)?.address(tensor).0)
}
