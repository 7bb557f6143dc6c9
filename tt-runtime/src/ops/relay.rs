//! Copies to the DRAM of the other chip of a card.

use tt_isa::chip::Chip;
use tt_isa::eth::routing::Address;
use tt_isa::noc::NocXy;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::relay::{ALIGN, LINKS, RelayParams};
use tt_kernel_abi::{DramAddr, ElementType, OpDescriptor, TensorView};

use super::{Unsupported, check};
use crate::transport::Route;

const WORD: u64 = 4;

/// Descriptor for a copy of `bytes` bytes to the other chip, for the chip that has them.
///
/// # Errors
/// The reason why the kernel cannot do it.
pub fn relay(
    chip: &Chip,
    route: &Route,
    from: DramAddr,
    to: DramAddr,
    bytes: u64,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    if !(from.0 | to.0).is_multiple_of(ALIGN) || !bytes.is_multiple_of(WORD) {
        return Err("both ends of a copy to the other chip are multiples of 32, and its bytes of 4".into());
    }
    let bytes: u32 = bytes.try_into().map_err(|_| Unsupported::from("a copy of 4 GiB and more"))?;
    let links = route.tiles.len().min(LINKS).min(cores as usize);
    if links == 0 {
        return Err("no link leads to the other chip".into());
    }
    let mut nodes = [0; LINKS];
    nodes.iter_mut().zip(&route.tiles).for_each(|(node, &tile)| *node = chip.noc.node(tile));
    let place = Address { chip: route.chip, tile: NocXy::new(0, 0), addr: 0 }.encode() >> 32;
    let params =
        RelayParams { bytes, links: links as u32, nodes, chip: place as u32, rack: route.rack.into() };
    let words =
        |addr: DramAddr| TensorView::contiguous(ElementType::I32, addr.0, [bytes / WORD as u32, 1, 1, 1]);
    let op = OpDescriptor::of::<kernel::Relay>(&params, links as u32);
    Ok(OpDescriptor { src0: words(from), dst: words(to), ..op })
}
