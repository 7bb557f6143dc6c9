//! Random code: bytes for the RISC-V cores, words for the coprocessor.

use tt_isa::chip::{BOARDS, WORMHOLE};
use tt_isa::insn::{INSTRUCTIONS, ttinsn};
use tt_isa::map::{
    CFG_BASE, DEBUG_REGS_BASE, INSTRN_BUF_BASE, LOCAL_RAM_BASE, MAILBOX_BASE, MOP_CFG_BASE, NIU_BASE,
    NIU_STRIDE, PC_BUF_BASE, REGFILE_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL, TDMA_REGS_BASE,
};
use tt_isa::noc::NocXy;
use tt_isa::rv32::{LISTING, encode, li};
use tt_simulator::{Chip, ChipConfig, Fault};

use super::Ended;
use crate::image::bytes;
use crate::random::Random;

/// Clocks that random code gets.
const CLOCKS: u64 = 20_000;

/// A chip on the caller's thread.
pub(super) fn chip() -> Result<Chip, Fault> {
    Chip::new(ChipConfig { threads: 1, ..ChipConfig::of_board(&BOARDS[0], 0) })
}

fn tile(random: &mut Random) -> NocXy {
    let chip = BOARDS[0].chip;
    NocXy::new(random.pick(chip.tensix_x), chip.tensix_y[random.below(8) as usize])
}

/// An address that a program could mean.
pub(super) fn address(random: &mut Random) -> u32 {
    let base = random.pick(&[
        0,
        0,
        WORMHOLE.tile.l1_size - 64,
        LOCAL_RAM_BASE,
        TDMA_REGS_BASE,
        DEBUG_REGS_BASE,
        NIU_BASE,
        NIU_BASE + NIU_STRIDE,
        REGFILE_BASE,
        INSTRN_BUF_BASE,
        PC_BUF_BASE,
        MAILBOX_BASE,
        CFG_BASE,
        MOP_CFG_BASE,
    ]);
    match random.below(8) {
        0 => random.word(),
        1 => base.wrapping_add(random.awkward()),
        _ => base.wrapping_add(random.below(0x400) & !3),
    }
}

/// A word of code: anything, an instruction with any operands, or an in-line Tensix instruction.
fn riscv_word(random: &mut Random) -> u32 {
    match random.below(8) {
        0 => random.word(),
        1 => ttinsn(tensix_word(random)),
        _ => {
            let (name, _, _) = random.pick(LISTING);
            let (rd, rs1, rs2) = (random.below(32), random.below(32), random.below(32));
            encode(name, rd, rs1, rs2, random.awkward() as i32)
        }
    }
}

fn tensix_word(random: &mut Random) -> u32 {
    if random.chance(16) {
        return random.word();
    }
    let row = random.pick(INSTRUCTIONS);
    let operands =
        if random.chance(128) { random.word() } else { random.word() & random.word() & random.word() };
    u32::from(row.opcode) << 24 | operands & 0xFF_FFFF & !row.reserved_mask()
}

fn release(chip: &mut Chip, at: NocXy, cores: u32) -> Result<(), Fault> {
    let held = RiscV::ALL.iter().enumerate().filter(|(i, _)| cores >> i & 1 == 0);
    let word = held.fold(0, |word, (_, core)| word | core.soft_reset_bit());
    chip.tile_write(at, u64::from(DEBUG_REGS_BASE + SOFT_RESET_0), &word.to_le_bytes())
}

/// Runs until the clocks are over or a fault; then the tile is stopped, and the chip has to go on.
fn finish(chip: &mut Chip, at: NocXy) -> Result<Ended, Fault> {
    let mut ended = Ended::Well;
    for _ in 0..2 {
        if let Err(fault) = chip.advance(CLOCKS) {
            if fault.blame == tt_simulator::Blame::Internal {
                return Err(fault);
            }
            ended = Ended::Refused;
        }
    }
    chip.tile_write(at, u64::from(DEBUG_REGS_BASE + SOFT_RESET_0), &SOFT_RESET_ALL.to_le_bytes())?;
    let mut word = [0; 4];
    chip.tile_read(at, 0, &mut word)?;
    Ok(ended)
}

/// Random bytes where the cores of a tile start.
///
/// # Errors
/// Only what is wrong with the simulator: programs are refused in the result.
pub fn riscv(random: &mut Random) -> Result<Ended, Fault> {
    let mut chip = chip()?;
    let at = tile(random);
    let cores = random.range(1, 31);
    for core in RiscV::ALL {
        let mut code = Vec::new();
        // Registers that point somewhere, as those of a program do.
        for register in 1..random.range(2, 16) {
            code.extend(li(register, address(random)));
        }
        let plain = random.chance(64);
        code.extend(
            (0..random.range(1, 256)).map(|_| if plain { random.word() } else { riscv_word(random) }),
        );
        chip.tile_write(at, core.default_reset_pc().into(), &bytes(&code))?;
    }
    release(&mut chip, at, cores)?;
    finish(&mut chip, at)
}

/// Random Tensix words under random configuration, pushed by the three T cores.
///
/// # Errors
/// Only what is wrong with the simulator.
pub fn tensix(random: &mut Random) -> Result<Ended, Fault> {
    let mut chip = chip()?;
    let at = tile(random);
    for core in [RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2] {
        let mut code = Vec::new();
        for _ in 0..random.below(24) {
            let base = random.pick(&[CFG_BASE, CFG_BASE, MOP_CFG_BASE, REGFILE_BASE]);
            let words = if base == CFG_BASE { 200 } else { 9 };
            code.extend(li(1, base + 4 * random.below(words)));
            code.extend(li(2, random.awkward()));
            code.push(encode("Sw", 0, 1, 2, 0));
        }
        code.extend((0..random.range(1, 200)).map(|_| ttinsn(tensix_word(random))));
        code.push(encode("Jal", 0, 0, 0, 0));
        chip.tile_write(at, core.default_reset_pc().into(), &bytes(&code))?;
    }
    release(&mut chip, at, 0b01110)?;
    finish(&mut chip, at)
}
