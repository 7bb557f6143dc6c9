//! llama.cpp on a card: the simulated chip behind the rules of the kernel driver.

use std::time::Duration;

use tt_tests::backend_ops::{Verdict, cases};
use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(300);
const MOCK: Device<'static> = Device::Tenstorrent("kmd-mock:2.10.0");
const PROMPT: &str = "In the beginning";

/// Eight tokens of the demo model.
fn text(tools: &Tools, device: Device<'_>) -> String {
    let mut command = tools.program("llama-completion", device);
    command.arg("-m").arg(tools::demo_model()).args(["-p", PROMPT, "-n", "8", "--temp", "0", "-ngl", "99"]);
    command.args(["-c", "64", "-fit", "off", "-no-cnv", "--no-warmup", "--simple-io"]);
    let after = |out: &str| out.split_once(PROMPT).map(|(_, text)| text.trim().to_owned());
    let complete = |finished: &tools::Finished| after(&finished.out).is_some_and(|text| text.len() > 8);
    let finished = tools::run_logged(&mut command, LIMIT, complete).unwrap().success().unwrap();
    after(&finished.out).unwrap_or_else(|| panic!("no text:\n{}\n{}", finished.out, finished.err))
}

#[test]
fn the_text_on_a_card_is_the_simulators() {
    let tools = need!(Tools::find());
    assert_eq!(text(&tools, MOCK), text(&tools, Device::SIM));
}

#[test]
fn operators_of_llama_cpp_are_right_on_a_card() {
    let tools = need!(Tools::find());
    need!(tools.optional("test-backend-ops", MOCK));
    for operator in ["SOFT_MAX", "CPY", "GLU"] {
        let mut command = tools.program("test-backend-ops", MOCK);
        let finished = tools::run(command.args(["test", "-b", "TT0", "-o", operator]), LIMIT).unwrap();
        let found = cases(&finished.out, operator);
        let with = |verdict| found.iter().filter(|case| case.verdict == verdict).count();
        println!("{operator}: {} of {} cases ran on the card", with(Verdict::Ok), found.len());
        assert!(with(Verdict::Ok) > 10 && with(Verdict::Failed) == 0, "{}", finished.out);
        finished.success().unwrap();
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
