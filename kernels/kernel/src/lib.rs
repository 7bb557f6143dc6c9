//! What kernels are written with: code of the baby RISC-V cores of a Tensix tile.
//!
//! The built-in operators' firmware and kernels of users stand on the same modules:
//!
//! | module | what |
//! |---|---|
//! | [`chip`] | the chip that the build is for: its instructions, registers, conditions |
//! | [`mmio`], [`config`] | registers of the tile; its boot configuration |
//! | [`l1`], [`elements`] | memory that a core shares with the NoC, the Tensix units and other cores |
//! | [`noc`] | reads, writes, multicasts and atomics over a tile's two NIUs |
//! | [`tensix`], [`unpack`], [`pack`] | the instruction stream of a Tensix thread, and how units are set up |
//! | [`to_dst`], [`to_src`] | unpackers for the vector unit, and for products |
//! | [`vector`], [`matrix`] | the vector unit and the matrix unit |
//! | [`math`] | FP32 functions for cores without an FPU |
//! | [`clock`] | the wall clock |
//! | [`start`] | the entry point of the firmware's images |
//! | [`program`] | kernels of users: arguments, buffers, NoC requests and semaphores as safe types |
//!
//! It is compiled for `riscv32im-unknown-none-elf`. On other targets it can be checked and documented; instructions are left out there.
#![no_std]

pub mod chip;
pub mod clock;
pub mod config;
pub mod elements;
pub mod l1;
pub mod math;
pub mod matrix;
pub mod mmio;
pub mod noc;
pub mod pack;
pub mod program;
pub mod start;
pub mod tensix;
pub mod to_dst;
pub mod to_src;
pub mod unpack;
pub mod vector;

// For the macros.
#[doc(hidden)]
pub use {tt_isa as isa, tt_kernel_abi as abi, tt_kernel_sfpu as sfpu};

/// What a kernel of a user's begins with.
pub mod prelude {
    pub use crate::program::{
        Consumer, Dram, Element, Host, Kernel, OnTiles, Port, Producer, Remote, Semaphore, Slice, Tile,
    };
    pub use tt_isa::map::RiscV;
}
