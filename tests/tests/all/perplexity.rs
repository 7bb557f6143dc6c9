//! Perplexity of the demo model on text that it has not seen: the card within one per cent of the CPU.

use std::time::Duration;

use anyhow::Result;
use tt_tests::{Device, Tools, compare, need, tools};

/// The model's context; eight chunks of it are 2,048 tokens.
const CONTEXT: &str = "256";
const CHUNKS: &str = "8";
const LIMIT: Duration = Duration::from_secs(1100);

fn perplexity(tools: &Tools, device: Device<'_>) -> Result<f64> {
    let mut command = tools.program("llama-perplexity", device);
    // Naming the device makes llama.cpp refuse to start without it.
    let placement: &[&str] =
        if device == Device::Cpu { &["-ngl", "0"] } else { &["-dev", "TT0", "-ngl", "99"] };
    command.arg("-m").arg(tools::demo_model()).arg("-f").arg(tools::held_out_text());
    command.args(["-c", CONTEXT, "--chunks", CHUNKS, "-fit", "off", "--no-warmup"]).args(placement);
    let finished = tools::run_logged(command.env("GGML_TT_WEIGHTS", "bf16"), LIMIT, |finished| {
        format!("{}{}", finished.out, finished.err).contains("Final estimate")
    })?
    .success()?;
    compare::perplexity(&format!("{}{}", finished.out, finished.err))
}

#[test]
fn within_one_per_cent_of_the_cpu() {
    let tools = need!(Tools::find());
    let expected = perplexity(&tools, Device::Cpu).unwrap();
    let found = perplexity(&tools, Device::SIM).unwrap();
    println!("perplexity: CPU {expected}, card {found}");
    assert!((found / expected - 1.0).abs() <= 0.01, "CPU {expected}, card {found}");
}
