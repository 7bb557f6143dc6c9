//! A device's table.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::super::guard;
use super::super::host::{Host, host};
use super::super::tensor::TensorRef;
use super::super::types::{
    Backend, BufferType, Caps, DEVICE_TYPE_GPU, Device as DeviceStruct, DeviceTable, Props, Reg, Tensor,
};
use super::{Device, backend, buffer};

/// What a device's struct and its buffer type's have as context. It is never freed.
pub struct DeviceContext {
    /// The device.
    pub device: &'static dyn Device,
    /// ggml's pointer to it.
    pointer: AtomicPtr<DeviceStruct>,
    /// ggml's pointer to its buffer type.
    buffer_type: AtomicPtr<BufferType>,
}

impl DeviceContext {
    /// ggml's pointer to the device.
    pub fn pointer(&self) -> *mut DeviceStruct {
        self.pointer.load(Ordering::Acquire)
    }

    fn buffer_type(&self) -> *mut BufferType {
        self.buffer_type.load(Ordering::Acquire)
    }
}

/// ggml's struct of a device.
pub fn make(host: &'static Host, device: &'static dyn Device, reg: *mut Reg) -> *mut DeviceStruct {
    let context: &'static DeviceContext = Box::leak(Box::new(DeviceContext {
        device,
        pointer: AtomicPtr::new(null_mut()),
        buffer_type: AtomicPtr::new(null_mut()),
    }));
    let iface = DeviceTable {
        get_name,
        get_description,
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
    };
    let opaque = std::ptr::from_ref(context).cast_mut().cast();
    let pointer = Box::into_raw(Box::new(DeviceStruct { iface, reg, context: opaque }));
    context.pointer.store(pointer, Ordering::Release);
    context.buffer_type.store(buffer::make_type(host, context), Ordering::Release);
    pointer
}

/// The context of a device.
///
/// # Safety
/// `pointer` came from [`make`].
unsafe fn context(pointer: *mut DeviceStruct) -> &'static DeviceContext {
    // SAFETY: `make` has given it a leaked `DeviceContext`.
    unsafe { &*(*pointer).context.cast::<DeviceContext>() }
}

unsafe extern "C" fn get_name(pointer: *mut DeviceStruct) -> *const c_char {
    // SAFETY: ggml passes a device that `make` has made.
    unsafe { context(pointer) }.device.name().as_ptr()
}

unsafe extern "C" fn get_description(pointer: *mut DeviceStruct) -> *const c_char {
    // SAFETY: ggml passes a device that `make` has made.
    unsafe { context(pointer) }.device.description().as_ptr()
}

unsafe extern "C" fn get_memory(pointer: *mut DeviceStruct, free: *mut usize, total: *mut usize) {
    guard("get_memory", (), || {
        // SAFETY: ggml passes a device that `make` has made.
        let memory = unsafe { context(pointer) }.device.memory();
        // SAFETY: ggml passes two places to write to.
        unsafe { (*free, *total) = (memory.free, memory.total) };
    });
}

extern "C" fn get_type(_pointer: *mut DeviceStruct) -> c_int {
    DEVICE_TYPE_GPU
}

unsafe extern "C" fn get_props(pointer: *mut DeviceStruct, props: *mut Props) {
    guard("get_props", (), || {
        // SAFETY: ggml passes a device that `make` has made.
        let device = unsafe { context(pointer) }.device;
        let memory = device.memory();
        let filled = Props {
            name: device.name().as_ptr(),
            description: device.description().as_ptr(),
            memory_free: memory.free,
            memory_total: memory.total,
            type_: DEVICE_TYPE_GPU,
            device_id: device.id().map_or(null(), CStr::as_ptr),
            caps: Caps {
                async_: false,
                host_buffer: false,
                buffer_from_host_ptr: false,
                events: false,
                mmap_support: true,
            },
        };
        // SAFETY: ggml passes a place of this size; its content does not matter, and nothing in it has to be dropped.
        unsafe { props.write(filled) };
    });
}

unsafe extern "C" fn init_backend(pointer: *mut DeviceStruct, _params: *const c_char) -> *mut Backend {
    guard("init_backend", null_mut(), || {
        // SAFETY: ggml passes a device that `make` has made.
        let context = unsafe { context(pointer) };
        let Ok(host) = host() else { return null_mut() };
        context.device.backend(host).map_or(null_mut(), |ours| backend::make(host, context, ours))
    })
}

unsafe extern "C" fn get_buffer_type(pointer: *mut DeviceStruct) -> *mut BufferType {
    // SAFETY: ggml passes a device that `make` has made.
    unsafe { context(pointer) }.buffer_type()
}

unsafe extern "C" fn supports_op(pointer: *mut DeviceStruct, op: *const Tensor) -> bool {
    guard("supports_op", false, || {
        let Ok(host) = host() else { return false };
        // SAFETY: ggml passes a device that `make` has made, and a tensor that is alive during the call.
        let (device, node) = unsafe { (context(pointer).device, TensorRef::new(op)) };
        device.supports(host, node)
    })
}

unsafe extern "C" fn supports_buft(pointer: *mut DeviceStruct, buft: *mut BufferType) -> bool {
    // SAFETY: ggml passes a device that `make` has made; the buffer type, which may be another backend's, is only compared.
    unsafe { context(pointer) }.buffer_type() == buft
}
