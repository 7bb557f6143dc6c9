//! What llama.cpp's programs display and expect of every backend: properties, memory, features, ways to split a model.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use tt_tests::tools::Finished;
use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(900);
/// MiB that the library may have for itself: copies of views that later nodes can use again, and a node's own memory.
const SCRATCH: i64 = 300;

/// `llama-completion` with the demo model on the card, its log complete.
fn completion(tools: &Tools, options: &[&str]) -> Result<Finished> {
    let mut command = tools.program("llama-completion", Device::SIM);
    command.arg("-m").arg(tools::demo_model()).args(["-p", "And", "-n", "1", "--no-warmup", "-no-cnv"]);
    command.args(options);
    tools::preload(&mut command).map_err(|missing| anyhow!("{missing}"))?;
    tools::run(&mut command, LIMIT)
}

/// llama.cpp's table of a device's memory, in MiB: total, free, own, and unaccounted.
fn breakdown(log: &str) -> Result<[i64; 4]> {
    // The first one is from before anything is allocated.
    let row = log.lines().rfind(|line| line.contains("- TT0 (")).context("no memory breakdown of TT0")?;
    let numbers = row.rsplit_once("| ").context("no columns")?.1;
    let all: Vec<i64> = numbers
        .split(|letter: char| !letter.is_ascii_digit() && letter != '-')
        .filter_map(|word| word.parse().ok())
        .collect();
    match all[..] {
        [total, free, own, _, _, _, unaccounted] => Ok([total, free, own, unaccounted]),
        _ => Err(anyhow!("{row}")),
    }
}

/// Free memory is reduced by exactly what is allocated. With `-fit on` llama.cpp measures it first and sizes by it.
#[test]
fn memory_is_counted() {
    let tools = need!(Tools::find());
    need!(tools::native("libpreload.so"));
    let finished =
        completion(&tools, &["-ngl", "99", "-fit", "on", "-c", "512", "-v"]).unwrap().success().unwrap();
    let [total, free, own, unaccounted] = breakdown(&finished.err).unwrap();
    assert!(total > 4096 && own > 0, "total {total}, own {own}");
    assert!((0..=SCRATCH).contains(&unaccounted), "{unaccounted} MiB unaccounted, free {free} of {total}");
}

/// Layers that do not fit stay on the CPU, with `-fit on`; here nearly all of the card is to stay free.
#[test]
fn fit_goes_by_free_memory() {
    let tools = need!(Tools::find());
    need!(tools::native("libpreload.so"));
    let layers = |options: &[&str]| -> Result<(String, [i64; 4])> {
        let finished =
            completion(&tools, &[&["-fit", "on", "-c", "256", "-v"], options].concat())?.success()?;
        // `-fit` loads the model more than once; the last time counts.
        let mut offloaded = finished.err.lines().filter_map(|line| line.split_once("offloaded "));
        let (_, layers) = offloaded.next_back().context("no line about layers")?;
        Ok((layers.to_owned(), breakdown(&finished.err)?))
    };
    let (all, [total, ..]) = layers(&[]).unwrap();
    assert!(all.starts_with("5/5"), "{all}");
    let (few, _) = layers(&["-fitt", &(total - 4).to_string()]).unwrap();
    assert!(!few.starts_with("5/5"), "{few}");
}

/// The ways to split are layers and tensors; for rows llama.cpp says itself that there are none.
#[test]
fn rows_are_not_split() {
    let tools = need!(Tools::find());
    need!(tools::native("libpreload.so"));
    let finished = completion(&tools, &["-ngl", "99", "-fit", "off", "-sm", "row"]).unwrap();
    assert_ne!(finished.code, Some(0));
    assert!(finished.err.contains("does not support split buffers"), "{}", finished.err);
}

/// `system_info` has the features, and `-v` names the device with its memory.
#[test]
fn the_log_names_features_and_device() {
    let tools = need!(Tools::find());
    need!(tools::native("libpreload.so"));
    let finished = completion(&tools, &["-ngl", "99", "-v"]).unwrap().success().unwrap();
    let line = |what: &str| -> Result<&str> {
        let found = finished.err.lines().find(|line| line.contains(what));
        found.with_context(|| format!("no line with {what}"))
    };
    let info = line("system_info").unwrap();
    assert!(info.contains("Tenstorrent : ") && info.contains("ARCHS = wormhole"), "{info}");
    let device = line("using device TT0").unwrap();
    assert!(device.contains("Tenstorrent Wormhole") && device.contains("MiB free"), "{device}");
    assert!(finished.err.contains("ggml_tenstorrent: TT0: Tenstorrent Wormhole"), "{}", finished.err);
}

/// `llama-bench`: the backend and the device have their columns.
#[test]
fn bench_names_the_backend() {
    let tools = need!(Tools::find());
    let mut command = need!(tools.optional("llama-bench", Device::SIM));
    command.arg("-m").arg(tools::demo_model()).args(["-p", "1", "-n", "0", "-r", "1", "-ngl", "99"]);
    let row = bench_row(&mut command).unwrap();
    assert!(row["backends"].as_str().is_some_and(|names| names.contains("Tenstorrent")), "{row}");
    assert!(row["gpu_info"].as_str().is_some_and(|info| info.contains("Wormhole")), "{row}");
}

fn bench_row(command: &mut Command) -> Result<serde_json::Value> {
    let finished = tools::run(command.args(["-o", "json"]), LIMIT)?.success()?;
    let rows: serde_json::Value = serde_json::from_str(&finished.out)?;
    ensure!(rows[0].is_object(), "{}", finished.out);
    Ok(rows[0].clone())
}
