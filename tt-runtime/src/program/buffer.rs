//! Memory of programs: buffers in L1 of a range of tiles, buffers in DRAM, semaphores and circular buffers. ([`super::pinned`]: memory of the host.)
//!
//! Each is freed when the last one who has it drops it; a program that runs has what its kernels were passed.

use std::marker::PhantomData;
use std::sync::Arc;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::DramAddr;
use crate::device::{Allocation, Device, Region};
use crate::error::Error;
use crate::grid::{Tile, TileRange};
use crate::report::BufferError;

/// A number that buffers have: what host and kernels both know.
pub trait Element: Copy + FromBytes + IntoBytes + Immutable + Send + Sync + 'static {}

impl Element for u8 {}
impl Element for u16 {}
impl Element for u32 {}
impl Element for i32 {}
impl Element for f32 {}

/// Bytes of elements, as registers count them.
pub(super) fn bytes_of<T>(elements: usize) -> Result<u32, BufferError> {
    let size = size_of::<T>();
    let bytes = elements.checked_mul(size).and_then(|bytes| u32::try_from(bytes).ok());
    bytes.ok_or(BufferError::TooLarge { elements, size })
}

pub(super) fn inside(first: usize, count: usize, len: usize) -> Result<(), BufferError> {
    match first <= len && count <= len - first {
        true => Ok(()),
        false => Err(BufferError::Outside { first, count, len }),
    }
}

/// Elements in L1, at the same address on all tiles of a range. As an argument it is the elements on the kernel's own tile.
#[derive(Clone)]
pub struct L1Buffer<T> {
    pub(super) region: Arc<Region>,
    len: usize,
    elements: PhantomData<T>,
}

/// The same buffer as an argument with which a kernel reaches all of its tiles over the NoC.
#[derive(Clone)]
pub struct OnTiles<T>(pub(super) L1Buffer<T>);

impl<T: Element> L1Buffer<T> {
    /// `len` elements on each tile of a range (or on one tile); their content is undefined. The address is a multiple of 64.
    ///
    /// # Errors
    /// There is no room; the range is another device's.
    pub fn new(device: &Arc<Device>, range: impl Into<TileRange>, len: usize) -> Result<Self, Error> {
        let region = Arc::new(device.region(range.into(), bytes_of::<T>(len)?)?);
        Ok(Self { region, len, elements: PhantomData })
    }

    /// Elements on each tile.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Address in L1.
    pub fn address(&self) -> u32 {
        self.region.at
    }

    /// Where it is.
    pub fn range(&self) -> TileRange {
        self.region.range
    }

    /// As an argument: the elements on all tiles of the range.
    pub fn on_tiles(&self) -> OnTiles<T> {
        OnTiles(self.clone())
    }

    /// Writes elements from the first one on to all tiles, in one multicast where there are several.
    ///
    /// # Errors
    /// There are not so many; the chip does not answer.
    pub fn write(&self, data: &[T]) -> Result<(), Error> {
        self.write_from(0, data)
    }

    /// The same from element `first` on.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_from(&self, first: usize, data: &[T]) -> Result<(), Error> {
        inside(first, data.len(), self.len)?;
        self.region.write(self.region.range, (first * size_of::<T>()) as u32, data.as_bytes())
    }

    /// Writes elements from element `first` on to one tile.
    ///
    /// # Errors
    /// There are not so many; the tile has none; the chip does not answer.
    pub fn write_to(&self, tile: Tile, first: usize, data: &[T]) -> Result<(), Error> {
        inside(first, data.len(), self.len)?;
        self.check(tile)?;
        self.region.write(tile.into(), (first * size_of::<T>()) as u32, data.as_bytes())
    }

    /// Writes the same value to all elements of all tiles.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn fill(&self, value: T) -> Result<(), Error> {
        self.write(&vec![value; self.len])
    }

    /// Reads the elements of a tile.
    ///
    /// # Errors
    /// The tile has none; the chip does not answer.
    pub fn read(&self, tile: Tile) -> Result<Vec<T>, Error> {
        self.read_from(tile, 0, self.len)
    }

    /// Reads `count` elements of a tile from element `first` on.
    ///
    /// # Errors
    /// There are not so many; the tile has none; the chip does not answer.
    pub fn read_from(&self, tile: Tile, first: usize, count: usize) -> Result<Vec<T>, Error> {
        inside(first, count, self.len)?;
        self.check(tile)?;
        let mut data = vec![T::new_zeroed(); count];
        let bytes = <[T]>::as_mut_bytes(&mut data);
        self.region.read(tile, (first * size_of::<T>()) as u32, bytes)?;
        Ok(data)
    }

    fn check(&self, tile: Tile) -> Result<(), BufferError> {
        let (at, range) = (self.region.at, self.region.range);
        if range.contains(tile) { Ok(()) } else { Err(BufferError::NotThere { at, range, tile }) }
    }
}

/// Elements in DRAM, page by page on all banks in turn. As an argument a kernel reaches it over the NoC.
#[derive(Clone)]
pub struct DramBuffer<T> {
    pub(super) memory: Arc<Allocation>,
    len: usize,
    elements: PhantomData<T>,
}

impl<T: Element> DramBuffer<T> {
    /// `len` elements; their content is undefined. The address is a multiple of a page of DRAM (8 KiB).
    ///
    /// # Errors
    /// There is no room; more than 4 GiB.
    pub fn new(device: &Arc<Device>, len: usize) -> Result<Self, Error> {
        let memory = Arc::new(device.alloc(bytes_of::<T>(len)?.into())?);
        Ok(Self { memory, len, elements: PhantomData })
    }

