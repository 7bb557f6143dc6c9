//! Element by element: which function, and how the work is cut.
//!
//! Rows of the result are cut into pieces of [`Pieces::len`] elements. Pieces are numbered row by row through all
//! batches; each lane (a data-movement core) takes a contiguous range of them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;
use crate::view::TensorView;

/// Most elements of a piece: what a lane's buffers hold.
pub const MAX_PIECE: u32 = 8192;
/// Pieces begin at multiples of this many elements, so that no two lanes write to the same 64 bytes of a row.
pub const PIECE_STEP: u32 = 32;

/// A family of functions with ggml's names, and their numbers in a descriptor.
macro_rules! functions {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        numbered! {
            $(#[$doc])*
            $name { $($(#[$vdoc])* $variant,)* }
        }

        impl $name {
            /// ggml's name of the operator.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The function that ggml calls so.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|function| function.name() == name)
            }
        }
    };
}

functions! {
    /// Functions of one element, with parameters `p` ([`ElementwiseParams::own`]), FP32 patterns.
    Unary {
        /// Magnitude.
        Abs = "ABS",
        /// -1, 0 or 1.
        Sgn = "SGN",
        /// Other sign.
        Neg = "NEG",
        /// 1 above 0, else 0.
        Step = "STEP",
        /// Hyperbolic tangent.
        Tanh = "TANH",
        /// x above 0, else e^x - 1.
        Elu = "ELU",
        /// x above 0, else 0.
        Relu = "RELU",
        /// 1 / (1 + e^-x).
        Sigmoid = "SIGMOID",
        /// GELU by tanh.
        Gelu = "GELU",
        /// x * sigmoid(1.702 x).
        GeluQuick = "GELU_QUICK",
        /// x * sigmoid(x).
        Silu = "SILU",
        /// x * hardsigmoid(x).
        Hardswish = "HARDSWISH",
        /// (x + 3) / 6 between 0 and 1.
        Hardsigmoid = "HARDSIGMOID",
        /// e^x.
        Exp = "EXP",
        /// e^x - 1.
        Expm1 = "EXPM1",
        /// ln(1 + e^x).
        Softplus = "SOFTPLUS",
        /// GELU by the error function.
        GeluErf = "GELU_ERF",
        /// xIELU; p = alpha_n, alpha_p, beta, eps.
        Xielu = "XIELU",
        /// Largest integer not above.
        Floor = "FLOOR",
        /// Smallest integer not below.
        Ceil = "CEIL",
        /// Nearest integer, half away from zero.
        Round = "ROUND",
        /// Integer part.
        Trunc = "TRUNC",
        /// x * x.
        Sqr = "SQR",
        /// Square root.
        Sqrt = "SQRT",
        /// Natural logarithm.
        Log = "LOG",
        /// Sine.
        Sin = "SIN",
        /// Cosine.
        Cos = "COS",
        /// p0 * x + p1.
        Scale = "SCALE",
        /// x between p0 and p1.
        Clamp = "CLAMP",
        /// x above 0, else p0 * x.
        LeakyRelu = "LEAKY_RELU",
        /// p0, whatever x is; src0 is not read.
        Fill = "FILL",
        /// p0 + i * p1 for element number i; src0 is not read.
        Arange = "ARANGE",
    }
}

functions! {
    /// Functions of two elements.
    Binary {
        /// Sum.
        Add = "ADD",
        /// Difference.
        Sub = "SUB",
        /// Product.
        Mul = "MUL",
        /// Quotient.
        Div = "DIV",
    }
}

functions! {
    /// Gated linear units: a function of `x` times the gate `g`. p = alpha, limit.
    Glu {
        /// relu(x) * g.
        Reglu = "REGLU",
        /// gelu(x) * g.
        Geglu = "GEGLU",
        /// silu(x) * g.
        Swiglu = "SWIGLU",
        /// min(x, limit) * sigmoid(alpha * x) * (1 + clamp(g, limit)).
        SwigluOai = "SWIGLU_OAI",
        /// GELU by the error function, times g.
        GegluErf = "GEGLU_ERF",
        /// x * sigmoid(1.702 x) * g.
        GegluQuick = "GEGLU_QUICK",
        /// silu(min(x, limit)) * clamp(g, limit).
        SwigluClamp = "SWIGLU_CLAMP",
        /// silu'(x) * g: no gated unit but the gradient of SILU, which has their form.
        SiluBack = "SILU_BACK",
    }
}

functions! {
    /// Steps of optimisers: functions of two elements. Their parameters `p` are values of a tensor that nobody has looked at when the
    /// descriptor is made, so [`ElementwiseParams::own`] has their places in it. (The names are ours.)
    OptStep {
        /// p0 * a + (1 - p0) * b.
        Momentum = "MOMENTUM",
        /// p0 * a + (1 - p0) * b^2.
        SquaredMomentum = "SQUARED_MOMENTUM",
        /// p0 * a / (sqrt(p1 * b) + p2).
        Direction = "DIRECTION",
        /// (1 - p0 * p1) * a - p0 * b.
        Descent = "DESCENT",
    }
}

/// Values that a tensor of [`OptStep`]'s parameters has at most.
pub const MAX_OPT_PARAMS: u32 = 8;

/// Most parameters of a function's own.
pub const OWN_PARAMS: usize = 4;

/// Parameters of elementwise operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ElementwiseParams {
    /// The work; its function is one of the operator's family.
    pub pieces: Pieces,
    /// The function's own: FP32 patterns, or for [`OptStep`] places of them.
    pub own: [u32; OWN_PARAMS],
}

/// How the work is cut, and which function: the first of the parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pieces {
    /// Number of the function.
    pub function: u32,
    /// Elements of a piece; the last one of a row may be shorter.
    pub len: u32,
    /// Pieces of a row.
    pub per_row: u32,
    /// Pieces in all.
    pub count: u32,
}

