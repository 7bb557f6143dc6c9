//! Sums of what a token's experts have made, each times its weight: `MUL`, and an `ADD` for each expert but one, in one launch.
//!
//! The arithmetic is that of the nodes, in their order, and so are the bits of the result.

use super::elementwise::sfpu_allowed;
use super::fused::{apart, apart_or_same};
use super::{Unsupported, check};
use tt_kernel_abi::expert_sum::{ExpertSumParams, MAX_COLUMNS, MAX_ELEMENTS, MAX_SUMMED, STEP};
use tt_kernel_abi::operators::kernel;
use tt_kernel_abi::target::CONGRUENCE;
use tt_kernel_abi::{ElementType, OpDescriptor, TensorView};

/// Units of a core from which on they are larger.
const UNITS_EACH: u32 = 4;
/// Columns of a unit where there are few of them: rows of half a kilobyte.
const FEW_COLUMNS: u32 = 128;

/// Descriptor for `dst[t] = sum_u experts[t][u] * weights[t][u] + addend[t]` on up to `cores` workers: experts are (columns, experts, tokens), weights (1, experts, tokens), the addend and
/// the result (columns, tokens), all F32. The addend may be where the result is.
///
/// # Errors
///
/// The reason why the kernel cannot do it.
pub fn expert_sum(
    experts: &TensorView,
    weights: &TensorView,
    addend: Option<&TensorView>,
    dst: &TensorView,
    cores: u32,
) -> Result<OpDescriptor, Unsupported> {
    check::cores(cores)?;
    if !sfpu_allowed() {
        return Err("a sum of experts without the vector unit".into());
    }
    let [n, count, tokens, ne3] = experts.ne;
    for (what, view) in
        [("experts", experts), ("dst", dst)].into_iter().chain(addend.map(|view| ("addend", view)))
    {
        check::rows(what, view, check::element_type(what, view, &[ElementType::F32])?)?;
        let line = u64::from(CONGRUENCE);
        if [view.addr, view.nb[1], view.nb[2]].iter().any(|bytes| !bytes.is_multiple_of(line)) {
            return Err(format!("{what}: address or strides are no multiples of {line}").into());
        }
    }
    check::element_type("weights", weights, &[ElementType::F32])?;
    let rows = |view: &TensorView| view.ne == [n, tokens, 1, 1];
    let fit = ne3 == 1 && weights.ne == [1, count, tokens, 1] && rows(dst) && addend.is_none_or(rows);
    if !fit || n == 0 || tokens == 0 {
        return Err(format!("shapes {:?} x {:?} -> {:?}", experts.ne, weights.ne, dst.ne).into());
    }
    if count > 1 && weights.nb[1] != 4 || !(weights.addr | weights.nb[2]).is_multiple_of(4) {
        return Err("weights of a token that do not lie side by side".into());
    }
    if !(2..=MAX_SUMMED).contains(&count) || !n.is_multiple_of(STEP) {
        return Err(format!("{count} experts with {n} columns").into());
    }
    apart(dst, &[experts, weights])?;
    addend.map_or(Ok(()), |addend| apart_or_same(dst, addend))?;
    let columns = columns(n, count + 1, |columns| tokens.saturating_mul(n / columns) >= UNITS_EACH * cores);
    let per_row = n / columns;
    let units = check::count("units", &[tokens, per_row])?;
    let params = ExpertSumParams { units, per_row, columns, experts: count };
    let op = OpDescriptor::of::<kernel::ExpertSum>(&params, cores.min(units));
    let more = [addend.copied().unwrap_or(TensorView::NONE), TensorView::NONE, TensorView::NONE];
    Ok(OpDescriptor { src0: *experts, src1: *weights, dst: *dst, more, ..op })
}

/// Columns of a unit with so many rows: more where that leaves every core many units.
fn columns(n: u32, rows: u32, are_many: impl Fn(u32) -> bool) -> u32 {
    let sizes = [MAX_COLUMNS, MAX_COLUMNS / 2, FEW_COLUMNS, STEP];
    let fits = |columns: &u32| n.is_multiple_of(*columns) && rows * columns <= MAX_ELEMENTS;
    let suits = |columns: &u32| *columns <= FEW_COLUMNS || are_many(*columns);
    sizes.into_iter().filter(fits).find(suits).unwrap_or(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(n: u32, count: u32, tokens: u32) -> [TensorView; 3] {
        let f32 = |addr, ne| TensorView::contiguous(ElementType::F32, addr, ne);
        [
            f32(0x100_0000, [n, count, tokens, 1]),
            f32(0x800_0000, [1, count, tokens, 1]),
            f32(0x900_0000, [n, tokens, 1, 1]),
        ]
    }

    #[test]
    fn units_are_larger_where_there_are_many() {
        let columns = |n, count, tokens| {
            let [experts, weights, dst] = views(n, count, tokens);
            let op = expert_sum(&experts, &weights, None, &dst, 72).unwrap();
            let params = *op.params_of::<kernel::ExpertSum>().unwrap();
            assert_eq!(params.units * params.columns, n * tokens);
            params.columns
        };
        assert_eq!(columns(2048, 8, 1), 128);
        assert_eq!(columns(2880, 4, 1), 64);
        assert_eq!(columns(2048, 8, 512), 512);
        assert_eq!(columns(2048, 31, 512), 256);
        assert_eq!(columns(2048, 32, 512), 128);
    }

    #[test]
    fn what_the_kernel_cannot_do_has_a_reason() {
        let reason = |[experts, weights, dst]: [TensorView; 3]| {
            expert_sum(&experts, &weights, None, &dst, 8).unwrap_err().0
        };
        assert!(reason(views(96, 4, 1)).contains("96 columns"));
        assert!(reason(views(128, 33, 1)).contains("33 experts"));
        let [experts, weights, dst] = views(128, 4, 2);
        assert!(reason([experts, weights, TensorView { addr: experts.addr, ..dst }]).contains("operands"));
        assert!(reason([TensorView { addr: 0x100_0010, ..experts }, weights, dst]).contains("multiples"));
        assert!(
            reason([experts, TensorView { nb: [4, 8, 32, 64], ..weights }, dst]).contains("side by side")
        );
        assert!(reason([experts, views(128, 4, 3)[1], dst]).contains("shapes"));
    }
}
