//! Modes that the vendor's simulator does not have: expected values are worked out by hand from the functional models
//! of the ISA pages.

use super::*;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::insn::{SETADC, SETADCXX, SETADCXY, SETADCZW, SETC16};

use crate::model::tensix::adc::dim;

const AT: u32 = 0x3_0000;
/// Packers' outputs are this far apart.
const APART: u32 = 0x1000;

struct Bench {
    t: Tensix,
    l1: L1,
}

const PACK: PACR = PACR { pack_sel: 1, last: 1, ..PACR::ZERO };

impl Bench {
    /// Four packers from 32-bit or 16-bit Dst, `count` datums each, packer n from row 16 n.
    fn new(wide: bool, input: DataFormat, output: DataFormat, count: u32) -> Self {
        let mut b =
            Self { t: crate::model::tensix::testing::tensix(), l1: crate::model::tensix::testing::l1() };
        b.l1.get_mut(AT, 0x8000).unwrap().fill(0xEE);
        b.set(c::ALU_FORMAT_SPEC_REG2_Dstacc, input as u32);
        b.set(c::PCK_DEST_RD_CTRL_Read_32b_data, wide.into());
        for packer in 0..PACKERS {
            b.set(in_section(c::THCON_SEC0_REG1_In_data_format, packer), input as u32);
            b.set(in_section(c::THCON_SEC0_REG1_Out_data_format, packer), output as u32);
            let at = AT + packer as u32 * APART;
            b.set(in_section(c::THCON_SEC0_REG1_L1_Dest_addr, packer), (at >> 4) - 1);
            let n = packer as u32;
            let counters = c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane;
            b.set(CfgField { index: counters.index + n, ..counters }, 16);
            let offset = c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset;
            b.set(CfgField { index: offset.index + n, ..offset }, 16 * n);
        }
        b.set(c::PCK_EDGE_OFFSET_SEC0_mask, 0xFFFF);
        b.run(SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: count - 1 }.word());
        b
    }

    /// bfloat16 numbers 1, 2, .. in the first rows of Dst, packed as they are.
    fn counting(count: u32) -> Self {
        let mut b = Self::new(false, Bf16, Bf16, count);
        for row in 0..64 {
            let number = |col: usize| (row * COLS + col + 1) as f32;
            let halves = std::array::from_fn(|col| (number(col).to_bits() >> 16) as u16);
            b.t.dst.write16(row, &halves.map(dst::encode_bf16));
        }
        b
    }

    fn set(&mut self, field: CfgField, value: u32) {
        if field.space == tt_isa::cfg::Space::Thread {
            self.run(SETC16 { setc16_reg: field.index, setc16_value: field.value(value) }.word());
        } else {
            let word = self.t.cfg.word(0, field.index);
            self.t.cfg.write(0, field.index, field.with(word, value)).unwrap();
        }
    }

    fn try_run(&mut self, word: u32) -> Exec {
        self.t.dispatch(0, Opcode::of(word).unwrap(), word, &mut self.l1)
    }

    fn run(&mut self, word: u32) {
        assert_eq!(self.try_run(word), Ok(Step::Done));
    }

    fn bytes(&self, at: u32, len: usize) -> Vec<u8> {
        self.l1.get(at, len).unwrap().to_vec()
    }

    /// Numbers, given bfloat16 ones.
    fn numbers(&self, at: u32, count: usize) -> Vec<f32> {
        let bytes = self.bytes(at, 2 * count);
        bytes.chunks(2).map(|b| f32::from_le_bytes([0, 0, b[0], b[1]])).collect()
    }

    fn halves(&self, at: u32, count: usize) -> Vec<u16> {
        self.bytes(at, 2 * count).chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
    }
}

/// What one row of 32-bit Dst becomes.
fn packed(input: DataFormat, output: DataFormat, datums: &[u32], more: impl Fn(&mut Bench)) -> Vec<u8> {
    let mut b = Bench::new(true, input, output, 16);
    if output.datum_bits() <= 8 {
        b.set(c::THCON_SEC0_REG1_Exp_section_size, 1);
    }
    more(&mut b);
    let mut row = [0; COLS];
    row[..datums.len()].copy_from_slice(datums);
    b.t.dst.write32(0, &row.map(dst::encode32));
    b.run(PACK.word());
    b.bytes(AT, 80)
}

