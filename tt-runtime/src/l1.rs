//! L1 of the Tensix tiles: which bytes of each tile are given out.
//!
//! The firmware keeps the lower part of L1 (`tt_kernel_abi::l1`); what users and their programs have is in the rest. A buffer on a range of tiles has
//! the same address on all of them, so an allocation looks for bytes that are free on every tile of the range: the first ones.

use std::collections::BTreeMap;

use tt_kernel_abi::l1::{HEAP, HEAP_END};

/// Buffers begin at multiples of so many bytes: what every NoC request and Tensix unit takes.
pub(crate) const ALIGN: u32 = 64;

/// What is given out, tile by tile.
pub(crate) struct Allocator {
    /// By tile: first byte and end.
    used: Vec<BTreeMap<u32, u32>>,
}

impl Allocator {
    pub fn new(tiles: usize) -> Self {
        Self { used: vec![BTreeMap::new(); tiles] }
    }

    /// Address of `bytes` bytes that are free on all of `tiles`; otherwise the bytes of the largest piece.
    pub fn allocate(&mut self, tiles: &[usize], bytes: u32) -> Result<u32, u32> {
        let bytes = bytes.max(1).checked_next_multiple_of(ALIGN).ok_or(0u32)?;
        let (mut at, mut largest) = (HEAP.next_multiple_of(ALIGN), 0);
        let mut taken: Vec<(u32, u32)> = tiles
            .iter()
            .flat_map(|&tile| self.used[tile].iter().map(|(&first, &end)| (first, end)))
            .collect();
        taken.sort_unstable();
        taken.push((HEAP_END, HEAP_END));
        for (first, end) in taken {
            let room = first.saturating_sub(at);
            if room >= bytes {
                tiles.iter().for_each(|&tile| {
                    self.used[tile].insert(at, at + bytes);
                });
                return Ok(at);
            }
            largest = largest.max(room);
            at = at.max(end);
        }
        Err(largest)
    }

    /// Gives back what [`allocate`](Self::allocate) has given.
    pub fn release(&mut self, tiles: &[usize], at: u32) {
        tiles.iter().for_each(|&tile| {
            self.used[tile].remove(&at);
        });
    }

    /// The first tile of which something is given out.
    pub fn first_used(&self) -> Option<usize> {
        self.used.iter().position(|used| !used.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_gets_bytes_that_are_free_on_all_of_its_tiles() {
        let mut a = Allocator::new(3);
        let one = a.allocate(&[0], 100).unwrap();
        let two = a.allocate(&[1], 300).unwrap();
        assert_eq!((one, two), (HEAP, HEAP));
        assert_eq!(a.allocate(&[0, 1, 2], 64), Ok(HEAP + 320));
        // Behind the smaller one there is room on one tile alone.
        assert_eq!(a.allocate(&[0], 64), Ok(HEAP + 128));
        a.release(&[1], two);
        a.release(&[0], one);
        assert_eq!(a.allocate(&[0, 1, 2], 128), Ok(HEAP));
        assert_eq!(a.first_used(), Some(0));
    }

    #[test]
    fn without_room_the_largest_piece_is_known() {
        let mut a = Allocator::new(1);
        let all = HEAP_END - HEAP;
        assert_eq!(a.allocate(&[0], all + 1), Err(all));
        assert_eq!(a.allocate(&[0], u32::MAX), Err(0));
        assert_eq!(a.allocate(&[0], all), Ok(HEAP));
        assert_eq!(a.allocate(&[0], 1), Err(0));
        a.release(&[0], HEAP);
        assert_eq!(a.first_used(), None);
    }
}
