//! A backend's table.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};

use super::super::guard;
use super::super::host::{Host, host};
use super::super::tables::{BackendFields, BackendFunctions};
use super::super::tensor::GraphRef;
use super::super::types::{Backend as BackendStruct, Graph, status};
use super::Backend;
use super::device::DeviceContext;

/// Tells our backends from others.
static GUID: [u8; 16] = *b"tenstorrent-ggml";

/// What a backend's struct has as context.
struct BackendContext {
    device: &'static DeviceContext,
    backend: Box<dyn Backend>,
}

/// ggml's struct of a backend.
pub fn make(
    host: &'static Host,
    device: &'static DeviceContext,
    backend: Box<dyn Backend>,
) -> *mut BackendStruct {
    let functions = BackendFunctions { get_name, free, graph_compute };
    let context = Box::into_raw(Box::new(BackendContext { device, backend }));
    host.make_backend(&GUID, &functions, BackendFields { device: device.pointer(), context: context.cast() })
}

/// The context of a backend.
///
/// # Safety
/// `backend` came from [`make`] and is not freed.
unsafe fn context(backend: *mut BackendStruct) -> Option<*mut BackendContext> {
    // SAFETY: a backend of this host, whose layout `host` knows.
    host().ok().map(|host| unsafe { host.backend_fields(backend) }.context.cast())
}

unsafe extern "C" fn get_name(backend: *mut BackendStruct) -> *const c_char {
    // SAFETY: ggml passes a backend that `make` has made, and its context is not freed. Only the field `device`, which nobody writes to,
    // is looked at: another thread may be computing.
    unsafe { context(backend).map_or(c"".as_ptr(), |context| (*context).device.device.name().as_ptr()) }
}

unsafe extern "C" fn free(backend: *mut BackendStruct) {
    guard("free", (), || {
        // SAFETY: ggml passes a backend that `make` has made, and does not use it again: its context is a box that nobody else has.
        unsafe { context(backend) }.into_iter().for_each(|context| drop(unsafe { Box::from_raw(context) }));
        if let Ok(host) = host() {
            // SAFETY: as above; `make` made the struct with the same host.
            unsafe { host.free_backend(backend) };
        }
    });
}

unsafe extern "C" fn graph_compute(backend: *mut BackendStruct, graph: *mut Graph) -> c_int {
    guard("graph_compute", status::FAILED, || {
        let Ok(host) = host() else { return status::FAILED };
        // SAFETY: ggml passes a backend that `make` has made, and lets one thread at a time compute with it: nobody else has this field.
        let Some(ours) = (unsafe { context(backend).map(|context| &mut (*context).backend) }) else {
            return status::FAILED;
        };
        // SAFETY: ggml's graph and its tensors are alive during the call.
        let graph = unsafe { GraphRef::new(graph) };
        if ours.compute(host, graph) { status::SUCCESS } else { status::FAILED }
    })
}
