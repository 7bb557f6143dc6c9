//! The library in other ggml versions: one binary must serve them all.
//!
//! Packages of public registries contain ggml in many versions ([`HOSTS`]). Each is built (or installed) and runs the test program
//! `tests/native/hosts`, which computes the same operators on the simulated card and on that ggml's CPU backend. A made-up version
//! tests what the library does in an unknown one ([`unknown`]). Two applications with their own ggml
//! run too: llama-cpp-python ([`python`]) and whisper.cpp ([`whisper`]).

mod build;
mod fetch;
pub mod layouts;
mod python;
mod unknown;
mod whisper;

pub use python::step as python;
pub use whisper::step as whisper;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::backend;
use crate::llama::Llama;
use crate::process::{Echo, Watched, command, watch};
use crate::report::Report;
use build::Programs;

/// A version of ggml.
struct Host {
    /// What it says of itself.
    ggml: &'static str,
    /// Which of `abi::tables`' layouts it has.
    layout: char,
    /// Operators of the test program that it does not have.
    absent: u32,
    from: From,
}

/// Where it comes from.
enum From {
    /// A package of the crate registry, and where in it ggml's folder is.
    Crate { package: fetch::Crate, folder: &'static str },
    /// A wheel with built libraries.
    Wheel(fetch::Python),
    /// llama-cpp-python, built as pip builds it.
    LlamaCppPython,
    /// The pinned llama.cpp.
    Pinned,
}

/// The prebuilt one: it takes seconds, so it is tested always.
const QUICK: Host = Host { ggml: "0.20.2", layout: 'A', absent: 0, from: From::Wheel(fetch::LIBGGML_PYTHON) };

const HOSTS: &[Host] = &[
    host("0.9.5", 'O', 1, fetch::WHISPER, "whisper.cpp/ggml"),
    host("0.12.0", 'A', 0, fetch::DIFFUSION, "stable-diffusion.cpp/ggml"),
    Host { ggml: "0.16.0", layout: 'A', absent: 0, from: From::LlamaCppPython },
    host("0.25.0", 'A', 0, fetch::LLAMA_3, "external/llama.cpp/ggml"),
    Host { ggml: "0.25.3", layout: 'A', absent: 0, from: From::Pinned },
    host("0.26.0", 'B', 0, fetch::LLAMA_2, "llama.cpp/ggml"),
    host("0.27.0", 'B', 0, fetch::LLAMA_4_OLDER, "llama.cpp/ggml"),
    host("0.28.0", 'C', 0, fetch::LLAMA_4, "llama.cpp/ggml"),
];

const fn host(
    ggml: &'static str,
    layout: char,
    absent: u32,
    package: fetch::Crate,
    folder: &'static str,
) -> Host {
    Host { ggml, layout, absent, from: From::Crate { package, folder } }
}

/// The steps of every run: a prebuilt ggml, and what happens in unknown ones.
pub fn quick_steps(report: &mut Report) {
    let mut built = None;
    report.step(&QUICK.title(), || {
        let (library, programs) = (backend::build()?, QUICK.build(None)?);
        let done = QUICK.check(&programs, &library);
        built = Some((library, programs));
        done
    });
    if let Some((library, programs)) = built {
        report.step("ggml of unknown versions", || unknown::check(&programs, &library));
    }
}

/// The sources of a version of ggml.
pub struct Sources {
    /// What it says of itself.
    pub ggml: &'static str,
    /// Which of `abi::tables`' layouts it has.
    pub layout: char,
    /// Its folder `ggml`.
    pub folder: PathBuf,
}

/// Fetches the sources of the versions that come as sources.
pub fn sources(pinned: &Llama) -> Result<Vec<Sources>> {
    let mut all = Vec::new();
    for host in HOSTS {
        let folder = match &host.from {
            From::Crate { package, folder } => package.fetch(&host.folder())?.join(folder),
            From::Pinned => pinned.source.join("ggml"),
            From::LlamaCppPython => python::sources(&host.folder())?,
            // Wheels have ggml's public headers only, not those with the tables of functions.
            From::Wheel(_) => continue,
        };
        all.push(Sources { ggml: host.ggml, layout: host.layout, folder });
    }
    Ok(all)
}

/// A step for each of the other versions.
pub fn steps(report: &mut Report, pinned: Option<&Llama>) {
    for host in HOSTS {
        report.step(&host.title(), || host.check(&host.build(pinned)?, &backend::build()?));
    }
}

impl Host {
    fn title(&self) -> String {
        let from = match &self.from {
            From::Crate { package, .. } => format!("{} {}", package.name, package.version),
            From::Wheel(package) => format!("{} {}", package.name, package.version),
            From::LlamaCppPython => {
                format!("{} {}", fetch::LLAMA_CPP_PYTHON.name, fetch::LLAMA_CPP_PYTHON.version)
            }
            From::Pinned => "the pinned llama.cpp".to_owned(),
        };
        format!("ggml {}, layout {} ({from})", self.ggml, self.layout)
    }

