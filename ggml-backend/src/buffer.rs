//! Buffers: arenas of card DRAM in ggml's own layout.
//!
//! A buffer's base address is made up: nobody dereferences it, ggml only adds offsets. `tensor.data - base` is the
//! offset in the arena, for views as well, so any window of any tensor can be read and written, byte for byte.
//!
//! # Safety
//! ggml calls these functions with buffers and buffer types that it got from us, with tensors that lie in that buffer
//! (it checks windows against the tensor), and with host memory of the size that it says.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use tt_runtime::{Allocation, DramAddr};

use crate::abi::guard;
use crate::abi::host::{Host, Operator, host};
use crate::abi::tables::{self, BufferFields, BufferFunctions, BufferTypeFields, BufferTypeFunctions};
use crate::abi::types::{Buffer, BufferType, Tensor, USAGE_WEIGHTS, status};
use crate::device::Device;
use crate::weights::choice::Weight;
use crate::weights::contiguous;
use crate::{log, plan};

/// Alignment of tensors: rows that the vector unit or the matrix unit takes begin where the NoC can bring them to L1 as they are.
const ALIGNMENT: usize = 64;
const _: () = assert!(ALIGNMENT.is_multiple_of(tt_runtime::CONGRUENCE as usize));
/// Bases are multiples of this, and different buffers' bases far apart.
const BASE_ALIGN: u64 = 4096;
/// First base: in the part of the address space that no process has memory in.
const FIRST_BASE: u64 = 0x7100_0000_0000_0000;

/// An arena.
pub struct Arena {
    /// Device that it is on.
    pub device: &'static Device,
    memory: Option<Allocation>,
    base: u64,
}

impl Arena {
    /// DRAM address of a tensor's first byte.
    pub fn address(&self, tensor: &Tensor) -> DramAddr {
        let start = self.memory.as_ref().map_or(DramAddr(0), Allocation::addr);
        start.offset((tensor.data as u64).wrapping_sub(self.base))
    }
}

/// A buffer type for a device; it is never freed.
pub fn make_type(device: &'static Device) -> *mut BufferType {
    let functions = BufferTypeFunctions {
        get_name: type_name,
        alloc_buffer,
        get_alignment: alignment,
        get_alloc_size: alloc_size,
    };
    let fields =
        BufferTypeFields { device: device.pointer(), context: (&raw const *device).cast_mut().cast() };
    host().map_or(std::ptr::null_mut(), |host| host.leak_buffer_type(&functions, fields))
}

/// Our device behind a buffer type.
///
/// # Safety
/// `buft` came from [`make_type`].
unsafe fn type_device(buft: *mut BufferType) -> Option<&'static Device> {
    // SAFETY: by contract its context is a leaked `Device`.
    unsafe { host().ok()?.buffer_type_fields(buft).context.cast::<Device>().as_ref() }
}

unsafe extern "C" fn type_name(buft: *mut BufferType) -> *const c_char {
    // SAFETY: see the module.
    unsafe { type_device(buft) }.map_or(c"TT".as_ptr(), |device| device.name.as_ptr())
}

extern "C" fn alignment(_buft: *mut BufferType) -> usize {
    ALIGNMENT
}

/// Bytes that a tensor gets: weights that are to lie in tiles may need more than ggml thinks. ggml allows that for
/// tensors that no operator makes.
unsafe extern "C" fn alloc_size(_buft: *mut BufferType, tensor: *const Tensor) -> usize {
    guard("get_alloc_size", 0, || {
        let Ok(host) = host() else { return 0 };
        // SAFETY: see the module.
        let tensor = unsafe { &*tensor };
        let place = weight(host, tensor).and_then(|weight| weight.place_bytes()).unwrap_or(0);
        host.nbytes(tensor).max(place as usize)
    })
}

/// What a tensor is as a weight: whole contiguous matrices that no operator makes.
pub fn weight(host: &Host, tensor: &Tensor) -> Option<Weight> {
    let leaf = tensor.view_src.is_null() && host.operator(tensor.op) == Some(Operator::View);
    let matrices = plan::matrices(host, tensor, 0).filter(|_| leaf)?;
    (matrices.nb == contiguous(&matrices.weight)).then_some(matrices.weight)
}

