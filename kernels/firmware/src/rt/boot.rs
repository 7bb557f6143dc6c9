//! The boot configuration, which the host has put into L1 before BRISC leaves reset ([`tt_kernel_abi::boot`]), and what BRISC does
//! before the first launch.
#![allow(unsafe_code)]

use super::chip::{CHIP, cfg};
use super::clock;
use super::launch::{mailbox, set_stage, wait_for_siblings_idle};
use super::mmio::Register;
use super::noc::Noc;
use super::sync;
use super::tensix::{self, Config};
use core::mem::offset_of;
use tt_isa::map::{
    CFG_BASE, DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL, TDMA_CLK_GATE_EN, TDMA_REGS_BASE,
};
use tt_kernel_abi::launch::Stage;
use tt_kernel_abi::program::Starts;
use tt_kernel_abi::{BootConfig, l1};

pub(super) use tt_kernel::config::word;

/// Brings the tile up: BRISC is the only core out of reset, and lets the others start.
pub fn bring_up() {
    set_stage(RiscV::Brisc, Stage::Boot, 0);
    // A host that speaks another version of the ABI must not find a half-working tile.
    while word(offset_of!(BootConfig, magic)).load() != BootConfig::MAGIC {}
    initialise();
    let program = program_word(offset_of!(Starts, cores));
    if program != 0 {
        start_program(program);
    }
    sync::clear();
    release_siblings(l1::start, SOFT_RESET_ALL);
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

/// A word of what the host says of a user's program.
fn program_word(offset: usize) -> u32 {
    // SAFETY: a word of L1 in front of the heap, to which there are no references.
    unsafe { Register::at(l1::PROGRAM + offset as u32) }.load()
}

/// A program may have left Tensix threads waiting: TRISC1 lets them go on before it uses its own, if the host says so.
pub fn free_threads_if_told() {
    if program_word(offset_of!(Starts, stuck)) != 0 {
        tensix::free_threads();
    }
}

/// Hands the tile over to a program of a user's, whose cores are bits of `cores`. It has the tile until the host holds the cores in reset again.
fn start_program(cores: u32) -> ! {
    // The host may have seen what the firmware has pushed or counted, and stopped it, before that was acknowledged.
    let noc = Noc::new(0);
    wait_for(l1::PUSH_ACKS, || noc.acknowledgements());
    wait_for(l1::COUNT_ANSWERS, || noc.atomics());
    let start = |core: RiscV| program_word(offset_of!(Starts, start) + 4 * core as usize);
    let used = RiscV::ALL.into_iter().filter(|&core| cores >> core as u32 & 1 != 0);
    let released = used.fold(0, |bits, core| bits | core.soft_reset_bit());
    let own = RiscV::Brisc.soft_reset_bit();
    release_siblings(start, released);
    if released & own == 0 {
        // SAFETY: the register that holds cores in reset. The cores that this one has released leave it alone.
        let reset = unsafe { Register::at(DEBUG_REGS_BASE + SOFT_RESET_0) };
        reset.store(reset.load_and_wait() | own);
        loop {
            super::mmio::order();
        }
    }
    // SAFETY: BRISC's image of the program, whose start sets everything up anew. (Leaving reset has emptied the instruction cache.)
    unsafe { core::arch::asm!("jr {}", in(reg) start(RiscV::Brisc), options(noreturn)) }
}

/// Clocks in which any request of the NoC is answered, by far: across PCIe a read takes 1,150 ns (`tt_isa::timing`), which is as many clocks.
const ANSWERED: u64 = 100_000;

/// Waits until a count of the NIU's is what the mailbox says at `word`, if it says anything. The request was never started if the host has stopped the core
/// in front of it, so the wait ends.
fn wait_for(word: u32, count: impl Fn() -> u32) {
    if mailbox(word).load() == 0 {
        return;
    }
    let due = mailbox(word + 4).load();
    let begun = clock::now();
    while (count().wrapping_sub(due) as i32) < 0 && clock::now() - begun < ANSWERED {}
    super::mmio::order();
}

/// Tells the other cores where they start, and lets those go whose bits of the reset register are `released`.
fn release_siblings(start: impl Fn(RiscV) -> u32, released: u32) {
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
    reset.store(reset.load_and_wait() & !released);
}
