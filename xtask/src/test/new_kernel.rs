//! What `cargo xtask new-kernel` makes: a program outside of this workspace, built and run.

use std::fs;

use anyhow::bail;

use crate::process::{capture, command};
use crate::report::Report;
use crate::{new_kernel, paths};

/// One step: make it, build it, run it on the simulator.
pub fn step(report: &mut Report) {
    report.step("a program with a kernel of its own", || {
        let folder = paths::target().join("new-kernel");
        let _ = fs::remove_dir_all(&folder);
        new_kernel::make("first-kernel", &folder)?;
        // What the workspace has compiled already need not be compiled again.
        let text = capture(
            command("cargo")
                .current_dir(&folder)
                .env("CARGO_TARGET_DIR", paths::target())
                .args(["run", "--quiet"]),
        )?;
        print!("{text}");
        if !text.contains("(0, 0) BRISC: added 10 to 16 numbers") || !text.contains("[10, 11, 12,") {
            bail!("not what the program should print:\n{text}");
        }
        Ok(())
    });
}
