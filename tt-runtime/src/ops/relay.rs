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

/// One end of a copy to the other chip: its first byte, and how far apart its pages are, in pages. 1 is the linear space, the number of banks is
/// within one bank.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// First byte.
    pub at: DramAddr,
    /// From one page to the next.
    pub step: u32,
}

impl End {
    /// In the linear space.
    pub const fn linear(at: DramAddr) -> Self {
        Self { at, step: 1 }
    }
}

/// Descriptor for a copy of `bytes` bytes to the other chip, for the chip that has them.
///
/// # Errors
/// The reason why the kernel cannot do it.
pub fn relay(
    chip: &Chip,
    route: &Route,
    from: End,
    to: End,
    bytes: u64,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    if from.step == 0 || to.step == 0 {
        return Err("the pages of a copy to the other chip are one page apart at least".into());
    }
    if !(from.at.0 | to.at.0).is_multiple_of(ALIGN) || !bytes.is_multiple_of(WORD) {
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
    let params = RelayParams {
        bytes,
        links: links as u32,
        nodes,
        chip: place as u32,
        rack: route.rack.into(),
        steps: [from.step, to.step],
    };
    let words =
        |addr: DramAddr| TensorView::contiguous(ElementType::I32, addr.0, [bytes / WORD as u32, 1, 1, 1]);
    let op = OpDescriptor::of::<kernel::Relay>(&params, links as u32);
    Ok(OpDescriptor { src0: words(from.at), dst: words(to.at), ..op })
}
