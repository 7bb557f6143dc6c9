//! Rows of activations to SrcB's order, rounded to TF32.
#![allow(unsafe_code)]

use super::l1::{L1, load, outside, store};
use tt_kernel_abi::matmul::{GROUP_FACE_BYTES, HALF_ROW_BYTES};

/// Elements of half a row of a tile.
const HALF: u32 = HALF_ROW_BYTES / 4;

/// Copies a row of FP32 elements, `from`, to `tiles` tiles, each `tile_bytes` behind the one before; the row's part of the first one is at byte
/// `first` of `to`. What is behind the last element becomes zero.
pub fn place_row(from: L1, to: L1, first: u32, tiles: u32, tile_bytes: u32) {
    if tiles == 0 {
        return;
    }
    let to = to.part(first, (tiles - 1) * tile_bytes + GROUP_FACE_BYTES + HALF_ROW_BYTES);
    if !(from.address() | to.address() | tile_bytes).is_multiple_of(4) {
        outside();
    }
    let (mut at, mut left, mut goal) = (from.address(), from.len() / 4, to.address());
    for _ in 0..tiles {
        for face in [goal, goal + GROUP_FACE_BYTES] {
            let count = left.min(HALF);
            // SAFETY: `left` elements of `from` are left, and `to` has all faces; both are aligned.
            unsafe { copy_rounded(at, face, count) };
            at += 4 * count;
            left -= count;
        }
        goal += tile_bytes;
    }
}

/// Copies up to 16 floats, rounded to TF32 (the unpacker cuts the low 13 bits off), and zeroes up to 16.
///
/// # Safety
/// `count` elements from `from` on are inside of a range, and 16 from `to` on; at multiples of 4.
#[inline(always)]
unsafe fn copy_rounded(from: u32, to: u32, count: u32) {
    const ROUND: u32 = 0x1000;
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
