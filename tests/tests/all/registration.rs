//! Problems at program start are written to standard error, once, whatever the program does with its log.

use std::time::Duration;

use tt_tests::tools::Finished;
use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(120);
/// `--list-devices` ends the program at once, while its log is still queued: often enough to lose lines.
const TIMES: usize = 5;

/// Runs `llama-completion`, or another program, to its end.
fn run(tools: &Tools, program: &str, devices: &str, arguments: &[&str]) -> Finished {
    let mut command = tools.program(program, Device::Tenstorrent(devices));
    tools::run(command.args(arguments), LIMIT).unwrap().success().unwrap()
}

/// The library's lines.
fn said(finished: &Finished) -> Vec<&str> {
    finished.err.lines().filter(|line| line.contains("ggml_tenstorrent")).collect()
}

/// One line, that contains all of these.
fn assert_says_once(finished: &Finished, parts: &[&str]) {
    let lines = said(finished);
    assert!(lines.len() == 1 && parts.iter().all(|part| lines[0].contains(part)), "{}", finished.err);
}

const WRONG: (&str, &[&str]) =
    ("sim:n999", &["error", "GGML_TT_DEVICES=sim:n999", "no board \"n999\"", "n150"]);
const NONE: (&str, &[&str]) = ("", &["no Tenstorrent card found", "GGML_TT_DEVICES=sim"]);

#[test]
fn when_devices_are_listed() {
    let tools = need!(Tools::find());
    for (devices, parts) in [WRONG, NONE] {
        for _ in 0..TIMES {
            assert_says_once(&run(&tools, "llama-completion", devices, &["--list-devices"]), parts);
        }
    }
}

/// The program goes on without the card.
#[test]
fn when_text_is_generated() {
    let tools = need!(Tools::find());
    let model = tools::demo_model();
    let arguments = ["-m", model.to_str().unwrap(), "-p", "And", "-n", "1", "-no-cnv", "--no-warmup"];
    for (devices, parts) in [WRONG, NONE] {
        assert_says_once(&run(&tools, "llama-completion", devices, &arguments), parts);
    }
}

/// `test-backend-ops` leaves ggml's own log in place.
#[test]
fn where_the_program_has_no_log_of_its_own() {
    let tools = need!(Tools::find());
    need!(tools.optional("test-backend-ops", Device::SIM));
    for (devices, parts) in [WRONG, NONE] {
        assert_says_once(&run(&tools, "test-backend-ops", devices, &["support", "-o", "ADD"]), parts);
    }
}

#[test]
fn nothing_is_said_in_vain() {
    let tools = need!(Tools::find());
    let finished = run(&tools, "llama-completion", "sim", &["--list-devices"]);
    assert!(said(&finished).is_empty(), "{}", finished.err);
}
