//! ReLU and the exponent threshold, on intermediate values (`Packers/ReLU.md`, `Packers/ExponentThresholding.md`).

use tt_isa::format::DataFormat::{self, *};

use super::early::Class;
use crate::fault::Fault;
use crate::model::tensix::dst::COLS;

const PAGE: &str = "TensixTile/TensixCoprocessor/Packers/ReLU.md";

/// What becomes of a row of intermediate values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Relu {
    Off,
    /// Negative numbers become zero.
    Zero {
        sign: u32,
    },
    /// Numbers up to the threshold become zero.
    Above {
        sign: u32,
        threshold: u32,
    },
    /// And numbers above it become the threshold; of `ignored` bits the comparison knows nothing.
    Clamp {
        sign: u32,
        threshold: u32,
        ignored: u32,
    },
}

impl Relu {
    /// From `ApplyRelu` and `ReluThreshold`; `unsigned` 8-bit integers have no sign.
    pub fn choose(
        class: Class,
        integer: bool,
        unsigned: bool,
        mode: u32,
        threshold: u32,
    ) -> Result<Self, Fault> {
        let sign = match class {
            Class::Single => 1 << 31,
            Class::Brain | Class::Half | Class::Int16 => 1 << 15,
            Class::Int8 if unsigned => 0,
            Class::Int8 => 1 << 7,
        };
        let single = class == Class::Single;
        let bits = if single { threshold << 16 } else { threshold };
        match mode & 3 {
            0 => return Ok(Relu::Off),
            1 => return Ok(Relu::Zero { sign }),
            _ if integer => {}
            _ if threshold >> 15 != 0 => {
                return Err(Fault::program(format!("negative ReLU threshold {threshold:#06x}")).page(PAGE));
            }
            2 => return Ok(Relu::Above { sign, threshold: bits }),
            // The clamp compares what TF32 has of the number.
            _ => return Ok(Relu::Clamp { sign, threshold: bits, ignored: if single { 13 } else { 0 } }),
        }
        Err(Fault::program(format!("ReLU mode {} of integers", mode & 3)).page(PAGE))
    }

    #[inline]
    pub fn apply(self, row: [u32; COLS]) -> [u32; COLS] {
        let positive = |sign: u32, x: u32| if x & sign != 0 { 0 } else { x };
        match self {
            Relu::Off => row,
            Relu::Zero { sign } => row.map(|x| positive(sign, x)),
            Relu::Above { sign, threshold } => row.map(|x| match positive(sign, x) {
                x if x <= threshold => 0,
                x => x,
            }),
            Relu::Clamp { sign, threshold, ignored } => row.map(|x| match positive(sign, x) {
                x if x >> ignored > threshold >> ignored => threshold,
                x => x,
            }),
        }
    }
}

/// Replaces numbers with small exponents by zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Threshold {
    shift: u32,
    mask: u32,
    least: u32,
}

impl Threshold {
    /// Of values by the name of `format`; integers have no exponents.
    pub fn choose(format: DataFormat, least: u32) -> Option<Self> {
        let (shift, mask) = match format {
            Fp32 | Tf32 => (23, 255),
            Bf16 | Bfp8 => (7, 255),
            Fp16 | Fp8 | Bfp8a => (10, 31),
            _ => return None,
        };
        Some(Self { shift, mask, least })
    }

    #[inline]
    pub fn apply(self, row: [u32; COLS]) -> [u32; COLS] {
        row.map(|x| if x >> self.shift & self.mask < self.least { 0 } else { x })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relu(class: Class, mode: u32, threshold: u32, x: u32) -> u32 {
        Relu::choose(class, false, false, mode, threshold).unwrap().apply([x; COLS])[0]
    }

    #[test]
    fn modes() {
        let bits = |x: f32| x.to_bits();
        let two = 0x4000;
        assert_eq!(relu(Class::Single, 0, two, bits(-3.0)), bits(-3.0));
        assert_eq!(relu(Class::Single, 1, two, bits(-3.0)), 0);
        assert_eq!(relu(Class::Single, 1, two, bits(3.0)), bits(3.0));
        assert_eq!(relu(Class::Single, 2, two, bits(2.0)), 0);
        assert_eq!(relu(Class::Single, 3, two, bits(5.0)), bits(2.0));
        assert_eq!(relu(Class::Brain, 3, two, 0x4001), two);
        assert_eq!(relu(Class::Half, 2, two, 0x4001), 0x4001);
        // Four bits of mode, of which two count.
        assert_eq!(relu(Class::Half, 5, two, 0x8001), 0);
    }

    #[test]
    fn integers_know_only_zero() {
        let choose = |class, unsigned, mode| Relu::choose(class, true, unsigned, mode, 0);
        let row = |relu: Result<Relu, Fault>, x| relu.unwrap().apply([x; COLS])[0];
        assert_eq!(row(choose(Class::Int8, false, 1), 0x85), 0);
        assert_eq!(row(choose(Class::Int8, true, 1), 0x85), 0x85);
        assert_eq!(row(choose(Class::Int16, false, 1), 0x8005), 0);
        assert_eq!(row(choose(Class::Single, false, 1), 0x8000_0005), 0);
        assert!(choose(Class::Single, false, 2).is_err());
        assert!(Relu::choose(Class::Brain, false, false, 3, 0x8000).is_err());
    }

    #[test]
    fn thresholds_look_at_exponents() {
        let apply = |format, least, x| Threshold::choose(format, least).unwrap().apply([x; COLS])[0];
        assert_eq!(apply(Fp32, 127, 1.0f32.to_bits()), 1.0f32.to_bits());
        assert_eq!(apply(Fp32, 127, 0.99f32.to_bits()), 0);
        assert_eq!(apply(Bf16, 128, 0xBFFF), 0);
        assert_eq!(apply(Fp16, 16, 0xC000), 0xC000);
        assert_eq!(apply(Fp16, 16, 0x3FFF), 0);
        assert_eq!(Threshold::choose(Int32, 1), None);
    }
}
