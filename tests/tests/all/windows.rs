//! Buffers are byte-exact: random windows of tensors and views are compared with a plain array.

use std::time::Duration;

use tt_tests::{Device, Tools, need, tools};

/// With `TT_FULL` as many steps as the project promises.
const FULL_STEPS: &str = "35000";

#[test]
fn random_windows_match_plain_memory() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("windows"));
    let (steps, limit) = match tools::full().is_ok() {
        true => (FULL_STEPS, Duration::from_secs(3600)),
        false => ("2000", Duration::from_secs(300)),
    };
    for seed in ["1", "2", "3"] {
        let mut command = tools.prepare(&program, Device::SIM);
        command.args(["TT0", seed, steps]);
        let finished = tools::run(&mut command, limit).unwrap().success().unwrap();
        assert!(finished.out.contains("windows: ok"), "seed {seed}: {}", finished.err);
    }
}
