//! The host's side: PCI configuration words, and BARs with their windows (`PCIExpressTile/TLBs.md`).

use std::slice::from_mut;

use tt_isa::chip::Chip as ChipData;
use tt_isa::noc::NocXy;
use tt_isa::tlb::{PCIE_NIU_SIZE, TlbGroup, TlbTarget};

use super::Chip;
use super::host_time::{host_has_read, host_has_written};
use crate::fault::Fault;
use crate::model::grid::Node;
use crate::model::noc::request::check_corners;

const PAGE: &str = "PCIExpressTile/TLBs.md";

/// PCI's command register, in configuration space.
const PCI_COMMAND: u32 = 4;

/// The windows of a chip, with the entries that say what they show.
pub struct Windows {
    chip: &'static ChipData,
    entries: Vec<u8>,
}

/// What a piece of a BAR is.
enum Region {
    /// A window onto the NoC.
    Window(TlbTarget),
    /// Entries of windows, at a byte offset.
    Config(usize),
    /// A register of the PCIe tile's NIU on a NoC.
    Niu(usize, u64),
    /// ARC's CSM.
    Csm(u64),
    /// ARC's peripherals.
    Apb(u64),
}

impl Windows {
    /// Those of a chip, all entries zero.
    pub fn new(chip: &'static ChipData) -> Self {
        Self { chip, entries: vec![0; (chip.host.windows() * chip.host.entry_bytes) as usize] }
    }

    /// What is at `offset` of a BAR, and how many bytes of it follow.
    fn find(&self, bar: u8, offset: u64) -> Result<(Region, u64), Fault> {
        let registers = if bar == 0 { self.registers(offset) } else { None };
        if let Some(found) = registers {
            return Ok(found);
        }
        for group in self.chip.host.groups.iter().filter(|group| group.bar == bar) {
            let size = group.window_bytes();
            if let Some(at) = within(offset, group.offset, u64::from(group.count) * size) {
                let target = self.target(group, at / size)?;
                let target = TlbTarget { addr: target.addr + at % size, ..target };
                return Ok((Region::Window(target), size - at % size));
            }
        }
        Err(Fault::program(format!("nothing at BAR {bar} offset {offset:#x}")).page(PAGE))
    }

    /// What of BAR 0 is no window.
    fn registers(&self, offset: u64) -> Option<(Region, u64)> {
        let host = &self.chip.host;
        let config_bytes = self.entries.len() as u64;
        if let Some(at) = within(offset, host.config, config_bytes) {
            return Some((Region::Config(at as usize), config_bytes - at));
        }
        for nius in [Some(host.pcie_niu), host.pcie_niu_alias].into_iter().flatten() {
            for (noc, base) in nius.into_iter().enumerate() {
                if let Some(at) = within(offset, base, PCIE_NIU_SIZE) {
                    return Some((Region::Niu(noc, at), PCIE_NIU_SIZE - at));
                }
            }
        }
        if let Some(arc) = self.chip.management.bar0 {
            let (csm, apb) = (arc.apb - arc.csm, host.bar(0) - arc.apb);
            if let Some(at) = within(offset, arc.csm, csm) {
                return Some((Region::Csm(at), csm - at));
            }
            if let Some(at) = within(offset, arc.apb, apb) {
                return Some((Region::Apb(at), apb - at));
            }
        }
        None
    }

    fn target(&self, group: &TlbGroup, n: u64) -> Result<TlbTarget, Fault> {
        let (window, len) = (u64::from(group.first) + n, self.chip.host.entry_bytes as usize);
        let mut entry = [0; 16];
        entry[..len].copy_from_slice(&self.entries[window as usize * len..][..len]);
        let entry = u128::from_le_bytes(entry);
        group.decode(entry).ok_or_else(|| {
            Fault::program(format!("window {window} has the configuration {entry:#018x}")).page(PAGE)
        })
    }

    /// Entries are read and written in pieces of 4 bytes.
    fn check_config(at: usize, len: usize) -> Result<(), Fault> {
        if at.is_multiple_of(4) && len.is_multiple_of(4) {
            return Ok(());
        }
        let what =
            format!("{len} bytes at byte {at} of the window configuration: 4 aligned bytes are a piece");
        Err(Fault::program(what).page(PAGE))
    }

    fn read_config(&self, at: usize, out: &mut [u8]) -> Result<(), Fault> {
        Self::check_config(at, out.len())?;
        out.copy_from_slice(&self.entries[at..at + out.len()]);
        Ok(())
    }

