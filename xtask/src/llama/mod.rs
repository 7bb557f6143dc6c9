//! llama.cpp, the host of our library: fetched, checked against a hash, built once, kept under `target/`.
//!
//! Three ways to get one, first match wins:
//!
//! 1. `LLAMA_CPP_BUILD=DIR`: a finished build tree (with `bin/`), taken as it is;
//! 2. `LLAMA_CPP_DIR=DIR`: a source tree, built by us into our cache (ninja decides what is stale);
//! 3. neither: the pinned source distribution, built on first use; a stamp makes later runs immediate.

mod build;
mod source;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::paths;

/// A built llama.cpp.
pub struct Llama {
    /// Source tree: headers for our own test programs.
    pub source: PathBuf,
    /// Build tree.
    pub build: PathBuf,
}

impl Llama {
    /// Folder of programs and shared libraries.
    pub fn bin(&self) -> PathBuf {
        self.build.join("bin")
    }

    /// A program of the build, checked to exist.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.bin().join(name);
        if !path.is_file() {
            bail!("{} is missing: this llama.cpp build lacks the target {name}", path.display());
        }
        Ok(path)
    }
}

/// Programs that the commands and tests need, as ninja targets; their libraries come along.
/// `ggml-cpu` and `ggml-rpc` are loaded at run time, so no target links them.
const TARGETS: &[&str] = &[
    "ggml-cpu",
    "ggml-rpc",
    "ggml-rpc-server",
    "llama-batched",
    "llama-batched-bench",
    "llama-bench",
    "llama-completion",
    "llama-embedding",
    "llama-finetune",
    "llama-imatrix",
    "llama-perplexity",
    "llama-quantize",
    "llama-server",
    "llama-speculative-simple",
    "test-backend-ops",
    "test-backend-sampler",
    "test-fusion",
    "test-llama-archs",
    "test-model-load-cancel",
    "test-opt",
    "test-recurrent-state-rollback",
    "test-save-load-state",
    "test-state-restore-fragmented",
    "test-thread-safety",
];

/// Finds or makes the llama.cpp build.
pub fn ensure() -> Result<Llama> {
    if let Some(dir) = paths::from_environment("LLAMA_CPP_BUILD") {
        return finished(&dir);
    }
    crate::tools::ensure_build_packages()?;
    let cache = paths::target().join("llama.cpp");
    match paths::from_environment("LLAMA_CPP_DIR") {
        Some(dir) => {
            let source = paths::existing(&dir, "LLAMA_CPP_DIR")?;
            let llama = Llama { build: cache.join("build-own"), source };
            build::configure_and_build(&llama, TARGETS)?;
            Ok(llama)
        }
        None => pinned(&cache),
    }
}

/// The pinned version: the stamp says that fetch and build were finished with these very inputs. A stamp of the same
/// sources with other switches or targets leads to a build of what is missing.
fn pinned(cache: &Path) -> Result<Llama> {
    let llama = Llama { source: cache.join("source"), build: cache.join("build") };
    let stamp = cache.join("stamp");
    let wanted = format!("{}\n{}\n{}\n", source::SHA256, build::SWITCHES.join(" "), TARGETS.join(" "));
    let have = std::fs::read_to_string(&stamp).unwrap_or_default();
    if have == wanted {
        return Ok(llama);
    }
    if have.lines().next() != Some(source::SHA256) || !llama.source.is_dir() {
        source::fetch(cache, &llama.source)?;
    }
    build::configure_and_build(&llama, TARGETS)?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(llama)
}

/// A build that someone else made; its CMake cache tells where the sources are.
fn finished(dir: &Path) -> Result<Llama> {
    let build = paths::existing(dir, "LLAMA_CPP_BUILD")?;
    let cache = build.join("CMakeCache.txt");
    let text = std::fs::read_to_string(&cache)
        .with_context(|| format!("LLAMA_CPP_BUILD: {} is not a CMake build tree", build.display()))?;
    let source = text
        .lines()
        .find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="))
        .with_context(|| format!("{} does not name its source folder", cache.display()))?;
    Ok(Llama { source: PathBuf::from(source), build })
}
