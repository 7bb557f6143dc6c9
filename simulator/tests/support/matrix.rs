//! Programs of random matrix unit instructions on random datums, in all modes that the vendor's simulator has.
//!
//! A program has rounds. A round fills Dst and both banks of SrcA and SrcB, sets formats and address modifiers, runs
//! instructions of one [`Kind`] on the rows that their counters have reached, and copies all of Dst and then the
//! matrix unit's banks to L1 as the result.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::collections::BTreeMap;

use tt_isa::cfg::CfgField;
use tt_isa::chip::WORMHOLE;
use tt_isa::chip::wormhole::{config as c, thread as tc};
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{
    self as i, CLEARDVALID, INCRWC, INSTRUCTIONS, MOVA2D, MOVB2D, Opcode, PACR, SETADCXX, SETRWC, UNPACR,
    ZEROACC,
};
use tt_isa::map::RiscV;

use super::datapath::{SECTION, every_packer, packers, unpacker0};
use super::{Program, Random};

/// What a round tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `MVMUL`, `GAPOOL`.
    Matrices,
    /// `ELWMUL`.
    Products,
    /// `ELWADD`, `ELWSUB`.
    Sums,
    /// `GMPOOL`.
    Maxima,
    /// Moves, and what clears or transposes.
    Moves,
}

/// Number systems of a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbers {
    /// Eight exponent bits.
    Float,
    /// Five exponent bits.
    Half,
    /// Integers.
    Int8,
}

/// Bytes of a 32-bit row.
const ROW_BYTES: u32 = 64;
const BANK_BYTES: u32 = 64 * ROW_BYTES;
/// Instructions of a round.
const STEPS: u32 = 96;
/// Instructions after which the counters start again at zero.
const LEG: u32 = 8;
/// Where the rounds' memory is in L1.
const MEMORY: u32 = 0x6_0000;

/// How much a round works on, and shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Rows of Dst, of 32 bits: 64 to 512.
    pub rows: u32,
    /// SrcA and SrcB are part of the result.
    pub banks: bool,
}

impl Size {
    /// All that there is.
    pub const ALL: Self = Self { rows: 512, banks: true };

    const fn dst_bytes(self) -> u32 {
        self.rows * ROW_BYTES
    }

    /// Dst and four banks.
    const fn input(self) -> u32 {
        self.dst_bytes() + 4 * BANK_BYTES
    }

    const fn result(self) -> u32 {
        self.dst_bytes() + if self.banks { 2 * BANK_BYTES } else { 0 }
    }

    /// Rounds that there is room for.
    pub const fn most_rounds(self) -> u32 {
        (WORMHOLE.tile.l1_size - MEMORY) / (self.input() + self.result())
    }
}

/// A program of rounds, and how many instructions of each kind it has.
pub struct Trials {
    p: Program,
    random: Random,
    size: Size,
    rounds: u32,
    round: u32,
    /// Instructions by name.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Trials {
    /// No rounds yet.
    pub fn new(seed: u64, size: Size, rounds: u32) -> Self {
        assert!(rounds <= size.most_rounds());
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        (0..8).for_each(|_| _ = random.next());
        let results = MEMORY + rounds * size.input();
        let p = Program::on_core(RiscV::Trisc0, results..results + rounds * size.result());
        Self { p, random, size, rounds, round: 0, counts: BTreeMap::new() }
    }

    /// The program.
    pub fn finish(self) -> Program {
        assert_eq!(self.round, self.rounds);
        self.p
    }

