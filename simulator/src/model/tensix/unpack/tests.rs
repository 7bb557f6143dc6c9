//! Modes that the vendor's simulator does not have: expected values are worked out by hand from the functional models
//! of the ISA pages.

use super::*;
use tt_isa::cfg::CfgField;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{SETADC, SETADCXX, SETADCXY, SETADCZW, SETC16};

use crate::model::tensix::src::COLS;

const AT: u32 = 0x2_0000;

struct Bench {
    t: Tensix,
    l1: L1,
}

impl Bench {
    /// Unpacker 0 with this conversion, to SrcA by address, from [`AT`]: a range of `count` datums.
    fn new(input: DataFormat, output: DataFormat, count: u32) -> Self {
        let mut b =
            Self { t: crate::model::tensix::testing::tensix(), l1: crate::model::tensix::testing::l1() };
        b.word(c::THCON_SEC0_REG0_TileDescriptor.index, input as u32 | 1 << 4 | 16 << 16);
        b.word(c::THCON_SEC0_REG0_TileDescriptor.index + 1, 16 | 1 << 16);
        b.set(c::THCON_SEC0_REG2_Out_data_format, output as u32);
        b.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 1);
        b.set(c::THCON_SEC0_REG3_Base_address, (AT >> 4) - 1);
        b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64);
        b.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 16);
        b.set(tc::SRCA_SET_SetOvrdWithAddr, 1);
        b.run(SETADCXX { cnt_set_mask: 3, x_start: 0, x_end2: count - 1 }.word());
        b
    }

    fn to_dst(input: DataFormat, output: DataFormat, count: u32) -> Self {
        let mut b = Self::new(input, output, count);
        b.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx0, 1);
        b.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
        b
    }

    fn word(&mut self, index: u32, value: u32) {
        self.t.cfg.write(0, index, value).unwrap();
    }

    fn set(&mut self, field: CfgField, value: u32) {
        if field.space == tt_isa::cfg::Space::Thread {
            // Fields that share a register are not set together here.
            self.run(SETC16 { setc16_reg: field.index, setc16_value: field.value(value) }.word());
        } else {
            self.word(field.index, field.with(self.t.cfg.word(0, field.index), value));
        }
    }

    fn fill(&mut self, at: u32, bytes: &[u8]) {
        self.l1.get_mut(at, bytes.len()).unwrap().copy_from_slice(bytes);
    }

    fn halves(&mut self, at: u32, halves: &[u16]) {
        self.fill(at, &halves.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>());
    }

    fn try_run(&mut self, word: u32) -> Exec {
        let opcode = Opcode::of(word).unwrap();
        self.t.dispatch(0, opcode, word, &mut self.l1)
    }

    fn run(&mut self, word: u32) {
        assert_eq!(self.try_run(word), Ok(Step::Done));
    }

    fn src_a(&mut self, row: usize) -> [u32; COLS] {
        self.t.src_a.unpack_mut()[row]
    }
}

const UNPACK: UNPACR = UNPACR { ovrd_thread_id: 1, ..UNPACR::ZERO };

/// The first bytes of L1 in `input` as they come to Dst in `output`, in storage form.
fn in_dst(input: DataFormat, output: DataFormat, bytes: &[u8], count: u32) -> Vec<u16> {
    let mut b = Bench::to_dst(input, output, count);
    b.fill(AT, bytes);
    b.run(UNPACK.word());
    b.t.dst.read16(0)[..count as usize].to_vec()
}

#[test]
fn sixteen_bit_formats_to_dst() {
    // Sign, mantissa and exponent: 1.5 and -2 as bfloat16, as half precision.
    let bf16 = [0xC0, 0x3F, 0x00, 0xC0];
    assert_eq!(in_dst(Bf16, Bf16, &bf16, 2), [0x407F, 0x8080]);
    let fp16 = [0x00, 0x3E, 0x00, 0xC0];
    assert_eq!(in_dst(Fp16, Fp16, &fp16, 2), [0x200 << 5 | 15, 0x8000 | 16]);
    assert_eq!(in_dst(Int16, Int16, &[0x34, 0x12, 0xFF, 0x80], 2), [0x1234, 0x80FF]);
    let fp32 = [1.5f32, -2.0, 1e-42, 1e9].map(f32::to_le_bytes).concat();
    assert_eq!(in_dst(Fp32, Bf16, &fp32, 3), [0x407F, 0x8080, 0]);
    assert_eq!(in_dst(Fp32, Fp16, &fp32, 4), [0x200 << 5 | 15, 0x8000 | 16, 0, 0x7FFF]);
}

