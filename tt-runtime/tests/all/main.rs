//! Tests of the runtime with devices, as one program: it takes a seventh of the compiler's time that a program for each of these files takes. Two are by themselves: what `fork.rs` forks should
//! have no threads of other tests, and `metal.rs` is built with a feature, where the vendor's driver has one set of chips in a process.

#[path = "../common/mod.rs"]
mod common;
#[path = "../machine/mod.rs"]
mod machine;

mod ahead;
mod ahead_experts;
mod ahead_rows;
mod asynchronous;
mod attention;
mod attention_rows;
mod blackhole;
mod cards;
mod copy;
mod elementwise;
mod exact;
mod exact_tiles;
mod expert_sum;
mod faults;
mod fused;
mod kmd;
mod matmul;
mod null;
mod quantised;
mod recurrent;
mod rows;
mod second;
mod set_rows;
mod streams;
mod sums;
mod times;
mod training;
mod transfer;
mod ttsim;
mod windows;
