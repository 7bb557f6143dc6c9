//! The vendor's user-mode driver (UMD), the library under tt-metal and TTNN: chips, and memory and registers of their tiles.
//!
//! ```text
//! Umd (here) -> cxx bridge -> shim.cc: own declarations -> libtt-umd.so.0.9.14 -> kernel driver, or a simulator's library
//! ```
//! The library comes with the vendor's wheel `ttnn` 0.81.1, or an SDK of that version. It is C++ without headers, so the declarations
//! are our own, and right for this version only: [`Umd::open`] takes no other. It is loaded when it is opened: neither the build nor the
//! program needs it otherwise.
//!
//! | variable | as for the vendor's own programs |
//! |---|---|
//! | `TTNN_WHEEL` | package folder `ttnn` of the wheel; the library is in its `build/lib` |
//! | `TT_METAL_HOME` | an SDK, built: the library is in its `build/lib` |
//! | `TT_METAL_SIMULATOR` | a simulator's `libttsim.so`, with `soc_descriptor.yaml` beside it, in place of cards |
//!
//! # Limits
//! The driver has one set of chips in a process, and calls of it here go one after the other. A simulator of the vendor's ends the process
//! at its first error, as it does in the vendor's programs.
//!
//! # Safety
//! Exceptions become errors in the bridge. What the declarations do not guarantee is in `shim.cc`.
#![allow(unsafe_code)]

use std::path::{Path, PathBuf};

use cxx::UniquePtr;

/// Version of the library that the declarations are for.
pub const VERSION: &str = "0.9.14";
/// Where systems keep libraries.
const SYSTEM: [&str; 3] = ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/local/lib"];

/// Why the driver cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UmdError {
    /// No library.
    #[error(
        "libtt-umd.so.{VERSION} is not there (looked in {looked}): install the vendor's wheel (pip download --no-deps ttnn==0.81.1, unpacked) \
         and set TTNN_WHEEL to its folder ttnn, or TT_METAL_HOME to an SDK of that version"
    )]
    NotFound {
        /// Where it was looked for.
        looked: String,
    },
    /// One of another version.
    #[error("{} has {found}, and the declarations here are for libtt-umd.so.{VERSION} (wheel ttnn 0.81.1): install that one", folder.display())]
    OtherVersion {
        /// Its folder.
        folder: PathBuf,
        /// The file that is there.
        found: String,
    },
    /// The simulator's library is not complete.
    #[error("TT_METAL_SIMULATOR: there is no {}; `cargo xtask ttsim` makes a simulator with it", path.display())]
    Simulator {
        /// What is missing.
        path: PathBuf,
    },
    /// A path that is no text.
    #[error("{} is no text in UTF-8, which the driver wants", path.display())]
    Path {
        /// The path.
        path: PathBuf,
    },
    /// The library says so: an exception.
    #[error("the vendor's driver: {0}")]
    Vendor(String),
}

impl From<cxx::Exception> for UmdError {
    fn from(exception: cxx::Exception) -> Self {
        // The first line says what; a trace of addresses follows.
        let lines = exception.what().lines().map(str::trim).filter(|line| !line.is_empty());
        let telling: Vec<&str> = lines.take_while(|line| !line.starts_with("backtrace")).take(3).collect();
        Self::Vendor(telling.join("; "))
    }
}

/// A place on a chip's NoC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Number of the chip.
    pub chip: i32,
    /// Column of the tile, as it goes to the NoC.
    pub x: u8,
    /// Row of the tile.
    pub y: u8,
    /// Address in the tile.
    pub addr: u64,
}

/// Kinds of chips that the driver tells apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Architecture {
    /// Wormhole.
    Wormhole,
    /// Blackhole.
    Blackhole,
    /// Another one, by the driver's number.
    Other(i32),
}

/// The driver with the chips that it has found.
pub struct Umd(UniquePtr<ffi::Cluster>);

// SAFETY: the driver is bound to no thread, and whoever has the only reference is the only caller.
unsafe impl Send for Umd {}

impl Umd {
    /// The driver that the environment names.
    ///
    /// # Errors
    /// There is none or one of another version, or it finds no chip.
    pub fn open() -> Result<Self, UmdError> {
        let folders = ["TTNN_WHEEL", "TT_METAL_HOME"].into_iter().filter_map(path);
        let folders: Vec<PathBuf> = folders.map(|folder| folder.join("build/lib")).collect();
        let folders = if folders.is_empty() { SYSTEM.map(PathBuf::from).to_vec() } else { folders };
        Self::load(&find(&folders)?, simulator().as_deref())
    }

    /// The driver in a file, with the chips of cards or of a simulator.
    ///
    /// # Errors
    /// It cannot be loaded, is not the expected one, or finds no chip.
    pub fn load(library: &Path, simulator: Option<&Path>) -> Result<Self, UmdError> {
        if let Some(simulator) = simulator {
            let needed = [simulator.to_path_buf(), simulator.with_file_name("soc_descriptor.yaml")];
            if let Some(path) = needed.into_iter().find(|path| !path.is_file()) {
                return Err(UmdError::Simulator { path });
            }
        }
        let simulator = simulator.map_or(Ok(""), text)?;
        Ok(Self(ffi::open(text(library)?, simulator)?))
    }

