//! Elementwise operators that run on the vector unit.

use std::sync::Arc;

use tt_kernel_abi::sfpu::ON_SFPU;
use tt_kernel_sfpu as sfpu;
use tt_runtime::ops::elementwise::{Binary, Glu, Unary};
use tt_runtime::{Device, DramAddr, ElementType, OpDescriptor, TensorView, ops};

use super::{Rng, encode, upload};

/// Own parameters of functions that have some.
pub const PARAMS: [f32; 4] = [0.3, 0.7, 0.5, -1e-3];

/// Functions of each family that have a program.
pub fn functions() -> (Vec<Unary>, Vec<Binary>, Vec<Glu>) {
    let unary = Unary::ALL.iter().copied().filter(|&f| sfpu::unary(f).is_some()).collect();
    let binary = Binary::ALL.iter().copied().filter(|&f| sfpu::binary(f).is_some()).collect();
    (unary, binary, Glu::ALL.iter().copied().filter(|&f| sfpu::glu(f).is_some()).collect())
}

/// Runs every function of the vector unit that `wanted` picks by its number on tensors of `shape`, the second operand repeated in
/// dimension 1; gives all results one after the other, as bytes. The vector unit must have been chosen.
pub fn run(device: &Arc<Device>, rng: &mut Rng, shape: [u32; 3], wanted: impl Fn(usize) -> bool) -> Vec<u8> {
    let [n0, n1, n2] = shape;
    let cores = device.info().expect("it boots").workers().min(3);
    let count = n0 * n1 * n2;
    let mut values = |n: u32| -> Vec<f32> {
        (0..n).map(|_| rng.unit() * 2f32.powi((rng.next() % 12) as i32 - 6)).collect()
    };
    let (_a, a) = upload(device, &encode(ElementType::F32, &values(count)).0, 0);
    let (_b, b) = upload(device, &encode(ElementType::F32, &values(n0 * n2)).0, 16);
    let (_c, c) = upload(device, &vec![0; 4 * count as usize], 48);
    let view = |addr, ne| TensorView::contiguous(ElementType::F32, addr, ne);
    let (a, dst) = (view(a, [n0, n1, n2, 1]), view(c, [n0, n1, n2, 1]));
    let b = view(b, [n0, 1, n2, 1]);
    let repeated = TensorView { ne: a.ne, nb: [b.nb[0], 0, b.nb[2], b.nb[3]], ..b };
    let (unary, binary, glu) = functions();
    let unary = unary.into_iter().map(|f| ops::unary(f, &PARAMS, &a, &dst, cores));
    let binary = binary.into_iter().map(|f| ops::binary(f, &a, &b, &dst, cores));
    let glu = glu.into_iter().map(|f| ops::glu(f, false, &PARAMS[..2], &a, Some(&repeated), &dst, cores));
    let all: Vec<OpDescriptor> = unary.chain(binary).chain(glu).map(|op| op.expect("supported")).collect();
    let mut results = Vec::new();
    for (number, op) in all.iter().enumerate().filter(|(number, _)| wanted(*number)) {
        assert_eq!(op.flags, ON_SFPU, "function {number}");
        device.execute(op).unwrap_or_else(|error| panic!("function {number}: {error}"));
        let mut bytes = vec![0; 4 * count as usize];
        device.read(DramAddr(dst.addr), &mut bytes).expect("a result");
        results.extend(bytes);
    }
    results
}
