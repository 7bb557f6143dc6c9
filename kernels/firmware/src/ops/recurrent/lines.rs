//! The lines of a block in L1.

use super::{Block, patterns};
use crate::rt::heap::Heap;
use crate::rt::noc::Noc;
use crate::rt::rows::Port;
use tt_kernel_abi::TensorView;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece};
use tt_kernel_abi::recurrent::MAX_STATE;
use tt_kernel_numerics::fixed;

/// The lines of a block: mantissas with an exponent for each line ([`fixed`]), or FP32 patterns.
pub struct Lines {
    size: usize,
    count: usize,
    words: &'static mut [u32],
    exponents: &'static mut [u32],
    headroom: &'static mut [u32],
    /// They are mantissas.
    pub is_split: bool,
}

/// A line of mantissas.
pub struct Line<'a> {
    /// Its elements.
    pub mantissas: &'a mut [u32],
    /// Their exponent, as a pattern.
    pub exponent: &'a mut u32,
    /// Bits by which all of them can be shifted up.
    pub headroom: &'a mut u32,
}

impl Lines {
    /// Room for lines of `size` elements.
    pub fn new(heap: &mut Heap, size: usize) -> Self {
        let words = heap.words(MAX_STATE);
        let (exponents, headroom) = (heap.words(MAX_PIECE), heap.words(MAX_PIECE));
        Self { size, count: 0, words, exponents, headroom, is_split: false }
    }

    /// Elements of a line.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Brings the lines of a block in state `number` of `view`.
    pub fn fetch(&mut self, noc: &mut Noc, port: &mut Port, view: &TensorView, block: &Block, number: u32) {
        self.count = block.len as usize;
        let mut is_finite = true;
        for (line, words) in
            (block.first..block.first + block.len).zip(self.words.chunks_exact_mut(self.size))
        {
            let values = port.fetch(noc, view, &piece(view, [line, block.head, number]));
            words.iter_mut().zip(patterns(values)).for_each(|(to, bits)| *to = bits);
            is_finite &= fixed::top(patterns(values)).is_some();
        }
        self.is_split = is_finite;
        if is_finite {
            self.split();
        }
    }

    /// Lines of a block that are zero.
    pub fn begin(&mut self, block: &Block) {
        self.count = block.len as usize;
        self.words[..self.count * self.size].fill(0);
        self.exponents[..self.count].fill(0);
        self.is_split = true;
    }

    fn split(&mut self) {
        let states = self.exponents.iter_mut().zip(self.headroom.iter_mut());
        for (words, (exponent, headroom)) in
            self.words.chunks_exact_mut(self.size).take(self.count).zip(states)
        {
            let top = fixed::top(words.iter().copied()).unwrap_or(1);
            (*exponent, *headroom) = (fixed::split(words, top) as u32, 0);
        }
    }

    /// Makes FP32 of the mantissas.
    #[cold]
    #[inline(never)]
    pub fn join(&mut self) {
        let lines = self.words.chunks_exact_mut(self.size).take(self.count);
        for (words, &exponent) in lines.zip(self.exponents.iter()) {
            words.iter_mut().for_each(|word| *word = element(*word, exponent).to_bits());
        }
        self.is_split = false;
    }

    /// A line of mantissas.
    pub fn line(&mut self, number: usize) -> Line<'_> {
        Line {
            mantissas: &mut self.words[number * self.size..][..self.size],
            exponent: &mut self.exponents[number],
            headroom: &mut self.headroom[number],
        }
    }

    /// A line of FP32 patterns.
    pub fn patterns(&mut self, number: usize) -> &mut [u32] {
        &mut self.words[number * self.size..][..self.size]
    }

    /// Writes the lines to `view`.
    pub fn send(&self, noc: &mut Noc, port: &mut Port, view: &TensorView, block: &Block) {
        for ((line, words), &exponent) in (block.first..block.first + block.len)
            .zip(self.words.chunks_exact(self.size))
            .zip(self.exponents.iter())
        {
            let piece = piece(view, [line, block.head, block.sequence]);
            for (to, &word) in port.buffer(view, &piece).iter_mut().zip(words) {
                *to = if self.is_split { element(word, exponent) } else { f32::from_bits(word) };
            }
            port.send(noc, view, &piece);
        }
    }
}

impl Line<'_> {
    /// Puts an element behind the first `at` ones; says whether it has a mantissa.
    #[inline(never)]
    pub fn append(&mut self, at: usize, value: f32) -> bool {
        /// Bits that an element which is the largest one so far leaves to the next ones: solutions may grow from row to row.
        const SPARE: u32 = 2;
        let bits = value.to_bits();
        let Some(field) = fixed::top([bits].into_iter()) else { return false };
        let exponent = fixed::exponent(field);
        let before = if at == 0 { exponent } else { *self.exponent as i32 };
        if at == 0 || exponent > before {
            let up = exponent + SPARE as i32;
            let down = (up - before).min(31);
            self.mantissas[..at].iter_mut().for_each(|word| *word = (*word as i32 >> down) as u32);
            *self.exponent = up as u32;
        }
        let top = field + (*self.exponent as i32 - exponent) as u32;
        self.mantissas[at] = fixed::mantissa(bits, top) as u32;
        true
    }
}

fn piece(view: &TensorView, row: [u32; 3]) -> Piece {
    Piece { row, first: 0, len: view.ne[0] }
}

#[inline(never)]
fn element(mantissa: u32, exponent: u32) -> f32 {
    fixed::float(i64::from(mantissa as i32), exponent as i32)
}
