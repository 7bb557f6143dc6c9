//! The ARC tile: management firmware's memory and registers, as far as host software reads them
//! (`ARCTile/README.md`; telemetry as the vendor's user-mode driver expects it).
//!
//! The reset unit has the addresses, in ARC's own address space, of a table of telemetry tags and of their values;
//! both lie in CSM.

use tt_isa::arc::{
    CSM_BASE, CSM_SIZE, NOC_XBAR, RESET_UNIT, SCRATCH, SCRATCH_BOOTED, TELEMETRY_TABLE, TELEMETRY_VALUES, tag,
};
use tt_isa::chip::Board;

use crate::fault::Fault;

/// Where this firmware keeps its tables, in CSM.
const TABLE: u32 = 0x100;
const VALUES: u32 = 0x200;
const SCRATCH_WORDS: usize = 8;

/// The tile.
pub struct Arc {
    csm: Box<[u8]>,
    scratch: [u32; SCRATCH_WORDS],
}

impl Arc {
    /// Booted firmware on a chip of `board` with these harvested rows.
    pub fn new(board: &Board, harvested: u32) -> Self {
        let mut scratch = [0; SCRATCH_WORDS];
        scratch[0] = SCRATCH_BOOTED;
        let mut arc = Self { csm: vec![0; CSM_SIZE as usize].into_boxed_slice(), scratch };
        let telemetry = [
            (tag::BOARD_ID_HIGH, board.board_type << 4),
            (tag::BOARD_ID_LOW, 1),
            (tag::HARVESTING_STATE, harvested),
            (tag::ASIC_TEMPERATURE, 40 << 16),
            (tag::AICLK, 1000),
            (tag::AXICLK, 900),
            (tag::ARCCLK, 540),
        ];
        arc.put(TABLE, 1);
        arc.put(TABLE + 4, telemetry.len() as u32);
        for (i, (tag, value)) in (0..).zip(telemetry) {
            arc.put(TABLE + 8 + 4 * i, u32::from(tag) | i << 16);
            arc.put(VALUES + 4 * i, value);
        }
        arc
    }

    fn put(&mut self, offset: u32, value: u32) {
        self.csm[offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }

    /// CSM at an offset.
    pub fn csm(&mut self, offset: u64, len: usize) -> Result<&mut [u8], Fault> {
        let end = offset.checked_add(len as u64).filter(|&end| end <= u64::from(CSM_SIZE));
        match end {
            Some(end) => Ok(&mut self.csm[offset as usize..end as usize]),
            None => Err(unmapped("CSM", offset)),
        }
    }

    /// Reads a register below the APB base.
    pub fn apb_read(&self, offset: u64) -> Result<u32, Fault> {
        match offset.checked_sub(u64::from(RESET_UNIT)).map(|register| register as u32) {
            Some(TELEMETRY_TABLE) => Ok(CSM_BASE + TABLE),
            Some(TELEMETRY_VALUES) => Ok(CSM_BASE + VALUES),
            Some(register) => {
                scratch_index(register).map(|i| self.scratch[i]).ok_or_else(|| unmapped("APB", offset))
            }
            None => Err(unmapped("APB", offset)),
        }
    }

    /// Writes a register below the APB base.
    pub fn apb_write(&mut self, offset: u64, value: u32) -> Result<(), Fault> {
        let register = offset.wrapping_sub(u64::from(RESET_UNIT)) as u32;
        let index = scratch_index(register).ok_or_else(|| unmapped("APB", offset))?;
        self.scratch[index] = value;
        Ok(())
    }

    /// Reads over the NoC: CSM only.
    pub fn noc_read(&mut self, addr: u64, out: &mut [u8]) -> Result<(), Fault> {
        let offset = addr.wrapping_sub(NOC_XBAR + u64::from(CSM_BASE));
        out.copy_from_slice(self.csm(offset, out.len())?);
        Ok(())
    }

    /// Writes over the NoC: CSM only.
    pub fn noc_write(&mut self, addr: u64, data: &[u8]) -> Result<(), Fault> {
        let offset = addr.wrapping_sub(NOC_XBAR + u64::from(CSM_BASE));
        self.csm(offset, data.len())?.copy_from_slice(data);
        Ok(())
    }
}

fn scratch_index(register: u32) -> Option<usize> {
    let index = register.wrapping_sub(SCRATCH) as usize / 4;
    (index < SCRATCH_WORDS && register.is_multiple_of(4)).then_some(index)
}

fn unmapped(what: &str, offset: u64) -> Fault {
    Fault::not_implemented(format!("ARC {what} offset {offset:#x}")).page("ARCTile/README.md")
}
