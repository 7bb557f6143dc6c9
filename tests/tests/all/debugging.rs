//! The switches for debugging (`docs/debugging.md`), through llama.cpp's programs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tt_isa::chip::WORMHOLE;
use tt_isa::map::RiscV;
use tt_tests::tools::{self, Finished};
use tt_tests::{Device, Tools, backend_ops, need};

const LIMIT: Duration = Duration::from_secs(600);

/// `test-backend-ops MODE -o OPERATOR` with a setting.
fn operator_test(tools: &Tools, mode: &str, operator: &str, settings: &[(&str, &str)]) -> Finished {
    let mut command = tools.program("test-backend-ops", Device::SIM);
    command.args([mode, "-b", "TT0", "-o", operator]).envs(settings.iter().copied());
    tools::run(&mut command, LIMIT).unwrap()
}

/// Lines of ours in a log.
fn ours(finished: &Finished) -> Vec<&str> {
    let lines = finished.err.lines().chain(finished.out.lines());
    lines.filter_map(|line| line.split_once("ggml_tenstorrent: ").map(|(_, text)| text)).collect()
}

/// The demo model on the device, a few positions one by one.
fn demo(tools: &Tools, program: &Path, settings: &[(&str, &str)]) -> Finished {
    let out = tools::scratch("debugging");
    let mut command = tools.prepare(program, Device::SIM);
    command.arg(tools::demo_model()).arg(tools::held_out_text()).args(["3", "TT0", "step"]).arg(&out);
    let finished = tools::run(command.envs(settings.iter().copied()), LIMIT).unwrap().success().unwrap();
    let _ = std::fs::remove_file(&out);
    finished
}

#[test]
fn filtered_operators_stay_off_the_device() {
    let tools = need!(Tools::find());
    let filter = [("GGML_TT_OPFILTER", "^SQR:")];
    for (operator, stays_off) in [("SQR", true), ("SQRT", false)] {
        let finished = operator_test(&tools, "test", operator, &filter).success().unwrap();
        let cases = backend_ops::cases(&finished.out, operator);
        let off = cases.iter().filter(|case| case.verdict == backend_ops::Verdict::NotSupported).count();
        assert!(!cases.is_empty());
        assert_eq!(off, if stays_off { cases.len() } else { 0 }, "{operator}:\n{}", finished.out);
    }
}

#[test]
fn a_filter_that_is_no_expression_is_named_and_ignored() {
    let tools = need!(Tools::find());
    let finished = operator_test(&tools, "test", "SQR", &[("GGML_TT_OPFILTER", "SQR(")]).success().unwrap();
    let lines = ours(&finished);
    assert!(
        lines.iter().any(|line| line.contains("GGML_TT_OPFILTER=SQR(") && line.contains("ignored")),
        "{lines:?}"
    );
    let cases = backend_ops::cases(&finished.out, "SQR");
    assert!(cases.iter().any(|case| case.verdict == backend_ops::Verdict::Ok), "{}", finished.out);
}

#[test]
fn refusals_say_what_and_why_once() {
    let tools = need!(Tools::find());
    let setting = [("GGML_TT_DEBUG", "1"), ("GGML_TT_OPFILTER", "^SQRT:")];
    let finished = operator_test(&tools, "support", "SQRT", &setting).success().unwrap();
    let lines: Vec<&str> =
        ours(&finished).into_iter().filter(|line| line.contains("not supported")).collect();
    assert!(!lines.is_empty(), "{}{}", finished.out, finished.err);
    for line in &lines {
        assert!(
            line.starts_with("SQRT ")
                && line.contains("src0 f")
                && line.contains("[")
                && line.ends_with("GGML_TT_OPFILTER"),
            "{line}"
        );
        assert_eq!(lines.iter().filter(|other| other == &line).count(), 1, "{line}");
    }
}

