//! A backend: computes graphs on a device, node by node.
//!
//! # Safety
//! ggml calls these functions with backends that [`make`] made, and with graphs whose tensors are alive.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};

use tt_runtime::ops::Unsupported;
use tt_runtime::{Error, TensorView};

use crate::abi::guard;
use crate::abi::host::{Host, Operator, host};
use crate::abi::types::{BackendStruct, FLAG_COMPUTE, Function, Graph, Tensor, status};
use crate::buffer::{arena_of, holds_weights, status_of};
use crate::device::Device;
use crate::weights::Tiles;
use crate::{log, plan, stats};

/// Tells our backends from others.
static GUID: [u8; 16] = *b"tenstorrent-ggml";

/// A backend for a device.
pub fn make(device: &'static Device) -> *mut c_void {
    let mut iface: [Function; 16] = [std::ptr::null(); 16];
    iface[0] = get_name as Function;
    iface[1] = free as Function;
    iface[12] = graph_compute as Function;
    let context = (&raw const *device).cast_mut().cast();
    Box::into_raw(Box::new(BackendStruct { guid: &GUID, iface, device: device.pointer(), context })).cast()
}

/// The device of a backend.
///
/// # Safety
/// `backend` came from [`make`].
unsafe fn device_of(backend: *mut c_void) -> &'static Device {
    // SAFETY: by contract its context is a leaked `Device`.
    unsafe { &*(*backend.cast::<BackendStruct>()).context.cast::<Device>() }
}

unsafe extern "C" fn get_name(backend: *mut c_void) -> *const c_char {
    // SAFETY: see the module.
    unsafe { device_of(backend) }.name.as_ptr()
}

unsafe extern "C" fn free(backend: *mut c_void) {
    guard("free", (), || {
        stats::write();
        // SAFETY: see the module; ggml does not use the backend again.
        drop(unsafe { Box::from_raw(backend.cast::<BackendStruct>()) });
    });
}

unsafe extern "C" fn graph_compute(backend: *mut c_void, graph: *mut Graph) -> c_int {
    guard("graph_compute", status::FAILED, || {
        let Ok(host) = host() else { return status::FAILED };
        // SAFETY: see the module.
        let (device, nodes) = unsafe {
            let graph = &*graph;
            let nodes = if graph.n_nodes > 0 {
                std::slice::from_raw_parts(graph.nodes, graph.n_nodes as usize)
            } else {
                &[]
            };
            (device_of(backend), nodes)
        };
        for &node in nodes {
            // SAFETY: see the module.
            let node = unsafe { &*node };
            if let Err(error) = compute(host, device, node) {
                let op = host.operator_name(node.op);
                log::error(&format!("{op} {}: {error}", plan::name(node)));
                return status_of(false);
            }
        }
        status_of(true)
    })
}

/// Why a node could not be computed.
#[derive(Debug, thiserror::Error)]
enum ComputeError {
    #[error("not supported: {0}")]
    Unsupported(#[from] Unsupported),
    #[error(transparent)]
    Device(#[from] Error),
}

fn compute(host: &Host, device: &'static Device, node: &Tensor) -> Result<(), ComputeError> {
    let operator = host
        .operator(node.op)
        .ok_or_else(|| Unsupported(format!("operator {}", host.operator_name(node.op)).into()))?;
    let skip = operator == Operator::View || node.ne.contains(&0) || node.flags & FLAG_COMPUTE == 0;
    if skip {
        return Ok(());
    }
    // Keeps tiles alive until the launch is over.
    let mut held: Vec<Tiles> = Vec::new();
    let mut failed = None;
    let cores = device.runtime.info()?.workers();
    let steps = plan::steps(host, operator, node, cores, |tensor| {
        let view = placed(host, tensor)?;
        let is_weight =
            operator == Operator::MulMat && plan::source(node, 0).is_some_and(|w| std::ptr::eq(w, tensor));
        if !is_weight {
            return Ok(view);
        }
        match weight_tiles(host, device, tensor, &view) {
            Ok(Some(tiles)) => {
                let view = tiles.view;
                held.push(tiles);
                Ok(view)
            }
            Ok(None) => Ok(view),
            Err(error) => {
                failed = Some(error);
                Ok(view)
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let written = placed(host, node)?;
    device.weights.changed(tt_runtime::DramAddr(written.addr), written.span());
    for descriptor in &steps {
        device.runtime.execute(descriptor)?;
    }
    stats::count(host.operator_name(node.op));
    Ok(())
}

/// The view of a tensor in an arena of ours.
fn placed(host: &Host, tensor: &Tensor) -> Result<TensorView, Unsupported> {
    // SAFETY: tensors of a graph have valid buffers.
    let Some(arena) = (unsafe { arena_of(tensor) }) else {
        return Err(Unsupported(format!("{} is not in a buffer of this backend", plan::name(tensor)).into()));
    };
    plan::view(host, tensor, arena.address(tensor).0)
}

/// Tiles of a tensor that is a weight: a whole tensor of a weights buffer.
fn weight_tiles(
    host: &Host,
    device: &'static Device,
    tensor: &Tensor,
    view: &TensorView,
) -> Result<Option<Tiles>, Error> {
    // SAFETY: `placed` has found its buffer.
    let is_weight = unsafe { holds_weights(tensor) }
        && tensor.view_src.is_null()
        && host.operator(tensor.op) == Some(Operator::View)
        && plan::is_contiguous(view);
    if is_weight { device.weights.tiles(&device.runtime, view) } else { Ok(None) }
}
