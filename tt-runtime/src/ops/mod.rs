//! Operator descriptors: from tensor views to what the kernels take.
//!
//! A builder checks everything that the kernel relies on and says why if it does not hold, so that a descriptor that exists can be
//! run. Builders are pure and cheap: ggml's `supports_op` calls them.

mod attention;
mod attention_rows;
mod check;
pub mod copy;
pub mod elementwise;
mod expert_sum;
pub mod fold;
mod fused;
mod matmul;
mod matmul_block;
pub mod recurrent;
mod relay;
pub mod resample;
pub mod rows;
mod set_rows;
pub mod training;
pub mod windows;

pub use attention::{Attention, Operands as AttentionOperands};
pub use attention_rows::attention_rows;
pub use copy::{copy, order, remap, repeat, tilize};
pub use elementwise::{binary, fill, glu, unary};
pub use expert_sum::expert_sum;
pub use fold::{conv_transpose_1d, fold};
pub use fused::{matmul_add, matmul_glu, matmul_together, norm_mul, parts, rope_set_rows};
pub use matmul::{
    MAX_IDS, matmul, matmul_id, multiplies_by_column, multiplies_with, ordered, tilizes, with_matrix_units,
    with_ordered, worth_order, worth_tiles,
};
pub use matmul_block::{
    block_form, block_tiles, block_weights_type, blocks, blocks_gated, blocks_gated_of_tiles,
    blocks_of_tiles, glu_blocks, is_part_of_columns, needs_next, order_blocks, rms_norm_blocks,
    worth_block_tiles, worth_blocks, worth_gated_tiles, worth_rms_norm_blocks,
};
pub use recurrent::{recurrent, solve_tri};
pub use relay::{End, relay};
pub use resample::resample;
pub use rows::*;
pub use set_rows::set_rows;
pub use tt_kernel_abi::order::flags_for as order_flags;
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
