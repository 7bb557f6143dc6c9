//! The host: which ggml it is, and its functions.
//!
//! The API version alone does not tell the layouts apart, so they are told by what the host exports, and its
//! version has to agree. Operators and types are known by name: their numbers change.
//!
//! # Safety
//! Symbols are looked up by name and given the types that ggml's headers give them.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::OnceLock;

use super::types::{BufferIface, Tensor};
use tt_runtime::ElementType;
use tt_runtime::layout::GgmlType;
use tt_runtime::ops::rows::RowFunction;

/// Where things are in the structs of this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// `GGML_BACKEND_API_VERSION`
    pub api_version: c_int,
    /// Buffer types can allocate several buffers at once: two more functions.
    pub alloc_n: bool,
    /// Function pointers of a buffer's table.
    pub buffer_functions: usize,
}

impl Layout {
    /// Function pointers of a buffer type's table.
    pub fn buffer_type_functions(&self) -> usize {
        if self.alloc_n { 8 } else { 6 }
    }
}

/// What we do for an operator: the families that [`crate::plan`] knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// Nothing to compute: no operator, or a view.
    View,
    /// `MUL_MAT`
    MulMat,
    /// `MUL_MAT_ID`
    MulMatId,
    /// `OUT_PROD`
    OutProd,
    /// `FLASH_ATTN_EXT`
    FlashAttention,
    /// `SET_ROWS`
    SetRows,
    /// `UNARY` and the other functions of one element.
    Unary,
    /// `FILL`, `ARANGE`: made from nothing.
    Fill,
    /// `ADD` and the other functions of two elements.
    Binary,
    /// `ADD1`
    Add1,
    /// `GLU`
    Glu,
    /// `DUP`, `CPY`, `CONT`
    Copy,
    /// `REPEAT`
    Repeat,
    /// `CONCAT`
    Concat,
    /// `PAD`
    Pad,
    /// `PAD_REFLECT_1D`
    PadReflect,
    /// `ROLL`
    Roll,
    /// `SET`
    Set,
    /// `ACC`
    Acc,
    /// `RMS_NORM`, `NORM`, `L2_NORM`
    Norm(RowFunction),
    /// `GROUP_NORM`
    GroupNorm,
    /// `SUM_ROWS`
    SumRows,
    /// `MEAN`
    Mean,
    /// `SUM`
    Sum,
    /// `CUMSUM`
    CumSum,
    /// `ARGMAX`
    ArgMax,
    /// `ARGSORT`
    ArgSort,
    /// `TOP_K`
    TopK,
    /// `SOFT_MAX`
    SoftMax,
    /// `DIAG_MASK_INF`, `DIAG_MASK_ZERO`: what stands behind the diagonal.
    DiagMask(u32),
    /// `TRI`
    Tri,
    /// `DIAG`
    Diag,
    /// `GET_ROWS`
    GetRows,
    /// `ROPE`, `ROPE_BACK`: backwards.
    Rope(bool),
    /// `ADD_ID`
    AddId,
    /// `IM2COL`
    Im2col,
    /// `IM2COL_3D`
    Im2col3d,
    /// `CONV_2D`
    Conv2d,
    /// `CONV_3D`
    Conv3d,
    /// `CONV_2D_DW`
    Conv2dDw,
    /// `SSM_CONV`
    SsmConv,
    /// `POOL_1D`
    Pool1d,
    /// `POOL_2D`
    Pool2d,
    /// `COL2IM_1D`
    Col2im1d,
    /// `CONV_TRANSPOSE_1D`
    ConvTranspose1d,
    /// `CONV_TRANSPOSE_2D`
    ConvTranspose2d,
    /// `UPSCALE`
    Upscale,
    /// `TIMESTEP_EMBEDDING`
    TimestepEmbedding,
    /// `SSM_SCAN`
    SsmScan,
    /// `GATED_DELTA_NET`
    GatedDeltaNet,
    /// `GATED_LINEAR_ATTN`
    GatedLinearAttention,
    /// `RWKV_WKV6`
    RwkvWkv6,
    /// `RWKV_WKV7`
    RwkvWkv7,
    /// `SILU_BACK`
    SiluBack,
    /// `RMS_NORM_BACK`
    RmsNormBack,
    /// `SOFT_MAX_BACK`
    SoftMaxBack,
    /// `GET_ROWS_BACK`
    GetRowsBack,
    /// `REPEAT_BACK`
    RepeatBack,
    /// `CROSS_ENTROPY_LOSS`
    CrossEntropyLoss,
    /// `CROSS_ENTROPY_LOSS_BACK`
    CrossEntropyLossBack,
    /// `COUNT_EQUAL`
    CountEqual,
    /// `OPT_STEP_ADAMW`
    OptStepAdamw,
    /// `OPT_STEP_SGD`
    OptStepSgd,
    /// `SOLVE_TRI`
    SolveTri,
    /// `LIGHTNING_INDEXER`
    LightningIndexer,
    /// `DSV4_HC_COMB`
    HcComb,
    /// `DSV4_HC_PRE`
    HcPre,
    /// `DSV4_HC_POST`
    HcPost,
}

