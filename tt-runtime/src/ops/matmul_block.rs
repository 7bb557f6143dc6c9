//! `MUL_MAT` of many rows with weights, in blocks of the result ([`tt_kernel_abi::matmul_block`]).

use super::elementwise::{self, Glu, gated, sfpu_allowed};
use super::{Unsupported, check};
use tt_kernel_abi::exact::GROUP_TILES;
use tt_kernel_abi::exact_tiles::ExactTilesParams;
use tt_kernel_abi::held::{self, ColumnPart, GROUP_BYTES, MARK_BYTES, MOST_COLUMN_PARTS, Owners, tiles_of};
use tt_kernel_abi::matmul::{ROW_GROUP, TILE};
use tt_kernel_abi::matmul_block::{BlockParams, Gate, block_weights, columns_at_once, held_bytes};
use tt_kernel_abi::norm_order::{self, NormOrderParams};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::order::{OrderParams, STRIP_TILES, flags_for};
use tt_kernel_abi::ring::Link;
use tt_kernel_abi::sfpu::{ALIGN, BLOCK};
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, Params, TensorView};

/// Types of weights: activations are rounded to seven significant bits, which matters less than what these have lost.
const WEIGHTS: &[ElementType] = &[ElementType::TilesBfp8, ElementType::TilesBfp4];
/// Where the NoC writes results from L1: source and destination agree modulo so many bytes.
const RESULT_ALIGN: u64 = 16;

/// Whether a product should be computed in blocks: there are several rows, and all that the kernels rely on is so. `cores` are all workers.
pub fn worth_blocks(product: &OpDescriptor) -> bool {
    product.src0.element_type().is_some_and(|ty| WEIGHTS.contains(&ty)) && fits_blocks(product)
}

/// Whether tiles should be made of the weights of a product without a second rounding, to compute it in blocks, on a grid of `[columns, rows]` workers: there is room for them, and each eight rows would
/// have all weights go through the vector unit.
pub fn worth_block_tiles(product: &OpDescriptor, grid: [u32; 2]) -> bool {
    let is_exact = product.src0.element_type().and_then(ElementType::exact).is_some();
    is_exact && fits_blocks(product) && worth_rows(product) && most_columns(product, 1, grid) > 0
}

/// Whether [`blocks_gated_of_tiles`] can be used for products like this one, but for the other one's and the type of tiles: where each tile has its own columns of both, it is not done.
pub fn worth_gated_tiles(product: &OpDescriptor, grid: [u32; 2]) -> bool {
    let row_tiles = product.src1.ne[1].div_ceil(TILE);
    worth_block_tiles(product, grid) && held::is_spread(row_tiles) && most_columns(product, 2, grid) > 0
}

/// The type of what a product in blocks multiplies with: that of its weights, or of the tiles that exact weights become, none of whose magnitudes is larger than `largest` (infinity, if that is not known).
/// Activations are [brought to an order](order_blocks) for that type.
pub fn block_weights_type(product: &OpDescriptor, largest: impl FnOnce() -> f32) -> Option<ElementType> {
    let weights = product.src0.element_type()?;
    Some(if weights.exact().is_some() { tiles_of(largest()) } else { weights })
}

/// Whether a product of exact weights has enough rows. (In the timed mode a layer of a 1B with Q8_0 and 32 rows takes 1.10 ms with tiles, 2.98 without; with 8 rows 0.96 and 1.04, and without tiles
/// no weight is rounded.)
fn worth_rows(product: &OpDescriptor) -> bool {
    product.src1.ne[1] > ROW_GROUP
}

/// Tiles of columns of which the tiles that have them in common hold all tiles of K, at most, of each of so many matrices (`sides`) like a product's.
fn most_columns(product: &OpDescriptor, sides: u32, grid: [u32; 2]) -> u32 {
    let row_tiles = product.src1.ne[1].div_ceil(TILE);
    let members = Owners::new(row_tiles, [0, 0], grid, 0).members;
    let groups = (held_bytes(row_tiles) / sides - MARK_BYTES) / GROUP_BYTES;
    let per_column = product.src0.ne[0].div_ceil(TILE * GROUP_TILES as u32).max(1);
    groups.saturating_mul(members) / per_column
}

