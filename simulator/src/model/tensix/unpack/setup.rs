//! The configuration of an unpack: formats, addresses in L1, destination.

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::format::DataFormat;
use tt_isa::insn::UNPACR;

use super::convert::Conversion;
use super::place::{Output, Target};
use super::{CONTEXTS, PAGE, SRCA_SKIP};
use crate::fault::Fault;
use crate::model::tensix::{THREADS, Tensix};

/// What an instruction is asked to do, and the configuration that it does it with.
pub(super) struct Setup {
    pub unpacker: usize,
    pub conversion: Conversion,
    /// Thread whose x and y counters say where the input starts, and where it ends.
    pub counters: usize,
    /// Which datums of a row, or of the input, are read.
    pub range: Range,
    pub tilize: bool,
    pub throttle_mode: u32,
    /// Byte address of the shared exponents, if there are any, and of the datums.
    pub exponents: u32,
    pub datums: u32,
    /// Datums of a row, a plane and a cube of the input.
    pub strides: [u32; 3],
    /// The exponent of all datums, if they have none of their own.
    pub forced_exponent: Option<u8>,
    /// Bytes between sixteen input datums and the next sixteen.
    pub row_stride: u32,
    pub wrap: Wrap,
    /// Output strides in datums (y, z, w), and the address that they are added to.
    pub out_strides: [u32; 3],
    pub out_base: u32,
    /// Whether output counters matter, or the context's start alone does.
    pub counted: bool,
    pub output: Output,
    /// Zeros are written, independent of L1.
    pub zeros: bool,
}

/// Which datums are read.
#[derive(Clone, Copy)]
pub(super) enum Range {
    /// From the x counter of channel 0 up to and with that of channel 1.
    Counters,
    /// A row search without blobs: a whole row, up to the x counter of channel 1.
    Row,
    /// A row search with blobs: from the blob that the y counter names to the one behind the x counter's.
    Blobs { starts: u32, per_plane: u32 },
}

/// A ring of input buffers: addresses beyond `limit` continue `size` bytes lower.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrap {
    limit: u32,
    size: u32,
}

impl Wrap {
    /// Where `addr` is, in bytes.
    #[inline]
    pub fn apply(self, addr: u32) -> u32 {
        if addr > self.limit { addr.wrapping_sub(self.size) } else { addr }
    }

    /// Whether addresses stay as they are.
    pub fn is_none(self) -> bool {
        self.size == 0
    }
}

/// Fields of each unpacker, `[unpacker]`; the sections of both have the same layout.
const DESCRIPTORS: [CfgField; 2] = [c::THCON_SEC0_REG0_TileDescriptor, c::THCON_SEC1_REG0_TileDescriptor];
const OUT_XY: [CfgField; 2] = [c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, c::UNP1_ADDR_CTRL_XY_REG_1_Ystride];
const OUT_Z: [CfgField; 2] = [c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, c::UNP1_ADDR_CTRL_ZW_REG_1_Zstride];
const OUT_W: [CfgField; 2] = [c::UNP0_ADDR_CTRL_ZW_REG_1_Wstride, c::UNP1_ADDR_CTRL_ZW_REG_1_Wstride];
const FORCED: [CfgField; 2] = [c::UNP0_FORCED_SHARED_EXP_shared_exp, c::UNP1_FORCED_SHARED_EXP_shared_exp];
const UNSIGNED: [CfgField; 2] = [c::ALU_FORMAT_SPEC_REG0_SrcAUnsigned, c::ALU_FORMAT_SPEC_REG0_SrcBUnsigned];

