//! The PCIe tile: the controller's registers in BAR 2, and host memory as the NoC sees it (`PCIExpressTile/README.md`).
//!
//! The outbound iATU maps addresses of the window to host addresses: by regions, and unchanged outside of them. The DMA
//! engines copy between host memory and BAR 0 windows: one writes to the host, one reads from it. Register offsets are
//! those of the controller (DesignWare), as the vendor's kernel and user-mode drivers use them. BAR 2 takes aligned accesses
//! of 4 bytes.

/// Bytes of BAR 2. It takes aligned accesses of 4 bytes.
pub const BAR2_SIZE: u64 = 1 << 20;
/// PCI vendor of all chips.
pub const VENDOR: u32 = 0x1E52;
/// Host memory in the PCIe tile's NoC address space.
pub const HOST_WINDOW: u64 = 0x8_0000_0000;
/// Bytes of that window.
pub const HOST_WINDOW_SIZE: u64 = 0xFFFE_0000;

/// Bytes of the controller's own registers that the NoC sees in the window while [`crate::arc::DBI_MODE`] is on: PCI configuration
/// space.
pub const DBI_BYTES: u64 = 0x1000;
/// In them: PCI vendor and device id.
pub const DBI_ID: u64 = 0x00;
/// In them: PCI Express device control (lower half) and status; bits 7:5 are the largest payload. The vendor's kernel driver
/// keeps these over a reset (`wormhole.c`).
pub const DBI_DEVICE_CONTROL: u64 = 0x78;

/// The iATU's registers.
pub mod iatu {
    /// First register, an offset of BAR 2.
    pub const BASE: u64 = 0x1200;
    /// Regions of each direction.
    pub const REGIONS: usize = 16;
    /// Bytes of a region's registers. Outbound and inbound regions take turns: outbound region 0, inbound region 0, ...
    pub const STRIDE: u64 = 0x100;
    /// Type of request.
    pub const CTRL_1: u64 = 0x00;
    /// [`ENABLE`] and matching mode.
    pub const CTRL_2: u64 = 0x04;
    /// First address, low half.
    pub const LOWER_BASE: u64 = 0x08;
    /// First address, high half.
    pub const UPPER_BASE: u64 = 0x0C;
    /// Last address, low half; its high half is the first address's.
    pub const LIMIT: u64 = 0x10;
    /// What the first address becomes, low half.
    pub const LOWER_TARGET: u64 = 0x14;
    /// What the first address becomes, high half.
    pub const UPPER_TARGET: u64 = 0x18;
    /// [`CTRL_2`]: the region is in use.
    pub const ENABLE: u32 = 1 << 31;
}

/// The DMA engines' registers, channel 0. `WRITE` copies to the host, `READ` from it.
pub mod dma {
    /// Engine is on.
    pub const WRITE_ENGINE_EN: u64 = 0x0C;
    /// Starts the channel that is written.
    pub const WRITE_DOORBELL: u64 = 0x10;
    /// Engine is on.
    pub const READ_ENGINE_EN: u64 = 0x2C;
    /// Starts the channel that is written.
    pub const READ_DOORBELL: u64 = 0x30;
    /// Interrupts that are masked.
    pub const WRITE_INT_MASK: u64 = 0x54;
    /// Host address that is written when a transfer is done, low and high half.
    pub const WRITE_DONE_IMWR: [u64; 2] = [0x60, 0x64];
    /// Host address that is written when a transfer fails, low and high half.
    pub const WRITE_ABORT_IMWR: [u64; 2] = [0x68, 0x6C];
    /// What is written there.
    pub const WRITE_IMWR_DATA: u64 = 0x70;
    /// Interrupts that are masked.
    pub const READ_INT_MASK: u64 = 0xA8;
    /// Host address that is written when a transfer is done, low and high half.
    pub const READ_DONE_IMWR: [u64; 2] = [0xCC, 0xD0];
    /// Host address that is written when a transfer fails, low and high half.
    pub const READ_ABORT_IMWR: [u64; 2] = [0xD4, 0xD8];
    /// What is written there.
    pub const READ_IMWR_DATA: u64 = 0xDC;
    /// Registers of write channel 0.
    pub const WRITE_CHANNEL: u64 = 0x200;
    /// Registers of read channel 0.
    pub const READ_CHANNEL: u64 = 0x300;
    /// Of a channel: control.
    pub const CONTROL_1: u64 = 0x00;
    /// Of a channel: bytes to copy.
    pub const TRANSFER_SIZE: u64 = 0x08;
    /// Of a channel: source address, low and high half.
    pub const SAR: [u64; 2] = [0x0C, 0x10];
    /// Of a channel: destination address, low and high half.
    pub const DAR: [u64; 2] = [0x14, 0x18];
}

/// PCI configuration space of a chip, as its host reads it: the layout is that of the PCI specification (type 0 header).
pub mod config {
    use core::ops::Range;

    /// Offset of vendor and device id.
    pub const ID: u32 = 0x00;
    /// Offset of class and revision.
    pub const CLASS: u32 = 0x08;
    /// The six words of the base address registers.
    pub const BARS: Range<u32> = 0x10..0x28;
    /// Offset of the interrupt's line and pin.
    pub const INTERRUPT: u32 = 0x3C;
    /// Low bits of a base address register that are flags, not address.
    pub const BAR_FLAGS: u32 = 0xF;
    /// Flags of a BAR in memory that has 64 bits: it takes two registers, the low half first. All BARs of the chips here do.
    pub const BAR_64: u32 = 0x4;

    /// Offset of the low half of BAR `number`, one of 0, 2 and 4.
    pub const fn bar(number: u8) -> u32 {
        BARS.start + 4 * number as u32
    }
}
