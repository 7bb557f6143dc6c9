//! Row by row: norms, reductions, weighted sums, softmax, masks, sorting, gathering, rotary positions.
//!
//! A unit of work is a row of the tensor that [`RowsParams::rows`] counts; each lane takes a contiguous range of them.

use crate::descriptor::PARAM_WORDS;

/// What is done with a row of src0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u32)]
pub enum RowFunction {
    /// `x / sqrt(mean(x^2) + eps)`; f0 = eps.
    RmsNorm = 0,
    /// `(x - mean) / sqrt(variance + eps)`; f0 = eps.
    Norm = 1,
    /// `x / max(sqrt(sum(x^2)), eps)`; f0 = eps.
    L2Norm = 2,
    /// `scale * sum(x)`, one element; f0 = scale.
    Sum = 3,
    /// Sums up to each element.
    CumSum = 4,
    /// Index of the largest element, I32; the last one of equals.
    ArgMax = 5,
    /// Softmax of `scale * x + slope * mask`; src1 = mask, more[0] = sinks; f0 = scale, f1 and f2 = ALiBi bases of the
    /// lower and the other heads, u0 = number of lower heads, u1 = whether there is ALiBi, u2 = whether a row that is
    /// masked as a whole becomes zeros.
    SoftMax = 6,
    /// `-inf` behind the diagonal; u0 = offset of the diagonal, f0 = what stands there.
    DiagMask = 7,
    /// Indices in ascending order of their elements, I32; u0 = 1 for descending, u1 = how many.
    ArgSort = 8,
    /// Rows of src0 by the indices src1.
    GetRows = 9,
    /// Rotary positions; src1 = positions, more[0] = frequency factors; see [`Rope`].
    Rope = 10,
    /// One element for the whole tensor: `sum` of all rows.
    SumAll = 11,
    /// Zeros outside of a triangle; u0 = ggml's type of triangle.
    Tri = 12,
    /// A matrix with src0's row on its diagonal.
    Diag = 13,
    /// Rows of src0 to those rows of the result that the indices src1 name.
    SetRows = 14,
    /// Rows of src0 plus those rows of src1 that the indices more[0] name.
    AddId = 15,
    /// Runs of elements of src0's rows, sorted as [`ArgSort`](Self::ArgSort) does it: the keys of the first elements of a
    /// run, then their indices, I32; u0 = 1 for descending, u1 = how many of a run, u2 = elements of a run. A row counted
    /// here is a run.
    SortRuns = 16,
    /// Runs sorted by [`SortRuns`](Self::SortRuns) as one; u0 = elements of a whole row, u1 = how many are wanted,
    /// u2 = elements of a run.
    MergeRuns = 17,
    /// `scale * y * (dy - sum(y * dy))` with dy in src0 and y in src1: the gradient of a softmax; f0 = scale. On the vector unit only, as
    /// all of the following down to [`CrossEntropyBack`](Self::CrossEntropyBack).
    SoftMaxBack = 18,
    /// `(dz - x * mean(x * dz) / m) / sqrt(m)` with `m = mean(x^2) + eps`, dz in src0 and x in src1: the gradient of RMS_NORM; f0 = eps,
    /// f1 = 1 / elements of a row.
    RmsNormBack = 19,
    /// `label * ln(softmax(x))` with labels in src1; f0 = 1.
    CrossEntropy = 20,
    /// `(softmax(x) - label) * d / rows` with labels in src1 and d in more[0]; f0 = 1, f1 = 1 / rows.
    CrossEntropyBack = 21,
    /// Rows of src0 added to those rows of the result that the indices src1 name; `rows` counts rows of the result.
    AddRows = 22,
    /// Elements of src0 that are equal to src1's, I32, counted for the whole tensor; one I64.
    CountEqual = 23,
    /// `f0 * sum_s w[s] * x[s]` of src0's rows s (elements, rows, ne2, ne3) with each row of weights src1 (as many weights,
    /// rows of the result, ne2, ne3), or with weights of one if there is no src1; plus more[0], which repeats in dimension 3.
    /// A row counted here is `[u0]` elements of all rows of an index of dimensions 2 and 3; u1 = how many of them a row has,
    /// u2 = 1: negative x count as zero.
    WeightedSum = 24,
    /// Matrices as rows of 16 elements: softmax of each row of `src1 * x + more[0]` plus f0, where src1 is
    /// one element; then columns and rows in turn are divided by their sums plus f0, columns first and last, u0 times.
    Balance = 25,
}

impl RowFunction {
    /// The function with this number.
    pub const fn from_code(code: u32) -> Option<Self> {
        use RowFunction::*;
        Some(match code {
            0 => RmsNorm,
            1 => Norm,
            2 => L2Norm,
            3 => Sum,
            4 => CumSum,
            5 => ArgMax,
            6 => SoftMax,
            7 => DiagMask,
            8 => ArgSort,
            9 => GetRows,
            10 => Rope,
            11 => SumAll,
            12 => Tri,
            13 => Diag,
            14 => SetRows,
            15 => AddId,
            16 => SortRuns,
            17 => MergeRuns,
            18 => SoftMaxBack,
            19 => RmsNormBack,
            20 => CrossEntropy,
            21 => CrossEntropyBack,
            22 => AddRows,
            23 => CountEqual,
            24 => WeightedSum,
            25 => Balance,
            _ => return None,
        })
    }
}