    fn below(&mut self, n: u32) -> u32 {
        self.random.next() % n
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize]
    }

    /// A tried instruction.
    fn push(&mut self, word: u32) {
        let row = INSTRUCTIONS.iter().find(|row| u32::from(row.opcode) == word >> 24);
        *self.counts.entry(row.expect("a known instruction").name).or_default() += 1;
        self.p.push(0, word);
    }

    /// A round of a kind, or of one of its instructions.
    pub fn round(&mut self, kind: Kind, numbers: Numbers, wide: bool, only: Option<Opcode>) {
        let size = self.size;
        let input = MEMORY + self.round * size.input();
        let result = MEMORY + self.rounds * size.input() + self.round * size.result();
        self.round += 1;
        let wide = wide || numbers == Numbers::Int8;
        self.fill(kind, numbers, wide, input);
        let round = Round::choose(self, kind, numbers, wide, only);
        round.run(self, only);
        self.dump(round.wide, result);
    }

    /// Whether a random round has 32-bit Dst.
    pub fn any_width(&mut self) -> bool {
        !self.one_in(3)
    }

    /// Fills Dst and all banks.
    fn fill(&mut self, kind: Kind, numbers: Numbers, wide: bool, input: u32) {
        let dst: Vec<u8> =
            (0..self.size.rows * 16).flat_map(|_| self.dst_datum(numbers, wide).to_le_bytes()).collect();
        self.p.memory(input, dst);
        self.p.sync(0);
        unpacker0(&mut self.p, Int32, Int32);
        self.p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
        self.p.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
        for part in 0..self.size.rows / 64 {
            self.p.sync(0);
            self.p.set(c::THCON_SEC0_REG3_Base_address, ((input + part * 0x1000) >> 4) - 1);
            self.p.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + part * 1024);
            self.unpack(0, false);
        }
        self.p.sync(0);
        let format = if numbers == Numbers::Float { Fp32 } else { Fp16 };
        let output = if numbers == Numbers::Float { Tf32 } else { Fp16 };
        unpacker0(&mut self.p, format, output);
        self.p.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 0);
        self.p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index, format as u32 | 1 << 4 | 16 << 16);
        self.p.config_word(c::THCON_SEC1_REG0_TileDescriptor.index + 1, 16 | 4 << 16);
        self.p.set(c::THCON_SEC1_REG2_Out_data_format, output as u32);
        self.p.set(c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1);
        let bases = [c::THCON_SEC0_REG3_Base_address, c::THCON_SEC1_REG3_Base_address];
        for bank in 0..4 {
            let unpacker = bank % 2;
            let at = input + self.size.dst_bytes() + bank * BANK_BYTES;
            let ones = kind == Kind::Maxima && unpacker == 1;
            let datums: Vec<u8> = match numbers {
                _ if ones => 1f32.to_le_bytes().repeat(1024),
                Numbers::Float => (0..1024).flat_map(|_| self.float().to_le_bytes()).collect(),
                _ => (0..1024).flat_map(|_| self.half(numbers).to_le_bytes()).collect(),
            };
            self.p.memory(at, datums);
            self.p.sync(0);
            self.p.set(bases[unpacker as usize], (at >> 4) - 1);
            self.unpack(unpacker, true);
        }
        self.p.sync(0);
    }

    fn unpack(&mut self, unpacker: u32, give: bool) {
        self.p.push(0, SETADCXX { cnt_set_mask: 1 << unpacker, x_start: 0, x_end2: 1023 }.word());
        let op = UNPACR {
            unpack_block_selection: unpacker,
            ovrd_thread_id: 1,
            last: 1,
            set_dat_valid: give.into(),
            ..UNPACR::ZERO
        };
        self.p.push(0, op.word());
    }

    /// A number with a likely exponent, an extreme one, or none; some end in zeros, some in ones.
    fn float(&mut self) -> u32 {
        let x = self.random.next();
        let exponent = match self.below(16) {
            0 => return x,
            1 => 0,
            2 => 1 + self.below(4),
            3 => 250 + self.below(6),
            4 => 90 + self.below(80),
            _ => 118 + self.below(16),
        };
        let mantissa = match self.below(8) {
            0 => 0,
            1 => 0x7F_FFFF,
            2 => x & 0x7F_0000,
            _ => x & 0x7F_FFFF,
        };
        x & 0x8000_0000 | exponent << 23 | mantissa
    }

    fn half(&mut self, numbers: Numbers) -> u16 {
        let x = self.random.next();
        let exponent = match self.below(8) {
            0 => x >> 10 & 31,
            1 => 0,
            _ if numbers == Numbers::Int8 => 16,
            _ => 10 + self.below(10),
        };
        (x & 0x83FF | exponent << 10) as u16
    }

    /// What unpacking as a 32-bit integer makes a datum of Dst of, or two datums one above the other.
    fn dst_datum(&mut self, numbers: Numbers, wide: bool) -> u32 {
        match (numbers, wide) {
            (Numbers::Int8, _) => {
                let x = self.random.next();
                let limit = if self.one_in(4) { 0x7FFF_FFFF - (x & 0xFFF) } else { x & 0xF_FFFF };
                self.random.next() & 0x8000_0000 | limit
            }
            (_, true) => self.float(),
            (Numbers::Half, false) => {
                let [high, low] = [self.half(numbers), self.half(numbers)].map(stored_half);
                high_of_integer(high) | u32::from(low)
            }
            (_, false) => {
                let [high, low] = [self.float(), self.float()].map(|x| stored_bfloat((x >> 16) as u16));
                high_of_integer(high) | u32::from(low)
            }
        }
    }

    /// Copies Dst, and then the matrix unit's banks through Dst, to L1.
    fn dump(&mut self, wide: bool, result: u32) {
        self.p.sync(0);
        let format = if wide { Int32 } else { Int16 };
        let rows = if wide { self.size.rows } else { 2 * self.size.rows };
        self.pack(wide, format, result, rows);
        self.p.sync(0);
        // All 19 bits of SrcA and SrcB, to 32-bit rows.
        self.p.config_word(0, 0);
        self.p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, Tf32 as u32);
        self.p.set(c::ALU_FORMAT_SPEC_REG1_SrcB, Tf32 as u32);
        self.p.set(c::ALU_ACC_CTRL_INT8_math_enabled, 0);
        self.p.set(c::ALU_ACC_CTRL_Zero_Flag_disabled_src, 1);
        self.p.set(tc::CLR_DVALID_SrcA_Disable, 0);
        self.p.set(tc::DEST_TARGET_REG_CFG_MATH_Offset, 0);
        for section in 0..8 {
            modifier(&mut self.p, section, 0, 0, 0);
        }
        self.p.push(0, SETRWC { bit_mask: 15, ..SETRWC::ZERO }.word());
        for row in (0..64).step_by(8) {
            self.p.push(0, MOVA2D { dst: row, src: row, instr_mod: 2, ..MOVA2D::ZERO }.word());
        }
        for row in (0..64).step_by(4) {
            self.p.push(0, MOVB2D { dst: 64 + row, src: row, instr_mod: 4, ..MOVB2D::ZERO }.word());
        }
        (0..2).for_each(|_| self.p.push(0, CLEARDVALID { cleardvalid: 3, reset: 0 }.word()));
        self.p.sync(0);
        self.p.set(c::ALU_ACC_CTRL_Zero_Flag_disabled_src, 0);
        if self.size.banks {
            self.pack(true, Int32, result + self.size.dst_bytes(), 128);
        }
    }

    /// Packs rows of Dst from the first one on.
    fn pack(&mut self, wide: bool, format: DataFormat, to: u32, rows: u32) {
        packers(&mut self.p, wide, format, format);
        every_packer(&mut self.p, c::THCON_SEC0_REG1_Exp_section_size, 0);
        let row_bytes = if wide { 64 } else { 32 };
        for first in (0..rows).step_by(64) {
            self.p.sync(0);
            for packer in 0..4 {
                let row = first + 16 * packer;
                let of = |field: CfgField, distance: u32| CfgField { index: field.index + distance, ..field };
                let section = SECTION[packer as usize];
                self.p.set(of(c::THCON_SEC0_REG1_L1_Dest_addr, section), ((to + row * row_bytes) >> 4) - 1);
                self.p.set(of(c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset, packer), row);
            }
            self.p.push(0, PACR { pack_sel: 15, last: 1, ..PACR::ZERO }.word());
        }
    }
}

