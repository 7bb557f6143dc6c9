//! Fuzzers of the simulator.
//!
//! There are two. The **differential** fuzzer runs random instruction sequences with legal configuration on this simulator and
//! on the vendor's; all observable state must be equal. The **robustness** fuzzer runs random code, random host accesses and
//! damaged images; they may be refused, but must not panic, hang or leak.
//!
//! ```text
//! family (generators) -> case -> image (bytes for a tile) -> run (64 tiles at once) -> compare -> campaign -> report
//!                          ^                                                             |
//!                          +------ corpus (text files, results recorded)    shrink <-----+
//! ```
//!
//! `tests/corpus.rs` replays the recorded cases, without the vendor's library; with `TTSIM_LIB` set, the record and a slice
//! of a campaign are checked against the library.

pub mod campaign;
pub mod case;
pub mod compare;
pub mod corpus;
pub mod family;
pub mod image;
pub mod random;
pub mod report;
pub mod robust;
pub mod run;
pub mod shrink;
