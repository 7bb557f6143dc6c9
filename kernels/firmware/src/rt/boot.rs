//! The boot configuration, which the host has put into L1 before BRISC leaves reset ([`tt_kernel_abi::boot`]).

/// The word at a field of the boot configuration.
#[macro_export]
macro_rules! boot_word {
    ($field:ident) => {
        $crate::rt::mmio::load(
            tt_kernel_abi::l1::BOOT_CONFIG
                + const { core::mem::offset_of!(tt_kernel_abi::BootConfig, $field) as u32 },
        )
    };
}
