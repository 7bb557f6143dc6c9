//! Circular buffers: pages in L1 that one core of a tile fills and another one empties, in order.
//!
//! Each end has a count in L1 that only it writes: pages that have been filled, pages that have been emptied. The producer waits for room, the
//! consumer for data, so neither overtakes the other; a ring of such buffers in which everybody waits for data first never starts.

use core::marker::PhantomData;

use tt_kernel_abi::program::Wait;

use super::slice::{Element, Slice};
use super::wait::until;
use crate::l1::L1;
use crate::mmio::{Register, order};

/// Bytes from the count of filled pages to that of emptied ones.
const COUNTS: u32 = 16;

struct Ring {
    memory: L1<'static>,
    page_bytes: u32,
    pages: u32,
    counts: u32,
    /// Pages that this end has moved on by.
    done: u32,
}

impl Ring {
    fn new([at, pages, counts]: [u32; 3]) -> Self {
        let (page_bytes, pages) = (pages & 0xFFFF, pages >> 16);
        // SAFETY: the bytes that the host has set aside for the buffer, all accesses to which are to cells.
        let memory = unsafe { L1::new(at, page_bytes * pages) };
        Self { memory, page_bytes, pages, counts, done: 0 }
    }

    fn filled(&self) -> Register {
        // SAFETY: the count that the host has set aside, to which there are no references.
        unsafe { Register::at(self.counts) }
    }

    fn emptied(&self) -> Register {
        // SAFETY: the other one.
        unsafe { Register::at(self.counts + COUNTS) }
    }

    /// The next page of this end.
    fn page(&self) -> L1<'static> {
        self.memory.part(self.done % self.pages * self.page_bytes, self.page_bytes)
    }
}

/// The end of a circular buffer that fills its pages.
pub struct Producer<T> {
    ring: Ring,
    elements: PhantomData<T>,
}

/// The end of a circular buffer that empties its pages.
pub struct Consumer<T> {
    ring: Ring,
    elements: PhantomData<T>,
}

/// A page that an end has for itself until it is passed on.
pub struct Page<'a, T> {
    slice: Slice<'a, T>,
    ring: &'a mut Ring,
    /// The count that says that it has been passed on.
    count: Register,
}

impl<T: Element> Producer<T> {
    pub(super) fn new(words: [u32; 3]) -> Self {
        Self { ring: Ring::new(words), elements: PhantomData }
    }

    /// Waits for a page that is free.
    #[track_caller]
    pub fn reserve(&mut self) -> Page<'_, T> {
        let (emptied, filled, pages, done) =
            (self.ring.emptied(), self.ring.filled(), self.ring.pages, self.ring.done);
        until(Wait::Room, done, || done.wrapping_sub(emptied.load()) < pages);
        // SAFETY: the page is this end's until it is passed on.
        let slice = unsafe { Slice::of(self.ring.page()) };
        Page { slice, ring: &mut self.ring, count: filled }
    }

    /// Pages of the buffer.
    pub fn pages(&self) -> u32 {
        self.ring.pages
    }
}

impl<T: Element> Consumer<T> {
    pub(super) fn new(words: [u32; 3]) -> Self {
        Self { ring: Ring::new(words), elements: PhantomData }
    }

    /// Waits for a page that has been filled.
    #[track_caller]
    pub fn front(&mut self) -> Page<'_, T> {
        let (emptied, filled, done) = (self.ring.emptied(), self.ring.filled(), self.ring.done);
        until(Wait::Data, done + 1, || filled.load() != done);
        // SAFETY: the page is this end's until it is passed on.
        let slice = unsafe { Slice::of(self.ring.page()) };
        Page { slice, ring: &mut self.ring, count: emptied }
    }

    /// Pages of the buffer.
    pub fn pages(&self) -> u32 {
        self.ring.pages
    }
}

impl<'a, T> core::ops::Deref for Page<'a, T> {
    type Target = Slice<'a, T>;

    fn deref(&self) -> &Slice<'a, T> {
        &self.slice
    }
}

impl<'a, T> core::ops::DerefMut for Page<'a, T> {
    fn deref_mut(&mut self) -> &mut Slice<'a, T> {
        &mut self.slice
    }
}

impl<T> Page<'_, T> {
    /// Passes the page on: filled to the consumer, emptied to the producer. No NoC request can be under way there, since it would borrow the
    /// page; Tensix instructions have to be waited for before.
    pub fn pass_on(self) {
        order();
        self.ring.done = self.ring.done.wrapping_add(1);
        self.count.store(self.ring.done);
    }
}
