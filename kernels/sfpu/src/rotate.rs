//! Rotary positions on the vector unit (`ROPE`).

use super::program::{Program, Reg};
use super::rows::without_constants;

/// Register with cosines.
pub const COS: Reg = 2;
/// Register with sines.
pub const SIN: Reg = 3;

/// The pairs of `LReg[0]` and `LReg[1]` rotated by cosines in 2 and sines in 3. Uses 4 and 5.
pub const fn rotate() -> Program {
    let mut p = without_constants();
    p.neg(4, 1);
    p.mul(4, 4, SIN);
    p.mul(5, 1, COS);
    p.mad(1, 0, SIN, 5);
    p.mad(0, 0, COS, 4);
    p.finish()
}
