//! Graphs of whole models, node by node, with flash attention and without. Every result on the card is compared with the
//! CPU's. Only the lookup of token embeddings may run on the CPU.
//!
//! Weights are in BF16, so errors come from rounding operands to 8 bits of fraction, and from propagation.

use std::path::Path;
use std::time::Duration;

use tt_tests::nodes::{self, Node};
use tt_tests::{Device, Tools, architectures, compare, gguf, need, tools};

const LIMIT: Duration = Duration::from_secs(900);
/// Largest normalised mean squared error of a node: what ggml allows a single product.
const BOUND: f64 = 5e-4;

/// The nodes of a model's graphs, and the scheduler's number of splits for each graph.
fn nodes(
    tools: &Tools,
    program: &Path,
    model: &Path,
    on: Device<'_>,
    attention: &str,
) -> (Vec<Node>, Vec<String>) {
    let out = tools::scratch("nodes");
    let mut command = tools.prepare(program, on);
    let device = if on == Device::Cpu { "cpu" } else { "TT0" };
    command.arg(model).args([device, attention]).arg(&out).env("GGML_TT_WEIGHTS", "bf16");
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    let found = nodes::read(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    (found, finished.out.lines().filter_map(|line| line.strip_prefix("splits ").map(str::to_owned)).collect())
}

/// Compares the graphs of a model; the first `lookups` nodes of each are the CPU's.
fn compare(tools: &Tools, program: &Path, model: &Path, lookups: usize) {
    for attention in ["on", "off"] {
        let (expected, _) = nodes(tools, program, model, Device::Cpu, attention);
        let (found, splits) = nodes(tools, program, model, Device::SIM, attention);
        let title = format!("{}, flash attention {attention}", model.file_name().unwrap().display());
        assert!(!splits.is_empty() && splits.iter().all(|count| count == "2"), "{title}: splits {splits:?}");
        assert_eq!(expected.len(), found.len(), "{title}: number of nodes");
        let on_cpu = found.iter().filter(|node| node.buffer != "TT0").count();
        let graphs = found.iter().filter(|node| node.name == found[0].name).count();
        assert_eq!(on_cpu, lookups * graphs, "{title}: nodes on the CPU in {graphs} graphs");
        let mut worst = (0.0, "");
        for (expected, found) in expected.iter().zip(&found) {
            let name = &found.name;
            assert_eq!((&expected.name, &expected.operator), (name, &found.operator), "{title}");
            let error = compare::nmse(&expected.values, &found.values)
                .unwrap_or_else(|error| panic!("{title}: {} {name}: {error}", found.operator));
            assert!(error <= BOUND, "{title}: {} {name}: {error:.2e}", found.operator);
            if error > worst.0 {
                worst = (error, name);
            }
        }
        println!("{title}: {} nodes in {graphs} graphs, worst {} with {:.2e}", found.len(), worst.1, worst.0);
        assert!(worst.0 > 0.0, "{title}: equal to the CPU, so the device was not used");
    }
}

/// Compares the models of `test-llama-archs`.
fn architectures(names: &str) {
    let tools = need!(Tools::find());
    let program = need!(tools::native("nodes"));
    let writer = need!(architectures::program(&tools, Device::Cpu, &format!("^({names})$")));
    let folder = tools::scratch(&format!("models-{}", names.replace('|', "-")));
    for model in architectures::write(writer, &folder).unwrap() {
        compare(&tools, &program, &model, 1);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn llama() {
    architectures("llama");
}

#[test]
fn mistral() {
    architectures("mistral3");
}

#[test]
fn qwen() {
    architectures("qwen2|qwen3");
}

#[test]
fn gemma() {
    architectures("gemma2|gemma3");
}

#[test]
fn phi() {
    architectures("phi3");
}

#[test]
fn mixtures_of_experts() {
    architectures("qwen2moe|qwen3moe");
}

/// An encoder looks up tokens and positions.
#[test]
fn bert() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("nodes"));
    let model = tools::scratch("bert.gguf");
    gguf::write_bert(&model).unwrap();
    compare(&tools, &program, &model, 2);
    std::fs::remove_file(&model).unwrap();
}

#[test]
fn demo_model() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("nodes"));
    compare(&tools, &program, &tools::demo_model(), 1);
}

#[test]
fn stories() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("nodes"));
    let model = need!(tools::extra_model("stories260K.gguf"));
    compare(&tools, &program, &model, 1);
}
