//! TDMA-RISC: registers through which cores command the mover, and set values for `PACR_SETREG` and for the packers'
//! output addresses (`TDMA-RISC.md`).
//!
//! Commands execute when they are written, so their queue is always empty. The packers' tile sizes and zero flags
//! are not implemented: the pages do not define them without compression.

use tt_isa::map::{self, RiscV, tdma_command as command};

use super::Tile;
use crate::fault::Fault;
use crate::model::tensix::Move;

const PAGE: &str = "TensixTile/TDMA-RISC.md";
/// Parameters of a command: source, destination, size, direction.
const PARAMETERS: usize = 4;
/// `TDMA_STATUS` while nothing is queued: both queues empty, four commands' room.
const IDLE: u32 = 1 << 3 | 1 << 5 | 4 << 8;
/// The same while the mover works.
const MOVER_BUSY: u32 = 1;
/// The packers' tile FIFOs as the status register has them: four times "empty".
const FIFOS_EMPTY: u32 = 0b01_01_01_01;
const PACKERS: u32 = 4;

/// What its registers hold.
#[derive(Default)]
pub(super) struct TdmaRisc {
    parameters: [u32; PARAMETERS],
    /// Of B, T0, T1, T2.
    base: [u32; 4],
    clk_gate_en: u32,
    clk_gate_hyst: u32,
    pack_reg_addr: u32,
}

/// Whose base address a compact command counts from; NCRISC and the NoC have T0's.
fn base_of(core: Option<RiscV>) -> usize {
    match core {
        Some(RiscV::Brisc) => 0,
        Some(RiscV::Trisc1) => 2,
        Some(RiscV::Trisc2) => 3,
        _ => 1,
    }
}

impl Tile {
    /// Reads a register; `core` is the reading core, if it is a core.
    pub(super) fn tdma_read(&self, core: Option<RiscV>, offset: u32) -> Result<u32, Fault> {
        Ok(match offset {
            map::XMOV_SRC_ADDR
            | map::XMOV_DST_ADDR
            | map::XMOV_SIZE
            | map::XMOV_DIRECTION
            | map::TDMA_COMMAND => 0,
            map::TDMA_STATUS if self.mover_is_busy() => IDLE | MOVER_BUSY,
            map::TDMA_STATUS => IDLE,
            map::XMOV_L1_BASE_ADDR => self.tdma.base[base_of(core)],
            map::TDMA_CLK_GATE_EN => self.tdma.clk_gate_en,
            map::TDMA_CLK_GATE_HYST => self.tdma.clk_gate_hyst,
            map::TDMA_FIFO_PACKED_TILE_STATUS => self.tdma.pack_reg_addr << 8 | FIFOS_EMPTY,
            _ if is_scalers(offset) => {
                let scalers = &self.tensix.pack.set_reg_hi_scaler;
                scalers[0] | scalers[1] << 9 | scalers[2] << 18
            }
            _ => return Err(Fault::not_implemented(format!("read of TDMA register {offset:#x}")).page(PAGE)),
        })
    }

    /// Writes a register.
    pub(super) fn tdma_write(&mut self, core: Option<RiscV>, offset: u32, value: u32) -> Result<(), Fault> {
        let pack = &mut self.tensix.pack;
        match offset {
            map::XMOV_SRC_ADDR | map::XMOV_DST_ADDR | map::XMOV_SIZE | map::XMOV_DIRECTION => {
                self.tdma.parameters[(offset / 4) as usize] = value;
            }
            map::TDMA_COMMAND => return self.tdma_command(core, value),
            map::XMOV_L1_BASE_ADDR => self.tdma.base[base_of(core)] = value,
            map::TDMA_CLK_GATE_EN => self.tdma.clk_gate_en = value & 0xFFFF_FF7F,
            map::TDMA_CLK_GATE_HYST => {
                self.tdma.clk_gate_hyst = value & 0x01FF_007F;
                pack.set_reg_hi_scaler[3] = value >> 16 & 0x1FF;
            }
            map::TDMA_FIFO_PACKED_TILE_STATUS => {
                self.tdma.pack_reg_addr = value;
                for (i, base) in (0..).zip(&mut pack.set_reg_base) {
                    let (high, middle) = (value >> (20 + 2 * i) & 3, value >> (10 * i) & 0x3FF);
                    *base = high << 18 | middle << 2;
                }
            }
            _ if is_scalers(offset) => {
                for (i, scaler) in (0..3).zip(&mut pack.set_reg_hi_scaler) {
                    *scaler = value >> (9 * i) & 0x1FF;
                }
            }
            _ if is_acc_packed_size(offset) => {
                for (packer, offset) in (0..).zip(&mut pack.l1_dest_addr_offset) {
                    if value >> (16 + packer) & 1 != 0 {
                        *offset = value as u16;
                    }
                }
            }
            _ => {
                let what = format!("TDMA register {offset:#x} = {value:#x}");
                return Err(Fault::not_implemented(what).page(PAGE));
            }
        }
        Ok(())
    }

    fn tdma_command(&mut self, core: Option<RiscV>, word: u32) -> Result<(), Fault> {
        let compact = word & command::COMPACT != 0;
        let [source, destination, size, direction] = self.tdma.parameters;
        match word & 0xFF {
            command::MOVE if compact => self.run_mover(Move {
                source: self.tdma.base[base_of(core)].wrapping_add(word >> 8 & 0xFF) << 4,
                destination: (word >> 16 & 0xFF) << 4,
                len: (word >> 24 & 0x3F) << 4,
                direction: if word >> 30 & 1 != 0 { 3 } else { 1 },
            }),
            command::MOVE => self.run_mover(Move {
                source: source << 4,
                destination: destination << 4,
                len: (size & 0xFFFF) << 4,
                direction: direction & 3,
            }),
            command::WAIT | command::NOP => Ok(()),
            command::WRITE if !compact && word & command::WRITE_FLAGS == command::WRITE_FLAGS => {
                let bytes = (u64::from(direction) << 32 | u64::from(size)).to_le_bytes();
                self.write_l1(source, &bytes[..if word & command::WRITE_64 != 0 { 8 } else { 4 }])
            }
            _ => Err(Fault::program(format!("TDMA-RISC command {word:#010x}")).page(PAGE)),
        }
    }

    fn write_l1(&mut self, addr: u32, bytes: &[u8]) -> Result<(), Fault> {
        let aligned = (addr as usize).is_multiple_of(bytes.len());
        let to = if aligned { self.l1.change(addr, bytes.len()) } else { None };
        to.map(|to| to.copy_from_slice(bytes)).ok_or_else(|| {
            Fault::program(format!("TDMA-RISC write of {} bytes to L1 {addr:#x}", bytes.len())).page(PAGE)
        })
    }
}

fn is_scalers(offset: u32) -> bool {
    [0, map::TDMA_PACKER_STRIDE].contains(&offset.wrapping_sub(map::TDMA_PACK_SCALERS))
}

fn is_acc_packed_size(offset: u32) -> bool {
    let at = offset.wrapping_sub(map::TDMA_ACC_PACKED_SIZE);
    let (packer, rest) = (at / map::TDMA_PACKER_STRIDE, at % map::TDMA_PACKER_STRIDE);
    packer < PACKERS && rest.is_multiple_of(map::TDMA_THREAD_STRIDE) && rest / map::TDMA_THREAD_STRIDE < 3
}
