//! Buffers: arenas of card DRAM in ggml's own layout.
//!
//! A buffer's base address is made up: nobody dereferences it, ggml only adds offsets. `tensor.data - base` is the
//! offset in the arena, for views as well, so any window of any tensor can be read and written, byte for byte.

use std::any::Any;
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering};

use tt_runtime::{Allocation, DramAddr, Error};

use crate::abi::TensorRef;
use crate::abi::entry::{self, Window, buffer_of};
use crate::abi::host::Host;
use crate::abi::log;
use crate::device::Device;
use crate::weights::WeightError;
use crate::weights::choice::Weight;

/// Alignment of tensors: rows that the vector unit or the matrix unit takes begin where the NoC can bring them to L1 as they are.
pub const ALIGNMENT: usize = 64;
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

/// Bytes that a tensor gets: weights that are to lie in tiles may need more than ggml thinks. ggml allows that for
/// tensors that no operator makes.
pub fn alloc_size(host: &Host, tensor: TensorRef<'_>) -> usize {
    let place = Weight::of(host, tensor).and_then(|weight| weight.place_bytes()).unwrap_or(0);
    host.nbytes(tensor).max(place as usize)
}

impl Arena {
    /// An arena of `size` bytes.
    ///
    /// # Errors
    /// The device does not have so much memory.
    pub fn new(device: &'static Device, size: u64) -> Result<Self, Error> {
        let memory = device.runtime.alloc(size)?;
        Ok(Self { device, memory: (size > 0).then_some(memory), base: new_base(size) })
    }

    /// The arena that a tensor lies in, if it is in a buffer of ours that has memory.
    pub fn of(tensor: TensorRef<'_>) -> Option<&Self> {
        let buffer: &dyn Any = buffer_of(tensor)?;
        buffer.downcast_ref::<Self>().filter(|arena| arena.memory.is_some())
    }

    /// DRAM address of a tensor's first byte.
    pub fn address(&self, tensor: TensorRef<'_>) -> DramAddr {
        let start = self.memory.as_ref().map_or(DramAddr(0), Allocation::addr);
        start.offset(tensor.address().wrapping_sub(self.base))
    }

    /// Reads a tensor's bytes, from the first one on, as they are for ggml.
    ///
    /// # Errors
    /// The device, or a weight's source, failed.
    pub fn read(&self, tensor: TensorRef<'_>, out: &mut [u8]) -> Result<(), WeightError> {
        self.device.weights.read(self.address(tensor), out)
    }
}

/// A base that no other buffer of this process has.
fn new_base(size: u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(FIRST_BASE);
    NEXT.fetch_add(size.next_multiple_of(BASE_ALIGN) + BASE_ALIGN, Ordering::Relaxed)
}

/// Reports a failed access; ggml gives no way to return it, but the device has failed then, and computing fails too.
fn report(what: &str, tensor: Option<TensorRef<'_>>, result: Result<(), impl Display>) -> bool {
    if let Err(error) = &result {
        let name = tensor.map_or(String::new(), |tensor| format!(" {}", tensor.name()));
        log::error(&format!("{what}{name}: {error}"));
    }
    result.is_ok()
}

impl Arena {
    /// Copies from another device, if the two are chips of one card. Otherwise ggml does it through the host.
    fn copy_over(
        &self,
        from: &Arena,
        from_addr: DramAddr,
        addr: DramAddr,
        size: u64,
        dst: TensorRef<'_>,
    ) -> bool {
        let (to, source) = (&self.device.runtime, &from.device.runtime);
        if !to.is_beside(source)
            || !report("cpy_tensor", Some(dst), self.device.weights.before_write(addr, size))
        {
            return false;
        }
        match to.copy_from(addr, source, from_addr, size) {
            Ok(done) => done,
            Err(error) => report("cpy_tensor", Some(dst), Err(error)),
        }
    }

    fn start(&self, window: Window<'_>) -> DramAddr {
        self.address(window.tensor).offset(window.offset)
    }
}

impl entry::Buffer for Arena {
    fn base(&self) -> u64 {
        self.base
    }

    fn fill(&self, window: Window<'_>, size: u64, value: u8) {
        let result = self.device.weights.fill(self.start(window), size, value);
        report("memset_tensor", Some(window.tensor), result);
    }

    fn set(&self, host: &'static Host, window: Window<'_>, data: &[u8]) {
        let weights = &self.device.weights;
        if window.for_weights
            && let Some(weight) = Weight::of(host, window.tensor)
            && weight.place_bytes().is_some()
            && weight.bytes() == Some(data.len() as u64)
        {
            weights.set(self.address(window.tensor), weight, &window.tensor.name(), data);
            return;
        }
        report("set_tensor", Some(window.tensor), weights.write(self.start(window), data));
    }

    fn get(&self, window: Window<'_>, out: &mut [u8]) {
        if !report("get_tensor", Some(window.tensor), self.device.weights.read(self.start(window), out)) {
            // Nothing that could be taken for a result.
            out.fill(0xFF);
        }
    }

    /// Copies between two tensors of one device.
    fn copy(&self, host: &'static Host, src: TensorRef<'_>, window: Window<'_>) -> bool {
        let Some(from) = Self::of(src) else { return false };
        let (dst, size) = (window.tensor, host.nbytes(src) as u64);
        let (addr, from_addr) = (self.start(window), from.address(src));
        let weights = &self.device.weights;
        // A weight goes through the host: its bytes are there, and setting it makes new tiles.
        let through_host = window.for_weights || weights.holds_tiles(from_addr, size);
        if through_host || from.device.weights.holds_tiles(from_addr, size) {
            return false;
        }
        if !std::ptr::eq(from.device, self.device) {
            return self.copy_over(from, from_addr, addr, size, dst);
        }
        report("cpy_tensor", Some(dst), weights.before_write(addr, size))
            && report("cpy_tensor", Some(dst), self.device.runtime.copy(addr, from_addr, size))
    }

    fn clear(&self, size: u64, value: u8) {
        if let Some(memory) = &self.memory {
            self.device.weights.forget(memory.addr(), size);
            report("clear", None, self.device.runtime.fill(memory.addr(), size, value));
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            self.device.weights.forget(memory.addr(), memory.len());
        }
    }
}
