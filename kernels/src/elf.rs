//! From the linker's output to the bytes that go into L1, with a check of every instruction on the way.
//!
//! Used by the build script for the embedded images and by [`crate::images_from_dir`] for others.

use object::{Object, ObjectSection, ObjectSegment, SectionKind};
use tt_isa::chip::Chip;
use tt_isa::insn::{self, InsnSet};
pub use tt_kernel_abi::l1::{IMAGE_SLOTS, ImageSlot};

/// Why a file is not an image for a core.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Not an ELF file that `object` can read.
    #[error("{core}: not a readable ELF file: {source}")]
    Elf {
        /// The core.
        core: &'static str,
        /// What is wrong with it.
        source: object::read::Error,
    },
    /// Another processor's code.
    #[error("{core}: not 32-bit RISC-V code")]
    Machine {
        /// The core.
        core: &'static str,
    },
    /// Made for another chip, or for none.
    #[error("{core}: the image is for {}, not for {wanted}", image_for(*found))]
    Chip {
        /// The core.
        core: &'static str,
        /// Name of the chip that it is to run on.
        wanted: &'static str,
        /// PCI id of the chip that the file names, if it names one.
        found: Option<u32>,
    },
    /// A loadable byte lies outside the core's slot.
    #[error("{core}: segment {start:#x}..{end:#x} is outside the core's slot {slot_start:#x}..{slot_end:#x}")]
    Slot {
        /// The core.
        core: &'static str,
        /// First byte of the segment.
        start: u64,
        /// End of the segment.
        end: u64,
        /// First byte of the slot.
        slot_start: u32,
        /// End of the slot.
        slot_end: u32,
    },
    /// A segment has more bytes in the file than in memory.
    #[error("{core}: the segment at {start:#x} has {file:#x} bytes in the file and {memory:#x} in memory")]
    Segment {
        /// The core.
        core: &'static str,
        /// First byte of the segment.
        start: u64,
        /// Bytes in the file.
        file: u64,
        /// Bytes in memory.
        memory: u64,
    },
    /// The entry point is not where the core leaves reset.
    #[error("{core}: entry point {entry:#x} is not the reset address {reset:#x}")]
    Entry {
        /// The core.
        core: &'static str,
        /// Entry point of the file.
        entry: u64,
        /// Address at which the core starts.
        reset: u32,
    },
    /// A section that a freestanding image must not have.
    #[error("{core}: section {name} has no place in an image")]
    Section {
        /// The core.
        core: &'static str,
        /// The section's name.
        name: String,
    },
    /// An address that cannot be moved.
    #[error("{core}: relocation {r_type} at {addr:#x} is none that can be applied when the image is loaded")]
    Relocation {
        /// The core.
        core: &'static str,
        /// Where it is.
        addr: u64,
        /// Its number in the psABI.
        r_type: u32,
    },
    /// The linker was not told to keep relocations.
    #[error("{core}: the file has no relocations: it was not linked by tt-kernel-build")]
    NoRelocations {
        /// The core.
        core: &'static str,
    },
    /// A word in an executable section is neither RV32IM nor a Tensix instruction.
    #[error(
        "{core}: word {word:#010x} at {addr:#x} is neither RV32IM nor a known in-line Tensix instruction"
    )]
    Instruction {
        /// The core.
        core: &'static str,
        /// Its address.
        addr: u64,
        /// The word.
        word: u32,
    },
}

/// Section of an image's file, not loaded: PCI id of the chip that it is made for.
const CHIP_SECTION: &str = ".tt_chip";

fn image_for(id: Option<u32>) -> String {
    match id {
        Some(id) => format!("the chip with PCI id {id:#010x}"),
        None => format!("no chip (it has no section {CHIP_SECTION})"),
    }
}

/// The bytes of `elf` from the start of its slot on, checked to be for `chip`; a multiple of 16.
///
/// # Errors
///
/// Every reason of [`ImageError`].
pub fn flatten(chip: &'static Chip, slot: ImageSlot, elf: &[u8]) -> Result<Vec<u8>, ImageError> {
    let name = slot.core.name();
    let file = object::File::parse(elf).map_err(|source| ImageError::Elf { core: name, source })?;
    check(chip, name, &file)?;
    if file.entry() != u64::from(slot.start) {
        return Err(ImageError::Entry { core: name, entry: file.entry(), reset: slot.start });
    }
    let mut bytes = Vec::new();
    for segment in file.segments() {
        let (start, end) = (segment.address(), segment.address() + segment.size());
        let slot_end = slot.start + slot.size;
        if start < u64::from(slot.start) || end > u64::from(slot_end) {
            return Err(ImageError::Slot { core: name, start, end, slot_start: slot.start, slot_end });
        }
        let data = segment.data().map_err(|source| ImageError::Elf { core: name, source })?;
        let (file, memory) = (data.len() as u64, segment.size());
        if file > memory {
            return Err(ImageError::Segment { core: name, start, file, memory });
        }
        let at = (start - u64::from(slot.start)) as usize;
        let needed = at + segment.size() as usize;
        if bytes.len() < needed {
            bytes.resize(needed, 0);
        }
        bytes[at..at + data.len()].copy_from_slice(data);
    }
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    Ok(bytes)
}