    /// A buffer with these elements.
    ///
    /// # Errors
    /// As [`new`](Self::new); the chip does not answer.
    pub fn from_slice(device: &Arc<Device>, data: &[T]) -> Result<Self, Error> {
        let buffer = Self::new(device, data.len())?;
        buffer.write(0, data)?;
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

    /// The device that it is on.
    pub fn device(&self) -> &Arc<Device> {
        self.memory.device()
    }

    /// Linear address.
    pub fn address(&self) -> DramAddr {
        self.memory.addr()
    }

    /// Writes elements from element `first` on.
    ///
    /// # Errors
    /// There are not so many; the chip does not answer.
    pub fn write(&self, first: usize, data: &[T]) -> Result<(), Error> {
        inside(first, data.len(), self.len)?;
        self.memory.device().write(self.address().offset((first * size_of::<T>()) as u64), data.as_bytes())
    }

    /// Reads all elements.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn read(&self) -> Result<Vec<T>, Error> {
        self.read_from(0, self.len)
    }

    /// Reads `count` elements from element `first` on.
    ///
    /// # Errors
    /// There are not so many; the chip does not answer.
    pub fn read_from(&self, first: usize, count: usize) -> Result<Vec<T>, Error> {
        inside(first, count, self.len)?;
        let mut data = vec![T::new_zeroed(); count];
        let addr = self.address().offset((first * size_of::<T>()) as u64);
        self.memory.device().read(addr, <[T]>::as_mut_bytes(&mut data))?;
        Ok(data)
    }

    /// Copies all elements of another buffer of this device to the beginning of this one; the chip itself does it.
    ///
    /// # Errors
    /// The other buffer has more elements, or is another device's; the chip does not answer.
    pub fn copy_from(&self, from: &Self) -> Result<(), Error> {
        inside(0, from.len, self.len)?;
        if !self.is_beside(from) {
            return Err(BufferError::OtherMemory { at: from.address().0 }.into());
        }
        let bytes = (from.len * size_of::<T>()) as u64;
        self.memory.device().copy(self.address(), from.address(), bytes)
    }

    /// Whether another buffer is in the same device's DRAM.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.memory.device(), other.memory.device())
    }

    /// Writes the same byte to all of it.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn fill(&self, byte: u8) -> Result<(), Error> {
        self.memory.device().fill(self.address(), self.memory.len(), byte)
    }
}

/// A counter in L1 at the same address on all tiles of a range, which has its first value again whenever a program that uses it begins.
#[derive(Clone)]
pub struct Semaphore {
    pub(super) region: Arc<Region>,
    pub(super) first: u32,
}

impl Semaphore {
    /// A semaphore on the tiles of a range (or one tile), whose first value is `first`.
    ///
    /// # Errors
    /// There is no room; the range is another device's.
    pub fn new(device: &Arc<Device>, range: impl Into<TileRange>, first: u32) -> Result<Self, Error> {
        Ok(Self { region: Arc::new(device.region(range.into(), 16)?), first })
    }

    /// Where it is.
    pub fn range(&self) -> TileRange {
        self.region.range
    }

    /// Its value on a tile.
    ///
    /// # Errors
    /// It is not there; the chip does not answer.
    pub fn value(&self, tile: Tile) -> Result<u32, Error> {
        let mut word = [0; 4];
        self.check(tile)?;
        self.region.read(tile, 0, &mut word)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Sets it on a tile, where no kernel changes it at the same time.
    ///
    /// # Errors
    /// It is not there; the chip does not answer.
    pub fn set(&self, tile: Tile, value: u32) -> Result<(), Error> {
        self.check(tile)?;
        self.region.write(tile.into(), 0, &value.to_le_bytes())
    }

    fn check(&self, tile: Tile) -> Result<(), BufferError> {
        let (at, range) = (self.region.at, self.region.range);
        if range.contains(tile) { Ok(()) } else { Err(BufferError::NotThere { at, range, tile }) }
    }
}

/// Pages in L1 that one core of a tile fills and another one empties, on each tile of a range. It is empty whenever a program that uses it
/// begins.
#[derive(Clone)]
pub struct CircularBuffer<T> {
    pub(super) region: Arc<Region>,
    pub(super) pages: u32,
    pub(super) page_bytes: u32,
    elements: PhantomData<T>,
}

/// Bytes of the two counts of a circular buffer, 16 apart.
pub(super) const COUNTS_BYTES: u32 = 64;

impl<T: Element> CircularBuffer<T> {
    /// `pages` pages of `elements` elements, a multiple of 16 bytes each.
    ///
    /// # Errors
    /// There is no room; pages of such a size are not possible; the range is another device's.
    pub fn new(
        device: &Arc<Device>,
        range: impl Into<TileRange>,
        pages: usize,
        elements: usize,
    ) -> Result<Self, Error> {
        let page_bytes = elements.saturating_mul(size_of::<T>());
        let most = usize::from(u16::MAX);
        if pages == 0
            || pages > most
            || page_bytes == 0
            || page_bytes > most
            || !page_bytes.is_multiple_of(16)
        {
            return Err(BufferError::Pages { pages, page_bytes }.into());
        }
        let bytes = bytes_of::<u8>(pages.saturating_mul(page_bytes))?.saturating_add(COUNTS_BYTES);
        let region = Arc::new(device.region(range.into(), bytes)?);
        Ok(Self { region, pages: pages as u32, page_bytes: page_bytes as u32, elements: PhantomData })
    }

    /// Where it is.
    pub fn range(&self) -> TileRange {
        self.region.range
    }
}
