//! `cargo xtask demo`: text from an unmodified llama.cpp with this library.
//!
//! The statistics come from the one JSON line that the library writes to the file named by `GGML_TT_STATS`: operators,
//! instructions, and the times of passes over the model. llama.cpp's own timing lines are in its log, whose end is not always
//! written. On the CPU, without the library, `llama-bench` measures the speed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::process::{Echo, Watched, capture, command, shown, watch};
use crate::test::native;
use crate::{backend, llama, models, paths, tools};

/// Options of `cargo xtask demo`.
#[derive(Args, Clone)]
pub struct Options {
    /// Device as in GGML_TT_DEVICES: sim, sim:n300, ttsim:PATH, 0; or cpu for llama.cpp without our library
    /// [default: the environment's GGML_TT_DEVICES, else sim]
    #[arg(long)]
    device: Option<String>,
    /// Text to continue, or with a chat model the question [default: one that suits the model]
    #[arg(long)]
    prompt: Option<String>,
    /// How many tokens to generate, at most [default: 48; fewer with a larger model]
    #[arg(long)]
    tokens: Option<u32>,
    /// A GGUF file; or smollm2 or gemma, which are fetched [default: models/demo-bible-peace.gguf]
    #[arg(long)]
    model: Option<String>,
    /// Ask by the model's own chat template instead of continuing the text; smollm2 is always asked so
    #[arg(long)]
    chat: bool,
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
            prompt: None,
            tokens: Some(tokens),
            model: None,
            chat: false,
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
    /// Passes over the model.
    passes: Vec<Pass>,
}

/// Passes over the model with the same number of rows: tokens of a batch.
#[derive(Debug, Deserialize)]
struct Pass {
    /// Device that was part of it.
    device: String,
    rows: u64,
    count: u64,
    /// Seconds in graphs of the device.
    graph_s: f64,
    /// Seconds between them since the pass before: sampling, and what is computed elsewhere.
    between_s: f64,
}

/// How fast a run was, in tokens per second; `None` where nothing was to be measured.
#[derive(Debug, Default, PartialEq)]
struct Speed {
    prompt: Option<f64>,
    generation: Option<f64>,
}

impl Speed {
    /// From the passes of the first device; all that share the model have the same ones. A generated token is a pass with one
    /// row, from the end of the pass before to its own; the first token comes with the prompt.
    fn of(passes: &[Pass]) -> Self {
        let first = passes.iter().map(|pass| pass.device.as_str()).min().unwrap_or_default();
        let speed = |wanted: &dyn Fn(u64) -> bool| {
            let chosen = passes.iter().filter(|pass| pass.device == first && wanted(pass.rows));
            let (tokens, seconds) = chosen.fold((0, 0.0), |(tokens, seconds), pass| {
                (tokens + pass.rows * pass.count, seconds + pass.graph_s + pass.between_s)
            });
            (tokens > 0 && seconds > 0.0).then(|| tokens as f64 / seconds)
        };
        Self { prompt: speed(&|rows| rows > 1), generation: speed(&|rows| rows == 1) }
    }
}

/// What one generation left behind.
struct Outcome {
    speed: Speed,
    /// What the library counted; `None` when it was not loaded.
    stats: Option<Stats>,
}

