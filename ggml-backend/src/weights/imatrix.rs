//! Importance matrices of llama.cpp: how much each column of a weight counts, by the mean square of the activations that it
//! met (`tools/imatrix`, `common/imatrix-loader.cpp`).
//!
//! There are two forms. The older one is a list of entries: name, calls, values (sums of mean squares), and after them what they
//! were made from. The newer one is a GGUF file with two tensors an entry, `NAME.in_sum2` (sums of squares, one row an
//! expert) and `NAME.counts` (activations, one number an expert).
//!
//! Tiles are the same with and without (`docs/weights.md` says why): what importance gives is the error of what was loaded
//! as the model feels it, in the log and the statistics.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::choice::Weight;
use crate::abi::log;

const MAGIC: &[u8] = b"GGUF";
/// Type of tensors: F32.
const F32: u32 = 0;
const DEFAULT_ALIGNMENT: u64 = 32;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ImatrixError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] std::io::Error),
    /// Something is longer than the file.
    #[error("it ends at byte {at:#x}, within {what}")]
    Ends {
        /// Offset.
        at: usize,
        /// What was read.
        what: &'static str,
    },
    /// It is no importance matrix.
    #[error("{0}")]
    Content(String),
}

/// Weights' names with the importance of their columns, matrix by matrix or once for all.
#[derive(Debug, Default, PartialEq)]
pub struct Imatrix {
    entries: HashMap<String, Arc<[f32]>>,
}

impl Imatrix {
    /// The file that the user names, read once; nothing if there is none or it cannot be used, which the log says.
    pub fn get() -> Option<&'static Self> {
        static IMATRIX: OnceLock<Option<Imatrix>> = OnceLock::new();
        let read = || {
            let path = PathBuf::from(tt_settings::IMATRIX.get()?);
            match std::fs::read(&path).map_err(ImatrixError::from).and_then(|bytes| Self::parse(&bytes)) {
                Ok(imatrix) => {
                    log::info(&format!(
                        "{}: importance of {} weights",
                        path.display(),
                        imatrix.entries.len()
                    ));
                    Some(imatrix)
                }
                Err(error) => {
                    log::error(&format!(
                        "{}={}: not used: {error}",
                        tt_settings::IMATRIX.name,
                        path.display()
                    ));
                    None
                }
            }
        };
        IMATRIX.get_or_init(read).as_ref()
    }

    /// Importance of a weight's columns: k values, or k for each of its matrices.
    pub fn of(&self, name: &str, weight: &Weight) -> Option<Arc<[f32]>> {
        let values = self.entries.get(name)?;
        let k = weight.ne[0] as usize;
        if values.len() == k || values.len() == k * weight.count() {
            return Some(Arc::clone(values));
        }
        log::warn(&format!(
            "importance of {name}: {} values for {} matrices of {k} columns: not used",
            values.len(),
            weight.count()
        ));
        None
    }

    /// From either form.
    ///
    /// # Errors
    /// It ends early, or is something else.
    pub fn parse(bytes: &[u8]) -> Result<Self, ImatrixError> {
        let sums = if bytes.starts_with(MAGIC) { gguf(bytes)? } else { list(bytes)? };
        let mut entries = HashMap::new();
        for (name, values) in sums {
            if let Some(bad) = values.iter().find(|value| !value.is_finite() || **value < 0.0) {
                return Err(ImatrixError::Content(format!("importance {bad} in {name}")));
            }
            entries.insert(name, values.into());
        }
        if entries.is_empty() {
            return Err(ImatrixError::Content("it has no entries".to_owned()));
        }
        Ok(Self { entries })
    }
}

/// Entries of the older form, as means.
fn list(bytes: &[u8]) -> Result<Vec<(String, Vec<f32>)>, ImatrixError> {
    let mut file = Reader { bytes, at: 0 };
    let count = file.u32("the number of entries")?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let len = file.u32("the length of a name")?;
        let name = file.text(u64::from(len))?;
        let calls = file.u32("a number of calls")?.cast_signed();
        let len = file.u32("a number of values")?;
        let mut values = file.floats(u64::from(len))?;
        if calls > 0 {
            values.iter_mut().for_each(|value| *value /= calls as f32);
        }
        entries.push((name, values));
    }
    Ok(entries)
}

