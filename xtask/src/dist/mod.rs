//! `cargo xtask dist`: makes the packages, in `target/dist/`.
//!
//! ```text
//! release library -> without debugging information, symbol versions checked  (library)
//!                 -> files and their paths                                   (contents)
//!                 -> archive, Debian package                                 (archive, debian)
//! ```
//!
//! The packages contain only files, and no program of the system packs them: the same sources and compiler give the same bytes
//! (times come from `SOURCE_DATE_EPOCH`, else from the last commit).

mod archive;
mod contents;
mod debian;
mod library;
mod notices;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use contents::Built;

use crate::process::{capture, command};
use crate::{backend, paths};

/// Version of everything here: that of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `dist` has made.
pub struct Made {
    /// `ggml-tenstorrent-VERSION-ARCH.tar.gz`
    pub archive: PathBuf,
    /// `ggml-tenstorrent_VERSION_ARCH.deb`
    pub package: PathBuf,
}

/// `cargo xtask dist`.
pub fn run() -> Result<()> {
    let made = make(&paths::target().join("dist"))?;
    println!("\nmade {}", made.archive.display());
    println!("made {}", made.package.display());
    println!("install with: sudo apt-get install {}", made.package.display());
    Ok(())
}

/// Builds the library and the command, and packs them into a folder.
pub fn make(folder: &Path) -> Result<Made> {
    let (library, command) = (backend::build()?, backend::command()?);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let built = Built {
        library: library::stripped(&library, folder)?,
        command: library::stripped(&command, folder)?,
    };
    let needs = library::check("libggml-tenstorrent.so", &built.library)?;
    let needs = needs.max(library::check("tt", &built.command)?);
    println!("library and command need glibc {}", needs.shown());

    let (time, notices) = (time()?, notices::text()?);
    let arch = std::env::consts::ARCH;
    let archive = folder.join(format!("ggml-tenstorrent-{VERSION}-{arch}.tar.gz"));
    let files = contents::archive(&built, &notices)?;
    write(&archive, &archive::gzipped(&files, time)?)?;

    let debian = debian::architecture()?;
    let package = folder.join(format!("ggml-tenstorrent_{VERSION}_{}.deb", debian.name));
    let files = contents::package(&built, &notices, debian.triplet)?;
    write(&package, &debian::package(&files, &debian, &needs, time)?)?;
    Ok(Made { archive, package })
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Seconds since 1970 that all files get.
fn time() -> Result<u64> {
    if let Ok(text) = std::env::var("SOURCE_DATE_EPOCH") {
        return text.parse().with_context(|| format!("SOURCE_DATE_EPOCH={text} is no number"));
    }
    /// The project's first day, where the sources are no repository.
    const OTHERWISE: u64 = 1_767_225_600;
    let commit = capture(command("git").current_dir(paths::root()).args(["log", "-1", "--format=%ct"]));
    Ok(commit.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(OTHERWISE))
}
