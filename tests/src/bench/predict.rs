//! What whole models would take on silicon with the kernels of today: one and two layers, and the head, computed in the timed mode through ggml's graph
//! (`tests/native/layer.cpp`), and the rest by multiplication.
//!
//! ```text
//! token = inputs written + one layer and head + (layers - 1) x (two layers - one layer) + rest of the head + logits read
//! ```
//! Each part is clocks of the simulated chip, from the library's statistics (`GGML_TT_STATS`), with the graph as one stream, as llama.cpp computes
//! it. What a graph does once, whatever its layers, so counts once; and a second layer shows what a layer costs behind another one. The shares of
//! operators come from another run, node by node (`GGML_TT_PROFILE`): without the overlap of one with the next. A head is computed with a
//! part of its columns, which is said with the figure. Logits are read in their whole number, in
//! the second run. What the host computes itself takes no time here.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use crate::tools::{self, from_environment};
use crate::{Device, Missing, Tools};

/// A case that takes longer has a fault.
const LIMIT: Duration = Duration::from_secs(3600);
/// The device: what is predicted is a token on it.
const DEVICE: &str = "sim:n150,timed";
/// What readers that share no link get of the DRAM of a Wormhole together, in bytes a microsecond (`DRAMTile/README.md`, 48 readers).
const DRAM_BYTES_US: f64 = 267_500.0;
/// The matrix units of an n150 together: clocks of a product of two tiles of 32 x 32 in the fastest format (`product.lofi` of the anchors), by 72
/// tiles, at 1000 clocks a microsecond.
const PRODUCTS_US: f64 = 72.0 * 1000.0 / 16.0;
/// Weights of a tile.
const TILE: f64 = 1024.0;
/// Rows that one product takes.
const TILE_ROWS: u64 = 32;
/// Bytes of a tile of 1024 weights.
const TILE_BYTES: [(&str, f64); 2] = [("bfp8", 1088.0), ("bfp4", 576.0)];
/// One column in so many of the head is computed.
const HEAD_PART: u64 = 8;
/// Nodes of the head; all others are the layer's.
const HEAD: [&str; 2] = ["result_norm", "result_output"];

/// A model's extents.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    name: &'static str,
    layers: u64,
    embedding: u64,
    heads: u64,
    kv_heads: u64,
    head: u64,
    feed: u64,
    vocabulary: u64,
    /// Matrices of a mixture of experts, and how many of them a token has; 0: a feed-forward part like Llama's.
    experts: u64,
    used: u64,
}

const MODELS: [Model; 3] = [
    // Llama-3.2-1B and Llama-3.1-8B, as their configurations say.
    Model {
        name: "1b",
        layers: 16,
        embedding: 2048,
        heads: 32,
        kv_heads: 8,
        head: 64,
        feed: 8192,
        vocabulary: 128_256,
        experts: 0,
        used: 0,
    },
    Model {
        name: "8b",
        layers: 32,
        embedding: 4096,
        heads: 32,
        kv_heads: 8,
        head: 128,
        feed: 14_336,
        vocabulary: 128_256,
        experts: 0,
        used: 0,
    },
    // OLMoE-1B-7B's extents. Its queries and keys have norms, which are left out, and weights of experts are not made to add up to one there.
    Model {
        name: "olmoe",
        layers: 16,
        embedding: 2048,
        heads: 16,
        kv_heads: 16,
        head: 128,
        feed: 1024,
        vocabulary: 50_304,
        experts: 64,
        used: 8,
    },
];

/// Something to predict.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    model: Model,
    /// What it is called after the model's name.
    kind: &'static str,
    weights: &'static str,
    /// Positions that attention looks at.
    kv: u64,
    /// Tokens of the batch. All of them are computed: tiles share activations and weights, and a part of the rows would take another part of the time.
    rows: u64,
    /// Sequences.
    streams: u64,
    /// Rows whose logits are wanted.
    outputs: u64,
}

/// All cases.
pub fn cases() -> Vec<Case> {
    MODELS.into_iter().flat_map(of_model).collect()
}

