//! Families of operators through llama.cpp's `test-backend-ops`, and the table of what is supported.
//!
//! Cases that take long on the simulator run in the full test only (`TT_FULL`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use tt_tests::backend_ops::supported;
use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(1500);
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operators.md");

/// Runs the cases of `operators` whose parameters match `short` (all of them in the full test); at least `least` have
/// to run on the device, and none may fail.
fn family(operators: &str, short: &str, least: usize) {
    let tools = need!(Tools::find());
    let mut command = tools.program("test-backend-ops", Device::SIM);
    command.args(["test", "-b", "TT0", "-o", operators]);
    if let Err(missing) = tools::full() {
        println!("SKIPPED: cases of {operators} other than {short}: {missing}");
        command.args(["-p", short]);
    }
    let finished = tools::run(&mut command, LIMIT).unwrap();
    let failed: Vec<&str> = finished.out.lines().filter(|line| line.contains("FAIL")).collect();
    let ok = finished.out.lines().filter(|line| line.contains("): ") && line.contains("OK")).count();
    assert!(failed.is_empty(), "{} failing lines:\n{}", failed.len(), failed.join("\n"));
    assert!(ok >= least, "only {ok} cases of {operators} ran on the device, not {least}");
    finished.success().unwrap();
}

#[test]
fn functions_of_one_element() {
    let names = "ABS,SGN,NEG,STEP,TANH,ELU,RELU,SIGMOID,GELU,GELU_QUICK,SILU,HARDSWISH,HARDSIGMOID,EXP,EXPM1,\
                 SOFTPLUS,GELU_ERF,XIELU,FLOOR,CEIL,ROUND,TRUNC,SQR,SQRT,LOG,SCALE,CLAMP,LEAKY_RELU,FILL,ARANGE";
    family(names, ".", 310);
    // A million of them take 20 s: RISC-V cores compute them. One type is enough for that.
    family("SIN,COS", r"^(?!type=f16,ne=\[1024,1024)", 10);
}

#[test]
fn functions_of_two_elements() {
    family("ADD,SUB,MUL,DIV,ADD1", r"ne=\[(10|16|1,1,8|5),", 100);
}

#[test]
fn gated_units() {
    family("REGLU,GEGLU,SWIGLU,SWIGLU_OAI,GEGLU_ERF,GEGLU_QUICK,SWIGLU_CLAMP", ".", 190);
}

#[test]
fn copies() {
    family(
        "DUP,CPY,CONT,REPEAT,CONCAT,PAD,PAD_REFLECT_1D,ROLL,SET,ACC",
        r"^(?!type=f(16|32),ne=\[2304,64,64,1\],use_view_slice=0,permute=\[[12],)",
        800,
    );
}

#[test]
fn norms_and_reductions() {
    let names =
        "RMS_NORM,NORM,L2_NORM,GROUP_NORM,SUM_ROWS,MEAN,SUM,CUMSUM,ARGMAX,DIAG_MASK_INF,TRI,DIAG,GET_ROWS";
    family(
        names,
        r"ne=\[(64|5|10|11|33|1|4)[0-9]?,|type=(f32|f16|q8_0|q4_K|iq2_s|iq3_xxs|iq1_m|mxfp4),n=",
        140,
    );
}

#[test]
fn softmax_and_sorting() {
    family("SOFT_MAX,ARGSORT,TOP_K", r"ne=\[(16|15|32|8|60|10|200),|ne=\[[0-9]{1,3},[0-9]+,[12],", 100);
}

#[test]
fn rotary_positions() {
    family("ROPE,ROPE_BACK", r"ne_a=\[(64|128|32|80|16),[0-9]+,2,1\].*v=0,", 100);
}

#[test]
fn products_by_index_and_outer_products() {
    family(
        "MUL_MAT_ID,OUT_PROD",
        r"n_used=[12],.*type_b=f32.*n=(1|4),k=256|type_a=(f32|f16|q4_1|q4_K|iq3_s),type_b=f32.*n=(1|16),k=(1|16),",
        20,
    );
}

#[test]
fn attention() {
    family("FLASH_ATTN_EXT", r"hsk=(64|128),.*kv=113,nb=[13],.*type_K=(f16|q8_0|q5_1)", 70);
}

#[test]
fn convolutions_and_pooling() {
    family(
        "IM2COL,CONV_2D_DW,POOL_1D,POOL_2D,ADD_ID",
        r"s0=[13],.*d0=3|k0=[13],|type_kernel|n_token=1$",
        300,
    );
    family("IM2COL_3D", r"IC=[13],s0=3,s1=3,s2=3,p0=3.*d1=3", 64);
    family("CONV_2D,CONV_3D", r"ne_input=\[1,133,1,2\],ne_kernel=\[.,3|OC=(7|17|33|65)|KW=0", 60);
}

#[test]
fn transposed_convolutions_and_images() {
    family(
        "COL2IM_1D,CONV_TRANSPOSE_1D,CONV_TRANSPOSE_2D,UPSCALE,TIMESTEP_EMBEDDING",
        r"T_in=(7|13|11|9|1|3),|ne_kernel=\[[123],|ne_tgt|dim=",
        100,
    );
}

