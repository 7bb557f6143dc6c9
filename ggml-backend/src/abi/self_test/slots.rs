//! Which word of a table each of the host's functions calls.
//!
//! Every word of a struct that the host is given is the address of a function of its own, which notes its number and answers with what
//! the caller of the moment can use. So whatever the host takes for a function is one, and whatever it takes for a field is an address that
//! tells its place. A table that has become longer, shorter, or has a function in between shows itself, and nothing has to crash for it.
//!
//! # Safety
//! The host calls these functions with more arguments than they take: in the C ABIs of our targets the caller clears them away. It uses the
//! structs only in the calls that are made here, which are those of its headers.

use std::ffi::{c_char, c_int, c_void};
use std::mem::offset_of;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::super::sample::{LEAF, Sample};
use super::super::symbols::function;
use super::super::tables::{
    Backend14, Backend16, BackendOf, Buffer9, Buffer11, Buffer14, BufferType6, BufferType8, Layout,
};
use super::super::types::{
    Backend, Buffer, BufferType, Device, Event, Graph, Props, Reg, Tensor, USAGE_WEIGHTS,
};
use super::{Failure, holds};

/// Words of a struct: more than any that we know has.
const WORDS: usize = 48;
/// Bytes of the buffer, and the address that it is said to have.
const SIZE: usize = 1 << 16;
const BASE: usize = 1 << 20;
/// A word for a context.
const CONTEXT: usize = 0x7e57_c0de;

static CALLED: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static ANSWER: AtomicUsize = AtomicUsize::new(0);

/// The function in word number `WORD`.
extern "C" fn word<const WORD: usize>() -> usize {
    CALLED.lock().push(WORD);
    ANSWER.load(Ordering::Relaxed)
}

/// A struct of nothing but functions.
#[repr(C)]
#[derive(Clone, Copy)]
struct Words([extern "C" fn() -> usize; WORDS]);

macro_rules! words {
    ($($tens:literal)*) => {
        Words([$(
            word::<{ $tens }>, word::<{ $tens + 1 }>, word::<{ $tens + 2 }>, word::<{ $tens + 3 }>,
            word::<{ $tens + 4 }>, word::<{ $tens + 5 }>, word::<{ $tens + 6 }>, word::<{ $tens + 7 }>,
        )*])
    };
}

static STRUCT: Words = words!(0 8 16 24 32 40);

/// The struct as whatever the host takes it for.
fn struct_as<T>() -> *mut T {
    (&raw const STRUCT).cast_mut().cast()
}

/// Place of a word that the host has read from the struct.
fn place_of<T>(word: *mut T) -> Option<usize> {
    STRUCT.0.iter().position(|function| *function as usize == word as usize)
}

/// Has the host do something, and compares what it calls with the words that it should call, given in bytes.
fn calls(what: &str, offsets: &[usize], answer: usize, call: impl FnOnce()) -> Result<(), Failure> {
    ANSWER.store(answer, Ordering::Relaxed);
    CALLED.lock().clear();
    call();
    let called = std::mem::take(&mut *CALLED.lock());
    let expected: Vec<usize> = offsets.iter().map(|offset| offset / size_of::<usize>()).collect();
    match called == expected {
        true => Ok(()),
        false => Err(format!("{what} calls {called:?} of the table instead of {expected:?}")),
    }
}

/// A field is the word at this offset in bytes.
fn is_at<T>(what: &str, field: *mut T, offset: usize) -> Result<(), Failure> {
    let (found, expected) = (place_of(field), offset / size_of::<usize>());
    match found == Some(expected) {
        true => Ok(()),
        false => {
            let found = found.map_or("none".to_owned(), |word| format!("word {word}"));
            Err(format!("{what} is {found} of the struct instead of word {expected}"))
        }
    }
}

/// The host's function, or what is missing as a failure.
macro_rules! host {
    ($name:literal, $($type:tt)+) => {
        function!($name, unsafe extern "C" fn $($type)+).map_err(|missing| missing.to_string())?
    };
}

macro_rules! in_buffer_type {
    ($layout:expr, $field:ident) => {
        match $layout {
            Layout::O | Layout::A => offset_of!(BufferType6, $field),
            Layout::B | Layout::C => offset_of!(BufferType8, $field),
        }
    };
}

