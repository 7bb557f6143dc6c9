//! `MUL_MAT` of many rows with weights, in blocks of the result ([`tt_kernel_abi::matmul_block`]).

use super::elementwise::{self, Glu, gated, sfpu_allowed};
use super::{Unsupported, check};
use tt_kernel_abi::exact::GROUP_TILES;
use tt_kernel_abi::exact_tiles::ExactTilesParams;
use tt_kernel_abi::matmul::{ROW_GROUP, TILE};
use tt_kernel_abi::matmul_block::{BlockParams, Gate, block_weights};
use tt_kernel_abi::norm_order::{self, NormOrderParams};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::order::{OrderParams, STRIP_TILES, flags_for};
use tt_kernel_abi::sfpu::{ALIGN, BLOCK};
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, Params, TensorView};

/// Types of weights: activations are rounded to seven significant bits, which matters less than what these have lost.
const WEIGHTS: &[ElementType] = &[ElementType::TilesBfp8, ElementType::TilesBfp4];
/// Where the NoC writes results from L1: source and destination agree modulo so many bytes.
const RESULT_ALIGN: u64 = 16;
/// Bytes of BF16 tiles that a product of exact weights makes at a time, at most: 8B models have feed-forward matrices of 117 MB.
const BLOCK_TILES_BYTES: u64 = 128 << 20;

/// Whether a product should be computed in blocks: there are more rows than a group has, and all that the kernels rely on is so. `cores` are all workers.
pub fn worth_blocks(product: &OpDescriptor) -> bool {
    product.src0.element_type().is_some_and(|ty| WEIGHTS.contains(&ty)) && fits_blocks(product)
}

/// Whether BF16 tiles should be made of the weights of a product without a second rounding, to compute it in blocks. Both ways wait for DRAM: one brings the weights once for each
/// group of rows, the other once, and their tiles once there and once back.
pub fn worth_block_tiles(product: &OpDescriptor) -> bool {
    let Some(kind) = product.src0.element_type().and_then(ElementType::exact) else { return false };
    let group = u64::from(ElementType::Exact(kind).block_bytes());
    let tiles = u64::from(ElementType::TilesBf16.block_bytes()) * GROUP_TILES as u64;
    let passes = u64::from(product.src1.ne[1].div_ceil(ROW_GROUP));
    fits_blocks(product) && passes * group > group + 2 * tiles
}

/// Whether the kernels can compute a product in blocks, but for the type of its weights.
fn fits_blocks(product: &OpDescriptor) -> bool {
    let Some(params) = product.params_of::<kernel::Matmul>() else { return false };
    let OpDescriptor { src0, src1, dst, .. } = product;
    let one = |view: &TensorView| view.ne[2] == 1 && view.ne[3] == 1;
    let plain = params.ids == 0 && product.more.iter().all(|view| view.ne[0] == 0);
    let columns = src0.ne[1].is_multiple_of(TILE) && (dst.addr | dst.nb[1]).is_multiple_of(RESULT_ALIGN);
    plain && columns && one(src0) && one(src1) && is_even(src1) && src1.ne[1] > ROW_GROUP
}

/// The parts by columns that BF16 tiles are made of at a time, for a product for which that [is worth it](worth_block_tiles): first column, and the form of the tiles.
pub fn block_tiles(src0: &TensorView) -> impl Iterator<Item = (u32, TensorView)> + use<> {
    let [k, n, ..] = src0.ne;
    let form = move |columns| TensorView::tiles(ElementType::TilesBf16, 0, [k, columns, 1, 1]);
    let most = (BLOCK_TILES_BYTES / form(TILE).nb[1].max(1)).max(1).min(u64::from(n)) as u32;
    // Parts of one size: the same memory does for all of them.
    let parts = n.div_ceil(TILE).div_ceil(most).max(1);
    let columns = n.div_ceil(TILE).div_ceil(parts) * TILE;
    (0..n).step_by(columns.max(1) as usize).map(move |first| (first, form(columns.min(n - first))))
}

