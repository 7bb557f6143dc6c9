//! Start-up: the entry point in assembly and the panic handler.
//!
//! A core leaves reset at its image's first byte with nothing set up. The stack goes to the top of the core's
//! private RAM; there is no data to copy, since all of an image is loaded into L1.

/// Defines `_start` and the panic handler of an image: stack top for `$core`, then `$main()`, which never returns.
#[macro_export]
macro_rules! image {
    ($core:expr, $main:path) => {
        core::arch::global_asm!(
            ".section .text.start,\"ax\"",
            ".globl _start",
            "_start:",
            "li sp, {stack}",
            "call {main}",
            "1: j 1b",
            ".text",
            // Not loaded: it says which chip the image is for (`tt_kernels::elf`).
            ".section .tt_chip,\"\",@progbits",
            ".4byte {chip}",
            ".text",
            stack = const tt_isa::map::LOCAL_RAM_BASE + $crate::rt::chip::CHIP.tile.local_ram[$core as usize],
            chip = const $crate::rt::chip::CHIP.pci_id,
            main = sym start,
        );

        extern "C" fn start() -> ! {
            $main()
        }

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            // The launch times out, and the host finds this core's pc here.
            loop {}
        }
    };
}
