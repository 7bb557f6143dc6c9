//! Packers: rows of Dst to L1 (`PACR.md`, `Packers/README.md`, `Packers/InputAddressGenerator.md`,
//! `Packers/OutputAddressGenerator.md`, `Packers/FormatConversion.md`).
//!
//! Four packers work side by side, each from its own rows of Dst to its own address in L1. A tile may take several
//! `PACR`s: until one says `last`, each packer goes on where it stopped.

use tt_isa::cfg::CfgField;
use tt_isa::cfg::config as c;
use tt_isa::cfg::thread as tc;
use tt_isa::format::DataFormat;
use tt_isa::insn::PACR;

use super::adc::dim;
use super::dst::COLS;
use super::{Exec, Step, Tensix, dst};
use crate::fault::Fault;
use crate::l1::L1;

const PACKERS: usize = 4;
const PAGE: &str = "TensixTile/TensixCoprocessor/PACR.md";

/// Where each packer goes on within a tile.
#[derive(Default)]
pub struct PackState {
    next: Option<[u32; PACKERS]>,
}

/// First registers of the packers' sections, and their other per-packer registers.
const SECTIONS: [CfgField; PACKERS] = [
    c::THCON_SEC0_REG1_L1_Dest_addr,
    c::THCON_SEC0_REG8_L1_Dest_addr,
    c::THCON_SEC1_REG1_L1_Dest_addr,
    c::THCON_SEC1_REG8_L1_Dest_addr,
];
const COUNTERS: [CfgField; PACKERS] = [
    c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane,
    c::PACK_COUNTERS_SEC1_pack_reads_per_xy_plane,
    c::PACK_COUNTERS_SEC2_pack_reads_per_xy_plane,
    c::PACK_COUNTERS_SEC3_pack_reads_per_xy_plane,
];
const DST_OFFSETS: [CfgField; PACKERS] = [
    c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset,
    c::DEST_TARGET_REG_CFG_PACK_SEC1_Offset,
    c::DEST_TARGET_REG_CFG_PACK_SEC2_Offset,
    c::DEST_TARGET_REG_CFG_PACK_SEC3_Offset,
];

/// A field of packer `packer`'s section, given packer 0's.
fn in_section(field: CfgField, packer: usize) -> CfgField {
    CfgField { index: field.index - SECTIONS[0].index + SECTIONS[packer].index, ..field }
}

/// Executes `PACR`.
pub fn execute(t: &mut Tensix, thread: usize, word: u32, l1: &mut L1) -> Exec {
    let op = PACR::decode(word);
    let packers = match op.pack_sel {
        1 => 1,
        3 => 2,
        15 => 4,
        other => return Err(Fault::not_implemented(format!("PACR with packers {other:#06b}")).page(PAGE)),
    };
    if op.flush | op.concat | op.ovrd_thread_id | op.zero_write != 0 {
        return Err(
            Fault::not_implemented("PACR with flush, concat, ovrd_thread_id or zero_write").page(PAGE)
        );
    }
    check_configuration(t, thread)?;
    let (first_row, rows) = input(t, thread)?;
    let mut next = match t.pack.next {
        Some(next) => next,
        None => destinations(t, thread),
    };
    for (packer, addr) in next.iter_mut().enumerate().take(packers) {
        let row = first_row + t.cfg.get(thread, DST_OFFSETS[packer]) as usize;
        *addr = pack_rows(t, l1, row, rows, *addr)?;
    }
    t.pack.next = (op.last == 0).then_some(next);
    apply_addr_mod(t, thread, op.addr_mode)?;
    Ok(Step::Done)
}

/// Modes that hardware has and this simulator has not.
fn check_configuration(t: &Tensix, thread: usize) -> Result<(), Fault> {
    let get = |field| t.cfg.get(thread, field);
    let fp32 = DataFormat::Fp32 as u32;
    let formats = (0..PACKERS).all(|p| {
        get(in_section(c::THCON_SEC0_REG1_In_data_format, p)) == fp32
            && get(in_section(c::THCON_SEC0_REG1_Out_data_format, p)) == fp32
    });
    let reads = get(COUNTERS[0]);
    let odd = [
        ("formats other than FP32", !formats || get(c::ALU_FORMAT_SPEC_REG2_Dstacc) != fp32),
        ("a 16-bit Dst", get(c::PCK_DEST_RD_CTRL_Read_32b_data) == 0),
        ("rounding to ten bits", get(c::PCK_DEST_RD_CTRL_Round_10b_mant) != 0),
        ("ReLU", get(c::STACC_RELU_ApplyRelu) != 0),
        ("L1 accumulation", (0..PACKERS).any(|p| get(in_section(c::THCON_SEC0_REG1_Pack_L1_Acc, p)) != 0)),
        ("an edge mode", get(c::PCK_EDGE_MODE_mode) != 0),
        ("an edge mask", get(c::PCK_EDGE_OFFSET_SEC0_mask) != 0xFFFF),
        ("an edge mask by row", get(c::PCK_EDGE_TILE_ROW_SET_SELECT_select) != 0 || row_sets(t, thread)),
        (
            "reads per plane that differ or exceed 16",
            !(1..=16).contains(&reads) || COUNTERS.iter().any(|&f| get(f) != reads),
        ),
        ("relative addresses", get(SECTIONS[0]) & 0x8000_0000 != 0),
    ];
    match odd.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(Fault::not_implemented(format!("packing with {name}")).page(PAGE)),
        None => Ok(()),
    }
}

