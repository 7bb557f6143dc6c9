//! The library in an unknown ggml: a library preloaded before a real ggml reports another version, or replaces one of its
//! functions (`tests/native/hosts/newer.cpp`).

use std::path::Path;
use std::process::Output;

use anyhow::{Context as _, Result, bail};

use super::build::Programs;

/// One operator shows that the device works.
const OPERATOR: &str = "ADD";
const FUTURE: &str = "0.99.0";
const PAST: &str = "0.8.0";

/// What is different in the host, and what the refusal says.
const FAULTS: &[(&str, &str)] = &[
    ("slot", "get_alignment calls"),
    ("field", "a backend's device is word"),
    ("argument", "a tensor's bytes are copied in another way"),
    ("abort", "ggml crashed in the self-test (signal 6)"),
    ("segv", "ggml crashed in the self-test (signal 11)"),
    ("hang", "the self-test did not end"),
];

/// A host of which nothing is known but what it exports passes the self-test, and computes.
pub fn passes(programs: &Programs, library: &Path) -> Result<()> {
    served(&run(programs, library, FUTURE, "", false)?, &format!("ggml {FUTURE} is not known"))
}

/// Newer ones are served if they pass the self-test, and refused if not; older ones are refused. Nothing crashes with any setting.
pub fn check(programs: &Programs, library: &Path) -> Result<()> {
    let run = |version: &str, fault: &str, any: bool| run(programs, library, version, fault, any);
    passes(programs, library)?;
    for &(fault, reason) in FAULTS {
        for any in [false, true] {
            refused(&run(FUTURE, fault, any)?, reason).with_context(|| format!("{fault}, any {any}"))?;
        }
    }
    refused(&run(PAST, "", false)?, "GGML_TT_ANY_GGML=1 to have its interface tested")?;
    served(&run(PAST, "", true)?, &format!("ggml {PAST} is not known"))?;
    println!("newer versions: served if they pass the self-test; {} kinds of others refused", FAULTS.len());
    Ok(())
}

/// Computes one operator in a host that says that it is this version, and has this fault.
fn run(programs: &Programs, library: &Path, version: &str, fault: &str, any: bool) -> Result<Output> {
    let mut command = programs.hosts(library, &[OPERATOR]);
    command.env("LD_PRELOAD", programs.program("libnewer.so"));
    command.env("HOST_VERSION", version).env("HOST_FAULT", fault);
    if any {
        command.env("GGML_TT_ANY_GGML", "1");
    }
    command.output().context("cannot start the test program")
}

/// It computed, after one warning.
fn served(output: &Output, warning: &str) -> Result<()> {
    let (out, log) = texts(output);
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("is not known")).collect();
    let once =
        warnings.len() == 1 && warnings[0].contains(warning) && warnings[0].contains("passes the self-test");
    if !output.status.success() || !once || !out.contains("1 passed, 0 failed") {
        bail!("not served with one warning ({}):\n{out}{log}", output.status);
    }
    Ok(())
}

/// It said why not, and the program went on to its own message.
fn refused(output: &Output, reason: &str) -> Result<()> {
    let (out, log) = texts(output);
    if output.status.code() != Some(1) || !log.contains(reason) || !log.contains("the library was refused") {
        bail!("not refused with \"{reason}\" ({}):\n{out}{log}", output.status);
    }
    Ok(())
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}
