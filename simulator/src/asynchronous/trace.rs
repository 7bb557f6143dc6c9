//! What an instruction touches, noted by the memories themselves while it executes.
//!
//! A memory has a trace in the asynchronous mode only. In the fast mode it asks once an access whether it has one.

use std::cell::{Cell, RefCell};

/// Byte ranges of L1.
#[derive(Default)]
pub struct RangeTrace {
    on: Cell<bool>,
    ranges: RefCell<Vec<Range>>,
}

/// An accessed byte range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// First byte.
    pub addr: u32,
    /// Bytes.
    pub len: u32,
    /// Written; otherwise read.
    pub write: bool,
}

impl RangeTrace {
    /// Starts to note accesses.
    pub fn start(&self) {
        self.ranges.borrow_mut().clear();
        self.on.set(true);
    }

    /// Notes an access.
    pub fn note(&self, addr: u32, len: usize, write: bool) {
        if self.on.get() {
            self.ranges.borrow_mut().push(Range { addr, len: len as u32, write });
        }
    }

    /// Stops, and takes what was noted.
    pub fn take(&self) -> Vec<Range> {
        self.on.set(false);
        self.ranges.take()
    }
}

const ROW_WORDS: usize = crate::tensix::dst::ROWS / 64;

/// A set of rows of Dst.
pub type Rows = [u64; ROW_WORDS];

/// Rows of Dst.
#[derive(Default)]
pub struct RowTrace {
    read: Cell<Rows>,
    written: Cell<Rows>,
    updated: Cell<Rows>,
}

/// Rows that an instruction has accessed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RowSets {
    /// Read.
    pub read: Rows,
    /// Written.
    pub written: Rows,
    /// Written, or added to: the instruction says which.
    pub updated: Rows,
}

impl RowTrace {
    /// Notes that rows are read.
    pub fn note_read(&self, rows: impl IntoIterator<Item = usize>) {
        note(&self.read, rows);
    }

    /// Notes that rows are written.
    pub fn note_write(&self, rows: impl IntoIterator<Item = usize>) {
        note(&self.written, rows);
    }

    /// Notes that rows are written, or added to.
    pub fn note_update(&self, rows: impl IntoIterator<Item = usize>) {
        note(&self.updated, rows);
    }

    /// Takes what was noted.
    pub fn take(&self) -> RowSets {
        RowSets { read: self.read.take(), written: self.written.take(), updated: self.updated.take() }
    }
}

fn note(set: &Cell<Rows>, rows: impl IntoIterator<Item = usize>) {
    let mut bits = set.get();
    for row in rows {
        bits[row / 64] |= 1 << (row % 64);
    }
    set.set(bits);
}

/// The rows of a set.
pub fn rows_of(set: &Rows) -> impl Iterator<Item = usize> {
    (0..64 * ROW_WORDS).filter(|row| set[row / 64] >> (row % 64) & 1 == 1)
}

/// A configuration word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConfigWord {
    /// Bank and index.
    Config(u8, u16),
    /// Thread and index.
    Thread(u8, u16),
}

/// Bits of a configuration word that were accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigAccess {
    /// Which word.
    pub word: ConfigWord,
    /// Which bits; of a write those that it changed.
    pub mask: u32,
    /// Written; otherwise read.
    pub write: bool,
}

/// Configuration words.
#[derive(Default)]
pub struct ConfigTrace {
    on: Cell<bool>,
    accesses: RefCell<Vec<ConfigAccess>>,
}

impl ConfigTrace {
    /// Starts to note accesses.
    pub fn start(&self) {
        self.accesses.borrow_mut().clear();
        self.on.set(true);
    }

    /// Notes an access.
    pub fn note(&self, word: ConfigWord, mask: u32, write: bool) {
        if !self.on.get() || mask == 0 {
            return;
        }
        let mut accesses = self.accesses.borrow_mut();
        match accesses.iter_mut().find(|old| old.word == word && old.write == write) {
            Some(old) => old.mask |= mask,
            None => accesses.push(ConfigAccess { word, mask, write }),
        }
    }

    /// Stops, and takes what was noted.
    pub fn take(&self) -> Vec<ConfigAccess> {
        self.on.set(false);
        self.accesses.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_collected() {
        let trace = RowTrace::default();
        trace.note_read([3, 64, 1023]);
        trace.note_write(8..10);
        trace.note_update([1]);
        let rows = trace.take();
        assert!(rows_of(&rows.read).eq([3, 64, 1023]) && rows_of(&rows.written).eq([8, 9]));
        assert!(rows_of(&rows.updated).eq([1]));
        assert_eq!(trace.take(), Default::default());
    }

    #[test]
    fn bits_of_a_word_are_joined_while_noting() {
        let trace = ConfigTrace::default();
        let word = ConfigWord::Config(0, 7);
        trace.note(word, 1, false);
        trace.start();
        trace.note(word, 2, false);
        trace.note(word, 4, false);
        trace.note(word, 4, true);
        let write = ConfigAccess { word, mask: 4, write: true };
        assert_eq!(trace.take(), [ConfigAccess { word, mask: 6, write: false }, write]);
    }
}
