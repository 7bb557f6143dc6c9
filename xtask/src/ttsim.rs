//! `cargo xtask ttsim`: the simulator as a shared library for the vendor's programs, with the chip description next to it.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{backend, paths};

/// Builds `target/ttsim/libttsim.so`.
pub fn run() -> Result<()> {
    let folder = paths::target().join("ttsim");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let library = folder.join("libttsim.so");
    backend::publish(&backend::cargo_build("tt-ttsim-abi")?, &library)?;
    let description = paths::root().join("simulator/ttsim-abi/soc_descriptor.yaml");
    backend::publish(&description, &folder.join("soc_descriptor.yaml"))?;
    println!("\nbuilt {}", library.display());
    println!("use it with the vendor's programs (pip install tt-umd tt-exalens, CPython 3.11):");
    println!("  tt-exalens -s {}", library.display());
    println!("  python -c 'import tt_umd; print(tt_umd.TTSimTTDevice.create(\"{}\"))'", library.display());
    Ok(())
}
