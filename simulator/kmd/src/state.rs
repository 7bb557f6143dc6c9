//! A device's state: who has it open, and what belongs to whom.

use std::collections::BTreeMap;

use tt_isa::chip::Chip as ChipData;
use tt_isa::noc::NocXy;
use tt_isa::tlb::{Ordering, TlbGroup, TlbTarget};
use tt_simulator::{Chip, Fault, System};
use tt_sys::kmd::ioctl::{ConfigureTlb, SetNocCleanup, SetPowerState, Version, lock};
use tt_sys::kmd::{OpenFlags, errno};

use crate::Accesses;
use crate::memory::{Buffers, Regions};
use crate::power;
use crate::rules::Rules;

/// Owner of the window that the driver uses itself; no file has this number.
const DRIVER: u64 = 0;
/// All power flags that firmware may have.
const ALL_POWER: u16 = 0x7FFF;
/// What the card does between the driver's last word to it and the end of pinnings: the driver unmaps buffer by buffer and gives every page back (`memory.c`,
/// `tenstorrent_memory_cleanup`), microseconds in which what is on its way to host memory arrives.
const UNPIN_CLOCKS: u64 = 4096;
/// Addresses on the bus of DMA buffers, from here on.
const FIRST_BUS: u64 = 0x1000_0000;

/// An open file.
pub struct Opened {
    /// Resets that had happened when it was opened.
    pub generation: u64,
    pub exclusive: bool,
    pub cleanup: Option<SetNocCleanup>,
    /// Power flags, and how many of them it speaks of.
    pub power: (u16, u8),
    /// Pinned pages: address, bytes, region.
    pub pins: Vec<(u64, u64, Option<usize>)>,
    /// DMA buffers by number: address on the bus, bytes.
    pub buffers: BTreeMap<u8, (u64, usize)>,
}

/// The device.
pub struct State {
    pub version: Version,
    pub rules: Rules,
    /// The chip that is on the bus, and those behind it.
    pub card: System,
    /// PCI bus that the card is on.
    pub bus: u8,
    pub data: &'static ChipData,
    pub files: BTreeMap<u64, Opened>,
    next: u64,
    pub generation: u64,
    /// A reset has happened, and nobody has made the chip ready since.
    pub needs_init: bool,
    pub detached: bool,
    pub hung: bool,
    pub denied: bool,
    /// Nothing on the NoC answers, until the chip is reset.
    pub wedged: bool,
    /// The firmware is one without the newer telemetry.
    pub old_firmware: bool,
    /// Calls that fail, with their error numbers.
    pub failing: BTreeMap<u32, i32>,
    pub locks: [Option<u64>; lock::COUNT as usize],
    /// Owners of windows, and how often each is mapped.
    pub windows: Vec<Option<u64>>,
    pub mapped: Vec<u32>,
    pub regions: Regions,
    pub host: Buffers,
    pub accesses: Accesses,
    next_bus: u64,
}

impl State {
    pub fn new(version: Version, bus: u8, data: &'static ChipData, mut card: System) -> Self {
        let host = Buffers::default();
        card.chips()[0].set_host_memory(Box::new(host.clone()));
        let mut windows = vec![None; data.host.windows() as usize];
        windows[data.host.driver_window as usize] = Some(DRIVER);
        Self {
            version,
            rules: Rules::of(version),
            card,
            bus,
            data,
            files: BTreeMap::new(),
            next: DRIVER + 1,
            generation: 0,
            needs_init: false,
            detached: false,
            hung: false,
            denied: false,
            wedged: false,
            old_firmware: false,
            failing: BTreeMap::new(),
            locks: [None; lock::COUNT as usize],
            mapped: vec![0; windows.len()],
            windows,
            regions: Regions::default(),
            host,
            accesses: Accesses::default(),
            next_bus: FIRST_BUS,
        }
    }

    /// The chip that is on the bus.
    pub fn chip(&mut self) -> &mut Chip {
        &mut self.card.chips()[0]
    }

    /// Whether an open has to wait for others.
    pub fn must_wait(&self, flags: OpenFlags) -> bool {
        let exclusive = flags.contains(OpenFlags::EXCLUSIVE);
        self.rules.exclusive
            && (exclusive && !self.files.is_empty() || self.files.values().any(|open| open.exclusive))
    }

    /// A new file.
    pub fn open(&mut self, flags: OpenFlags) -> u64 {
        let id = self.next;
        self.next += 1;
        let aware = flags.contains(OpenFlags::POWER_AWARE);
        let open = Opened {
            generation: self.generation,
            exclusive: self.rules.exclusive && flags.contains(OpenFlags::EXCLUSIVE),
            cleanup: None,
            power: (if aware { 0 } else { ALL_POWER & !1 }, 15),
            pins: Vec::new(),
            buffers: BTreeMap::new(),
        };
        self.files.insert(id, open);
        if !aware && self.rules.power {
            // The driver warns of a firmware that does not take it, and goes on.
            let _ = self.ask_for_power();
        }
        id
    }

    /// Asks the firmware for what any file needs.
    pub fn ask_for_power(&mut self) -> Result<(), i32> {
        let live = self.files.values().filter(|open| open.generation == self.generation);
        let flags = live.fold(0, |all, open| {
            let (flags, known) = open.power;
            all | flags | ALL_POWER & !((1_u32 << known) - 1) as u16
        });
        match power::set(self.chip(), 15, flags) {
            Ok(true) => Ok(()),
            _ => Err(errno::EINVAL),
        }
    }

