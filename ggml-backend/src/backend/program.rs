//! Programs: graphs that have been planned, and are computed again and again.
//!
//! ```text
//! graph --[content is known]--> program --> its steps, as they are, to the stream
//!       --[else: executor]----> program --> kept
//! ```
//!
//! llama.cpp computes the same graph for every token, until the part of the cache that attention reads grows (every 256 positions). Planning
//! it costs more than a short pass over a model; a program costs the comparison of its graph with the one that it was made of.
//!
//! A program holds as long as its graph has the same content ([`Content`]), weights are where they were
//! ([`Weights::changes`](crate::weights::Weights::changes)), and the memory between its steps has not been given back ([`Pool::cleared`]).

use std::collections::VecDeque;

use tt_runtime::{CheckedSteps, DramAddr, Error, OpDescriptor, StreamError};

use crate::abi::host::Host;
use crate::abi::{Content, GraphRef, log};
use crate::device::Device;
use crate::fusion;
use crate::passes::Product;
use crate::scratch::Pool;
use crate::stats::Counts;
use crate::weights::Tiles;

/// Programs that a backend keeps: a scheduler cuts a model's graph into several, and prompts and tokens have different ones.
const MOST: usize = 16;
/// Bytes of device memory that are kept for them. A graph that needs more, a long prompt's, is planned every time.
const MOST_BYTES: u64 = 64 << 20;

/// What an executor has done, and how it can be done again.
#[derive(Default)]
pub struct Recording {
    /// All steps.
    pub steps: Vec<OpDescriptor>,
    /// Whose they are.
    pub owners: Vec<Owner>,
    /// Ranges that nodes write to: first byte, length.
    pub written: Vec<(DramAddr, u64)>,
    /// Tiles that products read.
    pub tiles: Vec<Tiles>,
    /// What was counted.
    pub counts: Counts,
}

/// A node, or a group by its last one, whose steps are in the stream.
pub struct Owner {
    /// The step behind its last one.
    pub end: usize,
    /// For messages: what it computes, and its tensor.
    pub name: String,
}

/// Whose a step is; nothing if nobody knows.
pub fn owner(owners: &[Owner], step: usize) -> Option<&str> {
    owners.iter().find(|owner| step < owner.end).map(|owner| owner.name.as_str())
}

/// A planned graph.
struct Program {
    content: Content,
    weights: u64,
    /// Whether groups of nodes were computed as one.
    is_fused: bool,
    steps: CheckedSteps,
    owners: Vec<Owner>,
    written: Vec<(DramAddr, u64)>,
    _tiles: Vec<Tiles>,
    counts: Counts,
    products: Vec<Product>,
}

/// The programs of a backend, and the memory between their steps.
#[derive(Default)]
pub struct Programs {
    /// The one that was used last comes first.
    kept: VecDeque<Program>,
    pool: Pool,
    cleared: u64,
}

impl Programs {
    /// The memory between steps.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Computes a graph that is known: its products, and whether all went well; the log says what did not. `None`: it is not known.
    pub fn run(
        &mut self,
        host: &'static Host,
        device: &'static Device,
        graph: GraphRef<'_>,
    ) -> Option<(&[Product], bool)> {
        let index = self.kept.iter().position(|program| program.content.is_of(host, graph))?;
        let program = self.kept.remove(index)?;
        if !program.is_ready(device) {
            return None;
        }
        let result = program.run(device);
        let done = result.is_ok();
        if let Err(StreamError { step, error }) = result {
            log_failure(step.and_then(|step| owner(&program.owners, step)), &error);
        }
        self.kept.push_front(program);
        Some((&self.kept.front()?.products, done))
    }

    /// Keeps what an executor has done, if it can be done again. `weights` is what [`changes`](crate::weights::Weights::changes) was before.
    pub fn keep(
        &mut self,
        device: &'static Device,
        content: Content,
        weights: u64,
        recording: Recording,
        products: &[Product],
    ) {
        if self.pool.bytes() > MOST_BYTES {
            self.pool.clear();
        }
        if self.pool.cleared() != self.cleared {
            self.cleared = self.pool.cleared();
            self.kept.clear();
            return;
        }
        let Recording { steps, owners, written, tiles, counts } = recording;
        let Ok(steps) = device.runtime.check_steps(steps) else { return };
        let (products, is_fused) = (products.to_vec(), fusion::are_enabled());
        self.kept.push_front(Program {
            content,
            weights,
            is_fused,
            steps,
            owners,
            written,
            _tiles: tiles,
            counts,
            products,
        });
        self.kept.truncate(MOST);
    }
}

impl Program {
    /// Whether weights are where they were. What the program writes is no longer what copies were made of.
    fn is_ready(&self, device: &'static Device) -> bool {
        let weights = &device.weights;
        if weights.has_copies() {
            let told = self.written.iter().try_for_each(|&(addr, len)| weights.before_write(addr, len));
            if told.is_err() {
                return false;
            }
        }
        weights.changes() == self.weights && fusion::are_enabled() == self.is_fused
    }

    fn run(&self, device: &'static Device) -> Result<(), StreamError> {
        let mut stream = device.runtime.stream();
        stream.push_all(&self.steps).map_err(|error: Error| StreamError { step: None, error })?;
        self.counts.enter(true);
        stream.finish()
    }
}

/// Says what went wrong, and with what.
pub fn log_failure(owner: Option<&str>, error: &Error) {
    log::error(&owner.map_or_else(|| error.to_string(), |owner| format!("{owner}: {error}")));
}
