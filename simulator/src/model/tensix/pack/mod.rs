//! Packers: rows of Dst to L1 (`PACR.md`, `Packers/README.md`).
//!
//! ```text
//! address: where from, where to
//! Dst -> early conversion -> mask -> ReLU, threshold -> late conversion -> store -> L1
//!        `----------------------- convert -----------------------------'
//! ```
//!
//! Four packers work in parallel, each from its own rows of Dst to its own address in L1. A tile may take several
//! `PACR`s: until one has `last` set, each packer continues where it stopped. Hardware packers collect 16 bytes before they
//! write; here every byte is written at once.
//!
//! Compression is not implemented: its flag is ignored, and data is packed as if it were off. Neither are the tile sizes
//! and zero flags that packers report.

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{Opcode, PACR, PACR_SETREG};
use tt_isa::map::{LOCAL_RAM_BASE, MOP_CFG_BASE, TDMA_REGS_BASE};

use super::dst::{self, COLS, Dst};
use super::{Exec, Step, THREADS, Tensix, TileRequest};
use crate::fault::Fault;
use crate::model::l1::L1;

mod address;
mod convert;
mod early;
mod late;
mod mask;
mod relu;
mod statistics;
mod store;
#[cfg(test)]
mod tests;

use address::Source;
use convert::{Common, Conversion};
use mask::{EdgeMask, Position};
pub use statistics::Statistics;
use store::{Sink, Streams};

const PACKERS: usize = 4;
const PAGE: &str = "TensixTile/TensixCoprocessor/PACR.md";
const CONVERSION_PAGE: &str = "TensixTile/TensixCoprocessor/Packers/FormatConversion.md";

/// What a packer remembers between the `PACR`s of a tile.
#[derive(Clone, Copy, Default, Debug)]
struct Progress {
    streams: Streams,
    position: Position,
}

/// What a `PACR` has written: the most of any packer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Packed {
    /// Datums that it has read.
    pub datums: u32,
    /// Bytes that it has written.
    pub bytes: u32,
    /// They were added to what was there.
    pub accumulates: bool,
}

/// State of the packers.
#[derive(Default)]
pub struct PackState {
    /// What the last `PACR` has written.
    pub packed: Packed,
    /// `None` between tiles.
    tiles: [Option<Progress>; PACKERS],
    /// `None` until they are first requested.
    pub statistics: Option<Box<Statistics>>,
    /// Added to a packer's address where its section says so; set by TDMA-RISC.
    pub l1_dest_addr_offset: [u16; PACKERS],
    /// `PACR_SETREG`'s addresses and factors; set by TDMA-RISC.
    pub set_reg_base: [u32; 2],
    pub set_reg_hi_scaler: [u32; 4],
}

/// First registers of the packers' sections.
const SECTIONS: [CfgField; PACKERS] = [
    c::THCON_SEC0_REG1_L1_Dest_addr,
    c::THCON_SEC0_REG8_L1_Dest_addr,
    c::THCON_SEC1_REG1_L1_Dest_addr,
    c::THCON_SEC1_REG8_L1_Dest_addr,
];
/// Fields of each packer's section that have to be zero: modes without a functional definition.
const UNDEFINED: [CfgField; 6] = [
    c::THCON_SEC0_REG1_Row_start_section_size,
    c::THCON_SEC0_REG1_Dis_shared_exp_assembler,
    c::THCON_SEC0_REG1_Enable_out_fifo,
    c::THCON_SEC0_REG1_Downsample_rate,
    c::THCON_SEC0_REG1_Force_pack_per_max_xy_plane,
    c::THCON_SEC0_REG1_Read_mode,
];

/// A field of packer `packer`'s section, given packer 0's.
fn in_section(field: CfgField, packer: usize) -> CfgField {
    CfgField { index: field.index + SECTIONS[packer].index - SECTIONS[0].index, ..field }
}

