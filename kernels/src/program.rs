//! Kernels of users: from an ELF file that `tt-kernel-build` has linked for address 0 to bytes for any place in L1.
//!
//! The linker has kept the relocations. Those of distances within the image hold wherever it is; the few that have an address in them are applied
//! anew ([`Relocatable::at`]). They are the ones of RV32 ELF's psABI: `R_RISCV_32`, `R_RISCV_HI20`, `R_RISCV_LO12_I` and `R_RISCV_LO12_S`.

use object::elf;
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, RelocationFlags, RelocationTarget};
use tt_isa::chip::Chip;
use tt_kernel_abi::program::{BLOCK_AT, BLOCK_BYTES};

use crate::elf::{self as image, ImageError};

/// Name of a kernel in messages that say what is wrong with its file: whose kernel it is, the caller adds.
const KERNEL: &str = "kernel";

/// Images are whole units of so many bytes.
const UNIT: usize = 16;

/// A kernel's image that can go anywhere.
#[derive(Clone, Debug)]
pub struct Relocatable {
    bytes: Vec<u8>,
    patches: Vec<Patch>,
}

/// An address in an image.
#[derive(Clone, Copy, Debug)]
struct Patch {
    at: usize,
    kind: Kind,
    /// The address if the image were at 0.
    value: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A word.
    Word,
    /// The upper 20 bits, in `lui`.
    High,
    /// The lower 12, in a load or an addition.
    LowI,
    /// The lower 12, in a store.
    LowS,
}

impl Relocatable {
    /// The image in an ELF file, checked to be for `chip`, and every instruction of it.
    ///
    /// # Errors
    /// Every reason of [`ImageError`].
    pub fn parse(chip: &'static Chip, file: &[u8]) -> Result<Self, ImageError> {
        let elf_error = |source| ImageError::Elf { core: KERNEL, source };
        let file = object::File::parse(file).map_err(elf_error)?;
        image::check(chip, KERNEL, &file)?;
        if file.entry() != 0 {
            return Err(ImageError::Entry { core: KERNEL, entry: file.entry(), reset: 0 });
        }
        let mut bytes = Vec::new();
        let room = u64::from(chip.tile.l1_size);
        for segment in file.segments() {
            let (start, size) = (segment.address(), segment.size());
            let data = segment.data().map_err(elf_error)?;
            if data.len() as u64 > size {
                let (file, memory) = (data.len() as u64, size);
                return Err(ImageError::Segment { core: KERNEL, start, file, memory });
            }
            let end = start.saturating_add(size);
            if end > room {
                let slot_end = chip.tile.l1_size;
                return Err(ImageError::Slot { core: KERNEL, start, end, slot_start: 0, slot_end });
            }
            let (at, end) = (start as usize, end as usize);
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[at..at + data.len()].copy_from_slice(data);
        }
        let least = (BLOCK_AT + BLOCK_BYTES) as usize;
        bytes.resize(bytes.len().max(least).next_multiple_of(UNIT), 0);
        let patches = patches(&file, bytes.len())?;
        Ok(Self { bytes, patches })
    }

    /// Bytes that the image takes in L1.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The image for address `base` of L1, a multiple of 16.
    pub fn at(&self, base: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for patch in &self.patches {
            let word = &mut bytes[patch.at..patch.at + 4];
            let old = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            word.copy_from_slice(&patch.kind.apply(old, patch.value.wrapping_add(base)).to_le_bytes());
        }
        bytes
    }
}

impl Kind {
    fn of(r_type: u32) -> Option<Self> {
        match r_type {
            elf::R_RISCV_32 => Some(Self::Word),
            elf::R_RISCV_HI20 => Some(Self::High),
            elf::R_RISCV_LO12_I => Some(Self::LowI),
            elf::R_RISCV_LO12_S => Some(Self::LowS),
            _ => None,
        }
    }

