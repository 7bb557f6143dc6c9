//! Weights that are read before their step begins.
//!
//! A product with one row of activations, or one tile of rows, is done when its weights are read, and what lies between two products (norms, positions, attention)
//! hardly needs DRAM. So BRISC goes on to the weights of the next such product when it has asked for all of one's, into a ring in L1 that outlives
//! steps, and does a little of that whenever it waits: for the other cores of its tile, for other tiles, for the leader.
//!
//! ```text
//! step      product 1        | norm | product 2 ..
//! BRISC     asks for 1  for 2 | for 2 | for the rest of 2, for 3 ..
//! ```
//!
//! Which step that is, the runtime writes into the descriptor ([`Link::later`]): the steps of a stream lie in DRAM
//! before it starts, so BRISC reads that step's descriptor from there, complete. When the step itself is launched, its number shows that it is the one. The
//! runtime names a later step only if no step between them writes its weights or uses the ring's part of L1 ([`keeps_ring`]), and both belong to one
//! stream. A launch by the host begins with nothing read ahead ([`BEGINS`]).
//!
//! Which weights a `MUL_MAT_ID` multiplies with, indices in DRAM say, which an earlier step of the stream may write. The runtime names that step
//! ([`MatmulParams::ids_from`]): when a step after it has begun, BRISC reads the indices and goes on to the weights.

use crate::attention;
use crate::descriptor::{OpDescriptor, Params};
use crate::matmul::{self, MatmulParams};
use crate::matmul_block::BlockParams;
use crate::operators::{Op, kernel};
use crate::rows::gather::GatherFunction;
use crate::rows::sort::{MAX_KEPT_SORT, SortFunction};
use crate::sfpu::ON_SFPU;
use crate::view::{ElementType, TensorView};

pub use crate::ring::{Link, MIDDLE, RING, SLOT_BYTES, SLOTS};

/// Flag of any descriptor: the host has launched it. What has been read ahead is not for it.
pub const BEGINS: u32 = 1 << 31;
/// Flag of any descriptor: its kernel leaves the ring alone, and lanes have less of the heap.
pub const KEEPS: u32 = 1 << 30;

/// The place in its stream of a product that reads its weights through the ring; `None` for all other steps.
pub fn link(op: &OpDescriptor) -> Option<Link> {
    let is_one =
        |params: &&MatmulParams| params.row != 0 && op.src0.element_type().is_some_and(ElementType::is_tiles);
    let rows = op.params_of::<kernel::Matmul>().filter(is_one).map(|params| params.link);
    let blocks = || op.params_of::<kernel::MatmulBlock>().filter(|params| params.through_ring());
    rows.or_else(|| blocks().map(|params| params.link))
}

/// Whether a product reads its weights through the ring.
pub fn uses_ring(op: &OpDescriptor) -> bool {
    link(op).is_some()
}

/// Gives a product that [reads its weights through the ring](uses_ring) a place in a stream.
pub fn set_link(op: &mut OpDescriptor, link: Link) {
    if let Some(&params) = op.params_of::<kernel::Matmul>() {
        op.params = Params::of::<kernel::Matmul>(&MatmulParams { link, ..params });
    } else if let Some(&params) = op.params_of::<kernel::MatmulBlock>() {
        op.params = Params::of::<kernel::MatmulBlock>(&BlockParams { link, ..params });
    }
}

/// The indices that name the matrices of a product, if that [has one for each of them](MatmulParams::experts).
pub fn experts(op: &OpDescriptor) -> Option<&TensorView> {
    op.params_of::<kernel::Matmul>().filter(|params| params.experts() > 0).map(|_| &op.more[0])
}

/// Says which step of its stream writes the [indices](experts) of a product.
pub fn set_ids_from(op: &mut OpDescriptor, ids_from: u32) {
    if let Some(&params) = op.params_of::<kernel::Matmul>() {
        op.params = Params::of::<kernel::Matmul>(&MatmulParams { ids_from, ..params });
    }
}

/// Whether an operator's kernels leave the ring's part of L1 alone. Of lanes that is said of those that are part of generating text; their modules in the
/// firmware check that what they take of the heap is there.
pub fn keeps_ring(op: &OpDescriptor) -> bool {
    match Op::from_code(op.op) {
        Some(Op::Matmul) => product_keeps(op),
        Some(Op::MatmulBlock) => uses_ring(op),
        Some(
            Op::Nop
            | Op::SetRows
            | Op::Copy
            | Op::Rope
            | Op::Unary
            | Op::Binary
            | Op::Glu
            | Op::Norm
            | Op::Order
            | Op::AttentionMerge
            | Op::ExpertSum
            | Op::Reduce,
        ) => true,
        Some(Op::Gather) => op
            .params_of::<kernel::Gather>()
            .is_some_and(|params| params.function != GatherFunction::AddRows as u32),
        Some(Op::Sort) => op.params_of::<kernel::Sort>().is_some_and(|params| {
            params.function == SortFunction::Row as u32 && op.src0.ne[0] <= MAX_KEPT_SORT
        }),
        Some(Op::SoftMax) => op.flags & ON_SFPU != 0,
        Some(Op::Attention) => {
            op.params_of::<kernel::Attention>().is_some_and(|params| params.room <= attention::ROOM)
        }
        _ => false,
    }
}

/// Activations are in front of the ring, or there is one row of them ([`matmul::MAX_ROW_TILES`]).
fn product_keeps(op: &OpDescriptor) -> bool {
    op.params_of::<kernel::Matmul>().is_some_and(|params| {
        let groups = op.src1.ne[1].min(matmul::TILE).div_ceil(matmul::ROW_GROUP);
        let sizes = [groups, params.tiles_at_once, matmul::GROUP_TILE_BYTES];
        let activations = sizes.into_iter().fold(params.chunk_tiles, u32::saturating_mul);
        params.row != 0 || params.ids == 0 && activations <= RING - matmul::ACT
    })
}
