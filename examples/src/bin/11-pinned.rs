//! Lets tiles write to pinned memory of the host while the host looks on (`kernels/src/bin/push.rs`).
//!
//! A read over PCIe waits for the card, more than a microsecond for each word. A write does not wait. So results come fastest if tiles push them: to memory of this
//! process that the driver has pinned, as a [`HostBuffer`]. The host looks there like at any other memory: it polls one word that counts, and then reads what the
//! count speaks of. Who pushes waits for its data
//! before it pushes the word that says so, as between tiles. There is little such memory, and the vendor's simulator has none.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use tt_examples::kernels;
use tt_runtime::program::{Core, HostBuffer, Kernel, L1Buffer, Program};

/// Words of a page, and pages of each tile.
const PAGE: usize = 1024;
const PAGES: usize = 4;
/// Words from one tile's count to the next one's: writes to the host go from 32 bytes to 32 bytes.
const STEP: usize = 8;

fn main() -> Result<()> {
    let device = tt_examples::device()?;
    let tiles = device.grid()?.range((0, 0), (3, 0))?;

    let pages = HostBuffer::<u32>::new(&device, tiles.len() * PAGES * PAGE)?;
    let counts = HostBuffer::<u32>::new(&device, tiles.len() * STEP)?;
    let page = L1Buffer::<u32>::new(&device, tiles, PAGE)?;
    let count = L1Buffer::<u32>::new(&device, tiles, STEP)?;
    count.fill(0)?;

    let kernel = Kernel::new(&kernels::PUSH, Core::Brisc, tiles)
        .argument_for_each(|at| at.x)
        .argument(PAGES as u32)
        .argument(&page)
        .argument(&count)
        .argument(&pages)
        .argument(&counts)
        .spans(PAGES as u16);
    let clocks = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&clocks);
    let program = Program::new(&device).kernel(kernel).on_span(move |span| {
        sink.lock().expect("nobody panics with it").push(span.end - span.begin);
    });

    // It runs while the host looks: whatever page a count speaks of is there.
    let mut run = program.launch()?;
    let mut seen = 0;
    loop {
        let is_over = run.is_over()?;
        if is_over {
            break;
        }
        let mut there = 0;
        for tile in 0..tiles.len() {
            there += counts.poll(tile * STEP)? as usize;
        }
        if there > seen {
            println!("{there} of {} pages are there", tiles.len() * PAGES);
            seen = there;
        }
    }
    for (n, data) in pages.read()?.chunks(PAGE).enumerate() {
        assert!(data.iter().zip(0..).all(|(&word, at)| word == n as u32 * 10_000 + at), "page {n}");
    }
    let clocks = clocks.lock().expect("nobody panics with it");
    println!(
        "all {} pages of {} bytes have come; the fastest push took {} clocks",
        clocks.len(),
        4 * PAGE,
        clocks.iter().min().context("no push has been measured")?
    );
    Ok(())
}
