//! Structs that every host has in the same layout (`ggml.h`, `ggml-backend-impl.h`, `ggml-impl.h`).
//!
//! Those whose tables differ from host to host are opaque here; [`super::tables`] makes and reads them.

use std::ffi::{c_char, c_int, c_void};

/// Dimensions of a tensor.
pub const MAX_DIMS: usize = 4;
/// Sources of a tensor.
pub const MAX_SRC: usize = 10;

/// A struct that only pointers are passed to.
macro_rules! opaque {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        #[repr(C)]
        pub struct $name {
            words: [usize; 0],
        })*
    };
}

opaque! {
    /// `struct ggml_backend_buffer_type`, see [`super::tables`].
    BufferType;
    /// `struct ggml_backend_buffer`, see [`super::tables`].
    Buffer;
    /// `struct ggml_backend`, see [`super::tables`].
    Backend;
    /// `struct ggml_backend_event`: we make none.
    Event;
}

/// `struct ggml_tensor`.
#[repr(C)]
pub struct Tensor {
    /// `enum ggml_type`
    pub type_: c_int,
    /// Buffer that holds the data.
    pub buffer: *mut Buffer,
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
/// `GGML_TENSOR_FLAG_COMPUTE`, in hosts that have it ([`super::host::Host::computes`]).
pub const FLAG_COMPUTE: i32 = 16;

/// The part of `struct ggml_cgraph` that backends read.
#[repr(C)]
pub struct Graph {
    /// How many nodes it can have.
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

/// `struct ggml_init_params`
#[repr(C)]
pub struct InitParams {
    /// Bytes of the context.
    pub mem_size: usize,
    /// Where, or NULL: ggml allocates.
    pub mem_buffer: *mut c_void,
    /// Tensors get no data.
    pub no_alloc: bool,
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

/// `struct ggml_backend_dev_caps`; the last one came with ggml 0.25, into what was padding of [`Props`].
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

/// `struct ggml_backend_feature`: what a build has; a list of these ends with one of NULLs.
#[repr(C)]
pub struct Feature {
    /// What.
    pub name: *const c_char,
    /// How much, or "1".
    pub value: *const c_char,
}

/// A function of a table that we leave out: ggml does without it.
pub type Unused = Option<unsafe extern "C" fn()>;

/// `struct ggml_backend_reg_i`
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct RegTable {
    pub get_name: unsafe extern "C" fn(*mut Reg) -> *const c_char,
    pub get_device_count: unsafe extern "C" fn(*mut Reg) -> usize,
    pub get_device: unsafe extern "C" fn(*mut Reg, usize) -> *mut Device,
    pub get_proc_address: unsafe extern "C" fn(*mut Reg, *const c_char) -> *mut c_void,
}

/// `struct ggml_backend_reg`
#[repr(C)]
pub struct Reg {
    /// Has to equal the host's.
    pub api_version: c_int,
    /// Functions.
    pub iface: RegTable,
    /// Ours.
    pub context: *mut c_void,
}

/// `struct ggml_backend_device_i`
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct DeviceTable {
    pub get_name: unsafe extern "C" fn(*mut Device) -> *const c_char,
    pub get_description: unsafe extern "C" fn(*mut Device) -> *const c_char,
    pub get_memory: unsafe extern "C" fn(*mut Device, *mut usize, *mut usize),
    pub get_type: unsafe extern "C" fn(*mut Device) -> c_int,
    pub get_props: unsafe extern "C" fn(*mut Device, *mut Props),
    pub init_backend: unsafe extern "C" fn(*mut Device, *const c_char) -> *mut Backend,
    pub get_buffer_type: unsafe extern "C" fn(*mut Device) -> *mut BufferType,
    pub get_host_buffer_type: Unused,
    pub buffer_from_host_ptr: Unused,
    pub supports_op: unsafe extern "C" fn(*mut Device, *const Tensor) -> bool,
    pub supports_buft: unsafe extern "C" fn(*mut Device, *mut BufferType) -> bool,
    pub offload_op: Unused,
    pub event_new: Unused,
    pub event_free: Unused,
    pub event_synchronize: Unused,
}

/// `struct ggml_backend_device`
#[repr(C)]
pub struct Device {
    /// Functions.
    pub iface: DeviceTable,
    /// The registry.
    pub reg: *mut Reg,
    /// Ours.
    pub context: *mut c_void,
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<Tensor>() == 336);
    assert!(offset_of!(Tensor, op) == 80);
    assert!(offset_of!(Tensor, data) == 248);
    assert!(offset_of!(Graph, nodes) == 16);
    assert!(offset_of!(Graph, use_counts) == 48);
    assert!(offset_of!(Graph, visited) == 56);
    assert!(size_of::<Props>() == 56);
    assert!(size_of::<Reg>() == 48);
    assert!(size_of::<Device>() == 17 * 8);
};
