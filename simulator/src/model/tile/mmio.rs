//! Registers of a tile, as its cores and, for some, the NoC and the host see them.

use std::collections::VecDeque;

use tt_isa::map::{self, RiscV};
use tt_isa::overlay::TENSIX_STREAMS;

use super::Tile;
use crate::fault::Fault;
use crate::model::rv32::Access;
use crate::model::tensix::THREADS;
use crate::model::tensix::frontend::MOP_CFG_WORDS;
use crate::model::tensix::scalar::GPRS;
use crate::model::tensix::sync::SEMAPHORES;

const REGISTER_BLOCK: u32 = 0x1000;
/// Words that a core may have in its mailboxes to others, all together (`BabyRISCV/Mailboxes.md`).
const MAILBOX_WORDS: usize = 4;

impl Tile {
    /// A core's load of the register at `addr` (aligned).
    ///
    /// # Errors
    /// There is none for this core.
    pub fn register_load(&mut self, core: RiscV, addr: u32) -> Result<Access<u32>, Fault> {
        // First, since it is what cores poll.
        if let Some((noc, offset)) = niu(addr) {
            // It changes when time has passed.
            if self.port.niu[noc].is_busy(offset, self.clock) {
                return Ok(Access::Volatile(1));
            }
            return Ok(Access::Done(self.port.niu[noc].read(offset)?));
        }
        if core != RiscV::Ncrisc
            && let Some(access) = self.coprocessor_load(core, addr)?
        {
            return Ok(access);
        }
        if let Some(offset) = block(addr, map::TDMA_REGS_BASE) {
            let value = self.tdma_read(Some(core), offset)?;
            // It changes when time has passed.
            let volatile = offset == map::TDMA_STATUS && self.mover_is_busy();
            return Ok(if volatile { Access::Volatile(value) } else { Access::Done(value) });
        }
        let clock = [map::WALL_CLOCK_L, map::WALL_CLOCK_H].map(|r| map::DEBUG_REGS_BASE + r);
        let value = self.external_register_read(addr)?;
        Ok(if clock.contains(&addr) { Access::Volatile(value) } else { Access::Done(value) })
    }

    /// A core's store to the register at `addr` (aligned). [`Access::Retry`] has no effect: the coprocessor has to go on first.
    ///
    /// # Errors
    /// There is none for this core, or it does not take the value.
    pub fn register_store(&mut self, core: RiscV, addr: u32, value: u32) -> Result<Access<()>, Fault> {
        // First, since most are.
        if let Some((noc, offset)) = niu(addr) {
            self.niu_store(core, noc, offset, value)?;
            return Ok(Access::Done(()));
        }
        if core != RiscV::Ncrisc
            && let Some(access) = self.coprocessor_store(core, addr, value)?
        {
            return Ok(access);
        }
        if let Some(offset) = block(addr, map::TDMA_REGS_BASE) {
            self.changes += 1;
            self.tdma_write(Some(core), offset, value)?;
        } else {
            self.external_register_write(addr, value)?;
        }
        Ok(Access::Done(()))
    }

    /// A core's store to a NIU. A request remembers who made it.
    #[inline]
    fn niu_store(&mut self, core: RiscV, noc: usize, offset: u32, value: u32) -> Result<(), Fault> {
        self.changes += 1;
        let before = self.port.outbox.len();
        self.port.write(noc, offset, value)?;
        self.port.outbox[before..].iter_mut().for_each(|request| request.core = Some(core));
        Ok(())
    }

    /// Registers that only B, T0, T1 and T2 see.
    fn coprocessor_load(&mut self, core: RiscV, addr: u32) -> Result<Option<Access<u32>>, Fault> {
        if let Some((thread, offset)) = banked(core, addr, map::PC_BUF_BASE, map::PC_BUF_STRIDE) {
            return self.pc_buf_load(thread, offset).map(Some);
        }
        if let Some(offset) = config(addr) {
            return Ok(Some(Access::Done(self.tensix.cfg.read_mapped(offset / 4)?)));
        }
        if let Some((thread, gpr)) = gpr(core, addr) {
            return Ok(Some(Access::Done(self.tensix.gpr[thread][gpr])));
        }
        if let Some((other, offset)) = mailbox(addr) {
            return Ok(Some(self.mailbox_load(core, other, offset)));
        }
        Ok(None)
    }

