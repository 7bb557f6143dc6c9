//! Elementwise operators on the simulated card, against FP64 on the host.

use crate::common::{Rng, encode, simulator, upload};
use tt_kernel_abi::sfpu::ON_SFPU;
use tt_runtime::ops::elementwise::{Binary, Glu, Unary};
use tt_runtime::ops::{binary, fill, glu, unary};
use tt_runtime::{DramAddr, ElementType, OpDescriptor, TensorView};

const CORES: u32 = 64;

fn decode(ty: ElementType, bytes: &[u8]) -> Vec<f32> {
    match ty {
        ElementType::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        ElementType::F16 => {
            bytes.as_chunks().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect()
        }
        _ => bytes.as_chunks().0.iter().map(|&b| half::bf16::from_le_bytes(b).to_f32()).collect(),
    }
}

/// What a function is in FP64.
fn exact(function: Unary, x: f64, p: [f64; 4]) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let hardsigmoid = ((x + 3.0) / 6.0).clamp(0.0, 1.0);
    let gelu = 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * x * (1.0 + 0.044715 * x * x)).tanh());
    match function {
        Unary::Abs => x.abs(),
        Unary::Sgn => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
        Unary::Neg => -x,
        Unary::Step => f64::from(u8::from(x > 0.0)),
        Unary::Tanh => x.tanh(),
        Unary::Elu => {
            if x > 0.0 {
                x
            } else {
                x.exp_m1()
            }
        }
        Unary::Relu => x.max(0.0),
        Unary::Sigmoid => sigmoid(x),
        Unary::Gelu => gelu,
        Unary::GeluQuick => x * sigmoid(1.702 * x),
        Unary::Silu => x * sigmoid(x),
        Unary::Hardswish => x * hardsigmoid,
        Unary::Hardsigmoid => hardsigmoid,
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Softplus => x.exp().ln_1p(),
        Unary::GeluErf => 0.5 * x * (1.0 + libm_erf(x / std::f64::consts::SQRT_2)),
        Unary::Xielu if x > 0.0 => p[1] * x * x + p[2] * x,
        Unary::Xielu => (x.min(p[3]).exp_m1() - x) * p[0] + p[2] * x,
        Unary::Floor => x.floor(),
        Unary::Ceil => x.ceil(),
        Unary::Round => x.round(),
        Unary::Trunc => x.trunc(),
        Unary::Sqr => x * x,
        Unary::Sqrt => x.sqrt(),
        Unary::Log => x.ln(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Scale => x * p[0] + p[1],
        Unary::Clamp => x.clamp(p[0], p[1]),
        Unary::LeakyRelu => {
            if x > 0.0 {
                x
            } else {
                x * p[0]
            }
        }
        Unary::Fill | Unary::Arange => unreachable!("have no argument"),
    }
}

/// The error function by its series, which converges for the arguments of this test.
fn libm_erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    2.0 / std::f64::consts::PI.sqrt() * sum
}

#[test]
fn functions_of_one_element() {
    let device = simulator();
    let mut rng = Rng::new(11);
    let p = [0.3f32, 0.7, 0.5, -1e-3];
    let values: Vec<f32> = (0..3000).map(|_| rng.unit() * 4.0).collect();
    let ne = [3000, 1, 1, 1];
    for &function in Unary::ALL.iter().filter(|f| !matches!(f, Unary::Fill | Unary::Arange)) {
        let positive = matches!(function, Unary::Sqrt | Unary::Log);
        let values: Vec<f32> = values.iter().map(|&x| if positive { x.abs() + 1e-3 } else { x }).collect();
        let (memory, addr) = upload(&device, &encode(ElementType::F32, &values).0, 0);
        let out = device.alloc(4 * 3000).unwrap();
        let x = TensorView::contiguous(ElementType::F32, addr, ne);
        let dst = TensorView::contiguous(ElementType::F32, out.addr().0, ne);
        device.execute(&unary(function, &p, &x, &dst, CORES).unwrap()).unwrap();
        let mut bytes = vec![0; 4 * 3000];
        device.read(out.addr(), &mut bytes).unwrap();
        for (x, ours) in values.iter().zip(decode(ElementType::F32, &bytes)) {
            let expected = exact(function, f64::from(*x), p.map(f64::from));
            let error = (f64::from(ours) - expected).abs();
            assert!(error <= 4e-7 * expected.abs().max(1.0), "{function:?}({x}) = {ours}, not {expected}");
        }
        drop(memory);
    }
}

#[test]
fn types_strides_repetition_and_results_in_place() {
    let device = simulator();
    let mut rng = Rng::new(5);
    for ty in [ElementType::F32, ElementType::F16, ElementType::BF16] {
        let size = u64::from(ty.block_bytes());
        let (n0, n1, n2) = (67u32, 5u32, 3u32);
        let count = (n0 * n1 * n2) as usize;
        let (a_bytes, a) = encode(ty, &(0..count).map(|_| rng.unit()).collect::<Vec<_>>());
        let (b_bytes, b) = encode(ElementType::F32, &(0..n1).map(|_| rng.unit()).collect::<Vec<_>>());
        let (_a, a_addr) = upload(&device, &a_bytes, 2 * size);
        let (_b, b_addr) = upload(&device, &b_bytes, 12);
        // Transposed: dimension 0 has gaps. The second operand repeats in dimensions 1 and 2.
        let nb = [size * u64::from(n1), size, size * u64::from(n0 * n1), size * count as u64];
        let view = TensorView::new(ty, a_addr, [n0, n1, n2, 1], nb);
        let factors = TensorView::new(ElementType::F32, b_addr, [1, n1, 1, 1], [4, 4, 20, 20]);
        device.execute(&binary(Binary::Mul, &view, &factors, &view, CORES).unwrap()).unwrap();
        let mut bytes = vec![0; a_bytes.len()];
        device.read(DramAddr(a_addr), &mut bytes).unwrap();
        for (i, ours) in decode(ty, &bytes).into_iter().enumerate() {
            let (_, expected) = encode(ty, &[a[i] * b[i % n1 as usize]]);
            assert_eq!(ours, expected[0], "{ty:?} element {i}");
        }
    }
}