#[test]
fn bytes_and_blocks_to_dst() {
    // FP8 is the upper half of half precision; integers are mantissas with exponent 16, or nothing.
    assert_eq!(in_dst(Fp8, Fp8, &[0x3E, 0xC0], 2), [0x200 << 5 | 15, 0x8000 | 16]);
    assert_eq!(in_dst(Int8, Int8, &[5, 0x85, 0, 0x80], 4), [5 << 5 | 16, 0x8000 | 5 << 5 | 16, 0, 0x8000]);
    // One exponent byte, padded to 16 for 256 datums, in front of the datums: 1.5 and -0.5.
    let block = |exponent: u8, datums: &[u8]| [&[exponent; 16][..], datums].concat();
    assert_eq!(in_dst(Bfp8, Bfp8, &block(127, &[0x60, 0xA0]), 2), [0x407F, 0x807E]);
    assert_eq!(in_dst(Bfp8a, Bfp8a, &block(15, &[0x60, 0xA0]), 2), [0x200 << 5 | 15, 0x8000 | 14]);
    assert_eq!(in_dst(Bfp4, Bfp4, &block(127, &[0xA6]), 2), [0x407F, 0x807E]);
    assert_eq!(in_dst(Bfp4a, Bfp4a, &block(15, &[0xA6]), 2), [0x200 << 5 | 15, 0x8000 | 14]);
    assert_eq!(in_dst(Bfp2, Bfp2, &block(127, &[0b10_00_11_01]), 4), [0x007F, 0x807F, 0, 0x80FF]);
    assert_eq!(in_dst(Bfp2a, Bfp2a, &block(15, &[0b10_00_11_01]), 4), [0x000F, 0x800F, 0, 0x801F]);
}

#[test]
fn five_bit_block_exponents_in_src_a() {
    let mut b = Bench::new(Bfp8a, Bfp8a, 3);
    b.fill(AT, &[16; 16]);
    b.fill(AT + 16, &[0x40, 0x01, 0x80]);
    b.run(UNPACK.word());
    // 2, and 2 / 64; the lowest number has exponent 31 of five bits.
    assert_eq!(b.src_a(0)[..3], [16 << 23, 10 << 23, 0x8000_0000 | 31 << 23]);
    b.fill(AT, &[5; 16]);
    let fault = b.try_run(UNPACK.word()).unwrap_err();
    assert!(fault.to_string().contains("five-bit exponent 5"), "{fault}");
}

#[test]
fn every_context_has_its_own_place() {
    for context in 0..8 {
        let shared = context & 3;
        let mut b = Bench::new(Bf16, Bf16, 2);
        let at = |field: CfgField, n: u32| CfgField { index: field.index + n, ..field };
        b.set(at(c::THCON_SEC0_REG3_Base_address, context), 0x3000 + 0x10 * context);
        b.set(at(c::THCON_SEC0_REG7_Offset_address, shared), 1 + shared);
        let destinations = at(c::THCON_SEC0_REG5_Dest_cntx0_address, shared / 2);
        b.set(CfgField { shift: 16 * (shared % 2), ..destinations }, 64 + 16 * context);
        let x_dims = at(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, shared / 2);
        b.set(CfgField { shift: 16 * (shared % 2), ..x_dims }, 4);
        let half = 16 * (context / 4);
        b.set(CfgField { shift: half + shared, ..c::THCON_SEC0_REG2_Disable_zero_compress_cntx0 }, 1);
        b.run(SETADCXY { cnt_set_mask: 1, ch0_y: 1, bit_mask: 2, ..SETADCXY::ZERO }.word());
        // Row 1 of 4 datums, behind base, offset and header.
        b.halves((0x3000 + 0x10 * context + 2 + shared) * 16 + 8, &[0x3F80, 0x4000]);
        // The context is the sum of the instruction's and the thread's.
        b.set(tc::UNPACK_MISC_CFG_CfgContextOffset_0, 3);
        b.run(UNPACR { cfg_context_id: (context + 5) % 8, ..UNPACK }.word());
        assert_eq!(b.src_a(context as usize)[..3], [0x3F80_0000, 0x4000_0000, 0], "context {context}");
    }
    let mut b = Bench::new(Bf16, Bf16, 1);
    let fault = b.try_run(UNPACR { unpack_block_selection: 1, cfg_context_id: 2, ..UNPACK }.word());
    assert!(fault.unwrap_err().to_string().contains("context 2 of unpacker 1"));
}

