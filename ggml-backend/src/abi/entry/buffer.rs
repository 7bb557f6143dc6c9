//! Tables of a buffer type and of buffers.

#![allow(unsafe_code)]

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use super::super::guard;
use super::super::host::{Host, host};
use super::super::tables::{self, BufferFields, BufferFunctions, BufferTypeFields, BufferTypeFunctions};
use super::super::tensor::TensorRef;
use super::super::types::{Buffer as BufferStruct, BufferType, Tensor, USAGE_WEIGHTS};
use super::device::DeviceContext;
use super::{Buffer, Device, Window};

/// What a buffer's struct has as context: a thin pointer to one that is not.
type BufferContext = Box<dyn Buffer>;

/// A device's buffer type, which is never freed.
pub fn make_type(host: &'static Host, context: &'static DeviceContext) -> *mut BufferType {
    let functions = BufferTypeFunctions {
        get_name: type_name,
        alloc_buffer,
        get_alignment: alignment,
        get_alloc_size: alloc_size,
    };
    let opaque = std::ptr::from_ref(context).cast_mut().cast();
    host.leak_buffer_type(&functions, BufferTypeFields { device: context.pointer(), context: opaque })
}

/// The device behind a buffer type.
///
/// # Safety
/// `buft` came from [`make_type`] of this host.
unsafe fn type_device(host: &'static Host, buft: *mut BufferType) -> &'static dyn Device {
    // SAFETY: `make_type` has given it a `DeviceContext` that is never freed.
    unsafe { &*host.buffer_type_fields(buft).context.cast::<DeviceContext>() }.device
}

unsafe extern "C" fn type_name(buft: *mut BufferType) -> *const c_char {
    // SAFETY: ggml passes a buffer type that `make_type` has made.
    host().map_or(c"".as_ptr(), |host| unsafe { type_device(host, buft) }.name().as_ptr())
}

unsafe extern "C" fn alignment(buft: *mut BufferType) -> usize {
    // SAFETY: ggml passes a buffer type that `make_type` has made.
    host().map_or(1, |host| unsafe { type_device(host, buft) }.alignment())
}

unsafe extern "C" fn alloc_size(buft: *mut BufferType, tensor: *const Tensor) -> usize {
    guard("get_alloc_size", 0, || {
        let Ok(host) = host() else { return 0 };
        // SAFETY: ggml passes a buffer type that `make_type` has made, and a tensor that is alive during the call.
        let (device, tensor) = unsafe { (type_device(host, buft), TensorRef::new(tensor)) };
        device.alloc_size(host, tensor)
    })
}

unsafe extern "C" fn alloc_buffer(buft: *mut BufferType, size: usize) -> *mut BufferStruct {
    guard("alloc_buffer", null_mut(), || {
        let Ok(host) = host() else { return null_mut() };
        // SAFETY: ggml passes a buffer type that `make_type` has made.
        let Some(buffer) = unsafe { type_device(host, buft) }.alloc(size) else { return null_mut() };
        let context: *mut BufferContext = Box::into_raw(Box::new(buffer));
        // SAFETY: the buffer type is the host's, and the functions take a `BufferContext`.
        unsafe { host.buffer_init(buft, &FUNCTIONS, context.cast(), size) }
    })
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

/// A buffer of ours during a call.
struct Ours<'a> {
    host: &'static Host,
    fields: BufferFields,
    buffer: &'a dyn Buffer,
}

impl<'a> Ours<'a> {
    /// # Safety
    /// `pointer` is a buffer that [`alloc_buffer`] has made and that is not freed during `'a`.
    unsafe fn new(pointer: *mut BufferStruct) -> Option<Self> {
        let host = host().ok()?;
        // SAFETY: by contract a buffer of this host whose context is a `BufferContext`.
        unsafe {
            let fields = host.buffer_fields(pointer);
            Some(Self { host, fields, buffer: &**fields.context.cast::<BufferContext>() })
        }
    }

    fn for_weights(&self) -> bool {
        self.fields.usage == USAGE_WEIGHTS
    }

    fn window<'t>(&self, tensor: TensorRef<'t>, offset: usize) -> Window<'t> {
        Window { tensor, offset: offset as u64, for_weights: self.for_weights() }
    }
}

/// The buffer of ours that a tensor lies in.
pub fn buffer_of(tensor: TensorRef<'_>) -> Option<&dyn Buffer> {
    let pointer = tensor.buffer();
    if pointer.is_null() || tensor.address() == 0 {
        return None;
    }
    // SAFETY: the buffer of a `TensorRef` is alive as long as that.
    let found = unsafe { tables::destructor(pointer) }?;
    // Ours have our destructor.
    if found as usize != free_buffer as *const () as usize {
        return None;
    }
    // SAFETY: only `alloc_buffer` makes buffers with this destructor, and it is alive as above.
    unsafe { Ours::new(pointer) }.map(|ours| ours.buffer)
}

/// Whether a tensor lies in a buffer for weights, of any backend.
pub fn is_for_weights(host: &'static Host, tensor: TensorRef<'_>) -> bool {
    let pointer = tensor.buffer();
    // SAFETY: the buffer of a `TensorRef` is alive as long as that, and of this host.
    !pointer.is_null() && unsafe { host.buffer_fields(pointer) }.usage == USAGE_WEIGHTS
}

