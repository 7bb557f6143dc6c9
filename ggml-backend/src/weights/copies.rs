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

use super::choice::Weight;
use super::{Tiles, WeightError};

/// Matrices with strides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strided {
    /// Type and extents.
    pub weight: Weight,
    /// First byte.
    pub addr: DramAddr,
    /// Strides in bytes; elements of a row lie side by side.
    pub nb: [u64; 4],
}

impl Strided {
    /// Bytes from the first to the end of the last row.
    pub fn span(&self) -> u64 {
        if self.weight.ne.contains(&0) {
            return 0;
        }
        let row = self.weight.ty.row_bytes(self.weight.ne[0] as usize).unwrap_or(0) as u64;
        let last = self.weight.ne[1..].iter().zip(&self.nb[1..]);
        last.map(|(&n, nb)| u64::from(n - 1) * nb).sum::<u64>() + row
    }

    /// All rows, one after the other.
    fn gather(&self, device: &Device) -> Result<Vec<u8>, WeightError> {
        let mut span = vec![0; self.span() as usize];
        device.read(self.addr, &mut span)?;
        if self.weight.bytes() == Some(span.len() as u64)
            && self.nb[1] <= self.nb[2]
            && self.nb[2] <= self.nb[3]
        {
            return Ok(span);
        }
        let row = self.weight.ty.row_bytes(self.weight.ne[0] as usize).unwrap_or(0);
        let [_, n1, n2, n3] = self.weight.ne.map(u64::from);
        let mut rows = Vec::with_capacity(self.weight.bytes().unwrap_or(0) as usize);
        for i in 0..n1 * n2 * n3 {
            let (i1, i2, i3) = (i % n1, i / n1 % n2, i / n1 / n2);
            let at = (i1 * self.nb[1] + i2 * self.nb[2] + i3 * self.nb[3]) as usize;
            rows.extend_from_slice(&span[at..at + row]);
        }
        Ok(rows)
    }
}

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
        let packed = pack(of.weight.packing(), of.weight.ty, &bytes, k, n, of.weight.matrices())
            .map_err(|error| WeightError::Load(error.to_string()))?;
        let tiles = Arc::new(device.alloc(packed.len() as u64)?);
        let view = of.weight.tiles(tiles.addr().0).ok_or(WeightError::Format)?;
        device.write_tiles(&view, 0, &packed)?;
        copies.insert(of.addr.0, Copy { of: *of, view, tiles: Arc::clone(&tiles) });
        Ok(Tiles { view, _memory: Some(tiles) })
    }
}
