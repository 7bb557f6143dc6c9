//! A device without silicon, with our real tables: from the registry to a computed graph, all through the host's functions.
//!
//! The slots are known to be right when this runs; here the arguments are compared, and what the host makes of the results.
//!
//! # Safety
//! The host calls these functions as its headers say, with structs and tensors of this module. There is one device and one buffer at a
//! time.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::super::sample::{LEAF, Sample, VIEW_OFFSET};
use super::super::symbols::{function, symbol};
use super::super::tables::{
    BackendFields, BackendFunctions, BufferFunctions, BufferTypeFields, BufferTypeFunctions, Layout,
};
use super::super::types::{
    Backend, Buffer, BufferType, Caps, DEVICE_TYPE_GPU, Device, DeviceTable, Graph, Props, Reg, RegTable,
    Tensor, USAGE_WEIGHTS, status,
};
use super::{Failure, holds};

const BYTES: usize = 256;
const BASE: usize = 1 << 20;
const ALIGNMENT: usize = 64;
const FREE: usize = 11 << 20;
const TOTAL: usize = 12 << 20;
static GUID: [u8; 16] = *b"null device test";

/// The buffer's memory.
static MEMORY: Mutex<[u8; BYTES]> = Mutex::new([0; BYTES]);
/// The layout that is tested, for the functions.
static LAYOUT: Mutex<Layout> = Mutex::new(Layout::A);
static DEVICE: AtomicPtr<Device> = AtomicPtr::new(null_mut());
static BUFFER_TYPE: AtomicPtr<BufferType> = AtomicPtr::new(null_mut());
/// Nodes of the last graph, by what stands in them; -1: it made no sense.
static NODES: AtomicI32 = AtomicI32::new(-1);
/// What `graph_compute` returns.
static STATUS: AtomicI32 = AtomicI32::new(status::SUCCESS);
/// Buffers and backends that are not freed yet.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn reg_name(_: *mut Reg) -> *const c_char {
    c"null registry".as_ptr()
}

extern "C" fn device_count(_: *mut Reg) -> usize {
    1
}

extern "C" fn get_device(_: *mut Reg, index: usize) -> *mut Device {
    if index == 0 { DEVICE.load(Relaxed) } else { null_mut() }
}

/// Gives the name itself.
extern "C" fn proc_address(_: *mut Reg, name: *const c_char) -> *mut c_void {
    name.cast_mut().cast()
}

extern "C" fn device_name(_: *mut Device) -> *const c_char {
    c"NULL0".as_ptr()
}

extern "C" fn description(_: *mut Device) -> *const c_char {
    c"null device".as_ptr()
}

unsafe extern "C" fn get_memory(_: *mut Device, free: *mut usize, total: *mut usize) {
    // SAFETY: two places to write to.
    unsafe { (*free, *total) = (FREE, TOTAL) };
}

extern "C" fn get_type(_: *mut Device) -> c_int {
    DEVICE_TYPE_GPU
}

unsafe extern "C" fn get_props(_: *mut Device, props: *mut Props) {
    let caps = Caps {
        async_: false,
        host_buffer: false,
        buffer_from_host_ptr: false,
        events: false,
        mmap_support: true,
    };
    // SAFETY: a place to write to, of this size: `slots` has measured it.
    unsafe {
        props.write(Props {
            name: c"NULL0".as_ptr(),
            description: c"null device".as_ptr(),
            memory_free: FREE,
            memory_total: TOTAL,
            type_: DEVICE_TYPE_GPU,
            device_id: null(),
            caps,
        });
    }
}

extern "C" fn init_backend(device: *mut Device, _: *const c_char) -> *mut Backend {
    let functions = BackendFunctions { get_name: backend_name, free: free_backend, graph_compute };
    ALIVE.fetch_add(1, Relaxed);
    LAYOUT.lock().make_backend(&GUID, &functions, BackendFields { device, context: null_mut() })
}

extern "C" fn get_buffer_type(_: *mut Device) -> *mut BufferType {
    BUFFER_TYPE.load(Relaxed)
}

