//! `MUL_MAT`: `dst[i3][i2][i1][n] = sum_k src0[i3/r3][i2/r2][n][k] * src1[i3][i2][i1][k]`.
//!
//! The result is cut into 32 x 32 units; every core takes a contiguous range of them. All cores take part, even if there
//! are fewer units: which part of the weights a core reads follows from its number ([`tt_kernel_abi::placement`]). K is cut into chunks that fit the kernel's activation buffer; one chunk is the normal
//! case, and then units that follow each other share their activations.

use super::{Unsupported, check};
use tt_kernel_abi::exact::{GROUP_TILES, Kind};
pub use tt_kernel_abi::matmul::MAX_IDS;
use tt_kernel_abi::matmul::{
    ACT_STAGE_BYTES, GROUPS, Groups, Halves, MAX_EXPERTS, MAX_MATRICES, MAX_ROW_TILES, MatmulParams,
    PHASE_PRODUCTS, ROW_GROUP, TILE, TILES_AT_ONCE, max_chunk_tiles,
};
use tt_kernel_abi::matmul_block::BlockParams;
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::ring::Link;
use tt_kernel_abi::sfpu::ALIGN;
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, Params, TensorView};

/// Types of src0 that the kernel multiplies with.
const WEIGHTS: &[ElementType] = &[
    ElementType::F32,
    ElementType::F16,
    ElementType::BF16,
    ElementType::Q8_0,
    ElementType::Q4_0,
    ElementType::TilesBf16,
    ElementType::TilesBfp8,
    ElementType::TilesBfp4,
    ElementType::TilesF32,
    ElementType::Exact(Kind::Scale),
    ElementType::Exact(Kind::ScaleMin),
    ElementType::Exact(Kind::TwoScales),
    ElementType::Exact(Kind::SuperMin),
    ElementType::Exact(Kind::SuperTwo),
    ElementType::Exact(Kind::SuperFour),
];

/// Those of them whose columns it takes as well.
const BY_COLUMN: &[ElementType] = &[ElementType::F32, ElementType::F16, ElementType::BF16];

/// Whether the kernel multiplies with elements of this type; others have to become tiles first.
pub fn multiplies_with(ty: ElementType) -> bool {
    WEIGHTS.contains(&ty)
}

/// Whether the kernel takes src0 as it is though the elements of a column, not of a row, lie side by side: a transposed view.
pub fn multiplies_by_column(src0: &TensorView) -> bool {
    src0.element_type().is_some_and(|ty| {
        let turned = TensorView { ne: columns_first(src0.ne), nb: columns_first(src0.nb), ..*src0 };
        BY_COLUMN.contains(&ty)
            && src0.nb[0] != u64::from(ty.block_bytes())
            && check::rows("src0", &turned, ty).is_ok()
    })
}

/// Products with every tile of a matrix from which on it is worth being made into tiles before ([`super::tilize`]).
const USES_OF_TILES: u32 = 3;

/// Elements of K from which on the conversion of a column of tiles is worth being shared.
const LONG_COLUMN: u32 = 256;

/// Whether a row-major `src0` should be made into tiles before a product on `cores` workers. The kernel brings it anew for every 32
/// rows of `src1`; what the unpacker does not take as it lies, one core converts for a column of tiles: few long ones would keep most cores
/// waiting.
pub fn worth_tiles(src0: &TensorView, src1: &TensorView, cores: u32) -> bool {
    let again = |dim: usize| src1.ne[dim] / src0.ne[dim].max(1);
    let uses = src1.ne[1].div_ceil(TILE).saturating_mul(again(2)).saturating_mul(again(3));
    let columns = src0.ne[1].div_ceil(TILE).saturating_mul(src0.ne[2]).saturating_mul(src0.ne[3]);
    let few_and_long = columns.saturating_mul(uses.saturating_mul(2)) <= cores
        && src0.ne[0] >= LONG_COLUMN
        && halves(src0) == Halves::None;
    let converted = src0.element_type().is_some_and(|ty| !ty.is_tiles());
    converted && (uses >= USES_OF_TILES || few_and_long)
}

