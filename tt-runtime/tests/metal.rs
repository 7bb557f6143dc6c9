//! The runtime over the vendor's user-mode driver: the same launches as on the built-in simulator give the same bytes. Feature `metal`.
//!
//! `TTNN_WHEEL` or `TT_METAL_HOME` names the driver, and `TT_METAL_SIMULATOR` our `libttsim.so`, as `cargo xtask test --ttnn` sets
//! them; `TT_SIM_CLOCKS` lets time pass quickly enough, since the driver asks for one clock with every read. All in one test: the driver
//! has one set of chips in a process.
#![cfg(feature = "metal")]

mod common;

use std::sync::Arc;

use common::{Rng, experts, set_rows, simulator, upload};
use tt_runtime::ops::elementwise::Binary;
use tt_runtime::{Device, DeviceSpec, DramAddr, ElementType, Error, TensorView, ops, parse_devices};

/// Whether a variable is set.
fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn chip(number: u32) -> Arc<Device> {
    Device::open(&DeviceSpec::Metal { chip: number })
}

/// The sum of two tensors.
fn sum(device: &Arc<Device>) -> Result<Vec<u8>, Error> {
    let shape = [100, 37, 2, 1];
    let bytes = |seed| {
        let mut rng = Rng::new(seed);
        (0..7400).flat_map(|_| rng.unit().to_le_bytes()).collect::<Vec<u8>>()
    };
    let uploaded = [1, 2].map(|seed| upload(device, &bytes(seed), 4));
    let [a, b] = uploaded.each_ref().map(|&(_, at)| TensorView::contiguous(ElementType::F32, at, shape));
    let workers = device.info()?.workers();
    device.execute(&ops::binary(Binary::Add, &a, &b, &a, workers).expect("a sum"))?;
    let mut out = vec![0; 29600];
    device.read(DramAddr(uploaded[0].1), &mut out)?;
    Ok(out)
}

#[test]
fn launches_over_the_vendors_driver_give_the_same_bytes() {
    if !is_set("TT_METAL_SIMULATOR") || !(is_set("TTNN_WHEEL") || is_set("TT_METAL_HOME")) {
        println!(
            "SKIPPED: TTNN_WHEEL and TT_METAL_SIMULATOR are not set (cargo xtask test --ttnn sets them)"
        );
        return;
    }
    let (device, simulated) = (chip(0), simulator());
    assert_eq!(device.description(), "Tenstorrent Wormhole (vendor driver)");
    assert_eq!(sum(&device).unwrap(), sum(&simulated).unwrap());
    let case = experts::Case::new(64, 70, [5, 2, 33]);
    let [there, here] =
        [&device, &simulated].map(|device| experts::run(device, &mut Rng::new(12), case).unwrap().got);
    assert_eq!(there, here, "products");
    // A kernel that refuses its launch says so by way of the driver too.
    let (ne, index_ne) = set_rows::SHAPES[0];
    let index = ElementType::I64;
    let case = set_rows::Case { dst: ElementType::F16, index, ne, index_ne, off: 1, outside: true };
    let outcome = set_rows::run(&device, &mut Rng::new(5), case);
    assert!(outcome.got == outcome.want && matches!(outcome.result, Err(Error::Kernel { .. })), "{case:?}");

    let error = chip(0).info().unwrap_err().to_string();
    assert!(error.contains("name it once"), "{error}");
    let error = chip(7).info().unwrap_err().to_string();
    assert!(error.contains("no chip 7 (it has: 0)"), "{error}");
    drop(device);
    if let Some(library) = std::env::var_os("TTSIM_BH_LIB").filter(|path| !path.is_empty()) {
        another_chip(std::path::Path::new(&library));
    }
    // Given back, it can be had again.
    assert_eq!(sum(&chip(0)).unwrap(), sum(&simulated).unwrap());
}

/// A simulator of a Blackhole beside the description of a Wormhole: in a process of its own, since this one has the right one.
fn another_chip(library: &std::path::Path) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("metal-blackhole");
    std::fs::create_dir_all(&folder).unwrap();
    let copy = folder.join("libttsim.so");
    std::fs::copy(library, &copy).unwrap();
    std::fs::write(folder.join("soc_descriptor.yaml"), "arch_name: WORMHOLE_B0\n").unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "opening_says_why_not", "--nocapture", "--ignored"])
        .env("TT_METAL_SIMULATOR", copy)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("its chip is a Blackhole"), "{said}");
}

/// What [`another_chip`] runs.
#[test]
#[ignore = "part of another test"]
fn opening_says_why_not() {
    println!("{}", chip(0).info().err().map_or_else(String::new, |error| error.to_string()));
}

#[test]
fn a_number_is_a_device() {
    let devices = parse_devices(Some("metal:3")).unwrap();
    assert!(matches!(devices[..], [DeviceSpec::Metal { chip: 3 }]));
    for wrong in ["metal", "metal:", "metal:x", "metal:-1"] {
        assert!(parse_devices(Some(wrong)).unwrap_err().to_string().contains("metal:0"), "{wrong}");
    }
}