/// 32-bit rows from 512 on are the second half once more (`Dst.md`).
#[test]
fn wide_rows_have_ten_bits() {
    for (first, same) in [(512, 256), (512 + 200, 256 + 200), (1024 - 16, 512 - 16)] {
        let mut b = Bench::new(true, Fp32, Fp32, 16);
        let datums: [u32; COLS] = std::array::from_fn(|col| (1.5 * col as f32 - same as f32).to_bits());
        b.t.dst.write32(same, &datums.map(dst::encode32));
        b.set(c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset, first);
        b.run(PACK.word());
        assert_eq!(b.bytes(AT, 64), datums.map(u32::to_le_bytes).concat(), "row {first}");
    }
}

#[test]
fn more_output_formats() {
    let bits = |x: f32| x.to_bits();
    let datums = [1.0, -1.5, 4.0].map(bits);
    // Five-bit exponents: that of 4 is 17; 1 is a quarter of it.
    let block = packed(Fp32, Bfp8a, &datums, |_| {});
    assert_eq!((block[0], &block[1..16], &block[16..20]), (17, &[0; 15][..], &[0x10, 0x98, 0x40, 0][..]));
    let block = packed(Fp32, Bfp4a, &datums, |_| {});
    assert_eq!((block[0], &block[16..18]), (17, &[0x91, 0x04][..]));
    let block = packed(Fp32, Bfp2a, &datums, |_| {});
    assert_eq!((block[0], block[16]), (17, 0b00_01_00_00));
    assert_eq!(packed(Fp32, Fp8, &datums, |_| {})[16..20], [0x3C, 0xBE, 0x44, 0]);
    let tf32 = packed(Tf32, Tf32, &[bits(1.0) | 0x1FFF], |_| {});
    assert_eq!(tf32[..4], (bits(1.0) + 0x2000).to_le_bytes());
    assert_eq!(packed(Fp32, Bf16, &[0xBFC0_FFFF], |_| {})[..2], [0xC0, 0xBF]);
    let descaled = |b: &mut Bench| {
        b.set(c::INT_DESCALE_Enable, 1);
        b.set(c::INT_DESCALE_VALUES_SEC0_Value, 32 + 3);
    };
    assert_eq!(packed(Int8, Int8, &[0x8000_0014, 20, 4000], descaled)[16..19], [0x83, 3, 127]);
    // The intermediate format may be told apart from the multiplication's.
    let overridden = |b: &mut Bench| {
        b.set(c::ALU_FORMAT_SPEC_REG2_Dstacc, Fp16 as u32);
        b.set(c::ALU_FORMAT_SPEC_REG_Dstacc_override, 1);
        b.set(c::ALU_FORMAT_SPEC_REG_Dstacc_val, Int32 as u32);
    };
    assert_eq!(packed(Fp32, Fp32, &[0x7FC0_0001], overridden)[..4], 0x7FC0_0001u32.to_le_bytes());
}

#[test]
fn small_exponents_become_zero() {
    let threshold = |b: &mut Bench| {
        b.set(c::THCON_SEC0_REG1_Exp_threshold_en, 1);
        b.set(c::THCON_SEC0_REG1_Exp_threshold, 127);
    };
    let words = packed(Fp32, Fp32, &[1.0f32, 0.75, -0.5, -2.0].map(f32::to_bits), threshold);
    assert_eq!(words[..16], [1.0f32, 0.0, 0.0, -2.0].map(f32::to_le_bytes).concat());
}

#[test]
fn any_packers() {
    for (pack_sel, packers) in
        [(0, vec![0]), (2, vec![1]), (4, vec![2]), (8, vec![3]), (12, vec![2, 3]), (3, vec![0, 1])]
    {
        let mut b = Bench::counting(1);
        b.run(PACR { pack_sel, ..PACK }.word());
        for packer in 0..PACKERS {
            let first = b.halves(AT + packer as u32 * APART, 1)[0];
            assert_eq!(first != 0xEEEE, packers.contains(&packer), "{pack_sel:#b}, packer {packer}");
        }
    }
    assert!(Bench::counting(1).try_run(PACR { pack_sel: 5, ..PACK }.word()).is_err());
}

