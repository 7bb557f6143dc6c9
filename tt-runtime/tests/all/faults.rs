//! What goes wrong on a device is an error that says where; the process, other devices and the next try live on.

use std::mem::offset_of;

use crate::common::{null, simulator, upload};
use tt_kernel_abi::matmul::MatmulParams;
use tt_runtime::{DramAddr, ElementType, Error, OpDescriptor, TensorView, ops};
use zerocopy::IntoBytes;

fn matmul_at(src0: u64) -> OpDescriptor {
    let view = |addr, ne| TensorView::contiguous(ElementType::F32, addr, ne);
    let (src1, dst) = (view(32 << 20, [32, 1, 1, 1]), view(33 << 20, [32, 1, 1, 1]));
    ops::matmul(&view(src0, [32, 32, 1, 1]), &src1, &dst, 1).unwrap()
}

#[test]
fn tensors_beyond_the_memory_never_reach_a_kernel() {
    let device = null();
    for addr in [12 << 30, (12 << 30) - 4092, 1 << 62] {
        assert!(matches!(device.execute(&matmul_at(addr)), Err(Error::OutOfRange { .. })), "{addr:#x}");
    }
    device.execute(&matmul_at((12 << 30) - 4096)).unwrap();
}

#[test]
fn an_unknown_operator_is_refused_by_the_firmware() {
    let device = simulator();
    let unknown = OpDescriptor { op: 77, cores: 3, ..OpDescriptor::NOP };
    assert!(matches!(device.execute(&unknown), Err(Error::Kernel { .. })));
    device.execute(&OpDescriptor::NOP).unwrap();
}

#[test]
fn cores_that_do_not_finish_are_named() {
    let device = simulator();
    device.execute(&OpDescriptor::NOP).unwrap();
    // Weights that never come: the plan says that there is work for a core whose other cores see none.
    let mut broken = matmul_at(34 << 20);
    broken.params.as_mut_bytes().fill(u8::MAX);
    // Other products in the same launch have addresses, and those are checked.
    assert!(matches!(device.execute(&broken), Err(Error::OutOfRange { .. })));
    broken.params.as_mut_bytes()[offset_of!(MatmulParams, parts)..].fill(0);
    match device.execute(&broken) {
        Err(Error::Hung { cores, workers, .. }) => {
            assert_eq!(workers, 72);
            assert!(!cores.is_empty());
        }
        // Nonsense may also make a kernel leave its memory: that is a located fault.
        Err(Error::Transport(fault)) => assert!(fault.to_string().contains("tile ("), "{fault}"),
        other => panic!("{other:?}"),
    }
    // The device says so from now on, others are not concerned, and it can be opened again.
    assert!(matches!(device.execute(&OpDescriptor::NOP), Err(Error::Failed(_))));
    assert!(matches!(device.read(DramAddr(0), &mut [0]), Err(Error::Failed(_))));
    simulator().execute(&OpDescriptor::NOP).unwrap();
    device.reopen();
    device.execute(&OpDescriptor::NOP).unwrap();
}

#[test]
fn more_than_the_card_has_is_refused() {
    let device = null();
    let total = device.memory().total;
    assert!(matches!(device.alloc(total + 1), Err(Error::OutOfMemory { .. })));
    let (_memory, addr) = upload(&device, &[1, 2, 3], 0);
    let end = DramAddr(12 << 30);
    assert!(matches!(device.write(end, &[0]), Err(Error::OutOfRange { .. })));
    let mut back = [0; 3];
    device.read(DramAddr(addr), &mut back).unwrap();
    assert_eq!(back, [1, 2, 3]);
}
