//! Reproducible tar archives: entries in the given order, folders before their contents, owner 0.

use std::collections::BTreeSet;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::contents::{Entry, What};

/// A `.tar.gz` of these entries.
pub fn gzipped(entries: &[Entry], time: u64) -> Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut tar = Builder::new(gzip);
    let mut folders = BTreeSet::new();
    for entry in entries {
        // "a/", "a/b/" of "a/b/c".
        for (end, _) in entry.path.match_indices('/') {
            if folders.insert(&entry.path[..=end]) {
                let mut header = header(EntryType::Directory, 0o755, 0, time);
                tar.append_data(&mut header, &entry.path[..=end], std::io::empty())?;
            }
        }
        match &entry.what {
            What::File(bytes) => {
                let mut header = header(EntryType::Regular, 0o644, bytes.len() as u64, time);
                tar.append_data(&mut header, &entry.path, bytes.as_slice())?;
            }
            What::Program(bytes) => {
                let mut header = header(EntryType::Regular, 0o755, bytes.len() as u64, time);
                tar.append_data(&mut header, &entry.path, bytes.as_slice())?;
            }
            What::Link(to) => {
                let mut header = header(EntryType::Symlink, 0o777, 0, time);
                tar.append_link(&mut header, &entry.path, to)?;
            }
        }
    }
    Ok(tar.into_inner()?.finish()?)
}

fn header(kind: EntryType, mode: u32, size: u64, time: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(time);
    header.set_uid(0);
    header.set_gid(0);
    header
}
