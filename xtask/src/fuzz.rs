//! `cargo xtask fuzz`: the fuzzers of package `tt-fuzz`, built for speed.
//!
//! `diff` needs `TTSIM_LIB`, the path of a vendor `libttsim.so`; `robust` needs nothing.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::process::{cargo, run as run_command};

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    fuzzer: Fuzzer,
}

#[derive(Subcommand)]
enum Fuzzer {
    /// Random cases on this simulator and on the vendor's: `--cases N --seed S [--family F] [--jobs J] [--json]`
    Diff(Rest),
    /// Random code, host accesses and images: `--minutes M [--seed S]`
    Robust(Rest),
}

/// Everything else goes to the program.
#[derive(Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// `cargo xtask fuzz`.
pub fn run(options: &Options) -> Result<()> {
    let (name, rest) = match &options.fuzzer {
        Fuzzer::Diff(rest) => ("diff", rest),
        Fuzzer::Robust(rest) => ("robust", rest),
    };
    let program = ["run", "--quiet", "--release", "--package", "tt-fuzz", "--", name];
    run_command(cargo().args(program).args(&rest.rest))
}