/// Whether [`super::tilize`] takes a matrix as it is.
pub fn tilizes(view: &TensorView) -> bool {
    check_tilize(view).is_ok()
}

/// Checks what can be made into tiles: besides all that a product takes, blocks of 32 elements by rows and by columns.
pub(super) fn check_tilize(view: &TensorView) -> Result<ElementType, Unsupported> {
    match view.element_type() {
        Some(ty) if ty.quantised().is_some() && ty.block_len() == TILE => {
            let by_row = check::rows("src0", view, ty);
            if by_row.is_err() && view.nb[0] != u64::from(ty.block_bytes()) {
                let turned = TensorView { ne: columns_first(view.ne), nb: columns_first(view.nb), ..*view };
                check::rows("src0", &turned, ty)?;
            } else {
                by_row?;
            }
            Ok(ty)
        }
        _ => check_src0(view),
    }
}

/// Checks what a product multiplies with; gives its type.
pub(super) fn check_src0(src0: &TensorView) -> Result<ElementType, Unsupported> {
    let weights = check::element_type("src0", src0, WEIGHTS)?;
    match weights.is_tiles() {
        true => tiles(src0, weights)?,
        false if multiplies_by_column(src0) => {}
        false => check::rows("src0", src0, weights)?,
    }
    Ok(weights)
}

fn columns_first<T>([a, b, c, d]: [T; 4]) -> [T; 4] {
    [b, a, c, d]
}

/// Descriptor for a matrix multiplication on up to `cores` workers.
///
/// `src0` is row-major (any strides from `nb[1]` on), the transposed view of such a matrix, or [`TensorView::tiles`]; `src1` and `dst` are F32 with any
/// strides from `nb[1]` on, at addresses that are multiples of 4.
///
/// # Errors
///
/// The reason why the kernel cannot do it: types, strides, shapes that do not fit together.
pub fn matmul(
    src0: &TensorView,
    src1: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    check_src0(src0)?;
    for (what, view) in [("src1", src1), ("dst", dst)] {
        let ty = check::element_type(what, view, &[ElementType::F32])?;
        check::rows(what, view, ty)?;
    }
    shapes(src0, src1, dst)?;
    let op = OpDescriptor::of::<kernel::Matmul>(&params(src0, src1)?, cores);
    Ok(OpDescriptor { src0: *src0, src1: *src1, dst: *dst, ..op })
}

/// Fewest numbers of activations, and tiles of columns, from which on it is worth being brought to SrcB's order before.
const MANY_ACTIVATIONS: u32 = 4096;
const MANY_COLUMNS: u32 = 4;

/// Whether a product's activations should be brought to SrcB's order before ([`super::order`]). Otherwise each tile does that for the rows that
/// it multiplies, and all that share a tile of rows do the same.
pub fn worth_order(product: &OpDescriptor) -> bool {
    let Some(params) = product.params_of::<kernel::Matmul>() else { return false };
    let [k, rows, ..] = product.src1.ne;
    let plain = params.row == 0 && params.ids == 0 && halves(&product.src0) == Halves::None;
    plain && rows > 1 && k.saturating_mul(rows) >= MANY_ACTIVATIONS && params.n_tiles >= MANY_COLUMNS
}

/// Tiles of rows that each tile of weights is multiplied with: as many as L1 has room for, while all cores have several units.
fn tiles_at_once(product: &OpDescriptor, params: &MatmulParams) -> u32 {
    let [_, rows, ne2, ne3] = product.src1.ne;
    let fits = |tiles: &u32| params.k_tiles <= max_chunk_tiles(GROUPS * tiles, 0);
    let busy = |tiles: &u32| {
        let units = [params.n_tiles, rows.div_ceil(TILE * tiles), ne2, ne3];
        units.into_iter().fold(1, u32::saturating_mul) >= UNITS_EACH * product.cores
    };
    // Rows of Dst have the scales of exact weights instead.
    let is_exact = product.src0.element_type().is_some_and(|ty| ty.exact().is_some());
    let is_plain = !is_exact && product.more.iter().all(|view| view.ne[0] == 0);
    let several = (2..=TILES_AT_ONCE.min(rows.div_ceil(TILE))).rev();
    several.filter(|_| is_plain).filter(fits).find(busy).unwrap_or(1)
}