/// Storage form of a bfloat16 or half precision datum.
fn stored_bfloat(x: u16) -> u16 {
    x & 0x8000 | (x & 0x7F) << 8 | x >> 7 & 0xFF
}

fn stored_half(x: u16) -> u16 {
    x & 0x8000 | (x & 0x3FF) << 5 | x >> 10 & 0x1F
}

/// Upper half of an integer of which this is the storage form.
fn high_of_integer(stored: u16) -> u32 {
    let x = u32::from(stored);
    (x & 0x8000 | (x & 0xFF) << 7 | x >> 8 & 0x7F) << 16
}

/// Sets an address modifier; the fields are `ADDR_MOD_AB`, `ADDR_MOD_DST` and `ADDR_MOD_BIAS`.
fn modifier(p: &mut Program, section: u32, ab: u32, dst: u32, bias: u32) {
    let stride = |first: CfgField, second: CfgField| second.index - first.index;
    let registers = [
        (
            tc::ADDR_MOD_AB_SEC0_SrcAIncr,
            stride(tc::ADDR_MOD_AB_SEC0_SrcAIncr, tc::ADDR_MOD_AB_SEC1_SrcAIncr),
            ab,
        ),
        (
            tc::ADDR_MOD_DST_SEC0_DestIncr,
            stride(tc::ADDR_MOD_DST_SEC0_DestIncr, tc::ADDR_MOD_DST_SEC1_DestIncr),
            dst,
        ),
        (
            tc::ADDR_MOD_BIAS_SEC0_BiasIncr,
            stride(tc::ADDR_MOD_BIAS_SEC0_BiasIncr, tc::ADDR_MOD_BIAS_SEC1_BiasIncr),
            bias,
        ),
    ];
    for (field, stride, value) in registers {
        let index = field.index + section * stride;
        p.push(0, i::SETC16 { setc16_reg: index, setc16_value: value }.word());
    }
}