extern "C" fn supports_op(_: *mut Device, op: *const Tensor) -> bool {
    !op.is_null()
}

extern "C" fn supports_buft(_: *mut Device, buft: *mut BufferType) -> bool {
    buft == BUFFER_TYPE.load(Relaxed)
}

extern "C" fn type_name(_: *mut BufferType) -> *const c_char {
    c"NULL".as_ptr()
}

extern "C" fn alloc_buffer(buft: *mut BufferType, size: usize) -> *mut Buffer {
    let functions = BufferFunctions {
        free_buffer,
        get_base,
        memset_tensor,
        set_tensor,
        get_tensor,
        set_tensor_2d,
        get_tensor_2d,
        cpy_tensor,
        clear,
    };
    let Some(init) = symbol("ggml_backend_buffer_init") else { return null_mut() };
    ALIVE.fetch_add(1, Relaxed);
    let context = (&raw const MEMORY).cast_mut().cast();
    // SAFETY: the functions ignore the context.
    unsafe { LAYOUT.lock().init_buffer(init, buft, &functions, context, size) }
}

extern "C" fn alignment(_: *mut BufferType) -> usize {
    ALIGNMENT
}

extern "C" fn alloc_size(_: *mut BufferType, tensor: *const Tensor) -> usize {
    // SAFETY: a tensor of the sample: 32-bit floats without gaps.
    unsafe { (*tensor).ne.iter().product::<i64>() as usize * size_of::<f32>() }
}

extern "C" fn free_buffer(_: *mut Buffer) {
    ALIVE.fetch_sub(1, Relaxed);
}

extern "C" fn get_base(_: *mut Buffer) -> *mut c_void {
    BASE as *mut c_void
}

/// The tensor's bytes in the buffer, if the arguments make sense.
unsafe fn within<R>(
    tensor: *const Tensor,
    offset: usize,
    size: usize,
    f: impl FnOnce(&mut [u8]) -> R,
) -> Option<R> {
    // SAFETY: a tensor of the sample.
    let start = unsafe { (*tensor).data as usize }.checked_sub(BASE)?.checked_add(offset)?;
    MEMORY.lock().get_mut(start..start.checked_add(size)?).map(f)
}

unsafe extern "C" fn memset_tensor(
    _: *mut Buffer,
    tensor: *mut Tensor,
    value: u8,
    offset: usize,
    size: usize,
) {
    // SAFETY: the host passes a tensor of the sample, which lives during the test.
    unsafe { within(tensor, offset, size, |bytes| bytes.fill(value)) };
}

unsafe extern "C" fn set_tensor(
    _: *mut Buffer,
    tensor: *mut Tensor,
    data: *const u8,
    offset: usize,
    size: usize,
) {
    // SAFETY: the host passes a tensor of the sample, and `size` bytes of data.
    unsafe {
        within(tensor, offset, size, |bytes| bytes.copy_from_slice(std::slice::from_raw_parts(data, size)))
    };
}

unsafe extern "C" fn get_tensor(
    _: *mut Buffer,
    tensor: *const Tensor,
    data: *mut u8,
    offset: usize,
    size: usize,
) {
    // SAFETY: as above.
    unsafe {
        within(tensor, offset, size, |bytes| {
            std::slice::from_raw_parts_mut(data, size).copy_from_slice(bytes);
        })
    };
}

unsafe extern "C" fn set_tensor_2d(
    buffer: *mut Buffer,
    tensor: *mut Tensor,
    data: *const u8,
    offset: usize,
    size: usize,
    copies: usize,
    stride_tensor: usize,
    stride_data: usize,
) {
    for i in 0..copies {
        // SAFETY: as above.
        unsafe { set_tensor(buffer, tensor, data.add(i * stride_data), offset + i * stride_tensor, size) };
    }
}

