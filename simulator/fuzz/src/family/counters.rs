//! Address counters. Their values show in which datums an unpacker reads and where it writes them, and in which rows a
//! packer reads.

use tt_isa::chip::wormhole::config as c;
use tt_isa::chip::wormhole::thread as tc;
use tt_isa::format::DataFormat::Int32;
use tt_isa::insn::{
    ADDRCRXY, ADDRCRZW, INCADCXY, INCADCZW, PACR, SETADC, SETADCXX, SETADCXY, SETADCZW, UNPACR,
};

use super::build::{Builder, OUTPUT, Part};
use super::{Family, t_core};
use crate::case::{Case, Data, Look};
use crate::random::Random;

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Counters, t_core(random));
    b.load_dst(64, Data::Bits, random);
    b.packers(true, Int32, Int32, OUTPUT);
    // Datums of 32 bits, 16 to a row: strides of one, two and four rows.
    b.set(c::PCK0_ADDR_CTRL_XY_REG_0_Ystride, 64);
    b.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Zstride, 128);
    b.set(c::PCK0_ADDR_CTRL_ZW_REG_0_Wstride, 256);
    b.set(c::UNP0_ADDR_CTRL_XY_REG_1_Ystride, 64);
    b.set(c::UNP0_ADDR_CTRL_ZW_REG_1_Zstride, 128);
    for field in
        [tc::ADDR_MOD_PACK_SEC1_YsrcIncr, tc::ADDR_MOD_PACK_SEC2_YsrcIncr, tc::ADDR_MOD_PACK_SEC3_YsrcIncr]
    {
        // Source y and z only: destination counters of the packers are out of the vendor's reach.
        b.thread_word(field.index, random.word() & 0x303F);
    }
    b.push(SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: 15 }.word());
    b.push(SETADCXX { cnt_set_mask: 1, x_start: 0, x_end2: 15 }.word());
    b.sync();
    b.part(Part::Body);
    for _ in 0..random.range(4, 32) {
        let word = instruction(random);
        b.push(word);
    }
    b.part(Part::Dump);
    b.push(PACR { pack_sel: 1, flush: 1, ..PACR::ZERO }.word());
    b.sync();
    b.case.looks.push(Look::own(OUTPUT, 0x800));
    b.dump_dst(256);
    b.case
}

/// Counters of unpacker 0 or of the packers, seldom of unpacker 1 or of several.
fn sets(random: &mut Random) -> u32 {
    random.weighted(&[(6, 1), (6, 4), (1, 2), (1, 5), (1, 7)])
}

fn instruction(random: &mut Random) -> u32 {
    let cnt_set_mask = sets(random);
    // Channel 1 of the packers has to stay 0.
    let packers = cnt_set_mask & 4 != 0;
    let small = |random: &mut Random| random.below(4) * random.below(3);
    let (ch0_x, ch0_y) = (0, small(random));
    let (ch1_x, ch1_y) = (0, if packers { 0 } else { small(random) });
    let z = small(random);
    let bit_mask = if packers { random.range(1, 3) } else { random.range(1, 15) };
    match random.below(16) {
        0 => SETADCXY {
            cnt_set_mask,
            ch1_y,
            ch1_x,
            ch0_y,
            ch0_x,
            bit_mask: bit_mask & 0b1010 | 2,
            ..SETADCXY::ZERO
        }
        .word(),
        1 => INCADCXY { cnt_set_mask, ch1_y, ch1_x, ch0_y, ch0_x, ..INCADCXY::ZERO }.word(),
        2 => ADDRCRXY {
            cnt_set_mask,
            ch1_y,
            ch1_x,
            ch0_y,
            ch0_x,
            bit_mask: bit_mask & 0b1010 | 2,
            ..ADDRCRXY::ZERO
        }
        .word(),
        3 => SETADCZW {
            cnt_set_mask,
            ch1_y: 0,
            ch1_x: ch1_y,
            ch0_y: z & 1,
            ch0_x: ch0_y,
            bit_mask,
            ..SETADCZW::ZERO
        }
        .word(),
        4 => INCADCZW { cnt_set_mask, ch1_y: 0, ch1_x: ch1_y, ch0_y: z & 1, ch0_x: ch0_y, ..INCADCZW::ZERO }
            .word(),
        5 => ADDRCRZW {
            cnt_set_mask,
            ch1_y: 0,
            ch1_x: ch1_y,
            ch0_y: z & 1,
            ch0_x: ch0_y,
            bit_mask,
            ..ADDRCRZW::ZERO
        }
        .word(),
        6 => SETADC {
            cnt_set_mask,
            channel_index: if packers { 0 } else { random.below(2) },
            dimension_index: random.pick(&[1, 2]),
            value: small(random),
        }
        .word(),
        // Back to 0, where x and w have to be.
        15 if random.chance(64) => {
            SETADC { cnt_set_mask, dimension_index: random.pick(&[0, 3]), ..SETADC::ZERO }.word()
        }
        7 if cnt_set_mask == 1 => {
            let x_start = random.below(3) * 16;
            SETADCXX { cnt_set_mask, x_start, x_end2: x_start + random.pick(&[15, 31, 63]) }.word()
        }
        7 => SETADCXX { cnt_set_mask: 4, x_start: 0, x_end2: random.pick(&[0, 1, 3, 7, 15, 31, 63]) }.word(),
        8..=11 => {
            PACR { addr_mode: random.below(4), pack_sel: 1, last: random.below(2), ..PACR::ZERO }.word()
        }
        _ => UNPACR {
            addr_mode: random.pick(&[0, 0, 1, 4, 5, 0x10, 0x40, 0x55]),
            ovrd_thread_id: 1,
            last: 1,
            ..UNPACR::ZERO
        }
        .word(),
    }
}
