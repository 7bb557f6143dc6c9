//! The crates that other programs depend on, as packages: `cargo package` makes each, unpacks it and builds it by itself. They are left in
//! `target/crates/package`.
//!
//! The firmware is a workspace of its own inside of `kernels`, which packages leave out. So the package of `tt-kernels` has the images instead, as its build script
//! has made them here.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::paths;
use crate::process::{capture, cargo};
use crate::report::Report;

/// From the crates that all others need to those that need them.
pub const CRATES: [&str; 13] = [
    "tt-settings",
    "tt-isa",
    "tt-kernel-numerics",
    "tt-kernel-quant",
    "tt-kernel-abi",
    "tt-kernel-sfpu",
    "tt-kernel",
    "tt-kernel-build",
    "tt-kernels",
    "tt-sys",
    "tt-simulator",
    "tt-kmd-mock",
    "tt-runtime",
];

/// One step.
pub fn step(report: &mut Report) {
    report.step("packages of the crates", || {
        let target = paths::target().join("crates");
        let _images = Images::take()?;
        forget_older(&target)?;
        let mut command = cargo();
        command.args(["package", "--allow-dirty", "--target-dir"]).arg(&target);
        // What is built is only to be seen to build.
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_OPT_LEVEL", "0");
        CRATES.iter().for_each(|name| {
            command.args(["-p", name]);
        });
        capture(&mut command)?;
        CRATES.iter().try_for_each(|name| is_whole(&target.join("package"), name))
    });
}

/// Removes what cargo has unpacked and built of packages that were made here before. A version is unpacked and built once, and is taken for what it was then. Registries of packages
/// that are only just made have no host: their folders' names begin with a dash.
fn forget_older(target: &Path) -> Result<()> {
    if target.is_dir() {
        fs::remove_dir_all(target).with_context(|| format!("cannot remove {}", target.display()))?;
    }
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let unpacked = home.context("there is no home folder")?.join("registry/src");
    if !unpacked.is_dir() {
        return Ok(());
    }
    for registry in folders(&unpacked)? {
        if !registry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"-")) {
            continue;
        }
        for name in CRATES {
            let package = registry.join(format!("{name}-{}", env!("CARGO_PKG_VERSION")));
            if package.is_dir() {
                fs::remove_dir_all(&package)
                    .with_context(|| format!("cannot remove {}", package.display()))?;
            }
        }
    }
    Ok(())
}

/// The images of the kernels in the folder of `tt-kernels`, as long as they are packed.
struct Images(PathBuf);

impl Images {
    fn take() -> Result<Self> {
        let images = Self(paths::root().join("kernels/images"));
        let out = out_dir()?;
        for chip in folders(&out)?.into_iter().filter(|folder| folder.join("brisc.bin").is_file()) {
            let to = images.0.join(chip.file_name().unwrap_or_default());
            fs::create_dir_all(&to).with_context(|| format!("cannot make {}", to.display()))?;
            for file in fs::read_dir(&chip)? {
                let file = file?;
                fs::copy(file.path(), to.join(file.file_name()))?;
            }
        }
        ensure!(images.0.is_dir(), "there are no images of kernels in {}", out.display());
        Ok(images)
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of).with_context(|| format!("cannot read {}", of.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

/// Where the build script of `tt-kernels` has left its images.
fn out_dir() -> Result<PathBuf> {
    let lines = capture(cargo().args(["build", "-p", "tt-kernels", "--message-format", "json"]))?;
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let ran = messages.filter(|message| message["reason"] == "build-script-executed");
    // The id is a path or a name, by the age of cargo.
    let is_ours = |id: &str| id.contains("tt-kernels") || id.contains("/kernels#");
    let found = ran
        .filter(|message| message["package_id"].as_str().is_some_and(is_ours))
        .find_map(|message| message["out_dir"].as_str().map(PathBuf::from));
    found.context("cargo does not say where the images of the kernels are")
}

/// The package has what a registry asks for.
fn is_whole(folder: &Path, name: &str) -> Result<()> {
    let file = folder.join(format!("{name}-{}/Cargo.toml", env!("CARGO_PKG_VERSION")));
    let manifest = fs::read_to_string(&file)?;
    for field in ["description = ", "license = ", "rust-version = "] {
        ensure!(manifest.contains(field), "{name}: its manifest has no {field}");
    }
    Ok(())
}
