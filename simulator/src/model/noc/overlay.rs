//! Overlay streams as sets of registers (`NoC/Overlay/AsGeneralUse.md`).
//!
//! Software that moves its data itself uses idle streams to synchronise: a register adds what is written to it, so a
//! store is an atomic increment. Active streams are not implemented: an access that would start one is a fault.

use tt_isa::map::NOC_OVERLAY_STREAM_STRIDE;
use tt_isa::overlay::{
    ETHERNET_SRC_MASK_BITS, KEPT, RECEIVERS, REGISTERS, SPACE_BITS, Streams as Which, reg,
};

use super::OVERLAY;
use crate::fault::Fault;

const GENERAL_USE: &str = "NoC/Overlay/AsGeneralUse.md";
/// `WAIT_STATUS` of an idle stream: it waits to be started.
const IDLE: u32 = 1;
/// `DEBUG_STATUS_2`: every receiver has space.
const ALL_HAVE_SPACE: u32 = 1 << 3;
const PHASE_BITS: u32 = 20;
const POINTER_BITS: u32 = 17;
/// Low bits of `PHASE_AUTO_CFG_HEADER` that add to the phase.
const PHASE_INCREMENT: u32 = 0xFFF;

type Registers = [u32; REGISTERS as usize];

/// The streams of a tile.
pub struct Overlay {
    ethernet: bool,
    /// Made when first written.
    streams: Vec<Option<Box<Registers>>>,
}

const fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

impl Overlay {
    /// `count` idle streams.
    pub fn new(ethernet: bool, count: u32) -> Self {
        Self { ethernet, streams: vec![None; count as usize] }
    }

    fn receivers(&self, stream: usize) -> u32 {
        if Which::Multicast.has(self.ethernet, stream as u32) { RECEIVERS } else { 1 }
    }

    /// Bits of a register that keeps what is written, in a stream; `None` if it is not one.
    fn kept(&self, stream: usize, index: u32) -> Option<u32> {
        let kept = KEPT.iter().find(|kept| kept.index == index)?;
        let exists = kept.streams.has(self.ethernet, stream as u32);
        let word = index.wrapping_sub(reg::LOCAL_SRC_MASK) as usize;
        let bits = match ETHERNET_SRC_MASK_BITS.get(word) {
            Some(&bits) if self.ethernet => bits,
            _ => kept.bits,
        };
        Some(if exists { mask(bits) } else { 0 })
    }

    /// Reads the register at an offset from the first stream's.
    ///
    /// # Errors
    /// No such register, or one that only streams at work have.
    pub fn read(&self, offset: u32) -> Result<u32, Fault> {
        let (stream, index) = self.split(offset).ok_or_else(|| unknown(offset))?;
        let zeros = [0; REGISTERS as usize];
        let set: &Registers = self.streams[stream].as_deref().unwrap_or(&zeros);
        let at = |index: u32| set[index as usize];
        let less = |index: u32, base: u32, bits: u32| at(index).wrapping_sub(at(base)) & mask(bits);
        Ok(match index {
            reg::CURR_PHASE | reg::REMOTE_SRC_PHASE => less(index, reg::CURR_PHASE_BASE, PHASE_BITS),
            reg::PHASE_AUTO_CFG_PTR => less(index, reg::PHASE_AUTO_CFG_PTR_BASE, POINTER_BITS),
            reg::PHASE_AUTO_CFG_HEADER | reg::NEXT_RECEIVED_MSG_ADDR | reg::NEXT_RECEIVED_MSG_SIZE => {
                at(index)
            }
            reg::NUM_MSGS_RECEIVED | reg::PHASE_ADVANCE => 0,
            reg::WAIT_STATUS => IDLE,
            reg::MSG_INFO_CAN_PUSH_NEW_MSG => u32::from(at(reg::MSG_INFO_PTR) == at(reg::MSG_INFO_WR_PTR)),
            reg::BUF_SPACE_AVAILABLE => space(at(reg::BUF_SIZE), at(reg::RD_PTR), at(reg::WR_PTR)),
            reg::DEBUG_STATUS_2 => {
                let mut receivers =
                    (0..self.receivers(stream)).map(|n| at(reg::REMOTE_DEST_BUF_SPACE_AVAILABLE + n));
                if receivers.all(|space| space != 0) { ALL_HAVE_SPACE } else { 0 }
            }
            _ if self.is_space(stream, index) => at(index),
            _ => self.kept(stream, index).map(|mask| at(index) & mask).ok_or_else(|| unknown(offset))?,
        })
    }

