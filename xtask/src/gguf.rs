//! `cargo xtask gguf`: model files made from model files.
//!
//! `f32 IN OUT` writes a model's weights in single precision: the values that ggml's `to_float` gives of each block, so that a run with this file on the
//! CPU shows the model itself, without anybody's rounding. What llama-perplexity measures against it (`--kl-divergence`) is then what a backend
//! adds, not what the quantisation of the file has cost.
//!
//! A GGUF file (`ggml/docs/gguf.md` of llama.cpp) is a header, key-value pairs, descriptions of tensors, and their data. Keys and values are copied as they
//! are, but for `general.file_type`. Tensors of integers stay what they are.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand};
use tt_kernel_quant::arithmetic::Floats;
use tt_kernel_quant::{GgmlType, row};

/// Options of `cargo xtask gguf`.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Write a model with all its weights in single precision
    F32 {
        /// A model file
        input: PathBuf,
        /// The file to write
        output: PathBuf,
    },
}

/// `cargo xtask gguf`.
pub fn run(options: &Options) -> Result<()> {
    let Action::F32 { input, output } = &options.action;
    let bytes = fs::read(input).with_context(|| format!("cannot read {}", input.display()))?;
    let model = Model::parse(&bytes)
        .with_context(|| format!("{} is no model file that is known", input.display()))?;
    let file = fs::File::create(output).with_context(|| format!("cannot write {}", output.display()))?;
    let mut out = BufWriter::new(file);
    model
        .write_f32(&mut out)
        .and_then(|()| Ok(out.flush()?))
        .with_context(|| format!("cannot write {}", output.display()))
}

const MAGIC: &[u8] = b"GGUF";
const VERSION: u32 = 3;
/// Alignment of data, unless the file says otherwise.
const ALIGNMENT: usize = 32;
/// What `general.file_type` is for a model that is all F32.
const ALL_F32: u32 = 0;
/// Values that are decoded at a time, whole blocks of all types.
const PIECE: usize = 1 << 20;
/// Extents of a tensor at most.
const DIMENSIONS: usize = 4;

/// A tensor of a file.
#[derive(Debug)]
pub struct Tensor<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its extents, rows first.
    pub extents: Vec<u64>,
    /// ggml's number of its type.
    pub ty: u32,
    /// Its data.
    pub bytes: &'a [u8],
}

impl Tensor<'_> {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.extents.iter().product::<u64>() as usize
    }
}

/// A model file.
#[derive(Debug)]
pub struct Model<'a> {
    pairs: u64,
    /// Keys and values.
    head: Vec<u8>,
    alignment: usize,
    /// Its tensors, in the order of the file.
    pub tensors: Vec<Tensor<'a>>,
}

/// What is left of a file.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        ensure!(len <= rest.len(), "it ends at byte {:#x}", self.bytes.len());
        self.at += len;
        Ok(&rest[..len])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into()?))
    }

    fn string(&mut self) -> Result<&'a [u8]> {
        let len = self.u64()?;
        self.take(usize::try_from(len)?)
    }

    /// Skips a value of a type of GGUF.
    fn skip(&mut self, ty: u32) -> Result<()> {
        const STRING: u32 = 8;
        const ARRAY: u32 = 9;
        match (size_of_value(ty), ty) {
            (Some(size), _) => drop(self.take(size)?),
            (None, STRING) => drop(self.string()?),
            (None, ARRAY) => {
                let (ty, len) = (self.u32()?, usize::try_from(self.u64()?)?);
                match size_of_value(ty) {
                    Some(size) => drop(self.take(size.saturating_mul(len))?),
                    None => (0..len).try_for_each(|_| self.skip(ty))?,
                }
            }
            _ => bail!("a value of type {ty}"),
        }
        Ok(())
    }
}

