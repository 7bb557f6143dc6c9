//! `MUL_MAT` of many rows with weights, in blocks of the result ([`tt_kernel_abi::matmul_block`]).

use super::elementwise::{self, Glu, gated};
use super::{Unsupported, check};
use tt_kernel_abi::matmul::{ROW_GROUP, TILE};
use tt_kernel_abi::matmul_block::BlockParams;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::order::{OrderParams, STRIP_TILES};
use tt_kernel_abi::sfpu::{ALIGN, BLOCK};
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Types of weights: activations are rounded to BF16, which does not matter beside these.
const WEIGHTS: &[ElementType] = &[ElementType::TilesBfp8, ElementType::TilesBfp4];
/// Where the NoC writes results from L1: source and destination agree modulo so many bytes.
const RESULT_ALIGN: u64 = 16;

/// Whether a product should be computed in blocks: there are more rows than a group has, and all that the kernels rely on is so. `cores` are all workers.
pub fn worth_blocks(product: &OpDescriptor) -> bool {
    let Some(params) = product.params_of::<kernel::Matmul>() else { return false };
    let OpDescriptor { src0, src1, dst, .. } = product;
    let one = |view: &TensorView| view.ne[2] == 1 && view.ne[3] == 1;
    let plain = params.ids == 0 && product.more.iter().all(|view| view.ne[0] == 0);
    let columns = src0.ne[1].is_multiple_of(TILE) && (dst.addr | dst.nb[1]).is_multiple_of(RESULT_ALIGN);
    src0.element_type().is_some_and(|ty| WEIGHTS.contains(&ty))
        && plain
        && columns
        && one(src0)
        && one(src1)
        && is_even(src1)
        && src1.ne[1] > ROW_GROUP
}

/// The form that [`order_blocks`] brings activations to. (Its tiles are in another order, but of these sizes.)
pub fn block_form(src1: &TensorView) -> TensorView {
    TensorView::tiles(ElementType::TilesBf16, 0, src1.ne)
}

/// Descriptor for bringing F32 rows to the order of [`blocks`], as [`block_form`] says, on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn order_blocks(src: &TensorView, dst: &TensorView, cores: u32) -> Result<OpDescriptor, Unsupported> {
    let form = TensorView { addr: dst.addr, ..block_form(src) };
    if form != *dst || src.ne[2..] != [1, 1] {
        return Err(format!("rows {:?} to the blocks of {:?}", src.ne, dst.ne).into());
    }
    if !is_even(src) {
        return Err(format!("rows {:?}, {:?} apart, at {:#x}", src.ne, src.nb, src.addr).into());
    }
    check::cores(cores)?;
    check::rows("src0", src, check::element_type("src0", src, &[ElementType::F32])?)?;
    let params = OrderParams::of([src.ne[0], src.ne[1]]);
    check::count("tiles", &[params.row_tiles, params.k_tiles])?;
    let op = OpDescriptor::of::<kernel::Order>(&params, cores.min(params.pieces()));
    Ok(OpDescriptor { src0: *src, dst: *dst, ..op })
}

/// Whether the Tensix units can bring rows to their order: whole tiles of K, at addresses that are multiples of the unpacker's, all rows as many bytes behind a line of
/// the NoC.
fn is_even(src: &TensorView) -> bool {
    src.ne[0].is_multiple_of(TILE)
        && src.addr.is_multiple_of(ALIGN)
        && src.nb[1].is_multiple_of(CONGRUENCE.into())
}

/// Descriptor for a gated unit whose result is what [`blocks`] multiplies with, as [`block_form`] says of it, on up to `cores` workers: bit for bit what [`order_blocks`] makes of
/// its rows. Operands are as for [`super::glu`].
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn glu_blocks(
    function: Glu,
    swapped: bool,
    params: &[f32],
    [src0, src1]: [&TensorView; 2],
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [x, gate] = gated([src0, src1], swapped);
    let form = TensorView { addr: dst.addr, ..block_form(&x) };
    if form != *dst || gate.ne != x.ne || x.ne[2..] != [1, 1] || !x.ne[0].is_multiple_of(STRIP_TILES * TILE) {
        return Err(format!("gated rows {:?}, {:?} to the blocks of {:?}", x.ne, gate.ne, dst.ne).into());
    }
    if let Some(view) = [&x, &gate].into_iter().find(|view| !is_even(view)) {
        return Err(format!("rows {:?}, {:?} apart, at {:#x}", view.ne, view.nb, view.addr).into());
    }
    for (what, view) in [("src0", &x), ("src1", &gate)] {
        check::rows(what, view, check::element_type(what, view, &[ElementType::F32])?)?;
    }
    let order = OrderParams::of([x.ne[0], x.ne[1]]);
    let count = check::count("blocks", &[2, order.row_tiles, order.k_tiles])? / STRIP_TILES;
    elementwise::on_vector_unit::<kernel::Glu>(
        function as u32,
        params,
        [x, gate, *dst],
        (BLOCK, count),
        cores,
    )
}

/// The descriptor of a product ([`super::matmul`]) that is computed in blocks from `src1`, as [`order_blocks`] has made it of what it multiplied with.
///
/// # Errors
///
/// They are not of one shape, or it is none for which that is worth it.
pub fn blocks(product: &OpDescriptor, src1: &TensorView) -> Result<OpDescriptor, Unsupported> {
    let form = TensorView { addr: src1.addr, ..block_form(&product.src1) };
    if !worth_blocks(product) || form != *src1 || !src1.addr.is_multiple_of(CONGRUENCE.into()) {
        return Err(format!("activations {:?} in the blocks of {:?}", product.src1.ne, src1.ne).into());
    }
    let [k, n, ..] = product.src0.ne;
    let params = BlockParams {
        n_tiles: n.div_ceil(TILE),
        k_tiles: k.div_ceil(TILE),
        row_tiles: src1.ne[1].div_ceil(TILE),
    };
    // Offsets of tiles have 32 bits.
    check::count("bytes of activations", &[params.row_tiles, params.k_tiles, 2 * TILE * TILE])?;
    let op = OpDescriptor::of::<kernel::MatmulBlock>(&params, product.cores);
    Ok(OpDescriptor { src0: product.src0, src1: *src1, dst: product.dst, ..op })
}
