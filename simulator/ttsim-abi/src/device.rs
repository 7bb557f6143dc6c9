//! A board's chips as PCI devices: configuration words, base address registers, physical addresses, clocks.
//!
//! Each chip that the host reaches is a device. Device n's addresses are those of device 0 plus n times [`STRIDE`].
//!
//! ```text
//! BAR 0   512 MiB   windows onto the NoC, their configuration, ARC     (Chip::bar0_read, bar0_write)
//! BAR 2     1 MiB   the PCIe controller's DMA engine and address translation
//! BAR 4    32 MiB   the last 32 MiB of BAR 0 once more
//! ```
//! This module chooses the BARs' addresses, as a host's firmware would; callers read them from the configuration words.

use tt_isa::chip::{BOARDS, Board, WORMHOLE, board};
use tt_isa::noc::NocXy;
use tt_isa::pcie::config;
use tt_simulator::{Chip, ChipConfig, Fault, HostMemory, Mode, System, TraceConfig};

use crate::error::AbiError;

// The library takes the place of the vendor's of a Wormhole: these are its BARs, of sizes that its data says.
const BAR0: u64 = 0x1_0000_0000;
const BAR2: u64 = 0x1_2000_0000;
const BAR4: u64 = 0x8_0000_0000;
/// Physical addresses of a device.
const STRIDE: u64 = 1 << 36;
/// Class "processing accelerator", revision 1.
const CLASS_AND_REVISION: u32 = 0x1200_0001;
/// Interrupt pin 0 (none) on line 255 (not connected).
const NO_INTERRUPT: u32 = 0xFF;
/// Most clocks for one that the host asks for.
const MOST_CLOCKS: u32 = 1 << 20;

/// What the environment says.
pub struct Settings {
    board: &'static Board,
    threads: Option<usize>,
    mode: Mode,
    /// Findings of the race detector are noted.
    notes: bool,
    /// How many clocks pass for one that the host asks for.
    clocks: u32,
}

impl Settings {
    /// Reads `TT_SIM_BOARD`, `TT_SIM_THREADS`, `TT_SIM_MODE` and `TT_SIM_CLOCKS`.
    ///
    /// # Errors
    /// A value that means nothing.
    pub fn from_env() -> Result<Self, AbiError> {
        let value = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::parse(value("TT_SIM_BOARD"), value("TT_SIM_THREADS"), value("TT_SIM_MODE"))?
            .with_clocks(value("TT_SIM_CLOCKS"))
    }

    fn with_clocks(self, clocks: Option<String>) -> Result<Self, AbiError> {
        let clocks = clocks.map(|value| match value.parse() {
            Ok(clocks @ 1..=MOST_CLOCKS) => Ok(clocks),
            _ => {
                let expected = format!("a number of clocks is 1 to {MOST_CLOCKS}");
                Err(AbiError::Setting { name: "TT_SIM_CLOCKS", value, expected })
            }
        });
        Ok(Self { clocks: clocks.unwrap_or(Ok(1))?, ..self })
    }

    fn parse(name: Option<String>, threads: Option<String>, mode: Option<String>) -> Result<Self, AbiError> {
        let name = name.unwrap_or_else(|| "galaxy".to_owned());
        let Some(board) = board(&name) else {
            let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
            let expected = format!("a board is one of {}", names.join(", "));
            return Err(AbiError::Setting { name: "TT_SIM_BOARD", value: name, expected });
        };
        let threads = threads.map(|value| match value.parse() {
            Ok(threads @ 1..=1024) => Ok(threads),
            _ => {
                let expected = "a number of threads is 1 to 1024".to_owned();
                Err(AbiError::Setting { name: "TT_SIM_THREADS", value, expected })
            }
        });
        let (mode, notes) = mode.map_or(Ok((Mode::Fast, false)), parse_mode)?;
        Ok(Self { board, threads: threads.transpose()?, mode, notes, clocks: 1 })
    }
}

/// How time passes: `fast`, `timed`, `async=SEED`, or `async=SEED,note`, which notes what the race detector finds and goes on.
fn parse_mode(value: String) -> Result<(Mode, bool), AbiError> {
    let seed = value.strip_prefix("async=").and_then(|rest| {
        let noted = rest.strip_suffix(",note");
        Some((noted.unwrap_or(rest).parse().ok()?, noted.is_some()))
    });
    match (value.as_str(), seed) {
        ("fast", _) => Ok((Mode::Fast, false)),
        ("timed", _) => Ok((Mode::Timed, false)),
        (_, Some((seed, notes))) => Ok((Mode::Async { seed }, notes)),
        _ => {
            let expected = "a mode is fast, timed, async=SEED or async=SEED,note".to_owned();
            Err(AbiError::Setting { name: "TT_SIM_MODE", value, expected })
        }
    }
}