/// The host's functions and numbers.
pub struct Host {
    /// Struct layouts.
    pub layout: Layout,
    /// `ggml_version()`
    pub version: String,
    buffer_init: unsafe extern "C" fn(*mut c_void, BufferIface, *mut c_void, usize) -> *mut c_void,
    nbytes: unsafe extern "C" fn(*const Tensor) -> usize,
    op_desc: unsafe extern "C" fn(*const Tensor) -> *const c_char,
    operators: HashMap<c_int, Operator>,
    names: Vec<String>,
    type_name: NameOf,
    types: HashMap<c_int, ElementType>,
}

/// Why a host cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostError {
    /// A function is missing.
    #[error(
        "the program does not export {0}: llama.cpp has to be built with shared libraries (GGML_BACKEND_DL)"
    )]
    Missing(&'static str),
    /// An unknown version.
    #[error(
        "ggml {0} is not known to this version of the library (0.25 to 0.28 are); \
         set GGML_TT_ANY_GGML=1 to try it all the same"
    )]
    Version(String),
    /// Version and symbols disagree.
    #[error("ggml {0} does not look like that version: its structs cannot be known")]
    Mixed(String),
}

/// Version (0.minor) from which buffer types have `alloc_buffer_n`, buffers have `set_tensor_n`.
const ALLOC_N_SINCE: u32 = 26;
const TENSOR_N_SINCE: u32 = 28;
const KNOWN: std::ops::RangeInclusive<u32> = 25..=28;
/// The last operator of ggml's list, in every version that is known.
const LAST_OPERATOR: &str = "GLU";
const MOST_OPERATORS: c_int = 256;

static HOST: OnceLock<Result<Host, HostError>> = OnceLock::new();

/// The host, looked up once.
pub fn host() -> Result<&'static Host, &'static HostError> {
    HOST.get_or_init(Host::find).as_ref()
}

/// ggml's libraries: a program may have loaded them without making their symbols global.
const LIBRARIES: [&CStr; 2] = [c"libggml-base.so.0", c"libggml.so.0"];

/// Address of a symbol of the host.
pub fn symbol(name: &str) -> Option<*mut c_void> {
    let name = CString::new(name).ok()?;
    // SAFETY: asks the dynamic linker; the strings are terminated.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let within = |library: &CStr| {
        // SAFETY: RTLD_NOLOAD only looks for a library that is there; its handle is kept.
        unsafe {
            let library = libc::dlopen(library.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_LAZY);
            if library.is_null() { library } else { libc::dlsym(library, name.as_ptr()) }
        }
    };
    let mut found = [address].into_iter().chain(LIBRARIES.into_iter().map(within));
    found.find(|address| !address.is_null())
}

