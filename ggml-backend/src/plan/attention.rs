//! `FLASH_ATTN_EXT` in steps: scores, softmax, weighted sums of the values. `LIGHTNING_INDEXER`: scores, weighted sums of the heads.
//!
//! The scores of all heads lie in scratch memory between the steps. Heads that share keys and values are the
//! broadcast of `MUL_MAT`, and of a single token the rows of one product. Values are multiplied as they lie.

use tt_runtime::ops::elementwise::Unary;
use tt_runtime::ops::rows::{SoftMax, WeightedSum};
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::matrix::{part, transposed};
use super::streams::single_rows;
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

/// Bytes of scores of an indexer that scratch memory holds at once, if one token's fit.
const SCORES_BYTES: u64 = 64 << 20;

impl Node<'_> {
    /// Which keys are worth attention: for each token and key the sum over all heads of `w * max(q . k, 0)`, plus the mask. Sources:
    /// q (elements, heads, tokens, streams), k (elements, 1, keys, streams), weights (heads, tokens), mask (keys, tokens).
    pub(super) fn lightning_indexer(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (q, k, weights, mask, dst) =
            (self.src(0)?, self.src(1)?, self.src(2)?, self.src(3)?, self.dst()?);
        let q = self.activations(q, &mut steps)?;
        let ([_, heads, tokens, streams], keys) = (q.ne, k.ne[2]);
        // One matrix of keys a stream.
        let k = TensorView { ne: [k.ne[0], keys, 1, k.ne[3]], nb: [k.nb[0], k.nb[2], k.nb[3], k.nb[3]], ..k };
        let k = self.factor(k, &rows_of_heads(&q), &mut steps)?;
        let of_token = 4 * u64::from(keys) * u64::from(heads) * u64::from(streams);
        let at_once = (SCORES_BYTES / of_token.max(1)).clamp(1, tokens.into()) as u32;
        let scores = self.scratch(ElementType::F32, [keys, heads, at_once, streams])?;
        let [weights, mask, dst] = [single_rows(&weights)?, single_rows(&mask)?, single_rows(&dst)?];
        for first in (0..tokens).step_by(at_once as usize) {
            let count = at_once.min(tokens - first);
            let of_tokens = |view: &TensorView| part(view, 2, first, count);
            let scores = part(&scores, 2, 0, count);
            let product = [&of_tokens(&q), &scores].map(rows_of_heads);
            steps.push(ops::matmul(&k, &product[0], &product[1], self.cores)?);
            let sum = WeightedSum {
                scale: 1.0,
                only_positive: true,
                rows: &scores,
                weights: Some(&of_tokens(&weights)),
                addend: Some(&of_tokens(&mask)),
            };
            steps.push(ops::weighted_sum(sum, &of_tokens(&dst), self.cores)?);
        }
        Ok(steps)
    }
}

/// The heads of all tokens as rows of one matrix, if they follow one another without gaps.
fn rows_of_heads(view: &TensorView) -> TensorView {
    let ([ne0, ne1, ne2, ne3], [nb0, nb1, nb2, nb3]) = (view.ne, view.nb);
    match nb2 == u64::from(ne1) * nb1 {
        true => TensorView { ne: [ne0, ne1 * ne2, 1, ne3], nb: [nb0, nb1, nb3, nb3], ..*view },
        false => *view,
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
