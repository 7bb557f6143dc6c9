//! `FLASH_ATTN_EXT` in steps: scores, softmax, weighted sums of the values. `LIGHTNING_INDEXER`: scores, weighted sums of the heads.
//!
//! The scores of all heads lie in scratch memory between the steps. Heads that share keys and values are the
//! broadcast of `MUL_MAT`, and of a single token the rows of one product. Values are multiplied as they lie.
//!
//! The product with the values has few units of work, each as long as the cache: heads times elements. Where that leaves cores without
//! any, positions are cut into parts ([`Parts`]), and the products of all parts are added up.

use tt_runtime::ops::elementwise::{Binary, Unary};
use tt_runtime::ops::rows::{SoftMax, WeightedSum};
use tt_runtime::ops::{self, Attention, AttentionOperands, Unsupported};
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
        if max_bias == 0.0 && cap == 0.0 && sinks.is_none() {
            let operands = AttentionOperands { q: &q, k: &k, v: &v, mask: mask.as_ref(), scale };
            if let Ok(steps) = self.parts_of_tokens(operands, &dst) {
                return Ok(steps);
            }
            if let Ok(step) = ops::attention_rows(operands, &dst, self.cores) {
                return Ok(vec![step]);
            }
        }
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
        let (scores, out) = (shared.rows(&scores), shared.rows(&out));
        let v = self.factor(transposed(&v), &scores, &mut steps)?;
        match Parts::of(&v, &scores, self.cores) {
            Some(parts) => self.in_parts(&parts, [&v, &scores, &out], &mut steps)?,
            None => steps.push(ops::matmul(&v, &scores, &out, self.cores)?),
        }
        Ok(steps)
    }

    /// The attention of single tokens in parts, and the parts put together, where the kernels can do that.
    fn parts_of_tokens(&mut self, operands: AttentionOperands, dst: &TensorView) -> Steps {
        let attention = Attention::new(operands, self.cores)?;
        let form = attention.between();
        let between = TensorView { addr: self.memory.scratch(form.span())?, ..form };
        Ok(attention.steps(&between, dst)?.into())
    }

    /// `v * scores`, part by part, and the sums of all parts.
    fn in_parts(
        &mut self,
        parts: &Parts,
        [v, scores, out]: [&TensorView; 3],
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<(), Unsupported> {
        let [ne0, ne1, ne2, _] = out.ne;
        let mut sums = self.scratch(ElementType::F32, [ne0, ne1, ne2, parts.count])?;
        steps.push(ops::matmul(&parts.cut(v), &parts.cut(scores), &sums, self.cores)?);
        // The second half is added to the first, until there is one.
        while sums.ne[3] > 1 {
            let half = sums.ne[3] / 2;
            let [a, b] = [0, half].map(|first| part(&sums, 3, first, half));
            let to = if half == 1 { *out } else { a };
            steps.push(ops::binary(Binary::Add, &a, &b, &to, self.cores)?);
            sums = a;
        }
        Ok(())
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

/// Rows and columns of a unit of work of a product.
const TILE: u32 = 32;
/// A sum of parts takes about as long as a product with so many positions: a launch's start and end.
const SUM_POSITIONS: u32 = 128;

/// Positions cut into parts of equal length, a power of two of them.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Parts {
    count: u32,
    positions: u32,
}

impl Parts {
    /// The parts in which the product of `scores` with `v` is done first, if there is more than one. Tiles are not cut, nor batches.
    fn of(v: &TensorView, scores: &TensorView, cores: u32) -> Option<Self> {
        if v.ne[3] != 1 || scores.ne[3] != 1 || v.element_type().is_none_or(ElementType::is_tiles) {
            return None;
        }
        let ([positions, ..], [_, rows, heads, _]) = (v.ne, scores.ne);
        let units = v.ne[1].div_ceil(TILE) * rows.div_ceil(TILE) * heads;
        // Once all cores have a unit, more parts are only more sums.
        let idle = |&(_, count): &(u32, u32)| count == 1 || units * (count / 2) < cores;
        let counts = (0..u32::BITS).map(|sums| (sums, 1 << sums)).take_while(idle);
        let whole = |&(_, count): &(u32, u32)| positions % (TILE * count) == 0;
        let cost = |&(sums, count): &(u32, u32)| {
            (units * count).div_ceil(cores.max(1)) * (positions / count) + sums * SUM_POSITIONS
        };
        let (_, count) = counts.take_while(whole).min_by_key(cost)?;
        (count > 1).then(|| Self { count, positions: positions / count })
    }

    /// A matrix whose rows have an element for each position, with the parts as batches.
    fn cut(&self, view: &TensorView) -> TensorView {
        let ([_, ne1, ne2, _], [nb0, nb1, nb2, _]) = (view.ne, view.nb);
        TensorView {
            ne: [self.positions, ne1, ne2, self.count],
            nb: [nb0, nb1, nb2, nb0 * u64::from(self.positions)],
            ..*view
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of a token's attention: elements of a head, positions, heads of the cache, rows of each.
    fn parts(head: u32, positions: u32, heads: u32, rows: u32) -> Option<(u32, u32)> {
        let v = TensorView::contiguous(ElementType::F16, 0, [positions, head, heads, 1]);
        let scores = TensorView::contiguous(ElementType::F32, 0, [positions, rows, heads, 1]);
        Parts::of(&v, &scores, 72).map(|parts| (parts.count, parts.positions))
    }

    #[test]
    fn positions_are_cut_where_cores_have_nothing_to_do() {
        assert_eq!(parts(64, 4096, 8, 4), Some((4, 1024)));
        assert_eq!(parts(64, 512, 8, 4), Some((2, 256)));
        assert_eq!(parts(128, 4096, 8, 4), Some((2, 2048)));
        // Too short, not whole tiles, enough rows.
        assert_eq!(parts(64, 64, 8, 4), None);
        assert_eq!(parts(64, 1000, 8, 4), None);
        assert_eq!(parts(64, 4096, 32, 512), None);
    }

    #[test]
    fn a_part_is_the_view_of_some_positions() {
        let cut = Parts { count: 4, positions: 128 };
        let scores = TensorView::contiguous(ElementType::F32, 0x100, [512, 4, 8, 1]);
        let cut = cut.cut(&scores);
        assert_eq!((cut.ne, cut.nb), ([128, 4, 8, 4], [4, 2048, 8192, 512]));
    }
}
