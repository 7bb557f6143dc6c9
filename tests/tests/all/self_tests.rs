//! llama.cpp's own test programs beyond `test-backend-ops` and `test-llama-archs`, on the simulated card and on the CPU. Each one must
//! pass, and give the same results on both. `docs/development.md` has the table.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use tt_tests::tools::{Finished, Temporary, plain};
use tt_tests::{Device, Layers, Tools, architectures, need, tools};

const LIMIT: Duration = Duration::from_secs(900);
const LIMIT_OF_ALL: Duration = Duration::from_secs(7000);
const BOTH: [Layers; 2] = [Layers::OnCpu, Layers::OnCard];

/// Lines of a text that contain something, from there on.
fn lines_from<'a>(text: &'a str, what: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| Some(&line[line.find(what)?..])).collect()
}

// --- test-backend-sampler: llama.cpp's samplers as part of the graph --------------------------------------------------------------

/// All of its tests but [`MIXED_BATCH`].
const SAMPLERS: [&str; 18] = [
    "greedy",
    "logit_bias",
    "penalties",
    "temp",
    "temp_ext",
    "top_k",
    "multi_sequence",
    "dist",
    "dist_and_cpu",
    "set_sampler",
    "multi_output_limit",
    "multi_sequence_multi_output_dist",
    "multi_output_dist_transaction",
    "multi_output_sampling_chain",
    "multi_output_cpu",
    "mixed",
    "min_p",
    "top_p",
];

/// Decodes token 3834, which a vocabulary of 2,048 does not have: with the demo model it aborts on every backend.
const MIXED_BATCH: &str = "cpu_mixed";

fn sampler(tools: &Tools, test: &str, layers: Layers) -> Result<Finished> {
    let mut command = tools.program("test-backend-sampler", layers.device());
    tools::preload(&mut command).map_err(|missing| anyhow::anyhow!("{missing}"))?;
    let device = if layers == Layers::OnCpu { "cpu" } else { "gpu" };
    command.arg("--model").arg(tools::demo_model()).args(["--device", device, "--test", test]);
    // What is compared are the samplers: the model's F16 weights are exact in TF32, so that a token at the border of a random draw is the
    // same one.
    tools::run(command.env("GGML_TT_WEIGHTS", "tf32"), LIMIT)
}

/// What stands in front of a count of tokens that a sampler has left out.
const MASKED: &str = "n_masked=";

/// How many tokens samplers have left out, one after the other. Whether the card's sampler leaves out what the CPU's does over the same logits is
/// checked by llama.cpp's program itself (`n_mismatch`). This count also depends on the model's logits, which the card's products round in
/// another order: of "penalties top-p", the probability of a token at the border is 3.1e-4, and all before it differ by 9e-5 in sum (logits by 2.3e-3,
/// root mean square). So a token at the border may be on either side of it.
fn masked(out: &str) -> Vec<i64> {
    out.split_whitespace().filter_map(|word| word.strip_prefix(MASKED)?.parse().ok()).collect()
}

/// What a test of samplers says of tokens, without counts of those that are left out ([`masked`]), without numbers that have a fraction, and
/// without the order in which the best tokens are listed: nothing guarantees it.
fn choices(out: &str) -> Vec<String> {
    const DEBUGGER: [&str; 5] = ["#", "0x", "[", "30\t", "Using host"];
    let number = |word: &str| word.trim_matches(|c: char| "=,".contains(c)).parse::<f64>().is_ok();
    let general = |word: &str| match word.split_once('[') {
        Some((list, rest)) if rest.trim_end_matches(']').parse::<u32>().is_ok() => format!("{list}[]"),
        _ if word.contains('.') && (number(word) || word.contains("max_diff=")) => "~".to_owned(),
        _ if word.starts_with(MASKED) => "~".to_owned(),
        _ => word.to_owned(),
    };
    // ggml calls a debugger, if there is one, when a program aborts.
    let of_test = out.lines().filter(|line| DEBUGGER.iter().all(|start| !line.starts_with(start)));
    let mut lines: Vec<String> =
        of_test.map(|line| line.split(' ').map(general).collect::<Vec<_>>().join(" ")).collect();
    lines.sort();
    lines
}