macro_rules! in_buffer {
    ($layout:expr, $field:ident) => {
        match $layout {
            Layout::O => offset_of!(Buffer9, $field),
            Layout::A | Layout::B => offset_of!(Buffer11, $field),
            Layout::C => offset_of!(Buffer14, first.$field),
        }
    };
}

macro_rules! in_backend {
    ($layout:expr, $field:ident) => {
        match $layout {
            Layout::O => offset_of!(BackendOf<Backend14>, iface.$field),
            Layout::A | Layout::B | Layout::C => offset_of!(BackendOf<Backend16>, iface.$field),
        }
    };
}

/// Compares all of them.
pub fn check(layout: Layout) -> Result<(), Failure> {
    let sample = Sample::build().map_err(|missing| missing.to_string())?;
    registry()?;
    device(&sample)?;
    buffer_type(layout, &sample)?;
    buffer(layout, &sample)?;
    backend(layout, &sample)
}

fn registry() -> Result<(), Failure> {
    let reg: *mut Reg = struct_as();
    let name = host!("ggml_backend_reg_name", (*mut Reg) -> *const c_char);
    let count = host!("ggml_backend_reg_dev_count", (*mut Reg) -> usize);
    let get = host!("ggml_backend_reg_dev_get", (*mut Reg, usize) -> *mut Device);
    let address = host!("ggml_backend_reg_get_proc_address", (*mut Reg, *const c_char) -> *mut c_void);
    // SAFETY: the host's functions get a registry of which every word that they may call is a function of this module.
    unsafe {
        calls("ggml_backend_reg_name", &[offset_of!(Reg, iface.get_name)], 0, || {
            name(reg);
        })?;
        calls("ggml_backend_reg_dev_count", &[offset_of!(Reg, iface.get_device_count)], 1, || {
            count(reg);
        })?;
        calls("ggml_backend_reg_dev_get", &[offset_of!(Reg, iface.get_device)], 0, || {
            get(reg, 0);
        })?;
        calls("ggml_backend_reg_get_proc_address", &[offset_of!(Reg, iface.get_proc_address)], 0, || {
            address(reg, c"name".as_ptr());
        })
    }
}

fn device(sample: &Sample) -> Result<(), Failure> {
    let device: *mut Device = struct_as();
    let name = host!("ggml_backend_dev_name", (*mut Device) -> *const c_char);
    let description = host!("ggml_backend_dev_description", (*mut Device) -> *const c_char);
    let memory = host!("ggml_backend_dev_memory", (*mut Device, *mut usize, *mut usize));
    let type_ = host!("ggml_backend_dev_type", (*mut Device) -> c_int);
    let props = host!("ggml_backend_dev_get_props", (*mut Device, *mut u8));
    let init = host!("ggml_backend_dev_init", (*mut Device, *const c_char) -> *mut Backend);
    let buffer_type = host!("ggml_backend_dev_buffer_type", (*mut Device) -> *mut BufferType);
    let host_type = host!("ggml_backend_dev_host_buffer_type", (*mut Device) -> *mut BufferType);
    let from_host = host!("ggml_backend_dev_buffer_from_host_ptr", (*mut Device, *mut c_void, usize, usize) -> *mut Buffer);
    let supports_op = host!("ggml_backend_dev_supports_op", (*mut Device, *mut Tensor) -> bool);
    let supports_buft = host!("ggml_backend_dev_supports_buft", (*mut Device, *mut BufferType) -> bool);
    let offload_op = host!("ggml_backend_dev_offload_op", (*mut Device, *mut Tensor) -> bool);
    let event_new = host!("ggml_backend_event_new", (*mut Device) -> *mut Event);
    let reg = host!("ggml_backend_dev_backend_reg", (*mut Device) -> *mut Reg);
    let (mut free, mut total) = (0, 0);
    let mut bytes = [0xAA_u8; 512];
    macro_rules! calls_its {
        ($field:ident, $call:expr) => {
            calls(concat!("a device's ", stringify!($field)), &[offset_of!(Device, iface.$field)], 0, || {
                $call;
            })?
        };
    }
    // SAFETY: the host's functions get a device of which every word that they may call is a function of this module, and more room for what
    // they write than any layout has.
    unsafe {
        calls_its!(get_name, name(device));
        calls_its!(get_description, description(device));
        calls_its!(get_memory, memory(device, &raw mut free, &raw mut total));
        calls_its!(get_type, type_(device));
        calls_its!(get_props, props(device, bytes.as_mut_ptr()));
        calls_its!(init_backend, init(device, std::ptr::null()));
        calls_its!(get_buffer_type, buffer_type(device));
        calls_its!(get_host_buffer_type, host_type(device));
        calls_its!(buffer_from_host_ptr, from_host(device, std::ptr::null_mut(), 0, 0));
        calls_its!(supports_op, supports_op(device, sample.node));
        calls_its!(supports_buft, supports_buft(device, struct_as()));
        calls_its!(offload_op, offload_op(device, sample.node));
        calls_its!(event_new, event_new(device));
        is_at("a device's registry", reg(device), offset_of!(Device, reg))?;
    }
    // The host clears the properties before it has them filled in.
    let cleared = bytes.iter().take_while(|byte| **byte == 0).count();
    match cleared == size_of::<Props>() {
        true => Ok(()),
        false => Err(format!("a device's properties have {cleared} bytes instead of {}", size_of::<Props>())),
    }
}

