//! The guest's memory: pieces of files that QEMU shares, read and written as files.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};

use tt_simulator::HostMemory;

/// A piece of the guest's physical memory.
pub struct Piece {
    /// Where the guest has it.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Where it is in the file.
    pub offset: u64,
    /// The file.
    pub file: File,
}

/// All of it.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<Piece>>>);

impl Memory {
    /// These are the pieces from now on.
    pub fn set(&self, pieces: Vec<Piece>) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = pieces;
    }

    fn with(&self, addr: u64, len: usize, f: impl FnOnce(&File, u64) -> std::io::Result<()>) -> bool {
        let pieces = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let inside = |piece: &&Piece| addr >= piece.base && addr + len as u64 <= piece.base + piece.size;
        let piece = pieces.iter().find(inside);
        piece.is_some_and(|piece| f(&piece.file, piece.offset + addr - piece.base).is_ok())
    }
}

impl HostMemory for Memory {
    fn read(&self, addr: u64, out: &mut [u8]) -> bool {
        self.with(addr, out.len(), |file, at| file.read_exact_at(out, at))
    }

    fn write(&self, addr: u64, data: &[u8]) -> bool {
        self.with(addr, data.len(), |file, at| file.write_all_at(data, at))
    }
}
