//! A device as ggml sees it: name, memory, what it can compute, and its buffer type.
//!
//! # Safety
//! ggml calls these functions with pointers that it got from us: a device's, whose context is a [`Device`] that lives
//! for ever, or a buffer type's; and with tensors that it owns.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::{Arc, OnceLock};

use crate::abi::guard;
use crate::abi::types::{Caps, DEVICE_TYPE_GPU, DeviceStruct, Props, Tensor};
use crate::registry::c_string;
use crate::weights::Weights;
use crate::{backend, buffer, log, plan};

/// A device.
pub struct Device {
    /// "TT0"
    pub name: CString,
    description: CString,
    /// The runtime's device.
    pub runtime: Arc<tt_runtime::Device>,
    /// Weights in its buffers.
    pub weights: Weights,
    pointer: OnceLock<usize>,
    buffer_type: OnceLock<usize>,
}

impl Device {
    /// Makes device number `index`; it lives for ever.
    pub fn leak(index: usize, runtime: Arc<tt_runtime::Device>, reg: *mut c_void) -> &'static Self {
        let device: &'static Self = Box::leak(Box::new(Self {
            name: c_string(&format!("TT{index}")),
            description: c_string(&runtime.description()),
            weights: Weights::new(Arc::clone(&runtime)),
            runtime,
            pointer: OnceLock::new(),
            buffer_type: OnceLock::new(),
        }));
        let iface = [
            get_name as *const c_void,
            get_description as *const c_void,
            get_memory as *const c_void,
            get_type as *const c_void,
            get_props as *const c_void,
            init_backend as *const c_void,
            get_buffer_type as *const c_void,
            std::ptr::null(),
            std::ptr::null(),
            supports_op as *const c_void,
            supports_buft as *const c_void,
            std::ptr::null(),
            std::ptr::null(),
            std::ptr::null(),
            std::ptr::null(),
        ];
        let context = (&raw const *device).cast_mut().cast();
        let pointer = Box::into_raw(Box::new(DeviceStruct { iface, reg, context }));
        let _ = device.pointer.set(pointer as usize);
        let _ = device.buffer_type.set(buffer::make_type(device) as usize);
        device
    }

    /// ggml's pointer to the device.
    pub fn pointer(&self) -> *mut c_void {
        self.pointer.get().map_or(std::ptr::null_mut(), |&p| p as *mut c_void)
    }

    /// ggml's pointer to its buffer type.
    pub fn buffer_type(&self) -> *mut c_void {
        self.buffer_type.get().map_or(std::ptr::null_mut(), |&p| p as *mut c_void)
    }

    /// The device behind ggml's pointer.
    ///
    /// # Safety
    /// `pointer` came from [`Device::pointer`].
    unsafe fn from_pointer(pointer: *mut c_void) -> &'static Self {
        // SAFETY: by contract a `DeviceStruct` whose context is a leaked `Device`.
        unsafe { &*(*pointer.cast::<DeviceStruct>()).context.cast::<Self>() }
    }
}

unsafe extern "C" fn get_name(device: *mut c_void) -> *const c_char {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.name.as_ptr()
}

unsafe extern "C" fn get_description(device: *mut c_void) -> *const c_char {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.description.as_ptr()
}

unsafe extern "C" fn get_memory(device: *mut c_void, free: *mut usize, total: *mut usize) {
    guard("get_memory", (), || {
        // SAFETY: see the module; ggml passes two places to write to.
        unsafe {
            let memory = Device::from_pointer(device).runtime.memory();
            *free = memory.free as usize;
            *total = memory.total as usize;
        }
    });
}

extern "C" fn get_type(_device: *mut c_void) -> c_int {
    DEVICE_TYPE_GPU
}

unsafe extern "C" fn get_props(pointer: *mut c_void, props: *mut Props) {
    guard("get_props", (), || {
        // SAFETY: see the module; ggml passes a place to write to.
        unsafe {
            let device = Device::from_pointer(pointer);
            let memory = device.runtime.memory();
            props.write(Props {
                name: device.name.as_ptr(),
                description: device.description.as_ptr(),
                memory_free: memory.free as usize,
                memory_total: memory.total as usize,
                type_: DEVICE_TYPE_GPU,
                device_id: std::ptr::null(),
                caps: Caps {
                    async_: false,
                    host_buffer: false,
                    buffer_from_host_ptr: false,
                    events: false,
                    mmap_support: true,
                },
            });
        }
    });
}

unsafe extern "C" fn init_backend(device: *mut c_void, _params: *const c_char) -> *mut c_void {
    guard("init_backend", std::ptr::null_mut(), || {
        // SAFETY: see the module.
        let device = unsafe { Device::from_pointer(device) };
        // A device that does not boot says so here, where ggml can still go on without it.
        match device.runtime.info() {
            Ok(info) => {
                let (x, y) = info.grid;
                log::debug(&format!("{}: {x} x {y} Tensix tiles", device.name.to_string_lossy()));
                backend::make(device)
            }
            Err(error) => {
                log::error(&format!("{} cannot be used: {error}", device.name.to_string_lossy()));
                std::ptr::null_mut()
            }
        }
    })
}

unsafe extern "C" fn get_buffer_type(device: *mut c_void) -> *mut c_void {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.buffer_type()
}

unsafe extern "C" fn supports_op(_device: *mut c_void, op: *const Tensor) -> bool {
    guard("supports_op", false, || {
        // SAFETY: see the module.
        plan::supported(unsafe { &*op })
    })
}

unsafe extern "C" fn supports_buft(device: *mut c_void, buft: *mut c_void) -> bool {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.buffer_type() == buft
}
