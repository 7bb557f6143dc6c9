//! A device as ggml sees it: name, memory, what it can compute, and its buffer type.
//!
//! # Safety
//! ggml calls these functions with pointers that it got from us: a device's, whose context is a [`Device`] that lives
//! for ever, or a buffer type's; and with tensors that it owns.

#![allow(unsafe_code)]

use std::ffi::{CString, c_char, c_int};
use std::sync::{Arc, OnceLock};

use crate::abi::guard;
use crate::abi::types::{
    Backend, BufferType, Caps, DEVICE_TYPE_GPU, Device as DeviceStruct, DeviceTable, Props, Reg, Tensor,
};
use crate::registry::c_string;
use crate::weights::Weights;
use crate::{backend, buffer, log, plan};

/// A device.
pub struct Device {
    /// "TT0"
    pub name: CString,
    description: CString,
    /// PCI address, if it has one: ggml drops a card that two backends offer.
    id: Option<CString>,
    /// The runtime's device.
    pub runtime: Arc<tt_runtime::Device>,
    /// Weights in its buffers.
    pub weights: Weights,
    pointer: OnceLock<usize>,
    buffer_type: OnceLock<usize>,
}

impl Device {
    /// Makes device number `index`; it lives for ever.
    pub fn leak(index: usize, runtime: Arc<tt_runtime::Device>, reg: *mut Reg) -> &'static Self {
        let device: &'static Self = Box::leak(Box::new(Self {
            name: c_string(&format!("TT{index}")),
            description: c_string(&runtime.description()),
            id: runtime.pci_address().map(|address| c_string(&address)),
            weights: Weights::new(Arc::clone(&runtime)),
            runtime,
            pointer: OnceLock::new(),
            buffer_type: OnceLock::new(),
        }));
        let (name, description) = (device.name.to_string_lossy(), device.description.to_string_lossy());
        log::info(&format!("{name}: {description}, {} MiB", device.runtime.memory().total >> 20));
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
        let context = (&raw const *device).cast_mut().cast();
        let pointer = Box::into_raw(Box::new(DeviceStruct { iface, reg, context }));
        let _ = device.pointer.set(pointer as usize);
        let _ = device.buffer_type.set(buffer::make_type(device) as usize);
        device
    }

    /// ggml's pointer to the device.
    pub fn pointer(&self) -> *mut DeviceStruct {
        self.pointer.get().map_or(std::ptr::null_mut(), |&p| p as *mut DeviceStruct)
    }

    /// ggml's pointer to its buffer type.
    pub fn buffer_type(&self) -> *mut BufferType {
        self.buffer_type.get().map_or(std::ptr::null_mut(), |&p| p as *mut BufferType)
    }

    /// The device behind ggml's pointer.
    ///
    /// # Safety
    /// `pointer` came from [`Device::pointer`].
    unsafe fn from_pointer(pointer: *mut DeviceStruct) -> &'static Self {
        // SAFETY: by contract a `DeviceStruct` whose context is a leaked `Device`.
        unsafe { &*(*pointer).context.cast::<Self>() }
    }
}

unsafe extern "C" fn get_name(device: *mut DeviceStruct) -> *const c_char {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.name.as_ptr()
}

unsafe extern "C" fn get_description(device: *mut DeviceStruct) -> *const c_char {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.description.as_ptr()
}

unsafe extern "C" fn get_memory(device: *mut DeviceStruct, free: *mut usize, total: *mut usize) {
    guard("get_memory", (), || {
        // SAFETY: see the module; ggml passes two places to write to.
        unsafe {
            let memory = Device::from_pointer(device).runtime.memory();
            *free = memory.free as usize;
            *total = memory.total as usize;
        }
    });
}

extern "C" fn get_type(_device: *mut DeviceStruct) -> c_int {
    DEVICE_TYPE_GPU
}

unsafe extern "C" fn get_props(pointer: *mut DeviceStruct, props: *mut Props) {
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
                device_id: device.id.as_ref().map_or(std::ptr::null(), |id| id.as_ptr()),
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

unsafe extern "C" fn init_backend(device: *mut DeviceStruct, _params: *const c_char) -> *mut Backend {
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

unsafe extern "C" fn get_buffer_type(device: *mut DeviceStruct) -> *mut BufferType {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.buffer_type()
}

unsafe extern "C" fn supports_op(_device: *mut DeviceStruct, op: *const Tensor) -> bool {
    guard("supports_op", false, || {
        // SAFETY: see the module.
        plan::supported(unsafe { &*op })
    })
}

unsafe extern "C" fn supports_buft(device: *mut DeviceStruct, buft: *mut BufferType) -> bool {
    // SAFETY: see the module.
    unsafe { Device::from_pointer(device) }.buffer_type() == buft
}
