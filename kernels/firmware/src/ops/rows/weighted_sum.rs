//! Weighted sums of rows: streams mixed with one another (`DSV4_HC_PRE`, `DSV4_HC_POST`), heads of an indexer
//! (`LIGHTNING_INDEXER`).
//!
//! ```text
//! DRAM -> a piece of every row, which stays in L1 -> for each row of the result: its weights, its sums -> DRAM
//! ```

use super::write;
use crate::rt::heap;
use crate::rt::lane::Lane;
use crate::rt::rows::Port;
use tt_kernel_abi::elementwise::Piece;
use tt_kernel_abi::rows::weighted_sum::{MAX_SUMMED, SUMMED_ELEMENTS, WeightedSumParams};
use tt_kernel_numerics::weighted::Weights;

const _: () = assert!(4 * (SUMMED_ELEMENTS + 2 * MAX_SUMMED) + 2 * Port::BYTES <= heap::BYTES);

/// Runs one lane.
pub fn run(mut lane: Lane, params: &WeightedSumParams) {
    let op = lane.launch.op;
    let (mut input, mut output) = (Port::new(&mut lane.heap), Port::new(&mut lane.heap));
    let elements = lane.heap.words(SUMMED_ELEMENTS);
    let mut weights = Weights::new(lane.heap.words(MAX_SUMMED), lane.heap.words(MAX_SUMMED));
    let WeightedSumParams { len: longest, per_row, only_positive, .. } = *params;
    let [n, count, ne2, _] = op.src0.ne;
    let (first, end) = lane.share(params.rows);
    for number in first..end {
        lane.launch.progress(number);
        let (matrix, first) = (number / per_row, number % per_row * longest);
        let mut piece = Piece { row: [0, matrix % ne2, matrix / ne2], first, len: longest.min(n - first) };
        for row in elements.chunks_exact_mut(piece.len as usize).take(count as usize) {
            for (to, x) in row.iter_mut().zip(input.fetch(&mut lane.noc, &op.src0, &piece)) {
                let bits = x.to_bits();
                *to = if only_positive != 0 && bits as i32 <= 0 { 0 } else { bits };
            }
            piece.row[0] += 1;
        }
        for i1 in 0..op.dst.ne[1] {
            piece.row[0] = i1;
            let of_row = Piece { first: 0, len: count, ..piece };
            let given = (op.src1.ne[0] > 0).then(|| input.fetch(&mut lane.noc, &op.src1, &of_row));
            weights.set(given, params.scale, count as usize);
            let addend = match op.more[0].ne[3] {
                0 => &[],
                repeats => {
                    let [i1, i2, i3] = piece.row;
                    let piece = Piece { row: [i1, i2, i3 % repeats], ..piece };
                    input.fetch(&mut lane.noc, &op.more[0], &piece)
                }
            };
            write(&mut lane.noc, &mut output, &op.dst, &piece, |y| {
                weights.sums(elements, count as usize, y);
                y.iter_mut().zip(addend).for_each(|(y, &addend)| *y += addend);
            });
        }
    }
}
