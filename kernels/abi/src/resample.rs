//! Images made larger or smaller (`UPSCALE`): which source elements an element of the result is made of, and their weights.
//!
//! Columns and rows are independent: an element is the weighted sum of rows, of the weighted sums of their columns. Slices
//! and images (dimensions 2 and 3) are the nearest ones. The result's rows are cut into [`Pieces`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::elementwise::Pieces;
use crate::numbered::numbered;

numbered! {
    /// How elements between others are made.
    Filter {
        /// The nearest one at a lower index.
        Nearest,
        /// By the distance to two.
        Linear,
        /// A cubic convolution of four.
        Cubic,
        /// By the distance to all that a triangle reaches, which is wider where the result is smaller.
        Triangle,
    }
}

/// Most weights of a piece.
pub const MAX_TAPS: u32 = 27 * 1024;

/// Parameters.
#[derive(Clone, Copy, PartialEq, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ResampleParams {
    /// The work; its function is a [`Filter`].
    pub pieces: Pieces,
    /// Factors from the source's extents to the result's.
    pub scale: [f32; 4],
    /// Where in an element its centre is: 0.5, or 0 if the first and last elements fall together.
    pub centre: f32,
    /// Weights of an element of a row, at most.
    pub taps: u32,
}

/// Factor of the cubic convolution, as ggml has it.
const CUBIC: f32 = -0.75;

/// Weight of the cubic convolution at a distance below 1.
fn cubic_near(x: f32) -> f32 {
    ((CUBIC + 2.0) * x - (CUBIC + 3.0)) * x * x + 1.0
}

/// Weight at a distance from 1 to 2.
fn cubic_far(x: f32) -> f32 {
    ((CUBIC * x - 5.0 * CUBIC) * x + 8.0 * CUBIC) * x - 4.0 * CUBIC
}

/// Largest integer not above `x`.
fn floor(x: f32) -> i32 {
    let whole = x as i32;
    if whole as f32 > x { whole - 1 } else { whole }
}

/// Index of the source, of extent `n`, that is nearest to element `i` in a dimension with this scale.
pub fn nearest(i: u32, scale: f32, n: u32) -> u32 {
    ((i as f32 / scale) as u32).min(n - 1)
}

/// Gives the indices in a dimension of extent `n`, and their weights, of which element `i` is made.
pub fn taps(filter: Filter, i: u32, scale: f32, centre: f32, n: u32, tap: &mut dyn FnMut(u32, f32)) {
    let clamp = |i: i32| i.clamp(0, n as i32 - 1);
    let at = (i as f32 + centre) / scale;
    let from = at - centre;
    match filter {
        Filter::Nearest => tap(nearest(i, scale, n), 1.0),
        Filter::Linear => {
            let first = clamp(floor(from));
            let x = (from - first as f32).clamp(0.0, 1.0);
            tap(first as u32, 1.0 - x);
            tap(clamp(floor(from) + 1) as u32, x);
        }
        Filter::Cubic => {
            let first = floor(from);
            let x = from - first as f32;
            let weights = [cubic_far(x + 1.0), cubic_near(x), cubic_near(1.0 - x), cubic_far(2.0 - x)];
            for (i, weight) in (first - 1..).zip(weights) {
                tap(clamp(i) as u32, weight);
            }
        }
        Filter::Triangle => {
            let support = (1.0 / scale).max(1.0);
            let first = (at - support + centre).max(0.0) as u32;
            let end = ((at + support + centre).max(0.0) as u32).min(n);
            let weight = |i: u32| {
                let x = (i as f32 - at + centre) * (1.0 / support);
                (1.0 - if x < 0.0 { -x } else { x }).max(0.0)
            };
            let total: f32 = (first..end).map(weight).sum();
            for i in first..end {
                tap(i, weight(i) / total);
            }
        }
    }
}

/// How many weights an element has at most, in a dimension with this scale.
pub fn most_taps(filter: Filter, scale: f32) -> u32 {
    match filter {
        Filter::Nearest => 1,
        Filter::Linear => 2,
        Filter::Cubic => 4,
        Filter::Triangle => (2.0 * (1.0 / scale).max(1.0)) as u32 + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_one_and_indices_are_inside() {
        for filter in [Filter::Nearest, Filter::Linear, Filter::Cubic, Filter::Triangle] {
            for (n, m) in [(5u32, 7u32), (7, 5), (1, 4), (64, 3), (3, 64)] {
                let scale = m as f32 / n as f32;
                for i in 0..m {
                    let (mut sum, mut count) = (0.0, 0);
                    taps(filter, i, scale, 0.5, n, &mut |at, weight| {
                        assert!(at < n, "{filter:?} {n} {m} {i}");
                        sum += weight;
                        count += 1;
                    });
                    assert!((sum - 1.0f32).abs() < 1e-5, "{filter:?} {n} {m} {i}: {sum}");
                    assert!(
                        (1..=most_taps(filter, scale)).contains(&count),
                        "{filter:?} {n} {m} {i}: {count}"
                    );
                }
            }
        }
    }
}
