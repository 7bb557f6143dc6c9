//! The ARC tile's memory and registers, as far as host software reads them (`ARCTile/README.md`; telemetry as the
//! vendor's user-mode driver expects it).
//!
//! Two registers of the reset unit hold the addresses, in ARC's own address space, of a table of telemetry tags and
//! of their values; both lie in CSM. The table starts with a version and the number of entries; an entry has the tag in
//! its low half and the index of its value in the high half.
//!
//! A message to the firmware: an argument into [`MESSAGE_ARGUMENT`], `0xAA00` plus a [`message`] code into
//! [`MESSAGE_STATUS`], then bit [`MISC_CNTL_IRQ0`] into [`MISC_CNTL`]. The answer: the code in the low half of
//! [`MESSAGE_STATUS`], an exit code in its high half, and a result in the argument's place.

/// How a chip's management processor is reached, and where it says what is harvested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Management {
    /// Where its address space begins in the ARC tile's, as the NoC sees it.
    pub noc: u64,
    /// CSM and APB peripherals in BAR 0, if they can be reached there whatever the board.
    pub bar0: Option<ArcBar0>,
    /// Register with the address of the telemetry table, in ARC's own address space.
    pub telemetry_table: u32,
    /// Register with the address of the telemetry values, in ARC's own address space.
    pub telemetry_values: u32,
    /// Telemetry that says what is harvested.
    pub harvest: HarvestTag,
    /// NoC 0 row (or column) of Tensix tiles that each bit of it means, from the lowest on.
    pub harvest_order: &'static [u8],
}

/// Where the host finds ARC's memory and registers in BAR 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArcBar0 {
    /// CSM.
    pub csm: u64,
    /// APB peripherals.
    pub apb: u64,
}

/// A telemetry word with one bit a row or column of Tensix tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HarvestTag {
    /// Bits of the harvested ones. If the tag is missing nothing is.
    Harvested(u16),
    /// Bits of the ones that work. If the tag is missing all do.
    Enabled(u16),
}

impl HarvestTag {
    /// Its tag.
    pub const fn tag(self) -> u16 {
        match self {
            HarvestTag::Harvested(tag) | HarvestTag::Enabled(tag) => tag,
        }
    }

    /// How many of `all` rows or columns are harvested, from the tag's value if there is one.
    pub const fn harvested(self, value: Option<u32>, all: u32) -> u32 {
        match (self, value) {
            (_, None) => 0,
            (HarvestTag::Harvested(_), Some(bits)) => bits.count_ones(),
            (HarvestTag::Enabled(_), Some(bits)) => all.saturating_sub(bits.count_ones()),
        }
    }
}

/// CSM in ARC's own address space.
pub const CSM_BASE: u32 = 0x1000_0000;
/// Bytes of CSM.
pub const CSM_SIZE: u32 = 512 << 10;
/// Where the NoC sees CSM once more, in ARC's address space: the vendor's user-mode driver reads the older telemetry there
/// (`smbus_arc_telemetry_reader.hpp`); older versions of it add [`CSM_BASE`] to an answer that has it already.
pub const CSM_ALIAS: u32 = 0x2000_0000;
/// APB peripherals in ARC's own address space.
pub const APB_BASE: u32 = 0x8000_0000;
/// Bytes of the APB peripherals.
pub const APB_SIZE: u32 = 1 << 20;
/// The two NIUs of the ARC tile, from the APB base.
pub const APB_NIU: [u32; 2] = [0x5_0000, 0x5_8000];
/// Reset unit, from the APB base.
pub const RESET_UNIT: u32 = 0x3_0000;
/// Reset unit: eight scratch registers.
pub const SCRATCH: u32 = 0x60;
/// What firmware leaves in scratch register 0 once it has booted.
pub const SCRATCH_BOOTED: u32 = 0xC0DE_0001;
/// Reset unit: a message's argument, and its result (scratch register 3).
pub const MESSAGE_ARGUMENT: u32 = SCRATCH + 4 * 3;
/// Reset unit: a message's code, and its status (scratch register 5).
pub const MESSAGE_STATUS: u32 = SCRATCH + 4 * 5;
/// Status of a message that the firmware does not know.
pub const MESSAGE_UNKNOWN: u32 = u32::MAX;
/// Reset unit: ARC's interrupts.
pub const MISC_CNTL: u32 = 0x100;
/// [`MISC_CNTL`]: a message is waiting; the firmware clears it.
pub const MISC_CNTL_IRQ0: u32 = 1 << 16;
/// [`MESSAGE_STATUS`]: a message is there, its code in the low byte.
pub const MESSAGE_PRESENT: u32 = 0xAA00;
/// Reset unit: address of the description of the queue for messages of newer firmware ([`queue`]); 0 if it has none.
pub const MESSAGE_QUEUES: u32 = 0x1D8;
/// Reset unit: scratch registers 6 and 7 with [`DBI_ENABLE`] send the NoC's reads (6) and writes (7) of host memory to the PCIe
/// controller's own registers instead (the vendor's kernel driver, `wormhole.c`).
pub const DBI_MODE: [u32; 2] = [SCRATCH + 4 * 6, SCRATCH + 4 * 7];
/// See [`DBI_MODE`].
pub const DBI_ENABLE: u32 = 1 << 21;

