//! `MUL_MAT`: `dst[i3][i2][i1][n] = sum_k src0[i3/r3][i2/r2][n][k] * src1[i3][i2][i1][k]`.
//!
//! One unit of work is a 32 x 32 tile of a result matrix: up to 32 rows of src1 (activations, in SrcB as TF32,
//! in groups of 8 rows, the height of an `MVMUL`) times 32 rows of src0 (weights, K x N in SrcA), over all of K,
//! accumulated in FP32 in Dst. A core takes a contiguous range of units ([`plan`]).
//!
//! ```text
//! NCRISC --acts ready--> TRISC0 --SrcA/SrcB valid--> TRISC1 --semaphore--> TRISC2 --out ready--> NCRISC
//!   ^  <--acts free---     |  ^  <--bank free------           <----------     ^  <--out free---    |
//!   |                      |  |                                                                   v
//!  DRAM (NoC 1)            |  +--weights ready-- BRISC <- DRAM (NoC 0)                     DRAM (NoC 1)
//!                          +-----weights free--->
//! ```
//!
//! Who waits for whom, and why nothing waits in a circle: every core walks the same list of units (and, inside
//! a unit, chunks of K and blocks of weights) in the same order. BRISC waits only for ring slots, that is for
//! TRISC0 to unpack earlier blocks. NCRISC fills the activation buffer for a chunk after TRISC0 has unpacked
//! the chunk before it, and writes a unit's result before it gathers for the next one; TRISC0 never waits for a
//! result of its own unit or a later one. TRISC2 waits for the result slot of two units ago. So the wait that
//! could close a circle, NCRISC (result u) -> TRISC2 -> TRISC1 -> TRISC0 -> NCRISC (activations of u), points to
//! activations that NCRISC has published before it started to wait.
//!
//! NCRISC cannot reach the Tensix semaphores, and BRISC only through pushing instructions, so both are tied to
//! TRISC0 and TRISC2 by counters in L1 ([`crate::rt::sync`]). A T core updates such a counter after a
//! [`sync`](crate::rt::tensix::sync), when the unpackers or packers have finished with L1.
//!
//! `MUL_MAT_ID` begins with NCRISC sorting the rows by the matrix that their index names ([`group`]); the others wait for
//! that, and what follows is the same. With one token each index has a product with a single row instead, and nothing is sorted: only BRISC needs the indices ([`crate::ops::ahead`]).
//!
//! A descriptor may ask for more than the product ([`finish`]). For a gated unit every unit is there twice, as two units
//! that follow each other and share everything but the weights; NCRISC takes the results of both at once, and there are as many slots. SwiGLU is
//! the vector unit's work where it would be by itself: the two results are in the two halves of Dst, which TRISC1 hands on together. So it waits
//! until TRISC2 has packed all units before the two.
//!
//! A launch may have several products with one row of activations ([`Part`](tt_kernel_abi::matmul::Part)). Their units follow one another, in the same order on every
//! core, as those of one product do; so nothing of what is said above changes.
//!
//! A single row of activations takes another way ([`row`]): NCRISC has one tile's multicast, and the Tensix units bring it to TF32.
//!
//! Weights that are not rounded a second time take another way from L1 to Dst ([`exact`]).
//!
//! Numerics: weights BF16 and BFP8_b are exact in SrcA, and so are F16 and BF16 rows as they lie, but for F16's denormals, which are zero.
//! Other row-major weights are brought to FP32 and rounded to the ten mantissa bits that SrcA's fidelity phases use; activations
//! are rounded to TF32 (11 bits). Fidelity
//! phases 0, 1 and 2 (HiFi3): only low part times low part is left out, 2^-12 of a product.

pub mod blocks;
pub mod brisc;
pub mod exact;
pub mod finish;
pub mod group;
pub mod halves;
pub mod ncrisc;
pub mod plan;
mod row;
pub mod trisc0;
pub mod trisc1;
pub mod trisc2;

/// Tensix semaphore between TRISC1 and TRISC2: halves of Dst that hold a result.
pub const SEM_DST: u32 = 1;
/// Rows of half of Dst, 32 bits wide: the units take turns.
const DST_HALF: u32 = tt_isa::format::DST_ROWS_32 as u32 / 2;