/// Tiles of columns that tiles of the grid have in common, at most.
fn shared_columns(product: &OpDescriptor, grid: [u32; 2]) -> u32 {
    let owners = Owners::new(product.src1.ne[1].div_ceil(TILE), [0, 0], grid, 0);
    product.src0.ne[1].div_ceil(TILE).div_ceil(owners.parts)
}

/// Whether the kernels can compute a product in blocks, but for the type of its weights.
fn fits_blocks(product: &OpDescriptor) -> bool {
    let Some(params) = product.params_of::<kernel::Matmul>() else { return false };
    let OpDescriptor { src0, src1, dst, .. } = product;
    let one = |view: &TensorView| view.ne[2] == 1 && view.ne[3] == 1;
    let plain = params.ids == 0 && product.more.iter().all(|view| view.ne[0] == 0);
    let columns = src0.ne[1].is_multiple_of(TILE) && (dst.addr | dst.nb[1]).is_multiple_of(RESULT_ALIGN);
    plain && columns && one(src0) && one(src1) && is_even(src1) && src1.ne[1] > 1
}

/// The parts by columns that tiles are made of at a time, of the weights of so many products (`sides`) for which that [is worth it](worth_block_tiles): as few as L1 allows.
pub fn block_tiles(
    product: &OpDescriptor,
    sides: u32,
    grid: [u32; 2],
) -> impl Iterator<Item = ColumnPart> + use<> {
    let (shared, most) = (shared_columns(product, grid).max(1), most_columns(product, sides, grid));
    let at_once = columns_at_once(product.src1.ne[1].div_ceil(TILE), sides);
    let of = |parts: u32| ColumnPart { number: 0, parts, run: at_once.min(shared.div_ceil(parts)) };
    let fits = |part: &ColumnPart| part.count(shared) <= most;
    let first = (1..shared).map(of).find(fits).unwrap_or(of(shared));
    (0..first.parts).map(move |number| ColumnPart { number, ..first })
}

/// The steps for a part by columns ([`block_tiles`]) of a product of weights without a second rounding: one leaves tiles of type `tiles` ([`block_weights_type`]) in L1, the other one
/// multiplies them with `src1`, as [`order_blocks`] has made it for that type of what the product multiplied with. Nothing may be between them ([`needs_next`]).
///
/// # Errors
///
/// They are not of one shape, or it is none for which that is worth it.
pub fn blocks_of_tiles(
    product: &OpDescriptor,
    part: ColumnPart,
    tiles: ElementType,
    src1: &TensorView,
    grid: [u32; 2],
) -> Result<[OpDescriptor; 2], Unsupported> {
    let held = InTiles { part, sides: 1, tiles, grid };
    let made = held.tiles_of(product, 0)?;
    Ok([made, held.multiplied(&made, in_blocks(product, tiles, src1)?)])
}

/// The steps for a part by columns ([`block_tiles`] of two sides) of [`blocks_gated`] of two products of weights without a second rounding: two leave tiles in L1, the last one multiplies them.
/// Operands are as for [`blocks_gated`] and [`blocks_of_tiles`].
///
/// # Errors
///
/// As for these, or it is none for which that [is worth it](worth_gated_tiles).
#[expect(
    clippy::too_many_arguments,
    reason = "operands, and what they are of; they have no order of their own"
)]
pub fn blocks_gated_of_tiles(
    function: Glu,
    products: [&OpDescriptor; 2],
    part: ColumnPart,
    tiles: ElementType,
    src1: &TensorView,
    dst: &TensorView,
    next: ElementType,
    grid: [u32; 2],
) -> Result<[OpDescriptor; 3], Unsupported> {
    let held = InTiles { part, sides: 2, tiles, grid };
    let [x, gate] = [held.tiles_of(products[0], 0)?, held.tiles_of(products[1], 1)?];
    let blocks = gated_blocks(function, products, tiles, src1, dst, next)?;
    Ok([x, gate, held.multiplied(&x, blocks)])
}

