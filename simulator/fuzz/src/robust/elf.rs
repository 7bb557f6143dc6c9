//! Kernel images: a valid ELF file, then truncated, with flipped bits, or with any number in any field of its headers.

use tt_isa::chip::WORMHOLE;
use tt_isa::rv32::nop;
use tt_kernels::elf::{IMAGE_SLOTS, ImageSlot, flatten};
use tt_simulator::Fault;

use super::Ended;
use crate::image::bytes;
use crate::random::Random;

/// Sizes of ELF32's headers: file, segment, section (System V ABI, chapter 4).
const FILE_HEADER: u32 = 52;
const SEGMENT_HEADER: u32 = 32;
const SECTION_HEADER: u32 = 40;
const SEGMENTS: u32 = 2;
const SECTIONS: u32 = 4;
/// Instructions of the image.
const WORDS: u32 = 32;
/// Names of its sections.
const NAMES: &[u8] = b"\0.text\0.names\0.tt_chip\0";

/// A RISC-V executable with a segment of code and one of zeros; sections of code, of names, and of the chip that it is for.
fn valid(slot: ImageSlot) -> Vec<u8> {
    let base = slot.start;
    let code_at = FILE_HEADER + SEGMENTS * SEGMENT_HEADER;
    let names_at = code_at + 4 * WORDS;
    let chip_at = (names_at + NAMES.len() as u32).next_multiple_of(4);
    let sections_at = chip_at + 4;
    let half = |low: u32, high: u32| low | high << 16;
    let mut file = vec![0x464C_457F, 0x0001_0101, 0, 0];
    // Executable, RISC-V; version, entry, segments, sections, flags; sizes and numbers of headers.
    file.extend([half(2, 243), 1, base, FILE_HEADER, sections_at, 0]);
    file.extend([half(FILE_HEADER, SEGMENT_HEADER), half(SEGMENTS, SECTION_HEADER), half(SECTIONS, 2)]);
    // Type, offset, addresses, sizes in file and memory, flags, alignment.
    file.extend([1, code_at, base, base, 4 * WORDS, 4 * WORDS, 5, 4]);
    file.extend([1, 0, base + 4 * WORDS, base + 4 * WORDS, 0, 64, 6, 4]);
    file.extend((0..WORDS).map(|_| nop()));
    let mut file = bytes(&file);
    file.extend(NAMES);
    file.resize(chip_at as usize, 0);
    file.extend(WORMHOLE.pci_id.to_le_bytes());
    // Name, type, flags, address, offset, size, link, info, alignment, entry size.
    file.extend(bytes(&[0; 10]));
    file.extend(bytes(&[1, 1, 6, base, code_at, 4 * WORDS, 0, 0, 4, 0]));
    file.extend(bytes(&[7, 3, 0, 0, names_at, NAMES.len() as u32, 0, 0, 1, 0]));
    file.extend(bytes(&[14, 1, 0, 0, chip_at, 4, 0, 0, 4, 0]));
    file
}

/// Damages a file.
fn damage(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.range(1, 4) {
        if file.is_empty() {
            return;
        }
        let at = random.below(file.len() as u32) as usize;
        match random.below(4) {
            0 => file.truncate(at),
            1 => file[at] ^= 1 << random.below(8),
            2 => file[at] = random.word() as u8,
            _ => {
                let at = at & !3;
                let word = random.awkward().to_le_bytes();
                let len = word.len().min(file.len() - at);
                file[at..at + len].copy_from_slice(&word[..len]);
            }
        }
    }
}

/// A damaged image. What passes the checks fits into its slot.
///
/// # Errors
/// The checks let an image pass that does not fit.
pub fn image(random: &mut Random) -> Result<Ended, Fault> {
    let slot = random.pick(&IMAGE_SLOTS);
    let mut ended = Ended::Well;
    for _ in 0..64 {
        let mut file = valid(slot);
        damage(&mut file, random);
        match flatten(&WORMHOLE, slot, &file) {
            Ok(bytes) if bytes.len() > slot.size as usize + 15 => {
                return Err(Fault::internal(format!(
                    "image of {:#x} bytes for {}",
                    bytes.len(),
                    slot.core.name()
                )));
            }
            Ok(_) => {}
            Err(_) => ended = Ended::Refused,
        }
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_kernels::elf::ImageError;

    #[test]
    fn without_damage_the_image_is_accepted() {
        for slot in IMAGE_SLOTS {
            let image = flatten(&WORMHOLE, slot, &valid(slot)).expect("a valid image");
            assert_eq!(image[..8], bytes(&[nop(); 2]), "{}", slot.core.name());
            assert_eq!(image.len(), 4 * WORDS as usize + 64);
        }
    }

    #[test]
    fn a_segment_with_more_bytes_than_memory_is_refused() {
        let mut file = valid(IMAGE_SLOTS[0]);
        let memory_size = (FILE_HEADER + 5 * 4) as usize;
        file[memory_size..memory_size + 4].copy_from_slice(&16_u32.to_le_bytes());
        let error = flatten(&WORMHOLE, IMAGE_SLOTS[0], &file).unwrap_err();
        assert!(matches!(error, ImageError::Segment { file: 128, memory: 16, .. }), "{error}");
    }
}
