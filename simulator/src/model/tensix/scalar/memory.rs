//! GPRs to and from L1, memory-mapped registers and the unpackers' banks, and atomics on L1.
//!
//! An address in L1 is a GPR in units of 16 bytes. Loads and stores add half a GPR in bytes to it, and may increment
//! that half.

use tt_isa::insn::{ATCAS, ATINCGET, ATINCGETPTR, ATSWAP, LOADIND, LOADREG, Opcode, STOREIND, STOREREG};
use tt_isa::map::{LOCAL_RAM_BASE, TDMA_REGS_BASE};

use super::{GPRS, set_half};
use crate::fault::Fault;
use crate::model::l1::L1;
use crate::model::tensix::{Exec, Step, Tensix, TileRequest, unpack};

/// Executes an instruction on L1 or on memory-mapped registers.
pub(super) fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
    match opcode {
        Opcode::LOADIND => loadind(&mut t.gpr[thread], &LOADIND::decode(word), l1)?,
        Opcode::STOREIND => return storeind(t, thread, &STOREIND::decode(word), l1),
        Opcode::LOADREG => {
            let op = LOADREG::decode(word);
            let addr = mmio_address(4 * op.reg_addr, "TensixTile/TensixCoprocessor/LOADREG.md")?;
            t.requests.push(TileRequest::Read { addr, thread, gpr: op.tdma_data_reg_index as usize });
        }
        Opcode::STOREREG => {
            let op = STOREREG::decode(word);
            let addr = mmio_address(4 * op.reg_addr, "TensixTile/TensixCoprocessor/STOREREG.md")?;
            t.requests
                .push(TileRequest::Write { addr, value: t.gpr[thread][op.tdma_data_reg_index as usize] });
        }
        Opcode::ATCAS => return atcas(&t.gpr[thread], &ATCAS::decode(word), l1),
        Opcode::ATSWAP => atswap(&t.gpr[thread], &ATSWAP::decode(word), l1)?,
        Opcode::ATINCGET => atincget(&mut t.gpr[thread], &ATINCGET::decode(word), l1)?,
        Opcode::ATINCGETPTR => return atincgetptr(&mut t.gpr[thread], &ATINCGETPTR::decode(word), l1),
        _ => return Err(Fault::internal(format!("{opcode:?} is no scalar unit instruction"))),
    }
    Ok(Step::Done)
}

/// A half GPR in bytes, counted on by what `auto_inc_spec` says.
fn offset(gpr: &mut [u32; GPRS], index: u32, auto_inc_spec: u32) -> u32 {
    let (word, half) = (&mut gpr[(index >> 1) as usize], index & 1);
    let value = *word >> (16 * half) & 0xFFFF;
    let increment = [0, 2, 4, 16][auto_inc_spec as usize];
    set_half(word, half, (value + increment) & 0xFFFF);
    value
}

/// An address in the window of memory-mapped registers that the scalar unit reaches.
fn mmio_address(at: u32, page: &'static str) -> Result<u32, Fault> {
    let addr = LOCAL_RAM_BASE + at;
    if addr < TDMA_REGS_BASE {
        return Err(Fault::program(format!("the scalar unit does not reach {addr:#010x}")).page(page));
    }
    Ok(addr)
}

