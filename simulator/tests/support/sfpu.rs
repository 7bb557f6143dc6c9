//! Vector unit programs: registers are filled from Dst, an instruction executes, and all registers are stored to Dst.
//!
//! ```text
//! L1 -unpacker-> Dst rows 0..63 -SFPLOAD-> LReg 0..7 -> the instruction
//!                                          LReg 0..7 -SFPSTORE-> Dst rows 64.. -packers-> L1
//! ```

#![allow(dead_code, reason = "each test takes what it needs")]

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::config as c;
use tt_isa::format::DataFormat::{self, Bf16, Bfp4, Bfp8, Fp16, Fp32, Int16, Int32};
use tt_isa::insn::Opcode::{self, *};
use tt_isa::insn::{self as i, SETADCZW};
use tt_isa::sfpu::{lane_config, lreg, mod0_fmt, sfp_stoch_rnd, sfpencc, sfploadi, sfpmov};

use super::datapath::{OUT, SECTION, fill_dst, packers};
use tt_isa::map::RiscV;

use super::{Program, Random};

/// Rows of Dst in front of the results.
const INPUT_ROWS: u32 = 64;
/// Registers' worth of datums in them.
const INPUTS: u32 = INPUT_ROWS / 2;
/// Registers' worth of results that a group of 64 rows takes.
pub const SLOTS: u32 = 32;
/// Bytes of a group.
const GROUP: u32 = 4096;

/// Numbers that arithmetic stumbles over, and neighbours of each other.
pub fn awkward(random: &mut Random) -> u32 {
    const SPECIAL: [u32; 28] = [
        0,
        1,
        0x7F_FFFF,
        0x80_0000,
        0x80_0001,
        0xFF_FFFF,
        0x100_0000,
        0x3F00_0000,
        0x3F7F_FFFF,
        0x3F80_0000,
        0x3F80_0001,
        0x3FC0_0000,
        0x4000_0000,
        0x4040_0000,
        0x4080_0000,
        0x42FE_FFFF,
        0x437F_8000,
        0x46FF_FF00,
        0x477F_FF80,
        0x4B00_0000,
        0x7E80_0000,
        0x7F00_0000,
        0x7F7F_FFFF,
        0x7F80_0000,
        0x7F80_0001,
        0x7FC0_0000,
        0x7FFF_FFFF,
        0x3F80_8000,
    ];
    let r = random.next();
    let pick = random.next();
    match pick % 8 {
        0 | 1 => SPECIAL[r as usize % SPECIAL.len()] | r & 0x8000_0000,
        2 => r,
        3 => r & 0x8000_00FF,
        // Exponents near one another: sums cancel.
        4 | 5 => r & 0x83FF_FFFF | 0x3E00_0000,
        // Exponents whose products are near the ends of the range.
        6 => r & 0x87FF_FFFF | if pick & 8 != 0 { 0x1E00_0000 } else { 0x5A00_0000 },
        _ => SPECIAL[r as usize % SPECIAL.len()].wrapping_add((pick >> 8) % 5).wrapping_sub(2),
    }
}

/// A program of trials of instructions.
pub struct Trials {
    pub p: Program,
    random: Random,
    slot: u32,
    groups: u32,
    /// `ALU_ACC_CTRL_SFPU_Fp32_enabled`.
    wide: bool,
}

