//! Registers of an Ethernet tile, as its core, the NoC and the other end of its link see them.

use tt_isa::eth::{
    self, CTRL_BASE, IRAM_LOAD, MAC_BASE, MAC_ON, QUEUE_STRIDE, QUEUES, RXQ_BASE, TEST_SUM, TXQ_BASE,
    WATCHDOG, WATCHDOG_CNTL, WATCHDOG_STATUS, txq,
};
use tt_isa::map::{self, DEBUG_REGS_BASE, SOFT_RESET_0, WALL_CLOCK_H, WALL_CLOCK_L};

use super::core::IRAM_CODE;
use super::{EthernetTile, PAGE, unmapped};
use crate::fault::Fault;

const REGISTER_BLOCK: u32 = 0x1000;
const MAC_SIZE: u32 = 0x1_0000;
/// `DEBUG_REGS_BASE +`: high half of the clock, without latching.
const WALL_CLOCK_NOW_H: u32 = WALL_CLOCK_L + 4;

/// A register, by its block.
enum Register {
    Niu(usize, u32),
    Overlay(u32),
    Debug(u32),
    Transmit(usize, u32),
    Receive(usize, u32),
    Control(u32),
    Mac(u32),
}

fn find(addr: u32) -> Option<Register> {
    let within = |base: u32, size: u32| Some(addr.wrapping_sub(base)).filter(|&offset| offset < size);
    if let Some(offset) = within(map::NIU_BASE, 2 * map::NIU_STRIDE) {
        return Some(Register::Niu((offset / map::NIU_STRIDE) as usize, offset % map::NIU_STRIDE));
    }
    let overlay = eth::STREAMS * map::NOC_OVERLAY_STREAM_STRIDE;
    if let Some(offset) = within(map::NOC_OVERLAY_BASE, overlay) {
        return Some(Register::Overlay(offset));
    }
    let queue = |offset: u32| ((offset / QUEUE_STRIDE) as usize, offset % QUEUE_STRIDE);
    if let Some((n, offset)) = within(TXQ_BASE, QUEUES * QUEUE_STRIDE).map(queue) {
        return Some(Register::Transmit(n, offset));
    }
    if let Some((n, offset)) = within(RXQ_BASE, QUEUES * QUEUE_STRIDE).map(queue) {
        return Some(Register::Receive(n, offset));
    }
    within(DEBUG_REGS_BASE, REGISTER_BLOCK)
        .map(Register::Debug)
        .or_else(|| within(CTRL_BASE, REGISTER_BLOCK).map(Register::Control))
        .or_else(|| within(MAC_BASE, MAC_SIZE).map(Register::Mac))
}

impl EthernetTile {
    /// Whether a register changes by itself.
    pub fn is_volatile(&self, addr: u32) -> bool {
        match find(addr) {
            Some(Register::Debug(WATCHDOG | WATCHDOG_STATUS | WALL_CLOCK_L..=WALL_CLOCK_H)) => true,
            Some(Register::Niu(noc, offset)) => self.port.niu[noc].is_busy(offset, self.clock),
            Some(Register::Transmit(n, _)) => self.line.left(n, self.clock) != [0; 3],
            _ => false,
        }
    }

    /// Reads a register.
    pub fn register_read(&mut self, addr: u32) -> Result<u32, Fault> {
        match find(addr).ok_or_else(|| unmapped(addr))? {
            Register::Niu(noc, offset) if self.port.niu[noc].is_busy(offset, self.clock) => Ok(1),
            Register::Niu(noc, offset) => self.port.niu[noc].read(offset),
            Register::Overlay(offset) => self.overlay.read(offset),
            Register::Debug(offset) => self.debug_read(offset),
            Register::Transmit(n, txq::CMD) => Ok(u32::from(self.line.is_waiting(n, self.clock))),
            Register::Transmit(n, offset) => {
                let value = self.queues.transmit_read(n, offset)?;
                Ok(value.wrapping_sub(not_counted_yet(offset, self.line.left(n, self.clock))))
            }
            Register::Receive(n, offset) => self.queues.receive_read(n, offset),
            Register::Control(TEST_SUM) => Ok(self.test_sum),
            // The copy is done at once, and bit 0 says so.
            Register::Control(IRAM_LOAD) => Ok(0),
            Register::Mac(offset) => {
                mac_index(offset).map(|i| self.mac[i]).ok_or_else(|| unknown("MAC", offset))
            }
            Register::Control(offset) => Err(unknown("control", offset)),
        }
    }

