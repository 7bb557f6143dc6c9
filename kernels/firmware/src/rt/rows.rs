//! Pieces of rows between DRAM and L1: any strides, and floats of any type on the way in and out.
//!
//! Elements that lie side by side move in one request. Others move together with what lies between them, if that is
//! little, and one by one if not. What comes in is widened to FP32, what goes out is rounded to the tensor's type as
//! the host does it.
#![allow(unsafe_code)]

use super::elements::{Series, convert, move_elements};
use super::heap::Heap;
use super::l1::L1;
use super::mmio::order;
use super::noc::Noc;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, GgmlType, TensorView};
use tt_kernel_quant::{self as quant, encode};

/// Bytes of raw elements: a piece of the widest type, with room for the alignment offset.
const RAW_BYTES: u32 = 8 * MAX_PIECE + 2 * CONGRUENCE;
/// Elements that move one by one at a time, and the bytes of a slot.
const SCATTER: u32 = 64;
const SLOT: u32 = 2 * CONGRUENCE;

/// DRAM address of element `first` of a piece.
pub fn address(view: &TensorView, piece: &Piece) -> u64 {
    let [i1, i2, i3] = piece.row.map(u64::from);
    view.addr + u64::from(piece.first) * view.nb[0] + i1 * view.nb[1] + i2 * view.nb[2] + i3 * view.nb[3]
}

/// Buffers for one tensor's pieces on their way in or out.
///
/// What a port gives out, slices and ranges, borrows the port: nobody has a slice of a buffer while the port brings or sends something.
pub struct Port {
    raw: L1<'static>,
    slots: L1<'static>,
    floats: L1<'static>,
    /// What was fetched last as FP32.
    fetched: L1<'static>,
}

impl Port {
    /// Takes its buffers from the heap.
    pub fn new(heap: &mut Heap) -> Self {
        let raw = heap.take(RAW_BYTES);
        let floats = heap.take(4 * MAX_PIECE);
        Self { raw, slots: heap.take(SCATTER * SLOT), floats, fetched: L1::EMPTY }
    }

    /// Bytes that a port takes.
    pub const BYTES: u32 = RAW_BYTES + 4 * MAX_PIECE + SCATTER * SLOT;

    /// Brings a piece's elements as they are, side by side.
    pub fn fetch_raw(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece, size: u32) -> L1<'_> {
        self.bring(noc, view, piece, size)
    }

    /// Brings the word that is a piece's only element.
    #[inline(never)]
    pub fn fetch_word(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece) -> u32 {
        self.bring(noc, view, piece, 4).words()[0].load()
    }

    fn bring(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece, size: u32) -> L1<'static> {
        let (from, stride) = (address(view, piece), view.nb[0]);
        let to = self.raw.skip(offset(from));
        let bytes = piece.len * size;
        let span = stride * u64::from(piece.len - 1) + u64::from(size);
        if stride == u64::from(size) || piece.len == 1 {
            let to = to.part(0, bytes);
            noc.read_dram(DramAddr(from), to);
            noc.wait_reads();
            return to;
        }
        if span + 64 <= u64::from(RAW_BYTES) {
            noc.read_dram(DramAddr(from), to.part(0, span as u32));
            noc.wait_reads();
            // Downwards in memory: no element is overwritten before it has been moved.
            let at = |step| Series { range: to.skip(step), step };
            move_elements(at(stride as u32), at(size), piece.len - 1, size);
            return to.part(0, bytes);
        }
        self.gather(noc, from, stride, piece.len, size);
        self.raw.part(0, bytes)
    }

    /// Slot `i` for an element of `size` bytes whose address in DRAM is `addr`.
    fn slot(&self, i: u32, addr: u64, size: u32) -> L1<'static> {
        self.slots.part(i * SLOT + offset(addr), size)
    }

    fn gather(&mut self, noc: &mut Noc, from: u64, stride: u64, len: u32, size: u32) {
        let mut done = 0;
        while done < len {
            let now = SCATTER.min(len - done);
            let at = |i: u32| from + stride * u64::from(done + i);
            for i in 0..now {
                noc.read_dram(DramAddr(at(i)), self.slot(i, at(i), size));
            }
            noc.wait_reads();
            for i in 0..now {
                let to = self.raw.skip((done + i) * size);
                move_element(self.slot(i, at(i), size), to, size);
            }
            done += now;
        }
    }

    /// Brings a piece as FP32. Pieces of block types are whole blocks.
    pub fn fetch(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece) -> &[f32] {
        let ty = view.element_type().unwrap_or(ElementType::F32);
        let raw = self.bring(noc, view, &in_blocks(ty, piece), ty.block_bytes());
        if ty == ElementType::F32 {
            self.fetched = raw;
            return self.fetched();
        }
        let values = self.floats.part(0, 4 * piece.len);
        self.fetched = values;
        match ty.quantised() {
            // SAFETY: the port is borrowed mutably, so nobody has a slice of its buffers, and no request is under way.
            Some(ty) => decode(ty, raw, unsafe { floats(values) }),
            None => convert((ty, raw), (ElementType::F32, values), piece.len),
        }
        self.fetched()
    }

    /// What [`fetch`](Self::fetch) brought last, if nothing else has been asked of the port since.
    pub fn fetched(&self) -> &[f32] {
        let words = self.fetched.words();
        // SAFETY: the words are those of `words`, and any pattern is a float. Whoever writes to the port's buffers borrows it mutably.
        unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), words.len()) }
    }

    /// Where the FP32 values of a piece are to be computed before [`send`](Self::send).
    pub fn buffer(&mut self, view: &TensorView, piece: &Piece) -> &mut [f32] {
        let at = match in_place(view) {
            true => self.place(view, piece),
            false => self.floats,
        };
        // SAFETY: the port is borrowed mutably while the slice lives.
        unsafe { floats(at.part(0, 4 * piece.len)) }
    }

    /// Where a piece's elements are to be put as they are, side by side, before [`send_raw`](Self::send_raw): the range is as long as the
    /// buffer.
    pub fn raw_buffer(&mut self, view: &TensorView, piece: &Piece) -> L1<'_> {
        self.place(view, piece)
    }

    fn place(&self, view: &TensorView, piece: &Piece) -> L1<'static> {
        self.raw.skip(offset(address(view, piece)))
    }

    /// Sends what [`buffer`](Self::buffer) holds to the tensor, and waits until it is there.
    pub fn send(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece) {
        let ty = view.element_type().unwrap_or(ElementType::F32);
        let units = in_blocks(ty, piece);
        let raw = self.place(view, &units);
        if !in_place(view) {
            let values = self.floats.part(0, 4 * piece.len);
            match ty.quantised() {
                // SAFETY: the port is borrowed mutably, so nobody has a slice of its buffers.
                Some(ty) => put_blocks(ty, unsafe { floats(values) }, raw),
                None => convert((ElementType::F32, values), (ty, raw), piece.len),
            }
        }
        order();
        self.send_raw(noc, view, &units, ty.block_bytes());
    }

    /// Sends what [`raw_buffer`](Self::raw_buffer) holds, elements of `size` bytes, and waits until it is there.
    pub fn send_raw(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece, size: u32) {
        let (to, stride) = (address(view, piece), view.nb[0]);
        let raw = self.raw.part(offset(to), piece.len * size);
        if stride == u64::from(size) || piece.len == 1 {
            noc.write_dram(raw, DramAddr(to));
            noc.wait_writes();
            return;
        }
        let mut done = 0;
        while done < piece.len {
            let now = SCATTER.min(piece.len - done);
            for i in 0..now {
                let at = to + stride * u64::from(done + i);
                let slot = self.slot(i, at, size);
                move_element(raw.skip((done + i) * size), slot, size);
                order();
                noc.write_dram(slot, DramAddr(at));
            }
            noc.wait_writes();
            done += now;
        }
    }
}