impl Trials {
    /// No trials yet, and room for that many groups of [`SLOTS`] results.
    pub fn new(seed: u64, groups: u32) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        (0..8).for_each(|_| _ = random.next());
        let datums: Vec<u32> = (0..INPUT_ROWS * 16).map(|_| awkward(&mut random)).collect();
        let wide = random.next().is_multiple_of(4);
        let formats = [Fp32, Fp16, Fp16, Bf16, Bfp8, Bfp4, Int16];
        let format = formats[random.next() as usize % formats.len()];
        Self::on(&datums, random, groups, wide, format)
    }

    fn on(datums: &[u32], random: Random, groups: u32, wide: bool, format: DataFormat) -> Self {
        let mut p = Program::on_core(RiscV::Trisc0, OUT..OUT + groups * GROUP);
        fill_dst(&mut p, datums);
        p.sync(0);
        p.set(c::ALU_ACC_CTRL_SFPU_Fp32_enabled, wide.into());
        p.set(c::ALU_FORMAT_SPEC_REG1_SrcB, format as u32);
        let mut trials = Self { p, random, slot: 0, groups, wide };
        trials.all_lanes();
        trials.lane_config(0);
        trials
    }

    /// Every format of a load, of 1024 datums of 16 bits from `first` on: `chunk` of 64.
    pub fn all_loads(chunk: u32) -> Self {
        let mut trials = Self::sixteen_bits(chunk);
        for format in
            [mod0_fmt::SRCB, mod0_fmt::BF16, mod0_fmt::UINT16, mod0_fmt::LO16_ONLY, mod0_fmt::HI16_ONLY]
        {
            for address in Self::low_halves() {
                trials.load(1, format, address);
                trials.store(1);
            }
        }
        trials
    }

    /// Every narrow format of a store, of 1024 upper halves of registers: `chunk` of 64.
    pub fn all_stores(chunk: u32) -> Self {
        let mut trials = Self::sixteen_bits(chunk);
        // 16-bit rows of the results: twice as many, and from twice as far.
        let mut dest_reg_addr = 2 * INPUT_ROWS;
        for instr_mod0 in [mod0_fmt::SRCB, mod0_fmt::BF16, mod0_fmt::HI16_ONLY, mod0_fmt::UINT16] {
            for address in Self::low_halves() {
                let imm16 = trials.random.next() & 0xFFFF;
                trials.push(i::SFPLOADI { lreg_ind: 1, instr_mod0: sfploadi::USHORT, imm16 }.word());
                trials.load(1, mod0_fmt::HI16_ONLY, address);
                let store = i::SFPSTORE { lreg_ind: 1, instr_mod0, sfpu_addr_mode: 0, dest_reg_addr };
                trials.push(store.word());
                dest_reg_addr += 2;
            }
        }
        trials
    }

    /// `SFPLOADI` of as many immediates as there is room for.
    pub fn all_immediates(instr_mod0: u32, first: u32) -> Self {
        let mut trials = Self::sixteen_bits(first);
        for imm16 in (first..0x1_0000).take(trials.room() as usize) {
            let lreg_ind = imm16 % 8;
            trials.push(i::SFPLOADI { lreg_ind, instr_mod0, imm16 }.word());
            trials.store(lreg_ind);
        }
        trials
    }

    /// With consecutive numbers in the low halves of the input, which no conversion on the way there changes.
    fn sixteen_bits(chunk: u32) -> Self {
        let datums: Vec<u32> =
            (0..INPUT_ROWS * 16).map(|i| 0x3F80_0000 | (chunk << 10 | i) & 0xFFFF).collect();
        Self::on(&datums, Random(u64::from(chunk) << 8 | 0x55), 7, false, Fp16)
    }

    /// Addresses of the input's low halves as 16-bit rows: eight of every sixteen.
    fn low_halves() -> impl Iterator<Item = u32> {
        (0..2 * INPUT_ROWS).step_by(2).filter(|row| row & 8 != 0)
    }

    fn load(&mut self, lreg_ind: u32, instr_mod0: u32, dest_reg_addr: u32) {
        self.push(i::SFPLOAD { lreg_ind, instr_mod0, sfpu_addr_mode: 0, dest_reg_addr }.word());
    }

    /// Results for which there is room.
    pub fn room(&self) -> u32 {
        self.groups * SLOTS - self.slot
    }

    pub fn push(&mut self, word: u32) {
        self.p.push(0, word);
    }

    /// All lanes take part, flags or not.
    pub fn all_lanes(&mut self) {
        self.encc(sfpencc::IMM_R);
    }

    /// Sets flags of all lanes and whether they count.
    pub fn encc(&mut self, imm12_math: u32) {
        let instr_mod1 = sfpencc::EI | sfpencc::RI;
        self.push(i::SFPENCC { imm12_math, lreg_dest: 0, instr_mod1 }.word());
    }

    /// Stores a register's next result.
    pub fn store(&mut self, register: u32) {
        assert!(self.room() > 0, "the program has no room for more results");
        let dest_reg_addr = INPUT_ROWS + 2 * self.slot;
        self.slot += 1;
        self.push(
            i::SFPSTORE { lreg_ind: register, instr_mod0: mod0_fmt::INT32, sfpu_addr_mode: 0, dest_reg_addr }
                .word(),
        );
    }

    /// Loads registers 0 to 7 from anywhere in the input.
    pub fn load_all(&mut self) {
        for register in 0..lreg::WRITABLE {
            let address = 2 * (self.random.next() % INPUTS);
            self.load(register, mod0_fmt::INT32, address);
        }
    }

    /// Flags by the sign or zeros of some register, counting from now on.
    pub fn some_lanes(&mut self) {
        self.encc(sfpencc::IMM_E | sfpencc::IMM_R);
        let word = self.legal(SFPSETCC);
        self.push(word);
    }

    /// One trial: new registers, all lanes or some, the instruction, then `registers` and the flags stored.
    pub fn trial(&mut self, word: u32, registers: &[u32]) {
        self.all_lanes();
        self.load_all();
        self.prepare(word);
        let predicated = match Opcode::of(word) {
            Some(SFPCONFIG) => false,
            Some(SFPSETCC) => true,
            _ => self.random.next().is_multiple_of(2),
        };
        if predicated {
            self.some_lanes();
        }
        self.push(word);
        if Opcode::of(word) == Some(SFPCONFIG) {
            let lreg_c = i::SFPCONFIG::decode(word).config_dest;
            self.push(i::SFPMOV { lreg_c, lreg_dest: 0, instr_mod1: 0 }.word());
        }
        self.results(registers);
    }

    /// A trial of a random sequence: new registers, some lanes, some twenty instructions, the flag stack up
    /// and down, and all registers' results.
    pub fn sequence(&mut self) {
        self.all_lanes();
        self.load_all();
        self.some_lanes();
        let mut depth = 0;
        for _ in 0..20 {
            let word = match self.random.next() % 8 {
                0 if depth < 7 => {
                    depth += 1;
                    i::SFPPUSHC::ZERO.word()
                }
                1 if depth > 0 => {
                    depth -= 1;
                    i::SFPPOPC::ZERO.word()
                }
                2 => i::SFPCOMPC::ZERO.word(),
                _ => self.chained(),
            };
            self.push(word);
        }
        (0..depth).for_each(|_| self.push(i::SFPPOPC::ZERO.word()));
        self.results(&[0, 1, 2, 3, 4, 5, 6, 7]);
    }

    /// An instruction that needs nothing but registers.
    fn chained(&mut self) -> u32 {
        loop {
            let opcode = LANEWISE[self.random.next() as usize % LANEWISE.len()];
            match opcode {
                SFPCONFIG | SFPSTORE => {}
                // Lanes have to go on counting their flags.
                SFPENCC => return i::SFPENCC::ZERO.word(),
                _ => return self.legal(opcode),
            }
        }
    }

    /// Stores registers; then flags, as 1 in the lanes that take part.
    pub fn results(&mut self, registers: &[u32]) {
        self.push(i::SFPPUSHC::ZERO.word());
        self.all_lanes();
        registers.iter().for_each(|&register| self.store(register));
        let load = |imm16| i::SFPLOADI { lreg_ind: 6, instr_mod0: sfploadi::USHORT, imm16 }.word();
        self.push(load(0));
        self.push(i::SFPPOPC::ZERO.word());
        self.push(load(1));
        self.all_lanes();
        self.store(6);
    }

    /// What an instruction needs besides random registers.
    fn prepare(&mut self, word: u32) {
        let random_immediate = |random: &mut Random| random.next() & 0xFFFF;
        match Opcode::of(word) {
            Some(SFPCONFIG) if word & 1 == 0 => {
                for instr_mod0 in [sfploadi::FLOATB, sfploadi::LOWER] {
                    let imm16 = random_immediate(&mut self.random);
                    self.push(i::SFPLOADI { lreg_ind: 0, instr_mod0, imm16 }.word());
                }
            }
            Some(SFPSWAP) => {
                let op = i::SFPSWAP::decode(word);
                let mut config = self.random.next() & lane_config::EXCHANGE_SRCB_SRCC;
                if op.lreg_src_c < 4 && op.lreg_dest < 4 {
                    config |= self.random.next() & lane_config::ENABLE_DEST_INDEX;
                }
                self.lane_config(config);
            }
            Some(SFPMOV) => {
                let seed = self.random.next();
                self.p.config_word_in_order(0, c::PRNG_SEED_Seed_Val.index, seed);
            }
            // Shift amounts that are no powers of chance.
            Some(SFPSHFT | SFPSHFT2) => {
                let lreg_c = word >> 8 & 15;
                if lreg_c < 8 && self.random.next().is_multiple_of(2) {
                    self.push(i::SFPEXEXP { lreg_c, lreg_dest: lreg_c, instr_mod1: 0 }.word());
                }
            }
            _ => {}
        }
    }

    /// Writes `LaneConfig`.
    pub fn lane_config(&mut self, imm16_math: u32) {
        self.push(i::SFPCONFIG { imm16_math, config_dest: 15, instr_mod1: 1 }.word());
    }

    /// A random word of an instruction that the vendor's simulator executes.
    pub fn legal(&mut self, opcode: Opcode) -> u32 {
        let modes = modes(opcode);
        let mode = modes[self.random.next() as usize % modes.len()];
        self.legal_mode(opcode, mode)
    }

    /// The same, of one mode.
    pub fn legal_mode(&mut self, opcode: Opcode, mode: u32) -> u32 {
        let mut r = || self.random.next();
        let vd = r() % 8;
        let vc = r() % 16;
        let fields = |imm: u32, c: u32, d: u32| imm << 12 | c << 8 | d << 4 | mode;
        let operands = match opcode {
            SFPLOAD => (r() % 12) << 20 | mode << 16 | (r() % 512) << 1,
            SFPSTORE => {
                // Among the results. 16-bit rows are twice as many.
                let rows = if self.wide(mode) { INPUT_ROWS } else { 2 * INPUT_ROWS };
                let row = rows + self.random.next() % (rows * self.groups);
                (self.random.next() % 12) << 20 | mode << 16 | row & !1
            }
            SFPLOADI => vd << 20 | mode << 16 | r() & 0xFFFF,
            SFPLUT => vd << 20 | mode << 16,
            SFPMULI | SFPADDI => {
                let immediate = awkward(&mut self.random) >> 16;
                immediate << 8 | vd << 4 | mode
            }
            SFPCONFIG if mode == 0 => (lreg::PROGRAMMABLE_0 + r() % 4) << 4,
            SFPCONFIG => lreg::PROGRAMMABLE_0 << 4 | mode,
            SFPDIVP2 => fields((r() & 0xFF) as u8 as i8 as u32 & 0xFFF, vc, vd),
            SFPIADD => fields(r() & 0xFFF, vc, vd),
            SFPSHFT => fields(if mode & 1 != 0 { r() & 0xFFF } else { 0 }, vc, vd),
            SFPSETEXP => fields(if mode & 1 != 0 { r() & 0xFF } else { 0 }, vc, vd),
            SFPSETSGN => fields(if mode & 1 != 0 { r() & 1 } else { 0 }, vc, vd),
            SFPSETCC => fields(0, vc, 0),
            SFPMAD => fields(r() % 256, vc, vd),
            SFPADD => {
                let other = r() % 16;
                let one = lreg::ONE;
                fields(if r().is_multiple_of(2) { other | one << 4 } else { one | other << 4 }, vc, vd)
            }
            SFPMUL => fields(r() % 256, lreg::ZERO, vd),
            SFP_STOCH_RND => fields(r() % 16, vc, vd),
            SFPSHFT2 => fields(if mode == 5 { r() % 16 } else { 0 }, vc, vd),
            SFPSWAP => fields(
                0,
                r() % if r().is_multiple_of(2) { 4 } else { 16 },
                r() % if r().is_multiple_of(2) { 4 } else { 12 },
            ),
            SFPMOV if mode == sfpmov::FROM_SPECIAL => fields(0, sfpmov::SPECIAL_PRNG, vd),
            SFPLUTFP32 => fields(0, 0, vd),
            SFPPUSHC | SFPPOPC | SFPCOMPC | SFPTRANSP | SFPNOP => 0,
            SFPENCC if mode == 10 => fields(r() % 4, 0, 0),
            SFPENCC => fields(0, 0, 0),
            SFPNOT | SFPXOR => vc << 8 | vd << 4,
            _ => fields(0, vc, vd),
        };
        (opcode as u32) << 24 | operands
    }

    /// Whether `SFPSTORE` with this format writes 32 bits.
    fn wide(&self, mode: u32) -> bool {
        matches!(
            mode,
            mod0_fmt::FP32 | mod0_fmt::INT32 | mod0_fmt::HI16 | mod0_fmt::LO16 | mod0_fmt::INT32_SM
        ) || mode == mod0_fmt::SRCB && self.wide
    }

    /// The program, with its results packed to L1.
    pub fn finish(mut self) -> Program {
        let p = &mut self.p;
        p.sync(0);
        packers(p, true, Int32, Int32);
        for (packer, section) in SECTION.into_iter().enumerate() {
            let field = c::THCON_SEC0_REG1_L1_Dest_addr;
            let to = OUT + packer as u32 * self.groups * (GROUP / 4);
            p.set(CfgField { index: field.index + section, ..field }, (to >> 4) - 1);
        }
        p.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Wstride, INPUT_ROWS * 64);
        for group in 1..=self.groups {
            p.push(0, SETADCZW { cnt_set_mask: 4, ch0_y: group, bit_mask: 2, ..SETADCZW::ZERO }.word());
            let last = (group == self.groups).into();
            p.push(0, i::PACR { pack_sel: 15, last, ..i::PACR::ZERO }.word());
        }
        self.p
    }
}

