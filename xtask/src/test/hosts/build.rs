//! Building `tests/native/hosts` with a ggml of some version. ninja decides what is stale.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::paths;
use crate::process::{command, run};

/// What was built.
pub struct Programs {
    /// Folder of our programs.
    bin: PathBuf,
    /// Folder of ggml's libraries.
    libraries: PathBuf,
}

impl Programs {
    /// The test program, which loads our library and computes the operators that are named (all, if none is) on a simulated card.
    pub fn hosts(&self, library: &Path, operators: &[&str]) -> Command {
        let mut command = super::program(&self.bin.join("hosts"));
        command.arg(library).arg(self.libraries.join("libggml-cpu.so")).args(operators);
        command.env("GGML_TT_DEVICES", "sim");
        command
    }

    /// One of our programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// ggml's CPU backend.
    pub fn cpu(&self) -> PathBuf {
        self.libraries.join("libggml-cpu.so")
    }
}

/// Builds ggml from its sources, and the test programs; the one that transcribes if whisper.cpp's folder is given.
pub fn from_sources(to: &Path, ggml: &Path, whisper: Option<&Path>) -> Result<Programs> {
    let mut settings = vec![define("GGML_SOURCE", ggml)];
    settings.extend(whisper.map(|folder| define("WHISPER_SOURCE", folder)));
    let build = configured(to, &settings)?;
    let also = whisper.map(|_| "transcribe");
    run(command("ninja").arg("-C").arg(&build).args(["hosts", "newer"]).args(also))?;
    let bin = build.join("bin");
    Ok(Programs { libraries: bin.clone(), bin })
}

/// Builds the test programs over libraries that are there.
pub fn over_libraries(to: &Path, include: &Path, libraries: &Path) -> Result<Programs> {
    let settings = [define("GGML_INCLUDE", include), define("GGML_LIBRARIES", libraries)];
    let build = configured(to, &settings)?;
    run(command("ninja").arg("-C").arg(&build).args(["hosts", "newer"]))?;
    Ok(Programs { bin: build.join("bin"), libraries: libraries.to_path_buf() })
}

fn define(name: &str, path: &Path) -> String {
    format!("-D{name}={}", path.display())
}

fn configured(to: &Path, settings: &[String]) -> Result<PathBuf> {
    let build = to.join("build");
    run(command("cmake")
        .args(["-G", "Ninja", "--log-level=ERROR", "-Wno-dev", "-DCMAKE_BUILD_TYPE=Release", "-S"])
        .arg(paths::root().join("tests/native/hosts"))
        .arg("-B")
        .arg(&build)
        .args(settings))?;
    Ok(build)
}
