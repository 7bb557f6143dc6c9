//! What the host runtime and the firmware on the baby cores must agree on.
//!
//! Nothing here does anything: types with a fixed layout, addresses in L1, and the pure arithmetic (where a
//! byte of DRAM is) that both sides need. The runtime fills in a [`BootConfig`] and [`OpDescriptor`]s as words,
//! the firmware reads the same structs out of L1; sizes and offsets are asserted at compile time on both.
//!
//! The flow of a launch: [`launch`]. The map of L1: [`l1`]. Linear DRAM addresses: [`dram`]; weights: [`shard`].
//! Which chip: [`target`].
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod balance;
pub mod boot;
pub mod copy;
pub mod descriptor;
pub mod dram;
pub mod elementwise;
pub mod exp;
pub mod fixed;
pub mod fold;
pub mod ggml_type;
pub mod l1;
pub mod launch;
pub mod matmul;
pub mod num;
pub mod placement;
pub mod quant;
pub mod recurrent;
pub mod resample;
pub mod rows;
pub mod sfpu;
pub mod shard;
pub mod target;
pub mod trig;
pub mod view;
pub mod weighted;
pub mod windows;

pub use boot::{BankEntry, BootConfig};
pub use descriptor::{Op, OpDescriptor};
pub use dram::{DramAddr, DramLocation};
pub use ggml_type::GgmlType;
pub use shard::{Shard, Shards};
pub use view::{ElementType, TensorView};