/// Byte offset in CSM of the telemetry of older firmware: a word a field.
pub const OLD_TELEMETRY: u32 = 0x7_8D60;
/// Field of the older telemetry: version of the firmware bundle. From 18.4 on there is the newer telemetry.
pub const OLD_BUNDLE_VERSION: u32 = 49;
/// Version 18.4 of the firmware bundle.
pub const BUNDLE_18_4: u32 = 0x1204_0000;
/// The newest version of the firmware bundle that the sources of these facts speak of (tt-umd's pull request 1942).
pub const NEWEST_BUNDLE: [u32; 2] = [19, 5];
/// In the order of the bits that [`message::GET_HARVESTING`] gives: NoC 0 row of the Tensix tiles.
pub const HARVESTING_ROWS: [u8; 10] = [11, 1, 10, 2, 9, 3, 8, 4, 7, 5];

/// The queue for messages of newer firmware (the vendor's kernel driver, `msgqueue.c` and `wormhole.c`).
///
/// The description has two words: where the queue is in CSM, and in the low byte of the other its number of entries. The queue
/// has a header, then as many requests, then as many responses, of [`ENTRY_WORDS`](queue::ENTRY_WORDS) words each. Pointers count
/// entries modulo twice the number. The host writes a request, moves the request write pointer, and raises
/// [`MISC_CNTL_IRQ0`]; the firmware writes the response and moves the response write pointer.
pub mod queue {
    /// Bytes of the header.
    pub const HEADER_BYTES: u32 = 32;
    /// Words of a request or a response. The first is its header: a request's type in the low byte; 0 in a response that is good.
    pub const ENTRY_WORDS: u32 = 8;
    /// Header: next request that the host writes.
    pub const REQUEST_WRITE: u32 = 0x00;
    /// Header: next response that the host reads.
    pub const RESPONSE_READ: u32 = 0x04;
    /// Header: next request that the firmware reads.
    pub const REQUEST_READ: u32 = 0x10;
    /// Header: next response that the firmware writes.
    pub const RESPONSE_WRITE: u32 = 0x14;
    /// Type of a request: power. Its header has the number of valid flags in bits 11:8 and of settings in bits 15:12, and flags
    /// from bit 16 on; then settings of 16 bits.
    pub const POWER: u8 = 0xC0;
    /// A response to a request that the firmware does not know.
    pub const UNKNOWN: u32 = 0xFF;
    /// Flag of [`POWER`]: the highest AI clock.
    pub const POWER_MAX_AICLK: u16 = 1 << 0;
}

