//! Two results of one operator: how far apart they are, and where.

use tt_runtime::ElementType;
use tt_runtime::layout::{GgmlType, Isa};

use crate::abi::TensorRef;
use crate::abi::host::Host;

/// The values of a result in ggml's order, or `None` for a type that has none.
pub fn values(host: &Host, tensor: TensorRef<'_>, bytes: &[u8]) -> Option<Vec<f64>> {
    let read = reader(host, tensor)?;
    let [ne0, ne1, ne2, ne3] = tensor.ne().map(|n| n as usize);
    let [nb0, nb1, nb2, nb3] = tensor.nb().map(|nb| nb as usize);
    let mut out = Vec::with_capacity(ne0 * ne1 * ne2 * ne3);
    for row in 0..ne1 * ne2 * ne3 {
        let start = row % ne1 * nb1 + row / ne1 % ne2 * nb2 + row / ne1 / ne2 * nb3;
        for block in 0..ne0 / read.len {
            read.block(bytes.get(start + block * nb0..)?, &mut out)?;
        }
    }
    Some(out)
}

/// How blocks of a type are read.
struct Reader {
    /// Values of a block.
    len: usize,
    kind: Kind,
}

enum Kind {
    Ggml(GgmlType),
    Integer(ElementType),
}

fn reader(host: &Host, tensor: TensorRef<'_>) -> Option<Reader> {
    Some(match host.element_type(tensor)? {
        ElementType::Ggml(ty) => Reader { len: ty.block().0, kind: Kind::Ggml(ty) },
        ty => Reader { len: 1, kind: Kind::Integer(ty) },
    })
}

impl Reader {
    fn block(&self, bytes: &[u8], out: &mut Vec<f64>) -> Option<()> {
        match self.kind {
            Kind::Ggml(ty) => {
                let mut values = [0.0; 256];
                let values = &mut values[..self.len];
                Isa::PORTABLE.dequantise(ty, bytes.get(..ty.block().1)?, values);
                out.extend(values.iter().map(|&value| f64::from(value)));
            }
            Kind::Integer(ty) => {
                let bytes = bytes.get(..ty.block_bytes() as usize)?;
                out.push(match ty {
                    ElementType::I8 => f64::from(bytes[0] as i8),
                    ElementType::I16 => f64::from(i16::from_le_bytes(bytes.try_into().ok()?)),
                    ElementType::I32 => f64::from(i32::from_le_bytes(bytes.try_into().ok()?)),
                    ElementType::I64 => i64::from_le_bytes(bytes.try_into().ok()?) as f64,
                    _ => return None,
                });
            }
        }
        Some(())
    }
}

/// How a result differs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Difference {
    /// Sum of squared differences over sum of squares; infinite if one side is not finite where the other is.
    pub nmse: f64,
    /// The first element that is further off than the bound allows on average.
    pub first: usize,
    /// The element that is furthest off.
    pub worst: usize,
}

/// Compares with what is expected; `None` if they agree within `bound`, a normalised mean squared error.
pub fn difference(expected: &[f64], found: &[f64], bound: f64) -> Option<Difference> {
    let power: f64 = expected.iter().filter(|x| x.is_finite()).map(|x| x * x).sum();
    let errors: Vec<f64> = expected.iter().zip(found).map(|(a, b)| squared_error(*a, *b)).collect();
    let total: f64 = errors.iter().sum();
    let nmse = match (total, power) {
        (0.0, _) => 0.0,
        (_, 0.0) => f64::INFINITY,
        _ => total / power,
    };
    if nmse <= bound {
        return None;
    }
    let limit = bound * power / expected.len() as f64;
    let first = errors.iter().position(|&error| error > limit)?;
    let worst = (0..errors.len()).max_by(|&a, &b| errors[a].total_cmp(&errors[b]))?;
    Some(Difference { nmse, first, worst })
}

/// Masks are made of infinities: the same one on both sides is no error, and neither are two NaNs.
fn squared_error(a: f64, b: f64) -> f64 {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => (a - b) * (a - b),
        _ if a == b || (a.is_nan() && b.is_nan()) => 0.0,
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_within_the_bound_is_none() {
        let infinite = f64::NEG_INFINITY;
        assert_eq!(difference(&[1.0, infinite, f64::NAN], &[1.0, infinite, f64::NAN], 0.0), None);
        assert_eq!(difference(&[3.0, 4.0], &[3.0, 4.1], 1e-3), None);
        assert_eq!(difference(&[], &[], 0.0), None);
    }

    #[test]
    fn the_first_and_the_worst_element_are_found() {
        let expected = [1.0, 1.0, 1.0, 1.0];
        let found = difference(&expected, &[1.0, 1.2, 3.0, 1.0], 1e-2).unwrap();
        assert_eq!((found.first, found.worst), (1, 2));
        assert!((found.nmse - 4.04 / 4.0).abs() < 1e-12);
        let nan = difference(&expected, &[1.0, 1.0, 1.0, f64::NAN], 1e9).unwrap();
        assert_eq!((nan.first, nan.worst, nan.nmse), (3, 3, f64::INFINITY));
        let zero = difference(&[0.0, 0.0], &[0.0, 1e-9], 1e-7).unwrap();
        assert_eq!((zero.first, zero.nmse), (1, f64::INFINITY));
    }
}
