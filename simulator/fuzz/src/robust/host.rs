//! Random host accesses: BAR 0 with its windows, BAR 2, configuration space, and every register of every kind of tile.

use tt_isa::arc;
use tt_isa::chip::wormhole::{ARC_APB_BAR0, ARC_CSM_BAR0};
use tt_isa::chip::{BOARDS, WORMHOLE};
use tt_isa::map::{
    DEBUG_REGS_BASE, NIU_BASE, NIU_STRIDE, NOC_OVERLAY_BASE, NOC_OVERLAY_STREAM_STRIDE, TDMA_REGS_BASE,
};
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_simulator::{Chip, Fault};

use super::Ended;
use super::code::{address, chip};
use crate::random::Random;

/// Lengths of accesses.
const LENGTHS: [usize; 10] = [1, 2, 3, 4, 4, 4, 8, 16, 64, 4096];

/// Accesses anywhere in the BARs.
///
/// # Errors
/// Only what is wrong with the simulator.
pub fn accesses(random: &mut Random) -> Result<Ended, Fault> {
    let mut chip = chip()?;
    let mut ended = Ended::Well;
    for _ in 0..random.range(8, 96) {
        let result = access(&mut chip, random);
        note(result, &mut ended)?;
    }
    Ok(ended)
}

/// Remembers a refusal; passes on what is wrong with the simulator.
fn note(result: Result<(), Fault>, ended: &mut Ended) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.blame == tt_simulator::Blame::Internal => Err(fault),
        Err(_) => {
            *ended = Ended::Refused;
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn offset(random: &mut Random) -> u64 {
    let near = |random: &mut Random, base: u64| base + u64::from(random.below(0x2000));
    match random.below(8) {
        0 => random.next() % (2 * WORMHOLE.host.bar(0)),
        1 => random.next(),
        2 => near(random, WORMHOLE.host.config) & !7,
        3 => near(random, ARC_CSM_BAR0),
        4 => near(random, ARC_APB_BAR0 + 0x3_0000) & !3,
        5 => near(random, WORMHOLE.host.bar(0) - 0x1000),
        _ => {
            let group = random.pick(WORMHOLE.host.groups);
            group.offset
                + (u64::from(random.below(group.count)) << group.log2_size)
                + u64::from(random.below(0x10_0000))
        }
    }
}

fn access(chip: &mut Chip, random: &mut Random) -> Result<(), Fault> {
    let len = random.pick(&LENGTHS);
    match random.below(10) {
        0 => {
            // A window to somewhere.
            let group = random.pick(WORMHOLE.host.groups);
            let addr = u64::from(address(random)) & !((1 << group.log2_size) - 1);
            let mut target = TlbTarget::unicast(node(random), addr);
            target.multicast = random.chance(64);
            target.start = node(random);
            target.noc = random.below(2) as u8;
            let word = if random.chance(32) { random.next() } else { group.encode(&target) as u64 };
            let n = group.first + random.below(group.count);
            debug_assert!(n < WORMHOLE.host.windows());
            chip.bar0_write(WORMHOLE.host.config + 8 * u64::from(n), &word.to_le_bytes())
        }
        1 => chip.advance(u64::from(random.below(2_000))).map(|_| ()),
        2 => {
            chip.pci_config_read32(random.awkward());
            chip.bar2_write(u64::from(random.awkward() & 0xF_FFFF), random.awkward())
        }
        3 => chip.bar2_read(u64::from(random.word() & 0x3FFF)).map(|_| ()),
        4..=6 => {
            let data: Vec<u8> = (0..len).map(|_| random.word() as u8).collect();
            chip.bar0_write(offset(random), &data)
        }
        _ => chip.bar0_read(offset(random), &mut vec![0; len]),
    }
}

/// A node of the grid, or beside it.
fn node(random: &mut Random) -> NocXy {
    let chip = BOARDS[0].chip;
    match random.below(8) {
        0 => NocXy::new(random.below(64) as u8, random.below(64) as u8),
        1 => chip.arc,
        2 => chip.pcie,
        3 => random.pick(chip.ethernet),
        4 => random.pick(chip.dram).ports[0],
        _ => NocXy::new(18 + random.below(8) as u8, 18 + random.below(10) as u8),
    }
}

/// A register of a tile, all kinds as likely.
fn register(random: &mut Random) -> u64 {
    let low = u64::from(random.below(0x800) & !3);
    let block = random.pick(&[
        u64::from(DEBUG_REGS_BASE),
        TDMA_REGS_BASE.into(),
        NIU_BASE.into(),
        u64::from(NIU_BASE + NIU_STRIDE),
        u64::from(NOC_OVERLAY_BASE + NOC_OVERLAY_STREAM_STRIDE),
        u64::from(WORMHOLE.tile.l1_size),
        u64::from(NOC_OVERLAY_BASE),
        WORMHOLE.management.noc + u64::from(arc::APB_BASE + arc::RESET_UNIT),
        WORMHOLE.management.noc + u64::from(arc::CSM_BASE),
        WORMHOLE.management.noc,
    ]);
    match random.below(8) {
        0 => random.next() >> random.range(20, 60),
        1 => u64::from(address(random)),
        _ => block + low,
    }
}

/// Writes and reads of registers over the NoC, and time between them.
///
/// # Errors
/// Only what is wrong with the simulator.
pub fn registers(random: &mut Random) -> Result<Ended, Fault> {
    let mut chip = chip()?;
    let mut ended = Ended::Well;
    for _ in 0..random.range(8, 128) {
        let (at, addr) = (node(random), register(random));
        let result = match random.below(8) {
            0 => chip.advance(u64::from(random.below(4_000))).map(|_| ()),
            1 | 2 => chip.tile_read(at, addr, &mut vec![0; random.pick(&LENGTHS)]),
            3 => chip.tile_write(at, addr, &vec![random.word() as u8; random.pick(&LENGTHS)]),
            _ => chip.tile_write(at, addr, &random.awkward().to_le_bytes()),
        };
        note(result, &mut ended)?;
    }
    Ok(ended)
}
