//! Converts a BERT for sentence embeddings from a folder of Python's sentence-transformers to a model file of llama.cpp.
//!
//! llama.cpp's architecture `bert` (`src/models/bert.cpp`) has other tensor names, the extents in the metadata, and another
//! spelling of the vocabulary: WordPiece marks pieces that continue a word with `##`, llama.cpp's tokenizer (`llm_tokenizer_wpm`
//! in `src/llama-vocab.cpp`) marks pieces that begin a word with U+2581. Values and their types do not change.
//!
//! | file in the folder | what |
//! |---|---|
//! | `config.json` | extents |
//! | `model.safetensors` | tensors |
//! | `vocab.txt` | one piece a line; a piece's line is its number |
//! | `tokenizer_config.json` | whether texts become lower case |
//! | `1_Pooling/config.json` | how the tokens' vectors are combined |

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value as Json;
use tt_runtime::layout::GgmlType;

use crate::gguf::{self, Tensor, Value};

/// llama.cpp's names of what is in every layer, and the model's.
const IN_LAYER: [(&str, &str); 8] = [
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
];

/// The same of what comes before the layers.
const BEFORE: [(&str, &str); 4] = [
    ("embeddings.word_embeddings", "token_embd"),
    ("embeddings.position_embeddings", "position_embd"),
    ("embeddings.token_type_embeddings", "token_types"),
    ("embeddings.LayerNorm", "token_embd_norm"),
];

/// Pieces that are no text, and the keys of their numbers (ggml spells it `seperator`).
const SPECIAL: [(&str, &str); 5] = [
    ("[PAD]", "tokenizer.ggml.padding_token_id"),
    ("[UNK]", "tokenizer.ggml.unknown_token_id"),
    ("[CLS]", "tokenizer.ggml.cls_token_id"),
    ("[SEP]", "tokenizer.ggml.seperator_token_id"),
    ("[MASK]", "tokenizer.ggml.mask_token_id"),
];

/// Kinds of pieces (`LLAMA_TOKEN_TYPE_*`).
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

/// Writes `folder` as one GGUF file.
///
/// # Errors
/// A file is missing or not what it should be, the model is something else than a BERT with GELU, has tensors that are not known here or
/// lacks some, or the file cannot be written.
pub fn convert(folder: &Path, to: &Path) -> Result<()> {
    let config = Config::read(folder)?;
    let vocabulary = Vocabulary::read(folder)?;
    ensure!(
        vocabulary.pieces.len() as u32 == config.vocabulary,
        "{} pieces in vocab.txt, {} in config.json",
        vocabulary.pieces.len(),
        config.vocabulary
    );
    let file = folder.join("model.safetensors");
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let stored = SafeTensors::deserialize(&bytes).with_context(|| format!("{}", file.display()))?;
    let found = tensors(&stored, &config)?;
    let descriptions: Vec<Tensor> = found.iter().map(|(tensor, _)| tensor.clone()).collect();
    let mut data = found.iter().map(|(_, data)| *data);
    let metadata = [config.metadata(), vocabulary.metadata()].concat();
    gguf::write_file(to, &metadata, &descriptions, |_, out| out.write_all(data.next().unwrap_or_default()))
        .with_context(|| format!("cannot write {}", to.display()))
}

/// Tensors by llama.cpp's names, with their data. All that a model of this shape has are there.
fn tensors<'a>(stored: &SafeTensors<'a>, config: &Config) -> Result<Vec<(Tensor, &'a [u8])>> {
    let mut all = Vec::new();
    for (theirs, tensor) in stored.iter() {
        let Some(name) = name(theirs)? else { continue };
        let ty = match tensor.dtype() {
            Dtype::F32 => GgmlType::F32,
            Dtype::F16 => GgmlType::F16,
            Dtype::BF16 => GgmlType::BF16,
            other => bail!("{theirs}: elements of type {other:?}"),
        };
        // There the extent whose elements are neighbours comes last, here first.
        let ne = tensor.shape().iter().rev().map(|&n| n as u32).collect();
        all.push((Tensor { name, ty, ne }, tensor.data()));
    }
    // A weight and a bias each, except for the three tables.
    let wanted = 2 * (BEFORE.len() + IN_LAYER.len() * config.layers as usize) - 3;
    ensure!(
        all.len() == wanted,
        "{} tensors where a BERT of {} layers has {wanted}",
        all.len(),
        config.layers
    );
    all.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    Ok(all)
}

