//! The C++ test programs of `tests/native`, compiled against the headers and libraries of the llama.cpp in use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use crate::llama::Llama;
use crate::paths;
use crate::process::{command, run};

/// Compiles the programs of the whole-system tests and the library in front of some of llama.cpp's, into one folder;
/// returns the program that dumps logits.
pub fn build_programs(host: &Llama) -> Result<PathBuf> {
    for name in ["windows", "weights", "nodes", "cycles", "cancel", "graphs", "layer"] {
        build(host, name)?;
    }
    build_preload(host)?;
    build(host, "logits")
}

/// Compiles `tests/native/NAME.cpp`; returns the program.
pub fn build(host: &Llama, name: &str) -> Result<PathBuf> {
    compile(host, name, name, &[], &["-lllama"])
}

/// Compiles `tests/native/preload.cpp` into `libpreload.so`.
pub fn build_preload(host: &Llama) -> Result<PathBuf> {
    compile(host, "preload", "libpreload.so", &["-shared", "-fPIC"], &["-lllama-common"])
}

/// Compiles `tests/native/NAME.cpp` into a file; nothing to do if that is younger than what it is made of, and made for the same
/// libraries (a note beside it says which).
fn compile(host: &Llama, name: &str, file: &str, how: &[&str], libraries: &[&str]) -> Result<PathBuf> {
    let source = paths::root().join("tests/native").join(format!("{name}.cpp"));
    let folder = paths::target().join("native");
    let made = folder.join(file);
    let library = host.bin().join("libllama.so");
    let (note, libraries_at) = (folder.join(format!("{file}.libraries")), host.bin().display().to_string());
    let same = fs::read_to_string(&note).is_ok_and(|at| at == libraries_at);
    if same && is_newer(&made, &[&source, &library]) {
        return Ok(made);
    }
    fs::create_dir_all(&folder)?;
    let mut command = command("g++");
    command.args(["-std=c++17", "-O1", "-Wall", "-Wextra"]).args(how);
    for headers in ["include", "ggml/include", "common"] {
        command.arg("-I").arg(host.source.join(headers));
    }
    command.arg(&source).arg("-o").arg(&made).arg("-L").arg(host.bin()).args(libraries);
    run(command.args(["-lggml", "-lggml-base"]).arg(format!("-Wl,-rpath,{libraries_at}")))?;
    fs::write(note, libraries_at)?;
    Ok(made)
}

/// True if `made` exists and is younger than all its inputs.
pub fn is_newer(made: &Path, inputs: &[&Path]) -> bool {
    let time =
        |path: &Path| fs::metadata(path).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    made.is_file() && inputs.iter().all(|input| time(input) < time(made))
}
