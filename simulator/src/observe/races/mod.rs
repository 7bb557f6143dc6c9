//! The race detector: accesses that nothing orders, and reads of what nothing has written, are faults.
//!
//! ```text
//! tile:  Observer (observer) -> cores, coprocessor: accesses -> shadow of memory, vector clocks (core_clock, state) -> report
//! chip:  Races (packets): NoC requests from tile to tile, DRAM (dram)
//! ```
//! In the fast mode units finish at once and requests arrive in the order in which they were made, so a kernel that
//! forgets to wait works. The asynchronous mode finishes everything after a seeded delay ([`crate::engine`]) and
//! carries this detector. Accesses are compared by happens-before, not by when they happen to come.
//!
//! # What is found
//!
//! Memory has a shadow ([`shadow`]): L1 by words and bytes, Dst by rows, SrcA and SrcB by banks, configuration by bits,
//! GPRs by words. It remembers the latest accesses to each; an access that conflicts with an earlier one (one of
//! them writes) has to be ordered after it. What happened before what is kept in vector clocks ([`clock`]). What
//! orders:
//!
//! | from | to | by |
//! |---|---|---|
//! | a core's store to L1 | another core | a poll in L1 that sees it, or a later store of the core ([`code::is_poll`]) |
//! | a core | its Tensix instructions | the push; of its own stores only what has arrived ([`core_clock`]) |
//! | a core's stores to configuration and GPRs | instructions behind a `STALLWAIT` | condition C13 |
//! | an instruction in a unit | later ones of its thread | `STALLWAIT` on the unit |
//! | unpacker, matrix unit | the other | a bank that changes hands |
//! | a thread, or a core | a thread, or a core | semaphore, mutex, mailbox |
//! | all of a thread | a core | a load from TTSync whose result is used, after a store to it |
//! | a NoC request | a core | a load of the counter that counts its response |
//! | a NoC request from elsewhere | a core | a poll that sees it, or a later one from elsewhere |
//! | everything so far | a core | a poll of a word that the host has written; release from reset |
//!
//! A load has returned, and orders what it orders, once an instruction uses its result or seven instructions later.
//! What a core reads in L1 of another core's without polling is data: it must be ordered.
//!
//! Besides: reads of what nothing has written since power-on (by cores, NoC and whole unpacks; rows of Dst, banks of
//! SrcA and SrcB); writes to a MOP expander's configuration while it may expand; a `STALLWAIT` or `SEMWAIT` that makes
//! the gate forget another; a load from a PCBuf, semaphore or mailbox while one from TTSync is under way; execution
//! of code that changed since the instruction cache was invalidated. In DRAM ([`dram`]) writes of the same bytes that
//! nothing orders, and use of what a read brought that nothing orders with a write there.
//!
//! # What is not
//!
//! - Instructions take effect when they pass the gate, not when they leave the unit. A program without races
//!   cannot tell the difference; one with a race ends there.
//! - Across tiles, L1 is compared only with what is under way at the same time: a flag in another tile's L1 is
//!   believed to come after whatever has arrived before it.
//! - What a tile tells another of its accesses to DRAM it tells as a whole: a flag that one core sends is believed to
//!   come after requests of its tile that another core has waited for.
//! - The interlock that makes packers wait for the matrix unit's latest writes to Dst (`Dst.md`) is not relied on.
//! - Address counters, register window counters and LRegs are read and moved in the order of the thread, as in
//!   hardware: nothing can race there. Cores' private RAM and the mover have no shadow.
//! - Results of `LOADIND`, `LOADREG` and atomics are in their GPRs when the instruction is done: condition C0 is always met,
//!   and so is C12, since the mover finishes at once.
//! - Ethernet tiles and what hosts read run as in the fast mode.
//! - An instruction cache has no capacity: a word stays until it is invalidated, the worst case.

mod clock;
mod code;
mod coprocessor;
mod core_clock;
mod cores;
mod dram;
mod observer;
mod packets;
mod report;
mod shadow;
mod state;

pub use packets::{Note, Races};
pub use state::TileRaces;
