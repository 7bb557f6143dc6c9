//! The functions, as ggml's CPU backend defines them, in FP32.

use crate::rt::math::exp;
use libm::{ceilf, erff, expm1f, fabsf, floorf, logf, roundf, sincosf, sqrtf, tanhf, truncf};
use tt_kernel_abi::elementwise::{Binary, Glu, Unary};

const GELU_COEF_A: f32 = 0.044_715;
const GELU_QUICK_COEF: f32 = -1.702;
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
/// Above it `ln(1 + e^x)` is `x`.
const SOFTPLUS_LINEAR: f32 = 20.0;

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

fn hardsigmoid(x: f32) -> f32 {
    ((x + 3.0) / 6.0).clamp(0.0, 1.0)
}

fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + tanhf(SQRT_2_OVER_PI * x * (1.0 + GELU_COEF_A * x * x)))
}

fn gelu_erf(x: f32) -> f32 {
    0.5 * x * (1.0 + erff(x * core::f32::consts::FRAC_1_SQRT_2))
}

fn gelu_quick(x: f32) -> f32 {
    x * (1.0 / (1.0 + exp(GELU_QUICK_COEF * x)))
}

fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

fn silu_slope(x: f32) -> f32 {
    let s = sigmoid(x);
    s * (1.0 + x * (1.0 - s))
}

fn softplus(x: f32) -> f32 {
    if x > SOFTPLUS_LINEAR { x } else { logf(1.0 + exp(x)) }
}

fn xielu(x: f32, [alpha_n, alpha_p, beta, eps]: [f32; 4]) -> f32 {
    match x > 0.0 {
        true => alpha_p * x * x + beta * x,
        false => (expm1f(x.min(eps)) - x) * alpha_n + beta * x,
    }
}

/// Minimum and maximum as the host compares: NaN is not above or below anything.
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    match x {
        x if x < low => low,
        x if x > high => high,
        x => x,
    }
}

fn sign(x: f32) -> f32 {
    match x {
        x if x > 0.0 => 1.0,
        x if x < 0.0 => -1.0,
        _ => 0.0,
    }
}

/// Applies a function to every element; `first` is the number of the first one, in the whole tensor.
///
/// One loop a function: the choice is made once.
pub fn unary(function: Unary, p: [f32; 4], first: u32, x: &[f32], out: &mut [f32]) {
    let each = |out: &mut [f32], f: &dyn Fn(f32) -> f32| {
        for (out, &x) in out.iter_mut().zip(x) {
            *out = f(x);
        }
    };
    match function {
        Unary::Abs => each(out, &fabsf),
        Unary::Sgn => each(out, &sign),
        Unary::Neg => each(out, &|x| -x),
        Unary::Step => each(out, &|x| if x > 0.0 { 1.0 } else { 0.0 }),
        Unary::Tanh => each(out, &tanhf),
        Unary::Elu => each(out, &|x| if x > 0.0 { x } else { expm1f(x) }),
        Unary::Relu => each(out, &|x| if x > 0.0 { x } else { 0.0 }),
        Unary::Sigmoid => each(out, &sigmoid),
        Unary::Gelu => each(out, &gelu),
        Unary::GeluQuick => each(out, &gelu_quick),
        Unary::Silu => each(out, &silu),
        Unary::Hardswish => each(out, &|x| x * hardsigmoid(x)),
        Unary::Hardsigmoid => each(out, &hardsigmoid),
        Unary::Exp => each(out, &exp),
        Unary::Expm1 => each(out, &|x| exp(x) - 1.0),
        Unary::Softplus => each(out, &softplus),
        Unary::GeluErf => each(out, &gelu_erf),
        Unary::Xielu => each(out, &|x| xielu(x, p)),
        Unary::Floor => each(out, &floorf),
        Unary::Ceil => each(out, &ceilf),
        Unary::Round => each(out, &roundf),
        Unary::Trunc => each(out, &truncf),
        Unary::Sqr => each(out, &|x| x * x),
        Unary::Sqrt => each(out, &sqrtf),
        Unary::Log => each(out, &logf),
        Unary::Sin => each(out, &|x| sincosf(x).0),
        Unary::Cos => each(out, &|x| sincosf(x).1),
        Unary::Scale => each(out, &|x| x * p[0] + p[1]),
        Unary::Clamp => each(out, &|x| clamp(x, p[0], p[1])),
        Unary::LeakyRelu => each(out, &|x| if x > 0.0 { x } else { x * p[0] }),
        Unary::Fill => out.fill(p[0]),
        Unary::Arange => {
            for (i, out) in (first..).zip(out) {
                *out = p[0] + i as f32 * p[1];
            }
        }
    }
}

/// Applies a function to every pair: `a[i]` goes with `b[(first + i) % b.len()]`.
pub fn binary(function: Binary, first: u32, a: &[f32], b: &[f32], out: &mut [f32]) {
    let f: fn(f32, f32) -> f32 = match function {
        Binary::Add => |a, b| a + b,
        Binary::Sub => |a, b| a - b,
        Binary::Mul => |a, b| a * b,
        Binary::Div => |a, b| a / b,
    };
    let mut k = first as usize % b.len();
    for (out, &a) in out.iter_mut().zip(a) {
        *out = f(a, b[k]);
        k += 1;
        if k == b.len() {
            k = 0;
        }
    }
}

/// Applies a gated unit to every pair.
pub fn glu(function: Glu, p: [f32; 4], x: &[f32], gate: &[f32], out: &mut [f32]) {
    let each = |out: &mut [f32], f: &dyn Fn(f32, f32) -> f32| {
        for ((out, &x), &g) in out.iter_mut().zip(x).zip(gate) {
            *out = f(x, g);
        }
    };
    match function {
        Glu::Reglu => each(out, &|x, g| if x > 0.0 { x * g } else { 0.0 }),
        Glu::Geglu => each(out, &|x, g| gelu(x) * g),
        Glu::Swiglu => each(out, &|x, g| silu(x) * g),
        Glu::SwigluOai => each(out, &|x, g| swiglu_oai(x, g, p[0], p[1])),
        Glu::GegluErf => each(out, &|x, g| gelu_erf(x) * g),
        Glu::GegluQuick => each(out, &|x, g| gelu_quick(x) * g),
        Glu::SwigluClamp => {
            each(out, &|x, g| silu(if x > p[1] { p[1] } else { x }) * clamp(g, -p[1], p[1]));
        }
        Glu::SiluBack => each(out, &|x, g| silu_slope(x) * g),
    }
}

fn swiglu_oai(x: f32, g: f32, alpha: f32, limit: f32) -> f32 {
    let x = if x > limit { limit } else { x };
    x / (1.0 + exp(alpha * -x)) * (1.0 + clamp(g, -limit, limit))
}
