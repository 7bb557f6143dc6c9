//! Programs for the cores: the encodings of [`tt_isa::rv32`], and how words lie in memory.

#![allow(unused_imports, dead_code, reason = "each test takes what it needs")]

pub use tt_isa::rv32::*;

/// Words as bytes of memory.
pub fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
