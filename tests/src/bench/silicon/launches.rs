//! What goes through the runtime: a launch on all cores, from the host's first write until it knows that all are done.

use anyhow::{Context as _, Result};
use tt_kernel_abi::elementwise::Unary;
use tt_runtime::ops::fill;
use tt_runtime::{Device, ElementType, TensorView, parse_devices};

use super::{Anchor, Measure};

pub const ANCHORS: [Anchor; 1] = [
    // tt-metal's trace of an empty program on all cores takes 1.05 to 1.21 us, with the host out of the way.
    Anchor {
        name: "launch.all_cores",
        unit: "us",
        published: 1.05,
        tolerance: 0.0,
        at_least: true,
        measure: Measure::Runtime(launch),
    },
];

/// Launches that are measured.
const LAUNCHES: u32 = 8;

/// Microseconds of a launch on all tiles that gives each of them one row of 32 elements to fill.
fn launch() -> Result<f64> {
    let spec = parse_devices(Some("sim:n150,timed"))?.into_iter().next().context("a device")?;
    let device = Device::open(&spec);
    let workers = device.info()?.workers();
    let row = device.alloc(u64::from(4 * 32 * workers))?;
    let view = TensorView::contiguous(ElementType::F32, row.addr().0, [32, workers, 1, 1]);
    let op = fill(Unary::Fill, &[1.0], &view, workers)?;
    // The first one brings what the following ones find in place.
    device.execute(&op)?;
    let clock = || device.counters().clocks.context("the timed mode counts clocks");
    let begin = clock()?;
    for _ in 0..LAUNCHES {
        device.execute(&op)?;
    }
    Ok((clock()? - begin) as f64 / 1000.0 / f64::from(LAUNCHES))
}
