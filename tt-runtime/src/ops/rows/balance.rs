//! `DSV4_HC_COMB`: matrices that say how streams are mixed.

use super::super::Unsupported;
use super::{build, count_rows, operand, shape, with_third};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::rows::balance::BalanceParams;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};
use tt_kernel_numerics::balance::ELEMENTS;

/// Descriptor for matrices of 4 by 4, the rows of `src` and `dst`, made doubly stochastic: softmax of each row of
/// `scale * src + base`, plus `eps`; then columns and rows in turn are divided by their sums plus `eps`, columns `times` times.
/// On up to `cores` workers.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn balance(
    [src, scale, base]: [&TensorView; 3],
    dst: &TensorView,
    eps: f32,
    times: u32,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    for (what, view) in [("src0", src), ("scale", scale), ("base", base), ("dst", dst)] {
        operand(what, view, &[ElementType::F32])?;
    }
    let all = ELEMENTS as u32;
    shape("src0", src.ne, [all, src.ne[1], src.ne[2], src.ne[3]])?;
    shape("dst", dst.ne, src.ne)?;
    shape("scale", scale.ne, [1; 4])?;
    shape("base", base.ne, [all, 1, 1, 1])?;
    if !(eps > 0.0 && eps.is_finite()) || times == 0 || times > 1 << 16 {
        return Err(format!("sums plus {eps}, {times} times").into());
    }
    let params = BalanceParams { rows: count_rows(src)?, times, eps };
    let op = build::<kernel::Balance>(&params, params.rows, [src, scale, dst], cores)?;
    Ok(with_third(op, base))
}
