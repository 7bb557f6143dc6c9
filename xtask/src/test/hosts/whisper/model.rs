//! Converts a Whisper model from CTranslate2's format (`model.bin`, version 6, with `vocabulary.txt`) to whisper.cpp's.
//!
//! Both have the same tensors of 16-bit floats under other names. CTranslate2 keeps the projections of attention in one matrix, which is
//! split by rows. whisper.cpp needs 32-bit floats for tensors with one dimension, and the spectrogram's filter bank in the model file.

use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// `DataType::FLOAT16` of CTranslate2
const FLOAT16: u8 = 4;
/// Of whisper.cpp's files: "ggml".
const MAGIC: u32 = 0x6767_6d6c;
const AUDIO_CONTEXT: usize = 1500;
const TEXT_CONTEXT: usize = 448;
/// Tokens that are text, and the one that ends it; what comes behind them whisper.cpp knows by itself.
const TOKENS: usize = 50257;
const MELS: usize = 80;
/// Frequencies of a spectrogram of windows of 400 samples.
const FREQUENCIES: usize = 201;
const SAMPLE_RATE: f64 = 16000.0;

/// Reads one, writes the other.
pub fn convert(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from.join("model.bin"))?;
    let tensors = Reader { bytes: &bytes, at: 0 }.model().context("model.bin is not as expected")?;
    let vocabulary = fs::read_to_string(from.join("vocabulary.txt"))?;
    let mut out = BufWriter::new(fs::File::create(to)?);
    header(&mut out, &tensors)?;
    filters(&mut out)?;
    tokens(&mut out, &vocabulary)?;
    for (name, ours) in names(layers(&tensors)) {
        tensor(&mut out, &tensors, &name, &ours).with_context(|| name.clone())?;
    }
    out.flush().context("cannot write the model")
}

/// A tensor of 16-bit floats.
struct Tensor<'a> {
    shape: Vec<usize>,
    data: &'a [u8],
}

/// CTranslate2's file: lengths in front of everything.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(count)?)?;
        self.at += count;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().rev().fold(0, |all, &byte| all << 8 | usize::from(byte)))
    }

    fn text(&mut self) -> Option<String> {
        let count = self.number(2)?;
        let text = self.take(count)?.strip_suffix(&[0])?;
        String::from_utf8(text.to_vec()).ok()
    }

    fn model(mut self) -> Option<HashMap<String, Tensor<'a>>> {
        let (version, kind, _revision) = (self.number(4)?, self.text()?, self.number(4)?);
        if version != 6 || kind != "WhisperSpec" {
            return None;
        }
        let mut tensors = HashMap::new();
        for _ in 0..self.number(4)? {
            let (name, rank) = (self.text()?, self.number(1)?);
            let shape = (0..rank).map(|_| self.number(4)).collect::<Option<Vec<_>>>()?;
            let (ty, bytes) = (self.number(1)?, self.number(4)?);
            let data = self.take(bytes)?;
            if ty == usize::from(FLOAT16) {
                tensors.insert(name, Tensor { shape, data });
            }
        }
        Some(tensors)
    }
}

/// Layers of the encoder, and as many of the decoder.
fn layers(tensors: &HashMap<String, Tensor>) -> usize {
    (0..).take_while(|i| tensors.contains_key(&format!("encoder/layer_{i}/ffn/linear_0/weight"))).count()
}

fn header(out: &mut impl Write, tensors: &HashMap<String, Tensor>) -> Result<()> {
    let embeddings = tensors.get("decoder/embeddings/weight").context("no embeddings")?;
    let [words, state] = embeddings.shape[..] else { bail!("embeddings of {:?}", embeddings.shape) };
    let (heads, layers) = (state / 64, layers(tensors));
    let parameters =
        [words, AUDIO_CONTEXT, state, heads, layers, TEXT_CONTEXT, state, heads, layers, MELS, 1];
    out.write_all(&MAGIC.to_le_bytes())?;
    parameters.iter().try_for_each(|&value| number(out, value))
}

fn number(out: &mut impl Write, value: usize) -> Result<()> {
    Ok(out.write_all(&(value as u32).to_le_bytes())?)
}

/// Triangles on the mel scale, of equal area: linear below 1 kHz, logarithmic above.
fn filters(out: &mut impl Write) -> Result<()> {
    const LINEAR: f64 = 200.0 / 3.0;
    const KNEE: f64 = 1000.0;
    let step = f64::ln(6.4) / 27.0;
    let frequency = |mel: f64| {
        let knee = KNEE / LINEAR;
        if mel < knee { mel * LINEAR } else { KNEE * f64::exp((mel - knee) * step) }
    };
    let highest = KNEE / LINEAR + f64::ln(SAMPLE_RATE / 2.0 / KNEE) / step;
    let edges: Vec<f64> = (0..MELS + 2).map(|i| frequency(highest * i as f64 / (MELS + 1) as f64)).collect();
    number(out, MELS)?;
    number(out, FREQUENCIES)?;
    for mel in edges.windows(3) {
        for bin in 0..FREQUENCIES {
            let at = SAMPLE_RATE / 2.0 * bin as f64 / (FREQUENCIES - 1) as f64;
            let rise = (at - mel[0]) / (mel[1] - mel[0]);
            let fall = (mel[2] - at) / (mel[2] - mel[1]);
            let weight = rise.min(fall).max(0.0) * 2.0 / (mel[2] - mel[0]);
            out.write_all(&(weight as f32).to_le_bytes())?;
        }
    }
    Ok(())
}

