//! The network on chip: a request's way from the NIU that makes it to the NIUs that receive it.
//!
//! ```text
//! CMD_CTRL = 1 -> niu: registers -> request -> outbox of the tile
//! between quanta:  depart (a write's data leaves) -> arrive (effects where it goes) -> respond (data, counters)
//! ```
//!
//! The steps are in `fabric::deliver`. Virtual channels, priorities and path reservations decide when a packet moves, never
//! what it does: their fields are checked, and otherwise have no effect.

pub mod alignment;
pub mod atomic;
mod data;
pub mod niu;
pub mod overlay;
pub mod request;

pub use data::Data;
pub use niu::{Niu, Port};
pub use overlay::Overlay;
pub use request::{Action, Remote, Request};

pub const MEMORY_MAP: &str = "NoC/MemoryMap.md";
pub const ATOMICS: &str = "NoC/Atomics.md";
pub const COORDINATES: &str = "NoC/Coordinates.md";
const OVERLAY: &str = "NoC/Overlay/README.md";
