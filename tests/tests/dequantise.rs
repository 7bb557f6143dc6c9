//! Our decoders of ggml's types against ggml's own (`to_float` of its type traits), bit for bit.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};

use libloading::Library;
use tt_runtime::layout::{GgmlType, Isa};
use tt_tests::random::Random;
use tt_tests::{Tools, need};

/// `struct ggml_type_traits`
#[repr(C)]
struct Traits {
    type_name: *const c_char,
    blck_size: i64,
    blck_size_interleave: i64,
    type_size: usize,
    is_quantized: bool,
    to_float: Option<unsafe extern "C" fn(*const c_void, *mut f32, i64)>,
}

/// ggml-base, for as long as the test runs.
struct Ggml {
    traits: unsafe extern "C" fn(c_int) -> *const Traits,
    _library: Library,
}

impl Ggml {
    fn load(tools: &Tools) -> Self {
        // SAFETY: ggml-base has no initialiser of consequence, and the function the type that ggml.h gives it.
        unsafe {
            let library = Library::new(tools.bin().join("libggml-base.so")).unwrap();
            let traits = *library.get(b"ggml_get_type_traits").unwrap();
            Self { traits, _library: library }
        }
    }

    fn traits(&self, ty: GgmlType) -> &Traits {
        // SAFETY: the number is one of a type; the traits are constants.
        unsafe { &*(self.traits)(ty.number() as c_int) }
    }

    fn to_float(&self, ty: GgmlType, row: &[u8], out: &mut [f32]) {
        match self.traits(ty).to_float {
            // SAFETY: `row` encodes as many values as `out` has.
            Some(to_float) => unsafe { to_float(row.as_ptr().cast(), out.as_mut_ptr(), out.len() as i64) },
            None => assert_eq!(ty, GgmlType::F32, "ggml cannot decode {}", ty.name()),
        }
    }
}

/// Whether a byte of a block belongs to a half precision scale or minimum (first bytes given), so that adversarial values
/// can be put there.
fn half_fields(ty: GgmlType) -> &'static [usize] {
    use GgmlType::*;
    match ty {
        F32 | BF16 | MXFP4 | NVFP4 | IQ1_M => &[],
        F16 | Q4_0 | Q5_0 | Q8_0 | IQ4_NL | IQ4_XS | IQ1_S | IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS | IQ3_S
        | Q1_0 | Q2_0 => &[0],
        Q4_1 | Q5_1 | Q4_K | Q5_K => &[0, 2],
        Q2_K => &[80, 82],
        Q3_K => &[108],
        Q6_K => &[208],
        TQ1_0 => &[52],
        TQ2_0 => &[64],
    }
}

/// Zeros, denormals, the smallest and largest normal numbers, infinities, NaNs.
const HALVES: [u16; 14] = [
    0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0xFE01,
    0x7C01,
];

fn adversarial(ty: GgmlType, block: &mut [u8], random: &mut Random) {
    match random.below(4) {
        0 => block.fill(0xFF),
        1 => block.fill(0),
        _ => {}
    }
    for &at in half_fields(ty) {
        let half = HALVES[random.below(HALVES.len() as u32) as usize];
        block[at..at + 2].copy_from_slice(&half.to_le_bytes());
    }
}

#[test]
fn the_same_bits_as_ggml() {
    let tools = need!(Tools::find());
    let ggml = Ggml::load(&tools);
    let mut random = Random(7);
    for ty in GgmlType::ALL {
        let traits = ggml.traits(ty);
        // SAFETY: a constant string.
        assert_eq!(unsafe { CStr::from_ptr(traits.type_name) }.to_str(), Ok(ty.name()));
        let (len, bytes) = ty.block();
        assert_eq!((traits.blck_size, traits.type_size), (len as i64, bytes), "{}", ty.name());
        let blocks = (1 << 20) / len;
        let mut row = random.bytes(blocks * bytes);
        for block in row.chunks_exact_mut(bytes).step_by(3) {
            adversarial(ty, block, &mut random);
        }
        let (mut want, mut got) = (vec![0.0; blocks * len], vec![0.0; blocks * len]);
        if ty == GgmlType::F32 {
            want = row.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        } else {
            ggml.to_float(ty, &row, &mut want);
        }
        for isa in Isa::available() {
            isa.dequantise(ty, &row, &mut got);
            let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
            let wrong = want.iter().zip(&got).position(differs);
            assert_eq!(wrong, None, "{} on {}", ty.name(), isa.name());
        }
    }
}