fn of_model(model: Model) -> Vec<Case> {
    let decode = Case { model, kind: "decode", weights: "bfp8", kv: 512, rows: 1, streams: 1, outputs: 1 };
    let bfp4 = Case { kind: "decode.bfp4", weights: "bfp4", ..decode };
    if model.experts > 0 {
        // Batches of them are computed another way, which nobody has looked at in the timed mode.
        return vec![decode, bfp4];
    }
    vec![
        decode,
        bfp4,
        Case { kind: "decode.kv4096", kv: 4096, ..decode },
        Case { kind: "decode.batch32", rows: 32, streams: 32, outputs: 32, ..decode },
        Case { kind: "prefill512", rows: 512, ..decode },
    ]
}

impl Case {
    /// Its name, as in `silicon.1b.decode`, without the first word.
    pub fn name(&self) -> String {
        format!("{}.{}", self.model.name, self.kind)
    }

    /// Logits of a pass.
    fn logits(&self) -> u64 {
        self.outputs * self.model.vocabulary
    }

    /// What the program is asked for; `read`: floats that it reads beside the result.
    fn arguments(&self, layers: u64, read: u64) -> Vec<String> {
        let Model { embedding, heads, kv_heads, head, feed, vocabulary, experts, used, .. } = self.model;
        let values = [
            ("embedding", embedding),
            ("heads", heads),
            ("kv_heads", kv_heads),
            ("head", head),
            ("feed", feed),
            ("vocabulary", vocabulary / HEAD_PART),
            ("experts", experts),
            ("used", used),
            ("layers", layers),
            ("kv", self.kv),
            ("rows", self.rows),
            ("streams", self.streams),
            ("outputs", self.outputs),
            ("read", read),
        ];
        values.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Weights of the layers, and of the head, that a token is multiplied with.
    fn matrices(&self) -> [u64; 2] {
        let Model { layers, embedding, heads, kv_heads, head, feed, vocabulary, experts, used, .. } =
            self.model;
        let (q, kv) = (heads * head, kv_heads * head);
        let layer =
            2 * embedding * q + 2 * embedding * kv + 3 * embedding * feed * used.max(1) + embedding * experts;
        [layers * layer, embedding * vocabulary]
    }

    /// The least that a pass can take, in microseconds, and what it would be limited by: DRAM, or the matrix units' products with weights.
    fn roofline(&self) -> (f64, &'static str) {
        let [layers, head] = self.matrices();
        let tiles = |rows: u64| rows.div_ceil(TILE_ROWS) as f64 / TILE;
        let products = layers as f64 * tiles(self.rows) + head as f64 * tiles(self.outputs);
        let [dram, matrix] = [self.bytes() / DRAM_BYTES_US, products / PRODUCTS_US];
        if dram >= matrix { (dram, "DRAM") } else { (matrix, "matrix units") }
    }

    /// Bytes of DRAM that a pass has to read: weights once, and keys and values of every sequence.
    fn bytes(&self) -> f64 {
        let Model { layers, kv_heads, head, .. } = self.model;
        let kv = kv_heads * head;
        let weights = self.matrices().iter().sum::<u64>() as f64;
        let of_tile =
            TILE_BYTES.iter().find(|(name, _)| *name == self.weights).map_or(0.0, |(_, bytes)| *bytes);
        let cached = (layers * 2 * kv * 2 * self.kv * self.streams) as f64;
        weights * of_tile / TILE + cached
    }
}

/// A model that is small enough for a test.
pub fn tiny() -> Case {
    let model = Model {
        name: "tiny",
        layers: 2,
        embedding: 256,
        heads: 4,
        kv_heads: 2,
        head: 64,
        feed: 512,
        vocabulary: 2048,
        experts: 0,
        used: 0,
    };
    Case { kv: 256, ..of_model(model)[0] }
}

/// A small one with experts. (With two of them ggml would put what their first products make where the row is.)
pub fn tiny_mixture() -> Case {
    let model = Model { name: "tiny.mixture", feed: 128, experts: 8, used: 3, ..tiny().model };
    Case { kv: 256, ..of_model(model)[0] }
}

/// llama.cpp, our library, and the program made from `tests/native/layer.cpp`.
pub struct Predictor {
    tools: Tools,
    program: PathBuf,
}

impl Predictor {
    /// From the environment (`TT_LLAMA_BIN`, `TT_BACKEND_SO`, `TT_LAYER`).
    pub fn find() -> Result<Self, Missing> {
        let program = from_environment("TT_LAYER", "the program made from tests/native/layer.cpp")?;
        Ok(Self::with(Tools::find()?, program))
    }

    /// With a program that is already there.
    pub fn with(tools: Tools, program: PathBuf) -> Self {
        Self { tools, program }
    }

