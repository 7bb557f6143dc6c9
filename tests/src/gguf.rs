//! Writing and reading model files, and models with random weights in the shape of real ones. The latter measure how fast a
//! model loads, and test an architecture that llama.cpp's own generator of test models does not write.
//!
//! Adapters for the demo model are in [`adapters`].
//!
//! A GGUF file (version 3) is a header, key-value pairs, descriptions of tensors, and their data, aligned to 32 bytes
//! (`ggml/docs/gguf.md` of llama.cpp). A model without a vocabulary gives logits, but no text.

use std::fs::File;
use std::io::{BufWriter, Error, Result, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use tt_runtime::layout::GgmlType;

use crate::blocks::half_fields;
use crate::random::Random;

pub mod adapters;

const ALIGNMENT: u64 = 32;

/// Extents of a Llama model.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Layers.
    pub layers: u32,
    /// Width.
    pub embedding: u32,
    /// Width of the feed-forward part.
    pub feed_forward: u32,
    /// Attention heads.
    pub heads: u32,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Words.
    pub vocabulary: u32,
}

/// TinyLlama-1.1B.
pub const TINY_LLAMA: Shape =
    Shape { layers: 22, embedding: 2048, feed_forward: 5632, heads: 32, kv_heads: 4, vocabulary: 32_000 };

/// 3,500 matrices of 256 to 64 KiB: what each tensor costs is what loading it costs.
pub const MANY_SMALL: Shape =
    Shape { layers: 500, embedding: 256, feed_forward: 512, heads: 4, kv_heads: 2, vocabulary: 256 };

/// How the matrices of a file are quantised: as llama.cpp's quantiser mixes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mixture {
    /// Q4_0, and Q6_K for the output.
    Q4_0,
    /// Q4_K, and Q6_K for the output and half of the value and down projections.
    Q4KM,
}

impl Mixture {
    /// Name in figures and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Q4_0 => "Q4_0",
            Self::Q4KM => "Q4_K_M",
        }
    }

    fn matrix(self, layer: u32, layers: u32, important: bool) -> GgmlType {
        // The first and last eighth, and every third in between.
        let more = layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
        match self {
            Self::Q4_0 => GgmlType::Q4_0,
            Self::Q4KM if important && more => GgmlType::Q6_K,
            Self::Q4KM => GgmlType::Q4_K,
        }
    }
}

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Type of the elements.
    pub ty: GgmlType,
    /// Extents, the one whose elements are neighbours first.
    pub ne: Vec<u32>,
}

impl Tensor {
    fn bytes(&self) -> u64 {
        let rows: u64 = self.ne[1..].iter().map(|&n| u64::from(n)).product();
        self.ty.row_bytes(self.ne[0] as usize).unwrap_or(0) as u64 * rows
    }
}

impl Shape {
    fn tensors(&self, mixture: Mixture) -> Vec<Tensor> {
        let (e, ff) = (self.embedding, self.feed_forward);
        let kv = e / self.heads * self.kv_heads;
        let tensor = |name: String, ty, ne: &[u32]| Tensor { name, ty, ne: ne.to_vec() };
        let first = mixture.matrix(self.layers / 8, self.layers, false);
        let mut all = vec![
            tensor("token_embd.weight".into(), first, &[e, self.vocabulary]),
            tensor("output_norm.weight".into(), GgmlType::F32, &[e]),
            tensor("output.weight".into(), GgmlType::Q6_K, &[e, self.vocabulary]),
        ];
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            for norm in ["attn_norm", "ffn_norm"] {
                all.push(tensor(name(norm), GgmlType::F32, &[e]));
            }
            let matrices = [
                ("attn_q", e, e),
                ("attn_k", e, kv),
                ("attn_v", e, kv),
                ("attn_output", e, e),
                ("ffn_gate", e, ff),
                ("ffn_up", e, ff),
                ("ffn_down", ff, e),
            ];
            for (part, k, n) in matrices {
                let ty = mixture.matrix(layer, self.layers, matches!(part, "attn_v" | "ffn_down"));
                all.push(tensor(name(part), ty, &[k, n]));
            }
        }
        all
    }

    fn metadata(&self) -> Vec<(&'static str, Value<'static>)> {
        use Value::{F32, Text, U32};
        vec![
            ("general.architecture", Text("llama")),
            ("general.name", Text("random weights")),
            ("llama.block_count", U32(self.layers)),
            ("llama.context_length", U32(2048)),
            ("llama.embedding_length", U32(self.embedding)),
            ("llama.feed_forward_length", U32(self.feed_forward)),
            ("llama.attention.head_count", U32(self.heads)),
            ("llama.attention.head_count_kv", U32(self.kv_heads)),
            ("llama.rope.dimension_count", U32(self.embedding / self.heads)),
            ("llama.attention.layer_norm_rms_epsilon", F32(1e-5)),
            ("llama.vocab_size", U32(self.vocabulary)),
            ("tokenizer.ggml.model", Text("no_vocab")),
        ]
    }
}

