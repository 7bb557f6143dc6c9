//! What a worker is told before its BRISC leaves reset.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Most DRAM banks of any chip.
pub const MAX_BANKS: usize = 24;
/// Most columns of any chip's grid of workers.
pub const MOST_COLUMNS: usize = 14;

/// A DRAM bank as the cores reach it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BankEntry {
    /// The ports that this worker uses, as the NIUs' registers name them ([`tt_isa::noc::NiuMap::node`]): on NoC 0; on NoC 1 for reads, and for writes.
    /// NoC 1 counts tiles from the opposite corner: for a port given as a NoC 0 position its entry is
    /// [`tt_isa::noc::NocXy::mirrored`].
    pub node: [u32; 3],
    /// NoC address of the bank's first byte at those ports.
    pub base: u32,
}

/// Boot configuration, at [`crate::l1::BOOT_CONFIG`].
///
/// It differs from worker to worker in the worker's number and place, and in the ports that it reads through.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BootConfig {
    /// [`BootConfig::MAGIC`]: the firmware does not start without it.
    pub magic: u32,
    /// This worker's number: it says which part of the work it takes, and so which banks it is close to
    /// ([`crate::placement`]).
    pub index: u32,
    /// Logical column of this worker, from 0.
    pub logical_x: u32,
    /// Logical row of this worker, from 0.
    pub logical_y: u32,
    /// Columns of the worker grid.
    pub grid_width: u32,
    /// Rows of the worker grid.
    pub grid_height: u32,
    /// The leader, which holds the completion word, as the NIU's registers name it, NoC 0 (translated coordinates will do).
    pub completion_node: u32,
    /// DRAM banks.
    pub banks: u32,
    /// On the leader: where [`crate::l1::COUNTS`] is pushed to when all have completed a launch, an
    /// address of host memory behind the PCIe tile. Low half, and the tile's register with the address' high bits
    /// ([`tt_isa::noc::NiuMap::node_at`]); zeros if nothing is pushed.
    pub push: [u32; 2],
    /// On the leader: all workers, as a multicast's register names them, NoC 0; zero on the others.
    pub workers: u32,
    /// On the worker with index 0, which reads for all what all need: all workers, as a multicast's register names them, NoC 1; zero on the others.
    pub workers_on_noc_1: u32,
    /// This worker, as the NIU's registers name it (translated coordinates).
    pub node: u32,
    /// This worker's row of the grid, as a multicast's register names it, NoC 0, and the tile that reads for the row.
    pub row: u32,
    /// See above.
    pub row_reader: u32,
    /// This worker's column of the grid, NoC 1, and the tile that reads for the column.
    pub column: u32,
    /// See above.
    pub column_reader: u32,
    /// The worker with index 0.
    pub reader: u32,
    /// The tiles of this worker's row of the grid; those behind the last one are zero.
    pub row_tiles: [u32; MOST_COLUMNS],
    /// The banks; those from `banks` on are zero.
    pub bank: [BankEntry; MAX_BANKS],
}

impl BootConfig {
    /// Value of [`BootConfig::magic`]; changes with every incompatible change of this crate.
    pub const MAGIC: u32 = 0x5454_0008;
    /// Bytes of a boot configuration.
    pub const BYTES: usize = size_of::<Self>();
}

const _: () = assert!(BootConfig::BYTES == crate::l1::BOOT_CONFIG_BYTES as usize);
