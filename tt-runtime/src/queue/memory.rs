//! What queues read and write: buffers of every kind, by the same two traits.

use crate::error::Error;
use crate::grid::Tile;
use crate::program::{DramBuffer, Element, HostBuffer, L1Buffer, Shard};

/// Where elements come from.
pub trait Source<T: Element>: Clone + Send + 'static {
    /// Elements that there are.
    fn elements(&self) -> usize;

    /// Reads `count` of them from the `first` on.
    ///
    /// # Errors
    /// There are not so many; the chip does not answer.
    fn get(&self, first: usize, count: usize) -> Result<Vec<T>, Error>;

    /// The buffer, if it is in DRAM: copies between two of these need no host.
    fn in_dram(&self) -> Option<&DramBuffer<T>> {
        None
    }
}

/// Where elements go.
pub trait Sink<T: Element>: Clone + Send + 'static {
    /// Elements that there is room for.
    fn room(&self) -> usize;

    /// Writes elements from the `first` on.
    ///
    /// # Errors
    /// There is no room for so many; the chip does not answer.
    fn put(&self, first: usize, data: &[T]) -> Result<(), Error>;

    /// Writes the same value to all of them.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    fn put_all(&self, value: T) -> Result<(), Error> {
        self.put(0, &vec![value; self.room()])
    }

    /// The buffer, if it is in DRAM.
    fn as_dram(&self) -> Option<&DramBuffer<T>> {
        None
    }
}

/// The elements of an L1 buffer on one of its tiles ([`L1Buffer::on`]).
#[derive(Clone)]
pub struct OnTile<T> {
    buffer: L1Buffer<T>,
    tile: Tile,
}

impl<T: Element> L1Buffer<T> {
    /// The elements on one tile, for a queue. Whether the buffer is there is looked at when they are used.
    pub fn on(&self, tile: Tile) -> OnTile<T> {
        OnTile { buffer: self.clone(), tile }
    }
}

impl<T: Element> Source<T> for OnTile<T> {
    fn elements(&self) -> usize {
        self.buffer.len()
    }

    fn get(&self, first: usize, count: usize) -> Result<Vec<T>, Error> {
        self.buffer.read_from(self.tile, first, count)
    }
}

impl<T: Element> Sink<T> for OnTile<T> {
    fn room(&self) -> usize {
        self.buffer.len()
    }

    fn put(&self, first: usize, data: &[T]) -> Result<(), Error> {
        self.buffer.write_to(self.tile, first, data)
    }
}

/// On all tiles, by multicast.
impl<T: Element> Sink<T> for L1Buffer<T> {
    fn room(&self) -> usize {
        self.len()
    }

    fn put(&self, first: usize, data: &[T]) -> Result<(), Error> {
        self.write_from(first, data)
    }
}

impl<T: Element> Source<T> for DramBuffer<T> {
    fn elements(&self) -> usize {
        self.len()
    }

    fn get(&self, first: usize, count: usize) -> Result<Vec<T>, Error> {
        self.read_from(first, count)
    }

    fn in_dram(&self) -> Option<&DramBuffer<T>> {
        Some(self)
    }
}

impl<T: Element> Sink<T> for DramBuffer<T> {
    fn room(&self) -> usize {
        self.len()
    }

    fn put(&self, first: usize, data: &[T]) -> Result<(), Error> {
        self.write(first, data)
    }

    fn as_dram(&self) -> Option<&DramBuffer<T>> {
        Some(self)
    }
}

impl<T: Element> Source<T> for HostBuffer<T> {
    fn elements(&self) -> usize {
        self.len()
    }

    fn get(&self, first: usize, count: usize) -> Result<Vec<T>, Error> {
        self.read_from(first, count)
    }
}

impl<T: Element> Sink<T> for HostBuffer<T> {
    fn room(&self) -> usize {
        self.len()
    }

    fn put(&self, first: usize, data: &[T]) -> Result<(), Error> {
        self.write(first, data)
    }
}

impl<T: Element> Source<T> for Shard<T> {
    fn elements(&self) -> usize {
        self.len()
    }

    fn get(&self, first: usize, count: usize) -> Result<Vec<T>, Error> {
        self.read_from(first, count)
    }
}

impl<T: Element> Sink<T> for Shard<T> {
    fn room(&self) -> usize {
        self.len()
    }

    fn put(&self, first: usize, data: &[T]) -> Result<(), Error> {
        self.write(first, data)
    }
}
