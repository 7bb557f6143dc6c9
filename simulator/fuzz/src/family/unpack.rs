//! Unpackers: formats, contexts, transpose, tilize, counters, clears; the results are in SrcA, SrcB or Dst.

use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::format::DataFormat::{self, *};
use tt_isa::insn::{
    CLEARDVALID, INCADCXY, INCADCZW, SETADCXX, SETADCXY, SETADCZW, SETDVALID, UNPACR, UNPACR_NOP,
};

use super::build::{Builder, INPUT, Part};
use super::{Family, t_core};
use crate::case::{Case, Data};
use crate::random::Random;

/// Pairs that go to SrcA or SrcB.
const TO_SOURCE: [(DataFormat, DataFormat); 11] = [
    (Fp32, Tf32),
    (Fp32, Bf16),
    (Fp32, Fp16),
    (Bf16, Bf16),
    (Fp16, Fp16),
    (Bfp8, Bfp8),
    (Bfp4, Bfp4),
    (Bfp2, Bfp2),
    (Fp8, Fp8),
    (Int8, Int8),
    (Int16, Int16),
];
/// Pairs that go to Dst.
const TO_DST: [(DataFormat, DataFormat); 3] = [(Fp32, Fp32), (Fp32, Tf32), (Int32, Int32)];

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Unpack, t_core(random));
    let to_dst = random.chance(64);
    let (input, output) = if to_dst { random.pick(&TO_DST) } else { random.pick(&TO_SOURCE) };
    let (input_b, output_b) = random.pick(&TO_SOURCE);
    b.fill(INPUT[if to_dst { 0 } else { 1 }], 2048, data(input), random);
    b.fill(INPUT[2], 2048, data(input_b), random);
    b.load_dst(if to_dst { 0x10 } else { 4 }, Data::Bits, random);
    if to_dst {
        // Dst's own input is the unpacker's now.
        b.case.fills.pop();
    }
    b.unpacker0(input, output, to_dst);
    b.unpacker1(input_b, output_b);
    details(&mut b, random, to_dst, input, [output, output_b]);
    let burst = if input == Bfp2 || random.chance(200) { 255 } else { 15 };
    b.push(SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: burst }.word());
    b.push(
        SETADCXX { cnt_set_mask: 2, x_start: 0, x_end2: random.pick(&[15, 31, 63, 127, 255, 511, 1023]) }
            .word(),
    );
    b.sync();
    b.part(Part::Body);
    for _ in 0..random.range(1, 12) {
        let word = instruction(random, to_dst);
        b.push(word);
        if random.chance(24) && !to_dst {
            change_banks(&mut b, random);
        }
    }
    // Both banks change owners at the end, so that they can be compared.
    b.part(Part::Dump);
    b.push(SETDVALID { setvalid: 3 }.word());
    b.sync();
    if to_dst {
        b.dump_dst(128);
    }
    b.dump_sources(true, true);
    b.case
}

fn data(format: DataFormat) -> Data {
    match format {
        Fp32 => Data::Floats,
        Bf16 => Data::Bfloats,
        Fp16 => Data::Halves,
        Int32 => Data::Integers,
        _ if format.is_block_float() => Data::Blocks,
        _ => Data::Bits,
    }
}

