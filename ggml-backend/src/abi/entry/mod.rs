//! The functions that ggml calls, and the traits behind them.
//!
//! ggml calls through tables of functions, each with the struct that the table is in:
//!
//! ```text
//! registry -> device -> buffer type -> buffer      bytes in and out of device memory
//!                    -> backend                    graphs
//! ```
//!
//! A module here is one of these tables. Its functions turn pointers into references, call the trait's function, and
//! catch panics. The structs' contexts are boxes of this module: `DeviceContext` for devices and buffer types,
//! `Box<dyn Buffer>` for buffers, `BackendContext` for backends.
//!
//! # Safety
//! What every function relies on is ggml's side of the contract: it passes only structs that it got from us through the same table, tensors
//! that are alive ([`TensorRef::new`]), and host memory of the size that it says. A SAFETY note below names which part of that it needs.

mod backend;
mod buffer;
mod device;
mod features;
mod fusion;
mod registry;

use std::any::Any;
use std::ffi::CStr;

use super::host::Host;
use super::tensor::{GraphRef, TensorRef};

pub use buffer::{buffer_of, is_for_weights};
pub use registry::registry;

/// The library: which devices there are. ggml's registry.
pub trait Library: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static CStr;
    /// All devices.
    fn devices(&self) -> Vec<&'static dyn Device>;
    /// What this build has, for llama.cpp's line `system_info`: name and value; a feature without degrees has the value 1, as in other backends.
    fn features(&self) -> Vec<(&'static str, String)>;
    /// Blocks until all weights are on their devices.
    fn finish_loading(&self);
    /// Every kind of fusion, and how many groups of nodes were computed so since the counts were reset; always in the same order.
    fn fusions(&self) -> Vec<(&'static str, u64)>;
    /// Resets these counts.
    fn reset_fusions(&self);
    /// Switches all fusions on or off.
    fn enable_fusions(&self, is_enabled: bool);
}

/// Bytes of a device's memory.
#[derive(Clone, Copy)]
pub struct MemoryBytes {
    /// Free.
    pub free: usize,
    /// In all.
    pub total: usize,
}

/// A device, and its buffer type.
pub trait Device: Sync {
    /// "TT0"
    fn name(&self) -> &CStr;
    /// For the user.
    fn description(&self) -> &CStr;
    /// PCI address, if it has one: ggml drops a card that two backends offer.
    fn id(&self) -> Option<&CStr>;
    /// Its memory.
    fn memory(&self) -> MemoryBytes;
    /// Whether it computes a node, whose tensors need not have memory.
    fn supports(&self, host: &'static Host, node: TensorRef<'_>) -> bool;
    /// Makes a backend; if it cannot be used, the log says why.
    fn backend(&'static self, host: &'static Host) -> Option<Box<dyn Backend>>;
    /// Bytes that tensors' addresses are multiples of.
    fn alignment(&self) -> usize;
    /// Bytes that a tensor gets in a buffer.
    fn alloc_size(&self, host: &'static Host, tensor: TensorRef<'_>) -> usize;
    /// Makes a buffer of `size` bytes; if there is no memory, the log says so.
    fn alloc(&'static self, size: usize) -> Option<Box<dyn Buffer>>;
}

/// Bytes of a tensor in a buffer.
#[derive(Clone, Copy)]
pub struct Window<'a> {
    /// The tensor.
    pub tensor: TensorRef<'a>,
    /// First byte, from the beginning of the tensor.
    pub offset: u64,
    /// Whether the buffer is for weights.
    pub for_weights: bool,
}

/// A buffer of a device. Errors go to the log: ggml gives no way to return them.
pub trait Buffer: Any + Send + Sync {
    /// The address that ggml counts tensors' places from.
    fn base(&self) -> u64;
    /// Sets bytes to one value.
    fn fill(&self, window: Window<'_>, size: u64, value: u8);
    /// Sets bytes.
    fn set(&self, host: &'static Host, window: Window<'_>, data: &[u8]);
    /// Reads bytes.
    fn get(&self, window: Window<'_>, out: &mut [u8]);
    /// Copies a tensor into the one at `window`; `false` makes ggml copy through the host.
    fn copy(&self, host: &'static Host, src: TensorRef<'_>, window: Window<'_>) -> bool;
    /// Sets all of its `size` bytes to one value.
    fn clear(&self, size: u64, value: u8);
}

/// A stream of graphs to compute on a device; dropped when ggml frees it.
pub trait Backend: Send {
    /// Computes a graph; if that fails, the log says why.
    fn compute(&mut self, host: &'static Host, graph: GraphRef<'_>) -> bool;
}

/// Exports ggml's entry points for a library. `$library` makes it.
macro_rules! exports {
    ($library:path) => {
        /// ggml's entry point for a loaded backend: the registry, the same pointer every time, or NULL if this host cannot
        /// be served (the log says why).
        #[allow(unsafe_code, reason = "the name is ggml's")]
        #[unsafe(no_mangle)]
        pub extern "C" fn ggml_backend_init() -> *mut std::ffi::c_void {
            $crate::abi::entry::registry($library)
        }

        /// ggml's question how well this library fits the machine: always 1, there is only one build.
        #[allow(unsafe_code, reason = "the name is ggml's")]
        #[unsafe(no_mangle)]
        pub extern "C" fn ggml_backend_score() -> std::ffi::c_int {
            1
        }

        /// The same as [`ggml_backend_init`], under the name that a program uses which links the library statically.
        #[allow(unsafe_code, reason = "the name is ggml's")]
        #[unsafe(no_mangle)]
        pub extern "C" fn ggml_backend_tenstorrent_reg() -> *mut std::ffi::c_void {
            ggml_backend_init()
        }
    };
}
pub(crate) use exports;