/// Descriptor for making BF16 tiles of columns `first` and on of weights without a second rounding, as many as `dst` has, a part of [`block_tiles`].
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn exact_tiles(
    src0: &TensorView,
    first: u32,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    let ty = src0.element_type().filter(|ty| ty.exact().is_some());
    let ty = ty.ok_or("weights that have been rounded a second time")?;
    let [k, n, ..] = src0.ne;
    let [of_k, columns, ..] = dst.ne;
    let is_part = first.is_multiple_of(TILE) && first.checked_add(columns).is_some_and(|end| end <= n);
    let form = TensorView { addr: dst.addr, ..TensorView::tiles(ElementType::TilesBf16, 0, dst.ne) };
    if src0.ne[2..] != [1, 1] || dst.ne[2..] != [1, 1] || !is_part || of_k != k || form != *dst {
        let what = format!("tiles {:?} of weights {:?}, from column {first} on", dst.ne, src0.ne);
        return Err(what.into());
    }
    super::matmul::tiles(src0, ty)?;
    super::matmul::tiles(dst, ElementType::TilesBf16)?;
    let params =
        ExactTilesParams { first: first / TILE, n_tiles: columns.div_ceil(TILE), k_tiles: k.div_ceil(TILE) };
    check::count("tiles", &[params.n_tiles, params.k_tiles])?;
    let op = OpDescriptor::of::<kernel::ExactTiles>(&params, cores.min(params.groups()));
    Ok(OpDescriptor { src0: *src0, dst: *dst, ..op })
}

/// The form that [`order_blocks`] brings activations to. (Its tiles are in another order, but of these sizes.)
pub fn block_form(src1: &TensorView) -> TensorView {
    TensorView::tiles(ElementType::TilesBf16, 0, src1.ne)
}

/// Descriptor for bringing F32 rows to the order of [`blocks`], as [`block_form`] says, on up to `cores` workers, for products with weights of type `weights`, which says what they are
/// rounded to ([`tt_kernel_abi::order::flags_for`]).
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn order_blocks(
    src: &TensorView,
    dst: &TensorView,
    weights: ElementType,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
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
    Ok(OpDescriptor { flags: flags_for(weights), src0: *src, dst: *dst, ..op })
}

/// Whether the Tensix units can bring rows to their order: whole tiles of K, at addresses that are multiples of the unpacker's, all rows as many bytes behind a line of
/// the NoC.
fn is_even(src: &TensorView) -> bool {
    src.ne[0].is_multiple_of(TILE)
        && src.addr.is_multiple_of(ALIGN)
        && src.nb[1].is_multiple_of(CONGRUENCE.into())
}

/// Descriptor for a gated unit whose result is what [`blocks`] multiplies with, as [`block_form`] says of it, on up to `cores` workers: bit for bit what [`order_blocks`] makes of
/// its rows for the same type of weights. Operands are as for [`super::glu`].
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
    weights: ElementType,
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
    check::count("tiles", &[2, order.row_tiles, order.k_tiles])?;
    let blocks = (BLOCK, order.strips());
    let op =
        elementwise::on_vector_unit::<kernel::Glu>(function as u32, params, [x, gate, *dst], blocks, cores)?;
    Ok(OpDescriptor { flags: op.flags | flags_for(weights), ..op })
}

/// Whether [`rms_norm_blocks`] is better than a norm's rows that are brought to their order: a tile has eight rows, where one each would do if there are few. (In the timed mode rows of 4096
/// elements take 36 us to 35 if there are 32, rows of 2048 elements 22 to 43 if there are 64.)
pub fn worth_rms_norm_blocks(src: &TensorView) -> bool {
    src.ne[1] > TILE
}

/// Descriptor for `RMS_NORM` of rows times weights, which all rows share, whose result is what [`blocks`] multiplies with, as [`block_form`] says of it, on up to `cores` workers:
/// bit for bit what [`order_blocks`] makes of the rows that [`super::norm_mul`] gives on the vector unit, for the same type of the products' weights.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn rms_norm_blocks(
    eps: f32,
    [src, weights]: [&TensorView; 2],
    dst: &TensorView,
    of_products: ElementType,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let form = TensorView { addr: dst.addr, ..block_form(src) };
    let [k, rows, ..] = src.ne;
    if form != *dst || src.ne[2..] != [1, 1] || weights.ne != [k, 1, 1, 1] {
        return Err(format!("rows {:?} times {:?} to the blocks of {:?}", src.ne, weights.ne, dst.ne).into());
    }
    if !is_even(src) || !k.is_multiple_of(norm_order::K_STEP) || !weights.addr.is_multiple_of(ALIGN) {
        return Err(format!("rows {:?}, {:?} apart, at {:#x}", src.ne, src.nb, src.addr).into());
    }
    if !norm_order::fits(k) {
        return Err(format!("rows of {k} elements").into());
    }
    check::cores(cores)?;
    for (what, view) in [("src0", src), ("src1", weights)] {
        check::rows(what, view, check::element_type(what, view, &[ElementType::F32])?)?;
    }
    if !sfpu_allowed() {
        return Err("the vector unit is switched off".into());
    }
    let params = NormOrderParams { k, rows, eps, factor: 1.0 / k as f32 };
    let op = OpDescriptor::of::<kernel::NormOrder>(&params, cores.min(params.groups()));
    Ok(OpDescriptor { flags: flags_for(of_products), src0: *src, src1: *weights, dst: *dst, ..op })
}

