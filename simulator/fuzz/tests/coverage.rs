//! Every instruction and mode that the simulator accepts has a recorded result of the vendor's simulator, or a reason.
//!
//! Cases of the corpus are vectors as data: instructions, configuration, and a hash of the vendor's result, checked by
//! the test `corpus`. A mode is a value of an operand of one or two bits; wider operands (modes of the vector unit's
//! instructions, formats) have vectors of their own in `simulator/tests/vectors`. Features that the vendor's simulator does
//! not have are tested against their page of the ISA documentation.
//!
//! The tables are exact: a row that is no longer needed is an error too.

use std::collections::BTreeSet;
use std::path::Path;

use tt_fuzz::corpus;
use tt_isa::insn::{INSTRUCTIONS, InsnInfo};

/// Instructions that the vendor's simulator does not have (or only to be waited for), and the files whose tests have
/// them.
const WITHOUT_VENDOR: &[(&str, &str)] = &[
    ("MOVDBGA2D SHIFTXA SHIFTXB DOTPV", "src/model/tensix/matrix/documented_tests.rs"),
    ("CLREXPHIST PACR_SETREG", "src/model/tensix/pack/tests.rs"),
    ("XMOV", "tests/all/mover.rs"),
    (
        "LOADIND STOREIND LOADREG STOREREG ATINCGET ATINCGETPTR ATSWAP ATCAS",
        "src/model/tensix/scalar/memory/tests.rs",
    ),
    ("SUBDMAREG BITWOPDMAREG SHIFTDMAREG CMPDMAREG", "src/model/tensix/scalar/arith.rs"),
    ("SFPLOADMACRO", "src/model/tensix/sfpu/tests/macros.rs"),
    // Waits for what has always ended here.
    ("FLUSHDMA", "src/model/tensix/scalar/mod.rs"),
];

/// Operands with values that the vendor's simulator refuses.
const VENDOR_REFUSES: &[(&str, &str)] = &[
    ("MOVA2D", "instr_mod"),
    ("MOVB2A", "instr_mod"),
    ("MOVD2A", "instr_mod dest_32b_lo"),
    ("MOVD2B", "instr_mod"),
    ("MVMUL", "instr_mod19"),
    ("ELWMUL", "dest_accum_en"),
    ("GAPOOL GMPOOL", "instr_mod19 max_pool_index_en"),
    ("ZEROSRC", "zero_val src_mask"),
    ("CLEARDVALID", "cleardvalid reset"),
    ("SETDVALID", "setvalid"),
    ("PACR", "zero_write ovrd_thread_id"),
    (
        "UNPACR",
        "cfg_context_cnt_inc addr_cnt_context_id ovrd_thread_id rareb_en zero_write2 auto_inc_context_id row_search \
         search_cache_flush last",
    ),
    ("SETADCXY INCADCXY ADDRCRXY SETADCZW INCADCZW ADDRCRZW", "thread_override"),
    ("SETDMAREG", "set_signals_mode"),
    ("REG2FLOP", "size_sel target_sel byte_offset context_id_2"),
    ("ADDDMAREG MULDMAREG", "op_b_is_const"),
    ("SEMWAIT", "wait_sem_cond"),
    ("SFPSETCC", "imm12_math"),
    ("SFP_STOCH_RND", "rnd_mode"),
];

/// Operands with values that other recorded vectors have, and the file of `simulator/` with those.
const OTHER_VECTORS: &[(&str, &str, &str)] = &[
    ("REPLAY", "execute_while_loading", "tests/all/tensix_vectors.rs"),
    ("SFPLOAD SFPSTORE", "sfpu_addr_mode", "tests/all/sfpu_vectors.rs"),
    ("SFPENCC", "imm12_math", "tests/support/sfpu.rs"),
    ("GMPOOL", "clear_dvalid", "tests/support/matrix.rs"),
];

fn words() -> Vec<u32> {
    let files = corpus::folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).expect("a corpus");
    files.iter().flat_map(|(_, entries)| entries).flat_map(|entry| entry.case.pushed()).collect()
}

fn accepted() -> impl Iterator<Item = &'static InsnInfo> {
    INSTRUCTIONS.iter().filter(|row| row.used_by_software)
}

/// Fails unless a file of `simulator/` names a word.
fn named_in(file: &str, word: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(
        text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word),
        "{file}: no {word}"
    );
}

#[test]
fn every_instruction_has_a_vector_or_a_reason() {
    let seen: BTreeSet<u8> = words().into_iter().map(|word| (word >> 24) as u8).collect();
    let missing: BTreeSet<&str> =
        accepted().filter(|row| !seen.contains(&row.opcode)).map(|row| row.name).collect();
    let mut excused = BTreeSet::new();
    for (names, file) in WITHOUT_VENDOR {
        for name in names.split(' ') {
            named_in(file, name);
            excused.insert(name);
        }
    }
    assert_eq!(missing, excused, "without a vector (left), and excused (right)");
}

#[test]
fn every_mode_has_a_vector_or_a_reason() {
    let words = words();
    let opcodes: BTreeSet<u8> = words.iter().map(|word| (word >> 24) as u8).collect();
    let seen: BTreeSet<(u8, u32, u32)> = words.into_iter().flat_map(corpus::modes).collect();
    let mut missing = BTreeSet::new();
    for row in accepted().filter(|row| opcodes.contains(&row.opcode)) {
        for field in row.fields.iter().filter(|field| field.hi - field.lo < 2) {
            let values = 0..2 << (field.hi - field.lo);
            if values.into_iter().any(|value| !seen.contains(&(row.opcode, field.lo, value))) {
                missing.insert((row.name, field.name));
            }
        }
    }
    let mut excused = BTreeSet::new();
    for (names, fields) in VENDOR_REFUSES {
        excused.extend(names.split(' ').flat_map(|name| fields.split(' ').map(move |field| (name, field))));
    }
    for (names, field, file) in OTHER_VECTORS {
        for name in names.split(' ') {
            named_in(file, name);
            excused.insert((name, *field));
        }
    }
    assert_eq!(missing, excused, "without a vector (left), and excused (right)");
}
