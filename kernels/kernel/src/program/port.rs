//! NoC requests of a kernel: reads, writes, multicasts and atomics, each of which borrows its memory until it has been waited for.
//!
//! A request that is not waited for is waited for when its guard is dropped; the compiler warns of a guard that nobody keeps. Requests of one
//! core may be answered in any order: a wait is for all that have been started so far, of its kind.
//!
//! Both ends of a request have to be congruent: modulo [`CONGRUENCE`] bytes where DRAM is read, and modulo 16 elsewhere (`NoC/Alignment.md`).
//! Anything else stops the kernel with its source line.

use core::cell::UnsafeCell;
use core::marker::PhantomData;

use tt_isa::noc::NocXy;
use tt_kernel_abi::DramAddr;
use tt_kernel_abi::program::Wait;
use tt_kernel_abi::target::{CONGRUENCE, write_offset};

use super::argument::Tile;
use super::semaphore::Semaphore;
use super::slice::{Element, Slice};
use super::wait::until;
use crate::chip::NIU;
use crate::l1::L1;
use crate::noc::Noc;

/// The NoC of a core.
pub struct Port {
    noc: UnsafeCell<Noc>,
    number: u32,
    /// This tile.
    own: Tile,
    /// Answers to atomics when the kernel began, and those that have been asked for.
    atomics: UnsafeCell<u32>,
    scratch: L1<'static>,
}

/// A read that is under way; its destination is borrowed until it is there.
#[must_use = "the memory is not filled before the read has been waited for; a guard that is dropped waits at once"]
pub struct Reading<'n, 'b> {
    port: &'n Port,
    memory: PhantomData<&'b mut ()>,
}

/// A write that is under way; its source is borrowed until the other end has acknowledged it.
#[must_use = "the write is not done before it has been waited for; a guard that is dropped waits at once"]
pub struct Writing<'n, 'b> {
    port: &'n Port,
    memory: PhantomData<&'b ()>,
}

/// A multicast that is under way, as [`Writing`].
pub type Multicast<'n, 'b> = Writing<'n, 'b>;

/// An atomic that is under way.
#[must_use = "the addition is not done before it has been waited for; a guard that is dropped waits at once"]
pub struct Atomic<'n> {
    port: &'n Port,
}

/// DRAM that the host has set aside: of all banks of the chip, page by page in turn (a DRAM buffer), or of one bank (a shard of a sharded buffer).
#[derive(Clone, Copy)]
pub struct Dram {
    place: Place,
    bytes: u32,
}

/// Where DRAM begins.
#[derive(Clone, Copy)]
enum Place {
    /// In the linear space of all banks.
    Linear(DramAddr),
    /// In a bank, at an offset.
    Bank(u32, u32),
}

impl Place {
    /// What both ends of a request have to agree in.
    fn low(self) -> u64 {
        match self {
            Self::Linear(addr) => addr.0,
            Self::Bank(_, offset) => offset.into(),
        }
    }
}

/// Memory of the host.
#[derive(Clone, Copy)]
pub struct Host {
    place: [u32; 2],
    bytes: u32,
}

/// The same bytes of L1 on all tiles of a rectangle, as elements.
pub struct OnTiles<T> {
    at: u32,
    bytes: u32,
    first: NocXy,
    last: NocXy,
    elements: PhantomData<T>,
}

impl<T> Clone for OnTiles<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for OnTiles<T> {}

/// Elements in L1 of one tile.
pub struct Remote<T> {
    node: u32,
    at: u32,
    bytes: u32,
    elements: PhantomData<T>,
}

impl<T> Clone for Remote<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Remote<T> {}

impl Dram {
    pub(super) fn new(addr: DramAddr, bytes: u32) -> Self {
        Self { place: Place::Linear(addr), bytes }
    }

    pub(super) fn in_bank(bank: u32, offset: u32, bytes: u32) -> Self {
        Self { place: Place::Bank(bank, offset), bytes }
    }

