//! llama.cpp on a card: the simulated chip behind the rules of the kernel driver.

use std::time::Duration;

use tt_tests::backend_ops::{Verdict, cases};
use tt_tests::{Device, Missing, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(300);
const MOCK: Device<'static> = Device::Tenstorrent("kmd-mock:2.10.0");
const PROMPT: &str = "In the beginning";

/// Eight tokens of the demo model.
fn text(tools: &Tools, device: Device<'_>) -> Result<String, Missing> {
    let mut command = tools.program("llama-completion", device);
    command.arg("-m").arg(tools::demo_model()).args(["-p", PROMPT, "-n", "8", "--temp", "0", "-ngl", "99"]);
    command.args(["-c", "64", "-fit", "off", "-no-cnv", "--no-warmup", "--simple-io"]);
    let finished = tools::run(tools::preload(&mut command)?, LIMIT).unwrap().success().unwrap();
    let text = finished.out.split_once(PROMPT).map(|(_, text)| text.trim().to_owned());
    Ok(text.unwrap_or_else(|| panic!("no text:\n{}\n{}", finished.out, finished.err)))
}

#[test]
fn the_text_on_a_card_is_the_simulators() {
    let tools = need!(Tools::find());
    let on_a_card = need!(text(&tools, MOCK));
    assert!(on_a_card.len() > 8, "{on_a_card}");
    assert_eq!(on_a_card, need!(text(&tools, Device::SIM)));
}

/// Some cases of some operators: on Tensix units, the vector unit and the data-movement cores.
#[test]
fn operators_of_llama_cpp_are_right_on_a_card() {
    let tools = need!(Tools::find());
    let mut command = need!(tools.optional("test-backend-ops", MOCK));
    command.args(["test", "-b", "TT0", "-o", "ADD,RMS_NORM,GET_ROWS,MUL_MAT"]);
    command.args(["-p", r"n=16,k=256,bs=\[1,1\],nr=\[1,1\]|ne=\[10,|ne=\[64,5"]);
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    for operator in ["ADD", "RMS_NORM", "MUL_MAT"] {
        let found = cases(&finished.out, operator);
        assert!(
            found.iter().any(|case| case.verdict == Verdict::Ok),
            "no case of {operator} ran on the card"
        );
        assert!(found.iter().all(|case| case.verdict != Verdict::Failed), "{operator}: {}", finished.out);
    }
}

/// A card is listed with what it is; nobody boots it for that.
#[test]
fn a_card_is_listed() {
    let tools = need!(Tools::find());
    let mut command = tools.program("llama-completion", MOCK);
    let listed = tools::run(command.arg("--list-devices"), LIMIT).unwrap().success().unwrap();
    assert!(
        listed.out.contains("TT0: Tenstorrent Wormhole n150 (simulated, with its driver)"),
        "{}",
        listed.out
    );
}

/// There is no such card here: the log says so and which there are.
#[test]
fn a_card_that_is_not_there_is_refused_by_name() {
    let tools = need!(Tools::find());
    let mut command = tools.program("llama-completion", Device::Tenstorrent("4093"));
    let listed = tools::run(command.arg("--list-devices"), LIMIT).unwrap().success().unwrap();
    assert!(listed.err.contains("\"4093\": there is no such card"), "{}", listed.err);
}
