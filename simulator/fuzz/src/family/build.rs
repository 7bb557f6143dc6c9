//! Builds cases: configuration fields, memory, and the code that copies state to memory.
//!
//! ```text
//! L1: 0x3_0000 words that were read    0x4_0000 input    0x6_0000 dumps of Dst    0x8_0000 what packers write
//! ```

use std::collections::HashMap;

use tt_isa::cfg::{CfgField, Space};
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat;
use tt_isa::insn::{MOVA2D, MOVB2D, PACR, SETADCXX, SETADCXY, SETADCZW, SETC16, SETRWC, UNPACR};
use tt_isa::map::{CFG_BASE, PC_BUF_BASE, PC_BUF_SEMAPHORE, REGFILE_BASE, RiscV};

use crate::case::{Action, Case, Data, Fill, Look};
use crate::family::Family;
use crate::random::Random;

/// Words that the core has read.
pub const READ: u32 = 0x3_0000;
/// What unpackers read: for Dst, SrcA, SrcB.
pub const INPUT: [u32; 3] = [0x4_0000, 0x4_4000, 0x4_8000];
/// Dst, as the last packs bring it to memory.
pub const DST: u32 = 0x6_0000;
/// What packers under test write.
pub const OUTPUT: u32 = 0x8_0000;
/// Distance between the sections of the four packers' registers and packer 0's.
pub const SECTION: [u32; 4] = [0, 28, 40, 68];
/// GPRs of a thread.
const GPRS: u32 = 64;
/// `Config` registers that a core can read, as the first one and their number.
const READABLE: [(u32, u32); 17] = [
    (0, 4),
    (8, 4),
    (14, 1),
    (20, 8),
    (44, 2),
    (47, 1),
    (52, 2),
    (56, 6),
    (64, 2),
    (72, 1),
    (74, 1),
    (84, 4),
    (92, 2),
    (96, 6),
    (104, 2),
    (124, 2),
    (126, 2),
];

/// The parts of a case that take actions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Setup,
    Body,
    Dump,
}

/// A case in the making.
pub struct Builder {
    pub case: Case,
    part: Part,
    config: HashMap<u32, u32>,
    thread_config: HashMap<u32, u32>,
    read: u32,
}

impl Builder {
    /// An empty case.
    pub fn new(family: Family, core: RiscV) -> Self {
        Self {
            case: Case::new(family, core),
            part: Part::Setup,
            config: HashMap::new(),
            thread_config: HashMap::new(),
            read: READ,
        }
    }

    /// From here on actions belong to this part.
    pub fn part(&mut self, part: Part) {
        self.part = part;
    }

    /// Appends an action.
    pub fn act(&mut self, action: Action) {
        match self.part {
            Part::Setup => self.case.setup.push(action),
            Part::Body => self.case.body.push(action),
            Part::Dump => self.case.dump.push(action),
        }
    }

    /// Pushes an instruction.
    pub fn push(&mut self, word: u32) {
        self.act(Action::Push(word));
    }

    /// Waits for the coprocessor.
    pub fn sync(&mut self) {
        self.act(Action::Sync);
    }

    /// Writes a `Config` register of bank 0.
    pub fn config_word(&mut self, index: u32, value: u32) {
        self.config.insert(index, value);
        self.act(Action::Write(CFG_BASE + 4 * index, value));
    }

    /// Sets a field: of bank 0, or (in the instruction stream) of the thread.
    pub fn set(&mut self, field: CfgField, value: u32) {
        match field.space {
            Space::Config => {
                let old = self.config.get(&field.index).copied().unwrap_or(0);
                self.config_word(field.index, field.with(old, value));
            }
            Space::Thread => {
                let word = self.thread_config.entry(field.index).or_insert(0);
                *word = field.with(*word, value);
                let word = SETC16 { setc16_reg: field.index, setc16_value: *word }.word();
                self.push(word);
            }
        }
    }

    /// Sets a `ThreadConfig` register.
    pub fn thread_word(&mut self, index: u32, value: u32) {
        self.thread_config.insert(index, value);
        self.push(SETC16 { setc16_reg: index, setc16_value: value }.word());
    }

    /// A field of every packer's section.
    pub fn every_packer(&mut self, field: CfgField, value: u32) {
        for distance in SECTION {
            self.set(CfgField { index: field.index + distance, ..field }, value);
        }
    }

    /// Fills memory.
    pub fn fill(&mut self, addr: u32, words: u32, data: Data, random: &mut Random) {
        self.case.fills.push(Fill { addr, words, data, seed: random.next() });
    }