    /// Its folder.
    fn folder(&self) -> PathBuf {
        folder(self.ggml)
    }

    /// Builds what is missing.
    fn build(&self, pinned: Option<&Llama>) -> Result<Programs> {
        crate::tools::ensure_build_packages()?;
        let to = self.folder();
        match &self.from {
            From::Crate { package, folder } => {
                build::from_sources(&to, &package.fetch(&to)?.join(folder), None)
            }
            From::Wheel(package) => {
                let unpacked = package.fetch_wheel(&to)?.join("libggml");
                build::over_libraries(&to, &unpacked.join("include"), &unpacked.join("lib64"))
            }
            From::LlamaCppPython => {
                let installed = python::install(&to)?;
                build::over_libraries(&to, &installed.include, &installed.libraries)
            }
            From::Pinned => {
                let llama = pinned.context("llama.cpp was not built")?;
                build::over_libraries(&to, &llama.source.join("ggml/include"), &llama.bin())
            }
        }
    }

    /// Runs the operators: none may fail, and no more may be absent than this version lacks. If its version were not known, the self-test would
    /// pass.
    fn check(&self, programs: &Programs, library: &Path) -> Result<()> {
        let watched = finished(programs.hosts(library, &[]), &self.folder().join("hosts.log"))?;
        let says = format!("ggml {}", self.ggml);
        let closing = watched.out.lines().last().unwrap_or_default();
        if !watched.out.lines().any(|line| line == says) {
            bail!("this is not {says}: {}", watched.out.lines().next().unwrap_or_default());
        }
        if !closing.contains(" 0 failed") || !closing.ends_with(&format!(" {} absent", self.absent)) {
            let failed: Vec<&str> = watched.out.lines().filter(|line| line.contains("FAILED")).collect();
            bail!("{closing}\n{}", failed.join("\n"));
        }
        println!("{says}: {closing}");
        unknown::passes(programs, library)
    }
}

/// The folder of a version of ggml.
fn folder(ggml: &str) -> PathBuf {
    crate::paths::target().join("hosts").join(format!("ggml-{ggml}"))
}

/// A program of a host, without settings of the person's own shell.
fn program(path: &Path) -> Command {
    let mut command = command(path);
    for setting in tt_settings::ALL {
        command.env_remove(setting.name);
    }
    command
}

/// Runs a program to its end; its own lines of the log are shown where they are ours.
fn finished(mut command: Command, log: &Path) -> Result<Watched> {
    let limit = Some(Duration::from_secs(1800));
    let watched = watch(&mut command, log, limit, Echo::Kept, |line| line.contains("ggml_tenstorrent"))?;
    match watched.status {
        Some(status) if status.success() => Ok(watched),
        Some(status) => {
            let failed: Vec<&str> = watched.out.lines().filter(|line| line.contains("FAILED")).collect();
            bail!("`{}` ended with {status}\n{}", crate::process::shown(&command), failed.join("\n"))
        }
        None => bail!("`{}` did not end in time", crate::process::shown(&command)),
    }
}
