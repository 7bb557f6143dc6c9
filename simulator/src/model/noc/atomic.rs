//! Atomic operations on 16 bytes of L1 (`NoC/Atomics.md`).

use tt_isa::noc::atomic as operation;

use super::ATOMICS;
use crate::fault::Fault;

/// An operation with its operands. `word` counts the four words of the 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Atomic {
    /// Adds `data` within bits `high_bit..=0` of a word.
    Increment {
        /// Which word.
        word: u32,
        /// Highest bit that changes.
        high_bit: u32,
        /// What is added.
        data: u32,
    },
    /// Sets a word that is `compare` to `set`.
    CompareAndSwap {
        /// Which word.
        word: u32,
        /// Four bits.
        compare: u32,
        /// Four bits.
        set: u32,
    },
    /// Writes the halves of `data`, in turn, to the halfwords whose bits are set in `mask`.
    SwapMask {
        /// A bit a halfword.
        mask: u32,
        /// Both halfwords.
        data: u32,
    },
    /// Writes a word.
    Swap {
        /// Which word.
        word: u32,
        /// The word.
        data: u32,
    },
}

impl Atomic {
    /// Decodes `AT_LEN_BE`, with `AT_DATA` as operand.
    ///
    /// # Errors
    /// No document describes the operation.
    pub fn decode(len_be: u32, data: u32) -> Result<Self, Fault> {
        let word = len_be & 3;
        Ok(match len_be >> operation::OPERATION_SHIFT & 7 {
            operation::INCREMENT => Self::Increment { word, high_bit: len_be >> 2 & 31, data },
            operation::COMPARE_AND_SWAP => {
                Self::CompareAndSwap { word, compare: len_be >> 2 & 15, set: len_be >> 6 & 15 }
            }
            operation::SWAP_MASK => Self::SwapMask { mask: len_be >> 2 & 0xFF, data },
            operation::SWAP_INDEX if len_be & 4 != 0 => Self::Swap { word, data },
            operation::SWAP_INDEX_HIGH => Self::Swap { word: len_be >> 2 & 3, data },
            _ => {
                return Err(Fault::undocumented(format!("NoC atomic operation AT_LEN_BE = {len_be:#x}"))
                    .page(ATOMICS));
            }
        })
    }

    /// Carries it out.
    pub fn apply(self, line: &mut [u8; 16]) {
        let at = |word: u32| 4 * word as usize..4 * word as usize + 4;
        let get = |line: &[u8; 16], word| {
            line[at(word)].iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
        };
        match self {
            Self::Increment { word, high_bit, data } => {
                let old: u32 = get(line, word);
                let mask = u32::MAX >> (31 - high_bit);
                let new = old.wrapping_add(data) & mask | old & !mask;
                line[at(word)].copy_from_slice(&new.to_le_bytes());
            }
            Self::CompareAndSwap { word, compare, set } => {
                if get(line, word) == compare {
                    line[at(word)].copy_from_slice(&set.to_le_bytes());
                }
            }
            Self::SwapMask { mask, data } => {
                let halves = line.as_chunks_mut::<2>().0.iter_mut().enumerate();
                for (i, half) in halves.filter(|(i, _)| mask >> i & 1 != 0) {
                    *half = ((data >> (16 * (i & 1))) as u16).to_le_bytes();
                }
            }
            Self::Swap { word, data } => line[at(word)].copy_from_slice(&data.to_le_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::noc::{
        atomic_compare_and_swap, atomic_increment, atomic_increment_within, atomic_swap, atomic_swap_mask,
    };

    fn after(len_be: u32, data: u32) -> [u32; 4] {
        let mut line = [0; 16];
        for (i, word) in [0x0000_0005_u32, 0x1111_FFFF, 0x2222_2222, 0x3333_3333].into_iter().enumerate() {
            line[4 * i..][..4].copy_from_slice(&word.to_le_bytes());
        }
        Atomic::decode(len_be, data).expect("an operation").apply(&mut line);
        [0, 4, 8, 12].map(|i| u32::from_le_bytes(line[i..i + 4].try_into().expect("a word")))
    }

    #[test]
    fn operations() {
        let old = [5, 0x1111_FFFF, 0x2222_2222, 0x3333_3333];
        assert_eq!(after(atomic_increment(1), 1), [5, 0x1112_0000, old[2], old[3]]);
        // Only the low 16 bits count, and wrap.
        assert_eq!(after(atomic_increment_within(1, 15), 2), [5, 0x1111_0001, old[2], old[3]]);
        assert_eq!(after(atomic_compare_and_swap(0, 5, 9), 0), [9, old[1], old[2], old[3]]);
        assert_eq!(after(atomic_compare_and_swap(0, 4, 9), 0), old);
        assert_eq!(after(atomic_swap(2), 0xABCD), [5, old[1], 0xABCD, old[3]]);
        assert_eq!(after(7 << 12 | 3 << 2, 0xABCD), [5, old[1], old[2], 0xABCD]);
        assert_eq!(
            after(atomic_swap_mask(0b1001_0010), 0xAAAA_BBBB),
            [0xAAAA_0005, old[1], 0x2222_BBBB, 0xAAAA_3333]
        );
    }

    #[test]
    fn operations_that_no_document_describes() {
        for len_be in [0, 2 << 12, 5 << 12, 6 << 12] {
            assert!(Atomic::decode(len_be, 0).is_err(), "{len_be:#x}");
        }
    }
}
