//! Our library in other ggml versions: one binary must serve them all.
//!
//! Two packages of the crate registry carry llama.cpp sources of later versions, without the test programs. cargo
//! fetches them; CMake builds `ggml-base`, `ggml` and `ggml-cpu` of each; the pinned llama.cpp's `test-backend-ops.cpp`,
//! one file over ggml's public headers, is compiled against each and run with our library.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use tt_test_output::{Verdict, cases};

use super::native::is_newer;
use super::suite::Setting;
use crate::llama::Llama;
use crate::paths;
use crate::process::{Echo, capture, cargo, command, run, watch};
use crate::report::Report;

/// A ggml that is not the pinned one.
struct Host {
    package: &'static str,
    version: &'static str,
}

const HOSTS: &[Host] = &[
    Host { package: "llama-cpp-sys-2", version: "0.1.161" },
    Host { package: "llama-cpp-sys-4", version: "0.11.0" },
];

/// These packages have no tests, tools or examples to configure, and nothing but ggml is wanted.
const SWITCHES: &[&str] = &[
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    "-DGGML_BACKEND_DL=ON",
    "-DGGML_NATIVE=OFF",
    "-DLLAMA_BUILD_COMMON=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_TOOLS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
];

/// The operators that run in each host.
const OPERATORS: &[&str] = &["MUL_MAT", "SET_ROWS"];

/// One step per host.
pub fn steps(report: &mut Report, setting: &Setting) {
    let (Some(pinned), Some(library)) = (setting.host, &setting.library) else {
        report.skip("other ggml hosts", "llama.cpp or our library was not built");
        return;
    };
    for host in HOSTS {
        report.step(&format!("ggml of {} {}", host.package, host.version), || {
            let program = host.build(pinned)?;
            OPERATORS.iter().try_for_each(|operator| check(&program, library, operator))
        });
    }
}

impl Host {
    fn folder(&self) -> PathBuf {
        paths::target().join("hosts").join(format!("{}-{}", self.package, self.version))
    }

    /// Builds ggml and the test program; returns the program.
    fn build(&self, pinned: &Llama) -> Result<PathBuf> {
        crate::tools::ensure_build_packages()?;
        let source = self.fetch()?.join("llama.cpp");
        let build = self.folder().join("build");
        run(command("cmake")
            .args(["-G", "Ninja", "--log-level=ERROR", "-S"])
            .arg(&source)
            .arg("-B")
            .arg(&build)
            .args(SWITCHES))?;
        run(command("ninja").arg("-C").arg(&build).args(["ggml-base", "ggml", "ggml-cpu"]))?;
        let program = build.join("bin/test-backend-ops");
        let test = pinned.source.join("tests/test-backend-ops.cpp");
        if !is_newer(&program, &[&test, &build.join("bin/libggml.so")]) {
            compile(&test, &source, &build.join("bin"), &program)?;
        }
        Ok(program)
    }

    /// Has cargo fetch the package, by way of a manifest that names it; returns its folder.
    fn fetch(&self) -> Result<PathBuf> {
        let folder = self.folder().join("fetch");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("src/lib.rs"), "")?;
        let manifest = folder.join("Cargo.toml");
        fs::write(&manifest, self.manifest())?;
        let text =
            capture(cargo().args(["metadata", "--format-version", "1", "--manifest-path"]).arg(&manifest))?;
        let metadata: serde_json::Value = serde_json::from_str(&text)?;
        let package = metadata["packages"]
            .as_array()
            .and_then(|list| list.iter().find(|package| package["name"] == self.package))
            .with_context(|| format!("cargo did not fetch {}", self.package))?;
        let path = package["manifest_path"].as_str().context("no manifest path")?;
        Ok(Path::new(path).parent().context("no package folder")?.to_path_buf())
    }

    fn manifest(&self) -> String {
        format!(
            "[package]\nname = \"ggml-host\"\nversion = \"0.0.0\"\nedition = \"2021\"\n\n[workspace]\n\n\
             [dependencies]\n{} = {{ version = \"={}\", default-features = false }}\n",
            self.package, self.version
        )
    }
}

fn compile(test: &Path, source: &Path, bin: &Path, program: &Path) -> Result<()> {
    println!("compiling {}", program.display());
    run(command("g++")
        .args(["-std=c++17", "-O1", "-w", "-I"])
        .arg(source.join("ggml/include"))
        .arg(test)
        .arg("-o")
        .arg(program)
        .arg("-L")
        .arg(bin)
        .args(["-lggml", "-lggml-base", "-lpthread"])
        .arg(format!("-Wl,-rpath,{}", bin.display())))
}

/// Runs one operator's cases on the simulated card: none may fail, and some must have run.
fn check(program: &Path, library: &Path, operator: &str) -> Result<()> {
    let mut command = command(program);
    command
        .args(["test", "-b", "TT0", "-o", operator])
        .env("GGML_BACKEND_PATH", library)
        .env("GGML_TT_DEVICES", "sim")
        .current_dir(program.parent().unwrap_or(Path::new(".")));
    let log = paths::target().join("hosts/test-backend-ops.log");
    let limit = Some(Duration::from_secs(1800));
    let watched = watch_quietly(&mut command, &log, limit)?;
    let count = |verdict| cases(&watched, operator).iter().filter(|case| case.verdict == verdict).count();
    let (passed, failed) = (count(Verdict::Ok), count(Verdict::Failed));
    if failed > 0 || passed == 0 {
        bail!("{operator} on TT0: {failed} cases failed, {passed} passed");
    }
    println!("{operator}: {passed} cases OK");
    Ok(())
}

fn watch_quietly(command: &mut std::process::Command, log: &Path, limit: Option<Duration>) -> Result<String> {
    let watched = watch(command, log, limit, Echo::Kept, |line| line.contains("ggml_tenstorrent"))?;
    match watched.status {
        Some(status) if status.success() => Ok(watched.out),
        Some(status) => bail!("test-backend-ops failed ({status})"),
        None => bail!("test-backend-ops did not finish in time"),
    }
}