/// llama.cpp's name of a tensor; nothing for what embeddings do not need.
fn name(theirs: &str) -> Result<Option<String>> {
    let short = theirs.strip_prefix("bert.").unwrap_or(theirs);
    if short == "embeddings.position_ids" || short.starts_with("pooler.") {
        return Ok(None);
    }
    let (part, kind) = short.rsplit_once('.').with_context(|| format!("tensor {theirs} is not known"))?;
    let ours = |names: &[(&str, &str)], part: &str| {
        names.iter().find(|(name, _)| *name == part).map(|(_, ours)| (*ours).to_owned())
    };
    let in_layer = part.strip_prefix("encoder.layer.").and_then(|rest| rest.split_once('.')).and_then(
        |(layer, part)| Some(format!("blk.{}.{}", layer.parse::<u32>().ok()?, ours(&IN_LAYER, part)?)),
    );
    let name =
        in_layer.or_else(|| ours(&BEFORE, part)).with_context(|| format!("tensor {theirs} is not known"))?;
    ensure!(matches!(kind, "weight" | "bias"), "tensor {theirs} is not known");
    Ok(Some(format!("{name}.{kind}")))
}

/// What `config.json` and the folder of the pooling say.
struct Config {
    layers: u32,
    embedding: u32,
    feed_forward: u32,
    heads: u32,
    positions: u32,
    vocabulary: u32,
    token_types: u32,
    epsilon: f32,
    /// `LLAMA_POOLING_TYPE_*`.
    pooling: u32,
}

impl Config {
    fn read(folder: &Path) -> Result<Self> {
        let json = read_json(&folder.join("config.json"))?;
        let number = |key: &str| -> Result<u32> {
            let value = json[key].as_u64().with_context(|| format!("config.json: no number {key}"))?;
            Ok(u32::try_from(value)?)
        };
        ensure!(json["model_type"] == "bert", "config.json: model_type is {}, not bert", json["model_type"]);
        ensure!(json["hidden_act"] == "gelu", "config.json: hidden_act is {}, not gelu", json["hidden_act"]);
        let epsilon = json["layer_norm_eps"].as_f64().context("config.json: no number layer_norm_eps")?;
        Ok(Self {
            layers: number("num_hidden_layers")?,
            embedding: number("hidden_size")?,
            feed_forward: number("intermediate_size")?,
            heads: number("num_attention_heads")?,
            positions: number("max_position_embeddings")?,
            vocabulary: number("vocab_size")?,
            token_types: number("type_vocab_size")?,
            epsilon: epsilon as f32,
            pooling: pooling(&read_json(&folder.join("1_Pooling/config.json"))?)?,
        })
    }

    fn metadata(&self) -> Vec<(&'static str, Value<'static>)> {
        use Value::{Bool, F32, Text, U32};
        vec![
            ("general.architecture", Text("bert")),
            ("bert.block_count", U32(self.layers)),
            ("bert.context_length", U32(self.positions)),
            ("bert.embedding_length", U32(self.embedding)),
            ("bert.feed_forward_length", U32(self.feed_forward)),
            ("bert.attention.head_count", U32(self.heads)),
            ("bert.attention.layer_norm_epsilon", F32(self.epsilon)),
            ("bert.attention.causal", Bool(false)),
            ("bert.pooling_type", U32(self.pooling)),
            ("tokenizer.ggml.token_type_count", U32(self.token_types)),
        ]
    }
}

/// The mean of all tokens' vectors (1), or the first one's (2).
fn pooling(json: &Json) -> Result<u32> {
    if json["pooling_mode_mean_tokens"] == true {
        Ok(1)
    } else if json["pooling_mode_cls_token"] == true {
        Ok(2)
    } else {
        bail!("1_Pooling/config.json: neither the mean nor the first token")
    }
}

/// The pieces that texts are made of.
struct Vocabulary {
    pieces: Vec<String>,
    kinds: Vec<i32>,
    /// Number of each of [`SPECIAL`].
    special: [u32; SPECIAL.len()],
    lowercase: bool,
}

