//! Our decoders and encoders of ggml's types against ggml's own (`to_float` and `from_float` of its type traits), bit for bit.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};

use libloading::Library;
use tt_kernel_quant::encode;
use tt_runtime::layout::{GgmlType, Isa};
use tt_tests::blocks::half_fields;
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

/// `struct ggml_type_traits_cpu`
#[repr(C)]
struct CpuTraits {
    from_float: Option<unsafe extern "C" fn(*const f32, *mut c_void, i64)>,
}

/// Blocks of `values` as ggml's CPU backend encodes them.
fn from_float(library: &Library, ty: GgmlType, values: &[f32]) -> Vec<u8> {
    type CpuTraitsOf = unsafe extern "C" fn(c_int) -> *const CpuTraits;
    let mut row = vec![0; ty.row_bytes(values.len()).unwrap()];
    // SAFETY: the function has the type that ggml-cpu.h gives it, and `row` has room for the blocks of all values.
    unsafe {
        let traits = library.get::<CpuTraitsOf>(b"ggml_get_type_traits_cpu").unwrap()(ty.number() as c_int);
        (*traits).from_float.unwrap()(values.as_ptr(), row.as_mut_ptr().cast(), values.len() as i64);
    }
    row
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
    let mut random = Random::new(7);
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

/// Blocks of all kinds: of numbers alike, of magnitudes far apart, of few distinct numbers, of one sign, of zeros.
fn random_values(random: &mut Random, count: usize) -> Vec<f32> {
    let mut unit = |n: u32| random.below(n) as f32 / (n / 2) as f32 - 1.0;
    let mut values = Vec::with_capacity(count);
    for block in 0..count / 32 {
        let scale = 10f32.powf(3.0 * unit(2001));
        values.extend((0..32).map(|_| match block % 7 {
            0 => scale * unit(1 << 24) * 10f32.powf(2.0 * unit(2001)),
            1 => scale * unit(16).round(),
            2 => scale * unit(9),
            3 => scale * unit(1 << 24).abs(),
            4 if block % 2 == 0 => 0.0,
            _ => scale * unit(1 << 24),
        }));
    }
    values
}

#[test]
fn the_same_blocks_as_ggml() {
    let tools = need!(Tools::find());
    // SAFETY: its initialisers register a backend and do nothing else.
    let library = unsafe { Library::new(tools.bin().join("libggml-cpu.so")) }.unwrap();
    let values = random_values(&mut Random::new(9), 1 << 18);
    for ty in GgmlType::ALL.into_iter().filter(|&ty| encode::is_known(ty)) {
        let want = from_float(&library, ty, &values);
        let mut got = vec![0; want.len()];
        encode::row(ty, &values, &mut got);
        let (len, bytes) = ty.block();
        for (block, (want, got)) in want.chunks(bytes).zip(got.chunks(bytes)).enumerate() {
            // ggml leaves anything in a block of zeros whose scale is zero.
            let nothing = ty == GgmlType::IQ4_NL && want[..2] == [0, 0];
            let values = &values[block * len..][..len];
            assert!(
                want == got || nothing && got[..2] == [0, 0],
                "{} {values:?}: {want:?} {got:?}",
                ty.name()
            );
        }
    }
}
