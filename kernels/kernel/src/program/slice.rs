//! Elements in L1 that a kernel has been given.

use core::marker::PhantomData;

use crate::l1::{Integer, L1, Shared};

/// A number in L1: any pattern of its bytes is one.
pub trait Element: Copy + 'static {
    /// The integer that is loaded and stored.
    type Bits: Integer;
    /// From that integer.
    fn from_bits(bits: Self::Bits) -> Self;
    /// To that integer.
    fn to_bits(self) -> Self::Bits;
}

macro_rules! elements {
    ($($type:ty: $bits:ty, $from:expr, $to:expr;)*) => {
        $(
            impl Element for $type {
                type Bits = $bits;
                #[inline(always)]
                fn from_bits(bits: $bits) -> Self {
                    $from(bits)
                }
                #[inline(always)]
                fn to_bits(self) -> $bits {
                    $to(self)
                }
            }
        )*
    };
}

elements! {
    u8: u8, |x| x, |x| x;
    u16: u16, |x| x, |x| x;
    u32: u32, |x| x, |x| x;
    i32: u32, |x: u32| x as i32, |x: i32| x as u32;
    f32: u32, f32::from_bits, f32::to_bits;
}

/// Elements in L1 of this tile: loads and stores of single elements, and ranges for the NoC and the Tensix units.
pub struct Slice<'a, T> {
    range: L1<'a>,
    elements: PhantomData<T>,
}

impl<'a, T: Element> Slice<'a, T> {
    /// The elements of a range, which begins at a multiple of their size.
    ///
    /// # Safety
    /// No other slice of these bytes is used while a NoC request borrows this one.
    pub(super) unsafe fn of(range: L1<'a>) -> Self {
        // Stops the core if the range is not aligned.
        let _ = range.elements::<T::Bits>();
        Self { range, elements: PhantomData }
    }

    #[inline(always)]
    fn cells(&self) -> &[Shared<T::Bits>] {
        self.range.elements()
    }

    /// Elements.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.range.len() as usize / size_of::<T>()
    }

    /// Whether there are none.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Loads element `index`.
    ///
    /// # Panics
    /// There is none.
    #[inline(always)]
    #[track_caller]
    pub fn get(&self, index: usize) -> T {
        T::from_bits(self.cells()[index].load())
    }

    /// Stores element `index`.
    ///
    /// # Panics
    /// There is none.
    #[inline(always)]
    #[track_caller]
    pub fn set(&mut self, index: usize, value: T) {
        self.cells()[index].store(value.to_bits());
    }

    /// All elements, in order.
    #[inline(always)]
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.cells().iter().map(|cell| T::from_bits(cell.load()))
    }

    /// Stores a value into all elements.
    #[inline(always)]
    pub fn fill(&mut self, value: T) {
        self.cells().iter().for_each(|cell| cell.store(value.to_bits()));
    }

    /// Stores what `f` makes of the index of each element.
    #[inline(always)]
    pub fn fill_with(&mut self, mut f: impl FnMut(usize) -> T) {
        self.cells().iter().enumerate().for_each(|(index, cell)| cell.store(f(index).to_bits()));
    }

    /// Copies as many elements as both have.
    #[inline(always)]
    pub fn copy_from(&mut self, from: &Slice<T>) {
        crate::l1::copy(from.cells(), self.cells());
    }

    /// `len` elements from element `first` on.
    ///
    /// # Panics
    /// They are not all inside.
    #[inline(always)]
    #[track_caller]
    pub fn part(&mut self, first: usize, len: usize) -> Slice<'_, T> {
        self.check(first, len);
        let size = size_of::<T>() as u32;
        Slice { range: self.range.part(first as u32 * size, len as u32 * size), elements: PhantomData }
    }

    /// The elements in front of element `at`, and the others.
    ///
    /// # Panics
    /// There are not so many.
    #[inline(always)]
    #[track_caller]
    pub fn split(self, at: usize) -> (Slice<'a, T>, Slice<'a, T>) {
        self.check(at, 0);
        let bytes = at as u32 * size_of::<T>() as u32;
        let part = |range| Slice { range, elements: PhantomData };
        (part(self.range.part(0, bytes)), part(self.range.skip(bytes)))
    }

    /// The elements as `N` slices of equal length, one after the other: for requests that are under way at the same time.
    ///
    /// # Panics
    /// Their number is no multiple of `N`.
    #[inline(always)]
    #[track_caller]
    pub fn chunks<const N: usize>(self) -> [Slice<'a, T>; N] {
        let len = self.len() / N;
        assert!(len * N == self.len(), "a slice in parts that are not equal");
        let bytes = (len * size_of::<T>()) as u32;
        core::array::from_fn(|n| Slice {
            range: self.range.part(n as u32 * bytes, bytes),
            elements: PhantomData,
        })
    }

    #[inline(always)]
    #[track_caller]
    fn check(&self, first: usize, len: usize) {
        assert!(first <= self.len() && len <= self.len() - first, "outside of a slice");
    }

    /// The bytes, for blocks that drive the Tensix units: waiting for these is the caller's part.
    #[inline(always)]
    pub fn range(&self) -> L1<'_> {
        self.range
    }
}