    /// Bytes.
    pub fn len(&self) -> u32 {
        self.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// `bytes` bytes from byte `first` on.
    ///
    /// # Panics
    /// They are not all inside.
    #[track_caller]
    pub fn part(&self, first: u32, bytes: u32) -> Self {
        check(first, bytes, self.bytes);
        let place = match self.place {
            Place::Linear(addr) => Place::Linear(addr.offset(u64::from(first))),
            Place::Bank(bank, offset) => Place::Bank(bank, offset + first),
        };
        Self { place, bytes }
    }
}

impl Host {
    pub(super) fn new(place: [u32; 2], bytes: u32) -> Self {
        Self { place, bytes }
    }

    /// Bytes.
    pub fn len(&self) -> u32 {
        self.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// `bytes` bytes from byte `first` on.
    ///
    /// # Panics
    /// They are not all inside.
    #[track_caller]
    pub fn part(&self, first: u32, bytes: u32) -> Self {
        check(first, bytes, self.bytes);
        Self { place: [self.place[0] + first, self.place[1]], bytes }
    }
}

impl<T: Element> OnTiles<T> {
    pub(super) fn new(at: u32, bytes: u32, tiles: u32) -> Self {
        let [first, last] = corners(tiles);
        Self { at, bytes, first, last, elements: PhantomData }
    }

    /// Elements on each tile.
    pub fn len(&self) -> usize {
        self.bytes as usize / size_of::<T>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The elements on one tile.
    ///
    /// # Panics
    /// The buffer is not there.
    #[track_caller]
    pub fn on(&self, tile: Tile) -> Remote<T> {
        inside(tile, self.first, self.last);
        Remote { node: tile.node, at: self.at, bytes: self.bytes, elements: PhantomData }
    }

    /// `len` elements from element `first` on, on each tile.
    ///
    /// # Panics
    /// They are not all inside.
    #[track_caller]
    pub fn part(&self, first: usize, len: usize) -> Self {
        let size = size_of::<T>() as u32;
        check(first as u32 * size, len as u32 * size, self.bytes);
        Self { at: self.at + first as u32 * size, bytes: len as u32 * size, ..*self }
    }
}

impl<T: Element> Remote<T> {
    /// Elements.
    pub fn len(&self) -> usize {
        self.bytes as usize / size_of::<T>()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// `len` elements from element `first` on.
    ///
    /// # Panics
    /// They are not all inside.
    #[track_caller]
    pub fn part(&self, first: usize, len: usize) -> Self {
        let size = size_of::<T>() as u32;
        check(first as u32 * size, len as u32 * size, self.bytes);
        Self { at: self.at + first as u32 * size, bytes: len as u32 * size, ..*self }
    }
}

/// The two corners of a rectangle.
pub(super) fn corners(tiles: u32) -> [NocXy; 2] {
    let [ax, ay, bx, by] = tiles.to_le_bytes();
    [NocXy::new(ax, ay), NocXy::new(bx, by)]
}

#[track_caller]
pub(super) fn inside(tile: Tile, first: NocXy, last: NocXy) {
    let at = tile.at;
    assert!(
        (first.x..=last.x).contains(&at.x) && (first.y..=last.y).contains(&at.y),
        "the tile is none of those that have it"
    );
}

#[track_caller]
fn check(first: u32, bytes: u32, of: u32) {
    assert!(first <= of && bytes <= of - first, "outside of a buffer");
}

#[track_caller]
fn congruent(one: u64, other: u32, modulo: u32) {
    assert!((one as u32 ^ other).is_multiple_of(modulo), "the ends of a NoC request are not congruent");
}

impl Port {
    pub(super) fn new(number: u32, scratch: L1<'static>) -> Self {
        let noc = Noc::new(number);
        let atomics = noc.atomics();
        let [x, y] = own();
        Self {
            noc: UnsafeCell::new(noc),
            number,
            own: Tile::at(x, y),
            atomics: UnsafeCell::new(atomics),
            scratch,
        }
    }

    /// The low-level NoC: one core uses it, and no call of this module calls another one while it has it.
    #[allow(clippy::mut_from_ref)]
    fn raw(&self) -> &mut Noc {
        // SAFETY: a port is not shared between cores, and nobody keeps the reference beyond a statement.
        unsafe { &mut *self.noc.get() }
    }

