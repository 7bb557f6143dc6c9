//! The Tensix instruction stream and configuration of one thread.
//!
//! Constant words go out in line ([`crate::ttinsn!`]), words made at run time as stores ([`push`]); both enter the
//! thread's FIFO in program order (`TensixTile/BabyRISCV/PushTensixInstruction.md`). The vendor's simulator has
//! back pressure for the first kind only, so long runs must contain some in-line words.
//!
//! `Config` is written by RISC-V stores while the thread has no instruction in flight that reads it, and read
//! back before the next instruction goes out ([`Config::settle`]): stores and instructions take different ways.
//!
//! What instructions read and write in L1, their words and `Config` say, not types: addresses come from ranges
//! ([`L1`](super::l1::L1)) by [`super::unpack::base_address`] and [`super::pack::aim`].
#![allow(unsafe_code)]

use super::chip::insn::{SETC16, SETDMAREG};
use super::l1::outside;
use super::mmio::Register;
use core::hint::black_box;
use tt_isa::cfg::CfgField;
use tt_isa::map::{CFG_BASE, CFG_SIZE, INSTRN_BUF_BASE, PC_BUF_BASE, PC_BUF_SEMAPHORE, PC_BUF_TENSIX_SYNC};

pub use super::chip::until;
pub use tt_isa::stall::{block, semaphore as sem_cond};

/// Emits a constant Tensix instruction word in line.
#[macro_export]
macro_rules! ttinsn {
    ($word:expr) => {{
        const CODE: u32 = $crate::isa::insn::ttinsn($word);
        #[cfg(not(target_arch = "riscv32"))]
        let _: u32 = CODE;
        #[cfg(target_arch = "riscv32")]
        #[allow(unsafe_code)]
        // SAFETY: pushes an instruction to the coprocessor; no register or memory of the core changes. Memory
        // is taken as clobbered so that no access moves across.
        unsafe {
            core::arch::asm!(".word {}", const CODE, options(nostack))
        }
    }};
}

/// Emits a `SEMWAIT`: the blocks `$stall` wait while semaphore `$semaphore` is as `$condition` says.
#[macro_export]
macro_rules! semwait {
    ($stall:expr, $semaphore:expr, $condition:expr) => {
        $crate::ttinsn!(
            $crate::chip::insn::SEMWAIT {
                stall_res: $stall,
                sem_sel: $crate::tensix::sem($semaphore),
                wait_sem_cond: $condition,
            }
            .word()
        )
    };
}

/// Emits the words of a constant [`Program`](tt_kernel_sfpu::Program) in line.
#[macro_export]
macro_rules! ttprogram {
    ($program:ident) => {
        $crate::sfpu::with_word_numbers!($crate::ttprogram, @ $program)
    };
    (@ $program:ident $($i:literal)*) => {{
        $(
            if const { $i < $program.words().len() } {
                $crate::ttinsn!(if $i < $program.words().len() { $program.words()[$i] } else { 0 });
            }
        )*
    }};
}

/// Pushes an instruction word made at run time.
#[inline(always)]
pub fn push(word: u32) {
    // SAFETY: the register that takes the thread's instructions.
    unsafe { Register::at(INSTRN_BUF_BASE) }.store(word);
}

/// Waits until all instructions of this thread have finished (`TensixTile/BabyRISCV/TTSync.md`: store, load,
/// and use of the result before any other load from there).
#[inline(always)]
pub fn sync() {
    // SAFETY: the register by which a thread waits for its instructions.
    let register = unsafe { Register::at(PC_BUF_BASE + PC_BUF_TENSIX_SYNC) };
    register.store(0);
    black_box(register.load_and_wait());
    crate::mmio::order();
}

/// How often [`free_threads`] looks: more often than a thread has instructions that may wait.
const FREEING: u32 = 1000;

/// Lets threads go on that wait for semaphores (`SEMWAIT`, `TensixCoprocessor/SyncUnit.md`) whoever should have changed them: all semaphores are held at 1, which is neither zero nor the
/// maximum of one that counts further, until what waits has had time to pass; then they are 0, as after reset. Threads that wait for something else stay as they are. TRISCs only:
/// BRISC's way to the semaphores is another one.
pub fn free_threads() {
    // SAFETY: the words by which a core sees the eight semaphores.
    let semaphore = |n: u32| unsafe { Register::at(PC_BUF_BASE + PC_BUF_SEMAPHORE + 4 * n) };
    const POST: u32 = 0;
    const GET: u32 = 1;
    for _ in 0..crate::mmio::unrolled_never(FREEING) {
        for n in 0..SEMAPHORES {
            match semaphore(n).load_and_wait() {
                0 => semaphore(n).store(POST),
                1 => {}
                _ => semaphore(n).store(GET),
            }
        }
    }
    for n in 0..SEMAPHORES {
        while semaphore(n).load_and_wait() != 0 {
            semaphore(n).store(GET);
        }
    }
}

/// Semaphores of the coprocessor.
const SEMAPHORES: u32 = 8;

/// Bank 0 of `Config`.
pub struct Config;

impl Config {
    /// The register that a field is in.
    #[inline(always)]
    fn register(&self, field: CfgField) -> Register {
        if field.index >= CFG_SIZE / 4 {
            outside();
        }
        // SAFETY: a word of the address range of `Config`.
        unsafe { Register::at(CFG_BASE + 4 * field.index) }
    }

    /// Writes a whole register, named by one of its fields.
    #[inline(always)]
    pub fn set(&self, field: CfgField, word: u32) {
        self.register(field).store(word);
    }

    /// The register's present value.
    #[inline(always)]
    pub fn get(&self, field: CfgField) -> u32 {
        self.register(field).load()
    }

    /// Waits until the writes so far have arrived, by reading the register back that was written last: a load from
    /// another one could overtake the last writes (`TensixTile/BabyRISCV/MemoryOrdering.md`).
    #[inline(always)]
    pub fn settle(&self, field: CfgField) {
        black_box(self.register(field).load_and_wait());
        crate::mmio::order();
    }
}

/// The register `n` behind `first`'s: the tables name the first of several alike, and the first word of descriptors.
pub const fn nth(first: CfgField, n: u32) -> CfgField {
    CfgField { index: first.index + n, ..first }
}

/// `SETC16` of the whole register that `field` is in.
pub const fn setc16(field: CfgField, value: u32) -> u32 {
    SETC16 { setc16_reg: field.index, setc16_value: value }.word()
}

/// `SETDMAREG` of half a GPR: the 16-bit value is split over two operands.
fn setdmareg(half: u32, value: u32) -> u32 {
    SETDMAREG {
        payload_sig_sel_size: value >> 14,
        payload_sig_sel: value & 0x3FFF,
        set_signals_mode: 0,
        reg_index_16b: half,
    }
    .word()
}

/// Puts a word into a GPR, in the instruction stream.
#[inline(always)]
pub fn set_gpr(gpr: u32, value: u32) {
    push(setdmareg(2 * gpr, value & 0xFFFF));
    push(setdmareg(2 * gpr + 1, value >> 16));
}

/// Semaphore mask operand of the semaphore instructions.
pub const fn sem(index: u32) -> u32 {
    1 << index
}