/// Codes of messages to the firmware (vendor's user-mode driver and kernel driver).
pub mod message {
    /// Nothing.
    pub const NOP: u8 = 0x11;
    /// PCIe and power settings that the host's drivers make.
    pub const POWER_SETTING: u8 = 0x21;
    /// Address of the older telemetry, in ARC's own address space.
    pub const GET_OLD_TELEMETRY: u8 = 0x2C;
    /// AI clock, MHz.
    pub const GET_AICLK: u8 = 0x34;
    /// Which PCIe slot the card is in.
    pub const PCIE_INDEX: u8 = 0x51;
    /// Full clock.
    pub const GO_BUSY: u8 = 0x52;
    /// Low clock for a short time.
    pub const GO_SHORT_IDLE: u8 = 0x53;
    /// Low clock.
    pub const GO_LONG_IDLE: u8 = 0x54;
    /// The board's microcontroller is to reset the chip (argument 0), and itself (3).
    pub const TRIGGER_RESET: u8 = 0x56;
    /// Harvested rows, see [`super::HARVESTING_ROWS`].
    pub const GET_HARVESTING: u8 = 0x57;
    /// Whether DRAM and Ethernet are trained.
    pub const SET_ETH_DRAM_TRAINED_STATUS: u8 = 0x58;
    /// Nothing; whether somebody answers.
    pub const TEST: u8 = 0x90;
    /// Power states 0 and 3.
    pub const ASIC_STATE: [u8; 2] = [0xA0, 0xA3];
    /// Train the PCIe link again.
    pub const PCIE_RETRAIN: u8 = 0xB6;
    /// The date.
    pub const CURR_DATE: u8 = 0xB7;
    /// Ethernet cores out of reset.
    pub const DEASSERT_RISCV_RESET: u8 = 0xBA;
    /// Time-out after which the board's microcontroller resets the chip.
    pub const AUTO_RESET_TIMEOUT: u8 = 0xBC;
    /// Time-out of the watchdog.
    pub const SET_WDT_TIMEOUT: u8 = 0xC1;
}

/// Reset unit: 64-bit counter of the reference clock, low half; the high half follows.
pub const REFCLK_COUNTER: u32 = 0xE0;
/// Reference clock, MHz.
pub const REFCLK_MHZ: u64 = 27;
/// AI clock of a chip at work, MHz.
pub const AICLK_BUSY: u32 = 1000;
/// AI clock of an idle chip, MHz.
pub const AICLK_IDLE: u32 = 500;

/// Fields of the older telemetry, by word (`ARCTile/Telemetry.md`).
pub mod old {
    /// Fixed value at the start.
    pub const MARKER: u32 = 0xBA5E_0001;
    /// Board id, upper word.
    pub const BOARD_ID_HIGH: u32 = 4;
    /// Board id, lower word.
    pub const BOARD_ID_LOW: u32 = 5;
    /// Version of the ARC firmware.
    pub const CM_FW_VERSION: u32 = 6;
    /// Version of the Ethernet firmware.
    pub const ETH_FW_VERSION: u32 = 11;
    /// DRAM: four bits a tile, 2 = trained; then 16 minus twice the value is the speed in GT/s.
    pub const GDDR_STATUS: u32 = 14;
    /// Fan; all ones: not there.
    pub const FAN_SPEED: u32 = 23;
    /// AI clock, and its limit in the upper half.
    pub const AICLK: u32 = 24;
    /// AXI clock.
    pub const AXICLK: u32 = 25;
    /// ARC clock.
    pub const ARCCLK: u32 = 26;
    /// Core voltage, mV.
    pub const VCORE: u32 = 28;
    /// Temperature of the chip, 12.4 degrees Celsius.
    pub const ASIC_TEMPERATURE: u32 = 29;
    /// Temperature of the board, degrees Celsius.
    pub const BOARD_TEMPERATURE: u32 = 31;
    /// Power in W, and its limit in the upper half.
    pub const TDP: u32 = 32;
    /// Current in A, and its limit in the upper half.
    pub const TDC: u32 = 33;
}

