//! Tensors as kernels get them: where they are, and as what.

use tt_runtime::ops::Unsupported;
use tt_runtime::{DramAddr, TensorView};

use super::executor::ComputeError;
use crate::abi::entry::is_for_weights;
use crate::abi::host::{Host, Operator};
use crate::abi::{TensorRef, log};
use crate::buffer::Arena;
use crate::device::Device;
use crate::plan;
use crate::weights::Tiles;
use crate::weights::choice::Weight;
use crate::weights::strided::Strided;

/// The tensors that a node writes to.
pub fn written<'a>(host: &Host, node: TensorRef<'a>) -> impl Iterator<Item = TensorRef<'a>> {
    plan::written(host.operator(node).unwrap_or(Operator::View), node)
}

/// An operand as a kernel gets it.
pub enum Operand {
    /// ggml's bytes.
    Plain(TensorView),
    /// Weight tiles.
    Tiles(Tiles),
}

/// An operand whose bytes a kernel reads, or a result.
pub fn bytes(
    host: &Host,
    device: &'static Device,
    node: TensorRef<'_>,
    tensor: TensorRef<'_>,
) -> Result<TensorView, ComputeError> {
    let view = placed(host, tensor)?;
    if !node.is(tensor) {
        device.weights.before_compute(DramAddr(view.addr), view.span())?;
    }
    Ok(view)
}

/// What a product multiplies with: a weight's tiles; tiles beside the bytes of what could be one, or of what kernels
/// cannot read; else the bytes themselves, as those of a weight that changes with every graph.
pub fn factor(
    host: &'static Host,
    device: &'static Device,
    tensor: TensorRef<'_>,
) -> Result<Operand, ComputeError> {
    let addr = arena(tensor)?.address(tensor);
    let weight = Weight::of(host, tensor).filter(|_| is_for_weights(host, tensor));
    let plain = plan::multiplied(host, tensor, addr.0);
    if let Ok(view) = &plain
        && device.weights.is_updated(addr, view.span())
    {
        device.weights.before_compute(addr, view.span())?;
        return Ok(Operand::Plain(*view));
    }
    if let Some(weight) = weight
        && weight.place_bytes().is_some()
    {
        return Ok(Operand::Tiles(device.weights.tiles(addr, weight)?));
    }
    if let Some(of) = Strided::of(host, tensor, addr)
        && (weight.is_some() || plain.is_err())
    {
        match device.weights.copied(&of) {
            Ok(tiles) => return Ok(Operand::Tiles(tiles)),
            Err(error) if plain.is_err() => return Err(error.into()),
            Err(error) => log::warn(&format!("{} is used as it is, which is slower: {error}", tensor.name())),
        }
    }
    let view = plain?;
    device.weights.before_compute(addr, view.span())?;
    Ok(Operand::Plain(view))
}

/// The arena of ours that a tensor is in.
fn arena(tensor: TensorRef<'_>) -> Result<&Arena, Unsupported> {
    Arena::of(tensor).ok_or_else(|| format!("{} is not in a buffer of this backend", tensor.name()).into())
}

/// The view of a tensor in an arena of ours.
pub fn placed(host: &Host, tensor: TensorRef<'_>) -> Result<TensorView, Unsupported> {
    plan::view(host, tensor, arena(tensor)?.address(tensor).0)
}
