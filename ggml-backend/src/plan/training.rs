//! Training: gradients, the loss, optimisers.
//!
//! Most are functions of rows on the vector unit ([`ops::training`]). Rows that it does not reach go through copies that it does.
//!
//! ggml's gradients of convolutions, pooling and flash attention (`IM2COL_BACK`, `POOL_2D_BACK`, `FLASH_ATTN_BACK`) have no kernel: llama.cpp's
//! graphs of training do not contain them, and `test-backend-ops` has no case to hold them against.

use tt_runtime::ops::elementwise::{Binary, Unary};
use tt_runtime::ops::training::{self, OptStep};
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{ElementType, OpDescriptor, TensorView};

use super::rows::aligned;
use super::{Node, Steps};

/// Places of AdamW's parameters in their tensor (`ggml_opt_step_adamw`).
mod adamw {
    pub const ALPHA: u32 = 0;
    pub const BETA1: u32 = 1;
    pub const BETA2: u32 = 2;
    pub const EPS: u32 = 3;
    pub const WEIGHT_DECAY: u32 = 4;
    pub const BETA1_CORRECTION: u32 = 5;
    pub const BETA2_CORRECTION: u32 = 6;
}

/// Places of the parameters of gradient descent (`ggml_opt_step_sgd`).
mod sgd {
    pub const ALPHA: u32 = 0;
    pub const WEIGHT_DECAY: u32 = 1;
}

/// Elements of a weight that take their step at once: AdamW's directions of so many are in scratch memory.
const AT_ONCE: u32 = 1 << 24;

/// The whole of a tensor without gaps as one row.
fn flat(what: &str, view: &TensorView) -> Result<TensorView, Unsupported> {
    let dense = TensorView::contiguous(ElementType::F32, view.addr, view.ne);
    let gaps = (0..4).any(|dim| view.ne[dim] != 1 && view.nb[dim] != dense.nb[dim]);
    let count = view.ne.iter().try_fold(1u32, |all, &n| all.checked_mul(n));
    match count {
        Some(n) if view.ty == dense.ty && !gaps => {
            Ok(TensorView::contiguous(ElementType::F32, view.addr, [n, 1, 1, 1]))
        }
        _ => Err(format!("{what} {:?} with gaps, or not F32", view.ne).into()),
    }
}

/// `count` items from `first` on in a dimension.
fn part(view: &TensorView, dim: usize, first: u32, count: u32) -> TensorView {
    let mut part = TensorView { addr: view.addr + u64::from(first) * view.nb[dim], ..*view };
    part.ne[dim] = count;
    part
}

