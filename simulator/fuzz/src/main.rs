//! Program `tt-fuzz`: see the library.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tt_fuzz::campaign::{self, Options};
use tt_fuzz::corpus::{self, Entry, Expected};
use tt_fuzz::family::Family;
use tt_fuzz::report;
use tt_fuzz::robust::Limit;
use tt_fuzz::run::{Vendor, capacity};

/// Fuzzers of the simulator.
#[derive(Parser)]
#[command(name = "tt-fuzz", about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Random cases on this simulator and on the vendor's (`TTSIM_LIB`)
    Diff(Diff),
    /// Random code, host accesses and images on this simulator: nothing may panic, hang or leak
    Robust(Robust),
    /// Records what the vendor's simulator (`TTSIM_LIB`) makes of the cases in files
    Record {
        /// Files of cases
        files: Vec<PathBuf>,
    },
}

/// Options of `diff`.
#[derive(clap::Args)]
struct Diff {
    /// How many cases
    #[arg(long, default_value_t = 100_000)]
    cases: u64,
    /// Number of the first one: what a finding's file name has, to see it again
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Which cases: the same seed gives the same ones
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this family: riscv, scalar, counters, sync, unpack, matrix, pack, expand, sfpu, noc
    #[arg(long, value_parser = family)]
    family: Option<Family>,
    /// Threads, each with its own simulators
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// One JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Folder for the differences found, a file each
    #[arg(long, default_value = "target/fuzz")]
    findings: PathBuf,
    /// Folder for cases that cover something the corpus does not, a file for each family
    #[arg(long)]
    propose: Option<PathBuf>,
}

/// Options of `robust`.
#[derive(clap::Args)]
struct Robust {
    /// How long
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Which executions: the same seed gives the same ones
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn family(name: &str) -> Result<Family, String> {
    Family::of_name(name).ok_or_else(|| format!("no family {name}"))
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Diff(options) => diff(&options),
        Command::Robust(options) => robust(&options).map(|()| true),
        Command::Record { files } => files.iter().try_for_each(|file| record(file)).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn library() -> Result<PathBuf> {
    let path = std::env::var_os("TTSIM_LIB")
        .map(PathBuf::from)
        .context("TTSIM_LIB does not name a vendor library")?;
    if !path.is_file() {
        bail!("TTSIM_LIB: {} does not exist", path.display());
    }
    Ok(path)
}

/// Whether there was no difference.
fn diff(options: &Diff) -> Result<bool> {
    let start = Instant::now();
    let Diff { cases, first, seed, family, jobs, .. } = *options;
    let progress = |cases, differ| eprintln!("{cases} cases, {differ} differences");
    let so_far = || -> Result<Vec<Entry>> {
        let files = corpus::folder(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")))?;
        Ok(files.into_iter().flat_map(|(_, entries)| entries).collect())
    };
    let known = options.propose.is_some().then(so_far).transpose()?;
    let campaign = Options { first, cases, seed, family, jobs, propose: known, progress };
    let report = campaign::run(&library()?, &campaign)?;
    let seconds = start.elapsed().as_secs_f64();
    if options.json {
        println!("{}", report::json(&report, seconds));
    } else {
        print!("{}", report::table(&report, seconds));
    }
    for (i, finding) in report.findings.iter().enumerate() {
        std::fs::create_dir_all(&options.findings)?;
        let name = format!("{}-{seed}-{}-{i}.case", finding.case.family.name(), finding.n);
        let file = options.findings.join(name);
        std::fs::write(&file, report::finding(finding))?;
        eprintln!("{}: {}", file.display(), finding.difference);
    }
    if let Some(folder) = &options.propose {
        propose(folder, &report.proposals)?;
    }
    Ok(report.total().differ == 0)
}

fn propose(folder: &Path, proposals: &[Entry]) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for (family, name, _) in Family::ALL {
        let text: Vec<String> =
            proposals.iter().filter(|entry| entry.case.family == family).map(corpus::to_text).collect();
        if !text.is_empty() {
            std::fs::write(folder.join(format!("{name}.cases")), text.join("\n"))?;
        }
    }
    Ok(())
}

fn robust(options: &Robust) -> Result<()> {
    let time = Duration::from_secs_f64(60.0 * options.minutes);
    println!("{}", tt_fuzz::robust::run(options.seed, Limit::Time(time))?);
    Ok(())
}

/// Writes the results of the vendor's simulator into a file; comments at its head stay.
fn record(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut entries = corpus::parse(&text).with_context(|| file.display().to_string())?;
    let mut vendor = Vendor::start(&library()?)?;
    for entry in &mut entries {
        let outcomes = vendor.run(&[&entry.case])?;
        entry.expected = Expected::of(&outcomes[0]).context("a case does not come to its end")?;
    }
    let head: String =
        text.lines().take_while(|line| line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let cases: Vec<String> = entries.iter().map(corpus::to_text).collect();
    std::fs::write(file, head + "\n" + &cases.join("\n"))?;
    println!("{}: {} cases, {} at once", file.display(), entries.len(), capacity(false));
    Ok(())
}
