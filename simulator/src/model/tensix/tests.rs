//! The coprocessor as a whole, on random words: nothing panics, and instructions do what the table says that they may.

use super::*;
use crate::model::access::Rows;
use tt_isa::cfg::Registers;
use tt_isa::chip::WORMHOLE;
use tt_isa::insn::{Effects, InsnInfo, NOP, Operand, SubUnit};

#[test]
fn malformed_words_are_faults() {
    assert_eq!(check_word(NOP {}.word()).unwrap(), Opcode::NOP);
    assert!(check_word(NOP {}.word() | 1).unwrap_err().to_string().contains("reserved"));
    assert!(check_word(0xFF00_0000).is_err());
}

/// Any pushed words under any configuration give results or faults, never a panic.
#[test]
fn random_programs_do_not_panic() {
    let mut numbers = testing::Random::new(0x1234_5678_9ABC_DEF1);
    let mut random = move || numbers.next();
    let opcodes: Vec<&InsnInfo> = INSTRUCTIONS.iter().filter(|row| row.used_by_software).collect();
    let mut l1 = crate::model::tensix::testing::l1();
    let mut executed = [0; 256];
    let Registers { bank_words, thread_words, .. } = WORMHOLE.registers;
    for round in 0..4_000 {
        let mut t = plausible();
        let changes = if round % 3 == 0 { 150 } else { random() % 6 };
        for _ in 0..changes {
            let value = if random() % 2 == 0 { random() } else { random() & random() & random() };
            let _ = t.cfg.write(0, random() % bank_words, value);
            let _ = t.cfg.set_thread(0, 1 + random() % (thread_words - 1), value as u16);
        }
        for _ in 0..300 {
            let row = opcodes[random() as usize % opcodes.len()];
            let mut operands = if random() % 2 == 0 { random() } else { random() & random() & random() };
            if matches!(row.name, "PACR" | "UNPACR") && random() % 4 != 0 {
                // The flags that everything depends on: executed as a rule.
                operands = if row.name == "PACR" {
                    operands & 0x01_8003 | 0x100
                } else {
                    operands & 0xFF_8040 | 0x81
                };
            }
            let word = u32::from(row.opcode) << 24 | operands & 0xFF_FFFF & !row.reserved_mask();
            t.frontend[0] = Default::default();
            t.push(0, word, random() % 2 == 0);
            if testing::run(&mut t, 0, &mut l1).is_ok_and(|n| n > 0) {
                executed[usize::from(row.opcode)] += 1;
            }
        }
    }
    let of = |opcode| executed[opcode as usize];
    for opcode in [Opcode::UNPACR, Opcode::PACR, Opcode::MVMUL, Opcode::MOVA2D] {
        assert!(of(opcode) >= 10, "{opcode:?} was executed only {} times", of(opcode));
    }
}

/// What instructions read and write, as their memories note it, is what the instruction table says that they may.
#[test]
fn the_table_names_what_instructions_access() {
    let mut random = testing::Random::new(0x9E37_79B9_7F4A_7C15);
    let opcodes: Vec<&InsnInfo> = INSTRUCTIONS.iter().filter(|row| row.used_by_software).collect();
    let mut l1 = crate::model::tensix::testing::l1();
    l1.enable_log();
    let mut seen = [0; 256];
    for _ in 0..1_000 {
        let mut t = plausible();
        t.enable_log();
        for _ in 0..300 {
            let row = opcodes[random.next() as usize % opcodes.len()];
            let mut operands = random.next() & random.next() & random.next();
            if matches!(row.name, "PACR" | "UNPACR") {
                let usual = if row.name == "PACR" { (0x01_8003, 0x100) } else { (0xFF_8040, 0x81) };
                operands = operands & usual.0 | usual.1;
            }
            let word = u32::from(row.opcode) << 24 | operands & 0xFF_FFFF & !row.reserved_mask();
            let Ok(opcode) = check_word(word) else { continue };
            // What `SFPLOADMACRO` has scheduled would be the next instruction's.
            t.sfpu = sfpu::SfpuState::default();
            t.start_log();
            l1.log().unwrap().start();
            let before = State::of(&t);
            let step = t.execute(0, opcode, word, &mut l1);
            let (log, ranges) = (t.take_log(), l1.log().unwrap().take());
            t.requests.clear();
            if step == Ok(Step::Done) {
                seen[opcode as usize] += 1;
                check_accesses(opcode, word, &Accesses { l1: ranges, ..log });
                check_state(opcode, word, &before, &State::of(&t));
            }
        }
    }
    let unseen: Vec<&str> =
        opcodes.iter().filter(|row| seen[usize::from(row.opcode)] == 0).map(|row| row.name).collect();
    assert!(unseen.len() < 15, "never executed: {unseen:?}");
}

