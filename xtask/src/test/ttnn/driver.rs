//! Our runtime over the vendor's user-mode driver, with our simulator in place of a card: its tests, and the demo's text.
//!
//! ```text
//! llama.cpp -> library with feature `metal` -> the wheel's libtt-umd.so -> target/ttnn/simulator/libttsim.so
//! ```
//! What is built with the feature is copied to `target/ttnn`: the next build without it takes its place in cargo's folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Installed;
use crate::backend::publish;
use crate::llama::Llama;
use crate::process::{Echo, cargo, command, run, shown, watch};
use crate::{paths, tools};

/// The driver asks for one clock with every read, and a launch takes thousands.
const CLOCKS: &str = "256";
/// Longest run of the demo.
const LIMIT: Duration = Duration::from_secs(600);

/// What the driver asks for.
struct Setting {
    wheel: PathBuf,
    simulator: PathBuf,
}

impl Setting {
    fn new(installed: &Installed) -> Result<Self> {
        run(cargo().args(["build", "-p", "tt-ttsim-abi"]))?;
        let folder = paths::target().join("ttnn/simulator");
        fs::create_dir_all(&folder)?;
        let simulator = folder.join("libttsim.so");
        publish(&paths::target().join("debug/libttsim.so"), &simulator)?;
        let description = "soc_descriptor.yaml";
        publish(&paths::root().join("simulator/ttsim-abi").join(description), &folder.join(description))?;
        Ok(Self { wheel: installed.package.clone(), simulator })
    }

    fn apply<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("TTNN_WHEEL", &self.wheel)
            .env("TT_METAL_SIMULATOR", &self.simulator)
            .env("TT_SIM_BOARD", "n150")
            .env("TT_SIM_CLOCKS", CLOCKS)
            .env("TT_LOGGER_LEVEL", "fatal")
    }
}

/// Tests of the bridge and of the transport; with llama.cpp the demo's text on it, which must be that of the built-in simulator.
pub fn check(installed: &Installed, host: Option<&Llama>) -> Result<()> {
    tools::ensure_device_target()?;
    let setting = Setting::new(installed)?;
    let mut tests = cargo();
    tests.args(if tools::has_nextest() { ["nextest", "run"].as_slice() } else { &["test"] });
    tests.args(["-p", "tt-sys", "-p", "tt-runtime", "--features", "tt-sys/metal,tt-runtime/metal"]);
    run(setting.apply(tests.args(["--test", "umd", "--test", "metal"])))?;
    let Some(host) = host else {
        println!("SKIPPED: llama.cpp was not built, so nothing could be generated");
        return Ok(());
    };
    run(cargo().args(["build", "-p", "ggml-tenstorrent", "--features", "metal"]))?;
    let library = paths::target().join("ttnn/libggml_tenstorrent.so");
    publish(&paths::target().join("debug/libggml_tenstorrent.so"), &library)?;
    let here = text(host, &setting, &library, "sim", "n150")?;
    // The second chip of an n300 has no PCIe: the driver reaches it by Ethernet.
    for (device, board) in [("metal:0", "n150"), ("metal:1", "n300"), ("metal:0,metal:1", "n300")] {
        let there = text(host, &setting, &library, device, board)?;
        ensure!(there == here, "other texts.\n  {device} of an {board}: {there}\n  sim: {here}");
        println!("{device} of an {board}, the same text as on the built-in simulator: {}", there.trim());
    }
    Ok(())
}

/// The demo model's text on a device, which must have computed it.
fn text(host: &Llama, setting: &Setting, library: &Path, device: &str, board: &str) -> Result<String> {
    let folder = paths::target().join("ttnn");
    let stats = folder.join("stats.json");
    let _ = fs::remove_file(&stats);
    let mut command = command(host.program("llama-completion")?);
    setting.apply(&mut command).current_dir(&folder).env("TT_SIM_BOARD", board);
    command.env("GGML_BACKEND_PATH", library).env("GGML_TT_DEVICES", device).env("GGML_TT_STATS", &stats);
    command.arg("-m").arg(paths::demo_model()).args(["-ngl", "99", "-p", "In the beginning", "-n", "8"]);
    command.args(["--temp", "0", "-c", "256", "-fit", "off", "-no-cnv", "--no-warmup", "--simple-io"]);
    let log = folder.join("llama.log");
    let ended = watch(&mut command, &log, Some(LIMIT), Echo::Kept, |line| line.contains("ggml_tenstorrent"))?;
    ensure!(ended.status.is_some_and(|it| it.success()), "`{}` failed:\n{}", shown(&command), ended.log);
    let stats: serde_json::Value = serde_json::from_str(&fs::read_to_string(&stats)?)?;
    ensure!(stats["ops"]["MUL_MAT"].as_u64().unwrap_or(0) > 0, "nothing ran on {device}: {}", stats["ops"]);
    Ok(ended.out)
}
