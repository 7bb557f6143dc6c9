//! Functions in FP32 for the baby cores: our own where the emulated ones are slow, the library's for the rest.

/// e^x, at most 1 ulp off ([`tt_kernel_numerics::exp`]).
#[inline]
pub fn exp(x: f32) -> f32 {
    f32::from_bits(tt_kernel_numerics::exp::exp(x.to_bits()))
}

/// Sum of `f` of every element, in groups: the error grows with the number of groups, not of elements.
pub fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    const GROUP: usize = 64;
    x.chunks(GROUP).map(|group| group.iter().fold(0.0, |sum, &x| sum + f(x))).sum()
}