/// Everything of the configuration that may differ.
fn details(b: &mut Builder, random: &mut Random, to_dst: bool, input: DataFormat, outputs: [DataFormat; 2]) {
    if random.chance(40) && !to_dst {
        b.set(c::THCON_SEC0_REG2_Haloize_mode, 1);
    }
    if random.chance(40) && input.datum_bits() >= 8 {
        b.set(c::THCON_SEC0_REG2_Tileize_mode, 1);
        b.set(c::THCON_SEC0_REG2_Shift_amount_cntx0, random.range(1, 7));
        b.set(c::THCON_SEC0_REG2_Shift_amount_cntx1, random.below(2));
    }
    if random.chance(60) {
        b.set(c::THCON_SEC0_REG2_Force_shared_exp, 1);
        b.set(c::UNP0_FORCED_SHARED_EXP_shared_exp, random.pick(&[0, 1, 5, 127, 129, 254, 255]));
    }
    if random.chance(60) {
        b.set(c::ALU_FORMAT_SPEC_REG0_SrcAUnsigned, random.below(2));
        b.set(c::ALU_FORMAT_SPEC_REG0_SrcBUnsigned, random.below(2));
    }
    if random.chance(64) {
        b.set(c::THCON_SEC0_REG2_Disable_zero_compress_cntx1, 1);
        b.set(c::THCON_SEC0_REG2_Unpack_if_sel_cntx1, to_dst.into());
        let base = if to_dst { INPUT[0] } else { INPUT[1] };
        b.set(c::THCON_SEC0_REG3_Base_cntx1_address, (base >> 4) + random.below(9));
        b.set(c::THCON_SEC0_REG7_Offset_cntx1_address, random.below(5));
        b.set(c::THCON_SEC0_REG5_Dest_cntx1_address, 64 + 64 * random.below(3));
        b.set(c::THCON_SEC0_REG5_Tile_x_dim_cntx1, random.pick(&[16, 32]));
        b.set(tc::UNPACK_MISC_CFG_CfgContextOffset_0, 1);
        b.set(c::THCON_SEC1_REG2_Disable_zero_compress_cntx1, 1);
        b.set(c::THCON_SEC1_REG3_Base_cntx1_address, (INPUT[2] >> 4) + random.below(9));
        b.set(tc::UNPACK_MISC_CFG_CfgContextOffset_1, random.below(2));
    }
    if random.chance(64) {
        b.set(c::THCON_SEC0_REG5_Dest_cntx0_address, 64 + 64 * random.below(4));
        b.set(c::UNP0_ADD_DEST_ADDR_CNTR_add_dest_addr_cntr, random.below(2));
    }
    // Whole rows: with parts of rows the vendor's simulator does nothing.
    let [bytes, bytes_b] = outputs.map(|format| 16 * format.datum_bits().div_ceil(8) as u32);
    let bytes = bytes * random.pick(&[1, 1, 2]);
    b.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, bytes);
    b.set(c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, bytes * random.pick(&[1, 2, 4]));
    b.set(c::UNP1_ADDR_CTRL_ZW_REG_1_Zstride, bytes_b * random.pick(&[1, 2, 4]));
    b.set(c::THCON_SEC0_REG2_Throttle_mode, random.below(3));
    b.set(c::THCON_SEC0_REG7_Offset_address, random.below(3));
}

/// A bank goes to the matrix unit, which hands it back.
fn change_banks(b: &mut Builder, random: &mut Random) {
    let unpack_block_selection = random.below(2);
    let unpack =
        UNPACR { unpack_block_selection, ovrd_thread_id: 1, last: 1, set_dat_valid: 1, ..UNPACR::ZERO };
    let nothing = UNPACR_NOP { unpack_block_selection, no_op: 7 };
    b.push(if random.chance(128) { unpack.word() } else { nothing.word() });
    b.push(CLEARDVALID { cleardvalid: 1 << unpack_block_selection, reset: 0 }.word());
}

fn instruction(random: &mut Random, to_dst: bool) -> u32 {
    // Dst is unpacker 0's, and the thread's configuration says which of the two is meant.
    let unpack_block_selection = if to_dst { 0 } else { random.below(2) };
    let cnt_set_mask = 1 << unpack_block_selection;
    match random.below(16) {
        0 => SETADCXY {
            cnt_set_mask,
            ch0_y: random.below(8),
            ch1_y: random.below(3),
            bit_mask: 10,
            ..SETADCXY::ZERO
        }
        .word(),
        1 => {
            INCADCXY { cnt_set_mask, ch0_y: random.below(4), ch1_y: random.below(2), ..INCADCXY::ZERO }.word()
        }
        2 => SETADCZW {
            cnt_set_mask,
            ch0_x: random.below(3),
            ch1_x: random.below(2),
            bit_mask: 5,
            ..SETADCZW::ZERO
        }
        .word(),
        3 => {
            INCADCZW { cnt_set_mask, ch0_x: random.below(2), ch1_x: random.below(2), ..INCADCZW::ZERO }.word()
        }
        4 => {
            let x_start = 16 * random.below(3);
            let count = random.pick(&[16, 16, 32, 64, 128, 256, 8, 4]);
            SETADCXX { cnt_set_mask, x_start, x_end2: x_start + count - 1 }.word()
        }
        5 => UNPACR_NOP {
            unpack_block_selection,
            no_op: if unpack_block_selection == 0 { random.pick(&[1, 5]) } else { 1 },
        }
        .word(),
        _ => UNPACR {
            unpack_block_selection,
            addr_mode: if random.chance(128) { 0 } else { random.pick(&[1, 4, 0x10, 0x40, 0x45, 0x11]) },
            ovrd_thread_id: 1,
            last: 1,
            ..UNPACR::ZERO
        }
        .word(),
    }
}
