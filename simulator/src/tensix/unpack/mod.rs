//! Unpackers: datums from L1 to SrcA or Dst (unpacker 0) and SrcB (unpacker 1) (`UNPACR_Regular.md`,
//! `Unpackers/FormatConversion.md`).
//!
//! `UNPACR` reads a run of datums: where it starts comes from the base address and the channel 0 address
//! counters, how long it is from the x range; it fills rows of the bank that the unpacker owns, and may then hand
//! the bank to the matrix unit. Block-float datums have their shared exponents in front of the tile.

use tt_isa::cfg::CfgField;
use tt_isa::cfg::config as c;
use tt_isa::cfg::thread as tc;
use tt_isa::format::DataFormat;
use tt_isa::insn::{Opcode, UNPACR, UNPACR_NOP};

use super::adc::{AddressCounters, dim};
use super::src::{COLS, ROWS, Row, SrcBanks};
use super::{Exec, Step, THREADS, Tensix, dst};
use crate::fault::Fault;
use crate::l1::L1;

mod convert;

use convert::Conversion;

const PAGE: &str = "TensixTile/TensixCoprocessor/UNPACR_Regular.md";
const NOP_PAGE: &str = "TensixTile/TensixCoprocessor/UNPACR_NOP.md";
/// Datums in front of the first one of SrcA that an unpacker can write.
const SRCA_SKIP: u32 = 64;
/// What `UNPACR_NOP` fills SrcA with for maximum pooling: less than any number.
const NEGATIVE_INFINITY: u32 = 0xFFFF_E000;

/// What the unpackers remember: `[unpacker][thread]`.
#[derive(Default)]
pub struct UnpackState {
    /// Row of SrcA or SrcB that the thread's data starts at, where addresses count from it.
    src_row: [[u8; THREADS]; 2],
}

/// Whether an unpacker may write to its bank.
pub fn owns_bank(t: &mut Tensix, unpacker: usize) -> bool {
    banks(t, unpacker).unpack_ready()
}

/// Writes four bfloat16 numbers to an unpacker's bank, at `at` in fours; `data` has the first of each two in the
/// lower half, its mantissa in front of its exponent (`STOREIND_Src.md`).
pub fn store_bf16(
    t: &mut Tensix,
    thread: usize,
    unpacker: usize,
    at: u32,
    data: [u32; 2],
) -> Result<(), Fault> {
    const PAGE: &str = "TensixTile/TensixCoprocessor/STOREIND_Src.md";
    let fault = || {
        Err(Fault::program(format!("STOREIND to row {} of unpacker {unpacker}'s bank", at >> 2)).page(PAGE))
    };
    let first = if unpacker == 0 { SRCA_SKIP >> 4 } else { 0 };
    if at >= 1 << 16 {
        return fault();
    }
    let Some(row) = (at >> 2).checked_sub(first) else { return Ok(()) };
    let absolute = unpacker == 0 && t.cfg.thread(thread, tc::SRCA_SET_SetOvrdWithAddr) != 0;
    if row >= if absolute { ROWS as u32 } else { 16 } {
        return fault();
    }
    let base = if absolute { 0 } else { u32::from(t.unpack.src_row[unpacker][thread]) };
    let bank = banks(t, unpacker).unpack_mut();
    let row = &mut bank[(row + base) as usize % ROWS];
    for (pair, word) in row[(at as usize & 3) * 4..].chunks_exact_mut(2).zip(data) {
        pair[0] = u32::from(dst::decode_bf16(word as u16)) << 16;
        pair[1] = word & 0xFFFF_0000;
    }
    Ok(())
}

/// Executes an unpacker instruction.
pub fn execute(t: &mut Tensix, thread: usize, opcode: Opcode, word: u32, l1: &L1) -> Exec {
    match opcode {
        Opcode::UNPACR => unpacr(t, thread, &UNPACR::decode(word), l1),
        Opcode::UNPACR_NOP => unpacr_nop(t, thread, &UNPACR_NOP::decode(word)),
        _ => Err(Fault::internal(format!("{opcode:?} is no unpacker instruction"))),
    }
}

