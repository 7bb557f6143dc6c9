//! The host: which ggml it is, and its functions.
//!
//! Which structs it has is recognised in [`super::recognise`]. Operators and types are known by name: their numbers change. A
//! number is asked about only when a tensor of the host has it: ggml's tables of names end somewhere, and do not say where.
//!
//! # Safety
//! Symbols are looked up by name and given the types that ggml's headers give them.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

pub use super::recognise::HostError;

use super::recognise::{self, Recognised};
use super::sample::Sample;
use super::symbols::{Missing, function, symbol};
use super::tables::{BackendFields, BackendFunctions, BufferFields, BufferFunctions, BufferTypeFields};
use super::tables::{BufferTypeFunctions, Layout};
use super::tensor::TensorRef;
use super::types::{Backend, Buffer, BufferType, FLAG_COMPUTE, Tensor};
use tt_runtime::ElementType;
use tt_runtime::layout::GgmlType;

/// The host's functions and numbers.
pub struct Host {
    layout: Layout,
    /// Nodes that are to be computed have [`FLAG_COMPUTE`]; in ggml 0.9.5 nothing has it.
    flags_nodes: bool,
    buffer_init: *mut c_void,
    nbytes: unsafe extern "C" fn(*const Tensor) -> usize,
    op_desc: unsafe extern "C" fn(*const Tensor) -> *const c_char,
    op_name: NameOf,
    type_name: NameOf,
    operators: Vec<OnceLock<Named>>,
    types: Vec<OnceLock<Option<ElementType>>>,
}

// SAFETY: its only raw pointer is the address of a function.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

/// An operator of the host.
struct Named {
    name: String,
    is_view: bool,
}

/// More numbers than any version of ggml has operators (102 in 0.28), or types (44).
const MOST_NUMBERS: usize = 512;

static HOST: OnceLock<Result<Host, HostError>> = OnceLock::new();

/// The host, looked up once.
pub fn host() -> Result<&'static Host, &'static HostError> {
    HOST.get_or_init(Host::find).as_ref()
}

type NameOf = unsafe extern "C" fn(c_int) -> *const c_char;

impl Host {
    fn find() -> Result<Self, HostError> {
        let Recognised { layout, warning } = recognise::recognise()?;
        if let Some(warning) = warning {
            super::log::warn(&warning);
        }
        Ok(Self {
            layout,
            flags_nodes: flags_nodes()?,
            buffer_init: symbol("ggml_backend_buffer_init").ok_or(Missing("ggml_backend_buffer_init"))?,
            nbytes: function!("ggml_nbytes", unsafe extern "C" fn(*const Tensor) -> usize)?,
            op_desc: function!("ggml_op_desc", unsafe extern "C" fn(*const Tensor) -> *const c_char)?,
            op_name: function!("ggml_op_name", NameOf)?,
            type_name: function!("ggml_type_name", NameOf)?,
            operators: (0..MOST_NUMBERS).map(|_| OnceLock::new()).collect(),
            types: (0..MOST_NUMBERS).map(|_| OnceLock::new()).collect(),
        })
    }

    /// `GGML_BACKEND_API_VERSION`
    pub fn api_version(&self) -> c_int {
        self.layout.api_version()
    }

    /// The letter of its structs' layout ([`Layout`]).
    pub fn layout_name(&self) -> String {
        format!("{:?}", self.layout)
    }

    /// Whether a graph wants a node computed: it may contain nodes that it does not.
    pub fn computes(&self, node: TensorRef<'_>) -> bool {
        !self.flags_nodes || node.raw().flags & FLAG_COMPUTE != 0
    }

    /// Whether a node has nothing to compute: it has no operator, or is a view.
    pub fn is_view(&self, node: TensorRef<'_>) -> bool {
        self.named(node).is_some_and(|named| named.is_view)
    }

    /// `ggml_op_name`: name of a node's operator.
    pub fn operator_name(&self, node: TensorRef<'_>) -> &str {
        self.named(node).map_or("unknown operator", |named| &named.name)
    }

    fn named(&self, node: TensorRef<'_>) -> Option<&Named> {
        let number = node.raw().op;
        let place = self.operators.get(usize::try_from(number).ok()?)?;
        Some(place.get_or_init(|| {
            // SAFETY: the function takes any operator of this host, and one of its tensors has this one.
            let name = text(unsafe { (self.op_name)(number) });
            let is_view = matches!(&*name, "NONE" | "RESHAPE" | "VIEW" | "PERMUTE" | "TRANSPOSE");
            Named { name, is_view }
        }))
    }

