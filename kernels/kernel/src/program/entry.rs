//! The entry of a kernel, its arguments, and what it says when it ends or panics.

use core::cell::Cell;
use core::panic::PanicInfo;

use tt_isa::map::RiscV;
use tt_kernel_abi::program::{ARGUMENT_BYTES, Argument, Block, SPAN_BYTES, SPANS_AT, State};

use super::argument::FromArgument;
use super::port::Port;
use super::print::Printer;
use super::wait;
use crate::l1::{L1, outside};
use crate::mmio::{Register, order};

/// Defines the entry point and the panic handler of a kernel's image, which calls `$main(kernel)`.
#[macro_export]
macro_rules! kernel {
    ($main:path) => {
        #[cfg(target_arch = "riscv32")]
        core::arch::global_asm!(
            ".section .text.start,\"ax\"",
            ".option push",
            ".option norelax",
            ".globl _start",
            "_start:",
            "j 3f",
            // Instructions that do nothing: every word of an image is one.
            ".fill {before}, 4, 0x13",
            // The host writes the block here.
            "2:",
            ".fill {block}, 4, 0x13",
            "3:",
            "lla a0, 2b",
            "lw sp, 0(a0)",
            "call {start}",
            "1: j 1b",
            ".option pop",
            ".text",
            // Not loaded: it says which chip the image is for.
            ".section .tt_chip,\"\",@progbits",
            ".4byte {chip}",
            ".text",
            before = const $crate::abi::program::BLOCK_AT / 4 - 1,
            block = const $crate::abi::program::BLOCK_BYTES / 4,
            chip = const $crate::chip::CHIP.pci_id,
            start = sym tt_kernel_start,
        );

        extern "C" fn tt_kernel_start(block: &'static $crate::abi::program::Block) -> ! {
            let main: fn($crate::program::Kernel) = $main;
            $crate::program::start(block, main)
        }

        #[cfg(target_arch = "riscv32")]
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo) -> ! {
            $crate::program::panicked(info)
        }
    };
}

/// What a kernel has been given: which core of which tile it is, its NoC and its arguments.
pub struct Kernel {
    block: &'static Block,
    /// Arguments that have been taken, a bit each.
    taken: Cell<u64>,
    noc_is_taken: Cell<bool>,
}

/// Most arguments of a kernel.
const MOST: u32 = u64::BITS;

impl Kernel {
    /// The core that this kernel runs on.
    pub fn core(&self) -> RiscV {
        match RiscV::ALL.get(self.block.core as usize) {
            Some(&core) => core,
            None => outside(),
        }
    }

    /// Column and row of this tile in the grid, from 0.
    pub fn tile(&self) -> (u32, u32) {
        let word = |offset| crate::config::word(offset).load();
        (
            word(core::mem::offset_of!(tt_kernel_abi::BootConfig, logical_x)),
            word(core::mem::offset_of!(tt_kernel_abi::BootConfig, logical_y)),
        )
    }

    /// How many arguments there are.
    pub fn argument_count(&self) -> u32 {
        self.block.argument_count
    }

    /// Argument `index`, counted from 0 as the host has passed them. It can be taken once, but for words and tiles.
    ///
    /// # Panics
    /// There is none of this number or it is of another type; or it was taken before.
    #[track_caller]
    pub fn argument<A: FromArgument>(&self, index: u32) -> A {
        assert!(index < self.block.argument_count && index < MOST, "there is no such argument");
        let at = self.block.arguments + index * ARGUMENT_BYTES;
        // SAFETY: words of the arguments, which the host has written, and to which there are no references.
        let word = |n: u32| unsafe { Register::at(at + 4 * n) }.load();
        let argument = Argument { kind: word(0), words: [word(1), word(2), word(3)] };
        if !A::MANY {
            let bit = 1 << index;
            assert!(self.taken.get() & bit == 0, "the argument has been taken before");
            self.taken.set(self.taken.get() | bit);
        }
        match A::from_argument(&argument) {
            Some(value) => value,
            None => panic!("the argument is of another type"),
        }
    }

    /// The NoC of this core: BRISC has NoC 0, NCRISC has NoC 1. It can be taken once.
    ///
    /// # Panics
    /// A TRISC has none of its own; or it was taken before.
    #[track_caller]
    pub fn noc(&self) -> Port {
        let noc = match self.core() {
            RiscV::Brisc => 0,
            RiscV::Ncrisc => 1,
            _ => panic!("BRISC and NCRISC have a NoC, TRISCs have none"),
        };
        assert!(!self.noc_is_taken.replace(true), "the NoC has been taken before");
        // SAFETY: the bytes that the host has set aside for this core's requests.
        let scratch = unsafe { L1::new(self.block.scratch, tt_kernel_abi::program::SCRATCH_BYTES) };
        Port::new(noc, scratch)
    }

    /// The tile's wall clock, in clocks of the chip.
    pub fn clock(&self) -> u64 {
        crate::clock::now()
    }

    /// Begins a stretch of time, which ends when what this gives is dropped. The host gets it if it has asked for spans
    /// (`tt_runtime::program::Kernel::spans`); what is beyond their number is not kept.
    pub fn span(&self, name: &'static str) -> Span {
        Span { block: self.block, name, begin: self.clock() }
    }

    /// Text for the host ([`println!`](crate::println)).
    pub fn printer(&self) -> Printer {
        Printer::new(self.block)
    }
}

/// A stretch of time that has begun.
#[must_use = "it ends when it is dropped"]
pub struct Span {
    block: &'static Block,
    name: &'static str,
    begin: u64,
}

impl Drop for Span {
    fn drop(&mut self) {
        let end = crate::clock::now();
        if self.block.most_spans == 0 {
            return;
        }
        // SAFETY: words that the host has set aside for spans, to which there are no references.
        let word = |at: u32| unsafe { Register::at(self.block.spans + at) };
        let count = word(0).load();
        if count < self.block.most_spans {
            let words = [
                self.name.as_ptr() as usize as u32,
                self.name.len() as u32,
                self.begin as u32,
                (self.begin >> 32) as u32,
                end as u32,
                (end >> 32) as u32,
            ];
            for (n, value) in (0..).zip(words) {
                word(SPANS_AT + count * SPAN_BYTES + 4 * n).store(value);
            }
            word(0).store(count + 1);
        }
    }
}

/// Runs a kernel; called by the entry point that [`kernel!`](crate::kernel) defines.
pub fn start(block: &'static Block, main: fn(Kernel)) -> ! {
    wait::set(block);
    wait::state(State::Running);
    main(Kernel { block, taken: Cell::new(0), noc_is_taken: Cell::new(false) });
    // What it has stored is there before the host hears of its end.
    order();
    wait::state(State::Done);
    wait::park()
}

/// Tells the host where a kernel has panicked.
pub fn panicked(info: &PanicInfo) -> ! {
    wait::panicked(info);
    wait::park()
}
