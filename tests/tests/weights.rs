//! Products with weights through ggml's interface: a weight times itself, no memory, no threads, experts in pieces.

use std::time::Duration;

use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(300);

fn passes(what: &str) {
    let tools = need!(Tools::find());
    let program = need!(tools::native("weights"));
    let mut command = tools.prepare(&program, Device::SIM);
    command.args(["TT0", what]);
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    assert!(finished.out.contains(&format!("weights: {what} ok")), "{}{}", finished.out, finished.err);
}

#[test]
fn a_weight_is_multiplied_with_itself_and_its_views() {
    passes("self");
}

#[test]
fn no_memory_is_an_error_and_memory_again_a_result() {
    passes("memory");
}

#[test]
fn a_weight_that_no_thread_can_load_is_an_error() {
    passes("threads");
}

#[test]
fn experts_come_in_pieces() {
    passes("experts");
}
