//! The tables of functions that differ from host to host, and the structs that begin with them.
//!
//! Our side gives its functions by name ([`BufferTypeFunctions`], [`BufferFunctions`], [`BackendFunctions`]). [`Layout`] puts them into the
//! table that the host knows, and finds the fields behind it. This is the only place that depends on the layout:
//!
//! | | O | A | B | C |
//! |---|---|---|---|---|
//! | ggml | 0.9.5 to 0.11 | 0.12 to 0.25 | 0.26, 0.27 | 0.28 |
//! | API version | 2 | 2 | 3 | 3 |
//! | buffer type | [`BufferType6`] | [`BufferType6`] | [`BufferType8`] | [`BufferType8`] |
//! | buffer | [`Buffer9`] | [`Buffer11`] | [`Buffer11`] | [`Buffer14`] |
//! | backend | [`Backend14`] | [`Backend16`] | [`Backend16`] | [`Backend16`] |
//!
//! The number in a table's name is how many functions it has (`ggml-backend-impl.h` of these versions).
//!
//! # Safety
//! ggml calls a function of a table with the struct that the table is in, and with arguments as its header declares them.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::mem::offset_of;

use super::types::{Backend, Buffer, BufferType, Device, Event, Graph, Tensor, Unused};

type Name<T> = unsafe extern "C" fn(*mut T) -> *const c_char;
type Size<T> = unsafe extern "C" fn(*mut T) -> usize;
type Base = unsafe extern "C" fn(*mut Buffer) -> *mut c_void;
type AllocBuffer = unsafe extern "C" fn(*mut BufferType, usize) -> *mut Buffer;
type AllocSize = unsafe extern "C" fn(*mut BufferType, *const Tensor) -> usize;
type FreeBuffer = unsafe extern "C" fn(*mut Buffer);
type MemsetTensor = unsafe extern "C" fn(*mut Buffer, *mut Tensor, u8, usize, usize);
type SetTensor = unsafe extern "C" fn(*mut Buffer, *mut Tensor, *const u8, usize, usize);
type GetTensor = unsafe extern "C" fn(*mut Buffer, *const Tensor, *mut u8, usize, usize);
type SetTensor2d =
    unsafe extern "C" fn(*mut Buffer, *mut Tensor, *const u8, usize, usize, usize, usize, usize);
type GetTensor2d =
    unsafe extern "C" fn(*mut Buffer, *const Tensor, *mut u8, usize, usize, usize, usize, usize);
type CpyTensor = unsafe extern "C" fn(*mut Buffer, *const Tensor, *mut Tensor) -> bool;
type Clear = unsafe extern "C" fn(*mut Buffer, u8);
type FreeBackend = unsafe extern "C" fn(*mut Backend);
type Synchronize = Option<unsafe extern "C" fn(*mut Backend)>;
type GraphCompute = unsafe extern "C" fn(*mut Backend, *mut Graph) -> c_int;
type OfEvent = Option<unsafe extern "C" fn(*mut Backend, *mut Event)>;

/// What a buffer type does.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct BufferTypeFunctions {
    pub get_name: Name<BufferType>,
    pub alloc_buffer: AllocBuffer,
    pub get_alignment: Size<BufferType>,
    pub get_alloc_size: AllocSize,
}

/// What a buffer does.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct BufferFunctions {
    pub free_buffer: FreeBuffer,
    pub get_base: Base,
    pub memset_tensor: MemsetTensor,
    pub set_tensor: SetTensor,
    pub get_tensor: GetTensor,
    pub set_tensor_2d: SetTensor2d,
    pub get_tensor_2d: GetTensor2d,
    pub cpy_tensor: CpyTensor,
    pub clear: Clear,
}

/// What a backend does.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct BackendFunctions {
    pub get_name: Name<Backend>,
    pub free: FreeBackend,
    pub graph_compute: GraphCompute,
}

/// `struct ggml_backend_buffer_type_i` of API version 2.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct BufferType6 {
    pub get_name: Name<BufferType>,
    pub alloc_buffer: AllocBuffer,
    pub get_alignment: Size<BufferType>,
    pub get_max_size: Unused,
    pub get_alloc_size: AllocSize,
    pub is_host: Unused,
}

/// `struct ggml_backend_buffer_type_i` of API version 3.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct BufferType8 {
    pub get_name: Name<BufferType>,
    pub alloc_buffer: AllocBuffer,
    pub alloc_buffer_n: Unused,
    pub get_alignment: Size<BufferType>,
    pub get_max_size: Unused,
    pub get_alloc_size: AllocSize,
    pub get_alloc_size_n: Unused,
    pub is_host: Unused,
}