macro_rules! function {
    ($name:literal, $type:ty) => {{
        let address = symbol($name).ok_or(HostError::Missing($name))?;
        // SAFETY: ggml's header declares the function so.
        unsafe { std::mem::transmute::<*mut c_void, $type>(address) }
    }};
}

type NameOf = unsafe extern "C" fn(c_int) -> *const c_char;

impl Host {
    fn find() -> Result<Self, HostError> {
        let version = function!("ggml_version", unsafe extern "C" fn() -> *const c_char);
        // SAFETY: returns a constant string.
        let version = text(unsafe { version() });
        let layout = layout(
            &version,
            symbol("ggml_backend_buft_alloc_buffer_n").is_some(),
            symbol("ggml_backend_tensor_set_n").is_some(),
            crate::log::env_flag("GGML_TT_ANY_GGML"),
        )?;
        let op_name = function!("ggml_op_name", NameOf);
        let type_name = function!("ggml_type_name", NameOf);
        let names = operator_names(op_name);
        let operators = names.iter().enumerate().filter_map(|(i, name)| Some((i as c_int, operator(name)?)));
        Ok(Self {
            layout,
            operators: operators.collect(),
            names,
            type_name,
            types: types(type_name),
            version,
            buffer_init: function!(
                "ggml_backend_buffer_init",
                unsafe extern "C" fn(*mut c_void, BufferIface, *mut c_void, usize) -> *mut c_void
            ),
            nbytes: function!("ggml_nbytes", unsafe extern "C" fn(*const Tensor) -> usize),
            op_desc: function!("ggml_op_desc", unsafe extern "C" fn(*const Tensor) -> *const c_char),
        })
    }

    /// The operator with this number, if it is one of ours.
    pub fn operator(&self, number: c_int) -> Option<Operator> {
        self.operators.get(&number).copied()
    }

    /// Name of an operator.
    pub fn operator_name(&self, number: c_int) -> &str {
        self.names.get(number as usize).map_or("unknown operator", String::as_str)
    }

    /// `ggml_op_desc`: name of a node's operator, or of its function if that is `UNARY` or `GLU`.
    pub fn function_name(&self, node: &Tensor) -> &'static str {
        // SAFETY: reads the node; the names are constants of the host.
        let name = unsafe { CStr::from_ptr((self.op_desc)(node)) };
        name.to_str().unwrap_or_default()
    }

    /// `ggml_type_name` of a tensor's type.
    pub fn type_name(&self, number: c_int) -> String {
        // SAFETY: tensors have valid types; the names are constants of the host.
        text(unsafe { (self.type_name)(number) })
    }

    /// Our element type for a ggml type.
    pub fn element_type(&self, number: c_int) -> Option<ElementType> {
        self.types.get(&number).copied()
    }

    /// The type of matrices that can be packed into tiles.
    pub fn weight_type(&self, number: c_int) -> Option<GgmlType> {
        match self.element_type(number)? {
            ElementType::Ggml(ty) => Some(ty),
            _ => None,
        }
    }

    /// `ggml_backend_buffer_init`
    ///
    /// # Safety
    /// `buft` is a buffer type of this host, and the table's functions take `context`.
    pub unsafe fn buffer_init(
        &self,
        buft: *mut c_void,
        iface: BufferIface,
        context: *mut c_void,
        size: usize,
    ) -> *mut c_void {
        // SAFETY: ggml copies the table and keeps the pointers.
        unsafe { (self.buffer_init)(buft, iface, context, size) }
    }

    /// `ggml_nbytes`
    pub fn nbytes(&self, tensor: &Tensor) -> usize {
        // SAFETY: reads the tensor.
        unsafe { (self.nbytes)(tensor) }
    }
}

fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: ggml's names and versions are terminated constants.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

