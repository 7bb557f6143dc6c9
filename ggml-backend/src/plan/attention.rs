//! `FLASH_ATTN_EXT` in steps: scores, softmax, weighted sums of the values.
//!
//! The scores of all heads lie in scratch memory between the steps. Heads that share keys and values are the
//! broadcast of `MUL_MAT`, and of a single token the rows of one product. Values are multiplied as they lie.

use tt_runtime::ops::elementwise::Unary;
use tt_runtime::ops::rows::SoftMax;
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::matrix::transposed;
use super::{Node, Steps};

impl Node<'_> {
    /// Sources: q, k, v, mask, sinks; `op_params`: scale, largest ALiBi bias, soft cap.
    pub(super) fn flash_attention(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (q, k, v, dst) = (self.src(0)?, self.src(1)?, self.src(2)?, self.dst()?);
        let (mask, sinks) = (self.optional(3)?, self.optional(4)?);
        let (scale, max_bias, cap) = (self.f32(0), self.f32(1), self.f32(2));
        let q = self.activations(q, &mut steps)?;
        let [_, tokens, heads, batches] = q.ne;
        let scores = self.aligned_scratch([k.ne[1], tokens, heads, batches])?;
        let shared = Shared::new(&q, &k);
        let k = self.factor(k, &shared.rows(&q), &mut steps)?;
        steps.push(ops::matmul(&k, &shared.rows(&q), &shared.rows(&scores), self.cores)?);
        let scale = match cap == 0.0 {
            true => scale,
            false => self.soft_cap(&scores, scale / cap, cap, &mut steps)?,
        };
        // A token that sees nothing gets nothing.
        let params = SoftMax { scale, max_bias, masked_rows_are_zero: true };
        let mask = self.mask(mask, &scores, &scores, &mut steps)?;
        steps.push(ops::soft_max(params, &scores, mask.as_ref(), sinks.as_ref(), &scores, self.cores)?);
        let v = match ops::tilizes(&transposed(&v)) {
            true => v,
            false => self.plain(v, ElementType::F16, &mut steps)?,
        };
        // The result has heads before tokens.
        let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (dst.ne, dst.nb);
        let out = TensorView { ne: [ne0, ne2, ne1, ne3], nb: [nb0, nb2, nb1, nb3], ..dst };
        let v = self.factor(transposed(&v), &shared.rows(&scores), &mut steps)?;
        steps.push(ops::matmul(&v, &shared.rows(&scores), &shared.rows(&out), self.cores)?);
        Ok(steps)
    }

    /// `tanh(scale * scores)` in place; gives the factor that is left for the softmax.
    fn soft_cap(
        &mut self,
        scores: &TensorView,
        scale: f32,
        cap: f32,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<f32, Unsupported> {
        steps.push(ops::unary(Unary::Scale, &[scale, 0.0], scores, scores, self.cores)?);
        steps.push(ops::unary(Unary::Tanh, &[], scores, scores, self.cores)?);
        Ok(cap)
    }
}

/// Heads that share keys, if there is one token: they are rows of the same product.
struct Shared {
    heads: u32,
}

impl Shared {
    fn new(q: &TensorView, k: &TensorView) -> Self {
        let (of_q, of_k) = (q.ne[2], k.ne[2]);
        let one = q.ne[1] == 1 && of_k > 0 && of_q.is_multiple_of(of_k);
        Self { heads: if one { of_q / of_k } else { 1 } }
    }

    /// `[n, 1, heads, batches]` with the heads that share keys as rows.
    fn rows(&self, view: &TensorView) -> TensorView {
        let ([ne0, ne1, ne2, ne3], [nb0, _, nb2, nb3]) = (view.ne, view.nb);
        match self.heads {
            1 => *view,
            heads => TensorView {
                ne: [ne0, ne1 * heads, ne2 / heads, ne3],
                nb: [nb0, nb2, nb2 * u64::from(heads), nb3],
                ..*view
            },
        }
    }
}
