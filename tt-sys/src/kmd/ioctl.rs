//! The driver's ioctls: numbers, argument structs, and the version since which each is there.
//!
//! Numbers encode neither size nor direction. An argument is one struct, its `in` part first and its `out` part behind; the names of the
//! fields are the driver's, with `in_` and `out_` where both parts have one. Reserved fields are zero. Where the `in` part begins with the number of
//! bytes of the `out` part that the caller has room for, the driver clears that many: a struct must have them.

use std::fmt;
use std::io;

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::File;

/// Version of the driver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Version {
    /// Changes with the interface.
    pub major: u8,
    /// Changes with what is new in it.
    pub minor: u8,
    /// Changes with what is mended.
    pub patch: u8,
}

impl Version {
    /// A version.
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What differs from version to version in what is there since 2.0.
pub mod since {
    use super::Version;

    /// NoC cleanup; windows of exactly the size that is asked for.
    pub const CLEANUP: Version = Version::new(2, 2, 0);
    /// Resets of the board and what follows them.
    pub const ASIC_RESET: Version = Version::new(2, 4, 0);
    /// Power states. A reset makes files that were opened before it useless.
    pub const POWER: Version = Version::new(2, 6, 0);
    /// A reset takes away the mappings of before; locks can be waited for.
    pub const ZAP: Version = Version::new(2, 7, 0);
    /// Pages pinned for reading only.
    pub const READ_ONLY_PINS: Version = Version::new(2, 9, 0);
    /// Exclusive opens; the file that resets stays usable; windows as DMA buffers.
    pub const EXCLUSIVE: Version = Version::new(2, 10, 0);
}

/// The argument of an ioctl.
pub trait Ioctl: FromBytes + IntoBytes + KnownLayout + Immutable {
    /// Number.
    const NUMBER: u32;
    /// The driver's name for it.
    const NAME: &'static str;