/// The banks that an unpacker fills.
fn banks(t: &mut Tensix, unpacker: usize) -> &mut SrcBanks {
    if unpacker == 0 { &mut t.src_a } else { &mut t.src_b }
}

fn unpacr(t: &mut Tensix, thread: usize, op: &UNPACR, l1: &L1) -> Exec {
    check_operands(op)?;
    let unpacker = op.unpack_block_selection as usize;
    if !banks(t, unpacker).unpack_ready() {
        return Ok(Step::Stall);
    }
    let setup = Setup::read(t, thread, unpacker)?;
    let run = Run::locate(&setup, &t.adc[thread][unpacker])?;
    check_bursts(&setup, &run)?;
    let fast = setup.whole_rows(&run, l1, banks(t, unpacker).unpack_mut());
    let slow = if fast { 0 } else { run.count.div_ceil(COLS) };
    for row in 0..slow {
        let len = (run.count - row * COLS).min(COLS);
        let datums = setup.read_row(&run, row, len, l1)?;
        let to = run.to_row + row;
        if setup.conversion.to_dst {
            t.dst.write32_part(to, &datums[..len]);
        } else {
            store(banks(t, unpacker).unpack_mut(), setup.transpose, to, &datums[..len]);
        }
    }
    let counters = &mut t.adc[thread][unpacker];
    counters.add(0, dim::Z, op.addr_mode & 3);
    counters.add(0, dim::Y, op.addr_mode >> 2 & 3);
    counters.add(1, dim::Z, op.addr_mode >> 4 & 3);
    counters.add(1, dim::Y, op.addr_mode >> 6 & 3);
    if op.set_dat_valid != 0 {
        give(t, thread, unpacker)?;
    } else if [c::THCON_SEC0_REG2_Unpack_Src_Reg_Set_Upd, c::THCON_SEC1_REG2_Unpack_Src_Reg_Set_Upd]
        .into_iter()
        .any(|f| t.cfg.get(thread, f) != 0)
    {
        return Err(Fault::not_implemented("UNPACR with Unpack_Src_Reg_Set_Upd").page(PAGE));
    }
    Ok(Step::Done)
}

/// Hands an unpacker's bank to the matrix unit.
fn give(t: &mut Tensix, thread: usize, unpacker: usize) -> Result<(), Fault> {
    if unpacker == 0 && t.cfg.thread(thread, tc::SRCA_SET_Base) != 0 {
        return Err(Fault::not_implemented("SRCA_SET_Base").page(PAGE));
    }
    banks(t, unpacker).give_to_matrix()
}

/// `UNPACR_NOP`: clears the unpacker's bank once the matrix unit is done with its own (1: zeros, 5: -infinity),
/// or hands it over as it is (7).
fn unpacr_nop(t: &mut Tensix, thread: usize, op: &UNPACR_NOP) -> Exec {
    let unpacker = op.unpack_block_selection as usize;
    let fill = match (op.no_op, unpacker) {
        (1, _) => 0,
        (5, 0) => NEGATIVE_INFINITY,
        (7, _) => {
            give(t, thread, unpacker)?;
            return Ok(Step::Done);
        }
        (kind, _) => {
            let what = format!("UNPACR_NOP kind {kind} of unpacker {unpacker}");
            return Err(Fault::not_implemented(what).page(NOP_PAGE));
        }
    };
    let banks = banks(t, unpacker);
    if banks.matrix_ready() {
        return Ok(Step::Stall);
    }
    *banks.unpack_mut() = [[fill; COLS]; ROWS];
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
    conversion: Conversion,
    transpose: bool,
    tilize: bool,
    throttle_mode: u32,
    /// Byte address of the tile in L1.
    base: u32,
    /// Datums of a row, a plane and a cube of the input, and how many exponents are in front of it.
    strides: [u32; 3],
    exponents: u32,
    /// The exponent of all datums, if they have none of their own.
    forced_exponent: Option<u8>,
    /// Bytes between sixteen input datums and the next sixteen.
    row_stride: u32,
    /// Output strides in datums (y, z), and where the context starts.
    out_strides: [u32; 2],
    context_start: u32,
    /// Whether the output counters matter, or the context's start alone does.
    counted: bool,
}