    fn is_space(&self, stream: usize, index: u32) -> bool {
        let n = index.wrapping_sub(reg::REMOTE_DEST_BUF_SPACE_AVAILABLE);
        n < self.receivers(stream)
    }

    fn split(&self, offset: u32) -> Option<(usize, u32)> {
        let (stream, at) = (offset / NOC_OVERLAY_STREAM_STRIDE, offset % NOC_OVERLAY_STREAM_STRIDE);
        let known = (stream as usize) < self.streams.len() && at / 4 < REGISTERS && at.is_multiple_of(4);
        known.then_some((stream as usize, at / 4))
    }

    /// Writes the register at an offset from the first stream's.
    ///
    /// # Errors
    /// No such register, or one that would set a stream to work.
    pub fn write(&mut self, offset: u32, value: u32) -> Result<(), Fault> {
        let (stream, index) = self.split(offset).ok_or_else(|| unknown(offset))?;
        let receivers = self.receivers(stream);
        let read_only = matches!(
            index,
            reg::MSG_INFO_CAN_PUSH_NEW_MSG
                | reg::BUF_SPACE_AVAILABLE
                | reg::WAIT_STATUS
                | reg::NUM_MSGS_RECEIVED
                | reg::NEXT_RECEIVED_MSG_ADDR
                | reg::NEXT_RECEIVED_MSG_SIZE
                | reg::DEBUG_STATUS_2
        ) || self.is_space(stream, index);
        if read_only {
            return Ok(());
        }
        let kept = self.kept(stream, index);
        let set = self.streams[stream].get_or_insert_with(|| Box::new([0; REGISTERS as usize]));
        let space = reg::REMOTE_DEST_BUF_SPACE_AVAILABLE;
        match (index, kept) {
            (reg::REMOTE_DEST_BUF_SPACE_AVAILABLE_UPDATE, _) => {
                if value & 63 < receivers {
                    let word = &mut set[(space + (value & 63)) as usize];
                    *word = word.wrapping_add(value >> 6) & mask(SPACE_BITS);
                }
            }
            (reg::PHASE_AUTO_CFG_HEADER, _) => {
                set[index as usize] = value & !PHASE_INCREMENT;
                let phase = &mut set[reg::CURR_PHASE as usize];
                *phase = phase.wrapping_add(value & PHASE_INCREMENT) & mask(PHASE_BITS);
            }
            (reg::MISC_CFG, _) if value & reg::MISC_CFG_PHASE_AUTO_CONFIG != 0 => {
                return Err(at_work(stream, index));
            }
            (_, Some(mask)) => keep(set, index, value, mask, receivers),
            (reg::PHASE_ADVANCE, None) => return Err(at_work(stream, index)),
            _ => return Err(unknown(offset)),
        }
        Ok(())
    }
}

/// Keeps a value, with what else the write does.
fn keep(set: &mut Registers, index: u32, value: u32, bits: u32, receivers: u32) {
    let mut put = |index: u32, value: u32| set[index as usize] = value;
    match index {
        reg::REMOTE_DEST_BUF_SIZE => {
            (0..receivers).for_each(|n| put(reg::REMOTE_DEST_BUF_SPACE_AVAILABLE + n, value & bits));
        }
        reg::REMOTE_DEST_BUF_START => put(reg::REMOTE_DEST_WR_PTR, 0),
        reg::BUF_START => {
            put(reg::RD_PTR, 0);
            put(reg::WR_PTR, 0);
        }
        _ => {}
    }
    let base = match index {
        reg::CURR_PHASE | reg::REMOTE_SRC_PHASE => set[reg::CURR_PHASE_BASE as usize],
        reg::PHASE_AUTO_CFG_PTR => set[reg::PHASE_AUTO_CFG_PTR_BASE as usize],
        _ => 0,
    };
    set[index as usize] = value.wrapping_add(base) & bits;
    if index == reg::RD_PTR {
        set[reg::NEXT_RECEIVED_MSG_SIZE as usize] = 0;
        let next = set[reg::BUF_START as usize].wrapping_add(value) & bits;
        set[reg::NEXT_RECEIVED_MSG_ADDR as usize] = next;
    }
}

fn space(size: u32, read: u32, write: u32) -> u32 {
    match (read == write, size) {
        (true, _) => size,
        (false, 0) => 0,
        (false, _) => (i64::from(read) - i64::from(write)).rem_euclid(size.into()) as u32,
    }
}

fn at_work(stream: usize, index: u32) -> Fault {
    Fault::not_implemented(format!("overlay stream {stream} is started by its register {index}"))
        .page(OVERLAY)
}

