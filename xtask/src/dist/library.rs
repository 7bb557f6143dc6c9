//! The library and the command for packages: without debugging information, and loadable on older systems.
//!
//! glibc gives its functions versions. A library names the versions that it was linked with, and a system with an older glibc
//! does not load it. This module reads the library's table of needed versions (`.gnu.version_r`).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn as _, FileHeader as _};

use crate::process::{command, run};

/// The newest glibc that the library may need: that of Ubuntu 22.04.
const NEWEST_GLIBC: [u32; 2] = [2, 34];
/// The libraries that it may need. All systems with glibc have them.
const LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

/// What a library needs of the system.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    glibc: [u32; 2],
}

impl Needs {
    /// `2.34`
    pub fn shown(&self) -> String {
        let [major, minor] = self.glibc;
        format!("{major}.{minor}")
    }
}

/// A library or program without debugging information; `strip` comes with the linker that Rust uses.
pub fn stripped(built: &Path, folder: &Path) -> Result<Vec<u8>> {
    let made = folder.join(built.file_name().context("it has a name")?);
    run(command("strip").args(["--strip-unneeded", "-o"]).arg(&made).arg(built))?;
    let bytes = fs::read(&made).with_context(|| format!("cannot read {}", made.display()))?;
    fs::remove_file(&made)?;
    Ok(bytes)
}

/// Reads what a library or program needs; an error if that is more than older systems have.
pub fn check(name: &str, library: &[u8]) -> Result<Needs> {
    let needed = needed(library).with_context(|| format!("{name} cannot be read"))?;
    if let Some(other) = needed.libraries.iter().find(|name| !LIBRARIES.contains(&name.as_str())) {
        bail!("{name} needs {other}, which not every system has");
    }
    let glibc = needed.versions.iter().filter_map(|name| glibc_version(name)).max();
    let glibc = glibc.with_context(|| format!("{name} names no version of glibc"))?;
    let needs = Needs { glibc };
    if glibc > NEWEST_GLIBC {
        let [major, minor] = NEWEST_GLIBC;
        bail!("{name} needs glibc {}, more than {major}.{minor}", needs.shown());
    }
    Ok(needs)
}

/// `GLIBC_2.2.5` as 2.2.
fn glibc_version(name: &str) -> Option<[u32; 2]> {
    let mut numbers = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some([major, minor]),
        _ => None,
    }
}

/// Names in the file.
#[derive(Default)]
struct Needed {
    libraries: Vec<String>,
    versions: Vec<String>,
}

fn needed(data: &[u8]) -> Result<Needed> {
    let header = FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let mut needed = Needed::default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if let Some((entries, link)) = sections.dynamic(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        let libraries = entries.iter().filter(|entry| entry.tag32(endian) == Some(DT_NEEDED));
        for entry in libraries {
            needed.libraries.push(text(entry.string(endian, strings)?));
        }
    }
    if let Some((mut files, link)) = sections.gnu_verneed(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        while let Some((_, mut versions)) = files.next()? {
            while let Some(version) = versions.next()? {
                needed.versions.push(text(version.name(endian, strings)?));
            }
        }
    }
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(glibc_version("GLIBC_2.34"), Some([2, 34]));
        assert_eq!(glibc_version("GLIBC_2.2.5"), Some([2, 2]));
        assert_eq!(glibc_version("GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version("GCC_3.0"), None);
        assert!(glibc_version("GLIBC_2.4") < glibc_version("GLIBC_2.34"));
    }

    /// This test program itself is a file of the kind.
    #[test]
    fn a_file_of_this_machine_can_be_read() {
        let needed = needed(&fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap();
        assert!(needed.libraries.contains(&"libc.so.6".to_owned()), "{:?}", needed.libraries);
        assert!(needed.versions.iter().any(|name| glibc_version(name).is_some()), "{:?}", needed.versions);
    }
}
