//! The runtime's transport for the vendor's library, with this project's library in its place. The same kernels give the same
//! bytes in process and through the C ABI.

#[path = "../../../tt-runtime/tests/common/mod.rs"]
mod common;
mod support;

use std::sync::Arc;

use common::set_rows::{self, SHAPES};
use common::{Rng, encode, simulator, upload};
use support::library;
use tt_isa::noc::NocXy;
use tt_isa::tlb::TlbTarget;
use tt_runtime::transport::ttsim::TtSim;
use tt_runtime::transport::{Simulated, Transport, TransportError};
use tt_runtime::{Device, DeviceSpec, DramAddr, ElementType, Error, TensorView, ops};

fn both() -> [Arc<Device>; 2] {
    [simulator(), Device::open(&DeviceSpec::TtSim { library: library() })]
}

/// Result of 5 rows of 96 elements times weights of 77 rows, as bytes.
fn matmul(device: &Arc<Device>, ty: ElementType) -> Vec<u8> {
    let [k, n, rows] = [96, 77, 5];
    let mut rng = Rng::new(3);
    let values: Vec<f32> = (0..k * n).map(|_| rng.unit()).collect();
    let x: Vec<u8> = (0..k * rows).flat_map(|_| rng.unit().to_le_bytes()).collect();
    let (_m0, a0) = upload(device, &encode(ty, &values).0, 0);
    let (_m1, a1) = upload(device, &x, 4);
    let mut out = vec![0xAB; (n * rows * 4) as usize];
    let (_m2, a2) = upload(device, &out, 8);
    let src0 = TensorView::contiguous(ty, a0, [k, n, 1, 1]);
    let src1 = TensorView::contiguous(ElementType::F32, a1, [k, rows, 1, 1]);
    let dst = TensorView::contiguous(ElementType::F32, a2, [n, rows, 1, 1]);
    let workers = device.info().unwrap().workers();
    device.execute(&ops::matmul(&src0, &src1, &dst, workers).unwrap()).unwrap();
    device.read(DramAddr(a2), &mut out).unwrap();
    out
}

#[test]
fn products_are_the_same_bytes() {
    let devices = both();
    for ty in [ElementType::F32, ElementType::F16, ElementType::Q8_0] {
        let [a, b] = devices.each_ref().map(|device| matmul(device, ty));
        assert!(a.iter().any(|&byte| byte != 0xAB) && a == b, "{ty:?}: other bytes");
    }
}

#[test]
fn scattered_rows_are_the_same_bytes() {
    let devices = both();
    for (ne, index_ne) in SHAPES {
        for outside in [false, true] {
            let case = set_rows::Case {
                dst: ElementType::F16,
                index: ElementType::I64,
                ne,
                index_ne,
                off: 1,
                outside,
            };
            for device in &devices {
                let outcome = set_rows::run(device, &mut Rng::new(5), case);
                assert!(outcome.got == outcome.want, "{case:?}: other bytes");
                match outcome.result {
                    Err(Error::Kernel { .. }) => assert!(outside, "{case:?}"),
                    result => assert!(!outside && result.is_ok(), "{case:?}: {result:?}"),
                }
            }
        }
    }
}

#[test]
fn a_fault_reaches_the_runtime_as_text() {
    let mut chip = TtSim::new(&library()).unwrap();
    chip.configure_window(0, &TlbTarget::unicast(NocXy::new(18, 18), 0xFF00_0000)).unwrap();
    // Nothing is mapped there in a Tensix tile.
    let error = chip.read(0, 0x80_0000, &mut [0; 4]).unwrap_err();
    assert!(
        matches!(&error, TransportError::TtSim(why) if why.contains("libttsim_pci_mem_rd_bytes")),
        "{error}"
    );
    assert!(matches!(chip.advance(1), Err(TransportError::TtSim(_))));
}
