//! Tiny models of llama.cpp's architectures (`test-llama-archs`): logits of 128 positions on the card against the CPU, within
//! its own bound of 1e-4, and once more after the model was read back from the card, written and loaded again.

use tt_tests::{Device, Tools, architectures, need, tools};

/// Every model that the CPU runs has to agree; "SKIP" are those that llama.cpp's test does not run on any device.
#[test]
fn every_architecture() {
    need!(tools::full());
    let tools = need!(Tools::find());
    let program = need!(architectures::program(&tools, Device::SIM, "."));
    let rows = architectures::run(program).unwrap();
    let failed = |row: &&architectures::Row| format!("{} {}", row.logits, row.round_trip).contains("FAIL");
    let failed: Vec<_> = rows.iter().filter(failed).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let ran = rows.iter().filter(|row| row.logits.starts_with("OK")).count();
    println!("{ran} models OK, {} not run by the test", rows.len() - ran);
    assert!(ran >= 100, "only {ran} models ran");
}

/// Runs the architectures; no model may fail or be skipped.
fn run(names: &[&str]) {
    let tools = need!(Tools::find());
    let pattern = format!("^({})$", names.join("|"));
    let program = need!(architectures::program(&tools, Device::SIM, &pattern));
    let rows = architectures::run(program).unwrap();
    for name in names {
        assert!(rows.iter().any(|row| row.name == *name), "{name} did not run");
    }
    for row in rows {
        println!("{} {}: logits {}, round trip {}", row.name, row.kind, row.logits, row.round_trip);
        assert!(row.logits.starts_with("OK (") && row.round_trip == "OK", "{row:?}");
    }
}

#[test]
fn llama_and_mistral() {
    run(&["llama", "mistral3"]);
}

#[test]
fn qwen() {
    run(&["qwen2", "qwen3"]);
}

#[test]
fn gemma_and_phi() {
    run(&["gemma2", "gemma3", "phi3"]);
}

/// The gated delta net. (This llama.cpp always takes the one operator `GATED_DELTA_NET`; only where that is switched off in its
/// source do prompts become chunks with `SOLVE_TRI`.)
#[test]
fn delta_net() {
    run(&["qwen3next"]);
}

/// `LIGHTNING_INDEXER` and the streams of hyper-connections (`DSV4_HC_*`).
#[test]
fn sparse_attention_and_hyper_connections() {
    run(&["deepseek32", "deepseek4"]);
}

#[test]
fn mixtures_of_experts() {
    run(&["qwen2moe"]);
}
