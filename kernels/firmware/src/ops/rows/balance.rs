//! Matrices that say how streams are mixed (`DSV4_HC_COMB`), made doubly stochastic ([`tt_kernel_numerics::balance`]).

use super::write;
use crate::rt::lane::Lane;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::{Piece, split_row};
use tt_kernel_abi::rows::balance::BalanceParams;
use tt_kernel_numerics::balance::{ELEMENTS, balance};

/// Runs one lane.
pub fn run(mut lane: Lane, params: &BalanceParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let mut piece = Piece { row: [0; 3], first: 0, len: ELEMENTS as u32 };
    let mut base = [0.0; ELEMENTS];
    base.copy_from_slice(input.fetch(&mut lane.noc, &op.more[0], &piece));
    let scale = input.fetch(&mut lane.noc, &op.src1, &Piece { len: 1, ..piece })[0];
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        piece.row = split_row(&op.src0, number);
        let x = input.fetch(&mut lane.noc, &op.src0, &piece);
        write(&mut lane.noc, &mut output, &op.dst, &piece, |y| {
            for ((y, &x), &base) in y.iter_mut().zip(x).zip(&base) {
                *y = x * scale + base;
            }
            balance(y, params.eps, params.times);
        });
    }
}