/// Entries of a GGUF file, as means.
fn gguf(bytes: &[u8]) -> Result<Vec<(String, Vec<f32>)>, ImatrixError> {
    let mut file = Reader { bytes, at: MAGIC.len() };
    let version = file.u32("the version")?;
    if !(2..=3).contains(&version) {
        return Err(ImatrixError::Content(format!("GGUF of version {version}")));
    }
    let (tensors, pairs) = (file.u64("the number of tensors")?, file.u64("the number of keys")?);
    let mut alignment = DEFAULT_ALIGNMENT;
    for _ in 0..pairs {
        let (key, ty) = (file.string()?, file.u32("a type")?);
        match (key.as_str(), ty) {
            ("general.alignment", 4) => alignment = u64::from(file.u32("the alignment")?).max(1),
            _ => file.skip_value(ty)?,
        }
    }
    let mut infos = Vec::new();
    for _ in 0..tensors {
        let name = file.string()?;
        let mut count = 1u64;
        for _ in 0..file.u32("the extents of a tensor")?.min(4) {
            count = count.saturating_mul(file.u64("an extent")?);
        }
        let ty = file.u32("a tensor's type")?;
        infos.push((name, count, ty, file.u64("a tensor's place")?));
    }
    let data = (file.at as u64).next_multiple_of(alignment);
    let mut tensors = HashMap::new();
    for (name, count, ty, offset) in infos {
        if ty != F32 {
            return Err(ImatrixError::Content(format!("{name} has type {ty}, not F32")));
        }
        let at = usize::try_from(data.saturating_add(offset)).unwrap_or(usize::MAX);
        tensors.insert(name, Reader { bytes, at }.floats(count)?);
    }
    means(&tensors)
}

/// Sums over counts, expert by expert; an expert that was never used counts evenly.
fn means(tensors: &HashMap<String, Vec<f32>>) -> Result<Vec<(String, Vec<f32>)>, ImatrixError> {
    let mut entries = Vec::new();
    for (name, sums) in tensors {
        let Some(name) = name.strip_suffix(".in_sum2") else { continue };
        let counts = tensors.get(&format!("{name}.counts")).map_or(&[][..], Vec::as_slice);
        if counts.is_empty() || sums.is_empty() || !sums.len().is_multiple_of(counts.len()) {
            let (sums, counts) = (sums.len(), counts.len());
            return Err(ImatrixError::Content(format!("{name} has {sums} sums and {counts} counts")));
        }
        let experts = sums.chunks_exact(sums.len() / counts.len()).zip(counts);
        let mean = |sum: &f32, count: f32| if count > 0.0 { sum / count } else { 1.0 };
        let values = experts.flat_map(|(sums, &count)| sums.iter().map(move |sum| mean(sum, count)));
        entries.push((name.to_owned(), values.collect()));
    }
    Ok(entries)
}