unsafe extern "C" fn alloc_buffer(buft: *mut BufferType, size: usize) -> *mut Buffer {
    guard("alloc_buffer", std::ptr::null_mut(), || {
        // SAFETY: see the module.
        let (Some(device), Ok(host)) = (unsafe { type_device(buft) }, host()) else {
            return std::ptr::null_mut();
        };
        let memory = match device.runtime.alloc(size as u64) {
            Ok(memory) => (size > 0).then_some(memory),
            Err(error) => {
                log::error(&format!("{}: {error}", device.name.to_string_lossy()));
                return std::ptr::null_mut();
            }
        };
        let arena = Box::into_raw(Box::new(Arena { device, memory, base: new_base(size as u64) }));
        // SAFETY: ggml asked for a buffer of this type; the functions take an `Arena`.
        unsafe { host.buffer_init(buft, &FUNCTIONS, arena.cast(), size) }
    })
}

/// A base that no other buffer of this process has.
fn new_base(size: u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(FIRST_BASE);
    NEXT.fetch_add(size.next_multiple_of(BASE_ALIGN) + BASE_ALIGN, Ordering::Relaxed)
}

const FUNCTIONS: BufferFunctions = BufferFunctions {
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

/// What stands behind a buffer's functions.
///
/// # Safety
/// `buffer` is a buffer of this host.
unsafe fn fields(buffer: *mut Buffer) -> Option<BufferFields> {
    // SAFETY: by contract.
    host().ok().map(|host| unsafe { host.buffer_fields(buffer) })
}

/// Our [`Arena`] behind a buffer of ours.
///
/// # Safety
/// `buffer` was made by [`alloc_buffer`].
unsafe fn context(buffer: *mut Buffer) -> *mut Arena {
    // SAFETY: by contract.
    unsafe { fields(buffer) }.map_or(std::ptr::null_mut(), |fields| fields.context.cast())
}

/// The arena behind a buffer of ours.
///
/// # Safety
/// `buffer` was made by [`alloc_buffer`].
unsafe fn arena<'a>(buffer: *mut Buffer) -> &'a Arena {
    // SAFETY: by contract its context is an `Arena`.
    unsafe { &*context(buffer) }
}

/// The arena that a tensor lies in, if it is in a buffer of ours that has memory.
///
/// # Safety
/// The tensor's buffer is valid.
pub unsafe fn arena_of<'a>(tensor: &Tensor) -> Option<&'a Arena> {
    let buffer = tensor.buffer;
    if buffer.is_null() || tensor.data.is_null() {
        return None;
    }
    // SAFETY: by contract; ours have our destructor.
    let ours = unsafe { tables::destructor(buffer) }
        .is_some_and(|found| found as usize == free_buffer as *const () as usize);
    // SAFETY: it is one of ours.
    ours.then(|| unsafe { arena(buffer) }).filter(|arena| arena.memory.is_some())
}

/// Whether a buffer is for weights.
///
/// # Safety
/// `buffer` is a buffer of this host.
pub unsafe fn is_for_weights(buffer: *mut Buffer) -> bool {
    // SAFETY: by contract.
    unsafe { fields(buffer) }.is_some_and(|fields| fields.usage == USAGE_WEIGHTS)
}

/// Reports a failed access; ggml gives no way to return it, but the device has failed then, and computing fails too.
fn report(what: &str, tensor: Option<&Tensor>, result: Result<(), impl Display>) -> bool {
    if let Err(error) = &result {
        let name = tensor.map_or(String::new(), |t| format!(" {}", plan::name(t)));
        log::error(&format!("{what}{name}: {error}"));
    }
    result.is_ok()
}

unsafe extern "C" fn free_buffer(buffer: *mut Buffer) {
    guard("free_buffer", (), || {
        // SAFETY: see the module; ggml does not use the buffer again.
        let arena = unsafe { Box::from_raw(context(buffer)) };
        if let Some(memory) = &arena.memory {
            arena.device.weights.forget(memory.addr(), memory.len());
        }
    });
}

unsafe extern "C" fn get_base(buffer: *mut Buffer) -> *mut c_void {
    // SAFETY: see the module.
    unsafe { arena(buffer) }.base as *mut c_void
}

unsafe extern "C" fn memset_tensor(
    buffer: *mut Buffer,
    tensor: *mut Tensor,
    value: u8,
    offset: usize,
    size: usize,
) {
    guard("memset_tensor", (), || {
        // SAFETY: see the module.
        let (arena, tensor) = unsafe { (arena(buffer), &*tensor) };
        let addr = arena.address(tensor).offset(offset as u64);
        report("memset_tensor", Some(tensor), arena.device.weights.fill(addr, size as u64, value));
    });
}

unsafe extern "C" fn set_tensor(
    buffer: *mut Buffer,
    tensor: *mut Tensor,
    data: *const u8,
    offset: usize,
    size: usize,
) {
    guard("set_tensor", (), || {
        if size == 0 {
            return;
        }
        // SAFETY: see the module.
        let (arena, tensor, data) =
            unsafe { (arena(buffer), &*tensor, std::slice::from_raw_parts(data, size)) };
        let weights = &arena.device.weights;
        // SAFETY: the tensor is in this buffer of ours.
        if unsafe { is_for_weights(buffer) }
            && let Ok(host) = host()
            && let Some(weight) = weight(host, tensor)
            && weight.place_bytes().is_some()
            && weight.bytes() == Some(size as u64)
        {
            weights.set(arena.address(tensor), weight, &plan::name(tensor), data);
            return;
        }
        let addr = arena.address(tensor).offset(offset as u64);
        report("set_tensor", Some(tensor), weights.write(addr, data));
    });
}

unsafe extern "C" fn get_tensor(
    buffer: *mut Buffer,
    tensor: *const Tensor,
    data: *mut u8,
    offset: usize,
    size: usize,
) {
    guard("get_tensor", (), || {
        if size == 0 {
            return;
        }
        // SAFETY: see the module.
        let (arena, tensor, data) =
            unsafe { (arena(buffer), &*tensor, std::slice::from_raw_parts_mut(data, size)) };
        let addr = arena.address(tensor).offset(offset as u64);
        if !report("get_tensor", Some(tensor), arena.device.weights.read(addr, data)) {
            // Nothing that could be taken for a result.
            data.fill(0xFF);
        }
    });
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
        // SAFETY: the pieces lie in what the caller describes.
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
        // SAFETY: the pieces lie in what the caller describes.
        unsafe { get_tensor(buffer, tensor, data.add(i * stride_data), offset + i * stride_tensor, size) };
    }
}