    /// Numbers of the chips, those without PCIe included.
    ///
    /// # Errors
    /// The driver's.
    pub fn chips(&self) -> Result<Vec<i32>, UmdError> {
        Ok(self.0.chips()?)
    }

    /// Numbers of the chips without PCIe.
    ///
    /// # Errors
    /// The driver's.
    pub fn remote_chips(&self) -> Result<Vec<i32>, UmdError> {
        Ok(self.0.remote_chips()?)
    }

    /// What a chip is.
    ///
    /// # Errors
    /// There is no such chip.
    pub fn architecture(&self, chip: i32) -> Result<Architecture, UmdError> {
        // `tt::ARCH`.
        Ok(match self.0.architecture(chip)? {
            2 => Architecture::Wormhole,
            3 => Architecture::Blackhole,
            other => Architecture::Other(other),
        })
    }

    /// Reads memory or registers. `strict`: after all writes that were strict.
    ///
    /// # Errors
    /// The driver's: there is no such chip, or it does not answer.
    pub fn read(&self, at: Place, strict: bool, out: &mut [u8]) -> Result<(), UmdError> {
        Ok(self.0.read(at.chip, at.x, at.y, at.addr, strict, out)?)
    }

    /// Writes memory or registers. `strict`: in the order of all writes that are.
    ///
    /// # Errors
    /// The driver's: there is no such chip, or it does not answer.
    pub fn write(&self, at: Place, strict: bool, data: &[u8]) -> Result<(), UmdError> {
        Ok(self.0.write(at.chip, at.x, at.y, at.addr, strict, data)?)
    }

    /// Lets time pass for a simulated chip; a card's passes by itself.
    ///
    /// # Errors
    /// There is no such chip.
    pub fn advance(&self, chip: i32) -> Result<(), UmdError> {
        Ok(self.0.advance(chip)?)
    }
}

/// The simulator's library that the environment has the driver take for cards.
pub fn simulator() -> Option<PathBuf> {
    path("TT_METAL_SIMULATOR")
}

fn path(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn text(path: &Path) -> Result<&str, UmdError> {
    path.to_str().ok_or_else(|| UmdError::Path { path: path.to_path_buf() })
}

/// The library's file of the right version in one of the folders.
fn find(folders: &[PathBuf]) -> Result<PathBuf, UmdError> {
    let files = folders.iter().map(|folder| folder.join(format!("libtt-umd.so.{VERSION}")));
    if let Some(file) = files.into_iter().find(|file| file.is_file()) {
        return Ok(file);
    }
    for folder in folders {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.starts_with("libtt-umd.so"))
            .collect();
        // The longest name has the whole version.
        names.sort_by_key(String::len);
        if let Some(found) = names.pop() {
            return Err(UmdError::OtherVersion { folder: folder.clone(), found });
        }
    }
    let looked = folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(UmdError::NotFound { looked })
}

#[cxx::bridge(namespace = "tt_sys_metal")]
mod ffi {
    unsafe extern "C++" {
        include!("tt-sys/src/metal/shim.h");

        type Cluster;

        fn open(library: &str, simulator: &str) -> Result<UniquePtr<Cluster>>;
        fn chips(self: &Cluster) -> Result<Vec<i32>>;
        fn remote_chips(self: &Cluster) -> Result<Vec<i32>>;
        fn architecture(self: &Cluster, chip: i32) -> Result<i32>;
        fn read(
            self: &Cluster,
            chip: i32,
            x: u8,
            y: u8,
            addr: u64,
            strict: bool,
            out: &mut [u8],
        ) -> Result<()>;
        fn write(self: &Cluster, chip: i32, x: u8, y: u8, addr: u64, strict: bool, data: &[u8])
        -> Result<()>;
        fn advance(self: &Cluster, chip: i32) -> Result<()>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("tt-sys-umd-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|file| std::fs::write(folder.join(file), "no library").unwrap());
        folder
    }

    #[test]
    fn only_the_file_of_the_version_is_taken() {
        let none = folder("none", &[]);
        let error = find(std::slice::from_ref(&none)).unwrap_err();
        assert!(error.to_string().contains("TTNN_WHEEL"), "{error}");
        let other = folder("other", &["libtt-umd.so", "libtt-umd.so.0", "libtt-umd.so.0.9.13"]);
        let error = find(&[none.clone(), other.clone()]).unwrap_err();
        assert!(matches!(&error, UmdError::OtherVersion { found, .. } if found == "libtt-umd.so.0.9.13"));
        assert!(error.to_string().contains(VERSION), "{error}");
        let right = folder("right", &["libtt-umd.so.0.9.14"]);
        let found = find(&[none.clone(), other.clone(), right.clone()]).unwrap();
        assert_eq!(found, right.join("libtt-umd.so.0.9.14"));
        [none, other, right].iter().for_each(|folder| std::fs::remove_dir_all(folder).unwrap());
    }

    #[test]
    fn what_is_no_library_is_an_error() {
        let folder = folder("bad", &["libtt-umd.so.0.9.14", "libttsim.so"]);
        let library = folder.join("libtt-umd.so.0.9.14");
        assert!(matches!(Umd::load(&library, None), Err(UmdError::Vendor(_))));
        let simulator = folder.join("libttsim.so");
        let error = Umd::load(&library, Some(&simulator)).err().unwrap();
        assert!(error.to_string().contains("soc_descriptor.yaml"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
