//! Unpackers: datums from L1 to SrcA (unpacker 0) and SrcB (unpacker 1) (`UNPACR_Regular.md`,
//! `Unpackers/FormatConversion.md`).
//!
//! `UNPACR` reads a run of datums: where it starts comes from the base address and the channel 0 address
//! counters, how long it is from the x range; it fills rows of the bank that the unpacker owns, and may then hand
//! the bank to the matrix unit. Block-float datums have their shared exponents in front of the tile.

use tt_isa::cfg::CfgField;
use tt_isa::cfg::config as c;
use tt_isa::cfg::thread as tc;
use tt_isa::format::DataFormat;
use tt_isa::insn::{Opcode, UNPACR};

use super::adc::{AddressCounters, dim};
use super::src::{COLS, ROWS};
use super::{Exec, Step, Tensix};
use crate::fault::Fault;
use crate::l1::L1;

mod convert;

const PAGE: &str = "TensixTile/TensixCoprocessor/UNPACR_Regular.md";
/// Datums in front of the first one of SrcA that an unpacker can write.
const SRCA_SKIP: u32 = 64;
/// Most datums that one instruction unpacks: a whole bank.
const MAX_DATUMS: usize = ROWS * COLS;

/// Executes an unpacker instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32, l1: &L1) -> Exec {
    if opcode != Opcode::UNPACR {
        return Err(Fault::not_implemented("UNPACR_NOP").page("TensixTile/TensixCoprocessor/UNPACR_NOP.md"));
    }
    let op = UNPACR::decode(word);
    check_operands(&op)?;
    let unpacker = op.unpack_block_selection as usize;
    let ready = if unpacker == 0 { t.src_a.unpack_ready() } else { t.src_b.unpack_ready() };
    if !ready {
        return Ok(Step::Stall);
    }
    let setup = Setup::read(t, thread, unpacker)?;
    let run = Run::locate(&setup, &t.adc[thread][unpacker])?;
    let mut datums = [0; MAX_DATUMS];
    convert::datums(&setup, &run, l1, &mut datums[..run.count])?;
    let bank = if unpacker == 0 { t.src_a.unpack_mut() } else { t.src_b.unpack_mut() };
    store(bank, &setup, &run, &datums);

    let counters = &mut t.adc[thread][unpacker];
    counters.add(0, dim::Z, op.addr_mode & 3);
    counters.add(0, dim::Y, op.addr_mode >> 2 & 3);
    counters.add(1, dim::Z, op.addr_mode >> 4 & 3);
    counters.add(1, dim::Y, op.addr_mode >> 6 & 3);
    if op.set_dat_valid != 0 {
        if unpacker == 0 { t.src_a.give_to_matrix()? } else { t.src_b.give_to_matrix()? }
    }
    Ok(Step::Done)
}

fn check_operands(op: &UNPACR) -> Result<(), Fault> {
    let odd = [
        ("last = 0", op.last == 0),
        ("search_cache_flush", op.search_cache_flush != 0),
        ("row_search", op.row_search != 0),
        ("auto_inc_context_id", op.auto_inc_context_id != 0),
        ("rareb_en", op.rareb_en != 0),
        ("ovrd_thread_id = 0", op.ovrd_thread_id == 0),
        ("addr_cnt_context_id", op.addr_cnt_context_id != 0),
        ("cfg_context_id", op.cfg_context_id != 0),
        ("cfg_context_cnt_inc", op.cfg_context_cnt_inc != 0),
        ("zero_write2", op.zero_write2 != 0),
    ];
    match odd.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(Fault::not_implemented(format!("UNPACR with {name}")).page(PAGE)),
        None => Ok(()),
    }
}

/// What the configuration says about an unpack.
struct Setup {
    unpacker: usize,
    input: DataFormat,
    output: DataFormat,
    transpose: bool,
    /// Byte address of the tile in L1.
    base: u32,
    /// Datums of a row, a plane and a cube of the input, and how many exponents the tile has.
    strides: [u32; 3],
    exponents: u32,
    /// Output strides in datums (y, z), and where the context starts.
    out_strides: [u32; 2],
    context_start: Option<u32>,
}