unsafe extern "C" fn get_tensor_2d(
    buffer: *mut Buffer,
    tensor: *const Tensor,
    data: *mut u8,
    offset: usize,
    size: usize,
    copies: usize,
    stride_tensor: usize,
    stride_data: usize,
) {
    for i in 0..copies {
        // SAFETY: as above.
        unsafe { get_tensor(buffer, tensor, data.add(i * stride_data), offset + i * stride_tensor, size) };
    }
}

extern "C" fn cpy_tensor(_: *mut Buffer, _: *const Tensor, _: *mut Tensor) -> bool {
    false
}

extern "C" fn clear(_: *mut Buffer, value: u8) {
    MEMORY.lock().fill(value);
}

extern "C" fn backend_name(_: *mut Backend) -> *const c_char {
    c"NULL0".as_ptr()
}

extern "C" fn free_backend(backend: *mut Backend) {
    ALIVE.fetch_sub(1, Relaxed);
    // SAFETY: `init_backend` made it, with the same layout.
    unsafe { LAYOUT.lock().free_backend(backend) };
}

extern "C" fn graph_compute(_: *mut Backend, graph: *mut Graph) -> c_int {
    // SAFETY: `tensors` has compared these fields.
    let nodes = unsafe {
        let graph = &*graph;
        let last = graph.nodes.add((graph.n_nodes - 1).max(0) as usize);
        let sources = graph.n_nodes > 0 && !(**last).src[0].is_null();
        if sources { graph.n_nodes } else { -1 }
    };
    NODES.store(nodes, Relaxed);
    STATUS.load(Relaxed)
}

macro_rules! host {
    ($name:literal, $($type:tt)+) => {
        function!($name, unsafe extern "C" fn $($type)+).map_err(|missing| missing.to_string())?
    };
}

/// Goes the whole way.
pub fn check(layout: Layout) -> Result<(), Failure> {
    *LAYOUT.lock() = layout;
    let reg = Box::into_raw(Box::new(Reg {
        api_version: layout.api_version(),
        iface: RegTable {
            get_name: reg_name,
            get_device_count: device_count,
            get_device,
            get_proc_address: proc_address,
        },
        context: null_mut(),
    }));
    let device = Box::into_raw(Box::new(Device { iface: device_table(), reg, context: null_mut() }));
    let functions = BufferTypeFunctions {
        get_name: type_name,
        alloc_buffer,
        get_alignment: alignment,
        get_alloc_size: alloc_size,
    };
    let buft = layout.leak_buffer_type(&functions, BufferTypeFields { device, context: null_mut() });
    DEVICE.store(device, Relaxed);
    BUFFER_TYPE.store(buft, Relaxed);
    let sample = Sample::build().map_err(|missing| missing.to_string())?;
    registry(reg, device)?;
    properties(device)?;
    let buffer = buffer_of(layout, buft, &sample)?;
    data(layout, buffer, &sample)?;
    compute(device, &sample)?;
    let free = host!("ggml_backend_buffer_free", (*mut Buffer));
    // SAFETY: the host's function gets a buffer that the host has made, and nobody uses it after this.
    unsafe { free(buffer) };
    holds(ALIVE.load(Relaxed) == 0, "a buffer or a backend is not freed by its function")
}

fn device_table() -> DeviceTable {
    DeviceTable {
        get_name: device_name,
        get_description: description,
        get_memory,
        get_type,
        get_props,
        init_backend,
        get_buffer_type,
        get_host_buffer_type: None,
        buffer_from_host_ptr: None,
        supports_op,
        supports_buft,
        offload_op: None,
        event_new: None,
        event_free: None,
        event_synchronize: None,
    }
}

/// Whether a string of the host's answer is this one; pointers are compared, so that nothing else is read.
fn is(answer: *const c_char, text: &'static CStr) -> bool {
    std::ptr::eq(answer, text.as_ptr())
}

