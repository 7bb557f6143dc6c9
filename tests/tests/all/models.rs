//! Real models with all layers on the simulated card, against their own weights in F32 on the CPU: texts, distributions, the server.
//!
//! The CPU backend is not a reference for a quantised model, since it rounds activations to eight bits and the card does not
//! (`docs/models.md` has the distance of each from F32).

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value as Json, json};
use tt_tests::compare::{self, Divergence};
use tt_tests::server::{Rig, Server};
use tt_tests::tools::Temporary;
use tt_tests::{Device, Layers, Missing, Tools, models, need, tools};

const LIMIT: Duration = Duration::from_secs(3600);
/// Two parts of this length; llama-perplexity looks at the second half of each.
const CONTEXT: &str = "128";
const CHUNKS: &str = "2";

/// What a long test takes: the programs and a model.
fn needed(model: Result<PathBuf, Missing>) -> Result<(Tools, PathBuf), Missing> {
    tools::full()?;
    let tools = Tools::find()?;
    for program in ["llama-quantize", "llama-server"] {
        tools.optional(program, Device::Cpu)?;
    }
    Ok((tools, model?))
}

/// Runs llama-perplexity; with a file of logits it saves them there, or compares with them.
fn perplexity(tools: &Tools, model: &Path, layers: Layers, weights: &str, logits: &[&str]) -> Result<String> {
    let program = layers.program_with(tools, "llama-perplexity", model);
    let mut command = program.map_err(|missing| anyhow!("{missing}"))?;
    command.arg("-f").arg(tools::held_out_text()).args(logits).env("GGML_TT_WEIGHTS", weights);
    command.args(["-c", CONTEXT, "-b", CONTEXT, "--chunks", CHUNKS, "-fit", "off", "--no-warmup"]);
    let finished = layers.run_within(&mut command, LIMIT)?;
    Ok(finished.out + &finished.err)
}

/// How far distributions are from those of the weights in F32, at most.
struct Bound {
    weights: &'static str,
    mean: f64,
    max: f64,
    same_top: f64,
}

/// Fails if a model on the card is further from its weights in F32 than the bounds; shows the CPU backend too.
fn divergences(tools: &Tools, model: &Path, bounds: &[Bound]) -> Result<()> {
    let logits = Temporary::new("logits");
    let path = logits.name();
    perplexity(tools, &models::in_f32(tools, model)?, Layers::OnCpu, "", &["--kl-divergence-base", path])?;
    let compared = |on, weights| -> Result<Divergence> {
        let log = perplexity(tools, model, on, weights, &["--kl-divergence-base", path, "--kl-divergence"])?;
        compare::divergence(&log)
    };
    println!("CPU: {:?}", compared(Layers::OnCpu, "")?);
    for bound in bounds {
        let found = compared(Layers::OnCard, bound.weights)?;
        println!("card, {}: {found:?}", bound.weights);
        let Bound { weights, mean, max, same_top } = bound;
        ensure!(found.mean <= *mean, "{weights}: mean {:.2e} > {mean:.2e}", found.mean);
        ensure!(found.max <= *max, "{weights}: max {:.2e} > {max:.2e}", found.max);
        ensure!(found.same_top >= *same_top, "{weights}: {} < {same_top}", found.same_top);
    }
    Ok(())
}

#[test]
fn divergence_of_smollm2() {
    let (tools, model) = need!(needed(models::smollm2()));
    let bounds = [
        Bound { weights: "bf16", mean: 1.5e-4, max: 1.5e-3, same_top: 0.97 },
        Bound { weights: "bfp8", mean: 7e-3, max: 6e-2, same_top: 0.92 },
    ];
    divergences(&tools, &model, &bounds).unwrap();
}

#[test]
fn divergence_of_gemma() {
    let (tools, model) = need!(needed(models::gemma()));
    let bounds = [
        Bound { weights: "bf16", mean: 1.5e-4, max: 1e-3, same_top: 0.97 },
        Bound { weights: "bfp8", mean: 4e-3, max: 3e-2, same_top: 0.95 },
    ];
    divergences(&tools, &model, &bounds).unwrap();
}

/// A token that was written, and the logarithms of the probabilities of those that were likeliest.
struct Written {
    token: String,
    likeliest: Vec<(String, f64)>,
}

