//! Registers of the NIUs of tiles that make no requests: DRAM, PCIe, ARC, and tiles with nothing but NIUs
//! (`NoC/MemoryMap.md`).
//!
//! Every NIU is at the top of its own NoC's address space. Those of DRAM and ARC tiles are also among the tile's APB
//! peripherals, for both NoCs.

use tt_isa::arc::{APB_BASE, APB_NIU};
use tt_isa::chip::DramNiu;
use tt_isa::noc::EDGE_NIU_BASE;

use super::Chip;
use crate::fault::Fault;
use crate::model::grid::Node;
use crate::model::noc::MEMORY_MAP;

/// Registers repeat at this distance.
const NIU_BYTES: u64 = 0x1000;

/// A register of an NIU: position by number, NoC, offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EdgeNiu {
    edge: usize,
    noc: usize,
    offset: u64,
}

impl Chip {
    /// The NIU register at an address of a tile, if it is one.
    pub(super) fn edge_niu(&self, noc: u8, node: Node, addr: u64) -> Option<EdgeNiu> {
        let edge = match node {
            Node::Tensix(_) | Node::Ethernet(_) => return None,
            Node::Dram { edge, .. }
            | Node::Unmodelled(edge)
            | Node::Pcie(edge)
            | Node::Arc(edge)
            | Node::Empty(edge)
            | Node::Harvested(edge) => edge,
        };
        if addr >= EDGE_NIU_BASE {
            return Some(EdgeNiu { edge, noc: noc.into(), offset: addr % NIU_BYTES });
        }
        let chip = self.config.board.chip;
        match node {
            Node::Arc(_) => apb_niu(addr.checked_sub(chip.management.noc + u64::from(APB_BASE))?, edge),
            Node::Dram { group, .. } => self.dram_niu(chip.dram_niu?, group, addr),
            _ => None,
        }
    }

    /// NIUs of the tiles of a DRAM group.
    fn dram_niu(&self, blocks: DramNiu, group: usize, addr: u64) -> Option<EdgeNiu> {
        let at = addr.checked_sub(blocks.base)?;
        let port = *blocks.ports.get((at / blocks.tile_stride) as usize)?;
        let port = self.grid.dram_ports(group).get(port)?;
        let noc = (at % blocks.tile_stride / blocks.noc_stride) as usize;
        Some(EdgeNiu { edge: self.grid.number(*port), noc, offset: at % NIU_BYTES })
    }

    /// The ARC tile's NIU register at an offset of its APB peripherals, if it is one.
    pub(super) fn arc_niu(&self, apb: u64) -> Option<EdgeNiu> {
        apb_niu(apb, self.grid.number(self.config.board.chip.arc))
    }

    /// The PCIe tile's NIU register at an offset of its NIU on a NoC.
    pub(super) fn pcie_niu(&self, noc: usize, offset: u64) -> EdgeNiu {
        EdgeNiu { edge: self.grid.number(self.config.board.chip.pcie), noc, offset }
    }

    /// Reads a register, four bytes.
    ///
    /// # Errors
    /// No such register.
    pub(super) fn read_edge_niu(&mut self, niu: EdgeNiu, out: &mut [u8]) -> Result<(), Fault> {
        let word: &mut [u8; 4] = out.try_into().map_err(|_| narrow(niu))?;
        *word = self.edges[niu.edge].niu[niu.noc].read(niu.offset as u32)?.to_le_bytes();
        Ok(())
    }

    /// Writes a register, four bytes. Nothing makes these NIUs send.
    ///
    /// # Errors
    /// No such register, or one of an initiator.
    pub(super) fn write_edge_niu(&mut self, niu: EdgeNiu, data: &[u8]) -> Result<(), Fault> {
        let word: [u8; 4] = data.try_into().map_err(|_| narrow(niu))?;
        let offset = niu.offset as u32;
        let niu_map = &self.config.board.chip.noc;
        if offset % niu_map.cmd_buf_stride <= niu_map.registers.cmd_ctrl {
            let what = format!("NIU register {offset:#x} of {}", self.grid.numbered(niu.edge));
            return Err(Fault::program(what + ": software cannot make it send").page(MEMORY_MAP));
        }
        self.edges[niu.edge].write(niu.noc, offset, u32::from_le_bytes(word))
    }
}

fn apb_niu(apb: u64, edge: usize) -> Option<EdgeNiu> {
    APB_NIU.iter().enumerate().find_map(|(noc, &base)| {
        let offset = apb.checked_sub(base.into()).filter(|&offset| offset < NIU_BYTES)?;
        Some(EdgeNiu { edge, noc, offset })
    })
}

fn narrow(niu: EdgeNiu) -> Fault {
    Fault::program(format!("NIU register {:#x} takes 4 bytes", niu.offset)).page(MEMORY_MAP)
}