/// A range as floats.
///
/// # Safety
/// While the slice lives, nothing else reads or writes the range: no other slice of it, no element, no request of the NoC.
unsafe fn floats<'a>(range: L1<'static>) -> &'a mut [f32] {
    let words = range.words();
    // SAFETY: `words` has checked that the range is aligned. Any pattern is a float; nobody else uses them, by contract.
    unsafe { core::slice::from_raw_parts_mut(words.as_ptr() as *mut f32, words.len()) }
}

/// Moves one element within L1.
fn move_element(from: L1, to: L1, size: u32) {
    let alone = |range| Series { range, step: 0 };
    move_elements(alone(from), alone(to), 1, size);
}

/// A piece counted in blocks of its type.
fn in_blocks(ty: ElementType, piece: &Piece) -> Piece {
    let len = ty.block_len();
    Piece { first: piece.first / len, len: piece.len / len, ..*piece }
}

/// Values of the blocks in a range: they have arrived, and nobody writes to them.
pub fn decode(ty: GgmlType, raw: L1, values: &mut [f32]) {
    let blocks = raw.part(0, block_bytes(ty, values)).elements::<u8>();
    // SAFETY: the bytes are those of `blocks`. The NoC has brought them (callers have waited), and only this core writes there.
    let blocks = unsafe { core::slice::from_raw_parts(blocks.as_ptr().cast(), blocks.len()) };
    quant::row_on_core(ty, blocks, values);
}

/// Puts the blocks nearest to `values` to the beginning of a port's buffer.
fn put_blocks(ty: GgmlType, values: &[f32], raw: L1<'static>) {
    let blocks = raw.part(0, block_bytes(ty, values)).elements::<u8>();
    // SAFETY: the bytes are those of `blocks`, of a buffer of a port that is borrowed mutably; `values` are in another one.
    encode::row(ty, values, unsafe {
        core::slice::from_raw_parts_mut(blocks.as_ptr() as *mut u8, blocks.len())
    });
}

/// Bytes of the blocks of `values`.
fn block_bytes(ty: GgmlType, values: &[f32]) -> u32 {
    let (len, bytes) = ty.block();
    (values.len() / len * bytes) as u32
}

/// FP32 values can be computed where they are sent from.
fn in_place(view: &TensorView) -> bool {
    view.element_type() == Some(ElementType::F32)
}
