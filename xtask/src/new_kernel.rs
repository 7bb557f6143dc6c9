//! `cargo xtask new-kernel NAME`: a program with a kernel of its own, outside of this workspace, that runs on the simulator at once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::paths;

/// What to make.
#[derive(clap::Args)]
pub struct Options {
    /// Name of the program, as cargo wants it: `my-sum`
    name: String,
    /// Folder in which to make it [default: the present one]
    #[arg(long)]
    path: Option<PathBuf>,
}

/// `cargo xtask new-kernel`.
pub fn run(options: &Options) -> Result<()> {
    let folder = options.path.clone().unwrap_or_else(|| ".".into()).join(&options.name);
    make(&options.name, &folder)?;
    println!("{} is ready:\n\n    cd {}\n    cargo run", options.name, folder.display());
    Ok(())
}

/// Makes the program in a new folder.
pub fn make(name: &str, folder: &Path) -> Result<()> {
    let is_letter =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    ensure!(
        name.bytes().all(is_letter) && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()),
        "\"{name}\" is no name of a program: take lower-case letters, digits, - and _"
    );
    if folder.exists() {
        bail!("{} is there already", folder.display());
    }
    let root = paths::root();
    let root = root.canonicalize().with_context(|| format!("no folder {}", root.display()))?;
    for (path, text) in FILES {
        let path = folder.join(path.replace("NAME", name));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        let text = text
            .replace("NAME", name)
            .replace("CONSTANT", &name.to_uppercase().replace('-', "_"))
            .replace("ROOT", &root.to_string_lossy());
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The files, with NAME, CONSTANT and ROOT to be replaced.
const FILES: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        r#"[package]
name = "NAME"
version = "0.1.0"
edition = "2024"

# The kernels are compiled for other processors.
[workspace]
exclude = ["kernels"]

[dependencies]
anyhow = "1"
tt-runtime = { path = "ROOT/tt-runtime" }

[build-dependencies]
tt-kernel-build = { path = "ROOT/kernels/builder" }

# The simulator runs in this program: unoptimised it would be fifty times slower.
[profile.dev]
opt-level = 2
debug = "line-tables-only"
"#,
    ),
    (
        "build.rs",
        r#"fn main() {
    tt_kernel_build::kernels("kernels");
}
"#,
    ),
    (
        "src/main.rs",
        r#"use anyhow::Result;
use tt_runtime::program::{Core, Kernel, L1Buffer, Program};
use tt_runtime::{Device, parse_devices};

mod kernels {
    include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
}

fn main() -> Result<()> {
    // "sim" is a simulated n150; "0" is the first card.
    let name = std::env::args().nth(1).unwrap_or("sim".into());
    let device = Device::open(&parse_devices(Some(&name))?[0]);
    let tile = device.grid()?.tile((0, 0))?;

    let numbers = L1Buffer::<u32>::new(&device, tile, 16)?;
    numbers.write(&(0..16).collect::<Vec<u32>>())?;

    let kernel = Kernel::new(&kernels::CONSTANT, Core::Brisc, tile).argument(&numbers).argument(10u32).prints();
    Program::new(&device).kernel(kernel).run()?;

    println!("{:?}", numbers.read(tile)?);
    Ok(())
}
"#,
    ),
    (
        "kernels/Cargo.toml",
        r#"[package]
name = "NAME-kernels"
version = "0.1.0"
edition = "2024"

[workspace]

[features]
default = ["wormhole"]
wormhole = ["tt-kernel/wormhole"]

[dependencies]
tt-kernel = { path = "ROOT/kernels/kernel", default-features = false }
"#,
    ),
    (
        "kernels/src/bin/NAME.rs",
        r#"//! Adds a number to each element of a buffer.
#![no_std]
#![no_main]

use tt_kernel::prelude::*;

tt_kernel::kernel!(main);

fn main(kernel: Kernel) {
    let mut numbers: Slice<u32> = kernel.argument(0);
    let more: u32 = kernel.argument(1);
    for n in 0..numbers.len() {
        numbers.set(n, numbers.get(n) + more);
    }
    tt_kernel::println!(kernel, "added {more} to {} numbers", numbers.len());
}
"#,
    ),
    (".gitignore", "target/\n"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_are_checked() {
        let folder = std::env::temp_dir().join(format!("tt-new-kernel-{}", std::process::id()));
        for name in ["", "My-Sum", "1st", "a b", "a/b"] {
            assert!(make(name, &folder).is_err(), "{name}");
        }
        make("my-sum", &folder).unwrap();
        let main = fs::read_to_string(folder.join("src/main.rs")).unwrap();
        assert!(main.contains("kernels::MY_SUM") && folder.join("kernels/src/bin/my-sum.rs").is_file());
        let error = make("my-sum", &folder).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        assert!(error.contains("is there already"), "{error}");
    }
}
