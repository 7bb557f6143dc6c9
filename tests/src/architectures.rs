//! llama.cpp's `test-llama-archs`: runs tiny models of every architecture with random weights, and writes them as files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::tools::{self, Device, Missing, Tools};

/// Weights come from a seed.
const SEED: &str = "1";
const LIMIT: Duration = Duration::from_secs(7000);

/// One line of its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// llama.cpp's name of the architecture.
    pub name: String,
    /// "Dense" or "MoE".
    pub kind: String,
    /// How the logits compare with the CPU's: "OK (1.2e-06)", "FAIL (..)", "SKIP".
    pub logits: String,
    /// Whether the model written and read again gives the same logits: "OK", "FAIL" or "SKIP".
    pub round_trip: String,
}

/// `test-llama-archs` for the architectures whose names match a regular expression.
///
/// # Errors
/// It is not there.
pub fn program(tools: &Tools, device: Device<'_>, architectures: &str) -> Result<Command, Missing> {
    let mut command = tools.optional("test-llama-archs", device)?;
    tools::preload(&mut command)?.args(["-s", SEED, "-a", architectures]);
    Ok(command)
}

/// Runs the models on the first card and on the CPU, and compares.
///
/// # Errors
/// The program fails, or prints no table.
pub fn run(mut program: Command) -> Result<Vec<Row>> {
    let finished = tools::run(program.args(["-b", "TT0"]), LIMIT)?;
    let found = rows(&finished.out);
    finished.success()?;
    ensure!(!found.is_empty(), "no architecture ran");
    Ok(found)
}

/// Writes the models of the architectures to a folder; returns the files.
///
/// # Errors
/// The program fails or writes nothing.
pub fn write(mut program: Command, folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    tools::run(program.arg("-o").arg(folder), LIMIT)?.success()?;
    let files = std::fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
    ensure!(!files.is_empty(), "no model was written");
    Ok(files)
}

/// The lines of the table that tell of a model.
fn rows(output: &str) -> Vec<Row> {
    output.lines().filter_map(|line| row(&tools::plain(line)).ok()).collect()
}

fn row(line: &str) -> Result<Row> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, name, _, kind @ ("Dense" | "MoE"), logits, round_trip, ..] = fields[..] else {
        return None.context("no row of a model");
    };
    let [name, kind, logits, round_trip] = [name, kind, logits, round_trip].map(str::to_owned);
    Ok(Row { name, kind, logits, round_trip })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read() {
        let output = "|     Model arch.|   Device|Config|   NMSE vs. CPU|Roundtrip|\n\
            |----|----|------|------|------|\n\
            |            clip|Wormhole|Dense|\u{1b}[1;33mSKIP\u{1b}[0m           |    \u{1b}[1;33mSKIP\u{1b}[0m|\n\
            |           llama|Wormhole|  MoE|  \u{1b}[1;32mOK\u{1b}[0m (3.75e-06)|       \u{1b}[1;32mOK\u{1b}[0m|\n\
            |      interrupted|Wormhole|  MoE|";
        let row = |name: &str, kind: &str, logits: &str, round_trip: &str| {
            let [name, kind, logits, round_trip] = [name, kind, logits, round_trip].map(str::to_owned);
            Row { name, kind, logits, round_trip }
        };
        assert_eq!(
            rows(output)[..2],
            [row("clip", "Dense", "SKIP", "SKIP"), row("llama", "MoE", "OK (3.75e-06)", "OK")]
        );
    }
}
