//! SrcA and SrcB: the matrix unit's operand registers (`SrcASrcB.md`).
//!
//! Each has two banks of 64 rows of 16 datums. A bank belongs either to its unpacker, which fills it, or to the
//! matrix unit, which consumes it ("valid"). A datum has 19 bits; it is kept left aligned in 32, the low 13 zero,
//! so that TF32 and BF16 datums read as single precision numbers.

use std::cell::Cell;

use crate::fault::Fault;

/// Rows of a bank.
pub const ROWS: usize = 64;
/// All 19 bits of a datum: what maximum pooling takes for less than any number.
pub const NEGATIVE_INFINITY: u32 = 0xFFFF_E000;
/// Datums of a row.
pub const COLS: usize = 16;

/// A row of datums.
pub type Row = [u32; COLS];

/// The two banks of SrcA or SrcB.
pub struct SrcBanks {
    /// `[bank][row]`
    banks: Box<[[Row; ROWS]; 2]>,
    /// Counts each bank's changes.
    generations: [u64; 2],
    /// Whether the bank belongs to the matrix unit.
    pub valid: [bool; 2],
    /// Bank that the unpacker fills next.
    pub unpack_bank: usize,
    /// Bank that the matrix unit uses.
    pub matrix_bank: usize,
    /// Which banks were accessed: the matrix unit's reads (bits 1:0), its writes (3:2), the unpacker's (5:4).
    touched: Cell<u8>,
    name: &'static str,
}

impl SrcBanks {
    /// Empty banks; `name` is for messages.
    pub fn new(name: &'static str) -> Self {
        Self {
            banks: Box::new([[[0; COLS]; ROWS]; 2]),
            generations: [0; 2],
            valid: [false; 2],
            unpack_bank: 0,
            matrix_bank: 0,
            touched: Cell::new(0),
            name,
        }
    }

    /// Whether the matrix unit may use its bank.
    #[inline]
    pub fn matrix_ready(&self) -> bool {
        self.valid[self.matrix_bank]
    }

    /// Whether the unpacker may fill its bank.
    #[inline]
    pub fn unpack_ready(&self) -> bool {
        !self.valid[self.unpack_bank]
    }

    /// The bank that the matrix unit uses.
    #[inline]
    pub fn matrix(&self) -> &[Row; ROWS] {
        self.touch(self.matrix_bank);
        &self.banks[self.matrix_bank]
    }

    /// The same, to be written.
    #[inline]
    pub fn matrix_mut(&mut self) -> &mut [Row; ROWS] {
        self.generations[self.matrix_bank] += 1;
        self.touch(2 + self.matrix_bank);
        &mut self.banks[self.matrix_bank]
    }

    /// Changes whenever the matrix unit's bank may have been written: for what is derived from its datums.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.touch(self.matrix_bank);
        self.generations[self.matrix_bank]
    }

    /// Fills both banks with one datum.
    pub fn fill(&mut self, datum: u32) {
        *self.banks = [[[datum; COLS]; ROWS]; 2];
        self.touch(2);
        self.touch(3);
        self.generations = self.generations.map(|generation| generation + 1);
    }

    /// The bank that the unpacker fills.
    #[inline]
    pub fn unpack_mut(&mut self) -> &mut [Row; ROWS] {
        self.generations[self.unpack_bank] += 1;
        self.touch(4 + self.unpack_bank);
        &mut self.banks[self.unpack_bank]
    }

    #[inline]
    fn touch(&self, bit: usize) {
        self.touched.set(self.touched.get() | 1 << bit);
    }

    /// Takes what was accessed since the last call.
    pub fn take_touched(&self) -> u8 {
        self.touched.take()
    }

    /// Gives all banks to the unpacker, both sides at bank 0.
    pub fn reset(&mut self) {
        (self.valid, self.unpack_bank, self.matrix_bank) = ([false; 2], 0, 0);
    }

    /// Hands the unpacker's bank to the matrix unit; the unpacker goes on with the other one.
    pub fn give_to_matrix(&mut self) -> Result<(), Fault> {
        let bank = self.unpack_bank;
        if self.valid[bank] {
            return Err(Fault::program(format!("{} bank {bank} is already valid", self.name)).page(PAGE));
        }
        self.valid[bank] = true;
        self.unpack_bank ^= 1;
        Ok(())
    }

    /// The matrix unit moves on to its other bank; `release` hands the present one back to the unpacker.
    pub fn flip_matrix(&mut self, release: bool) -> Result<(), Fault> {
        if release {
            self.check_release()?;
            self.valid[self.matrix_bank] = false;
        }
        self.matrix_bank ^= 1;
        Ok(())
    }

    /// Whether the matrix unit has a bank to hand back.
    ///
    /// # Errors
    /// It has not: the unpacker's bank would then be taken for handed back later, one bank too late, and both would wait for ever.
    #[inline]
    pub fn check_release(&self) -> Result<(), Fault> {
        let bank = self.matrix_bank;
        if self.valid[bank] {
            return Ok(());
        }
        Err(Fault::program(format!("{} bank {bank} is not valid", self.name)).page(PAGE))
    }
}

const PAGE: &str = "TensixTile/TensixCoprocessor/SrcASrcB.md";
