//! The network on chip: what becomes of a request between the NIU that makes it and the NIUs that it comes to.
//!
//! ```text
//! CMD_CTRL = 1 -> niu: registers -> request -> outbox of the tile
//! between quanta:  depart (a write's data leaves) -> arrive (effects where it goes) -> respond (data, counters)
//! ```
//!
//! Both networks deliver everything that waits, tile by tile in a fixed order, each tile's requests in the order in
//! which they were made: one of the orders that `NoC/Ordering.md` allows, and the same on any number of host
//! threads. The three steps of [`deliver`] know nothing of each other but the request, the data on its way and the
//! number of answers, so that they can also be taken apart in time.
//!
//! Virtual channels, priorities and path reservations decide when a packet moves and never what it does: their
//! fields are checked, and otherwise without effect.

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