/// `struct ggml_backend_buffer_i` up to ggml 0.11.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct Buffer9 {
    pub free_buffer: FreeBuffer,
    pub get_base: Base,
    pub init_tensor: Unused,
    pub memset_tensor: MemsetTensor,
    pub set_tensor: SetTensor,
    pub get_tensor: GetTensor,
    pub cpy_tensor: CpyTensor,
    pub clear: Clear,
    pub reset: Unused,
}

/// `struct ggml_backend_buffer_i` since ggml 0.12: copies of two dimensions.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct Buffer11 {
    pub free_buffer: FreeBuffer,
    pub get_base: Base,
    pub init_tensor: Unused,
    pub memset_tensor: MemsetTensor,
    pub set_tensor: SetTensor,
    pub get_tensor: GetTensor,
    pub set_tensor_2d: SetTensor2d,
    pub get_tensor_2d: GetTensor2d,
    pub cpy_tensor: CpyTensor,
    pub clear: Clear,
    pub reset: Unused,
}

/// `struct ggml_backend_buffer_i` since ggml 0.28: many tensors at once.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct Buffer14 {
    pub first: Buffer11,
    pub set_tensor_n: Unused,
    pub get_tensor_n: Unused,
    pub cpy_tensor_n: Unused,
}

/// `struct ggml_backend_i` up to ggml 0.11.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct Backend14 {
    pub get_name: Name<Backend>,
    pub free: FreeBackend,
    pub set_tensor_async: Unused,
    pub get_tensor_async: Unused,
    pub cpy_tensor_async: Unused,
    pub synchronize: Synchronize,
    pub graph_plan_create: Unused,
    pub graph_plan_free: Unused,
    pub graph_plan_update: Unused,
    pub graph_plan_compute: Unused,
    pub graph_compute: GraphCompute,
    pub event_record: OfEvent,
    pub event_wait: OfEvent,
    pub graph_optimize: Unused,
}

/// `struct ggml_backend_i` since ggml 0.12: copies of two dimensions.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "ggml's names")]
pub struct Backend16 {
    pub get_name: Name<Backend>,
    pub free: FreeBackend,
    pub set_tensor_async: Unused,
    pub get_tensor_async: Unused,
    pub set_tensor_2d_async: Unused,
    pub get_tensor_2d_async: Unused,
    pub cpy_tensor_async: Unused,
    pub synchronize: Synchronize,
    pub graph_plan_create: Unused,
    pub graph_plan_free: Unused,
    pub graph_plan_update: Unused,
    pub graph_plan_compute: Unused,
    pub graph_compute: GraphCompute,
    pub event_record: OfEvent,
    pub event_wait: OfEvent,
    pub graph_optimize: Unused,
}

impl From<&BufferTypeFunctions> for BufferType6 {
    fn from(from: &BufferTypeFunctions) -> Self {
        let BufferTypeFunctions { get_name, alloc_buffer, get_alignment, get_alloc_size } = *from;
        Self { get_name, alloc_buffer, get_alignment, get_max_size: None, get_alloc_size, is_host: None }
    }
}

impl From<&BufferTypeFunctions> for BufferType8 {
    fn from(from: &BufferTypeFunctions) -> Self {
        let BufferTypeFunctions { get_name, alloc_buffer, get_alignment, get_alloc_size } = *from;
        Self {
            get_name,
            alloc_buffer,
            alloc_buffer_n: None,
            get_alignment,
            get_max_size: None,
            get_alloc_size,
            get_alloc_size_n: None,
            is_host: None,
        }
    }
}

impl From<&BufferFunctions> for Buffer9 {
    fn from(from: &BufferFunctions) -> Self {
        Self {
            free_buffer: from.free_buffer,
            get_base: from.get_base,
            init_tensor: None,
            memset_tensor: from.memset_tensor,
            set_tensor: from.set_tensor,
            get_tensor: from.get_tensor,
            cpy_tensor: from.cpy_tensor,
            clear: from.clear,
            reset: None,
        }
    }
}

impl From<&BufferFunctions> for Buffer11 {
    fn from(from: &BufferFunctions) -> Self {
        Self {
            free_buffer: from.free_buffer,
            get_base: from.get_base,
            init_tensor: None,
            memset_tensor: from.memset_tensor,
            set_tensor: from.set_tensor,
            get_tensor: from.get_tensor,
            set_tensor_2d: from.set_tensor_2d,
            get_tensor_2d: from.get_tensor_2d,
            cpy_tensor: from.cpy_tensor,
            clear: from.clear,
            reset: None,
        }
    }
}