    /// Writes a register.
    pub fn register_write(&mut self, addr: u32, value: u32) -> Result<(), Fault> {
        self.changes += 1;
        match find(addr).ok_or_else(|| unmapped(addr))? {
            Register::Niu(noc, offset) => self.port.write(noc, offset, value),
            Register::Overlay(offset) => self.overlay.write(offset, value),
            Register::Debug(offset) => self.debug_write(offset, value),
            Register::Transmit(n, offset) => {
                if offset == txq::CMD && self.line.is_waiting(n, self.clock) {
                    let what =
                        format!("a command for transmit queue {n}, which has not taken the one before");
                    return Err(Fault::program(what).page(super::queues::PAGE));
                }
                let mut frame = self.queues.transmit_write(n, offset, value)?;
                if frame.is_some() && self.mac != MAC_ON.map(|(_, on)| on) {
                    return Err(
                        Fault::program("a packet is sent while the MAC is off").page(super::queues::PAGE)
                    );
                }
                if let Some(frame) = &mut frame {
                    let longest = self.queues.longest(n);
                    frame.passage = self.line.send(self.clock, Some((n, longest)), frame.len);
                }
                self.outbox.extend(frame);
                Ok(())
            }
            Register::Receive(n, offset) => self.queues.receive_write(n, offset, value),
            Register::Control(TEST_SUM) => {
                self.test_sum = self.test_sum.wrapping_add(value);
                Ok(())
            }
            Register::Control(IRAM_LOAD) => self.load_iram(value),
            Register::Mac(offset) => {
                let index = mac_index(offset).ok_or_else(|| unknown("MAC", offset))?;
                self.mac[index] = value;
                Ok(())
            }
            Register::Control(offset) => Err(unknown("control", offset)),
        }
    }

    fn debug_read(&mut self, offset: u32) -> Result<u32, Fault> {
        Ok(match offset {
            SOFT_RESET_0 => self.soft_reset(),
            WALL_CLOCK_L => {
                self.clock_high = (self.clock >> 32) as u32;
                self.clock as u32
            }
            WALL_CLOCK_NOW_H => (self.clock >> 32) as u32,
            WALL_CLOCK_H => self.clock_high,
            WATCHDOG => self.watchdog_left(),
            WATCHDOG_CNTL => self.watchdog.1,
            WATCHDOG_STATUS => u32::from(self.watchdog_left() == 0) & self.watchdog.1,
            _ => return Err(unknown("debug", offset)),
        })
    }

    fn debug_write(&mut self, offset: u32, value: u32) -> Result<(), Fault> {
        match offset {
            SOFT_RESET_0 => self.set_soft_reset(value),
            WALL_CLOCK_L => self.clock_high = (self.clock >> 32) as u32,
            WALL_CLOCK_NOW_H | WALL_CLOCK_H | WATCHDOG_STATUS => {}
            WATCHDOG => self.set_watchdog(value, self.watchdog.1),
            WATCHDOG_CNTL => self.set_watchdog(self.watchdog_left(), value),
            _ => return Err(unknown("debug", offset)),
        }
        Ok(())
    }

    fn watchdog_left(&self) -> u32 {
        let (at, control) = self.watchdog;
        if control & 1 == 0 { at as u32 } else { at.saturating_sub(self.clock) as u32 }
    }

    fn set_watchdog(&mut self, left: u32, control: u32) {
        let runs = control & 1 != 0;
        self.watchdog = (u64::from(left) + if runs { self.clock } else { 0 }, control);
    }

    /// Copies L1 to instruction RAM.
    fn load_iram(&mut self, value: u32) -> Result<(), Fault> {
        let from = value.checked_mul(16);
        let bytes = from.and_then(|from| self.l1.get(from, self.iram.len())).ok_or_else(|| {
            Fault::program(format!("instruction RAM loaded from {value:#x}0, beyond the end of L1"))
                .page(PAGE)
        })?;
        self.iram.copy_from_slice(bytes);
        self.code.written(IRAM_CODE, eth::IRAM_SIZE as usize);
        Ok(())
    }
}

/// What a counter of a transmit queue leaves out: commands that wait, packets not begun and not sent.
fn not_counted_yet(offset: u32, [commands, begun, sent]: [u32; 3]) -> u32 {
    match offset {
        txq::TRANSFER_CNT => commands,
        txq::PKT_START_CNT => begun,
        txq::PKT_END_CNT => sent,
        _ => 0,
    }
}

fn mac_index(offset: u32) -> Option<usize> {
    MAC_ON.iter().position(|&(register, _)| register == offset)
}

fn unknown(block: &str, offset: u32) -> Fault {
    Fault::not_implemented(format!("{block} register {offset:#x} of an Ethernet tile")).page(PAGE)
}
