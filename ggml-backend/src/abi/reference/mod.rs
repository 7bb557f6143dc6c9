//! ggml's CPU backend as the reference for what the device computes: nodes are copied into host memory ([`replicas`]), and the host's
//! own backend computes them there ([`cpu`]).

mod cpu;
mod replicas;

pub use cpu::CpuError;
pub use replicas::Replicas;