impl Vocabulary {
    fn read(folder: &Path) -> Result<Self> {
        let file = folder.join("vocab.txt");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let lines: Vec<&str> = text.lines().collect();
        let mut special = [0; SPECIAL.len()];
        for (at, (piece, _)) in special.iter_mut().zip(SPECIAL) {
            let number = lines.iter().position(|line| *line == piece);
            *at = number.with_context(|| format!("vocab.txt has no {piece}"))? as u32;
        }
        let control = |line: &str| SPECIAL.iter().any(|(piece, _)| *piece == line);
        let json = read_json(&folder.join("tokenizer_config.json"))?;
        Ok(Self {
            pieces: lines
                .iter()
                .map(|line| if control(line) { (*line).to_owned() } else { respelt(line) })
                .collect(),
            kinds: lines.iter().map(|line| if control(line) { CONTROL } else { NORMAL }).collect(),
            special,
            // What the tokenizer does that reads this file if it is not told.
            lowercase: json["do_lower_case"].as_bool().unwrap_or(true),
        })
    }

    fn metadata(&self) -> Vec<(&'static str, Value<'_>)> {
        use Value::{Bool, I32s, Text, Texts, U32};
        let mut all = vec![
            ("tokenizer.ggml.model", Text("bert")),
            ("tokenizer.ggml.tokens", Texts(&self.pieces)),
            ("tokenizer.ggml.token_type", I32s(&self.kinds)),
            ("tokenizer.ggml.normalizer.lowercase", Bool(self.lowercase)),
        ];
        let keys = SPECIAL.iter().zip(self.special);
        all.extend(keys.clone().map(|((_, key), number)| (*key, U32(number))));
        // A text begins with [CLS].
        let first = keys.filter(|((piece, _), _)| *piece == "[CLS]");
        all.extend(first.map(|(_, number)| ("tokenizer.ggml.bos_token_id", U32(number))));
        all
    }
}

/// A piece in llama.cpp's spelling.
fn respelt(piece: &str) -> String {
    match piece.strip_prefix("##") {
        Some(rest) => rest.to_owned(),
        None => format!("\u{2581}{piece}"),
    }
}

fn read_json(file: &Path) -> Result<Json> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// A BERT of two layers with random weights, in such a folder: for tests without a download.
pub mod tiny {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;

    use anyhow::Result;
    use safetensors::Dtype;
    use safetensors::tensor::TensorView;

    use super::{BEFORE, IN_LAYER};
    use crate::random::Random;