fn buffer_type(layout: Layout, sample: &Sample) -> Result<(), Failure> {
    let buft: *mut BufferType = struct_as();
    let name = host!("ggml_backend_buft_name", (*mut BufferType) -> *const c_char);
    let alloc = host!("ggml_backend_buft_alloc_buffer", (*mut BufferType, usize) -> *mut Buffer);
    let alignment = host!("ggml_backend_buft_get_alignment", (*mut BufferType) -> usize);
    let max_size = host!("ggml_backend_buft_get_max_size", (*mut BufferType) -> usize);
    let alloc_size = host!("ggml_backend_buft_get_alloc_size", (*mut BufferType, *mut Tensor) -> usize);
    let is_host = host!("ggml_backend_buft_is_host", (*mut BufferType) -> bool);
    let device = host!("ggml_backend_buft_get_device", (*mut BufferType) -> *mut Device);
    let bytes = LEAF * size_of::<f32>();
    macro_rules! calls_its {
        ($field:ident, $answer:expr, $call:expr) => {
            calls(
                concat!("a buffer type's ", stringify!($field)),
                &[in_buffer_type!(layout, $field)],
                $answer,
                || {
                    $call;
                },
            )?
        };
    }
    // SAFETY: the host's functions get a buffer type of which every word that they may call is a function of this module, and a tensor of
    // the sample.
    unsafe {
        calls_its!(get_name, 0, name(buft));
        calls_its!(alloc_buffer, 0, alloc(buft, SIZE));
        calls_its!(get_alignment, 64, alignment(buft));
        calls_its!(get_max_size, SIZE, max_size(buft));
        calls_its!(get_alloc_size, bytes, alloc_size(buft, sample.leaf));
        calls_its!(is_host, 0, is_host(buft));
        is_at("a buffer type's device", device(buft), layout.buffer_type_fields_at())?;
        if matches!(layout, Layout::B | Layout::C) {
            type OfTensors<T> = unsafe extern "C" fn(*mut BufferType, *const *mut Tensor, c_int) -> T;
            let alloc_n = function!("ggml_backend_buft_alloc_buffer_n", OfTensors<*mut Buffer>)
                .map_err(|missing| missing.to_string())?;
            let size_n = function!("ggml_backend_buft_get_alloc_size_n", OfTensors<usize>)
                .map_err(|missing| missing.to_string())?;
            let one = [sample.leaf];
            calls("a buffer type's alloc_buffer_n", &[offset_of!(BufferType8, alloc_buffer_n)], 0, || {
                alloc_n(buft, one.as_ptr(), 1);
            })?;
            calls(
                "a buffer type's get_alloc_size_n",
                &[offset_of!(BufferType8, get_alloc_size_n)],
                0,
                || {
                    size_n(buft, one.as_ptr(), 1);
                },
            )?;
        }
    }
    Ok(())
}