unsafe extern "C" fn free_buffer(buffer: *mut BufferStruct) {
    guard("free_buffer", (), || {
        let Ok(host) = host() else { return };
        // SAFETY: ggml passes a buffer that `alloc_buffer` has made, and does not use it again: its context is a box that nobody else has.
        drop(unsafe { Box::from_raw(host.buffer_fields(buffer).context.cast::<BufferContext>()) });
    });
}

unsafe extern "C" fn get_base(buffer: *mut BufferStruct) -> *mut c_void {
    // SAFETY: ggml passes a buffer that `alloc_buffer` has made.
    unsafe { Ours::new(buffer) }.map_or(null_mut(), |ours| ours.buffer.base() as *mut c_void)
}

unsafe extern "C" fn memset_tensor(
    buffer: *mut BufferStruct,
    tensor: *mut Tensor,
    value: u8,
    offset: usize,
    size: usize,
) {
    guard("memset_tensor", (), || {
        // SAFETY: ggml passes a buffer that `alloc_buffer` has made, and a tensor that is alive during the call.
        let (ours, tensor) = unsafe { (Ours::new(buffer), TensorRef::new(tensor)) };
        if let Some(ours) = ours {
            ours.buffer.fill(ours.window(tensor, offset), size as u64, value);
        }
    });
}

unsafe extern "C" fn set_tensor(
    buffer: *mut BufferStruct,
    tensor: *mut Tensor,
    data: *const u8,
    offset: usize,
    size: usize,
) {
    guard("set_tensor", (), || {
        if size == 0 {
            return;
        }
        // SAFETY: ggml passes `size` bytes, which it does not change during the call.
        let data = unsafe { std::slice::from_raw_parts(data, size) };
        // SAFETY: ggml passes a buffer that `alloc_buffer` has made, and a tensor that is alive during the call.
        let (ours, tensor) = unsafe { (Ours::new(buffer), TensorRef::new(tensor)) };
        if let Some(ours) = ours {
            ours.buffer.set(ours.host, ours.window(tensor, offset), data);
        }
    });
}

unsafe extern "C" fn get_tensor(
    buffer: *mut BufferStruct,
    tensor: *const Tensor,
    data: *mut u8,
    offset: usize,
    size: usize,
) {
    guard("get_tensor", (), || {
        if size == 0 {
            return;
        }
        // SAFETY: ggml passes `size` bytes to write to, which nobody else uses during the call. They may never have been written to, so
        // they are, before a slice is made of them.
        let out = unsafe {
            data.write_bytes(0, size);
            std::slice::from_raw_parts_mut(data, size)
        };
        // SAFETY: ggml passes a buffer that `alloc_buffer` has made, and a tensor that is alive during the call.
        let (ours, tensor) = unsafe { (Ours::new(buffer), TensorRef::new(tensor)) };
        if let Some(ours) = ours {
            ours.buffer.get(ours.window(tensor, offset), out);
        }
    });
}

unsafe extern "C" fn set_tensor_2d(
    buffer: *mut BufferStruct,
    tensor: *mut Tensor,
    data: *const u8,
    offset: usize,
    size: usize,
    copies: usize,
    stride_tensor: usize,
    stride_data: usize,
) {
    for i in 0..copies {
        // SAFETY: ggml passes `copies` pieces of `size` bytes, `stride_data` bytes apart; the rest is as for `set_tensor`.
        unsafe { set_tensor(buffer, tensor, data.add(i * stride_data), offset + i * stride_tensor, size) };
    }
}

unsafe extern "C" fn get_tensor_2d(
    buffer: *mut BufferStruct,
    tensor: *const Tensor,
    data: *mut u8,
    offset: usize,
    size: usize,
    copies: usize,
    stride_tensor: usize,
    stride_data: usize,
) {
    for i in 0..copies {
        // SAFETY: ggml passes `copies` places of `size` bytes, `stride_data` bytes apart; the rest is as for `get_tensor`.
        unsafe { get_tensor(buffer, tensor, data.add(i * stride_data), offset + i * stride_tensor, size) };
    }
}

unsafe extern "C" fn cpy_tensor(buffer: *mut BufferStruct, src: *const Tensor, dst: *mut Tensor) -> bool {
    guard("cpy_tensor", false, || {
        // SAFETY: ggml passes a buffer that `alloc_buffer` has made, and two tensors that are alive during the call.
        let (ours, src, dst) = unsafe { (Ours::new(buffer), TensorRef::new(src), TensorRef::new(dst)) };
        ours.is_some_and(|ours| ours.buffer.copy(ours.host, src, ours.window(dst, 0)))
    })
}

unsafe extern "C" fn clear(buffer: *mut BufferStruct, value: u8) {
    guard("clear", (), || {
        // SAFETY: ggml passes a buffer that `alloc_buffer` has made.
        if let Some(ours) = unsafe { Ours::new(buffer) } {
            ours.buffer.clear(ours.fields.size as u64, value);
        }
    });
}
