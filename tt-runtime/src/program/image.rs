//! A kernel's ELF file as `tt-kernel-build` has made it: code, relocations and line numbers.

use std::borrow::Cow;
use std::path::Path;

use tt_isa::chip::Chip;
use tt_kernels::program::Relocatable;

use crate::report::ProgramError;

/// A compiled kernel. It is looked into when it is launched: only then is it known for which chip that must be.
#[derive(Clone, PartialEq, Eq)]
pub struct KernelImage {
    name: Cow<'static, str>,
    elf: Cow<'static, [u8]>,
}

impl KernelImage {
    /// A kernel in the program itself; `tt-kernel-build` writes calls of this.
    pub const fn embedded(name: &'static str, elf: &'static [u8]) -> Self {
        Self { name: Cow::Borrowed(name), elf: Cow::Borrowed(elf) }
    }

    /// A kernel in a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn from_file(path: &Path) -> std::io::Result<Self> {
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name: Cow::Owned(name), elf: Cow::Owned(std::fs::read(path)?) })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether another one has the same bytes in memory.
    pub(super) fn is(&self, other: &Self) -> bool {
        std::ptr::eq(&*self.elf, &*other.elf)
    }

    /// Its file, as the compiler has made it.
    pub fn elf(&self) -> &[u8] {
        &self.elf
    }

    pub(super) fn load(&self, chip: &'static Chip) -> Result<Relocatable, Box<ProgramError>> {
        Relocatable::parse(chip, &self.elf).map_err(|source| {
            Box::new(ProgramError::Image { kernel: self.name.to_string(), why: source.to_string() })
        })
    }
}

impl std::fmt::Debug for KernelImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KernelImage({}, {} bytes)", self.name, self.elf.len())
    }
}
