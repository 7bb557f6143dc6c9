//! Registers of the NIUs of tiles that make no requests: DRAM, PCIe, ARC, and tiles with nothing but NIUs
//! (`NoC/MemoryMap.md`).
//!
//! Every NIU is at the top of its own NoC's address space. Those of DRAM and ARC tiles are also among the tile's APB
//! peripherals, for both NoCs.

use tt_isa::arc::{APB_BASE, APB_NIU, NOC_XBAR};
use tt_isa::chip::{DRAM_APB_NIU, DRAM_APB_NIU_NOC_STRIDE, DRAM_APB_NIU_PORT, DRAM_APB_NIU_STRIDE};
use tt_isa::noc::{CMD_BUF_STRIDE, EDGE_NIU_BASE, reg};

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
            | Node::Pcie(edge)
            | Node::Arc(edge)
            | Node::Empty(edge)
            | Node::Harvested(edge) => edge,
        };
        if addr >= EDGE_NIU_BASE {
            return Some(EdgeNiu { edge, noc: noc.into(), offset: addr % NIU_BYTES });
        }
        match node {
            Node::Arc(_) => apb_niu(addr.checked_sub(NOC_XBAR + u64::from(APB_BASE))?, edge),
            Node::Dram { group, .. } => self.dram_niu(group, addr.checked_sub(DRAM_APB_NIU)?),
            _ => None,
        }
    }

    /// NIUs of the three tiles of a DRAM group.
    fn dram_niu(&self, group: usize, at: u64) -> Option<EdgeNiu> {
        let port = *DRAM_APB_NIU_PORT.get((at / DRAM_APB_NIU_STRIDE) as usize)?;
        let port = self.config.board.chip.dram[2 * group].ports.get(port)?;
        let noc = (at % DRAM_APB_NIU_STRIDE / DRAM_APB_NIU_NOC_STRIDE) as usize;
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
        if offset % CMD_BUF_STRIDE <= reg::CMD_CTRL {
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