/// Units that each core has at least where a unit has several tiles of rows.
const UNITS_EACH: u32 = 2;

/// The descriptor of a step in which no more than `most` matrix units work at a time, if it is a product of more rows than a matrix unit takes at once: what a unit draws
/// depends on how busy it is, and with a few rows it waits for DRAM most of the time. Results are the same. Of a product [in blocks](super::blocks) all tiles multiply, as weights and activations go to whole
/// rows and columns of the grid; there each unit rests so long behind each product of tiles that no more than so many work on average.
pub fn with_matrix_units(step: OpDescriptor, most: u32) -> OpDescriptor {
    let most = most.max(1);
    if let Some(&params) = step.params_of::<kernel::MatmulBlock>() {
        if params.through_ring() || most >= step.cores {
            return step;
        }
        let pause = PHASE_PRODUCTS.saturating_mul(step.cores - most).div_ceil(most);
        return OpDescriptor {
            params: Params::of::<kernel::MatmulBlock>(&BlockParams { pause, ..params }),
            ..step
        };
    }
    let rows = step.src1.ne[1].saturating_mul(if step.more[0].ne[0] > 0 { step.src1.ne[3] } else { 1 });
    match step.params_of::<kernel::Matmul>().is_some() && rows > ROW_GROUP {
        true => OpDescriptor { cores: step.cores.min(most), ..step },
        false => step,
    }
}

/// The form that [`super::order`] brings activations to.
pub fn ordered(src1: &TensorView) -> TensorView {
    TensorView::tiles(ElementType::TilesF32, 0, src1.ne)
}

/// The descriptor of a product that reads `src1` in SrcB's order, as [`super::order`] has made it of what it multiplied with.
///
/// # Errors
///
/// They are not of one shape, or the product takes its activations another way.
pub fn with_ordered(product: &OpDescriptor, src1: &TensorView) -> Result<OpDescriptor, Unsupported> {
    let form = ordered(&product.src1);
    if !worth_order(product) || (TensorView { addr: src1.addr, ..form }) != *src1 {
        return Err(format!("activations {:?} in the order of {:?}", product.src1.ne, src1.ne).into());
    }
    let plain = product.params.get::<kernel::Matmul>();
    let at_once = tiles_at_once(product, plain);
    let [_, rows, ne2, ne3] = product.src1.ne;
    let row_tiles = rows.div_ceil(TILE * at_once);
    let params = MatmulParams {
        ordered: 1,
        tiles_at_once: at_once,
        row_tiles,
        units: check::count("tiles of the result", &[plain.n_tiles, row_tiles, ne2, ne3])?,
        ..*plain
    };
    Ok(OpDescriptor { src1: *src1, params: Params::of::<kernel::Matmul>(&params), ..*product })
}

