//! Words from the instruction table: what an instruction reads and writes says which of its operands are registers, and
//! which registers they may be; the generator says what the other operands are.

use tt_isa::insn::{Field, InsnInfo, Opcode, Operand, Unit, WORMHOLE};

use crate::random::Random;

/// GPRs that cases start with a value in, and that most operands name.
const KNOWN_GPRS: u32 = 16;
const GPRS: u32 = 64;
/// Registers of the vector unit that instructions write; the others are constants.
const LREGS: u32 = 8;
/// All that an operand can name.
const ALL_LREGS: u32 = 16;

/// The row of an instruction.
pub fn row(opcode: Opcode) -> &'static InsnInfo {
    WORMHOLE.info((opcode as u32) << 24).expect("every opcode has a row")
}

/// Every instruction of the units that are meant, and that has operands which are known.
pub fn instructions(of: impl Fn(Unit) -> bool) -> impl Iterator<Item = Opcode> {
    let rows = WORMHOLE.rows.iter().filter(move |row| row.used_by_software && of(row.effects.unit));
    rows.filter_map(|row| Opcode::of(u32::from(row.opcode) << 24))
}

/// A word of an instruction: registers as they come, everything else from `other`. Bits that do not fit are cut off.
pub fn word(opcode: Opcode, random: &mut Random, mut other: impl FnMut(&Field, &mut Random) -> u32) -> u32 {
    let row = row(opcode);
    let mut word = u32::from(row.opcode) << 24;
    // What else there is first: whether an operand names one register or four depends on it.
    for field in row.fields.iter().filter(|field| register(row, field).is_none()) {
        word |= other(field, random) << field.lo & field.mask();
    }
    for field in row.fields {
        if let Some(operand) = register(row, field) {
            word |= number(row, operand, word, random) << field.lo & field.mask();
        }
    }
    word
}

/// What writes a configuration register an instruction later than others: those that have to fetch a GPR first (`WRCFG.md`).
pub fn is_late(word: u32) -> bool {
    let effects = WORMHOLE.effects(word);
    effects.unit == Unit::Config
        && effects.may_write(Operand::Config)
        && effects.gprs_read(word).next().is_some()
}

/// The register that a field names; what the instruction writes comes before what it reads.
fn register(row: &InsnInfo, field: &Field) -> Option<Operand> {
    let operands = row.effects.writes.iter().chain(row.effects.reads);
    let mut named = operands.filter(|operand| operand.field() == Some(*field));
    named.find(|operand| !matches!(operand, Operand::Semaphores(_) | Operand::Mutex(_))).copied()
}

/// A register for an operand of a word.
fn number(row: &InsnInfo, operand: Operand, word: u32, random: &mut Random) -> u32 {
    match operand {
        Operand::LReg(_) => lreg(row, operand, random),
        // A half has a number of its own.
        Operand::GprHalf(_) | Operand::GprSignals(_) => 2 * gpr(random) + random.below(2),
        group if group.gprs(word).len() > 1 => 4 * random.below(KNOWN_GPRS / 4),
        _ => gpr(random),
    }
}

fn gpr(random: &mut Random) -> u32 {
    if random.chance(240) { random.below(KNOWN_GPRS) } else { random.below(GPRS) }
}

/// A register of the vector unit: for the first result one that can be written, else now and then a constant.
fn lreg(row: &InsnInfo, operand: Operand, random: &mut Random) -> u32 {
    let writes = row.effects.writes;
    let source =
        !writes.contains(&operand) || writes.len() > 1 && row.effects.reads.first() == Some(&operand);
    if source && !random.chance(200) { random.below(ALL_LREGS) } else { random.below(LREGS) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::insn::{ADDDMAREG, SFPMAD, WRCFG};

    #[test]
    fn registers_are_drawn_and_others_asked_for() {
        let random = &mut Random::new(1);
        let mut asked = Vec::new();
        let words: Vec<u32> = (0..200)
            .map(|_| {
                word(Opcode::SFPMAD, random, |field, _| {
                    asked.push(field.name);
                    3
                })
            })
            .collect();
        assert!(asked.iter().all(|name| *name == "instr_mod1"));
        let ops: Vec<SFPMAD> = words.into_iter().map(SFPMAD::decode).collect();
        assert!(ops.iter().all(|op| op.instr_mod1 == 3 && op.lreg_dest < LREGS));
        assert!(ops.iter().any(|op| op.lreg_src_a >= LREGS));
    }

    #[test]
    fn groups_of_gprs_are_aligned() {
        let random = &mut Random::new(2);
        for wr128b in [0, 1] {
            let words = (0..100).map(|_| {
                word(Opcode::WRCFG, random, |field, _| if field.name == "wr128b" { wr128b } else { 0 })
            });
            let unaligned = words.filter(|&word| !WRCFG::decode(word).gpr_address.is_multiple_of(4)).count();
            assert_eq!(unaligned == 0, wr128b == 1);
        }
    }

    #[test]
    fn what_is_late_comes_from_the_table() {
        let late: Vec<Opcode> =
            instructions(|_| true).filter(|&opcode| is_late((opcode as u32) << 24)).collect();
        assert_eq!(late, [Opcode::WRCFG]);
        assert!(!is_late(ADDDMAREG::ZERO.word()));
    }
}