/// A value of the metadata.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// 32 bits, unsigned.
    U32(u32),
    /// Single precision.
    F32(f32),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(&'a str),
    /// An array of texts.
    Texts(&'a [String]),
    /// An array of 32 bits, signed.
    I32s(&'a [i32]),
}

impl Value<'_> {
    /// Number of the type, then the value. An array is its elements' type, their number, and the elements.
    fn put(self, out: &mut Vec<u8>) {
        let mut number = |kind: u32, bytes: &[u8]| {
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        };
        match self {
            Value::U32(x) => number(4, &x.to_le_bytes()),
            Value::F32(x) => number(6, &x.to_le_bytes()),
            Value::Bool(x) => number(7, &[u8::from(x)]),
            Value::Text(text) => {
                number(8, &[]);
                put_text(out, text);
            }
            Value::Texts(texts) => {
                number(9, &8u32.to_le_bytes());
                out.extend((texts.len() as u64).to_le_bytes());
                texts.iter().for_each(|text| put_text(out, text));
            }
            Value::I32s(numbers) => {
                number(9, &5u32.to_le_bytes());
                out.extend((numbers.len() as u64).to_le_bytes());
                numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
            }
        }
    }
}

/// Writes a model; the same every time.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, shape: Shape, mixture: Mixture) -> Result<()> {
    write_model(path, &shape.metadata(), &shape.tensors(mixture))
}

/// Writes a BERT of two layers with F16 matrices; the same every time.
///
/// # Errors
/// The file cannot be written.
pub fn write_bert(path: &Path) -> Result<()> {
    write_model(path, &bert::metadata(), &bert::tensors())
}

/// An encoder: no cache, norms with biases after each part, GELU.
mod bert {
    use super::{GgmlType, Tensor, Value};

    const LAYERS: u32 = 2;
    const EMBEDDING: u32 = 128;
    const FEED_FORWARD: u32 = 320;
    const HEADS: u32 = 4;
    const VOCABULARY: u32 = 96;
    const POSITIONS: u32 = 64;

    pub fn metadata() -> Vec<(&'static str, Value<'static>)> {
        use Value::{Bool, F32, Text, U32};
        vec![
            ("general.architecture", Text("bert")),
            ("general.name", Text("random weights")),
            ("bert.block_count", U32(LAYERS)),
            ("bert.context_length", U32(POSITIONS)),
            ("bert.embedding_length", U32(EMBEDDING)),
            ("bert.feed_forward_length", U32(FEED_FORWARD)),
            ("bert.attention.head_count", U32(HEADS)),
            ("bert.attention.layer_norm_epsilon", F32(1e-12)),
            ("bert.attention.causal", Bool(false)),
            ("bert.vocab_size", U32(VOCABULARY)),
            ("tokenizer.ggml.model", Text("no_vocab")),
            ("tokenizer.ggml.token_type_count", U32(2)),
        ]
    }

