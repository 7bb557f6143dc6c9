//! Where packers read and write (`Packers/InputAddressGenerator.md`, `Packers/OutputAddressGenerator.md`).

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::format::DataFormat;
use tt_isa::insn::PACR;

use super::store::Streams;
use super::{PACKERS, in_section};
use crate::fault::Fault;
use crate::model::tensix::Tensix;
use crate::model::tensix::adc::{AddressCounters, MASKS, dim};
use crate::model::tensix::dst::{COLS, ROWS};

const INPUT_PAGE: &str = "TensixTile/TensixCoprocessor/Packers/InputAddressGenerator.md";
/// Datums of Dst.
const DST_DATUMS: u32 = (ROWS * COLS) as u32;
const DST_OFFSETS: [CfgField; PACKERS] = [
    c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset,
    c::DEST_TARGET_REG_CFG_PACK_SEC1_Offset,
    c::DEST_TARGET_REG_CFG_PACK_SEC2_Offset,
    c::DEST_TARGET_REG_CFG_PACK_SEC3_Offset,
];
/// Rings of output buffers: where they end, and how long they are, in units of 32 bytes.
const LIMITS: [CfgField; PACKERS] = [
    c::THCON_SEC0_REG9_Pack_0_2_limit_address,
    c::THCON_SEC0_REG9_Pack_1_3_limit_address,
    c::THCON_SEC1_REG9_Pack_0_2_limit_address,
    c::THCON_SEC1_REG9_Pack_1_3_limit_address,
];
const FIFO_SIZES: [CfgField; PACKERS] = [
    c::THCON_SEC0_REG9_Pack_0_2_fifo_size,
    c::THCON_SEC0_REG9_Pack_1_3_fifo_size,
    c::THCON_SEC1_REG9_Pack_0_2_fifo_size,
    c::THCON_SEC1_REG9_Pack_1_3_fifo_size,
];

/// Where a packer's datums come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// Zeros.
    Nothing,
    /// Dst from this datum on.
    Dst(usize),
    /// L1 from this byte on.
    L1(u32),
}

/// The thread whose counters a packer uses.
pub(super) fn counters_of(t: &Tensix, thread: usize, op: &PACR, packer: usize) -> usize {
    if op.ovrd_thread_id == 0 {
        return thread;
    }
    match t.cfg.get(thread, in_section(c::THCON_SEC0_REG1_Addr_cnt_context, packer)) {
        3 => 0,
        other => other as usize,
    }
}

/// Where the datums come from, and how many there are.
pub(super) fn input(
    t: &Tensix,
    thread: usize,
    op: &PACR,
    packer: usize,
    format: DataFormat,
    counters: &AddressCounters,
) -> Result<(Source, usize), Fault> {
    if op.flush != 0 {
        return Ok((Source::Nothing, 0));
    }
    let get = |field| t.cfg.get(thread, field);
    let v = |dim| counters.value(0, dim);
    let count = counters.value(1, dim::X).wrapping_sub(v(dim::X)).wrapping_add(1);
    if count > DST_DATUMS {
        let what = format!("packing datums {} to {} of a row", v(dim::X), counters.value(1, dim::X));
        return Err(Fault::program(what).page(INPUT_PAGE));
    }
    let count = count as usize;
    if op.zero_write != 0 {
        return Ok((Source::Nothing, count));
    }
    let strides = [
        get(c::PCK0_ADDR_CTRL_XY_REG_0_Xstride) & 15,
        get(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride),
        get(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride),
        get(c::PCK0_ADDR_CTRL_ZW_REG_0_Wstride),
    ];
    // Counters of at most 18 bits, strides of at most 16: 34 bits, of which the hardware has 32.
    let addr = (0..4).fold(0u32, |sum, dim| sum.wrapping_add(v(dim).wrapping_mul(strides[dim])));
    let (bytes, fine) = match format as u32 & 3 {
        0 => (4, 3),
        1 => (2, 7),
        _ => (1, 15),
    };
    if strides.iter().any(|stride| !stride.is_multiple_of(bytes)) {
        let what = format!("packing with strides {strides:?} of datums of {bytes} bytes");
        return Err(Fault::program(what).page(INPUT_PAGE));
    }
    if packer == 0 && get(c::THCON_SEC0_REG1_Source_interface_selection) != 0 {
        let high = get(c::THCON_SEC0_REG1_L1_source_addr) << 18;
        let addr = (high + (addr & 0x3_FFFF)) & !15;
        return Ok((Source::L1((addr + bytes * (v(dim::X) & fine)) & 0x1F_FFFF), count));
    }
    let datum = ((addr / bytes) & !fine).wrapping_add(v(dim::X) & fine);
    let datum = datum.wrapping_add(get(DST_OFFSETS[packer]) * COLS as u32) % DST_DATUMS;
    Ok((Source::Dst(datum as usize), count))
}

