//! Access logs: what an instruction reads and writes, recorded by the memories themselves while it executes.
//!
//! A memory has a log only if an observer asked for one; without a log an access costs one test. The engine starts the logs
//! before an instruction and passes their contents ([`Accesses`]) to the observers after it. So models do not know observers,
//! and observers do not need to know how an instruction finds its operands.

use std::cell::{Cell, RefCell};

/// Byte ranges of L1.
#[derive(Default)]
pub struct RangeLog {
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

impl RangeLog {
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

const ROW_WORDS: usize = crate::model::tensix::dst::ROWS / 64;

/// A set of rows of Dst.
pub type Rows = [u64; ROW_WORDS];

/// Rows of Dst.
#[derive(Default)]
pub struct RowLog {
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

impl RowLog {
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
pub struct ConfigLog {
    on: Cell<bool>,
    accesses: RefCell<Vec<ConfigAccess>>,
}

impl ConfigLog {
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

/// Everything that an instruction has accessed.
#[derive(Default)]
pub struct Accesses {
    /// Bytes of L1.
    pub l1: Vec<Range>,
    /// Rows of Dst.
    pub dst: RowSets,
    /// Configuration words.
    pub config: Vec<ConfigAccess>,
    /// Banks of SrcA and SrcB: the matrix unit's reads (bits 1:0) and writes (3:2), the unpacker's writes (5:4).
    pub banks: [u8; 2],
}

/// Nothing.
pub static NOTHING: Accesses = Accesses {
    l1: Vec::new(),
    dst: RowSets { read: [0; ROW_WORDS], written: [0; ROW_WORDS], updated: [0; ROW_WORDS] },
    config: Vec::new(),
    banks: [0; 2],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_collected() {
        let log = RowLog::default();
        log.note_read([3, 64, 1023]);
        log.note_write(8..10);
        log.note_update([1]);
        let rows = log.take();
        assert!(rows_of(&rows.read).eq([3, 64, 1023]) && rows_of(&rows.written).eq([8, 9]));
        assert!(rows_of(&rows.updated).eq([1]));
        assert_eq!(log.take(), Default::default());
    }

    #[test]
    fn bits_of_a_word_are_joined_while_noting() {
        let log = ConfigLog::default();
        let word = ConfigWord::Config(0, 7);
        log.note(word, 1, false);
        log.start();
        log.note(word, 2, false);
        log.note(word, 4, false);
        log.note(word, 4, true);
        let write = ConfigAccess { word, mask: 4, write: true };
        assert_eq!(log.take(), [ConfigAccess { word, mask: 6, write: false }, write]);
    }
}
