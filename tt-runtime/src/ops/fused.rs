//! Two of ggml's nodes in one descriptor: what the first one makes never leaves L1.
//!
//! The arithmetic is that of the two, and so are the bits of the result. What would go wrong is memory: ggml may put the result of the
//! second node where operands of the first one were, since it thinks that they are no longer needed.

use super::check::FLOATS;
use super::elementwise::{Glu, suits_sfpu};
use super::matmul::by_index;
use super::rows::{NormFunction, Rope, weighted_norm};
use super::{Unsupported, check};
use tt_kernel_abi::ahead::experts;
use tt_kernel_abi::matmul::{MORE_PARTS, MatmulParams, Part, ROW_GROUP, TILE};
use tt_kernel_abi::matmul_block::BlockParams;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::sfpu::{ALIGN, ON_SFPU};
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, Params, TensorView};

/// No byte of `dst` is one of an operand's.
pub(super) fn apart(dst: &TensorView, operands: &[&TensorView]) -> Result<(), Unsupported> {
    let end = |view: &TensorView| view.addr + view.span();
    match operands.iter().any(|view| view.addr < end(dst) && dst.addr < end(view)) {
        true => Err("the result lies where operands are".into()),
        false => Ok(()),
    }
}

/// As [`apart`], but the result may lie exactly where an operand does.
pub(super) fn apart_or_same(dst: &TensorView, operand: &TensorView) -> Result<(), Unsupported> {
    let same = (dst.addr, dst.ne, dst.nb, dst.ty) == (operand.addr, operand.ne, operand.nb, operand.ty);
    if same { Ok(()) } else { apart(dst, &[operand]) }
}

/// Descriptor for `RMS_NORM`, `NORM` or `L2_NORM` of the rows of `src`, times `factors`, which repeat in dimensions 1 to 3,
/// on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn norm_mul(
    function: NormFunction,
    eps: f32,
    src: &TensorView,
    factors: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::elements("factors", factors, check::element_type("factors", factors, FLOATS)?)?;
    let repeats = (1..4).all(|dim| dst.ne[dim].is_multiple_of(factors.ne[dim]));
    if factors.ne[0] != dst.ne[0] || !repeats {
        return Err(format!("factors {:?} cannot be repeated to {:?}", factors.ne, dst.ne).into());
    }
    apart_or_same(dst, src)?;
    apart(dst, &[factors])?;
    weighted_norm(function, eps, [src, factors, dst], cores)
}

/// The descriptor of a product that goes to `dst` instead, after `addend`, whose rows repeat, was added (`ADD`).
///
/// Of a product of rows one core of a tile adds, so it does that for a few rows only, as when a model generates text. Of a product [in blocks](super::blocks) the packers
/// add; the addend then has one row, or as many as the result.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn matmul_add(
    product: &OpDescriptor,
    addend: &TensorView,
    dst: &TensorView,
) -> Result<OpDescriptor, Unsupported> {
    results(product, dst)?;
    check::rows("addend", addend, check::element_type("addend", addend, &[ElementType::F32])?)?;
    match product.params_of::<kernel::MatmulBlock>() {
        Some(params) => sum_of_blocks(params, addend, dst)?,
        None => sum_of_rows(product)?,
    }
    let repeats = (1..4).all(|dim| dst.ne[dim].is_multiple_of(addend.ne[dim]));
    if addend.ne[0] != dst.ne[0] || !repeats {
        return Err(format!("addend {:?} cannot be repeated to {:?}", addend.ne, dst.ne).into());
    }
    apart_or_same(dst, addend)?;
    let mut descriptor = OpDescriptor { dst: *dst, ..*product };
    descriptor.more[1] = *addend;
    Ok(descriptor)
}

/// Whether a product of rows can be added to something.
fn sum_of_rows(product: &OpDescriptor) -> Result<(), Unsupported> {
    match product.params_of::<kernel::Matmul>() {
        Some(_) if product.dst.ne[1] <= ROW_GROUP => Ok(()),
        Some(_) => Err(format!("a sum of {} rows", product.dst.ne[1]).into()),
        None => Err("not one product of the matrix unit".into()),
    }
}