    /// A case's figure, and the library's statistics that it comes from.
    ///
    /// # Errors
    /// The layer cannot be computed.
    pub fn figure(&self, case: &Case) -> Result<(Value, Value)> {
        let begin = Instant::now();
        let stats = self.run(case, 1, true)?;
        let streamed = [self.run(case, 1, false)?, self.run(case, 2, false)?];
        let parts = Parts::of(case, &stats, &streamed)?;
        Ok((parts.figure(case, begin.elapsed()), stats))
    }

    /// Computes layers and a part of the head, node by node or as one stream; the library's statistics. In a stream's run the logits of a
    /// whole vocabulary are read, too.
    fn run(&self, case: &Case, layers: u64, by_node: bool) -> Result<Value> {
        let file = tools::Temporary::new("predict.json");
        let mut command = self.tools.prepare(&self.program, Device::Tenstorrent(DEVICE));
        command.arg("TT0").args(case.arguments(layers, if by_node { 0 } else { case.logits() }));
        command.env("GGML_TT_STATS", file.path());
        if by_node {
            command.env("GGML_TT_PROFILE", "1");
        }
        command.env("GGML_TT_WEIGHTS", case.weights);
        tools::run(&mut command, LIMIT)?.success()?;
        let text = std::fs::read_to_string(file.path()).context("the library wrote no statistics")?;
        serde_json::from_str(&text).with_context(|| format!("no statistics: {text}"))
    }
}

/// Microseconds of a pass over the model, by what they are for.
#[derive(Debug, Default, PartialEq)]
struct Parts {
    /// Of one layer and of the head, each by operator.
    layer: Vec<(String, f64)>,
    head: Vec<(String, f64)>,
    /// Launches of a pass.
    launches: u64,
    /// One layer and what of the head was computed, as a stream; and what another layer adds.
    first: f64,
    more: f64,
    written: f64,
    read: f64,
}

fn sum(parts: &[(String, f64)]) -> f64 {
    parts.iter().map(|(_, us)| us).sum()
}

impl Parts {
    /// From the statistics of a run node by node, and of one as a stream. What was computed in part is made whole.
    fn of(case: &Case, stats: &Value, streamed: &[Value; 2]) -> Result<Self> {
        let clocks_us = stats["clocks_us"].as_f64().context("the device keeps no time")?;
        let us =
            |value: &Value| value["clocks"].as_f64().map(|clocks| clocks / clocks_us).context("no clocks");
        let columns = HEAD_PART as f64;
        let mut parts = Self::default();
        for row in stats["profile"].as_array().context("no profile")? {
            let (operator, tensor) = (row["operator"].as_str(), row["tensor"].as_str());
            let (operator, tensor) = (operator.context("no operator")?, tensor.context("no tensor")?);
            let (time, launches) = (us(row)?, row["launches"].as_u64().unwrap_or(0));
            let name = format!("{operator} {tensor}");
            if HEAD.contains(&tensor) {
                let whole = if tensor == "result_output" { columns } else { 1.0 };
                parts.head.push((name, time * whole));
                parts.launches += launches;
            } else {
                parts.layer.push((name, time));
                parts.launches += launches * case.model.layers;
            }
        }
        let passes = |stats: &Value| -> Result<f64> {
            stats["passes"].as_array().context("no passes")?.iter().map(us).sum()
        };
        let [one, two] = [passes(&streamed[0])?, passes(&streamed[1])?];
        (parts.first, parts.more) = (one, two - one);
        parts.written = us(&stats["host"]["written"])?;
        // Both have read the part of the logits that they have computed.
        parts.read = us(&streamed[0]["host"]["read"])? - us(&stats["host"]["read"])?;
        ensure!(!parts.layer.is_empty() && parts.head.len() == HEAD.len(), "nodes are missing: {parts:?}");
        let took_time = sum(&parts.layer) > 0.0 && parts.more > 0.0 && parts.read > 0.0;
        ensure!(took_time, "nothing took any time: {parts:?}");
        Ok(parts)
    }

