//! The units of every tile's coprocessor, each with known vectors, by a program on TRISC0.
//!
//! ```text
//! constants     -> vector unit -> Dst -> packers -> L1      vector
//! L1 -> unpacker 0 -> Dst -> packers -> L1                  through Dst
//! L1 -> unpacker 0 -> SrcA -> move -> Dst -> packers -> L1  through SrcA
//! L1 -> unpacker 1 -> SrcB -> move -> Dst -> packers -> L1  through SrcB
//! L1 -> both -> product -> Dst -> packers -> L1             product
//! ```
//! One thread does all, and waits after each step until the coprocessor is done. Which of the ways give right results tells which unit is broken
//! ([`blame`]). All numbers are small integers or halves, which every format here holds exactly.

use tt_isa::cfg::CfgField;
use tt_isa::chip::wormhole::{config as c, thread as t};
use tt_isa::format::{DataFormat, FACE_DATUMS, FACE_DIM};
use tt_isa::insn::{
    MOVA2D, MOVB2D, MVMUL, NOP, PACR, SETADCXX, SETADCXY, SETADCZW, SETC16, SETRWC, SFPENCC, SFPLOADI,
    SFPMAD, SFPNOP, SFPSTORE, UNPACR, ZEROACC, ttinsn,
};
use tt_isa::map::{CFG_BASE, PC_BUF_BASE, PC_BUF_TENSIX_SYNC, RiscV};
use tt_isa::noc::NocXy;
use tt_isa::rv32::{i, r, s};
use tt_isa::sfpu::{mod0_fmt, sfploadi};
use tt_runtime::Error;

use super::Step;
use crate::findings::{Finding, Outcome};
use crate::machine::{Ending, Job, Machine};
use crate::program::{Program, reg};

/// Name of the check.
pub const CHECK: &str = "coprocessor";
/// What the unpackers read, in L1, and where the packers write, 4 KiB for each way.
const A: u32 = 0x2_0000;
const B: u32 = 0x2_4000;
const OUT: u32 = 0x3_0000;
/// 32-bit rows of Dst that are used, and their datums: what the four packers take at once.
const ROWS: usize = 64;
const DATUMS: usize = ROWS * FACE_DIM;
const BYTES: u32 = 4 * DATUMS as u32;
/// Distances of the four packers' registers from the first one's.
const PACKERS: [u32; 4] = [
    0,
    c::THCON_SEC0_REG8_Row_start_section_size.index - c::THCON_SEC0_REG1_Row_start_section_size.index,
    c::THCON_SEC1_REG1_Row_start_section_size.index - c::THCON_SEC0_REG1_Row_start_section_size.index,
    c::THCON_SEC1_REG8_Row_start_section_size.index - c::THCON_SEC0_REG1_Row_start_section_size.index,
];
/// Address counters of unpacker 0, unpacker 1 and the packers.
const COUNTERS: u32 = 0b111;
/// Datums in front of the first one that unpacker 0 can write (`UNPACR_Regular.md`).
const FIRST_DATUM: u32 = 64;
/// Nothing in L1 is compressed, in no context.
const UNCOMPRESSED: u32 = 0xF | 0xF << 16;

/// The ways, in the order of the program.
const VECTOR: usize = 0;
const THROUGH_DST: usize = 1;
const THROUGH_A: usize = 2;
const THROUGH_B: usize = 3;
const PRODUCT: usize = 4;
const NAMES: [&str; 5] = ["vector", "through Dst", "through SrcA", "through SrcB", "product"];

/// Tests the units of every tile.
///
/// # Errors
/// The chip does not answer.
pub fn test(machine: &mut Machine, step: &Step) -> Result<Vec<Finding>, Error> {
    let tiles = machine.present();
    let (a, b) = operands();
    for &(tile, _) in &tiles {
        machine.put(tile, A.into(), &a.map(f32::to_bits))?;
        machine.put(tile, B.into(), &b.map(f32::to_bits))?;
        machine.put(tile, OUT.into(), &[u32::MAX; NAMES.len() * DATUMS])?;
    }
    let code = program();
    let job = |&(tile, _): &(NocXy, NocXy)| Job { tile, core: RiscV::Trisc0, code: code.clone() };
    let jobs: Vec<Job> = tiles.iter().map(job).collect();
    let endings = machine.run(&jobs)?;
    let wanted = wanted(&a, &b);
    let mut findings = Vec::new();
    for (&(tile, place), ending) in tiles.iter().zip(&endings) {
        step.one();
        let got = machine.words(tile, OUT.into(), NAMES.len() * DATUMS)?;
        findings.push(judge(place, *ending == Ending::Hung, &got, &wanted));
    }
    Ok(findings)
}

