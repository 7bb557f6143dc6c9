//! What goes through the runtime: the host's transfers, launches, and a product with a vector.
//!
//! On a card time is the host's; in a simulator it is the chip's, which passes for the host's accesses too.

use std::sync::Arc;
use std::time::Instant;

use tt_kernel_abi::elementwise::Unary;
use tt_runtime::{Device, DeviceSpec, ElementType, Error, TensorView, ops};

use super::Figure;

/// Bytes of a transfer, and how often.
const TRANSFER: usize = 8 << 20;
const READ: usize = 1 << 20;
/// Launches that are measured.
const LAUNCHES: u32 = 16;
/// Rows and length of the matrix: BF16, 8 MiB.
const ROWS: u32 = 2048;
const LENGTH: u32 = 2048;
const PRODUCTS: u32 = 2;

const TT_METAL: &str = "tt-metal, PERF benchmarks of n300";

/// Measures all of it.
///
/// # Errors
/// The device does not boot, or fails.
pub fn measure(spec: &DeviceSpec) -> Result<Vec<Figure>, Error> {
    let device = Device::open(spec);
    let (rate, read) = transfers(&device)?;
    let (launch, gemv) = (launches(&device)?, gemv(&device)?);
    let figure = |name, value, unit, published| Figure { name, value, unit, published };
    Ok(vec![
        figure("PCIe, host to DRAM", rate, "GB/s", Some((10.3, TT_METAL))),
        figure("PCIe, DRAM to host", read, "GB/s", Some((9.6, TT_METAL))),
        figure("launch on all tiles", launch, "us", Some((1.21, "tt-metal, empty programs of a trace"))),
        figure("product with a vector, of weights read", gemv, "GB/s", Some((265.5, "reads of DRAM alone"))),
    ])
}

/// Seconds that something takes, `times` times.
fn seconds(device: &Arc<Device>, times: u32, mut f: impl FnMut() -> Result<(), Error>) -> Result<f64, Error> {
    let clocks = || {
        let counters = device.counters();
        Some((counters.clocks?, counters.clocks_us?))
    };
    let (started, before) = (Instant::now(), clocks());
    (0..times).try_for_each(|_| f())?;
    let taken = match (before, clocks()) {
        (Some((before, _)), Some((after, clocks_us))) => (after - before) as f64 / f64::from(clocks_us) / 1e6,
        _ => started.elapsed().as_secs_f64(),
    };
    Ok(taken / f64::from(times))
}

fn transfers(device: &Arc<Device>) -> Result<(f64, f64), Error> {
    let place = device.alloc(TRANSFER as u64)?;
    let data = vec![0x5A; TRANSFER];
    let write = seconds(device, 1, || device.write(place.addr(), &data))?;
    let mut out = vec![0; READ];
    let read = seconds(device, 1, || device.read(place.addr(), &mut out))?;
    Ok((TRANSFER as f64 / write / 1e9, READ as f64 / read / 1e9))
}

fn launches(device: &Arc<Device>) -> Result<f64, Error> {
    let workers = device.info()?.workers();
    let row = device.alloc(u64::from(4 * 32 * workers))?;
    let view = TensorView::contiguous(ElementType::F32, row.addr().0, [32, workers, 1, 1]);
    let op =
        ops::fill(Unary::Fill, &[1.0], &view, workers).map_err(|error| Error::Kernels(error.to_string()))?;
    // The first one brings what the following ones find in place.
    device.execute(&op)?;
    Ok(seconds(device, LAUNCHES, || device.execute(&op))? * 1e6)
}

fn gemv(device: &Arc<Device>) -> Result<f64, Error> {
    let workers = device.info()?.workers();
    let (rows, length) = (u64::from(ROWS), u64::from(LENGTH));
    let weights = device.alloc(2 * rows * length)?;
    let (x, y) = (device.alloc(4 * length)?, device.alloc(4 * rows)?);
    device.write(x.addr(), &vec![0; 4 * length as usize])?;
    let op = ops::matmul(
        &TensorView::tiles(ElementType::TilesBf16, weights.addr().0, [LENGTH, ROWS, 1, 1]),
        &TensorView::contiguous(ElementType::F32, x.addr().0, [LENGTH, 1, 1, 1]),
        &TensorView::contiguous(ElementType::F32, y.addr().0, [ROWS, 1, 1, 1]),
        workers,
    );
    let op = op.map_err(|error| Error::Kernels(error.to_string()))?;
    device.execute(&op)?;
    let taken = seconds(device, PRODUCTS, || device.execute(&op))?;
    Ok(2.0 * rows as f64 * length as f64 / taken / 1e9)
}
