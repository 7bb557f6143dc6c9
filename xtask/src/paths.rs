//! Paths: the repository, its `target/` folder and the model files.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Root of the repository.
///
/// Cargo passes the manifest's path at run time; the compile-time path is the fallback for a
/// binary that is started by hand.
pub fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Cargo's output folder, which is also the cache of everything fetched or built here.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The model in the repository.
pub fn demo_model() -> PathBuf {
    root().join("models/demo-bible-peace.gguf")
}

/// A folder with more models (`stories260K.gguf`): `TT_EXTRA_MODELS`, else `../shared/models` if it is there.
pub fn extra_models() -> Option<PathBuf> {
    let dir = from_environment("TT_EXTRA_MODELS").unwrap_or_else(|| root().join("../shared/models"));
    dir.is_dir().then(|| dir.canonicalize().unwrap_or(dir))
}

/// Makes a path given by the user absolute and checks that something is there.
pub fn existing(path: &Path, what: &str) -> Result<PathBuf> {
    if !path.exists() {
        bail!("{what}: {} does not exist", path.display());
    }
    path.canonicalize().with_context(|| format!("{what}: {}", path.display()))
}

/// A path from the environment; set but empty counts as not set.
pub fn from_environment(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