    fn coprocessor_store(&mut self, core: RiscV, addr: u32, value: u32) -> Result<Option<Access<()>>, Fault> {
        let done = Ok(Some(Access::Done(())));
        if let Some((thread, offset)) = banked(core, addr, map::INSTRN_BUF_BASE, map::INSTRN_BUF_STRIDE) {
            if offset != 0 {
                return Ok(None);
            }
            if !self.tensix.can_push(thread) {
                return Ok(Some(Access::Retry));
            }
            self.check_coprocessor(value)?;
            self.tensix.push(thread, value, core == RiscV::Brisc);
            return done;
        }
        if let Some((thread, offset)) = banked(core, addr, map::PC_BUF_BASE, map::PC_BUF_STRIDE) {
            self.pc_buf_store(thread, offset, value)?;
            return done;
        }
        if let Some(offset) = config(addr) {
            self.tensix.cfg.write_mapped(offset / 4, value)?;
            // Decoded code is never stale here; the bits are only taken note of.
            self.tensix.cfg.take_icache_invalidate();
            self.changes += 1;
            return done;
        }
        if let Some((thread, gpr)) = gpr(core, addr) {
            self.tensix.gpr[thread][gpr] = value;
            self.changes += 1;
            return done;
        }
        if let Some(offset) = block(addr, map::MOP_CFG_BASE) {
            let thread = core.tensix_thread().ok_or_else(|| unmapped(addr))? as usize;
            if offset as usize / 4 >= MOP_CFG_WORDS {
                return Err(unmapped(addr));
            }
            if !self.tensix.mop_idle(thread) {
                return Ok(Some(Access::Retry));
            }
            self.tensix.write_mop_cfg(thread, offset as usize / 4, value)?;
            return done;
        }
        if let Some((other, _)) = mailbox(addr) {
            return Ok(Some(self.mailbox_store(core, other, value)));
        }
        Ok(None)
    }

    /// TTSync and semaphores (`BabyRISCV/PCBufs.md`, `BabyRISCV/TTSync.md`).
    fn pc_buf_load(&mut self, thread: usize, offset: u32) -> Result<Access<u32>, Fault> {
        let ready = match offset {
            map::PC_BUF_TENSIX_SYNC => self.tensix.thread_idle(thread),
            map::PC_BUF_MOP_SYNC => self.tensix.mop_idle(thread),
            _ => {
                let index = semaphore(offset)?;
                return Ok(Access::Done(u32::from(self.tensix.sync.semaphores[index].value)));
            }
        };
        Ok(if ready { Access::Done(0) } else { Access::Retry })
    }

    fn pc_buf_store(&mut self, _thread: usize, offset: u32, value: u32) -> Result<(), Fault> {
        if offset == map::PC_BUF_TENSIX_SYNC || offset == map::PC_BUF_MOP_SYNC {
            // Only orders the load that follows.
            return Ok(());
        }
        let index = semaphore(offset)?;
        self.changes += 1;
        if value & 1 == 0 { self.tensix.sync.post_by_core(index) } else { self.tensix.sync.get(index) }
    }

    /// Takes the next word from the mailbox from `other` to `core`, or (at offset 4) asks whether there is one.
    fn mailbox_load(&mut self, core: RiscV, other: usize, offset: u32) -> Access<u32> {
        let mailbox = &mut self.mailboxes[other][core as usize];
        if offset & 4 != 0 {
            return Access::Done(u32::from(!mailbox.is_empty()));
        }
        match mailbox.pop_front() {
            Some(value) => {
                self.changes += 1;
                Access::Volatile(value)
            }
            None => Access::Retry,
        }
    }

    /// Puts a word into the mailbox from `core` to `other`; waits while too many words of `core` are on their way.
    fn mailbox_store(&mut self, core: RiscV, other: usize, value: u32) -> Access<()> {
        let sent = &mut self.mailboxes[core as usize];
        if sent.iter().map(VecDeque::len).sum::<usize>() >= MAILBOX_WORDS {
            return Access::Retry;
        }
        sent[other].push_back(value);
        self.changes += 1;
        Access::Done(())
    }

    /// Registers that cores, NoC and host all see.
    pub(super) fn external_register_read(&mut self, addr: u32) -> Result<u32, Fault> {
        if let Some((noc, offset)) = niu(addr) {
            return self.port.niu[noc].read(offset);
        }
        if let Some(offset) = overlay(addr) {
            return self.overlay.read(offset);
        }
        if let Some(offset) = block(addr, map::DEBUG_REGS_BASE) {
            return match offset {
                map::SOFT_RESET_0 => Ok(self.soft_reset),
                map::DBG_FEATURE_DISABLE => Ok(0),
                map::WALL_CLOCK_L => Ok(self.clock as u32),
                map::WALL_CLOCK_H => Ok((self.clock >> 32) as u32),
                _ => self.reset_index(addr).map(|i| self.reset_pcs[i]).ok_or_else(|| unmapped(addr)),
            };
        }
        match block(addr, map::TDMA_REGS_BASE) {
            Some(offset) => self.tdma_read(None, offset),
            None => Err(unmapped(addr)),
        }
    }