#[test]
fn packers_need_not_be_alike() {
    let mut b = Bench::counting(16);
    b.set(in_section(c::THCON_SEC0_REG1_Out_data_format, 1), Fp32 as u32);
    b.set(in_section(c::THCON_SEC0_REG1_Out_data_format, 2), Bfp8 as u32);
    b.set(in_section(c::THCON_SEC0_REG1_Exp_section_size, 2), 4);
    b.set(in_section(c::THCON_SEC0_REG1_Downsample_mask, 3), 0x0001);
    b.run(PACR { pack_sel: 15, ..PACK }.word());
    assert_eq!(b.numbers(AT, 2), [1.0, 2.0]);
    // Of 257 bfloat16 has 256, of 513 and 514 it has 512, and of 769 it has 768.
    assert_eq!(b.bytes(AT + APART, 8), [256.0f32, 258.0].map(f32::to_le_bytes).concat());
    assert_eq!((b.bytes(AT + 2 * APART, 1), b.bytes(AT + 2 * APART + 64, 2)), (vec![136], vec![64, 64]));
    let (first, padding) = (b.halves(AT + 3 * APART, 1)[0], b.halves(AT + 3 * APART + 2, 7));
    assert_eq!((f32::from_bits(u32::from(first) << 16), padding), (768.0, vec![0; 7]));
}

#[test]
fn runs_start_and_end_anywhere() {
    let mut b = Bench::counting(1);
    b.run(SETADCXX { cnt_set_mask: 4, x_start: 5, x_end2: 5 + 36 }.word());
    b.run(PACK.word());
    assert_eq!(b.numbers(AT, 37), (6..=42).map(|n| n as f32).collect::<Vec<_>>());
    // Three datums of padding, and no more.
    assert_eq!(b.halves(AT + 74, 4), [0, 0, 0, 0xEEEE]);
    // Of the x counter only what the stride does not count is fine: 8 of 9, and 1.
    b.set(c::PCK0_ADDR_CTRL_XY_REG_0_Xstride, 2);
    b.run(SETADCXX { cnt_set_mask: 4, x_start: 9, x_end2: 9 }.word());
    b.run(PACK.word());
    assert_eq!(b.numbers(AT, 1), [10.0]);
}

#[test]
fn a_run_may_be_longer_than_a_face() {
    let mut b = Bench::counting(700);
    b.run(PACK.word());
    let numbers = b.numbers(AT, 700);
    assert_eq!((numbers[0], numbers[255], numbers[512]), (1.0, 256.0, 512.0));
    b.run(SETADC { cnt_set_mask: 4, channel_index: 1, value: 0x3FFF, ..SETADC::ZERO }.word());
    b.set(c::DEST_TARGET_REG_CFG_PACK_SEC0_Offset, 1);
    assert!(b.try_run(PACK.word()).is_err());
}

#[test]
fn datums_are_left_out() {
    let mut b = Bench::counting(20);
    b.set(c::THCON_SEC0_REG1_Downsample_mask, 0b0000_1000_0000_0101);
    b.run(PACR { last: 0, ..PACK }.word());
    // The pattern starts again with each instruction.
    b.run(SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 2 }.word());
    b.run(PACK.word());
    assert_eq!(b.numbers(AT, 8), [1.0, 3.0, 12.0, 17.0, 19.0, 1.0, 3.0, 0.0]);
}

#[test]
fn blocks_gather_datums_of_several_instructions() {
    let mut b = Bench::counting(12);
    b.set(c::THCON_SEC0_REG1_Out_data_format, Bfp8 as u32);
    b.set(c::THCON_SEC0_REG1_Exp_section_size, 1);
    b.run(PACR { last: 0, ..PACK }.word());
    assert_eq!(b.bytes(AT, 1), [0xEE]);
    b.run(PACK.word());
    // 1 to 12, 1 to 4; then 5 to 12 and zeros. Largest exponents: of 12, twice.
    let exponents = b.bytes(AT, 16);
    assert_eq!((exponents[..2].to_vec(), &exponents[2..]), (vec![130, 130], &[0; 14][..]));
    let data = b.bytes(AT + 16, 32);
    let magnitude = |n: u8| n * 8;
    assert_eq!(data[..3], [1, 2, 3].map(magnitude));
    assert_eq!(data[11..17], [12, 1, 2, 3, 4, 5].map(magnitude));
    assert_eq!(data[23..], [[12 * 8].as_slice(), &[0; 8]].concat());
}

