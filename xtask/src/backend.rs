//! Builds the shared library in release mode and gives it the file name that ggml users expect.
//!
//! Cargo names a shared library after its crate, with underscores; ggml names backends `libggml-NAME.so`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};

use crate::process::{cargo, check};

/// `cargo xtask build`.
pub fn run() -> Result<()> {
    let library = build()?;
    println!("\nbuilt {}", library.display());
    println!("use it with a llama.cpp of yours (built with GGML_BACKEND_DL and BUILD_SHARED_LIBS):");
    println!(
        "  GGML_BACKEND_PATH={} GGML_TT_DEVICES=sim llama-completion -ngl 99 -m MODEL.gguf -p TEXT",
        library.display()
    );
    Ok(())
}

/// Builds `libggml-tenstorrent.so` and returns its path.
pub fn build() -> Result<PathBuf> {
    crate::tools::ensure_device_target()?;
    let built = cargo_build("ggml-tenstorrent")?;
    let named = built.with_file_name("libggml-tenstorrent.so");
    if built != named {
        publish(&built, &named)?;
    }
    Ok(named)
}

/// Builds `libggml_tenstorrent.a`, for programs that link it.
pub fn static_library() -> Result<PathBuf> {
    crate::tools::ensure_device_target()?;
    artifact("ggml-tenstorrent", "staticlib", "a")
}

/// Builds the command `tt`.
pub fn command() -> Result<PathBuf> {
    crate::tools::ensure_device_target()?;
    let executables = |message: &serde_json::Value| message["executable"].as_str().map(PathBuf::from);
    built("tt")?.iter().find_map(executables).context("cargo made no executable of package tt")
}

/// Builds a package's shared library.
pub fn cargo_build(package: &str) -> Result<PathBuf> {
    artifact(package, "cdylib", "so")
}

/// Builds a package; its file of a crate type and with an extension. The path comes from cargo's messages, so that none is guessed.
fn artifact(package: &str, crate_type: &str, extension: &str) -> Result<PathBuf> {
    built(package)?
        .iter()
        .filter(|message| {
            message["target"]["crate_types"]
                .as_array()
                .is_some_and(|types| types.iter().any(|ty| ty == crate_type))
        })
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|name| name.as_str().map(PathBuf::from))
        .find(|path| path.extension().is_some_and(|found| found == extension))
        .with_context(|| {
            format!("cargo made no .{extension}: {package} must have the crate type {crate_type}")
        })
}

/// Builds a package; what cargo says of each thing that it has made.
fn built(package: &str) -> Result<Vec<serde_json::Value>> {
    let mut command = cargo();
    command
        .args(["build", "--release", "--package", package])
        .args(["--message-format", "json-render-diagnostics"])
        .stdout(Stdio::piped());
    let output = command.spawn().context("cannot start cargo")?.wait_with_output()?;
    check(&command, output.status)?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    Ok(messages.filter(|message| message["reason"] == "compiler-artifact").collect())
}

/// Puts the library under its public name by rename, so that a program that has the old one mapped is not disturbed.
pub fn publish(built: &Path, named: &Path) -> Result<()> {
    let partial = named.with_extension("partial");
    fs::copy(built, &partial).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&partial, named).with_context(|| format!("cannot make {}", named.display()))
}
