//! llama.cpp's programs with all layers on simulated cards print the same as on the CPU.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use tt_tests::tools::Finished;
use tt_tests::{Device, Layers, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(900);
const PROMPT: &str = "And the king said to the";
const TOKENS: &str = "12";

/// What `llama-completion` writes after the prompt, always the likeliest token; its text passes through the log.
fn completion(tools: &Tools, layers: Layers, options: &[&str]) -> Result<String> {
    Ok(generate(tools, layers, options)?.out)
}

/// Runs `llama-completion`; options may name another prompt or number of tokens.
fn generate(tools: &Tools, layers: Layers, options: &[&str]) -> Result<Finished> {
    let program = layers.program(tools, "llama-completion");
    let mut command = program.map_err(|missing| anyhow!("{missing}"))?;
    command.args([
        "-p",
        PROMPT,
        "-n",
        TOKENS,
        "--temp",
        "0",
        "-no-cnv",
        "--no-display-prompt",
        "--no-warmup",
    ]);
    let finished = layers.run(command.args(["-fit", "off"]).args(options))?;
    ensure!(!finished.out.trim().is_empty(), "no text: {}", finished.err);
    Ok(finished)
}

fn same_text(layers: Layers, options: &[&str]) {
    let tools = need!(Tools::find());
    need!(tools::native("libpreload.so"));
    let expected = completion(&tools, Layers::OnCpu, options).unwrap();
    let found = completion(&tools, layers, options).unwrap();
    assert_eq!(found, expected, "{options:?}");
}

#[test]
fn with_flash_attention() {
    same_text(Layers::OnCard, &["-fa", "on"]);
}

#[test]
fn without_flash_attention() {
    same_text(Layers::OnCard, &["-fa", "off"]);
}

#[test]
fn quantised_caches() {
    same_text(Layers::OnCard, &["-ctk", "q8_0", "-ctv", "q8_0", "-fa", "on"]);
    same_text(Layers::OnCard, &["-ctk", "q8_0", "-fa", "off"]);
}

#[test]
fn layers_over_two_cards() {
    same_text(Layers::OverTwoCards, &[]);
}

/// The second chip of an n300 is reached through the first one.
#[test]
fn layers_over_two_chips() {
    same_text(Layers::OverTwoChips, &[]);
}

#[test]
fn tensors_over_two_chips() {
    same_text(Layers::InTwoChips, &[]);
}

/// More tokens than the context has: half of it is dropped, and the positions of the others in the cache change.
#[test]
fn a_full_context_is_shifted() {
    let tools = need!(Tools::find());
    need!(tools::native("libpreload.so"));
    // About 247 tokens of 256, the least that llama.cpp takes.
    let text = std::fs::read_to_string(tools::held_out_text()).unwrap();
    let prompt = &text[..760];
    let options =
        ["-p", prompt, "-n", "24", "-c", "256", "--context-shift", "--keep", "4", "--ignore-eos", "-v"];
    let [expected, found] = [Layers::OnCpu, Layers::OnCard].map(|layers| {
        let finished = generate(&tools, layers, &options).unwrap();
        assert!(finished.err.contains("context full, swapping"), "no shift: {}", finished.err);
        finished.out
    });
    assert_eq!(found, expected);
}

/// A session that one side saves, the other goes on with.
#[test]
fn sessions_go_from_cpu_to_card_and_back() {
    let tools = need!(Tools::find());
    need!(tools::native("libpreload.so"));
    let expected = completion(&tools, Layers::OnCpu, &[]).unwrap();
    for (saves, loads) in [(Layers::OnCpu, Layers::OnCard), (Layers::OnCard, Layers::OnCpu)] {
        let file = tools::scratch("session");
        let session = ["--prompt-cache", file.to_str().unwrap()];
        completion(&tools, saves, &session).unwrap();
        let found = completion(&tools, loads, &session).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn bench() {
    let tools = need!(Tools::find());
    let command = need!(tools.optional("llama-bench", Device::SIM));
    let mut command = Layers::OnCard.prepare(command);
    command.args(["-p", "16", "-n", "2", "-r", "1", "--no-warmup", "-o", "jsonl"]);
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    let rows: Vec<serde_json::Value> =
        finished.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2, "{}", finished.out);
    for row in rows {
        assert_eq!(row["backends"], "Tenstorrent");
        assert!(row["avg_ts"].as_f64().unwrap() > 0.0, "{row}");
    }
}

#[test]
fn batched_bench_with_32_sequences() {
    let tools = need!(Tools::find());
    let mut command = need!(Layers::OnCard.program(&tools, "llama-batched-bench"));
    command.args(["-c", "8192", "-npp", "2", "-ntg", "1", "-npl", "1,32", "-fit", "off"]);
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    let row = |sequences: &str| {
        let columns = |line: &str| line.split('|').map(|field| field.trim().to_owned()).collect::<Vec<_>>();
        let text = format!("{}{}", finished.out, finished.err);
        text.lines().map(columns).find(|fields| fields.len() > 9 && fields[3] == sequences)
    };
    for (sequences, tokens) in [("1", "3"), ("32", "96")] {
        let row = row(sequences).unwrap_or_else(|| panic!("no row: {}{}", finished.out, finished.err));
        assert_eq!(row[4], tokens, "{row:?}");
        assert!(row[10].parse::<f64>().unwrap() > 0.0, "{row:?}");
    }
}

/// Resident memory of the process and free memory of the device in the middle and at the end of `count` cycles.
fn memory(tools: &Tools, program: &Path, count: &str) -> Vec<[u64; 2]> {
    let mut command = tools.prepare(program, Device::SIM);
    let finished = tools::run(command.args(["TT0", count]), LIMIT).unwrap().success().unwrap();
    let numbers = |line: &str| {
        let fields: Vec<&str> = line.split(' ').collect();
        [fields[1], fields[3]].map(|field| field.parse().unwrap())
    };
    finished.out.lines().filter(|line| line.starts_with("resident ")).map(numbers).collect()
}

#[test]
fn memory_is_flat_over_a_thousand_cycles() {
    const MEGABYTE: u64 = 1 << 20;
    let tools = need!(Tools::find());
    let program = need!(tools::native("cycles"));
    let [[middle, free], [end, free_at_end]] = memory(&tools, &program, "1000")[..] else {
        panic!("no figures of the middle and the end");
    };
    println!("resident {middle} and {end} bytes, free on the device {free} and {free_at_end} bytes");
    assert!(end <= middle + MEGABYTE, "the process grew from {middle} to {end} bytes");
    assert_eq!(free, free_at_end, "memory of the device");
}