/// Reads fields of one unpacker's section, in one of two configuration contexts.
struct Section<'a> {
    t: &'a Tensix,
    thread: usize,
    unpacker: usize,
    context: usize,
}

impl<'a> Section<'a> {
    fn new(t: &'a Tensix, thread: usize, unpacker: usize) -> Result<Self, Fault> {
        let offsets = [tc::UNPACK_MISC_CFG_CfgContextOffset_0, tc::UNPACK_MISC_CFG_CfgContextOffset_1];
        let context = t.cfg.thread(thread, offsets[unpacker]) as usize;
        if context > 1 {
            return Err(Fault::not_implemented(format!("unpack configuration context {context}")).page(PAGE));
        }
        Ok(Self { t, thread, unpacker, context })
    }

    /// A field: unpacker 0's, unpacker 1's.
    fn get(&self, of: [CfgField; 2]) -> u32 {
        self.t.cfg.get(self.thread, of[self.unpacker])
    }

    /// A field that each context has: `[unpacker][context]`.
    fn of_context(&self, of: [[CfgField; 2]; 2]) -> u32 {
        self.t.cfg.get(self.thread, of[self.unpacker][self.context])
    }

    /// A field that unpacker 0 has for each context; 0 for unpacker 1.
    fn of_unpacker0(&self, of: [CfgField; 2]) -> u32 {
        if self.unpacker == 0 { self.t.cfg.get(self.thread, of[self.context]) } else { 0 }
    }

    fn word_after(&self, of: [CfgField; 2]) -> u32 {
        let index = of[self.unpacker].index + 1;
        self.t.cfg.word(self.t.cfg.bank(self.thread), index)
    }
}

const DESCRIPTORS: [CfgField; 2] = [c::THCON_SEC0_REG0_TileDescriptor, c::THCON_SEC1_REG0_TileDescriptor];
const BASES: [[CfgField; 2]; 2] = [
    [c::THCON_SEC0_REG3_Base_address, c::THCON_SEC0_REG3_Base_cntx1_address],
    [c::THCON_SEC1_REG3_Base_address, c::THCON_SEC1_REG3_Base_cntx1_address],
];
const OFFSETS: [[CfgField; 2]; 2] = [
    [c::THCON_SEC0_REG7_Offset_address, c::THCON_SEC0_REG7_Offset_cntx1_address],
    [c::THCON_SEC1_REG7_Offset_address, c::THCON_SEC1_REG7_Offset_cntx1_address],
];
const UNCOMPRESSED: [[CfgField; 2]; 2] = [
    [c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, c::THCON_SEC0_REG2_Disable_zero_compress_cntx1],
    [c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, c::THCON_SEC1_REG2_Disable_zero_compress_cntx1],
];