/// Descriptor for `MUL_MAT_ID`: `dst[t][u][n] = sum_k src0[ids[t][u]][n][k] * src1[t][u or 0][k]` on up to `cores`
/// workers. An index outside of `src0`'s matrices is an error when the descriptor runs. Indices of a token (I32) lie side by side, and
/// there are at most [`MAX_IDS`].
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn matmul_id(
    src0: &TensorView,
    src1: &TensorView,
    ids: &TensorView,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::rows("ids", ids, check::element_type("ids", ids, &[ElementType::I32])?)?;
    let [used, tokens, ..] = ids.ne;
    let fits = src0.ne[3] == 1
        && ids.ne[2..] == [1, 1]
        && (src1.ne[1] == used || src1.ne[1] == 1)
        && src1.ne[2..] == [tokens, 1]
        && dst.ne == [src0.ne[1], used, tokens, 1];
    if !fits {
        let shapes = format!("shapes {:?} x {:?} by {:?} -> {:?}", src0.ne, src1.ne, ids.ne, dst.ne);
        return Err(shapes.into());
    }
    let count = check::count("indices", &[used, tokens])?;
    // A row of indices is read into a buffer for activations.
    if count > MAX_IDS || src0.ne[2] > MAX_MATRICES || 4 * used + 64 > ACT_STAGE_BYTES {
        return Err(format!("{used} x {tokens} indices of {} matrices", src0.ne[2]).into());
    }
    // Every row of src1 is a matrix of its own; one that serves all experts is used again.
    let again = if src1.ne[1] == 1 { 0 } else { src1.nb[1] };
    let rows = TensorView {
        ne: [src1.ne[0], 1, used, tokens],
        nb: [src1.nb[0], src1.nb[1], again, src1.nb[2]],
        ..*src1
    };
    let results = by_index(dst);
    // One matrix for the work list; the kernel finds the right one.
    let one = TensorView { ne: [src0.ne[0], src0.ne[1], 1, 1], ..*src0 };
    let mut descriptor = matmul(&one, &rows, &results, cores)?;
    descriptor.src0.ne[2] = src0.ne[2];
    descriptor.more[0] = *ids;
    let plain = *descriptor.params.get::<kernel::Matmul>();
    if let Some(own) = of_experts(&descriptor, tokens) {
        descriptor.params = Params::of::<kernel::Matmul>(&MatmulParams { ids: count, ..own });
        return Ok(descriptor);
    }
    let groups = count.min(TILE).div_ceil(ROW_GROUP);
    let tables = Groups::new(count, src0.ne[2]).bytes();
    let chunk_tiles = chunk_tiles(src0, plain.k_tiles, max_chunk_tiles(groups, tables));
    descriptor.params =
        Params::of::<kernel::Matmul>(&MatmulParams { chunk_tiles, ids: count, row: 0, ..plain });
    Ok(descriptor)
}

/// The results of a `MUL_MAT_ID` (columns, indices, tokens), each of which is a matrix of its own.
pub(super) fn by_index(dst: &TensorView) -> TensorView {
    let ([n, used, tokens, _], [nb0, nb1, nb2, _]) = (dst.ne, dst.nb);
    TensorView { ne: [n, 1, used, tokens], nb: [nb0, nb1, nb1, nb2], ..*dst }
}

/// The parameters of a `MUL_MAT_ID` with one token whose indices have a product with a single row each ([`MatmulParams::experts`]), if that is possible: weights are tiles,
/// rows and results are whole tiles, and rows lie one behind the other, or there is one for all.
fn of_experts(product: &OpDescriptor, tokens: u32) -> Option<MatmulParams> {
    let (src1, plain) = (&product.src1, product.params.get::<kernel::Matmul>());
    let [k, _, used, _] = src1.ne;
    let rows = if src1.nb[2] == 0 { 1 } else { used };
    let is_tiles = product.src0.element_type().is_some_and(ElementType::is_tiles);
    let whole = [k, product.dst.ne[0]].iter().all(|extent| extent.is_multiple_of(TILE));
    let is_row =
        src1.addr.is_multiple_of(u64::from(CONGRUENCE)) && (rows == 1 || src1.nb[2] == 4 * u64::from(k));
    let fits = used <= MAX_EXPERTS && rows.saturating_mul(plain.k_tiles) <= MAX_ROW_TILES;
    let single = MatmulParams { chunk_tiles: plain.k_tiles, row: 1, ..*plain };
    (tokens == 1 && is_tiles && whole && is_row && fits).then_some(single)
}

pub(super) fn tiles(src0: &TensorView, ty: ElementType) -> Result<(), Unsupported> {
    if src0.ne.contains(&0) {
        return Err("src0 is empty".into());
    }
    let expected = TensorView::tiles(ty, src0.addr, src0.ne);
    if src0.nb[..2] != expected.nb[..2] {
        return Err(
            format!("src0: tile strides {:?} instead of {:?}", &src0.nb[..2], &expected.nb[..2]).into()
        );
    }
    // DRAM reads keep the offset modulo `CONGRUENCE`, and a tile has to start such a line in L1.
    let line = u64::from(CONGRUENCE);
    if let Some(bad) = [src0.addr].iter().chain(&src0.nb).find(|&&bytes| bytes % line != 0) {
        return Err(format!("src0: tile address or stride {bad:#x} is not a multiple of {line}").into());
    }
    if expected.nb[1] > u64::from(u32::MAX / 8) {
        return Err(format!("src0 has rows of {} elements", src0.ne[0]).into());
    }
    Ok(())
}

