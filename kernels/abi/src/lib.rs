//! What the host runtime and the firmware on the baby cores must agree on.
//!
//! Types with a fixed layout, addresses in L1, and the pure arithmetic of addresses and shares (where a byte of DRAM is,
//! which rows a core takes) that both sides have to do alike. What one side computes with is elsewhere: arithmetic
//! without an FPU in `tt-kernel-numerics`, ggml's types in `tt-kernel-quant`, programs of the vector unit in
//! `tt-kernel-sfpu`. The runtime fills in a [`BootConfig`] and [`OpDescriptor`]s and sends their bytes,
//! the firmware reads the same structs out of L1; sizes and offsets are asserted at compile time on both.
//!
//! The flow of a launch: [`launch`]. The map of L1: [`l1`]. Linear DRAM addresses: [`dram`]; weights: [`shard`].
//! Which chip: [`target`].
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod ahead;
pub mod attention;
pub mod attention_rows;
pub mod boot;
pub mod copy;
pub mod descriptor;
pub mod dram;
pub mod elementwise;
pub mod exact;
pub mod exact_tiles;
pub mod expert_sum;
pub mod fold;
pub mod held;
pub mod l1;
pub mod launch;
pub mod matmul;
pub mod matmul_block;
pub mod norm_order;
mod numbered;
pub mod operators;
pub mod order;
pub mod placement;
pub mod program;
pub mod recurrent;
pub mod relay;
pub mod resample;
pub mod ring;
pub mod rows;
pub mod sfpu;
pub mod shard;
pub mod target;
pub mod transfer;
pub mod view;
pub mod windows;

pub use boot::{BankEntry, BootConfig};
pub use descriptor::{OpDescriptor, Params};
pub use dram::{Banks, DramAddr, DramLocation};
pub use operators::Op;
pub use shard::{Shard, Shards};
pub use tt_kernel_quant::GgmlType;
pub use view::{ElementType, TensorView};
