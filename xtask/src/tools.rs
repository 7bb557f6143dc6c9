//! What must be on the machine: Debian packages and Rust components.
//!
//! As root the missing packages are installed with apt-get; otherwise the exact command is printed
//! and the run stops there.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::process::{capture, cargo, command, run, succeeds};

/// The target of the device code.
pub const DEVICE_TARGET: &str = "riscv32im-unknown-none-elf";

/// A Debian package and a command that works only where it is installed.
struct Package {
    name: &'static str,
    probe: &'static [&'static str],
}

/// What building llama.cpp takes.
const BUILD_PACKAGES: &[Package] = &[
    Package { name: "g++", probe: &["g++", "--version"] },
    Package { name: "cmake", probe: &["cmake", "--version"] },
    Package { name: "ninja-build", probe: &["ninja", "--version"] },
    Package { name: "python3-venv", probe: &["python3", "-c", "import ensurepip, venv"] },
];

impl Package {
    fn is_there(&self) -> bool {
        succeeds(command(self.probe[0]).args(&self.probe[1..]))
    }
}

/// Makes sure that the packages for building llama.cpp are there.
pub fn ensure_build_packages() -> Result<()> {
    let missing: Vec<&str> =
        BUILD_PACKAGES.iter().filter(|package| !package.is_there()).map(|package| package.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() || !succeeds(command("apt-get").arg("--version")) {
        bail!(
            "missing on this machine: {list}\ninstall with: sudo apt-get install -y --no-install-recommends {list}"
        );
    }
    eprintln!("installing missing packages: {list}");
    run(command("apt-get").args(["update", "-qq"]))?;
    run(command("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
    .with_context(|| format!("apt-get could not install: {list}"))
}

fn is_root() -> bool {
    capture(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Makes sure that rustc can build for the cores of the card.
pub fn ensure_device_target() -> Result<()> {
    let libdir = capture(command("rustc").current_dir(crate::paths::root()).args([
        "--print",
        "target-libdir",
        "--target",
        DEVICE_TARGET,
    ]))?;
    if Path::new(libdir.trim()).is_dir() {
        return Ok(());
    }
    eprintln!("adding the Rust target {DEVICE_TARGET}");
    run(command("rustup").current_dir(crate::paths::root()).args(["target", "add", DEVICE_TARGET]))
        .with_context(|| {
            format!(
                "the Rust target {DEVICE_TARGET} is missing; with rustup: rustup target add {DEVICE_TARGET}"
            )
        })
}

/// Makes sure that rustfmt and clippy are there.
pub fn ensure_lint_components() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !succeeds(cargo().args([subcommand, "--version"])) {
            eprintln!("adding the Rust component {component}");
            run(command("rustup").current_dir(crate::paths::root()).args(["component", "add", component]))?;
        }
    }
    Ok(())
}

/// True if `cargo nextest` works here.
pub fn has_nextest() -> bool {
    succeeds(cargo().args(["nextest", "--version"]))
}
