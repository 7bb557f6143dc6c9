//! `cargo xtask demo`: text from an unmodified llama.cpp with our library underneath.
//!
//! What is shown comes from two witnesses: llama.cpp's own timing lines on standard error, and
//! the one JSON line that our library writes to the file named by `GGML_TT_STATS`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::process::{Echo, Watched, command, shown, watch};
use crate::{backend, llama, paths};

/// Options of `cargo xtask demo`.
#[derive(Args, Clone)]
pub struct Options {
    /// Device as in GGML_TT_DEVICES: sim, sim:n300, ttsim:PATH, 0; or cpu for llama.cpp without our library
    /// [default: the environment's GGML_TT_DEVICES, else sim]
    #[arg(long)]
    device: Option<String>,
    /// Text to continue
    #[arg(long, default_value = "In the beginning")]
    prompt: String,
    /// How many tokens to generate
    #[arg(long, default_value_t = 48)]
    tokens: u32,
    /// GGUF file [default: models/demo-bible-peace.gguf]
    #[arg(long)]
    model: Option<PathBuf>,
    /// Sampling temperature; 0 takes the likeliest token each time
    #[arg(long, default_value_t = 0.7)]
    temp: f32,
    /// Seed of the sampler
    #[arg(long, default_value_t = 7)]
    seed: u32,
    /// Show all of llama.cpp's log
    #[arg(long, short)]
    verbose: bool,
}

impl Options {
    /// What `bench` runs: short and greedy.
    fn for_bench(device: &str, tokens: u32) -> Self {
        Self {
            device: Some(device.to_owned()),
            prompt: "In the beginning".to_owned(),
            tokens,
            model: None,
            temp: 0.0,
            seed: 7,
            verbose: false,
        }
    }

    fn device(&self) -> String {
        let from_environment = || std::env::var("GGML_TT_DEVICES").ok().filter(|text| !text.is_empty());
        self.device.clone().or_else(from_environment).unwrap_or_else(|| "sim".to_owned())
    }
}

/// What our library reports about one process (the JSON line of `GGML_TT_STATS`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stats {
    /// Operators that ran on the device, by ggml's name, with the number of graph nodes.
    ops: BTreeMap<String, u64>,
    /// Tensix instructions executed, where the device can count them.
    tensix_instructions: Option<u64>,
    /// Baby RISC-V instructions executed, where the device can count them.
    riscv_instructions: Option<u64>,
    /// Kernel launches.
    launches: u64,
}

/// Figures of one generation.
struct Outcome {
    /// Tokens per second while generating.
    tokens_per_second: f64,
    /// Tokens per second while reading the prompt.
    prompt_tokens_per_second: f64,
    /// What the library counted; `None` when it was not loaded.
    stats: Option<Stats>,
}

/// `cargo xtask demo`.
pub fn run(options: &Options) -> Result<()> {
    let outcome = generate(options, Echo::Shown)?;
    println!("\n");
    println!("device               {}", options.device());
    println!("prompt               {:.2} tokens/s", outcome.prompt_tokens_per_second);
    println!("generation           {:.2} tokens/s", outcome.tokens_per_second);
    let Some(stats) = outcome.stats else { return Ok(()) };
    let ops: Vec<String> = stats.ops.iter().map(|(name, count)| format!("{name} x {count}")).collect();
    println!("on the device        {}", if ops.is_empty() { "nothing".to_owned() } else { ops.join(", ") });
    println!("kernel launches      {}", grouped(stats.launches));
    println!("Tensix instructions  {}", counted(stats.tensix_instructions));
    println!("RISC-V instructions  {}", counted(stats.riscv_instructions));
    if stats.ops.is_empty() {
        bail!("no operator ran on the device");
    }
    Ok(())
}

/// Tokens per second of a short generation on a device, the first token not counted.
pub fn measure(device: &str, tokens: u32) -> Result<f64> {
    Ok(generate(&Options::for_bench(device, tokens), Echo::Kept)?.tokens_per_second)
}

/// llama.cpp's logging thread may miss the end of a run, the timings included: how often to try.
const TRIES: usize = 10;

