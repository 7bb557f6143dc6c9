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

use parking_lot::Mutex;
use tt_runtime::layout::GgmlType;

use super::compare::{Difference, difference, values};
use super::refusals::{describe, shape};
use crate::abi::TensorRef;
use crate::abi::host::Host;
use crate::abi::log;
use crate::abi::reference::{CpuError, Replicas};
use crate::buffer::Arena;
use crate::weights::{WeightError, choice};

/// What was compared so far.
struct Totals {
    compared: u64,
    /// Operators that differ, by name.
    different: BTreeMap<String, u64>,
}

static TOTALS: Mutex<Totals> = Mutex::new(Totals { compared: 0, different: BTreeMap::new() });

pub(super) fn is_on() -> bool {
    tt_settings::CHECK.is_on()
}

/// Why nodes are not compared.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    /// Not a tensor of ours.
    #[error("{0} is not in a buffer of this backend")]
    Elsewhere(String),
    /// Its bytes cannot be read.
    #[error(transparent)]
    Read(#[from] WeightError),
    /// The CPU.
    #[error(transparent)]
    Cpu(#[from] CpuError),
}

/// Nodes that are about to be computed, with copies of their inputs.
pub struct Check<'a> {
    host: &'a Host,
    name: &'a str,
    nodes: &'a [TensorRef<'a>],
    replicas: Replicas<'a>,
}

/// Reads a tensor's bytes, as they are on the device.
fn read(tensor: TensorRef<'_>, out: &mut [u8]) -> Result<(), CheckError> {
    let arena = Arena::of(tensor).ok_or_else(|| CheckError::Elsewhere(tensor.name()))?;
    Ok(arena.read(tensor, out)?)
}

/// Keeps the inputs of nodes that are computed as one, if checks are asked for. `name` is what reports call them.
pub fn begin<'a>(host: &'a Host, name: &'a str, nodes: &'a [TensorRef<'a>]) -> Option<Check<'a>> {
    if !is_on() {
        return None;
    }
    match Replicas::new(host, nodes, read) {
        Ok(replicas) => Some(Check { host, name, nodes, replicas }),
        Err(error) => {
            cannot(host, nodes, &error);
            None
        }
    }
}

fn cannot(host: &Host, nodes: &[TensorRef<'_>], error: &CheckError) {
    let names: Vec<String> = nodes.iter().map(|&node| describe(host, node)).collect();
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

    fn compare(self) -> Result<(), CheckError> {
        let (host, name, nodes) = (self.host, self.name, self.nodes);
        let Some(&node) = nodes.last() else { return Ok(()) };
        let expected = self.replicas.compute(host)?;
        let mut found = vec![0; host.nbytes(node)];
        read(node, &mut found)?;
        let (Some(mut expected), Some(mut found)) =
            (values(host, node, &expected), values(host, node, &found))
        else {
            log::warn(&format!("check: {}: results of this type are not compared", describe(host, node)));
            return Ok(());
        };
        if host.operator_name(node) == "TOP_K" {
            // The order of what is found is not defined.
            let row = node.ne()[0] as usize;
            for row in expected.chunks_mut(row).chain(found.chunks_mut(row)) {
                row.sort_by(f64::total_cmp);
            }
        }
        let bound = nodes.iter().map(|&node| bound(host, node)).fold(0.0, f64::max);
        let result = difference(&expected, &found, bound);
        let mut totals = TOTALS.lock();
        totals.compared += 1;
        if let Some(difference) = result {
            let count = totals.different.entry(name.to_owned()).or_default();
            *count += 1;
            if *count == 1 {
                log::error(&message(host, name, nodes, &difference, bound, (&expected, &found)));
            }
        }
        Ok(())
    }
}

fn message(
    host: &Host,
    name: &str,
    nodes: &[TensorRef<'_>],
    difference: &Difference,
    bound: f64,
    (expected, found): (&[f64], &[f64]),
) -> String {
    let mut text = format!("check: {name} differs from the CPU: NMSE {:.3e} > {bound:.0e}", difference.nmse);
    for &node in nodes {
        text += &format!("\n    result {} {}", node.name(), shape(host, node));
        for (index, source) in node.sources() {
            text += &format!("\n      src{index} {} {}", source.name(), shape(host, source));
        }
    }
    let ne = nodes.last().map_or([1; 4], |node| node.ne().map(|n| n as usize));
    for (which, at) in [("first", difference.first), ("worst", difference.worst)] {
        let index = [at % ne[0], at / ne[0] % ne[1], at / ne[0] / ne[1] % ne[2], at / ne[0] / ne[1] / ne[2]];
        text += &format!("\n    {which} element {index:?}: CPU {:e}, device {:e}", expected[at], found[at]);
    }
    text
}

/// The largest normalised mean squared error, as in `test-backend-ops`.
fn bound(host: &Host, node: TensorRef<'_>) -> f64 {
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
    let ty = host.weight_type(node);
    match host.operator_name(node) {
        "MUL_MAT" | "MUL_MAT_ID" if choice::is_coarse() => COARSE,
        "MUL_MAT" | "MUL_MAT_ID" | "OUT_PROD" | "FLASH_ATTN_EXT" | "CONV_2D" | "CONV_3D" => PRODUCT,
        "LIGHTNING_INDEXER" => SUMMED,
        "ARGMAX" | "ARGSORT" | "TOP_K" => 0.0,
        _ if ty.is_some_and(GgmlType::is_quantised) => ROUNDED,
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
