//! What a node has while it is computed: weights where and as it wants them, scratch memory, copies of views.
//!
//! ```text
//! Needs, from planning --[acquire: weights are restored, converted, waited for]--> NodeResources --[launches]--> copies are kept
//! ```

use tt_runtime::ops::Unsupported;
use tt_runtime::{DramAddr, TensorView};

use super::executor::ComputeError;
use crate::abi::TensorRef;
use crate::abi::entry::is_for_weights;
use crate::abi::host::Host;
use crate::buffer::Arena;
use crate::copy_cache::{CachedCopy, CopyCache};
use crate::device::Device;
use crate::plan;
use crate::scratch::Block;
use crate::stats::Counts;
use crate::weights::{PlannedTiles, Tiles, WeightError};

/// What a plan counts on.
#[derive(Default)]
pub struct Needs {
    /// Ranges that are read as ggml's bytes: first byte, length.
    pub reads: Vec<(DramAddr, u64)>,
    /// Tiles of weights.
    pub tiles: Vec<PlannedTiles>,
    /// Memory of its own.
    pub memory: OwnMemory,
}

/// Device memory that a node has for itself; its content does not matter yet.
#[derive(Default)]
pub struct OwnMemory {
    /// For what comes between steps.
    pub scratch: Vec<Block>,
    /// Copies of earlier nodes that it reads.
    pub used: Vec<CachedCopy>,
    /// Copies that its steps make.
    pub made: Vec<CachedCopy>,
}

impl OwnMemory {
    /// Whether an address is in it. A later step may write there, and what is copied from there is nothing that another node can
    /// ask for.
    pub fn contains(&self, addr: u64) -> bool {
        let copies = self.used.iter().chain(&self.made).map(|copy| &*copy.memory);
        let mut all = copies.chain(&self.scratch);
        all.any(|memory| (memory.addr().0..memory.addr().0 + memory.len()).contains(&addr))
    }
}

impl Needs {
    /// Whether some of these bytes are read as they are.
    pub fn reads(&self, addr: DramAddr, len: u64) -> bool {
        self.reads.iter().any(|(start, bytes)| start.0 < addr.0 + len && addr.0 < start.0 + bytes)
    }

    /// Adds tiles; gives the kernel's view of them.
    ///
    /// # Errors
    /// The kernel cannot read them.
    pub fn tiles(&mut self, tiles: PlannedTiles) -> Result<TensorView, WeightError> {
        let view = tiles.view()?;
        self.tiles.push(tiles);
        Ok(view)
    }

    /// Makes everything ready for the launches: bytes are where they are read, tiles are on the device, and what the nodes of `results`
    /// write to is plain memory. Blocks until weights that are on their way are resident.
    ///
    /// # Errors
    /// A weight is not to be had, or the device failed.
    pub fn acquire(
        self,
        host: &'static Host,
        device: &Device,
        results: &[TensorRef<'_>],
    ) -> Result<NodeResources, ComputeError> {
        let Self { reads, tiles, memory } = self;
        for (addr, len) in reads {
            device.weights.before_compute(addr, len)?;
        }
        let tiles = tiles.into_iter().map(|planned| device.weights.acquire(planned));
        let tiles = tiles.collect::<Result<_, _>>()?;
        results.iter().try_for_each(|&node| before_writing(host, device, node))?;
        Ok(NodeResources { tiles, memory })
    }
}

/// What is left of a node's resources when its steps are on their way.
pub struct Done {
    /// Tiles that it reads.
    pub tiles: Vec<Tiles>,
    /// Ranges that it writes to: first byte, length.
    pub written: Vec<(DramAddr, u64)>,
}

/// The resources of a node: dropped, and so freed, after the launches.
pub struct NodeResources {
    tiles: Vec<Tiles>,
    memory: OwnMemory,
}

impl NodeResources {
    /// The node's steps are on their way: its copies can be used again, but for those of what the nodes of `results` have written. What is left is for
    /// whoever repeats the steps.
    ///
    /// # Errors
    /// What it has written is nowhere.
    pub fn computed(
        self,
        host: &Host,
        results: &[TensorRef<'_>],
        copies: &mut CopyCache,
        counts: &mut Counts,
    ) -> Result<Done, ComputeError> {
        counts.reused(self.memory.used.len());
        copies.keep(self.memory.made);
        let mut ranges = Vec::new();
        for tensor in results.iter().flat_map(|&node| plan::written(host, node)) {
            let written = placed(host, tensor)?;
            copies.written(written.addr, written.span());
            ranges.push((DramAddr(written.addr), written.span()));
        }
        Ok(Done { tiles: self.tiles, written: ranges })
    }
}

/// Prepares the memory that a node writes to. A weight is prepared for being written again and again.
fn before_writing(host: &'static Host, device: &Device, node: TensorRef<'_>) -> Result<(), ComputeError> {
    for tensor in plan::written(host, node) {
        let view = placed(host, tensor)?;
        let (addr, len) = (DramAddr(view.addr), view.span());
        match is_for_weights(host, tensor) {
            true => device.weights.before_update(addr, len)?,
            false => device.weights.before_write(addr, len)?,
        }
    }
    Ok(())
}

/// The arena of ours that a tensor is in.
pub fn arena(tensor: TensorRef<'_>) -> Result<&Arena, Unsupported> {
    Arena::of(tensor).ok_or_else(|| format!("{} is not in a buffer of this backend", tensor.name()).into())
}

/// The view of a tensor in an arena of ours.
pub fn placed(host: &Host, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
    plan::view(host, tensor, arena(tensor)?.address(tensor).0)
}