    /// The last of a file and its mappings is gone: what it held is given back, in the driver's order.
    pub fn release(&mut self, file: u64) {
        let Some(open) = self.files.remove(&file) else { return };
        if let Some(cleanup) = open.cleanup.filter(|_| !self.detached) {
            // The driver has nobody to tell.
            let _ = self.noc_write(&cleanup);
            let _ = self.card.advance(UNPIN_CLOCKS);
        }
        open.buffers.values().for_each(|&(bus, _)| self.host.remove(bus));
        let _ = self.regions.release(&mut self.card.chips()[0], file);
        self.locks.iter_mut().for_each(|lock| *lock = lock.filter(|&owner| owner != file));
        self.windows.iter_mut().for_each(|window| *window = window.filter(|&owner| owner != file));
        if self.rules.power && open.power.0 != 0 && !self.detached {
            let _ = self.ask_for_power();
        }
    }

    fn noc_write(&mut self, cleanup: &SetNocCleanup) -> Result<(), Fault> {
        let tile = NocXy::new(cleanup.x, cleanup.y);
        let word = (cleanup.data as u32).to_le_bytes();
        let group = &self.data.host.groups[self.data.host.groups.len() - 1];
        let window = group.window_bytes();
        let base = cleanup.addr / window * window;
        let target = TlbTarget { noc: cleanup.noc, ..TlbTarget::unicast(tile, base) };
        self.write_entry(self.data.host.driver_window, group, &target)?;
        let at = group.offset + u64::from(self.data.host.driver_window - group.first) * window;
        self.chip().bar0_write(at + cleanup.addr - base, &word)
    }

    /// The group that a window is of.
    pub fn group(&self, id: u32) -> Option<&'static TlbGroup> {
        self.data.host.groups.iter().find(|group| (group.first..group.first + group.count).contains(&id))
    }

    /// Takes a window of this size for a file: its number, and its offset in BAR 0.
    pub fn allocate(&mut self, file: u64, size: u64) -> Result<(u32, u64), i32> {
        let mut groups = self.data.host.groups.iter();
        let fits = |group: &&TlbGroup| match self.rules.cleanup {
            true => group.window_bytes() == size,
            false => group.window_bytes() >= size,
        };
        let group = groups.find(fits).ok_or(errno::EINVAL)?;
        let id = (group.first..group.first + group.count).find(|&id| self.windows[id as usize].is_none());
        let id = id.ok_or(errno::ENOMEM)?;
        self.windows[id as usize] = Some(file);
        Ok((id, group.offset + u64::from(id - group.first) * group.window_bytes()))
    }

    /// Gives a window back.
    pub fn free(&mut self, file: u64, id: u32) -> Result<(), i32> {
        self.check_owner(file, id)?;
        if self.mapped[id as usize] > 0 {
            return Err(errno::EBUSY);
        }
        self.windows[id as usize] = None;
        Ok(())
    }

    fn check_owner(&self, file: u64, id: u32) -> Result<(), i32> {
        match self.windows.get(id as usize) {
            Some(&owner) if owner == Some(file) => Ok(()),
            _ if id >= 256 => Err(errno::EINVAL),
            _ => Err(errno::EPERM),
        }
    }

    /// Points a window. Coordinates are cut to six bits.
    pub fn configure(&mut self, file: u64, asked: &ConfigureTlb) -> Result<(), i32> {
        self.check_owner(file, asked.id)?;
        let group = self.group(asked.id).ok_or(errno::EINVAL)?;
        if !asked.addr.is_multiple_of(group.window_bytes()) || asked.addr >> 36 != 0 {
            return Err(errno::EINVAL);
        }
        let xy = |x: u16, y: u16| NocXy::new((x & 63) as u8, (y & 63) as u8);
        // The driver passes everything on; what the chip must not be given ends here.
        let ordering = match (asked.ordering, asked.linked) {
            (0, 0) => Ordering::Default,
            (1, 0) => Ordering::Strict,
            (2, 0) => Ordering::Posted,
            _ => return Err(errno::EOPNOTSUPP),
        };
        let target = TlbTarget {
            addr: asked.addr,
            end: xy(asked.x_end, asked.y_end),
            start: xy(asked.x_start, asked.y_start),
            noc: asked.noc & 1,
            multicast: asked.mcast & 1 == 1,
            ordering,
            static_vc: false,
        };
        self.write_entry(asked.id, group, &target).map_err(|_| errno::EIO)
    }

    fn write_entry(&mut self, id: u32, group: &TlbGroup, target: &TlbTarget) -> Result<(), Fault> {
        let entry = group.encode(target).to_le_bytes();
        let host = &self.data.host;
        let (at, len) = (host.entry(id), host.entry_bytes as usize);
        // In words of four bytes, as the driver does.
        (at..)
            .step_by(4)
            .zip(entry[..len].chunks(4))
            .try_for_each(|(at, word)| self.chip().bar0_write(at, word))
    }

    /// An address on the bus for a new buffer.
    pub fn new_bus(&mut self, len: u64) -> u64 {
        let bus = self.next_bus;
        self.next_bus += len;
        bus
    }

    /// Keeps what a file says of power, and asks the firmware.
    pub fn set_power(&mut self, file: u64, asked: &SetPowerState) -> Result<(), i32> {
        if let Some(open) = self.files.get_mut(&file) {
            open.power = (asked.power_flags, asked.validity & 0xF);
        }
        self.ask_for_power()
    }
}