fn shapes(src0: &TensorView, src1: &TensorView, dst: &TensorView) -> Result<(), Unsupported> {
    let expected = [src0.ne[1], src1.ne[1], src1.ne[2], src1.ne[3]];
    if src0.ne[0] != src1.ne[0] || dst.ne != expected {
        return Err(format!("shapes {:?} x {:?} -> {:?}", src0.ne, src1.ne, dst.ne).into());
    }
    for dim in [2, 3] {
        if !src1.ne[dim].is_multiple_of(src0.ne[dim]) {
            return Err(format!("{} matrices cannot be broadcast to {}", src0.ne[dim], src1.ne[dim]).into());
        }
    }
    Ok(())
}

/// k-tiles of a chunk of K, of which there are `most` at most. Groups of exact weights are in one chunk each.
fn chunk_tiles(src0: &TensorView, k_tiles: u32, most: u32) -> u32 {
    let is_exact = src0.element_type().is_some_and(|ty| ty.exact().is_some());
    match is_exact && most < k_tiles {
        true => most / GROUP_TILES as u32 * GROUP_TILES as u32,
        false => k_tiles.min(most),
    }
}

fn params(src0: &TensorView, src1: &TensorView) -> Result<MatmulParams, Unsupported> {
    let [k, rows, ne2, ne3] = src1.ne;
    let (n_tiles, row_tiles) = (src0.ne[1].div_ceil(TILE), rows.div_ceil(TILE));
    let k_tiles = k.div_ceil(TILE);
    let groups = rows.min(TILE).div_ceil(ROW_GROUP);
    let is_row = is_row(src0, src1);
    Ok(MatmulParams {
        units: check::count("tiles of the result", &[n_tiles, row_tiles, ne2, ne3])?,
        n_tiles,
        row_tiles,
        k_tiles,
        chunk_tiles: chunk_tiles(src0, k_tiles, if is_row { k_tiles } else { max_chunk_tiles(groups, 0) }),
        r2: ne2 / src0.ne[2],
        r3: ne3 / src0.ne[3],
        glu: 0,
        glu_params: [0; 2],
        ids: 0,
        ids_from: 0,
        halves: halves(src0) as u32,
        row: is_row.into(),
        ordered: 0,
        tiles_at_once: 1,
        link: Link::NONE,
        parts: Default::default(),
    })
}

/// Whether the activations are one row that the Tensix units round where it comes to in L1. (F16 rows that the unpacker takes as they lie want
/// activations with other exponents.)
fn is_row(src0: &TensorView, src1: &TensorView) -> bool {
    let enlarged = halves(src0) != Halves::None && src0.element_type() == Some(ElementType::F16);
    src1.ne[1..] == [1, 1, 1]
        && src1.addr.is_multiple_of(u64::from(CONGRUENCE))
        && src1.ne[0].div_ceil(TILE) <= MAX_ROW_TILES
        && !enlarged
}

