//! Pieces of rows between DRAM and L1: any strides, and floats of any type on the way in and out.
//!
//! Elements that lie side by side move in one request. Others move together with what lies between them, if that is
//! little, and one by one if not. What comes in is widened to FP32, what goes out is rounded to the tensor's type as
//! the host does it.
#![allow(unsafe_code)]

use super::heap::{Heap, bytes_at, floats_at};
use super::mmio::{load, load8, load16, order, store, store8, store16};
use super::noc::Noc;
use tt_kernel_abi::elementwise::{MAX_PIECE, Piece};
use tt_kernel_abi::target::{CONGRUENCE, offset};
use tt_kernel_abi::{DramAddr, ElementType, GgmlType, TensorView};
use tt_kernel_numerics::num::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};
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
pub struct Port {
    raw: u32,
    slots: u32,
    floats: u32,
    /// What was fetched last as FP32: where it is, and how many.
    fetched: (u32, u32),
}

impl Port {
    /// Takes its buffers from the heap.
    pub fn new(heap: &mut Heap) -> Self {
        let raw = heap.take(RAW_BYTES);
        let floats = heap.take(4 * MAX_PIECE);
        Self { raw, slots: heap.take(SCATTER * SLOT), floats, fetched: (floats, 0) }
    }

    /// Bytes that a port takes.
    pub const BYTES: u32 = RAW_BYTES + 4 * MAX_PIECE + SCATTER * SLOT;

    /// Brings a piece's elements as they are; gives the address in L1 of the first, the others follow side by side.
    pub fn fetch_raw(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece, size: u32) -> u32 {
        let (from, stride) = (address(view, piece), view.nb[0]);
        let to = self.raw + offset(from);
        let span = stride * u64::from(piece.len - 1) + u64::from(size);
        if stride == u64::from(size) || piece.len == 1 {
            noc.read_dram(DramAddr(from), to, piece.len * size);
            noc.wait_reads();
            return to;
        }
        if span + 64 <= u64::from(RAW_BYTES) {
            noc.read_dram(DramAddr(from), to, span as u32);
            noc.wait_reads();
            // Downwards in memory: no element is overwritten before it has been moved.
            for i in 1..piece.len {
                copy_element(to + i * stride as u32, to + i * size, size);
            }
            return to;
        }
        self.gather(noc, from, stride, piece.len, size);
        self.raw
    }

    fn gather(&mut self, noc: &mut Noc, from: u64, stride: u64, len: u32, size: u32) {
        let mut done = 0;
        while done < len {
            let now = SCATTER.min(len - done);
            let at = |i: u32| from + stride * u64::from(done + i);
            for i in 0..now {
                noc.read_dram(DramAddr(at(i)), self.slots + i * SLOT + offset(at(i)), size);
            }
            noc.wait_reads();
            for i in 0..now {
                copy_element(self.slots + i * SLOT + offset(at(i)), self.raw + (done + i) * size, size);
            }
            done += now;
        }
    }

    /// Brings a piece as FP32. Pieces of block types are whole blocks.
    pub fn fetch(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece) -> &[f32] {
        let ty = view.element_type().unwrap_or(ElementType::F32);
        let units = in_blocks(ty, piece);
        let raw = self.fetch_raw(noc, view, &units, ty.block_bytes());
        self.fetched = (if ty == ElementType::F32 { raw } else { self.floats }, piece.len);
        match ty.quantised() {
            // SAFETY: the port's buffer for floats, of which it has given no other slice: it is borrowed.
            Some(ty) => decode(ty, raw, unsafe { floats_at(self.floats, piece.len) }),
            None if ty == ElementType::F32 => {}
            None => (0..piece.len).for_each(|i| store(self.floats + 4 * i, widen(ty, raw, i))),
        }
        self.fetched()
    }

    /// What [`fetch`](Self::fetch) brought last, if nothing else has been asked of the port since.
    pub fn fetched(&self) -> &[f32] {
        let (at, len) = self.fetched;
        // SAFETY: floats in a buffer of the port's, which whoever writes to it borrows.
        unsafe { floats_at(at, len) }
    }

    /// Where the FP32 values of a piece are to be computed before [`send`](Self::send).
    pub fn buffer(&mut self, view: &TensorView, piece: &Piece) -> &mut [f32] {
        let at = match in_place(view) {
            true => self.raw_buffer(view, piece),
            false => self.floats,
        };
        // SAFETY: the buffer holds a piece, and the port is borrowed while the slice lives.
        unsafe { floats_at(at, piece.len) }
    }

