//! Indices of a `MUL_MAT_ID` with one token ([`tt_kernel_abi::matmul::MatmulParams::experts`]): which matrices the weights are of that BRISC reads.
#![allow(unsafe_code)]

use super::l1::L1;
use tt_kernel_abi::matmul::MAX_EXPERTS;
use tt_kernel_abi::target::offset;
use tt_kernel_abi::{OpDescriptor, l1};

/// The place of the indices of `op`. It is for BRISC, and there is one: what it has is of the product whose weights are read, or were read last.
pub fn place(op: &OpDescriptor) -> L1<'static> {
    let ids = &op.more[0];
    // SAFETY: words for this alone, which have room for so many indices behind any offset; no other core knows of them.
    unsafe { L1::new(l1::EXPERTS + offset(ids.addr), 4 * ids.ne[0].min(MAX_EXPERTS)) }
}
