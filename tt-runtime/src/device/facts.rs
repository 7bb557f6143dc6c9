//! What a device is, and what it has done so far.

/// What a device is.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// Short description.
    pub description: String,
    /// PCI address, if it has one.
    pub pci_address: Option<String>,
    /// Columns and rows of worker tiles.
    pub grid: (u32, u32),
    /// Bytes of DRAM.
    pub dram_total: u64,
}

impl DeviceInfo {
    /// Number of worker tiles.
    pub fn workers(&self) -> u32 {
        self.grid.0 * self.grid.1
    }
}

/// What a device has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Descriptors executed.
    pub launches: u64,
    /// How often the host has started some, one or a stream of them.
    pub streams: u64,
    /// Launches of the runtime's own, which moved bytes: results pushed to the host, DRAM filled and copied.
    pub moves: u64,
    /// Clocks, where they are counted: not on a card.
    pub clocks: Option<u64>,
    /// Clocks in a microsecond, where clocks are the time that silicon takes: in the simulator's timed mode.
    pub clocks_us: Option<u32>,
    /// Clocks that steps have taken by the wall clock of the leader's tile, where their times are kept ([`Device::keep_times`](super::Device::keep_times)).
    pub step_clocks: Option<u64>,
    /// What [`Device::write`](super::Device::write) has moved.
    pub written: Transfers,
    /// What [`Device::read`](super::Device::read) has moved.
    pub read: Transfers,
    /// Tensix instructions, where they are counted.
    pub tensix_instructions: Option<u64>,
    /// RISC-V instructions, where they are counted.
    pub riscv_instructions: Option<u64>,
}

/// Transfers between the host and a device's DRAM.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Transfers {
    /// How many.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
    /// Clocks that they have taken, where those are counted.
    pub clocks: u64,
}

/// What a worker has read over NoC 0, which brings its share of the weights.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reads {
    /// Requests, each answered by one packet.
    pub requests: u32,
    /// Bytes, in whole words of a link.
    pub bytes: u64,
}

impl Transfers {
    /// Counts one.
    pub(super) fn add(&mut self, bytes: usize, clocks: u64) {
        self.count += 1;
        self.bytes += bytes as u64;
        self.clocks += clocks;
    }
}