/// Telemetry tags.
pub mod tag {
    /// Board id, upper word.
    pub const BOARD_ID_HIGH: u16 = 1;
    /// Board id, lower word.
    pub const BOARD_ID_LOW: u16 = 2;
    /// Number of the chip.
    pub const ASIC_ID: u16 = 3;
    /// Harvested Tensix rows, one bit a row.
    pub const HARVESTING_STATE: u16 = 4;
    /// Core voltage, mV.
    pub const VCORE: u16 = 6;
    /// Power, W.
    pub const TDP: u16 = 7;
    /// Current, A.
    pub const TDC: u16 = 8;
    /// Limits of the core voltage, mV: highest in the upper half, lowest in the lower one.
    pub const VDD_LIMITS: u16 = 9;
    /// Temperature at which the board switches off, degrees Celsius.
    pub const THM_LIMIT_SHUTDOWN: u16 = 10;
    /// Temperature of the chip, 16.16 degrees Celsius.
    pub const ASIC_TEMPERATURE: u16 = 11;
    /// Temperature of the board, 16.16 degrees Celsius.
    pub const BOARD_TEMPERATURE: u16 = 13;
    /// AI clock, MHz.
    pub const AICLK: u16 = 14;
    /// AXI clock, MHz.
    pub const AXICLK: u16 = 15;
    /// ARC clock, MHz.
    pub const ARCCLK: u16 = 16;
    /// Ethernet tiles that work, one bit a tile.
    pub const ETH_LIVE_STATUS: u16 = 21;
    /// DRAM channels, two bits a channel: 1 = trained.
    pub const GDDR_STATUS: u16 = 22;
    /// DRAM speed, MT/s.
    pub const GDDR_SPEED: u16 = 23;
    /// Version of the Ethernet firmware.
    pub const ETH_FW_VERSION: u16 = 24;
    /// AXI clock, MHz, in firmware bundles for this chip.
    pub const AXICLK_WORMHOLE: u16 = 25;
    /// Version of the board microcontroller's application.
    pub const DM_APP_FW_VERSION: u16 = 26;
    /// Version of the board microcontroller's boot loader.
    pub const DM_BL_FW_VERSION: u16 = 27;
    /// Version of the firmware bundle.
    pub const FLASH_BUNDLE_VERSION: u16 = 28;
    /// Version of the ARC firmware.
    pub const CM_FW_VERSION: u16 = 29;
    /// Fan; all ones: not there.
    pub const FAN_SPEED: u16 = 31;
    /// Counts while the firmware lives.
    pub const TIMER_HEARTBEAT: u16 = 32;
    /// Tensix columns that work, one bit a column (Blackhole).
    pub const ENABLED_TENSIX_COLUMNS: u16 = 34;
    /// Ethernet tiles that work, one bit a tile (Blackhole).
    pub const ENABLED_ETHERNET: u16 = 35;
    /// DRAM banks that work, one bit a bank (Blackhole).
    pub const ENABLED_DRAM: u16 = 36;
    /// Groups of large cores that work, one bit a group (Blackhole).
    pub const ENABLED_L2CPU: u16 = 37;
    /// What the PCIe tiles are for, two bits a tile: 1 = endpoint (Blackhole).
    pub const PCIE_USAGE: u16 = 38;
    /// NIUs translate coordinates.
    pub const NOC_TRANSLATION: u16 = 40;
    /// Limit of the current, A.
    pub const TDC_LIMIT_MAX: u16 = 55;
    /// Temperature above which clocks go down, degrees Celsius.
    pub const THM_LIMIT_THROTTLE: u16 = 56;
    /// Version of the tool that has written the flash memory.
    pub const TT_FLASH_VERSION: u16 = 58;
    /// Unique id of the chip, upper word.
    pub const ASIC_ID_HIGH: u16 = 61;
    /// Unique id of the chip, lower word.
    pub const ASIC_ID_LOW: u16 = 62;
    /// Limit of the power, W.
    pub const TDP_LIMIT_MAX: u16 = 64;
    /// Limit of the AI clock, MHz.
    pub const AICLK_LIMIT_MAX: u16 = 63;
    /// Place of the chip on its board.
    pub const ASIC_LOCATION: u16 = 52;
}