fn check_accesses(opcode: Opcode, word: u32, log: &Accesses) {
    use tt_isa::insn::Operand::{Config, Dst, DstFlags, L1, SrcA, SrcB, ThreadConfig};
    let effects = opcode.effects();
    let any = |rows: &Rows| rows.iter().any(|&bits| bits != 0);
    let l1 = |write| log.l1.iter().any(|range| range.write == write && range.len > 0);
    let config = |write| log.config.iter().any(|access| access.write == write);
    let bank = |which: usize, bits: u8| log.banks[which] & bits != 0;
    let check = |happened: bool, allowed: bool, what: &str| {
        assert!(!happened || allowed, "{opcode:?} {word:#010x} {what}");
    };
    check(l1(false), effects.may_read(L1), "reads L1");
    check(l1(true), effects.may_write(L1), "writes L1");
    check(config(true), effects.may_write(Config) || effects.may_write(ThreadConfig), "writes configuration");
    check(any(&log.dst.read), effects.reads_dst(word), "reads Dst");
    check(any(&log.dst.written), effects.may_write(Dst) || effects.may_write(DstFlags), "writes Dst");
    check(any(&log.dst.updated), effects.may_write(Dst), "updates Dst");
    for (which, operand) in [SrcA, SrcB].into_iter().enumerate() {
        let change = effects.may_write(operand);
        check(bank(which, 0b11), effects.may_read(operand) || change, "reads a bank");
        check(bank(which, 0b11_1100), change, "writes a bank");
    }
}

/// State that no log notes.
struct State {
    gprs: [u32; scalar::GPRS],
    rwc: rwc::Rwc,
    adc: adc::AddressCounterState,
    semaphores: [(u8, u8); sync::SEMAPHORES],
    mutexes: [Option<u8>; sync::MUTEXES],
    /// Which banks are whose.
    owners: [([bool; 2], usize, usize); 2],
    lregs: Vec<sfpu::Lanes>,
    flags: String,
}

impl State {
    fn of(t: &Tensix) -> Self {
        let owners = |banks: &src::SrcBanks| (banks.valid, banks.unpack_bank, banks.matrix_bank);
        Self {
            gprs: t.gpr[0],
            rwc: t.rwc[0],
            adc: t.adc,
            semaphores: t.sync.semaphores.map(|semaphore| (semaphore.value, semaphore.max)),
            mutexes: t.sync.mutexes(),
            owners: [owners(&t.src_a), owners(&t.src_b)],
            lregs: t.sfpu.lreg.to_vec(),
            flags: format!("{:x} {:x} {:?}", t.sfpu.flags, t.sfpu.use_flags, t.sfpu.stack),
        }
    }
}