/// Checks that a file is code for the cores of `chip`, instruction by instruction.
pub(crate) fn check(chip: &'static Chip, name: &'static str, file: &object::File) -> Result<(), ImageError> {
    if file.architecture() != object::Architecture::Riscv32 {
        return Err(ImageError::Machine { core: name });
    }
    let found = file.section_by_name_bytes(CHIP_SECTION.as_bytes()).and_then(|section| {
        section.data().ok().and_then(|data| data.first_chunk().copied()).map(u32::from_le_bytes)
    });
    if found != Some(chip.pci_id) {
        return Err(ImageError::Chip { core: name, wanted: chip.name, found });
    }
    file.sections().try_for_each(|section| check_section(&chip.insn, name, &section))
}

fn check_section<'a>(
    insn: &InsnSet,
    core: &'static str,
    section: &impl ObjectSection<'a>,
) -> Result<(), ImageError> {
    let name = section.name().unwrap_or("?").to_owned();
    // Thread-local data, constructors and the like would need a loader that does more than copy.
    let forbidden = [".tdata", ".tbss", ".init_array", ".fini_array", ".got", ".plt", ".dynamic"];
    if forbidden.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(ImageError::Section { core, name });
    }
    if section.kind() != SectionKind::Text {
        return Ok(());
    }
    let code = section.data().map_err(|source| ImageError::Elf { core, source })?;
    for (i, chunk) in code.chunks(4).enumerate() {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_le_bytes(word);
        if !is_known(insn, word) {
            return Err(ImageError::Instruction { core, addr: section.address() + 4 * i as u64, word });
        }
    }
    Ok(())
}

/// Whether a code word is one that a baby core executes: RV32IM (`BabyRISCV/README.md`) or `.ttinsn`.
fn is_known(set: &InsnSet, word: u32) -> bool {
    match insn::from_ttinsn(word) {
        Some(tensix) => {
            set.info(tensix).is_some_and(|row| row.used_by_software && tensix & row.reserved_mask() == 0)
        }
        None => is_rv32im(word),
    }
}

fn is_rv32im(word: u32) -> bool {
    let (funct3, funct7) = ((word >> 12) & 7, word >> 25);
    match word & 0x7F {
        0x37 | 0x17 | 0x6F => true,
        0x67 => funct3 == 0,
        0x63 => !matches!(funct3, 2 | 3),
        0x03 => matches!(funct3, 0 | 1 | 2 | 4 | 5),
        0x23 => funct3 <= 2,
        0x13 => match funct3 {
            1 => funct7 == 0,
            5 => funct7 == 0 || funct7 == 0x20,
            _ => true,
        },
        0x33 => match funct7 {
            0 | 1 => true,
            0x20 => funct3 == 0 || funct3 == 5,
            _ => false,
        },
        // FENCE (does nothing); ECALL, EBREAK and CSR accesses have no use here.
        0x0F => funct3 == 0,
        // `unimp`, where the compiler has proved that nothing arrives.
        _ => word == 0xC000_1073,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::{BLACKHOLE, WORMHOLE};
    use tt_isa::map::RiscV;
    use tt_kernel_abi::l1::IMAGE_SLOTS;

    #[test]
    fn only_rv32im_and_tensix_words_pass() {
        // addi, lw, sw, mul, srai, beq, jal, fence; MVMUL in line.
        let good = [
            0x0010_0093,
            0x0005_2503,
            0x00A5_2023,
            0x02B5_0533,
            0x4015_5513,
            0x00B5_0463,
            0x0000_006F,
            0x0FF0_000F,
        ];
        assert!(good.into_iter().all(|word| is_known(&WORMHOLE.insn, word)));
        assert!(is_known(&WORMHOLE.insn, insn::ttinsn(insn::MVMUL { dst: 8, ..insn::MVMUL::ZERO }.word())));
        // lr.w (A), fadd.s (F), csrrw, ecall, sh1add (Zba), compressed `ret` twice, a Tensix word with a reserved bit.
        let bad = [0x1005_252F, 0x00B5_0553, 0x3400_1073, 0x0000_0073, 0x20B5_2533, 0x8082_8082];
        for word in bad {
            assert!(!is_known(&WORMHOLE.insn, word), "{word:#010x}");
        }
        assert!(!is_known(&WORMHOLE.insn, insn::ttinsn(insn::MVMUL::ZERO.word() | 1 << 12)));
        // An address mode of three bits is one on Blackhole only.
        let word = insn::ttinsn(insn::MVMUL::ZERO.word() | 1 << 14);
        assert!(!is_known(&WORMHOLE.insn, word) && is_known(&BLACKHOLE.insn, word));
    }

    /// The build script's own input: what it has made images of for one chip is refused for another.
    #[test]
    fn code_for_another_chip_is_refused() {
        let folder = std::path::Path::new(env!("TT_FIRMWARE")).join("wormhole");
        for slot in IMAGE_SLOTS {
            let compiled = folder.join(if slot.core == RiscV::Brisc { "brisc" } else { "triscs" });
            let binaries = compiled.join("riscv32im-unknown-none-elf/release");
            let file = std::fs::read(binaries.join(slot.core.name().to_lowercase())).unwrap();
            assert!(flatten(&WORMHOLE, slot, &file).is_ok());
            let error = flatten(&BLACKHOLE, slot, &file).unwrap_err();
            assert!(matches!(error, ImageError::Chip { wanted: "blackhole", .. }), "{error}");
            assert!(error.to_string().contains("0x401e1e52"), "{error}");
        }
    }

    #[test]
    fn host_code_is_refused() {
        let host = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(
            flatten(&WORMHOLE, IMAGE_SLOTS[0], &host),
            Err(ImageError::Machine { .. } | ImageError::Elf { .. })
        ));
    }
}
