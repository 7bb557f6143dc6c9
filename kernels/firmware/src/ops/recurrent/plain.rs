//! What a token does to a line, in FP32: where something is not finite.

use tt_kernel_abi::recurrent::{Kind, Plane};

/// The vectors of a token and head.
pub struct Vectors<'a> {
    all: &'a [f32],
    size: usize,
}

/// Product of a line of FP32 patterns and the first elements of a vector.
#[cold]
#[inline(never)]
pub fn dot(line: &[u32], vector: &[f32]) -> f32 {
    line.iter().zip(vector).fold(0.0, |sum, (&x, &b)| sum + f32::from_bits(x) * b)
}

impl<'a> Vectors<'a> {
    /// Vectors of `size` elements.
    pub fn new(all: &'a [f32], size: usize) -> Self {
        Self { all, size }
    }

    fn get(&self, plane: Plane) -> &[f32] {
        &self.all[plane as usize * self.size..][..self.size]
    }

    /// Product of two of the vectors.
    #[cold]
    #[inline(never)]
    pub fn dot(&self, a: Plane, b: Plane) -> f32 {
        self.get(a).iter().zip(self.get(b)).fold(0.0, |sum, (&a, &b)| sum + a * b)
    }

    /// What one token does to a line of FP32 patterns; gives the result without its scale.
    #[cold]
    #[inline(never)]
    pub fn advance(&self, kind: Kind, line: &mut [u32], value: f32, bonus: f32) -> f32 {
        let dot = |line: &[u32], plane| dot(line, self.get(plane));
        let compared = match kind {
            Kind::Delta | Kind::Correction => dot(line, Plane::Compared),
            _ => 0.0,
        };
        let before = (kind == Kind::Bonus).then(|| dot(line, Plane::Query) + value * bonus);
        let value = if kind == Kind::Delta { value + compared } else { value };
        let (decay, key) = (self.get(Plane::Decay), self.get(Plane::Key));
        for ((x, &w), &k) in line.iter_mut().zip(decay).zip(key) {
            *x = (f32::from_bits(*x) * w + value * k).to_bits();
        }
        if kind == Kind::Correction {
            for (x, &b) in line.iter_mut().zip(self.get(Plane::Corrected)) {
                *x = (f32::from_bits(*x) + compared * b).to_bits();
            }
        }
        before.unwrap_or_else(|| dot(line, Plane::Query))
    }
}
