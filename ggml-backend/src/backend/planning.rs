//! What a node needs, found out while it is planned. Nothing happens on the device here: addresses are looked up, memory is set aside, and
//! what has to be done before the launches is written down ([`Needs`]).

use std::sync::Arc;

use tt_runtime::ops::Unsupported;
use tt_runtime::{DramAddr, TensorView};

use super::executor::ComputeError;
use super::resources::{Needs, arena, placed};
use crate::abi::entry::is_for_weights;
use crate::abi::host::Host;
use crate::abi::{TensorRef, log};
use crate::copy_cache::{CachedCopy, CopyCache, Origin};
use crate::device::Device;
use crate::plan::{self, CopyPlace};
use crate::scratch::{Block, Pool};
use crate::weights::choice::Weight;
use crate::weights::strided::Strided;
use crate::weights::{PlannedTiles, WeightError};

/// The memory of a device, for the plan of a node, or of a group by its last node.
pub struct Planning<'a> {
    host: &'static Host,
    device: &'static Device,
    grid: [u32; 2],
    node: TensorRef<'a>,
    pool: &'a Pool,
    /// Copies that earlier nodes have made.
    copies: &'a mut CopyCache,
    needs: Needs,
    /// What is no question of support.
    failed: Option<ComputeError>,
}

impl<'a> Planning<'a> {
    /// Nothing is needed yet.
    pub fn new(
        host: &'static Host,
        device: &'static Device,
        grid: [u32; 2],
        node: TensorRef<'a>,
        pool: &'a Pool,
        copies: &'a mut CopyCache,
    ) -> Self {
        Self { host, device, grid, node, pool, copies, needs: Needs::default(), failed: None }
    }

    /// The plan is made: what it needs, or why that is not to be had.
    ///
    /// # Errors
    /// No memory is left, or tiles cannot be read.
    pub fn finish(self) -> Result<Needs, ComputeError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.needs),
        }
    }

    /// Memory of the device; if there is none left, copies of earlier nodes give theirs back, and what other graphs have used.
    fn alloc(&mut self, bytes: u64) -> Result<Block, Unsupported> {
        let runtime = &self.device.runtime;
        let memory = self.pool.take(runtime, bytes).or_else(|_| {
            self.copies.clear();
            self.pool.clear();
            self.pool.take(runtime, bytes)
        });
        self.kept(memory.map_err(ComputeError::from))
    }

    /// What a product multiplies with: a weight's tiles; tiles beside the bytes of what could be one, or of what kernels
    /// cannot read; else the bytes themselves, as those of a weight that changes with every graph.
    fn factor(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, ComputeError> {
        let addr = arena(tensor)?.address(tensor);
        let weights = &self.device.weights;
        let weight = Weight::of(self.host, tensor).filter(|_| is_for_weights(self.host, tensor));
        let plain = plan::multiplied(self.host, tensor, addr.0);
        let is_updated = plain.as_ref().is_ok_and(|view| weights.is_updated(addr, view.span()));
        if is_updated {
            return self.bytes(plain?);
        }
        if let Some(weight) = weight
            && weight.place_bytes().is_some()
        {
            let is_read = self.needs.reads(addr, weight.bytes().unwrap_or(0));
            return Ok(self.needs.tiles(weights.plan_tiles(addr, weight, is_read)?)?);
        }
        if let Some(of) = Strided::of(self.host, tensor, addr)
            && (weight.is_some() || plain.is_err())
        {
            match self.copy(&of) {
                Ok(view) => return Ok(view),
                Err(error) if plain.is_err() => return Err(error.into()),
                Err(error) => {
                    log::warn(&format!("{} is used as it is, which is slower: {error}", tensor.name()))
                }
            }
        }
        self.bytes(plain?)
    }

    /// Tiles beside the bytes.
    fn copy(&mut self, of: &Strided) -> Result<TensorView, WeightError> {
        match self.needs.tiles.iter().find(|tiles: &&PlannedTiles| tiles.is_copy_of(of)) {
            Some(tiles) => tiles.view(),
            None => self.needs.tiles(self.device.weights.plan_copy(of)?),
        }
    }

    /// ggml's bytes.
    fn bytes(&mut self, view: TensorView) -> Result<TensorView, ComputeError> {
        self.needs.reads.push((DramAddr(view.addr), view.span()));
        Ok(view)
    }

    /// Keeps what is no question of support for the end.
    fn kept<T>(&mut self, result: Result<T, ComputeError>) -> Result<T, Unsupported> {
        result.map_err(|error| match error {
            ComputeError::Unsupported(why) => why,
            other => {
                let why = other.to_string().into();
                self.failed = Some(other);
                why
            }
        })
    }
}

impl plan::Memory for Planning<'_> {
    fn grid(&self) -> [u32; 2] {
        self.grid
    }

    fn place(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
        let view = placed(self.host, tensor)?;
        match self.node.is(tensor) {
            true => Ok(view),
            false => {
                let read = self.bytes(view);
                self.kept(read)
            }
        }
    }

    fn place_weights(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
        let view = self.factor(tensor);
        self.kept(view)
    }

    fn largest_weight(&self, weights: &TensorView) -> f32 {
        self.device.weights.largest(DramAddr(weights.addr))
    }

    fn scratch(&mut self, bytes: u64) -> Result<u64, Unsupported> {
        let memory = self.alloc(bytes)?;
        let addr = memory.addr().0;
        self.needs.memory.scratch.push(memory);
        Ok(addr)
    }

    fn materialise(&mut self, origin: Origin, form: TensorView) -> Result<CopyPlace, Unsupported> {
        if self.needs.memory.contains(origin.source.addr) {
            let addr = self.scratch(plan::padded_span(&form))?;
            return Ok(CopyPlace { view: TensorView { addr, ..form }, is_there: false });
        }
        let earlier = self.needs.memory.made.iter().find(|copy| copy.is(&origin, &form));
        if let Some(copy) = earlier.or_else(|| self.copies.find(&origin, &form)) {
            let copy = copy.clone();
            let view = copy.view;
            self.needs.memory.used.push(copy);
            return Ok(CopyPlace { view, is_there: true });
        }
        let memory = self.alloc(plan::padded_span(&form))?;
        let view = TensorView { addr: memory.addr().0, ..form };
        self.needs.memory.made.push(CachedCopy { origin, view, memory: Arc::new(memory), is_only: false });
        Ok(CopyPlace { view, is_there: false })
    }

    fn replace(&mut self, origin: Origin, form: TensorView) -> Result<TensorView, Unsupported> {
        let memory = self.alloc(plan::padded_span(&form))?;
        let view = TensorView { addr: memory.addr().0, ..form };
        self.needs.memory.made.push(CachedCopy { origin, view, memory: Arc::new(memory), is_only: true });
        Ok(view)
    }

    fn is_replaced(&self, source: &TensorView) -> bool {
        self.copies.has_only(source)
    }
}
