//! The early conversion: what Dst holds to the intermediate format, rounding half up (`Packers/FormatConversion.md`).
//!
//! The result has one of a few bit layouts ([`Class`]), whatever the precision: formats with fewer mantissa bits
//! have zeros in the rest.

use tt_isa::format::DataFormat::{self, *};

use super::CONVERSION_PAGE;
use crate::fault::Fault;
use crate::model::tensix::dst::{self, COLS};

/// What the bits of an intermediate value are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    /// Single precision, or 32-bit integers.
    Single,
    /// bfloat16.
    Brain,
    /// Half precision.
    Half,
    /// 16-bit integers.
    Int16,
    /// 8-bit integers.
    Int8,
}

impl Class {
    /// Of the values that a format stands for.
    pub fn of(format: DataFormat) -> Option<Self> {
        Some(match format {
            Fp32 | Tf32 | Int32 => Class::Single,
            Bf16 | Bfp8 => Class::Brain,
            Fp16 | Bfp8a | Fp8 => Class::Half,
            Int16 => Class::Int16,
            Int8 => Class::Int8,
            _ => return None,
        })
    }
}

/// How Dst is read (`PCK_DEST_RD_CTRL`, `INT_DESCALE`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reading {
    /// 32-bit rows.
    pub wide: bool,
    /// No rounding.
    pub raw: bool,
    /// Rounds to ten mantissa bits.
    pub ten_bits: bool,
    /// 8-bit integers have no sign.
    pub unsigned: bool,
    /// 32-bit integers are this many bits too long.
    pub shift: u32,
}

/// An early conversion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Early {
    /// 32 bits, as they are.
    Word,
    /// The upper half of 32 bits, in storage form.
    WordHigh,
    WordToTf32,
    WordToBf16,
    WordCutToBf16,
    WordToE8M6,
    WordToInt8 {
        shift: u32,
    },
    WordToUint8 {
        shift: u32,
    },
    WordCutToInt8,
    WordCutToUint8,
    /// 16 bits, in storage form.
    Storage,
    Bf16,
    /// NaNs and denormals too.
    Bf16Raw,
    Bf16ToTf32,
    Bf16ToE8M6,
    Fp16,
    Fp16Raw,
    Fp16CutToE5M7,
    Fp16ToE5M6,
    Fp16CutToFp8,
    /// Of a number in 16 bits the sign, as an 8-bit integer.
    Sign,
}

impl Early {
    /// The conversion to an intermediate format, and what comes of it.
    pub fn choose(to: DataFormat, how: Reading) -> Result<(Self, Class), Fault> {
        let Reading { wide, raw, ten_bits, unsigned, shift } = how;
        Ok(match (wide, to) {
            (true, Int32) => (Early::Word, Class::Single),
            (true, Fp32) if raw || !ten_bits => (Early::Word, Class::Single),
            (true, Tf32) if raw => (Early::Word, Class::Single),
            (true, Fp32 | Tf32) => (Early::WordToTf32, Class::Single),
            (true, Bf16) if ten_bits && !raw => (Early::WordToTf32, Class::Single),
            (true, Bf16 | Bfp8) if raw => (Early::WordCutToBf16, Class::Brain),
            (true, Bf16) => (Early::WordToBf16, Class::Brain),
            (true, Bfp8) => (Early::WordToE8M6, Class::Brain),
            (true, Int16) => (Early::WordHigh, Class::Int16),
            (true, Int8) => {
                let early = match (raw, unsigned) {
                    (false, false) => Early::WordToInt8 { shift },
                    (false, true) => Early::WordToUint8 { shift },
                    (true, false) => Early::WordCutToInt8,
                    (true, true) => Early::WordCutToUint8,
                };
                (early, Class::Int8)
            }
            (false, Tf32) if !raw => (Early::Bf16ToTf32, Class::Single),
            (false, Fp32 | Bf16) if ten_bits && !raw => (Early::Bf16ToTf32, Class::Single),
            (false, Bf16 | Bfp8) if raw => (Early::Bf16Raw, Class::Brain),
            (false, Bf16) => (Early::Bf16, Class::Brain),
            (false, Bfp8) => (Early::Bf16ToE8M6, Class::Brain),
            (false, Fp16) if raw => (Early::Fp16Raw, Class::Half),
            (false, Fp16) => (Early::Fp16, Class::Half),
            (false, Bfp8a) if raw => (Early::Fp16CutToE5M7, Class::Half),
            (false, Bfp8a) => (Early::Fp16ToE5M6, Class::Half),
            (false, Fp8) if raw => (Early::Fp16CutToFp8, Class::Half),
            (false, Int8) if raw && !unsigned => (Early::Sign, Class::Int8),
            (false, Int16) => (Early::Storage, Class::Int16),
            _ => {
                let width = if wide { 32 } else { 16 };
                let what = format!("packing {width}-bit Dst as {to:?} with {how:?}");
                return Err(Fault::program(what).page(CONVERSION_PAGE));
            }
        })
    }

