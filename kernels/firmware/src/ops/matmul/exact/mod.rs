//! Products with weights that are not rounded a second time ([`tt_kernel_abi::exact`]): integers in SrcA, and the scales of their blocks on the vector unit.
//!
//! ```text
//! BRISC --groups--> TRISC0 --SrcA: integers, ones; SrcB: rows--> TRISC1: matrix unit --Dst--> vector unit --Dst--> TRISC2
//!                     +------Dst: words, outer factors------------------------------------------^
//! ```
//!
//! All but TRISC0 and TRISC1 do what they do for tiles: a block of weights is a group. A single row of activations, as when a model generates text, takes a way of its own, where
//! eight k-tiles' products are eight rows of Dst and scales cost little ([`single`]). With more rows, a group is multiplied in halves of four k-tiles, and these with one
//! group of 8 rows after the other: products, which stay apart in Dst, then the vector unit's sums of them. Rows beyond the first eight are slow, since
//! all weights come to SrcA once for each 8 of them. With more than eight the host has tiles made of them ([`exact_tiles`](crate::ops::exact_tiles)).
//!
//! Where the kind has minima, rows are multiplied with a tile of ones, too: all 16 columns of that product are the sum of the
//! activations. NCRISC makes that tile in L1 before it says that there are activations.
//!
//! Who waits for whom: SrcA and SrcB pass on as in every product, in the order that both cores walk in. Words have two slots in Dst. TRISC0 waits for the slot
//! of two groups ago, which TRISC1 gives back when it has decoded the last of that group; for that TRISC1 needs operands of that group and earlier ones alone,
//! and TRISC0 has sent those before. An unpack to Dst also waits for a bank of SrcA, which comes back as the tiles before it are multiplied;
//! TRISC1 needs no later words for that. A bank of SrcB is unpacked before the tiles that are multiplied with it, and waits for the bank two before to come back, whose tiles
//! have all been sent. The matrix unit zeroes products when the vector unit has added those before, and the vector unit waits for the matrix
//! unit's last product: both are one thread. Results are handed on as in every product.
//!
//! With several rows of activations, rows of SrcB that do not exist are what they were, and so is what becomes of them: a row of Dst, and an element of a register, does not
//! know of another one but where words are spread, which are all there. With a single row they are zero.
//!
//! Numerics: integers are exact in SrcA, activations are TF32. The matrix unit adds up products of 8 elements with about 12 bits below the largest one
//! (`simulator/src/model/tensix/matrix/product.rs` says what is known of it), which is what limits these products; all behind it is FP32.

pub mod single;
pub mod trisc0;
pub mod trisc1;

use crate::rt::l1::fill;
use crate::rt::launch::TileLaunch;
use tt_kernel_abi::exact::{INTEGER_BYTES, Kind, ONES, ONES_WORD};

/// Tensix semaphore: slots of Dst that hold a group's words.
pub const SEM_WORDS: u32 = 0;

/// Whether sums of activations are needed.
fn has_sums(kind: Kind) -> bool {
    matches!(kind, Kind::ScaleMin | Kind::SuperMin | Kind::SuperFour)
}

/// NCRISC: makes the tile of ones, if the weights are of a kind that wants it. TRISC0 sees it when there are activations.
pub fn make_ones(launch: &TileLaunch) {
    let kind = launch.op.src0.element_type().and_then(|ty| ty.exact());
    if kind.is_some_and(has_sums) {
        fill(launch.l1(ONES, INTEGER_BYTES as u32).words(), ONES_WORD);
    }
}