#[test]
fn the_context_counter_counts_contexts() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    b.set(c::THCON_SEC0_REG2_Context_count, 1);
    b.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx1, 1);
    b.set(c::THCON_SEC0_REG3_Base_cntx1_address, AT >> 4);
    b.set(c::THCON_SEC0_REG5_Dest_cntx1_address, 64);
    b.halves(AT, &[0x1000]);
    b.halves(AT + 16, &[0x2000]);
    let seen = |b: &mut Bench, auto_inc_context_id| {
        b.run(UNPACR { auto_inc_context_id, ..UNPACK }.word());
        b.src_a(0)[0] >> 16
    };
    // Two contexts in turn; without the counter it is the instruction's, and the counter stays.
    assert_eq!([1, 1, 1, 0, 1].map(|auto| seen(&mut b, auto)), [0x1000, 0x2000, 0x1000, 0x1000, 0x2000]);
    let count = UNPACR { cfg_context_cnt_inc: 1, ..UNPACR::ZERO }.word();
    b.run(count);
    assert_eq!(seen(&mut b, 1), 0x2000);
    b.run(count);
    b.run(count);
    assert_eq!(seen(&mut b, 1), 0x1000);
    // A write to the register with the context offsets starts it again.
    b.set(tc::UNPACK_MISC_CFG_CfgContextOffset_0, 0);
    assert_eq!(seen(&mut b, 1), 0x1000);
}

#[test]
fn contexts_may_have_their_own_formats() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    b.set(c::THCON_SEC0_REG2_Ovrd_data_format, 1);
    b.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx5, 1);
    b.set(c::THCON_SEC0_REG4_Base_cntx5_address, (AT >> 4) - 1);
    b.set(c::THCON_SEC0_REG5_Dest_cntx1_address, 64);
    b.set(c::THCON_SEC0_REG7_Unpack_data_format_cntx5, Fp32 as u32);
    b.set(c::THCON_SEC0_REG7_Unpack_out_data_format_cntx5, Tf32 as u32);
    b.fill(AT, &0x3F81_FFFFu32.to_le_bytes());
    b.run(UNPACR { cfg_context_id: 5, ..UNPACK }.word());
    assert_eq!(b.src_a(0)[0], 0x3F81_E000);
}

#[test]
fn without_contexts_the_descriptor_says_it_all() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    b.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 0);
    b.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 999);
    b.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, 2 * 16);
    b.run(SETADCXY { cnt_set_mask: 1, ch0_y: 2, ch1_y: 6, bit_mask: 0b1010, ..SETADCXY::ZERO }.word());
    b.halves(AT + 2 * 32, &[0x4444]);
    b.run(UNPACR { ovrd_thread_id: 0, ..UNPACK }.word());
    // Row 6, of which the first four are in front of SrcA.
    assert_eq!(b.src_a(2)[0], 0x4444_0000);
}

#[test]
fn counters_of_another_thread() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    b.halves(AT, &(0..512).collect::<Vec<u16>>());
    b.word(c::THCON_SEC0_REG0_TileDescriptor.index + 1, 8 | 2 << 16);
    // x and y of thread 1, z of thread 0: 3 + 2 * 16 + 1 * 128.
    let x = |value: u32| SETADC { cnt_set_mask: 1, value: 2 << 16 | value, ..SETADC::ZERO };
    b.run(x(3).word());
    b.run(SETADC { channel_index: 1, ..x(4) }.word());
    b.run(SETADC { dimension_index: 1, ..x(2) }.word());
    b.run(SETADCZW { cnt_set_mask: 1, ch0_x: 1, bit_mask: 1, ..SETADCZW::ZERO }.word());
    // The x counters' two bits of the thread are part of them: 18 bits.
    for channel in b.t.adc[1][0].0.iter_mut() {
        channel[dim::X].value &= 0xFFFF;
    }
    b.run(UNPACR { addr_cnt_context_id: 1, addr_mode: 0b01_10_11_01, ..UNPACK }.word());
    assert_eq!(b.src_a(0)[..3], [163 << 16, 164 << 16, 0]);
    let counters = |thread: usize| {
        let of = |channel, dim| b.t.adc[thread][0].value(channel, dim);
        [of(0, dim::Y), of(0, dim::Z), of(1, dim::Y), of(1, dim::Z)]
    };
    assert_eq!([counters(0), counters(1), counters(2)], [[3, 2, 1, 2], [5, 1, 1, 2], [0; 4]]);
}

