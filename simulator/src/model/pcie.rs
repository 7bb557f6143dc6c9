//! The PCIe tile's controller: its registers behind BAR 2, and the way to host memory (`PCIExpressTile/README.md`).
//!
//! ```text
//! NoC request to the PCIe tile -> outbound iATU -> host memory
//! DMA engine: BAR 0 window <-> host memory, started by a doorbell register
//! ```
//! Host memory is whatever the program that owns the chip says it is ([`HostMemory`]). Inbound regions are kept and not used: BAR 4 has its place.

use std::collections::VecDeque;

use tt_isa::pcie::{DBI_BYTES, DBI_DEVICE_CONTROL, DBI_ID, HOST_WINDOW, HOST_WINDOW_SIZE, dma, iatu};

use crate::fault::Fault;

/// Page of the documents.
pub const PAGE: &str = "PCIExpressTile/README.md";

/// Memory of the host, as the chip reaches it.
pub trait HostMemory: Send + Sync {
    /// Fills `out` from host memory; false if nothing is there.
    fn read(&self, addr: u64, out: &mut [u8]) -> bool;

    /// Writes host memory; false if nothing is there.
    fn write(&self, addr: u64, data: &[u8]) -> bool;
}

/// Registers of a region of the iATU, by offset / 4.
type Region = [u32; 7];
/// Words of BAR 2 before the iATU: the DMA engines, channels 0.
const DMA_WORDS: usize = 0x400 / 4;

/// The controller.
pub struct Pcie {
    outbound: [Region; iatu::REGIONS],
    inbound: [Region; iatu::REGIONS],
    dma: [u32; DMA_WORDS],
    host: Option<Box<dyn HostMemory>>,
    /// Writes that are on their way to host memory, in their order.
    pushed: VecDeque<Pushed>,
    /// PCI vendor and device id.
    id: u32,
    /// Device control, the writable half of its word.
    device_control: u16,
}

/// A write on its way to host memory: when it is there, host address, bytes.
struct Pushed {
    due: u64,
    addr: u64,
    data: Box<[u8]>,
}

/// Device control after power-on: payloads of 128 bytes, requests to read of 512, and what the specification has on.
const DEVICE_CONTROL: u16 = 0x2810;

/// The two DMA engines: what a transfer moves is read and written by who has the windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// Device to host.
    ToHost,
    /// Host to device.
    FromHost,
}

impl Pcie {
    /// The controller of a chip with this PCI id, after power-on.
    pub fn new(id: u32) -> Self {
        let regions = [[0; 7]; iatu::REGIONS];
        Self {
            outbound: regions,
            inbound: regions,
            dma: [0; DMA_WORDS],
            host: None,
            pushed: VecDeque::new(),
            id,
            device_control: DEVICE_CONTROL,
        }
    }

    /// Takes host memory away, for who makes a new controller of this one.
    pub fn take_host(&mut self) -> Option<Box<dyn HostMemory>> {
        self.host.take()
    }

    /// Gives the controller host memory to reach.
    pub fn set_host(&mut self, host: Box<dyn HostMemory>) {
        self.host = Some(host);
    }

    /// A register of BAR 2.
    ///
    /// # Errors
    /// There is none at this offset.
    pub fn register(&mut self, offset: u64) -> Result<&mut u32, Fault> {
        if !offset.is_multiple_of(4) {
            return Err(Fault::program(format!("BAR 2 offset {offset:#x} is not a multiple of 4")).page(PAGE));
        }
        let unknown =
            || Fault::not_implemented(format!("PCIe controller register, BAR 2 offset {offset:#x}"));
        if DMA_REGISTERS.contains(&offset) {
            return Ok(&mut self.dma[offset as usize / 4]);
        }
        let at = offset.checked_sub(iatu::BASE).ok_or_else(|| unknown().page(PAGE))?;
        let (slot, word) = ((at / iatu::STRIDE) as usize, (at % iatu::STRIDE) as usize / 4);
        let regions = if slot.is_multiple_of(2) { &mut self.outbound } else { &mut self.inbound };
        regions.get_mut(slot / 2).and_then(|region| region.get_mut(word)).ok_or_else(|| unknown().page(PAGE))
    }

    /// Host address of an address of the window.
    fn host_address(&self, offset: u64, len: usize) -> Result<u64, Fault> {
        let word = |region: &Region, at: u64| u64::from(region[at as usize / 4]);
        let mut found = None;
        for region in &self.outbound {
            if region[iatu::CTRL_2 as usize / 4] & iatu::ENABLE == 0 {
                continue;
            }
            let high = word(region, iatu::UPPER_BASE) << 32;
            let first = high | word(region, iatu::LOWER_BASE);
            let last = high | word(region, iatu::LIMIT);
            if (first..=last).contains(&offset) && offset + len as u64 - 1 <= last {
                let target = word(region, iatu::UPPER_TARGET) << 32 | word(region, iatu::LOWER_TARGET);
                if found.replace(target.wrapping_add(offset - first)).is_some() {
                    let what = format!("host window offset {offset:#x} is in several outbound iATU regions");
                    return Err(Fault::program(what).page(PAGE));
                }
            }
        }
        Ok(found.unwrap_or(offset))
    }

    /// Reads host memory at an address of the PCIe tile.
    pub fn noc_read(&self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let host = self.host_address(window_offset(addr, out.len())?, out.len())?;
        self.read_host(host, out)
    }

