//! What the silicon defines, written once.
//!
//! Encodings, registers, address maps, data formats and chip grids, as data and typed constants, for the
//! kernels that run on the cores, the runtime that drives them and the simulator that imitates them.
//! No I/O, no policy, no allocation: the crate is `no_std` and every table can be used in `const` code.
//!
//! | module | what it holds |
//! |---|---|
//! | [`insn`] | the Tensix instruction set: one row an instruction, encode / decode / disassemble from it |
//! | [`cfg`](mod@cfg) | backend and thread configuration registers, field by field |
//! | [`map`] | the address map of a Tensix tile as its RISC-V cores and the NoC see it |
//! | [`noc`] | NIU registers, NoC commands and node coordinates |
//! | [`rv32`] | the cores' own instruction set, for programs made at run time |
//! | [`sfpu`] | registers, modes and lane configuration of the vector unit |
//! | [`overlay`] | registers of NoC overlay streams |
//! | [`stall`] | masks and conditions of the waiting instructions |
//! | [`arc`] | management memory and telemetry |
//! | [`chip`] | what differs from chip to chip, as a constant for each; boards |
//! | [`pcie`] | the PCIe controller's address translation and DMA engines, host memory as the NoC sees it |
//! | [`eth`] | Ethernet tiles: queues, links, what their firmware leaves in L1 |
//! | [`timing`] | what things cost, in clocks |
//! | [`tlb`] | host windows (TLBs) of the PCIe BARs |
//! | [`format`](mod@format) | data formats, and the geometry of tiles and faces in them |
//!
//! Constants and tables outside of [`chip`] are what all chips share, or Wormhole's where they say so.
//!
//! Names are those of `tenstorrent/tt-isa-documentation`; a page named in a comment is a page of that
//! repository, below `WormholeB0/` unless said otherwise.
#![no_std]
#![forbid(unsafe_code)]

pub mod arc;
pub mod cfg;
pub mod chip;
pub mod eth;
pub mod format;
pub mod insn;
pub mod map;
pub mod noc;
pub mod overlay;
pub mod pcie;
pub mod rv32;
pub mod sfpu;
pub mod stall;
mod text;
pub mod timing;
pub mod tlb;