#[test]
fn datums_are_spread() {
    let mut b = Bench::new(Bf16, Bf16, 5);
    b.halves(AT, &[1, 2, 3, 4, 5]);
    b.t.src_a.unpack_mut()[0].fill(7 << 16);
    b.t.src_a.unpack_mut()[1].fill(7 << 16);
    b.set(c::THCON_SEC0_REG2_Upsample_rate, 2);
    b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + 2);
    let row = |values: [u32; 16]| values.map(|x| x << 16);
    b.run(UNPACK.word());
    assert_eq!(b.src_a(0), row([7, 7, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0]));
    assert_eq!(b.src_a(1), row([0, 0, 5, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]));
    // With interleaving what is between them stays.
    b.set(c::THCON_SEC0_REG2_Upsample_and_interleave, 1);
    b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + 3);
    b.run(UNPACK.word());
    assert_eq!(b.src_a(0), row([7, 7, 1, 1, 0, 0, 2, 2, 0, 0, 3, 3, 0, 0, 4, 4]));
}

#[test]
fn columns_are_shifted_out() {
    let mut b = Bench::new(Bf16, Bf16, 18);
    b.halves(AT, &(1..=18).collect::<Vec<u16>>());
    b.set(c::THCON_SEC0_REG2_Shift_amount_cntx0, 14);
    b.run(UNPACK.word());
    assert_eq!(b.src_a(0)[..3], [15 << 16, 16 << 16, 0]);
    assert_eq!(b.src_a(1), [0; 16]);
}

#[test]
fn rows_in_front_of_src_a_are_dropped() {
    let mut b = Bench::new(Bf16, Bf16, 40);
    b.halves(AT, &(1..=40).collect::<Vec<u16>>());
    b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 32);
    b.run(UNPACK.word());
    assert_eq!((b.src_a(0)[0], b.src_a(0)[7], b.src_a(0)[8]), (33 << 16, 40 << 16, 0));
}

#[test]
fn sixteen_rows_at_a_time() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    b.halves(AT, &[9]);
    b.set(tc::SRCA_SET_SetOvrdWithAddr, 0);
    b.set(c::THCON_SEC0_REG2_Unpack_Src_Reg_Set_Upd, 1);
    b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + 16);
    for _ in 0..3 {
        b.run(UNPACK.word());
    }
    let filled = |b: &mut Bench| (0..64).filter(|&row| b.src_a(row)[0] != 0).collect::<Vec<_>>();
    assert_eq!(filled(&mut b), [1, 17, 33]);
    // A fresh bank starts at the thread's base.
    b.set(tc::SRCA_SET_Base, 2);
    b.run(UNPACR { set_dat_valid: 1, ..UNPACK }.word());
    assert_eq!((b.t.src_a.unpack_bank, filled(&mut b)), (1, vec![]));
    b.run(UNPACK.word());
    assert_eq!(filled(&mut b), [33]);
    b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + 256);
    assert!(b.try_run(UNPACK.word()).is_err());
}

#[test]
fn row_search_takes_whole_rows_or_blobs() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    b.halves(AT, &(0..512).collect::<Vec<u16>>());
    // The end of the range does not count, and where it starts does not either.
    b.run(SETADCXX { cnt_set_mask: 1, x_start: 9, x_end2: 4 }.word());
    b.run(SETADCXY { cnt_set_mask: 1, ch0_y: 1, bit_mask: 2, ..SETADCXY::ZERO }.word());
    b.run(UNPACR { row_search: 1, ..UNPACK }.word());
    assert_eq!(b.src_a(0)[..5], [16 << 16, 17 << 16, 18 << 16, 19 << 16, 0]);
    // Three blobs: 0 to 32, 32 to 48, 48 to the end of the row at 64.
    let mut b = Bench::new(Bf16, Bf16, 1);
    b.halves(AT, &(0..512).collect::<Vec<u16>>());
    b.word(c::THCON_SEC0_REG0_TileDescriptor.index, Bf16 as u32 | 1 << 4 | 3 << 8);
    b.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 64 + 3);
    b.set(c::UNP0_BLOBS_Y_START_CNTX_01_blobs_y_start, 0x320);
    let mut blob = |first, last| {
        b.run(SETADCXX { cnt_set_mask: 1, x_start: last, x_end2: 0 }.word());
        b.run(SETADCXY { cnt_set_mask: 1, ch0_y: first, bit_mask: 2, ..SETADCXY::ZERO }.word());
        *b.t.src_a.unpack_mut() = [[0; COLS]; ROWS];
        b.run(UNPACR { row_search: 1, ..UNPACK }.word());
        let datums: Vec<u32> = b.t.src_a.unpack_mut().iter().flatten().map(|x| x >> 16).collect();
        (datums[0], datums.iter().filter(|&&x| x != 0).count())
    };
    assert_eq!([blob(1, 1), blob(1, 2), blob(2, 2)], [(32, 16), (32, 32), (48, 16)]);
}

