//! Compiles the device code and leaves checked, flat images in a folder of `OUT_DIR` for each chip. In a package (`cargo package`) the sources of the device
//! code are not there, but the images that they were compiled to are.
//!
//! The firmware is a workspace of its own with its own target directory, built by the same cargo. Nothing of the
//! outer build may leak into it (`tt-kernel-build`).

use std::path::{Path, PathBuf};
use std::process::exit;
use tt_isa::chip::Chip;
use tt_isa::map::RiscV;
use tt_kernel_abi::l1::ImageSlot;
use tt_kernel_build::{Compile, TARGET};

#[path = "src/chips.rs"]
mod chips;
// What is for kernels of users is used at run time.
#[allow(dead_code)]
#[path = "src/elf.rs"]
mod elf;

/// The image of BRISC and NCRISC has all operators, and L1 has to hold it: functions are copied into their callers only where that costs little room.
const BRISC_FLAGS: &[&str] = &["-Cllvm-args=--inline-threshold=100"];

fn main() {
    if let Err(message) = run() {
        eprintln!("tt-kernels: {message}");
        exit(1);
    }
}

fn run() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    // For a test.
    println!("cargo::rustc-env=TT_FIRMWARE={}", compiled(&out).display());
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
    let images = out.join(chip.name);
    std::fs::create_dir_all(&images).map_err(|e| format!("cannot make {}: {e}", images.display()))?;
    // (Dependencies are compiled with these flags, too: so each of both has a folder of its own.)
    let is_brisc = |slot: &&ImageSlot| slot.core == RiscV::Brisc;
    let (brisc, others): (Vec<_>, Vec<_>) = elf::IMAGE_SLOTS.iter().partition(is_brisc);
    for (slots, flags, folder) in [(brisc, BRISC_FLAGS, "brisc"), (others, &[], "triscs")] {
        let target_dir = compiled(out).join(chip.name).join(folder);
        compile(chip, root, &target_dir, &slots, flags)?;
        slots.into_iter().try_for_each(|slot| flatten(chip, slot, &target_dir, &images))?;
    }
    Ok(())
}

/// Where the device code is compiled: in the target directory of the outer build, whose profiles all have the same device code, so that it is compiled once. `OUT_DIR` is
/// `TARGET/PROFILE/build/PACKAGE/out`. (Cargo does not promise that. If it is another one, this is in there.)
fn compiled(out: &Path) -> PathBuf {
    let target = match out.ancestors().nth(2) {
        Some(build) if build.ends_with("build") => out.ancestors().nth(4).unwrap_or(out),
        _ => out,
    };
    target.join("tt-firmware")
}

/// Makes the flat image of a binary in cargo's folder.
fn flatten(chip: &'static Chip, slot: &ImageSlot, target_dir: &Path, images: &Path) -> Result<(), String> {
    let path = target_dir.join(TARGET).join("release").join(binary(slot));
    let file = std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let image = elf::flatten(chip, *slot, &file).map_err(|e| e.to_string())?;
    let path = images.join(format!("{}.bin", binary(slot)));
    std::fs::write(&path, image).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// The name of a slot's binary.
fn binary(slot: &ImageSlot) -> String {
    slot.core.name().to_lowercase()
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set: this program runs under cargo only"))
}

fn compile(
    chip: &Chip,
    root: &Path,
    target_dir: &Path,
    slots: &[&ImageSlot],
    flags: &[&str],
) -> Result<(), String> {
    // The images must not contain paths of the machine that built them.
    let workspace = root.parent().unwrap_or(root);
    let firmware = Compile::new(&root.join("firmware"))
        .target_dir(target_dir)
        .features(chip.name)
        .flags([format!("--remap-path-prefix={}=tt", workspace.display())])
        .flags(flags.iter().copied())
        .locked();
    let firmware = slots.iter().fold(firmware, |firmware, slot| firmware.binary(binary(slot)));
    firmware.run().map_err(|error| error.to_string())
}