#[test]
fn long_rows_are_cut_and_short_ones_repeat_along_them() {
    let device = simulator();
    let values: Vec<f32> = (0..40_000).map(|i| i as f32).collect();
    let (_x, x) = upload(&device, &encode(ElementType::F32, &values).0, 4);
    let (_y, y) = upload(&device, &encode(ElementType::F32, &values[..7]).0, 0);
    let long = TensorView::contiguous(ElementType::F32, x, [39_999, 1, 1, 1]);
    let short = TensorView::contiguous(ElementType::F32, y, [7, 1, 1, 1]);
    assert!(binary(Binary::Add, &long, &short, &long, CORES).is_err(), "39999 is no multiple of 7");
    let long = TensorView::contiguous(ElementType::F32, x, [39_998, 1, 1, 1]);
    device.execute(&binary(Binary::Add, &long, &short, &long, CORES).unwrap()).unwrap();
    let mut bytes = vec![0; 4 * 40_000];
    device.read(DramAddr(x), &mut bytes).unwrap();
    for (i, ours) in decode(ElementType::F32, &bytes).into_iter().enumerate() {
        let added = if i < 39_998 { i % 7 } else { 0 };
        assert_eq!(ours, (i + added) as f32);
    }
}

#[test]
fn gates_and_sequences() {
    let device = simulator();
    let (_x, x) = upload(&device, &encode(ElementType::F32, &[1.0, -2.0, 3.0, 10.0, 20.0, 30.0]).0, 0);
    let out = device.alloc(64).unwrap();
    let both = TensorView::contiguous(ElementType::F32, x, [6, 1, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, out.addr().0, [3, 1, 1, 1]);
    let result = |op| {
        device.execute(&op).unwrap();
        let mut bytes = [0; 12];
        device.read(out.addr(), &mut bytes).unwrap();
        decode(ElementType::F32, &bytes)
    };
    assert_eq!(result(glu(Glu::Reglu, false, &[], &both, None, &dst, CORES).unwrap()), [10.0, 0.0, 90.0]);
    assert_eq!(result(glu(Glu::Reglu, true, &[], &both, None, &dst, CORES).unwrap()), [10.0, -40.0, 90.0]);
    assert_eq!(result(fill(Unary::Arange, &[2.0, 0.5], &dst, CORES).unwrap()), [2.0, 2.5, 3.0]);
    assert_eq!(result(fill(Unary::Fill, &[7.0], &dst, CORES).unwrap()), [7.0; 3]);
}

/// Instructions of the chip that a launch takes: RISC-V, Tensix.
fn instructions(device: &std::sync::Arc<tt_runtime::Device>, op: &OpDescriptor) -> [u64; 2] {
    let count = || {
        let counters = device.counters();
        [counters.riscv_instructions, counters.tensix_instructions].map(|n| n.expect("a simulator counts"))
    };
    let before = count();
    device.execute(op).unwrap();
    let after = count();
    [after[0] - before[0], after[1] - before[1]]
}

/// The same elements on the data-movement cores and on the vector unit: results as near as both are to the exact ones, and
/// far fewer instructions. `TT_ELEMENTS=N` takes other numbers of elements.
#[test]
fn the_vector_unit_agrees_with_the_data_movement_cores() {
    let device = simulator();
    let mut rng = Rng::new(7);
    let count: u32 = std::env::var("TT_ELEMENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(40_000);
    let values: Vec<f32> = (0..count).map(|_| rng.unit() * 8.0).collect();
    let bytes = encode(ElementType::F32, &values).0;
    let (_a, a) = upload(&device, &bytes, 0);
    // Packers cannot reach results at such an address.
    let (_b, b) = upload(&device, &bytes, 4);
    let view = |addr| TensorView::contiguous(ElementType::F32, addr, [count, 1, 1, 1]);
    let workers = device.info().unwrap().workers();
    for (name, least) in [("SILU", 10), ("ADD", 4)] {
        let op = |addr| match name {
            "SILU" => unary(Unary::Silu, &[], &view(addr), &view(addr), workers).unwrap(),
            _ => binary(Binary::Add, &view(addr), &view(addr), &view(addr), workers).unwrap(),
        };
        let results = [a, b].map(|addr| {
            let op = op(addr);
            let taken = instructions(&device, &op);
            let mut bytes = vec![0; 4 * count as usize];
            device.read(DramAddr(addr), &mut bytes).unwrap();
            (op.flags, taken, decode(ElementType::F32, &bytes))
        });
        let [(on, few, fast), (off, many, slow)] = results;
        println!(
            "{name} of {count}: {few:?} instructions on the vector unit, {many:?} on the data-movement cores"
        );
        assert_eq!([on, off], [ON_SFPU, 0]);
        assert!(least * (few[0] + few[1]) < many[0], "{name}: {few:?} against {many:?} instructions");
        for (i, (x, y)) in fast.into_iter().zip(slow).enumerate() {
            assert!((x - y).abs() <= 1e-6 * y.abs(), "{name} element {i}: {x} and {y}");
        }
    }
}
