//! Compares programs' results with recorded ones, and the records with the vendor's library.
//!
//! A case's result is in `vectors/<case>.hex`, recorded with `TTSIM_LIB` and `TENSIX_VECTORS_RECORD=1` set. With
//! `TTSIM_LIB` alone the recorded bytes are checked against the library too.

use std::path::Path;

use super::{Program, hex, run_here, run_vendor, unhex, vendor_library};

/// Fails unless every program's result is the recorded one, here and (if there is a library) at the vendor's.
pub fn check(cases: Vec<(String, Program)>) {
    let library = vendor_library();
    let wrong: Vec<String> =
        cases.iter().flat_map(|(name, program)| differences(name, program, library.as_deref())).collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// The same for results that are too long to keep: a digest is recorded, in `vectors/<case>.fnv`.
pub fn check_digests(cases: Vec<(String, Program)>) {
    let library = vendor_library();
    let wrong: Vec<String> = cases
        .iter()
        .flat_map(|(name, program)| digest_differences(name, program, library.as_deref()))
        .collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

/// The same without records: nothing is checked unless there is a library. Few of the programs may be ones that both
/// refuse.
pub fn check_live(cases: Vec<(String, Program)>) {
    let Some(library) = vendor_library() else { return };
    let mut refused = 0;
    let mut wrong = Vec::new();
    for (name, program) in &cases {
        match (run_here(program), run_vendor(&library, program, name)) {
            (Ok(ours), Ok(theirs)) => wrong.extend(difference(name, &ours, &theirs)),
            (Err(_), Err(_)) => refused += 1,
            (Ok(_), Err(theirs)) => wrong.push(format!("{name}: vendor: {}", theirs.trim())),
            (Err(ours), Ok(_)) => wrong.push(format!("{name}: {ours}")),
        }
    }
    assert!(wrong.is_empty(), "{} programs:\n{}", wrong.len(), wrong.join("\n"));
    assert!(10 * refused <= cases.len(), "{refused} of {} programs mean nothing", cases.len());
}

fn digest_differences(name: &str, program: &Program, library: Option<&Path>) -> Vec<String> {
    let record = std::env::var_os("TENSIX_VECTORS_RECORD").is_some();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.fnv"));
    let result = match run_here(program) {
        Ok(result) => result,
        Err(text) => return vec![format!("{name}: {text}")],
    };
    if let Some(library) = library {
        match run_vendor(library, program, name) {
            Ok(theirs) => {
                if record {
                    std::fs::write(&file, format!("{:016x}\n", digest(&theirs))).unwrap();
                }
                if let Some(text) = difference(name, &result, &theirs) {
                    return vec![text];
                }
            }
            Err(text) => return vec![format!("{name}: vendor: {}", text.trim())],
        }
    }
    let recorded = std::fs::read_to_string(&file).unwrap_or_default();
    if recorded.trim() == format!("{:016x}", digest(&result)) {
        Vec::new()
    } else {
        vec![format!("{name}: the digest is not the recorded one")]
    }
}

/// FNV-1a, 64 bits.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

fn differences(name: &str, program: &Program, library: Option<&Path>) -> Vec<String> {
    let record = std::env::var_os("TENSIX_VECTORS_RECORD").is_some();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.hex"));
    let mut wrong = Vec::new();
    if let Some(library) = library {
        match run_vendor(library, program, name) {
            Ok(result) if record => std::fs::write(&file, lines(&result)).unwrap(),
            Ok(result) if result != read(&file) => wrong.push(format!("{name}: record is not the vendor's")),
            Ok(_) => {}
            Err(text) => wrong.push(format!("{name}: vendor: {}", text.trim())),
        }
    }
    let expected = read(&file);
    match run_here(program) {
        Ok(result) => wrong.extend(difference(name, &result, &expected)),
        Err(text) => wrong.push(format!("{name}: {text}")),
    }
    wrong
}

/// Where two results differ, in words for a person; `None` if they do not.
pub fn difference(name: &str, result: &[u8], expected: &[u8]) -> Option<String> {
    if result == expected {
        return None;
    }
    let at = result.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(0) & !3;
    let count = result.iter().zip(expected).filter(|(a, b)| a != b).count();
    let word = |bytes: &[u8]| hex(bytes.get(at..(at + 4).min(bytes.len())).unwrap_or_default());
    let (ours, theirs) = (word(result), word(expected));
    Some(format!("{name}: {count} bytes differ, first at {at:#x}: {ours}, vendor {theirs}"))
}

fn lines(bytes: &[u8]) -> String {
    bytes.chunks(64).map(|line| hex(line) + "\n").collect()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read_to_string(file).map(|text| text.lines().flat_map(unhex).collect()).unwrap_or_default()
}