/// Copies between two tensors of one device; `false` makes ggml copy through the host.
unsafe extern "C" fn cpy_tensor(buffer: *mut Buffer, src: *const Tensor, dst: *mut Tensor) -> bool {
    guard("cpy_tensor", false, || {
        // SAFETY: see the module.
        let (to, src, dst) = unsafe { (arena(buffer), &*src, &*dst) };
        // SAFETY: as above.
        let Some(from) = (unsafe { arena_of(src) }) else { return false };
        let Ok(host) = host() else { return false };
        let size = host.nbytes(src) as u64;
        let (addr, from_addr) = (to.address(dst), from.address(src));
        let weights = &to.device.weights;
        // A weight goes through the host: its bytes are there, and setting it makes new tiles.
        // SAFETY: as above.
        let for_weights = unsafe { is_for_weights(buffer) };
        if !std::ptr::eq(from.device, to.device) || for_weights || weights.holds_tiles(from_addr, size) {
            return false;
        }
        report("cpy_tensor", Some(dst), weights.before_write(addr, size))
            && report("cpy_tensor", Some(dst), to.device.runtime.copy(addr, from_addr, size))
    })
}

unsafe extern "C" fn clear(buffer: *mut Buffer, value: u8) {
    guard("clear", (), || {
        // SAFETY: see the module.
        let (arena, fields) = unsafe { (arena(buffer), fields(buffer)) };
        if let (Some(memory), Some(fields)) = (&arena.memory, fields) {
            arena.device.weights.forget(memory.addr(), fields.size as u64);
            report("clear", None, arena.device.runtime.fill(memory.addr(), fields.size as u64, value));
        }
    });
}

/// `GGML_STATUS_*` of a result.
pub fn status_of(ok: bool) -> c_int {
    if ok { status::SUCCESS } else { status::FAILED }
}
