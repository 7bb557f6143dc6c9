//! The kernel images that the runtime loads into every worker.
//!
//! The device code is the workspace `firmware/`; the build script compiles it for each chip of [`WITH_KERNELS`] and
//! `riscv32im-unknown-none-elf`, checks every instruction word and embeds the flat images here. A directory of other ELF
//! files (names: those of the cores that start at an image's first byte, in lower case, as cargo leaves them) can take their place for development. An image knows its
//! chip and gives its bytes for no other.

mod chips;
pub mod elf;
pub mod program;

pub use chips::WITH_KERNELS;

use elf::{IMAGE_SLOTS, ImageError, ImageSlot};
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use tt_isa::chip::{Chip, WORMHOLE};
use tt_isa::map::RiscV;

/// What goes into a core's slot of L1.
#[derive(Clone, Debug)]
pub struct Image {
    /// The core.
    pub core: RiscV,
    /// L1 address of the first byte, which is also the reset address.
    pub start: u32,
    chip: &'static Chip,
    bytes: Cow<'static, [u8]>,
}

impl Image {
    /// The chip that it is made for.
    pub fn chip(&self) -> &'static Chip {
        self.chip
    }

    /// The bytes to be loaded on a chip, zero-filled where the image has zero-initialised data; a multiple of 16.
    ///
    /// # Errors
    ///
    /// The image is made for another chip.
    pub fn bytes_for(&self, chip: &Chip) -> Result<&[u8], LoadError> {
        match self.chip.pci_id == chip.pci_id {
            true => Ok(&self.bytes),
            false => Err(LoadError::OtherChip {
                core: self.core.name(),
                made_for: self.chip.name,
                chip: chip.name,
            }),
        }
    }
}

/// The images, by the number of their core. NCRISC runs BRISC's.
pub type Images = [Image; IMAGE_SLOTS.len()];

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// None of a chip's.
    #[error("there are no kernels for {chip}")]
    NoKernels {
        /// Name of the chip.
        chip: &'static str,
    },
    /// One of another chip's.
    #[error("the image of {core} is made for {made_for} and cannot be loaded on {chip}")]
    OtherChip {
        /// The core.
        core: &'static str,
        /// Name of the chip that it is made for.
        made_for: &'static str,
        /// Name of the chip that it was to be loaded on.
        chip: &'static str,
    },
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
    ($chip:ident, $folder:literal, $core:ident, $file:literal) => {
        Image {
            core: RiscV::$core,
            chip: &$chip,
            start: IMAGE_SLOTS[RiscV::$core as usize].start,
            bytes: Cow::Borrowed(include_bytes!(concat!(env!("OUT_DIR"), "/", $folder, "/", $file, ".bin"))),
        }
    };
}

macro_rules! embedded_for {
    ($chip:ident, $folder:literal) => {
        [
            embedded!($chip, $folder, Brisc, "brisc"),
            embedded!($chip, $folder, Trisc0, "trisc0"),
            embedded!($chip, $folder, Trisc1, "trisc1"),
            embedded!($chip, $folder, Trisc2, "trisc2"),
        ]
    };
}

/// The images built with this library, of each chip of [`WITH_KERNELS`].
const EMBEDDED: &[Images] = &[embedded_for!(WORMHOLE, "wormhole")];

/// The images of a chip that were built with this library.
///
/// # Errors
///
/// There are none.
pub fn images(chip: &Chip) -> Result<Images, LoadError> {
    let found = EMBEDDED.iter().find(|images| images[0].chip.pci_id == chip.pci_id);
    found.cloned().ok_or(LoadError::NoKernels { chip: chip.name })
}

/// Images of a chip from the ELF files `brisc`, `trisc0`, `trisc1` and `trisc2` in `dir`.
///
/// # Errors
///
/// A file that cannot be read, is made for another chip, or is no image for its core; the error names it.
pub fn images_from_dir(chip: &'static Chip, dir: &Path) -> Result<Images, LoadError> {
    let load = |slot: ImageSlot| {
        let core = slot.core;
        let path = dir.join(core.name().to_lowercase());
        let elf = std::fs::read(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
        let bytes = elf::flatten(chip, slot, &elf).map_err(|source| LoadError::Image { path, source })?;
        Ok(Image { core, chip, start: slot.start, bytes: Cow::Owned(bytes) })
    };
    let [b, t0, t1, t2] = IMAGE_SLOTS;
    Ok([load(b)?, load(t0)?, load(t1)?, load(t2)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::BLACKHOLE;

    #[test]
    fn every_chip_with_kernels_has_its_images() {
        assert_eq!(EMBEDDED.len(), WITH_KERNELS.len());
        for chip in WITH_KERNELS {
            assert!(images(chip).unwrap().iter().all(|image| image.bytes_for(chip).is_ok()));
        }
    }

    #[test]
    fn an_image_is_not_loaded_on_another_chip() {
        let error = images(&BLACKHOLE).unwrap_err();
        assert!(matches!(error, LoadError::NoKernels { chip: "blackhole" }), "{error}");
        let error = images(&WORMHOLE).unwrap()[0].bytes_for(&BLACKHOLE).unwrap_err();
        assert!(
            matches!(error, LoadError::OtherChip { made_for: "wormhole", chip: "blackhole", .. }),
            "{error}"
        );
    }

    #[test]
    fn embedded_images_fit_and_start_with_code() {
        for image in images(&WORMHOLE).unwrap() {
            let slot = IMAGE_SLOTS[image.core as usize];
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
        let error = images_from_dir(&WORMHOLE, &dir).unwrap_err();
        assert!(error.to_string().contains("brisc"), "{error}");
        std::fs::write(dir.join("brisc"), b"not an image").unwrap();
        let error = images_from_dir(&WORMHOLE, &dir).unwrap_err();
        assert!(matches!(error, LoadError::Image { .. }), "{error}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