#[test]
fn the_profile_is_sorted_by_share_and_counts_what_ran() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    let stats = tools::scratch("profile.json");
    let file = stats.to_string_lossy().into_owned();
    // Every operator has a row of its own.
    let settings = [("GGML_TT_PROFILE", "1"), ("GGML_TT_STATS", &file), ("GGML_TT_FUSION", "0")];
    let finished = demo(&tools, &program, &settings);
    let rows: Vec<Vec<&str>> = ours(&finished)
        .into_iter()
        .filter_map(|line| line.strip_prefix("profile: "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let (head, rows) = rows.split_first().expect("a table");
    assert_eq!(head[..5], ["operator", "count", "launches", "clocks", "share"]);
    let (all, rows) = rows.split_last().expect("a sum");
    let number = |row: &Vec<&str>, column: usize| row[column].trim_end_matches('%').parse::<f64>().unwrap();
    assert_eq!(all[0], "all");
    assert!(rows.len() > 5 && rows.is_sorted_by(|a, b| number(a, 4) >= number(b, 4)), "{rows:?}");
    for column in [1, 2, 3] {
        assert_eq!(rows.iter().map(|row| number(row, column)).sum::<f64>(), number(all, column));
    }
    let stats: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&stats).unwrap()).unwrap();
    assert_eq!(number(all, 2), stats["launches"].as_f64().unwrap());
    let silu = rows.iter().find(|row| row[0] == "GLU(SWIGLU)").expect("a row for the function");
    assert_eq!(number(silu, 1), stats["ops"]["GLU"].as_f64().unwrap());
    let _ = std::fs::remove_file(&file);
}

/// Where time is kept: microseconds, what was busy and what cores waited for, and what limits; the statistics have it by tensor.
#[test]
fn the_profile_of_the_timed_mode_says_what_limits() {
    let tools = need!(Tools::find());
    let stats = tools::scratch("timed-profile.json");
    let file = stats.to_string_lossy().into_owned();
    let mut command = tools.program("test-backend-ops", Device::Tenstorrent("sim:n150,timed"));
    command.args(["test", "-b", "TT0", "-o", "SQR"]);
    command.envs([("GGML_TT_PROFILE", "1"), ("GGML_TT_STATS", &file)]);
    let finished = tools::run(&mut command, LIMIT).unwrap().success().unwrap();
    let lines: Vec<&str> =
        ours(&finished).into_iter().filter_map(|line| line.strip_prefix("profile: ")).collect();
    assert!(lines.iter().any(|line| line.starts_with("operator ") && line.contains(" us ")), "{lines:?}");
    let row: Vec<&str> =
        lines.iter().find(|line| line.starts_with("SQR ")).expect("a row").split_whitespace().collect();
    // Operator, count, launches, us, share, |, DRAM, matrix, vector, |, execute, stall, NoC, Tensix, word.
    let number = |column: usize| row[column].trim_end_matches('%').parse::<f64>().unwrap();
    assert!(number(3) > 1.0 && number(10) > 0.0, "{row:?}");
    assert!((10..15).map(number).sum::<f64>() < 100.5, "{row:?}");
    assert!(lines.iter().any(|line| line.starts_with("limited by ")), "{lines:?}");
    let stats: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&stats).unwrap()).unwrap();
    let squares = stats["profile"].as_array().unwrap().iter().filter(|row| row["operator"] == "SQR");
    let usage: Vec<&serde_json::Value> = squares.map(|row| &row["usage"]).collect();
    assert!(!usage.is_empty() && usage.iter().all(|usage| usage["tiles"].as_array().unwrap().len() == 72));
    assert!(stats["host"]["read"]["clocks"].as_u64() > Some(0), "{}", stats["host"]);
    let _ = std::fs::remove_file(&file);
}

#[test]
fn a_correct_run_of_a_model_agrees_with_the_cpu() {
    let tools = need!(Tools::find());
    let program = need!(tools::logits_program());
    let finished = demo(&tools, &program, &[("GGML_TT_CHECK", "1")]);
    let lines: Vec<&str> = ours(&finished).into_iter().filter(|line| line.contains("check")).collect();
    assert!(lines.len() == 1 && lines[0].ends_with("all agree"), "{lines:?}");
    let compared: u64 = lines[0].split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(compared > 100, "{lines:?}");
}

