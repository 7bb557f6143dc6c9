//! The boot configuration, which the host has put into L1 before BRISC leaves reset ([`tt_kernel_abi::boot`]), and what BRISC does
//! before the first launch.
#![allow(unsafe_code)]

use super::chip::{CHIP, cfg};
use super::l1::outside;
use super::launch::{set_stage, wait_for_siblings_idle};
use super::mmio::Register;
use super::noc::Noc;
use super::sync;
use super::tensix::Config;
use core::mem::offset_of;
use tt_isa::map::{
    CFG_BASE, DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL, TDMA_CLK_GATE_EN, TDMA_REGS_BASE,
};
use tt_kernel_abi::launch::Stage;
use tt_kernel_abi::{BootConfig, l1};

/// The word of the boot configuration at an offset that `offset_of!` gives.
#[inline(always)]
pub(super) fn word(offset: usize) -> Register {
    if offset >= size_of::<BootConfig>() || !offset.is_multiple_of(4) {
        outside();
    }
    // SAFETY: a word inside the boot configuration, which lies in front of the heap, and to which there are no references.
    unsafe { Register::at(l1::BOOT_CONFIG + offset as u32) }
}

/// Brings the tile up: BRISC is the only core out of reset, and lets the others start.
pub fn bring_up() {
    set_stage(RiscV::Brisc, Stage::Boot, 0);
    // A host that speaks another version of the ABI must not find a half-working tile.
    while word(offset_of!(BootConfig, magic)).load() != BootConfig::MAGIC {}
    initialise();
    sync::clear();
    release_siblings();
    wait_for_siblings_idle();
}

/// Clocks, NIUs and the error-correction scrubber, as the vendor's firmware sets them at power-on.
fn initialise() {
    // SAFETY: a register of the TDMA-RISC.
    unsafe { Register::at(TDMA_REGS_BASE + TDMA_CLK_GATE_EN) }.store(0x3F);
    Noc::init(0);
    Noc::init(1);
    scrub();
    Config.settle(cfg::ECC_SCRUBBER_Enable);
}

/// Switches the error-correction scrubber on.
fn scrub() {
    Config.set(
        cfg::ECC_SCRUBBER_Enable,
        cfg::ECC_SCRUBBER_Enable.value(1)
            | cfg::ECC_SCRUBBER_Scrub_On_Error.value(1)
            | cfg::ECC_SCRUBBER_Delay.value(0x100),
    );
}

/// Tells the other cores where they start, and lets them.
fn release_siblings() {
    let start = |core: RiscV| l1::IMAGE_SLOTS[core as usize].start;
    let pc = CHIP.tile.reset_pc;
    let store = |register: u32, value: u32| {
        // SAFETY: registers of the chip's table, and its bit that empties instruction caches.
        unsafe { Register::at(register) }.store(value);
    };
    for (core, register) in [RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2].into_iter().zip(pc.trisc) {
        store(register, start(core));
    }
    store(pc.trisc_enable, 0b111);
    store(pc.ncrisc, start(RiscV::Ncrisc));
    store(pc.ncrisc_enable, 1);
    store(CFG_BASE + 4 * CHIP.tile.icache_invalidate, 0b1_1110);
    // Those registers cannot be read back. One that can, written after them, shows that they have arrived.
    scrub();
    Config.settle(cfg::ECC_SCRUBBER_Enable);
    // SAFETY: the register that holds cores in reset.
    let reset = unsafe { Register::at(DEBUG_REGS_BASE + SOFT_RESET_0) };
    reset.store(reset.load_and_wait() & !SOFT_RESET_ALL);
}
