//! The command itself, on simulated devices: what it finds of what is broken in them, what it prints, and how it ends.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// Runs `tt`; devices are only those that are named.
fn tt(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tt"));
    command.args(arguments).env_remove("GGML_TT_DEVICES");
    command.output().expect("it starts")
}

/// Tests a device: how the command ended, and the findings that are faults.
fn selftest(device: &str, options: &[&str]) -> (Option<i32>, Vec<Value>) {
    let output = tt(&[&["selftest", device, "--json"], options].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let findings = report[0]["findings"].as_array().expect("findings");
    let bad =
        findings.iter().filter(|finding| matches!(finding["outcome"].as_str(), Some("failed" | "hung")));
    assert_eq!(report[0]["passed"], json!(bad.clone().next().is_none()));
    (output.status.code(), bad.cloned().collect())
}

/// The faults of the parts of the chip; those of the chip as a whole follow from them.
fn parts(faults: &[Value]) -> Vec<(Value, &str)> {
    let of_parts = faults.iter().filter(|fault| fault["place"]["kind"] != "chip");
    of_parts.map(|fault| (fault["place"].clone(), fault["detail"].as_str().expect("text"))).collect()
}

fn tile(x: u8, y: u8) -> Value {
    json!({ "kind": "tile", "x": x, "y": y })
}

#[test]
fn a_chip_without_defects_passes() {
    let (code, faults) = selftest("sim,rows=2", &[]);
    assert_eq!((code, faults), (Some(0), vec![]));
}

#[test]
fn a_stuck_bit_is_found_in_its_word() {
    let (code, faults) = selftest("sim,rows=2,defect=l1/2-1/0x54321/6/1", &[]);
    let [(place, what)] = &parts(&faults)[..] else { panic!("{faults:?}") };
    assert_eq!((code, place), (Some(1), &tile(2, 1)));
    // Byte 1 of the word.
    assert!(what.contains("0x54320") && what.contains("bit 14 is wrong"), "{what}");
}

#[test]
fn a_stuck_address_line_is_found_in_its_bank() {
    for (line, low) in [(16, false), (29, true)] {
        let device = format!("sim,rows=2,defect=dram/3/{line}/{}", u8::from(!low));
        let (code, faults) = selftest(&device, &["--quick"]);
        let [(place, what)] = &parts(&faults)[..] else { panic!("{faults:?}") };
        assert_eq!((code, place), (Some(1), &json!({ "kind": "bank", "number": 3 })));
        assert!(what.contains(&format!("address line {line}:")), "{what}");
    }
}

/// One within a page.
#[test]
fn a_low_address_line_is_found() {
    let (_, faults) = selftest("sim,rows=2,defect=dram/0/5/1", &["--quick"]);
    let [(place, what)] = &parts(&faults)[..] else { panic!("{faults:?}") };
    assert_eq!(place, &json!({ "kind": "bank", "number": 0 }));
    assert!(what.contains("line 5"), "{what}");
}

#[test]
fn dead_links_are_found() {
    let cases = [
        ("link/0/3-1/x/lost", (0, 3, 1, "x"), "nothing arrives"),
        ("link/1/7-2/y/lost", (1, 7, 2, "y"), "nothing arrives"),
        ("link/1/4-2/x/corrupted", (1, 4, 2, "x"), "harmed"),
        // From a tile to a column of DRAM tiles.
        ("link/0/4-2/x/corrupted", (0, 4, 2, "x"), "harmed"),
    ];
    for (defect, (noc, x, y, axis), what) in cases {
        let (code, faults) = selftest(&format!("sim,rows=2,defect={defect}"), &["--quick"]);
        let [(place, detail)] = &parts(&faults)[..] else { panic!("{defect}: {faults:?}") };
        assert_eq!(place, &json!({ "kind": "link", "noc": noc, "x": x, "y": y, "axis": axis }), "{defect}");
        assert!(code == Some(1) && detail.contains(what), "{defect}: {detail}");
    }
}

#[test]
fn dead_units_are_found() {
    let units = [
        ((1, 1), "matrix", "matrix unit:"),
        ((2, 1), "vector", "vector unit:"),
        ((3, 1), "unpacker0", "unpacker 0:"),
        ((4, 2), "unpacker1", "unpacker 1:"),
        ((6, 2), "packers", "packers:"),
    ];
    let defects: String =
        units.iter().map(|((x, y), name, _)| format!(",defect=unit/{x}-{y}/{name}")).collect();
    let (code, faults) = selftest(&format!("sim,rows=2{defects}"), &["--quick"]);
    let found = parts(&faults);
    assert_eq!((code, found.len()), (Some(1), units.len()), "{faults:?}");
    for ((x, y), _, name) in units {
        let fault = found.iter().find(|(place, _)| *place == tile(x, y)).expect("a fault of the tile");
        assert!(fault.1.starts_with(name), "{}", fault.1);
    }
    // With them a product of the runtime is wrong as well.
    assert!(faults.iter().any(|fault| fault["check"] == "product through the runtime"), "{faults:?}");
}

/// Every fault at once is found at its place.
#[test]
fn faults_do_not_hide_one_another() {
    let device = "sim,rows=2,defect=l1/9-2/0x8000/0/0,defect=dram/11/20/1,defect=unit/7-1/vector,defect=link/0/8-1/y/lost";
    let (_, faults) = selftest(device, &["--quick"]);
    let places: Vec<Value> = parts(&faults).into_iter().map(|(place, _)| place).collect();
    for place in [
        tile(9, 2),
        json!({ "kind": "bank", "number": 11 }),
        tile(7, 1),
        json!({ "kind": "link", "noc": 0, "x": 8, "y": 1, "axis": "y" }),
    ] {
        assert!(places.contains(&place), "{place}: {faults:?}");
    }
    assert_eq!(places.len(), 4, "{faults:?}");
}

/// The transport that a card has: windows of the driver's, a page of host memory.
#[test]
fn a_card_behind_its_driver_passes() {
    let output = tt(&["selftest", "kmd-mock:2.10.0", "--quick", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report[0]["passed"], json!(true), "{report}");
    let findings = report[0]["findings"].as_array().expect("findings");
    let pushes =
        findings.iter().find(|finding| finding["check"] == "writes to host memory").expect("a finding");
    assert_eq!(pushes["outcome"], "passed", "{pushes}");
}

#[test]
fn people_get_a_picture_and_a_verdict() {
    let file = folder("picture").join("grid.svg");
    let path = file.to_str().expect("text");
    let output = tt(&["selftest", "sim,rows=1,defect=unit/2-1/vector", "--quick", "--svg", path]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("FAULT tile (2,1): coprocessor: vector unit"), "{text}");
    assert!(text.lines().any(|line| line.starts_with("  1   D   T   X   T   T   D")), "{text}");
    let svg = std::fs::read_to_string(&file).expect("a picture");
    assert!(svg.contains("vector unit"), "{svg}");
}

#[test]
fn devices_are_listed() {
    let output = tt(&["info", "sim:n300", "--json"]);
    let entries: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(entries.as_array().map(Vec::len), Some(2));
    assert_eq!(entries[0]["chip"]["tensix"], json!([8, 8]));
    assert_eq!(entries[0]["chip"]["harvested"].as_array().map(Vec::len), Some(2));
    let card: Value =
        serde_json::from_slice(&tt(&["info", "kmd-mock:2.6.0", "--json"]).stdout).expect("JSON");
    assert_eq!(card[0]["card"]["driver"], "2.6.0");
    let readings = card[0]["chip"]["readings"].as_array().expect("readings");
    assert!(readings.iter().any(|reading| reading["name"] == "chip temperature"), "{card}");
    let listed: Value =
        serde_json::from_slice(&tt(&["info", "kmd-mock:2.6.0", "--list", "--json"]).stdout).expect("JSON");
    assert_eq!(listed[0]["chip"], Value::Null);
}

#[test]
fn what_is_no_device_is_an_error() {
    let output = tt(&["info", "sim:n999"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("n150"));
    let output = tt(&["bench", "sim"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("timed"));
    assert_eq!(tt(&["reset", "sim"]).status.code(), Some(2));
}

#[test]
fn a_card_is_reset() {
    let output = tt(&["reset", "kmd-mock:2.10.0"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let old = tt(&["reset", "kmd-mock:2.2.0"]);
    assert_eq!(old.status.code(), Some(2));
}

#[test]
fn a_report_says_nothing_of_its_owner() {
    let file = folder("report").join("report.json");
    let output = tt(&["report", file.to_str().expect("text"), "sim,rows=1,defect=unit/2-1/vector"]);
    assert_eq!(output.status.code(), Some(0));
    let text = std::fs::read_to_string(&file).expect("a report");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let device = &report["devices"][0];
    assert_eq!(device["selftest"]["passed"], json!(false));
    assert_eq!(parts(device["selftest"]["faults"].as_array().expect("faults")).len(), 1);
    let number = device["device"]["chip"]["board_id"].as_str().expect("a number");
    assert!(number.len() == 6 && number.ends_with(".."), "{number}");
    let home = std::env::var("HOME").unwrap_or_default();
    assert!(home.len() < 2 || !text.contains(&home), "{text}");
}

/// A folder of the test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