    /// Writes a register that cores, NoC and host all see.
    pub fn external_register_write(&mut self, addr: u32, value: u32) -> Result<(), Fault> {
        self.changes += 1;
        if let Some((noc, offset)) = niu(addr) {
            return self.port.write(noc, offset, value);
        }
        if let Some(offset) = overlay(addr) {
            return self.overlay.write(offset, value);
        }
        if addr == map::DEBUG_REGS_BASE + map::SOFT_RESET_0 {
            return self.set_soft_reset(value);
        }
        if addr == map::DEBUG_REGS_BASE + map::DBG_FEATURE_DISABLE {
            return feature_disable(value);
        }
        if let Some(i) = self.reset_index(addr) {
            self.reset_pcs[i] = value;
            return Ok(());
        }
        match block(addr, map::TDMA_REGS_BASE) {
            Some(offset) => self.tdma_write(None, offset, value),
            None => Err(unmapped(addr)),
        }
    }
}

/// Offset of `addr` in the register block at `base`.
pub fn block(addr: u32, base: u32) -> Option<u32> {
    let offset = addr.wrapping_sub(base);
    (offset < REGISTER_BLOCK).then_some(offset)
}

/// Offset of `addr` in the coprocessor's configuration.
pub fn config(addr: u32) -> Option<u32> {
    let offset = addr.wrapping_sub(map::CFG_BASE);
    (offset < map::CFG_SIZE).then_some(offset)
}

/// The NoC whose NIU has a register at `addr`, and its offset there.
#[inline]
pub fn niu(addr: u32) -> Option<(usize, u32)> {
    let offset = addr.wrapping_sub(map::NIU_BASE);
    (offset < 2 * map::NIU_STRIDE).then_some(((offset / map::NIU_STRIDE) as usize, offset % map::NIU_STRIDE))
}

/// Offset of a register of the NoC overlay's streams, if one is at `addr`.
#[inline]
pub fn overlay(addr: u32) -> Option<u32> {
    let offset = addr.wrapping_sub(map::NOC_OVERLAY_BASE);
    (offset < TENSIX_STREAMS * map::NOC_OVERLAY_STREAM_STRIDE).then_some(offset)
}

/// Thread and offset of a register that exists once a thread: a T core sees its own at `base`, BRISC all three.
pub fn banked(core: RiscV, addr: u32, base: u32, stride: u32) -> Option<(usize, u32)> {
    match core.tensix_thread() {
        Some(thread) => block(addr, base).map(|offset| (thread as usize, offset)),
        None => (0..THREADS).find_map(|t| block(addr, base + t as u32 * stride).map(|offset| (t, offset))),
    }
}

/// Whether a load from `addr` waits for the coprocessor: TTSync.
pub fn is_sync(core: RiscV, addr: u32) -> bool {
    core != RiscV::Ncrisc
        && banked(core, addr, map::PC_BUF_BASE, map::PC_BUF_STRIDE)
            .is_some_and(|(_, offset)| matches!(offset, map::PC_BUF_TENSIX_SYNC | map::PC_BUF_MOP_SYNC))
}

/// Thread and number of a GPR, as a core sees them.
pub fn gpr(core: RiscV, addr: u32) -> Option<(usize, usize)> {
    let index = block(addr, map::REGFILE_BASE)? as usize / 4;
    match core.tensix_thread() {
        Some(thread) => (index < GPRS).then_some((thread as usize, index)),
        None => (index < GPRS * THREADS).then_some((index / GPRS, index % GPRS)),
    }
}

/// Sender and offset of a mailbox.
pub fn mailbox(addr: u32) -> Option<(usize, u32)> {
    (0..4).find_map(|i| block(addr, map::MAILBOX_BASE + i * map::MAILBOX_STRIDE).map(|o| (i as usize, o)))
}

/// Number of the semaphore at an offset of a PC buffer.
///
/// # Errors
/// There is none.
pub fn semaphore(offset: u32) -> Result<usize, Fault> {
    let index = offset.wrapping_sub(map::PC_BUF_SEMAPHORE) as usize / 4;
    if index < SEMAPHORES { Ok(index) } else { Err(unmapped(map::PC_BUF_BASE + offset)) }
}

/// A write of [`map::DBG_FEATURE_DISABLE`]: everything stays as it is after power-on.
fn feature_disable(value: u32) -> Result<(), Fault> {
    if value == 0 {
        return Ok(());
    }
    let what = format!("DBG_FEATURE_DISABLE of {value:#x}");
    Err(Fault::not_implemented(what).page("TensixTile/TensixCoprocessor/Dst.md"))
}

fn unmapped(addr: u32) -> Fault {
    Fault::program(format!("no register at {addr:#010x} that this access may reach"))
        .page("TensixTile/BabyRISCV/README.md")
}
