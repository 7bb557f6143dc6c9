//! Compiles the device code and leaves checked, flat images in a folder of `OUT_DIR` for each chip. In a package (`cargo package`) the sources of the device
//! code are not there, but the images that they were compiled to are.
//!
//! The firmware is a workspace of its own with its own target directory, built by the same cargo. Nothing of the
//! outer build may leak into it (`tt-kernel-build`).

use std::path::{Path, PathBuf};
use std::process::exit;
use tt_isa::chip::Chip;
use tt_kernel_build::{Compile, TARGET};

#[path = "src/chips.rs"]
mod chips;
// What is for kernels of users is used at run time.
#[allow(dead_code)]
#[path = "src/elf.rs"]
mod elf;

fn main() {
    if let Err(message) = run() {
        eprintln!("tt-kernels: {message}");
        exit(1);
    }
}

fn run() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    if !root.join("firmware/Cargo.toml").is_file() {
        return chips::WITH_KERNELS.iter().try_for_each(|chip| take(chip, &root, &out));
    }
    watch();
    for chip in chips::WITH_KERNELS {
        build(chip, &root, &out)?;
    }
    Ok(())
}

/// Takes the images of a chip that the package has.
fn take(chip: &Chip, root: &Path, out: &Path) -> Result<(), String> {
    let images = out.join(chip.name);
    std::fs::create_dir_all(&images).map_err(|e| format!("cannot make {}: {e}", images.display()))?;
    for slot in elf::IMAGE_SLOTS {
        let name = format!("{}.bin", slot.core.name().to_lowercase());
        let from = root.join("images").join(chip.name).join(&name);
        println!("cargo::rerun-if-changed={}", from.display());
        std::fs::copy(&from, images.join(name))
            .map_err(|e| format!("cannot copy {}: {e}", from.display()))?;
    }
    Ok(())
}

/// What the images are made of.
fn watch() {
    for path in [
        "firmware/src",
        "firmware/Cargo.toml",
        "firmware/Cargo.lock",
        "firmware/build.rs",
        "firmware/link.ld",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
    for path in [
        "kernel/src",
        "kernel/Cargo.toml",
        "abi/src",
        "abi/Cargo.toml",
        "numerics/src",
        "numerics/Cargo.toml",
        "quant/src",
        "quant/Cargo.toml",
        "sfpu/src",
        "sfpu/Cargo.toml",
        "../tt-isa/src",
        "../tt-isa/Cargo.toml",
        "build.rs",
        "src/chips.rs",
        "src/elf.rs",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
}

/// Compiles the firmware for a chip; its images go to a folder of the chip's name.
fn build(chip: &'static Chip, root: &Path, out: &Path) -> Result<(), String> {
    let target_dir = out.join("firmware").join(chip.name);
    compile(chip, root, &target_dir)?;
    let images = out.join(chip.name);
    std::fs::create_dir_all(&images).map_err(|e| format!("cannot make {}: {e}", images.display()))?;
    for slot in elf::IMAGE_SLOTS {
        let name = slot.core.name().to_lowercase();
        let path = target_dir.join(TARGET).join("release").join(&name);
        let file = std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let image = elf::flatten(chip, slot, &file).map_err(|e| e.to_string())?;
        let path = images.join(format!("{name}.bin"));
        std::fs::write(&path, image).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set: this program runs under cargo only"))
}

fn compile(chip: &Chip, root: &Path, target_dir: &Path) -> Result<(), String> {
    // The images must not contain paths of the machine that built them.
    let workspace = root.parent().unwrap_or(root);
    Compile::new(&root.join("firmware"))
        .target_dir(target_dir)
        .features(chip.name)
        .flags([format!("--remap-path-prefix={}=tt", workspace.display())])
        .locked()
        .run()
        .map_err(|error| error.to_string())
}
