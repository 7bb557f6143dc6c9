//! Row by row: norms, reductions, weighted sums, softmax, masks, sorting, gathering, rotary positions.
//!
//! An operator a module. A unit of work is a row of the tensor that the parameter `rows` counts; each lane (or tile, on the vector unit)
//! takes a contiguous range of them.

pub mod balance;
pub mod gather;
pub mod gradient;
pub mod norm;
pub mod reduce;
pub mod rope;
pub mod set_rows;
pub mod soft_max;
pub mod sort;
pub mod triangle;
pub mod weighted_sum;