    /// Width.
    pub const EMBEDDING: usize = 64;
    const LAYERS: usize = 2;
    const FEED_FORWARD: usize = 128;
    const POSITIONS: usize = 32;
    /// Pieces; `##` and words, so that texts have both.
    const PIECES: [&str; 16] = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "king", "##dom", "of", "peace", "war", "##s",
        "and", "a", ",", ".",
    ];

    /// Writes it; the same every time.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn write(folder: &Path) -> Result<()> {
        fs::create_dir_all(folder.join("1_Pooling"))?;
        let config = serde_json::json!({
            "model_type": "bert", "hidden_act": "gelu", "num_hidden_layers": LAYERS, "hidden_size": EMBEDDING,
            "intermediate_size": FEED_FORWARD, "num_attention_heads": 2, "max_position_embeddings": POSITIONS,
            "vocab_size": PIECES.len(), "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        });
        fs::write(folder.join("config.json"), config.to_string())?;
        fs::write(folder.join("tokenizer_config.json"), r#"{"do_lower_case": true}"#)?;
        fs::write(folder.join("1_Pooling/config.json"), r#"{"pooling_mode_mean_tokens": true}"#)?;
        fs::write(folder.join("vocab.txt"), PIECES.join("\n") + "\n")?;
        let data = data();
        let views: BTreeMap<&String, TensorView<'_>> = data
            .iter()
            .map(|(name, (shape, bytes))| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
            .collect::<Result<_>>()?;
        fs::write(folder.join("model.safetensors"), safetensors::serialize(views, None)?)?;
        Ok(())
    }

    /// Shape and bytes of every tensor, by its name there.
    fn data() -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
        let mut all = BTreeMap::new();
        let mut random = Random::new(5);
        let mut put = |name: String, shape: Vec<usize>| {
            let count: usize = shape.iter().product();
            // Norms are about one, all else about nought.
            let base = if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
            let numbers = (0..count).map(|_| base + (random.below(1 << 16) as f32 / 65536.0 - 0.5) / 4.0);
            all.insert(name, (shape, numbers.flat_map(f32::to_le_bytes).collect()));
        };
        for ((name, _), rows) in BEFORE.iter().zip([PIECES.len(), POSITIONS, 2]) {
            put(format!("{name}.weight"), vec![rows, EMBEDDING]);
        }
        let mut pair = |name: String, n: usize, k: usize| {
            let norm = name.ends_with("LayerNorm");
            put(format!("{name}.weight"), if norm { vec![n] } else { vec![n, k] });
            put(format!("{name}.bias"), vec![n]);
        };
        pair(BEFORE[3].0.to_owned(), EMBEDDING, 0);
        for layer in 0..LAYERS {
            for (part, _) in IN_LAYER {
                let (n, k) = match part {
                    "intermediate.dense" => (FEED_FORWARD, EMBEDDING),
                    "output.dense" => (EMBEDDING, FEED_FORWARD),
                    _ => (EMBEDDING, EMBEDDING),
                };
                pair(format!("encoder.layer.{layer}.{part}"), n, k);
            }
        }
        pair("pooler.dense".to_owned(), EMBEDDING, EMBEDDING);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Temporary;

    #[test]
    fn names_are_those_of_llama_cpp() {
        let is = |theirs: &str, ours: &str| assert_eq!(name(theirs).unwrap().as_deref(), Some(ours));
        is("embeddings.word_embeddings.weight", "token_embd.weight");
        is("bert.embeddings.LayerNorm.bias", "token_embd_norm.bias");
        is("encoder.layer.11.attention.self.key.weight", "blk.11.attn_k.weight");
        is("encoder.layer.0.attention.output.LayerNorm.weight", "blk.0.attn_output_norm.weight");
        is("encoder.layer.0.output.LayerNorm.bias", "blk.0.layer_output_norm.bias");
        assert_eq!(name("pooler.dense.bias").unwrap(), None);
        for unknown in
            ["encoder.layer.0.attention.self.distance.weight", "encoder.layer.x.output.dense.bias", "cls"]
        {
            assert!(name(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn pieces_are_respelt() {
        assert_eq!(respelt("king"), "\u{2581}king");
        assert_eq!(respelt("##dom"), "dom");
    }

    #[test]
    fn a_tiny_bert_keeps_its_numbers() {
        let (folder, file) = (Temporary::new("bert-folder"), Temporary::new("bert.gguf"));
        tiny::write(folder.path()).unwrap();
        convert(folder.path(), file.path()).unwrap();
        let bytes = fs::read(file.path()).unwrap();
        let found = gguf::read(&bytes).unwrap();
        let stored = fs::read(folder.path().join("model.safetensors")).unwrap();
        let stored = SafeTensors::deserialize(&stored).unwrap();
        assert_eq!(found.len(), 2 * (4 + 8 * 2) - 3);
        for (theirs, ours, ne) in [
            ("embeddings.position_embeddings.weight", "position_embd.weight", [64, 32, 1, 1]),
            ("encoder.layer.1.output.dense.weight", "blk.1.ffn_down.weight", [128, 64, 1, 1]),
            ("encoder.layer.0.intermediate.dense.bias", "blk.0.ffn_up.bias", [128, 1, 1, 1]),
        ] {
            let tensor = found.iter().find(|tensor| tensor.name == ours).unwrap();
            assert_eq!((tensor.ne, tensor.data), (ne, stored.tensor(theirs).unwrap().data()), "{ours}");
        }
        let text = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(text("\u{2581}king") && text("dom") && !text("##dom") && text("[CLS]"));
    }

    #[test]
    fn what_is_no_bert_is_refused() {
        let (folder, file) = (Temporary::new("no-bert-folder"), Temporary::new("no-bert.gguf"));
        tiny::write(folder.path()).unwrap();
        let config = fs::read_to_string(folder.path().join("config.json")).unwrap();
        for (from, to, why) in [
            ("\"gelu\"", "\"relu\"", "hidden_act"),
            ("\"bert\"", "\"gpt2\"", "model_type"),
            ("\"num_hidden_layers\":2", "\"num_hidden_layers\":3", "tensors"),
            ("\"vocab_size\":16", "\"vocab_size\":17", "pieces"),
        ] {
            assert!(config.contains(from), "{from}");
            fs::write(folder.path().join("config.json"), config.replace(from, to)).unwrap();
            let error = format!("{:#}", convert(folder.path(), file.path()).unwrap_err());
            assert!(error.contains(why), "{to}: {error}");
        }
    }
}