    /// This tile, as others name it.
    pub fn here(&self) -> Tile {
        self.own
    }

    /// Starts a read of as many bytes of DRAM as `to` has, from the beginning of `from` on.
    ///
    /// # Panics
    /// There are not so many; both ends are not congruent.
    #[track_caller]
    pub fn read_dram<'n, 'b, T: Element>(&'n self, from: Dram, to: &'b mut Slice<T>) -> Reading<'n, 'b> {
        let to = to.range();
        check(0, to.len(), from.bytes);
        congruent(from.place.low(), to.address(), CONGRUENCE);
        match from.place {
            Place::Linear(addr) => self.raw().read_dram(addr, to),
            Place::Bank(bank, offset) => self.raw().read_bank(bank, offset, to),
        }
        Reading { port: self, memory: PhantomData }
    }

    /// Starts a write of all of `from` to the beginning of `to`.
    ///
    /// # Panics
    /// There is no room for so much; both ends are not congruent.
    #[track_caller]
    pub fn write_dram<'n, 'b, T: Element>(&'n self, from: &'b Slice<T>, to: Dram) -> Writing<'n, 'b> {
        let from = from.range();
        check(0, from.len(), to.bytes);
        congruent(write_offset(to.place.low()).into(), write_offset(from.address().into()), CONGRUENCE);
        match to.place {
            Place::Linear(addr) => self.raw().write_dram(from, addr),
            Place::Bank(bank, offset) => self.raw().write_bank(from, bank, offset),
        }
        Writing { port: self, memory: PhantomData }
    }

    /// Starts a read of as many elements as `to` has from L1 of a tile.
    ///
    /// # Panics
    /// There are not so many; both ends are not congruent.
    #[track_caller]
    pub fn read<'n, 'b, T: Element>(&'n self, from: Remote<T>, to: &'b mut Slice<T>) -> Reading<'n, 'b> {
        let to = to.range();
        check(0, to.len(), from.bytes);
        congruent(write_offset(from.at.into()).into(), write_offset(to.address().into()), CONGRUENCE);
        for (at, bytes) in packets(to.len()) {
            self.raw().read_l1(from.node, from.at + at, to.part(at, bytes));
        }
        Reading { port: self, memory: PhantomData }
    }

    /// Starts a write of all of `from` to L1 of a tile.
    ///
    /// # Panics
    /// There is no room for so much; both ends are not congruent.
    #[track_caller]
    pub fn write<'n, 'b, T: Element>(&'n self, from: &'b Slice<T>, to: Remote<T>) -> Writing<'n, 'b> {
        let from = from.range();
        check(0, from.len(), to.bytes);
        congruent(write_offset(to.at.into()).into(), write_offset(from.address().into()), CONGRUENCE);
        for (at, bytes) in packets(from.len()) {
            // SAFETY: bytes of a buffer, all accesses to which are to cells.
            unsafe { self.raw().write_l1(from.part(at, bytes), to.node, to.at + at) };
        }
        Writing { port: self, memory: PhantomData }
    }

    /// Starts a write of all of `from` to the beginning of `to` on all tiles that have it, but for this one. Where the tiles are
    /// it is one request a packet; they get it at different times.
    ///
    /// # Panics
    /// There is no room for so much; both ends are not congruent.
    #[track_caller]
    pub fn multicast<'n, 'b, T: Element>(&'n self, from: &'b Slice<T>, to: &OnTiles<T>) -> Multicast<'n, 'b> {
        let from = from.range();
        check(0, from.len(), to.bytes);
        congruent(write_offset(to.at.into()).into(), write_offset(from.address().into()), CONGRUENCE);
        self.to_others(from, to.at, to.first, to.last);
        Writing { port: self, memory: PhantomData }
    }

    /// Writes a range to all tiles of a rectangle but this one.
    fn to_others(&self, from: L1, at: u32, first: NocXy, last: NocXy) {
        // NoC 1 carries packets the other way round.
        let rect = if self.number == 0 { NIU.node_rect(first, last) } else { NIU.node_rect(last, first) };
        let all = (u32::from(last.x - first.x) + 1) * (u32::from(last.y - first.y) + 1);
        let own = self.own.at;
        let here = (first.x..=last.x).contains(&own.x) && (first.y..=last.y).contains(&own.y);
        let others = all - u32::from(here);
        // SAFETY: bytes of a buffer or a semaphore on these tiles, all accesses to which are to cells. Those here are borrowed.
        unsafe { self.raw().write_to_others(from.address(), at, from.len(), rect, others) };
    }

