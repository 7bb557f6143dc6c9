//! What is passed to kernels, and what has to be there as long as they run.

use std::sync::Arc;

use zerocopy::IntoBytes;

use tt_kernel_abi::program::{Argument, ArgumentKind, rectangle};

use super::buffer::{COUNTS_BYTES, CircularBuffer, DramBuffer, Element, L1Buffer, OnTiles, Semaphore};
use super::pinned::HostBuffer;
use super::sharded::Shard;
use crate::device::{Allocation, Device, HostRegion, Region};
use crate::grid::{Tile, TileRange};

/// An argument, with what it names.
#[derive(Clone)]
pub struct HostArgument {
    pub(super) words: Argument,
    pub(super) needs: Needs,
    /// Bytes from the beginning of the region that are set when the program begins.
    pub(super) first: Vec<u8>,
}

/// What an argument needs.
#[derive(Clone)]
pub(super) enum Needs {
    Nothing,
    /// A tile of the device.
    Tile(Tile),
    /// L1 on the tile where the kernel runs.
    Here(Arc<Region>, Role),
    /// L1 anywhere.
    There(Arc<Region>),
    /// DRAM.
    Dram(Arc<Allocation>),
    /// Memory of the host.
    Host(Arc<HostRegion>),
}

/// What a kernel does with memory of its own tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// Loads and stores.
    User,
    /// The writing end of a circular buffer.
    Producer,
    /// The reading end of one.
    Consumer,
}

impl Needs {
    pub(super) fn device(&self) -> Option<&Arc<Device>> {
        match self {
            Self::Here(region, _) | Self::There(region) => Some(region.device()),
            Self::Dram(memory) => Some(memory.device()),
            Self::Host(region) => Some(region.device()),
            Self::Nothing | Self::Tile(_) => None,
        }
    }
}

/// What can be passed to a kernel.
pub trait ArgumentOf {
    /// As an argument.
    fn argument(&self) -> HostArgument;
}

impl<A: ArgumentOf + ?Sized> ArgumentOf for &A {
    fn argument(&self) -> HostArgument {
        (*self).argument()
    }
}

impl ArgumentOf for HostArgument {
    fn argument(&self) -> HostArgument {
        self.clone()
    }
}

impl HostArgument {
    fn new(words: Argument, needs: Needs) -> Self {
        Self { words, needs, first: Vec::new() }
    }

    fn word(word: u32) -> Self {
        Self::new(Argument::new(ArgumentKind::Word, 4, [word, 0, 0]), Needs::Nothing)
    }
}

impl ArgumentOf for u32 {
    fn argument(&self) -> HostArgument {
        HostArgument::word(*self)
    }
}

impl ArgumentOf for i32 {
    fn argument(&self) -> HostArgument {
        HostArgument::word(*self as u32)
    }
}

impl ArgumentOf for f32 {
    fn argument(&self) -> HostArgument {
        HostArgument::word(self.to_bits())
    }
}

/// Corners of a range in a word.
fn corners(range: TileRange) -> u32 {
    let (first, last) = range.rect();
    rectangle([first.x, first.y], [last.x, last.y])
}

impl ArgumentOf for Tile {
    fn argument(&self) -> HostArgument {
        let at = self.translated().0;
        let words = [u32::from_le_bytes([at.x, at.y, 0, 0]), 0, 0];
        HostArgument::new(Argument::new(ArgumentKind::Tile, 0, words), Needs::Tile(*self))
    }
}

impl<T: Element> ArgumentOf for L1Buffer<T> {
    fn argument(&self) -> HostArgument {
        let region = &self.region;
        let words = [region.at, region.bytes, corners(region.range)];
        let words = Argument::new(ArgumentKind::L1, size_of::<T>() as u32, words);
        HostArgument::new(words, Needs::Here(Arc::clone(region), Role::User))
    }
}

impl<T: Element> ArgumentOf for OnTiles<T> {
    fn argument(&self) -> HostArgument {
        let region = &self.0.region;
        let words = [region.at, region.bytes, corners(region.range)];
        let words = Argument::new(ArgumentKind::L1Range, size_of::<T>() as u32, words);
        HostArgument::new(words, Needs::There(Arc::clone(region)))
    }
}

impl<T: Element> ArgumentOf for DramBuffer<T> {
    fn argument(&self) -> HostArgument {
        let addr = self.address().0;
        let words = [addr as u32, (addr >> 32) as u32, self.memory.len() as u32];
        let words = Argument::new(ArgumentKind::Dram, 0, words);
        HostArgument::new(words, Needs::Dram(Arc::clone(&self.memory)))
    }
}

impl<T: Element> ArgumentOf for Shard<T> {
    fn argument(&self) -> HostArgument {
        let (offset, bytes) = self.range();
        let words = Argument::new(ArgumentKind::Bank, 0, [self.bank() as u32, offset, bytes]);
        HostArgument::new(words, Needs::Dram(Arc::clone(&self.memory)))
    }
}

impl<T: Element> ArgumentOf for HostBuffer<T> {
    fn argument(&self) -> HostArgument {
        let [low, node] = self.region.place;
        let words = Argument::new(ArgumentKind::Host, 0, [low, node, self.region.bytes]);
        HostArgument::new(words, Needs::Host(Arc::clone(&self.region)))
    }
}

impl ArgumentOf for Semaphore {
    fn argument(&self) -> HostArgument {
        let words = [self.region.at, corners(self.region.range), 0];
        let words = Argument::new(ArgumentKind::Semaphore, 0, words);
        // All of the 16 bytes: atomics look at them.
        let first = [self.first, 0, 0, 0].as_bytes().to_vec();
        HostArgument { words, needs: Needs::There(Arc::clone(&self.region)), first }
    }
}

impl<T: Element> CircularBuffer<T> {
    /// As the argument of the kernel that fills its pages.
    pub fn producer(&self) -> HostArgument {
        self.end(ArgumentKind::Producer, Role::Producer)
    }

    /// As the argument of the kernel that empties its pages.
    pub fn consumer(&self) -> HostArgument {
        self.end(ArgumentKind::Consumer, Role::Consumer)
    }

    fn end(&self, kind: ArgumentKind, role: Role) -> HostArgument {
        let counts = self.region.at;
        let words = [counts + COUNTS_BYTES, self.page_bytes | self.pages << 16, counts];
        HostArgument {
            words: Argument::new(kind, size_of::<T>() as u32, words),
            needs: Needs::Here(Arc::clone(&self.region), role),
            first: vec![0; COUNTS_BYTES as usize],
        }
    }
}
