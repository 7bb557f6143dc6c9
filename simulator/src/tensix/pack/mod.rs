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
use super::dst::{COLS, Dst};
use super::{Exec, Step, Tensix, dst};
use crate::fault::Fault;
use crate::l1::L1;

mod convert;
mod store;

use convert::Conversion;
use store::Sink;

const PACKERS: usize = 4;
const PAGE: &str = "TensixTile/TensixCoprocessor/PACR.md";

/// What packers remember between the `PACR`s of a tile.
#[derive(Clone, Copy, Default, Debug)]
struct Progress {
    /// Next byte of datums, and of shared exponents.
    data: u32,
    exponents: u32,
    /// Position within the plane, for the edge masks.
    x: u32,
    y: u32,
}

/// State of the packers.
#[derive(Default)]
pub struct PackState {
    /// `None` between tiles.
    next: Option<[Progress; PACKERS]>,
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
/// Fields of each packer's section that have to be zero: modes that are not here, most of them without a
/// functional definition.
const UNSUPPORTED: [CfgField; 12] = [
    c::THCON_SEC0_REG1_Row_start_section_size,
    c::THCON_SEC0_REG1_Dis_shared_exp_assembler,
    c::THCON_SEC0_REG1_Enable_out_fifo,
    c::THCON_SEC0_REG1_Add_l1_dest_addr_offset,
    c::THCON_SEC0_REG1_Sub_l1_tile_header_size,
    c::THCON_SEC0_REG1_Source_interface_selection,
    c::THCON_SEC0_REG1_Exp_threshold_en,
    c::THCON_SEC0_REG1_Downsample_mask,
    c::THCON_SEC0_REG1_Downsample_rate,
    c::THCON_SEC0_REG1_Force_pack_per_max_xy_plane,
    c::THCON_SEC0_REG1_Addr_cnt_context,
    c::THCON_SEC0_REG1_Read_mode,
];
/// Most datums that one packer takes from Dst in one instruction.
const MAX_DATUMS: u32 = 256;

/// A field of packer `packer`'s section, given packer 0's.
fn in_section(field: CfgField, packer: usize) -> CfgField {
    CfgField { index: field.index + SECTIONS[packer].index - SECTIONS[0].index, ..field }
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
    if op.concat | op.ovrd_thread_id | op.zero_write != 0 {
        return Err(Fault::not_implemented("PACR with concat, ovrd_thread_id or zero_write").page(PAGE));
    }
    let setup = Setup::read(t, thread, op.flush != 0)?;
    let ends = op.last | op.flush != 0;
    let mut next = match t.pack.next {
        Some(next) => next,
        None => setup.start(t, thread),
    };
    for (packer, progress) in next.iter_mut().enumerate().take(packers) {
        let mask_select = setup.row_set_select >> (2 * packer) & 3;
        let row = setup.first_row + t.cfg.get(thread, DST_OFFSETS[packer]) as usize;
        setup.pack(&t.dst, l1, row & (dst::ROWS - 1), mask_select, progress)?;
        if ends {
            pad(l1, progress.data)?;
            if setup.sink.format.is_block_float() {
                pad(l1, progress.exponents)?;
            }
        }
    }
    t.pack.next = (!ends).then_some(next);
    apply_addr_mod(t, thread, op.addr_mode)?;
    Ok(Step::Done)
}

/// What configuration and address counters ask of a `PACR`.
struct Setup {
    conversion: Conversion,
    sink: Sink,
    /// First row of Dst, the packers' offsets excluded.
    first_row: usize,
    count: usize,
    /// Reads (rows) of a plane.
    plane_rows: u32,
    row_set_select: u32,
    /// `TILE_ROW_SET_MAPPING_0` and `_1`: two bits a row, which say the edge mask.
    row_sets: [u32; 2],
    masks: [u32; 2],
}

impl Setup {
    fn read(t: &Tensix, thread: usize, flush: bool) -> Result<Self, Fault> {
        let get = |field| t.cfg.get(thread, field);
        check_configuration(t, thread)?;
        let format = |field| {
            same_for_all(t, thread, field).and_then(|code| {
                DataFormat::from_code(code)
                    .ok_or_else(|| Fault::program(format!("packer data format {code}")).page(PAGE))
            })
        };
        let (input, output) =
            (format(c::THCON_SEC0_REG1_In_data_format)?, format(c::THCON_SEC0_REG1_Out_data_format)?);
        let accumulate = same_for_all(t, thread, c::THCON_SEC0_REG1_Pack_L1_Acc)? != 0;
        if accumulate && !matches!(output, DataFormat::Fp32 | DataFormat::Fp16 | DataFormat::Bf16) {
            return Err(Fault::not_implemented(format!("L1 accumulation of {output:?}")).page(PAGE));
        }
        let (first_row, count) = input_rows(t, thread, input)?;
        let count = if flush { 0 } else { count };
        if output.datum_bits() <= 8 && count % COLS != 0 {
            let what = format!("packing {count} datums as {output:?}: not whole rows");
            return Err(Fault::not_implemented(what).page(PAGE));
        }
        let bank = t.cfg.bank(thread);
        Ok(Self {
            conversion: Conversion::read(t, thread, input, output)?,
            sink: Sink { format: output, accumulate },
            first_row,
            count,
            plane_rows: get(COUNTERS[0]),
            row_set_select: get(c::PCK_EDGE_TILE_ROW_SET_SELECT_select),
            row_sets: [
                t.cfg.word(bank, c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0.index),
                t.cfg.word(bank, c::TILE_ROW_SET_MAPPING_1_row_set_mapping_0.index),
            ],
            masks: [get(c::PCK_EDGE_OFFSET_SEC0_mask), get(c::PCK_EDGE_OFFSET_SEC1_mask)],
        })
    }

