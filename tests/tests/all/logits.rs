//! Whole models with all layers on the simulated card: logits of the first 32 positions against the CPU backend.
//!
//! `tests/native/logits.cpp` runs a model in several ways: all positions in one call, one after the other as in
//! generation, with a shifted cache, from a saved state, as parallel sequences, in two contexts at once.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tt_tests::{Device, Tools, compare, need, tools};

const POSITIONS: &str = "32";
const LIMIT: Duration = Duration::from_secs(900);

/// Largest error with BF16 weights.
const BF16: f64 = 1e-3;
/// Largest error with BFP8_b weights.
const BFP8: f64 = 5e-3;

fn logits(
    tools: &Tools,
    program: &Path,
    model: &Path,
    on: Device<'_>,
    weights: &str,
    way: &str,
) -> Result<Vec<f32>> {
    let out = tools::scratch(&format!("logits-{weights}-{way}"));
    let mut command = tools.prepare(program, on);
    let device = if on == Device::Cpu { "cpu" } else { "TT0" };
    command.arg(model).arg(tools::held_out_text()).args([POSITIONS, device, way]).arg(&out);
    tools::run(command.env("GGML_TT_WEIGHTS", weights), LIMIT)?.success()?;
    let rows = compare::read_floats(&out);
    let _ = std::fs::remove_file(&out);
    rows
}

fn compare_with_cpu(tools: &Tools, program: &Path, model: &Path, weights: &str, bound: f64) {
    let expected = logits(tools, program, model, Device::Cpu, weights, "batch").unwrap();
    for way in ["batch", "step"] {
        let found = logits(tools, program, model, Device::SIM, weights, way).unwrap();
        let error = compare::nmse(&expected, &found).unwrap();
        println!("{weights}, {way}: normalised mean squared error {error:.3e}, bound {bound:.0e}");
        assert!(error <= bound, "{weights}, {way}: {error:.3e} > {bound:.0e}");
        // A device that computes in BF16 cannot agree to the last bit: if it does, the CPU did the work.
        assert!(error > 0.0, "{weights}, {way}: equal to the CPU, so the device was not used");
    }
}

/// Compares ways that the CPU has to take too, because what they compute differs.
fn compare_ways(ways: &[&str]) {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    for way in ways {
        let run = |on| logits(&tools, &program, &tools::demo_model(), on, "bf16", way).unwrap();
        let error = compare::nmse(&run(Device::Cpu), &run(Device::SIM)).unwrap();
        println!("{way}: normalised mean squared error {error:.3e}, bound {BF16:.0e}");
        assert!(error <= BF16 && error > 0.0, "{way}: {error:.3e}");
    }
}

#[test]
fn shifted_cache_and_restored_state() {
    compare_ways(&["shift", "state"]);
}

#[test]
fn parallel_sequences() {
    compare_ways(&["sequences"]);
}

#[test]
fn two_contexts_at_once() {
    compare_ways(&["contexts"]);
}

#[test]
fn demo_model_bf16() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    compare_with_cpu(&tools, &program, &tools::demo_model(), "bf16", BF16);
}

#[test]
fn demo_model_bfp8() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    compare_with_cpu(&tools, &program, &tools::demo_model(), "bfp8", BFP8);
}

#[test]
fn stories_bf16() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    let model = need!(tools::extra_model("stories260K.gguf"));
    compare_with_cpu(&tools, &program, &model, "bf16", BF16);
}

#[test]
fn stories_bfp8() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    let model = need!(tools::extra_model("stories260K.gguf"));
    compare_with_cpu(&tools, &program, &model, "bfp8", BFP8);
}
