//! `GGML_TT_CHECK=1`: every operator again on ggml's CPU backend, from the same inputs.
//!
//! ```text
//! inputs on the device --copies--> CPU backend --> expected --+
//!          +-----------> launches on the device --> found ----+--> compared
//! ```
//!
//! Errors do not add up: each operator starts from what the device has. The bounds are those of llama.cpp's
//! `test-backend-ops`. The first operator that differs is reported with everything that is known about it, others of the same
//! name are only counted.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use parking_lot::Mutex;

use super::compare::{Difference, difference, values};
use super::cpu::Cpu;
use super::refusals::{describe, shape};
use super::twins::{TwinError, Twins, bytes};
use crate::abi::host::{Host, Operator};
use crate::abi::types::Tensor;
use crate::weights::choice;
use crate::{log, plan};

/// What was compared so far.
struct Totals {
    compared: u64,
    /// Operators that differ, by name.
    different: BTreeMap<String, u64>,
}

static TOTALS: Mutex<Totals> = Mutex::new(Totals { compared: 0, different: BTreeMap::new() });

fn is_on() -> bool {
    static ON: OnceLock<bool> = OnceLock::new();
    *ON.get_or_init(|| log::env_flag("GGML_TT_CHECK"))
}

/// Nodes that are about to be computed, with copies of their inputs.
pub struct Check<'a> {
    host: &'a Host,
    nodes: &'a [&'a Tensor],
    twins: Twins,
}

/// Keeps the inputs of nodes that become one step of the device, if checks are asked for.
pub fn begin<'a>(host: &'a Host, nodes: &'a [&'a Tensor]) -> Option<Check<'a>> {
    if !is_on() {
        return None;
    }
    match Twins::new(host, nodes) {
        Ok(twins) => Some(Check { host, nodes, twins }),
        Err(error) => {
            cannot(host, nodes, &error);
            None
        }
    }
}

fn cannot(host: &Host, nodes: &[&Tensor], error: &TwinError) {
    let names: Vec<String> = nodes.iter().map(|node| describe(host, node)).collect();
    log::error(&format!("check: {}: not compared: {error}", names.join(" + ")));
}

impl Check<'_> {
    /// The device is done: compares the last node's result.
    pub fn end(self) {
        let (host, nodes) = (self.host, self.nodes);
        if let Err(error) = self.compare() {
            cannot(host, nodes, &error);
        }
    }

    fn compare(self) -> Result<(), TwinError> {
        let (host, nodes) = (self.host, self.nodes);
        let Some(node) = nodes.last() else { return Ok(()) };
        let expected = self.twins.compute(Cpu::get()?, host)?;
        let found = bytes(host, node)?;
        let (Some(mut expected), Some(mut found)) =
            (values(host, node, &expected), values(host, node, &found))
        else {
            log::warn(&format!("check: {}: results of this type are not compared", describe(host, node)));
            return Ok(());
        };
        if host.operator(node.op) == Some(Operator::TopK) {
            // The order of what is found is not defined.
            for row in expected.chunks_mut(node.ne[0] as usize).chain(found.chunks_mut(node.ne[0] as usize)) {
                row.sort_by(f64::total_cmp);
            }
        }
        let bound = nodes.iter().map(|node| bound(host, node)).fold(0.0, f64::max);
        let result = difference(&expected, &found, bound);
        let name = name(host, nodes);
        let mut totals = TOTALS.lock();
        totals.compared += 1;
        if let Some(difference) = result {
            let count = totals.different.entry(name.clone()).or_default();
            *count += 1;
            if *count == 1 {
                log::error(&message(host, &name, nodes, &difference, bound, (&expected, &found)));
            }
        }
        Ok(())
    }
}

/// `RMS_NORM+MUL` of the nodes of one step.
pub fn name(host: &Host, nodes: &[&Tensor]) -> String {
    let names: Vec<&str> = nodes.iter().map(|node| host.function_name(node)).collect();
    names.join("+")
}

fn message(
    host: &Host,
    name: &str,
    nodes: &[&Tensor],
    difference: &Difference,
    bound: f64,
    (expected, found): (&[f64], &[f64]),
) -> String {
    let mut text = format!("check: {name} differs from the CPU: NMSE {:.3e} > {bound:.0e}", difference.nmse);
    for node in nodes {
        text += &format!("\n    result {} {}", plan::name(node), shape(host, node));
        for index in 0..node.src.len() {
            if let Some(source) = plan::source(node, index) {
                text += &format!("\n      src{index} {} {}", plan::name(source), shape(host, source));
            }
        }
    }
    let ne = nodes.last().map_or([1; 4], |node| node.ne.map(|n| n as usize));
    for (which, at) in [("first", difference.first), ("worst", difference.worst)] {
        let index = [at % ne[0], at / ne[0] % ne[1], at / ne[0] / ne[1] % ne[2], at / ne[0] / ne[1] / ne[2]];
        text += &format!("\n    {which} element {index:?}: CPU {:e}, device {:e}", expected[at], found[at]);
    }
    text
}

/// The largest normalised mean squared error, as in `test-backend-ops`.
fn bound(host: &Host, node: &Tensor) -> f64 {
    /// Everything in FP32.
    const EXACT: f64 = 1e-7;
    /// Sums of products that are rounded apart from one another.
    const SUMMED: f64 = 1e-6;
    /// Products, also with operands of 16 bits or quantised ones.
    const PRODUCT: f64 = 5e-4;
    /// Products with weights of 4 bits.
    const COARSE: f64 = 5e-2;
    /// A value of a block type that falls on the other side of a rounding boundary.
    const ROUNDED: f64 = 1e-4;
    let float = |tensor: &Tensor| host.weight_type(tensor.type_).is_some_and(|ty| !ty.is_quantised());
    match host.operator_name(node.op) {
        "MUL_MAT" | "MUL_MAT_ID" if choice::is_coarse() => COARSE,
        "MUL_MAT" | "MUL_MAT_ID" | "OUT_PROD" | "FLASH_ATTN_EXT" | "CONV_2D" | "CONV_3D" => PRODUCT,
        "LIGHTNING_INDEXER" => SUMMED,
        "ARGMAX" | "ARGSORT" | "TOP_K" => 0.0,
        _ if host.weight_type(node.type_).is_some() && !float(node) => ROUNDED,
        _ => EXACT,
    }
}

/// Operators compared so far, and those that differ by name; `None` if checks are off.
pub fn totals() -> Option<(u64, BTreeMap<String, u64>)> {
    let totals = TOTALS.lock();
    is_on().then(|| (totals.compared, totals.different.clone()))
}

/// Says what came out.
pub fn report() {
    let Some((compared, different)) = totals().filter(|(compared, _)| *compared > 0) else { return };
    let names: Vec<String> = different.iter().map(|(name, count)| format!("{count} {name}")).collect();
    match names.is_empty() {
        true => log::info(&format!("check: {compared} operators compared with the CPU, all agree")),
        false => log::error(&format!(
            "check: {compared} operators compared with the CPU, these differ: {}",
            names.join(", ")
        )),
    }
}