/// The descriptor of a product ([`super::matmul`]) that is computed in blocks from `src1`, as [`order_blocks`] has made it of what it multiplied with.
///
/// # Errors
///
/// They are not of one shape, or it is none for which that is worth it.
pub fn blocks(product: &OpDescriptor, src1: &TensorView) -> Result<OpDescriptor, Unsupported> {
    match worth_blocks(product) {
        true => in_blocks(product, src1),
        false => Err(format!("a product of {:?} in blocks", product.src0.ne).into()),
    }
}

/// The descriptor of two such products with the same activations whose results, `x` and `gate`, become a gated unit, as [`glu_blocks`] does it for weights of type `next`, with the same
/// bits: `dst` is what [`blocks`] multiplies with.
///
/// # Errors
///
/// They are not of one shape and type, or it is no function that this kernel has, or none for which that is worth it.
pub fn blocks_gated(
    function: Glu,
    [x, gate]: [&OpDescriptor; 2],
    src1: &TensorView,
    dst: &TensorView,
    next: ElementType,
) -> Result<OpDescriptor, Unsupported> {
    let what = match function {
        Glu::Swiglu => Gate::Swiglu,
        Glu::Geglu => Gate::Geglu,
        _ => return Err(format!("{} of two products", function.name()).into()),
    };
    let weights = |product: &OpDescriptor| (product.src0.ty, product.src0.ne, product.src0.nb);
    if !(worth_blocks(x) && worth_blocks(gate)) || weights(x) != weights(gate) || x.src1 != gate.src1 {
        return Err("products of different kinds".into());
    }
    let form = TensorView { addr: dst.addr, ..block_form(&x.dst) };
    if form != *dst || !dst.addr.is_multiple_of(CONGRUENCE.into()) || !elementwise::sfpu_allowed() {
        return Err(format!("gated rows {:?} to the blocks of {:?}", x.dst.ne, dst.ne).into());
    }
    let mut op = in_blocks(x, src1)?;
    let params = BlockParams { gate: what as u32, ..*op.params.get::<kernel::MatmulBlock>() };
    op.more[2] = gate.src0;
    Ok(OpDescriptor {
        flags: flags_for(next),
        dst: *dst,
        params: Params::of::<kernel::MatmulBlock>(&params),
        ..op
    })
}

/// The same as [`blocks`], of columns `first` and on of a product, as many as `tiles` has: tiles that [`exact_tiles`] has made of its weights.
///
/// # Errors
///
/// See [`blocks`].
pub fn blocks_of_tiles(
    product: &OpDescriptor,
    first: u32,
    tiles: &TensorView,
    src1: &TensorView,
) -> Result<OpDescriptor, Unsupported> {
    let [k, n, ..] = product.src0.ne;
    let columns = tiles.ne[1];
    let form = TensorView { addr: tiles.addr, ..TensorView::tiles(ElementType::TilesBf16, 0, tiles.ne) };
    let is_part = first.is_multiple_of(TILE) && first.checked_add(columns).is_some_and(|end| end <= n);
    if !worth_block_tiles(product) || form != *tiles || tiles.ne[0] != k || !is_part {
        let what = format!("tiles {:?} for {:?}, from column {first} on", tiles.ne, product.src0.ne);
        return Err(what.into());
    }
    super::matmul::tiles(tiles, ElementType::TilesBf16)?;
    let mut dst = product.dst;
    dst.addr += u64::from(first) * dst.nb[0];
    dst.ne[0] = columns;
    in_blocks(&OpDescriptor { src0: *tiles, dst, ..*product }, src1)
}

/// The descriptor of a product that the kernel can compute.
fn in_blocks(product: &OpDescriptor, src1: &TensorView) -> Result<OpDescriptor, Unsupported> {
    let form = TensorView { addr: src1.addr, ..block_form(&product.src1) };
    let weights = product.src0.element_type().ok_or("weights of an unknown type")?;
    if !fits_blocks(product) || form != *src1 || !src1.addr.is_multiple_of(CONGRUENCE.into()) {
        return Err(format!("activations {:?} in the blocks of {:?}", product.src1.ne, src1.ne).into());
    }
    let [k, n, ..] = product.src0.ne;
    let params = BlockParams {
        n_tiles: n.div_ceil(TILE),
        k_tiles: k.div_ceil(TILE),
        row_tiles: src1.ne[1].div_ceil(TILE),
        block_weights: block_weights(weights),
        gate: Gate::None as u32,
    };
    // Offsets of tiles have 32 bits.
    check::count("bytes of activations", &[params.row_tiles, params.k_tiles, 2 * TILE * TILE])?;
    let op = OpDescriptor::of::<kernel::MatmulBlock>(&params, product.cores);
    Ok(OpDescriptor { src0: product.src0, src1: *src1, dst: product.dst, ..op })
}

