//! Matrices in DRAM whose blocks are in chosen banks.
//!
//! A [`DramBuffer`](super::DramBuffer) goes page by page over all banks: whoever reads much of it uses all of them. A tile that reads a part of a matrix again and again may want that part
//! in a bank near to it ([`Grid::near`](crate::grid::Grid::near)), and tiles that read at the same time want different banks. So a sharded buffer is a matrix that is cut into blocks of
//! rows and columns, each of which is one run of bytes in one bank, row by row:
//!
//! ```text
//! matrix 4 x 6, blocks of 2 x 3    bank of block (r, c): 2 r + c        bank 0: block (0, 0): elements (0,0) (0,1) (0,2) (1,0) (1,1) (1,2)
//!                                                                      bank 1: block (0, 1): elements (0,3) (0,4) ...
//! ```
//! Every bank has room for as many blocks as the one that has the most, since DRAM is given out in pages of all banks: blocks that are spread evenly waste
//! nothing. A block takes whole pages of 8 KiB.

use std::marker::PhantomData;
use std::sync::Arc;

use tt_kernel_abi::dram::DRAM_PAGE;
use zerocopy::IntoBytes;

use super::buffer::{Element, bytes_of, inside};
use crate::DramAddr;
use crate::device::{Allocation, Device};
use crate::error::Error;
use crate::grid::GridError;
use crate::report::BufferError;

/// How a matrix is cut into blocks: rows and columns of the matrix, and of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocks {
    /// Rows of the matrix.
    pub rows: usize,
    /// Columns of the matrix.
    pub columns: usize,
    /// Rows of a block.
    pub block_rows: usize,
    /// Columns of a block.
    pub block_columns: usize,
}

impl Blocks {
    /// Whole rows, `block_rows` of them a block.
    pub fn of_rows(rows: usize, columns: usize, block_rows: usize) -> Self {
        Self { rows, columns, block_rows, block_columns: columns }
    }

    /// Rows and columns of blocks.
    pub fn grid(&self) -> (usize, usize) {
        (self.rows / self.block_rows.max(1), self.columns / self.block_columns.max(1))
    }

    fn check(&self) -> Result<(), BufferError> {
        let Self { rows, columns, block_rows, block_columns } = *self;
        match rows > 0
            && columns > 0
            && rows.is_multiple_of(block_rows)
            && columns.is_multiple_of(block_columns)
        {
            true => Ok(()),
            false => Err(BufferError::Blocks { rows, columns, block_rows, block_columns }),
        }
    }

    /// Elements of a block.
    fn len(&self) -> usize {
        self.block_rows * self.block_columns
    }
}

/// Where a block is.
#[derive(Clone, Copy)]
struct Place {
    bank: usize,
    /// Offset in the bank.
    offset: u32,
    /// Linear address of its first page; the others follow as far apart as there are pages in all banks.
    first: DramAddr,
}

/// A matrix in DRAM, block by block in chosen banks.
#[derive(Clone)]
pub struct ShardedBuffer<T> {
    memory: Arc<Allocation>,
    blocks: Blocks,
    /// Row of blocks by row of blocks.
    places: Arc<[Place]>,
    banks: usize,
    elements: PhantomData<T>,
}

/// A block of a sharded buffer: a run of bytes in one bank. As an argument a kernel reaches it as `Dram`.
#[derive(Clone)]
pub struct Shard<T> {
    pub(super) memory: Arc<Allocation>,
    place: Place,
    len: usize,
    banks: usize,
    elements: PhantomData<T>,
}

impl<T: Element> ShardedBuffer<T> {
    /// A matrix whose block in row `r` and column `c` of blocks is in bank `bank(r, c)`; its content is undefined.
    ///
    /// # Errors
    /// The matrix is not whole blocks; there is no such bank; there is no room.
    pub fn new(
        device: &Arc<Device>,
        blocks: Blocks,
        mut bank: impl FnMut(usize, usize) -> usize,
    ) -> Result<Self, Error> {
        blocks.check()?;
        let banks = device.chip()?.dram.len();
        let (down, across) = blocks.grid();
        let chosen: Vec<usize> = (0..down * across).map(|n| bank(n / across, n % across)).collect();
        let mut counts = vec![0u64; banks];
        for &bank in &chosen {
            *counts.get_mut(bank).ok_or(GridError::NoBank { bank, banks })? += 1;
        }
        let pages = u64::from(bytes_of::<T>(blocks.len())?.div_ceil(DRAM_PAGE));
        let most = counts.iter().copied().max().unwrap_or(0);
        let page = u64::from(DRAM_PAGE);
        let memory = Arc::new(device.alloc(most * pages * banks as u64 * page)?);
        // The allocation begins with a page of some bank; each bank has as many pages of it.
        let first = memory.addr().0 / page;
        let mut taken = vec![0u64; banks];
        let places = chosen.into_iter().map(|bank| {
            let skip = (bank as u64 + banks as u64 - first % banks as u64) % banks as u64;
            let number = first + skip + taken[bank] * banks as u64;
            taken[bank] += pages;
            let first = DramAddr(number * page);
            Place { bank, offset: first.locate(banks as u32).offset as u32, first }
        });
        let places = places.collect();
        Ok(Self { memory, blocks, places, banks, elements: PhantomData })
    }

