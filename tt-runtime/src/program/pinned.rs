//! Memory of this host that kernels write to.

use std::marker::PhantomData;
use std::sync::Arc;

use zerocopy::IntoBytes;

use super::buffer::{Element, bytes_of, inside};
use crate::device::{Device, HostRegion};
use crate::error::Error;

/// Elements in memory of this host that kernels write to over PCIe; the host reads and writes them without asking the card.
///
/// A host that waits for a kernel looks at one element ([`poll`](Self::poll)) until it has the value that the kernel writes last; what the kernel has written and waited
/// for before is there then. There is little such memory (half of what the driver gives in one piece: 1 MiB), in pages of 8 KiB. Not every
/// device has it: the vendor's simulator has none.
#[derive(Clone)]
pub struct HostBuffer<T> {
    pub(super) region: Arc<HostRegion>,
    len: usize,
    elements: PhantomData<T>,
}

impl<T: Element> HostBuffer<T> {
    /// `len` elements, all of them zero.
    ///
    /// # Errors
    /// There is no room; the chip reaches no memory of this host.
    pub fn new(device: &Arc<Device>, len: usize) -> Result<Self, Error> {
        let region = Arc::new(device.host_region(bytes_of::<T>(len)?)?);
        let buffer = Self { region, len, elements: PhantomData };
        buffer.fill(T::new_zeroed())?;
        Ok(buffer)
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes elements from element `first` on. No kernel may be writing there.
    ///
    /// # Errors
    /// There are not so many; the device has been opened again since; the race detector sees a kernel writing there.
    pub fn write(&self, first: usize, data: &[T]) -> Result<(), Error> {
        inside(first, data.len(), self.len)?;
        self.region.write((first * size_of::<T>()) as u32, data.as_bytes())
    }

    /// Writes the same value to all elements.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn fill(&self, value: T) -> Result<(), Error> {
        self.write(0, &vec![value; self.len])
    }

    /// Reads all elements. What a kernel has written and waited for is there once the kernel has said so.
    ///
    /// # Errors
    /// The device has been opened again since; the race detector sees a kernel writing there.
    pub fn read(&self) -> Result<Vec<T>, Error> {
        self.read_from(0, self.len)
    }

    /// Reads `count` elements from element `first` on, as [`read`](Self::read) does.
    ///
    /// # Errors
    /// There are not so many; otherwise as [`read`](Self::read).
    pub fn read_from(&self, first: usize, count: usize) -> Result<Vec<T>, Error> {
        inside(first, count, self.len)?;
        let mut data = vec![T::new_zeroed(); count];
        self.region.read((first * size_of::<T>()) as u32, <[T]>::as_mut_bytes(&mut data))?;
        Ok(data)
    }

    /// Looks at an element that a kernel may be writing: it has its old value or its new one. If it has the new one, whatever the
    /// kernel has written here before, and waited for, is seen by reads after this.
    ///
    /// # Errors
    /// There is no such element; the device has been opened again since.
    pub fn poll(&self, index: usize) -> Result<T, Error> {
        const { assert!(size_of::<T>() <= size_of::<u32>(), "a word is read at once") };
        inside(index, 1, self.len)?;
        let mut element = [T::new_zeroed()];
        self.region.read((index * size_of::<T>()) as u32, <[T]>::as_mut_bytes(&mut element))?;
        Ok(element[0])
    }
}