    /// Does it.
    ///
    /// # Errors
    /// That of the driver.
    fn call(&mut self, file: &dyn File) -> io::Result<()> {
        file.ioctl(Self::NUMBER, self.as_mut_bytes())
    }
}

/// Ioctls are numbered from here.
pub const FIRST: u32 = 0xFA00;

macro_rules! ioctls {
    ($($(#[$doc:meta])* $number:literal $text:literal $size:literal
        struct $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
        #[repr(C)]
        pub struct $name { $($(#[$field_doc])* pub $field: $ty,)* }

        // The driver's size; with zerocopy's proof that there is no padding it fixes every offset.
        const _: () = assert!(size_of::<$name>() == $size);

        impl Ioctl for $name {
            const NUMBER: u32 = FIRST + $number;
            const NAME: &'static str = $text;
        }
    )*};
}

ioctls! {
    /// What the device is on the bus. Always there, and not touching the chip.
    0 "GET_DEVICE_INFO" 24 struct GetDeviceInfo {
        /// 20 bytes.
        output_size_bytes: u32,
        /// Bytes that this driver knows.
        out_size_bytes: u32,
        /// PCI vendor.
        vendor_id: u16,
        /// PCI device.
        device_id: u16,
        /// PCI subsystem vendor.
        subsystem_vendor_id: u16,
        /// PCI subsystem.
        subsystem_id: u16,
        /// Function in bits 2:0, device in 7:3, bus in 15:8.
        bus_dev_fn: u16,
        /// Log2 of the largest DMA buffer.
        max_dma_buf_size_log2: u16,
        /// PCI domain.
        pci_domain: u16,
        /// Zero.
        reserved: u16,
    }

    /// Which BARs can be mapped, and at which offsets.
    2 "QUERY_MAPPINGS" 200 struct QueryMappings {
        /// 8 entries.
        output_mapping_count: u32,
        /// Zero.
        reserved: u32,
        /// Entries that are not used have an id of zero.
        mappings: [MappingRange; 8],
    }

    /// A buffer in host memory that the chip reaches; given back only when the file is closed.
    3 "ALLOCATE_DMA_BUF" 64 struct AllocateDmaBuf {
        /// Bytes, whole pages.
        requested_size: u32,
        /// Number that the file has not used yet.
        buf_index: u8,
        /// [`DmaBufFlags`].
        flags: u8,
        /// Zero.
        reserved0: [u8; 2],
        /// Zero.
        reserved1: [u64; 2],
        /// Address on the bus.
        physical_address: u64,
        /// Where it is mapped.
        mapping_offset: u64,
        /// Bytes.
        size: u32,
        /// Zero.
        reserved2: u32,
        /// Address at the PCIe tile, with [`DmaBufFlags::NOC_DMA`].
        noc_address: u64,
        /// Zero.
        reserved3: u64,
    }

    /// Version of the driver. Always there.
    5 "GET_DRIVER_INFO" 16 struct GetDriverInfo {
        /// 12 bytes.
        output_size_bytes: u32,
        /// Bytes that this driver knows: 8 in versions 1.x, which do not tell their number.
        out_size_bytes: u32,
        /// Version of the interface.
        driver_version: u32,
        /// Of the driver.
        major: u8,
        /// Of the driver.
        minor: u8,
        /// Of the driver.
        patch: u8,
        /// Zero.
        reserved0: u8,
    }

    /// Resets; a failure is a result of 1, not an error.
    6 "RESET_DEVICE" 16 struct ResetDevice {
        /// 8 bytes.
        output_size_bytes: u32,
        /// One of [`reset`].
        flags: u32,
        /// Bytes that this driver knows.
        out_size_bytes: u32,
        /// 0: good.
        result: u32,
    }

    /// Pins pages of this process for the chip.
    7 "PIN_PAGES" 40 struct PinPages {
        /// 16 bytes, for the address at the NoC too.
        output_size_bytes: u32,
        /// [`PinFlags`].
        flags: u32,
        /// A page's.
        virtual_address: u64,
        /// Bytes, whole pages; without an IOMMU they must lie together in physical memory.
        size: u64,
        /// Address on the bus.
        physical_address: u64,
        /// Address at the PCIe tile.
        noc_address: u64,
    }

    /// Locks among the users of a device, which belong to files.
    8 "LOCK_CTL" 16 struct LockCtl {
        /// 4 bytes.
        output_size_bytes: u32,
        /// One of [`lock`].
        flags: u32,
        /// Which, below [`lock::COUNT`].
        index: u8,
        /// Zero.
        reserved: [u8; 3],
        /// Answer.
        value: u8,
        /// Zero.
        reserved1: [u8; 3],
    }

    /// Gives pinned pages back: address and size as they were pinned.
    10 "UNPIN_PAGES" 24 struct UnpinPages {
        /// As it was pinned.
        virtual_address: u64,
        /// As it was pinned.
        size: u64,
        /// Zero.
        reserved: u64,
    }

    /// Takes a window.
    11 "ALLOCATE_TLB" 48 struct AllocateTlb {
        /// Bytes that it shows, exactly those of one of the chip's groups.
        size: u64,
        /// Zero.
        reserved: u64,
        /// Its number.
        id: u32,
        /// Zero.
        reserved0: u32,
        /// Where it is mapped uncached.
        mmap_offset_uc: u64,
        /// Where it is mapped with write-combining.
        mmap_offset_wc: u64,
        /// Zero.
        reserved1: u64,
    }

    /// Gives a window back that is not mapped.
    12 "FREE_TLB" 4 struct FreeTlb {
        /// Its number.
        id: u32,
    }

    /// Points a window; it may be mapped.
    13 "CONFIGURE_TLB" 48 struct ConfigureTlb {
        /// Its number.
        id: u32,
        /// Zero.
        reserved: u32,
        /// Address of its first byte, a multiple of its size.
        addr: u64,
        /// Tile, or far corner.
        x_end: u16,
        /// Tile, or far corner.
        y_end: u16,
        /// Near corner.
        x_start: u16,
        /// Near corner.
        y_start: u16,
        /// NoC 0 or 1.
        noc: u8,
        /// 1: all Tensix tiles of the rectangle.
        mcast: u8,
        /// As `tt_isa::tlb::Ordering`.
        ordering: u8,
        /// Zero.
        linked: u8,
        /// Ignored.
        static_vc: u8,
        /// Zero.
        reserved0: [u8; 3],
        /// Zero.
        reserved1: [u32; 2],
        /// Zero.
        out_reserved: u64,
    }

    /// A word that the driver writes over the NoC when the file is closed, even by the death of the process.
    14 "SET_NOC_CLEANUP" 32 struct SetNocCleanup {
        /// 32.
        argsz: u32,
        /// Zero.
        flags: u32,
        /// 1: write; 0: not any more.
        enabled: u8,
        /// Tile.
        x: u8,
        /// Tile.
        y: u8,
        /// NoC 0 or 1.
        noc: u8,
        /// Zero.
        reserved0: u32,
        /// A multiple of 4.
        addr: u64,
        /// The word, in the lower half.
        data: u64,
    }

    /// What of the chip this file needs; the driver asks the firmware for what any file needs. `EINVAL` also says that the firmware
    /// does not take it.
    15 "SET_POWER_STATE" 40 struct SetPowerState {
        /// 40.
        argsz: u32,
        /// Zero.
        flags: u32,
        /// Zero.
        reserved0: u8,
        /// Number of flags that count in bits 3:0, of settings in 7:4.
        validity: u8,
        /// [`PowerFlags`].
        power_flags: u16,
        /// Numbers.
        power_settings: [u16; 14],
    }

    /// A window as a DMA buffer of other devices.
    16 "EXPORT_TLB_DMABUF" 32 struct ExportTlbDmabuf {
        /// 32.
        argsz: u32,
        /// Zero.
        flags: u32,
        /// Window.
        tlb_id: u32,
        /// The buffer's file.
        fd: i32,
        /// First byte.
        offset: u64,
        /// Bytes; 0: to the window's end.
        size: u64,
    }
}

/// A BAR that can be mapped.
#[derive(Clone, Copy, Default, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct MappingRange {
    /// 1 to 6: the three BARs, uncached and with write-combining.
    pub mapping_id: u32,
    /// Zero.
    pub reserved: u32,
    /// Offset.
    pub mapping_base: u64,
    /// Bytes.
    pub mapping_size: u64,
}

impl GetDeviceInfo {
    /// Asks for all.
    pub fn ask() -> Self {
        Self { output_size_bytes: 20, ..Self::default() }
    }
}

impl GetDriverInfo {
    /// Asks for all.
    pub fn ask() -> Self {
        Self { output_size_bytes: 12, ..Self::default() }
    }

    /// The version. Drivers that do not tell theirs are older than 2.0.
    pub fn version(&self) -> Version {
        Version::new(self.major, self.minor, self.patch)
    }
}

impl QueryMappings {
    /// Asks for all.
    pub fn ask() -> Self {
        Self { output_mapping_count: 8, ..Self::default() }
    }
}

impl AllocateTlb {
    /// A window of so many bytes.
    pub fn of(size: u64) -> Self {
        Self { size, ..Self::default() }
    }
}

impl LockCtl {
    /// What to do with a lock.
    pub fn new(flags: u32, index: u8) -> Self {
        Self { output_size_bytes: 4, flags, index, ..Self::default() }
    }
}

impl ResetDevice {
    /// A reset.
    pub fn new(flags: u32) -> Self {
        Self { output_size_bytes: 8, flags, ..Self::default() }
    }
}

impl SetPowerState {
    /// These of the flags that are known here.
    pub fn new(flags: PowerFlags) -> Self {
        let argsz = size_of::<Self>() as u32;
        Self { argsz, validity: PowerFlags::KNOWN, power_flags: flags.bits(), ..Self::default() }
    }
}

impl SetNocCleanup {
    /// A word to write.
    pub fn write([x, y]: [u8; 2], addr: u64, word: u32) -> Self {
        let argsz = size_of::<Self>() as u32;
        Self { argsz, enabled: 1, x, y, addr, data: word.into(), ..Self::default() }
    }
}

/// Kinds of reset.
pub mod reset {
    /// The chip and all that is on it.
    pub const ASIC: u32 = 4;
    /// The same, and the board's microcontroller.
    pub const ASIC_DMC: u32 = 5;
    /// After either, when the chip is back on the bus: it is made ready.
    pub const POST: u32 = 6;
    /// Byte of PCI's configuration space, and bit in it, by which the driver knows that the chip is back: it sets the bit (parity
    /// errors, in the command register), and a reset clears it.
    pub const MARK: (usize, u8) = (4, 1 << 6);
}

/// What can be done with a lock.
pub mod lock {
    /// Locks of a device.
    pub const COUNT: u8 = 64;
    /// Answer 1: taken; 0: another file has it.
    pub const ACQUIRE: u32 = 0;
    /// Answer 1: given back; 0: was not ours.
    pub const RELEASE: u32 = 1;
    /// Answer: bit 0 this file has it, bit 1 some file has it.
    pub const TEST: u32 = 2;
    /// Waits until it can be taken.
    pub const ACQUIRE_BLOCKING: u32 = 3;
}

/// Offsets at which mappings begin.
pub mod offset {
    /// BAR 0, uncached; the others and the write-combining ones follow at this distance: BAR 0 wc, BAR 2 uc, ..
    pub const BAR0: u64 = 0;
    /// Distance of two kinds.
    pub const STEP: u64 = 1 << 36;
    /// BAR 2, uncached.
    pub const BAR2: u64 = 2 * STEP;
    /// BAR 4, uncached.
    pub const BAR4: u64 = 4 * STEP;
    /// Windows, uncached, by their offset in BAR 0.
    pub const WINDOWS: u64 = 6 * STEP;
    /// Windows, with write-combining.
    pub const WINDOWS_WC: u64 = 7 * STEP;
    /// DMA buffers.
    pub const DMA_BUFFERS: u64 = 0xF00 << 32;
    /// Distance of two DMA buffers.
    pub const DMA_BUFFER_STEP: u64 = 1 << 32;
}

bitflags! {
    /// Flags of [`AllocateDmaBuf`].
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct DmaBufFlags: u8 {
        /// The NoC reaches it too.
        const NOC_DMA = 1 << 1;
    }

    /// Flags of [`PinPages`].
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct PinFlags: u32 {
        /// They lie together in physical memory.
        const CONTIGUOUS = 1 << 0;
        /// The NoC reaches them too.
        const NOC_DMA = 1 << 1;
        /// Their address at the NoC is counted from the top; implies `NOC_DMA`.
        const NOC_TOP_DOWN = 1 << 2;
        /// The chip only reads them; needs an IOMMU.
        const READ_ONLY = 1 << 3;
    }

    /// Flags of [`SetPowerState`].
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct PowerFlags: u16 {
        /// The highest AI clock.
        const MAX_AI_CLK = 1 << 0;
        /// DRAM's PHYs.
        const MRISC_PHY_WAKEUP = 1 << 1;
        /// Clocks of Tensix tiles.
        const TENSIX_ENABLE = 1 << 2;
        /// Clocks of the large cores (Blackhole).
        const L2CPU_ENABLE = 1 << 3;
    }
}

impl PowerFlags {
    /// Number of flags that are known here.
    pub const KNOWN: u8 = 4;
}
