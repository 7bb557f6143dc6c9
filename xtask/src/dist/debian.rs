//! A Debian package: an `ar` archive with a version number, the control data for dpkg, and the files (`man 5 deb`).

use anyhow::{Result, bail};

use super::VERSION;
use super::archive::gzipped;
use super::contents::{Entry, file};
use super::library::Needs;

/// Debian's names for a processor.
pub struct Architecture {
    /// In packages.
    pub name: &'static str,
    /// In paths.
    pub triplet: &'static str,
}

/// Those of the machine that the library is built for, which is this one.
pub fn architecture() -> Result<Architecture> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(Architecture { name: "amd64", triplet: "x86_64-linux-gnu" }),
        "aarch64" => Ok(Architecture { name: "arm64", triplet: "aarch64-linux-gnu" }),
        other => bail!("no Debian package is made for {other}"),
    }
}

/// The package with these files.
pub fn package(files: &[Entry], architecture: &Architecture, needs: &Needs, time: u64) -> Result<Vec<u8>> {
    let control = [file("control", control(files, architecture, needs)), file("md5sums", checksums(files))];
    let mut ar = ar::Builder::new(Vec::new());
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", gzipped(&control, time)?),
        ("data.tar.gz", gzipped(files, time)?),
    ];
    for (name, bytes) in members {
        let mut header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        header.set_mode(0o100_644);
        header.set_mtime(time);
        ar.append(&header, bytes.as_slice())?;
    }
    Ok(ar.into_inner()?)
}

fn control(files: &[Entry], architecture: &Architecture, needs: &Needs) -> String {
    let bytes: usize = files.iter().filter_map(Entry::bytes).map(<[u8]>::len).sum();
    format!(
        "Package: ggml-tenstorrent\n\
         Version: {VERSION}\n\
         Architecture: {}\n\
         Maintainer: The ggml-tenstorrent authors <ggml-tenstorrent@packages.invalid>\n\
         Installed-Size: {}\n\
         Depends: libc6 (>= {}), libgcc-s1\n\
         Recommends: tenstorrent-dkms\n\
         Enhances: llama.cpp, ollama\n\
         Section: libs\n\
         Priority: optional\n\
         Description: ggml backend for Tenstorrent cards\n\
         \x20One shared library that llama.cpp, Ollama and other programs with ggml load to run models on Tenstorrent cards,\n\
         \x20or on a simulated one; and tt, a command that lists, tests and measures cards.\n",
        architecture.name,
        bytes.div_ceil(1024),
        needs.shown(),
    )
}

/// `md5sum`'s lines.
fn checksums(files: &[Entry]) -> String {
    let mut lines = String::new();
    for entry in files {
        if let Some(bytes) = entry.bytes() {
            lines.push_str(&format!("{:x}  {}\n", md5::compute(bytes), entry.path));
        }
    }
    lines
}
