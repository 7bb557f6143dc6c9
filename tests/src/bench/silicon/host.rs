//! Bulk data between the host and DRAM, through the runtime: weights that are written, logits that are read.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tt_runtime::{Device, ElementType, TensorView, parse_devices};

use super::{Anchor, Measure};

pub const ANCHORS: [Anchor; 2] = [
    // Tiles write 26.4 bytes a ns to the host's memory (`PCIExpressTile/README.md`, "Device-initiated reads and writes").
    Anchor {
        name: "readback.logits",
        unit: "us",
        published: LOGITS as f64 / 26_400.0,
        tolerance: 0.0,
        at_least: true,
        measure: Measure::Runtime(readback),
    },
    // tt-metal writes so much to an n300 (its `rw_buffer` benchmark); `memcpy` through a write-combined window brings 20.7 to DRAM (the same
    // page, "Host-initiated reads and writes").
    Anchor {
        name: "upload.weights",
        unit: "GB/s",
        published: 10.3,
        tolerance: 0.0,
        at_least: true,
        measure: Measure::Runtime(upload),
    },
];

/// Bytes of the logits of a vocabulary of 128,256.
const LOGITS: usize = 4 * 128_256;
/// Columns and rows of a matrix of weights, BFP8_b: 8.9 MB, written in pieces as a loader does.
const MATRIX: [u32; 4] = [2048, 4096, 1, 1];
const PIECE: usize = 1 << 20;

fn device() -> Result<Arc<Device>> {
    let spec = parse_devices(Some("sim:n150,timed"))?.into_iter().next().context("a device")?;
    Ok(Device::open(&spec))
}

/// Clocks of a nanosecond are one.
fn clock(device: &Device) -> Result<f64> {
    let counters = device.counters();
    ensure!(counters.clocks_us == Some(1000), "the timed mode's clock has changed");
    Ok(counters.clocks.context("the timed mode counts clocks")? as f64)
}

/// Microseconds until the host has a row of logits that lies in DRAM.
fn readback() -> Result<f64> {
    let device = device()?;
    let memory = device.alloc(LOGITS as u64)?;
    let data: Vec<u8> = (0..LOGITS as u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 24) as u8).collect();
    device.write(memory.addr(), &data)?;
    let mut back = vec![0; LOGITS];
    // The first read waits for the data that has just been written.
    device.read(memory.addr(), &mut back)?;
    back.fill(0);
    let begin = clock(&device)?;
    device.read(memory.addr(), &mut back)?;
    let took = clock(&device)? - begin;
    ensure!(back == data, "other bytes");
    Ok(took / 1000.0)
}

/// Gigabytes a second of weights.
fn upload() -> Result<f64> {
    let device = device()?;
    device.info()?;
    let (columns, rows) = (MATRIX[0] as usize, MATRIX[1] as usize);
    let bytes = columns * rows / 1024 * 1088;
    let memory = device.alloc(bytes as u64)?;
    let tiles = TensorView::tiles(ElementType::TilesBfp8, memory.addr().0, MATRIX);
    let begin = clock(&device)?;
    for (n, piece) in vec![0x3F; bytes].chunks(PIECE).enumerate() {
        device.write_tiles(&tiles, (n * PIECE) as u64, piece)?;
    }
    Ok(bytes as f64 / (clock(&device)? - begin))
}
