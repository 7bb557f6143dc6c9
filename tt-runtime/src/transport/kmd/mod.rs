//! A card, by the vendor's kernel driver (`tt_sys::kmd`).
//!
//! ```text
//! Card -> file: lock, NoC cleanup   windows: control uncached, bulk write-combined   registers of BAR 0
//!         buffer in host memory that the chip writes counts and results to           power, by a thread of its own
//! ```
//! Dropping it gives all of this back; the driver does so for a process that dies. Either way it writes the word of
//! [`stop_at_exit`](Transport::stop_at_exit), which stops our cores.

mod power;
mod reset;
mod window;

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tt_isa::arc::{APB_BASE, APB_SIZE, NEWEST_BUNDLE, RESET_UNIT, SCRATCH, SCRATCH_BOOTED};
use tt_isa::chip::Chip;
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_sys::kmd::ioctl::{
    AllocateDmaBuf, DmaBufFlags, GetDeviceInfo, Ioctl, LockCtl, SetNocCleanup, lock, offset,
};
use tt_sys::kmd::{File, Mapping, errno};

pub use reset::reset;

use super::{HostRange, Shown, Transport, TransportError};
use crate::cards::{Card, CardError};
use crate::chip::ChipError;
use power::Power;
use window::Window;

/// The lock that says that a card is in use: the last one. The vendor's programs use none of the driver's.
pub const LOCK: u8 = lock::COUNT - 1;
/// Bytes of a buffer that are asked for, one after the other: without an IOMMU it lies in one piece, of which a host that has run for long
/// may have none so large. The last one is a page, enough for what a launch pushes.
const SIZES: [u32; 4] = [2 << 20, 512 << 10, 64 << 10, 4 << 10];
/// The only DMA buffer of a file.
const BUFFER: u8 = 0;

/// An open card.
struct Access {
    card: Card,
    file: Mutex<Box<dyn File>>,
}

impl Access {
    /// An error of an access to what is mapped.
    fn access_failed(&self, error: &io::Error) -> CardError {
        if error.raw_os_error() == Some(errno::ENODEV) {
            return CardError::Reset { node: self.card.name() };
        }
        CardError::Access { node: self.card.name(), error: error.to_string() }
    }

    /// Makes a call.
    fn call<T: Ioctl>(&self, argument: &mut T) -> Result<(), CardError> {
        argument.call(&**self.file.lock()).map_err(|error| self.card.call_failed(T::NAME, &error))
    }
}

/// Host memory that the chip reaches.
struct HostBuffer {
    range: HostRange,
    mapping: Box<dyn Mapping>,
}

/// A card.
pub struct Kmd {
    chip: &'static Chip,
    windows: Vec<Window>,
    shown: Vec<Shown>,
    /// ARC's memory and registers, and where they begin in BAR 0.
    registers: (u64, Box<dyn Mapping>),
    host: Option<HostBuffer>,
    power: Option<Power>,
    access: Arc<Access>,
}

impl Kmd {
    /// Takes a card for this process.
    ///
    /// # Errors
    /// Somebody else has it, or the driver refuses something that is needed.
    pub fn open(card: &Card) -> Result<Self, TransportError> {
        let access = Arc::new(Access { card: card.clone(), file: Mutex::new(card.open()?) });
        acquire(&access)?;
        let windows = window::take(&access, card.chip)?;
        let shown = windows.iter().map(Window::shown).collect();
        let registers = registers(&access)?;
        let host = HostBuffer::new(&access);
        let kmd =
            Self { chip: card.chip, windows, shown, registers, host, power: Power::start(card), access };
        kmd.present()?;
        kmd.tells_what_works()?;
        if let Some(version) = card.untried_firmware() {
            let [major, minor] = NEWEST_BUNDLE;
            tracing::warn!(
                "{}: firmware {version} is not known here, {major}.{minor} is the newest: if something goes wrong, please report it with this version",
                card.name()
            );
        }
        Ok(kmd)
    }

    fn register(&self, at: u64) -> Result<u32, CardError> {
        let mut word = [0; 4];
        let (from, mapping) = &self.registers;
        mapping
            .read(at.wrapping_sub(*from) as usize, &mut word)
            .map_err(|error| self.access.access_failed(&error))?;
        Ok(u32::from_le_bytes(word))
    }

    /// Whether the chip answers: firmware leaves a code in a scratch register.
    fn present(&self) -> Result<(), CardError> {
        let Some(bar0) = self.chip.management.bar0 else { return Ok(()) };
        let code = self.register(bar0.apb + u64::from(RESET_UNIT + SCRATCH))?;
        let node = || self.access.card.name();
        match code {
            u32::MAX => Err(CardError::Gone { node: node() }),
            _ if code >> 16 == SCRATCH_BOOTED >> 16 => Ok(()),
            _ => {
                let error = format!(
                    "the chip's firmware has not booted (code {code:#010x}): reset it with `tt-smi -r`"
                );
                Err(CardError::Access { node: node(), error })
            }
        }
    }

