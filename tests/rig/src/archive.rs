//! An initial file system: a cpio archive in the "newc" form that Linux unpacks (`Documentation/driver-api/early-userspace/buffer-format.rst`).

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

/// Mode of a folder, and of a file that can be executed.
const FOLDER: u32 = 0o40755;
const FILE: u32 = 0o100755;

/// An archive that is being written.
pub struct Archive<W> {
    out: W,
    written: u64,
    folders: BTreeSet<String>,
    next: u32,
}

impl<W: Write> Archive<W> {
    /// An empty archive.
    pub fn new(out: W) -> Self {
        Self { out, written: 0, folders: BTreeSet::new(), next: 1 }
    }

    /// Adds a file, and the folders that it is in. `path` has no `/` in front.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn file(&mut self, path: &str, data: &[u8]) -> io::Result<()> {
        for folder in Path::new(path).ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            self.folder(&folder.to_string_lossy())?;
        }
        self.entry(path, FILE, data)
    }

    /// Adds a folder, if it is not there yet.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn folder(&mut self, path: &str) -> io::Result<()> {
        if path.is_empty() || !self.folders.insert(path.to_owned()) {
            return Ok(());
        }
        self.entry(path, FOLDER, &[])
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, path: &str, mode: u32, data: &[u8]) -> io::Result<()> {
        let too_large = |_| io::Error::other("a file of 4 GiB or more");
        let (size, name) = (u32::try_from(data.len()).map_err(too_large)?, path.len() as u32 + 1);
        let number = self.next;
        self.next += 1;
        // inode, mode, owner, group, links, time, size, device (2), device that it is (2), bytes of the name, checksum
        let fields = [number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        let header: String = fields.iter().map(|field| format!("{field:08X}")).collect();
        self.write(format!("070701{header}{path}\0").as_bytes())?;
        self.write(data)
    }

    /// Writes bytes and fills up to a multiple of 4.
    fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.out.write_all(data)?;
        self.written += data.len() as u64;
        let fill = self.written.next_multiple_of(4) - self.written;
        self.written += fill;
        self.out.write_all(&[0; 4][..fill as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_folders_come_first() {
        let mut archive = Archive::new(Vec::new());
        archive.file("a/b/c", b"12345").unwrap();
        archive.file("a/d", b"").unwrap();
        let bytes = archive.finish().unwrap();
        let places: Vec<usize> =
            bytes.windows(6).enumerate().filter(|(_, six)| *six == b"070701").map(|(at, _)| at).collect();
        assert!(places.len() == 5 && places.iter().all(|at| at % 4 == 0), "{places:?}");
        let name = |at: usize| {
            let text = &bytes[at + 110..];
            String::from_utf8_lossy(&text[..text.iter().position(|&b| b == 0).unwrap()]).into_owned()
        };
        let names: Vec<String> = places.into_iter().map(name).collect();
        assert_eq!(names, ["a", "a/b", "a/b/c", "a/d", "TRAILER!!!"]);
        assert_eq!(bytes.len() % 4, 0);
    }
}
