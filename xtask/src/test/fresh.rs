//! Tests on a machine that has Rust, but not the target of the device code, and that installs nothing by itself.
//!
//! This is a new user's situation, and it no longer exists on a machine that has built the project. The test makes it from the
//! installed toolchain, which must not change (other builds may be using it): a folder of links to everything except the
//! target, a `rustc` that uses this folder as its sysroot, and a fake `rustup` that does `target add` from the installed
//! target and logs its calls. Everything is compiled again, `xtask` first.
//!
//! - With a Rust that is not from rustup, both commands of the README end with a message that names target and command.
//! - With rustup, they add the target and get past the device code.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::llama::Llama;
use crate::paths;
use crate::process::{capture, command, until};
use crate::report::Report;
use crate::tools::DEVICE_TARGET;

/// The two commands of the README; what they print when they have got past the device code, or past asking for its target.
const DEMO: (&[&str], &str) = (&["xtask", "demo"], "Compiling tt-runtime");
const TEST: (&[&str], &str) = (&["xtask", "test"], "== rustfmt");

/// Most of it is the compiler's time.
const LIMIT: Duration = Duration::from_secs(1200);

/// One step.
pub fn step(report: &mut Report, host: Option<&Llama>) {
    let Some(host) = host else {
        report.skip("a fresh machine", "llama.cpp was not built");
        return;
    };
    report.step("a fresh machine", || {
        let machine = Machine::make(&host.build)?;
        machine.without_rustup()?;
        machine.with_rustup()
    });
}

/// The toolchain without the target.
struct Machine {
    /// Where it is.
    sysroot: PathBuf,
    /// The toolchain that it is made from.
    real: PathBuf,
    /// llama.cpp, which is not what is tested here.
    llama: PathBuf,
}

impl Machine {
    fn make(llama: &Path) -> Result<Self> {
        let folder = paths::target().join("fresh");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let real = capture(command("rustc").current_dir(paths::root()).args(["--print", "sysroot"]))?;
        let machine = Self {
            sysroot: folder.join("rust"),
            real: PathBuf::from(real.trim()),
            llama: llama.to_path_buf(),
        };
        link_all(&machine.real.join("bin"), &machine.sysroot.join("bin"), &["rustc"])?;
        link_all(&machine.real.join("lib"), &machine.sysroot.join("lib"), &["rustlib"])?;
        link_all(&machine.real.join("lib/rustlib"), &machine.sysroot.join("lib/rustlib"), &[DEVICE_TARGET])?;
        let [real, ours] = [&machine.real, &machine.sysroot].map(|path| path.display());
        machine.script("rustc", &format!("exec '{real}/bin/rustc' --sysroot '{ours}' \"$@\""))?;
        Ok(machine)
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }

    fn rustup_log(&self) -> PathBuf {
        self.sysroot.join("rustup.log")
    }

    /// A program of this machine.
    fn script(&self, name: &str, body: &str) -> Result<()> {
        let path = self.sysroot.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n"))?;
        Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?)
    }

    /// `cargo` of this machine, in a target folder of its own.
    fn cargo(&self, arguments: &[&str]) -> Result<Command> {
        let mut cargo = command(self.sysroot.join("bin/cargo"));
        cargo.args(arguments).current_dir(paths::root()).env("CARGO_TERM_COLOR", "never");
        cargo.env("PATH", self.search_path()?).env("RUSTUP_AUTO_INSTALL", "0");
        cargo.env("CARGO_TARGET_DIR", paths::target().join("fresh/target"));
        cargo.env("LLAMA_CPP_BUILD", &self.llama);
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "RUSTC", "RUSTC_WRAPPER", "RUSTUP_TOOLCHAIN"] {
            cargo.env_remove(name);
        }
        Ok(cargo)
    }

    /// The folders of our own search path that have no Rust, behind this machine's.
    fn search_path(&self) -> Result<OsString> {
        let own = env::var_os("PATH").unwrap_or_default();
        let others = env::split_paths(&own)
            .filter(|folder| ["rustc", "rustup", "cargo"].iter().all(|name| !folder.join(name).exists()));
        Ok(env::join_paths([self.sysroot.join("bin")].into_iter().chain(others))?)
    }

    /// Both commands say what is missing.
    fn without_rustup(&self) -> Result<()> {
        for (arguments, passed) in [DEMO, TEST] {
            let shown = arguments.join(" ");
            let ended = until(&mut self.cargo(arguments)?, LIMIT, |line| line.contains(passed))?;
            ensure!(!ended.seen, "`cargo {shown}` went on without the target:\n{}", ended.output);
            for part in [DEVICE_TARGET, "rustup target add", "not managed by rustup"] {
                ensure!(
                    ended.output.contains(part),
                    "`cargo {shown}` does not say \"{part}\":\n{}",
                    ended.output
                );
            }
            println!("cargo {shown}, without rustup: says what is missing");
        }
        Ok(())
    }

    /// Both commands install it and go on.
    fn with_rustup(&self) -> Result<()> {
        self.add_rustup()?;
        for (arguments, passed) in [DEMO, TEST] {
            let shown = arguments.join(" ");
            let target = self.rustlib().join(DEVICE_TARGET);
            let _ = fs::remove_file(&target);
            let _ = fs::remove_file(self.rustup_log());
            let ended = until(&mut self.cargo(arguments)?, LIMIT, |line| line.contains(passed))?;
            ensure!(ended.seen, "`cargo {shown}` did not get as far as \"{passed}\":\n{}", ended.output);
            let asked = fs::read_to_string(self.rustup_log()).unwrap_or_default();
            let wanted = format!("target add {DEVICE_TARGET}");
            let count = asked.lines().filter(|line| *line == wanted).count();
            ensure!(count == 1, "`cargo {shown}` called rustup {count} times with \"{wanted}\":\n{asked}");
            println!("cargo {shown}, with rustup: added the target and went on");
        }
        Ok(())
    }

    /// A `rustup` that knows this toolchain and can add the target to it.
    fn add_rustup(&self) -> Result<()> {
        let [real, ours] = [&self.real, &self.sysroot].map(|path| path.display());
        let log = self.rustup_log();
        self.script(
            "rustup",
            &format!(
                "echo \"$@\" >>'{}'\n\
                 case \"$1 $2\" in\n\
                 'which rustc') echo '{ours}/bin/rustc' ;;\n\
                 'target add') ln -s '{real}/lib/rustlib/'\"$3\" '{ours}/lib/rustlib/'\"$3\" ;;\n\
                 *) echo \"not expected: $@\" >&2; exit 1 ;;\n\
                 esac",
                log.display()
            ),
        )
    }
}

/// Links to all entries of a folder but those named.
fn link_all(from: &Path, to: &Path, except: &[&str]) -> Result<()> {
    fs::create_dir_all(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        if except.iter().all(|other| name != *other) {
            symlink(from.join(&name), to.join(&name))?;
        }
    }
    if except.iter().any(|name| !from.join(name).exists()) {
        bail!("{} lacks one of {except:?}", from.display());
    }
    Ok(())
}