/// A board's chips and their places on the bus.
pub struct Device {
    system: System,
    /// Chips that are on the bus.
    on_bus: usize,
    /// How many clocks pass for one that the host asks for.
    clocks: u32,
    /// A fault has ended its time.
    pub stopped: bool,
    /// The process that has the chip's threads.
    process: u32,
}

/// What a physical address is.
enum Place {
    Bar0(u64),
    Bar2(u64),
}

impl Device {
    /// A board after power-on, traced if the environment asks for it.
    ///
    /// # Errors
    /// The host cannot start threads, or the trace cannot be made.
    pub fn new(
        settings: &Settings,
        host: impl Fn() -> Option<Box<dyn HostMemory>>,
    ) -> Result<Self, AbiError> {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        let &Settings { board, mode, notes, .. } = settings;
        let threads = settings.threads.unwrap_or_else(processors);
        let config = |index| ChipConfig { threads, mode, notes, ..ChipConfig::of_board(board, index) };
        let mut system = System::of((0..board.harvested.len()).map(config))?;
        for chip in system.chips() {
            if let Some(host) = host() {
                chip.set_host_memory(host);
            }
            if let Some(trace) = TraceConfig::from_env()? {
                chip.start_trace(&trace)?;
            }
        }
        let on_bus = settings.board.pcie_chips.into();
        let clocks = settings.clocks;
        Ok(Self { system, on_bus, clocks, stopped: false, process: std::process::id() })
    }

    fn chip(&mut self, device: usize) -> &mut Chip {
        &mut self.system.chips()[device]
    }

    /// A configuration word.
    ///
    /// # Errors
    /// An address that PCI does not have.
    pub fn config_read32(&mut self, bdf: u32, offset: u32) -> Result<u32, AbiError> {
        let device = device_number(bdf, offset)?;
        if device >= self.on_bus {
            return Ok(u32::MAX);
        }
        Ok(match offset {
            config::CLASS => CLASS_AND_REVISION,
            config::INTERRUPT => NO_INTERRUPT,
            _ if config::BARS.contains(&offset) => bar_word(device, (offset - config::BARS.start) / 4),
            _ => self.chip(device).pci_config_read32(offset),
        })
    }

    /// Writes a configuration word. The BARs have their places and stay there.
    ///
    /// # Errors
    /// Every word is read-only in this device.
    pub fn config_write32(&mut self, bdf: u32, offset: u32, data: u32) -> Result<(), AbiError> {
        let device = device_number(bdf, offset)?;
        if device >= self.on_bus {
            return Err(AbiError::NoDevice(device));
        }
        let what = format!("write of {data:#010x} to PCI configuration word {offset:#x}");
        Err(Fault::not_implemented(what).page("PCIExpressTile/README.md").into())
    }

