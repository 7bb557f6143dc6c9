//! Developer commands: `cargo xtask demo | models | test | bench | fuzz | gguf | build | dist | ttsim | new-kernel | sizes | layers | bindings`.
//!
//! One entry point for people and for CI. Each command fetches what it needs (system packages, the
//! RISC-V target, llama.cpp) and caches it under `target/`. So the first run takes long, later runs
//! start within seconds, and `cargo clean` removes everything.
//!
//! | module | what it does |
//! |---|---|
//! | [`tools`] | system packages and Rust components: install or name them |
//! | [`llama`] | llama.cpp: fetch, check, build once |
//! | [`models`] | real models: fetch, check, keep |
//! | [`backend`] | builds the shared library and gives it the name that ggml users expect |
//! | [`dist`] | the packages: archive and Debian package |
//! | [`new_kernel`] | a program with a kernel of its own |
//! | [`gguf`] | model files in single precision |
//! | [`ttsim`] | the simulator as a library for the vendor's programs |
//! | [`demo`], [`test`], [`bench`], [`fuzz`], [`sizes`], [`layers`] | the commands |

mod backend;
mod bench;
mod demo;
mod dist;
mod fuzz;
mod gguf;
mod layers;
mod llama;
mod models;
mod new_kernel;
mod paths;
mod process;
mod pypi;
mod report;
mod sizes;
mod test;
mod tools;
mod ttsim;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of ggml-tenstorrent.
#[derive(Parser)]
#[command(name = "cargo xtask", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate text with llama.cpp through our library (on the simulated card unless told otherwise)
    Demo(demo::Options),
    /// Fetch real models and print where they are
    Models(models::Options),
    /// Formatting, lints, unit tests and whole-system tests
    Test(test::Options),
    /// Measure; `--json` prints one object per figure
    Bench(bench::Options),
    /// Random cases against the vendor's simulator (`diff`), or for robustness (`robust`)
    Fuzz(fuzz::Options),
    /// Make model files from model files: `f32` writes all weights in single precision
    Gguf(gguf::Options),
    /// Build libggml-tenstorrent.so and print how to use it
    Build,
    /// Pack the library: an archive and a Debian package
    Dist,
    /// Build the simulator as libttsim.so, which the vendor's programs load
    Ttsim,
    /// Make a program with a kernel of its own, which runs on the simulator at once
    NewKernel(new_kernel::Options),
    /// Table of file and function lengths
    Sizes,
    /// Which module imports which, and whether it may
    Layers,
    /// How ggml's structs are laid out in its versions: writes the table that the library is tested against
    Bindings(test::layouts::Options),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(options) => demo::run(&options),
        Command::Models(options) => models::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Gguf(options) => gguf::run(&options),
        Command::Build => backend::run(),
        Command::Dist => dist::run(),
        Command::Ttsim => ttsim::run(),
        Command::NewKernel(options) => new_kernel::run(&options),
        Command::Sizes => sizes::run(),
        Command::Layers => layers::run(),
        Command::Bindings(options) => test::layouts::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}