    /// Converts a row of Dst, given in storage form.
    #[inline]
    pub fn apply(self, raw: [u32; COLS]) -> [u32; COLS] {
        let single = |f: fn(u32) -> u32| raw.map(|x| f(dst::decode32(x)));
        let brain = |f: fn(u32) -> u32| raw.map(|x| f(dst::decode_bf16(x as u16).into()));
        let half = |f: fn(u32) -> u32| raw.map(|x| f(dst::decode_fp16(x as u16).into()));
        match self {
            Early::Word => raw.map(dst::decode32),
            Early::WordHigh => raw.map(|x| x >> 16),
            Early::WordToTf32 => single(round_to_tf32),
            Early::WordToBf16 => single(|x| flush(((to_infinity(x) + 0x8000) >> 16) & 0xFFFF)),
            Early::WordCutToBf16 => single(|x| x >> 16),
            Early::WordToE8M6 => single(|x| flush(((to_infinity(x) >> 16) + 1) & !1)),
            Early::WordToInt8 { shift } => {
                raw.map(dst::decode32).map(|x| x >> 31 << 7 | shifted(x, shift).min(127) as u32)
            }
            Early::WordToUint8 { shift } => {
                let magnitude = |x: u32| if x >> 31 != 0 { 0 } else { shifted(x, shift).min(255) as u32 };
                raw.map(dst::decode32).map(magnitude)
            }
            Early::WordCutToInt8 => single(|x| x >> 31 << 7 | x & 0x7F),
            Early::WordCutToUint8 => single(|x| x & 0xFF),
            Early::Storage => raw,
            Early::Bf16 => brain(normal),
            Early::Bf16Raw => brain(|x| x),
            Early::Bf16ToTf32 => brain(|x| normal(x) << 16),
            Early::Bf16ToE8M6 => brain(|x| (normal(x) + 1) & !1),
            Early::Fp16 => half(flush16),
            Early::Fp16Raw => half(|x| x),
            Early::Fp16CutToE5M7 => half(|x| x & !7),
            Early::Fp16ToE5M6 => half(|x| {
                let x = if x & 0x7FFF > 0x7FF7 { x & 0x8000 | 0x7FF0 } else { x };
                flush16((x + 8) & !15)
            }),
            Early::Fp16CutToFp8 => half(|x| x & !0xFF),
            Early::Sign => raw.map(|x| x >> 15 << 7),
        }
    }
}

/// Magnitude without its lowest bits, rounded half up.
fn shifted(x: u32, shift: u32) -> u64 {
    (u64::from(x & 0x7FFF_FFFF) + (1 << shift >> 1)) >> shift
}

/// NaNs become infinities.
fn to_infinity(x: u32) -> u32 {
    const INFINITY: u32 = 0x7F80_0000;
    if x & 0x7FFF_FFFF > INFINITY { x & 0x8000_0000 | INFINITY } else { x }
}

/// Ten mantissa bits; denormals and -0 become +0.
fn round_to_tf32(x: u32) -> u32 {
    let rounded = to_infinity(x).wrapping_add(0x1000) & !0x1FFF;
    if rounded & 0x7FFF_FFFF < 0x80_0000 { 0 } else { rounded }
}

/// A bfloat16 number without NaNs, denormals and -0.
fn normal(x: u32) -> u32 {
    match x & 0x7FFF {
        0x7F81.. => x & 0x8000 | 0x7F80,
        ..0x80 => 0,
        _ => x,
    }
}

/// Denormals and -0 of bfloat16 become +0.
pub(super) fn flush(x: u32) -> u32 {
    if x & 0x7FFF < 0x80 { 0 } else { x }
}