    /// Sets a GPR of the thread.
    pub fn gpr(&mut self, index: u32, value: u32) {
        self.act(Action::Write(REGFILE_BASE + 4 * index, value));
    }

    /// Copies words to the result.
    pub fn read(&mut self, from: u32, words: u32) {
        self.act(Action::Copy { from, to: self.read, words });
        self.case.looks.push(Look::own(self.read, 4 * words));
        self.read += 4 * words;
    }

    /// GPRs, configuration and semaphores become part of the result.
    pub fn dump_scalar(&mut self) {
        self.part(Part::Dump);
        self.sync();
        self.read(REGFILE_BASE, GPRS);
        for (first, count) in READABLE {
            self.read(CFG_BASE + 4 * first, count);
        }
        self.read(PC_BUF_BASE + PC_BUF_SEMAPHORE, 8);
    }

    /// Unpacker 0 unpacks to SrcA or Dst.
    pub fn unpacker0(&mut self, input: DataFormat, output: DataFormat, to_dst: bool) {
        self.config_word(c::THCON_SEC0_REG0_TileDescriptor.index, input as u32 | 1 << 4 | 16 << 16);
        self.config_word(c::THCON_SEC0_REG0_TileDescriptor.index + 1, 16 | 4 << 16);
        self.set(c::THCON_SEC0_REG2_Out_data_format, output as u32);
        self.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 1);
        self.set(c::THCON_SEC0_REG2_Throttle_mode, 2);
        self.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, to_dst.into());
        let input = if to_dst { INPUT[0] } else { INPUT[1] };
        self.set(c::THCON_SEC0_REG3_Base_address, (input >> 4) - 1);
        self.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64);
        self.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 16);
        self.set(tc::SRCA_SET_SetOvrdWithAddr, (!to_dst).into());
    }

    /// Unpacker 1 unpacks to SrcB.
    pub fn unpacker1(&mut self, input: DataFormat, output: DataFormat) {
        self.config_word(c::THCON_SEC1_REG0_TileDescriptor.index, input as u32 | 1 << 4 | 16 << 16);
        self.config_word(c::THCON_SEC1_REG0_TileDescriptor.index + 1, 16 | 4 << 16);
        self.set(c::THCON_SEC1_REG2_Out_data_format, output as u32);
        self.set(c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1);
        self.set(c::THCON_SEC1_REG3_Base_address, (INPUT[2] >> 4) - 1);
    }

    /// Loads so many 32-bit rows of Dst, at most 64.
    pub fn load_dst(&mut self, rows: u32, data: Data, random: &mut Random) {
        self.fill(INPUT[0], 16 * rows, data, random);
        self.unpacker0(DataFormat::Fp32, DataFormat::Fp32, true);
        self.push(SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 16 * rows - 1 }.word());
        self.push(UNPACR { ovrd_thread_id: 1, last: 1, ..UNPACR::ZERO }.word());
        self.sync();
    }

    /// Configures the packers to bring rows of Dst to memory in the given formats.
    pub fn packers(&mut self, wide: bool, input: DataFormat, output: DataFormat, to: u32) {
        self.set(c::ALU_FORMAT_SPEC_REG2_Dstacc, input as u32);
        self.set(c::PCK_DEST_RD_CTRL_Read_32b_data, wide.into());
        self.every_packer(c::THCON_SEC0_REG1_In_data_format, input as u32);
        self.every_packer(c::THCON_SEC0_REG1_Out_data_format, output as u32);
        self.every_packer(c::THCON_SEC0_REG1_Exp_section_size, output.is_block_float().into());
        for packer in 0..4 {
            let field = c::THCON_SEC0_REG1_L1_Dest_addr;
            let index = field.index + SECTION[packer as usize];
            self.config_word(index, ((to + packer * 0x1000) >> 4) - 1);
            let counters = c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane;
            self.set(CfgField { index: counters.index + packer, ..counters }, 16);
            let offset = c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset;
            self.set(CfgField { index: offset.index + packer, ..offset }, packer * 16);
        }
        self.set(c::PCK_EDGE_OFFSET_SEC0_mask, 0xFFFF);
        self.push(SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 255 }.word());
    }

    /// Copies this many 16-bit rows of Dst (a multiple of 64) to memory, under any configuration, as part of the result.
    /// The packers have to be between tiles.
    pub fn dump_dst(&mut self, rows: u32) {
        self.part(Part::Dump);
        let at = DST + self.dst_dumped();
        self.thread_word(tc::CFG_STATE_ID_StateID.index, 0);
        self.thread_word(tc::ADDR_MOD_PACK_SEC0_YsrcIncr.index, 0);
        self.sync();
        let raw = DataFormat::Int16 as u32;
        let registers = [
            (c::ALU_FORMAT_SPEC_REG2_Dstacc.index, c::ALU_FORMAT_SPEC_REG2_Dstacc.value(raw)),
            (c::STACC_RELU_ApplyRelu.index, 0),
            (c::PCK0_ADDR_CTRL_XY_REG_0_Ystride.index, 0),
            (c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride.index, 0),
            (c::PCK_DEST_RD_CTRL_Read_32b_data.index, 0),
            (c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0.index, 0),
            (c::PCK_EDGE_OFFSET_SEC0_mask.index, 0xFFFF),
        ];
        registers.into_iter().for_each(|(index, value)| self.config_word(index, value));
        let formats =
            c::THCON_SEC0_REG1_In_data_format.value(raw) | c::THCON_SEC0_REG1_Out_data_format.value(raw);
        for (packer, distance) in (0..).zip(SECTION) {
            self.config_word(c::THCON_SEC0_REG1_Exp_section_size.index + distance, 0);
            self.config_word(c::THCON_SEC0_REG1_In_data_format.index + distance, formats);
            self.config_word(c::THCON_SEC0_REG1_Pack_L1_Acc.index + distance, 0);
            let counters = c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane;
            self.config_word(counters.index + packer, counters.value(16));
        }
        self.push(SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 255 }.word());
        self.push(SETADCXY { cnt_set_mask: 4, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
        self.push(SETADCZW { cnt_set_mask: 4, bit_mask: 15, ..SETADCZW::ZERO }.word());
        for group in 0..rows / 64 {
            for (packer, distance) in (0..).zip(SECTION) {
                let to = at + group * 0x800 + packer * 0x200;
                self.config_word(c::THCON_SEC0_REG1_L1_Dest_addr.index + distance, (to >> 4) - 1);
                let offset = c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset.index;
                self.config_word(offset + packer, 64 * group + 16 * packer);
            }
            self.push(PACR { pack_sel: 15, last: 1, ..PACR::ZERO }.word());
            self.sync();
        }
        self.case.looks.push(Look::own(at, rows * 32));
    }

    /// Bytes of Dst that earlier dumps take.
    fn dst_dumped(&self) -> u32 {
        let in_dst = |look: &&Look| (DST..OUTPUT).contains(&look.addr);
        self.case.looks.iter().filter(in_dst).map(|look| look.len).sum()
    }

    /// Copies the matrix unit's banks of SrcA and SrcB, which must be valid, to memory through Dst.
    pub fn dump_sources(&mut self, a: bool, b: bool) {
        self.part(Part::Dump);
        self.neutral_math();
        let keep = c::ALU_ACC_CTRL_Zero_Flag_disabled_src;
        self.config_word(keep.index, keep.value(1));
        let formats = c::ALU_FORMAT_SPEC_REG0_SrcA.value(DataFormat::Tf32 as u32)
            | c::ALU_FORMAT_SPEC_REG1_SrcB.value(DataFormat::Tf32 as u32);
        self.config_word(c::ALU_FORMAT_SPEC_REG_SrcA_val.index, 0);
        self.config_word(c::ALU_FORMAT_SPEC_REG0_SrcA.index, formats | c::ALU_ACC_CTRL_Fp32_enabled.value(1));
        for row in (0..64).step_by(8).filter(|_| a) {
            self.push(MOVA2D { src: row, dst: row, instr_mod: 2, ..MOVA2D::ZERO }.word());
        }
        for row in (0..64).step_by(4).filter(|_| b) {
            self.push(MOVB2D { src: row, dst: 64 + row, instr_mod: 4, ..MOVB2D::ZERO }.word());
        }
        self.sync();
        self.dump_dst(256);
    }

    /// Counters, offsets and address modifiers of the matrix unit become 0.
    pub fn neutral_math(&mut self) {
        let registers = [
            tc::CFG_STATE_ID_StateID.index,
            tc::DEST_TARGET_REG_CFG_MATH_Offset.index,
            tc::ADDR_MOD_SET_Base.index,
            tc::CLR_DVALID_SrcA_Disable.index,
            tc::ADDR_MOD_AB_SEC0_SrcAIncr.index,
            tc::ADDR_MOD_DST_SEC0_DestIncr.index,
            tc::ADDR_MOD_BIAS_SEC0_BiasIncr.index,
        ];
        registers.into_iter().for_each(|index| self.thread_word(index, 0));
        self.push(SETRWC { bit_mask: 15, ..SETRWC::ZERO }.word());
        self.sync();
    }
}
