//! What packing has cost: squared errors of tiles, plain and weighted by the importance of columns.

use std::ops::{AddAssign, Range};

use super::{Form, Isa, Matrices};

/// Sums of squares: of errors, and of the values themselves.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Squares {
    /// Of the differences between values and tiles.
    pub error: f64,
    /// Of the values.
    pub values: f64,
}

impl Squares {
    /// One over the other; 0 if there is nothing.
    pub fn relative(&self) -> f64 {
        if self.values > 0.0 { self.error / self.values } else { 0.0 }
    }

    fn add(&mut self, value: f32, packed: f32, weight: f64) {
        let (value, packed) = (f64::from(value), f64::from(packed));
        self.error += weight * (value - packed).powi(2);
        self.values += weight * value.powi(2);
    }
}

impl AddAssign for Squares {
    fn add_assign(&mut self, other: Self) {
        self.error += other.error;
        self.values += other.values;
    }
}

impl Matrices<'_> {
    /// Squares of some strips and what they became ([`Matrices::pack_strips`]): plain, and with the squares of a column times
    /// its `importance`, one number a column. Values that are not finite are left out.
    pub fn squares(
        &self,
        form: impl Into<Form>,
        strips: Range<usize>,
        packed: &[u8],
        importance: &[f32],
    ) -> [Squares; 2] {
        let form = form.into();
        let mut sums = [Squares::default(); 2];
        let mut row = vec![0.0; self.k];
        for (strip, bytes) in strips.zip(packed.chunks_exact(form.strip_bytes(self.k).max(1))) {
            let unpacked = form.unpack_strip(self.k, bytes);
            for (index, packed) in self.strip(strip).zip(unpacked.chunks_exact(self.k.max(1))) {
                Isa::best().dequantise(self.ty, self.row(index), &mut row);
                for ((&value, &packed), &weight) in row.iter().zip(packed).zip(importance) {
                    if value.is_finite() {
                        sums[0].add(value, packed, 1.0);
                        sums[1].add(value, packed, f64::from(weight));
                    }
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GgmlType, Packing, Rule, WeightFormat, pack};
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "long, and nothing unsafe is behind it")]
    fn errors_are_those_of_the_columns_that_count() {
        let (k, n) = (40, 35);
        // Columns from 32 on are powers of two, which lose nothing beside one another.
        let w = |n: usize, k: usize| if k < 32 { (n * 37 + k * 11) as f32 / 977.0 } else { 0.5 };
        let rows: Vec<u8> = (0..n).flat_map(|i| (0..k).flat_map(move |j| w(i, j).to_le_bytes())).collect();
        let source = Matrices::new(GgmlType::F32, &rows, k, n, 1).unwrap();
        let squares = |rule, importance: &[f32]| {
            let format = WeightFormat::Bfp4;
            let tiles = pack(Packing { format, rule }, GgmlType::F32, &rows, k, n, 1).unwrap();
            source.squares(format, 0..2, &tiles, importance)
        };
        let even = squares(Rule::Vendor, &[1.0; 40]);
        assert!(even[0].error > 0.0 && even[0] == even[1]);
        let values: f64 = (0..n).flat_map(|i| (0..k).map(move |j| f64::from(w(i, j)).powi(2))).sum();
        assert!((even[0].values / values - 1.0).abs() < 1e-9);
        let exact: Vec<f32> = (0..k).map(|k| if k < 32 { 0.0 } else { 3.0 }).collect();
        assert_eq!(squares(Rule::Vendor, &exact)[1].error, 0.0);
        // The best exponents are the best whatever counts: importance is the same for all numbers of a block.
        for seed in 1..20u32 {
            let importance: Vec<f32> =
                (0..40u32).map(|k| (k.wrapping_mul(seed * 2_654_435) >> 8 & 255) as f32).collect();
            let [rule, search] = [Rule::Vendor, Rule::Search].map(|rule| squares(rule, &importance)[1].error);
            assert!(search <= rule);
        }
    }
}
