//! What instructions do, against what the ISA documents say of whole groups of them: `STALLWAIT.md` lists which bits of a block
//! mask hold each instruction back, `VectorUnit.md` which sub-unit has it and when its result is there.

use tt_isa::chip::{BLACKHOLE, CHIPS, Chip, WORMHOLE};
use tt_isa::insn::{InsnInfo, SubUnit, Unit};
use tt_isa::stall::block;

/// Instructions by the bits that hold them back (`WormholeB0/`, `BlackholeA0/.../STALLWAIT.md`). The pages have `NOP` held
/// back by no bit alone, and waits by all of them: a wait that is latched holds back the next one.
const HELD_BACK: &[(u32, &str)] = &[
    (block::MISC, "SETADC SETADCXX SETADCXY SETADCZW INCADCXY INCADCZW ADDRCRXY ADDRCRZW SETDVALID"),
    (block::SYNC, "ATGETM ATRELM SEMGET SEMINIT SEMPOST"),
    (block::MISC | block::PACK, "PACR PACR_SETREG"),
    (block::MISC | block::UNPACK, "UNPACR UNPACR_NOP"),
    (block::MISC | block::XMOV, "XMOV"),
    (
        block::MISC | block::THCON,
        "ADDDMAREG SUBDMAREG MULDMAREG BITWOPDMAREG SHIFTDMAREG CMPDMAREG ATCAS ATINCGET ATINCGETPTR ATSWAP LOADIND LOADREG \
         STOREIND STOREREG DMANOP FLUSHDMA REG2FLOP SETDMAREG",
    ),
    (
        block::MATH,
        "MVMUL ELWADD ELWSUB ELWMUL DOTPV GAPOOL GMPOOL MOVA2D MOVB2A MOVB2D MOVD2A MOVD2B MOVDBGA2D CLEARDVALID CLREXPHIST \
         GATESRCRST INCRWC SETRWC SHIFTXA SHIFTXB TRNSPSRCB ZEROACC ZEROSRC",
    ),
    (block::CFG, "WRCFG RDCFG SETC16 RMWCIB0 RMWCIB1 RMWCIB2 RMWCIB3"),
];

/// Of Blackhole alone.
const HELD_BACK_ON_BLACKHOLE: &[(u32, &str)] = &[
    (block::SFPU, "SFPLE SFPGT SFPMUL24 SFPARECIP"),
    (block::CFG, "CFGSHIFTMASK STREAMWRCFG"),
    (0, "RESOURCEDECL"),
];

/// Instructions of the vector unit that are not the simple sub-unit's.
const SUB_UNITS: &[(SubUnit, &str)] = &[
    (SubUnit::Load, "SFPLOAD SFPLOADI SFPLOADMACRO SFPNOP"),
    (SubUnit::Mad, "SFPMAD SFPADD SFPMUL SFPADDI SFPMULI SFPLUT SFPLUTFP32 SFPMUL24"),
    (SubUnit::Round, "SFP_STOCH_RND SFPSHFT2"),
    (SubUnit::Store, "SFPSTORE"),
];

fn row(chip: &Chip, name: &str) -> &'static InsnInfo {
    chip.insn.named(name).unwrap_or_else(|| panic!("{} has no {name}", chip.name))
}

fn is_one_of(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|other| other == name)
}

#[test]
fn waits_hold_back_what_their_page_says() {
    for (chip, tables) in [(&WORMHOLE, &[HELD_BACK][..]), (&BLACKHOLE, &[HELD_BACK, HELD_BACK_ON_BLACKHOLE])]
    {
        let known = || tables.iter().flat_map(|table| table.iter());
        for &(bits, names) in known() {
            for name in names.split_whitespace() {
                assert_eq!(row(chip, name).effects.wait, bits, "{} {name}", chip.name);
            }
        }
        // All of the vector unit, and nothing else is left.
        for row in chip.insn.rows.iter().filter(|row| row.used_by_software) {
            let listed = known().any(|(_, names)| is_one_of(names, row.name));
            let vector = row.effects.wait == block::SFPU;
            assert_eq!(vector, row.effects.unit.is_vector(), "{} {}", chip.name, row.name);
            let waits = is_one_of("STALLWAIT SEMWAIT STREAMWAIT NOP MOP MOP_CFG REPLAY MOVDBGB2D", row.name);
            assert!(listed || vector || waits, "{} {}", chip.name, row.name);
        }
    }
}

#[test]
fn the_vector_unit_is_divided_as_its_page_says() {
    for chip in CHIPS {
        for row in chip.insn.rows {
            let Unit::Vector(sub_unit) = row.effects.unit else { continue };
            let listed = SUB_UNITS.iter().find(|(_, names)| is_one_of(names, row.name));
            assert_eq!(sub_unit, listed.map_or(SubUnit::Simple, |listed| listed.0), "{}", row.name);
            let cost = row.effects.cost.expect("a cost");
            let late = sub_unit == SubUnit::Mad || row.name == "SFPSWAP";
            assert_eq!(cost.latency, 1 + u8::from(late), "{}", row.name);
        }
    }
}

#[test]
fn every_instruction_that_software_uses_has_a_unit() {
    for (chip, row) in CHIPS.iter().flat_map(|chip| chip.insn.rows.iter().map(move |row| (chip, row))) {
        let effects = row.effects;
        assert_eq!(row.used_by_software, effects.unit != Unit::Unknown, "{}", row.name);
        let gated = !matches!(effects.unit, Unit::Unknown | Unit::Frontend);
        assert_eq!(gated, effects.wait != 0, "{}", row.name);
        // Costs are known, every one, of chips that the timed mode can simulate.
        if chip.timing.is_some() {
            assert_eq!(
                effects.unit != Unit::Unknown,
                effects.cost.is_some(),
                "{}: what does it cost?",
                row.name
            );
        }
    }
}