    /// A word with an address in it.
    fn apply(self, word: u32, value: u32) -> u32 {
        let low = value & 0xFFF;
        match self {
            Self::Word => value,
            Self::High => word & 0xFFF | value.wrapping_add(0x800) & 0xFFFF_F000,
            Self::LowI => word & 0x000F_FFFF | low << 20,
            Self::LowS => word & 0x01FF_F07F | low >> 5 << 25 | (low & 0x1F) << 7,
        }
    }
}

/// Whether a relocation says a distance within the image, or nothing.
fn is_distance(r_type: u32) -> bool {
    matches!(
        r_type,
        elf::R_RISCV_NONE
            | elf::R_RISCV_BRANCH
            | elf::R_RISCV_JAL
            | elf::R_RISCV_CALL
            | elf::R_RISCV_CALL_PLT
            | elf::R_RISCV_PCREL_HI20
            | elf::R_RISCV_PCREL_LO12_I
            | elf::R_RISCV_PCREL_LO12_S
            | elf::R_RISCV_32_PCREL
            | elf::R_RISCV_ALIGN
            | elf::R_RISCV_RELAX
            | elf::R_RISCV_ADD8
            | elf::R_RISCV_ADD16
            | elf::R_RISCV_ADD32
            | elf::R_RISCV_SUB8
            | elf::R_RISCV_SUB16
            | elf::R_RISCV_SUB32
            | elf::R_RISCV_SET8
            | elf::R_RISCV_SET16
            | elf::R_RISCV_SET32
    )
}

/// The addresses in what is loaded.
fn patches(file: &object::File, len: usize) -> Result<Vec<Patch>, ImageError> {
    let mut patches = Vec::new();
    let mut has_any = false;
    for section in file.sections() {
        // Debugging information is not loaded.
        if !matches!(section.flags(), object::SectionFlags::Elf { sh_flags } if sh_flags & u64::from(elf::SHF_ALLOC) != 0)
        {
            continue;
        }
        for (at, relocation) in section.relocations() {
            has_any = true;
            let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
            if is_distance(r_type) {
                continue;
            }
            let kind = Kind::of(r_type).filter(|_| at as usize + 4 <= len);
            let kind = kind.ok_or(ImageError::Relocation { core: KERNEL, addr: at, r_type })?;
            let symbol = match relocation.target() {
                RelocationTarget::Symbol(index) => file
                    .symbol_by_index(index)
                    .map_err(|source| ImageError::Elf { core: KERNEL, source })?
                    .address(),
                _ => 0,
            };
            let value = (symbol as u32).wrapping_add(relocation.addend() as u32);
            patches.push(Patch { at: at as usize, kind, value });
        }
    }
    // Every kernel calls something.
    if has_any { Ok(patches) } else { Err(ImageError::NoRelocations { core: KERNEL }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_put_into_instructions() {
        // lui a0, 0 / addi a0, a0, 0 / sw a1, 0(a0)
        let address = 0x0006_1FFC;
        let lui = Kind::High.apply(0x0000_0537, address);
        let addi = Kind::LowI.apply(0x0005_0513, address);
        let sw = Kind::LowS.apply(0x00B5_2023, address);
        let high = lui & 0xFFFF_F000;
        assert_eq!(high.wrapping_add_signed(addi as i32 >> 20), address);
        let stored = (sw as i32 >> 25 << 5) | (sw as i32 >> 7 & 31);
        assert_eq!(high.wrapping_add_signed(stored), address);
        assert_eq!(
            (lui & 0xFFF, addi & 0xF_FFFF, sw & 0x01FF_F07F),
            (0x537, 0x5_0513, 0x00B5_2023 & 0x01FF_F07F)
        );
    }

    #[test]
    fn a_file_that_is_no_kernel_is_refused() {
        let error = Relocatable::parse(&tt_isa::chip::WORMHOLE, b"nothing").unwrap_err();
        assert!(matches!(error, ImageError::Elf { .. }), "{error}");
    }
}
