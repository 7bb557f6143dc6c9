//! The C++ test programs of `tests/native`, compiled against the very headers and libraries of the llama.cpp in use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use crate::llama::Llama;
use crate::paths;
use crate::process::{command, run};

/// Compiles the programs, into one folder; returns the one that dumps logits.
pub fn build_programs(host: &Llama) -> Result<PathBuf> {
    build(host, "windows")?;
    build(host, "logits")
}

/// Compiles `tests/native/NAME.cpp`; returns the program.
pub fn build(host: &Llama, name: &str) -> Result<PathBuf> {
    let source = paths::root().join("tests/native").join(format!("{name}.cpp"));
    let folder = paths::target().join("native");
    let program = folder.join(name);
    let library = host.bin().join("libllama.so");
    if is_newer(&program, &[&source, &library]) {
        return Ok(program);
    }
    fs::create_dir_all(&folder)?;
    run(command("g++")
        .args(["-std=c++17", "-O1", "-Wall", "-Wextra"])
        .arg("-I")
        .arg(host.source.join("include"))
        .arg("-I")
        .arg(host.source.join("ggml/include"))
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(host.bin())
        .args(["-lllama", "-lggml", "-lggml-base"])
        .arg(format!("-Wl,-rpath,{}", host.bin().display())))?;
    Ok(program)
}

/// True if `made` exists and is younger than all its inputs.
pub fn is_newer(made: &Path, inputs: &[&Path]) -> bool {
    let time =
        |path: &Path| fs::metadata(path).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    made.is_file() && inputs.iter().all(|input| time(input) < time(made))
}
