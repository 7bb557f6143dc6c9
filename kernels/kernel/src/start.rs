//! Start-up: the entry point in assembly and the panic handler.
//!
//! A core leaves reset at its image's first byte with nothing set up. The stack goes to the top of the core's
//! private RAM; there is no data to copy, since all of an image is loaded into L1.

/// Defines `_start` and the panic handler of an image: stack top for `$core`, then `$main()`, which never returns. An image that two cores run has a second
/// entry, [`NCRISC_START`](tt_kernel_abi::l1::NCRISC_START) bytes further.
#[macro_export]
macro_rules! image {
    ($core:expr, $main:path $(; $second:expr, $second_main:path)?) => {
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
            stack = const $crate::isa::map::LOCAL_RAM_BASE + $crate::chip::CHIP.tile.local_ram[$core as usize],
            chip = const $crate::chip::CHIP.pci_id,
            main = sym start,
        );

        extern "C" fn start() -> ! {
            $main()
        }
        $(
            core::arch::global_asm!(
                ".section .text.second_start,\"ax\"",
                ".globl _second_start",
                "_second_start:",
                "li sp, {stack}",
                "call {main}",
                "1: j 1b",
                ".text",
                stack = const $crate::isa::map::LOCAL_RAM_BASE + $crate::chip::CHIP.tile.local_ram[$second as usize],
                main = sym second_start,
            );

            extern "C" fn second_start() -> ! {
                $second_main()
            }
        )?

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo) -> ! {
            // The launch times out, and the host finds this core's pc here.
            loop {}
        }
    };
}