impl Pieces {
    /// Cuts rows of `ne0` elements, `rows` of them, for about `lanes` lanes. `None` if there are too many to count.
    pub fn cut(function: u32, ne0: u32, rows: u32, lanes: u32) -> Option<Self> {
        Self::cut_short(function, ne0, rows, lanes, (PIECE_STEP, MAX_PIECE))
    }

    /// The same, with pieces of at most `longest` elements that begin at multiples of `step`, itself a multiple of
    /// [`PIECE_STEP`] as `longest` is one of it.
    pub fn cut_short(
        function: u32,
        ne0: u32,
        rows: u32,
        lanes: u32,
        (step, longest): (u32, u32),
    ) -> Option<Self> {
        let total = u64::from(ne0) * u64::from(rows);
        let fair = total.div_ceil(u64::from(lanes.max(1))).min(u64::from(longest)) as u32;
        let len = fair.next_multiple_of(step).min(longest);
        let per_row = ne0.div_ceil(len);
        let count = u32::try_from(u64::from(per_row) * u64::from(rows)).ok().filter(|&n| n < 1 << 31)?;
        Some(Self { function, len, per_row, count })
    }

    /// Where piece `number` of a tensor shaped like `view` is.
    pub const fn locate(&self, view: &TensorView, number: u32) -> Piece {
        let (row, piece) = (number / self.per_row, number % self.per_row);
        let first = piece * self.len;
        let rest = view.ne[0] - first;
        Piece { row: split_row(view, row), first, len: if rest < self.len { rest } else { self.len } }
    }
}

/// Indices (i1, i2, i3) of row `number` of a tensor.
pub const fn split_row(view: &TensorView, number: u32) -> [u32; 3] {
    let (rest, i1) = (number / view.ne[1], number % view.ne[1]);
    [i1, rest % view.ne[2], rest / view.ne[2]]
}

/// A piece of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Indices of the row in dimensions 1 to 3.
    pub row: [u32; 3],
    /// First element.
    pub first: u32,
    /// Elements.
    pub len: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::ElementType;

    #[test]
    fn pieces_cover_every_element_once() {
        for ne in [[1, 1, 1, 1], [5, 7, 3, 2], [4096, 1, 1, 1], [8193, 2, 1, 3], [100_000, 1, 1, 1]] {
            let view = TensorView::contiguous(ElementType::F32, 0, ne);
            let pieces = Pieces::cut(0, ne[0], ne[1] * ne[2] * ne[3], 128).unwrap();
            assert!(pieces.len <= MAX_PIECE && pieces.len.is_multiple_of(PIECE_STEP));
            let mut next = [0; 4];
            for number in 0..pieces.count {
                let piece = pieces.locate(&view, number);
                assert_eq!([piece.first, piece.row[0], piece.row[1], piece.row[2]], next);
                next[0] += piece.len;
                for dim in 0..3 {
                    if next[dim] == ne[dim] {
                        next[dim] = 0;
                        next[dim + 1] += 1;
                    }
                }
            }
            assert_eq!(next, [0, 0, 0, ne[3]]);
        }
    }

    #[test]
    fn functions_are_found_by_ggmls_names() {
        for (code, &function) in (0..).zip(Unary::ALL) {
            assert_eq!(Unary::from_code(code), Some(function));
            assert_eq!(Unary::from_name(function.name()), Some(function));
        }
        assert_eq!(Unary::from_code(Unary::ALL.len() as u32), None);
        assert_eq!(Glu::from_name("SWIGLU"), Some(Glu::Swiglu));
        assert_eq!(Binary::from_name("POW"), None);
    }
}