#[test]
fn input_buffers_are_a_ring() {
    let mut b = Bench::new(Bf16, Bf16, 48);
    // Addresses beyond 0x2_0020 continue 0x1_0000 lower.
    b.set(c::THCON_SEC0_REG2_Unpack_limit_address, (AT + 0x20) >> 4);
    b.set(c::THCON_SEC0_REG2_Unpack_fifo_size, 0x1000);
    b.halves(AT, &[1; 16]);
    b.halves(AT + 0x20, &[2; 16]);
    b.halves(AT + 0x40 - 0x1_0000, &[3; 16]);
    b.run(UNPACK.word());
    assert_eq!([0, 1, 2].map(|row| b.src_a(row)[15]), [1 << 16, 2 << 16, 3 << 16]);
}

#[test]
fn exponents_may_share_their_place_with_datums() {
    let mut b = Bench::new(Bfp4, Bfp4, 2);
    b.word(c::THCON_SEC0_REG0_TileDescriptor.index, Bfp4 as u32 | 1 << 5);
    b.fill(AT, &[0x64]);
    b.run(UNPACK.word());
    // The byte is the exponent, and datums 4 and 6: 1 and 1.5 at exponent 0x64.
    assert_eq!(b.src_a(0)[..2], [0x64 << 23, 0x64 << 23 | 0x40 << 16]);
}

#[test]
fn zeros_need_no_input() {
    let mut b = Bench::new(Bf16, Bf16, 3);
    b.t.src_a.unpack_mut()[0].fill(5);
    b.set(c::THCON_SEC0_REG3_Base_address, 0xFF_FFFF);
    b.run(UNPACR { zero_write2: 1, ..UNPACK }.word());
    assert_eq!(b.src_a(0)[..4], [0, 0, 0, 5]);
    assert!(b.try_run(UNPACK.word()).is_err());
}

#[test]
fn output_counters_reach_dst_and_src_b() {
    let mut b = Bench::to_dst(Bf16, Bf16, 1);
    b.halves(AT, &[0x3F80]);
    b.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, 2 * 16);
    b.set(c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, 2 * 16 * 10);
    b.set(c::UNP0_ADDR_CTRL_ZW_REG_1_Wstride, 2 * 16 * 100 + 2);
    b.run(SETADCXY { cnt_set_mask: 1, ch1_y: 3, bit_mask: 8, ..SETADCXY::ZERO }.word());
    b.run(SETADCZW { cnt_set_mask: 1, ch1_x: 2, ch1_y: 1, bit_mask: 0b1100, ..SETADCZW::ZERO }.word());
    b.run(UNPACK.word());
    assert_eq!(b.t.dst.read16(123)[..3], [0, 0x007F, 0]);
    b.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, 3);
    assert!(b.try_run(UNPACK.word()).is_err());
    // In front of its first row Dst goes round.
    b.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, 0);
    b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 0);
    b.run(SETADCZW { cnt_set_mask: 1, bit_mask: 0b1100, ..SETADCZW::ZERO }.word());
    b.run(UNPACK.word());
    assert_eq!(b.t.dst.read16(dst::ROWS - 4)[..2], [0x007F, 0]);
}