#[test]
fn linear_attention_and_state_space_models() {
    let short =
        r"head_size=(16|32),|head_size=64,n_seq_tokens=1,|n_seq_tokens=4,n_seqs=2,xbc|ne_a=\[[34],1024";
    family("SSM_CONV,SSM_SCAN,GATED_DELTA_NET,GATED_LINEAR_ATTN,RWKV_WKV6,RWKV_WKV7", short, 15);
}

#[test]
fn newer_graphs() {
    let short = r"ne_lhs=\[(10|11|17|30|42),|nb=1,|kv=(1|7|8|63|64|65),nb=32|n_tokens=";
    family("SOLVE_TRI,LIGHTNING_INDEXER,DSV4_HC_COMB,DSV4_HC_PRE,DSV4_HC_POST", short, 130);
}

#[test]
fn training() {
    let names = "SILU_BACK,RMS_NORM_BACK,SOFT_MAX_BACK,GET_ROWS_BACK,REPEAT_BACK,COUNT_EQUAL,CROSS_ENTROPY_LOSS,\
                 CROSS_ENTROPY_LOSS_BACK,OPT_STEP_ADAMW,OPT_STEP_SGD";
    // Every case that the CPU backend computes.
    family(names, ".", 59);
}

/// What the device takes of an operator's cases.
#[derive(Default)]
struct Support {
    yes: usize,
    all: usize,
    /// Why it refuses others, as the log has it.
    reasons: BTreeSet<String>,
}

/// What the device takes, by operator.
fn support(tools: &Tools) -> BTreeMap<String, Support> {
    let mut command = tools.program("test-backend-ops", Device::SIM);
    command.args(["support", "-b", "TT0", "--output", "csv"]).env("GGML_TT_DEBUG", "1");
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    let mut table: BTreeMap<String, Support> = BTreeMap::new();
    for case in supported(&finished.out) {
        let support = table.entry(case.operator).or_default();
        support.yes += usize::from(case.yes);
        support.all += 1;
    }
    for line in finished.err.lines().filter_map(|line| line.strip_prefix("ggml_tenstorrent: ")) {
        let Some((what, why)) = line.split_once(": not supported: ") else { continue };
        let operator = what.split(' ').next().and_then(|name| table.get_mut(name));
        if let Some(support) = operator {
            support.reasons.insert(why.to_owned());
        }
    }
    table
}

/// The page's last section: what the table cannot say.
const STAYS: &str = "
## What stays on the CPU

- Writing K-quants and most `IQ` types. For these, ggml searches dozens of candidate scales for each block, and the result would have to be the
  same bytes. Such types are for files; no graph writes them. The device does write the types whose blocks follow from the values by a rule:
  `Q4_0` to `Q8_0`, `Q1_0`, `Q2_0`, `IQ4_NL`, `TQ1_0`, `TQ2_0`, `MXFP4`, `NVFP4`. ggml's CPU backend does not write `IQ1` to `IQ3` either.
- `SUM` of elements with gaps. The CPU backend ignores the gaps (it asserts that there are none, but release builds have no
  assertions), so a correct sum would not agree with it.
- `GET_ROWS_BACK` of types other than F32, F16 and BF16. The CPU backend supports only F32 and F16.
- `GET_ROWS` of token embeddings. The device supports it, but llama.cpp always keeps the input layer on the CPU. The table is often the largest
  tensor of a model, and a token needs only one row of it, which is then copied to the device. Where output and embeddings are
  the same tensor, llama.cpp makes a second copy on the device for the output. `-ot token_embd.weight=TT0` puts the table on the device.
";

/// `docs/operators.md` says what the library does; `TT_UPDATE_DOCS=1` writes it anew.
#[test]
fn table_of_supported_operators() {
    let tools = need!(Tools::find());
    let counts = support(&tools);
    let (ours, all) = counts.values().fold((0, 0), |sum, n| (sum.0 + n.yes, sum.1 + n.all));
    let mut text = format!(
        "# Operators\n\nThe device supports {ours} of {all} cases of llama.cpp's `test-backend-ops`. The test \
         `table_of_supported_operators` writes this page\n(`TT_UPDATE_DOCS=1`) and compares it with the library.\n\n\
         | operator | supported | cases |\n|---|---|---|\n"
    );
    for (name, Support { yes, all, .. }) in &counts {
        writeln!(text, "| {name} | {yes} | {all} |").unwrap();
    }
    text += "\n## Refused\n\nThe reasons that `supports_op` gives. `GGML_TT_DEBUG=1` prints them with types and shapes.\n\n\
             | operator | cases | reasons |\n|---|---|---|\n";
    for (name, Support { yes, all, reasons }) in
        counts.iter().filter(|(_, support)| support.yes < support.all)
    {
        let reasons: Vec<_> = reasons.iter().map(String::as_str).collect();
        assert!(!reasons.is_empty(), "{name} is refused without a reason");
        writeln!(text, "| {name} | {} | {} |", all - yes, reasons.join("; ")).unwrap();
    }
    text += STAYS;
    if std::env::var_os("TT_UPDATE_DOCS").is_some() {
        std::fs::write(TABLE, &text).unwrap();
    }
    let written = std::fs::read_to_string(Path::new(TABLE)).unwrap_or_default();
    assert_eq!(written, text, "docs/operators.md is not what the library does: run with TT_UPDATE_DOCS=1");
}