impl From<&BufferFunctions> for Buffer14 {
    fn from(from: &BufferFunctions) -> Self {
        Self { first: from.into(), set_tensor_n: None, get_tensor_n: None, cpy_tensor_n: None }
    }
}

impl From<&BackendFunctions> for Backend14 {
    fn from(from: &BackendFunctions) -> Self {
        Self {
            get_name: from.get_name,
            free: from.free,
            set_tensor_async: None,
            get_tensor_async: None,
            cpy_tensor_async: None,
            synchronize: None,
            graph_plan_create: None,
            graph_plan_free: None,
            graph_plan_update: None,
            graph_plan_compute: None,
            graph_compute: from.graph_compute,
            event_record: None,
            event_wait: None,
            graph_optimize: None,
        }
    }
}

impl From<&BackendFunctions> for Backend16 {
    fn from(from: &BackendFunctions) -> Self {
        Self {
            get_name: from.get_name,
            free: from.free,
            set_tensor_async: None,
            get_tensor_async: None,
            set_tensor_2d_async: None,
            get_tensor_2d_async: None,
            cpy_tensor_async: None,
            synchronize: None,
            graph_plan_create: None,
            graph_plan_free: None,
            graph_plan_update: None,
            graph_plan_compute: None,
            graph_compute: from.graph_compute,
            event_record: None,
            event_wait: None,
            graph_optimize: None,
        }
    }
}

/// What stands behind a buffer type's table.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BufferTypeFields {
    /// The device that it is of.
    pub device: *mut Device,
    /// Ours.
    pub context: *mut c_void,
}

/// What stands behind a buffer's table.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BufferFields {
    /// What it is a buffer of.
    pub buft: *mut BufferType,
    /// Ours.
    pub context: *mut c_void,
    /// Bytes.
    pub size: usize,
    /// `enum ggml_backend_buffer_usage`
    pub usage: c_int,
}

/// What stands behind a backend's table.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BackendFields {
    /// The device that it computes on.
    pub device: *mut Device,
    /// Ours.
    pub context: *mut c_void,
}

/// A table and what stands behind it.
#[repr(C)]
pub(super) struct With<T, F> {
    pub iface: T,
    pub fields: F,
}

/// `struct ggml_backend`
#[repr(C)]
pub(super) struct BackendOf<T> {
    pub guid: *const [u8; 16],
    pub iface: T,
    pub fields: BackendFields,
}

/// `ggml_backend_buffer_init`, which takes the table by value.
type BufferInit<T> = unsafe extern "C" fn(*mut BufferType, T, *mut c_void, usize) -> *mut Buffer;

/// The structs of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// ggml 0.9.5 to 0.11
    O,
    /// 0.12 to 0.25
    A,
    /// 0.26, 0.27
    B,
    /// 0.28
    C,
}

impl Layout {
    /// `GGML_BACKEND_API_VERSION`
    pub fn api_version(self) -> c_int {
        match self {
            Self::O | Self::A => 2,
            Self::B | Self::C => 3,
        }
    }

    /// Makes a buffer type, which is never freed.
    pub fn leak_buffer_type(
        self,
        functions: &BufferTypeFunctions,
        fields: BufferTypeFields,
    ) -> *mut BufferType {
        match self {
            Self::O | Self::A => leak(With { iface: BufferType6::from(functions), fields }),
            Self::B | Self::C => leak(With { iface: BufferType8::from(functions), fields }),
        }
    }

    /// Makes a backend; [`Layout::free_backend`] frees it.
    pub fn make_backend(
        self,
        guid: &'static [u8; 16],
        functions: &BackendFunctions,
        fields: BackendFields,
    ) -> *mut Backend {
        match self {
            Self::O => leak(BackendOf { guid, iface: Backend14::from(functions), fields }),
            Self::A | Self::B | Self::C => {
                leak(BackendOf { guid, iface: Backend16::from(functions), fields })
            }
        }
    }

