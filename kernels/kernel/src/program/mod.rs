//! Kernels of users: what the host hands to one core of a tile, in safe types.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! use tt_kernel::prelude::*;
//!
//! tt_kernel::kernel!(main);
//!
//! fn main(kernel: Kernel) {
//!     let numbers: Slice<u32> = kernel.argument(0);
//!     let mut sum: Slice<u32> = kernel.argument(1);
//!     sum.set(0, numbers.get(0) + numbers.get(1));
//! }
//! ```
//!
//! The host chooses the core and says what the arguments are (`tt_runtime::program`); a kernel asks for each by its type, once, and stops with
//! its source line if the host has passed something else. What it gets is all that it can reach:
//!
//! | type | what | made by |
//! |---|---|---|
//! | [`Slice`] | bytes of this tile's L1, as elements | an L1 buffer |
//! | [`OnTiles`] | the same L1 bytes on the tiles of a rectangle | an L1 buffer |
//! | [`Dram`] | DRAM, of all banks or of one | a DRAM buffer, a shard of a sharded one |
//! | [`Host`] | memory of the host | a pinned buffer |
//! | [`Tile`] | another tile | a tile of the grid |
//! | [`Semaphore`] | a counter on the tiles of a rectangle | a semaphore |
//! | [`Producer`], [`Consumer`] | an end of a circular buffer between cores of a tile | a circular buffer |
//! | `u32`, `i32`, `f32` | a word | a number |
//!
//! The three TRISCs drive the Tensix units by [`compute`].
//!
//! # What the types check
//! A NoC request borrows its memory here until it has been waited for: a [`Reading`] its destination exclusively, a [`Writing`] its source. Both
//! wait when they are dropped, so that nothing is used too early. Who else uses L1 of this tile, and when, the types do not see: cores and tiles
//! tell each other by semaphores and circular buffers, and the simulator's asynchronous mode finds what is missing. All accesses to L1 are
//! volatile, of bytes of which any pattern is a value, so that such a mistake is a wrong number and nothing worse.
#![allow(unsafe_code)]

mod argument;
mod circular;
pub mod compute;
mod entry;
mod port;
mod print;
mod semaphore;
mod slice;
mod wait;

pub use argument::{FromArgument, Tile};
pub use circular::{Consumer, Page, Producer};
pub use entry::{Kernel, Span};
#[doc(hidden)]
pub use entry::{panicked, start};
pub use port::{Atomic, Dram, Host, Multicast, OnTiles, Port, Reading, Remote, Writing};
pub use print::Printer;
pub use semaphore::Semaphore;
pub use slice::{Element, Slice};