    /// Reads physical memory.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn read(&mut self, addr: u64, out: &mut [u8]) -> Result<(), AbiError> {
        let (device, place) = self.place(addr, out.len())?;
        match place {
            Place::Bar0(offset) => Ok(self.chip(device).bar0_read(offset, out)?),
            Place::Bar2(offset) => {
                let word: &mut [u8; 4] = out.try_into().map_err(|_| bar2_width(offset))?;
                *word = self.chip(device).bar2_read(offset)?.to_le_bytes();
                Ok(())
            }
        }
    }

    /// Writes physical memory.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), AbiError> {
        let (device, place) = self.place(addr, data.len())?;
        match place {
            Place::Bar0(offset) => Ok(self.chip(device).bar0_write(offset, data)?),
            Place::Bar2(offset) => {
                let word = data.try_into().map_err(|_| bar2_width(offset))?;
                Ok(self.chip(device).bar2_write(offset, u32::from_le_bytes(word))?)
            }
        }
    }

    /// Reads from the tile of the first chip at a NoC 0 coordinate.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn tile_read(&mut self, x: u32, y: u32, addr: u64, out: &mut [u8]) -> Result<(), AbiError> {
        Ok(self.chip(0).tile_read(coordinate(x, y)?, addr, out)?)
    }

    /// Writes to the tile of the first chip at a NoC 0 coordinate.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn tile_write(&mut self, x: u32, y: u32, addr: u64, data: &[u8]) -> Result<(), AbiError> {
        Ok(self.chip(0).tile_write(coordinate(x, y)?, addr, data)?)
    }

    /// Lets time pass, until a fault.
    ///
    /// # Errors
    /// The fault; from then on time stands still without another word.
    pub fn clock(&mut self, clocks: u32) -> Result<(), AbiError> {
        if self.stopped {
            return Ok(());
        }
        self.own_threads()?;
        let result = self.system.advance(u64::from(clocks) * u64::from(self.clocks));
        self.print_findings();
        result.map(drop).map_err(|fault| {
            self.stopped = true;
            fault.into()
        })
    }

    /// A line for each new finding of the race detector, where they are noted.
    fn print_findings(&mut self) {
        for (n, chip) in self.system.chips().iter_mut().enumerate() {
            for finding in chip.take_findings() {
                eprintln!("libttsim: finding: {}", finding.on_chip(n));
            }
        }
    }

    /// Device and BAR of a physical address.
    fn place(&self, addr: u64, len: usize) -> Result<(usize, Place), AbiError> {
        let device = (addr / STRIDE) as usize;
        let found = place(addr % STRIDE, len).filter(|_| device < self.on_bus);
        found.map(|place| (device, place)).ok_or(AbiError::NoBar { addr, len })
    }

    /// Threads do not survive a fork: the child needs its own.
    fn own_threads(&mut self) -> Result<(), Fault> {
        let process = std::process::id();
        if process != self.process {
            self.system.chips().iter_mut().try_for_each(Chip::restart_threads)?;
            self.process = process;
        }
        Ok(())
    }
}

/// Number of the device in a bus/device/function word.
fn device_number(bdf: u32, offset: u32) -> Result<usize, AbiError> {
    match () {
        () if bdf & !0xF8 != 0 => Err(AbiError::NotBus0(bdf)),
        () if !offset.is_multiple_of(4) => Err(AbiError::Misaligned(offset)),
        () => Ok((bdf >> 3) as usize),
    }
}

/// The n-th word of a device's base address registers.
fn bar_word(device: usize, n: u32) -> u32 {
    let base = [BAR0, BAR2, BAR4][n as usize / 2] + device as u64 * STRIDE;
    if n.is_multiple_of(2) { base as u32 | config::BAR_64 } else { (base >> 32) as u32 }
}

/// What is at a device's address.
fn place(addr: u64, len: usize) -> Option<Place> {
    let within = |base: u64, size: u64| {
        let end = addr.checked_add(len as u64)?;
        (addr >= base && end <= base + size).then(|| addr - base)
    };
    if let Some(offset) = within(BAR0, WORMHOLE.host.bar(0)) {
        return Some(Place::Bar0(offset));
    }
    if let Some(offset) = within(BAR4, WORMHOLE.host.bar(4)) {
        return Some(Place::Bar0(WORMHOLE.host.bar(0) - WORMHOLE.host.bar(4) + offset));
    }
    within(BAR2, WORMHOLE.host.bar(2)).map(Place::Bar2)
}

fn bar2_width(offset: u64) -> Fault {
    Fault::program(format!("BAR 2 offset {offset:#x}: accesses are of 4 bytes"))
        .page("PCIExpressTile/README.md")
}

