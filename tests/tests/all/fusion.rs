//! Fusions switched on and off (`GGML_TT_FUSION`): the same numbers from fewer launches.

use std::path::Path;
use std::time::Duration;

use tt_tests::{Device, Tools, architectures, backend_ops, need, tools};

const LIMIT: Duration = Duration::from_secs(600);

/// What a run of the demo model gave.
struct Ran {
    logits: Vec<u8>,
    stats: serde_json::Value,
}

impl Ran {
    fn launches(&self) -> u64 {
        self.stats["launches"].as_u64().unwrap()
    }

    fn fused(&self, name: &str) -> u64 {
        self.stats["fused"][name].as_u64().unwrap_or(0)
    }
}

fn demo(tools: &Tools, program: &Path, way: &str, fusion: &str) -> Ran {
    demo_with(tools, program, [way, "4", "bf16"], fusion)
}

/// `way`, tokens, and how weights are packed.
fn demo_with(tools: &Tools, program: &Path, [way, tokens, weights]: [&str; 3], fusion: &str) -> Ran {
    let name = format!("fusion-{way}-{tokens}-{}", fusion.replace(['+', ','], "-"));
    let (out, stats) = (tools::scratch(&name), tools::scratch(&format!("{name}.json")));
    let mut command = tools.prepare(program, Device::SIM);
    command.arg(tools::demo_model()).arg(tools::held_out_text()).args([tokens, "TT0", way]).arg(&out);
    command.env("GGML_TT_FUSION", fusion).env("GGML_TT_STATS", &stats).env("GGML_TT_WEIGHTS", weights);
    tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    let ran = Ran {
        logits: std::fs::read(&out).unwrap(),
        stats: serde_json::from_str(&std::fs::read_to_string(&stats).unwrap()).unwrap(),
    };
    let _ = (std::fs::remove_file(&out), std::fs::remove_file(&stats));
    ran
}

/// Fusions of the demo model with its four layers: name, groups of a step and launches that they save by themselves, and together with the others. The last
/// layer gathers rows between a product and its residual. Products of a gated unit are products with the same row, too.
const FUSIONS: [(&str, [u64; 2], u64); 5] = [
    ("RMS_NORM+MUL", [9, 9], 9),
    ("ROPE+SET_ROWS", [4, 4], 4),
    ("MUL_MAT+ADD", [7, 7], 7),
    ("MUL_MAT+GLU", [4, 8], 8),
    ("MUL_MAT+MUL_MAT", [8, 12], 8),
];
const STEPS: u64 = 4;

#[test]
fn every_fusion_saves_launches_and_changes_no_bit() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    let off = demo(&tools, &program, "step", "0");
    let mut saved = 0;
    for (name, [groups, launches], with_others) in FUSIONS {
        let on = demo(&tools, &program, "step", name);
        let [groups, launches] = [groups, launches].map(|number| STEPS * number);
        assert!(on.logits == off.logits, "{name}: other logits");
        assert_eq!((on.fused(name), off.fused(name)), (groups, 0), "{name}");
        assert_eq!(on.launches() + launches, off.launches(), "{name}");
        assert_eq!(on.stats["ops"], off.stats["ops"], "{name}: other operators were computed");
        saved += STEPS * with_others;
    }
    let all = demo(&tools, &program, "step", "1");
    assert!(all.logits == off.logits, "other logits");
    assert_eq!(all.launches() + saved, off.launches());
}

#[test]
fn batches_give_the_same_logits() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    let [off, on] = ["0", "1"].map(|fusion| demo(&tools, &program, "batch", fusion));
    assert!(on.logits == off.logits && on.launches() < off.launches());
}