fn unknown(offset: u32) -> Fault {
    let what = format!("overlay register {offset:#x}, which idle streams do not have");
    Fault::not_implemented(what).page(GENERAL_USE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::overlay::TENSIX_STREAMS;

    fn at(stream: u32, index: u32) -> u32 {
        stream * 0x1000 + 4 * index
    }

    fn tensix() -> Overlay {
        Overlay::new(false, TENSIX_STREAMS)
    }

    #[test]
    fn space_is_a_counter() {
        let mut overlay = tensix();
        for (stream, receivers) in [(3, 32), (4, 1), (63, 1)] {
            overlay.write(at(stream, reg::REMOTE_DEST_BUF_SIZE), 0x4_0005).unwrap();
            for n in 0..receivers {
                assert_eq!(overlay.read(at(stream, reg::REMOTE_DEST_BUF_SPACE_AVAILABLE + n)).unwrap(), 5);
            }
            overlay.write(at(stream, reg::REMOTE_DEST_BUF_SPACE_AVAILABLE_UPDATE), 7 << 6).unwrap();
            let space = at(stream, reg::REMOTE_DEST_BUF_SPACE_AVAILABLE);
            assert_eq!(overlay.read(space).unwrap(), 12);
            overlay.write(space, 1).unwrap();
            assert_eq!(overlay.read(space).unwrap(), 12, "read only");
            assert_eq!(overlay.read(at(stream, reg::DEBUG_STATUS_2)).unwrap(), ALL_HAVE_SPACE);
            // Down to nothing: modulo 17 bits.
            overlay
                .write(at(stream, reg::REMOTE_DEST_BUF_SPACE_AVAILABLE_UPDATE), (0x2_0000 - 12) << 6)
                .unwrap();
            assert_eq!([space, at(stream, reg::DEBUG_STATUS_2)].map(|at| overlay.read(at).unwrap()), [0, 0]);
        }
        assert!(overlay.read(at(4, reg::REMOTE_DEST_BUF_SPACE_AVAILABLE + 1)).is_err());
    }

    #[test]
    fn registers_have_their_width_and_their_streams() {
        let mut overlay = tensix();
        let mut seen = |stream: u32, index: u32| {
            overlay.write(at(stream, index), u32::MAX).unwrap();
            overlay.read(at(stream, index)).unwrap()
        };
        assert_eq!([0, 63].map(|stream| seen(stream, reg::REMOTE_SRC)), [0xFF_FFFF; 2]);
        assert_eq!([3, 4, 11, 12].map(|stream| seen(stream, reg::SCRATCH + 5)), [0xFF_FFFF, 0, 0xFF_FFFF, 0]);
        assert_eq!([5, 6].map(|stream| seen(stream, reg::LOCAL_SRC_MASK + 2)), [0xFFFF, 0]);
        let mut ethernet = Overlay::new(true, tt_isa::eth::STREAMS);
        ethernet.write(at(1, reg::LOCAL_SRC_MASK + 1), u32::MAX).unwrap();
        assert_eq!(ethernet.read(at(1, reg::LOCAL_SRC_MASK + 1)).unwrap(), 0xFF);
        assert!(ethernet.read(at(32, 0)).is_err());
    }

    #[test]
    fn writes_have_effects_on_other_registers() {
        let mut overlay = tensix();
        let mut write = |index: u32, value: u32| overlay.write(at(9, index), value).unwrap();
        write(reg::CURR_PHASE_BASE, 100);
        write(reg::CURR_PHASE, 5);
        write(reg::PHASE_AUTO_CFG_HEADER, 0xABCD_E003);
        write(reg::WR_PTR, 30);
        write(reg::BUF_START, 1000);
        write(reg::BUF_SIZE, 64);
        write(reg::WR_PTR, 10);
        write(reg::RD_PTR, 4);
        let read = |index: u32| overlay.read(at(9, index)).unwrap();
        assert_eq!((read(reg::CURR_PHASE), read(reg::PHASE_AUTO_CFG_HEADER)), (8, 0xABCD_E000));
        assert_eq!(read(reg::NEXT_RECEIVED_MSG_ADDR), 1004);
        assert_eq!((read(reg::BUF_SPACE_AVAILABLE), read(reg::WAIT_STATUS)), (58, 1));
    }

    #[test]
    fn nothing_sets_a_stream_to_work() {
        let mut overlay = tensix();
        for (index, value) in
            [(reg::PHASE_ADVANCE, 1), (reg::MISC_CFG, reg::MISC_CFG_PHASE_AUTO_CONFIG), (30, 1), (31, 1)]
        {
            assert!(overlay.write(at(1, index), value).unwrap_err().page.is_some());
        }
        overlay.write(at(1, reg::MISC_CFG), 0x10).unwrap();
    }
}
