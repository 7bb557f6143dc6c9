//! Datums of Dst to datums of the output format (`Packers/FormatConversion.md`).
//!
//! Two steps with ReLU between them: the *early* conversion reads Dst and narrows to the intermediate format
//! (rounding half up, no denormals), the *late* one turns that into the output format. The page leaves rounding
//! and special values to experiment; the bits are those of the vendor's simulator.

use tt_isa::cfg::config as c;
use tt_isa::format::DataFormat::{self, *};

use super::PAGE;
use crate::fault::Fault;
use crate::tensix::Tensix;
use crate::tensix::dst::{self, COLS, Dst};

const INFINITY: u32 = 0x7F80_0000;

/// How the packers convert, all of them alike.
pub(super) struct Conversion {
    intermediate: DataFormat,
    /// Format in L1.
    pub output: DataFormat,
    wide: bool,
    unsigned: bool,
    relu: Relu,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relu {
    Off,
    /// Negative numbers become zero.
    Zero,
    /// Numbers up to the threshold become zero.
    Above(u32),
    /// And numbers above it become the threshold.
    Clamp(u32),
}

impl Conversion {
    /// Reads the configuration; `input` and `output` are the packers' formats.
    pub fn read(t: &Tensix, thread: usize, input: DataFormat, output: DataFormat) -> Result<Self, Fault> {
        let get = |field| t.cfg.get(thread, field);
        let wide = get(c::PCK_DEST_RD_CTRL_Read_32b_data) != 0;
        let fault = |what: String| Err(Fault::not_implemented(what).page(PAGE));
        if get(c::ALU_FORMAT_SPEC_REG2_Dstacc) != input as u32 {
            let what =
                format!("packer input {input:?}, but Dst holds {}", get(c::ALU_FORMAT_SPEC_REG2_Dstacc));
            return Err(Fault::program(what).page(PAGE));
        }
        if !supported(wide, input, output) {
            let width = if wide { 32 } else { 16 };
            return fault(format!("packing {width}-bit Dst as {input:?} to {output:?}"));
        }
        if get(c::PCK_DEST_RD_CTRL_Round_10b_mant) != 0 {
            return fault("packing with rounding to ten mantissa bits".into());
        }
        let float = !matches!(input, Int8 | Int16 | Int32);
        if get(c::PCK_DEST_RD_CTRL_Read_int8) != 0 && (float && input != Fp32 || input == Int8) {
            return fault(format!("Read_int8 while packing {input:?}"));
        }
        Ok(Self {
            intermediate: input,
            output,
            wide,
            unsigned: get(c::PCK_DEST_RD_CTRL_Read_unsigned) != 0,
            relu: relu(input, get(c::STACC_RELU_ApplyRelu), get(c::STACC_RELU_ReluThreshold))?,
        })
    }

    /// Whether Dst is read as 32-bit rows.
    pub fn wide(&self) -> bool {
        self.wide
    }

    /// A row of Dst, converted.
    #[inline]
    pub fn row(&self, dst: &Dst, row: usize) -> [u32; COLS] {
        if self.wide && self.intermediate == Fp32 && self.output == Fp32 && self.relu == Relu::Off {
            return dst.read32(row).map(dst::decode32);
        }
        let raw: [u32; COLS] = if self.wide { dst.read32(row) } else { dst.read16(row).map(u32::from) };
        raw.map(|datum| {
            let value = if self.wide { self.early32(datum) } else { self.early16(datum) };
            self.late(self.relu.apply(self.intermediate, value))
        })
    }

    fn early32(&self, datum: u32) -> u32 {
        if self.intermediate == Int16 {
            return datum >> 16;
        }
        let value = dst::decode32(datum);
        match self.intermediate {
            Bf16 => flush(((to_infinity(value) + 0x8000) >> 16) & 0xFFFF),
            Bfp8 => flush(((to_infinity(value) >> 16) + 1) & !1),
            Int8 if self.unsigned => {
                if value >> 31 != 0 {
                    0
                } else {
                    value.min(255)
                }
            }
            Int8 => (value >> 31 << 7) | (value & 0x7FFF_FFFF).min(127),
            _ => value,
        }
    }

    fn early16(&self, datum: u32) -> u32 {
        match self.intermediate {
            Fp16 => flush16(u32::from(dst::decode_fp16(datum as u16))),
            Bfp8a => {
                let value = u32::from(dst::decode_fp16(datum as u16));
                let value = if value & 0x7FFF > 0x7FF7 { value & 0x8000 | 0x7FF0 } else { value };
                flush16((value + 8) & !15)
            }
            Bf16 | Bfp8 => {
                let value = u32::from(dst::decode_bf16(datum as u16));
                let value = match value & 0x7FFF {
                    0x7F81.. => value & 0x8000 | 0x7F80,
                    ..0x80 => 0,
                    _ => value,
                };
                if self.intermediate == Bfp8 { (value + 1) & !1 } else { value }
            }
            _ => datum,
        }
    }