fn buffer(layout: Layout, sample: &Sample) -> Result<(), Failure> {
    let init = host!("ggml_backend_buffer_init", (*mut BufferType, Words, *mut c_void, usize) -> *mut Buffer);
    let base = host!("ggml_backend_buffer_get_base", (*mut Buffer) -> *mut c_void);
    let init_tensor = host!("ggml_backend_buffer_init_tensor", (*mut Buffer, *mut Tensor) -> c_int);
    let set = host!("ggml_backend_tensor_set", (*mut Tensor, *const u8, usize, usize));
    let get = host!("ggml_backend_tensor_get", (*mut Tensor, *mut u8, usize, usize));
    let memset = host!("ggml_backend_tensor_memset", (*mut Tensor, u8, usize, usize));
    let copy = host!("ggml_backend_buffer_copy_tensor", (*mut Tensor, *mut Tensor) -> bool);
    let clear = host!("ggml_backend_buffer_clear", (*mut Buffer, u8));
    let reset = host!("ggml_backend_buffer_reset", (*mut Buffer));
    let free = host!("ggml_backend_buffer_free", (*mut Buffer));
    let mut data = [0_u8; 64];
    macro_rules! calls_its {
        ($field:ident, $answer:expr, $call:expr) => {
            calls(concat!("a buffer's ", stringify!($field)), &[in_buffer!(layout, $field)], $answer, || {
                $call;
            })?
        };
    }
    // SAFETY: the host takes as many words of the table as its own has, all of them functions of this module; its functions get the buffer
    // that it has made, tensors of the sample, and arrays of more bytes than are copied.
    unsafe {
        let buffer = init(struct_as(), STRUCT, CONTEXT as *mut c_void, SIZE);
        fields(layout, buffer)?;
        calls_its!(get_base, BASE, base(buffer));
        calls_its!(init_tensor, 0, init_tensor(buffer, sample.leaf));
        ((*sample.leaf).buffer, (*sample.leaf).data) = (buffer, BASE as *mut c_void);
        calls_its!(set_tensor, 0, set(sample.leaf, data.as_ptr(), 0, 4));
        calls_its!(get_tensor, 0, get(sample.leaf, data.as_mut_ptr(), 0, 4));
        calls_its!(memset_tensor, 0, memset(sample.leaf, 0, 0, 4));
        calls_its!(cpy_tensor, 1, copy(sample.leaf, sample.leaf));
        if layout != Layout::O {
            two_dimensions(layout, sample, &mut data)?;
        }
        if layout == Layout::C {
            many(sample, &mut data)?;
        }
        calls_its!(clear, 0, clear(buffer, 0));
        calls_its!(reset, 0, reset(buffer));
        calls_its!(free_buffer, 0, free(buffer));
    }
    Ok(())
}

/// What stands behind a buffer's table.
///
/// # Safety
/// The host has made the buffer.
unsafe fn fields(layout: Layout, buffer: *mut Buffer) -> Result<(), Failure> {
    let set_usage = host!("ggml_backend_buffer_set_usage", (*mut Buffer, c_int));
    let size = host!("ggml_backend_buffer_get_size", (*mut Buffer) -> usize);
    let buft = host!("ggml_backend_buffer_get_type", (*mut Buffer) -> *mut BufferType);
    // SAFETY: the host has made the buffer. If the host's buffers are smaller, what is behind them is read: in a child.
    unsafe {
        holds(size(buffer) == SIZE && buft(buffer) == struct_as(), "a buffer is made with other arguments")?;
        let fields = layout.buffer_fields(buffer);
        let same = fields.buft == struct_as() && fields.context as usize == CONTEXT && fields.size == SIZE;
        holds(same && fields.usage == 0, "what is behind a buffer's table is elsewhere")?;
        set_usage(buffer, USAGE_WEIGHTS);
        holds(layout.buffer_fields(buffer).usage == USAGE_WEIGHTS, "a buffer's usage is elsewhere")
    }
}

fn two_dimensions(layout: Layout, sample: &Sample, data: &mut [u8; 64]) -> Result<(), Failure> {
    type Copy<T> = unsafe extern "C" fn(*mut Tensor, T, usize, usize, usize, usize, usize);
    let set =
        function!("ggml_backend_tensor_set_2d", Copy<*const u8>).map_err(|missing| missing.to_string())?;
    let get =
        function!("ggml_backend_tensor_get_2d", Copy<*mut u8>).map_err(|missing| missing.to_string())?;
    let (set_at, get_at) = match layout {
        Layout::C => (offset_of!(Buffer14, first.set_tensor_2d), offset_of!(Buffer14, first.get_tensor_2d)),
        _ => (offset_of!(Buffer11, set_tensor_2d), offset_of!(Buffer11, get_tensor_2d)),
    };
    // SAFETY: the host's functions get a tensor of the sample in the buffer of this test, and more bytes than two copies of four.
    unsafe {
        calls("a buffer's set_tensor_2d", &[set_at], 0, || set(sample.leaf, data.as_ptr(), 0, 4, 2, 8, 8))?;
        calls("a buffer's get_tensor_2d", &[get_at], 0, || get(sample.leaf, data.as_mut_ptr(), 0, 4, 2, 8, 8))
    }
}

