//! Image of BRISC: brings the tile up, then serves launches.
#![no_std]
#![no_main]

use tt_firmware::boot_word;
use tt_firmware::ops;
use tt_firmware::rt::chip::{CHIP, cfg};
use tt_firmware::rt::launch::{serve_and_complete, wait_for_siblings_idle};
use tt_firmware::rt::mmio::{load_and_wait, store};
use tt_firmware::rt::noc::Noc;
use tt_firmware::rt::sync;
use tt_firmware::rt::tensix::Config;
use tt_isa::map::{
    CFG_BASE, DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL, TDMA_CLK_GATE_EN, TDMA_REGS_BASE,
};
use tt_kernel_abi::launch::{Progress, Stage};
use tt_kernel_abi::{BootConfig, l1};

tt_firmware::image!(RiscV::Brisc, main);

fn main() -> ! {
    store(l1::progress_words(RiscV::Brisc), Progress::state(Stage::Boot, 0));
    // A host that speaks another version of the ABI must not find a half-working tile.
    while boot_word!(magic) != BootConfig::MAGIC {}
    initialise();
    sync::clear();
    release_siblings();
    wait_for_siblings_idle();
    serve_and_complete(ops::brisc)
}

/// Clocks, NIUs and the error-correction scrubber, as the vendor's firmware sets them at power-on.
fn initialise() {
    store(TDMA_REGS_BASE + TDMA_CLK_GATE_EN, 0x3F);
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
    let reset = DEBUG_REGS_BASE + SOFT_RESET_0;
    store(reset, load_and_wait(reset) & !SOFT_RESET_ALL);
}
