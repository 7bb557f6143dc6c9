//! Listings of what small graphs become: the descriptors that the planner makes of them, and the instructions that the kernels give
//! to the Tensix coprocessor. `TT_BLESS=1` writes them anew (`tests/listings`).

use std::time::Duration;

use tt_tests::tools::Temporary;
use tt_tests::{Device, Tools, listings, need, tools};

const LIMIT: Duration = Duration::from_secs(300);

/// The descriptors, as a device notes them that computes nothing.
fn descriptors(graph: &str) {
    let tools = need!(Tools::find());
    let program = need!(tools::native("graphs"));
    let file = Temporary::new(graph);
    let device = format!("null:{}", file.path().display());
    let mut command = tools.prepare(&program, Device::Tenstorrent(&device));
    tools::run(command.args(["TT0", graph]), LIMIT).unwrap().success().unwrap();
    listings::compare(graph, &std::fs::read_to_string(file.path()).unwrap());
}

#[test]
fn decoder_layer() {
    descriptors("decoder");
}

#[test]
fn attention_without_flash() {
    descriptors("attention");
}

#[test]
fn mixture_of_experts() {
    descriptors("experts");
}

#[test]
fn norms() {
    descriptors("norms");
}

#[test]
fn convolutions() {
    descriptors("convolutions");
}

/// The Tensix instructions of the first tile, from a trace of the simulator.
fn instructions(graph: &str) {
    let tools = need!(Tools::find());
    let program = need!(tools::native("graphs"));
    let file = Temporary::new(graph);
    let mut command = tools.prepare(&program, Device::Tenstorrent("sim,rows=1"));
    let cores = "core=trisc0+trisc1+trisc2,kind=insn";
    command.env("TT_SIM_TRACE", format!("{},tile=18-18,{cores}", file.path().display()));
    tools::run(command.args(["TT0", graph]), LIMIT).unwrap().success().unwrap();
    let trace = std::fs::read_to_string(file.path()).unwrap();
    listings::compare(&format!("tensix-{graph}"), &listings::threads(&trace));
}

#[test]
fn tensix_product() {
    instructions("product");
}

#[test]
fn tensix_function() {
    instructions("function");
}

#[test]
fn tensix_softmax() {
    instructions("softmax");
}
