//! `SFPCONFIG`, the modes that it sets, and `SFPMOV`, which reads them back.

use tt_isa::insn::*;
use tt_isa::sfpu::{lane_config as bits, lreg, sfpconfig, sfpmov};

use super::*;

fn config(config_dest: u32, imm16_math: u32, instr_mod1: u32) -> u32 {
    SFPCONFIG { imm16_math, config_dest, instr_mod1 }.word()
}

fn lane_config(value: u32) -> u32 {
    config(sfpconfig::LANE_CONFIG, value, sfpconfig::IMM16_IS_VALUE)
}

fn read(unit: &mut TestUnit, lreg_c: u32) -> Lanes {
    unit.run(SFPMOV { lreg_c, lreg_dest: 7, instr_mod1: sfpmov::FROM_SPECIAL }.word()).lreg(7)
}

#[test]
fn values_are_those_of_eight_columns() {
    let mut unit = TestUnit::with([counting(0x1_2340)]);
    let broadcast: Lanes = std::array::from_fn(|i| 0x1_2340 + (i as u32 & 7));
    for dest in [0, 3, 4, 7, 12] {
        unit.run(config(dest, 0, 0));
        let got = if dest < 8 { read(&mut unit, dest) } else { unit.lreg(dest as usize) };
        assert_eq!(got, broadcast, "destination {dest}");
    }
    unit.run(config(sfpconfig::MISC, 0, 0));
    assert_eq!(read(&mut unit, sfpconfig::MISC), broadcast.map(|x| x & 0xFFF));
    // Columns 1 and 7 only, by the immediate's even bits.
    unit.run(config(5, 0b11 << 2 | 1 << 14, sfpconfig::IMM16_IS_LANE_MASK));
    let got = read(&mut unit, 5);
    assert_eq!((got[0], got[1], got[9], got[2], got[31]), (0, 0x1_2341, 0x1_2341, 0, 0x1_2347));
    // Flags of the first row decide for all four.
    (unit.0.sfpu.use_flags, unit.0.sfpu.flags) = (u32::MAX, 0xFFFF_FF01);
    unit.run(config(13, 0, 0));
    assert_eq!((unit.lreg(13)[8], unit.lreg(13)[9]), (0x1_2340, lreg::AFTER_RESET[2]));
}

#[test]
fn defaults_and_numbers_without_meaning() {
    let mut unit = TestUnit::new();
    (11..15).for_each(|dest| _ = unit.run(config(dest, 0, 1)));
    let constants = [-1.0f64, 1.0 / 65536.0, -0.67487759, -0.34484843];
    for (i, constant) in constants.into_iter().enumerate() {
        assert_eq!(unit.lreg(11 + i), [(constant as f32).to_bits(); LANES]);
    }
    unit.run(config(9, 0xFFFF, 1)).run(config(10, 0xFFFF, 1));
    assert_eq!(read(&mut unit, 10), [0; LANES]);
    assert_eq!(f32::from_bits(unit.lreg(8)[0]), 0.8373);
    assert_eq!(unit.lreg(15), std::array::from_fn(|i| 2 * i as u32));
    assert!(unit.try_run(lane_config(1 << 11)).is_err(), "a reserved bit");
}

#[test]
fn bits_are_combined_and_high_ones_kept() {
    let mut unit = TestUnit::with([[0x1010; LANES]]);
    unit.run(config(15, 0, 0));
    unit.run(config(15, 0x0301, sfpconfig::IMM16_IS_VALUE | sfpconfig::BITWISE_OR));
    // The lowest row of lanes is off.
    assert_eq!(read(&mut unit, 15)[12], 0x1311);
    unit.run(config(15, 0x1001, sfpconfig::IMM16_IS_VALUE | sfpconfig::BITWISE_XOR));
    unit.run(config(15, 0x0210, sfpconfig::IMM16_IS_VALUE | sfpconfig::BITWISE_AND));
    assert_eq!(read(&mut unit, 15)[4], 0x0210);
}

#[test]
fn rows_can_be_off() {
    let mut unit = TestUnit::with([[1; LANES]]);
    unit.run(lane_config(0b0110 << bits::ROW_MASK_SHIFT));
    let word = SFPIADD { imm12_math: 1, lreg_c: 0, lreg_dest: 0, instr_mod1: 5 }.word();
    let got = unit.run(word).lreg(0);
    assert_eq!((got[7], got[8], got[23], got[24]), (2, 1, 1, 2));
    assert_eq!(unit.0.sfpu.enabled(), 0xFF00_00FF);
}

#[test]
fn instructions_become_templates() {
    let mut unit = TestUnit::with([[1; LANES]]);
    let word = SFPIADD { imm12_math: 1, lreg_c: 0, lreg_dest: 13, instr_mod1: 5 }.word();
    unit.run(word);
    assert_eq!(read(&mut unit, 1), [word; LANES]);
    // Executed instead, and no register is written.
    unit.run(lane_config(bits::DISABLE_BACKDOOR_LOAD));
    unit.run(SFPIADD { imm12_math: 2, lreg_c: 0, lreg_dest: 13, instr_mod1: 5 }.word());
    assert_eq!(read(&mut unit, 1), [word; LANES]);
    assert_eq!(unit.lreg(13), [lreg::AFTER_RESET[2]; LANES]);
    // With lanes off the behaviour is undocumented.
    let mut unit = TestUnit::new();
    (unit.0.sfpu.use_flags, unit.0.sfpu.flags) = (u32::MAX, 1);
    assert!(unit.try_run(word).unwrap_err().to_string().contains("template"));
}

#[test]
fn results_that_hardware_spoils() {
    let mut unit = TestUnit::new();
    unit.run(lane_config(bits::ENABLE_DEST_INDEX));
    let word = |lreg_dest| SFPMOV { lreg_c: 9, lreg_dest, instr_mod1: 0 }.word();
    unit.run(word(3)).run(word(8));
    let fault = unit.try_run(word(4)).unwrap_err();
    assert!(fault.to_string().contains("TEN-2932"), "{fault}");
}

#[test]
fn random_bits_are_drawn_in_lanes_that_take_part() {
    let mut unit = TestUnit::new();
    unit.0.cfg.write(0, tt_isa::chip::wormhole::config::PRNG_SEED_Seed_Val.index, 0x1234).unwrap();
    let first = read(&mut unit, sfpmov::SPECIAL_PRNG);
    (unit.0.sfpu.use_flags, unit.0.sfpu.flags) = (u32::MAX, 1);
    let second = read(&mut unit, sfpmov::SPECIAL_PRNG);
    assert_eq!(second[0], tt_isa::sfpu::next_random(first[0]));
    assert_eq!(second[1..], first[1..], "lanes that are off keep their register");
}
