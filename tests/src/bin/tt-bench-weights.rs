//! Figures of weight conversion, one JSON object a line ([`tt_tests::bench::weights`]). With `TTNN_WHEEL` set also the vendor's
//! own packing function, on one thread like ours.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tt_runtime::layout::{GgmlType, Isa, WeightFormat};
use tt_tests::bench::load::Load;
use tt_tests::bench::weights::{ROUNDS, Rates, Work};
use tt_tests::gguf::{MANY_SMALL, Mixture, TINY_LLAMA};
use tt_tests::ttnn::Ttnn;

/// Threads of the conversions of quantised types.
const THREADS: usize = 2;

/// Seconds that the vendor's function has in each round.
const PEER_SECONDS: f64 = 0.5;

fn main() -> Result<()> {
    let program = std::env::current_exe()?;
    let folder = program.parent().context("no folder")?;
    let ttnn = Ttnn::find(&PathBuf::from(folder).join("tt-ttnn-pack"));
    if let Err(missing) = &ttnn {
        eprintln!("no ratio to the vendor's function: {missing}");
    }
    println!("{}", pack_figure(ttnn.ok().as_ref())?);
    for ty in [GgmlType::Q4_0, GgmlType::Q8_0, GgmlType::Q4_K, GgmlType::Q6_K] {
        let rates = Work::new(ty).rates(THREADS);
        println!(
            "{}",
            json!({
                "name": format!("weights.{}", ty.name()), "value": rates.pack, "unit": "weights/s", "threads": THREADS,
                "instructions": Isa::best().name(), "exact": rates.exact, "memcpy": rates.memcpy, "dequantise_only": rates.dequantise,
            })
        );
    }
    match Load::find() {
        Ok(load) => {
            for (name, shape, mixture) in [
                ("tinyllama", TINY_LLAMA, Mixture::Q4_0),
                ("tinyllama", TINY_LLAMA, Mixture::Q4KM),
                ("many_small", MANY_SMALL, Mixture::Q4_0),
            ] {
                println!("{}", load.figure(name, shape, mixture)?);
            }
        }
        Err(missing) => eprintln!("no figures of loading: {missing}"),
    }
    Ok(())
}

/// FP32 to BFP8_b on one thread, in turn with the vendor's function on one processor and on all.
fn pack_figure(ttnn: Option<&Ttnn>) -> Result<Value> {
    let mut work = Work::new(GgmlType::F32);
    let (mut ours, mut peer, mut on_all) = (Rates::default(), 0.0, 0.0);
    for _ in 0..ROUNDS {
        ours = ours.best(work.round(1));
        if let Some(ttnn) = ttnn {
            peer = f64::max(peer, ttnn.rate(WeightFormat::Bfp8, PEER_SECONDS, true)?);
            on_all = f64::max(on_all, ttnn.rate(WeightFormat::Bfp8, PEER_SECONDS, false)?);
        }
    }
    let mut figure = json!({
        "name": "weights.pack_bfp8", "value": ours.pack, "unit": "weights/s", "threads": 1, "clock": "processor",
        "instructions": Isa::best().name(), "memcpy": ours.memcpy, "of_memcpy": ours.pack / ours.memcpy,
    });
    if ttnn.is_some() {
        figure["peer"] = json!("ttnn 0.81.1 on one processor");
        figure["peer_value"] = json!(peer);
        figure["ratio"] = json!(ours.pack / peer);
        figure["peer_on_all_processors"] = json!(on_all);
    }
    Ok(figure)
}