    pub fn tensors() -> Vec<Tensor> {
        let tensor = |name: String, ty, ne: &[u32]| Tensor { name, ty, ne: ne.to_vec() };
        // A weight with a bias as long as its last dimension.
        let pair = |part: &str, ty, ne: &[u32]| {
            let bias = [*ne.last().unwrap_or(&0)];
            [tensor(format!("{part}.weight"), ty, ne), tensor(format!("{part}.bias"), GgmlType::F32, &bias)]
        };
        let (e, ff) = (EMBEDDING, FEED_FORWARD);
        let mut all = vec![
            tensor("token_embd.weight".into(), GgmlType::F16, &[e, VOCABULARY]),
            tensor("token_types.weight".into(), GgmlType::F32, &[e, 2]),
            tensor("position_embd.weight".into(), GgmlType::F16, &[e, POSITIONS]),
        ];
        all.extend(pair("token_embd_norm", GgmlType::F32, &[e]));
        for layer in 0..LAYERS {
            for part in ["attn_q", "attn_k", "attn_v", "attn_output"] {
                all.extend(pair(&format!("blk.{layer}.{part}"), GgmlType::F16, &[e, e]));
            }
            for part in ["attn_output_norm", "layer_output_norm"] {
                all.extend(pair(&format!("blk.{layer}.{part}"), GgmlType::F32, &[e]));
            }
            all.extend(pair(&format!("blk.{layer}.ffn_up"), GgmlType::F16, &[e, ff]));
            all.extend(pair(&format!("blk.{layer}.ffn_down"), GgmlType::F16, &[ff, e]));
        }
        all
    }
}

/// Random weights, the same every time.
fn write_model(path: &Path, metadata: &[(&str, Value<'_>)], tensors: &[Tensor]) -> Result<()> {
    let mut random = Random::new(9);
    write_file(path, metadata, tensors, |tensor, out| put_data(out, tensor, &mut random))
}

/// Writes a file; `data` is asked for the data of each tensor, in order.
///
/// # Errors
/// The file cannot be written, or `data` gives an error or not as many bytes as the tensor has.
pub fn write_file(
    path: &Path,
    metadata: &[(&str, Value<'_>)],
    tensors: &[Tensor],
    mut data: impl FnMut(&Tensor, &mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut out = Counted { out: BufWriter::with_capacity(1 << 20, File::create(path)?), bytes: 0 };
    out.write_all(&header(metadata, tensors))?;
    for tensor in tensors {
        out.bytes = 0;
        data(tensor, &mut out)?;
        if out.bytes != tensor.bytes() {
            let (name, found, wanted) = (&tensor.name, out.bytes, tensor.bytes());
            return Err(Error::other(format!("{name}: {found} bytes of data, not {wanted}")));
        }
        out.write_all(&vec![0; padding(tensor)])?;
    }
    out.flush()
}

/// Zeros after a tensor's data.
fn padding(tensor: &Tensor) -> usize {
    (tensor.bytes().next_multiple_of(ALIGNMENT) - tensor.bytes()) as usize
}

/// Everything before the data.
fn header(metadata: &[(&str, Value<'_>)], tensors: &[Tensor]) -> Vec<u8> {
    let mut header = b"GGUF".to_vec();
    header.extend(3u32.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        put_text(&mut header, key);
        value.put(&mut header);
    }
    let mut offset = 0;
    for tensor in tensors {
        put_text(&mut header, &tensor.name);
        header.extend((tensor.ne.len() as u32).to_le_bytes());
        tensor.ne.iter().for_each(|&n| header.extend(u64::from(n).to_le_bytes()));
        header.extend(tensor.ty.number().to_le_bytes());
        header.extend(u64::to_le_bytes(offset));
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    header.resize(header.len().next_multiple_of(ALIGNMENT as usize), 0);
    header
}

/// Counts what goes through.
struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.out.flush()
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Whether the F32 numbers of a tensor are random: those of biases and adapters, not those of norms.
fn is_random(name: &str) -> bool {
    [".bias", ".lora_a", ".lora_b"].iter().any(|end| name.ends_with(end)) || name.starts_with("direction.")
}

/// Random blocks with scales of about 2^-7, row after row; F32 numbers between -1/8 and 1/8, or ones ([`is_random`]).
fn put_data(out: &mut dyn Write, tensor: &Tensor, random: &mut Random) -> Result<()> {
    let bytes = tensor.bytes();
    if tensor.ty == GgmlType::F32 {
        for _ in 0..bytes / 4 {
            let small = (f64::from(random.bits()) / f64::from(u32::MAX) - 0.5) / 4.0;
            let value = if is_random(&tensor.name) { small as f32 } else { 1.0 };
            out.write_all(&value.to_le_bytes())?;
        }
    } else {
        let row = tensor.ty.row_bytes(tensor.ne[0] as usize).unwrap_or(0);
        for _ in 0..bytes / row.max(1) as u64 {
            let mut data = random.bytes(row);
            for block in data.chunks_exact_mut(tensor.ty.block().1) {
                for &half in half_fields(tensor.ty) {
                    block[half + 1] = block[half + 1] & 0x83 | 0x20;
                }
            }
            out.write_all(&data)?;
        }
    }
    Ok(())
}

/// A tensor of a file.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Its name.
    pub name: &'a str,
    /// Type of the elements.
    pub ty: GgmlType,
    /// Extents.
    pub ne: [u64; 4],
    /// Its data.
    pub data: &'a [u8],
}

/// Takes a file apart.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> anyhow::Result<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at + count).context("the file ends early")?;
        self.at += count;
        Ok(taken)
    }

    fn u32(&mut self) -> anyhow::Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into()?))
    }

    fn u64(&mut self) -> anyhow::Result<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into()?))
    }

    fn text(&mut self) -> anyhow::Result<&'a str> {
        let count = self.u64()? as usize;
        Ok(std::str::from_utf8(self.take(count)?)?)
    }

    /// Passes over a value.
    fn value(&mut self, kind: u32) -> anyhow::Result<()> {
        match kind {
            0 | 1 | 7 => drop(self.take(1)?),
            2 | 3 => drop(self.take(2)?),
            4..=6 => drop(self.take(4)?),
            10..=12 => drop(self.take(8)?),
            8 => drop(self.text()?),
            9 => {
                let (kind, count) = (self.u32()?, self.u64()?);
                (0..count).try_for_each(|_| self.value(kind))?;
            }
            other => bail!("a value of unknown kind {other}"),
        }
        Ok(())
    }
}