/// Where a packer starts a tile. Narrow formats have a section for exponents in front of the datums.
pub(super) fn output(
    t: &Tensix,
    thread: usize,
    packer: usize,
    format: DataFormat,
    counters: &AddressCounters,
) -> Streams {
    let get = |field| t.cfg.get(thread, field);
    let of = |field, packer| get(in_section(field, packer));
    let start = |packer| {
        let header = 1 - of(c::THCON_SEC0_REG1_Sub_l1_tile_header_size, packer);
        of(c::THCON_SEC0_REG1_L1_Dest_addr, packer).wrapping_add(header)
    };
    let mut addr = start(packer);
    if packer > 0 && start(0) >> 31 != 0 {
        addr = addr.wrapping_add(start(0));
    }
    let v = |dim| counters.value(1, dim);
    let relative = v(dim::Y)
        .wrapping_mul(get(c::PCK0_ADDR_CTRL_XY_REG_1_Ystride))
        .wrapping_add(v(dim::Z).wrapping_mul(get(c::PCK0_ADDR_CTRL_ZW_REG_1_Zstride)))
        .wrapping_add(v(dim::W).wrapping_mul(get(c::PCK0_ADDR_CTRL_ZW_REG_1_Wstride)));
    addr = addr.wrapping_add(relative & !15);
    if of(c::THCON_SEC0_REG1_Add_l1_dest_addr_offset, packer) != 0 {
        addr = addr.wrapping_add(t.pack.l1_dest_addr_offset[packer].into());
    }
    if addr > 2 * get(LIMITS[packer]) + 1 {
        addr = addr.wrapping_sub(2 * get(FIFO_SIZES[packer]));
    }
    let section = if format.datum_bits() <= 8 { of(c::THCON_SEC0_REG1_Exp_section_size, packer) } else { 0 };
    Streams::new(addr.wrapping_add(section) << 4, addr << 4)
}

/// Moves the packers' counters of a thread on (`ADDR_MOD_PACK`).
pub(super) fn apply_addr_mod(t: &mut Tensix, thread: usize, n: u32, of: usize) {
    let stride = tc::ADDR_MOD_PACK_SEC1_YsrcIncr.index - tc::ADDR_MOD_PACK_SEC0_YsrcIncr.index;
    let get = |field: CfgField| t.cfg.thread(thread, CfgField { index: field.index + n * stride, ..field });
    let steps = [
        (
            (0, dim::Y),
            get(tc::ADDR_MOD_PACK_SEC0_YsrcIncr),
            get(tc::ADDR_MOD_PACK_SEC0_YsrcCR),
            get(tc::ADDR_MOD_PACK_SEC0_YsrcClear),
        ),
        (
            (1, dim::Y),
            get(tc::ADDR_MOD_PACK_SEC0_YdstIncr),
            get(tc::ADDR_MOD_PACK_SEC0_YdstCR),
            get(tc::ADDR_MOD_PACK_SEC0_YdstClear),
        ),
        ((0, dim::Z), get(tc::ADDR_MOD_PACK_SEC0_ZsrcIncr), 0, get(tc::ADDR_MOD_PACK_SEC0_ZsrcClear)),
        ((1, dim::Z), get(tc::ADDR_MOD_PACK_SEC0_ZdstIncr), 0, get(tc::ADDR_MOD_PACK_SEC0_ZdstClear)),
    ];
    let set = &mut t.adc[of][2];
    for ((channel, dim), increment, carriage_return, clear) in steps {
        let counter = &mut set.0[channel][dim];
        if clear != 0 {
            counter.set(0);
        } else if carriage_return != 0 {
            counter.carriage_return(increment, MASKS[dim]);
        } else {
            counter.add(increment, MASKS[dim]);
        }
    }
}
