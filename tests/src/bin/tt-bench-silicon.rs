//! What the timed mode says of silicon, one JSON object a line: of things that were measured there (ours, what was published, by how much
//! ours differs, and by how much it may), and of whole models, which nobody has run with our kernels.
//!
//! Arguments name the figures; `anchors` and `predictions` are all of their kind; without any, all are measured. Predictions need llama.cpp and
//! the library (`TT_LLAMA_BIN`, `TT_BACKEND_SO`, `TT_LAYER`). `--picture FILE` also draws the only prediction, `--of TEXT` the operators and
//! tensors whose names contain a text.
//! With `at_least` what was published is a bound.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::json;
use tt_isa::chip::{WORMHOLE, board};
use tt_runtime::transport::sim::Sim;
use tt_runtime::{Mode, SimOptions};
use tt_tests::bench::picture::picture;
use tt_tests::bench::predict::{Case, Predictor, cases};
use tt_tests::bench::silicon::{Anchor, Measure, anchors};
use tt_tests::bench::transport::Bare;

/// What the figures have in front of their names; arguments may.
const PREFIX: &str = "silicon.";
const ANCHORS: &str = "anchors";
const PREDICTIONS: &str = "predictions";

fn main() -> Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    check(&options.names)?;
    for anchor in anchors().iter().filter(|anchor| options.wants(ANCHORS, anchor.name)) {
        measure(anchor)?;
    }
    let cases: Vec<_> = cases().into_iter().filter(|case| options.wants(PREDICTIONS, &case.name())).collect();
    if options.picture.is_some() && cases.len() != 1 {
        bail!("--picture draws one prediction: name it, as in 1b.decode");
    }
    if !cases.is_empty() {
        let predictor = Predictor::find().map_err(|missing| anyhow!("{missing}"))?;
        cases.iter().try_for_each(|case| predict(&predictor, case, &options))?;
    }
    Ok(())
}

/// What is asked for.
#[derive(Default)]
struct Options {
    names: Vec<String>,
    picture: Option<PathBuf>,
    of: String,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--picture" => options.picture = Some(value()?.into()),
                "--of" => options.of = value()?,
                name => options.names.push(name.trim_start_matches(PREFIX).to_owned()),
            }
        }
        Ok(options)
    }

    fn wants(&self, kind: &str, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == kind || wanted == name)
    }
}

fn predict(predictor: &Predictor, case: &Case, options: &Options) -> Result<()> {
    let (figure, stats) = predictor.figure(case).with_context(|| case.name())?;
    println!("{figure}");
    if let Some(file) = &options.picture {
        let of = if options.of.is_empty() { "one layer and a part of the head" } else { &options.of };
        let title = format!("{PREFIX}{}: {of}", case.name());
        let svg = picture(&WORMHOLE, &stats, &title, &options.of)?;
        std::fs::write(file, svg).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Names that are none are an error that has all that are.
fn check(wanted: &[String]) -> Result<()> {
    let mut known: Vec<String> = vec![ANCHORS.to_owned(), PREDICTIONS.to_owned()];
    known.extend(cases().iter().map(|case| case.name()));
    known.extend(anchors().iter().map(|anchor| anchor.name.to_owned()));
    match wanted.iter().find(|name| !known.contains(name)) {
        Some(name) => bail!("there is no figure {name}; there are: {}", known.join(", ")),
        None => Ok(()),
    }
}

fn measure(anchor: &Anchor) -> Result<()> {
    let board = board("n150").context("n150 is a board")?;
    let options = SimOptions { mode: Mode::Timed, ..SimOptions::default() };
    let value = match anchor.measure {
        Measure::Programs(measure) => measure(&mut Bare(Box::new(Sim::new(board, 0, &options)?))),
        Measure::Runtime(measure) => measure(),
    };
    let value = value.with_context(|| anchor.name)?;
    let deviation = value / anchor.published - 1.0;
    let mut line = json!({
        "name": format!("{PREFIX}{}", anchor.name),
        "value": value,
        "unit": anchor.unit,
        "published": anchor.published,
        "deviation": (deviation * 1e4).round() / 1e4,
        "tolerance": anchor.tolerance,
    });
    if anchor.at_least {
        line["at_least"] = true.into();
    }
    println!("{line}");
    Ok(())
}
