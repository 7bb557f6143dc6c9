//! The programs of ggml's elementwise functions.

use super::functions::relu;
use super::program::Program;
use crate::elementwise::{Binary, Glu, Unary};

/// The program of a function of one element; `None` if it has none.
pub const fn unary(function: Unary) -> Option<Program> {
    let mut p = Program::new(params(function));
    match function {
        Unary::Relu => relu(&mut p, 0),
        Unary::Neg => p.neg(0, 0),
        Unary::Abs => p.abs(0, 0),
        Unary::Sqr => p.mul(0, 0, 0),
        Unary::Scale => p.mad(0, 0, p.param(0), p.param(1)),
        _ => return None,
    }
    Some(p.finish())
}

/// Parameters of a function.
const fn params(function: Unary) -> usize {
    match function {
        Unary::Scale | Unary::Clamp => 2,
        Unary::LeakyRelu => 1,
        Unary::Xielu => 4,
        _ => 0,
    }
}

/// The program of a function of two elements; `None` if it has none.
pub const fn binary(function: Binary) -> Option<Program> {
    let mut p = Program::new(0);
    match function {
        Binary::Add => p.add(0, 0, 1),
        Binary::Sub => p.sub(0, 0, 1, 2),
        Binary::Mul => p.mul(0, 0, 1),
        Binary::Div => return None,
    }
    Some(p.finish())
}

/// The program of a gated unit; `None` if it has none.
pub const fn glu(function: Glu) -> Option<Program> {
    let mut p = Program::new(0);
    match function {
        Glu::Reglu => {
            relu(&mut p, 0);
            p.mul(0, 0, 1);
        }
        _ => return None,
    }
    Some(p.finish())
}