#[cfg(test)]
mod tests {
    use super::super::matmul;
    use super::*;
    use tt_kernel_abi::exact::Kind;

    fn product(weights: ElementType, [k, n, rows]: [u32; 3]) -> OpDescriptor {
        let src0 = TensorView::tiles(weights, 1 << 24, [k, n, 1, 1]);
        let src1 = TensorView::contiguous(ElementType::F32, 2 << 24, [k, rows, 1, 1]);
        let dst = TensorView::contiguous(ElementType::F32, 3 << 24, [n, rows, 1, 1]);
        matmul(&src0, &src1, &dst, 72).unwrap()
    }

    #[test]
    fn exact_weights_become_tiles_where_they_would_come_often() {
        for kind in Kind::ALL {
            let worth = |rows| worth_block_tiles(&product(ElementType::Exact(kind), [2048, 8192, rows]));
            assert!([33, 64, 512].into_iter().all(worth) && ![1, 8, 32].into_iter().any(worth), "{kind:?}");
        }
        // These are computed in blocks as they are, or not at all.
        for weights in [ElementType::TilesBfp8, ElementType::TilesBf16] {
            assert!(!worth_block_tiles(&product(weights, [2048, 8192, 512])));
        }
        // Columns of results that are no whole tiles.
        let odd = product(ElementType::Exact(Kind::Scale), [2048, 8200, 512]);
        assert!(!worth_block_tiles(&odd) && block_tiles(&odd.src0).count() == 1);
    }

    #[test]
    fn parts_cover_all_columns_in_memory_for_the_first() {
        let exact = ElementType::Exact(Kind::SuperMin);
        for [k, n] in [[4096, 14336], [2048, 128_256], [4096, 128_256], [16384, 32], [1 << 21, 64], [32, 32]]
        {
            let product = product(exact, [k, n, 64]);
            let parts: Vec<_> = block_tiles(&product.src0).collect();
            let most = parts[0].1.span();
            assert!(most <= BLOCK_TILES_BYTES || parts[0].1.ne[1] == TILE, "{k} x {n}");
            let mut next = 0;
            for (first, form) in parts {
                assert_eq!(first, next);
                assert!(form.ne[1] > 0 && form.span() <= most);
                next += form.ne[1];
                let tiles = TensorView { addr: 5 << 30, ..form };
                let src1 = TensorView { addr: 9 << 30, ..block_form(&product.src1) };
                let made = exact_tiles(&product.src0, first, &tiles, 72).unwrap();
                let step = blocks_of_tiles(&product, first, &tiles, &src1).unwrap();
                assert_eq!((made.dst, step.src0, step.dst.ne[0]), (tiles, tiles, form.ne[1]));
                assert_eq!(step.dst.addr, product.dst.addr + 4 * u64::from(first));
            }
            assert_eq!(next, n);
        }
        assert_eq!(block_tiles(&product(exact, [4096, 14336, 64]).src0).count(), 1);
    }

    #[test]
    fn tiles_are_of_the_products_weights() {
        let product = product(ElementType::Exact(Kind::Scale), [512, 256, 64]);
        let form = |ne| TensorView::tiles(ElementType::TilesBf16, 5 << 24, ne);
        let src1 = TensorView { addr: 6 << 24, ..block_form(&product.src1) };
        for (first, ne) in [(0, [512, 288, 1, 1]), (16, [512, 32, 1, 1]), (0, [256, 256, 1, 1])] {
            assert!(exact_tiles(&product.src0, first, &form(ne), 72).is_err(), "{first} {ne:?}");
            assert!(blocks_of_tiles(&product, first, &form(ne), &src1).is_err(), "{first} {ne:?}");
        }
        let other = TensorView::tiles(ElementType::TilesBfp8, 5 << 24, [512, 256, 1, 1]);
        assert!(exact_tiles(&product.src0, 0, &other, 72).is_err());
        assert!(exact_tiles(&other, 0, &form([512, 256, 1, 1]), 72).is_err());
        assert!(blocks(&product, &src1).is_err());
    }
}