fn registry(reg: *mut Reg, device: *mut Device) -> Result<(), Failure> {
    let name = host!("ggml_backend_reg_name", (*mut Reg) -> *const c_char);
    let count = host!("ggml_backend_reg_dev_count", (*mut Reg) -> usize);
    let get = host!("ggml_backend_reg_dev_get", (*mut Reg, usize) -> *mut Device);
    let address = host!("ggml_backend_reg_get_proc_address", (*mut Reg, *const c_char) -> *mut c_void);
    let asked = c"asked";
    // SAFETY: the host's functions get a registry with our table, which lives during the test, and a string that ends with a zero byte.
    let right = unsafe {
        std::ptr::eq(name(reg), reg_name(reg))
            && count(reg) == 1
            && get(reg, 0) == device
            && get(reg, 1).is_null()
            && is(address(reg, asked.as_ptr()).cast(), asked)
    };
    holds(right, "the registry's functions are called in another way")
}

fn properties(device: *mut Device) -> Result<(), Failure> {
    let name = host!("ggml_backend_dev_name", (*mut Device) -> *const c_char);
    let description = host!("ggml_backend_dev_description", (*mut Device) -> *const c_char);
    let memory = host!("ggml_backend_dev_memory", (*mut Device, *mut usize, *mut usize));
    let type_ = host!("ggml_backend_dev_type", (*mut Device) -> c_int);
    let props = host!("ggml_backend_dev_get_props", (*mut Device, *mut Props));
    let supports = host!("ggml_backend_dev_supports_buft", (*mut Device, *mut BufferType) -> bool);
    let buffer_type = host!("ggml_backend_dev_buffer_type", (*mut Device) -> *mut BufferType);
    let (mut free, mut total) = (0, 0);
    // The host may clear more than we fill in.
    let mut room = [0_usize; 64];
    let found: *mut Props = room.as_mut_ptr().cast();
    // SAFETY: the host's functions get a device with our table, two numbers to write to, and more room for the properties than any layout
    // has.
    unsafe {
        memory(device, &raw mut free, &raw mut total);
        props(device, found);
        let found = &*found;
        let named = std::ptr::eq(name(device), device_name(device))
            && std::ptr::eq(description(device), self::description(device));
        let same = named && (free, total) == (FREE, TOTAL) && type_(device) == DEVICE_TYPE_GPU;
        let filled = found.memory_free == FREE && found.memory_total == TOTAL && found.caps.mmap_support;
        let of_type = buffer_type(device) == BUFFER_TYPE.load(Relaxed)
            && supports(device, buffer_type(device))
            && !supports(device, null_mut::<usize>().wrapping_add(8).cast());
        holds(same && filled && of_type, "a device's functions are called in another way")
    }
}

fn buffer_of(layout: Layout, buft: *mut BufferType, sample: &Sample) -> Result<*mut Buffer, Failure> {
    let alignment = host!("ggml_backend_buft_get_alignment", (*mut BufferType) -> usize);
    let max_size = host!("ggml_backend_buft_get_max_size", (*mut BufferType) -> usize);
    let size_of = host!("ggml_backend_buft_get_alloc_size", (*mut BufferType, *mut Tensor) -> usize);
    let is_host = host!("ggml_backend_buft_is_host", (*mut BufferType) -> bool);
    let alloc = host!("ggml_backend_buft_alloc_buffer", (*mut BufferType, usize) -> *mut Buffer);
    let base = host!("ggml_backend_buffer_get_base", (*mut Buffer) -> *mut c_void);
    let size = host!("ggml_backend_buffer_get_size", (*mut Buffer) -> usize);
    let set_usage = host!("ggml_backend_buffer_set_usage", (*mut Buffer, c_int));
    // SAFETY: the host's functions get the buffer type and the buffer of this test, and a tensor of the sample.
    unsafe {
        let typed = alignment(buft) == ALIGNMENT
            && max_size(buft) == usize::MAX
            && size_of(buft, sample.leaf) == LEAF * std::mem::size_of::<f32>()
            && !is_host(buft);
        holds(typed, "a buffer type's functions are called in another way")?;
        let buffer = alloc(buft, BYTES);
        holds(!buffer.is_null(), "no buffer can be made")?;
        let made = base(buffer) as usize == BASE && size(buffer) == BYTES;
        set_usage(buffer, USAGE_WEIGHTS);
        let fields = layout.buffer_fields(buffer);
        let behind = fields.buft == buft && fields.size == BYTES && fields.usage == USAGE_WEIGHTS;
        holds(made && behind, "a buffer is made in another way")?;
        Ok(buffer)
    }
}

