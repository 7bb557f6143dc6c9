//! The programs of ggml's elementwise functions.
//!
//! They compute what ggml's CPU backend computes, mostly by the same formula. What differs is in `docs/sfpu-functions.md`.

use super::functions::{self as f, where_nan};
use super::program::{Program, Reg};
use tt_isa::sfpu::lreg::{ONE, ZERO};
use tt_kernel_abi::elementwise::{Binary, Glu, OptStep, Unary};

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const GELU_COEF_A: f32 = 0.044_715;
const GELU_QUICK_COEF: f32 = -1.702;

/// Parameters of a function.
const fn params(function: Unary) -> usize {
    match function {
        Unary::Scale | Unary::Clamp => 2,
        Unary::LeakyRelu => 1,
        Unary::Xielu => 4,
        _ => 0,
    }
}

/// The program of a function of one element; `None` if it has none.
///
/// Sine and cosine have none, since the reduction of their arguments ends at [`super::functions::TRIG_LIMIT`], and
/// nothing is known of arguments.
pub const fn unary(function: Unary) -> Option<Program> {
    let mut p = Program::new(params(function));
    // Nearly all want their argument once more at the end.
    if !matches!(function, Unary::Abs | Unary::Neg | Unary::Relu | Unary::Sqr | Unary::Scale) {
        p.mov(7, 0);
    }
    match function {
        Unary::Fill | Unary::Arange | Unary::Sin | Unary::Cos => return None,
        Unary::Abs => p.abs(0, 0),
        Unary::Neg => p.neg(0, 0),
        Unary::Relu => f::relu(&mut p, 0),
        Unary::Sqr => p.mul(0, 0, 0),
        Unary::Scale => p.mad(0, 0, p.param(0), p.param(1)),
        Unary::Sgn => {
            p.mov(0, ONE);
            p.mov(2, 7);
            p.copy_sign_of(0, 0, 2);
            zero_of_zero_and_nan(&mut p);
        }
        Unary::Step => {
            p.mov(0, ONE);
            p.where_negative(7);
            p.mov(0, ZERO);
            p.everywhere();
            zero_of_zero_and_nan(&mut p);
        }
        Unary::LeakyRelu => {
            p.where_negative(0);
            p.mul(0, 0, p.param(0));
            p.everywhere();
        }
        Unary::Clamp => {
            p.min_max(0, p.param(1));
            p.mov(2, p.param(0));
            p.min_max(2, 0);
            f::keep_nan(&mut p, 0, 7, 2, 3);
        }
        Unary::Hardsigmoid => {
            hardsigmoid(&mut p, 0);
            f::keep_nan(&mut p, 0, 7, 2, 3);
        }
        Unary::Hardswish => {
            hardsigmoid(&mut p, 0);
            p.mul(0, 0, 7);
        }
        Unary::Floor => rounded_towards(&mut p, -1.0),
        Unary::Ceil => rounded_towards(&mut p, 1.0),
        Unary::Trunc => {
            f::trunc_abs(&mut p);
            p.copy_sign_of(0, 0, 7);
        }
        Unary::Round => {
            // Half and more of a unit: one up.
            f::trunc_abs(&mut p);
            p.abs(2, 7);
            p.sub(2, 2, 0, 3);
            p.add_short(2, -0.5);
            p.where_not_negative(2);
            p.add_short(0, 1.0);
            p.everywhere();
            p.copy_sign_of(0, 0, 7);
        }
        Unary::Exp => f::exp(&mut p),
        Unary::Expm1 => {
            p.mov(6, 7);
            f::expm1(&mut p);
            f::keep_nan(&mut p, 0, 7, 2, 3);
        }
        Unary::Elu => {
            p.mov(6, 7);
            f::expm1(&mut p);
            p.where_not_negative(7);
            p.mov(0, 7);
            p.everywhere();
            f::keep_nan(&mut p, 0, 7, 2, 3);
        }
        Unary::Xielu => xielu(&mut p),
        Unary::Log => f::log(&mut p),
        Unary::Sqrt => f::sqrt(&mut p),
        Unary::Softplus => f::softplus(&mut p),
        Unary::Tanh => f::tanh(&mut p),
        Unary::Sigmoid => {
            p.neg(2, 7);
            p.mov(0, ONE);
            f::logistic(&mut p);
            f::keep_nan(&mut p, 0, 7, 2, 3);
        }
        Unary::Silu => silu(&mut p),
        Unary::Gelu => gelu(&mut p),
        Unary::GeluQuick => gelu_quick(&mut p),
        Unary::GeluErf => gelu_erf(&mut p),
    }
    Some(p.finish())
}

/// 0 where `LReg[7]` is a zero (or a denormal) or NaN; uses 2 and 3.
const fn zero_of_zero_and_nan(p: &mut Program) {
    p.add(2, 7, ZERO);
    p.where_zero(2);
    p.mov(0, ZERO);
    p.everywhere();
    where_nan(p, 7, 2, 3);
    p.mov(0, ZERO);
    p.everywhere();
}

/// `d` = (d + 3) / 6 between 0 and 1; uses 2.
const fn hardsigmoid(p: &mut Program, d: Reg) {
    p.add_short(d, 3.0);
    let sixth = p.constant(1.0 / 6.0, 2);
    p.mul(d, d, sixth);
    p.mov(2, ONE);
    p.min_max(d, 2);
    p.where_negative(d);
    p.mov(d, ZERO);
    p.everywhere();
}

