//! llama.cpp's examples and tools that do more than write text, with the demo model on the simulated card: importance matrices,
//! embeddings, batches of sequences, speculative decoding, adapters. Results equal the CPU's.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use tt_tests::gguf::{self, adapters};
use tt_tests::tools::{Finished, Temporary};
use tt_tests::{Layers, Tools, compare, need, tools};

const BOTH: [Layers; 2] = [Layers::OnCpu, Layers::OnCard];
const PROMPT: &str = "And the king said to the";
/// Largest normalised mean squared error with BF16 weights, as for logits.
const ERROR: f64 = 1e-3;

/// Runs a program with the demo model.
fn run(tools: &Tools, name: &str, layers: Layers, arguments: &[&str]) -> Result<Finished> {
    let program = layers.program(tools, name);
    let mut command = program.map_err(|missing| anyhow!("{missing}"))?;
    layers.run(command.args(["-fit", "off"]).args(arguments))
}

macro_rules! need_program {
    ($tools:expr, $name:expr) => {
        need!(Layers::OnCard.program(&$tools, $name))
    };
}

/// The floats of a tensor of a file.
fn floats(data: &[u8]) -> Vec<f32> {
    data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// Sums of squared activations and numbers of tokens, by the name of the weight.
fn importance(tools: &Tools, layers: Layers) -> Result<BTreeMap<String, Vec<f32>>> {
    let out = Temporary::new("imatrix");
    let text = tools::held_out_text();
    let arguments =
        ["-f", text.to_str().context("path")?, "-o", out.name(), "-c", "64", "-b", "64", "--chunks", "1"];
    run(tools, "llama-imatrix", layers, &[&arguments[..], &["--no-ppl"]].concat())?;
    let bytes = std::fs::read(out.path())?;
    let tensors = gguf::read(&bytes)?;
    Ok(tensors.iter().map(|tensor| (tensor.name.to_owned(), floats(tensor.data))).collect())
}

/// The program reads every product's activations from the card while a graph runs.
#[test]
fn importance_matrix() {
    let tools = need!(Tools::find());
    need_program!(tools, "llama-imatrix");
    let [cpu, card] = BOTH.map(|layers| importance(&tools, layers).unwrap());
    assert!(cpu.keys().eq(card.keys()), "{:?} {:?}", cpu.keys(), card.keys());
    // Seven weights in four layers, each with sums and counts.
    assert_eq!(cpu.len(), 2 * 7 * 4);
    let mut worst = 0f64;
    for (name, expected) in &cpu {
        let error = compare::nmse(expected, &card[name]).unwrap();
        if name.ends_with(".counts") {
            assert_eq!(card[name], *expected, "{name}");
        }
        assert!(error <= ERROR, "{name}: {error:.3e}");
        worst = worst.max(error);
    }
    println!("importance: largest error {worst:.3e}");
    assert!(worst > 0.0, "equal to the CPU, so the device was not used");
}

/// Embeddings of three texts in one batch.
fn embeddings(tools: &Tools, layers: Layers) -> Result<Vec<Vec<f64>>> {
    let texts = "In the beginning\\nPrince Andrew rode to the army\\nAnd the king said to the people";
    let arguments = ["-p", texts, "--pooling", "mean", "--embd-output-format", "json", "-c", "256"];
    let finished = run(tools, "llama-embedding", layers, &arguments)?;
    let start = finished.out.find('{').context("no JSON")?;
    let found: serde_json::Value = serde_json::Deserializer::from_str(&finished.out[start..])
        .into_iter()
        .next()
        .context("no JSON")??;
    let rows = found["data"].as_array().context("no data")?;
    let row = |row: &serde_json::Value| -> Option<Vec<f64>> {
        row["embedding"].as_array()?.iter().map(serde_json::Value::as_f64).collect()
    };
    rows.iter().map(|found| row(found).context("no embedding")).collect()
}

#[test]
fn embeddings_of_texts() {
    let tools = need!(Tools::find());
    need_program!(tools, "llama-embedding");
    let [cpu, card] = BOTH.map(|layers| embeddings(&tools, layers).unwrap());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let cosine = |a: &[f64], b: &[f64]| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    assert_eq!((cpu.len(), card.len()), (3, 3));
    for (cpu, card) in cpu.iter().zip(&card) {
        assert_eq!((cpu.len(), card.len()), (256, 256));
        println!("cosine {}", cosine(cpu, card));
        assert!(cosine(cpu, card) >= 0.9999, "{}", cosine(cpu, card));
    }
    assert!(cosine(&card[0], &card[1]) < 0.99, "all texts have one embedding");
}

/// Four sequences from one prompt, as one batch with a cache of their own each.
#[test]
fn sequences_in_a_batch() {
    let tools = need!(Tools::find());
    need_program!(tools, "llama-batched");
    let arguments = ["-p", PROMPT, "-n", "16", "-np", "4", "-kvu", "--temp", "0"];
    let [cpu, card] = BOTH.map(|layers| run(&tools, "llama-batched", layers, &arguments).unwrap().out);
    assert_eq!(cpu.matches(&format!("\n{PROMPT}")).count(), 4, "{cpu}");
    assert_eq!(card, cpu);
}

/// A draft model on the same card proposes tokens, which the model takes or not; here it is the same model, so it takes nearly all.
#[test]
fn speculative_decoding() {
    let tools = need!(Tools::find());
    need_program!(tools, "llama-speculative-simple");
    let model = tools::demo_model();
    let draft = [
        "-md",
        model.to_str().unwrap(),
        "--spec-type",
        "draft-simple",
        "-p",
        PROMPT,
        "-n",
        "16",
        "--temp",
        "0",
    ];
    let [cpu, card] = BOTH.map(|layers| {
        let place: &[&str] =
            if layers == Layers::OnCpu { &["-ngld", "0"] } else { &["-ngld", "99", "-devd", "TT0"] };
        run(&tools, "llama-speculative-simple", layers, &[&draft, place].concat()).unwrap()
    });
    assert!(cpu.out.contains(PROMPT), "{}", cpu.out);
    assert_eq!(card.out, cpu.out);
    let count = |name: &str| -> u32 {
        let line = card.err.lines().find_map(|line| line.split_once(name)).map(|(_, rest)| rest);
        line.and_then(|rest| rest.trim_start_matches([' ', '=']).parse().ok()).unwrap_or_default()
    };
    let (drafted, accepted) = (count("n_drafted"), count("n_accept"));
    println!("{accepted} of {drafted} tokens accepted");
    assert!(drafted >= 8 && accepted * 10 >= drafted * 8, "{accepted} of {drafted}: {}", card.err);
}

/// Perplexity over two pieces of text.
fn perplexity(tools: &Tools, layers: Layers, adapter: &[&str]) -> Result<f64> {
    let text = tools::held_out_text();
    let arguments = ["-f", text.to_str().context("path")?, "-c", "64", "-b", "128", "--chunks", "2"];
    let finished = run(tools, "llama-perplexity", layers, &[&arguments, adapter].concat())?;
    compare::perplexity(&format!("{}{}", finished.out, finished.err))
}

fn text(tools: &Tools, layers: Layers, adapter: &[&str]) -> Result<String> {
    let arguments =
        ["-p", PROMPT, "-n", "10", "--temp", "0", "-no-cnv", "--no-warmup", "--no-display-prompt"];
    let out = run(tools, "llama-completion", layers, &[&arguments, adapter].concat())?.out;
    ensure!(!out.trim().is_empty(), "no text");
    Ok(out)
}

/// With an adapter the model says something else than without, and the same on the card as on the CPU.
fn adapted(option: &str, name: &str, scale: &str, write: fn(&Path) -> std::io::Result<()>) {
    let tools = need!(Tools::find());
    need_program!(tools, "llama-completion");
    let file = Temporary::new(name);
    write(file.path()).unwrap();
    let scaled = format!("{}:{scale}", file.name());
    let adapter = [option, scaled.as_str()];
    let plain = perplexity(&tools, Layers::OnCpu, &[]).unwrap();
    let [cpu, card] = BOTH.map(|layers| perplexity(&tools, layers, &adapter).unwrap());
    println!("perplexity: {plain} without, {cpu} on the CPU, {card} on the card");
    assert!((cpu / plain - 1.0).abs() > 0.05, "the adapter changes nothing: {plain} and {cpu}");
    assert!((card / cpu - 1.0).abs() <= 0.01, "CPU {cpu}, card {card}");
    let [cpu, card] = BOTH.map(|layers| text(&tools, layers, &adapter).unwrap());
    assert_eq!(card, cpu);
    assert_ne!(cpu, text(&tools, Layers::OnCpu, &[]).unwrap());
}

#[test]
fn low_rank_adapter() {
    adapted("--lora-scaled", "lora.gguf", "4.0", adapters::write_lora);
}

#[test]
fn control_vector() {
    adapted("--control-vector-scaled", "control.gguf", "16.0", adapters::write_control_vector);
}