/// Executes a packer instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32, l1: &mut L1) -> Exec {
    match opcode {
        Opcode::PACR => pacr(t, thread, &PACR::decode(word), l1),
        Opcode::CLREXPHIST => {
            t.pack.statistics = Some(Box::new(Statistics::cleared()));
            Ok(Step::Done)
        }
        Opcode::PACR_SETREG => set_reg(t, thread, &PACR_SETREG::decode(word)),
        _ => Err(Fault::internal(format!("{opcode:?} is no packer instruction"))),
    }
}

fn pacr(t: &mut Tensix, thread: usize, op: &PACR, l1: &mut L1) -> Exec {
    let packers = match op.pack_sel {
        0 => 1,
        1 | 2 | 4 | 8 | 3 | 12 | 15 => op.pack_sel,
        other => return Err(Fault::undocumented(format!("PACR with packers {other:#06b}")).page(PAGE)),
    };
    let ends = op.last | op.flush != 0;
    let common = Common::read(t, thread)?;
    let mut counted_on = [false; THREADS];
    let mut last = None;
    let mut packed = Packed::default();
    let histogram = (0..THREADS).any(|thread| t.cfg.thread(thread, tc::ENABLE_ACC_STATS_Enable) != 0);
    if histogram {
        t.pack.statistics.get_or_insert_default();
    }
    for packer in (0..PACKERS).filter(|packer| packers >> packer & 1 != 0) {
        let of = address::counters_of(t, thread, op, packer);
        counted_on[of] = true;
        let job = Job::read(t, thread, op, packer, of, &common, last)?;
        let mut progress = match t.pack.tiles[packer] {
            Some(progress) => progress,
            None => Progress {
                streams: address::output(t, thread, packer, job.sink.format, &t.adc[of][2]),
                position: Position::default(),
            },
        };
        if let (Some(statistics), Source::Dst(first)) = (&mut t.pack.statistics, job.source) {
            let position = progress.position;
            job.observe(first, &t.dst, position, |values| {
                statistics.count(packer, &common, values, histogram);
            })?;
        }
        let begin = progress.streams.data;
        job.run(&t.dst, l1, &mut progress)?;
        if t.dead.packers
            && let Some(byte) = l1.change(begin, 1)
        {
            byte[0] ^= 1;
        }
        if ends {
            job.sink.finish(l1, &mut progress.streams)?;
        }
        t.pack.tiles[packer] = (!ends).then_some(progress);
        last = Some((job.formats, job.conversion));
        packed = job.most(packed);
    }
    t.pack.packed = packed;
    for of in (0..THREADS).filter(|&of| counted_on[of]) {
        address::apply_addr_mod(t, thread, op.addr_mode, of);
    }
    Ok(Step::Done)
}

/// The formats of a packer and its least exponent, which identify a conversion.
type Formats = (DataFormat, DataFormat, Option<u32>);

/// What one packer is asked to do.
struct Job {
    formats: Formats,
    conversion: Conversion,
    sink: Sink,
    source: Source,
    count: usize,
    mask: EdgeMask,
    /// Which of each sixteen datums are kept.
    kept: u32,
}