#[test]
fn choices_are_tokens() {
    let said = |logit: &str, first: u32, order: [u32; 2]| {
        let [a, b] = order;
        choices(&format!(
            "logit[0] = {logit}\ncandidate[{a}] = {first} : ,\ncandidate[{b}] = 7 :  and\n[New LWP 1]\n"
        ))
    };
    assert_eq!(said("6.76", 5, [0, 1]), said("6.77", 5, [1, 0]));
    assert_ne!(said("6.76", 5, [0, 1]), said("6.76", 6, [0, 1]));
}

fn samplers(tests: &[&str]) {
    let tools = need!(Tools::find());
    need!(tools.optional("test-backend-sampler", Device::SIM));
    need!(tools::native("libpreload.so"));
    for test in tests {
        let [cpu, card] = BOTH.map(|layers| sampler(&tools, test, layers).unwrap().success().unwrap());
        assert_eq!(choices(&card.out), choices(&cpu.out), "{test}");
        let counts = [&card, &cpu].map(|run| masked(&run.out));
        let near = counts[0].iter().zip(&counts[1]).all(|(card, cpu)| (card - cpu).abs() <= 1);
        assert!(near && counts[0].len() == counts[1].len(), "{test}: {counts:?}");
        assert!(card.err.contains("Using device: TT0"), "{}", card.err);
    }
}

#[test]
fn samplers_in_the_graph() {
    samplers(&["greedy", "penalties", "multi_output_sampling_chain", "top_p"]);
}

#[test]
fn all_samplers_in_the_graph() {
    need!(tools::full());
    samplers(&SAMPLERS);
}

/// Tokens that the graph has drawn at random, and the rest of what is said. A token is drawn where the sum of probabilities, in the order of tokens, crosses a random
/// number. The model's logits differ from the CPU's in the order of additions, and so do these sums: the number lies between both sums of some token with a
/// probability that is the sum of all those differences, a tenth in a vocabulary of 2,048. So the token may be the next one.
fn drawn(out: &str) -> (Vec<i64>, Vec<String>) {
    let id = |line: &str| line.split_once("(backend) sampled token id=")?.1.split(',').next()?.parse().ok();
    let (of_graph, others): (Vec<&str>, Vec<&str>) = out.lines().partition(|line| id(line).is_some());
    (of_graph.into_iter().filter_map(id).collect(), choices(&others.join("\n")))
}

/// Where the CPU backend aborts, so does the card, for the same reason and no other.
#[test]
fn mixed_batch_of_samplers_aborts_everywhere() {
    let tools = need!(Tools::find());
    need!(tools.optional("test-backend-sampler", Device::SIM));
    need!(tools::native("libpreload.so"));
    let [cpu, card] = BOTH.map(|layers| sampler(&tools, MIXED_BATCH, layers).unwrap());
    for finished in [&cpu, &card] {
        assert!(finished.err.contains("failed to add token 3834"), "{}", finished.err);
    }
    let [(token_of_cpu, said_by_cpu), (token, said)] = [&cpu, &card].map(|run| drawn(&run.out));
    assert_eq!((card.code, said), (cpu.code, said_by_cpu));
    assert!(
        token.len() == 1 && token_of_cpu.len() == 1 && (token[0] - token_of_cpu[0]).abs() <= 1,
        "drawn: {token:?}, on the CPU {token_of_cpu:?}"
    );
    println!(
        "SKIPPED: test-backend-sampler, mixed batch: aborts on the CPU backend too (its token 3834 is not in the demo model's vocabulary)"
    );
}

// --- states: saved, restored, copied, rolled back -----------------------------------------------------------------------------------

