//! RV32IM programs.
//!
//! x31 points to a table in L1 and x30 to the core's own data RAM; neither changes. x29 counts the rounds of loops. All
//! others start with awkward numbers. Branches go forward, loops are counted, so that every program ends.

use tt_isa::map::{DBG_FEATURE_DISABLE, DEBUG_REGS_BASE, LOCAL_RAM_BASE, RiscV};
use tt_isa::rv32::{Format, LISTING, b, encode, i, jal, li, r, s};

use super::Family;
use super::build::READ;
use crate::case::{Action, Case, Data, Fill, Look};
use crate::image::finish;
use crate::random::Random;

const TABLE: u32 = 31;
const LOCAL: u32 = 30;
const ROUNDS: u32 = 29;
/// First values of x1 to x28, then data; loads and stores have 12 bits of offset, half of them positive.
const FIRST: u32 = READ;
/// Where the registers go.
const LAST: u32 = READ + 0x800;

pub fn generate(random: &mut Random) -> Case {
    let core = random.pick(&RiscV::ALL);
    let mut case = Case::new(Family::Riscv, core);
    case.fills.push(Fill { addr: FIRST, words: 512, data: Data::Bits, seed: random.next() });
    let code = |words: &[u32]| words.iter().map(|&word| Action::Code(word)).collect::<Vec<_>>();
    let mut setup = Vec::new();
    setup.extend(li(TABLE, FIRST));
    setup.extend(li(LOCAL, LOCAL_RAM_BASE));
    for register in 1..ROUNDS {
        match random.below(3) {
            0 => setup.extend(li(register, random.awkward())),
            _ => setup.push(i("Lw", register, TABLE, 4 * register as i32)),
        }
    }
    case.setup = code(&setup);
    let mut body = Vec::new();
    let length = random.range(4, 64);
    while (body.len() as u32) < length {
        instruction(random, &mut body);
    }
    case.body = code(&body);
    let mut dump = Vec::new();
    // Branches and jumps may pass the end by a few words.
    dump.extend([i("Addi", 0, 0, 0); 8]);
    dump.extend(li(TABLE, LAST));
    dump.extend((1..ROUNDS).map(|register| s("Sw", register, TABLE, 4 * register as i32)));
    for word in 0..32 {
        dump.extend([i("Lw", 1, LOCAL, 4 * word), s("Sw", 1, TABLE, 128 + 4 * word)]);
    }
    dump.extend(finish());
    case.dump = code(&dump);
    case.looks = vec![Look::own(FIRST, 0x800), Look::own(LAST, 0x100)];
    case
}

/// A register that may change.
fn target(random: &mut Random) -> u32 {
    random.below(ROUNDS)
}

fn instruction(random: &mut Random, body: &mut Vec<u32>) {
    if random.chance(4) {
        return debug_register(random, body);
    }
    match random.below(16) {
        0..=8 => body.push(arithmetic(random)),
        9..=11 => body.push(memory(random)),
        12 | 13 => body.push(branch(random)),
        14 => jump(random, body),
        _ => counted_loop(random, body),
    }
}

fn arithmetic(random: &mut Random) -> u32 {
    loop {
        let (name, format, _) = random.pick(LISTING);
        let imm = random.awkward() as i32;
        let (rd, rs1, rs2) = (target(random), random.below(32), random.below(32));
        match format {
            Format::R => return r(name, rd, rs1, rs2),
            Format::U => return encode(name, rd, 0, 0, imm),
            Format::Shift => return i(name, rd, rs1, imm & 31),
            Format::I if !name.starts_with('L') && name != "Jalr" => return i(name, rd, rs1, imm & 0xFFF),
            _ => {}
        }
    }
}

fn memory(random: &mut Random) -> u32 {
    let (name, align) = random.pick(&[
        ("Lb", 1),
        ("Lbu", 1),
        ("Lh", 2),
        ("Lhu", 2),
        ("Lw", 4),
        ("Sb", 1),
        ("Sh", 2),
        ("Sw", 4),
    ]);
    // The table's first words are the registers' first values: stores go behind them.
    let (base, offset) =
        if random.chance(128) { (LOCAL, random.below(128)) } else { (TABLE, 128 + random.below(1900)) };
    let offset = (offset & !(align - 1)) as i32;
    let register = target(random);
    if name.starts_with('S') { s(name, register, base, offset) } else { i(name, register, base, offset) }
}

fn branch(random: &mut Random) -> u32 {
    let name = random.pick(&["Beq", "Bne", "Blt", "Bge", "Bltu", "Bgeu"]);
    let (rs1, rs2) = (random.below(32), random.below(32));
    b(name, rs1, if random.chance(40) { rs1 } else { rs2 }, 4 * random.range(1, 6) as i32)
}

fn jump(random: &mut Random, body: &mut Vec<u32>) {
    let distance = 4 * random.range(1, 6) as i32;
    let (rd, register) = (target(random), random.range(1, ROUNDS - 1));
    if random.chance(128) {
        body.push(jal(rd, distance));
    } else {
        // A branch that lands between the two would jump anywhere: it cannot, for they are put there as one, and the
        // instruction in front is none.
        body.extend([i("Addi", 0, 0, 0); 6]);
        body.extend([encode("Auipc", register, 0, 0, 0), i("Jalr", rd, register, 4 + distance)]);
    }
}

/// A register of the tile that reads 0 and takes nothing but 0.
fn debug_register(random: &mut Random, body: &mut Vec<u32>) {
    let register = random.range(1, ROUNDS - 1);
    // Nothing may branch past the first instruction: the address would be another one.
    body.extend([i("Addi", 0, 0, 0); 6]);
    body.extend(li(register, DEBUG_REGS_BASE + DBG_FEATURE_DISABLE));
    if random.chance(128) {
        body.push(s("Sw", 0, register, 0));
    }
    body.push(i("Lw", target(random), register, 0));
}

/// Some instructions again and again.
fn counted_loop(random: &mut Random, body: &mut Vec<u32>) {
    let inside: Vec<u32> = (0..random.range(1, 6))
        .map(|_| if random.chance(64) { memory(random) } else { arithmetic(random) })
        .collect();
    // Nothing may branch past the start: the counter would be old.
    body.extend([i("Addi", 0, 0, 0); 6]);
    body.push(i("Addi", ROUNDS, 0, random.range(1, 12) as i32));
    body.extend(&inside);
    body.push(i("Addi", ROUNDS, ROUNDS, -1));
    body.push(b("Bne", ROUNDS, 0, -4 * (inside.len() as i32 + 1)));
}