fn operator_names(name_of: NameOf) -> Vec<String> {
    let mut names = Vec::new();
    for number in 0..MOST_OPERATORS {
        // SAFETY: numbers up to that of the last operator are valid, and we stop there.
        names.push(text(unsafe { name_of(number) }));
        if names.last().is_some_and(|name| name == LAST_OPERATOR) {
            break;
        }
    }
    names
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "NONE" | "RESHAPE" | "VIEW" | "PERMUTE" | "TRANSPOSE" => Operator::View,
        "MUL_MAT" => Operator::MulMat,
        "MUL_MAT_ID" => Operator::MulMatId,
        "OUT_PROD" => Operator::OutProd,
        "FLASH_ATTN_EXT" => Operator::FlashAttention,
        "SET_ROWS" => Operator::SetRows,
        "UNARY" | "SQR" | "SQRT" | "LOG" | "SIN" | "COS" | "SCALE" | "CLAMP" | "LEAKY_RELU" => {
            Operator::Unary
        }
        "FILL" | "ARANGE" => Operator::Fill,
        "ADD" | "SUB" | "MUL" | "DIV" => Operator::Binary,
        "ADD1" => Operator::Add1,
        "GLU" => Operator::Glu,
        "DUP" | "CPY" | "CONT" => Operator::Copy,
        "REPEAT" => Operator::Repeat,
        "CONCAT" => Operator::Concat,
        "PAD" => Operator::Pad,
        "PAD_REFLECT_1D" => Operator::PadReflect,
        "ROLL" => Operator::Roll,
        "SET" => Operator::Set,
        "ACC" => Operator::Acc,
        "RMS_NORM" => Operator::Norm(RowFunction::RmsNorm),
        "NORM" => Operator::Norm(RowFunction::Norm),
        "L2_NORM" => Operator::Norm(RowFunction::L2Norm),
        "GROUP_NORM" => Operator::GroupNorm,
        "SUM_ROWS" => Operator::SumRows,
        "MEAN" => Operator::Mean,
        "SUM" => Operator::Sum,
        "CUMSUM" => Operator::CumSum,
        "ARGMAX" => Operator::ArgMax,
        "ARGSORT" => Operator::ArgSort,
        "TOP_K" => Operator::TopK,
        "SOFT_MAX" => Operator::SoftMax,
        "DIAG_MASK_INF" => Operator::DiagMask(f32::NEG_INFINITY.to_bits()),
        "DIAG_MASK_ZERO" => Operator::DiagMask(0),
        "TRI" => Operator::Tri,
        "DIAG" => Operator::Diag,
        "GET_ROWS" => Operator::GetRows,
        "ROPE" => Operator::Rope(false),
        "ROPE_BACK" => Operator::Rope(true),
        "ADD_ID" => Operator::AddId,
        "IM2COL" => Operator::Im2col,
        "IM2COL_3D" => Operator::Im2col3d,
        "CONV_2D" => Operator::Conv2d,
        "CONV_3D" => Operator::Conv3d,
        "CONV_2D_DW" => Operator::Conv2dDw,
        "SSM_CONV" => Operator::SsmConv,
        "POOL_1D" => Operator::Pool1d,
        "POOL_2D" => Operator::Pool2d,
        "COL2IM_1D" => Operator::Col2im1d,
        "CONV_TRANSPOSE_1D" => Operator::ConvTranspose1d,
        "CONV_TRANSPOSE_2D" => Operator::ConvTranspose2d,
        "UPSCALE" => Operator::Upscale,
        "TIMESTEP_EMBEDDING" => Operator::TimestepEmbedding,
        "SSM_SCAN" => Operator::SsmScan,
        "GATED_DELTA_NET" => Operator::GatedDeltaNet,
        "GATED_LINEAR_ATTN" => Operator::GatedLinearAttention,
        "RWKV_WKV6" => Operator::RwkvWkv6,
        "RWKV_WKV7" => Operator::RwkvWkv7,
        "SILU_BACK" => Operator::SiluBack,
        "RMS_NORM_BACK" => Operator::RmsNormBack,
        "SOFT_MAX_BACK" => Operator::SoftMaxBack,
        "GET_ROWS_BACK" => Operator::GetRowsBack,
        "REPEAT_BACK" => Operator::RepeatBack,
        "CROSS_ENTROPY_LOSS" => Operator::CrossEntropyLoss,
        "CROSS_ENTROPY_LOSS_BACK" => Operator::CrossEntropyLossBack,
        "COUNT_EQUAL" => Operator::CountEqual,
        "OPT_STEP_ADAMW" => Operator::OptStepAdamw,
        "OPT_STEP_SGD" => Operator::OptStepSgd,
        "SOLVE_TRI" => Operator::SolveTri,
        "LIGHTNING_INDEXER" => Operator::LightningIndexer,
        "DSV4_HC_COMB" => Operator::HcComb,
        "DSV4_HC_PRE" => Operator::HcPre,
        "DSV4_HC_POST" => Operator::HcPost,
        _ => return None,
    })
}

