//! What programs of whole rows share: a row goes through a register 32 elements at a time, so that sums and maxima are 32 at
//! first, which the end of a row makes into one. How rows come to Dst: [`tt_kernel_abi::sfpu::rows`].

use super::program::{CONSTANTS, Program, Reg};

/// Register of sums: of powers, of products.
pub const SUM: Reg = 1;

/// An empty program that leaves the constant registers to others.
pub(crate) const fn without_constants() -> Program {
    Program::new(CONSTANTS)
}

/// `LReg[1]` = the sum of all of its elements. Spoils all but 7, whose elements are alike.
pub const fn sum() -> Program {
    let mut p = without_constants();
    p.mov(0, SUM);
    p.mov(2, SUM);
    p.mov(3, SUM);
    // So that 7 stays what it is.
    p.mov(4, 7);
    p.mov(5, 7);
    p.mov(6, 7);
    p.transpose_rows();
    p.add(0, 0, 1);
    p.add(2, 2, 3);
    p.add(1, 0, 2);
    let mut distance = 1;
    while distance < 8 {
        rotate(&mut p, 0, 1, distance);
        p.add(1, 1, 0);
        distance *= 2;
    }
    p.finish()
}

/// `of` = the largest of each row of it. Spoils `spare`.
pub(crate) const fn largest_of_row(p: &mut Program, of: Reg, spare: Reg) {
    let mut distance = 1;
    while distance < 8 {
        rotate(p, spare, of, distance);
        p.min_max(spare, of);
        distance *= 2;
    }
}

/// `d` = `c`, whose rows are rotated by `distance`.
pub(crate) const fn rotate(p: &mut Program, d: Reg, c: Reg, distance: u32) {
    p.rotate(d, c);
    let mut i = 1;
    while i < distance {
        p.rotate(d, d);
        i += 1;
    }
}