/// `cargo xtask demo`.
pub fn run(options: &Options) -> Result<()> {
    let outcome = generate(options, Echo::Shown)?;
    println!("\n");
    println!("device               {}", options.device());
    println!("prompt               {}", per_second(outcome.speed.prompt));
    println!("generation           {}", per_second(outcome.speed.generation));
    let Some(stats) = outcome.stats else {
        println!("                     (both measured by llama-bench in a run of its own)");
        return Ok(());
    };
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

/// Tokens per second of a short generation on a device with our library, the first token not counted.
pub fn measure(device: &str, tokens: u32) -> Result<f64> {
    let outcome = generate(&Options::for_bench(device, tokens), Echo::Kept)?;
    outcome.speed.generation.context("no token was generated after the first one")
}

/// A model and how it is run.
struct Chosen {
    file: PathBuf,
    chat: bool,
    prompt: &'static str,
    tokens: u32,
    /// Tokens per second to expect, in words; nothing where it is not worth a line.
    expect: Option<&'static str>,
}

impl Chosen {
    /// One of ours by its name (fetched if need be), a file, or the demo model.
    fn by(model: Option<&str>) -> Result<Self> {
        let like_the_demo =
            |file| Self { file, chat: false, prompt: "In the beginning", tokens: 48, expect: None };
        let Some(text) = model else { return Ok(like_the_demo(paths::demo_model())) };
        if let Some(known) = models::named(text) {
            let demo = known.demo.as_ref();
            let demo = demo.with_context(|| format!("--model: {} generates no text", known.title))?;
            let (chat, prompt, tokens) = (demo.chat, demo.prompt, demo.tokens);
            return Ok(Self { file: known.ensure()?, chat, prompt, tokens, expect: Some(demo.expect) });
        }
        if !Path::new(text).exists() {
            bail!("--model: {text} is neither a file nor one of {}", models::names());
        }
        Ok(like_the_demo(paths::existing(Path::new(text), "--model")?))
    }
}

/// Builds what is needed and generates.
fn generate(options: &Options, echo: Echo) -> Result<Outcome> {
    let device = options.device();
    let on_card = device != "cpu";
    if on_card {
        // Before the long part.
        tools::ensure_device_target()?;
    }
    let model = Chosen::by(options.model.as_deref())?;
    let llama = llama::ensure()?;
    let work = paths::target().join("demo");
    fs::create_dir_all(&work)?;
    let stats_file = work.join("stats.json");
    let _ = fs::remove_file(&stats_file);

    let mut command = completion(&llama, options, &model)?;
    if on_card {
        command.env("GGML_BACKEND_PATH", backend::build()?).env("GGML_TT_DEVICES", &device);
        command.env("GGML_TT_STATS", &stats_file);
    } else {
        command.env_remove("GGML_BACKEND_PATH");
    }
    // llama.cpp writes its text from a thread that it does not wait for at the end; this library does. Without it (no compiler, or another
    // llama.cpp), the last words may be missing now and then.
    if llama.bin().join("libllama-common.so").is_file()
        && let Ok(library) = native::build_preload(&llama)
    {
        command.env("LD_PRELOAD", library);
    }
    eprintln!("running {} on {device}", model.file.file_name().unwrap_or_default().to_string_lossy());
    if let (Some(rate), true) = (model.expect, device.starts_with("sim")) {
        eprintln!("the simulator is slow: {rate} on two idle processors, after the prompt");
    }
    eprintln!();
    let log = work.join("llama.log");
    let watched = watch(&mut command, &log, None, echo, |line| options.verbose || worth_showing(line))?;
    finish(&command, &watched, &log)?;
    if !on_card {
        return Ok(Outcome { speed: cpu_speed(&llama, options, &model)?, stats: None });
    }
    let stats = read_stats(&stats_file)?;
    Ok(Outcome { speed: Speed::of(&stats.passes), stats: Some(stats) })
}

/// What `llama-bench` measures on the CPU. A build of llama.cpp without it leaves the figures out.
fn cpu_speed(llama: &llama::Llama, options: &Options, model: &Chosen) -> Result<Speed> {
    let Ok(program) = llama.program("llama-bench") else { return Ok(Speed::default()) };
    let mut command = command(program);
    command
        .env_remove("GGML_BACKEND_PATH")
        .arg("-m")
        .arg(&model.file)
        .args(["-ngl", "0", "-r", "1", "-o", "jsonl"]);
    command.args(["-p", "32", "-n", &options.tokens.unwrap_or(model.tokens).max(1).to_string()]);
    let rows = capture(&mut command)?;
    let speed = |tokens: &str| {
        let rows = rows.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        rows.filter(|row| row[tokens].as_u64().is_some_and(|count| count > 0))
            .find_map(|row| row["avg_ts"].as_f64())
    };
    Ok(Speed { prompt: speed("n_prompt"), generation: speed("n_gen") })
}

/// llama-completion, told to generate once and never to ask; all layers on the device.
fn completion(llama: &llama::Llama, options: &Options, model: &Chosen) -> Result<Command> {
    let mut command = command(llama.program("llama-completion")?);
    let prompt = options.prompt.as_deref().unwrap_or(model.prompt);
    let tokens = options.tokens.unwrap_or(model.tokens);
    command.arg("-m").arg(&model.file).args(["-p", prompt, "-n", &tokens.to_string()]);
    command.args(["--temp", &options.temp.to_string(), "--seed", &options.seed.to_string()]);
    command.args(["-ngl", "99", "-c", "256", "-fit", "off"]);
    command.args(if options.chat || model.chat { &["-cnv", "--single-turn"][..] } else { &["-no-cnv"] });
    command.args(["--no-warmup", "--simple-io", "--color", "off"]);
    Ok(command)
}

/// The library's own lines, and llama.cpp's errors.
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

fn read_stats(file: &Path) -> Result<Stats> {
    let text = fs::read_to_string(file).with_context(
        || "our library wrote no statistics: llama.cpp did not load it, or it has no device (it says why)",
    )?;
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{} is not the expected JSON: {line}", file.display()))
}

fn per_second(speed: Option<f64>) -> String {
    speed.map_or_else(|| "not measured".to_owned(), |speed| format!("{speed:.2} tokens/s"))
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
    fn speeds_are_those_of_the_first_device() {
        let stats: Stats = serde_json::from_str(
            r#"{ "passes": [
                { "device": "TT0", "rows": 1, "count": 10, "graph_s": 3.0, "between_s": 2.0 },
                { "device": "TT0", "rows": 6, "count": 2, "graph_s": 3.0, "between_s": 1.0 },
                { "device": "TT1", "rows": 1, "count": 10, "graph_s": 1.0, "between_s": 4.5 } ] }"#,
        )
        .unwrap();
        assert_eq!(Speed::of(&stats.passes), Speed { prompt: Some(3.0), generation: Some(2.0) });
        assert_eq!(Speed::of(&stats.passes[1..2]), Speed { prompt: Some(3.0), generation: None });
        assert_eq!(Speed::of(&[]), Speed::default());
    }
}