impl Setup {
    fn read(t: &Tensix, thread: usize, unpacker: usize) -> Result<Self, Fault> {
        let s = Section::new(t, thread, unpacker)?;
        refuse_modes(&s)?;
        let descriptor = s.get(DESCRIPTORS);
        let extents = s.word_after(DESCRIPTORS);
        let conversion = conversion(&s, descriptor)?;
        let x = match unpacker {
            0 => s.of_unpacker0([c::THCON_SEC0_REG5_Tile_x_dim_cntx0, c::THCON_SEC0_REG5_Tile_x_dim_cntx1]),
            _ => descriptor >> 16,
        };
        let y = extents & 0xFF;
        let z = (extents >> 16 & 0xFF).max(1);
        let offset = s.of_context(OFFSETS) & 0xFFFF;
        let forced = s.get([c::THCON_SEC0_REG2_Force_shared_exp, c::THCON_SEC1_REG2_Force_shared_exp]) != 0;
        let forced_exponent = forced.then(|| {
            s.get([c::UNP0_FORCED_SHARED_EXP_shared_exp, c::UNP1_FORCED_SHARED_EXP_shared_exp]) as u8
        });
        let own_exponents = conversion.input.is_block_float() && !forced;
        if own_exponents && descriptor >> 5 & 1 != 0 {
            return Err(
                Fault::not_implemented("unpacking block float without an exponent section").page(PAGE)
            );
        }
        let plane = x.wrapping_mul(y);
        let cube = plane.wrapping_mul(z);
        let bytes = (conversion.output.datum_bits() as u32).div_ceil(8);
        let adds = s.of_unpacker0([c::UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr; 2]) != 0;
        let tilize = s.get([c::THCON_SEC0_REG2_Tileize_mode, c::THCON_SEC1_REG2_Tileize_mode]) != 0;
        Ok(Self {
            unpacker,
            conversion,
            transpose: s.get([c::THCON_SEC0_REG2_Haloize_mode, c::THCON_SEC1_REG2_Haloize_mode]) != 0,
            tilize,
            throttle_mode: s.get([c::THCON_SEC0_REG2_Throttle_mode, c::THCON_SEC1_REG2_Throttle_mode]),
            base: s.of_context(BASES).wrapping_add(offset).wrapping_add(1) << 4,
            strides: [x, plane, cube],
            exponents: if own_exponents { cube.div_ceil(16) } else { 0 },
            forced_exponent,
            row_stride: if tilize {
                tilize_stride(t, thread)
            } else {
                2 * conversion.input.datum_bits() as u32
            },
            out_strides: [
                s.get([c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, c::UNP1_ADDR_CTRL_XY_REG_1_Ystride]) / bytes,
                s.get([c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, c::UNP1_ADDR_CTRL_ZW_REG_1_Zstride]) / bytes,
            ],
            context_start: s
                .of_unpacker0([c::THCON_SEC0_REG5_Dest_cntx0_address, c::THCON_SEC0_REG5_Dest_cntx1_address]),
            counted: unpacker == 1 || conversion.to_dst || adds,
        })
    }

    /// Unpacks the run in one go, if its datums are in whole rows, one after the other in L1 and the register.
    fn whole_rows(&self, run: &Run, l1: &L1, bank: &mut [Row; ROWS]) -> bool {
        let plain =
            !(self.conversion.to_dst || self.transpose || self.tilize || self.forced_exponent.is_some());
        if !plain || !run.from_bit.is_multiple_of(8) || !run.count.is_multiple_of(COLS) {
            return false;
        }
        let rows = run.count / COLS;
        let Some(bytes) = l1.get(run.from_bit / 8, run.count * self.conversion.input.datum_bits() / 8) else {
            return false;
        };
        let exponents = if !self.conversion.input.is_block_float() {
            &[]
        } else if let (true, Some(exponents)) =
            (run.first.is_multiple_of(16), l1.get(self.base.wrapping_add(run.first / 16), rows))
        {
            exponents
        } else {
            return false;
        };
        convert::rows(&self.conversion, bytes, exponents, &mut bank[run.to_row..run.to_row + rows])
    }

    /// Reads and converts the `row`-th sixteen datums of the run, or what is left of them.
    fn read_row(&self, run: &Run, row: usize, len: usize, l1: &L1) -> Result<[u32; COLS], Fault> {
        let width = self.conversion.input.datum_bits();
        let bit = u64::from(run.from_bit) + row as u64 * 8 * u64::from(self.row_stride);
        let (byte, bit) = ((bit / 8) as u32, (bit % 8) as usize);
        let bytes = slice(l1, byte, (bit + len * width).div_ceil(8))?;
        let mut raw = [0; COLS];
        convert::gather(bytes, bit, width, &mut raw[..len]);
        let exponents = self.read_exponents(run, row, len, l1)?;
        Ok(self.conversion.apply(&raw, &exponents))
    }

    fn read_exponents(&self, run: &Run, row: usize, len: usize, l1: &L1) -> Result<[u8; COLS], Fault> {
        if let Some(exponent) = self.forced_exponent {
            return Ok([exponent; COLS]);
        }
        let mut exponents = [0; COLS];
        if self.conversion.input.is_block_float() {
            let first = run.first as usize + row * COLS;
            let groups = (first + len).div_ceil(16) - first / 16;
            let bytes = slice(l1, self.base.wrapping_add(first as u32 / 16), groups)?;
            for (i, exponent) in exponents[..len].iter_mut().enumerate() {
                *exponent = bytes[(first % 16 + i) / 16];
            }
        }
        Ok(exponents)
    }
}

