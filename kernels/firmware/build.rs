//! Places each image: one linker script, the origin from the ABI's map of L1.

use tt_kernel_abi::l1::{IMAGE_SLOTS, NCRISC_START};

fn main() {
    let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rerun-if-changed=link.ld");
    // Nothing is mapped by pages: slots begin where they like, without the ELF header in front of the code.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    for slot in IMAGE_SLOTS {
        let bin = slot.core.name().to_lowercase();
        println!("cargo::rustc-link-arg-bin={bin}=-T{dir}/link.ld");
        println!("cargo::rustc-link-arg-bin={bin}=--defsym=ORG={:#x}", slot.start);
        println!("cargo::rustc-link-arg-bin={bin}=--defsym=SLOT={:#x}", slot.size);
        println!("cargo::rustc-link-arg-bin={bin}=--defsym=SECOND={NCRISC_START:#x}");
    }
}