/// Operands: small integers, so that all products and sums are exact.
fn operands() -> ([f32; DATUMS], [f32; DATUMS]) {
    let number = |n: usize, factor: usize| ((n * factor) % 13) as f32 - 6.0;
    (std::array::from_fn(|n| number(n + 1, 7)), std::array::from_fn(|n| number(n + 2, 5)))
}

/// What should come of each way.
fn wanted(a: &[f32; DATUMS], b: &[f32; DATUMS]) -> [Vec<f32>; 5] {
    let product = |n: usize| -> f32 {
        let (row, column) = (n / FACE_DIM, n % FACE_DIM);
        (0..FACE_DIM).map(|k| b[row * FACE_DIM + k] * a[k * FACE_DIM + column]).sum()
    };
    let vector = |n: usize| 2.5 * -3.0 + (n / FACE_DIM / 4) as f32;
    [
        (0..DATUMS).map(vector).collect(),
        a.to_vec(),
        a.to_vec(),
        b.to_vec(),
        (0..DATUMS).map(product).collect(),
    ]
}

fn judge(place: NocXy, hung: bool, got: &[u32], wanted: &[Vec<f32>; 5]) -> Finding {
    let ways = got.chunks(DATUMS).zip(wanted).map(|(got, wanted)| {
        got.iter().zip(wanted).position(|(&got, &wanted)| f32::from_bits(got) != wanted).map(|n| {
            let (row, column) = (n / FACE_DIM, n % FACE_DIM);
            let got = f32::from_bits(got[n]);
            format!("row {row} column {column} is {got:?} instead of {:?}", wanted[n])
        })
    });
    let ways: Vec<Option<String>> = ways.collect();
    let bad: Vec<bool> = ways.iter().map(Option::is_some).collect();
    if !hung && bad.iter().all(|bad| !bad) {
        return Finding::new(place, CHECK, Outcome::Passed, "unpackers, matrix unit, vector unit, packers");
    }
    let what: Vec<String> =
        NAMES.iter().zip(ways).filter_map(|(name, what)| Some(format!("{name}: {}", what?))).collect();
    let hangs = if hung { "the program does not come to its end; " } else { "" };
    let outcome = if hung { Outcome::Hung } else { Outcome::Failed };
    let units = blame(&bad).join(", ");
    Finding::new(place, CHECK, outcome, format!("{units}: {hangs}{}", what.join("; ")))
}

/// The units that are broken if these ways give wrong results.
fn blame(bad: &[bool]) -> Vec<&'static str> {
    if bad.iter().all(|&bad| bad) {
        // What all ways have in common; or nothing has run.
        return vec!["packers"];
    }
    let unpacker0 = bad[THROUGH_DST] || bad[THROUGH_A];
    let units = [
        ("vector unit", bad[VECTOR]),
        ("unpacker 0", unpacker0),
        ("unpacker 1", bad[THROUGH_B]),
        ("matrix unit", bad[PRODUCT] && !unpacker0 && !bad[THROUGH_B]),
    ];
    units.into_iter().filter_map(|(name, is)| is.then_some(name)).collect()
}

/// A program for the coprocessor, in the making.
struct Units(Program);

impl Units {
    /// An instruction, in line.
    fn insn(&mut self, word: u32) {
        self.0.add([ttinsn(word)]);
    }

    /// A register of this thread's configuration.
    fn thread(&mut self, field: CfgField, value: u32) {
        self.insn(SETC16 { setc16_reg: field.index, setc16_value: value }.word());
    }

    /// A word of `Config`, of bank 0: the `n`-th behind a field's.
    fn config(&mut self, field: CfgField, n: u32, word: u32) {
        self.0.set(reg::T0, CFG_BASE + 4 * (field.index + n));
        self.0.set(reg::T1, word);
        self.0.add([s("Sw", reg::T1, reg::T0, 0)]);
    }

    /// The stores to `Config` so far have arrived: the last one is read back.
    fn settle(&mut self) {
        self.0.add([i("Lw", reg::T1, reg::T0, 0), r("And", reg::T1, reg::T1, reg::T1)]);
    }

