//! The ARC tile's memory and registers, as far as host software reads them (`ARCTile/README.md`; telemetry as the
//! vendor's user-mode driver expects it).
//!
//! Two registers of the reset unit hold the addresses, in ARC's own address space, of a table of telemetry tags and
//! of their values; both lie in CSM. The table starts with a version and the number of entries; an entry has the tag in
//! its low half and the index of its value in the high half.

/// CSM in ARC's own address space.
pub const CSM_BASE: u32 = 0x1000_0000;
/// Bytes of CSM.
pub const CSM_SIZE: u32 = 512 << 10;
/// ARC's address space, as the NoC sees it.
pub const NOC_XBAR: u64 = 0x8_0000_0000;
/// Reset unit, from the APB base.
pub const RESET_UNIT: u32 = 0x3_0000;
/// Reset unit: eight scratch registers.
pub const SCRATCH: u32 = 0x60;
/// What firmware leaves in scratch register 0 once it has booted.
pub const SCRATCH_BOOTED: u32 = 0xC0DE_0001;
/// Reset unit: address of the telemetry table.
pub const TELEMETRY_TABLE: u32 = 0x1D0;
/// Reset unit: address of the telemetry values.
pub const TELEMETRY_VALUES: u32 = 0x1D4;

/// Telemetry tags.
pub mod tag {
    /// Board id, upper word.
    pub const BOARD_ID_HIGH: u16 = 1;
    /// Board id, lower word.
    pub const BOARD_ID_LOW: u16 = 2;
    /// Harvested Tensix rows, one bit a row.
    pub const HARVESTING_STATE: u16 = 4;
    /// Temperature of the chip, 16.16 degrees Celsius.
    pub const ASIC_TEMPERATURE: u16 = 11;
    /// AI clock, MHz.
    pub const AICLK: u16 = 14;
    /// AXI clock, MHz.
    pub const AXICLK: u16 = 15;
    /// ARC clock, MHz.
    pub const ARCCLK: u16 = 16;
}
