//! The null device: everything but results.

use crate::common::{Rng, null, upload};
use tt_runtime::{Device, DeviceSpec, ElementType, Error, OpDescriptor, TensorView, ops, parse_devices};

#[test]
fn it_boots_and_completes_every_launch() {
    let (device, record) = Device::recording(&DeviceSpec::null(None));
    let info = device.info().unwrap();
    assert_eq!((info.grid, info.dram_total), ((8, 10), device.memory().total));
    let view = TensorView::contiguous(ElementType::F32, 1 << 20, [32, 4, 1, 1]);
    let copy = ops::copy(&view, &TensorView { addr: 2 << 20, ..view }, info.workers()).unwrap();
    let launches = [OpDescriptor::NOP, copy, OpDescriptor { op: 77, ..OpDescriptor::NOP }];
    launches.iter().for_each(|descriptor| device.execute(descriptor).unwrap());
    assert_eq!((device.counters().launches, record.descriptors()), (3, launches.to_vec()));
    // What the runtime refuses is refused here too, and not recorded.
    let beyond = OpDescriptor { dst: TensorView { addr: 12 << 30, ..view }, ..copy };
    assert!(matches!(device.execute(&beyond), Err(Error::OutOfRange { .. })));
    assert_eq!(record.descriptors().len(), 3);
}

#[test]
fn memory_keeps_what_is_written_and_nothing_else() {
    let device = null();
    let data: Vec<u8> = {
        let mut rng = Rng::new(3);
        (0..100_000).map(|_| rng.next() as u8).collect()
    };
    let (_memory, addr) = upload(&device, &data, 4096 - 4);
    let at = tt_runtime::DramAddr(addr - 2);
    let mut back = vec![1; data.len() + 4];
    device.read(at, &mut back).unwrap();
    assert!(back[..2] == [0; 2] && back[2..back.len() - 2] == data && back[back.len() - 2..] == [0; 2]);
    // A launch leaves it alone.
    let view = TensorView::contiguous(ElementType::F32, addr.next_multiple_of(4), [1000, 4, 1, 1]);
    device.execute(&ops::copy(&view, &TensorView { addr: view.addr + 16_000, ..view }, 8).unwrap()).unwrap();
    let mut after = vec![1; back.len()];
    device.read(at, &mut after).unwrap();
    assert_eq!(back, after);
}

#[test]
fn weight_tiles_come_back() {
    let device = null();
    let (k, n) = (96, 70);
    let size = TensorView::tiles(ElementType::TilesBfp8, 0, [k, n, 2, 1]).span();
    let memory = device.alloc(size).unwrap();
    let tiles = TensorView::tiles(ElementType::TilesBfp8, memory.addr().0, [k, n, 2, 1]);
    let data: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
    device.write_tiles(&tiles, 0, &data).unwrap();
    let mut back = vec![0; data.len()];
    device.read_tiles(&tiles, 0, &mut back).unwrap();
    assert!(back == data);
}

/// Any device can be recorded; the file has the text.
#[test]
fn a_simulator_is_recorded_too() {
    let (device, record) = Device::recording(&parse_devices(Some("sim,rows=1")).unwrap()[0]);
    device.execute(&OpDescriptor::NOP).unwrap();
    assert_eq!(record.listing(), "1 NOP cores=0\n");
    let file = std::env::temp_dir().join(format!("tt-record-{}", std::process::id()));
    let device = Device::open(&parse_devices(Some(&format!("null:{}", file.display()))).unwrap()[0]);
    (0..2).for_each(|_| device.execute(&OpDescriptor::NOP).unwrap());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "1 NOP cores=0\n2 NOP cores=0\n");
    std::fs::remove_file(&file).unwrap();
}
