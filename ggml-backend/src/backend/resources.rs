//! What a node has for itself while it is computed: tiles of weights, scratch memory, copies of views.

use std::sync::Arc;

use tt_runtime::ops::Unsupported;
use tt_runtime::{Allocation, TensorView};

use super::executor::ComputeError;
use super::operands::{Operand, bytes, factor, placed, written};
use crate::abi::TensorRef;
use crate::abi::host::Host;
use crate::copy_cache::{CachedCopy, CopyCache};
use crate::device::Device;
use crate::weights::Tiles;
use crate::{plan, stats};

/// The resources of a node, or of a group by its last node: dropped, and so freed, after the launches.
pub struct NodeResources<'a> {
    host: &'static Host,
    device: &'static Device,
    node: TensorRef<'a>,
    tiles: Vec<Tiles>,
    scratch: Vec<Allocation>,
    /// Copies that earlier nodes have made, and those that this one uses or makes.
    copies: &'a mut CopyCache,
    used: Vec<CachedCopy>,
    made: Vec<CachedCopy>,
    /// What is no question of support.
    pub failed: Option<ComputeError>,
}

impl<'a> NodeResources<'a> {
    /// None yet.
    pub fn new(
        host: &'static Host,
        device: &'static Device,
        node: TensorRef<'a>,
        copies: &'a mut CopyCache,
    ) -> Self {
        let (tiles, scratch, used, made) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { host, device, node, tiles, scratch, copies, used, made, failed: None }
    }

    /// The node's steps have run: its copies can be used again, but for those of what it has written.
    pub fn computed(self) -> Result<(), ComputeError> {
        stats::count_reused(self.used.len());
        self.copies.keep(self.made);
        for tensor in written(self.host, self.node) {
            let written = placed(self.host, tensor)?;
            self.copies.written(written.addr, written.span());
        }
        Ok(())
    }

    /// Memory of the device; if there is none left, copies of earlier nodes give theirs back.
    fn alloc(&mut self, bytes: u64) -> Result<Allocation, Unsupported> {
        let runtime = &self.device.runtime;
        let memory = match runtime.alloc(bytes) {
            Err(_) if self.copies.clear() => runtime.alloc(bytes),
            result => result,
        };
        self.kept(memory.map_err(ComputeError::from))
    }

    /// Whether an address is in memory that this node has for itself. A later step may write there, and what is copied from there
    /// is nothing that another node can ask for.
    fn is_own(&self, addr: u64) -> bool {
        let copies = self.used.iter().chain(&self.made).map(|copy| &*copy.memory);
        let mut all = copies.chain(&self.scratch);
        all.any(|memory| (memory.addr().0..memory.addr().0 + memory.len()).contains(&addr))
    }

    fn weights(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, ComputeError> {
        match factor(self.host, self.device, tensor)? {
            Operand::Plain(view) => Ok(view),
            Operand::Tiles(tiles) => {
                let view = tiles.view;
                self.tiles.push(tiles);
                Ok(view)
            }
        }
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

impl plan::Memory for NodeResources<'_> {
    fn place(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
        let view = bytes(self.host, self.device, self.node, tensor);
        self.kept(view)
    }

    fn place_weights(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
        let view = self.weights(tensor);
        self.kept(view)
    }

    fn scratch(&mut self, bytes: u64) -> Result<u64, Unsupported> {
        let memory = self.alloc(bytes)?;
        let addr = memory.addr().0;
        self.scratch.push(memory);
        Ok(addr)
    }

    fn materialise(&mut self, source: &TensorView, form: TensorView) -> Result<plan::CopyPlace, Unsupported> {
        if self.is_own(source.addr) {
            let addr = self.scratch(plan::padded_span(&form))?;
            return Ok(plan::CopyPlace { view: TensorView { addr, ..form }, is_there: false });
        }
        let earlier = self.made.iter().find(|copy| copy.is(source, &form));
        if let Some(copy) = earlier.or_else(|| self.copies.find(source, &form)) {
            let copy = copy.clone();
            let view = copy.view;
            self.used.push(copy);
            return Ok(plan::CopyPlace { view, is_there: true });
        }
        let memory = self.alloc(plan::padded_span(&form))?;
        let view = TensorView { addr: memory.addr().0, ..form };
        self.made.push(CachedCopy { source: *source, view, memory: Arc::new(memory) });
        Ok(plan::CopyPlace { view, is_there: false })
    }
}