#[test]
fn state_is_restored_into_a_fragmented_cache() {
    let tools = need!(Tools::find());
    let run = |layers: Layers| -> Result<Vec<String>> {
        let program = layers.program(&tools, "test-state-restore-fragmented");
        let mut command = program.map_err(|missing| anyhow::anyhow!("{missing}"))?;
        let finished = layers.run(command.args(["-fit", "off"]))?;
        ensure!(finished.err.contains("SUCCESS"), "{}", finished.err);
        // Bytes saved and restored, and the token that comes next.
        Ok(lines_from(&finished.err, "main : ").into_iter().map(str::to_owned).collect())
    };
    need!(tools.optional("test-state-restore-fragmented", Device::SIM));
    need!(tools::native("libpreload.so"));
    let [cpu, card] = BOTH.map(|layers| run(layers).unwrap());
    assert_eq!(card, cpu);
}

/// Rows of the table that a program prints about the models of a folder: names and results. It has come to its end, with or without failures.
fn table(program: &mut Command, models: &Path) -> Result<Vec<Vec<String>>> {
    program.arg("--models").arg(models).current_dir(models);
    let finished = tools::run(program, LIMIT_OF_ALL)?;
    let rows = finished.out.lines().map(plain);
    let rows = rows.map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let rows: Vec<_> = rows.filter(|row| row.first().is_some_and(|name| name.ends_with(".gguf"))).collect();
    ensure!(finished.code.is_some(), "ended by a signal after {rows:?}: {}", finished.err);
    Ok(rows)
}

/// A program that runs over models prints the same table on the card; what fails there has to fail on the CPU too.
fn same_table(name: &str, pattern: &str, passes: usize) {
    let tools = need!(Tools::find());
    need!(tools.optional(name, Device::SIM));
    let models = Temporary::new(&format!("models-{name}"));
    let writer = need!(architectures::program(&tools, Device::Cpu, pattern));
    let written = architectures::write(writer, models.path()).unwrap();
    let [cpu, card] = BOTH.map(|layers| {
        let mut program = tools.program(name, layers.device());
        tools::preload(&mut program).unwrap().args(layers.arguments()).args(["-fit", "off"]);
        table(program.env("GGML_TT_WEIGHTS", "bf16"), models.path()).unwrap()
    });
    println!("{} models, {} rows", written.len(), card.len());
    assert_eq!(card.len(), written.len());
    assert_eq!(card, cpu);
    for row in card.iter().filter(|row| row.iter().any(|field| field == "FAIL")) {
        println!("SKIPPED: {name}: fails on the CPU backend too: {}", row.join(" "));
    }
    let count = card.iter().flatten().filter(|field| *field == "PASS").count();
    assert!(count >= passes, "only {count} results: {card:?}");
}

#[test]
fn states_are_saved_and_loaded() {
    same_table("test-save-load-state", "^llama$", 18);
}

#[test]
fn states_of_every_architecture_are_saved_and_loaded() {
    need!(tools::full());
    same_table("test-save-load-state", ".", 1100);
}

#[test]
fn recurrent_states_are_rolled_back() {
    same_table("test-recurrent-state-rollback", "^lfm2$", 2);
}

#[test]
fn recurrent_states_of_every_architecture_are_rolled_back() {
    need!(tools::full());
    same_table("test-recurrent-state-rollback", ".", 20);
}

// --- threads, loading, fusion -------------------------------------------------------------------------------------------------------