impl Job {
    /// `last` is another packer's conversion, which is used again if it is the same.
    fn read(
        t: &Tensix,
        thread: usize,
        op: &PACR,
        packer: usize,
        counters: usize,
        common: &Common,
        last: Option<(Formats, Conversion)>,
    ) -> Result<Self, Fault> {
        let get = |field| t.cfg.get(thread, in_section(field, packer));
        if let Some(field) = UNDEFINED.iter().find(|&&field| get(field) != 0) {
            let what = format!("packer {packer} with {}", field.name);
            return Err(Fault::not_implemented(what).page(PAGE));
        }
        let input = convert::format(get(c::THCON_SEC0_REG1_In_data_format))?;
        let output = convert::format(get(c::THCON_SEC0_REG1_Out_data_format))?;
        let threshold =
            (get(c::THCON_SEC0_REG1_Exp_threshold_en) != 0).then(|| get(c::THCON_SEC0_REG1_Exp_threshold));
        let accumulate = get(c::THCON_SEC0_REG1_Pack_L1_Acc) != 0;
        if accumulate && !matches!(output, Fp32 | Fp16 | Bf16) {
            return Err(Fault::not_implemented(format!("L1 accumulation of {output:?}")).page(PAGE));
        }
        let formats = (input, output, threshold);
        let conversion = match last {
            Some((same, conversion)) if same == formats => conversion,
            _ => Conversion::new(*common, input, output, threshold)?,
        };
        let (source, count) = address::input(t, thread, op, packer, input, &t.adc[counters][2])?;
        Ok(Self {
            formats,
            conversion,
            sink: Sink { format: output, accumulate },
            source,
            count,
            mask: EdgeMask::read(t, thread, packer),
            kept: match get(c::THCON_SEC0_REG1_Downsample_mask) {
                0 => 0xFFFF,
                mask => mask,
            },
        })
    }

    /// The most of what it has written and `other`.
    fn most(&self, other: Packed) -> Packed {
        let bytes = (self.count * self.sink.format.datum_bits()).div_ceil(8) as u32;
        Packed {
            datums: other.datums.max(self.count as u32),
            bytes: other.bytes.max(bytes),
            accumulates: other.accumulates | self.sink.accumulate,
        }
    }

    /// Shows the intermediate values that will be packed, those that are left out as well.
    fn observe(
        &self,
        first: usize,
        dst: &Dst,
        mut position: Position,
        mut see: impl FnMut(&[u32]),
    ) -> Result<(), Fault> {
        let (mut at, end) = (first, self.dst_end(first)?);
        while at < end {
            let (row, col) = (at / COLS, at % COLS);
            let len = (end - at).min(COLS - col);
            let mask = self.mask.next(col, len, &mut position);
            see(&self.conversion.intermediate(dst, row, mask)?[col..col + len]);
            at += len;
        }
        Ok(())
    }

    /// The datum of Dst behind the last one. Rows have ten bits, of 32-bit datums too: their second half then begins at row 256, and once
    /// more at row 512, where the vendor's kernels look for it (`Dst.md`, `AdjRow`).
    fn dst_end(&self, first: usize) -> Result<usize, Fault> {
        let end = first + self.count;
        if end > COLS * dst::ROWS {
            let what = format!("packing {} datums from datum {first} of Dst", self.count);
            return Err(Fault::program(what).page(PAGE));
        }
        Ok(end)
    }

    fn run(&self, dst: &Dst, l1: &mut L1, progress: &mut Progress) -> Result<(), Fault> {
        match self.source {
            Source::Nothing => self.pass_on(l1, progress, |_, _, len| Ok((len, [0; COLS]))),
            Source::L1(addr) => self.copy_l1(addr, l1, progress),
            Source::Dst(first) => {
                self.dst_end(first)?;
                if self.kept == 0xFFFF && first.is_multiple_of(COLS) {
                    return self.rows(first / COLS, dst, l1, progress);
                }
                let mut position = progress.position;
                let result = self.pass_on(l1, progress, |_, at, len| {
                    let (row, col) = ((first + at) / COLS, (first + at) % COLS);
                    let len = len.min(COLS - col);
                    let mask = self.mask.next(col, len, &mut position);
                    let mut datums = self.conversion.row(dst, row, mask)?;
                    datums.copy_within(col..col + len, 0);
                    Ok((len, datums))
                });
                progress.position = position;
                result
            }
        }
    }