#[test]
fn zeros_are_written_without_dst() {
    let mut b = Bench::counting(5);
    b.run(PACR { zero_write: 1, last: 0, ..PACK }.word());
    b.run(PACK.word());
    assert_eq!(b.numbers(AT, 11)[..11], [0., 0., 0., 0., 0., 1., 2., 3., 4., 5., 0.]);
}

#[test]
fn packer_0_may_read_l1() {
    let mut b = Bench::counting(3);
    b.set(c::THCON_SEC0_REG1_Source_interface_selection, 1);
    b.set(c::THCON_SEC0_REG1_L1_source_addr, 1);
    b.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 0x100);
    b.run(SETADCXX { cnt_set_mask: 4, x_start: 2, x_end2: 4 }.word());
    b.run(SETADCXY { cnt_set_mask: 4, ch0_y: 2, bit_mask: 2, ..SETADCXY::ZERO }.word());
    let numbers = [0x3F80u16, 0x4000, 0x4040].map(u16::to_le_bytes).concat();
    b.l1.get_mut((1 << 18) + 0x200 + 4, 6).unwrap().copy_from_slice(&numbers);
    b.set(c::THCON_SEC0_REG1_Out_data_format, Fp32 as u32);
    b.run(PACR { pack_sel: 3, ..PACK }.word());
    assert_eq!(b.bytes(AT, 12), [1.0f32, 2.0, 3.0].map(f32::to_le_bytes).concat());
    // The others read Dst.
    assert_ne!(b.numbers(AT + APART, 1), [1.0]);
    b.set(c::ALU_FORMAT_SPEC_REG2_Dstacc, Bfp8 as u32);
    b.set(c::THCON_SEC0_REG1_In_data_format, Bfp8 as u32);
    assert!(b.try_run(PACK.word()).unwrap_err().to_string().contains("from L1"));
}

#[test]
fn output_addresses() {
    let first = |b: &mut Bench, at: u32| {
        b.run(PACK.word());
        let numbers = b.numbers(at, 1);
        b.l1.get_mut(at, 16).unwrap().fill(0xEE);
        numbers[0] == 1.0
    };
    let mut b = Bench::counting(1);
    // Counters count in units of 256 bytes, the rest of the sum is lost.
    b.set(c::PCK0_ADDR_CTRL_XY_REG_1_Ystride, 16);
    b.set(c::PCK0_ADDR_CTRL_ZW_REG_1_Zstride, 32);
    b.set(c::PCK0_ADDR_CTRL_ZW_REG_1_Wstride, 15);
    b.run(SETADCXY { cnt_set_mask: 4, ch1_y: 1, bit_mask: 8, ..SETADCXY::ZERO }.word());
    b.run(SETADCZW { cnt_set_mask: 4, ch1_x: 2, ch1_y: 1, bit_mask: 12, ..SETADCZW::ZERO }.word());
    assert!(first(&mut b, AT + 16 * 80));
    b.run(SETADCXY { cnt_set_mask: 4, bit_mask: 8, ..SETADCXY::ZERO }.word());
    b.run(SETADCZW { cnt_set_mask: 4, bit_mask: 12, ..SETADCZW::ZERO }.word());
    b.set(c::THCON_SEC0_REG1_Sub_l1_tile_header_size, 1);
    assert!(first(&mut b, AT - 16));
    b.t.pack.l1_dest_addr_offset[0] = 0x21;
    assert!(first(&mut b, AT - 16));
    b.set(c::THCON_SEC0_REG1_Add_l1_dest_addr_offset, 1);
    assert!(first(&mut b, AT + 0x200));
    // Beyond the limit, in units of 32 bytes, the ring goes on at its start.
    b.set(c::THCON_SEC0_REG9_Pack_0_2_limit_address, (AT + 0x1E0) >> 5);
    b.set(c::THCON_SEC0_REG9_Pack_0_2_fifo_size, 0x100 >> 5);
    assert!(first(&mut b, AT + 0x100));
}

#[test]
fn counters_of_another_thread() {
    let mut b = Bench::counting(1);
    b.set(c::THCON_SEC0_REG1_Addr_cnt_context, 2);
    b.set(in_section(c::THCON_SEC0_REG1_Addr_cnt_context, 1), 3);
    b.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 32);
    let y = SETADCXY { cnt_set_mask: 4, thread_override: 3, ch0_y: 4, bit_mask: 2, ..SETADCXY::ZERO };
    b.run(y.word());
    b.set(tc::ADDR_MOD_PACK_SEC1_YsrcIncr, 1);
    b.run(PACR { ovrd_thread_id: 1, pack_sel: 3, addr_mode: 1, ..PACK }.word());
    assert_eq!((b.numbers(AT, 1), b.numbers(AT + APART, 1)), (vec![65.0], vec![256.0]));
    assert_eq!([0, 1, 2].map(|thread| b.t.adc[thread][2].value(0, dim::Y)), [1, 0, 5]);
}

