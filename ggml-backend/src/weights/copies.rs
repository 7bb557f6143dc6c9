//! Tiles beside the bytes that they were made from: for matrices that the kernel multiplies with but whose place in the arena
//! has to keep ggml's bytes.
//!
//! These are types that kernels cannot read, in buffers that are not for weights; views; and weights that other operators
//! read as well. The first `MUL_MAT` makes the copy, a write to any of the bytes drops it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tt_runtime::layout::pack;
use tt_runtime::{Allocation, Device, DramAddr, TensorView};

use super::strided::Strided;
use super::{Tiles, WeightError};

struct Copy {
    of: Strided,
    view: TensorView,
    tiles: Arc<Allocation>,
}

/// Copies of a device, by the address of what they are copies of.
#[derive(Default)]
pub struct Copies {
    copies: Mutex<BTreeMap<u64, Copy>>,
}

impl Copies {
    /// Bytes were written, or freed.
    pub fn changed(&self, addr: DramAddr, len: u64) {
        let mut copies = self.copies.lock();
        if copies.is_empty() {
            return;
        }
        let end = addr.0.saturating_add(len);
        copies.retain(|&start, copy| end <= start || start + copy.of.span() <= addr.0);
    }

    /// Tiles of matrices, converted if that has not been done.
    ///
    /// # Errors
    /// No room for them, or the device failed.
    pub fn tiles(&self, device: &Arc<Device>, of: &Strided) -> Result<Tiles, WeightError> {
        let mut copies = self.copies.lock();
        if let Some(copy) = copies.get(&of.addr.0)
            && copy.of == *of
        {
            return Ok(Tiles { view: copy.view, _memory: Some(Arc::clone(&copy.tiles)) });
        }
        let [k, n, ..] = of.weight.ne.map(|n| n as usize);
        let bytes = of.gather(device)?;
        let packed = pack(of.weight.packing(), of.weight.ty, &bytes, k, n, of.weight.count())
            .map_err(|error| WeightError::Load(error.to_string()))?;
        let tiles = Arc::new(device.alloc(packed.len() as u64)?);
        let view = of.weight.tiles(tiles.addr().0).ok_or(WeightError::Format)?;
        device.write_tiles(&view, 0, &packed)?;
        copies.insert(of.addr.0, Copy { of: *of, view, tiles: Arc::clone(&tiles) });
        Ok(Tiles { view, _memory: Some(tiles) })
    }
}
