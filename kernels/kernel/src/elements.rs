//! Elements of any type in L1: moved, and converted as the host converts.
//!
//! Ranges are checked once, in front of a loop.
#![allow(unsafe_code)]

use super::l1::{Integer, L1, load, outside, store};
use tt_kernel_abi::ElementType;
use tt_kernel_numerics::num::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16, normal_f16};

/// Elements in L1: the range that begins with the first one, and the bytes from one to the next.
#[derive(Clone, Copy)]
pub struct Series<'a> {
    /// The range.
    pub range: L1<'a>,
    /// The distance.
    pub step: u32,
}

impl Series<'_> {
    /// Address of the first of `n` elements of `size` bytes, which are all inside; units of `align` bytes are aligned.
    #[inline(always)]
    fn first(self, n: u32, size: u32, align: u32) -> u32 {
        let range = self.range.part(0, (n - 1) * self.step + size);
        if !(range.address() | self.step).is_multiple_of(align) {
            outside();
        }
        range.address()
    }
}

/// Moves `n` elements of `size` bytes, one after the other: where one goes to, elements may be that have been moved.
pub fn move_elements(from: Series, to: Series, n: u32, size: u32) {
    match size {
        _ if n == 0 => {}
        4 => move_each::<u32>(from, to, n, 4),
        _ if size.is_multiple_of(2) => move_each::<u16>(from, to, n, size),
        _ => move_each::<u8>(from, to, n, size),
    }
}

#[inline(always)]
fn move_each<T: Integer>(from: Series, to: Series, n: u32, size: u32) {
    let unit = size_of::<T>() as u32;
    let (mut at, mut goal) = (from.first(n, size, unit), to.first(n, size, unit));
    for _ in 0..n {
        for part in (0..size).step_by(unit as usize) {
            // SAFETY: `first` has checked that all elements are inside, and their units aligned.
            unsafe { store::<T>(goal + part, load::<T>(at + part)) };
        }
        at += from.step;
        goal += to.step;
    }
}

/// Copies `n` elements of `size` bytes that lie side by side; word by word where the addresses allow.
pub fn copy_elements(from: L1, to: L1, n: u32, size: u32) {
    let (from, to) = (from.part(0, n * size), to.part(0, n * size));
    let mut done = 0;
    if (from.address() | to.address()).is_multiple_of(4) {
        super::l1::copy(from.words(), to.words());
        done = n * size / 4 * 4 / size;
    }
    let [from, to] = [from, to].map(|range| Series { range: range.skip(done * size), step: size });
    move_elements(from, to, n - done, size);
}

/// Converts `n` elements that lie side by side from one type to another. They may stay where they are, if they do not become
/// longer. Types with blocks are not converted here.
pub fn convert((from_ty, from): (ElementType, L1), (to_ty, to): (ElementType, L1), n: u32) {
    if n == 0 {
        return;
    }
    let first = |ty, range| {
        let size = bytes(ty);
        Series { range, step: size }.first(n, size, size)
    };
    let (from, to) = (first(from_ty, from), first(to_ty, to));
    // What caches are written with.
    if (from_ty, to_ty) == (ElementType::F32, ElementType::F16) {
        // SAFETY: `first` has checked that `n` elements of the types are there.
        return unsafe { halve_each(from, to, n) };
    }
    for i in 0..n {
        // SAFETY: `first` has checked that `n` elements of the types are there.
        unsafe { narrow(to_ty, widen(from_ty, from, i), to, i) };
    }
}

/// [`convert`] from FP32 to F16 alone: for a core whose code has no room for the other types.
pub fn halve(from: L1, to: L1, n: u32) {
    if n == 0 {
        return;
    }
    let first = |range, step| Series { range, step }.first(n, step, step);
    // SAFETY: `first` has checked that `n` elements of the types are there.
    unsafe { halve_each(first(from, 4), first(to, 2), n) }
}

/// Makes `n` F16 of as many FP32.
///
/// # Safety
/// They are inside of their ranges, at multiples of 4 and of 2.
#[inline(always)]
unsafe fn halve_each(from: u32, to: u32, n: u32) {
    let whole = if to.is_multiple_of(4) { n / 4 * 4 } else { 0 };
    for i in (0..whole).step_by(4) {
        // SAFETY: by contract; `to` is a multiple of 4.
        unsafe { halve_four(from + 4 * i, to + 2 * i) };
    }
    for i in whole..n {
        // SAFETY: by contract.
        unsafe { store(to + 2 * i, half(load(from + 4 * i)) as u16) };
    }
}

/// [`f32_to_f16`], with a call for what is rare.
#[inline(always)]
fn half(bits: u32) -> u32 {
    match normal_f16(bits) {
        Some(half) => half,
        None => rare_half(bits),
    }
}

#[cold]
#[inline(never)]
fn rare_half(bits: u32) -> u32 {
    f32_to_f16(bits)
}

/// Makes four F16 of four FP32: these are under way from L1 together.
///
/// # Safety
/// They are inside of their ranges, at multiples of 4.
#[inline(always)]
unsafe fn halve_four(from: u32, to: u32) {
    // SAFETY: by contract.
    unsafe {
        let [a, b, c, d] = [0, 4, 8, 12].map(|at| load::<u32>(from + at));
        let [a, b, c, d] = [half(a), half(b), half(c), half(d)];
        store(to, a | b << 16);
        store(to + 4, c | d << 16);
    }
}

/// FP32 pattern of element `i` of those in a range.
pub fn element(ty: ElementType, range: L1, i: u32) -> u32 {
    let size = bytes(ty);
    let at = Series { range: range.skip(i * size), step: size }.first(1, size, size);
    // SAFETY: `first` has checked that the element is there, aligned.
    unsafe { widen(ty, at, 0) }
}

/// Bytes of an element, as [`widen`] and [`narrow`] access it.
const fn bytes(ty: ElementType) -> u32 {
    match ty {
        ElementType::F16 | ElementType::BF16 => 2,
        _ => 4,
    }
}

/// FP32 pattern of element `i` of those at `at`.
///
/// # Safety
/// The element is inside of a range, at a multiple of its size.
#[inline(never)]
unsafe fn widen(ty: ElementType, at: u32, i: u32) -> u32 {
    // SAFETY: by contract, for the size of the type's elements.
    unsafe {
        match ty {
            ElementType::F16 => f16_to_f32(load::<u16>(at + 2 * i).into()),
            ElementType::BF16 => bf16_to_f32(load::<u16>(at + 2 * i).into()),
            ElementType::I32 => (load::<u32>(at + 4 * i) as i32 as f32).to_bits(),
            _ => load(at + 4 * i),
        }
    }
}

/// Stores an FP32 pattern as element `i` of those at `at`.
///
/// # Safety
/// The element is inside of a range, at a multiple of its size.
#[inline(never)]
unsafe fn narrow(ty: ElementType, bits: u32, at: u32, i: u32) {
    // SAFETY: by contract, for the size of the type's elements.
    unsafe {
        match ty {
            ElementType::F16 => store(at + 2 * i, f32_to_f16(bits) as u16),
            ElementType::BF16 => store(at + 2 * i, f32_to_bf16(bits) as u16),
            ElementType::I32 => store(at + 4 * i, f32::from_bits(bits) as i32 as u32),
            _ => store(at + 4 * i, bits),
        }
    }
}