/// Whether a step computes some columns of what it has for a result, and others the rest ([`block_tiles`]).
pub fn is_part_of_columns(step: &OpDescriptor) -> bool {
    step.params_of::<kernel::MatmulBlock>().is_some_and(|params| params.part.parts > 1)
}

/// A part by columns of one or two products of exact weights, by way of tiles.
struct InTiles {
    part: ColumnPart,
    sides: u32,
    tiles: ElementType,
    grid: [u32; 2],
}

impl InTiles {
    /// The step that makes the tiles of one of them.
    fn tiles_of(&self, product: &OpDescriptor, side: u32) -> Result<OpDescriptor, Unsupported> {
        let &Self { part, sides, tiles, grid } = self;
        let is_f16 = match tiles {
            ElementType::TilesF16 => 1,
            ElementType::TilesBf16 => 0,
            other => return Err(format!("{other:?} of exact weights").into()),
        };
        let [k, n, rows, ..] = [product.src0.ne[0], product.src0.ne[1], product.src1.ne[1]];
        let (n_tiles, k_tiles, row_tiles) = (n.div_ceil(TILE), k.div_ceil(TILE), rows.div_ceil(TILE));
        let is_worth =
            if sides == 1 { worth_block_tiles(product, grid) } else { worth_gated_tiles(product, grid) };
        if !is_worth || grid[0] * grid[1] != product.cores {
            return Err(format!("{:?} as tiles in L1, for {rows} rows", product.src0.ne).into());
        }
        let ColumnPart { number, parts, run } = part;
        let is_part = number < parts && parts <= MOST_COLUMN_PARTS;
        let is_run = (1..=columns_at_once(row_tiles, sides)).contains(&run);
        let has_room =
            || (1..=most_columns(product, sides, grid)).contains(&part.count(shared_columns(product, grid)));
        if !is_part || !is_run || !has_room() {
            return Err(
                format!("part {number} of {parts} of the columns of {:?} in L1", product.src0.ne).into()
            );
        }
        let at = held::first(n_tiles, k_tiles, sides, part, Owners::new(row_tiles, [0, 0], grid, 0));
        let at = held::of_side(at, side, sides);
        let params = ExactTilesParams { n_tiles, part, k_tiles, row_tiles, at, is_f16 };
        let op = OpDescriptor::of::<kernel::ExactTiles>(&params, product.cores);
        Ok(OpDescriptor { src0: product.src0, ..op })
    }

    /// A step in blocks that multiplies with what `made`, the first of these steps, and the others have left.
    fn multiplied(&self, made: &OpDescriptor, blocks: OpDescriptor) -> OpDescriptor {
        let of = made.params.get::<kernel::ExactTiles>();
        let mut params = *blocks.params.get::<kernel::MatmulBlock>();
        (params.part, params.held, params.is_f16) = (self.part, of.at, of.is_f16);
        let mut more = blocks.more;
        more[2] = TensorView::NONE;
        let params = Params::of::<kernel::MatmulBlock>(&params);
        OpDescriptor { src0: TensorView::NONE, more, params, ..blocks }
    }
}