/// Whether any row of the first row set asks for another mask than the first.
fn row_sets(t: &Tensix, thread: usize) -> bool {
    let bank = t.cfg.bank(thread);
    t.cfg.word(bank, c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0.index) != 0
}

/// First row of Dst (packer offsets excluded) and number of rows.
fn input(t: &Tensix, thread: usize) -> Result<(usize, usize), Fault> {
    let get = |field| t.cfg.get(thread, field);
    let adc = &t.adc[thread][2];
    let v = |channel, dim| adc.value(channel, dim);
    let bytes = v(0, dim::Y) * get(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride)
        + v(0, dim::Z) * get(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride)
        + v(0, dim::W) * get(c::PCK0_ADDR_CTRL_ZW_REG_0_Wstride);
    let (x0, x1) = (v(0, dim::X), v(1, dim::X));
    let count = (x1.wrapping_sub(x0)).wrapping_add(1) as usize;
    let datum = bytes / 4;
    if x0 != 0
        || count == 0
        || count % COLS != 0
        || count > 256
        || bytes % 4 != 0
        || datum as usize % COLS != 0
    {
        let what = format!("packing {count} datums from x {x0}, datum {datum} of Dst");
        return Err(Fault::not_implemented(what).page(PAGE));
    }
    if v(1, dim::Y) | v(1, dim::Z) | v(1, dim::W) != 0 {
        return Err(Fault::not_implemented("packing with output address counters").page(PAGE));
    }
    Ok((datum as usize / COLS, count / COLS))
}

fn destinations(t: &Tensix, thread: usize) -> [u32; PACKERS] {
    std::array::from_fn(|p| t.cfg.get(thread, SECTIONS[p]).wrapping_add(1) << 4)
}

/// Packs whole rows from 32-bit Dst; the address behind them.
fn pack_rows(t: &Tensix, l1: &mut L1, first: usize, rows: usize, addr: u32) -> Result<u32, Fault> {
    let len = rows * COLS * 4;
    let out = l1
        .get_mut(addr, len)
        .ok_or_else(|| Fault::program(format!("packing {len} bytes to L1 {addr:#x}")).page(PAGE))?;
    for (i, bytes) in out.chunks_exact_mut(COLS * 4).enumerate() {
        let row = first + i;
        if row >= dst::ROWS / 2 {
            return Err(Fault::program(format!("packing from 32-bit Dst row {row}")).page(PAGE));
        }
        for (datum, b) in t.dst.read32(row).into_iter().zip(bytes.chunks_exact_mut(4)) {
            b.copy_from_slice(&dst::decode32(datum).to_le_bytes());
        }
    }
    Ok(addr + len as u32)
}

/// Moves the packers' address counters (`ADDR_MOD_PACK`).
fn apply_addr_mod(t: &mut Tensix, thread: usize, n: u32) -> Result<(), Fault> {
    let stride = tc::ADDR_MOD_PACK_SEC1_YsrcIncr.index - tc::ADDR_MOD_PACK_SEC0_YsrcIncr.index;
    let get = |field: CfgField| t.cfg.thread(thread, CfgField { index: field.index + n * stride, ..field });
    let y0 = (
        get(tc::ADDR_MOD_PACK_SEC0_YsrcIncr),
        get(tc::ADDR_MOD_PACK_SEC0_YsrcCR),
        get(tc::ADDR_MOD_PACK_SEC0_YsrcClear),
    );
    let y1 = (get(tc::ADDR_MOD_PACK_SEC0_YdstIncr), get(tc::ADDR_MOD_PACK_SEC0_YdstClear));
    let z0 = (get(tc::ADDR_MOD_PACK_SEC0_ZsrcIncr), get(tc::ADDR_MOD_PACK_SEC0_ZsrcClear));
    let z1 = (get(tc::ADDR_MOD_PACK_SEC0_ZdstIncr), get(tc::ADDR_MOD_PACK_SEC0_ZdstClear));
    if get(tc::ADDR_MOD_PACK_SEC0_YdstCR) != 0 {
        return Err(Fault::not_implemented("YdstCR in a packer address modifier").page(PAGE));
    }
    let set = &mut t.adc[thread][2];
    let mut step = |channel: usize, dim: usize, increment: u32, clear: u32| {
        if clear != 0 { set.0[channel][dim].set(0) } else { set.add(channel, dim, increment) }
    };
    step(1, dim::Y, y1.0, y1.1);
    step(0, dim::Z, z0.0, z0.1);
    step(1, dim::Z, z1.0, z1.1);
    match y0 {
        (increment, 0, clear) => step(0, dim::Y, increment, clear),
        (increment, ..) => set.0[0][dim::Y].carriage_return(increment, super::adc::MASKS[dim::Y]),
    }
    Ok(())
}