#[test]
fn address_modifiers_of_the_output() {
    let mut b = Bench::counting(1);
    let one = |field: CfgField, value| field.value(value);
    b.run(
        SETC16 {
            setc16_reg: tc::ADDR_MOD_PACK_SEC2_YdstIncr.index,
            setc16_value: one(tc::ADDR_MOD_PACK_SEC2_YdstIncr, 3)
            | one(tc::ADDR_MOD_PACK_SEC2_YdstCR, 1)
            | one(tc::ADDR_MOD_PACK_SEC2_ZdstIncr, 1)
            // Clearing comes before returning.
            | one(tc::ADDR_MOD_PACK_SEC2_YsrcCR, 1)
            | one(tc::ADDR_MOD_PACK_SEC2_YsrcClear, 1)
            | one(tc::ADDR_MOD_PACK_SEC2_YsrcIncr, 5),
        }
        .word(),
    );
    let y = SETADCXY { cnt_set_mask: 4, ch0_y: 2, ch1_y: 1, bit_mask: 10, ..SETADCXY::ZERO };
    b.run(y.word());
    let counters = |b: &Bench| {
        let of = |channel, dim| b.t.adc[0][2].value(channel, dim);
        [of(0, dim::Y), of(1, dim::Y), of(1, dim::Z)]
    };
    b.run(PACR { addr_mode: 2, ..PACK }.word());
    assert_eq!(counters(&b), [0, 4, 1]);
    b.run(PACR { addr_mode: 2, ..PACK }.word());
    assert_eq!(counters(&b), [0, 7, 2]);
}

#[test]
fn edges_by_any_mask_and_to_the_lowest_number() {
    let mut b = Bench::counting(48);
    let set = c::TILE_ROW_SET_MAPPING_2_row_set_mapping_0;
    b.set(c::PCK_EDGE_TILE_ROW_SET_SELECT_select, 2);
    b.set(CfgField { width: 8, ..set }, 0b00_11_10_01);
    b.set(c::PCK_EDGE_OFFSET_SEC1_mask, 0x0001);
    b.set(c::PCK_EDGE_OFFSET_SEC2_mask, 0x8000);
    b.set(c::PCK_EDGE_OFFSET_SEC3_mask, 0x0180);
    b.run(PACK.word());
    let kept = |numbers: Vec<f32>| -> Vec<f32> { numbers.into_iter().filter(|x| *x > 0.0).collect() };
    assert_eq!(kept(b.numbers(AT, 48)), [1.0, 32.0, 40.0, 41.0]);
    b.set(c::PCK_EDGE_MODE_mode, 1);
    b.run(PACK.word());
    assert_eq!(b.halves(AT, 2), [0x3F80, 0xFF80]);
    // ReLU comes behind it.
    b.set(c::STACC_RELU_ApplyRelu, 1);
    b.run(PACK.word());
    assert_eq!(b.halves(AT, 2), [0x3F80, 0]);
    let mut b = Bench::new(false, Fp16, Fp16, 16);
    b.set(c::PCK_EDGE_MODE_mode, 1);
    b.set(c::PCK_EDGE_OFFSET_SEC0_mask, 0xFFFE);
    assert!(b.try_run(PACK.word()).unwrap_err().to_string().contains("infinity"));
}

#[test]
fn packers_tiles_end_one_by_one() {
    let mut b = Bench::counting(8);
    b.run(PACR { pack_sel: 3, last: 0, ..PACK }.word());
    b.run(PACR { pack_sel: 2, ..PACK }.word());
    b.run(PACR { pack_sel: 3, ..PACK }.word());
    // Packer 0 has gone on, packer 1 has started again.
    assert_eq!((b.numbers(AT, 9)[8], b.numbers(AT + APART, 9)[8]), (1.0, 256.0));
    b.l1.get_mut(AT + APART, 32).unwrap().fill(0xEE);
    b.run(PACR { pack_sel: 2, ..PACK }.word());
    assert_eq!(b.halves(AT + APART + 16, 1), [0xEEEE]);
}