/// Products of many rows are in blocks, and take what a gated unit or a norm makes as it is.
#[test]
fn prompts_give_the_same_logits() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    let [off, on] = ["0", "1"].map(|fusion| demo_with(&tools, &program, ["batch", "40", "bfp8"], fusion));
    assert!(on.logits == off.logits && on.launches() < off.launches());
    // The last of four layers has as many rows as the others: all are asked for. (They are gathered between the output's product and its residual.)
    let fused = ["MUL_MAT+GLU+MUL_MAT+ADD", "MUL_MAT+ADD", "GLU+MUL_MAT+ADD", "GLU+MUL_MAT"];
    assert_eq!(
        (fused.map(|name| on.fused(name)), fused.map(|name| off.fused(name))),
        ([4, 3, 0, 0], [0; 4]),
        "{}",
        on.stats
    );
    // Both norms of each layer; what the head multiplies with is not in blocks.
    let norms = "RMS_NORM+MUL+MUL_MAT";
    assert_eq!((on.fused(norms), off.fused(norms)), (8, 0), "{}", on.stats);
    let ordered = demo_with(&tools, &program, ["batch", "40", "bfp8"], norms);
    assert!(ordered.logits == off.logits && ordered.launches() + 16 == off.launches(), "{}", ordered.stats);
    // Shorter groups are what is left if longer ones are not wanted.
    for (name, counts) in [("GLU+MUL_MAT,MUL_MAT+ADD", [0, 3, 0, 4]), ("GLU+MUL_MAT+ADD", [0, 0, 4, 0])] {
        let some = demo_with(&tools, &program, ["batch", "40", "bfp8"], name);
        assert!(some.logits == off.logits && fused.map(|name| some.fused(name)) == counts, "{}", some.stats);
    }
}

/// Models whose fusions are compared with `tests/listings/fusion.csv`, of kinds that differ: plain, with norms behind products, with experts, with a
/// recurrent state.
const MODELS: &str = "^(llama|gemma2|qwen2moe|mamba)$";

/// llama.cpp's `test-fusion`: which groups are found in prompts and in single tokens, and logits with fusions and without. `TT_BLESS=1` writes the counts
/// anew.
#[test]
fn models_have_their_fusions() {
    let tools = need!(Tools::find());
    let mut command = need!(tools.optional("test-fusion", Device::SIM));
    need!(tools::native("libpreload.so"));
    tools::preload(&mut command).unwrap();
    let writer = need!(architectures::program(&tools, Device::Cpu, MODELS));
    let folder = tools::scratch("fusion-models");
    architectures::write(writer, &folder).unwrap();
    let counts = Path::new(env!("CARGO_MANIFEST_DIR")).join("listings/fusion.csv");
    let way = if std::env::var_os("TT_BLESS").is_some() { "--record" } else { "--check" };
    command.args(["--device", "TT0", "--models"]).arg(&folder).arg(way).arg(&counts);
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let said = format!("{}{}", finished.out, finished.err);
    let rows = said.lines().filter(|line| line.trim_end().ends_with(" ok")).count();
    println!("{rows} counts of groups");
    assert!(said.contains(", 0 failed") && rows == 18, "{said}");
}

/// llama.cpp's own tests of groups that backends fuse.
#[test]
fn groups_of_the_operator_tests() {
    let tools = need!(Tools::find());
    let operators = [
        ("RMS_NORM_MUL_ADD", "RMS_NORM+MUL", r"ne=\[64,"),
        ("ROPE_SET_ROWS", "ROPE+SET_ROWS", r"ne_a=\[128,32,[18],1\],mode=(0|40)"),
        ("MUL_MAT_VEC_FUSION", "MUL_MAT+GLU", r"type=(q4_K|iq2_s).*m=[18],.*use_id=0,.*batch_dims=\[1,1\]"),
        ("MUL_MAT_VEC_FUSION", "MUL_MAT_ID+GLU", r"type=(q4_K|q8_0),.*m=1,.*use_id=1"),
        ("TOPK_MOE", "ARGSORT+VIEW", r"ne=\[(71|129),"),
    ];
    for (operator, fusion, short) in operators {
        let stats = tools::scratch("groups.json");
        let mut command = tools.program("test-backend-ops", Device::SIM);
        command.args(["test", "-b", "TT0", "-o", operator]).env("GGML_TT_STATS", &stats);
        if let Err(missing) = tools::full() {
            println!("SKIPPED: cases of {operator} other than {short}: {missing}");
            command.args(["-p", short]);
        }
        let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
        let cases = backend_ops::cases(&finished.out, operator);
        assert!(cases.iter().any(|case| case.verdict == backend_ops::Verdict::Ok), "{}", finished.out);
        let stats: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&stats).unwrap()).unwrap();
        assert!(stats["fused"][fusion].as_u64() > Some(0), "{operator}: {stats}");
    }
}
