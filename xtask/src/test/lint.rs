//! Formatting and lints. A warning is an error here.

use std::path::Path;
use std::process::Command;

use super::crates;
use crate::paths;
use crate::process::{cargo, run};
use crate::report::Report;
use crate::tools::DEVICE_TARGET;

/// Formatting and lints of both workspaces.
pub fn steps(report: &mut Report) {
    report.step("rustfmt", || run(cargo().args(["fmt", "--all", "--check"])));
    report.step("clippy", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    report.step("documentation of the crates", || {
        let mut command = cargo();
        command.args(["doc", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        crates::CRATES.iter().for_each(|name| {
            command.args(["-p", name]);
        });
        run(&mut command)
    });
    let firmware = paths::root().join("kernels/firmware");
    if !firmware.join("Cargo.toml").is_file() {
        report.skip("device code: rustfmt and clippy", "kernels/firmware is not there");
        return;
    }
    report.step("device code: rustfmt", || run(in_folder(&firmware).args(["fmt", "--all", "--check"])));
    report.step("device code: clippy", || {
        run(in_folder(&firmware)
            .args(["clippy", "--release", "--target", DEVICE_TARGET])
            .args(["--", "-D", "warnings"])
            .env("CARGO_TARGET_DIR", paths::target().join("firmware-clippy")))
    });
    let kernels = paths::root().join("examples/kernels");
    report.step("kernels of the examples: rustfmt", || {
        run(in_folder(&kernels).args(["fmt", "--all", "--check"]))
    });
    report.step("kernels of the examples: clippy", || {
        run(in_folder(&kernels)
            .args(["clippy", "--release", "--target", DEVICE_TARGET])
            .args(["--", "-D", "warnings"])
            .env("CARGO_TARGET_DIR", paths::target().join("kernels-clippy")))
    });
}

fn in_folder(folder: &Path) -> Command {
    let mut command = cargo();
    command.current_dir(folder);
    command
}
