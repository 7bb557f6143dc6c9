//! The operators, one module each; within it one function a core.

pub mod matmul;
pub mod set_rows;
