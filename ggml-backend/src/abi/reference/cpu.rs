//! ggml's CPU backend, as the host process has it: the reference.
//!
//! Nothing of it is linked. The registry, which every program that loads backends has, gives its device by type.
//!
//! # Safety
//! Functions are looked up by name and have the types that ggml's headers give them. The backend is made once and never freed, and
//! computes one graph at a time.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::super::symbols::{Missing, function};
use super::super::types::{Graph, InitParams, Tensor, status};

/// `GGML_BACKEND_DEVICE_TYPE_CPU`
const DEVICE_TYPE_CPU: c_int = 0;
/// Nodes of the largest graph that is ever given to it: the sum of a token's experts has most.
const MOST_NODES: usize = 48;
/// Bytes of the context that the graph lies in: some hundred would do.
const CONTEXT_BYTES: usize = 1 << 16;

/// Why nothing can be computed on the CPU.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CpuError {
    /// A function is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The host has no such backend.
    #[error("ggml's CPU backend is not loaded")]
    NoBackend,
    /// The backend refused.
    #[error("ggml's CPU backend gave status {0}")]
    Status(c_int),
    /// Too many nodes.
    #[error("{0} nodes are too many")]
    TooLarge(usize),
}

type GraphCompute = unsafe extern "C" fn(*mut c_void, *mut Graph) -> c_int;

/// The backend, and a graph to give it nodes in.
pub struct Cpu {
    backend: *mut c_void,
    compute: GraphCompute,
    graph: Mutex<*mut Graph>,
}

// SAFETY: the pointers are never freed, and only used under the lock.
unsafe impl Send for Cpu {}
// SAFETY: as above.
unsafe impl Sync for Cpu {}

impl Cpu {
    /// The host's CPU backend, made when it is first asked for.
    pub fn get() -> Result<&'static Self, CpuError> {
        static CPU: OnceLock<Result<Cpu, CpuError>> = OnceLock::new();
        CPU.get_or_init(Self::find).as_ref().map_err(Clone::clone)
    }

    fn find() -> Result<Self, CpuError> {
        type Init = unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
        type NewGraph = unsafe extern "C" fn(*mut c_void, usize, bool) -> *mut Graph;
        let by_type = function!("ggml_backend_dev_by_type", unsafe extern "C" fn(c_int) -> *mut c_void)?;
        let init = function!("ggml_backend_dev_init", Init)?;
        let context = function!("ggml_init", unsafe extern "C" fn(InitParams) -> *mut c_void)?;
        let graph = function!("ggml_new_graph_custom", NewGraph)?;
        let compute = function!("ggml_backend_graph_compute", GraphCompute)?;
        // SAFETY: the functions are called as ggml's headers declare them: a device that the host gave, NULL for default parameters, a new
        // context for the graph. What they return is checked before it is used.
        unsafe {
            let device = by_type(DEVICE_TYPE_CPU);
            let backend = if device.is_null() { device } else { init(device, std::ptr::null()) };
            let params =
                InitParams { mem_size: CONTEXT_BYTES, mem_buffer: std::ptr::null_mut(), no_alloc: true };
            let context = context(params);
            if backend.is_null() || context.is_null() {
                return Err(CpuError::NoBackend);
            }
            Ok(Self { backend, compute, graph: Mutex::new(graph(context, MOST_NODES, false)) })
        }
    }

    /// Computes nodes one after the other.
    ///
    /// # Safety
    /// The nodes and their sources are tensors whose memory is the host's.
    pub unsafe fn run(&self, nodes: &[*mut Tensor]) -> Result<(), CpuError> {
        if nodes.len() > MOST_NODES {
            return Err(CpuError::TooLarge(nodes.len()));
        }
        let mut graph = self.graph.lock();
        // SAFETY: the graph takes so many nodes and is ours while it is locked.
        let status = unsafe {
            std::ptr::copy_nonoverlapping(nodes.as_ptr(), (**graph).nodes, nodes.len());
            (**graph).n_nodes = nodes.len() as c_int;
            (self.compute)(self.backend, *graph)
        };
        if status == status::SUCCESS { Ok(()) } else { Err(CpuError::Status(status)) }
    }
}
