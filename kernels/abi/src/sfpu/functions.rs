//! Building blocks.

use super::program::{Program, Reg};
use tt_isa::sfpu::lreg;

/// `d = max(d, 0)`; -NaN becomes 0.
pub const fn relu(p: &mut Program, d: Reg) {
    p.where_negative(d);
    p.mov(d, lreg::ZERO);
    p.everywhere();
}