    /// Rows of Dst from their first column on, all datums kept: the way of nearly all datums.
    fn rows(&self, first: usize, dst: &Dst, l1: &mut L1, progress: &mut Progress) -> Result<(), Fault> {
        if let Some(width) = self.sink.plain() {
            let out = self.sink.reserve(l1, &mut progress.streams, self.count * width)?;
            for (row, out) in (first..).zip(out.chunks_mut(COLS * width)) {
                let mask = self.mask.next(0, out.len() / width, &mut progress.position);
                store::write(out, width, &self.conversion.row(dst, row, mask)?);
            }
            return Ok(());
        }
        for row in 0..self.count.div_ceil(COLS) {
            let len = (self.count - row * COLS).min(COLS);
            let mask = self.mask.next(0, len, &mut progress.position);
            let datums = self.conversion.row(dst, first + row, mask)?;
            self.sink.append(l1, &mut progress.streams, &datums[..len])?;
        }
        Ok(())
    }

    /// Appends those of the datums that are kept. `next` gives at most as many as asked from the `at`-th on, and how
    /// many those are.
    fn pass_on(
        &self,
        l1: &mut L1,
        progress: &mut Progress,
        mut next: impl FnMut(&L1, usize, usize) -> Result<(usize, [u32; COLS]), Fault>,
    ) -> Result<(), Fault> {
        let mut at = 0;
        while at < self.count {
            let (len, mut datums) = next(l1, at, (self.count - at).min(COLS))?;
            let mut kept = 0;
            for i in 0..len {
                if self.kept >> ((at + i) % 16) & 1 != 0 {
                    datums[kept] = datums[i];
                    kept += 1;
                }
            }
            self.sink.append(l1, &mut progress.streams, &datums[..kept])?;
            at += len;
        }
        Ok(())
    }

    /// Datums of L1, which are neither masked nor rectified.
    fn copy_l1(&self, addr: u32, l1: &mut L1, progress: &mut Progress) -> Result<(), Fault> {
        let (format, bytes) = (self.formats.0, self.formats.0.datum_bits() / 8);
        if !matches!(format, Fp32 | Int32 | Bf16 | Fp16 | Int16 | Fp8 | Int8) {
            let what = format!("packing {format:?} from L1");
            return Err(Fault::not_implemented(what).page(CONVERSION_PAGE));
        }
        self.pass_on(l1, progress, |l1, at, len| {
            let from = addr + (at * bytes) as u32;
            let input = l1.get(from, len * bytes).ok_or_else(|| {
                Fault::program(format!("packing {} bytes from L1 {from:#x}", len * bytes)).page(PAGE)
            })?;
            let mut datums = [0; COLS];
            for (datum, input) in datums.iter_mut().zip(input.chunks_exact(bytes)) {
                *datum = input.iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte));
                // Of half precision it is the upper half.
                *datum <<= if format == Fp8 { 8 } else { 0 };
            }
            Ok((len, self.conversion.after_relu(datums)))
        })
    }
}

/// `PACR_SETREG`: writes a register once the packers have come so far.
fn set_reg(t: &mut Tensix, thread: usize, op: &PACR_SETREG) -> Exec {
    const PAGE: &str = "TensixTile/TensixCoprocessor/PACR_SETREG.md";
    if (op.push, op.pack_sel, op.flush, op.last) != (1, 0xF, 1, 0) {
        return Err(Fault::undocumented("PACR_SETREG that does not push and flush all packers").page(PAGE));
    }
    if t.pack.tiles.iter().flatten().any(|progress| progress.streams.is_open()) {
        return Err(Fault::undocumented("PACR_SETREG while packers hold part of 16 bytes").page(PAGE));
    }
    let format = t.cfg.get(thread, c::THCON_SEC0_REG1_Out_data_format);
    let high = op.wr_data * t.pack.set_reg_hi_scaler[format as usize & 3];
    let value = op.wr_data + ((high & 0x1_FFFF) << 12);
    let addr = LOCAL_RAM_BASE + t.pack.set_reg_base[op.addr_sel as usize] + (op.stream_id << 12);
    if addr < TDMA_REGS_BASE {
        return Err(Fault::program(format!("PACR_SETREG to {addr:#010x}")).page(PAGE));
    }
    // Beyond, writes are lost.
    if addr < MOP_CFG_BASE {
        t.requests.push(TileRequest::Write { addr, value });
    }
    Ok(Step::Done)
}