    fn late(&self, value: u32) -> u32 {
        let exponent = value >> 10 & 0x1F;
        match (self.intermediate, self.output) {
            (Fp16, Fp32) if exponent != 0 => (value & 0x8000) << 16 | ((value & 0x7FFF) + (112 << 10)) << 13,
            (Fp16, Fp32) => (value & 0x8000) << 16 | (value & 0x3FF) << 13,
            (Fp16, Bf16) | (Bfp8a, Bfp8) if exponent == 0 => 0,
            (Fp16, Bf16) | (Bfp8a, Bfp8) => value & 0x8000 | (exponent + 112) << 7 | (value & 0x3FF) >> 3,
            (Fp32, Fp16) => fp32_to_fp16(value),
            (Fp32, Bfp8 | Bfp4 | Bfp2) => flush(value >> 16),
            (Bf16 | Bfp8, Fp32) => value << 16,
            _ => value,
        }
    }
}

/// Pairs of formats whose conversion is defined, by what Dst holds.
fn supported(wide: bool, input: DataFormat, output: DataFormat) -> bool {
    if wide {
        matches!(
            (input, output),
            (Fp32, Fp32 | Fp16 | Bfp8 | Bfp4 | Bfp2)
                | (Bf16, Bf16)
                | (Bfp8, Bfp8 | Bfp4)
                | (Int32, Int32)
                | (Int16, Int16)
                | (Int8, Int8)
        )
    } else {
        matches!(
            (input, output),
            (Fp16, Fp32 | Fp16 | Bf16)
                | (Bfp8a, Bfp8)
                | (Bf16, Fp32 | Bf16 | Bfp8 | Bfp4 | Bfp2)
                | (Bfp8, Fp32 | Bf16 | Bfp8 | Bfp4)
                | (Int16, Int16)
        )
    }
}

fn relu(input: DataFormat, mode: u32, threshold: u32) -> Result<Relu, Fault> {
    if mode == 0 {
        return Ok(Relu::Off);
    }
    let threshold_of = || match input {
        Fp32 => threshold << 16,
        _ => threshold,
    };
    if threshold & 0x8000 != 0 {
        return Err(Fault::program(format!("negative ReLU threshold {threshold:#06x}")).page(PAGE));
    }
    match (mode, input) {
        (1, Fp32 | Fp16 | Bfp8a | Bf16 | Bfp8 | Int32) => Ok(Relu::Zero),
        (2, Fp32 | Fp16 | Bfp8a | Bf16 | Bfp8) => Ok(Relu::Above(threshold_of())),
        (3, Fp32 | Fp16 | Bfp8a | Bf16 | Bfp8) => Ok(Relu::Clamp(threshold_of())),
        _ => Err(Fault::not_implemented(format!("ReLU mode {mode} of {input:?}")).page(PAGE)),
    }
}

impl Relu {
    #[inline]
    fn apply(self, format: DataFormat, value: u32) -> u32 {
        if self == Relu::Off {
            return value;
        }
        let (sign, ignored) = match format {
            // The clamp compares what TF32 has of the number.
            Fp32 => (1 << 31, 13),
            Int32 => (1 << 31, 0),
            _ => (1 << 15, 0),
        };
        let value = if value & sign != 0 { 0 } else { value };
        match self {
            Relu::Above(threshold) if value <= threshold => 0,
            Relu::Clamp(threshold) if value >> ignored > threshold >> ignored => threshold,
            _ => value,
        }
    }
}

/// NaNs become infinities.
fn to_infinity(value: u32) -> u32 {
    if value & 0x7FFF_FFFF > INFINITY { value & 0x8000_0000 | INFINITY } else { value }
}

/// Denormals and -0 of bfloat16 become +0.
fn flush(value: u32) -> u32 {
    if value & 0x7FFF < 0x80 { 0 } else { value }
}

/// The same of half precision.
fn flush16(value: u32) -> u32 {
    if value & 0x7FFF < 0x400 { 0 } else { value }
}

/// Drops mantissa bits; saturates to the largest number, there is no infinity.
fn fp32_to_fp16(value: u32) -> u32 {
    let sign = value >> 31 << 15;
    match ((value >> 23 & 255) as i32) - 112 {
        ..0 => sign,
        32.. => sign | 0x7FFF,
        exponent => sign | (exponent as u32) << 10 | (value & 0x7F_FFFF) >> 13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversion(wide: bool, intermediate: DataFormat, output: DataFormat) -> Conversion {
        Conversion { intermediate, output, wide, unsigned: false, relu: Relu::Off }
    }

    #[test]
    fn narrowing_rounds_half_up() {
        let c = conversion(true, Bf16, Bf16);
        let early = |x: u32| c.early32(dst::encode32(x));
        assert_eq!(early(0x3F80_7FFF), 0x3F80);
        assert_eq!(early(0x3F80_8000), 0x3F81);
        assert_eq!(early(0xBF80_8000), 0xBF81);
        assert_eq!(early(0x7FC0_0000), 0x7F80);
        assert_eq!(early(0x8000_0001), 0);
    }

    #[test]
    fn single_to_half_precision_cuts_and_saturates() {
        let c = conversion(true, Fp32, Fp16);
        assert_eq!(c.late(1.0f32.to_bits()), 0x3C00);
        assert_eq!(c.late((-2.5f32).to_bits()), 0xC100);
        assert_eq!(c.late(1e9f32.to_bits()), 0x7FFF);
        assert_eq!(c.late(1e-9f32.to_bits()), 0);
    }

    #[test]
    fn relu_modes() {
        let bits = |x: f32| x.to_bits();
        assert_eq!(Relu::Zero.apply(Fp32, bits(-3.0)), 0);
        assert_eq!(Relu::Zero.apply(Fp32, bits(3.0)), bits(3.0));
        assert_eq!(Relu::Above(bits(2.0)).apply(Fp32, bits(2.0)), 0);
        assert_eq!(Relu::Clamp(bits(2.0)).apply(Fp32, bits(5.0)), bits(2.0));
        assert!(relu(Bf16, 1, 0x8000).is_err());
        assert!(relu(Int32, 2, 0).is_err());
    }
}
