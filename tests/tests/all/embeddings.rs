//! Sentence embeddings: a BERT from its Python folder to a model file (module `bert`), and `llama-embedding` with all its layers on the
//! simulated card.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use tt_tests::tools::Temporary;
use tt_tests::{Device, Layers, Tools, bert, compare, models, need};

/// The vectors of some sentences, each of length 1.
fn embeddings(tools: &Tools, layers: Layers, model: &Path, sentences: &[&str]) -> Result<Vec<Vec<f32>>> {
    let program = layers.program_with(tools, "llama-embedding", model);
    let mut command = program.map_err(|missing| anyhow!("{missing}"))?;
    command.args([
        "-p",
        &sentences.join("\n"),
        "--embd-output-format",
        "array",
        "-fit",
        "off",
        "--no-warmup",
    ]);
    let finished = layers.run(&mut command)?;
    let array = finished.out.lines().find(|line| line.starts_with("[[")).context("no array")?;
    let found: Vec<Vec<f32>> = serde_json::from_str(array)?;
    ensure!(found.len() == sentences.len(), "{} vectors", found.len());
    Ok(found)
}

/// Fails unless each vector of the card points where the CPU's does; returns those of the CPU.
fn compare_with_cpu(tools: &Tools, model: &Path, sentences: &[&str]) -> Result<Vec<Vec<f32>>> {
    let expected = embeddings(tools, Layers::OnCpu, model, sentences)?;
    let found = embeddings(tools, Layers::OnCard, model, sentences)?;
    for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
        let cosine = compare::cosine(expected, found)?;
        println!("sentence {index}: 1 - cosine is {:.2e}", 1.0 - cosine);
        ensure!(cosine >= 0.9999, "sentence {index}: {cosine}");
        ensure!(expected != found, "equal to the CPU, so the device was not used");
    }
    Ok(expected)
}

#[test]
fn of_a_tiny_bert() {
    let tools = need!(Tools::find());
    need!(tools.optional("llama-embedding", Device::SIM));
    let folder = Temporary::new("tiny-bert-folder");
    bert::tiny::write(folder.path()).unwrap();
    let model = models::encoder(folder.path(), "tiny-bert").unwrap();
    let found =
        compare_with_cpu(&tools, model.path(), &["The kingdom of peace, and a war.", "Kings and wars."])
            .unwrap();
    assert_eq!(found[0].len(), bert::tiny::EMBEDDING);
}

#[test]
fn of_minilm() {
    let tools = need!(Tools::find());
    need!(tools.optional("llama-embedding", Device::SIM));
    let model = models::encoder(&need!(models::minilm()), "minilm").unwrap();
    const SENTENCES: [&str; 3] = [
        "A man is playing a guitar on the stage.",
        "Someone plays music in front of an audience.",
        "The price of crude oil fell again on Tuesday.",
    ];
    // Computed in double precision from the model's own files, with the tokenizer that belongs to it: the first numbers of each vector,
    // and the cosines of the first sentence and the others.
    const FIRST: [[f32; 4]; 3] = [
        [0.02005, 0.03618, -0.02058, -0.0792],
        [0.08984, -0.01674, -0.04616, -0.09597],
        [-0.04649, -0.02654, 0.12165, 0.09284],
    ];
    const ALIKE: [f64; 3] = [1.0, 0.49981, -0.00308];
    let found = compare_with_cpu(&tools, model.path(), &SENTENCES).unwrap();
    for index in 0..SENTENCES.len() {
        for (at, expected) in FIRST[index].iter().enumerate() {
            // llama.cpp's GELU is the approximation by tanh.
            assert!((found[index][at] - expected).abs() < 1e-3, "{index}: {:?}", &found[index][..4]);
        }
        let cosine = compare::cosine(&found[0], &found[index]).unwrap();
        assert!((cosine - ALIKE[index]).abs() < 2e-3, "{index}: {cosine}");
    }
}