    /// How it is cut.
    pub fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// The block in a row and a column of blocks.
    ///
    /// # Errors
    /// There is none.
    pub fn block(&self, row: usize, column: usize) -> Result<Shard<T>, Error> {
        let (down, across) = self.blocks.grid();
        inside(row, 1, down)?;
        inside(column, 1, across)?;
        Ok(self.shard(row * across + column))
    }

    /// All blocks, row of blocks by row of blocks.
    pub fn shards(&self) -> impl Iterator<Item = Shard<T>> + '_ {
        (0..self.places.len()).map(|n| self.shard(n))
    }

    fn shard(&self, n: usize) -> Shard<T> {
        let (memory, place) = (Arc::clone(&self.memory), self.places[n]);
        Shard { memory, place, len: self.blocks.len(), banks: self.banks, elements: PhantomData }
    }

    /// Writes the whole matrix, given row by row.
    ///
    /// # Errors
    /// Another number of elements; the chip does not answer.
    pub fn write(&self, matrix: &[T]) -> Result<(), Error> {
        let Blocks { rows, columns, .. } = self.blocks;
        if matrix.len() != rows * columns {
            return Err(BufferError::Matrix { rows, columns, got: matrix.len() }.into());
        }
        let mut block = Vec::with_capacity(self.blocks.len());
        for n in 0..self.places.len() {
            block.clear();
            self.rows_of(n)
                .for_each(|at| block.extend_from_slice(&matrix[at..at + self.blocks.block_columns]));
            self.shard(n).write(0, &block)?;
        }
        Ok(())
    }

    /// Reads the whole matrix, row by row.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn read(&self) -> Result<Vec<T>, Error> {
        let columns = self.blocks.block_columns;
        let mut matrix = vec![T::new_zeroed(); self.blocks.rows * self.blocks.columns];
        for n in 0..self.places.len() {
            let block = self.shard(n).read()?;
            for (at, row) in self.rows_of(n).zip(block.chunks_exact(columns)) {
                matrix[at..at + columns].copy_from_slice(row);
            }
        }
        Ok(matrix)
    }

    /// Where the rows of a block begin in the matrix.
    fn rows_of(&self, n: usize) -> impl Iterator<Item = usize> + use<T> {
        let Blocks { columns, block_rows, block_columns, .. } = self.blocks;
        let across = self.blocks.grid().1;
        let first = n / across * block_rows * columns + n % across * block_columns;
        (0..block_rows).map(move |row| first + row * columns)
    }
}

impl<T: Element> Shard<T> {
    /// Elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Never: a block has at least one.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of its bank.
    pub fn bank(&self) -> usize {
        self.place.bank
    }

    /// Its first byte in the bank, and its bytes.
    pub(super) fn range(&self) -> (u32, u32) {
        (self.place.offset, (self.len * size_of::<T>()) as u32)
    }

    /// Writes elements from element `first` on.
    ///
    /// # Errors
    /// There are not so many; the chip does not answer.
    pub fn write(&self, first: usize, data: &[T]) -> Result<(), Error> {
        inside(first, data.len(), self.len)?;
        let mut bytes = data.as_bytes();
        for (addr, len) in self.pieces(first * size_of::<T>(), bytes.len()) {
            let (now, rest) = bytes.split_at(len);
            self.memory.device().write(addr, now)?;
            bytes = rest;
        }
        Ok(())
    }

    /// Reads all elements.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn read(&self) -> Result<Vec<T>, Error> {
        self.read_from(0, self.len)
    }

    /// Reads `count` elements from element `first` on.
    ///
    /// # Errors
    /// There are not so many; the chip does not answer.
    pub fn read_from(&self, first: usize, count: usize) -> Result<Vec<T>, Error> {
        inside(first, count, self.len)?;
        let mut data = vec![T::new_zeroed(); count];
        let mut bytes = <[T]>::as_mut_bytes(&mut data);
        for (addr, len) in self.pieces(first * size_of::<T>(), count * size_of::<T>()) {
            let (now, rest) = bytes.split_at_mut(len);
            self.memory.device().read(addr, now)?;
            bytes = rest;
        }
        Ok(data)
    }

    /// Linear address and bytes of the pieces of `len` bytes from byte `at` on, page by page.
    fn pieces(&self, at: usize, len: usize) -> impl Iterator<Item = (DramAddr, usize)> + use<T> {
        let (page, end) = (DRAM_PAGE as usize, at + len);
        let (first, apart) = (self.place.first, (self.banks * page) as u64);
        (at / page..end.div_ceil(page)).filter_map(move |n| {
            let (from, to) = (at.max(n * page), end.min((n + 1) * page));
            let addr = first.offset(n as u64 * apart + (from - n * page) as u64);
            (from < to).then_some((addr, to - from))
        })
    }
}