/// The same of half precision.
fn flush16(x: u32) -> u32 {
    if x & 0x7FFF < 0x400 { 0 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Reading = Reading { wide: true, raw: false, ten_bits: false, unsigned: false, shift: 0 };

    fn wide(to: DataFormat, how: Reading, x: u32) -> u32 {
        Early::choose(to, how).unwrap().0.apply([dst::encode32(x); COLS])[7]
    }

    fn narrow(to: DataFormat, how: Reading, storage: u16) -> u32 {
        Early::choose(to, Reading { wide: false, ..how }).unwrap().0.apply([storage.into(); COLS])[7]
    }

    #[test]
    fn narrowing_rounds_half_up() {
        assert_eq!(wide(Bf16, PLAIN, 0x3F80_7FFF), 0x3F80);
        assert_eq!(wide(Bf16, PLAIN, 0x3F80_8000), 0x3F81);
        assert_eq!(wide(Bf16, PLAIN, 0xBF80_8000), 0xBF81);
        assert_eq!(wide(Bf16, PLAIN, 0x7FC0_0000), 0x7F80);
        assert_eq!(wide(Bf16, PLAIN, 0x8000_0001), 0);
    }

    /// By hand from the page: the vendor's simulator does not round to ten bits.
    #[test]
    fn ten_bits_by_any_name() {
        let ten = Reading { ten_bits: true, ..PLAIN };
        for (format, how) in [(Tf32, PLAIN), (Fp32, ten), (Bf16, ten)] {
            assert_eq!(Early::choose(format, how).unwrap().1, Class::Single);
            assert_eq!(wide(format, how, 0x3F80_0FFF), 0x3F80_0000);
            assert_eq!(wide(format, how, 0x3F80_1000), 0x3F80_2000);
            assert_eq!(wide(format, how, 0xFFC0_0001), 0xFF80_0000);
            assert_eq!(wide(format, how, 0x8000_1FFF), 0);
        }
        assert_eq!(narrow(Tf32, PLAIN, dst::encode_bf16(0xC0A1)), 0xC0A1_0000);
        assert_eq!(narrow(Bf16, ten, dst::encode_bf16(0x7FC0)), 0x7F80_0000);
        // Raw, all bits stay.
        assert_eq!(wide(Tf32, Reading { raw: true, ..PLAIN }, 0x7FC0_0001), 0x7FC0_0001);
        assert!(Early::choose(Fp32, Reading { wide: false, ..PLAIN }).is_err());
    }

    /// By hand from the page.
    #[test]
    fn raw_numbers_are_cut() {
        let raw = Reading { raw: true, ..PLAIN };
        assert_eq!(wide(Bf16, raw, 0x8001_FFFF), 0x8001);
        assert_eq!(wide(Bfp8, raw, 0x7FC1_FFFF), 0x7FC1);
        assert_eq!(narrow(Bf16, raw, dst::encode_bf16(0x8001)), 0x8001);
        assert_eq!(narrow(Fp16, raw, dst::encode_fp16(0x8001)), 0x8001);
        assert_eq!(narrow(Bfp8a, raw, dst::encode_fp16(0x3FFF)), 0x3FF8);
        assert_eq!(narrow(Fp8, raw, dst::encode_fp16(0x3FFF)), 0x3F00);
        assert!(Early::choose(Fp8, Reading { wide: false, ..PLAIN }).is_err());
    }

    /// By hand from the page.
    #[test]
    fn integers_are_shifted_rounded_and_saturated() {
        let shift = |shift| Reading { shift, ..PLAIN };
        assert_eq!(wide(Int8, shift(0), 0x8000_0080), 0xFF);
        assert_eq!(wide(Int8, shift(4), 0x8000_0027), 0x82);
        assert_eq!(wide(Int8, shift(4), 0x0000_0028), 0x03);
        assert_eq!(wide(Int8, shift(31), 0x7FFF_FFFF), 1);
        let unsigned = |shift| Reading { unsigned: true, shift, ..PLAIN };
        assert_eq!(wide(Int8, unsigned(1), 0x1FF), 0xFF);
        assert_eq!(wide(Int8, unsigned(1), 0x8000_0001), 0);
        let raw = Reading { raw: true, ..PLAIN };
        assert_eq!(wide(Int8, raw, 0x8000_01C5), 0xC5);
        assert_eq!(wide(Int8, Reading { unsigned: true, ..raw }, 0x8000_01C5), 0xC5);
        assert_eq!(narrow(Int8, raw, 0xBEEF), 0x80);
    }
}
