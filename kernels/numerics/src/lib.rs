//! Arithmetic for cores without a floating-point unit, in integer instructions of RV32IM.
//!
//! The baby RISC-V cores have no FPU: the compiler's routines for FP32 take tens of instructions for an addition. What
//! kernels do often is here in a form that takes a few. It is a crate of its own because it knows nothing of tensors,
//! chips or launches, and because the host tests it against its own floating point.
//!
//! | module | what it computes |
//! |---|---|
//! | [`num`] | conversions between FP32, binary16, bfloat16 and what SrcA holds |
//! | [`exp`] | the exponential function |
//! | [`trig`] | sine and cosine |
//! | [`fixed`] | vectors of integers with one exponent: sums of many products |
//! | [`weighted`] | weighted sums of rows, on top of [`fixed`] |
//! | [`balance`] | small matrices made doubly stochastic |
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod balance;
pub mod exp;
pub mod fixed;
pub mod num;
pub mod trig;
pub mod weighted;
