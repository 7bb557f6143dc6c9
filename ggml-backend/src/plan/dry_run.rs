//! Planning without memory: for `supports_op`, which asks before tensors have any.

use tt_runtime::ops::Unsupported;
use tt_runtime::{DramAddr, TensorView};

use super::{CopyPlace, Memory, multiplied, steps, view};
use crate::abi::TensorRef;
use crate::abi::host::Host;
use crate::copy_cache::Origin;
use crate::weights::strided::Strided;

/// Where a tensor without memory is taken to be: any address with the alignment of the buffer type.
const ANY_ADDRESS: u64 = 1 << 24;
/// Cores that are planned for; how many there are makes no difference to what is possible.
const ANY_CORES: u32 = ANY_GRID[0] * ANY_GRID[1];
/// See above.
const ANY_GRID: [u32; 2] = [1, 1];

/// Plans a node as if its tensors had memory.
///
/// # Errors
/// Why the device cannot compute it.
pub fn dry_run(host: &Host, node: TensorRef<'_>) -> Result<(), Unsupported> {
    steps(host, node, ANY_CORES, &mut DryRun { host }).map(drop)
}

/// Memory that is nowhere.
struct DryRun<'a> {
    host: &'a Host,
}

impl Memory for DryRun<'_> {
    fn grid(&self) -> [u32; 2] {
        ANY_GRID
    }

    fn place(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
        view(self.host, tensor, ANY_ADDRESS + tensor.view_offset())
    }

    fn place_weights(&mut self, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
        let plain = multiplied(self.host, tensor, ANY_ADDRESS + tensor.view_offset());
        if plain.is_ok() {
            return plain;
        }
        // Kernels multiply with any type, once it is packed into tiles.
        let strided = Strided::of(self.host, tensor, DramAddr(ANY_ADDRESS));
        strided.and_then(|of| of.weight.tiles(ANY_ADDRESS)).map_or(plain, Ok)
    }

    fn largest_weight(&self, _weights: &TensorView) -> f32 {
        f32::INFINITY
    }

    fn scratch(&mut self, _bytes: u64) -> Result<u64, Unsupported> {
        Ok(ANY_ADDRESS)
    }

    fn materialise(&mut self, _origin: Origin, form: TensorView) -> Result<CopyPlace, Unsupported> {
        Ok(CopyPlace { view: TensorView { addr: ANY_ADDRESS, ..form }, is_there: false })
    }

    fn replace(&mut self, _origin: Origin, form: TensorView) -> Result<TensorView, Unsupported> {
        Ok(TensorView { addr: ANY_ADDRESS, ..form })
    }

    fn is_replaced(&self, _source: &TensorView) -> bool {
        false
    }
}
