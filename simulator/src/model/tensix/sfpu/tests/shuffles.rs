//! Exchanges between registers and lanes.

use tt_isa::insn::*;
use tt_isa::sfpu::{lane_config, sfpconfig, sfpshft2, sfpswap};

use super::*;

fn lane_config(imm16_math: u32) -> u32 {
    let instr_mod1 = sfpconfig::IMM16_IS_VALUE;
    SFPCONFIG { imm16_math, config_dest: sfpconfig::LANE_CONFIG, instr_mod1 }.word()
}

/// Rows in which `VD` gets the smaller value, as the modes' names say.
const MIN_ROWS: [&[usize]; 10] = [&[], &[0, 1, 2, 3], &[0, 1], &[0, 2], &[0, 3], &[0], &[1], &[2], &[3], &[]];

#[test]
fn swaps_sort_in_total_order() {
    let mut random = Random::new(7);
    let specials = [0, 0x8000_0000, 0x7F80_0000, 0xFFC0_0001, 0x7FC0_0001, 1, 0x8000_0001];
    for round in 0..400 {
        let mut value = |i: usize| match random.next() % 4 {
            0 => specials[(i + round) % specials.len()],
            _ => random.next(),
        };
        let (c, d): (Lanes, Lanes) = (std::array::from_fn(&mut value), std::array::from_fn(&mut value));
        let (index_c, index_d) = (counting(100), counting(200));
        for mode in 1..10u32 {
            for config in [0, lane_config::ENABLE_DEST_INDEX, lane_config::EXCHANGE_SRCB_SRCC] {
                let mut unit = TestUnit::with([c, d, [0; LANES], [0; LANES], index_c, index_d]);
                unit.run(lane_config(config));
                unit.run(SFPSWAP { lreg_src_c: 0, lreg_dest: 1, instr_mod1: mode }.word());
                for i in 0..LANES {
                    let mut sorted = [c[i], d[i]];
                    sorted.sort_by(|a, b| f32::from_bits(*a).total_cmp(&f32::from_bits(*b)));
                    let inverted = config == lane_config::EXCHANGE_SRCB_SRCC;
                    let vd_is_min = MIN_ROWS[mode as usize].contains(&(i / 8)) != inverted;
                    let [low, high] = sorted;
                    let expected = if vd_is_min { [high, low] } else { [low, high] };
                    let got = [unit.lreg(0)[i], unit.lreg(1)[i]];
                    assert_eq!(got, expected, "mode {mode}, configuration {config:#x}, lane {i}");
                    let swapped = config == lane_config::ENABLE_DEST_INDEX && c[i] != d[i] && got[0] == d[i];
                    let index = if swapped { [index_d[i], index_c[i]] } else { [index_c[i], index_d[i]] };
                    if c[i] != d[i] {
                        assert_eq!([unit.lreg(4)[i], unit.lreg(5)[i]], index);
                    }
                }
            }
        }
    }
}

#[test]
fn constants_are_not_swapped() {
    let mut unit = TestUnit::with([[5; LANES]]);
    unit.run(SFPSWAP { lreg_src_c: 10, lreg_dest: 0, instr_mod1: sfpswap::SWAP }.word());
    assert_eq!((unit.lreg(0)[3], unit.lreg(10)[3]), (1f32.to_bits(), 1f32.to_bits()));
}

#[test]
fn transposing_twice_is_nothing() {
    let mut random = Random::new(9);
    let registers: [Lanes; 8] = std::array::from_fn(|_| random.lanes());
    let mut unit = TestUnit::with(registers);
    unit.run(SFPTRANSP::ZERO.word());
    for (i, row, column) in [(0, 1, 3), (2, 3, 7), (5, 0, 0), (7, 6 & 3, 1)] {
        assert_eq!(unit.lreg(i)[8 * row + column], registers[(i & 4) + row][8 * (i & 3) + column]);
    }
    unit.run(SFPTRANSP::ZERO.word());
    assert!((0..8).all(|i| unit.lreg(i) == registers[i]));
    // Lanes that are off keep what they have.
    unit.0.sfpu.use_flags = u32::MAX;
    unit.0.sfpu.flags = 0xFF;
    unit.run(SFPTRANSP::ZERO.word());
    assert_eq!(unit.lreg(1)[..8], registers[0][8..16]);
    assert_eq!(unit.lreg(1)[8..], registers[1][8..]);
}

fn shuffle(instr_mod1: u32, imm12_math: u32) -> u32 {
    SFPSHFT2 { imm12_math, lreg_src_c: 4, lreg_dest: 6, instr_mod1 }.word()
}

#[test]
fn registers_move_down() {
    let registers: [Lanes; 5] = std::array::from_fn(|i| counting(100 * i as u32));
    for (mode, last) in [
        (sfpshft2::COPY4, [0; LANES]),
        (sfpshft2::SUBVEC_CHAINED_COPY4, std::array::from_fn(|i| if i < 24 { i as u32 + 8 } else { 0 })),
        (
            sfpshft2::SUBVEC_SHFLROR1_AND_COPY4,
            std::array::from_fn(|i| 400 + (i & !7) as u32 + (i as u32 + 7) % 8),
        ),
    ] {
        let mut unit = TestUnit::with(registers);
        unit.run(shuffle(mode, 0));
        let expected = [registers[1], registers[2], registers[3], last, registers[4]];
        assert!((0..5).all(|i| unit.lreg(i) == expected[i]), "mode {mode}");
    }
}

#[test]
fn a_shift_of_lanes_lets_an_earlier_value_through() {
    let registers: [Lanes; 5] = std::array::from_fn(|i| counting(100 * i as u32));
    let mut unit = TestUnit::with(registers);
    let shifted = unit.run(shuffle(sfpshft2::SUBVEC_SHFLSHR1, 0)).lreg(6);
    assert_eq!((shifted[0], shifted[1], shifted[8], shifted[9]), (0, 400, 0, 408));
    let rotate =
        SFPSHFT2 { imm12_math: 0, lreg_src_c: 1, lreg_dest: 5, instr_mod1: sfpshft2::SUBVEC_SHFLROR1 };
    let shifted = unit.run(rotate.word()).run(shuffle(sfpshft2::SUBVEC_SHFLSHR1, 0)).lreg(6);
    assert_eq!((shifted[0], shifted[1], shifted[8], shifted[9]), (107, 400, 115, 408));
    // Two constants clear it.
    let clear = SFPSHFT2 { lreg_src_c: 9, lreg_dest: 9, ..rotate };
    let shifted = unit.run(clear.word()).run(shuffle(sfpshft2::SUBVEC_SHFLSHR1, 0)).lreg(6);
    assert_eq!((shifted[0], shifted[1]), (0, 400));
}

#[test]
fn an_immediate_is_amount_and_register() {
    let registers: [Lanes; 8] = std::array::from_fn(|i| [0x100 << i; LANES]);
    let mut unit = TestUnit::with(registers);
    assert_eq!(unit.run(shuffle(sfpshft2::SHFT_IMM, 3)).lreg(6)[0], 0x800 << 3);
    // -15: register 1, to the right by 15; -12: register 4.
    assert_eq!(unit.run(shuffle(sfpshft2::SHFT_IMM, 0xFF1)).lreg(6)[0], 0);
    assert_eq!(unit.run(shuffle(sfpshft2::SHFT_IMM, 0xFF4)).lreg(6)[0], 0x1000 >> 12);
}
