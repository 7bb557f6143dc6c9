//! `FLASH_ATTN_EXT` in steps: scores, softmax, weighted sums of the values.
//!
//! The scores of all heads lie in scratch memory between the steps. Heads that share keys and values are the
//! broadcast of `MUL_MAT`.

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
        let k = match k.element_type().is_some_and(ops::multiplies_with) {
            true => k,
            false => self.plain(k, ElementType::F16, &mut steps)?,
        };
        let k = self.dense(k, &mut steps)?;
        let scores = self.scratch(ElementType::F32, [k.ne[1], q.ne[1], q.ne[2], q.ne[3]])?;
        steps.push(ops::matmul(&k, &q, &scores, self.cores)?);
        let scale = match cap == 0.0 {
            true => scale,
            false => self.soft_cap(&scores, scale / cap, cap, &mut steps)?,
        };
        // A token that sees nothing gets nothing.
        let params = SoftMax { scale, max_bias, masked_rows_are_zero: true };
        steps.push(ops::soft_max(params, &scores, mask.as_ref(), sinks.as_ref(), &scores, self.cores)?);
        let v = self.plain(v, ElementType::F16, &mut steps)?;
        let v = self.dense(transposed(&v), &mut steps)?;
        // The result has heads before tokens.
        let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (dst.ne, dst.nb);
        let out = TensorView { ne: [ne0, ne2, ne1, ne3], nb: [nb0, nb2, nb1, nb3], ..dst };
        steps.push(ops::matmul(&v, &scores, &out, self.cores)?);
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
