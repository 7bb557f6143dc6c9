//! `cargo xtask bench`: figures, as a table or as JSON (one object per figure).
//!
//! The simulator's own figures come from the program `tt-bench-sim` of package `tt-tests`, which drives the built-in
//! and, when `TTSIM_LIB` names it, the vendor's simulator through the same transport; `demo.tokens_per_s` comes from a run of the demo.
//! Figures of weights come from `tt-bench-weights`, those of silicon from `tt-bench-silicon`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::process::{self, cargo};
use crate::test::native;
use crate::{backend, demo, llama, paths};

/// Tokens that the demo generates on our simulator.
const TOKENS: u32 = 16;
/// On the vendor's, which takes many seconds for each: the first one comes with the prompt, the second one is measured.
const PEER_TOKENS: u32 = 2;

/// What to measure.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The simulator and the demo on it
    Sim,
    /// Conversion of weights to tiles, and loading of a model
    Weights,
    /// What the timed mode says of silicon: `anchors` are things that somebody has measured there, `predictions` are whole models
    Silicon,
}

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub struct Options {
    /// What to measure
    #[arg(value_enum, default_value = "sim")]
    subject: Subject,
    /// Of `silicon`: only these; `anchors`, `predictions`, or names of figures
    only: Vec<String>,
    /// Of `silicon` with one prediction: an SVG of what the chip was busy with
    #[arg(long)]
    picture: Option<PathBuf>,
    /// Of `--picture`: only operators and tensors whose names contain this text, as in "MUL_MAT Qcur"
    #[arg(long, requires = "picture")]
    of: Option<String>,
    /// One JSON object per line and nothing else on standard output
    #[arg(long)]
    json: bool,
}

/// One figure. The peer does the same work on the same machine.
#[derive(Serialize, Deserialize)]
pub struct Figure {
    name: String,
    value: f64,
    unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    /// What else belongs to the figure.
    #[serde(flatten)]
    more: serde_json::Map<String, serde_json::Value>,
}

/// `cargo xtask bench`.
pub fn run(options: &Options) -> Result<()> {
    let peer = env::var("TTSIM_LIB").ok().filter(|path| !path.is_empty());
    if let Some(path) = &peer
        && !Path::new(path).is_file()
    {
        bail!("TTSIM_LIB: {path} does not exist");
    }
    // As soon as it is measured.
    let print = |figure: &Figure| {
        let line = if options.json { serde_json::to_string(figure)? } else { figure.line() };
        println!("{line}");
        Ok(())
    };
    match options.subject {
        Subject::Sim => {
            figures(&mut program("tt-bench-sim"), &print)?;
            print(&demo_figure(peer.as_deref())?)?;
        }
        Subject::Weights => weights(&print)?,
        Subject::Silicon => silicon(options, &print)?,
    }
    if peer.is_none() && options.subject == Subject::Sim {
        eprintln!("no ratios: TTSIM_LIB does not name a vendor simulator");
    }
    Ok(())
}

/// Figures of the program `tt-bench-weights`; ratios to the vendor's function if `TTNN_WHEEL` names the unpacked wheel.
fn weights(print: &dyn Fn(&Figure) -> Result<()>) -> Result<()> {
    let host = llama::ensure()?;
    let library = backend::build()?;
    let load = native::build(&host, "load")?;
    let models = paths::target().join("bench");
    fs::create_dir_all(&models)?;
    // The vendor's function is called by a program beside it.
    process::run(cargo().args(["build", "--quiet", "--release", "--package", "tt-tests", "--bins"]))?;
    figures(
        program("tt-bench-weights")
            .env("TT_LLAMA_BIN", host.bin())
            .env("TT_BACKEND_SO", library)
            .env("TT_LOAD", load)
            .env("TT_BENCH_DIR", models),
        print,
    )
}

/// Figures of the program `tt-bench-silicon`. Only predictions need llama.cpp.
fn silicon(options: &Options, print: &dyn Fn(&Figure) -> Result<()>) -> Result<()> {
    let only = &options.only;
    let mut program = program("tt-bench-silicon");
    program.arg("--").args(only);
    if let Some(file) = &options.picture {
        program.arg("--picture").arg(std::path::absolute(file)?);
    }
    if let Some(of) = &options.of {
        program.args(["--of", of]);
    }
    if only.is_empty() || only.iter().any(|name| is_prediction(name)) {
        let host = llama::ensure()?;
        let library = backend::build()?;
        let layer = native::build(&host, "layer")?;
        program.env("TT_LLAMA_BIN", host.bin()).env("TT_BACKEND_SO", library).env("TT_LAYER", layer);
    }
    figures(&mut program, print)
}

/// Whether a name is `predictions`, or a model's figure, as `1b.decode` is.
fn is_prediction(name: &str) -> bool {
    let name = name.trim_start_matches("silicon.");
    name == "predictions" || name.starts_with(|c: char| c.is_ascii_digit())
}

/// A program of package `tt-tests`.
fn program(name: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--release", "--package", "tt-tests", "--bin", name]);
    command
}

/// The figures that a program prints, one a line.
fn figures(program: &mut Command, print: &dyn Fn(&Figure) -> Result<()>) -> Result<()> {
    process::each_line(program, |line| print(&serde_json::from_str(line)?))
}

fn demo_figure(peer: Option<&str>) -> Result<Figure> {
    let value = demo::measure("sim", TOKENS)?;
    let peer_value = peer.map(|path| demo::measure(&format!("ttsim:{path}"), PEER_TOKENS)).transpose()?;
    Ok(Figure {
        name: "demo.tokens_per_s".to_owned(),
        value,
        unit: "tokens/s".to_owned(),
        peer: peer.map(|_| "ttsim".to_owned()),
        peer_value,
        ratio: peer_value.map(|peer| value / peer),
        more: serde_json::Map::new(),
    })
}

impl Figure {
    fn line(&self) -> String {
        let mut line = format!("{:<20} {:>14.4e} {:<16}", self.name, self.value, self.unit);
        let more = |name: &str| self.more.get(name).and_then(serde_json::Value::as_f64);
        if let (Some(published), Some(deviation)) = (more("published"), more("deviation")) {
            line.push_str(&format!("  published {published:.4e}  {:+.1} %", 100.0 * deviation));
        }
        if let (Some(ms), Some(part)) = (more("ms"), more("roofline_part")) {
            line.push_str(&format!("  {ms:.1} ms  {:.1} % of the roofline", 100.0 * part));
        }
        if let (Some(peer), Some(value), Some(ratio)) = (&self.peer, self.peer_value, self.ratio) {
            line.push_str(&format!("  {peer} {value:.4e}  ratio {ratio:.2}"));
        }
        line
    }
}
