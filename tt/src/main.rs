//! `tt`: what Tenstorrent cards there are, whether they work, and how fast they are.
//!
//! ```text
//! main: arguments -> devices (the grammar of GGML_TT_DEVICES) -> a command
//!   info       cards and what is known of them          -> telemetry
//!   selftest   every tile, bank, link and unit          -> machine, program -> tt-runtime: Link
//!   picture    the grid with what was found
//! ```
//!
//! Exit codes: 0 all is well, 1 a fault was found on a chip, 2 the command could not be carried out.

mod bench;
mod commands;
mod findings;
mod inventory;
mod machine;
mod picture;
mod program;
mod requests;
mod selftest;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;
use commands::{Command, Done};

/// Tenstorrent cards: what there is, whether it works, how fast it is.
#[derive(Parser)]
#[command(version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Faults) => ExitCode::from(1),
        Err(error) => {
            anstream::eprintln!("tt: {error}");
            ExitCode::from(2)
        }
    }
}