    /// Starts a write of all of `from` to the beginning of memory of the host.
    ///
    /// # Panics
    /// There is no room for so much; both ends are not congruent.
    #[track_caller]
    pub fn write_host<'n, 'b, T: Element>(&'n self, from: &'b Slice<T>, to: Host) -> Writing<'n, 'b> {
        let from = from.range();
        check(0, from.len(), to.bytes);
        congruent(to.place[0].into(), from.address(), CONGRUENCE);
        for (at, bytes) in packets(from.len()) {
            self.raw().write_host(from.part(at, bytes), [to.place[0] + at, to.place[1]]);
        }
        Writing { port: self, memory: PhantomData }
    }

    /// Starts an addition to a semaphore on a tile.
    ///
    /// # Panics
    /// The semaphore is not there.
    #[track_caller]
    pub fn add<'n>(&'n self, semaphore: &Semaphore, tile: Tile, value: u32) -> Atomic<'n> {
        let at = semaphore.on(tile);
        // SAFETY: this core's only count of atomics.
        let atomics = unsafe { &mut *self.atomics.get() };
        *atomics = atomics.wrapping_add(1);
        // SAFETY: a semaphore's word; the scratch bytes are there for old values.
        unsafe { self.raw().add(tile.node, at, self.scratch.address(), value) };
        Atomic { port: self }
    }

    /// Starts to set a semaphore on all tiles that have it, but for this one. What has been written to these tiles before may still be under way:
    /// wait for that first.
    #[track_caller]
    pub fn set_others<'n>(&'n self, semaphore: &Semaphore, value: u32) -> Writing<'n, 'n> {
        // The word that was sent before has to be gone.
        self.wait_writes();
        let word = self.scratch.part(16, 4);
        word.words()[0].store(value);
        let (at, first, last) = semaphore.place();
        self.to_others(word, at, first, last);
        Writing { port: self, memory: PhantomData }
    }

    /// Waits until all reads are there.
    #[track_caller]
    pub fn wait_reads(&self) {
        until(Wait::Reads, 0, || self.raw().are_reads_there());
    }

    /// Waits until all writes are acknowledged: done at their destination.
    #[track_caller]
    pub fn wait_writes(&self) {
        until(Wait::Writes, 0, || self.raw().are_writes_there());
    }

    #[track_caller]
    fn wait_atomics(&self) {
        // SAFETY: this core's only count of atomics.
        let asked = unsafe { *self.atomics.get() };
        until(Wait::Atomic, asked, || (self.raw().atomics().wrapping_sub(asked) as i32) >= 0);
    }
}

/// First byte and bytes of the packets of `len` bytes.
fn packets(len: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..len).step_by(NIU.max_packet as usize).map(move |at| (at, (len - at).min(NIU.max_packet)))
}

/// Translated coordinates of this tile.
fn own() -> [u8; 2] {
    let node = crate::config::word(core::mem::offset_of!(tt_kernel_abi::BootConfig, node)).load();
    let at = NIU.tile(node);
    [at.x, at.y]
}

/// The two ways to wait for a request: asked for, and by the end of its guard.
macro_rules! waits {
    ($($(#[$said:meta])* $guard:ty, $wait:ident;)*) => {
        $(
            impl $guard {
                $(#[$said])*
                #[track_caller]
                pub fn wait(self) {
                    self.port.$wait();
                    core::mem::forget(self);
                }
            }

            impl Drop for $guard {
                fn drop(&mut self) {
                    self.port.$wait();
                }
            }
        )*
    };
}

waits! {
    /// Waits until it is there.
    Reading<'_, '_>, wait_reads;
    /// Waits until it is done at its destination.
    Writing<'_, '_>, wait_writes;
    /// Waits until it is done.
    Atomic<'_>, wait_atomics;
}
