//! Products: operands that the kernel cannot walk are copied first.

use tt_runtime::ops::elementwise::Binary;
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::{Node, Steps};
use crate::copy_cache::Origin;

/// Whether the elements of a row lie side by side.
fn has_dense_rows(view: &TensorView) -> bool {
    view.element_type().is_some_and(|ty| ty.is_tiles() || view.nb[0] == u64::from(ty.block_bytes()))
}

/// Whether a view is as the kernel reads activations.
fn is_dense_f32(view: &TensorView) -> bool {
    view.element_type() == Some(ElementType::F32) && has_dense_rows(view)
}

impl Node<'_> {
    /// `view`, or a copy of it with dense rows.
    pub(super) fn dense(
        &mut self,
        view: TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        match view.element_type() {
            Some(ty) if !has_dense_rows(&view) => self.copied(view, ty, steps),
            _ => Ok(view),
        }
    }

    /// A copy of `view` without gaps in type `ty`, for reading.
    pub(super) fn copied(
        &mut self,
        view: TensorView,
        ty: ElementType,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        self.materialised(&view, TensorView::contiguous(ty, 0, view.ne), ops::copy, steps)
    }

    /// `view`, or if it is quantised a copy of it in type `ty`, which can be transposed.
    pub(super) fn plain(
        &mut self,
        view: TensorView,
        ty: ElementType,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        match view.element_type().and_then(ElementType::quantised) {
            Some(_) => self.copied(view, ty, steps),
            None => Ok(view),
        }
    }

    /// Activations as the kernel reads them: F32 with dense rows.
    pub(super) fn activations(
        &mut self,
        view: TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        match is_dense_f32(&view) {
            true => Ok(view),
            false => self.copied(view, ElementType::F32, steps),
        }
    }

    /// What the rows of `src1` are multiplied with: `view` as it is if the kernel takes it, tiles if that is better or the only way
    /// without a copy, else a copy.
    pub(super) fn factor(
        &mut self,
        view: TensorView,
        src1: &TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        let known = view.element_type().is_some_and(ops::multiplies_with);
        let ready = known && (has_dense_rows(&view) || ops::multiplies_by_column(&view));
        let view = match ready || ops::tilizes(&view) {
            true => view,
            false if known => self.dense(view, steps)?,
            false => self.plain(view, ElementType::F16, steps)?,
        };
        if !ops::tilizes(&view) || (ready && !ops::worth_tiles(&view, src1, self.cores)) {
            return Ok(view);
        }
        self.materialised(&view, TensorView::tiles(ElementType::TilesF32, 0, view.ne), ops::tilize, steps)
    }

    pub(super) fn mul_mat(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (src1, dst) = (self.src(1)?, self.dst()?);
        if has_few_results(&src1, &dst) {
            let src0 = self.src(0)?;
            if is_dense_f32(&src0) {
                return self.dot_products(&src0, &src1, &dst);
            }
        }
        let src0 = self.weights()?;
        let src0 = self.factor(src0, &src1, &mut steps)?;
        let src1 = self.activations(src1, &mut steps)?;
        let product = ops::matmul(&src0, &src1, &dst, self.cores)?;
        let product = self.ordered(product, &mut steps)?;
        steps.push(product);
        Ok(steps)
    }

    /// The product, with its activations in SrcB's order if that is better. All products with these activations share them.
    fn ordered(
        &mut self,
        product: OpDescriptor,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<OpDescriptor, Unsupported> {
        if self.is_in_blocks(&product) {
            let (ordered, weights) = self.ordered_for_blocks(&product, steps)?;
            return self.in_blocks(product, weights, &ordered, steps);
        }
        self.needs_rows(&product)?;
        if !ops::worth_order(&product) {
            return Ok(product);
        }
        let origin = Origin { is_ordered: true, ..Origin::from(&product.src1) };
        let copy = self.memory.materialise(origin, ops::ordered(&product.src1))?;
        if !copy.is_there {
            steps.push(ops::order(&product.src1, &copy.view, self.cores)?);
        }
        ops::with_ordered(&product, &copy.view)
    }

    /// Refuses a product with rows that are nowhere: what made their order and nothing else has taken it for one in blocks.
    fn needs_rows(&self, product: &OpDescriptor) -> Result<(), Unsupported> {
        match self.memory.is_replaced(&product.src1) {
            true => Err("the rows are only there in the order of products in blocks".into()),
            false => Ok(()),
        }
    }

    /// Whether a product is computed in blocks, with its weights as they are or with tiles of them.
    pub(super) fn is_in_blocks(&self, product: &OpDescriptor) -> bool {
        ops::worth_blocks(product) || ops::worth_block_tiles(product, self.memory.grid())
    }

    /// The type of what a product in blocks multiplies with ([`ops::block_weights_type`]).
    pub(super) fn block_weights_type(&self, product: &OpDescriptor) -> Result<ElementType, Unsupported> {
        let largest = || self.memory.largest_weight(&product.src0);
        ops::block_weights_type(product, largest).ok_or("weights of an unknown type".into())
    }

    /// The activations of a product in blocks, in their order, and the type of weights that they are for.
    pub(super) fn ordered_for_blocks(
        &mut self,
        product: &OpDescriptor,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<(TensorView, ElementType), Unsupported> {
        let weights = self.block_weights_type(product)?;
        let order_flags = ops::order_flags(weights);
        let origin = Origin { is_ordered: true, order_flags, ..Origin::from(&product.src1) };
        let copy = self.memory.materialise(origin, ops::block_form(&product.src1))?;
        if !copy.is_there {
            self.needs_rows(product)?;
            steps.push(ops::order_blocks(&product.src1, &copy.view, weights, self.cores)?);
        }
        Ok((copy.view, weights))
    }

    /// The product in blocks with weights of this type, of activations in order for it. Exact weights become tiles in L1 before, in parts by columns if there are many: all of it but the last step is in `steps`.
    pub(super) fn in_blocks(
        &mut self,
        product: OpDescriptor,
        weights: ElementType,
        src1: &TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<OpDescriptor, Unsupported> {
        if ops::worth_blocks(&product) {
            return ops::blocks(&product, src1);
        }
        let grid = self.memory.grid();
        let mut last = None;
        for part in ops::block_tiles(&product, 1, grid) {
            steps.extend(last.take());
            let [tiles, multiplied] = ops::blocks_of_tiles(&product, part, weights, src1, grid)?;
            steps.push(tiles);
            last = Some(multiplied);
        }
        last.ok_or("weights without columns".into())
    }

    /// A product with few results, in single precision: element by element, then sums.
    fn dot_products(&mut self, src0: &TensorView, src1: &TensorView, dst: &TensorView) -> Steps {
        let [k, n, ..] = src0.ne;
        let rows = src1.ne[1];
        let every = |view: &TensorView, nb1, nb2| TensorView {
            ne: [k, n, rows, 1],
            nb: [view.nb[0], nb1, nb2, 0],
            ..*view
        };
        let products = self.scratch(ElementType::F32, [k, n, rows, 1])?;
        let (w, x) = (every(src0, src0.nb[1], 0), every(src1, 0, src1.nb[1]));
        let sums = TensorView { ne: [1, n, rows, 1], nb: [4, dst.nb[0], dst.nb[1], dst.nb[2]], ..*dst };
        Ok(vec![
            ops::binary(Binary::Mul, &w, &x, &products, self.cores)?,
            ops::sum_rows(1.0, &products, &sums, self.cores)?,
        ])
    }

    pub(super) fn mul_mat_id(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (src1, ids, dst) = (self.src(1)?, self.src(2)?, self.dst()?);
        let src0 = self.weights()?;
        let src0 = self.dense(src0, &mut steps)?;
        let src1 = self.activations(src1, &mut steps)?;
        let ids = self.dense(ids, &mut steps)?;
        // Tokens as one descriptor takes them.
        let [used, tokens, ..] = ids.ne;
        let at_once = (ops::MAX_IDS / used.max(1)).max(1);
        for first in (0..tokens).step_by(at_once as usize) {
            let count = at_once.min(tokens - first);
            let [src1, dst] = [&src1, &dst].map(|view| part(view, 2, first, count));
            steps.push(ops::matmul_id(&src0, &src1, &part(&ids, 1, first, count), &dst, self.cores)?);
        }
        Ok(steps)
    }

    /// `dst[i1][i0] = sum_k src0[k][i0] * src1[k][i1]`: the product of both transposed.
    pub(super) fn out_prod(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (src0, src1, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let src0 = self.plain(src0, ElementType::F32, &mut steps)?;
        let src1 = self.activations(transposed(&src1), &mut steps)?;
        let src0 = self.factor(transposed(&src0), &src1, &mut steps)?;
        steps.push(ops::matmul(&src0, &src1, &dst, self.cores)?);
        Ok(steps)
    }
}

/// Results of a product of single precision numbers up to which it is not left to the matrix unit: that rounds each product to
/// 2^-11 of the largest of eight, which sums that cancel out show, and a tile of the result would be empty but for these.
const FEW_RESULTS: u32 = 8;

/// Whether a product with rows of F32 has few results. (A weight with so few rows is not in tiles.)
fn has_few_results(src1: &TensorView, dst: &TensorView) -> bool {
    is_dense_f32(src1) && dst.ne[2..] == [1, 1] && dst.ne[0].saturating_mul(dst.ne[1]) <= FEW_RESULTS
}

/// `count` items from `first` on in a dimension of a tensor of single elements.
pub(super) fn part(view: &TensorView, dim: usize, first: u32, count: u32) -> TensorView {
    let mut part = *view;
    part.addr += u64::from(first) * view.nb[dim];
    part.ne[dim] = count;
    part
}

/// The same matrix with rows and columns exchanged.
pub(super) fn transposed(view: &TensorView) -> TensorView {
    let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (view.ne, view.nb);
    TensorView { ne: [ne1, ne0, ne2, ne3], nb: [nb1, nb0, nb2, nb3], ..*view }
}
