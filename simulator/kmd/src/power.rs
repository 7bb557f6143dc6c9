//! Messages from the driver to the chip's firmware: power states by the queue of newer firmware, resets by the scratch registers.

use tt_isa::arc::queue::{ENTRY_WORDS, HEADER_BYTES, POWER, REQUEST_WRITE, RESPONSE_READ, RESPONSE_WRITE};
use tt_isa::arc::{
    CSM_BASE, MESSAGE_ARGUMENT, MESSAGE_PRESENT, MESSAGE_QUEUES, MESSAGE_STATUS, MISC_CNTL, MISC_CNTL_IRQ0,
    RESET_UNIT,
};
use tt_isa::chip::WORMHOLE;
use tt_simulator::{Chip, Fault};

const ENTRY_BYTES: u32 = 4 * ENTRY_WORDS;

fn arc() -> tt_isa::arc::ArcBar0 {
    WORMHOLE.management.bar0.expect("a Wormhole has ARC in BAR 0")
}

fn read(chip: &mut Chip, offset: u64) -> Result<u32, Fault> {
    let mut word = [0; 4];
    chip.bar0_read(offset, &mut word)?;
    Ok(u32::from_le_bytes(word))
}

fn csm(address: u32) -> u64 {
    arc().csm + u64::from(address.wrapping_sub(CSM_BASE))
}

fn register(register: u32) -> u64 {
    arc().apb + u64::from(RESET_UNIT + register)
}

/// Asks the firmware for the flags of a power state; false if it does not take them.
pub fn set(chip: &mut Chip, validity: u8, flags: u16) -> Result<bool, Fault> {
    let words = read(chip, register(MESSAGE_QUEUES))?;
    if words == 0 {
        return Ok(false);
    }
    let queue = CSM_BASE + read(chip, csm(words))?;
    let entries = read(chip, csm(words + 4))? & 0xFF;
    let at = read(chip, csm(queue + REQUEST_WRITE))?;
    let request = queue + HEADER_BYTES + at % entries * ENTRY_BYTES;
    let header = u32::from(POWER) | u32::from(validity) << 8 | u32::from(flags) << 16;
    for (address, word) in [(request, header), (queue + REQUEST_WRITE, (at + 1) % (2 * entries))] {
        chip.bar0_write(csm(address), &word.to_le_bytes())?;
    }
    chip.bar0_write(register(MISC_CNTL), &MISC_CNTL_IRQ0.to_le_bytes())?;
    let [at, end] = [RESPONSE_READ, RESPONSE_WRITE].map(|pointer| csm(queue + pointer));
    let (at, end) = (read(chip, at)?, read(chip, end)?);
    if at == end {
        return Ok(false);
    }
    chip.bar0_write(csm(queue + RESPONSE_READ), &((at + 1) % (2 * entries)).to_le_bytes())?;
    let response = queue + HEADER_BYTES + (entries + at % entries) * ENTRY_BYTES;
    Ok(read(chip, csm(response))? == 0)
}

/// Sends a message by the scratch registers.
pub fn send(chip: &mut Chip, code: u8, argument: u32) -> Result<(), Fault> {
    let words = [
        (MESSAGE_ARGUMENT, argument),
        (MESSAGE_STATUS, MESSAGE_PRESENT | u32::from(code)),
        (MISC_CNTL, MISC_CNTL_IRQ0),
    ];
    words.into_iter().try_for_each(|(at, word)| chip.bar0_write(register(at), &word.to_le_bytes()))
}
