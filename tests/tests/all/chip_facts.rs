//! Facts about chips are written in `tt-isa` and nowhere else.
//!
//! This test reads the sources of every other crate and searches for copies: addresses and sizes of a chip's data, typed as
//! numbers, and constants that repeat those of `tt-isa`. Comments and tests may contain them: a test should check
//! a fact against a number.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of sources that run on any chip, or take it from its constant.
const ANY_CHIP: &[&str] = &[
    "ggml-backend/src",
    "kernels/src",
    "kernels/abi/src",
    "kernels/numerics/src",
    "kernels/quant/src",
    "kernels/sfpu/src",
    "kernels/firmware/src",
    "kernels/kernel/src",
    "simulator/src",
    "tt-runtime/src",
    "tt-sys/src",
    "tt/src",
    "xtask/src",
];

/// Folders of what works with the vendor's library of a Wormhole, or in its place: they name the chip.
const WORMHOLE_ONLY: &[&str] = &["simulator/fuzz/src", "simulator/ttsim-abi/src"];

/// Where fields and conditions of Wormhole's coprocessor may be named: its model and what tells of it, where the
/// kernels find the target's by these names, and the test of its units.
const COPROCESSOR: &[&str] = &[
    "simulator/src/model/tensix/",
    "simulator/src/observe/races/",
    "kernels/kernel/src/chip.rs",
    "tt/src/selftest/units.rs",
];

/// Numbers, as they may be typed: address ranges by their first digits, sizes whole.
const NUMBERS: &[(&str, Number)] = &[
    ("window entries in BAR 0: `Chip::host.config`", Number::Exactly(0x1FC0_0000)),
    (
        "NIUs, CSM and APB peripherals in BAR 0: `Chip::host`, `Chip::management`",
        Number::Within(0x1FD0_0000, 0x1FFF_FFFF),
    ),
    ("windows of 2 MiB and 16 MiB in BAR 0: `Chip::host.groups`", Number::Exactly(0x9C0_0000)),
    ("windows of 2 MiB and 16 MiB in BAR 0: `Chip::host.groups`", Number::Exactly(0xB00_0000)),
    ("PCI ids: `Chip::pci_id`, `GRAYSKULL`", Number::Exactly(0x401E_1E52)),
    ("PCI ids: `Chip::pci_id`, `GRAYSKULL`", Number::Exactly(0xB140_1E52)),
    ("PCI ids: `Chip::pci_id`, `GRAYSKULL`", Number::Exactly(0xFACA_1E52)),
    ("addresses of a tile: `tt_isa::map`", Number::Within(0xFFB0_0000, 0xFFBF_FFFF)),
    ("addresses of a tile: `tt_isa::map`", Number::Within(0xFFE0_0000, 0xFFEF_FFFF)),
    ("sizes of L1: `Chip::tile.l1_size`", Number::Exactly(1464 << 10)),
    ("sizes of L1: `Chip::tile.l1_size`", Number::Exactly(1536 << 10)),
    ("sizes of L1: `Chip::tile.l1_size`", Number::Exactly(1464)),
    ("ARC's reset unit: `Chip::management`, `tt_isa::arc`", Number::Within(0x8003_0000, 0x8003_0FFF)),
    ("power-on value of the reset register: `SOFT_RESET_ALL`", Number::Exactly(0x4_7800)),
];

/// Code that says again what `tt-isa` says.
const TEXTS: &[(&str, &str)] = &[
    ("cores of a tile: `tt_isa::map::CORES`", "CORES: usize = 5"),
    ("cores of a tile: `tt_isa::map::CORES`", "HARTS: usize = 5"),
    ("threads of a coprocessor: `tt_isa::map::THREADS`", "THREADS: usize = 3"),
    ("bytes of tiles: `DataFormat::tile_bytes`", "=> 1088"),
    ("bytes of tiles: `DataFormat::tile_bytes`", "= 1088"),
    ("bytes of tiles: `DataFormat::tile_bytes`", "=> 576"),
    ("bytes of tiles: `DataFormat::tile_bytes`", "= 576"),
    ("rows of Dst: `tt_isa::format::DST_ROWS`", "DST_ROWS: usize ="),
    ("rows of Dst: `tt_isa::format::DST_ROWS`", "DST_ROWS: u32 ="),
    ("the NoC's congruence rule: `tt_kernel_abi::target::offset`", "as u32 & 31)"),
    ("the NoC's congruence rule: `tt_kernel_abi::target::offset`", "as u32 & 63)"),
];

/// Wormhole's values by name, where the chip is another's.
const WORMHOLES: &[(&str, &str)] = &[
    ("values that are Wormhole's: `Chip` of the device, `tt_kernel_abi::target::CHIP`", "chip::wormhole::"),
    ("conditions that are Wormhole's: `Chip::until`", "stall::until"),
];

