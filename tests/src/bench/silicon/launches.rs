//! What goes through the runtime: a launch on all cores, from the host's first write until it knows that all are done.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tt_kernel_abi::OpDescriptor;
use tt_kernel_abi::elementwise::Unary;
use tt_runtime::ops::rows::NormFunction;
use tt_runtime::ops::{fill, norm_mul};
use tt_runtime::{Device, ElementType, TensorView, parse_devices};

use super::{Anchor, Measure};

pub const ANCHORS: [Anchor; 3] = [
    // tt-metal's trace of an empty program on all cores takes 1.05 to 1.21 us, with the host out of the way.
    Anchor {
        name: "launch.all_cores",
        unit: "us",
        published: 1.05,
        tolerance: 0.0,
        at_least: true,
        measure: Measure::Runtime(launch),
    },
    // The same of our empty program, as a step of a stream, which the host does not start.
    Anchor {
        name: "step.empty",
        unit: "us",
        published: 1.05,
        tolerance: 0.0,
        at_least: true,
        measure: Measure::Runtime(step),
    },
    // TTNN's RMSNorm of a row of 4096 takes 22.6 us on 32 cores that have it in L1, 85 us from DRAM, 108 us on one core (tt-metal issue 8060).
    // Another program: the same within an order of magnitude is plausible.
    Anchor {
        name: "norm.4096",
        unit: "us",
        published: 85.0,
        tolerance: 0.9,
        at_least: false,
        measure: Measure::Runtime(norm),
    },
];

/// Launches that are measured.
const LAUNCHES: u32 = 8;

/// Microseconds of a launch on all tiles that gives each of them one row of 32 elements to fill.
fn launch() -> Result<f64> {
    let device = device()?;
    let workers = device.info()?.workers();
    let row = device.alloc(u64::from(4 * 32 * workers))?;
    let view = TensorView::contiguous(ElementType::F32, row.addr().0, [32, workers, 1, 1]);
    let op = fill(Unary::Fill, &[1.0], &view, workers)?;
    microseconds(&device, &op)
}

/// Microseconds of a step of a stream in which all tiles do nothing.
fn step() -> Result<f64> {
    let device = device()?;
    let clock = || device.counters().clocks.context("the timed mode counts clocks");
    let mut stream = device.stream();
    let mut run = |steps: u32| {
        (0..steps).try_for_each(|_| stream.push(&OpDescriptor::NOP))?;
        let begin = clock()?;
        stream.finish()?;
        anyhow::Ok((clock()? - begin) as f64 / 1000.0)
    };
    run(1)?;
    Ok((run(8 * LAUNCHES)? - run(LAUNCHES)?) / f64::from(7 * LAUNCHES))
}

/// Microseconds of RMS_NORM and MUL of one row of 4096 elements.
fn norm() -> Result<f64> {
    const ELEMENTS: u32 = 4096;
    let device = device()?;
    let rows: Vec<_> = (0..3).map(|_| device.alloc(u64::from(4 * ELEMENTS))).collect::<Result<_, _>>()?;
    let ones = 1_f32.to_le_bytes().repeat(ELEMENTS as usize);
    for row in &rows {
        device.write(row.addr(), &ones)?;
    }
    let [x, factors, y] =
        [0, 1, 2].map(|n| TensorView::contiguous(ElementType::F32, rows[n].addr().0, [ELEMENTS, 1, 1, 1]));
    let op = norm_mul(NormFunction::RmsNorm, 1e-5, &x, &factors, &y, device.info()?.workers())?;
    microseconds(&device, &op)
}

fn device() -> Result<Arc<Device>> {
    let spec = parse_devices(Some("sim:n150,timed"))?.into_iter().next().context("a device")?;
    Ok(Device::open(&spec))
}

/// Microseconds of a launch, the mean of some.
fn microseconds(device: &Device, op: &OpDescriptor) -> Result<f64> {
    // The first one brings what the following ones find in place.
    device.execute(op)?;
    let clock = || device.counters().clocks.context("the timed mode counts clocks");
    let begin = clock()?;
    for _ in 0..LAUNCHES {
        device.execute(op)?;
    }
    Ok((clock()? - begin) as f64 / 1000.0 / f64::from(LAUNCHES))
}
