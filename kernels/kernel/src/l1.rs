//! Memory in L1 that a core shares with the NoC, the Tensix units and the other cores of its tile.
//!
//! An [`L1`] is a range of bytes. The NoC, packers and unpackers get its address; the core itself loads and stores the range as [`Shared`]
//! elements, each with one instruction that the compiler neither leaves out nor repeats.
//!
//! Safe code does not make ranges. It gets them (operators of the firmware from the heap, kernels of users from their arguments) and cuts parts
//! out of them. So it reaches what it has been given and nothing else: no image, no mailbox, no register. A part that is not inside stops the core,
//! and the host finds the core's pc.
//!
//! The types do not know when the NoC or a unit has finished with a range. Waiting is the operator's part.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ptr::{read_volatile, write_volatile};

/// A range of bytes of L1.
#[derive(Clone, Copy)]
pub struct L1<'a> {
    at: u32,
    len: u32,
    memory: PhantomData<&'a Shared<u8>>,
}

/// An element in L1 that others may read and write.
#[repr(transparent)]
pub struct Shared<T>(UnsafeCell<T>);

/// A word that others may read and write.
pub type Word = Shared<u32>;

/// Integers that one instruction loads and stores; every pattern is one.
pub trait Integer: Copy {
    /// 0.
    const ZERO: Self;
}

impl Integer for u8 {
    const ZERO: Self = 0;
}

impl Integer for u16 {
    const ZERO: Self = 0;
}

impl Integer for u32 {
    const ZERO: Self = 0;
}

impl<T: Integer> Shared<T> {
    /// Loads the element.
    #[inline(always)]
    pub fn load(&self) -> T {
        // SAFETY: the cell is aligned and lives as long as the reference. Others may change it: the load is volatile.
        unsafe { read_volatile(self.0.get()) }
    }

    /// Stores the element.
    #[inline(always)]
    pub fn store(&self, value: T) {
        // SAFETY: the cell is aligned, lives as long as the reference, and may be written through a shared one.
        unsafe { write_volatile(self.0.get(), value) }
    }
}

/// Loads an element, for loops of this layer over ranges that they have checked.
///
/// # Safety
/// The element lies in a range that somebody has, at a multiple of its size.
#[inline(always)]
pub unsafe fn load<T: Integer>(at: u32) -> T {
    // SAFETY: by contract.
    unsafe { read_volatile(at as *const T) }
}

/// Stores an element, as [`load`] loads.
///
/// # Safety
/// The element lies in a range that somebody has, at a multiple of its size.
#[inline(always)]
pub unsafe fn store<T: Integer>(at: u32, value: T) {
    // SAFETY: by contract.
    unsafe { write_volatile(at as *mut T, value) }
}

/// Stops the core.
#[cold]
#[inline(never)]
pub fn outside() -> ! {
    panic!()
}

impl<'a> L1<'a> {
    /// No bytes.
    pub const EMPTY: Self = Self { at: tt_kernel_abi::l1::HEAP, len: 0, memory: PhantomData };

    /// `len` bytes from `at` on.
    ///
    /// # Safety
    /// They lie in L1, and while `'a` lasts no Rust reference covers any of them but such to [`Shared`] elements.
    #[inline(always)]
    pub const unsafe fn new(at: u32, len: u32) -> Self {
        Self { at, len, memory: PhantomData }
    }

    /// Address of the first byte, for the NoC and the Tensix units.
    #[inline(always)]
    pub fn address(self) -> u32 {
        self.at
    }

    /// Bytes.
    #[inline(always)]
    pub fn len(self) -> u32 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// `len` bytes from byte `first` on.
    #[inline(always)]
    pub fn part(self, first: u32, len: u32) -> Self {
        if first > self.len || len > self.len - first {
            outside();
        }
        Self { at: self.at + first, len, memory: PhantomData }
    }

    /// The bytes from byte `first` on.
    #[inline(always)]
    pub fn skip(self, first: u32) -> Self {
        if first > self.len {
            outside();
        }
        Self { at: self.at + first, len: self.len - first, memory: PhantomData }
    }

    /// As elements of their size, as many whole ones as there are. The range begins at a multiple of the size.
    #[inline(always)]
    pub fn elements<T: Integer>(self) -> &'a [Shared<T>] {
        let size = size_of::<T>() as u32;
        if !self.at.is_multiple_of(size) {
            outside();
        }
        // SAFETY: the bytes are there and aligned, any pattern is a `T`, and for `'a` there are no references to them but to cells
        // like these (`new`).
        unsafe { core::slice::from_raw_parts(self.at as *const Shared<T>, (self.len / size) as usize) }
    }

    /// As words.
    #[inline(always)]
    pub fn words(self) -> &'a [Word] {
        self.elements()
    }
}

/// Stores the same value into all elements.
#[inline(always)]
pub fn fill<T: Integer>(elements: &[Shared<T>], value: T) {
    elements.iter().for_each(|element| element.store(value));
}

/// Copies elements one by one, in order, as many as both have.
#[inline(always)]
pub fn copy<T: Integer>(from: &[Shared<T>], to: &[Shared<T>]) {
    to.iter().zip(from).for_each(|(to, from)| to.store(from.load()));
}
