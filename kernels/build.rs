//! Compiles the device code and leaves one checked, flat image a core in a folder of `OUT_DIR` for each chip.
//!
//! The firmware is a workspace of its own with its own target directory, built by the same cargo. Nothing of the
//! outer build may leak into it: compiler wrappers (clippy), flags for the host, profile overrides. Miri comes with nightly
//! toolchains, which often lack the cores' target: there the repository's own toolchain compiles the device code.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use tt_isa::chip::Chip;
use tt_isa::map::RiscV;

#[path = "src/chips.rs"]
mod chips;
#[path = "src/elf.rs"]
mod elf;

const TARGET: &str = "riscv32im-unknown-none-elf";

fn main() {
    if let Err(message) = run() {
        eprintln!("tt-kernels: {message}");
        exit(1);
    }
}

fn run() -> Result<(), String> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let firmware = root.join("firmware");
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
    require_target(&firmware)?;
    for chip in chips::WITH_KERNELS {
        build(chip, &root, &out)?;
    }
    Ok(())
}

/// Compiles the firmware for a chip; its images go to a folder of the chip's name.
fn build(chip: &'static Chip, root: &Path, out: &Path) -> Result<(), String> {
    let target_dir = out.join("firmware").join(chip.name);
    compile(chip, root, &target_dir)?;
    let images = out.join(chip.name);
    std::fs::create_dir_all(&images).map_err(|e| format!("cannot make {}: {e}", images.display()))?;
    for core in RiscV::ALL {
        let name = core.name().to_lowercase();
        let path = target_dir.join(TARGET).join("release").join(&name);
        let file = std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
        let image = elf::flatten(chip, core, &file).map_err(|e| e.to_string())?;
        let path = images.join(format!("{name}.bin"));
        std::fs::write(&path, image).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set: this program runs under cargo only"))
}

/// `cargo` or `rustc`, to be run in the firmware's folder.
fn tool(name: &str, firmware: &Path) -> Result<Command, String> {
    let mut command = if std::env::var_os("CARGO_CFG_MIRI").is_some() {
        let mut command = Command::new(name);
        command.env_remove("RUSTUP_TOOLCHAIN");
        command
    } else {
        Command::new(variable(&name.to_uppercase())?)
    };
    command.current_dir(firmware);
    Ok(command)
}

/// The standard library of the target has to be there; say how to get it if not.
fn require_target(firmware: &Path) -> Result<(), String> {
    let output = tool("rustc", firmware)?
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .map_err(|e| format!("cannot run rustc: {e}"))?;
    let dir = String::from_utf8_lossy(&output.stdout);
    let has_core = std::fs::read_dir(Path::new(dir.trim())).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore"))
    });
    match output.status.success() && has_core {
        true => Ok(()),
        false => Err(format!("the target {TARGET} is not installed: run `rustup target add {TARGET}`")),
    }
}

fn compile(chip: &Chip, root: &Path, target_dir: &Path) -> Result<(), String> {
    let firmware = &root.join("firmware");
    let workspace = root.parent().unwrap_or(root);
    let mut cargo = tool("cargo", firmware)?;
    cargo
        .args(["build", "--release", "--locked", "--bins", "--target", TARGET])
        .args(["--no-default-features", "--features", chip.name])
        .arg("--manifest-path")
        .arg(firmware.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = text.starts_with("CARGO") && text != "CARGO_HOME" && !text.starts_with("CARGO_NET");
        let wrapper = matches!(
            &*text,
            "RUSTFLAGS"
                | "RUSTC"
                | "RUSTC_WRAPPER"
                | "RUSTC_WORKSPACE_WRAPPER"
                | "RUSTDOC"
                | "RUSTC_LINKER"
                | "CLIPPY_ARGS"
        );
        if ours || wrapper {
            cargo.env_remove(&name);
        }
    }
    // Set, if only to nothing, this variable also overrules flags in configuration files; the images must not
    // contain paths of the machine that built them.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", format!("--remap-path-prefix={}=tt", workspace.display()));
    let output = cargo.output().map_err(|e| format!("cannot run cargo for the firmware: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("the firmware does not build:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}
