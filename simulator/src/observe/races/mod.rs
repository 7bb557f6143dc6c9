//! The race detector: conflicting accesses without order, and reads of memory that nothing has written, are faults.
//!
//! ```text
//! tile:  Observer (observer) -> cores, coprocessor: accesses -> shadow of memory, vector clocks (core_clock, state) -> report
//! chip:  Races (packets): NoC requests from tile to tile, DRAM (dram)
//! ```
//! In the fast mode units complete at once and requests arrive in the order in which they were made, so a kernel with a
//! missing wait still works. In the asynchronous mode everything completes after a seeded delay ([`crate::engine`]), and
//! this detector runs. It compares accesses by happens-before, not by their actual order. The first finding is a fault, or all are noted
//! ([`findings`]).
//!
//! # What is found
//!
//! Memory has a shadow ([`shadow`]): L1 by words and bytes, Dst by rows, SrcA and SrcB by banks, configuration by bits,
//! GPRs by words. It remembers the latest accesses to each. An access that conflicts with an earlier one (at least one of
//! them writes) must be ordered after it. Vector clocks track happens-before ([`clock`]). Order comes from:
//!
//! | from | to | by |
//! |---|---|---|
//! | a core's store to L1 | another core | a poll in L1 that sees it, or a later store of the core ([`code::is_poll`]) |
//! | a core | its Tensix instructions | the push; of its own stores only what has arrived ([`core_clock`]) |
//! | a core's stores to configuration and GPRs | instructions behind a `STALLWAIT` | condition C13 |
//! | an instruction in a unit | later ones of its thread | `STALLWAIT` on the unit |
//! | unpacker, matrix unit | the other | a bank that changes hands |
//! | a thread, or a core | a thread, or a core | semaphore, mutex, mailbox |
//! | a thread (`STOREREG`), or a core | a core | a register of a NoC overlay's stream, which counts what was handed over |
//! | all of a thread | a core | a load from TTSync whose result is used, after a store to it |
//! | a NoC request | a core | a load of the counter that counts its response |
//! | a NoC request from elsewhere | a core | a poll that sees it, or a later one from elsewhere |
//! | a core before an atomic to another tile | another core of its tile | a poll of a flag that a tile has written which knew of the atomic ([`announced`]) |
//! | everything so far | a core | a poll of a word that the host has written; release from reset |
//!
//! A load has returned, and creates its order, once an instruction uses its result or seven instructions later.
//! A load of another core's store to L1 that is not a poll is a load of data, and needs an order.
//!
//! The detector also reports: reads of memory that nothing has written since power-on (by cores, NoC and whole unpacks; rows
//! of Dst, banks of SrcA and SrcB); a `SETRWC` that hands back a bank which was not there yet; writes to a MOP expander's configuration while it may expand; a `STALLWAIT` or `SEMWAIT`
//! that replaces another one in the gate; a load from a PCBuf, semaphore or mailbox while one from TTSync is pending;
//! execution of code that changed since the instruction cache was invalidated; in DRAM ([`dram`]), unordered writes of the
//! same bytes, and use of data whose read is not ordered with a write there; reads of the host's memory by the host while a write of a tile there is not
//! acknowledged (`Chip::check_host_access`).
//!
//! # What is not found
//!
//! - Instructions take effect when they pass the gate, not when they leave the unit. A program without races
//!   cannot tell the difference; one with a race ends there.
//! - Across tiles, accesses to L1 are compared only while they are in flight at the same time: a flag in another tile's L1
//!   is taken to come after everything that arrived before it.
//! - A tile's order of accesses to DRAM is passed to other tiles as a whole: a flag sent by one core is taken to
//!   come after requests of its tile that another core has waited for.
//! - The interlock that makes packers wait for the matrix unit's latest writes to Dst (`Dst.md`) does not count as order.
//! - Address counters, register window counters and LRegs are read and moved in the order of the thread, as in
//!   hardware: nothing can race there. Cores' private RAM and the mover have no shadow.
//! - Results of `LOADIND`, `LOADREG` and atomics are in their GPRs when the instruction is done, so condition C0 is always met.
//!   So is C12, since the mover completes at once.
//! - Ethernet tiles and host reads behave as in the fast mode.
//! - An instruction cache has unlimited capacity: a word stays until it is invalidated, the worst case.

mod announced;
mod clock;
mod code;
mod coprocessor;
mod core_clock;
mod cores;
mod dram;
mod findings;
mod observer;
mod packets;
mod report;
mod shadow;
mod state;

pub use packets::{Note, Races};
pub use state::TileRaces;