impl Node<'_> {
    /// `view`, or a copy that the vector unit reaches.
    fn reached(
        &mut self,
        view: TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<TensorView, Unsupported> {
        match training::reaches(&view) {
            true => Ok(view),
            false => self.materialised(&view, aligned(view.ne), ops::copy, steps),
        }
    }

    /// A function of rows of two sources, with the result where the vector unit reaches it and then where it belongs.
    fn of_rows(
        &mut self,
        [a, b, dst]: [TensorView; 3],
        build: impl FnOnce([&TensorView; 3], u32) -> Result<OpDescriptor, Unsupported>,
    ) -> Steps {
        let mut steps = Vec::new();
        let (a, b) = (self.reached(a, &mut steps)?, self.reached(b, &mut steps)?);
        if training::reaches(&dst) {
            steps.push(build([&a, &b, &dst], self.cores)?);
        } else {
            let rows = self.aligned_scratch(dst.ne)?;
            steps.push(build([&a, &b, &rows], self.cores)?);
            steps.push(ops::copy(&rows, &dst, self.cores)?);
        }
        Ok(steps)
    }

    /// Sources: gradient, what SILU was computed of.
    pub(super) fn silu_back(&mut self) -> Result<OpDescriptor, Unsupported> {
        training::silu_back(&self.src(0)?, &self.src(1)?, &self.dst()?, self.cores)
    }

    /// Sources: gradient, what was normalised.
    pub(super) fn rms_norm_back(&mut self) -> Steps {
        let eps = self.f32(0);
        let views = [self.src(0)?, self.src(1)?, self.dst()?];
        self.of_rows(views, |[dz, x, dst], cores| training::rms_norm_back(eps, dz, x, dst, cores))
    }

    /// Sources: gradient, result of the softmax. What was added to its exponents makes no difference.
    pub(super) fn soft_max_back(&mut self) -> Steps {
        let scale = self.f32(0);
        let views = [self.src(0)?, self.src(1)?, self.dst()?];
        self.of_rows(views, |[dy, y, dst], cores| training::soft_max_back(scale, dy, y, dst, cores))
    }

    /// The mean over all rows of minus the sum of `label * ln(softmax(x))`: terms, sums of rows, their sum.
    pub(super) fn cross_entropy_loss(&mut self) -> Steps {
        let (logits, labels, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        let terms = self.aligned_scratch(logits.ne)?;
        let [_, n1, n2, n3] = logits.ne;
        let sums = self.scratch(ElementType::F32, [1, n1, n2, n3])?;
        let all = flat("sums", &sums)?;
        let mut steps = self.of_rows([logits, labels, terms], |[logits, labels, terms], cores| {
            training::cross_entropy(logits, labels, terms, cores)
        })?;
        steps.push(ops::sum_rows(1.0, &terms, &sums, self.cores)?);
        steps.push(ops::sum_rows(-1.0 / all.ne[0] as f32, &all, &dst, self.cores)?);
        Ok(steps)
    }

    /// Sources: gradient of the loss (one element), logits, labels.
    pub(super) fn cross_entropy_loss_back(&mut self) -> Steps {
        let grad = self.src(0)?;
        let views = [self.src(1)?, self.src(2)?, self.dst()?];
        self.of_rows(views, |[logits, labels, dst], cores| {
            training::cross_entropy_back(&grad, logits, labels, dst, cores)
        })
    }

    /// Rows of the gradient, added to those rows of zeros that the indices name.
    pub(super) fn get_rows_back(&mut self) -> Steps {
        let (rows, indices, dst) = (self.src(0)?, self.src(1)?, self.dst()?);
        Ok(vec![
            ops::fill(Unary::Fill, &[0.0], &dst, self.cores)?,
            training::add_rows(&rows, &indices, &dst, self.cores)?,
        ])
    }

    /// Sums of all repetitions: the second half of them is added to the first, until there is one.
    pub(super) fn repeat_back(&mut self) -> Steps {
        let (src, dst) = (self.src(0)?, self.dst()?);
        let whole = (0..4).all(|dim| dst.ne[dim] != 0 && src.ne[dim].is_multiple_of(dst.ne[dim]));
        if !whole || src.element_type() != Some(ElementType::F32) {
            return Err(format!("{:?} of type {} as sums {:?}", src.ne, src.ty, dst.ne).into());
        }
        let mut steps = Vec::new();
        let mut sums = src;
        // The outermost first: what is left has no gaps.
        for dim in (0..4).rev() {
            while sums.ne[dim] > dst.ne[dim] {
                let (len, count) = (dst.ne[dim], sums.ne[dim] / dst.ne[dim]);
                let (added, kept) = (count / 2 * len, (count - count / 2) * len);
                let mut ne = sums.ne;
                ne[dim] = kept;
                let to = match sums.addr == src.addr {
                    _ if ne == dst.ne => dst,
                    true => self.scratch(ElementType::F32, ne)?,
                    false => part(&sums, dim, 0, kept),
                };
                let [a, b] = [part(&sums, dim, 0, added), part(&sums, dim, kept, added)];
                steps.push(ops::binary(Binary::Add, &a, &b, &part(&to, dim, 0, added), self.cores)?);
                if added < kept && to.addr != sums.addr {
                    // The one in the middle has no partner.
                    let middle = part(&sums, dim, added, kept - added);
                    steps.push(ops::copy(&middle, &part(&to, dim, added, kept - added), self.cores)?);
                }
                sums = to;
            }
        }
        if steps.is_empty() {
            steps.push(ops::copy(&src, &dst, self.cores)?);
        }
        Ok(steps)
    }

    pub(super) fn count_equal(&mut self) -> Result<OpDescriptor, Unsupported> {
        training::count_equal(&self.src(0)?, &self.src(1)?, &self.dst()?, self.cores)
    }

    /// A gradient as one row that the vector unit reaches.
    fn gradient(&mut self, index: usize, steps: &mut Vec<OpDescriptor>) -> Result<TensorView, Unsupported> {
        let view = self.src(index)?;
        match flat("gradient", &view) {
            Ok(row) if training::reaches(&row) => Ok(row),
            _ => {
                let copy = self.copied(view, ElementType::F32, steps)?;
                flat("gradient", &copy)
            }
        }
    }

    /// Sources: weight, gradient, momentum, squared momentum, parameters. The result is the weight itself; both momenta are written too.
    pub(super) fn opt_step_adamw(&mut self) -> Steps {
        use adamw::*;
        let mut steps = Vec::new();
        let grad = self.gradient(1, &mut steps)?;
        let (m, v) = (flat("momentum", &self.src(2)?)?, flat("squared momentum", &self.src(3)?)?);
        let (params, cores) = (self.src(4)?, self.cores);
        self.src(0)?;
        let weight = flat("weight", &self.dst()?)?;
        let most = weight.ne[0].min(AT_ONCE);
        let direction = self.scratch(ElementType::F32, [most, 1, 1, 1])?;
        let step = |step: OptStep, views: [&TensorView; 3], which: &[u32]| {
            training::opt_step(step, views, &params, which, cores)
        };
        for first in (0..weight.ne[0]).step_by(AT_ONCE as usize) {
            let now = most.min(weight.ne[0] - first);
            let [w, g, m, v] = [&weight, &grad, &m, &v].map(|view| part(view, 0, first, now));
            let u = part(&direction, 0, 0, now);
            steps.push(step(OptStep::Momentum, [&m, &g, &m], &[BETA1])?);
            steps.push(step(OptStep::SquaredMomentum, [&v, &g, &v], &[BETA2])?);
            let corrections = [BETA1_CORRECTION, BETA2_CORRECTION, EPS];
            steps.push(step(OptStep::Direction, [&m, &v, &u], &corrections)?);
            steps.push(step(OptStep::Descent, [&w, &u, &w], &[ALPHA, WEIGHT_DECAY])?);
        }
        Ok(steps)
    }

    /// Sources: weight, gradient, parameters. The result is the weight itself.
    pub(super) fn opt_step_sgd(&mut self) -> Steps {
        use sgd::*;
        let mut steps = Vec::new();
        let grad = self.gradient(1, &mut steps)?;
        let params = self.src(2)?;
        self.src(0)?;
        let weight = flat("weight", &self.dst()?)?;
        let views = [&weight, &grad, &weight];
        steps.push(training::opt_step(OptStep::Descent, views, &params, &[ALPHA, WEIGHT_DECAY], self.cores)?);
        Ok(steps)
    }
}
