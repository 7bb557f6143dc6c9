//! Rows of activations to SrcB's order, rounded to TF32.
#![allow(unsafe_code)]

use super::l1::{L1, load, outside, store};
use tt_isa::format::fp32::{EXPONENT, MANTISSA, SIGN};
use tt_kernel_abi::matmul::{F16_BIAS, GROUP_FACE_BYTES, HALF_ROW_BYTES};

/// Elements of half a row of a tile.
const HALF: u32 = HALF_ROW_BYTES / 4;

/// Where a row goes.
pub struct Place<'a> {
    /// All activations.
    pub range: L1<'a>,
    /// First byte of the row's part of the first tile.
    pub first: u32,
    /// Tiles.
    pub tiles: u32,
    /// Bytes from one to the next.
    pub tile_bytes: u32,
}

/// Copies a row of FP32 elements, `from`, to its tiles. What is behind the last element becomes zero.
pub fn place_row(from: L1, to: &Place) {
    // SAFETY: `each_half` gives places that are there.
    each_half(from, to, |at, face, count| unsafe { copy_rounded(at, face, count) });
}

/// The same for weights whose F16 patterns stand in the place of TF32 ones: elements are 2^[`F16_BIAS`] times as large. False if one is none of F16:
/// infinite, no number, or from 2^16 on. Products with it would look like numbers.
pub fn place_row_for_f16(from: L1, to: &Place) -> bool {
    let mut all = true;
    each_half(from, to, |at, face, count| {
        // SAFETY: `each_half` gives places that are there.
        all &= unsafe { copy_enlarged(at, face, count) };
    });
    all
}

/// Gives half a row of a tile after the other to `copy`: where its elements are, where they go, and how many exist.
#[inline(always)]
fn each_half(from: L1, to: &Place, mut copy: impl FnMut(u32, u32, u32)) {
    let &Place { range, first, tiles, tile_bytes } = to;
    if tiles == 0 {
        return;
    }
    let to = range.part(first, (tiles - 1) * tile_bytes + GROUP_FACE_BYTES + HALF_ROW_BYTES);
    if !(from.address() | to.address() | tile_bytes).is_multiple_of(4) {
        outside();
    }
    let (mut at, mut left, mut goal) = (from.address(), from.len() / 4, to.address());
    for _ in 0..tiles {
        for face in [goal, goal + GROUP_FACE_BYTES] {
            let count = left.min(HALF);
            // `count` elements of `from` are left, and `to` has all faces; both are aligned.
            copy(at, face, count);
            at += 4 * count;
            left -= count;
        }
        goal += tile_bytes;
    }
}

/// What is added to round to TF32: the unpacker cuts the low 13 bits off.
pub const ROUND: u32 = 0x1000;

/// Copies up to 16 floats, rounded to TF32, and zeroes up to 16.
///
/// # Safety
/// `count` elements from `from` on are inside of a range, and 16 from `to` on; at multiples of 4.
#[inline(always)]
unsafe fn copy_rounded(from: u32, to: u32, count: u32) {
    // SAFETY: loads below are of the first `count` elements from `from` on.
    let load = |at: u32| -> u32 { unsafe { load(from + at) } };
    // SAFETY: stores below are of the first 16 elements from `to` on.
    let store = |at: u32, value: u32| unsafe { store(to + at, value) };
    if count == HALF {
        // All but the ends of rows. Four at a time, so that no load is waited for.
        for at in (0..HALF_ROW_BYTES).step_by(16) {
            let four: [u32; 4] = core::array::from_fn(|i| load(at + 4 * i as u32));
            for (i, value) in (0..).zip(four) {
                store(at + 4 * i, value.wrapping_add(ROUND));
            }
        }
        return;
    }
    for i in 0..count {
        store(4 * i, load(4 * i).wrapping_add(ROUND));
    }
    for i in count..HALF {
        store(4 * i, 0);
    }
}

/// [`copy_rounded`] for [`place_row_for_f16`]; says what it says.
///
/// # Safety
/// That of [`copy_rounded`].
#[inline(always)]
unsafe fn copy_enlarged(from: u32, to: u32, count: u32) -> bool {
    let mut all = true;
    for i in 0..count {
        // SAFETY: the first `count` elements from `from` on.
        let value = enlarged(unsafe { load(from + 4 * i) });
        all &= value.is_some();
        // SAFETY: the first 16 elements from `to` on.
        unsafe { store(to + 4 * i, value.unwrap_or(0)) };
    }
    for i in count..HALF {
        // SAFETY: as above.
        unsafe { store(to + 4 * i, 0_u32) };
    }
    all
}

/// A number times 2^[`F16_BIAS`], rounded to TF32. Denormals are zero to the matrix unit.
#[inline(always)]
fn enlarged(value: u32) -> Option<u32> {
    /// The smallest normal number.
    const NORMAL: u32 = MANTISSA + 1;
    const BIAS: u32 = F16_BIAS * NORMAL;
    let magnitude = (value & !SIGN) + ROUND;
    if magnitude.wrapping_sub(NORMAL) < EXPONENT - BIAS - NORMAL {
        return Some((value & SIGN) | (magnitude + BIAS));
    }
    (magnitude < NORMAL).then_some(0)
}