/// Fields of each context of unpacker 0.
const BASES: [CfgField; CONTEXTS] = [
    c::THCON_SEC0_REG3_Base_address,
    c::THCON_SEC0_REG3_Base_cntx1_address,
    c::THCON_SEC0_REG3_Base_cntx2_address,
    c::THCON_SEC0_REG3_Base_cntx3_address,
    c::THCON_SEC0_REG4_Base_cntx4_address,
    c::THCON_SEC0_REG4_Base_cntx5_address,
    c::THCON_SEC0_REG4_Base_cntx6_address,
    c::THCON_SEC0_REG4_Base_cntx7_address,
];
const UNCOMPRESSED: [CfgField; CONTEXTS] = [
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx0,
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx1,
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx2,
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx3,
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx4,
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx5,
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx6,
    c::THCON_SEC0_REG2_Disable_zero_compress_cntx7,
];
const TO_DST: [CfgField; CONTEXTS] = [
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx0,
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx1,
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx2,
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx3,
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx4,
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx5,
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx6,
    c::THCON_SEC0_REG2_Unpack_if_sel_cntx7,
];
const FORMATS_IN: [CfgField; CONTEXTS] = [
    c::THCON_SEC0_REG7_Unpack_data_format_cntx0,
    c::THCON_SEC0_REG7_Unpack_data_format_cntx1,
    c::THCON_SEC0_REG7_Unpack_data_format_cntx2,
    c::THCON_SEC0_REG7_Unpack_data_format_cntx3,
    c::THCON_SEC0_REG7_Unpack_data_format_cntx4,
    c::THCON_SEC0_REG7_Unpack_data_format_cntx5,
    c::THCON_SEC0_REG7_Unpack_data_format_cntx6,
    c::THCON_SEC0_REG7_Unpack_data_format_cntx7,
];
const FORMATS_OUT: [CfgField; CONTEXTS] = [
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx0,
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx1,
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx2,
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx3,
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx4,
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx5,
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx6,
    c::THCON_SEC0_REG7_Unpack_out_data_format_cntx7,
];
/// Fields that each two contexts share: contexts 4 to 7 have those of 0 to 3.
const OFFSETS: [CfgField; 4] = [
    c::THCON_SEC0_REG7_Offset_address,
    c::THCON_SEC0_REG7_Offset_cntx1_address,
    c::THCON_SEC0_REG7_Offset_cntx2_address,
    c::THCON_SEC0_REG7_Offset_cntx3_address,
];
const X_DIMS: [CfgField; 4] = [
    c::THCON_SEC0_REG5_Tile_x_dim_cntx0,
    c::THCON_SEC0_REG5_Tile_x_dim_cntx1,
    c::THCON_SEC0_REG5_Tile_x_dim_cntx2,
    c::THCON_SEC0_REG5_Tile_x_dim_cntx3,
];
const DESTINATIONS: [CfgField; 4] = [
    c::THCON_SEC0_REG5_Dest_cntx0_address,
    c::THCON_SEC0_REG5_Dest_cntx1_address,
    c::THCON_SEC0_REG5_Dest_cntx2_address,
    c::THCON_SEC0_REG5_Dest_cntx3_address,
];
const SHIFTS: [CfgField; 4] = [
    c::THCON_SEC0_REG2_Shift_amount_cntx0,
    c::THCON_SEC0_REG2_Shift_amount_cntx1,
    c::THCON_SEC0_REG2_Shift_amount_cntx2,
    c::THCON_SEC0_REG2_Shift_amount_cntx3,
];

/// One unpacker's section of the configuration, as one context of one thread sees it.
struct Section<'a> {
    t: &'a Tensix,
    thread: usize,
    unpacker: usize,
    context: usize,
    /// Several contexts with fields of their own, or what the tile descriptor says.
    multi: bool,
}

impl Section<'_> {
    /// A field that is given for unpacker 0's section.
    fn get(&self, field: CfgField) -> u32 {
        let distance = (c::THCON_SEC1_REG0_TileDescriptor.index - c::THCON_SEC0_REG0_TileDescriptor.index)
            * self.unpacker as u32;
        self.t.cfg.get(self.thread, CfgField { index: field.index + distance, ..field })
    }

    /// A field that each unpacker has outside the sections.
    fn of(&self, fields: [CfgField; 2]) -> u32 {
        self.t.cfg.get(self.thread, fields[self.unpacker])
    }

    fn word(&self, index: u32) -> u32 {
        self.t.cfg.word(self.t.cfg.bank(self.thread), index)
    }
}

/// The configuration context that an instruction uses, and the thread whose x and y counters.
pub(super) fn context(t: &Tensix, thread: usize, op: &UNPACR) -> Result<(usize, usize), Fault> {
    if op.ovrd_thread_id == 0 {
        return Ok((0, thread));
    }
    let unpacker = op.unpack_block_selection as usize;
    let offset = [tc::UNPACK_MISC_CFG_CfgContextOffset_0, tc::UNPACK_MISC_CFG_CfgContextOffset_1][unpacker];
    let number = if op.auto_inc_context_id != 0 {
        t.unpack.context_counter[unpacker][thread] as usize
    } else {
        op.cfg_context_id as usize
    };
    let context = (number + t.cfg.thread(thread, offset) as usize) % CONTEXTS;
    if unpacker == 1 && context >= 2 {
        return Err(Fault::program(format!("unpack context {context} of unpacker 1")).page(PAGE));
    }
    // The page takes thread 0's counters for 0, the vendor's simulator the thread's own. Programs unpack in
    // thread 0, where both are the same.
    let counters = match op.addr_cnt_context_id as usize {
        0 => thread,
        other if other < THREADS => other,
        other => return Err(Fault::program(format!("UNPACR with counters of thread {other}")).page(PAGE)),
    };
    Ok((context, counters))
}