/// Reads fields of one unpacker's section: the fields of both are alike.
struct Section<'a> {
    t: &'a Tensix,
    thread: usize,
    unpacker: usize,
}

impl Section<'_> {
    fn get(&self, of: [CfgField; 2]) -> u32 {
        self.t.cfg.get(self.thread, of[self.unpacker])
    }

    fn word_after(&self, of: [CfgField; 2]) -> u32 {
        let index = of[self.unpacker].index + 1;
        self.t.cfg.word(self.t.cfg.bank(self.thread), index)
    }
}

impl Setup {
    fn read(t: &Tensix, thread: usize, unpacker: usize) -> Result<Self, Fault> {
        let s = Section { t, thread, unpacker };
        refuse_modes(&s)?;
        let descriptor = s.get([c::THCON_SEC0_REG0_TileDescriptor, c::THCON_SEC1_REG0_TileDescriptor]);
        let extents = s.word_after([c::THCON_SEC0_REG0_TileDescriptor, c::THCON_SEC1_REG0_TileDescriptor]);
        let (input, output) = formats(&s, descriptor)?;
        let x = match unpacker {
            0 => t.cfg.get(thread, c::THCON_SEC0_REG5_Tile_x_dim_cntx0),
            _ => descriptor >> 16,
        };
        let y = extents & 0xFF;
        let z = (extents >> 16 & 0xFF).max(1);
        let base = s.get([c::THCON_SEC0_REG3_Base_address, c::THCON_SEC1_REG3_Base_address]);
        let offset = s.get([c::THCON_SEC0_REG7_Offset_address, c::THCON_SEC1_REG7_Offset_address]);
        let bytes = (output.datum_bits() as u32).div_ceil(8);
        let stride = |field| s.get(field) / bytes;
        Ok(Self {
            unpacker,
            input,
            output,
            transpose: s.get([c::THCON_SEC0_REG2_Haloize_mode, c::THCON_SEC1_REG2_Haloize_mode]) != 0,
            base: base.wrapping_add(offset & 0xFFFF).wrapping_add(1) << 4,
            strides: [x, x * y, x * y * z],
            exponents: if input.is_block_float() { (x * y * z).div_ceil(16) } else { 0 },
            out_strides: [
                stride([c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, c::UNP1_ADDR_CTRL_XY_REG_1_Ystride]),
                stride([c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, c::UNP1_ADDR_CTRL_ZW_REG_1_Zstride]),
            ],
            context_start: (unpacker == 0).then(|| t.cfg.get(thread, c::THCON_SEC0_REG5_Dest_cntx0_address)),
        })
    }
}

/// Modes that hardware has and this simulator has not.
fn refuse_modes(s: &Section) -> Result<(), Fault> {
    let thread = |field| s.t.cfg.thread(s.thread, field);
    let context = match s.unpacker {
        0 => thread(tc::UNPACK_MISC_CFG_CfgContextOffset_0),
        _ => thread(tc::UNPACK_MISC_CFG_CfgContextOffset_1),
    };
    let both = |a, b| s.get([a, b]);
    let odd = [
        ("a configuration context other than 0", context != 0),
        (
            "compressed input",
            both(
                c::THCON_SEC0_REG2_Disable_zero_compress_cntx0,
                c::THCON_SEC1_REG2_Disable_zero_compress_cntx0,
            ) == 0,
        ),
        (
            "an overriding data format",
            both(c::THCON_SEC0_REG2_Ovrd_data_format, c::THCON_SEC1_REG2_Ovrd_data_format) != 0,
        ),
        ("tilize mode", both(c::THCON_SEC0_REG2_Tileize_mode, c::THCON_SEC1_REG2_Tileize_mode) != 0),
        (
            "a forced shared exponent",
            both(c::THCON_SEC0_REG2_Force_shared_exp, c::THCON_SEC1_REG2_Force_shared_exp) != 0,
        ),
        ("upsampling", both(c::THCON_SEC0_REG2_Upsample_rate, c::THCON_SEC1_REG2_Upsample_rate) != 0),
        ("unpacking to Dst", s.unpacker == 0 && s.get([c::THCON_SEC0_REG2_Unpack_if_sel_cntx0; 2]) != 0),
        ("a column shift", s.unpacker == 0 && s.get([c::THCON_SEC0_REG2_Shift_amount_cntx0; 2]) != 0),
        (
            "destination address plus counters",
            s.unpacker == 0 && s.get([c::UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr; 2]) != 0,
        ),
        ("SetOvrdWithAddr off", thread(tc::SRCA_SET_SetOvrdWithAddr) == 0),
    ];
    match odd.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => {
            let what = format!("unpacker {} with {name}", s.unpacker);
            Err(Fault::not_implemented(what).page(PAGE))
        }
        None => Ok(()),
    }
}