#[test]
fn registers_are_written_in_the_packers_order() {
    let mut b = Bench::counting(1);
    let set = PACR_SETREG {
        push: 1,
        addr_sel: 1,
        wr_data: 0x3FF,
        pack_sel: 15,
        stream_id: 0x21,
        flush: 1,
        last: 0,
    };
    b.t.pack.set_reg_base = [0, 2 << 18 | 0x10];
    b.t.pack.set_reg_hi_scaler = [0, 0x1FF, 0, 0];
    b.run(set.word());
    // 0x3FF * 0x1FF, cut to 17 bits, above the number's 12.
    let value = 0x3FF + (((0x3FF * 0x1FF) & 0x1_FFFF) << 12);
    assert!(b.t.requests.is_empty());
    b.t.pack.set_reg_base[1] = 1 << 18 | 0x10;
    b.run(set.word());
    assert_eq!(b.t.requests, [TileRequest::Write { addr: 0xFFB6_1010, value }]);
    assert!(b.try_run(PACR_SETREG { addr_sel: 0, stream_id: 1, ..set }.word()).is_err());
    assert!(b.try_run(PACR_SETREG { last: 1, ..set }.word()).is_err());
    b.run(PACR { last: 0, ..PACK }.word());
    assert!(b.try_run(set.word()).unwrap_err().to_string().contains("16 bytes"));
}

#[test]
fn exponents_are_counted() {
    let mut b = Bench::counting(5);
    // Nothing was cleared, nothing enabled: of 1 to 5 there is no largest exponent, and no histogram.
    b.run(PACK.word());
    assert!(b.t.pack.statistics.is_none());
    b.run(tt_isa::insn::CLREXPHIST {}.word());
    b.run(PACK.word());
    let statistics = |b: &Bench| {
        let statistics = b.t.pack.statistics.as_deref().unwrap();
        (statistics.max().unwrap(), statistics.histogram(0, 1).unwrap(), statistics.histogram(0, 0).unwrap())
    };
    assert_eq!(statistics(&b), (129, [0; 4], [0; 4]));
    // 127: once; 128 and 129, which are 0 and 1 of five bits: twice. What is left out counts too.
    b.set(tc::ENABLE_ACC_STATS_Enable, 1);
    b.set(c::THCON_SEC0_REG1_Downsample_mask, 1);
    b.run(PACK.word());
    assert_eq!(statistics(&b), (129, [0, 0, 0, 1 << 24], [2 | 2 << 8, 0, 0, 0]));
    // Other packers' numbers are theirs; 256 to 260 have exponent 135.
    b.run(PACR { pack_sel: 2, ..PACK }.word());
    let of = b.t.pack.statistics.as_deref().unwrap();
    assert_eq!((of.histogram(1, 0).unwrap()[1], of.max().unwrap()), (5 << 24, 129));
    for _ in 0..200 {
        b.run(PACK.word());
    }
    assert_eq!(statistics(&b).2, [255 | 255 << 8, 0, 0, 0]);
    b.run(tt_isa::insn::CLREXPHIST {}.word());
    assert_eq!(statistics(&b), (0, [0; 4], [0; 4]));
    let mut b = Bench::new(true, Int8, Int8, 16);
    b.run(tt_isa::insn::CLREXPHIST {}.word());
    b.run(PACK.word());
    assert!(b.t.pack.statistics.as_deref().unwrap().max().is_err());
}

#[test]
fn modes_without_a_definition_are_faults() {
    for field in UNDEFINED {
        let mut b = Bench::counting(1);
        b.set(in_section(field, 3), 1);
        b.run(PACR { pack_sel: 1, ..PACK }.word());
        let fault = b.try_run(PACR { pack_sel: 8, ..PACK }.word()).unwrap_err();
        assert!(fault.to_string().contains(field.name), "{fault}");
    }
    let mut b = Bench::counting(1);
    b.set(c::INT_DESCALE_Enable, 1);
    b.set(c::INT_DESCALE_Mode, 1);
    assert!(b.try_run(PACK.word()).is_err());
    let mut b = Bench::counting(1);
    b.set(c::ALU_ROUNDING_MODE_Packer_srnd_en, 1);
    assert!(b.try_run(PACK.word()).unwrap_err().to_string().contains("stochastic"));
}