/// Modifiers of an instruction that the vendor's simulator executes.
pub fn modes(opcode: Opcode) -> &'static [u32] {
    match opcode {
        SFPLOAD => &[0, 2, 3, 4, 6, 12, 14, 15],
        SFPSTORE => &[0, 2, 3, 4, 6, 7, 9, 12, 14, 15],
        SFPLOADI => &[0, 1, 2, 4, 8, 10],
        SFPLUT => &[4],
        SFPLUTFP32 => &[2],
        SFPDIVP2 | SFPEXMAN | SFPSHFT | SFPABS | SFPSETSGN | SFPSETMAN | SFPCONFIG => &[0, 1],
        SFPSETEXP => &[0, 1, 2],
        SFPEXEXP => &[0, 1, 2, 10],
        SFPIADD => &[0, 1, 2, 4, 5, 6, 8, 9, 10],
        SFPSETCC => &[0, 2, 4, 6],
        SFPMOV => &[0, 1, 2, 8],
        SFPLZ => &[0, 2, 4],
        SFPENCC => &[0, 10],
        SFP_STOCH_RND => &[
            sfp_stoch_rnd::FP32_TO_FP16B,
            sfp_stoch_rnd::FP32_TO_UINT8,
            sfp_stoch_rnd::FP32_TO_INT8,
            sfp_stoch_rnd::FP32_TO_UINT16,
            sfp_stoch_rnd::FP32_TO_INT16,
        ],
        SFPSWAP => &[0, 1, 2, 3, 9],
        SFPSHFT2 => &[3, 5],
        _ => &[0],
    }
}

/// Instructions of one trial each: those that the vendor's simulator has, without the flag stack.
pub const LANEWISE: &[Opcode] = &[
    SFPLOAD,
    SFPLOADI,
    SFPSTORE,
    SFPLUT,
    SFPMULI,
    SFPADDI,
    SFPDIVP2,
    SFPEXEXP,
    SFPEXMAN,
    SFPIADD,
    SFPSHFT,
    SFPSETCC,
    SFPMOV,
    SFPABS,
    SFPAND,
    SFPOR,
    SFPNOT,
    SFPLZ,
    SFPSETEXP,
    SFPSETMAN,
    SFPMAD,
    SFPADD,
    SFPMUL,
    SFPSETSGN,
    SFPENCC,
    SFPTRANSP,
    SFPXOR,
    SFP_STOCH_RND,
    SFPCAST,
    SFPCONFIG,
    SFPSWAP,
    SFPSHFT2,
    SFPLUTFP32,
];
