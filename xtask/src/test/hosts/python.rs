//! llama-cpp-python as users install it: the package from PyPI, built by pip, with a ggml that contains the CPU backend. It loads
//! this library by path, and must generate the same text as on the CPU.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::fetch::LLAMA_CPP_PYTHON;
use crate::paths;
use crate::process::{command, run};
use crate::pypi::environment;
use crate::report::Report;

/// Options of the package's build: it needs only a compiler, and results do not depend on the machine.
const CMAKE_ARGS: &str = "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF \
                          -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_CURL=OFF";

/// The package in a virtual environment.
pub struct Installed {
    /// Its Python.
    python: PathBuf,
    /// ggml's headers, of the source distribution.
    pub include: PathBuf,
    /// Its libraries.
    pub libraries: PathBuf,
}

/// Fetches its source distribution, and unpacks it once; returns ggml's folder.
pub fn sources(to: &Path) -> Result<PathBuf> {
    let archive = LLAMA_CPP_PYTHON.fetch_source(to)?;
    let source = to.join("source");
    if !source.is_dir() {
        let partial = to.join("source.partial");
        let _ = std::fs::remove_dir_all(&partial);
        std::fs::create_dir_all(&partial)?;
        run(command("tar").arg("-xzf").arg(&archive).arg("-C").arg(&partial).arg("--strip-components=1"))?;
        std::fs::rename(&partial, &source)?;
    }
    Ok(source.join("vendor/llama.cpp/ggml"))
}

/// Has pip build and install it, once.
pub fn install(to: &Path) -> Result<Installed> {
    let archive = LLAMA_CPP_PYTHON.fetch_source(to)?;
    let (stamp, source) = (to.join("installed"), sources(to)?);
    let python = to.join("venv/bin/python3");
    if !stamp.is_file() {
        eprintln!(
            "building {} {} (once; 5 to 10 minutes on two cores)",
            LLAMA_CPP_PYTHON.name, LLAMA_CPP_PYTHON.version
        );
        let pip = environment(&to.join("venv"))?.join("pip");
        run(command(pip)
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .arg(&archive)
            .env("CMAKE_ARGS", CMAKE_ARGS))?;
        std::fs::write(&stamp, "")?;
    }
    let script = "import importlib.util as u; print(u.find_spec('llama_cpp').submodule_search_locations[0])";
    let package = crate::process::capture(command(&python).args(["-c", script]))?;
    Ok(Installed {
        python,
        include: source.join("include"),
        libraries: PathBuf::from(package.trim()).join("lib"),
    })
}

/// The same text with our library as without, and the device's operators in the statistics.
pub fn step(report: &mut Report) {
    report.step(&format!("{} {}", LLAMA_CPP_PYTHON.name, LLAMA_CPP_PYTHON.version), || {
        let to = super::folder("0.16.0");
        let (installed, library) = (install(&to)?, crate::backend::build()?);
        let generate = |library: Option<&Path>| {
            let mut command = super::program(&installed.python);
            command.arg(paths::root().join("tests/native/hosts/generate.py")).arg(paths::demo_model());
            command.args(library).env("GGML_TT_DEVICES", "sim").env("GGML_TT_STATS", to.join("stats.json"));
            super::finished(command, &to.join("generate.log")).map(|watched| watched.out)
        };
        let stats = to.join("stats.json");
        let _ = std::fs::remove_file(&stats);
        let (cpu, ours) = (generate(None)?, generate(Some(&library))?);
        if cpu.trim().is_empty() || cpu != ours {
            bail!("other texts.\n  CPU: {cpu}\n  TT0: {ours}");
        }
        let Ok(text) = std::fs::read_to_string(&stats) else {
            bail!("our library wrote no statistics: the package loaded it, and did not use it");
        };
        let ran: serde_json::Value = serde_json::from_str(&text)?;
        if ran["ops"]["MUL_MAT"].as_u64().unwrap_or(0) == 0 {
            bail!("nothing ran on the device: {}", ran["ops"]);
        }
        println!(
            "the same text as on the CPU, {} products on the device: {}",
            ran["ops"]["MUL_MAT"],
            ours.trim()
        );
        Ok(())
    });
}