/// How the unpacker takes `src0` as it lies, if it does: half-precision rows, or columns, that all begin as many bytes behind a line of the NoC,
/// at a multiple of the unpacker's unit.
fn halves(src0: &TensorView) -> Halves {
    let (dense, pitch, kind) = match multiplies_by_column(src0) {
        true => (src0.nb[1] == 2, src0.nb[0], Halves::Columns),
        false => (src0.nb[0] == 2, src0.nb[1], Halves::Rows),
    };
    let of_half = matches!(src0.element_type(), Some(ElementType::F16 | ElementType::BF16));
    let far = [src0.addr, src0.nb[2], src0.nb[3]].iter().all(|at| at.is_multiple_of(ALIGN));
    match of_half && dense && far && pitch.is_multiple_of(u64::from(CONGRUENCE)) {
        true => kind,
        false => Halves::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_kernel_abi::matmul::{ACT_BYTES, GROUP_TILE_BYTES};

    fn f32(ne: [u32; 4]) -> TensorView {
        TensorView::contiguous(ElementType::F32, 0x100_0000, ne)
    }

    fn plan(src0: &TensorView, ne1: [u32; 4]) -> Result<(u32, MatmulParams), Unsupported> {
        let dst = f32([src0.ne[1], ne1[1], ne1[2], ne1[3]]);
        let op = matmul(src0, &f32(ne1), &dst, 64)?;
        Ok((op.cores, *op.params_of::<kernel::Matmul>().unwrap()))
    }

    #[test]
    fn one_row_has_a_unit_for_each_column_tile() {
        let weights = TensorView::tiles(ElementType::TilesBf16, 0x200_0000, [288, 100, 1, 1]);
        let (cores, params) = plan(&weights, [288, 1, 1, 1]).unwrap();
        assert_eq!(cores, 64);
        assert_eq!((params.units, params.n_tiles, params.k_tiles, params.chunk_tiles), (4, 4, 9, 9));
    }

    #[test]
    fn long_k_is_cut_by_what_the_rows_leave_room_for() {
        let weights = TensorView::tiles(ElementType::TilesBfp8, 0x200_0000, [40000, 32, 1, 1]);
        let (_, one) = plan(&weights, [40000, 1, 1, 1]).unwrap();
        let (_, many) = plan(&weights, [40000, 40, 1, 1]).unwrap();
        // A single row is a chunk.
        assert_eq!((one.k_tiles, one.chunk_tiles, one.row), (1250, 1250, 1));
        assert_eq!((many.row_tiles, many.chunk_tiles), (2, ACT_BYTES / (4 * GROUP_TILE_BYTES)));
    }

    #[test]
    fn groups_of_exact_weights_are_in_one_chunk_each() {
        let weights = TensorView::tiles(ElementType::Exact(Kind::SuperMin), 0x200_0000, [40000, 32, 1, 1]);
        let (_, many) = plan(&weights, [40000, 40, 1, 1]).unwrap();
        assert_eq!(many.chunk_tiles, ACT_BYTES / (4 * GROUP_TILE_BYTES) / 8 * 8);
        assert!(many.chunk_tiles < 1250);
        let (_, one) = plan(&weights, [40000, 1, 1, 1]).unwrap();
        assert_eq!((one.chunk_tiles, one.row), (1250, 1));
        // That way takes tiles.
        let (src1, dst) = (f32([40000, 64, 1, 1]), f32([32, 64, 1, 1]));
        let product = matmul(&weights, &src1, &dst, 64).unwrap();
        assert!(!super::super::worth_blocks(&product));
        assert!(super::super::blocks(&product, &src1).is_err());
    }

    #[test]
    fn batches_are_broadcast() {
        let weights = f32([64, 33, 2, 1]);
        let (cores, params) = plan(&weights, [64, 7, 6, 2]).unwrap();
        assert_eq!((params.units, params.r2, params.r3, cores), (24, 3, 2, 64));
        assert!(plan(&weights, [64, 7, 5, 1]).unwrap_err().0.contains("broadcast"));
    }

    #[test]
    fn what_the_kernel_cannot_do_has_a_reason() {
        let good = f32([64, 32, 1, 1]);
        let reason = |src0: &TensorView, ne1| plan(src0, ne1).unwrap_err().0;
        assert!(reason(&good, [32, 1, 1, 1]).contains("shapes"));
        assert!(reason(&f32([0, 32, 1, 1]), [0, 1, 1, 1]).contains("empty"));
        assert!(reason(&TensorView { ty: ElementType::I32.code(), ..good }, [64, 1, 1, 1]).contains("I32"));
        assert!(reason(&TensorView { ty: 99, ..good }, [64, 1, 1, 1]).contains("unknown type 99"));
        assert!(reason(&TensorView { nb: [8, 512, 0, 0], ..good }, [64, 1, 1, 1]).contains("stride"));
        assert!(reason(&TensorView { addr: 2, ..good }, [64, 1, 1, 1]).contains("multiple of 4"));
        let quantised = TensorView::contiguous(ElementType::Q8_0, 0, [48, 32, 1, 1]);
        assert!(reason(&quantised, [48, 1, 1, 1]).contains("whole blocks"));
        let tiles = TensorView::tiles(ElementType::TilesBf16, 16, [64, 32, 1, 1]);
        assert!(reason(&tiles, [64, 1, 1, 1]).contains("multiple of 32"));
    }
}
