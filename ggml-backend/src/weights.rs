//! Weights as the kernels like them: private copies in tiles.
//!
//! The first `MUL_MAT` with a tensor of a weights buffer converts it, from the bytes in the arena. The arena keeps
//! those bytes, so reading a weight gives what was written; that costs their size in DRAM beside the tiles'. A write
//! to any of the bytes drops the copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tt_runtime::layout::{GgmlType, WeightFormat, pack};
use tt_runtime::{Allocation, DramAddr, ElementType, Error, TensorView};

use crate::log;

/// A private copy.
struct Copy {
    source_bytes: u64,
    ty: ElementType,
    ne: [u32; 4],
    tiles: Option<Arc<Allocation>>,
    format: WeightFormat,
}

/// Private copies of a device, by the address of what they are copies of.
#[derive(Default)]
pub struct Weights {
    copies: Mutex<BTreeMap<u64, Copy>>,
}

/// Tiles of a weight; they live as long as this.
pub struct Tiles {
    /// The kernel's view of them.
    pub view: TensorView,
    _memory: Arc<Allocation>,
}

/// The format of a weight's tiles: as `GGML_TT_WEIGHTS` says, else the smallest that loses nothing that matters.
fn format(ty: ElementType) -> WeightFormat {
    match std::env::var("GGML_TT_WEIGHTS").as_deref() {
        Ok("bf16") => WeightFormat::Bf16,
        Ok("bfp8") => WeightFormat::Bfp8,
        _ if matches!(ty, ElementType::Q4_0 | ElementType::Q8_0) => WeightFormat::Bfp8,
        _ => WeightFormat::Bf16,
    }
}

impl Weights {
    /// Bytes were written, or freed.
    pub fn changed(&self, addr: DramAddr, len: u64) {
        let mut copies = self.copies.lock();
        if copies.is_empty() {
            return;
        }
        let end = addr.0.saturating_add(len);
        copies.retain(|&start, copy| end <= start || start + copy.source_bytes <= addr.0);
    }

    /// Tiles of the contiguous matrices that `view` describes, converted if that has not been done; `None` if there is
    /// no room for them.
    ///
    /// # Errors
    /// The device failed.
    pub fn tiles(&self, device: &Arc<tt_runtime::Device>, view: &TensorView) -> Result<Option<Tiles>, Error> {
        let Some(ty) = view.element_type() else { return Ok(None) };
        let mut copies = self.copies.lock();
        let known = copies.get(&view.addr).is_some_and(|copy| copy.ty == ty && copy.ne == view.ne);
        if !known {
            let copy = convert(device, view, ty)?;
            copies.insert(view.addr, copy);
        }
        let copy = &copies[&view.addr];
        Ok(copy.tiles.as_ref().map(|memory| Tiles {
            view: TensorView::tiles(
                copy.format.element_type().unwrap_or(ElementType::TilesBf16),
                memory.addr().0,
                view.ne,
            ),
            _memory: Arc::clone(memory),
        }))
    }
}

fn convert(device: &Arc<tt_runtime::Device>, view: &TensorView, ty: ElementType) -> Result<Copy, Error> {
    let format = format(ty);
    let source_bytes = view.span();
    let mut copy = Copy { source_bytes, ty, ne: view.ne, tiles: None, format };
    let mut bytes = vec![0; source_bytes as usize];
    device.read(DramAddr(view.addr), &mut bytes)?;
    let [k, n, b2, b3] = view.ne.map(|n| n as usize);
    let Some(ty) = GgmlType::ALL.into_iter().find(|known| known.element_type() == Some(ty)) else {
        return Ok(copy);
    };
    let tiles = match pack(format, ty, &bytes, k, n, b2 * b3) {
        Ok(tiles) => tiles,
        Err(error) => {
            log::warn(&format!("a weight stays in its plain layout: {error}"));
            return Ok(copy);
        }
    };
    match device.alloc(tiles.len() as u64) {
        Ok(memory) => {
            device.write(memory.addr(), &tiles)?;
            copy.tiles = Some(Arc::new(memory));
        }
        Err(error) => log::warn(&format!("a weight stays in its plain layout, which is slower: {error}")),
    }
    Ok(copy)
}
