//! Hyper-connections (`DSV4_HC_*`): a model's residual is several streams that layers read and write as weighted sums.

use tt_runtime::ops::elementwise::{Binary, Unary};
use tt_runtime::ops::rows::WeightedSum;
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::matrix::transposed;
use super::{Node, Steps};

impl Node<'_> {
    /// What a layer reads: the sum of a token's streams. Sources: streams (elements, streams, tokens), weights (streams, tokens), or
    /// gates of every element. `op_params`: factor, whether there are gates.
    pub(super) fn hc_pre(&mut self) -> Steps {
        let mut steps = Vec::new();
        let (streams, weights, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let mut sum = WeightedSum {
            scale: self.f32(0),
            only_positive: false,
            rows: &streams,
            weights: None,
            addend: None,
        };
        let (gated, weights_of_rows);
        if self.i32(1) != 0 {
            gated = self.scratch(ElementType::F32, streams.ne)?;
            steps.push(ops::unary(Unary::Sigmoid, &[], &weights, &gated, self.cores)?);
            steps.push(ops::binary(Binary::Mul, &streams, &gated, &gated, self.cores)?);
            sum.rows = &gated;
        } else {
            weights_of_rows = single_rows(&weights)?;
            sum.weights = Some(&weights_of_rows);
        }
        steps.push(ops::weighted_sum(sum, &single_rows(&dst)?, self.cores)?);
        Ok(steps)
    }

    /// What a layer writes: its result with a weight for each stream, and the streams themselves, which may be mixed. Sources: result
    /// (elements, tokens), streams, weights of the result (streams, tokens), weights of the mixture (streams, streams mixed,
    /// tokens).
    pub(super) fn hc_post(&mut self) -> Steps {
        let (x, streams, post, comb) = (self.src(0)?, self.src(1)?, self.src(2)?, self.optional(3)?);
        let (dst, cores) = (self.dst()?, self.cores);
        let mut steps = Vec::new();
        let mut residual = streams;
        if let Some(comb) = comb {
            let sum = WeightedSum {
                scale: 1.0,
                only_positive: false,
                rows: &streams,
                weights: Some(&transposed(&comb)),
                addend: None,
            };
            steps.push(ops::weighted_sum(sum, &dst, cores)?);
            residual = dst;
        }
        let sum = WeightedSum {
            scale: 1.0,
            only_positive: false,
            rows: &single_rows(&x)?,
            weights: Some(&transposed(&single_rows(&post)?)),
            addend: Some(&residual),
        };
        steps.push(ops::weighted_sum(sum, &dst, cores)?);
        Ok(steps)
    }

    /// How streams mix. Sources: a token's numbers, scales and biases, of which those for the mixture come last. `op_params`: epsilon,
    /// iterations.
    pub(super) fn hc_comb(&mut self) -> Result<OpDescriptor, Unsupported> {
        let (mixes, scale, base, dst) = (self.src(0)?, self.src(1)?, self.src(2)?, self.dst()?);
        let [streams, mixed, tokens, _] = dst.ne;
        let (first, all) = (2 * streams, streams * mixed);
        if streams != mixed || mixes.ne != [first + all, tokens, 1, 1] || scale.ne[0] < 3 {
            return Err(format!("{:?} with {:?} -> {:?}", mixes.ne, scale.ne, dst.ne).into());
        }
        if dst.nb[1] != u64::from(streams) * dst.nb[0] {
            return Err("a result with gaps".into());
        }
        let behind = |view: &TensorView, first: u32, ne: [u32; 4]| {
            let addr = view.addr + u64::from(first) * view.nb[0];
            TensorView { addr, ne, ..*view }
        };
        let views = [
            &behind(&mixes, first, [all, tokens, 1, 1]),
            &behind(&scale, 2, [1; 4]),
            &behind(&base, first, [all, 1, 1, 1]),
        ];
        let nb = [dst.nb[0], dst.nb[2], dst.nb[3], dst.nb[3]];
        let dst = TensorView { ne: [all, tokens, 1, 1], nb, ..dst };
        ops::balance(views, &dst, self.f32(0), self.u32(1)?, self.cores)
    }
}

/// Rows that follow one another as matrices of one row each.
pub(super) fn single_rows(view: &TensorView) -> Result<TensorView, Unsupported> {
    let ([ne0, ne1, ne2, ne3], [nb0, nb1, _, nb3]) = (view.ne, view.nb);
    match ne2 {
        1 => Ok(TensorView { ne: [ne0, 1, ne1, ne3], nb: [nb0, nb1, nb1, nb3], ..*view }),
        _ => Err(format!("rows {:?} in more than one dimension", view.ne).into()),
    }
}
