//! How long models take to load, on the simulated card and on the CPU.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::gguf::{self, Mixture, Shape};
use crate::tools::{self, from_environment};
use crate::{Device, Missing, Tools};

const LIMIT: Duration = Duration::from_secs(300);
/// Loads of which the fastest counts; the first one also brings the file into memory.
const ROUNDS: usize = 3;

/// llama.cpp, our library, the program made from `tests/native/load.cpp`, and a folder for models.
pub struct Load {
    tools: Tools,
    program: PathBuf,
    folder: PathBuf,
}

impl Load {
    /// From the environment (`TT_LLAMA_BIN`, `TT_BACKEND_SO`, `TT_LOAD`, `TT_BENCH_DIR`).
    pub fn find() -> Result<Self, Missing> {
        Ok(Self {
            tools: Tools::find()?,
            program: from_environment("TT_LOAD", "the program made from tests/native/load.cpp")?,
            folder: from_environment("TT_BENCH_DIR", "a folder for generated models")?,
        })
    }

    /// A figure: seconds until all weights of a generated model are on the card, with threads' times; peer: the same file on the CPU.
    ///
    /// # Errors
    /// The model cannot be written or loaded.
    pub fn figure(&self, name: &str, shape: Shape, mixture: Mixture) -> Result<Value> {
        let model = self.folder.join(format!("{name}-{}.gguf", mixture.name()));
        if !model.is_file() {
            let partial = model.with_extension("partial");
            gguf::write(&partial, shape, mixture)?;
            std::fs::rename(&partial, &model)?;
        }
        let stats = self.folder.join("load-stats.json");
        let mut best: Option<(f64, f64, Value)> = None;
        let mut cpu = f64::MAX;
        for _ in 0..ROUNDS {
            let (taken, done) = self.load(&model, Device::SIM, &stats)?;
            if best.as_ref().is_none_or(|(_, least, _)| done < *least) {
                let text = std::fs::read_to_string(&stats).context("the library wrote no statistics")?;
                best = Some((taken, done, serde_json::from_str::<Value>(&text)?["weights"][0].clone()));
            }
            cpu = cpu.min(self.load(&model, Device::Cpu, &stats)?.1);
        }
        let (taken, done, weights) = best.context("nothing was loaded")?;
        let name = match mixture {
            Mixture::Q4_0 => format!("weights.load_{name}"),
            other => format!("weights.load_{name}.{}", other.name()),
        };
        Ok(json!({
            "name": name, "value": done, "unit": "s", "file": mixture.name(),
            "set_tensor_s": taken, "weights": weights,
            "peer": "llama.cpp on the CPU", "peer_value": cpu, "ratio": cpu / done,
        }))
    }

    /// Seconds until llama.cpp had the model, and until all of it was where it belongs.
    fn load(&self, model: &Path, device: Device<'_>, stats: &Path) -> Result<(f64, f64)> {
        let mut command = self.tools.prepare(&self.program, device);
        let name = if device == Device::Cpu { "cpu" } else { "TT0" };
        command.arg(model).arg(name).env("GGML_TT_STATS", stats);
        let finished = tools::run(&mut command, LIMIT)?.success()?;
        let line = finished.out.lines().last().context("load printed nothing")?;
        let mut numbers = line.split(' ').map(str::parse::<f64>);
        let mut next = || Ok::<_, anyhow::Error>(numbers.next().context("a number is missing")??);
        Ok((next()?, next()?))
    }
}
