//! [`multiply`](super::arith::multiply) compiled for AVX2, chosen at run time.
//!
//! # Safety
//! The only unsafe code calls a function compiled for AVX2 after the machine was asked whether it has it.
#![allow(unsafe_code)]

use super::arith::{Operation, Rows, multiply_portable};

/// Multiplies if the machine has AVX2; `false` if it has not.
#[inline]
pub fn multiply(op: &Operation, src_a: &[[u32; 16]; 16], src_b: &[[u32; 16]; 8], rows: &mut Rows) -> bool {
    if !is_x86_feature_detected!("avx2") {
        return false;
    }
    // SAFETY: the machine has AVX2.
    unsafe { multiply_avx2(op, src_a, src_b, rows) };
    true
}

#[target_feature(enable = "avx2")]
fn multiply_avx2(op: &Operation, src_a: &[[u32; 16]; 16], src_b: &[[u32; 16]; 8], rows: &mut Rows) {
    multiply_portable(op, src_a, src_b, rows);
}
