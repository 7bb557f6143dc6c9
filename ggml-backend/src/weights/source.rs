//! Where a weight's own bytes are while its place in the arena holds tiles.
//!
//! Nearly always nobody asks for them again, so they are kept where they cost no memory: in the model file that they
//! were mapped from, which is opened by its path and remembered as a file and an offset; or, for bytes that come
//! from elsewhere, in a temporary file without a name, which the system writes out when it wants its memory back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Bytes of a file.
#[derive(Clone, Debug)]
pub struct Source {
    file: Arc<Named>,
    offset: u64,
}

/// A file and what it was when it was opened.
#[derive(Debug)]
struct Named {
    file: File,
    path: PathBuf,
    identity: Identity,
}

/// Changes when a file's content does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Identity {
    bytes: u64,
    modified: (i64, i64),
}

impl Identity {
    fn of(file: &File) -> io::Result<Self> {
        let data = file.metadata()?;
        Ok(Self { bytes: data.len(), modified: (data.mtime(), data.mtime_nsec()) })
    }
}

impl Source {
    /// Reads bytes from `at` on.
    ///
    /// # Errors
    /// The file cannot be read, or is not what it was.
    pub fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.file.read_exact_at(out, self.offset + at)
    }

    /// Whether the file is what it was; a temporary one always is.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self) -> io::Result<()> {
        if self.file.path.as_os_str().is_empty() || Identity::of(&self.file.file)? == self.file.identity {
            return Ok(());
        }
        let why = format!("{} was changed since the model was loaded", self.file.path.display());
        Err(io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

/// Finds or keeps the bytes of weights.
#[derive(Default)]
pub struct Sources {
    /// Files that weights were mapped from: a model has one or a few.
    files: Mutex<Vec<Arc<Named>>>,
    spill: Mutex<Option<Arc<Named>>>,
    spilled: AtomicU64,
}

impl Sources {
    /// A source with these bytes: the file that they are mapped from, else a copy.
    ///
    /// # Errors
    /// No disk space for a copy.
    pub fn keep(&self, data: &[u8]) -> io::Result<Source> {
        match self.mapped(data) {
            Some(source) => Ok(source),
            None => self.copy(data),
        }
    }

    /// Bytes that were copied so far.
    pub fn copied(&self) -> u64 {
        self.spilled.load(Ordering::Relaxed)
    }

    fn mapped(&self, data: &[u8]) -> Option<Source> {
        let start = data.as_ptr() as u64;
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let (path, offset) = find_mapping(&maps, start, start.checked_add(data.len() as u64)?)?;
        let source = Source { file: self.open(path)?, offset };
        // The path may name another file by now: it has to have the same bytes.
        source.starts_and_ends_with(data).then_some(source)
    }

    fn open(&self, path: &Path) -> Option<Arc<Named>> {
        let mut files = self.files.lock();
        let current = |known: &&Arc<Named>| {
            known.path == path && Identity::of(&known.file).is_ok_and(|now| now == known.identity)
        };
        if let Some(known) = files.iter().find(current) {
            return Some(Arc::clone(known));
        }
        let file = File::open(path).ok()?;
        let identity = Identity::of(&file).ok()?;
        let named = Arc::new(Named { file, path: path.to_owned(), identity });
        // Weights hold on to what they need; this list only saves opening a file for each.
        files.retain(|known| Arc::strong_count(known) > 1);
        files.push(Arc::clone(&named));
        Some(named)
    }

    fn copy(&self, data: &[u8]) -> io::Result<Source> {
        let mut spill = self.spill.lock();
        // A file that no weight uses any more gives its disk space back.
        if spill.as_ref().is_none_or(|file| Arc::strong_count(file) == 1) {
            let file = temporary_file()?;
            let identity = Identity { bytes: 0, modified: (0, 0) };
            *spill = Some(Arc::new(Named { file, path: PathBuf::new(), identity }));
            self.spilled.store(0, Ordering::Relaxed);
        }
        let file = spill.as_ref().map(Arc::clone).ok_or(io::ErrorKind::NotFound)?;
        let offset = self.spilled.load(Ordering::Relaxed);
        file.file.write_all_at(data, offset)?;
        self.spilled.store(offset + data.len() as u64, Ordering::Relaxed);
        Ok(Source { file, offset })
    }
}

impl Source {
    fn starts_and_ends_with(&self, data: &[u8]) -> bool {
        const PROBE: usize = 4096;
        let mut probe = vec![0; PROBE.min(data.len())];
        [0, (data.len() - probe.len()) / 2, data.len() - probe.len()]
            .into_iter()
            .all(|at| self.read(at as u64, &mut probe).is_ok() && probe == data[at..at + probe.len()])
    }
}

/// A file without a name in the folder for temporary files.
fn temporary_file() -> io::Result<File> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("ggml-tt-weights-{}-{number}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The file and offset that `start..end` is mapped from, in the text of `/proc/PID/maps`; only mappings that nobody can
/// write to count.
fn find_mapping(maps: &str, start: u64, end: u64) -> Option<(&Path, u64)> {
    maps.lines().find_map(|line| {
        // 7f8a0000-7f8b0000 r--s 00001000 08:01 1234   /path with spaces
        let (range, rest) = line.split_once(' ')?;
        let (low, high) = range.split_once('-')?;
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let (low, high) = (hex(low)?, hex(high)?);
        if start < low || end > high {
            return None;
        }
        let mut fields = rest.splitn(4, ' ');
        let (rights, offset) = (fields.next()?, hex(fields.next()?)?);
        let path = &line[line.find('/')?..];
        let usable = rights.starts_with("r-") && !path.ends_with(" (deleted)");
        usable.then(|| (Path::new(path), offset + start - low))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_found() {
        let maps = "00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus-daemon\n\
            7f00000000-7f00010000 r--s 00003000 08:02 5      /models/my model.gguf\n\
            7f00020000-7f00030000 rw-p 00000000 08:02 5      /models/other.gguf\n\
            7f00040000-7f00050000 r--p 00000000 00:00 0 \n\
            7f00060000-7f00070000 r--p 00000000 08:02 9      /models/gone.gguf (deleted)\n";
        let find = |start, end| find_mapping(maps, start, end);
        assert_eq!(find(0x7f_0000_0010, 0x7f_0001_0000), Some((Path::new("/models/my model.gguf"), 0x3010)));
        // Beyond the end, writable, anonymous, deleted.
        assert_eq!(find(0x7f_0000_0010, 0x7f_0001_0001), None);
        assert_eq!(find(0x7f_0002_0000, 0x7f_0002_0010), None);
        assert_eq!(find(0x7f_0004_0000, 0x7f_0004_0010), None);
        assert_eq!(find(0x7f_0006_0000, 0x7f_0006_0010), None);
    }

    #[test]
    fn bytes_from_elsewhere_are_copied_and_given_back() {
        let sources = Sources::default();
        let (a, b) = (vec![7; 5000], (0..9000u32).map(|i| i as u8).collect::<Vec<_>>());
        let (kept_a, kept_b) = (sources.keep(&a).unwrap(), sources.keep(&b).unwrap());
        assert_eq!(sources.copied(), 14_000);
        let mut out = vec![0; 100];
        kept_b.read(500, &mut out).unwrap();
        assert_eq!(out, b[500..600]);
        kept_a.read(4900, &mut out).unwrap();
        assert_eq!(out, a[4900..]);
        assert!(kept_b.read(8950, &mut out).is_err());
        kept_b.check().unwrap();
        drop((kept_a, kept_b));
        sources.keep(&a).unwrap();
        assert_eq!(sources.copied(), 5000);
    }

    /// Constants of this program are mapped from its file.
    #[test]
    fn bytes_of_a_file_are_not_copied() {
        static CONSTANT: [u8; 4096] = {
            let mut bytes = [0; 4096];
            let mut i = 0;
            while i < 4096 {
                bytes[i] = (i * 7 % 251) as u8;
                i += 1;
            }
            bytes
        };
        let sources = Sources::default();
        let kept = sources.keep(std::hint::black_box(&CONSTANT)).unwrap();
        assert_eq!(sources.copied(), 0);
        let mut out = vec![0; 96];
        kept.read(4000, &mut out).unwrap();
        assert_eq!(out, CONSTANT[4000..]);
        kept.check().unwrap();
    }
}