/// Whether a product in blocks can be added to `addend`, whose rows come to L1 as they lie in DRAM.
fn sum_of_blocks(params: &BlockParams, addend: &TensorView, dst: &TensorView) -> Result<(), Unsupported> {
    let is_even = (addend.addr | addend.nb[1]).is_multiple_of(CONGRUENCE.into());
    if params.sides() > 1 || !is_even || !(addend.ne[1] == 1 || addend.ne[1] == dst.ne[1]) {
        return Err(format!("a sum of blocks and {:?} at {:#x}", addend.ne, addend.addr).into());
    }
    Ok(())
}

/// The descriptor of two products with tiles of one type and shape, whose results are `x` and `gate` of a gated unit (`GLU`). They may be those of a `MUL_MAT_ID` with one token, by the
/// same indices.
///
/// SwiGLU is computed on the vector unit where that would be so without the products, other functions by one core of a tile. It does that for a few rows
/// only, as when a model generates text.
///
/// # Errors
///
/// The reason why the kernel cannot do it, or should not.
pub fn matmul_glu(
    function: Glu,
    params: [f32; 2],
    x: &OpDescriptor,
    gate: &OpDescriptor,
    dst: &TensorView,
) -> Result<OpDescriptor, Unsupported> {
    let dst = &if experts(x).is_some() { by_index(dst) } else { *dst };
    results(x, dst)?;
    results(gate, dst)?;
    if [x, gate].into_iter().any(|product| product.params_of::<kernel::Matmul>().is_none()) {
        return Err("not two products of the matrix unit".into());
    }
    let weights = |product: &OpDescriptor| (product.src0.ty, product.src0.ne, product.src0.nb);
    let tiles = x.src0.element_type().is_some_and(ElementType::is_tiles);
    if !tiles || weights(x) != weights(gate) || x.src1 != gate.src1 || x.params != gate.params {
        return Err("products of different kinds".into());
    }
    if x.more[0] != gate.more[0] || x.more[0].ne[0] > 0 && experts(x).is_none() {
        return Err("a gated unit of rows that are sorted by matrix".into());
    }
    if x.src1.ne[1] > ROW_GROUP {
        return Err(format!("a gated unit of {} rows", x.src1.ne[1]).into());
    }
    let own = MatmulParams {
        glu: function as u32,
        glu_params: params.map(f32::to_bits),
        ..*x.params.get::<kernel::Matmul>()
    };
    let mut descriptor = OpDescriptor { dst: *dst, params: Params::of::<kernel::Matmul>(&own), ..*x };
    descriptor.more[2] = gate.src0;
    // As by itself, and so with the same bits.
    if function == Glu::Swiglu && suits_sfpu(&[x.dst, gate.dst, *dst]) {
        descriptor.flags |= ON_SFPU;
    }
    Ok(descriptor)
}

/// The descriptor of several products with the same single row, whose weights are tiles of one type: two, or up to three. Each has its own result.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn matmul_together(products: &[OpDescriptor]) -> Result<OpDescriptor, Unsupported> {
    let [first, others @ ..] = products else { return Err("no product".into()) };
    if others.is_empty() || others.len() > MORE_PARTS {
        return Err(format!("{} products", products.len()).into());
    }
    let kind = |product: &OpDescriptor| {
        let params = product.params_of::<kernel::Matmul>()?;
        let is_one = params.row != 0 && params.parts == [Part::default(); MORE_PARTS];
        let is_plain = is_one && product.flags == 0 && product.more == [TensorView::NONE; 3];
        let tiles = product.src0.element_type().is_some_and(ElementType::is_tiles);
        let whole = product.dst.ne[0].is_multiple_of(TILE) && product.dst.addr.is_multiple_of(ALIGN);
        let weights = (product.src0.ty, product.src0.ne[0], product.src0.nb[..2].to_vec());
        (is_plain && tiles && whole).then_some((weights, product.src1, params.k_tiles))
    };
    let alike = kind(first).filter(|of| others.iter().all(|other| kind(other).as_ref() == Some(of)));
    if alike.is_none() {
        return Err("products of different kinds".into());
    }
    for (i, product) in products.iter().enumerate() {
        let weights = products.iter().map(|other| &other.src0);
        let results = products[..i].iter().map(|other| &other.dst);
        let operands: Vec<_> = weights.chain(results).chain([&product.src1]).collect();
        apart(&product.dst, &operands)?;
    }
    let mut own = *first.params.get::<kernel::Matmul>();
    for (part, product) in own.parts.iter_mut().zip(others) {
        let params = product.params.get::<kernel::Matmul>();
        let [weights, dst] = [product.src0.addr, product.dst.addr].map(Part::halves);
        *part = Part { weights, dst, n_tiles: params.n_tiles };
        own.units += params.units;
    }
    let cores = products.iter().map(|product| product.cores).max().unwrap_or(first.cores);
    Ok(OpDescriptor { cores, params: Params::of::<kernel::Matmul>(&own), ..*first })
}