fn coordinate(x: u32, y: u32) -> Result<NocXy, AbiError> {
    // Six bits each.
    match (x, y) {
        (0..64, 0..64) => Ok(NocXy::new(x as u8, y as u8)),
        _ => Err(AbiError::Coordinate(x, y)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(name: Option<&str>) -> Device {
        let settings = Settings::parse(name.map(str::to_owned), Some("1".to_owned()), None).unwrap();
        Device::new(&settings, || None).unwrap()
    }

    fn device() -> Device {
        board(None)
    }

    #[test]
    fn every_chip_on_the_bus_is_a_device() {
        let mut board = board(Some("t3000"));
        let bar0 = |board: &mut Device, n: u32| {
            let [low, high] = [0x10, 0x14].map(|at| board.config_read32(n << 3, at).unwrap());
            u64::from(high) << 32 | u64::from(low & !15)
        };
        let ids: Vec<u32> = (0..5).map(|n| board.config_read32(n << 3, 0).unwrap()).collect();
        assert_eq!(ids[..4], [tt_isa::chip::WORMHOLE.pci_id; 4]);
        assert_eq!(ids[4], u32::MAX, "four of the eight chips are on the bus");
        for n in 0..4 {
            let at = bar0(&mut board, n) + tt_isa::chip::wormhole::ARC_CSM_BAR0 + 0x4000;
            board.write(at, &(n + 7).to_le_bytes()).unwrap();
        }
        for n in 0..4 {
            let mut out = [0; 4];
            let at = bar0(&mut board, n) + tt_isa::chip::wormhole::ARC_CSM_BAR0 + 0x4000;
            board.read(at, &mut out).unwrap();
            assert_eq!(u32::from_le_bytes(out), n + 7);
        }
        let beyond = bar0(&mut board, 3) + STRIDE;
        assert!(matches!(board.read(beyond, &mut [0; 4]), Err(AbiError::NoBar { .. })));
    }

    #[test]
    fn base_address_registers_say_where_the_bars_are() {
        let mut device = device();
        let mut word = |offset| device.config_read32(0, offset).unwrap();
        assert_eq!(word(0), tt_isa::chip::WORMHOLE.pci_id);
        let bars = [0x10, 0x18, 0x20].map(|at| u64::from(word(at + 4)) << 32 | u64::from(word(at) & !15));
        assert_eq!(bars, [BAR0, BAR2, BAR4]);
        assert!([0x10, 0x18, 0x20].iter().all(|&at| word(at) & config::BAR_FLAGS == config::BAR_64));
    }

    #[test]
    fn bar_4_is_the_end_of_bar_0() {
        let mut device = device();
        let csm = tt_isa::chip::wormhole::ARC_CSM_BAR0 - (WORMHOLE.host.bar(0) - WORMHOLE.host.bar(4));
        device.write(BAR4 + csm + 0x4000, &[1, 2, 3, 4]).unwrap();
        let mut out = [0; 4];
        device.read(BAR0 + tt_isa::chip::wormhole::ARC_CSM_BAR0 + 0x4000, &mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 4]);
    }

    #[test]
    fn addresses_are_checked() {
        let mut device = device();
        for (addr, len) in [(0, 4), (BAR0 - 2, 4), (BAR0 + WORMHOLE.host.bar(0) - 2, 4), (u64::MAX - 1, 4)] {
            let error = device.read(addr, &mut vec![0; len]).unwrap_err();
            assert!(matches!(error, AbiError::NoBar { .. }), "{addr:#x}: {error}");
        }
        assert!(matches!(device.config_read32(0x100, 0), Err(AbiError::NotBus0(0x100))));
        assert!(matches!(device.config_read32(1, 0), Err(AbiError::NotBus0(1))));
        assert!(matches!(device.config_read32(0, 2), Err(AbiError::Misaligned(2))));
        assert_eq!(device.config_read32(1 << 3, 0).unwrap(), u32::MAX);
        assert!(matches!(device.config_write32(1 << 3, 0, 0), Err(AbiError::NoDevice(1))));
        assert!(matches!(device.tile_read(64, 0, 0, &mut [0; 4]), Err(AbiError::Coordinate(64, 0))));
    }

    #[test]
    fn settings_are_checked() {
        let parse = |board: &str, threads: &str| {
            Settings::parse(Some(board.to_owned()), Some(threads.to_owned()), None).map(drop)
        };
        let clocks = |clocks: &str| {
            Settings::parse(None, None, None).and_then(|it| it.with_clocks(Some(clocks.to_owned())))
        };
        assert_eq!(clocks("256").map(|it| it.clocks).ok(), Some(256));
        for wrong in ["0", "many", "-1", "10000000"] {
            assert!(matches!(clocks(wrong), Err(AbiError::Setting { name: "TT_SIM_CLOCKS", .. })));
        }
        let mode =
            |mode: &str| Settings::parse(None, None, Some(mode.to_owned())).map(|it| (it.mode, it.notes));
        assert_eq!(mode("timed").ok(), Some((Mode::Timed, false)));
        assert_eq!(mode("async=7").ok(), Some((Mode::Async { seed: 7 }, false)));
        assert_eq!(mode("async=7,note").ok(), Some((Mode::Async { seed: 7 }, true)));
        for wrong in ["async", "async=x", "async=7,", "async=7,notes", "slow", "fast,note", ""] {
            assert!(matches!(mode(wrong), Err(AbiError::Setting { name: "TT_SIM_MODE", .. })));
        }
        assert!(parse("n150", "2").is_ok());
        assert!(matches!(parse("n151", "2"), Err(AbiError::Setting { name: "TT_SIM_BOARD", .. })));
        for threads in ["0", "many", "1025", ""] {
            assert!(matches!(parse("n150", threads), Err(AbiError::Setting { name: "TT_SIM_THREADS", .. })));
        }
    }
}