/// Builds what is needed and generates.
fn generate(options: &Options, echo: Echo) -> Result<Outcome> {
    let device = options.device();
    let model = match &options.model {
        Some(path) => paths::existing(path, "--model")?,
        None => paths::demo_model(),
    };
    let llama = llama::ensure()?;
    let work = paths::target().join("demo");
    fs::create_dir_all(&work)?;
    let stats_file = work.join("stats.json");
    let _ = fs::remove_file(&stats_file);

    let mut command = completion(&llama, options, &model)?;
    let on_card = device != "cpu";
    if on_card {
        command.env("GGML_BACKEND_PATH", backend::build()?).env("GGML_TT_DEVICES", &device);
        command.env("GGML_TT_STATS", &stats_file);
    } else {
        command.env_remove("GGML_BACKEND_PATH");
    }
    eprintln!("running {} on {device}\n", model.file_name().unwrap_or_default().to_string_lossy());
    let log = work.join("llama.log");
    let mut once = || {
        let watched = watch(&mut command, &log, None, echo, |line| options.verbose || worth_showing(line))?;
        finish(&command, &watched, &log)?;
        anyhow::Ok(watched)
    };
    let mut watched = once()?;
    for _ in 1..TRIES {
        if speed(&watched.log, "eval time", Some("prompt")).is_ok() {
            break;
        }
        eprintln!(
            "\nllama.cpp lost the end of its log (it does so now and then, on any backend); once more\n"
        );
        watched = once()?;
    }
    Ok(Outcome {
        tokens_per_second: speed(&watched.log, "eval time", Some("prompt"))?,
        prompt_tokens_per_second: speed(&watched.log, "prompt eval time", None)?,
        stats: if on_card { Some(read_stats(&stats_file)?) } else { None },
    })
}

/// llama-completion, told to generate once and never to ask; all layers on the device.
fn completion(llama: &llama::Llama, options: &Options, model: &Path) -> Result<Command> {
    let mut command = command(llama.program("llama-completion")?);
    command.arg("-m").arg(model).args(["-p", &options.prompt, "-n", &options.tokens.to_string()]);
    command.args(["--temp", &options.temp.to_string(), "--seed", &options.seed.to_string()]);
    command.args(["-ngl", "99", "-c", "256", "-fit", "off"]);
    command.args(["-no-cnv", "--no-warmup", "--simple-io", "--perf", "--color", "off"]);
    Ok(command)
}

/// Our library's own lines, and whatever llama.cpp calls an error.
fn worth_showing(line: &str) -> bool {
    line.contains("ggml_tenstorrent") || line.contains(" E ")
}

fn finish(command: &Command, watched: &Watched, log: &Path) -> Result<()> {
    if watched.status.is_some_and(|status| status.success()) {
        return Ok(());
    }
    let lines: Vec<&str> = watched.log.lines().collect();
    let tail = lines[lines.len().saturating_sub(15)..].join("\n");
    let how = watched.status.map_or_else(|| "stopped".to_owned(), |status| status.to_string());
    bail!("`{}` failed ({how}); whole log in {}, its end:\n{tail}", shown(command), log.display());
}

/// Tokens per second from a line of llama.cpp's timing table.
fn speed(log: &str, label: &str, but_not: Option<&str>) -> Result<f64> {
    log.lines()
        .filter(|line| line.contains(label) && !but_not.is_some_and(|other| line.contains(other)))
        .find_map(|line| {
            let (before, _) = line.split_once("tokens per second")?;
            before.rsplit(',').next()?.trim().parse().ok()
        })
        .with_context(|| format!("llama.cpp printed no line with `{label}`"))
}

fn read_stats(file: &Path) -> Result<Stats> {
    let text = fs::read_to_string(file)
        .with_context(|| "our library wrote no statistics: llama.cpp did not load it or never used it")?;
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{} is not the expected JSON: {line}", file.display()))
}

fn counted(number: Option<u64>) -> String {
    number.map_or_else(|| "not counted by this device".to_owned(), grouped)
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn speeds_are_read_from_timing_lines() {
        let log = "I common_perf_print: prompt eval time =  13.70 ms /  5 tokens (  2.74 ms per token,   365.10 tokens per second)\n\
                   I common_perf_print:        eval time =  11.14 ms / 47 runs   (  0.24 ms per token,  4218.27 tokens per second)\n";
        assert_eq!(speed(log, "prompt eval time", None).unwrap(), 365.10);
        assert_eq!(speed(log, "eval time", Some("prompt")).unwrap(), 4218.27);
        assert!(speed("nothing", "eval time", None).is_err());
    }
}