/// Bytes in and out of a tensor, and of a view of it.
fn data(layout: Layout, buffer: *mut Buffer, sample: &Sample) -> Result<(), Failure> {
    let place = host!("ggml_backend_tensor_alloc", (*mut Buffer, *mut Tensor, *mut c_void) -> c_int);
    let place_view = host!("ggml_backend_view_init", (*mut Tensor) -> c_int);
    let set = host!("ggml_backend_tensor_set", (*mut Tensor, *const u8, usize, usize));
    let get = host!("ggml_backend_tensor_get", (*mut Tensor, *mut u8, usize, usize));
    let memset = host!("ggml_backend_tensor_memset", (*mut Tensor, u8, usize, usize));
    let clear = host!("ggml_backend_buffer_clear", (*mut Buffer, u8));
    let at = BASE + ALIGNMENT;
    let mut found = [0_u8; 16];
    // SAFETY: the host's functions get the buffer of this test, tensors of the sample, which are placed within it, and arrays of at least
    // the bytes that are copied.
    unsafe {
        place(buffer, sample.leaf, at as *mut c_void);
        place_view(sample.view);
        let placed = (*sample.leaf).buffer == buffer
            && (*sample.leaf).data as usize == at
            && (*sample.view).data as usize == at + VIEW_OFFSET;
        holds(placed, "where a tensor's data are is elsewhere")?;
        clear(buffer, 7);
        set(sample.view, [1, 2, 3, 4].as_ptr(), 4, 4);
        memset(sample.view, 9, 10, 2);
        get(sample.view, found.as_mut_ptr(), 2, 12);
        let copied = found[..12] == [7, 7, 1, 2, 3, 4, 7, 7, 9, 9, 7, 7];
        holds(copied, "a tensor's bytes are copied in another way")?;
        if layout != Layout::O {
            let set_2d = host!(
                "ggml_backend_tensor_set_2d",
                (*mut Tensor, *const u8, usize, usize, usize, usize, usize)
            );
            set_2d(sample.view, [1, 2, 0, 3, 4].as_ptr(), 1, 2, 2, 4, 3);
            get(sample.view, found.as_mut_ptr(), 0, 8);
            holds(found[..8] == [7, 1, 2, 7, 1, 3, 4, 4], "a tensor's rows are copied in another way")?;
        }
    }
    Ok(())
}

fn compute(device: *mut Device, sample: &Sample) -> Result<(), Failure> {
    let init = host!("ggml_backend_dev_init", (*mut Device, *const c_char) -> *mut Backend);
    let supports = host!("ggml_backend_dev_supports_op", (*mut Device, *mut Tensor) -> bool);
    let name = host!("ggml_backend_name", (*mut Backend) -> *const c_char);
    let of = host!("ggml_backend_get_device", (*mut Backend) -> *mut Device);
    let compute = host!("ggml_backend_graph_compute", (*mut Backend, *mut Graph) -> c_int);
    let free = host!("ggml_backend_free", (*mut Backend));
    // SAFETY: the host's functions get the device of this test, a backend that it has made and that is freed once, and nodes and graph of
    // the sample.
    unsafe {
        let backend = init(device, null());
        holds(!backend.is_null(), "no backend can be made")?;
        let made = std::ptr::eq(name(backend), backend_name(backend)) && of(backend) == device;
        holds(made && supports(device, sample.node), "a backend is made in another way")?;
        for result in [status::SUCCESS, status::FAILED] {
            STATUS.store(result, Relaxed);
            let returned = compute(backend, sample.graph);
            let computed = NODES.swap(-1, Relaxed) == 2 && returned == result;
            holds(computed, "a graph is computed in another way")?;
        }
        free(backend);
    }
    Ok(())
}