#[test]
fn unpacker_1_tilizes_and_counts_rows_too() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    let second = |field: CfgField| CfgField { index: field.index + 40, ..field };
    b.word(c::THCON_SEC1_REG0_TileDescriptor.index, Bf16 as u32 | 1 << 4 | 16 << 16);
    b.word(c::THCON_SEC1_REG0_TileDescriptor.index + 1, 16 | 1 << 16);
    b.set(c::THCON_SEC1_REG2_Out_data_format, Bf16 as u32);
    b.set(c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1);
    b.set(c::THCON_SEC1_REG3_Base_address, (AT >> 4) - 1);
    b.set(c::THCON_SEC1_REG2_Tileize_mode, 1);
    b.set(second(c::THCON_SEC0_REG2_Shift_amount_cntx1), 1);
    b.set(c::THCON_SEC1_REG2_Unpack_Src_Reg_Set_Upd, 1);
    b.halves(AT, &[1; 16]);
    b.halves(AT + 0x100, &[2; 16]);
    b.run(SETADCXX { cnt_set_mask: 2, x_start: 0, x_end2: 17 }.word());
    let unpack = UNPACR { unpack_block_selection: 1, ..UNPACK }.word();
    b.run(unpack);
    b.run(unpack);
    let row = |b: &mut Bench, n: usize| b.t.src_b.unpack_mut()[n][..3].to_vec();
    assert_eq!([0, 1, 16, 17].map(|n| row(&mut b, n)[0]), [1 << 16, 2 << 16, 1 << 16, 2 << 16]);
    assert_eq!(row(&mut b, 17), [2 << 16, 2 << 16, 0]);
    // SrcB has four times sixteen rows; then they start again.
    b.run(unpack);
    b.run(unpack);
    b.run(unpack);
    assert_eq!(b.t.unpack.src_row[1][0], 16);
}

#[test]
fn nops_clear_wait_and_do_nothing() {
    let mut b = Bench::new(Bf16, Bf16, 1);
    let nop = |unpack_block_selection, no_op| UNPACR_NOP { unpack_block_selection, no_op }.word();
    for banks in [&mut b.t.src_a, &mut b.t.src_b] {
        banks.fill(3);
        banks.valid = [true, false];
        banks.unpack_bank = 1;
    }
    // The matrix unit has bank 0: that is what it waits for, unless it is to wait like UNPACR.
    assert_eq!(b.try_run(nop(0, 1)), Ok(Step::Stall));
    b.run(nop(0, 2));
    b.run(nop(0, 0b1_0001));
    assert_eq!((b.src_a(0)[0], b.t.src_a.matrix()[0][0]), (0, 3));
    b.run(nop(0, 0b1_0101));
    assert_eq!(b.src_a(63)[15], 0xFFFF_E000);
    b.run(nop(1, 7));
    assert_eq!((b.t.src_b.valid, b.t.src_b.unpack_bank), ([true; 2], 0));
    assert_eq!(b.try_run(nop(1, 0b1_0001)), Ok(Step::Stall));
    for (kind, page) in
        [(0, "OverlayClear"), (3, "OverlayClear"), (4, "SETREG"), (9, "ZEROSRC"), (6, "UNPACR_NOP")]
    {
        let fault = b.try_run(nop(0, kind)).unwrap_err();
        assert!(fault.page.unwrap().contains(page), "{kind}: {fault}");
    }
    b.run(UNPACR { search_cache_flush: 1, ..UNPACR::ZERO }.word());
}

/// Rows of 32-bit Dst have ten bits: there are 512, and each has a second number (`Adj32` of `Dst.md`).
#[test]
fn rows_of_32_bit_dst_have_ten_bits() {
    let mut b = Bench::to_dst(Fp32, Fp32, 16);
    b.fill(AT, &(0..16).flat_map(|i| (1.5f32 + i as f32).to_le_bytes()).collect::<Vec<_>>());
    for (row, alias) in [(512, 256), (767, 511), (1023, 767)] {
        b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + 16 * row);
        b.run(UNPACK.word());
        let there = b.t.dst.read32(row as usize);
        assert_eq!(dst::decode32(there[0]), 1.5f32.to_bits(), "row {row}");
        assert_eq!(dst::decode32(there[15]), 16.5f32.to_bits(), "row {row}");
        assert_eq!(there, b.t.dst.read32(alias), "rows {row} and {alias}");
        b.t.dst.write32(row as usize, &[0; COLS]);
    }
    // There is no more of them.
    b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + 16 * 1024);
    b.run(UNPACK.word());
    assert_eq!(dst::decode32(b.t.dst.read32(0)[15]), 16.5f32.to_bits());
}