/// The constant of `GELU` in the kernels: the upper 20 bits of 0.044715, which `lui` loads.
const GELU_COEF_A: u32 = 0x3D37_2000;

/// A folder of kernel images in which that constant is negative: large elements become zero.
fn wrong_kernels() -> PathBuf {
    let folder = tools::scratch("wrong-kernels");
    std::fs::create_dir_all(&folder).unwrap();
    for image in tt_kernels::images(&WORMHOLE).unwrap() {
        let mut bytes = image.bytes_for(&WORMHOLE).unwrap().to_vec();
        let mut found = 0;
        for word in bytes.as_chunks_mut::<4>().0 {
            let instruction = u32::from_le_bytes(*word);
            if instruction & 0x7F == 0x37 && instruction & 0xFFFF_F000 == GELU_COEF_A {
                *word = (instruction ^ 1 << 31).to_le_bytes();
                found += 1;
            }
        }
        let lane = image.core == RiscV::Brisc;
        assert_eq!(found > 0, lane, "{:?} has {found} constants of GELU", image.core);
        std::fs::write(folder.join(image.core.name().to_lowercase()), elf(image.start, &bytes)).unwrap();
    }
    folder
}

/// An ELF file with one segment, and the section that says which chip it is for.
fn elf(start: u32, bytes: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 52;
    const SEGMENT: u32 = 32;
    const SECTION: u32 = 40;
    const EXECUTABLE: u32 = 2;
    const RISC_V: u32 = 243;
    const NAMES: &[u8; 20] = b"\0.tt_chip\0.shstrtab\0";
    let len = bytes.len() as u32;
    let code = HEADER + SEGMENT;
    let (chip, names, sections) = (code + len, code + len + 4, code + len + 4 + NAMES.len() as u32);
    let mut file = b"\x7FELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let counts = [HEADER | SEGMENT << 16, 1 | SECTION << 16, 3 | 2 << 16];
    let header = [EXECUTABLE | RISC_V << 16, 1, start, HEADER, sections, 0, counts[0], counts[1], counts[2]];
    let segment = [1, code, start, start, len, len, 7, 4];
    file.extend(header.iter().chain(&segment).flat_map(|word| word.to_le_bytes()));
    file.extend(bytes);
    file.extend(WORMHOLE.pci_id.to_le_bytes());
    file.extend(NAMES);
    let (contents, strings) = (1, 3);
    for section in [
        [0; 10],
        [1, contents, 0, 0, chip, 4, 0, 0, 4, 0],
        [10, strings, 0, 0, names, NAMES.len() as u32, 0, 0, 1, 0],
    ] {
        file.extend(section.iter().flat_map(|word: &u32| word.to_le_bytes()));
    }
    file
}

#[test]
fn a_wrong_kernel_is_found_and_described() {
    let tools = need!(Tools::find());
    let folder = wrong_kernels();
    let setting = [("GGML_TT_CHECK", "1"), ("GGML_TT_KERNELS", &*folder.to_string_lossy())];
    let finished = operator_test(&tools, "test", "GELU", &setting);
    let verdicts = backend_ops::cases(&finished.out, "GELU");
    assert!(verdicts.iter().any(|case| case.verdict == backend_ops::Verdict::Failed), "{}", finished.out);
    let log = format!("{}{}", finished.err, finished.out);
    let (_, report) = log.split_once("check: UNARY(GELU) differs from the CPU: NMSE ").expect(&log);
    for part in ["result ", "src0 ", "first element [", "worst element [", ": CPU ", ", device "] {
        assert!(report.contains(part), "{part} is missing:\n{report}");
    }
    assert_eq!(log.matches("differs from the CPU").count(), 1, "{log}");
    // Other functions of the same kernels are right.
    let finished = operator_test(&tools, "test", "SILU", &setting).success().unwrap();
    assert!(ours(&finished).iter().any(|line| line.ends_with("all agree")), "{:?}", ours(&finished));
    let _ = std::fs::remove_dir_all(folder);
}