/// An aligned word of L1.
fn load_word(l1: &L1, addr: u32, page: &'static str) -> Result<u32, Fault> {
    let bytes = l1.get(addr, 4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(u32::from_le_bytes).ok_or_else(|| beyond(addr, page))
}

fn store_bytes(l1: &mut L1, addr: u32, bytes: &[u8], page: &'static str) -> Result<(), Fault> {
    l1.change(addr, bytes.len()).ok_or_else(|| beyond(addr, page))?.copy_from_slice(bytes);
    Ok(())
}

fn beyond(addr: u32, page: &'static str) -> Fault {
    Fault::program(format!("the scalar unit's address {addr:#x} is not in L1")).page(page)
}

/// `LOADIND`: 16, 4, 2 or 1 bytes, the rest of the GPR unchanged.
fn loadind(gpr: &mut [u32; GPRS], op: &LOADIND, l1: &L1) -> Result<(), Fault> {
    const PAGE: &str = "TensixTile/TensixCoprocessor/LOADIND.md";
    let base = gpr[op.addr_reg_index as usize].wrapping_mul(16);
    let addr = base.wrapping_add(offset(gpr, op.offset_index, op.auto_inc_spec));
    let result = op.data_reg_index as usize;
    if op.size_sel == 0 {
        for (i, word) in gpr[result & !3..][..4].iter_mut().enumerate() {
            *word = load_word(l1, (addr & !15) + 4 * i as u32, PAGE)?;
        }
        return Ok(());
    }
    let (align, mask) = [(3, u32::MAX), (1, 0xFFFF), (0, 0xFF)][op.size_sel as usize - 1];
    let value = load_word(l1, addr & !3, PAGE)? >> (8 * (addr & !align & 3));
    gpr[result] = gpr[result] & !mask | value & mask;
    Ok(())
}

/// `STOREIND`: to L1, to a memory-mapped register, or to SrcA or SrcB.
fn storeind(t: &mut Tensix, thread: usize, op: &STOREIND, l1: &mut L1) -> Exec {
    match (op.mem_hier_sel, op.size_sel, op.reg_size_sel) {
        (1, high, low) => store_l1(&mut t.gpr[thread], op, high << 1 | low, l1)?,
        (_, 0, to_src_b) => return store_src(t, thread, op, to_src_b as usize),
        (_, _, 0) => {
            let gpr = &mut t.gpr[thread];
            let (base, value) = (gpr[op.addr_reg_index as usize], gpr[op.data_reg_index as usize]);
            let at = base.wrapping_add(offset(gpr, op.offset_index, op.auto_inc_spec) >> 4);
            let addr = mmio_address(at & 0xF_FFFC, "TensixTile/TensixCoprocessor/STOREIND_MMIO.md")?;
            t.requests.push(TileRequest::Write { addr, value });
        }
        _ => {
            return Err(Fault::undocumented("STOREIND to a memory-mapped register with bit 21 set")
                .page("TensixTile/TensixCoprocessor/STOREIND_MMIO.md"));
        }
    }
    Ok(Step::Done)
}

fn store_l1(gpr: &mut [u32; GPRS], op: &STOREIND, size: u32, l1: &mut L1) -> Result<(), Fault> {
    const PAGE: &str = "TensixTile/TensixCoprocessor/STOREIND_L1.md";
    let base = gpr[op.addr_reg_index as usize].wrapping_mul(16);
    let addr = base.wrapping_add(offset(gpr, op.offset_index, op.auto_inc_spec));
    let data = op.data_reg_index as usize;
    if size == 0 {
        let bytes: Vec<u8> = gpr[data & !3..][..4].iter().flat_map(|word| word.to_le_bytes()).collect();
        return store_bytes(l1, addr & !15, &bytes, PAGE);
    }
    let len = 8 >> size;
    store_bytes(l1, addr & !(len - 1), &gpr[data].to_le_bytes()[..len as usize], PAGE)
}

/// Four bfloat16 numbers to the bank of SrcA or SrcB that its unpacker fills (`STOREIND_Src.md`).
fn store_src(t: &mut Tensix, thread: usize, op: &STOREIND, unpacker: usize) -> Exec {
    if !unpack::owns_bank(t, unpacker) {
        return Ok(Step::Stall);
    }
    let gpr = &mut t.gpr[thread];
    let data: [u32; 2] = std::array::from_fn(|i| gpr[(op.data_reg_index as usize & !3) + i]);
    let base = gpr[op.addr_reg_index as usize];
    // The address has 20 bits.
    let at = base.wrapping_add(offset(gpr, op.offset_index, op.auto_inc_spec) >> 4) & 0xF_FFFF;
    unpack::store_bf16(t, thread, unpacker, at, data)?;
    Ok(Step::Done)
}

/// `ATCAS`: waits until a word in L1 is `cmp_val`, then makes it `swap_val`.
fn atcas(gpr: &[u32; GPRS], op: &ATCAS, l1: &mut L1) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/ATCAS.md";
    let addr = gpr[op.addr_reg_index as usize].wrapping_mul(16).wrapping_add(4 * op.sel32b);
    if load_word(l1, addr, PAGE)? != op.cmp_val {
        return Ok(Step::Stall);
    }
    store_bytes(l1, addr, &op.swap_val.to_le_bytes(), PAGE)?;
    Ok(Step::Done)
}