    /// Where the packers start a tile. Narrow formats have an exponent section in front of the datums.
    fn start(&self, t: &Tensix, thread: usize) -> [Progress; PACKERS] {
        let addr = |packer: usize| t.cfg.get(thread, SECTIONS[packer]).wrapping_add(1);
        let relative = addr(0) >> 31 != 0;
        std::array::from_fn(|packer| {
            let mut start = addr(packer);
            if relative && packer > 0 {
                start = start.wrapping_add(addr(0));
            }
            let section = match self.sink.format.datum_bits() {
                ..=8 => t.cfg.get(thread, in_section(c::THCON_SEC0_REG1_Exp_section_size, packer)),
                _ => 0,
            };
            Progress { data: start.wrapping_add(section) << 4, exponents: start << 4, x: 0, y: 0 }
        })
    }

    /// One packer's work.
    fn pack(
        &self,
        dst: &Dst,
        l1: &mut L1,
        row: usize,
        mask_select: u32,
        progress: &mut Progress,
    ) -> Result<(), Fault> {
        let rows = self.count.div_ceil(COLS);
        let limit = if self.conversion.wide() { dst::ROWS / 2 } else { dst::ROWS };
        if row + rows > limit {
            return Err(Fault::program(format!("packing {rows} rows from Dst row {row}")).page(PAGE));
        }
        for i in 0..rows {
            let len = (self.count - i * COLS).min(COLS);
            let mask = self.mask(mask_select, len, progress)?;
            let mut datums = if mask == 0 { [0; COLS] } else { self.conversion.row(dst, row + i) };
            if mask != 0xFFFF {
                for (col, datum) in datums.iter_mut().enumerate() {
                    *datum = if mask >> col & 1 != 0 { *datum } else { 0 };
                }
            }
            self.sink.put(l1, progress.data, progress.exponents + i as u32, &datums[..len])?;
            progress.data += (len * self.sink.format.datum_bits() / 8) as u32;
        }
        progress.exponents += (self.count / COLS) as u32;
        Ok(())
    }