/// The words, whose letters stand for bytes as in GPT-2's vocabulary.
fn tokens(out: &mut impl Write, vocabulary: &str) -> Result<()> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = 256..;
    let letters: HashMap<char, u8> = (0..=255_u8)
        .filter_map(|byte| {
            let letter = if printable(byte) { u32::from(byte) } else { others.next()? };
            Some((char::from_u32(letter)?, byte))
        })
        .collect();
    number(out, TOKENS)?;
    for word in vocabulary.lines().take(TOKENS) {
        let bytes: Option<Vec<u8>> = word.chars().map(|letter| letters.get(&letter).copied()).collect();
        let bytes = bytes.with_context(|| format!("token {word}"))?;
        number(out, bytes.len())?;
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// A tensor of CTranslate2's, and which part of its rows: one of so many.
struct Part {
    name: String,
    part: usize,
    of: usize,
}

/// whisper.cpp's tensors, and their sources.
fn names(layers: usize) -> Vec<(String, Part)> {
    let mut all = Vec::new();
    let mut add =
        |ours: String, name: String, part: usize, of: usize| all.push((ours, Part { name, part, of }));
    let weight_and_bias = ["weight", "bias"];
    for side in ["encoder", "decoder"] {
        add(format!("{side}.positional_embedding"), format!("{side}/position_encodings/encodings"), 0, 1);
        let last = if side == "encoder" { "ln_post" } else { "ln" };
        norm(&mut add, &format!("{side}.{last}"), &format!("{side}/layer_norm"));
        for layer in 0..layers {
            let (to, from) = (format!("{side}.blocks.{layer}"), format!("{side}/layer_{layer}"));
            norm(&mut add, &format!("{to}.mlp_ln"), &format!("{from}/ffn/layer_norm"));
            norm(&mut add, &format!("{to}.attn_ln"), &format!("{from}/self_attention/layer_norm"));
            for kind in weight_and_bias {
                add(format!("{to}.mlp.0.{kind}"), format!("{from}/ffn/linear_0/{kind}"), 0, 1);
                add(format!("{to}.mlp.2.{kind}"), format!("{from}/ffn/linear_1/{kind}"), 0, 1);
                for (part, name) in ["query", "key", "value"].into_iter().enumerate() {
                    if (name, kind) != ("key", "bias") {
                        add(
                            format!("{to}.attn.{name}.{kind}"),
                            format!("{from}/self_attention/linear_0/{kind}"),
                            part,
                            3,
                        );
                    }
                }
                add(format!("{to}.attn.out.{kind}"), format!("{from}/self_attention/linear_1/{kind}"), 0, 1);
            }
            if side == "decoder" {
                cross_attention(&mut add, &to, &from);
            }
        }
    }
    for (conv, kind) in
        ["conv1", "conv2"].into_iter().flat_map(|conv| weight_and_bias.map(|kind| (conv, kind)))
    {
        add(format!("encoder.{conv}.{kind}"), format!("encoder/{conv}/{kind}"), 0, 1);
    }
    add("decoder.token_embedding.weight".to_owned(), "decoder/embeddings/weight".to_owned(), 0, 1);
    all
}

fn norm(add: &mut impl FnMut(String, String, usize, usize), to: &str, from: &str) {
    add(format!("{to}.weight"), format!("{from}/gamma"), 0, 1);
    add(format!("{to}.bias"), format!("{from}/beta"), 0, 1);
}

/// The query has a matrix of its own: it comes from the text.
fn cross_attention(add: &mut impl FnMut(String, String, usize, usize), to: &str, from: &str) {
    norm(add, &format!("{to}.cross_attn_ln"), &format!("{from}/attention/layer_norm"));
    for kind in ["weight", "bias"] {
        add(format!("{to}.cross_attn.query.{kind}"), format!("{from}/attention/linear_0/{kind}"), 0, 1);
        add(format!("{to}.cross_attn.value.{kind}"), format!("{from}/attention/linear_1/{kind}"), 1, 2);
        add(format!("{to}.cross_attn.out.{kind}"), format!("{from}/attention/linear_2/{kind}"), 0, 1);
    }
    add(format!("{to}.cross_attn.key.weight"), format!("{from}/attention/linear_1/weight"), 0, 2);
}

fn tensor(out: &mut impl Write, tensors: &HashMap<String, Tensor>, name: &str, from: &Part) -> Result<()> {
    let Tensor { shape, data } = tensors.get(&from.name).with_context(|| format!("no {}", from.name))?;
    let mut shape = shape.clone();
    shape[0] /= from.of;
    let bytes = data.len() / from.of;
    let data = &data[from.part * bytes..(from.part + 1) * bytes];
    // The positions and all vectors are 32-bit; the convolutions' biases are columns.
    let wide = shape.len() < 2 || name.ends_with("positional_embedding");
    if name.starts_with("encoder.conv") && name.ends_with("bias") {
        shape.push(1);
    }
    number(out, shape.len())?;
    number(out, name.len())?;
    number(out, usize::from(!wide))?;
    shape.iter().rev().try_for_each(|&extent| number(out, extent))?;
    out.write_all(name.as_bytes())?;
    if !wide {
        return Ok(out.write_all(data)?);
    }
    let halves = data.chunks_exact(2).map(|two| half::f16::from_le_bytes([two[0], two[1]]));
    let wide: Vec<u8> = halves.flat_map(|value| value.to_f32().to_le_bytes()).collect();
    Ok(out.write_all(&wide)?)
}