/// A file's bytes, read from the front on. Whatever lengths it names, nothing beyond its end is taken.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: u64, what: &'static str) -> Result<&'a [u8], ImatrixError> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(ImatrixError::Ends { at: self.bytes.len(), what })?;
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ImatrixError> {
        let bytes = self.take(N as u64, what)?;
        Ok(bytes.first_chunk().copied().unwrap_or([0; N]))
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, ImatrixError> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, ImatrixError> {
        self.array(what).map(u64::from_le_bytes)
    }

    fn text(&mut self, len: u64) -> Result<String, ImatrixError> {
        Ok(String::from_utf8_lossy(self.take(len, "a name")?).into_owned())
    }

    /// A string of GGUF.
    fn string(&mut self) -> Result<String, ImatrixError> {
        let len = self.u64("the length of a string")?;
        self.text(len)
    }

    fn floats(&mut self, count: u64) -> Result<Vec<f32>, ImatrixError> {
        let bytes = self.take(count.saturating_mul(4), "values")?;
        Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// Passes over a value of GGUF's type `ty`.
    fn skip_value(&mut self, ty: u32) -> Result<(), ImatrixError> {
        const STRING: u32 = 8;
        const ARRAY: u32 = 9;
        match ty {
            STRING => self.string().map(drop),
            ARRAY => {
                let (ty, count) = (self.u32("an array's type")?, self.u64("an array's length")?);
                match value_bytes(ty) {
                    Some(bytes) => self.take(count.saturating_mul(bytes), "an array").map(drop),
                    // Arrays of arrays do not occur.
                    None if ty == STRING => (0..count).try_for_each(|_| self.string().map(drop)),
                    None => Err(ImatrixError::Content(format!("an array of type {ty}"))),
                }
            }
            _ => match value_bytes(ty) {
                Some(bytes) => self.take(bytes, "a value").map(drop),
                None => Err(ImatrixError::Content(format!("a value of type {ty}"))),
            },
        }
    }
}

/// Bytes of GGUF's plain types (`enum gguf_type`).
fn value_bytes(ty: u32) -> Option<u64> {
    match ty {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_runtime::layout::GgmlType;

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    fn old_file() -> Vec<u8> {
        let mut out = 2i32.to_le_bytes().to_vec();
        for (name, calls, values) in
            [("blk.0.attn_q.weight", 2i32, &[2.0f32, 4.0, 0.0][..]), ("b", 0, &[3.0])]
        {
            out.extend((name.len() as i32).to_le_bytes());
            out.extend(name.as_bytes());
            out.extend(calls.to_le_bytes());
            out.extend((values.len() as i32).to_le_bytes());
            values.iter().for_each(|value| out.extend(value.to_le_bytes()));
        }
        // Chunks, and the name of the text.
        out.extend([7, 0, 0, 0, 1, 0, 0, 0, b'x']);
        out
    }

    /// As `tools/imatrix` writes it: `in_sum2` of two experts of three columns, `counts` of one number each.
    fn new_file(counts: u64) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(2u64.to_le_bytes());
        out.extend(3u64.to_le_bytes());
        text(&mut out, "general.type");
        out.extend(8u32.to_le_bytes());
        text(&mut out, "imatrix");
        text(&mut out, "imatrix.datasets");
        out.extend([9u32, 8].map(u32::to_le_bytes).concat());
        out.extend(1u64.to_le_bytes());
        text(&mut out, "a.txt");
        text(&mut out, "imatrix.chunk_count");
        out.extend([4u32, 10].map(u32::to_le_bytes).concat());
        for (name, extents, offset) in [("e.in_sum2", [3, 2], 0u64), ("e.counts", [1, counts], 32)] {
            text(&mut out, name);
            out.extend(2u32.to_le_bytes());
            extents.iter().for_each(|extent: &u64| out.extend(extent.to_le_bytes()));
            out.extend(F32.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(32), 0);
        for value in [8.0f32, 4.0, 2.0, 1.0, 1.0, 1.0, 0.0, 0.0, 4.0, 0.0] {
            out.extend(value.to_le_bytes());
        }
        out
    }

    fn importance(file: &Imatrix, name: &str, ne: [u32; 4]) -> Option<Vec<f32>> {
        file.of(name, &Weight { ty: GgmlType::F32, ne }).map(|values| values.to_vec())
    }

    #[test]
    fn both_forms_are_means_of_squares() {
        let old = Imatrix::parse(&old_file()).unwrap();
        assert_eq!(importance(&old, "blk.0.attn_q.weight", [3, 5, 1, 1]), Some(vec![1.0, 2.0, 0.0]));
        assert_eq!(importance(&old, "b", [1, 5, 1, 1]), Some(vec![3.0]));
        assert_eq!(importance(&old, "b", [2, 5, 1, 1]), None);
        assert_eq!(importance(&old, "c", [1, 5, 1, 1]), None);
        let new = Imatrix::parse(&new_file(2)).unwrap();
        // The second expert was never used.
        assert_eq!(importance(&new, "e", [3, 5, 2, 1]), Some(vec![2.0, 1.0, 0.5, 1.0, 1.0, 1.0]));
        assert_eq!(importance(&new, "e", [3, 5, 3, 1]), None);
    }

    #[test]
    fn what_is_no_importance_matrix_is_an_error() {
        for file in [old_file(), new_file(2)] {
            let whole = file.len() - if file.starts_with(MAGIC) { 0 } else { 9 };
            for len in 0..whole {
                assert!(Imatrix::parse(&file[..len]).is_err(), "the first {len} bytes");
            }
            Imatrix::parse(&file[..whole]).unwrap();
        }
        assert!(matches!(Imatrix::parse(&new_file(0)), Err(ImatrixError::Content(_))));
        let mut negative = old_file();
        let at = negative.len() - 9 - 4;
        negative[at..at + 4].copy_from_slice(&(-1.0f32).to_le_bytes());
        assert!(Imatrix::parse(&negative).unwrap_err().to_string().contains("-1"));
        // Lengths that no file has.
        assert!(Imatrix::parse(&[0xFF; 64]).is_err());
        assert!(Imatrix::parse(&[&b"GGUF\x03\0\0\0"[..], &[0xFF; 64]].concat()).is_err());
    }
}