    /// `ggml_op_desc`: name of a node's operator, or of its function if that is `UNARY` or `GLU`.
    pub fn function_name(&self, node: TensorRef<'_>) -> &'static str {
        // SAFETY: the function reads a node that is alive; its names are constants of the host.
        let name = unsafe { CStr::from_ptr((self.op_desc)(node.raw())) };
        name.to_str().unwrap_or_default()
    }

    /// What reports call a node: its operator, as in the table of operators, and the function where the operator has several
    /// (`GLU(SWIGLU)`).
    pub fn report_name(&self, node: TensorRef<'_>) -> String {
        let (operator, function) = (self.operator_name(node), self.function_name(node));
        match operator == function {
            true => operator.to_owned(),
            false => format!("{operator}({function})"),
        }
    }

    /// `ggml_type_name` of a tensor's type.
    pub fn type_name(&self, tensor: TensorRef<'_>) -> String {
        // SAFETY: the function takes any type of this host, and one of its tensors has this one.
        text(unsafe { (self.type_name)(tensor.type_number()) })
    }

    /// Our element type for a tensor's type. Types are part of the file format, so the numbers that matter never change; the
    /// names have to agree.
    pub fn element_type(&self, tensor: TensorRef<'_>) -> Option<ElementType> {
        let number = tensor.type_number();
        let place = self.types.get(usize::try_from(number).ok()?)?;
        *place.get_or_init(|| {
            let (name, ty) = element_types().find(|(_, ty)| i64::from(ty.code()) == i64::from(number))?;
            (self.type_name(tensor) == name).then_some(ty)
        })
    }

    /// The type of matrices that can be packed into tiles.
    pub fn weight_type(&self, tensor: TensorRef<'_>) -> Option<GgmlType> {
        match self.element_type(tensor)? {
            ElementType::Ggml(ty) => Some(ty),
            _ => None,
        }
    }

    /// `ggml_nbytes`
    pub fn nbytes(&self, tensor: TensorRef<'_>) -> usize {
        // SAFETY: the function reads a tensor that is alive.
        unsafe { (self.nbytes)(tensor.raw()) }
    }

    /// Makes a buffer type, which is never freed.
    pub(super) fn leak_buffer_type(
        &self,
        functions: &BufferTypeFunctions,
        fields: BufferTypeFields,
    ) -> *mut BufferType {
        self.layout.leak_buffer_type(functions, fields)
    }

    /// What stands behind a buffer type's functions.
    ///
    /// # Safety
    /// `buft` is a buffer type of this host.
    pub(super) unsafe fn buffer_type_fields(&self, buft: *mut BufferType) -> BufferTypeFields {
        // SAFETY: by contract.
        unsafe { self.layout.buffer_type_fields(buft) }
    }

    /// `ggml_backend_buffer_init`
    ///
    /// # Safety
    /// `buft` is a buffer type of this host, and the functions take `context`.
    pub(super) unsafe fn buffer_init(
        &self,
        buft: *mut BufferType,
        functions: &BufferFunctions,
        context: *mut c_void,
        size: usize,
    ) -> *mut Buffer {
        // SAFETY: by contract.
        unsafe { self.layout.init_buffer(self.buffer_init, buft, functions, context, size) }
    }

    /// What stands behind a buffer's functions.
    ///
    /// # Safety
    /// `buffer` is a buffer of this host.
    pub(super) unsafe fn buffer_fields(&self, buffer: *mut Buffer) -> BufferFields {
        // SAFETY: by contract.
        unsafe { self.layout.buffer_fields(buffer) }
    }

    /// Makes a backend; [`Host::free_backend`] frees it.
    pub(super) fn make_backend(
        &self,
        guid: &'static [u8; 16],
        functions: &BackendFunctions,
        fields: BackendFields,
    ) -> *mut Backend {
        self.layout.make_backend(guid, functions, fields)
    }

    /// What stands behind a backend's functions.
    ///
    /// # Safety
    /// `backend` is a backend of this host.
    pub(super) unsafe fn backend_fields(&self, backend: *mut Backend) -> BackendFields {
        // SAFETY: by contract.
        unsafe { self.layout.backend_fields(backend) }
    }

    /// Frees a backend.
    ///
    /// # Safety
    /// It came from [`Host::make_backend`] and is not used again.
    pub(super) unsafe fn free_backend(&self, backend: *mut Backend) {
        // SAFETY: by contract.
        unsafe { self.layout.free_backend(backend) };
    }
}

/// Whether the host flags nodes that are to be computed: a graph of its own shows it.
fn flags_nodes() -> Result<bool, HostError> {
    let sample = Sample::build()?;
    // SAFETY: the host has just made the node.
    Ok(unsafe { (*sample.node).flags } & FLAG_COMPUTE != 0)
}

/// A constant of the host as text.
fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: ggml's names are terminated constants.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

/// The types that we know, with ggml's names.
fn element_types() -> impl Iterator<Item = (&'static str, ElementType)> {
    let integers = [
        ("i8", ElementType::I8),
        ("i16", ElementType::I16),
        ("i32", ElementType::I32),
        ("i64", ElementType::I64),
    ];
    integers.into_iter().chain(GgmlType::ALL.into_iter().map(|ty| (ty.name(), ElementType::Ggml(ty))))
}
