//! The kernel images that the runtime loads into every worker.
//!
//! The device code is the workspace `firmware/`; the build script compiles it for `riscv32im-unknown-none-elf`, checks
//! every instruction word and embeds one flat image a core here. A directory of other ELF files (names: the
//! cores' in lower case, as cargo leaves them) can take their place for development.

pub mod elf;

use elf::ImageError;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use tt_isa::map::RiscV;

/// What goes into a core's slot of L1.
#[derive(Clone, Debug)]
pub struct Image {
    /// The core.
    pub core: RiscV,
    /// L1 address of the first byte, which is also the reset address.
    pub start: u32,
    /// The bytes, zero-filled where the image has zero-initialised data; a multiple of 16.
    pub bytes: Cow<'static, [u8]>,
}

/// The five images, by [`RiscV`] number.
pub type Images = [Image; 5];

/// Why no images could be had from a directory.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is missing or unreadable.
    #[error("cannot read kernel image {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no image for its core.
    #[error("kernel image {path}: {source}")]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ImageError,
    },
}

macro_rules! embedded {
    ($core:ident, $file:literal) => {
        Image {
            core: RiscV::$core,
            start: tt_kernel_abi::l1::IMAGE_SLOTS[RiscV::$core as usize].start,
            bytes: Cow::Borrowed(include_bytes!(concat!(env!("OUT_DIR"), "/", $file, ".bin"))),
        }
    };
}

/// The images built with this library.
pub const fn images() -> Images {
    [
        embedded!(Brisc, "brisc"),
        embedded!(Trisc0, "trisc0"),
        embedded!(Trisc1, "trisc1"),
        embedded!(Trisc2, "trisc2"),
        embedded!(Ncrisc, "ncrisc"),
    ]
}

/// Images from the ELF files `brisc`, `trisc0`, `trisc1`, `trisc2` and `ncrisc` in `dir`.
///
/// # Errors
///
/// A file that cannot be read or is no image for its core; the error names it.
pub fn images_from_dir(dir: &Path) -> Result<Images, LoadError> {
    let load = |core: RiscV| {
        let path = dir.join(core.name().to_lowercase());
        let elf = std::fs::read(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let bytes = elf::flatten(core, &elf).map_err(|source| LoadError::Image { path, source })?;
        Ok(Image { core, start: elf::slot(core).start, bytes: Cow::Owned(bytes) })
    };
    let [b, t0, t1, t2, nc] = RiscV::ALL;
    Ok([load(b)?, load(t0)?, load(t1)?, load(t2)?, load(nc)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_images_fit_and_start_with_code() {
        for image in images() {
            let slot = elf::slot(image.core);
            assert_eq!(image.start, slot.start);
            assert!(!image.bytes.is_empty() && image.bytes.len() <= slot.size as usize, "{:?}", image.core);
            assert!(image.bytes.len().is_multiple_of(16));
            // `lui sp, 0xFFB01` or `0xFFB00` + `addi`: start-up sets the stack before anything else.
            let first = u32::from_le_bytes([image.bytes[0], image.bytes[1], image.bytes[2], image.bytes[3]]);
            assert_eq!(first & 0xFFF, 0x137, "{:?} starts with {first:#010x}", image.core);
        }
    }

    #[test]
    fn missing_and_broken_files_are_named() {
        let dir = std::env::temp_dir().join(format!("tt-kernels-test-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let error = images_from_dir(&dir).unwrap_err();
        assert!(error.to_string().contains("brisc"), "{error}");
        std::fs::write(dir.join("brisc"), b"not an image").unwrap();
        let error = images_from_dir(&dir).unwrap_err();
        assert!(matches!(error, LoadError::Image { .. }), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
