//! llama.cpp's operator tests on the simulated card: each case is computed there and by the CPU backend and compared.

use std::time::Duration;

use anyhow::Result;
use tt_runtime::layout::GgmlType;
use tt_tests::backend_ops::{Case, Verdict, cases};
use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(1100);

fn run(tools: &Tools, operator: &str) -> Result<Vec<Case>> {
    let mut command = tools.program("test-backend-ops", Device::SIM);
    let finished = tools::run(command.args(["test", "-b", "TT0", "-o", operator]), LIMIT)?;
    let found = cases(&finished.out, operator);
    let failed: Vec<&str> =
        found.iter().filter(|case| case.verdict == Verdict::Failed).map(|case| case.text.as_str()).collect();
    assert!(failed.is_empty(), "{} failing cases:\n{}", failed.len(), failed.join("\n"));
    // The exit code covers what the lines do not say, for example an overwritten neighbour or a crash.
    finished.success()?;
    Ok(found)
}

fn ok(found: &[Case]) -> Vec<&Case> {
    found.iter().filter(|case| case.verdict == Verdict::Ok).collect()
}

#[test]
fn mul_mat() {
    let tools = need!(Tools::find());
    let found = run(&tools, "MUL_MAT").unwrap();
    let ok = ok(&found);
    println!("MUL_MAT: {} of {} cases ran on the device, all OK", ok.len(), found.len());
    for weights in GgmlType::ALL {
        let mine = |case: &&&Case| {
            case.parameter("type_a") == Some(weights.name()) && case.parameter("type_b") == Some("f32")
        };
        assert!(
            ok.iter().any(|case| mine(&case)),
            "no case with {} weights ran on the device",
            weights.name()
        );
    }
    let refused =
        |case: &&Case| case.verdict == Verdict::NotSupported && case.parameter("type_b") == Some("f32");
    let refused: Vec<&str> = found.iter().filter(refused).map(|case| case.text.as_str()).collect();
    assert!(
        refused.is_empty(),
        "{} cases with F32 activations were refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
    let any = |name: &str, than: &str| {
        ok.iter().any(|case| case.parameter(name).is_some_and(|value| value != than))
    };
    assert!(any("bs", "[1,1]"), "no batched case ran on the device");
    assert!(any("nr", "[1,1]"), "no broadcast case ran on the device");
}

#[test]
fn set_rows() {
    let tools = need!(Tools::find());
    let found = run(&tools, "SET_ROWS").unwrap();
    let ok = ok(&found);
    println!("SET_ROWS: {} of {} cases ran on the device, all OK", ok.len(), found.len());
    for target in ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl", "mxfp4"] {
        assert!(
            ok.iter().any(|case| case.parameter("type_dst") == Some(target)),
            "no case writing {target} rows"
        );
    }
}

/// Four threads with a backend each, on one device at once.
#[test]
fn four_backends_at_once() {
    let tools = need!(Tools::find());
    let mut command = tools.program("test-backend-ops", Device::SIM);
    command.args(["test", "-b", "TT0", "-j", "4", "-o", "ADD,RMS_NORM,GET_ROWS,MUL_MAT,CPY"]);
    command.args(["-p", r"n=16,k=256,bs=\[1,1\],nr=\[1,1\]|ne=\[10,|ne=\[64,5|ne_src=\[256"]);
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    for operator in ["ADD", "RMS_NORM", "MUL_MAT", "CPY"] {
        let found = cases(&finished.out, operator);
        assert!(!ok(&found).is_empty(), "no case of {operator} ran on the device");
        assert!(found.iter().all(|case| case.verdict != Verdict::Failed), "{operator}: {}", finished.out);
    }
}