/// Bytes of a value that is a number or a truth value.
fn size_of_value(ty: u32) -> Option<usize> {
    Some(match ty {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// Bytes of an element of a tensor whose values are no weights: integers, and double precision.
fn size_of_other(ty: u32) -> Option<usize> {
    Some(match ty {
        24 => 1,
        25 => 2,
        26 => 4,
        27 | 28 => 8,
        _ => return None,
    })
}

fn bytes_of(ty: u32, extents: &[u64]) -> Result<usize> {
    let extents: Vec<usize> =
        extents.iter().map(|&extent| usize::try_from(extent)).collect::<Result<_, _>>()?;
    let [k, rows @ ..] = &extents[..] else { bail!("a tensor without extents") };
    let row = match GgmlType::from_number(ty) {
        Some(ty) => ty.row_bytes(*k).with_context(|| format!("{k} values of {}", ty.name()))?,
        None => k.saturating_mul(size_of_other(ty).with_context(|| format!("a tensor of type {ty}"))?),
    };
    Ok(rows.iter().fold(row, |bytes, &extent| bytes.saturating_mul(extent)))
}

impl<'a> Model<'a> {
    /// The parts of a file.
    ///
    /// # Errors
    /// It is none of version 3, ends too early, or has tensors of unknown types.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let mut file = Reader { bytes, at: 0 };
        ensure!(file.take(4)? == MAGIC, "no GGUF");
        let version = file.u32()?;
        ensure!(version == VERSION, "version {version}");
        let (tensors, pairs) = (file.u64()?, file.u64()?);
        let (mut head, mut alignment) = (Vec::new(), ALIGNMENT);
        for _ in 0..pairs {
            let start = file.at;
            let key = file.string()?;
            let ty = file.u32()?;
            let value = file.at;
            file.skip(ty)?;
            head.extend_from_slice(&bytes[start..file.at]);
            match key {
                b"general.alignment" => {
                    alignment = u32::from_le_bytes(bytes[value..file.at].try_into()?) as usize;
                }
                b"general.file_type" => {
                    let at = head.len() - size_of_val(&ALL_F32);
                    head[at..].copy_from_slice(&ALL_F32.to_le_bytes());
                }
                _ => {}
            }
        }
        ensure!(alignment.is_power_of_two(), "an alignment of {alignment}");
        let descriptions =
            (0..tensors).map(|_| description(&mut file)).collect::<Result<Vec<(Tensor<'a>, usize)>>>()?;
        let data = &bytes[file.at.next_multiple_of(alignment).min(bytes.len())..];
        let with_data = |(tensor, offset): (Tensor<'a>, usize)| -> Result<Tensor<'a>> {
            let len = bytes_of(tensor.ty, &tensor.extents)?;
            let bytes = offset.checked_add(len).and_then(|end| data.get(offset..end));
            let name = || format!("tensor {} is beyond the end", String::from_utf8_lossy(tensor.name));
            Ok(Tensor { bytes: bytes.with_context(name)?, ..tensor })
        };
        let tensors = descriptions.into_iter().map(with_data).collect::<Result<_>>()?;
        Ok(Self { pairs, head, alignment, tensors })
    }

    /// Writes it with all weights in F32.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_f32(&self, out: &mut impl Write) -> Result<()> {
        self.write_f32_changed(out, |_, _, _| {})
    }

    /// The same with weights that are no longer what they were: `change` is given a tensor, the number of the first of some of its values, and these.
    /// They are whole rows where a tensor has more than one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_f32_changed(
        &self,
        out: &mut impl Write,
        mut change: impl FnMut(&Tensor<'_>, usize, &mut [f32]),
    ) -> Result<()> {
        self.write_head(out)?;
        let mut values = Vec::new();
        for tensor in &self.tensors {
            let Some(ty) = GgmlType::from_number(tensor.ty) else {
                out.write_all(tensor.bytes)?;
                self.pad(tensor.bytes.len(), out)?;
                continue;
            };
            let (block, bytes) = ty.block();
            // Strips of 32 rows, as many as there is room for.
            let strip = 32 * tensor.extents[0] as usize;
            let piece = (PIECE / strip).max(1) * strip;
            for (i, blocks) in tensor.bytes.chunks(piece / block * bytes).enumerate() {
                values.resize(blocks.len() / bytes * block, 0.0);
                row::<Floats>(ty, blocks, &mut values);
                change(tensor, i * piece, &mut values);
                for value in &values {
                    out.write_all(&value.to_le_bytes())?;
                }
            }
            self.pad(4 * tensor.len(), out)?;
        }
        Ok(())
    }

    /// Everything before the data.
    fn write_head(&self, out: &mut impl Write) -> Result<()> {
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend(self.pairs.to_le_bytes());
        head.extend(&self.head);
        let mut offset = 0u64;
        for tensor in &self.tensors {
            let (ty, bytes) = match GgmlType::from_number(tensor.ty) {
                Some(_) => (GgmlType::F32.number(), 4 * tensor.len()),
                None => (tensor.ty, tensor.bytes.len()),
            };
            head.extend((tensor.name.len() as u64).to_le_bytes());
            head.extend(tensor.name);
            head.extend((tensor.extents.len() as u32).to_le_bytes());
            tensor.extents.iter().for_each(|extent| head.extend(extent.to_le_bytes()));
            head.extend(ty.to_le_bytes());
            head.extend(offset.to_le_bytes());
            offset += bytes.next_multiple_of(self.alignment) as u64;
        }
        out.write_all(&head)?;
        self.pad(head.len(), out)
    }

    /// Zeros after so many bytes.
    fn pad(&self, len: usize, out: &mut impl Write) -> Result<()> {
        let zeros = len.next_multiple_of(self.alignment) - len;
        Ok(out.write_all(&vec![0; zeros])?)
    }
}

/// A tensor without its data, and where these begin.
fn description<'a>(file: &mut Reader<'a>) -> Result<(Tensor<'a>, usize)> {
    let name = file.string()?;
    let count = file.u32()? as usize;
    ensure!((1..=DIMENSIONS).contains(&count), "a tensor with {count} extents");
    let extents = (0..count).map(|_| file.u64()).collect::<Result<_>>()?;
    let ty = file.u32()?;
    let offset = usize::try_from(file.u64()?)?;
    Ok((Tensor { name, extents, ty, bytes: &[] }, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &[u8]) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes()[..], text].concat()
    }

    /// A file with a value of each kind, and tensors of Q4_0, F16 and I32.
    fn model() -> Vec<u8> {
        let mut file = [MAGIC, &VERSION.to_le_bytes(), &3u64.to_le_bytes(), &4u64.to_le_bytes()].concat();
        let mut pair = |key: &[u8], ty: u32, value: &[u8]| {
            file.extend([&string(key)[..], &ty.to_le_bytes(), value].concat());
        };
        pair(b"general.file_type", 4, &7u32.to_le_bytes());
        pair(b"general.alignment", 4, &64u32.to_le_bytes());
        let words = [&8u32.to_le_bytes()[..], &2u64.to_le_bytes(), &string(b"one"), &string(b"two")].concat();
        pair(b"tokenizer.words", 9, &words);
        pair(b"some.number", 12, &1.5f64.to_le_bytes());
        for (name, extents, ty, offset) in
            [("a", &[32u64, 2][..], 2u32, 0u64), ("b", &[3], 1, 64), ("c", &[2], 26, 128)]
        {
            file.extend(string(name.as_bytes()));
            file.extend((extents.len() as u32).to_le_bytes());
            extents.iter().for_each(|extent| file.extend(extent.to_le_bytes()));
            file.extend([&ty.to_le_bytes()[..], &offset.to_le_bytes()].concat());
        }
        file.resize(file.len().next_multiple_of(64), 0);
        // Scales 0.5 and -2, all codes 0x81: 1 - 8 and 8 - 8.
        file.extend([&[0x00, 0x38][..], &[0x81; 16], &[0x00, 0xC0], &[0x81; 16]].concat());
        file.resize(file.len().next_multiple_of(64), 0);
        file.extend([0x00, 0x3C, 0x01, 0x00, 0x00, 0xFC]);
        file.resize(file.len().next_multiple_of(64), 0);
        file.extend([7i32.to_le_bytes(), (-1i32).to_le_bytes()].concat());
        file
    }

    #[test]
    fn weights_become_what_they_stand_for() {
        let file = model();
        let mut out = Vec::new();
        Model::parse(&file).unwrap().write_f32(&mut out).unwrap();
        let made = Model::parse(&out).unwrap();
        let [a, b, c] = &made.tensors[..] else { panic!("three tensors") };
        let floats = |tensor: &Tensor<'_>| -> Vec<f32> {
            tensor.bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
        };
        assert_eq!((a.name, a.ty, &a.extents[..]), (&b"a"[..], 0, &[32, 2][..]));
        let want: Vec<f32> =
            [-3.5, 0.0, 14.0, 0.0].into_iter().flat_map(|value| std::iter::repeat_n(value, 16)).collect();
        assert_eq!(floats(a), want);
        assert_eq!(floats(b), [1.0, 2f32.powi(-24), f32::NEG_INFINITY]);
        assert_eq!((c.ty, c.bytes), (26, &[7, 0, 0, 0, 255, 255, 255, 255][..]));
        // Keys and values are those of the file, but for the type.
        let type_at = string(b"general.file_type").len() + 4;
        let mut want = Model::parse(&file).unwrap().head;
        want[type_at..type_at + 4].fill(0);
        assert_eq!(made.head, want);
        assert!(made.head.ends_with(&1.5f64.to_le_bytes()) && made.alignment == 64);
    }

    #[test]
    fn changes_are_written() {
        let (file, mut out) = (model(), Vec::new());
        let change = |tensor: &Tensor<'_>, first: usize, values: &mut [f32]| {
            assert_eq!(first, 0);
            values.iter_mut().for_each(|value| *value = tensor.len() as f32);
        };
        Model::parse(&file).unwrap().write_f32_changed(&mut out, change).unwrap();
        let made = Model::parse(&out).unwrap();
        assert_eq!(made.tensors[1].bytes, 3f32.to_le_bytes().repeat(3));
        assert_eq!(made.tensors[0].bytes, 64f32.to_le_bytes().repeat(64));
    }

    #[test]
    fn files_that_are_cut_or_unknown_are_refused() {
        let file = model();
        for len in 0..file.len() {
            assert!(Model::parse(&file[..len]).is_err(), "{len} bytes");
        }
        let mut other = file.clone();
        other[4] = 2;
        assert_eq!(Model::parse(&other).unwrap_err().to_string(), "version 2");
    }
}