/// Longest row, or run of a row, that can be sorted at once.
pub const MAX_SORT: u32 = 32 * 1024;
/// Most runs that can be merged.
pub const MAX_RUNS: u32 = 64;
/// Most rows that can be summed with weights.
pub const MAX_SUMMED: u32 = 1024;
/// Most elements that [`RowFunction::WeightedSum`] has in L1 at once.
pub const SUMMED_ELEMENTS: u32 = 64 * 1024;
/// Longest row that can be rotated.
pub const MAX_ROPE: u32 = 4096;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RowsParams {
    /// A [`RowFunction`] as a number.
    pub function: u32,
    /// Rows.
    pub rows: u32,
    /// Numbers, as the function says.
    pub u: [u32; 4],
    /// Floats, as the function says.
    pub f: [f32; 4],
    /// For [`RowFunction::Rope`].
    pub rope: Rope,
}

/// How pairs of elements are rotated (ggml `ROPE`).
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Rope {
    /// First rotated element.
    pub offset: u32,
    /// Distance of a pair's elements; 1: neighbours.
    pub distance: u32,
    /// Pairs.
    pub pairs: u32,
    /// Flags: [`Rope::MULTI`], [`Rope::INTERLEAVED`], [`Rope::INDEPENDENT`].
    pub flags: u32,
    /// Pairs of each position id.
    pub sections: [u32; 4],
    /// Factor from one pair's angle to the next.
    pub theta_scale: f32,
    /// Interpolation factor of angles.
    pub freq_scale: f32,
    /// YaRN's weight of extrapolation; 0: none.
    pub ext_factor: f32,
    /// Factor of the result.
    pub mscale: f32,
    /// YaRN's pairs between which extrapolation fades out.
    pub corr: [f32; 2],
    /// 1, or -1 to rotate backwards.
    pub sin_sign: f32,
}

impl Rope {
    /// Four position ids for each token.
    pub const MULTI: u32 = 1;
    /// Position ids alternate from pair to pair.
    pub const INTERLEAVED: u32 = 2;
    /// Angles start anew in every section.
    pub const INDEPENDENT: u32 = 4;
    const WORDS: usize = 15;
    const FIRST: usize = 13;

    fn to_words(self) -> [u32; Self::WORDS] {
        let [a, b, c, d] = self.sections;
        [
            self.offset,
            self.distance,
            self.pairs,
            self.flags,
            a,
            b,
            c,
            d,
            self.theta_scale.to_bits(),
            self.freq_scale.to_bits(),
            self.ext_factor.to_bits(),
            self.mscale.to_bits(),
            self.corr[0].to_bits(),
            self.corr[1].to_bits(),
            self.sin_sign.to_bits(),
        ]
    }

    fn from_words(w: &[u32]) -> Self {
        let f = |i: usize| f32::from_bits(w[i]);
        Self {
            offset: w[0],
            distance: w[1],
            pairs: w[2],
            flags: w[3],
            sections: [w[4], w[5], w[6], w[7]],
            theta_scale: f(8),
            freq_scale: f(9),
            ext_factor: f(10),
            mscale: f(11),
            corr: [f(12), f(13)],
            sin_sign: f(14),
        }
    }
}

impl RowsParams {
    /// Parameters with nothing but a function and a number of rows.
    pub fn new(function: RowFunction, rows: u32) -> Self {
        Self { function: function as u32, rows, u: [0; 4], f: [0.0; 4], rope: Rope::default() }
    }

    /// As descriptor parameters.
    pub fn to_words(&self) -> [u32; PARAM_WORDS] {
        let mut words = [0; PARAM_WORDS];
        words[..2].copy_from_slice(&[self.function, self.rows]);
        words[2..6].copy_from_slice(&self.u);
        words[6..10].copy_from_slice(&self.f.map(f32::to_bits));
        words[Rope::FIRST..].copy_from_slice(&self.rope.to_words());
        words
    }

    /// From descriptor parameters.
    pub fn from_words(words: &[u32; PARAM_WORDS]) -> Self {
        Self {
            function: words[0],
            rows: words[1],
            u: core::array::from_fn(|i| words[2 + i]),
            f: core::array::from_fn(|i| f32::from_bits(words[6 + i])),
            rope: Rope::from_words(&words[Rope::FIRST..]),
        }
    }
}

const _: () = assert!(Rope::FIRST + Rope::WORDS == PARAM_WORDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_survive_the_descriptor() {
        let mut params = RowsParams::new(RowFunction::Rope, 77);
        params.u = [1, 2, 3, 4];
        params.f = [0.5, -1.0, 2.0, 1e-6];
        params.rope = Rope {
            offset: 2,
            distance: 32,
            pairs: 32,
            flags: Rope::MULTI,
            sections: [8, 12, 12, 0],
            theta_scale: 0.9,
            freq_scale: 1.0,
            ext_factor: 0.25,
            mscale: 1.5,
            corr: [3.0, 17.0],
            sin_sign: -1.0,
        };
        assert_eq!(RowsParams::from_words(&params.to_words()), params);
        assert!((0..26).all(|code| RowFunction::from_code(code).is_some_and(|f| f as u32 == code)));
        assert_eq!(RowFunction::from_code(26), None);
    }
}
