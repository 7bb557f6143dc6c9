//! Real models. `cargo xtask test` fetches them (its module `models` has the table) and names their folder in `TT_MODELS`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::tools::{self, Device, Missing, Temporary, Tools, from_environment};

/// A chat model of 135 million parameters, weights in Q4_1.
///
/// # Errors
/// It is not there.
pub fn smollm2() -> Result<PathBuf, Missing> {
    fetched("smollm2-135m-instruct-q4_1.gguf")
}

/// A model of 270 million parameters, weights in Q4_K, Q5_0, Q6_K and Q8_0.
///
/// # Errors
/// It is not there.
pub fn gemma() -> Result<PathBuf, Missing> {
    fetched("gemma-3-270m-q4_k_m.gguf")
}

/// Folder of an encoder of 23 million parameters, in F32, which [`crate::bert`] makes a model file of.
///
/// # Errors
/// It is not there.
pub fn minilm() -> Result<PathBuf, Missing> {
    fetched("all-minilm-l6-v2")
}

fn fetched(name: &str) -> Result<PathBuf, Missing> {
    let path = from_environment("TT_MODELS", "the folder of real models")?.join(name);
    let why = "`cargo xtask test` without a name fetches the encoder, `--full` all models";
    if path.exists() { Ok(path) } else { Err(Missing::of(&format!("{name} was not fetched; {why}"))) }
}

/// The numbers that a model's weights stand for, in F32: what any backend should compute with. Made by `llama-quantize` at first use and kept
/// beside the model.
///
/// # Errors
/// llama-quantize fails.
pub fn in_f32(tools: &Tools, model: &Path) -> Result<PathBuf> {
    let made = model.with_extension("f32.gguf");
    if made.exists() {
        return Ok(made);
    }
    let partial = model.with_extension("partial.gguf");
    let mut command = tools.program("llama-quantize", Device::Cpu);
    command.arg("--allow-requantize").arg(model).arg(&partial).arg("F32");
    tools::run(&mut command, Duration::from_secs(300))?.success()?;
    fs::rename(&partial, &made).with_context(|| format!("cannot make {}", made.display()))?;
    Ok(made)
}

/// The encoder in a folder as a model file, for one test.
///
/// # Errors
/// It is no BERT, or the file cannot be written.
pub fn encoder(folder: &Path, name: &str) -> Result<Temporary> {
    let file = Temporary::new(&format!("{name}.gguf"));
    crate::bert::convert(folder, file.path())?;
    Ok(file)
}