/// Tensors of a GGUF file whose data is aligned to 32 bytes, as that of nearly all is.
///
/// # Errors
/// It is no such file.
pub fn read(bytes: &[u8]) -> anyhow::Result<Vec<Found<'_>>> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take(4)? != b"GGUF" || reader.u32()? != 3 {
        bail!("no GGUF file of version 3");
    }
    let (tensors, pairs) = (reader.u64()?, reader.u64()?);
    for _ in 0..pairs {
        reader.text()?;
        let kind = reader.u32()?;
        reader.value(kind)?;
    }
    let mut found = Vec::new();
    for _ in 0..tensors {
        let name = reader.text()?;
        let mut ne = [1; 4];
        for n in ne.iter_mut().take(reader.u32()? as usize) {
            *n = reader.u64()?;
        }
        let ty = GgmlType::from_number(reader.u32()?).with_context(|| format!("type of {name}"))?;
        found.push((name, ty, ne, reader.u64()? as usize));
    }
    let start = reader.at.next_multiple_of(ALIGNMENT as usize);
    let slice = |(name, ty, ne, offset): (_, GgmlType, [u64; 4], usize)| {
        let rows: u64 = ne[1..].iter().product();
        let len = ty.row_bytes(ne[0] as usize).context("rows are no whole blocks")? * rows as usize;
        let data = bytes.get(start + offset..start + offset + len).context("the file ends early")?;
        Ok(Found { name, ty, ne, data })
    };
    found.into_iter().map(slice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let shape =
            Shape { layers: 2, embedding: 256, feed_forward: 512, heads: 4, kv_heads: 2, vocabulary: 64 };
        let path = std::env::temp_dir().join(format!("tt-gguf-{}", std::process::id()));
        write(&path, shape, Mixture::Q4KM).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let found = read(&bytes).unwrap();
        assert_eq!(found.len(), 3 + 2 * 9);
        let down = found.iter().find(|tensor| tensor.name == "blk.1.ffn_down.weight").unwrap();
        assert_eq!((down.ne, down.data.len()), ([512, 256, 1, 1], 2 * 256 * down.ty.block().1));
        assert!(found[1].data.as_chunks().0.iter().all(|b| f32::from_le_bytes(*b) == 1.0));
        assert!(read(&bytes[..bytes.len() - 40]).is_err());
    }

    #[test]
    fn a_tiny_llama_has_its_billion_weights() {
        let tensors = TINY_LLAMA.tensors(Mixture::Q4KM);
        let weights: u64 =
            tensors.iter().map(|tensor| tensor.ne.iter().map(|&n| u64::from(n)).product::<u64>()).sum();
        assert_eq!(weights, 1_100_048_384);
        assert_eq!(tensors.len(), 201);
        let sixes = tensors.iter().filter(|tensor| tensor.ty == GgmlType::Q6_K).count();
        assert_eq!(sixes, 1 + 2 * 10);
    }
}