    /// Where a piece's elements are to be put as they are, before [`send_raw`](Self::send_raw).
    pub fn raw_buffer(&self, view: &TensorView, piece: &Piece) -> u32 {
        self.raw + offset(address(view, piece))
    }

    /// Sends what [`buffer`](Self::buffer) holds to the tensor, and waits until it is there.
    pub fn send(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece) {
        let ty = view.element_type().unwrap_or(ElementType::F32);
        let units = in_blocks(ty, piece);
        let raw = self.raw_buffer(view, &units);
        match ty.quantised() {
            _ if in_place(view) => {}
            // SAFETY: `buffer` gave these floats to a caller that has filled them.
            Some(ty) => put_blocks(ty, unsafe { floats_at(self.floats, piece.len) }, raw),
            None => (0..piece.len).for_each(|i| narrow(ty, load(self.floats + 4 * i), raw, i)),
        }
        order();
        self.send_raw(noc, view, &units, ty.block_bytes(), raw);
    }

    /// Sends elements that lie side by side from `raw` on; `raw` agrees with the first one's address modulo 32.
    pub fn send_raw(&mut self, noc: &mut Noc, view: &TensorView, piece: &Piece, size: u32, raw: u32) {
        let (to, stride) = (address(view, piece), view.nb[0]);
        if stride == u64::from(size) || piece.len == 1 {
            noc.write_dram(raw, DramAddr(to), piece.len * size);
            noc.wait_writes();
            return;
        }
        let mut done = 0;
        while done < piece.len {
            let now = SCATTER.min(piece.len - done);
            for i in 0..now {
                let at = to + stride * u64::from(done + i);
                let slot = self.slots + i * SLOT + offset(at);
                copy_element(raw + (done + i) * size, slot, size);
                super::mmio::order();
                noc.write_dram(slot, DramAddr(at), size);
            }
            noc.wait_writes();
            done += now;
        }
    }
}

/// A piece counted in blocks of its type.
fn in_blocks(ty: ElementType, piece: &Piece) -> Piece {
    let len = ty.block_len();
    Piece { first: piece.first / len, len: piece.len / len, ..*piece }
}

/// Values of the blocks that the caller has fetched to `raw`.
pub fn decode(ty: GgmlType, raw: u32, values: &mut [f32]) {
    // SAFETY: the caller has fetched the blocks.
    let blocks = unsafe { bytes_at(raw, block_bytes(ty, values)) };
    quant::row_on_core(ty, blocks, values);
}

/// Puts the blocks nearest to `values` to `raw`.
fn put_blocks(ty: GgmlType, values: &[f32], raw: u32) {
    // SAFETY: a port's buffer has room for a piece in any type, and nobody else looks at it.
    encode::row(ty, values, unsafe { bytes_at(raw, block_bytes(ty, values)) });
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

/// Moves one element within L1.
pub fn copy_element(from: u32, to: u32, size: u32) {
    match size {
        1 => store8(to, load8(from)),
        2 => store16(to, load16(from)),
        4 => store(to, load(from)),
        _ => {
            for i in (0..size).step_by(2) {
                store16(to + i, load16(from + i));
            }
        }
    }
}

/// FP32 pattern of element `i` of those at `raw`.
pub fn widen(ty: ElementType, raw: u32, i: u32) -> u32 {
    match ty {
        ElementType::F16 => f16_to_f32(load16(raw + 2 * i)),
        ElementType::BF16 => bf16_to_f32(load16(raw + 2 * i)),
        ElementType::I32 => (load(raw + 4 * i) as i32 as f32).to_bits(),
        _ => load(raw + 4 * i),
    }
}

/// Stores an FP32 pattern as element `i` of those at `raw`.
pub fn narrow(ty: ElementType, bits: u32, raw: u32, i: u32) {
    match ty {
        ElementType::F16 => store16(raw + 2 * i, f32_to_f16(bits)),
        ElementType::BF16 => store16(raw + 2 * i, f32_to_bf16(bits)),
        ElementType::I32 => store(raw + 4 * i, f32::from_bits(bits) as i32 as u32),
        _ => store(raw + 4 * i, bits),
    }
}