    /// The figure, with everything that belongs to it.
    fn figure(&self, case: &Case, wall: Duration) -> Value {
        let layers = case.model.layers as f64;
        let (layer, head) = (sum(&self.layer), sum(&self.head));
        let alone = layers * layer + head;
        // Of the last product a part of the columns is in the stream.
        let of_product = |(name, us): &(String, f64)| name.ends_with(HEAD[1]).then_some(*us);
        let product: f64 = self.head.iter().filter_map(of_product).sum();
        let rest = product * (1.0 - 1.0 / HEAD_PART as f64);
        let device = self.first + (layers - 1.0) * self.more + rest;
        let all = device + self.written + self.read;
        let (roofline, limited_by) = case.roofline();
        let round = |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
        let tokens = |us: f64| round(case.rows as f64 * 1e6 / us, 3);
        let mut shares = Map::new();
        let mut add = |name: &str, us: f64| {
            shares.insert(name.to_owned(), json!(round(us / (alone + self.written + self.read), 4)))
        };
        for (name, us) in &self.layer {
            add(name, layers * us);
        }
        for (name, us) in &self.head {
            add(name, *us);
        }
        add("host writes inputs", self.written);
        add("host reads logits", self.read);
        json!({
            "name": format!("silicon.{}", case.name()),
            "value": tokens(all),
            "unit": "tokens/s",
            "ms": round(all / 1e3, 3),
            "device_tokens_s": tokens(device),
            "layer_us": round(self.more, 1),
            "layer_by_node_us": round(layer, 1),
            "head_us": round(head, 1),
            "host_us": round(self.written + self.read, 1),
            "launches": self.launches,
            "weights": case.weights,
            "kv": case.kv,
            "rows": case.rows,
            "roofline_ms": round(roofline / 1e3, 3),
            "roofline_of": limited_by,
            "roofline_part": round(roofline / all, 4),
            "roofline_part_device": round(roofline / device, 4),
            "extrapolated": self.extrapolated(case),
            "shares": shares,
            "wall_s": round(wall.as_secs_f64(), 1),
        })
    }

    /// What was computed, and what was multiplied.
    fn extrapolated(&self, case: &Case) -> String {
        format!(
            "another layer of {} x {}; head with 1 column in {HEAD_PART} x {HEAD_PART}",
            case.model.layers,
            case.model.layers - 1
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(operator: &str, tensor: &str, clocks: u64) -> Value {
        json!({ "operator": operator, "tensor": tensor, "clocks": clocks, "launches": 2 })
    }

    #[test]
    fn parts_are_made_whole() {
        let stats = json!({
            "clocks_us": 1000,
            "profile": [
                row("MUL_MAT", "Qcur", 5000), row("ADD", "l_out", 1000),
                row("MUL_MAT", "result_output", 3000), row("RMS_NORM+MUL", "result_norm", 2000),
            ],
            "host": { "written": { "clocks": 500 }, "read": { "clocks": 10_000 } },
        });
        let streamed = [7000, 12_000].map(
            |clocks| json!({ "passes": [{ "clocks": clocks }], "host": { "read": { "clocks": 14_000 } } }),
        );
        let decode = cases()[0];
        let parts = Parts::of(&decode, &stats, &streamed).unwrap();
        assert_eq!((sum(&parts.layer), sum(&parts.head), parts.written, parts.read), (6.0, 26.0, 0.5, 4.0));
        assert_eq!((parts.launches, parts.first, parts.more), (16 * 4 + 4, 7.0, 5.0));
        let figure = parts.figure(&decode, Duration::from_secs(1));
        let all = 7.0 + 15.0 * 5.0 + 7.0 * 3.0 + 4.5;
        assert!((figure["ms"].as_f64().unwrap() - all / 1e3).abs() < 1e-3, "{figure}");
        assert_eq!(figure["name"], "silicon.1b.decode");
        let shares: f64 = figure["shares"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
        assert!((shares - 1.0).abs() < 1e-3, "{figure}");
        assert!(Parts::of(&decode, &json!({ "profile": [] }), &streamed).is_err());
    }

    /// A 1B has 1.24 billion weights with its head, an 8B 7.5 billion.
    #[test]
    fn weights_have_their_bytes() {
        let of = |name: &str| cases().into_iter().find(|case| case.name() == name).unwrap().roofline();
        let ideal = |name: &str| 1e6 / of(name).0;
        assert_eq!(of("8b.decode").1, "DRAM");
        assert!((ideal("1b.decode") - 201.0).abs() < 5.0, "{}", ideal("1b.decode"));
        assert!((ideal("8b.decode") - 33.2).abs() < 0.5, "{}", ideal("8b.decode"));
        assert!(ideal("8b.decode.bfp4") > 1.8 * ideal("8b.decode"));
    }
}