fn many(sample: &Sample, data: &mut [u8; 64]) -> Result<(), Failure> {
    type Copy<T> =
        unsafe extern "C" fn(*const *mut Tensor, T, *const usize, *const usize, *const usize, usize);
    let set =
        function!("ggml_backend_tensor_set_n", Copy<*const u8>).map_err(|missing| missing.to_string())?;
    let get = function!("ggml_backend_tensor_get_n", Copy<*mut u8>).map_err(|missing| missing.to_string())?;
    let copy = host!("ggml_backend_tensor_copy_n", (*const *mut Tensor, *const *mut Tensor, usize));
    let (tensors, zeros, sizes) = ([sample.leaf], [0], [4]);
    let (tensors, zeros, sizes) = (tensors.as_ptr(), zeros.as_ptr(), sizes.as_ptr());
    // SAFETY: the host's functions get arrays of one element: a tensor of the sample in the buffer of this test, offsets, sizes, and more
    // bytes than are copied.
    unsafe {
        calls("a buffer's set_tensor_n", &[offset_of!(Buffer14, set_tensor_n)], 0, || {
            set(tensors, data.as_ptr(), zeros, sizes, zeros, 1);
        })?;
        calls("a buffer's get_tensor_n", &[offset_of!(Buffer14, get_tensor_n)], 0, || {
            get(tensors, data.as_mut_ptr(), zeros, sizes, zeros, 1);
        })?;
        calls("a buffer's cpy_tensor_n", &[offset_of!(Buffer14, cpy_tensor_n)], 1, || {
            copy(tensors, tensors, 1)
        })
    }
}

fn backend(layout: Layout, sample: &Sample) -> Result<(), Failure> {
    let backend: *mut Backend = struct_as();
    let name = host!("ggml_backend_name", (*mut Backend) -> *const c_char);
    let guid = host!("ggml_backend_guid", (*mut Backend) -> *mut u8);
    let device = host!("ggml_backend_get_device", (*mut Backend) -> *mut Device);
    let set = host!("ggml_backend_tensor_set_async", (*mut Backend, *mut Tensor, *const u8, usize, usize));
    let get = host!("ggml_backend_tensor_get_async", (*mut Backend, *mut Tensor, *mut u8, usize, usize));
    let synchronize = host!("ggml_backend_synchronize", (*mut Backend));
    let plan = host!("ggml_backend_graph_plan_create", (*mut Backend, *mut Graph) -> *mut c_void);
    let compute = host!("ggml_backend_graph_compute", (*mut Backend, *mut Graph) -> c_int);
    let record = host!("ggml_backend_event_record", (*mut Event, *mut Backend));
    let wait = host!("ggml_backend_event_wait", (*mut Backend, *mut Event));
    let free = host!("ggml_backend_free", (*mut Backend));
    let mut data = [0_u8; 64];
    macro_rules! calls_its {
        ($field:ident, $call:expr) => {
            calls(concat!("a backend's ", stringify!($field)), &[in_backend!(layout, $field)], 0, || {
                $call;
            })?
        };
    }
    // SAFETY: the host's functions get a backend of which every word that they may call is a function of this module, tensors and graph of
    // the sample, and more bytes than are copied.
    unsafe {
        (*sample.leaf).data = BASE as *mut c_void;
        is_at("a backend's GUID", guid(backend), 0)?;
        is_at("a backend's device", device(backend), layout.backend_fields_at())?;
        calls_its!(get_name, name(backend));
        calls_its!(set_tensor_async, set(backend, sample.leaf, data.as_ptr(), 0, 4));
        calls_its!(get_tensor_async, get(backend, sample.leaf, data.as_mut_ptr(), 0, 4));
        calls_its!(synchronize, synchronize(backend));
        calls_its!(graph_plan_create, plan(backend, sample.graph));
        calls_its!(event_record, record(struct_as(), backend));
        calls_its!(event_wait, wait(backend, struct_as()));
        let both = [in_backend!(layout, graph_compute), in_backend!(layout, synchronize)];
        calls("a backend's graph_compute", &both, 0, || {
            compute(backend, sample.graph);
        })?;
        calls_its!(free, free(backend));
    }
    Ok(())
}
