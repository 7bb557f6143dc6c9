//! Buffers are byte-exact: random windows of tensors and views, against a plain array.

use std::time::Duration;

use tt_tests::{Device, Tools, need, tools};

const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn random_windows_match_plain_memory() {
    let tools = need!(Tools::find());
    let program = need!(tools::native("windows"));
    for seed in ["1", "2", "3"] {
        let mut command = tools.prepare(&program, Device::SIM);
        command.args(["TT0", seed, "2000"]);
        let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
        assert!(finished.out.contains("windows: ok"), "seed {seed}: {}", finished.err);
    }
}
