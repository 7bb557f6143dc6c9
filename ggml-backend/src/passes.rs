//! How long passes over a model take, and how many rows (tokens, for a language model) each of them had.
//!
//! ggml hands a backend graphs, not tokens: one batch is one graph, or several where its scheduler computes something
//! in between on another backend. Two things tell what belongs together:
//!
//! - A pass is over when a weight is multiplied that it has multiplied already: the next graph goes through the model again.
//! - All activations of a batch go through the first matrix of a pass, a row for each token (llama.cpp computes only those rows in
//!   the last ones whose results are wanted). So the rows of the first product with a matrix of weights are the tokens of the batch.
//!
//! What is no pass over a model (no product with weights: moving a cache, a test of an operator) counts as a part of the pass
//! before, or not at all. A batch of one token is one row whether it is generated or the prompt's only one.
//!
//! Time is the host's. A backend belongs to one context of the host, so what passes between the end of one of its passes
//! and the end of the next is what the host has done for it: sampling, other backends, or waiting for a request.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Products with weights of a graph, in the order of the graph: the weight's address, and rows of the activations.
pub type Product = (u64, u64);

/// Passes with the same number of rows.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Total {
    /// Passes.
    pub count: u64,
    /// Time in graphs.
    pub in_graphs: Duration,
    /// Clocks of the device in graphs, where they are counted.
    pub clocks: u64,
    /// Time between the graphs, from the end of the backend's pass before. Nothing for its first pass.
    pub between: Duration,
}

/// Where a backend is in its passes.
#[derive(Default)]
pub struct Progress {
    /// The weights of this pass so far.
    seen: HashSet<u64>,
    /// Rows of this pass; none before the first one.
    rows: Option<u64>,
    /// End of the last graph.
    end: Option<Instant>,
}

impl Progress {
    /// Enters a graph that ran from `begin` to `end`, so many clocks of the device.
    fn graph(
        &mut self,
        products: &[Product],
        (begin, end): (Instant, Instant),
        clocks: u64,
        totals: &mut BTreeMap<u64, Total>,
    ) {
        let again = products.iter().any(|(weight, _)| self.seen.contains(weight));
        if let Some((_, rows)) = products.first()
            && (again || self.rows.is_none())
        {
            self.seen.clear();
            self.rows = Some(*rows);
            totals.entry(*rows).or_default().count += 1;
        }
        let Some(rows) = self.rows else { return };
        self.seen.extend(products.iter().map(|(weight, _)| weight));
        let total = totals.entry(rows).or_default();
        total.in_graphs += end.duration_since(begin);
        total.clocks += clocks;
        total.between += self.end.map_or(Duration::ZERO, |before| begin.duration_since(before));
        self.end = Some(end);
    }
}

/// By the name of the device, and rows.
static TOTALS: Mutex<BTreeMap<String, BTreeMap<u64, Total>>> = Mutex::new(BTreeMap::new());

/// Enters a graph that a backend of a device has computed since `begin`, in so many clocks.
pub fn graph(progress: &mut Progress, device: &str, products: &[Product], begin: Instant, clocks: u64) {
    let time = (begin, Instant::now());
    progress.graph(products, time, clocks, TOTALS.lock().entry(device.to_owned()).or_default());
}

/// All passes so far, by device and rows.
pub fn totals() -> Vec<(String, u64, Total)> {
    let totals = TOTALS.lock();
    let of = |(device, totals): (&String, &BTreeMap<u64, Total>)| {
        totals.iter().map(|(rows, total)| (device.clone(), *rows, *total)).collect::<Vec<_>>()
    };
    totals.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Graphs of one second each, two seconds apart.
    fn run(graphs: &[&[Product]]) -> Vec<(u64, u64, u64, u64)> {
        let (start, mut progress, mut totals) = (Instant::now(), Progress::default(), BTreeMap::new());
        for (index, products) in graphs.iter().enumerate() {
            let begin = start + Duration::from_secs(3 * index as u64);
            progress.graph(products, (begin, begin + Duration::from_secs(1)), 7, &mut totals);
        }
        assert_eq!(
            totals.values().map(|total| total.clocks).sum::<u64>(),
            7 * totals.values().map(|total| total.in_graphs.as_secs()).sum::<u64>()
        );
        let row = |(rows, total): (&u64, &Total)| {
            (*rows, total.count, total.in_graphs.as_secs(), total.between.as_secs())
        };
        totals.iter().map(row).collect()
    }

    #[test]
    fn a_prompt_and_two_tokens() {
        let prompt: &[Product] = &[(0x100, 5), (0x200, 5), (0x900, 1)];
        let token: &[Product] = &[(0x100, 1), (0x200, 1), (0x900, 1)];
        assert_eq!(run(&[prompt, token, token]), [(1, 2, 2, 4), (5, 1, 1, 0)]);
    }

    /// The second graph of a pass has only the rows whose results are wanted.
    #[test]
    fn a_pass_of_several_graphs_is_one() {
        let (front, back): (&[Product], &[Product]) = (&[(0x100, 7)], &[(0x200, 7), (0x900, 1)]);
        assert_eq!(run(&[front, back, front, back]), [(7, 2, 4, 6)]);
    }

    /// A small batch may begin on the CPU, so that this device comes in later.
    #[test]
    fn a_pass_may_begin_at_a_later_weight() {
        assert_eq!(run(&[&[(0x100, 5), (0x200, 5)], &[(0x200, 1)]]), [(1, 1, 1, 2), (5, 1, 1, 0)]);
    }

    #[test]
    fn graphs_without_weights_begin_no_pass() {
        assert_eq!(run(&[&[]]), []);
        assert_eq!(run(&[&[(0x100, 3)], &[]]), [(3, 1, 2, 2)]);
    }
}