/// `ATSWAP`: stores those of eight half words that the mask names. Nothing is swapped.
fn atswap(gpr: &[u32; GPRS], op: &ATSWAP, l1: &mut L1) -> Result<(), Fault> {
    const PAGE: &str = "TensixTile/TensixCoprocessor/ATSWAP.md";
    let (addr, data) = (gpr[op.addr_reg_index as usize].wrapping_mul(16), op.data_reg_index as usize);
    let mut words = [0; 4];
    if op.single_data_reg != 0 {
        words[data & 3] = gpr[data];
    } else {
        words.copy_from_slice(&gpr[data & !3..][..4]);
    }
    let bytes = l1.change(addr, 16).ok_or_else(|| beyond(addr, PAGE))?;
    for (i, half) in bytes.chunks_exact_mut(2).enumerate() {
        if op.swap_mask >> i & 1 != 0 {
            half.copy_from_slice(&words[i / 2].to_le_bytes()[2 * (i % 2)..][..2]);
        }
    }
    Ok(())
}

/// `ATINCGET`: adds a GPR to the low `wrap_val + 1` bits of a word in L1; the GPR becomes what the word was.
fn atincget(gpr: &mut [u32; GPRS], op: &ATINCGET, l1: &mut L1) -> Result<(), Fault> {
    const PAGE: &str = "TensixTile/TensixCoprocessor/ATINCGET.md";
    let addr = gpr[op.addr_reg_index as usize].wrapping_mul(16).wrapping_add(4 * op.sel32b);
    let mask = (2u32 << op.wrap_val).wrapping_sub(1);
    let old = load_word(l1, addr, PAGE)?;
    let operand = &mut gpr[op.data_reg_index as usize];
    let new = old & !mask | old.wrapping_add(*operand) & mask;
    store_bytes(l1, addr, &new.to_le_bytes(), PAGE)?;
    *operand = old;
    Ok(())
}

/// `ATINCGETPTR`: waits until the queue whose read and write counters are in L1 is not full (odd `sel32b`) or not
/// empty (even), and counts one of the counters on.
fn atincgetptr(gpr: &mut [u32; GPRS], op: &ATINCGETPTR, l1: &mut L1) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/ATINCGETPTR.md";
    let base = gpr[op.addr_reg_index as usize].wrapping_mul(16);
    let (read, write) = (load_word(l1, base, PAGE)?, load_word(l1, base.wrapping_add(4), PAGE)?);
    let size = write.wrapping_sub(read);
    // A counter has one bit more than the capacity needs; no bits stand for sixteen of them.
    let capacity = if op.wrap_val == 0 { 1 << 15 } else { 1 << (op.wrap_val - 1) };
    let pushes = op.sel32b & 1 != 0;
    if if pushes { size != 0 && size % capacity == 0 } else { size == 0 } {
        return Ok(Step::Stall);
    }
    let addr = base.wrapping_add(4 * op.sel32b);
    let old = load_word(l1, addr, PAGE)?;
    let increment = if op.no_incr != 0 { 0 } else { 1 << op.incr_val };
    let mask = (1 << op.wrap_val) - 1;
    let new = old & !mask | old.wrapping_add(increment) & mask;
    store_bytes(l1, addr, &new.to_le_bytes(), PAGE)?;
    gpr[op.data_reg_index as usize] = old;
    Ok(Step::Done)
}

#[cfg(test)]
mod tests;