/// What a server writes, always the likeliest token: to a question by the model's own chat template, or after a text.
fn write(server: &Server, chat: bool, prompt: &str, n: usize) -> Result<Vec<Written>> {
    let answer = if chat {
        let body = json!({ "messages": [{ "role": "user", "content": prompt }], "max_tokens": n, "temperature": 0,
            "logprobs": true, "top_logprobs": 10 });
        server.post("/v1/chat/completions", &body)?
    } else {
        let body = json!({ "prompt": prompt, "max_tokens": n, "temperature": 0, "logprobs": 10 });
        server.post("/v1/completions", &body)?
    };
    let tokens = answer["choices"][0]["logprobs"]["content"].as_array().context("no probabilities")?;
    let token = |json: &Json| json["token"].as_str().map(str::to_owned).context("no token");
    let one = |json: &Json| -> Result<Written> {
        let likeliest = json["top_logprobs"].as_array().context("no top_logprobs")?;
        let pair = |json: &Json| Ok((token(json)?, json["logprob"].as_f64().context("no logprob")?));
        Ok(Written { token: token(json)?, likeliest: likeliest.iter().map(pair).collect::<Result<_>>()? })
    };
    tokens.iter().map(one).collect()
}

/// Fails unless the card writes what the CPU writes with the weights in F32. A first difference is explained, and the end of the comparison, if
/// the CPU itself likes both tokens nearly the same: their log probabilities there differ by less than `tie`.
fn texts(tools: &Tools, model: &Path, chat: bool, prompt: &str, weights: &str, tie: f64) -> Result<()> {
    const TOKENS: usize = 20;
    let start = |model: &Path, on, place: &[&str]| {
        let mut command = tools.program("llama-server", on);
        command.env("GGML_TT_WEIGHTS", weights);
        Server::start(command, model, &[&["-np", "1", "--jinja"], place].concat())
    };
    let expected = start(&models::in_f32(tools, model)?, Device::Cpu, &["-ngl", "0"])?;
    let expected = write(&expected, chat, prompt, TOKENS)?;
    let found = start(model, Device::SIM, &["-ngl", "99", "-dev", "TT0"])?;
    let found = write(&found, chat, prompt, TOKENS)?;
    let text = |written: &[Written]| written.iter().map(|one| one.token.as_str()).collect::<String>();
    println!("{weights}: CPU {:?}, card {:?}", text(&expected), text(&found));
    ensure!(!expected.is_empty(), "no text");
    let differ = expected.iter().zip(&found).position(|(a, b)| a.token != b.token);
    let Some(at) = differ else {
        ensure!(expected.len() == found.len(), "{} tokens, then {}", expected.len(), found.len());
        return Ok(());
    };
    let (theirs, ours) = (&expected[at], &found[at].token);
    let of = |token: &str| theirs.likeliest.iter().find(|(name, _)| name == token).map(|(_, log)| *log);
    let gap = of(&theirs.token).zip(of(ours)).map(|(theirs, ours)| theirs - ours);
    println!("token {at}: {:?} and {ours:?} differ by {gap:?} in log probability on the CPU", theirs.token);
    ensure!(
        gap.is_some_and(|gap| gap <= tie),
        "token {at}: {:?} on the CPU, {ours:?} on the card",
        theirs.token
    );
    Ok(())
}

#[test]
fn text_of_smollm2() {
    let (tools, model) = need!(needed(models::smollm2()));
    texts(&tools, &model, true, "What is the capital of France?", "bf16", 0.05).unwrap();
    texts(&tools, &model, true, "Why is the sky blue?", "bfp8", 0.3).unwrap();
}

#[test]
fn text_of_gemma() {
    let (tools, model) = need!(needed(models::gemma()));
    texts(&tools, &model, false, "The three primary colours are", "bfp8", 0.3).unwrap();
}

/// Runs a check of the server with SmolLM2; the CPU computes with its weights in F32.
macro_rules! served {
    ($check:ident, $prompts:expr) => {
        let (tools, model) = need!(needed(models::smollm2()));
        let reference = models::in_f32(&tools, &model).unwrap();
        let rig = Rig { tools: &tools, model: &model, reference: &reference, tokens: 4 };
        rig.$check($prompts).unwrap();
    };
}

const PROMPTS: [&str; 2] = ["The capital of France is", "One, two, three,"];

#[test]
fn smollm2_serves_two_clients() {
    served!(two_clients, PROMPTS);
}

#[test]
fn smollm2_survives_a_cancelled_request() {
    served!(cancelled_request, PROMPTS);
}

#[test]
fn smollm2_goes_on_from_a_saved_slot() {
    served!(saved_slot, PROMPTS[0]);
}
