//! The files of the archive and of the Debian package, and their paths.
//!
//! The package has the library once, and links in the folders where programs search for backends: Ollama's
//! `lib/ollama/NAME/`, and the plugin folder of Debian's ggml.

use std::fs;

use anyhow::{Context as _, Result};

use super::VERSION;
use crate::paths;

/// File name of the library.
const LIBRARY: &str = "libggml-tenstorrent.so";
/// File name of the command.
const COMMAND: &str = "tt";
/// The demo model.
const MODEL: &str = "demo-bible-peace.gguf";

/// A file or a link.
pub struct Entry {
    /// Where, without a slash in front.
    pub path: String,
    /// What.
    pub what: What,
}

/// What an entry is.
pub enum What {
    /// A file with these bytes, for everybody to read.
    File(Vec<u8>),
    /// The same, for everybody to run.
    Program(Vec<u8>),
    /// A symbolic link.
    Link(String),
}

impl Entry {
    /// The bytes of a file.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.what {
            What::File(bytes) | What::Program(bytes) => Some(bytes),
            What::Link(_) => None,
        }
    }
}

/// A file with these bytes.
pub fn file(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Entry {
    Entry { path: path.into(), what: What::File(bytes.into()) }
}

/// A program with these bytes.
fn program(path: impl Into<String>, bytes: &[u8]) -> Entry {
    Entry { path: path.into(), what: What::Program(bytes.to_vec()) }
}

/// A file of the repository.
fn ours(path: impl Into<String>, from: &str) -> Result<Entry> {
    let from = paths::root().join(from);
    Ok(file(path, fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?))
}

/// The library and the command.
pub struct Built {
    /// `libggml-tenstorrent.so`
    pub library: Vec<u8>,
    /// `tt`
    pub command: Vec<u8>,
}

/// The files of the archive, in one folder.
pub fn archive(built: &Built, notices: &str) -> Result<Vec<Entry>> {
    let inside = |name: &str| format!("ggml-tenstorrent-{VERSION}/{name}");
    Ok(vec![
        ours(inside("60-ggml-tenstorrent.conf"), "packaging/60-ggml-tenstorrent.conf")?,
        ours(inside("Containerfile"), "packaging/Containerfile")?,
        ours(inside("LICENSE-APACHE"), "LICENSE-APACHE")?,
        ours(inside("LICENSE-MIT"), "LICENSE-MIT")?,
        ours(inside("README.md"), "packaging/README.md")?,
        file(inside("THIRD-PARTY.txt"), notices),
        ours(inside("applications.md"), "docs/applications.md")?,
        ours(inside(MODEL), &format!("models/{MODEL}"))?,
        file(inside(LIBRARY), built.library.as_slice()),
        program(inside(COMMAND), &built.command),
        ours(inside("tt.md"), "docs/tt.md")?,
    ])
}

/// The files of the Debian package, from the root of the system.
pub fn package(built: &Built, notices: &str, triplet: &str) -> Result<Vec<Entry>> {
    let documents = "usr/share/doc/ggml-tenstorrent";
    let link = |folder: &str, up: &str| Entry {
        path: format!("{folder}/{LIBRARY}"),
        what: What::Link(format!("{up}/ggml-tenstorrent/{LIBRARY}")),
    };
    Ok(vec![
        ours("usr/lib/environment.d/60-ggml-tenstorrent.conf", "packaging/60-ggml-tenstorrent.conf")?,
        file(format!("usr/lib/ggml-tenstorrent/{LIBRARY}"), built.library.as_slice()),
        program(format!("usr/bin/{COMMAND}"), &built.command),
        link("usr/lib/ollama/tenstorrent", "../.."),
        link(&format!("usr/lib/{triplet}/ggml/backends0"), "../../.."),
        ours(format!("{documents}/README.md"), "packaging/README.md")?,
        file(format!("{documents}/THIRD-PARTY.txt"), notices),
        ours(format!("{documents}/applications.md"), "docs/applications.md")?,
        ours(format!("{documents}/tt.md"), "docs/tt.md")?,
        ours(format!("{documents}/copyright"), "packaging/copyright")?,
        ours(format!("usr/share/ggml-tenstorrent/{MODEL}"), &format!("models/{MODEL}"))?,
    ])
}
