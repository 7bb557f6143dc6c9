//! From what the host has passed to what a kernel uses.

use tt_kernel_abi::DramAddr;
use tt_kernel_abi::program::{Argument, ArgumentKind};

use super::circular::{Consumer, Producer};
use super::port::{Dram, Host, OnTiles};
use super::semaphore::Semaphore;
use super::slice::{Element, Slice};
use crate::chip::NIU;
use crate::l1::L1;
use tt_isa::noc::NocXy;

/// A type that an argument can be taken as.
pub trait FromArgument: Sized {
    /// Whether an argument may be taken again.
    const MANY: bool = false;
    /// The value; `None`: the argument is something else.
    #[doc(hidden)]
    fn from_argument(argument: &Argument) -> Option<Self>;
}

/// The words of an argument of a kind, whose elements have `size` bytes.
pub(super) fn words(argument: &Argument, kind: ArgumentKind, size: usize) -> Option<[u32; 3]> {
    (argument.kind == (kind as u32 | (size as u32) << 16)).then_some(argument.words)
}

macro_rules! words {
    ($($type:ty)*) => {
        $(
            impl FromArgument for $type {
                const MANY: bool = true;
                fn from_argument(argument: &Argument) -> Option<Self> {
                    words(argument, ArgumentKind::Word, 4).map(|words| <$type as Element>::from_bits(words[0]))
                }
            }
        )*
    };
}

words!(u32 i32 f32);

/// A tile, as requests of both NoCs name it (translated coordinates).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    pub(super) node: u32,
    pub(super) at: NocXy,
}

impl Tile {
    pub(super) fn at(x: u8, y: u8) -> Self {
        let at = NocXy::new(x, y);
        Self { node: NIU.node(at), at }
    }
}

impl FromArgument for Tile {
    const MANY: bool = true;
    fn from_argument(argument: &Argument) -> Option<Self> {
        let [x, y, ..] = words(argument, ArgumentKind::Tile, 0)?[0].to_le_bytes();
        Some(Self::at(x, y))
    }
}

/// A buffer as the host has made it: address, bytes, and the tiles that have it.
pub(super) fn on_tiles(argument: &Argument, size: usize) -> Option<(L1<'static>, u32)> {
    let [at, bytes, tiles] = words(argument, ArgumentKind::L1, size)?;
    // SAFETY: the host has set these bytes aside for the buffer, and all accesses to them are to cells.
    Some((unsafe { L1::new(at, bytes) }, tiles))
}

impl<T: Element> FromArgument for Slice<'static, T> {
    fn from_argument(argument: &Argument) -> Option<Self> {
        let (range, _) = on_tiles(argument, size_of::<T>())?;
        // SAFETY: an argument is taken once.
        Some(unsafe { Slice::of(range) })
    }
}

impl<T: Element> FromArgument for OnTiles<T> {
    const MANY: bool = true;
    fn from_argument(argument: &Argument) -> Option<Self> {
        let [at, bytes, tiles] = words(argument, ArgumentKind::L1Range, size_of::<T>())?;
        Some(OnTiles::new(at, bytes, tiles))
    }
}

impl FromArgument for Dram {
    const MANY: bool = true;
    fn from_argument(argument: &Argument) -> Option<Self> {
        if let Some([bank, offset, bytes]) = words(argument, ArgumentKind::Bank, 0) {
            return Some(Dram::in_bank(bank, offset, bytes));
        }
        let [low, high, bytes] = words(argument, ArgumentKind::Dram, 0)?;
        Some(Dram::new(DramAddr(u64::from(low) | u64::from(high) << 32), bytes))
    }
}

impl FromArgument for Host {
    const MANY: bool = true;
    fn from_argument(argument: &Argument) -> Option<Self> {
        let [low, node, bytes] = words(argument, ArgumentKind::Host, 0)?;
        Some(Host::new([low, node], bytes))
    }
}

impl FromArgument for Semaphore {
    fn from_argument(argument: &Argument) -> Option<Self> {
        let [at, tiles, _] = words(argument, ArgumentKind::Semaphore, 0)?;
        Some(Semaphore::new(at, tiles))
    }
}

impl<T: Element> FromArgument for Producer<T> {
    fn from_argument(argument: &Argument) -> Option<Self> {
        words(argument, ArgumentKind::Producer, size_of::<T>()).map(Producer::new)
    }
}

impl<T: Element> FromArgument for Consumer<T> {
    fn from_argument(argument: &Argument) -> Option<Self> {
        words(argument, ArgumentKind::Consumer, size_of::<T>()).map(Consumer::new)
    }
}