impl Setup {
    pub fn read(
        t: &Tensix,
        thread: usize,
        op: &UNPACR,
        context: usize,
        counters: usize,
    ) -> Result<Self, Fault> {
        let unpacker = op.unpack_block_selection as usize;
        let s = Section { t, thread, unpacker, context, multi: op.ovrd_thread_id != 0 };
        let descriptor = s.of(DESCRIPTORS);
        check_compression(&s, descriptor)?;
        let to_dst = unpacker == 0
            && s.get(if s.multi { TO_DST[context] } else { c::THCON_SEC0_REG2_Unpack_If_Sel }) != 0;
        let conversion = conversion(&s, descriptor, to_dst)?;
        let strides = input_strides(&s, descriptor);
        let forced = s.get(c::THCON_SEC0_REG2_Force_shared_exp) != 0;
        let forced_exponent = forced.then(|| s.of(FORCED) as u8);
        let exponents = (s.get(BASES[if s.multi { context } else { 0 }]))
            .wrapping_add(s.get(OFFSETS[if s.multi { context & 3 } else { 0 }]) & 0xFFFF)
            .wrapping_add(1)
            << 4;
        let section = exponent_section(&conversion, descriptor, forced, strides[2]);
        let tilize = s.get(c::THCON_SEC0_REG2_Tileize_mode) != 0;
        let output = output(&s, &conversion, tilize)?;
        check_modes(&conversion, tilize, &output)?;
        let (out_strides, out_base, counted) = output_address(&s, &conversion)?;
        Ok(Self {
            unpacker,
            conversion,
            counters,
            range: range(&s, op, descriptor)?,
            tilize,
            throttle_mode: s.get(c::THCON_SEC0_REG2_Throttle_mode),
            exponents,
            datums: exponents.wrapping_add(section),
            strides,
            forced_exponent,
            row_stride: if tilize { tilize_stride(&s) } else { 2 * conversion.input.datum_bits() as u32 },
            wrap: Wrap {
                limit: s.get(c::THCON_SEC0_REG2_Unpack_limit_address) << 4,
                size: s.get(c::THCON_SEC0_REG2_Unpack_fifo_size) << 4,
            },
            out_strides,
            out_base,
            counted,
            output,
            zeros: op.zero_write2 != 0,
        })
    }
}

fn check_compression(s: &Section, descriptor: u32) -> Result<(), Fault> {
    let uncompressed = if s.multi { s.get(UNCOMPRESSED[s.context]) } else { descriptor >> 4 & 1 };
    if uncompressed == 0 {
        return Err(Fault::not_implemented(format!("unpacker {} with compressed input", s.unpacker))
            .page("TensixTile/TensixCoprocessor/Packers/Compression.md"));
    }
    Ok(())
}

fn conversion(s: &Section, descriptor: u32, to_dst: bool) -> Result<Conversion, Fault> {
    let own = s.multi && s.get(c::THCON_SEC0_REG2_Ovrd_data_format) != 0;
    let (from, to) = if own {
        (s.get(FORMATS_IN[s.context]), s.get(FORMATS_OUT[s.context]))
    } else {
        (descriptor & 15, s.get(c::THCON_SEC0_REG2_Out_data_format))
    };
    let (Some(input), Some(output)) = (DataFormat::from_code(from), DataFormat::from_code(to)) else {
        return Err(Fault::program(format!("unpack from format {from} to format {to}")).page(PAGE));
    };
    let conversion = Conversion { input, output, to_dst, unsigned: s.of(UNSIGNED) != 0 };
    if !conversion.defined() {
        let register = if to_dst { "Dst" } else { "SrcA/SrcB" };
        let what = format!("unpack from {input:?} to {output:?} in {register}");
        return Err(Fault::program(what).page("TensixTile/TensixCoprocessor/Unpackers/FormatConversion.md"));
    }
    Ok(conversion)
}

/// Datums of a row, a plane, a cube. The descriptor's third word, with the w dimension, does not exist in silicon.
fn input_strides(s: &Section, descriptor: u32) -> [u32; 3] {
    let extents = s.word(DESCRIPTORS[s.unpacker].index + 1);
    let x = if s.multi && s.unpacker == 0 { s.get(X_DIMS[s.context & 3]) } else { descriptor >> 16 };
    let plane = x.wrapping_mul(extents & 0xFF);
    [x, plane, plane.wrapping_mul((extents >> 16 & 0xFF).max(1))]
}

/// Bytes of shared exponents between the start of the tile and its datums: whole 16-byte units.
fn exponent_section(conversion: &Conversion, descriptor: u32, forced: bool, datums: u32) -> u32 {
    let absent = descriptor >> 5 & 1 != 0 && conversion.input.datum_bits() < 8;
    if !conversion.input.is_block_float() || forced || absent {
        return 0;
    }
    datums.div_ceil(16).next_multiple_of(16)
}

