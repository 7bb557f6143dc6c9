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

#[derive(Clone)]
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
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.copies.lock().is_empty()
    }

    /// Bytes were written, or freed; whether there was a copy of any.
    pub fn changed(&self, addr: DramAddr, len: u64) -> bool {
        let mut copies = self.copies.lock();
        let (before, end) = (copies.len(), addr.0.saturating_add(len));
        copies.retain(|&start, copy| end <= start || start + copy.of.span() <= addr.0);
        copies.len() < before
    }

    /// The copy that there is, or memory for one. Nothing is converted yet.
    ///
    /// # Errors
    /// No memory for it.
    pub fn plan(&self, device: &Arc<Device>, of: &Strided) -> Result<PlannedCopy, WeightError> {
        let there = self.copies.lock().get(&of.addr.0).filter(|copy| copy.of == *of).cloned();
        let copy = match there {
            Some(copy) => copy,
            None => {
                let tiles = Arc::new(device.alloc(of.weight.tile_bytes())?);
                let view = of.weight.tiles(tiles.addr().0).ok_or(WeightError::Format)?;
                Copy { of: *of, view, tiles }
            }
        };
        Ok(PlannedCopy(copy))
    }

    /// Tiles as they were planned, converted if that has not been done.
    ///
    /// # Errors
    /// The device failed.
    pub fn make(&self, device: &Device, PlannedCopy(copy): PlannedCopy) -> Result<Tiles, WeightError> {
        let mut copies = self.copies.lock();
        let there = copies.get(&copy.of.addr.0);
        if !there.is_some_and(|there| there.of == copy.of && Arc::ptr_eq(&there.tiles, &copy.tiles)) {
            copy.convert(device)?;
            copies.insert(copy.of.addr.0, copy.clone());
        }
        Ok(Tiles { _memory: Some(copy.tiles) })
    }
}

/// A copy that a plan counts on: its tiles may not be there yet, their memory is.
pub struct PlannedCopy(Copy);

impl PlannedCopy {
    /// What it is of.
    pub fn of(&self) -> &Strided {
        &self.0.of
    }

    /// The kernel's view of its tiles.
    pub fn view(&self) -> TensorView {
        self.0.view
    }
}

impl Copy {
    fn convert(&self, device: &Device) -> Result<(), WeightError> {
        let weight = self.of.weight;
        let [k, n, ..] = weight.ne.map(|n| n as usize);
        let bytes = self.of.gather(device)?;
        let packed = pack(weight.form(), weight.ty, &bytes, k, n, weight.count())
            .map_err(|error| WeightError::Load(error.to_string()))?;
        Ok(device.write_tiles(&self.view, 0, &packed)?)
    }
}
