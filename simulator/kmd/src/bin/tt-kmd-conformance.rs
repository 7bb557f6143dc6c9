//! The conformance list on the kernel's driver, a line a check. It resets the device: not for a card that somebody uses.

use std::path::PathBuf;
use std::process::ExitCode;

use tt_kmd_mock::conformance;
use tt_sys::kmd::Kernel;

fn main() -> ExitCode {
    let node = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("/dev/tenstorrent/0"), PathBuf::from);
    let checks = match conformance::run(&Kernel, &node) {
        Ok(checks) => checks,
        Err(error) => {
            println!("FAIL {}: {error}", node.display());
            return ExitCode::FAILURE;
        }
    };
    for check in &checks {
        match &check.wrong {
            None => println!("ok   {}", check.what),
            Some(got) => println!("FAIL {}: {got}", check.what),
        }
    }
    let failed = checks.iter().filter(|check| check.wrong.is_some()).count();
    println!("{} checks good, {failed} failed", checks.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
