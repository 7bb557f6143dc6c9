//! Figures of weight conversion, one JSON object a line ([`tt_tests::bench::weights`]). With `TTNN_WHEEL` set also the vendor's
//! own packing function, on one thread like ours.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::json;
use tt_runtime::layout::{GgmlType, Isa, WeightFormat};
use tt_tests::bench::load::Load;
use tt_tests::bench::weights::Work;
use tt_tests::gguf::Mixture;
use tt_tests::ttnn::Ttnn;

/// Threads of the conversions of quantised types.
const THREADS: usize = 2;

fn main() -> Result<()> {
    let program = std::env::current_exe()?;
    let folder = program.parent().context("no folder")?;
    let ttnn = Ttnn::find(&PathBuf::from(folder).join("tt-ttnn-pack"));
    if let Err(missing) = &ttnn {
        eprintln!("no ratio to the vendor's function: {missing}");
    }
    let rates = Work::new(GgmlType::F32).rates(1);
    let mut figure = json!({
        "name": "weights.pack_bfp8", "value": rates.pack, "unit": "weights/s", "threads": 1,
        "instructions": Isa::best().name(), "memcpy": rates.memcpy, "of_memcpy": rates.pack / rates.memcpy,
    });
    if let Ok(ttnn) = &ttnn {
        let peer = ttnn.rate(WeightFormat::Bfp8, 2.0, true)?;
        figure["peer"] = json!("ttnn 0.81.1 on one processor");
        figure["peer_value"] = json!(peer);
        figure["ratio"] = json!(rates.pack / peer);
        figure["peer_on_all_processors"] = json!(ttnn.rate(WeightFormat::Bfp8, 2.0, false)?);
    }
    println!("{figure}");
    for ty in [GgmlType::Q4_0, GgmlType::Q8_0, GgmlType::Q4_K, GgmlType::Q6_K] {
        let rates = Work::new(ty).rates(THREADS);
        println!(
            "{}",
            json!({
                "name": format!("weights.{}", ty.name()), "value": rates.pack, "unit": "weights/s", "threads": THREADS,
                "instructions": Isa::best().name(), "memcpy": rates.memcpy, "dequantise_only": rates.dequantise,
            })
        );
    }
    match Load::find() {
        Ok(load) => {
            for mixture in [Mixture::Q4_0, Mixture::Q4KM] {
                println!("{}", load.figure(mixture)?);
            }
        }
        Err(missing) => eprintln!("no figures of loading: {missing}"),
    }
    Ok(())
}