/// Tilize mode takes its stride from the fields that are shift amounts otherwise, in units of 16 bytes.
fn tilize_stride(t: &Tensix, thread: usize) -> u32 {
    let amounts = [
        c::THCON_SEC0_REG2_Shift_amount_cntx0,
        c::THCON_SEC0_REG2_Shift_amount_cntx1,
        c::THCON_SEC0_REG2_Shift_amount_cntx2,
    ];
    amounts.iter().rev().fold(0, |stride, &f| stride << 4 | t.cfg.get(thread, f)) << 4
}

fn slice(l1: &L1, addr: u32, len: usize) -> Result<&[u8], Fault> {
    l1.get(addr, len)
        .ok_or_else(|| Fault::program(format!("unpack of {len} bytes at L1 {addr:#x}")).page(PAGE))
}

/// Modes that hardware has and this simulator has not.
fn refuse_modes(s: &Section) -> Result<(), Fault> {
    let both = |a, b| s.get([a, b]) != 0;
    let tilize = both(c::THCON_SEC0_REG2_Tileize_mode, c::THCON_SEC1_REG2_Tileize_mode);
    let shift =
        s.of_unpacker0([c::THCON_SEC0_REG2_Shift_amount_cntx0, c::THCON_SEC0_REG2_Shift_amount_cntx1]);
    let odd = [
        ("compressed input", s.of_context(UNCOMPRESSED) == 0),
        (
            "an overriding data format",
            both(c::THCON_SEC0_REG2_Ovrd_data_format, c::THCON_SEC1_REG2_Ovrd_data_format),
        ),
        ("tilize mode", tilize && s.unpacker == 1),
        (
            "transposition",
            s.unpacker == 1 && both(c::THCON_SEC0_REG2_Haloize_mode, c::THCON_SEC1_REG2_Haloize_mode),
        ),
        ("upsampling", both(c::THCON_SEC0_REG2_Upsample_rate, c::THCON_SEC1_REG2_Upsample_rate)),
        (
            "upsampling",
            both(c::THCON_SEC0_REG2_Upsample_and_interleave, c::THCON_SEC1_REG2_Upsample_and_interleave),
        ),
        ("a column shift", shift != 0 && !tilize),
    ];
    match odd.into_iter().find(|(_, set)| *set) {
        Some((name, _)) => {
            let what = format!("unpacker {} with {name}", s.unpacker);
            Err(Fault::not_implemented(what).page(PAGE))
        }
        None => Ok(()),
    }
}

fn conversion(s: &Section, descriptor: u32) -> Result<Conversion, Fault> {
    let out = s.get([c::THCON_SEC0_REG2_Out_data_format, c::THCON_SEC1_REG2_Out_data_format]);
    let (Some(input), Some(output)) = (DataFormat::from_code(descriptor & 15), DataFormat::from_code(out))
    else {
        let what = format!("unpack from format {} to format {out}", descriptor & 15);
        return Err(Fault::program(what).page(PAGE));
    };
    let conversion = Conversion {
        input,
        output,
        to_dst: s
            .of_unpacker0([c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, c::THCON_SEC0_REG2_Unpack_if_sel_cntx1])
            != 0,
        unsigned: s.get([c::ALU_FORMAT_SPEC_REG0_SrcAUnsigned, c::ALU_FORMAT_SPEC_REG0_SrcBUnsigned]) != 0,
    };
    if !conversion.supported() {
        let to = if conversion.to_dst { "Dst" } else { "SrcA/SrcB" };
        return Err(Fault::not_implemented(format!("unpack from {input:?} to {output:?} in {to}")).page(PAGE));
    }
    let addressed = s.t.cfg.thread(s.thread, tc::SRCA_SET_SetOvrdWithAddr) != 0;
    if addressed == conversion.to_dst {
        let what = format!("SetOvrdWithAddr {addressed} with unpack to Dst {}", conversion.to_dst);
        return Err(Fault::not_implemented(what).page(PAGE));
    }
    Ok(conversion)
}

