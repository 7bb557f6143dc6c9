//! Functions of FP32 numbers as programs of the vector unit (SFPU).
//!
//! [`Program`] builds instruction sequences, [`functions`] holds the building blocks (exp, recip, ..), [`unary`],
//! [`binary`], [`glu`] and [`opt_step`] name the program of each elementwise function; [`rows`], [`soft_max`], [`norm`]
//! and [`gradients`] have those of functions of whole rows. All of them are constants: the firmware emits their words in
//! line, and tests on the host execute the same words.
//!
//! It is a crate of its own because it writes code for a unit of the coprocessor, while [`tt_kernel_abi`] only names
//! functions and says where their operands are ([`tt_kernel_abi::sfpu`]).
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod attention;
pub mod attention_rows;
pub mod exact;
pub mod experts;
pub mod functions;
pub mod gradients;
pub mod norm;
mod operators;
mod program;
pub mod rotate;
pub mod rows;
pub mod soft_max;

pub use operators::{binary, glu, opt_step, unary};
pub use program::{CONSTANTS, Constants, MAX_WORDS, Program, Reg};
