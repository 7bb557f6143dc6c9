//! Operator descriptors: from tensor views to what the kernels take.
//!
//! A builder checks everything that the kernel relies on and says why if it does not hold, so that a descriptor that exists can be
//! run. Builders are pure and cheap: ggml's `supports_op` calls them.

mod check;
pub mod copy;
pub mod elementwise;
pub mod fold;
mod fused;
mod matmul;
pub mod recurrent;
mod relay;
pub mod resample;
pub mod rows;
mod set_rows;
pub mod training;
pub mod windows;

pub use copy::{copy, remap, repeat, tilize};
pub use elementwise::{binary, fill, glu, unary};
pub use fold::{conv_transpose_1d, fold};
pub use fused::{matmul_add, matmul_glu, norm_mul, rope_set_rows};
pub use matmul::{MAX_IDS, matmul, matmul_id, multiplies_by_column, multiplies_with, tilizes, worth_tiles};
pub use recurrent::{recurrent, solve_tri};
pub use relay::{End, relay};
pub use resample::resample;
pub use rows::*;
pub use set_rows::set_rows;
pub use windows::{im2col, reduce_windows};

use std::borrow::Cow;

/// Why the kernels cannot do an operator on these tensors.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unsupported(pub Cow<'static, str>);

impl From<&'static str> for Unsupported {
    fn from(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }
}

impl From<String> for Unsupported {
    fn from(reason: String) -> Self {
        Self(Cow::Owned(reason))
    }
}