/// Configuration of a round.
struct Round {
    kind: Kind,
    numbers: Numbers,
    wide: bool,
    /// SrcA's format as the moves see it.
    format: DataFormat,
    overridden: bool,
    offset: u32,
    /// Banks change without being handed back.
    flips: bool,
    flush: bool,
}

impl Round {
    fn choose(t: &mut Trials, kind: Kind, numbers: Numbers, wide: bool, only: Option<Opcode>) -> Self {
        let (mut a, b) = formats(t, kind, numbers);
        let from_dst = matches!(only, Some(Opcode::MOVD2A | Opcode::MOVD2B));
        if from_dst && numbers == Numbers::Float {
            a = if wide {
                t.pick(&[Fp32, Tf32, Bf16, Bfp8, Bfp4])
            } else {
                t.pick(&[Fp32, Bf16, Bfp8, Bfp4])
            };
        }
        let round = Self {
            kind,
            numbers,
            wide,
            format: a,
            overridden: kind == Kind::Moves && !from_dst && t.one_in(3),
            offset: if t.size == Size::ALL { 8 * t.pick(&[0, 0, 1, 32, 64]) } else { 0 },
            flips: t.one_in(2),
            flush: !matches!(kind, Kind::Products | Kind::Sums | Kind::Moves) || !t.one_in(4),
        };
        t.p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, a as u32);
        t.p.set(c::ALU_FORMAT_SPEC_REG1_SrcB, b as u32);
        t.p.config_word(0, 0);
        if round.overridden {
            // The override counts, what it overrides does not: MOVD2A may not be asked then.
            t.p.set(c::ALU_FORMAT_SPEC_REG_SrcA_val, a as u32);
            t.p.set(c::ALU_FORMAT_SPEC_REG_SrcA_override, 1);
            t.p.set(c::ALU_FORMAT_SPEC_REG0_SrcA, Bf16 as u32);
        }
        t.p.set(c::ALU_ACC_CTRL_Fp32_enabled, (wide && numbers != Numbers::Int8).into());
        t.p.set(c::ALU_ACC_CTRL_INT8_math_enabled, (numbers == Numbers::Int8).into());
        t.p.set(c::ALU_ACC_CTRL_Zero_Flag_disabled_src, (!round.flush).into());
        t.p.set(tc::CLR_DVALID_SrcA_Disable, round.flips.into());
        t.p.set(tc::CLR_DVALID_SrcB_Disable, round.flips.into());
        t.p.set(tc::DEST_TARGET_REG_CFG_MATH_Offset, round.offset);
        let base = t.below(2);
        t.p.set(tc::ADDR_MOD_SET_Base, base);
        let multiplies = matches!(kind, Kind::Matrices | Kind::Products);
        let phase = if multiplies { t.below(4) } else { 0 };
        t.p.set(tc::FIDELITY_BASE_Phase, phase);
        for section in 0..8 {
            round.modifier(t, section, multiplies);
        }
        round
    }

    fn modifier(&self, t: &mut Trials, section: u32, multiplies: bool) {
        let unit_a = if matches!(self.kind, Kind::Matrices | Kind::Maxima) { 16 } else { 8 };
        let increment_a = if self.kind == Kind::Moves { 0 } else { unit_a * t.below(64 / unit_a) };
        let increment_b = if self.kind == Kind::Moves { 0 } else { 8 * t.below(8) };
        let flags = |t: &mut Trials| [t.one_in(4), t.one_in(8)].map(u32::from);
        let ([a_cr, a_clear], [b_cr, b_clear]) = (flags(t), flags(t));
        let ab = increment_a | a_cr << 6 | a_clear << 7 | increment_b << 8 | b_cr << 14 | b_clear << 15;
        let [cr, clear] = flags(t);
        let remember = u32::from(cr | clear == 0 && t.one_in(4));
        let (step, clear_phase) = if multiplies { (t.below(4), t.below(2)) } else { (0, 0) };
        let increment = 8 * t.below(3);
        let dst = increment | cr << 10 | clear << 11 | remember << 12 | step << 13 | clear_phase << 15;
        let bias = t.below(2);
        modifier(&mut t.p, section, ab, dst, bias);
    }

    fn run(&self, t: &mut Trials, only: Option<Opcode>) {
        for step in 0..STEPS {
            if step % LEG == 0 {
                t.push(SETRWC { bit_mask: 15, ..SETRWC::ZERO }.word());
            }
            match t.below(12) {
                0 => self.counters(t),
                1 => zeroacc(t, self),
                _ => {
                    let word = loop {
                        let word = self.instruction(t);
                        if only.is_none_or(|opcode| Opcode::of(word) == Some(opcode)) {
                            break word;
                        }
                    };
                    t.push(word);
                }
            }
        }
    }

    /// Counters without anything else.
    fn counters(&self, t: &mut Trials) {
        let step = |t: &mut Trials| 8 * t.below(2);
        let (b, d) = if self.kind == Kind::Moves { (0, step(t)) } else { (step(t), step(t)) };
        if t.one_in(2) {
            let rwc_cr = 4 * t.below(2);
            t.push(INCRWC { rwc_a: 0, rwc_b: b, rwc_d: d, rwc_cr }.word());
        } else {
            let bit_mask = t.below(16);
            let rwc_cr = t.below(8) & (bit_mask | 4);
            let clear_ab_vld = self.flip(t);
            t.push(SETRWC { clear_ab_vld, rwc_cr, rwc_d: d, rwc_b: b, rwc_a: 0, bit_mask }.word());
        }
    }

    fn flip(&self, t: &mut Trials) -> u32 {
        if self.flips && t.one_in(4) { t.below(4) } else { 0 }
    }

    /// First row of Dst of an instruction: with offset and counters below 1024, or anywhere.
    fn dst(&self, t: &mut Trials, unit: u32, wraps: bool) -> u32 {
        // Counters are below this.
        const COUNTED: u32 = 24 * LEG;
        let rows = match t.size {
            Size::ALL if wraps => 1024,
            Size::ALL => 1024 - self.offset - COUNTED,
            Size { rows, .. } => rows,
        };
        let near_end = t.one_in(8);
        let row = if near_end { rows - unit - unit * t.below(4) } else { unit * t.below(rows / unit) };
        row / unit * unit
    }

    fn instruction(&self, t: &mut Trials) -> u32 {
        let addr_mode = t.below(4);
        let clear_dvalid = self.flip(t);
        match self.kind {
            Kind::Matrices if t.one_in(3) => {
                let dst = self.dst(t, 4, true);
                i::GAPOOL { clear_dvalid, instr_mod19: 1, addr_mode, max_pool_index_en: 0, dst }.word()
            }
            Kind::Matrices => {
                let dst = self.dst(t, 8, true);
                i::MVMUL { clear_dvalid, instr_mod19: 0, addr_mode, dst }.word()
            }
            Kind::Products => {
                let (dst, instr_mod19) = (self.dst(t, 8, false), t.below(4));
                i::ELWMUL { clear_dvalid, dest_accum_en: 0, instr_mod19, addr_mode, dst }.word()
            }
            Kind::Sums => {
                let (dst, instr_mod19, dest_accum_en) = (self.dst(t, 8, false), t.below(4), t.below(2));
                if t.one_in(2) {
                    i::ELWADD { clear_dvalid, dest_accum_en, instr_mod19, addr_mode, dst }.word()
                } else {
                    i::ELWSUB { clear_dvalid, dest_accum_en, instr_mod19, addr_mode, dst }.word()
                }
            }
            Kind::Maxima => {
                let dst = self.dst(t, 4, false);
                i::GMPOOL { clear_dvalid, instr_mod19: 1, addr_mode, max_pool_index_en: 0, dst }.word()
            }
            Kind::Moves => self.move_(t, addr_mode),
        }
    }

    fn move_(&self, t: &mut Trials, addr_mode: u32) -> u32 {
        let (tf32, half) = (self.format == Tf32, self.numbers == Numbers::Half);
        let to_low = |t: &mut Trials| if tf32 || half { 0 } else { t.below(2) };
        let from_dst = (self.wide || !tf32) && !(self.wide && half);
        let from_low = if self.wide && !tf32 { t.below(2) } else { 0 };
        loop {
            return match t.below(10) {
                0 => {
                    let (dest_32b_lo, src, dst) = (to_low(t), 8 * t.below(8), self.dst(t, 8, true));
                    i::MOVA2D { dest_32b_lo, src, addr_mode, instr_mod: 2, dst }.word()
                }
                1 | 2 if self.format != Bfp2 => {
                    let (dest_32b_lo, instr_mod) = (to_low(t), 2 + t.below(4));
                    let rows = if instr_mod & 2 != 0 { 8 } else { 4 };
                    let (src, dst) = (rows * t.below(64 / rows), self.dst(t, rows, true));
                    i::MOVB2D { dest_32b_lo, src, addr_mode, instr_mod, dst }.word()
                }
                3 | 4 if from_dst && !matches!(self.format, Int32 | Int16 | Bfp2) && !self.overridden => {
                    let (src, dst) = (4 * t.below(16), self.dst(t, 4, true));
                    i::MOVD2A { dest_32b_lo: 0, src, addr_mode, instr_mod: 2, dst }.word()
                }
                5 | 6 if from_dst && !matches!(self.format, Int16 | Bfp2) => {
                    let (src, dst, instr_mod) = (4 * t.below(16), self.dst(t, 4, true), 2 * t.below(2));
                    i::MOVD2B { dest_32b_lo: from_low, src, addr_mode, instr_mod, dst }.word()
                }
                7 => {
                    let (srca, srcb) = (4 * t.below(16), 4 * t.below(16));
                    i::MOVB2A { srca, addr_mode, instr_mod: 2, srcb }.word()
                }
                8 => i::TRNSPSRCB {}.word(),
                9 if t.one_in(16) => match t.below(4) {
                    0 => i::ZEROSRC { zero_val: 0, write_mode: 0, bank_mask: 1, src_mask: 3 }.word(),
                    src_mask => i::ZEROSRC { zero_val: 0, write_mode: 1, bank_mask: 0, src_mask }.word(),
                },
                _ => continue,
            };
        }
    }
}

