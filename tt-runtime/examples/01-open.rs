//! Opens a simulated n150, says what it is, and moves some bytes through its DRAM.

use tt_runtime::{Device, parse_devices};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::env::args().nth(1).unwrap_or("sim".into());
    for spec in parse_devices(Some(&text))? {
        let device = Device::open(&spec);
        let info = device.info()?;
        println!("{}: {} x {} Tensix tiles", info.description, info.grid.0, info.grid.1);
        println!("{} of {} MiB free", device.memory().free >> 20, device.memory().total >> 20);
        let memory = device.alloc(1 << 20)?;
        device.write(memory.addr().offset(12_345), b"there and back")?;
        let mut back = [0; 14];
        device.read(memory.addr().offset(12_345), &mut back)?;
        println!("{} at {}", String::from_utf8_lossy(&back), memory.addr());
    }
    Ok(())
}