/// Whatever has changed, the instruction may write.
fn check_state(opcode: Opcode, word: u32, before: &State, now: &State) {
    let effects = opcode.effects();
    let check = |unchanged: bool, operand: Operand| {
        assert!(unchanged || effects.may_write(operand), "{opcode:?} {word:#010x} writes {operand:?}");
    };
    check(before.rwc == now.rwc, Operand::Rwc);
    check(before.adc == now.adc, Operand::Adc);
    check(before.owners == now.owners, Operand::Owners);
    check(before.flags == now.flags, Operand::LaneFlags);
    let changed = |what: &str, n: usize, may: bool| assert!(may, "{opcode:?} {word:#010x} writes {what} {n}");
    for n in (0..scalar::GPRS).filter(|&n| before.gprs[n] != now.gprs[n]) {
        changed("GPR", n, effects.gprs_written(word).any(|gpr| gpr as usize == n));
    }
    for n in (0..sync::SEMAPHORES).filter(|&n| before.semaphores[n] != now.semaphores[n]) {
        changed("semaphore", n, selects(effects.writes, word, n));
    }
    for n in (0..sync::MUTEXES).filter(|&n| before.mutexes[n] != now.mutexes[n]) {
        changed("mutex", n, selects(effects.writes, word, n));
    }
    let written = Effects::lregs(effects.writes, word);
    for n in (0..before.lregs.len()).filter(|&n| before.lregs[n] != now.lregs[n]) {
        // Some modes name the result's register in another one.
        let may = written.is_none_or(|registers| registers >> n & 1 != 0) || is_indirect(opcode, word);
        changed("LReg", n, may);
    }
}

/// Whether a multiplication takes the number of its result's register from a register.
fn is_indirect(opcode: Opcode, word: u32) -> bool {
    const INDIRECT_VD: u32 = tt_isa::sfpu::sfpmad::INDIRECT_VD;
    let row = INSTRUCTIONS.iter().find(|row| row.opcode == opcode as u8).expect("its row");
    let mode = row.fields.iter().find(|field| field.name.starts_with("instr_mod"));
    opcode.unit() == Unit::Vector(SubUnit::Mad) && mode.is_some_and(|mode| mode.get(word) & INDIRECT_VD != 0)
}

/// Whether operands select the semaphore or mutex `n`.
fn selects(operands: &[Operand], word: u32, n: usize) -> bool {
    operands.iter().any(|operand| match *operand {
        Operand::Semaphores(field) => field.get(word) >> n & 1 != 0,
        Operand::Mutex(field) => field.get(word) as usize == n,
        _ => false,
    })
}

/// A coprocessor that is configured to unpack, multiply and pack.
fn plausible() -> Tensix {
    use tt_isa::chip::wormhole::config as c;
    let mut t = crate::model::tensix::testing::tensix();
    let fields = [
        (c::THCON_SEC0_REG0_TileDescriptor, 4 << 16),
        (c::THCON_SEC1_REG0_TileDescriptor, 16 << 16 | 5),
        (c::THCON_SEC0_REG2_Out_data_format, 4),
        (c::THCON_SEC1_REG2_Out_data_format, 5),
        (c::THCON_SEC0_REG2_Disable_zero_compress_cntx0, 1),
        (c::THCON_SEC1_REG2_Disable_zero_compress_cntx0, 1),
        (c::THCON_SEC0_REG5_Dest_cntx0_address, 64),
        (c::THCON_SEC0_REG5_Tile_x_dim_cntx0, 16),
        (c::ALU_FORMAT_SPEC_REG0_SrcA, 4),
        (c::ALU_FORMAT_SPEC_REG1_SrcB, 5),
        (c::ALU_ACC_CTRL_Fp32_enabled, 1),
        (c::PCK_DEST_RD_CTRL_Read_32b_data, 1),
        (c::PACK_COUNTERS_SEC0_pack_reads_per_xy_plane, 16),
        (c::PACK_COUNTERS_SEC1_pack_reads_per_xy_plane, 16),
        (c::PACK_COUNTERS_SEC2_pack_reads_per_xy_plane, 16),
        (c::PACK_COUNTERS_SEC3_pack_reads_per_xy_plane, 16),
        (c::PCK_EDGE_OFFSET_SEC0_mask, 0xFFFF),
    ];
    for (field, value) in fields {
        let old = t.cfg.word(0, field.index);
        t.cfg.write(0, field.index, field.with(old, value)).unwrap();
    }
    t.cfg.set_thread(0, 3, 4).unwrap();
    t
}
