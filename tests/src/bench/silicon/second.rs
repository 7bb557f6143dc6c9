//! Bulk data of the second chip of an n300: written and read by the host through the firmware of the first one's Ethernet tiles, and copied between the two
//! chips over both links.
//!
//! tt-metal's `rw_buffer` benchmark reaches 10.3 GB/s to the second chip and 5.3 GB/s from it, by programs of its own on the Ethernet
//! tiles, not by the firmware's commands.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tt_runtime::{Device, parse_devices};

use super::{Anchor, Measure};

pub const ANCHORS: [Anchor; 4] = [
    gigabytes("n300.upload", 10.3, upload),
    gigabytes("n300.readback", 5.3, readback),
    // As much as the two links carry (`eth.rate.8k`).
    gigabytes("n300.copy", 2.0 * 12.07, || copy(0)),
    gigabytes("n300.copy.back", 2.0 * 12.07, || copy(1)),
];

const fn gigabytes(name: &'static str, published: f64, measure: fn() -> Result<f64>) -> Anchor {
    Anchor {
        name,
        unit: "GB/s",
        published,
        tolerance: 0.1,
        at_least: false,
        measure: Measure::Runtime(measure),
    }
}

/// Bytes of a measurement.
const BYTES: usize = 1 << 20;

/// Both devices, whose firmware runs.
fn devices() -> Result<[Arc<Device>; 2]> {
    let specs = parse_devices(Some("sim:n300,timed"))?;
    let devices: Vec<_> = specs.iter().map(Device::open).collect();
    devices.iter().try_for_each(|device| device.info().map(drop))?;
    devices.try_into().ok().context("an n300 has two chips")
}

/// Clocks of a nanosecond are one.
fn clock(device: &Device) -> Result<f64> {
    let counters = device.counters();
    ensure!(counters.clocks_us == Some(1000), "the timed mode's clock has changed");
    Ok(counters.clocks.context("the timed mode counts clocks")? as f64)
}

fn pattern() -> Vec<u8> {
    (0..BYTES as u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect()
}

/// Gigabytes a second that the host writes to the second chip, until it has acknowledged them.
fn upload() -> Result<f64> {
    let [_, second] = devices()?;
    let memory = second.alloc(BYTES as u64)?;
    let data = pattern();
    let begin = clock(&second)?;
    second.write(memory.addr(), &data)?;
    // A read waits for the writes before it.
    second.read(memory.addr(), &mut [0; 4])?;
    Ok(BYTES as f64 / (clock(&second)? - begin))
}

/// The same that it reads from there.
fn readback() -> Result<f64> {
    let [_, second] = devices()?;
    let memory = second.alloc(BYTES as u64)?;
    let data = pattern();
    second.write(memory.addr(), &data)?;
    let mut back = vec![0; BYTES];
    second.read(memory.addr(), &mut back[..4])?;
    let begin = clock(&second)?;
    second.read(memory.addr(), &mut back)?;
    let took = clock(&second)? - begin;
    ensure!(back == data, "other bytes");
    Ok(BYTES as f64 / took)
}

/// The same that a chip copies to the other one.
fn copy(from: usize) -> Result<f64> {
    let devices = devices()?;
    let (source, target) = (&devices[from], &devices[1 - from]);
    let (here, there) = (source.alloc(BYTES as u64)?, target.alloc(BYTES as u64)?);
    source.write(here.addr(), &pattern())?;
    let begin = clock(target)?;
    ensure!(target.copy_from(there.addr(), source, here.addr(), BYTES as u64)?, "the links do not take it");
    Ok(BYTES as f64 / (clock(target)? - begin))
}