    /// Waits until the coprocessor has done what it was given.
    fn sync(&mut self) {
        self.0.set(reg::T0, PC_BUF_BASE + PC_BUF_TENSIX_SYNC);
        self.0.add([
            s("Sw", 0, reg::T0, 0),
            i("Lw", reg::T1, reg::T0, 0),
            r("And", reg::T1, reg::T1, reg::T1),
        ]);
    }

    /// State that earlier programs may have left: counters, address modifiers, lanes.
    fn start(&mut self) {
        let zero = [
            t::CFG_STATE_ID_StateID,
            t::UNPACK_MISC_CFG_CfgContextOffset_0,
            t::DEST_TARGET_REG_CFG_MATH_Offset,
            t::ADDR_MOD_SET_Base,
            t::CLR_DVALID_SrcA_Disable,
            t::FIDELITY_BASE_Phase,
            t::ADDR_MOD_AB_SEC0_SrcAIncr,
            t::ADDR_MOD_DST_SEC0_DestIncr,
            t::ADDR_MOD_BIAS_SEC0_BiasIncr,
            t::ADDR_MOD_PACK_SEC0_YsrcIncr,
        ];
        zero.into_iter().for_each(|field| self.thread(field, 0));
        self.insn(SETRWC { bit_mask: 0b1111, ..SETRWC::ZERO }.word());
        self.insn(SETADCXY { cnt_set_mask: COUNTERS, bit_mask: 0b1111, ..SETADCXY::ZERO }.word());
        self.insn(SETADCZW { cnt_set_mask: COUNTERS, bit_mask: 0b1111, ..SETADCZW::ZERO }.word());
        self.insn(ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
        // All lanes take part.
        self.insn(SFPENCC { imm12_math: 3, lreg_dest: 0, instr_mod1: 10 }.word());
        self.sync();
        self.alu();
        self.packers();
    }

    /// Formats of the matrix and the vector unit.
    fn alu(&mut self) {
        let tf32 = DataFormat::Tf32 as u32;
        let formats = c::ALU_FORMAT_SPEC_REG0_SrcA.value(tf32)
            | c::ALU_FORMAT_SPEC_REG1_SrcB.value(tf32)
            | c::ALU_FORMAT_SPEC_REG2_Dstacc.value(DataFormat::Fp32 as u32)
            | c::ALU_ACC_CTRL_Fp32_enabled.value(1)
            | c::ALU_ACC_CTRL_SFPU_Fp32_enabled.value(1);
        self.config(c::ALU_FORMAT_SPEC_REG0_SrcA, 0, formats);
        self.config(c::STACC_RELU_ApplyRelu, 0, 0);
        self.settle();
    }

    /// Four packers that bring FP32 from Dst to L1 as it is.
    fn packers(&mut self) {
        let fp32 = DataFormat::Fp32 as u32;
        let formats = c::THCON_SEC0_REG1_Out_data_format.value(fp32)
            | c::THCON_SEC0_REG1_In_data_format.value(fp32)
            | c::THCON_SEC0_REG1_Disable_zero_compress.value(1);
        let counts = c::PACK_COUNTERS_SEC0_pack_per_xy_plane.value(1)
            | c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane.value(FACE_DIM as u32)
            | c::PACK_COUNTERS_SEC0_pack_xys_per_tile.value(1);
        for (packer, distance) in (0..).zip(PACKERS) {
            let section = c::THCON_SEC0_REG1_Row_start_section_size;
            self.config(section, distance, 0);
            self.config(section, distance + 2, formats);
            self.config(section, distance + 3, 0);
            self.config(c::PACK_COUNTERS_SEC0_pack_per_xy_plane, packer, counts);
            self.config(c::PCK_EDGE_OFFSET_SEC0_mask, packer, 0xFFFF);
            self.config(c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset, packer, packer * FACE_DIM as u32);
        }
        let row = 4 * FACE_DIM as u32;
        let strides =
            c::PCK0_ADDR_CTRL_XY_REG_0_Xstride.value(4) | c::PCK0_ADDR_CTRL_XY_REG_0_Ystride.value(row);
        self.config(c::PCK0_ADDR_CTRL_XY_REG_0_Xstride, 0, strides);
        let plane = c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride.value(row * FACE_DIM as u32);
        self.config(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride, 0, plane);
        self.config(c::TILE_ROW_SET_MAPPING_0_row_set_mapping_0, 0, 0);
        self.config(c::TILE_ROW_SET_MAPPING_1_row_set_mapping_0, 0, 0);
        self.config(c::PCK_DEST_RD_CTRL_Read_32b_data, 0, c::PCK_DEST_RD_CTRL_Read_32b_data.value(1));
        self.settle();
        self.insn(SETADCXX { cnt_set_mask: 1 << 2, x_end2: FACE_DATUMS as u32 - 1, ..SETADCXX::ZERO }.word());
    }

    /// Brings the rows of Dst to the place of a way.
    fn pack(&mut self, way: usize) {
        self.sync();
        let to = OUT + way as u32 * BYTES;
        for (packer, distance) in (0..).zip(PACKERS) {
            let at = to + packer * BYTES / 4;
            self.config(c::THCON_SEC0_REG1_Row_start_section_size, distance + 1, (at >> 4) - 1);
        }
        self.settle();
        self.insn(PACR { pack_sel: 0b1111, last: 1, ..PACR::ZERO }.word());
        self.sync();
    }

    /// Unpacker 0 brings FP32 to Dst, or as TF32 to SrcA.
    fn unpack0(&mut self, to_dst: bool) {
        let (face, format) = (FACE_DATUMS as u32, if to_dst { DataFormat::Fp32 } else { DataFormat::Tf32 });
        self.descriptor(c::THCON_SEC0_REG0_TileDescriptor, face, 4);
        let output = c::THCON_SEC0_REG2_Out_data_format.value(format as u32)
            | c::THCON_SEC0_REG2_Throttle_mode.value(2);
        self.config(c::THCON_SEC0_REG2_Out_data_format, 0, output);
        let target = c::THCON_SEC0_REG2_Unpack_if_sel_cntx0.value(to_dst.into());
        self.config(c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 0, UNCOMPRESSED | target);
        self.config(c::THCON_SEC0_REG3_Base_address, 0, (A >> 4) - 1);
        self.config(c::THCON_SEC0_REG5_Dest_cntx0_address, 0, FIRST_DATUM);
        self.config(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 0, c::THCON_SEC0_REG5_Tile_x_dim_cntx0.value(face));
        self.config(c::THCON_SEC0_REG7_Offset_address, 0, 0);
        self.config(c::UNP0_ADDR_CTRL_XY_REG_1_Xstride, 0, 0);
        self.config(c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, 0, 0);
        self.settle();
        self.thread(t::SRCA_SET_SetOvrdWithAddr, t::SRCA_SET_SetOvrdWithAddr.value((!to_dst).into()));
        self.insn(SETADCXX { cnt_set_mask: 1 << 0, x_end2: DATUMS as u32 - 1, ..SETADCXX::ZERO }.word());
        let valid = u32::from(!to_dst);
        self.insn(UNPACR { ovrd_thread_id: 1, set_dat_valid: valid, last: 1, ..UNPACR::ZERO }.word());
        self.sync();
    }

    /// Unpacker 1 brings FP32 to SrcB as TF32.
    fn unpack1(&mut self) {
        self.descriptor(c::THCON_SEC1_REG0_TileDescriptor, DATUMS as u32, 1);
        let output = c::THCON_SEC1_REG2_Out_data_format.value(DataFormat::Tf32 as u32)
            | c::THCON_SEC1_REG2_Throttle_mode.value(2);
        self.config(c::THCON_SEC1_REG2_Out_data_format, 0, output);
        self.config(c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 0, UNCOMPRESSED);
        self.config(c::THCON_SEC1_REG3_Base_address, 0, (B >> 4) - 1);
        self.config(c::UNP1_ADDR_CTRL_ZW_REG_1_Zstride, 0, 0);
        self.settle();
        self.insn(SETADCXX { cnt_set_mask: 1 << 1, x_end2: DATUMS as u32 - 1, ..SETADCXX::ZERO }.word());
        let one = UNPACR {
            unpack_block_selection: 1,
            ovrd_thread_id: 1,
            set_dat_valid: 1,
            last: 1,
            ..UNPACR::ZERO
        };
        self.insn(one.word());
        self.sync();
    }

    /// Two words of an unpacker's tile descriptor: uncompressed FP32.
    fn descriptor(&mut self, field: CfgField, x: u32, z: u32) {
        self.config(field, 0, x << 16 | 1 << 4 | DataFormat::Fp32 as u32);
        self.config(field, 1, 1 | z << 16);
    }

    /// Gives banks of SrcA (1) and SrcB (2) back to the unpackers.
    fn give_back(&mut self, banks: u32) {
        self.insn(SETRWC { clear_ab_vld: banks, bit_mask: 0b1111, ..SETRWC::ZERO }.word());
        self.sync();
    }

    /// Products and sums of constants, in all lanes, to all rows; each four rows have another sum.
    fn vector(&mut self) {
        let load = |lreg_ind: u32, value: f32| {
            // The upper half of a number whose lower half is zero.
            SFPLOADI { lreg_ind, instr_mod0: sfploadi::FLOATB, imm16: value.to_bits() >> 16 }.word()
        };
        self.insn(load(0, 2.5));
        self.insn(load(1, -3.0));
        for four in 0..ROWS as u32 / 4 {
            self.insn(load(2, four as f32));
            let sum = SFPMAD { lreg_src_a: 0, lreg_src_b: 1, lreg_src_c: 2, lreg_dest: 3, instr_mod1: 0 };
            self.insn(sum.word());
            self.insn(SFPNOP {}.word());
            for odd in [0, 2] {
                let at = SFPSTORE {
                    lreg_ind: 3,
                    instr_mod0: mod0_fmt::FP32,
                    dest_reg_addr: 4 * four + odd,
                    ..SFPSTORE::ZERO
                };
                self.insn(at.word());
            }
        }
        self.insn(NOP {}.word());
    }

    /// Each eight rows of SrcB by the first sixteen of SrcA.
    fn product(&mut self) {
        self.insn(ZEROACC { clear_mode: 3, ..ZEROACC::ZERO }.word());
        self.thread(t::ADDR_MOD_AB_SEC0_SrcAIncr, t::ADDR_MOD_AB_SEC0_SrcBIncr.value(8));
        self.insn(SETRWC { bit_mask: 0b1111, ..SETRWC::ZERO }.word());
        for eight in 0..ROWS as u32 / 8 {
            self.insn(MVMUL { dst: 8 * eight, ..MVMUL::ZERO }.word());
        }
        self.thread(t::ADDR_MOD_AB_SEC0_SrcAIncr, 0);
        self.sync();
    }
}

/// All ways, one after the other.
fn program() -> Vec<u32> {
    let mut units = Units(Program::of(RiscV::Trisc0));
    units.start();
    units.vector();
    units.pack(VECTOR);
    units.unpack0(true);
    units.pack(THROUGH_DST);
    units.unpack0(false);
    for row in (0..ROWS as u32).step_by(8) {
        units.insn(MOVA2D { src: row, dst: row, instr_mod: 2, ..MOVA2D::ZERO }.word());
    }
    units.pack(THROUGH_A);
    units.give_back(0b01);
    units.unpack1();
    for row in (0..ROWS as u32).step_by(4) {
        units.insn(MOVB2D { src: row, dst: row, instr_mod: 4, ..MOVB2D::ZERO }.word());
    }
    units.pack(THROUGH_B);
    units.give_back(0b10);
    units.unpack0(false);
    units.unpack1();
    units.product();
    units.pack(PRODUCT);
    units.give_back(0b11);
    units.0.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_tell_which_unit_is_broken() {
        let cases: [(&[usize], &[&str]); 6] = [
            (&[VECTOR], &["vector unit"]),
            (&[PRODUCT], &["matrix unit"]),
            (&[THROUGH_DST, THROUGH_A, PRODUCT], &["unpacker 0"]),
            (&[THROUGH_B, PRODUCT], &["unpacker 1"]),
            (&[VECTOR, THROUGH_B, PRODUCT], &["vector unit", "unpacker 1"]),
            (&[VECTOR, THROUGH_DST, THROUGH_A, THROUGH_B, PRODUCT], &["packers"]),
        ];
        for (bad, units) in cases {
            let bad: Vec<bool> = (0..NAMES.len()).map(|way| bad.contains(&way)).collect();
            assert_eq!(blame(&bad), units);
        }
    }

    #[test]
    fn the_program_fits_its_slot() {
        let slot = RiscV::Trisc1.default_reset_pc() - RiscV::Trisc0.default_reset_pc();
        assert!(4 * program().len() < slot as usize, "{} words", program().len());
    }
}