/// Types are part of the file format, so the numbers that matter never change; the names have to agree.
fn types(name_of: NameOf) -> HashMap<c_int, ElementType> {
    let integers = [
        ("i8", ElementType::I8),
        ("i16", ElementType::I16),
        ("i32", ElementType::I32),
        ("i64", ElementType::I64),
    ];
    let others = GgmlType::ALL.into_iter().map(|ty| (ty.name(), ElementType::Ggml(ty)));
    integers
        .into_iter()
        .chain(others)
        .map(|(name, ty)| (name, ty.code() as c_int, ty))
        // SAFETY: all of these are valid types in every host.
        .filter(|&(name, number, _)| text(unsafe { name_of(number) }) == name)
        .map(|(_, number, ty)| (number, ty))
        .collect()
}

fn layout(version: &str, alloc_n: bool, tensor_n: bool, any: bool) -> Result<Layout, HostError> {
    let found = Layout {
        api_version: if alloc_n { 3 } else { 2 },
        alloc_n,
        buffer_functions: if tensor_n { 14 } else { 11 },
    };
    if any {
        return Ok(found);
    }
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    let minor = match (numbers.next(), numbers.next()) {
        (Some(Ok(0)), Some(Ok(minor))) if KNOWN.contains(&minor) => minor,
        _ => return Err(HostError::Version(version.to_owned())),
    };
    // Versions between two that are known may have either.
    let agrees = alloc_n == (minor >= ALLOC_N_SINCE)
        && (tensor_n == (minor >= TENSOR_N_SINCE) || (ALLOC_N_SINCE < minor && minor < TENSOR_N_SINCE));
    if agrees { Ok(found) } else { Err(HostError::Mixed(version.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_of_known_hosts() {
        let a = layout("0.25.3", false, false, false).unwrap();
        assert_eq!((a.api_version, a.buffer_functions, a.buffer_type_functions()), (2, 11, 6));
        let b = layout("0.26.0", true, false, false).unwrap();
        assert_eq!((b.api_version, b.buffer_functions, b.buffer_type_functions()), (3, 11, 8));
        let c = layout("0.28.0", true, true, false).unwrap();
        assert_eq!((c.api_version, c.buffer_functions, c.buffer_type_functions()), (3, 14, 8));
    }

    #[test]
    fn unknown_and_contradictory_hosts_are_refused() {
        assert!(matches!(layout("0.29.0", true, true, false), Err(HostError::Version(_))));
        assert!(matches!(layout("1.25.0", false, false, false), Err(HostError::Version(_))));
        assert!(matches!(layout("", false, false, false), Err(HostError::Version(_))));
        assert!(matches!(layout("0.25.3", true, false, false), Err(HostError::Mixed(_))));
        assert!(matches!(layout("0.28.0", true, false, false), Err(HostError::Mixed(_))));
        assert!(layout("0.29.0", true, true, true).is_ok());
    }
}