    /// Edge mask of the next `len` datums, whose position is counted on.
    fn mask(&self, select: u32, len: usize, at: &mut Progress) -> Result<u32, Fault> {
        let sets = match select {
            0 | 1 => self.row_sets[select as usize],
            _ => return Err(Fault::not_implemented(format!("edge row set {select}")).page(PAGE)),
        };
        let of_row = |y: u32| match sets >> (2 * (y & 15)) & 3 {
            offset @ (0 | 1) => Ok(self.masks[offset as usize]),
            offset => Err(Fault::not_implemented(format!("edge mask {offset}")).page(PAGE)),
        };
        if at.x == 0 && len == COLS {
            let mask = of_row(at.y)?;
            at.y = (at.y + 1) % self.plane_rows;
            return Ok(mask);
        }
        let mut mask = 0;
        for col in 0..len {
            mask |= of_row(at.y)? & 1 << col;
            at.x += 1;
            if at.x == COLS as u32 {
                at.x = 0;
                at.y = (at.y + 1) % self.plane_rows;
            }
        }
        Ok(if len < COLS { mask | 0xFFFF << len & 0xFFFF } else { mask })
    }
}

/// Value of a section field that all packers have to agree on.
fn same_for_all(t: &Tensix, thread: usize, field: CfgField) -> Result<u32, Fault> {
    let value = t.cfg.get(thread, field);
    if (1..PACKERS).any(|p| t.cfg.get(thread, in_section(field, p)) != value) {
        let what = format!("packers that differ in {}", field.name);
        return Err(Fault::not_implemented(what).page(PAGE));
    }
    Ok(value)
}

/// Modes that hardware has and this simulator has not.
fn check_configuration(t: &Tensix, thread: usize) -> Result<(), Fault> {
    let get = |field| t.cfg.get(thread, field);
    let fault = |what: String| Err(Fault::not_implemented(what).page(PAGE));
    for packer in 0..PACKERS {
        if let Some(field) = UNSUPPORTED.iter().find(|&&f| get(in_section(f, packer)) != 0) {
            return fault(format!("packer {packer} with {}", field.name));
        }
    }
    let reads = get(COUNTERS[0]);
    if !(1..=16).contains(&reads) || COUNTERS.iter().any(|&f| get(f) != reads) {
        return fault("packing with reads per plane that differ or are not 1 to 16".into());
    }
    if get(c::PCK_EDGE_MODE_mode) != 0 {
        return fault("packing with an edge mode".into());
    }
    Ok(())
}

/// First row of Dst (packer offsets excluded) and number of datums.
fn input_rows(t: &Tensix, thread: usize, format: DataFormat) -> Result<(usize, usize), Fault> {
    let get = |field| t.cfg.get(thread, field);
    let adc = &t.adc[thread][2];
    let v = |channel, dim| adc.value(channel, dim);
    let bytes = v(0, dim::Y) * get(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride)
        + v(0, dim::Z) * get(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride)
        + v(0, dim::W) * get(c::PCK0_ADDR_CTRL_ZW_REG_0_Wstride);
    let datum_bytes = (format.datum_bits() as u32).div_ceil(8);
    let (x0, x1) = (v(0, dim::X), v(1, dim::X));
    let count = x1.wrapping_sub(x0).wrapping_add(1);
    let datum = bytes / datum_bytes;
    if x0 != 0
        || count > MAX_DATUMS
        || !count.is_power_of_two()
        || bytes % datum_bytes != 0
        || !(datum as usize).is_multiple_of(COLS)
    {
        let what = format!("packing {count} datums from x {x0}, datum {datum} of Dst");
        return Err(Fault::not_implemented(what).page(PAGE));
    }
    if t.pack.next.is_none() && v(1, dim::Y) | v(1, dim::Z) | v(1, dim::W) != 0 {
        return Err(Fault::not_implemented("packing with output address counters").page(PAGE));
    }
    Ok((datum as usize / COLS, count as usize))
}

/// The end of a tile: zeros up to the next 16 bytes.
fn pad(l1: &mut L1, end: u32) -> Result<(), Fault> {
    let len = end.next_multiple_of(16) - end;
    if len > 0 {
        store::slice(l1, end, len as usize)?.fill(0);
    }
    Ok(())
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
        // Clearing wins over the carriage return.
        (increment, 1, 0) => set.0[0][dim::Y].carriage_return(increment, super::adc::MASKS[dim::Y]),
        (increment, _, clear) => step(0, dim::Y, increment, clear),
    }
    Ok(())
}
