//! Linear attention and state-space models: a matrix of state for each head of a sequence, carried from token to token; and
//! triangular systems of equations, whose solution grows in the same way ([`Kind::Solve`]).
//!
//! A line of state belongs to an element of the result. With the token's vectors w, k, q (and a, b) and the line's value v:
//!
//! ```text
//! line = line * w + v * k  (+ (line . a) * b),   result = scale * (line . q)
//! ```
//!
//! Lines are computed with as integers that share an exponent (`tt_kernel_numerics::fixed`).
//!
//! The vectors of a token and head lie side by side ([`Plane`]). Units of work are blocks of lines; each lane takes a
//! contiguous range of them, and every token of the sequence for each.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::numbered::numbered;

/// The place of a vector among those of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum Plane {
    /// w: what stays of the state.
    Decay = 0,
    /// k: where the value goes.
    Key = 1,
    /// q: what is asked for.
    Query = 2,
    /// a: what the line is compared with; in [`Kind::Bonus`] u * k.
    Compared = 3,
    /// b: where the comparison goes.
    Corrected = 4,
}

numbered! {
    /// What a token does to a line.
    Kind {
        /// `line * w + v * k`
        Plain,
        /// The same, but the result is that of the line before it, plus `v * (a . q)`.
        Bonus,
        /// `line * w + (v + line . a) * k`
        Delta,
        /// `line * w + v * k + (line . a) * b`
        Correction,
        /// `line[token] = result = (v - line . a) / a[token]` of the elements in front of the token's: a line is a column of the solution,
        /// a token a row of the equations, and a its row of the triangular matrix. There is no state before or after.
        Solve,
    }
}

/// Vectors of a token at most.
pub const PLANES: u32 = 5;

impl Kind {
    /// Vectors of a token.
    pub const fn planes(self) -> u32 {
        match self {
            Self::Solve => 1,
            Self::Plain => 3,
            Self::Bonus | Self::Delta => 4,
            Self::Correction => PLANES,
        }
    }
}

/// Most floats of state that a lane holds.
pub const MAX_STATE: u32 = 38 * 1024;

/// Parameters. src0 = state before (elements of a line, lines, heads, sequences), src1 = values and dst = results (lines,
/// heads, tokens, sequences), `more[0]` = vectors (elements times planes, heads, tokens, sequences), `more[1]` = state after,
/// `more[2]` = which state each sequence begins with, I32; else that of its number.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RecurrentParams {
    /// A [`Kind`] as a number.
    pub kind: u32,
    /// Lines in a unit; the last one of a head may have fewer.
    pub lines: u32,
    /// Units of a head.
    pub per_head: u32,
    /// Units in all.
    pub units: u32,
    /// States that are kept: after the last token, the one before, and so on.
    pub slots: u32,
    /// Factor of the result.
    pub scale: f32,
    /// Bytes from one state that is kept to the next.
    pub slot_stride: u64,
}
