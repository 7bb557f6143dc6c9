//! Structs that every host has in the same layout (`ggml.h`, `ggml-backend-impl.h`, `ggml-impl.h`).

use std::ffi::{c_char, c_int, c_void};

/// Dimensions of a tensor.
pub const MAX_DIMS: usize = 4;
/// Sources of a tensor.
pub const MAX_SRC: usize = 10;

/// `struct ggml_tensor`.
#[repr(C)]
pub struct Tensor {
    /// `enum ggml_type`
    pub type_: c_int,
    /// Buffer that holds the data.
    pub buffer: *mut c_void,
    /// Elements in each dimension.
    pub ne: [i64; MAX_DIMS],
    /// Strides in bytes.
    pub nb: [usize; MAX_DIMS],
    /// `enum ggml_op`
    pub op: c_int,
    /// Parameters of the operator.
    pub op_params: [i32; 16],
    /// `enum ggml_tensor_flag`
    pub flags: i32,
    /// Operands.
    pub src: [*mut Tensor; MAX_SRC],
    /// Tensor that this is a view of.
    pub view_src: *mut Tensor,
    /// Where in it.
    pub view_offs: usize,
    /// Address; ours are made up.
    pub data: *mut c_void,
    /// Name, for messages.
    pub name: [c_char; 64],
    /// Unused by us.
    pub extra: *mut c_void,
    padding: [u8; 8],
}

/// `GGML_TENSOR_FLAG_OUTPUT`
pub const FLAG_OUTPUT: i32 = 2;
/// `GGML_TENSOR_FLAG_COMPUTE`
pub const FLAG_COMPUTE: i32 = 16;

/// The part of `struct ggml_cgraph` that backends read.
#[repr(C)]
pub struct Graph {
    /// Room.
    pub size: c_int,
    /// Nodes.
    pub n_nodes: c_int,
    /// Leafs.
    pub n_leafs: c_int,
    /// The nodes, in an order in which they can be computed.
    pub nodes: *mut *mut Tensor,
    /// Unused by us: gradients, their accumulators, leafs.
    others: [*mut c_void; 3],
    /// Uses of each tensor of the whole graph, by its place in `visited`.
    pub use_counts: *const i32,
    /// All tensors of the whole graph.
    pub visited: HashSet,
}

/// `struct ggml_hash_set`
#[repr(C)]
pub struct HashSet {
    /// Places.
    pub size: usize,
    /// A bit for each place that is taken.
    pub used: *const u32,
    /// Tensors.
    pub keys: *const *const Tensor,
}

/// `enum ggml_status`
pub mod status {
    use std::ffi::c_int;
    /// Failed.
    pub const FAILED: c_int = -1;
    /// Done.
    pub const SUCCESS: c_int = 0;
}

/// `GGML_BACKEND_DEVICE_TYPE_GPU`: a device with memory of its own.
pub const DEVICE_TYPE_GPU: c_int = 1;
/// `GGML_BACKEND_BUFFER_USAGE_WEIGHTS`
pub const USAGE_WEIGHTS: c_int = 1;

/// `struct ggml_backend_dev_caps`
#[repr(C)]
pub struct Caps {
    /// Operations are asynchronous.
    pub async_: bool,
    /// Has pinned host buffers.
    pub host_buffer: bool,
    /// Can use host memory as it is.
    pub buffer_from_host_ptr: bool,
    /// Has events.
    pub events: bool,
    /// Model files may be mapped.
    pub mmap_support: bool,
}

/// `struct ggml_backend_dev_props`
#[repr(C)]
pub struct Props {
    /// Name.
    pub name: *const c_char,
    /// Description.
    pub description: *const c_char,
    /// Bytes free.
    pub memory_free: usize,
    /// Bytes in all.
    pub memory_total: usize,
    /// `enum ggml_backend_dev_type`
    pub type_: c_int,
    /// PCI address, or NULL.
    pub device_id: *const c_char,
    /// Capabilities.
    pub caps: Caps,
}

/// A function pointer of a table, or NULL.
pub type Function = *const c_void;

/// `struct ggml_backend_reg`
#[repr(C)]
pub struct Reg {
    /// Has to equal the host's.
    pub api_version: c_int,
    /// get_name, get_device_count, get_device, get_proc_address
    pub iface: [Function; 4],
    /// Ours.
    pub context: *mut c_void,
}

/// `struct ggml_backend_device`
#[repr(C)]
pub struct DeviceStruct {
    /// See [`crate::device`].
    pub iface: [Function; 15],
    /// The registry.
    pub reg: *mut c_void,
    /// Ours.
    pub context: *mut c_void,
}

/// `struct ggml_backend`
#[repr(C)]
pub struct BackendStruct {
    /// Pointer to 16 bytes.
    pub guid: *const [u8; 16],
    /// See [`crate::backend`].
    pub iface: [Function; 16],
    /// The device.
    pub device: *mut c_void,
    /// Ours.
    pub context: *mut c_void,
}

/// The longest buffer table of any host. It is passed by value, on the stack: a host with a shorter one reads only
/// the front.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BufferIface(pub [Function; 16]);

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<Tensor>() == 336);
    assert!(offset_of!(Tensor, op) == 80);
    assert!(offset_of!(Tensor, data) == 248);
    assert!(offset_of!(Graph, nodes) == 16);
    assert!(offset_of!(Graph, use_counts) == 48);
    assert!(offset_of!(Graph, visited) == 56);
    assert!(size_of::<Props>() == 56);
};