    /// Writes host memory at an address of the PCIe tile.
    pub fn noc_write(&self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let host = self.host_address(window_offset(addr, data.len())?, data.len())?;
        self.write_host(host, data)
    }

    /// The same where writes take their time: the host sees it at clock `due`. Later calls have later clocks.
    pub fn noc_push(&mut self, addr: u64, data: &[u8], due: u64) -> Result<(), Fault> {
        let addr = self.host_address(window_offset(addr, data.len())?, data.len())?;
        self.pushed.push_back(Pushed { due, addr, data: data.into() });
        Ok(())
    }

    /// When the host sees the next write that is on its way.
    pub fn next_push(&self) -> Option<u64> {
        self.pushed.front().map(|pushed| pushed.due)
    }

    /// The host sees what is there at a clock.
    pub fn settle(&mut self, clock: u64) -> Result<(), Fault> {
        while let Some(pushed) = self.pushed.pop_front_if(|pushed| pushed.due <= clock) {
            self.write_host(pushed.addr, &pushed.data)?;
        }
        Ok(())
    }

    /// Reads a register of the controller, in the place of host memory (`tt_isa::arc::DBI_MODE`).
    pub fn dbi_read(&self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let word = match dbi_offset(addr, out.len())? {
            DBI_ID => self.id,
            _ => self.device_control.into(),
        };
        out.copy_from_slice(&word.to_le_bytes());
        Ok(())
    }

    /// Writes a register of the controller, in the place of host memory.
    pub fn dbi_write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        if dbi_offset(addr, data.len())? == DBI_DEVICE_CONTROL {
            self.device_control = u16::from_le_bytes([data[0], data[1]]);
        }
        Ok(())
    }

    /// Reads host memory at a host address.
    pub fn read_host(&self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let len = out.len();
        match &self.host {
            Some(host) if host.read(addr, out) => Ok(()),
            host => Err(no_host(host.is_some(), "read", addr, len)),
        }
    }

    /// Writes host memory at a host address.
    pub fn write_host(&self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        match &self.host {
            Some(host) if host.write(addr, data) => Ok(()),
            host => Err(no_host(host.is_some(), "write", addr, data.len())),
        }
    }

    /// A register of the DMA engines, by its offset in BAR 2.
    pub fn dma(&self, register: u64) -> u32 {
        self.dma[register as usize / 4]
    }

    /// An address in two registers, low half first.
    pub fn dma_address(&self, registers: [u64; 2]) -> u64 {
        u64::from(self.dma(registers[1])) << 32 | u64::from(self.dma(registers[0]))
    }
}

/// The registers of the DMA engines that exist.
const DMA_REGISTERS: [u64; 28] = {
    use dma::*;
    [
        WRITE_ENGINE_EN,
        WRITE_DOORBELL,
        READ_ENGINE_EN,
        READ_DOORBELL,
        WRITE_INT_MASK,
        WRITE_DONE_IMWR[0],
        WRITE_DONE_IMWR[1],
        WRITE_ABORT_IMWR[0],
        WRITE_ABORT_IMWR[1],
        WRITE_IMWR_DATA,
        READ_INT_MASK,
        READ_DONE_IMWR[0],
        READ_DONE_IMWR[1],
        READ_ABORT_IMWR[0],
        READ_ABORT_IMWR[1],
        READ_IMWR_DATA,
        WRITE_CHANNEL + CONTROL_1,
        WRITE_CHANNEL + TRANSFER_SIZE,
        WRITE_CHANNEL + SAR[0],
        WRITE_CHANNEL + SAR[1],
        WRITE_CHANNEL + DAR[0],
        WRITE_CHANNEL + DAR[1],
        READ_CHANNEL + CONTROL_1,
        READ_CHANNEL + TRANSFER_SIZE,
        READ_CHANNEL + SAR[0],
        READ_CHANNEL + SAR[1],
        READ_CHANNEL + DAR[0],
        READ_CHANNEL + DAR[1],
    ]
};

fn window_offset(addr: u64, len: usize) -> Result<u64, Fault> {
    let offset = addr.checked_sub(HOST_WINDOW);
    let inside = offset.filter(|offset| offset + len as u64 <= HOST_WINDOW_SIZE);
    inside.ok_or_else(|| {
        let what = format!("{len} bytes at {addr:#x} of the PCIe tile: host memory is at {HOST_WINDOW:#x}");
        Fault::program(what).page(PAGE)
    })
}

/// Offset of a word of the controller's registers.
fn dbi_offset(addr: u64, len: usize) -> Result<u64, Fault> {
    let offset = addr.wrapping_sub(HOST_WINDOW);
    match offset {
        DBI_ID | DBI_DEVICE_CONTROL if len == 4 => Ok(offset),
        _ if offset < DBI_BYTES && len == 4 && offset.is_multiple_of(4) => {
            Err(Fault::not_implemented(format!("PCIe controller register, DBI offset {offset:#x}"))
                .page(PAGE))
        }
        _ => {
            let what = format!(
                "{len} bytes at {addr:#x} of the PCIe tile, whose window shows the controller's registers now: 4 aligned bytes are one"
            );
            Err(Fault::program(what).page(PAGE))
        }
    }
}

fn no_host(there: bool, what: &str, addr: u64, len: usize) -> Fault {
    let why = if there { "nothing is there" } else { "the host has given the chip no memory" };
    Fault::program(format!("{what} of {len} bytes of host memory at {addr:#x}: {why}")).page(PAGE)
}
