//! Norms, reductions, softmax, rotary positions.

use tt_runtime::ops::rows::{
    LONGEST_RUN, NormFunction, Rope, SoftMax, Triangle, mask_suits_sfpu, soft_max_suits_sfpu,
};
use tt_runtime::ops::{self, Unsupported};
use tt_runtime::{CONGRUENCE, ElementType, OpDescriptor, TensorView};

use super::{Node, Steps, padded_span};
use crate::copy_cache::Origin;

/// `GGML_ROPE_TYPE_*`
mod mode {
    pub const NORMAL: i32 = 0;
    pub const NEOX: i32 = 2;
    pub const MROPE: i32 = 8;
    pub const VISION: i32 = 24;
    pub const IMROPE: i32 = 40;
}

impl Node<'_> {
    pub(super) fn norm_function(&self) -> Result<NormFunction, Unsupported> {
        Ok(match self.host.operator_name(self.tensor) {
            "RMS_NORM" => NormFunction::RmsNorm,
            "NORM" => NormFunction::Norm,
            "L2_NORM" => NormFunction::L2Norm,
            other => return Err(format!("{other} as a norm").into()),
        })
    }

    pub(super) fn norm(&mut self) -> Result<OpDescriptor, Unsupported> {
        ops::norm(self.norm_function()?, self.f32(0), &self.src(0)?, &self.dst()?, self.cores)
    }

    pub(super) fn group_norm(&mut self) -> Result<OpDescriptor, Unsupported> {
        let (groups, eps) = (self.u32(0)?, self.f32(1));
        ops::group_norm(groups, eps, &self.src(0)?, &self.dst()?, self.cores)
    }

    pub(super) fn mean(&mut self) -> Result<OpDescriptor, Unsupported> {
        let src = self.src(0)?;
        ops::sum_rows(1.0 / src.ne[0] as f32, &src, &self.dst()?, self.cores)
    }

    /// `ARGSORT` and `TOP_K`.
    pub(super) fn sorted(&mut self, descending: bool) -> Steps {
        let dst = self.dst()?;
        self.first_sorted(descending, &dst)
    }

    /// As many indices of each row as `dst` has.
    pub(super) fn first_sorted(&mut self, descending: bool, dst: &TensorView) -> Steps {
        let (src, cores) = (self.src(0)?, self.cores);
        ops::argsort_long(descending, LONGEST_RUN, &src, dst, cores, |ne| self.scratch(ElementType::I32, ne))
    }

    pub(super) fn soft_max(&mut self) -> Steps {
        let mut steps = Vec::new();
        let params = SoftMax { scale: self.f32(0), max_bias: self.f32(1), masked_rows_are_zero: false };
        let (src, mask, sinks, dst) = (self.src(0)?, self.optional(1)?, self.optional(2)?, self.dst()?);
        let mask = self.mask(mask, &src, &dst, &mut steps)?;
        steps.push(ops::soft_max(params, &src, mask.as_ref(), sinks.as_ref(), &dst, self.cores)?);
        Ok(steps)
    }

    /// The mask of a softmax as the vector unit takes it, if that takes the rest.
    pub(super) fn mask(
        &mut self,
        mask: Option<TensorView>,
        src: &TensorView,
        dst: &TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<Option<TensorView>, Unsupported> {
        let Some(mask) = mask else { return Ok(None) };
        if !soft_max_suits_sfpu(src, dst) || mask_suits_sfpu(&mask) {
            return Ok(Some(mask));
        }
        let ([ne0, ne1, _, _], [_, _, ne2, ne3]) = (src.ne, mask.ne);
        let used = TensorView { ne: [ne0.min(mask.ne[0]), ne1.min(mask.ne[1]), ne2, ne3], ..mask };
        self.materialised(&used, aligned(used.ne), ops::copy, steps).map(Some)
    }

    /// FP32 rows in scratch memory, each where the NoC can bring it to L1 as it is.
    pub(super) fn aligned_scratch(&mut self, ne: [u32; 4]) -> Result<TensorView, Unsupported> {
        let rows = aligned(ne);
        Ok(TensorView { addr: self.memory.scratch(padded_span(&rows))?, ..rows })
    }

    /// `fill` is what stands behind the diagonal.
    pub(super) fn diag_mask(&mut self, fill: f32) -> Result<OpDescriptor, Unsupported> {
        let kind = Triangle::Causal { past: self.u32(0)?, fill: fill.to_bits() };
        ops::triangle(kind, &self.src(0)?, &self.dst()?, self.cores)
    }

    pub(super) fn tri(&mut self) -> Result<OpDescriptor, Unsupported> {
        let kind = Triangle::Tri(self.u32(0)?);
        ops::triangle(kind, &self.src(0)?, &self.dst()?, self.cores)
    }

    /// `op_params`: n_past, n_dims, mode, n_ctx, n_ctx_orig, freq_base, freq_scale, ext_factor, attn_factor, beta_fast,
    /// beta_slow, four sections, first rotated element.
    pub(super) fn rope(&mut self) -> Steps {
        let mut steps = Vec::new();
        if self.u32(1)? == 0 {
            // Nothing is rotated. llama.cpp asks with this node where frequency factors may be kept.
            return Ok(vec![ops::copy(&self.src(0)?, &self.dst()?, self.cores)?]);
        }
        let dst = self.dst()?;
        let src = self.src(0)?;
        let (rope, rotations) = self.rope_operands(&src, &dst, &mut steps)?;
        steps.push(ops::rope(rope, &src, &rotations, None, &dst, self.cores)?);
        Ok(steps)
    }

    /// How to rotate `src`, and the table of rotations by the positions, which all layers share. `dst` is the result, or a cache.
    pub(super) fn rope_operands(
        &mut self,
        src: &TensorView,
        dst: &TensorView,
        steps: &mut Vec<OpDescriptor>,
    ) -> Result<(Rope, TensorView), Unsupported> {
        let (positions, factors) = (self.src(1)?, self.optional(2)?);
        let (dims, kind) = (self.u32(1)?, self.i32(2));
        if dims < 2 || dims > src.ne[0] || !dims.is_multiple_of(2) {
            return Err(format!("{dims} rotated elements of {}", src.ne[0]).into());
        }
        let (distance, pairs, flags) = match kind {
            mode::NORMAL => (1, dims / 2, 0),
            mode::NEOX => (dims / 2, dims / 2, 0),
            mode::MROPE => (dims / 2, dims / 2, Rope::MULTI),
            mode::IMROPE => (dims / 2, dims / 2, Rope::MULTI | Rope::INTERLEAVED),
            mode::VISION => (dims, src.ne[0] / 2, Rope::MULTI | Rope::INDEPENDENT),
            other => return Err(format!("rotary mode {other}").into()),
        };
        let sections = match flags & Rope::MULTI {
            0 => [0; 4],
            _ => [self.u32(11)?, self.u32(12)?, self.u32(13)?, self.u32(14)?],
        };
        let freq_base = self.f32(5);
        let backwards = self.host.operator_name(self.tensor) == "ROPE_BACK";
        let mut rope = Rope {
            offset: self.u32(15)?,
            distance,
            pairs,
            flags,
            sections,
            theta_scale: freq_base.powf(-2.0 / dims as f32),
            freq_scale: self.f32(6),
            ext_factor: self.f32(7),
            mscale: self.f32(8),
            corr: self.correction(dims, freq_base),
            sin_sign: if backwards { -1.0 } else { 1.0 },
        };
        if ops::rope_suits_sfpu(&rope, src, dst) {
            rope.flags |= Rope::FLOATS;
        }
        let origin = Origin { rotation: Some((rope, factors)), ..Origin::from(&positions) };
        let table = self.memory.materialise(origin, ops::rotations(&rope, [src.ne[0], src.ne[2]]))?;
        if !table.is_there {
            steps.push(ops::rope_table(&rope, &positions, factors.as_ref(), &table.view, self.cores)?);
        }
        Ok((ops::prepared(&rope), table.view))
    }

    /// YaRN's pairs between which extrapolation fades out (`ggml_rope_yarn_corr_dims`).
    fn correction(&self, dims: u32, base: f32) -> [f32; 2] {
        let (context, fast, slow) = (self.i32(4) as f32, self.f32(9), self.f32(10));
        let at = |rotations: f32| {
            dims as f32 * (context / (rotations * 2.0 * std::f32::consts::PI)).ln() / (2.0 * base.ln())
        };
        [at(fast).floor().max(0.0), at(slow).ceil().min(dims as f32 - 1.0)]
    }
}

/// The form of FP32 rows that begin at multiples of [`CONGRUENCE`] bytes.
pub(super) fn aligned(ne: [u32; 4]) -> TensorView {
    let [ne0, ne1, ne2, ne3] = ne;
    let rows =
        TensorView::contiguous(ElementType::F32, 0, [ne0.next_multiple_of(CONGRUENCE / 4), ne1, ne2, ne3]);
    TensorView { ne, ..rows }
}
