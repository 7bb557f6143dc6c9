//! A trace as text: a line an instruction or packet.
//!
//! ```text
//!      clock tile   core   pc       word
//!         12 (1,1)  BRISC  00000008 0042a383  lw t2, 4(t0)                  t2=00000007 [00001004]
//!         15 (1,1)  BRISC  00000010 0082a423  sw s0, 8(t0)                  [00001008]=0000002a
//!       1031 (1,1)  T1              8d000320  SFPXOR lreg_c=0x3 lreg_dest=0x2 ; vector simple: LReg[3], LReg[2] -> LReg[2]
//!      16384 (1,1) -> (0,0) NoC 0 read 2048 bytes, 0x1000 <- 0x40000, id 3
//! ```

use std::fmt;

use tt_isa::insn;
use tt_isa::noc::NocXy;
use tt_isa::rv32::{self, Format, REGISTERS};

use super::recorder::Instruction;
use crate::model::noc::{Action, Remote, Request};
use crate::model::rv32::Retired;

/// Columns of the disassembly before what an instruction did.
const TEXT: usize = 32;

/// An instruction in a tile.
pub struct Line {
    /// NoC 0 position.
    pub tile: NocXy,
    /// The instruction.
    pub instruction: Instruction,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tile = self.tile.to_string();
        match self.instruction {
            Instruction::RiscV { core, retired } => {
                let Retired { pc, word, .. } = retired;
                let text = rv32::Disassembly { word, pc }.to_string();
                let effect = effect(&retired);
                let width = if effect.is_empty() { 0 } else { TEXT };
                write!(f, "{tile:<7} {:<6} {pc:08x} {word:08x}  {text:<width$}{effect}", core.name())
            }
            Instruction::Tensix { thread, word } => {
                write!(f, "{tile:<7} T{thread:<5} {:8} {word:08x}  {:#}", "", insn::Disassembly(word))
            }
        }
    }
}

/// What an instruction did, beside going on.
fn effect(retired: &Retired) -> String {
    let &Retired { word, addr, value, .. } = retired;
    let Some((name, format, _)) = rv32::row(word) else { return String::new() };
    let rd = (word >> 7 & 31) as usize;
    match format {
        Format::S => format!("[{addr:08x}]={value:08x}"),
        Format::I if name.starts_with('L') => format!("{}={value:08x} [{addr:08x}]", REGISTERS[rd]),
        Format::R | Format::I | Format::Shift | Format::U | Format::J if rd != 0 => {
            format!("{}={value:08x}", REGISTERS[rd])
        }
        _ => String::new(),
    }
}

/// A packet with the tiles at its ends.
pub struct Packet<'a> {
    /// NoC 0 position of the tile that sent it.
    pub from: NocXy,
    /// NoC 0 position of the tile that it goes to; none for a rectangle.
    pub to: Option<NocXy>,
    /// The packet.
    pub request: &'a Request,
}

impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { noc, addr, own_addr, len, tag, .. } = *self.request;
        write!(f, "{} -> ", self.from)?;
        match (self.to, self.request.remote) {
            (Some(to), _) => write!(f, "{to}")?,
            (None, Remote::Tile(at)) => write!(f, "{at} of NoC {noc}")?,
            (None, Remote::Rect(first, last)) => write!(f, "{first}..{last} of NoC {noc}")?,
        }
        write!(f, " NoC {noc} ")?;
        match self.request.action {
            Action::Read => write!(f, "read {len} bytes, {own_addr:#x} <- {addr:#x}")?,
            Action::Write => write!(f, "write {len} bytes, {own_addr:#x} -> {addr:#x}")?,
            Action::WriteMasked { mask } => write!(f, "write mask {mask:#x}, {own_addr:#x} -> {addr:#x}")?,
            Action::WriteInline { data, mask } => {
                write!(f, "write {data:#010x} mask {mask:#x} -> {addr:#x}")?
            }
            Action::Atomic(atomic) => write!(f, "atomic {atomic:x?} at {addr:#x}, old -> {own_addr:#x}")?,
        }
        let posted = if self.request.respond { "" } else { ", posted" };
        write!(f, ", id {tag}{posted}")
    }
}