/// Whether a step leaves something in L1 for the next one: no other may be between the two.
pub fn needs_next(step: &OpDescriptor) -> bool {
    step.params_of::<kernel::ExactTiles>().is_some()
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
    match product.src0.element_type() {
        Some(weights) if worth_blocks(product) => in_blocks(product, weights, src1),
        _ => Err(format!("a product of {:?} in blocks", product.src0.ne).into()),
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
    products: [&OpDescriptor; 2],
    src1: &TensorView,
    dst: &TensorView,
    next: ElementType,
) -> Result<OpDescriptor, Unsupported> {
    match products[0].src0.element_type() {
        Some(weights) if products.into_iter().all(worth_blocks) => {
            gated_blocks(function, products, weights, src1, dst, next)
        }
        _ => Err(format!("gated products of {:?} in blocks", products[0].src0.ne).into()),
    }
}

/// See [`blocks_gated`]; products are multiplied with tiles of type `weights`.
fn gated_blocks(
    function: Glu,
    [x, gate]: [&OpDescriptor; 2],
    weights: ElementType,
    src1: &TensorView,
    dst: &TensorView,
    next: ElementType,
) -> Result<OpDescriptor, Unsupported> {
    let what = match function {
        Glu::Swiglu => Gate::Swiglu,
        Glu::Geglu => Gate::Geglu,
        _ => return Err(format!("{} of two products", function.name()).into()),
    };
    let kind = |product: &OpDescriptor| (product.src0.ty, product.src0.ne, product.src0.nb);
    if kind(x) != kind(gate) || x.src1 != gate.src1 {
        return Err("products of different kinds".into());
    }
    let form = TensorView { addr: dst.addr, ..block_form(&x.dst) };
    if form != *dst || !dst.addr.is_multiple_of(CONGRUENCE.into()) || !elementwise::sfpu_allowed() {
        return Err(format!("gated rows {:?} to the blocks of {:?}", x.dst.ne, dst.ne).into());
    }
    let mut op = in_blocks(x, weights, src1)?;
    let params = BlockParams { gate: what as u32, ..*op.params.get::<kernel::MatmulBlock>() };
    op.more[2] = gate.src0;
    Ok(OpDescriptor {
        flags: flags_for(next),
        dst: *dst,
        params: Params::of::<kernel::MatmulBlock>(&params),
        ..op
    })
}

/// The descriptor of a product that the kernel can compute.
fn in_blocks(
    product: &OpDescriptor,
    weights: ElementType,
    src1: &TensorView,
) -> Result<OpDescriptor, Unsupported> {
    let form = TensorView { addr: src1.addr, ..block_form(&product.src1) };
    if !fits_blocks(product) || form != *src1 || !src1.addr.is_multiple_of(CONGRUENCE.into()) {
        return Err(format!("activations {:?} in the blocks of {:?}", product.src1.ne, src1.ne).into());
    }
    let [k, n, ..] = product.src0.ne;
    let row_tiles = src1.ne[1].div_ceil(TILE);
    let params = BlockParams {
        n_tiles: n.div_ceil(TILE),
        k_tiles: k.div_ceil(TILE),
        row_tiles,
        block_weights: block_weights(weights, row_tiles),
        held: 0,
        is_f16: 0,
        gate: Gate::None as u32,
        part: ColumnPart::WHOLE,
        pause: 0,
        kept: 0,
        link: Link::NONE,
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
    use tt_kernel_abi::l1::HEAP_END;

    fn product(weights: ElementType, [k, n, rows]: [u32; 3]) -> OpDescriptor {
        let src0 = TensorView::tiles(weights, 1 << 24, [k, n, 1, 1]);
        let src1 = TensorView::contiguous(ElementType::F32, 2 << 24, [k, rows, 1, 1]);
        let dst = TensorView::contiguous(ElementType::F32, 3 << 24, [n, rows, 1, 1]);
        matmul(&src0, &src1, &dst, 72).unwrap()
    }

    const GRID: [u32; 2] = [8, 9];

    #[test]
    fn exact_weights_become_tiles_where_they_would_come_often() {
        for kind in Kind::ALL {
            let worth =
                |rows| worth_block_tiles(&product(ElementType::Exact(kind), [2048, 8192, rows]), GRID);
            assert!([9, 32, 64, 512].into_iter().all(worth) && ![1, 8].into_iter().any(worth), "{kind:?}");
        }
        // These are computed in blocks as they are, or not at all.
        for weights in [ElementType::TilesBfp8, ElementType::TilesBf16] {
            assert!(!worth_block_tiles(&product(weights, [2048, 8192, 512]), GRID));
        }
        // Columns of results that are no whole tiles.
        let exact = ElementType::Exact(Kind::Scale);
        assert!(!worth_block_tiles(&product(exact, [2048, 8200, 512]), GRID));
        // A column that a tile has no room for; together the tiles of a row have.
        assert!(!worth_block_tiles(&product(exact, [1 << 14, 64, 128]), GRID));
        assert!(worth_block_tiles(&product(exact, [1 << 14, 64, 129]), GRID));
    }

    #[test]
    fn parts_cover_all_columns_and_have_room() {
        let exact = ElementType::Exact(Kind::SuperMin);
        let shapes = [[4096, 14336], [14336, 4096], [2048, 128_256], [4096, 128_256], [15360, 32], [32, 32]];
        for ([k, n], rows) in
            shapes.into_iter().flat_map(|shape| [33, 128, 129, 512].map(|rows| (shape, rows)))
        {
            let product = product(exact, [k, n, rows]);
            let src1 = TensorView { addr: 9 << 30, ..block_form(&product.src1) };
            let (shared, mut columns) = (shared_columns(&product, GRID), 0);
            let all: Vec<_> = block_tiles(&product, 1, GRID).collect();
            for (number, &part) in all.iter().enumerate() {
                assert_eq!((part.number, part.parts), (number as u32, all.len() as u32));
                columns += part.count(shared);
                let [made, step] =
                    blocks_of_tiles(&product, part, ElementType::TilesF16, &src1, GRID).unwrap();
                let tiles = made.params.get::<kernel::ExactTiles>();
                let params = step.params.get::<kernel::MatmulBlock>();
                assert_eq!([tiles.part, params.part], [part; 2]);
                assert_eq!([tiles.n_tiles, params.n_tiles], [n / TILE; 2]);
                assert_eq!((step.dst, is_part_of_columns(&step)), (product.dst, all.len() > 1));
                assert_eq!((params.held, params.row_tiles), (tiles.at, tiles.row_tiles));
                assert_eq!([params.is_f16, tiles.is_f16], [1; 2]);
                let held = HEAP_END - held::mark(tiles.at);
                assert!(held <= held_bytes(params.row_tiles), "{k} x {n}, {rows} rows: {held}");
            }
            assert_eq!(columns, shared);
            if worth_gated_tiles(&product, GRID) {
                let (n_tiles, k_tiles, row_tiles) = (n / TILE, k / TILE, rows.div_ceil(TILE));
                let owners = Owners::new(row_tiles, [0, 0], GRID, 0);
                let parts: Vec<_> = block_tiles(&product, 2, GRID).collect();
                assert_eq!(parts.iter().map(|part| part.count(shared)).sum::<u32>(), shared);
                for part in parts {
                    let held = HEAP_END - held::mark(held::first(n_tiles, k_tiles, 2, part, owners));
                    assert!(held <= held_bytes(row_tiles), "{k} x {n}, {rows} rows, twice: {held}");
                }
            }
        }
        let parts =
            |shape, sides, rows| block_tiles(&product(exact, [shape, 14336, rows]), sides, GRID).count();
        assert_eq!([parts(2048, 1, 512), parts(4096, 1, 512), parts(4096, 1, 64)], [2, 3, 3]);
        assert_eq!([parts(2048, 2, 512), parts(4096, 2, 512)], [3, 5]);
    }

    #[test]
    fn tiles_are_of_the_products_weights() {
        let product = product(ElementType::Exact(Kind::Scale), [512, 256, 64]);
        let src1 = TensorView { addr: 6 << 24, ..block_form(&product.src1) };
        // No part; none that has columns; columns that are in no block together.
        for [number, parts, run] in [[1, 1, 1], [0, 0, 1], [1, 2, 1], [0, 2, 0], [0, 2, 9]] {
            let part = ColumnPart { number, parts, run };
            let steps = blocks_of_tiles(&product, part, ElementType::TilesBf16, &src1, GRID);
            assert!(steps.is_err(), "{part:?}");
        }
        // Other workers than those of the product.
        let steps = |tiles, grid| blocks_of_tiles(&product, ColumnPart::WHOLE, tiles, &src1, grid);
        assert!(steps(ElementType::TilesBf16, [8, 8]).is_err());
        // What weights do not become.
        assert!(steps(ElementType::TilesBfp8, GRID).is_err());
        assert!(steps(ElementType::TilesF16, GRID).is_ok());
        assert!(blocks(&product, &src1).is_err());
    }
}
