//! `llama-server` with all layers on the simulated card, as its clients see it.

use tt_tests::server::Rig;
use tt_tests::{Device, Tools, need, tools};

const PROMPTS: [&str; 2] = ["And the king said to the", "In the evening the prince"];
const TOKENS: usize = 8;

/// Runs a check with the demo model.
macro_rules! check {
    ($check:ident, $prompts:expr) => {
        let tools = need!(Tools::find());
        need!(tools.optional("llama-server", Device::SIM));
        let model = tools::demo_model();
        let rig = Rig { tools: &tools, model: &model, reference: &model, tokens: TOKENS };
        rig.$check($prompts).unwrap();
    };
}

#[test]
fn two_clients_at_once() {
    check!(two_clients, PROMPTS);
}

#[test]
fn a_cancelled_request() {
    check!(cancelled_request, PROMPTS);
}

#[test]
fn a_slot_saved_and_restored() {
    check!(saved_slot, PROMPTS[0]);
}