fn range(s: &Section, op: &UNPACR, descriptor: u32) -> Result<Range, Fault> {
    let per_plane = descriptor >> 8 & 7;
    if op.row_search == 0 {
        Ok(Range::Counters)
    } else if per_plane == 0 {
        Ok(Range::Row)
    } else if s.multi && s.unpacker == 0 {
        let starts =
            [c::UNP0_BLOBS_Y_START_CNTX_01_blobs_y_start, c::UNP0_BLOBS_Y_START_CNTX_23_blobs_y_start];
        Ok(Range::Blobs { starts: s.t.cfg.get(s.thread, starts[s.context >> 1 & 1]), per_plane })
    } else {
        Err(Fault::undocumented("row search with blobs from the tile descriptor, whose word silicon lacks")
            .page(PAGE))
    }
}

/// Tilize mode takes its stride from the fields that are shift amounts otherwise, in units of 16 bytes.
fn tilize_stride(s: &Section) -> u32 {
    SHIFTS[..3].iter().rev().fold(0, |stride, &field| stride << 4 | s.get(field)) << 4
}

fn output(s: &Section, conversion: &Conversion, tilize: bool) -> Result<Output, Fault> {
    let transpose = s.get(c::THCON_SEC0_REG2_Haloize_mode) != 0;
    if s.unpacker == 1 && transpose {
        return Err(Fault::undocumented("unpacker 1 with transposition").page(PAGE));
    }
    let by_address = s.t.cfg.thread(s.thread, tc::SRCA_SET_SetOvrdWithAddr) != 0;
    let src_row = usize::from(s.t.unpack.src_row[s.unpacker][s.thread]);
    let target = match (s.unpacker, conversion.to_dst) {
        (1, _) => Target::SrcB { first_row: src_row },
        (_, false) if by_address => Target::SrcA { first_row: 0, rows: 64 },
        (_, false) => Target::SrcA { first_row: src_row, rows: 16 },
        (_, true) if by_address => {
            return Err(Fault::program("unpack to Dst with SRCA_SET_SetOvrdWithAddr").page(PAGE));
        }
        (_, true) if conversion.output.datum_bits() == 32 => Target::Dst32,
        (_, true) => Target::Dst16,
    };
    let shifted = s.unpacker == 0 && !tilize;
    Ok(Output {
        target,
        transpose,
        skip: if s.unpacker == 0 { SRCA_SKIP } else { 0 },
        col_shift: if shifted { s.get(SHIFTS[s.context & 3]) as usize } else { 0 },
        zeros_between: (1 << s.get(c::THCON_SEC0_REG2_Upsample_rate)) - 1,
        interleave: s.get(c::THCON_SEC0_REG2_Upsample_and_interleave) != 0,
    })
}

fn check_modes(conversion: &Conversion, tilize: bool, output: &Output) -> Result<(), Fault> {
    let program = |what: &str| Err(Fault::program(what).page(PAGE));
    if conversion.to_dst && output.transpose {
        return program("unpack to Dst with transposition");
    }
    if conversion.to_dst && output.col_shift != 0 {
        return program("unpack to Dst with a column shift");
    }
    if tilize && output.zeros_between != 0 {
        return program("unpack with tilize mode and upsampling");
    }
    if tilize && conversion.input.datum_bits() < 8 {
        return program("unpack with tilize mode of datums that are less than a byte");
    }
    Ok(())
}

/// Output strides in datums, what they are added to, and whether they are.
fn output_address(s: &Section, conversion: &Conversion) -> Result<([u32; 3], u32, bool), Fault> {
    let bytes = conversion.output.datum_bits().div_ceil(8) as u32;
    let strides = [s.of(OUT_XY), s.of(OUT_Z), s.of(OUT_W)];
    if strides.iter().any(|stride| !stride.is_multiple_of(bytes)) {
        let what = format!("unpack output strides {strides:?} for datums of {bytes} bytes");
        return Err(Fault::program(what).page(PAGE));
    }
    let strides = strides.map(|stride| stride / bytes);
    if s.unpacker == 1 || !s.multi {
        return Ok((strides, 0, true));
    }
    let adds = conversion.to_dst || s.t.cfg.get(s.thread, c::UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr) != 0;
    Ok((strides, s.get(DESTINATIONS[s.context & 3]), adds))
}

/// Whether whole rows of datums go to rows of the register as they are.
pub(super) fn is_plain(setup: &Setup) -> bool {
    let output = &setup.output;
    let plain = !(setup.conversion.to_dst || output.transpose || setup.tilize || setup.zeros);
    plain && output.col_shift == 0 && output.zeros_between == 0 && setup.forced_exponent.is_none()
}