/// Of a product's descriptor, the weights and the results of the other products in it ([`matmul_together`]).
pub fn parts(descriptor: &OpDescriptor) -> impl Iterator<Item = [TensorView; 2]> + use<> {
    let weights = descriptor.src0;
    let params = descriptor.params_of::<kernel::Matmul>().copied();
    let parts = params.into_iter().flat_map(|params| params.parts).filter(|part| part.n_tiles > 0);
    parts.map(move |part| {
        let columns = part.n_tiles.saturating_mul(TILE);
        let ty = weights.element_type().unwrap_or(ElementType::F32);
        let ne = [weights.ne[0], columns, 1, 1];
        let result = TensorView::contiguous(ElementType::F32, Part::address(part.dst), [columns, 1, 1, 1]);
        [TensorView::tiles(ty, Part::address(part.weights), ne), result]
    })
}

/// Whether a product's results can go to `dst`.
fn results(product: &OpDescriptor, dst: &TensorView) -> Result<(), Unsupported> {
    check::rows("dst", dst, check::element_type("dst", dst, &[ElementType::F32])?)?;
    if dst.ne != product.dst.ne {
        return Err(format!("shapes {:?} -> {:?}", product.dst.ne, dst.ne).into());
    }
    apart(dst, &[&product.src0, &product.src1, &product.more[0]])
}

/// Descriptor for `ROPE` of `src` (elements, heads, tokens), with the rows of a token put one behind the other into that row of
/// `cache` which the token's index names (`SET_ROWS`), on up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn rope_set_rows(
    rope: Rope,
    src: &TensorView,
    positions: &TensorView,
    factors: Option<&TensorView>,
    indices: &TensorView,
    cache: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    let [ne0, heads, tokens, ne3] = src.ne;
    if ne3 != 1 {
        return Err(format!("rows {:?} have batches", src.ne).into());
    }
    let len = check::count("elements of a row", &[ne0, heads])?;
    let rotated = TensorView::contiguous(ElementType::F32, src.addr, [len, tokens, 1, 1]);
    super::set_rows(&rotated, indices, cache, cores)?;
    let ty = cache.element_type().filter(|ty| ne0.is_multiple_of(ty.block_len()));
    let Some(ty) = ty else { return Err(format!("heads of {ne0} elements in blocks").into()) };
    apart(cache, &[src, positions, indices])?;
    if let Some(factors) = factors {
        apart(cache, &[factors])?;
    }
    let alike = TensorView::contiguous(ElementType::F32, src.addr, src.ne);
    let mut descriptor = super::rope(rope, src, positions, factors, &alike, cores)?;
    let head = u64::from(ne0 / ty.block_len() * ty.block_bytes());
    let rows = TensorView::new(
        ty,
        cache.addr,
        [ne0, heads, cache.ne[1], 1],
        [cache.nb[0], head, cache.nb[1], cache.nb[2]],
    );
    descriptor.dst = super::rows::joined(&rows, descriptor.src0.ne[0] / ne0);
    descriptor.more[1] = *indices;
    Ok(descriptor)
}
