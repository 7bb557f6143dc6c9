//! The fabric: a chip and a board, which tile an access reaches, what a packet does, and the host's windows.
//!
//! ```text
//! host -> windows of BAR 0 (host), BAR 2 (pcie) -> tiles
//! time -> system: chips in step -> chip: tiles run, on any number of threads
//!                               -> deliver: packets depart, arrive, respond -> tiles, DRAM, ARC, host memory
//!                                  (transit: the same steps, each after its own delay)
//!                               -> links: messages to other chips; routing: the Ethernet firmware's commands
//! ```

mod chip;
mod defects;
mod deliver;
mod edge;
mod host;
mod host_time;
mod links;
mod pcie;
mod routing;
mod system;
mod traced;
mod transit;
mod waits;

pub use chip::{Chip, ChipConfig, Counters, Progress};
pub use system::System;