/// The run of datums that an instruction moves.
struct Run {
    /// Index of the first datum in the tile, and its address in bits.
    first: u32,
    from_bit: u32,
    count: usize,
    /// First row of the register that is written.
    to_row: usize,
}

impl Run {
    fn locate(setup: &Setup, adc: &AddressCounters) -> Result<Self, Fault> {
        let v = |channel, dim| adc.value(channel, dim);
        let [y, z, w] = setup.strides;
        let first = [(dim::X, 1), (dim::Y, y), (dim::Z, z), (dim::W, w)]
            .into_iter()
            .fold(0u32, |sum, (dim, stride)| sum.wrapping_add(v(0, dim).wrapping_mul(stride)));
        let bits = setup.conversion.input.datum_bits() as u32;
        // Exponents take whole 16-byte units.
        let datums = setup.base.wrapping_add(setup.exponents.next_multiple_of(16));
        let from_bit = (datums << 3).wrapping_add(first.wrapping_mul(bits));
        if (setup.transpose || setup.tilize) && from_bit & 127 != 0 {
            let what = format!("transposing or tilizing from L1 {:#x}: not a multiple of 16", from_bit / 8);
            return Err(Fault::program(what).page(PAGE));
        }
        let (from_x, to_x) = (v(0, dim::X), v(1, dim::X));
        if from_x > to_x {
            return Err(Fault::program(format!("x range {from_x}..={to_x} is empty")).page(PAGE));
        }
        let count = (to_x - from_x + 1) as usize;
        Ok(Self { first, from_bit, count, to_row: Self::destination(setup, adc, count)? })
    }

    fn destination(setup: &Setup, adc: &AddressCounters, count: usize) -> Result<usize, Fault> {
        let v = |dim| adc.value(1, dim);
        if v(dim::W) != 0 {
            return Err(Fault::not_implemented("unpack with output counter w").page(PAGE));
        }
        if setup.transpose && setup.conversion.to_dst {
            return Err(Fault::program("unpack to Dst with transposition").page(PAGE));
        }
        let counters = v(dim::Y) * setup.out_strides[0] + v(dim::Z) * setup.out_strides[1];
        let mut to = setup.context_start + if setup.counted { counters } else { 0 };
        if setup.unpacker == 0 {
            to = to.checked_sub(SRCA_SKIP).ok_or_else(|| {
                Fault::undocumented(format!("unpacker 0 writing in front of SrcA, datum {to}")).page(PAGE)
            })?;
        }
        let rows = if setup.conversion.to_dst { dst::ROWS / 2 } else { ROWS };
        if !to.is_multiple_of(COLS as u32) || to as usize + count > rows * COLS {
            let what = format!("unpacker {} writing {count} datums from datum {to}", setup.unpacker);
            return Err(Fault::program(what).page(PAGE));
        }
        Ok(to as usize / COLS)
    }
}

/// SrcA takes several rows at once. A burst that spans two sets of sixteen rows loses rows in hardware, so it
/// has to be aligned.
fn check_bursts(setup: &Setup, run: &Run) -> Result<(), Fault> {
    if setup.throttle_mode > 2 {
        return Err(Fault::program(format!("Throttle_mode {}", setup.throttle_mode)).page(PAGE));
    }
    if setup.unpacker == 1 || setup.conversion.to_dst || run.count <= COLS {
        return Ok(());
    }
    let bits = setup.conversion.input.datum_bits();
    let mode = match bits {
        2 => 0,
        _ if setup.tilize => 2,
        _ => setup.throttle_mode,
    };
    let rows = ((16 << mode) / (2 * bits)).clamp(1, 8);
    if run.to_row & (rows - 1) != 0 {
        let what = format!("unpacking bursts of {rows} rows to SrcA row {}", run.to_row);
        return Err(Fault::undocumented(what).page(PAGE));
    }
    Ok(())
}

fn store(bank: &mut [Row; ROWS], transpose: bool, row: usize, datums: &[u32]) {
    if transpose {
        for (col, &datum) in datums.iter().enumerate() {
            bank[row & !15 | col][row & 15] = datum;
        }
    } else {
        bank[row][..datums.len()].copy_from_slice(datums);
    }
}
