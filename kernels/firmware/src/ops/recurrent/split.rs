//! What a token does to a line, in integers.
//!
//! Products of mantissas are aligned by their exponents, which are the same for all elements of a line and token, and added. All of
//! them are below 2^28, so three fit into a mantissa. What of its bits a line does not use is known after each token, and
//! the next one shifts it up first.

use super::lines::Line;
use super::patterns;
use crate::rt::heap::Heap;
use tt_kernel_abi::elementwise::MAX_PIECE;
use tt_kernel_abi::recurrent::{Kind, PLANES, Plane};
use tt_kernel_numerics::fixed::{self, high};

/// The vectors of a token and head, as mantissas.
pub struct Vectors {
    size: usize,
    all: &'static mut [u32],
    exponents: [i32; PLANES as usize],
}

/// A factor of a vector: its mantissa, and the vector's exponent added to its own.
type Factor = (i32, i32);

impl Vectors {
    /// Room for vectors of `size` elements.
    pub fn new(heap: &mut Heap, size: usize) -> Self {
        Self { size, all: heap.words(MAX_PIECE), exponents: [0; PLANES as usize] }
    }

    /// Takes a token's vectors, or its row of equations in front of the diagonal; `false` if something in them is not finite, or the
    /// diagonal has no inverse.
    pub fn split(&mut self, kind: Kind, all: &[f32]) -> bool {
        let (all, size) = match (kind, all.split_last()) {
            (Kind::Solve, Some((&diagonal, _))) if !(1.0 / diagonal).is_finite() => return false,
            (Kind::Solve, Some((_, row))) => (row, row.len().max(1)),
            _ => (all, self.size),
        };
        let planes = all.chunks_exact(size).zip(self.all.chunks_exact_mut(size));
        for ((values, words), exponent) in planes.zip(&mut self.exponents) {
            let Some(top) = fixed::top(patterns(values)) else { return false };
            words.iter_mut().zip(patterns(values)).for_each(|(to, bits)| *to = bits);
            *exponent = fixed::split(words, top);
        }
        true
    }

    /// Product of the first `len` elements of a row of equations with those of a line.
    pub fn dot_row(&self, line: &Line, len: usize) -> f32 {
        let exponent = *line.exponent as i32 + self.exponents[0] + 32;
        fixed::float(fixed::dot(&line.mantissas[..len], &self.all[..len]), exponent)
    }

    fn get(&self, plane: Plane) -> (&[u32], i32) {
        (&self.all[plane as usize * self.size..][..self.size], self.exponents[plane as usize])
    }

    /// Product of two of the vectors.
    #[inline(never)]
    pub fn dot(&self, a: Plane, b: Plane) -> f32 {
        let ((a, a_exponent), (b, b_exponent)) = (self.get(a), self.get(b));
        fixed::float(fixed::dot(a, b), a_exponent + b_exponent + 32)
    }

    #[inline(never)]
    fn dot_line(&self, line: &Line, plane: Plane) -> f32 {
        let (vector, exponent) = self.get(plane);
        fixed::float(fixed::dot(line.mantissas, vector), *line.exponent as i32 + exponent + 32)
    }

    /// A number that a vector is multiplied with. One that is not finite, since a sum of finite ones has become too large,
    /// counts as the largest.
    #[inline(never)]
    fn factor(&self, value: f32, plane: Plane) -> Factor {
        let largest = if value.is_sign_negative() { f32::MIN } else { f32::MAX };
        let (mantissa, exponent) = fixed::of(value).or(fixed::of(largest)).unwrap_or_default();
        (mantissa, exponent + self.get(plane).1 + 32)
    }

    /// What one token does to a line; gives the result without its scale.
    pub fn advance(&self, kind: Kind, line: &mut Line, value: f32, bonus: f32) -> f32 {
        let compared = match kind {
            Kind::Delta | Kind::Correction => self.dot_line(line, Plane::Compared),
            _ => 0.0,
        };
        let before = (kind == Kind::Bonus).then(|| self.dot_line(line, Plane::Query) + value * bonus);
        let value = if kind == Kind::Delta { value + compared } else { value };
        let value = self.factor(value, Plane::Key);
        match kind {
            Kind::Correction => self.correct(line, value, self.factor(compared, Plane::Corrected)),
            _ => self.add(line, value),
        }
        before.unwrap_or_else(|| self.dot_line(line, Plane::Query))
    }

    /// `line * w + value * k`
    #[inline(never)]
    fn add(&self, line: &mut Line, (value, value_exponent): Factor) {
        let ((decay, decay_exponent), (key, _)) = (self.get(Plane::Decay), self.get(Plane::Key));
        let up = *line.headroom;
        let line_exponent = *line.exponent as i32 - up as i32 + decay_exponent + 32;
        let exponent = line_exponent.max(value_exponent);
        let [down, value_down] = [line_exponent, value_exponent].map(|own| shift(exponent, own));
        let mut used = 0;
        for ((x, &w), &k) in line.mantissas.iter_mut().zip(decay).zip(key) {
            let sum = (high((*x << up) as i32, w as i32) >> down) + (high(value, k as i32) >> value_down);
            used |= sum ^ (sum >> 31);
            *x = sum as u32;
        }
        line.end(exponent, used);
    }

    /// `line * w + value * k + compared * b`
    fn correct(
        &self,
        line: &mut Line,
        (value, value_exponent): Factor,
        (compared, compared_exponent): Factor,
    ) {
        let ((decay, decay_exponent), (key, _)) = (self.get(Plane::Decay), self.get(Plane::Key));
        let up = *line.headroom;
        let line_exponent = *line.exponent as i32 - up as i32 + decay_exponent + 32;
        let exponent = line_exponent.max(value_exponent).max(compared_exponent);
        let [down, value_down, compared_down] =
            [line_exponent, value_exponent, compared_exponent].map(|own| shift(exponent, own));
        let mut used = 0;
        let corrected = self.get(Plane::Corrected).0;
        for (((x, &w), &k), &b) in line.mantissas.iter_mut().zip(decay).zip(key).zip(corrected) {
            let sum = (high((*x << up) as i32, w as i32) >> down)
                + (high(value, k as i32) >> value_down)
                + (high(compared, b as i32) >> compared_down);
            used |= sum ^ (sum >> 31);
            *x = sum as u32;
        }
        line.end(exponent, used);
    }
}

/// How far products with exponent `own` have to be shifted down to have `exponent`.
fn shift(exponent: i32, own: i32) -> u32 {
    (exponent - own).min(31) as u32
}

impl Line<'_> {
    /// Notes the exponent of new mantissas, and which bits they use.
    fn end(&mut self, exponent: i32, used: i32) {
        *self.exponent = exponent as u32;
        // A sign, and the highest of [`fixed::BITS`] bits.
        *self.headroom = (used.leading_zeros() - (32 - fixed::BITS)).min(fixed::BITS);
    }
}