fn formats(s: &Section, descriptor: u32) -> Result<(DataFormat, DataFormat), Fault> {
    let out = s.get([c::THCON_SEC0_REG2_Out_data_format, c::THCON_SEC1_REG2_Out_data_format]);
    let (Some(input), Some(output)) = (DataFormat::from_code(descriptor & 15), DataFormat::from_code(out))
    else {
        let what = format!("unpack from format {} to format {out}", descriptor & 15);
        return Err(Fault::program(what).page(PAGE));
    };
    use DataFormat::{Bf16, Bfp2, Bfp4, Bfp8, Fp32, Tf32};
    match (input, output) {
        (Fp32, Tf32 | Bf16) | (Bf16, Bf16) | (Bfp8, Bfp8) | (Bfp4, Bfp4) | (Bfp2, Bfp2) => {
            Ok((input, output))
        }
        _ => Err(Fault::not_implemented(format!("unpack from {input:?} to {output:?}")).page(PAGE)),
    }
}

/// The run of datums that an instruction moves.
struct Run {
    /// Index of the first datum in the tile.
    first: u32,
    count: usize,
    /// First datum of the bank that is written.
    to: usize,
}

impl Run {
    fn locate(setup: &Setup, adc: &AddressCounters) -> Result<Self, Fault> {
        let v = |channel, dim| adc.value(channel, dim);
        let [y, z, w] = setup.strides;
        let first = v(0, dim::X) + v(0, dim::Y) * y + v(0, dim::Z) * z + v(0, dim::W) * w;
        let counters = v(1, dim::Y) * setup.out_strides[0] + v(1, dim::Z) * setup.out_strides[1];
        let mut to = setup.context_start.unwrap_or(counters);
        if setup.unpacker == 0 {
            to = to.checked_sub(SRCA_SKIP).ok_or_else(|| {
                Fault::undocumented(format!("unpacker 0 writing in front of SrcA, datum {to}")).page(PAGE)
            })?;
        }
        let (from_x, to_x) = (v(0, dim::X), v(1, dim::X));
        if from_x > to_x {
            return Err(Fault::program(format!("x range {from_x}..={to_x} is empty")).page(PAGE));
        }
        let count = (to_x - from_x + 1) as usize;
        if to % COLS as u32 != 0 || to as usize + count > MAX_DATUMS {
            let what = format!("unpacker {} writing {count} datums from datum {to}", setup.unpacker);
            return Err(Fault::program(what).page(PAGE));
        }
        Ok(Self { first, count, to: to as usize })
    }
}

fn store(bank: &mut [[u32; COLS]; ROWS], setup: &Setup, run: &Run, datums: &[u32; MAX_DATUMS]) {
    for (i, chunk) in datums[..run.count].chunks(COLS).enumerate() {
        let row = run.to / COLS + i;
        if setup.transpose && setup.unpacker == 0 {
            for (col, &datum) in chunk.iter().enumerate() {
                bank[row & !15 | col][row & 15] = datum;
            }
        } else {
            bank[row][..chunk.len()].copy_from_slice(chunk);
        }
    }
}