    /// Frees a backend.
    ///
    /// # Safety
    /// It came from [`Layout::make_backend`] of the same layout, and is not used again.
    pub unsafe fn free_backend(self, backend: *mut Backend) {
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::O => drop(Box::from_raw(backend.cast::<BackendOf<Backend14>>())),
                Self::A | Self::B | Self::C => drop(Box::from_raw(backend.cast::<BackendOf<Backend16>>())),
            }
        }
    }

    /// Has the host make a buffer.
    ///
    /// # Safety
    /// `init` is `ggml_backend_buffer_init` of a host of this layout, `buft` a buffer type of it, and the functions take the context.
    pub unsafe fn init_buffer(
        self,
        init: *mut c_void,
        buft: *mut BufferType,
        functions: &BufferFunctions,
        context: *mut c_void,
        size: usize,
    ) -> *mut Buffer {
        /// Calls it with a table of this type.
        ///
        /// # Safety
        /// As above, and the table is that of the host.
        unsafe fn call<T>(
            init: *mut c_void,
            buft: *mut BufferType,
            table: T,
            context: *mut c_void,
            size: usize,
        ) -> *mut Buffer {
            // SAFETY: by contract; ggml copies the table and keeps the pointers.
            unsafe { std::mem::transmute::<*mut c_void, BufferInit<T>>(init)(buft, table, context, size) }
        }
        // SAFETY: by contract.
        unsafe {
            match self {
                Self::O => call(init, buft, Buffer9::from(functions), context, size),
                Self::A | Self::B => call(init, buft, Buffer11::from(functions), context, size),
                Self::C => call(init, buft, Buffer14::from(functions), context, size),
            }
        }
    }

    /// What stands behind a buffer type's table.
    ///
    /// # Safety
    /// It is one of a host of this layout.
    pub unsafe fn buffer_type_fields(self, buft: *mut BufferType) -> BufferTypeFields {
        // SAFETY: by contract.
        unsafe { *buft.byte_add(self.buffer_type_fields_at()).cast() }
    }

    /// What stands behind a buffer's table.
    ///
    /// # Safety
    /// It is one of a host of this layout.
    pub unsafe fn buffer_fields(self, buffer: *mut Buffer) -> BufferFields {
        // SAFETY: by contract.
        unsafe { *buffer.byte_add(self.buffer_fields_at()).cast() }
    }

    /// What stands behind a backend's table.
    ///
    /// # Safety
    /// It is one of a host of this layout.
    pub unsafe fn backend_fields(self, backend: *mut Backend) -> BackendFields {
        // SAFETY: by contract.
        unsafe { *backend.byte_add(self.backend_fields_at()).cast() }
    }

    /// Bytes before a buffer type's fields.
    pub(super) fn buffer_type_fields_at(self) -> usize {
        match self {
            Self::O | Self::A => offset_of!(With<BufferType6, BufferTypeFields>, fields),
            Self::B | Self::C => offset_of!(With<BufferType8, BufferTypeFields>, fields),
        }
    }

    /// Bytes before a buffer's fields.
    pub(super) fn buffer_fields_at(self) -> usize {
        match self {
            Self::O => offset_of!(With<Buffer9, BufferFields>, fields),
            Self::A | Self::B => offset_of!(With<Buffer11, BufferFields>, fields),
            Self::C => offset_of!(With<Buffer14, BufferFields>, fields),
        }
    }

    /// Bytes before a backend's fields.
    pub(super) fn backend_fields_at(self) -> usize {
        match self {
            Self::O => offset_of!(BackendOf<Backend14>, fields),
            Self::A | Self::B | Self::C => offset_of!(BackendOf<Backend16>, fields),
        }
    }
}

/// The first function of a buffer's table, which tells whose it is.
///
/// # Safety
/// It is a buffer of the host. In every layout its destructor comes first.
pub unsafe fn destructor(buffer: *mut Buffer) -> Option<FreeBuffer> {
    // SAFETY: by contract; other backends may leave the function out.
    unsafe { *buffer.cast::<Option<FreeBuffer>>() }
}

fn leak<T, P>(value: T) -> *mut P {
    Box::into_raw(Box::new(value)).cast()
}

// Probed with programs that were compiled against these versions' headers.
const _: () = {
    use std::mem::size_of;
    assert!(size_of::<Buffer9>() == 9 * 8);
    assert!(size_of::<Buffer11>() == 11 * 8);
    assert!(size_of::<Buffer14>() == 14 * 8);
    assert!(size_of::<BufferType6>() == 6 * 8);
    assert!(size_of::<BufferType8>() == 8 * 8);
    assert!(offset_of!(With<Buffer9, BufferFields>, fields.usage) == 96);
    assert!(offset_of!(With<Buffer11, BufferFields>, fields.usage) == 112);
    assert!(offset_of!(With<Buffer14, BufferFields>, fields.usage) == 136);
    assert!(offset_of!(Backend14, graph_compute) == 10 * 8);
    assert!(offset_of!(Backend16, graph_compute) == 12 * 8);
    assert!(offset_of!(BackendOf<Backend14>, fields) == 120);
    assert!(offset_of!(BackendOf<Backend16>, fields) == 136);
};