/// Three models (on the card, on the CPU, split by layers) with two contexts each, all at once: everyone writes the same.
#[test]
fn contexts_in_threads() {
    let tools = need!(Tools::find());
    need!(tools.optional("test-thread-safety", Device::SIM));
    let program = Layers::OnCard.prepare(tools.program("test-thread-safety", Device::SIM));
    let mut command = program;
    need!(tools::preload(&mut command));
    command.args(["-p", "And the king said to the", "-n", "12", "-c", "256", "-ub", "32", "-np", "2"]);
    let finished = Layers::OnCard.run(command.args(["-t", "1", "--temp", "0", "-fit", "off"])).unwrap();
    let texts = lines_from(&finished.err, "Model ");
    let text = |line: &&str| line.split_once(": ").map(|(_, text)| text.to_owned());
    let of = |model: &str| -> Vec<String> {
        texts.iter().filter(|line| line.starts_with(model)).filter_map(text).collect()
    };
    let cpu = of("Model 2/3, ");
    assert_eq!(cpu.len(), 2, "{}", finished.err);
    assert!(cpu[0].len() > "And the king said to the".len() + 8, "{cpu:?}");
    for model in ["Model 1/3, ", "Model 2/3, ", "Model 3/3, "] {
        assert_eq!(of(model), [cpu[0].clone(), cpu[0].clone()], "{model}");
    }
}

/// llama.cpp's program stops loading half way, but has no layer on the card; ours has all of them there, and looks at the card's memory.
#[test]
fn loading_is_cancelled() {
    let tools = need!(Tools::find());
    need!(tools.optional("test-model-load-cancel", Device::SIM));
    for layers in BOTH {
        let mut command = tools.program("test-model-load-cancel", layers.device());
        need!(tools::preload(&mut command));
        let finished = tools::run(command.arg(tools::demo_model()), LIMIT).unwrap().success().unwrap();
        assert!(finished.err.contains("cancelled model load"), "{}", finished.err);
    }
    let mut ours = tools.prepare(need!(tools::native("cancel")), Device::SIM);
    let finished = tools::run(ours.arg(tools::demo_model()).arg("TT0"), LIMIT).unwrap().success().unwrap();
    assert_eq!(finished.out.trim(), "cancel: ok");
}

/// `test-fusion` counts fused groups through functions that a backend exports for it. Ours does not yet, as the CPU backend does not;
/// that our fusions change no bit is tested in `fusion.rs`.
#[test]
fn fusion_is_counted() {
    const NO_INTERFACE: &str = "does not export the generic fusion debugging API";
    let tools = need!(Tools::find());
    need!(tools.optional("test-fusion", Device::SIM));
    let run = |layers: Layers, device: &str| {
        let mut command = tools.program("test-fusion", layers.device());
        tools::preload(&mut command).unwrap().arg("--model").arg(tools::demo_model());
        tools::run(command.args(["--device", device]), LIMIT).unwrap()
    };
    need!(tools::native("libpreload.so"));
    let cpu = run(Layers::OnCpu, "CPU");
    assert!(cpu.code == Some(1) && cpu.err.contains(NO_INTERFACE), "{}", cpu.err);
    let card = run(Layers::OnCard, "TT0");
    if card.err.contains(NO_INTERFACE) {
        assert_eq!(card.code, Some(1));
        println!(
            "SKIPPED: test-fusion: the library does not export ggml_backend_fusion_* yet (nor does the CPU backend)"
        );
        return;
    }
    let out = card.success().unwrap();
    assert!(out.err.contains(" 0 failed"), "{}", out.err);
}

// --- test-opt -----------------------------------------------------------------------------------------------------------------------

/// Training on toy data, on every device. It hands ggml's scheduler all devices in the order in which they were loaded, and the CPU has to
/// be the last of them: our library is loaded first.
#[test]
fn toy_models_are_trained() {
    let tools = need!(Tools::find());
    let mut command = need!(tools.optional("test-opt", Device::SIM));
    need!(tools::load_first(&mut command));
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    let lines: Vec<String> = finished.out.lines().map(plain).collect();
    let result = |device: &str, optimiser: &str| {
        let start = format!("  Backend {device} {optimiser}: ");
        lines.iter().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
    };
    for optimiser in ["adamw", "sgd"] {
        assert_eq!(result("CPU", optimiser).as_deref(), Some("OK"), "{}", finished.out);
        assert_eq!(result("TT0", optimiser).as_deref(), Some("OK"), "{}", finished.out);
    }
}
