//! What is computed in the guest and on the host, to be compared.

use std::sync::Arc;

use anyhow::{Result, ensure};
use tt_runtime::ops;
use tt_runtime::{Device, DramAddr, ElementType, TensorView};

/// Extents of the product: columns of both, rows of the weights, rows of the activations.
const PRODUCT: [u32; 3] = [96, 70, 3];
/// Bytes that are moved between chips.
const BULK: u32 = 100_003;

/// A product on the Tensix units and a copy on the data-movement cores, as bytes.
///
/// # Errors
/// Those of the device.
pub fn results(device: &Arc<Device>) -> Result<Vec<u8>> {
    let [k, n, rows] = PRODUCT;
    let numbers = |count: u32, step: u32| -> Vec<u8> {
        let number = |i: u32| ((i * step % 257) as f32 - 128.0) / 64.0;
        (0..count).flat_map(|i| number(i).to_le_bytes()).collect()
    };
    let (weights, activations) = (numbers(k * n, 37), numbers(k * rows, 91));
    let memory = |bytes: usize| device.alloc(bytes as u64);
    let (a, b) = (memory(weights.len())?, memory(activations.len())?);
    let mut out = vec![0xAB; (n * rows * 4) as usize];
    let (c, d) = (memory(out.len())?, memory(out.len())?);
    for (place, data) in [(&a, &weights), (&b, &activations), (&c, &out), (&d, &out)] {
        device.write(place.addr(), data)?;
    }
    let view = |addr: DramAddr, ne| TensorView::contiguous(ElementType::F32, addr.0, ne);
    let product = view(c.addr(), [n, rows, 1, 1]);
    let workers = device.info()?.workers();
    let step =
        ops::matmul(&view(a.addr(), [k, n, 1, 1]), &view(b.addr(), [k, rows, 1, 1]), &product, workers)?;
    device.execute(&step)?;
    device.execute(&ops::copy(&product, &view(d.addr(), [n, rows, 1, 1]), workers)?)?;
    device.read(d.addr(), &mut out)?;
    Ok(out)
}

/// Bytes to the second chip of a card by way of the first one, between the two, and back.
///
/// # Errors
/// Those of the devices, or other bytes.
pub fn bulk(first: &Arc<Device>, second: &Arc<Device>) -> Result<()> {
    let data: Vec<u8> = (0..BULK).map(|i| ((i / 5) ^ i) as u8).collect();
    let memory = [first, second].map(|device| device.alloc(u64::from(BULK)));
    let [there, here] = memory;
    let (there, here) = (there?, here?);
    second.write(here.addr(), &data)?;
    ensure!(first.copy_from(there.addr(), second, here.addr(), u64::from(BULK))?, "no copy over the links");
    let mut back = vec![0; data.len()];
    for (device, memory) in [(second, &here), (first, &there)] {
        back.fill(0);
        device.read(memory.addr(), &mut back)?;
        ensure!(back == data, "other bytes");
    }
    println!("BULK moves {} and {}", first.counters().moves, second.counters().moves);
    Ok(())
}

/// A number that stands for bytes (FNV-1a).
pub fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}