fn formats(t: &mut Trials, kind: Kind, numbers: Numbers) -> (DataFormat, DataFormat) {
    let a = [Fp32, Tf32, Tf32, Bf16, Bfp8, Bfp4];
    match (kind, numbers) {
        (Kind::Moves, Numbers::Half) => (Fp16, t.pick(&[Fp16, Bf16, Tf32, Int16, Fp8, Int8])),
        (Kind::Moves, _) => {
            (t.pick(&[Fp32, Tf32, Bf16, Bfp8, Bfp4, Int32, Int16, Bfp2]), t.pick(&[Fp16, Bf16, Tf32, Int32]))
        }
        (_, Numbers::Half) => {
            let format = t.pick(&[Fp16, Fp8]);
            (format, format)
        }
        (Kind::Products | Kind::Sums, Numbers::Int8) => (Int8, t.pick(&[Int8, Bfp2])),
        (_, Numbers::Int8) => (Int8, Int8),
        (Kind::Matrices, Numbers::Float) => {
            (t.pick(&a), t.pick(&[Fp32, Tf32, Tf32, Bf16, Bfp8, Bfp4, Int16]))
        }
        (Kind::Maxima, Numbers::Float) => (t.pick(&a), t.pick(&a)),
        (_, Numbers::Float) => (
            t.pick(&[Fp32, Tf32, Tf32, Bf16, Bfp8, Bfp4, Bfp2]),
            t.pick(&[Fp32, Tf32, Tf32, Bf16, Bfp8, Bfp4, Int32, Int16, Bfp2]),
        ),
    }
}

fn zeroacc(t: &mut Trials, round: &Round) {
    let addr_mode = t.below(4);
    let (clear_mode, dst) = match t.below(40) {
        0 => (2 + 4 * t.below(2), t.below(2)),
        1 => (3 + 4 * t.below(2), 0),
        2..20 => (1, t.below(64)),
        // The vendor's simulator has this mode for floating point only.
        _ if round.numbers == Numbers::Int8 => (1, t.below(64)),
        _ => (0, round.dst(t, 1, false)),
    };
    t.push(ZEROACC { clear_mode, addr_mode, dst }.word());
}

/// Number systems that a kind is defined for.
pub fn numbers(kind: Kind) -> &'static [Numbers] {
    match kind {
        Kind::Matrices | Kind::Products | Kind::Sums => &[Numbers::Float, Numbers::Half, Numbers::Int8],
        Kind::Moves => &[Numbers::Float, Numbers::Half],
        Kind::Maxima => &[Numbers::Float],
    }
}
