//! `SOFT_MAX`, with mask, ALiBi and sinks; the middle step of attention.

use super::super::Unsupported;
use super::super::elementwise::{sfpu_allowed, sfpu_reaches};
use super::{SFPU_MIN_ROW, build, count_rows, operand, shape, with_third};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::soft_max::SoftMaxParams;
use tt_kernel_abi::sfpu::ON_SFPU;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// How a softmax scales, and what becomes of a row that is masked as a whole.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SoftMax {
    /// Factor of the source.
    pub scale: f32,
    /// Above 0: each head (dimension 2) has a slope (ALiBi).
    pub max_bias: f32,
    /// A row without any finite exponent becomes zeros (as in `FLASH_ATTN_EXT`), not NaN (as in `SOFT_MAX`).
    pub masked_rows_are_zero: bool,
}

/// Descriptor for `SOFT_MAX` of `scale * src + slope * mask`.
/// The mask is F32 or F16 and repeats in dimensions 2 and 3; `sinks` has an F32 for each head.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn soft_max(
    SoftMax { scale, max_bias, masked_rows_are_zero }: SoftMax,
    src: &TensorView,
    mask: Option<&TensorView>,
    sinks: Option<&TensorView>,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    operand("src0", src, &[ElementType::F32])?;
    operand("dst", dst, &[ElementType::F32])?;
    shape("dst", dst.ne, src.ne)?;
    if let Some(mask) = mask {
        operand("mask", mask, &[ElementType::F32, ElementType::F16])?;
        if mask.ne[0] < src.ne[0] || mask.ne[1] < src.ne[1] {
            return Err(format!("a mask {:?} for {:?}", mask.ne, src.ne).into());
        }
    }
    if let Some(sinks) = sinks {
        operand("sinks", sinks, &[ElementType::F32])?;
        shape("sinks", sinks.ne, [src.ne[2], 1, 1, 1])?;
    }
    let lower = 1u32 << src.ne[2].ilog2();
    let base = |bias: f32| 2f32.powf(-bias / lower as f32);
    let params = SoftMaxParams {
        rows: count_rows(src)?,
        scale,
        has_slopes: u32::from(max_bias > 0.0),
        lower_heads: lower,
        bases: [base(max_bias), base(max_bias / 2.0)],
        masked_rows_are_zero: u32::from(masked_rows_are_zero),
    };
    let views = [src, mask.unwrap_or(&TensorView::NONE), dst];
    let mut descriptor = build::<kernel::SoftMax>(&params, params.rows, views, cores)?;
    if let Some(sinks) = sinks {
        descriptor = with_third(descriptor, sinks);
    }
    if soft_max_suits_sfpu(src, dst) && mask.is_none_or(mask_suits_sfpu) {
        descriptor.flags = ON_SFPU;
        descriptor.cores = cores.min(params.rows);
    }
    Ok(descriptor)
}

/// Whether the vector unit takes a softmax from `src` to `dst`, if there is no mask or one that [suits](mask_suits_sfpu) it.
pub fn soft_max_suits_sfpu(src: &TensorView, dst: &TensorView) -> bool {
    sfpu_allowed() && src.ne[0] >= SFPU_MIN_ROW && sfpu_reaches(src) && sfpu_reaches(dst)
}

/// Whether the vector unit takes this mask: F32 without gaps in a row, every row at a multiple of 16 bytes.
pub fn mask_suits_sfpu(mask: &TensorView) -> bool {
    sfpu_reaches(mask)
}