    /// Whether the firmware has telemetry of the newer kind: without it nobody knows what is harvested.
    fn tells_what_works(&self) -> Result<(), CardError> {
        let management = &self.chip.management;
        let Some(bar0) = management.bar0 else { return Ok(()) };
        let table = self.register(bar0.apb + u64::from(management.telemetry_table - APB_BASE))?;
        let card = &self.access.card;
        match table {
            0 | u32::MAX => Err(CardError::Firmware { node: card.name(), version: card.firmware.clone() }),
            _ => Ok(()),
        }
    }
}

/// Maps ARC's memory and registers.
fn registers(access: &Access) -> Result<(u64, Box<dyn Mapping>), CardError> {
    let card = &access.card;
    let bar0 = card.chip.management.bar0.ok_or(ChipError::NoKernels { chip: card.chip })?;
    let len = bar0.apb + u64::from(APB_SIZE) - bar0.csm;
    let mapped = access.file.lock().map(offset::BAR0 + bar0.csm, len as usize);
    Ok((bar0.csm, mapped.map_err(|error| card.call_failed("mmap", &error))?))
}

/// A card has one user: takes the lock, or says who has it.
fn acquire(access: &Access) -> Result<(), CardError> {
    let mut ask = LockCtl::new(lock::ACQUIRE, LOCK);
    access.call(&mut ask)?;
    let card = &access.card;
    match ask.value {
        1 => Ok(()),
        _ => Err(CardError::InUse { node: card.name(), users: card.users() }),
    }
}

impl HostBuffer {
    /// The largest buffer that there is, or the log says why there is none. It is one of the driver's own: pages of this process that are
    /// pinned would do the same, with more conditions.
    fn new(access: &Access) -> Option<Self> {
        let mut made = Self::of_size(access, SIZES[0]);
        for bytes in &SIZES[1..] {
            if made.is_ok() {
                break;
            }
            made = Self::of_size(access, *bytes);
        }
        if let Err(error) = &made {
            tracing::warn!(
                "{error}: the card cannot write to this host's memory, so its own is polled and read, which is slower"
            );
        }
        made.ok()
    }

    fn of_size(access: &Access, bytes: u32) -> Result<Self, CardError> {
        let mut ask = AllocateDmaBuf {
            requested_size: bytes,
            buf_index: BUFFER,
            flags: DmaBufFlags::NOC_DMA.bits(),
            ..AllocateDmaBuf::default()
        };
        access.call(&mut ask)?;
        let mapping = access.file.lock().map(ask.mapping_offset, bytes as usize);
        let mapping = mapping.map_err(|error| access.card.call_failed("mmap", &error))?;
        mapping.write(0, &[0; 64]).map_err(|error| access.access_failed(&error))?;
        Ok(Self { range: HostRange { noc: ask.noc_address, bytes: bytes.into() }, mapping })
    }
}

impl Transport for Kmd {
    fn chip(&self) -> &'static Chip {
        self.chip
    }

    fn windows(&self) -> &[Shown] {
        &self.shown
    }

    fn configure_window(&mut self, window: usize, target: &TlbTarget) -> Result<(), TransportError> {
        Ok(self.windows[window].point(target)?)
    }

    fn read(&mut self, window: usize, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        self.windows[window].read(offset, out)?;
        // What ends with ones may do so, or comes from a card that is gone.
        let end = &out[out.len().saturating_sub(4)..];
        if !end.is_empty() && end.iter().all(|&byte| byte == u8::MAX) { Ok(self.present()?) } else { Ok(()) }
    }

    fn write(&mut self, window: usize, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        Ok(self.windows[window].write(offset, data)?)
    }

    fn read_bar(&mut self, offset: u64) -> Result<u32, TransportError> {
        Ok(self.register(offset)?)
    }

    fn pci_id(&mut self) -> Result<u32, TransportError> {
        let mut info = GetDeviceInfo::ask();
        self.access.call(&mut info)?;
        Ok(u32::from(info.device_id) << 16 | u32::from(info.vendor_id))
    }

    fn host_memory(&self) -> Option<HostRange> {
        self.host.as_ref().map(|host| host.range)
    }

    fn read_host(&mut self, offset: u64, out: &mut [u8]) -> Result<(), TransportError> {
        let host = self.host.as_ref().ok_or(TransportError::NoHostMemory)?;
        let read = host.mapping.read(offset as usize, out);
        Ok(read.map_err(|error| self.access.access_failed(&error))?)
    }

    fn write_host(&mut self, offset: u64, data: &[u8]) -> Result<(), TransportError> {
        let host = self.host.as_ref().ok_or(TransportError::NoHostMemory)?;
        let written = host.mapping.write(offset as usize, data);
        Ok(written.map_err(|error| self.access.access_failed(&error))?)
    }

    fn stop_at_exit(&mut self, tile: NocXy, addr: u64, word: u32) -> Result<(), TransportError> {
        Ok(self.access.call(&mut SetNocCleanup::write([tile.x, tile.y], addr, word))?)
    }

    fn check(&mut self) -> Result<(), TransportError> {
        self.present()?;
        Ok(self.access.call(&mut GetDeviceInfo::ask())?)
    }

    fn busy(&mut self) {
        if let Some(power) = &self.power {
            power.busy();
        }
    }
}
