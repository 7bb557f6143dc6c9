//! Products: operands that the kernel cannot walk are copied first.

use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::{Node, Steps};

/// Whether the elements of a row lie side by side.
fn has_dense_rows(view: &TensorView) -> bool {
    view.element_type().is_some_and(|ty| ty.is_tiles() || view.nb[0] == u64::from(ty.block_bytes()))
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

    /// A copy of `view` without gaps in type `ty`.
    pub(super) fn copied(
        &mut self,
        view: TensorView,
        ty: ElementType,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        let copy = self.scratch(ty, view.ne)?;
        steps.push(ops::copy(&view, &copy, self.cores)?);
        Ok(copy)
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
        match view.element_type() == Some(ElementType::F32) && has_dense_rows(&view) {
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
        let tiles = TensorView::tiles(ElementType::TilesF32, 0, view.ne);
        let tiles = TensorView { addr: self.memory.scratch(tiles.span())?, ..tiles };
        steps.push(ops::tilize(&view, &tiles, self.cores)?);
        Ok(tiles)
    }

    pub(super) fn mul_mat(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (src1, dst) = (self.src(1)?, self.dst()?);
        let src0 = self.weights()?;
        let src0 = self.factor(src0, &src1, &mut steps)?;
        let src1 = self.activations(src1, &mut steps)?;
        steps.push(ops::matmul(&src0, &src1, &dst, self.cores)?);
        Ok(steps)
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

/// `count` items from `first` on in a dimension of a tensor of single elements.
fn part(view: &TensorView, dim: usize, first: u32, count: u32) -> TensorView {
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