    fn write_config(&mut self, at: usize, data: &[u8]) -> Result<(), Fault> {
        Self::check_config(at, data.len())?;
        self.entries[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn within(offset: u64, base: u64, len: u64) -> Option<u64> {
    offset.checked_sub(base).filter(|&at| at < len)
}

impl Chip {
    /// A word of PCI configuration space; identification is modelled, and the command register.
    pub fn pci_config_read32(&self, offset: u32) -> u32 {
        match offset {
            0 => self.config.board.chip.pci_id,
            PCI_COMMAND => u32::from(self.pci_command),
            _ => 0,
        }
    }

    /// Sets PCI's command register. It does nothing here; that a board reset clears it is how the vendor's kernel driver sees that
    /// one has happened.
    pub fn set_pci_command(&mut self, command: u16) {
        self.pci_command = command;
    }

    /// Reads BAR 0. Registers take 4 aligned bytes.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn bar0_read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.bar_read(0, offset, out)
    }

    /// Reads a BAR that has windows: BAR 0, and on some chips another one. Registers take 4 aligned bytes.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn bar_read(&mut self, bar: u8, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.read_bar(bar, offset, out)?;
        host_has_read(from_mut(self), 0, out.len())
    }

    /// The same; time does not pass.
    pub(super) fn read_bar(&mut self, bar: u8, mut offset: u64, mut out: &mut [u8]) -> Result<(), Fault> {
        while !out.is_empty() {
            let (region, len) = self.windows.find(bar, offset)?;
            let len = out.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            let (now, rest) = out.split_at_mut(len);
            match region {
                Region::Config(at) => self.windows.read_config(at, now)?,
                Region::Niu(noc, offset) => self.read_edge_niu(self.pcie_niu(noc, offset), now)?,
                Region::Csm(at) => self.arc.csm_read(at, now)?,
                Region::Apb(at) => match self.arc_niu(at) {
                    Some(niu) => self.read_edge_niu(niu, now)?,
                    None => register(now)?.copy_from_slice(&self.arc.apb_read(at)?.to_le_bytes()),
                },
                Region::Window(target) if target.multicast => {
                    return Err(Fault::program("read through a multicast window").page(PAGE));
                }
                Region::Window(target) => {
                    let node = self.window_tile(&target)?;
                    self.host_read(target.noc, node, target.addr, now)?;
                }
            }
            out = rest;
            offset += len as u64;
        }
        Ok(())
    }

    /// Writes BAR 0. Registers take 4 aligned bytes; a write takes effect at once.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn bar0_write(&mut self, offset: u64, data: &[u8]) -> Result<(), Fault> {
        self.bar_write(0, offset, data)
    }

    /// Writes a BAR that has windows. Registers take 4 aligned bytes; a write takes effect at once.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn bar_write(&mut self, bar: u8, offset: u64, data: &[u8]) -> Result<(), Fault> {
        self.write_bar(bar, offset, data)?;
        host_has_written(from_mut(self), 0, data.len())
    }

    /// The same; time does not pass.
    pub(super) fn write_bar(&mut self, bar: u8, mut offset: u64, mut data: &[u8]) -> Result<(), Fault> {
        while !data.is_empty() {
            let (region, len) = self.windows.find(bar, offset)?;
            let len = data.len().min(usize::try_from(len).unwrap_or(usize::MAX));
            let (now, rest) = data.split_at(len);
            match region {
                Region::Config(at) => self.windows.write_config(at, now)?,
                Region::Niu(noc, offset) => self.write_edge_niu(self.pcie_niu(noc, offset), now)?,
                Region::Csm(at) => self.arc.csm(at, len)?.copy_from_slice(now),
                Region::Apb(at) => match self.arc_niu(at) {
                    Some(niu) => self.write_edge_niu(niu, now)?,
                    None => {
                        let word: [u8; 4] = now.try_into().map_err(|_| narrow(len))?;
                        self.arc.apb_write(at, u32::from_le_bytes(word))?;
                        self.reset_if_asked();
                    }
                },
                Region::Window(target) if target.multicast => self.broadcast(&target, now)?,
                Region::Window(target) => {
                    let node = self.window_tile(&target)?;
                    self.host_write(target.noc, node, target.addr, now)?;
                }
            }
            data = rest;
            offset += len as u64;
        }
        Ok(())
    }

    /// A window's coordinate, translated by the PCIe tile's NIU.
    fn translated(&self, noc: u8, xy: NocXy) -> NocXy {
        let pcie = self.grid.number(self.config.board.chip.pcie);
        self.edges[pcie].niu[usize::from(noc)].translate(xy)
    }

    /// The tile that host software calls `xy`.
    pub(super) fn tile_at(&self, noc: u8, xy: NocXy) -> Result<Node, Fault> {
        self.node_at(noc, self.translated(noc, xy))
    }

    fn window_tile(&self, target: &TlbTarget) -> Result<Node, Fault> {
        self.tile_at(target.noc, target.end)
    }

    /// [`Chip::read_node`], with the tile in its faults.
    fn host_read(&mut self, noc: u8, node: Node, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.read_node(noc, node, addr, out).map_err(|fault| fault.in_tile(self.position(node)))
    }

    /// [`Chip::write_node`], with the tile in its faults.
    fn host_write(&mut self, noc: u8, node: Node, addr: u64, data: &[u8]) -> Result<(), Fault> {
        self.write_node(noc, node, addr, data).map_err(|fault| fault.in_tile(self.position(node)))
    }

    fn broadcast(&mut self, target: &TlbTarget, data: &[u8]) -> Result<(), Fault> {
        let [first, last] = [target.start, target.end].map(|xy| self.translated(target.noc, xy));
        for corner in [first, last] {
            self.node_at(target.noc, corner)?;
        }
        check_corners(target.noc, first, last)?;
        for index in 0..self.tiles.len() {
            if self.is_within(target.noc, index, first, last) {
                self.write_tile(index, target.addr, data)?;
            }
        }
        Ok(())
    }
}

impl Chip {
    /// Reads from a tile over NoC 0, past the windows. Registers are read in 4 aligned bytes.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn tile_read(&mut self, tile: NocXy, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let node = self.tile_at(0, tile)?;
        self.host_read(0, node, addr, out)
    }

    /// Writes to a tile over NoC 0, past the windows. Registers are written in 4 aligned bytes.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn tile_write(&mut self, tile: NocXy, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let node = self.tile_at(0, tile)?;
        self.host_write(0, node, addr, data)
    }
}

fn register(bytes: &mut [u8]) -> Result<&mut [u8; 4], Fault> {
    let len = bytes.len();
    bytes.try_into().map_err(|_| narrow(len))
}

fn narrow(len: usize) -> Fault {
    Fault::program(format!("access of {len} bytes to a register of 4")).page(PAGE)
}