/// Wormhole by name: it is chosen where kernels are made and where boards are simulated, and comes with the device elsewhere.
const NAMED: &[&str] = &[
    "kernels/src/chips.rs",
    "kernels/src/lib.rs",
    "kernels/abi/src/target.rs",
    // A vector unit without a chip around it is of the coprocessor's design.
    "simulator/src/model/vector_unit.rs",
];

#[derive(Clone, Copy)]
enum Number {
    Exactly(u64),
    Within(u64, u64),
}

impl Number {
    fn is(self, value: u64) -> bool {
        match self {
            Number::Exactly(number) => value == number,
            Number::Within(first, last) => (first..=last).contains(&value),
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code of a file up to its tests, comments cut off, by line number.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    (1..).zip(lines).filter_map(|(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        (!code.trim().is_empty()).then_some((number, code))
    })
}

/// The numbers in a line: literals, and products and shifts of two of them.
fn numbers(line: &str) -> Vec<u64> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut values = Vec::new();
    let mut last: Option<(u64, &str)> = None;
    let mut rest = line;
    while let Some(start) = rest.find(word) {
        let (between, after) = rest.split_at(start);
        let len = after.find(|c: char| !word(c)).unwrap_or(after.len());
        let (text, tail) = after.split_at(len);
        let value = literal(text);
        if let Some(value) = value {
            values.push(value);
            values.extend(last.and_then(|(before, _)| match between.trim() {
                "*" => before.checked_mul(value),
                "<<" => before.checked_shl(value as u32),
                _ => None,
            }));
        }
        last = value.map(|value| (value, text));
        rest = tail;
    }
    values
}

fn literal(text: &str) -> Option<u64> {
    let text = text.replace('_', "");
    let digits = ["u8", "u16", "u32", "u64", "usize", "i32", "i64"]
        .iter()
        .find_map(|suffix| text.strip_suffix(suffix))
        .unwrap_or(&text);
    match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => digits.parse().ok(),
    }
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|part| part == word)
}

/// What is wrong with a file, a line each; `any_chip` if it must not take Wormhole's values by name.
fn check(name: &str, text: &str, any_chip: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, line) in code(text) {
        for value in numbers(line) {
            let fact = NUMBERS.iter().find(|(_, fact)| fact.is(value));
            wrong.extend(fact.map(|(why, _)| format!("{name}:{number}: {value:#x}: {why}")));
        }
        let coprocessor = COPROCESSOR.iter().any(|place| name.starts_with(place));
        let names = if any_chip && !coprocessor { WORMHOLES } else { &[] };
        let fact = TEXTS.iter().chain(names).find(|(_, text)| line.contains(text));
        wrong.extend(fact.map(|(why, text)| format!("{name}:{number}: {text}: {why}")));
        if any_chip && !NAMED.contains(&name) && has_word(line, "WORMHOLE") {
            wrong.push(format!("{name}:{number}: WORMHOLE: the device knows its chip"));
        }
    }
    wrong
}

#[test]
fn chip_facts_are_in_tt_isa_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut wrong = Vec::new();
    for (folders, any_chip) in [(ANY_CHIP, true), (WORMHOLE_ONLY, false)] {
        let mut files = Vec::new();
        folders.iter().for_each(|folder| sources(&root.join(folder), &mut files));
        assert!(files.len() > 25, "{} files", files.len());
        for path in files {
            let name = path.strip_prefix(root).expect("in the workspace").to_string_lossy().into_owned();
            let is_test = ["/tests", "/testing"].iter().any(|part| name.contains(part));
            if !is_test {
                wrong.extend(check(&name, &fs::read_to_string(&path).expect("a source file"), any_chip));
            }
        }
    }
    assert!(wrong.is_empty(), "chip facts outside of tt-isa:\n{}", wrong.join("\n"));
}

#[test]
fn what_must_not_come_back_is_found() {
    let found = |line: &str| check("x.rs", line, true).len();
    let bad = [
        "const CONFIG: u64 = 0x1FC0_0000;",
        "let csm = 0x1fe80000 + offset;",
        "const L1: u32 = 1464 * 1024;",
        "const L1: usize = 1536 << 10;",
        "store(0xFFB1_21B0, 1);",
        "Bfp8 => 1088,",
        "pub const THREADS: usize = 3;",
        "let at = from + (addr as u32 & 31);",
        "use tt_isa::chip::wormhole::config as cfg;",
        "let chip = &WORMHOLE;",
        "if id == 0x401E_1E52_u32 {",
    ];
    for line in bad {
        assert!(found(line) >= 1, "{line}");
    }
    let good = [
        "let a = 31 * 1024;",
        "// 1464 KiB of L1",
        "/// 0xFFB1_2000",
        "let b = chip.tile.l1_size;",
        "for lane in 0..32 {",
        "let exponent = (half >> 10) & 31;",
    ];
    for line in good {
        assert_eq!(found(line), 0, "{line}");
    }
    assert_eq!(found("fn f() {}\n#[cfg(test)]\nmod tests { const A: u32 = 1088; }"), 0);
}