/// The integer part of `LReg[7]`, and `step` further where that was rounded the other way; uses 2 and 3.
const fn rounded_towards(p: &mut Program, step: f32) {
    f::trunc_abs(p);
    p.mov(2, 7);
    p.copy_sign_of(0, 0, 2);
    match step > 0.0 {
        true => p.sub(2, 0, 7, 3),
        false => p.sub(2, 7, 0, 3),
    }
    p.where_negative(2);
    p.add_short(0, step);
    p.everywhere();
}

/// x / (1 + e^-x) of `LReg[0]`; uses 2 to 6.
const fn silu(p: &mut Program) {
    p.neg(2, 0);
    f::logistic(p);
}

/// GELU by tanh is x / (1 + e^-2u).
const fn gelu(p: &mut Program) {
    let inner = p.constant(-2.0 * SQRT_2_OVER_PI * GELU_COEF_A, 3);
    p.mul(2, 0, 0);
    let outer = p.constant(-2.0 * SQRT_2_OVER_PI, 4);
    p.mad(2, 2, inner, outer);
    p.mul(2, 2, 0);
    f::logistic(p);
}

const fn gelu_quick(p: &mut Program) {
    let factor = p.constant(GELU_QUICK_COEF, 3);
    p.mul(2, 0, factor);
    f::logistic(p);
}

/// x / 2 (1 + erf(x / sqrt(2))) of `LReg[0]`; uses 2 to 7 and keeps 1.
const fn gelu_erf(p: &mut Program) {
    let factor = p.constant(core::f32::consts::FRAC_1_SQRT_2, 3);
    p.mul(7, 0, factor);
    f::erf(p);
    p.add(0, 0, ONE);
    // x once more, without its rounding: what is kept is x / sqrt(2).
    let half = p.constant(core::f32::consts::FRAC_1_SQRT_2, 3);
    p.mul(7, 7, half);
    p.mul(0, 0, 7);
}

/// Above 0 p1 x^2 + p2 x, else (e^min(x, p3) - 1 - x) p0 + p2 x.
const fn xielu(p: &mut Program) {
    p.mov(6, 7);
    p.min_max(6, p.param(3));
    f::expm1(p);
    p.sub(0, 0, 7, 2);
    p.mul(0, 0, p.param(0));
    p.where_not_negative(7);
    p.mul(2, 7, 7);
    p.mul(0, 2, p.param(1));
    p.everywhere();
    p.mad(0, 7, p.param(2), 0);
    f::keep_nan(p, 0, 7, 2, 3);
}

/// The program of a function of two elements; `None` if it has none.
pub const fn binary(function: Binary) -> Option<Program> {
    let mut p = Program::new(0);
    match function {
        Binary::Add => p.add(0, 0, 1),
        Binary::Sub => p.sub(0, 0, 1, 2),
        Binary::Mul => p.mul(0, 0, 1),
        Binary::Div => f::div(&mut p),
    }
    Some(p.finish())
}

/// The program of a gated unit; `None` if it has none. Parameters: alpha, limit.
pub const fn glu(function: Glu) -> Option<Program> {
    let limited = matches!(function, Glu::SwigluOai | Glu::SwigluClamp);
    let mut p = Program::new(if limited { 2 } else { 0 });
    if limited {
        p.min_max(0, p.param(1));
        p.min_max(1, p.param(1));
        p.neg(2, p.param(1));
        p.min_max(2, 1);
    }
    match function {
        Glu::Reglu => f::relu(&mut p, 0),
        Glu::Geglu => gelu(&mut p),
        Glu::Swiglu | Glu::SwigluClamp => silu(&mut p),
        Glu::SwigluOai => {
            p.neg(2, p.param(0));
            p.mul(2, 2, 0);
            f::logistic(&mut p);
            p.add(1, 1, ONE);
        }
        Glu::GegluErf => gelu_erf(&mut p),
        Glu::GegluQuick => gelu_quick(&mut p),
        Glu::SiluBack => silu_slope(&mut p),
    }
    p.mul(0, 0, 1);
    Some(p.finish())
}

/// s (1 + x (1 - s)) with s = 1 / (1 + e^-x) of x in `LReg[0]`; uses 2 to 7 and keeps 1.
const fn silu_slope(p: &mut Program) {
    p.mov(7, 0);
    p.neg(2, 0);
    p.mov(0, ONE);
    f::logistic(p);
    p.neg(2, 0);
    p.add(2, 2, ONE);
    p.mad(2, 2, 7, ONE);
    p.mul(0, 0, 2);
}

/// The program of a step of an optimiser; all of them have one.
pub const fn opt_step(function: OptStep) -> Option<Program> {
    let params = match function {
        OptStep::Momentum | OptStep::SquaredMomentum => 1,
        OptStep::Direction => 3,
        OptStep::Descent => 2,
    };
    let mut p = Program::new(params);
    match function {
        OptStep::Momentum => blend(&mut p),
        OptStep::SquaredMomentum => {
            p.mul(1, 1, 1);
            blend(&mut p);
        }
        OptStep::Direction => {
            p.mul(7, 1, p.param(1));
            p.mul(1, 0, p.param(0));
            f::sqrt(&mut p);
            p.add(7, 0, p.param(2));
            p.mov(0, 1);
            p.mov(1, 7);
            f::div(&mut p);
        }
        OptStep::Descent => {
            p.neg(2, p.param(0));
            p.mad(3, 2, p.param(1), ONE);
            p.mul(0, 0, 3);
            p.mad(0, 2, 1, 0);
        }
    }
    Some(p.finish())
}

/// `LReg[0] = p0 * LReg[0] + (1 - p0) * LReg[1]`; uses 2.
const fn blend(p: &mut Program) {
    p.neg(2, p.param(0));
    p.add(2, 2, ONE);
    p.mul(2, 2, 1);
    p.mad(0, 0, p.param(0), 2);
}
