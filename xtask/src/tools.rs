//! Requirements of the machine: Debian packages and Rust components.
//!
//! As root, missing packages are installed with apt-get; otherwise the command is printed and the run stops.
//! Rust components come from rustup, which needs no root, where rustup manages the toolchain.
//!
//! `xtask` must not depend on anything that is built for the card's cores, since it runs before that can be built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{capture, cargo, command, run, succeeds};

/// The target of the device code.
pub const DEVICE_TARGET: &str = "riscv32im-unknown-none-elf";

/// A Debian package and a command that works only where it is installed.
struct Package {
    name: &'static str,
    probe: &'static [&'static str],
}

/// What building llama.cpp takes.
const BUILD_PACKAGES: &[Package] = &[
    Package { name: "g++", probe: &["g++", "--version"] },
    Package { name: "cmake", probe: &["cmake", "--version"] },
    Package { name: "ninja-build", probe: &["ninja", "--version"] },
    VENV,
];

const VENV: Package = Package { name: "python3-venv", probe: &["python3", "-c", "import ensurepip, venv"] };

impl Package {
    fn is_there(&self) -> bool {
        succeeds(command(self.probe[0]).args(&self.probe[1..]))
    }
}

/// What speaks, for the test of whisper.cpp.
const SPEECH_PACKAGES: &[Package] = &[Package { name: "espeak-ng", probe: &["espeak-ng", "--version"] }];

/// A compiler for the card's cores with its C library, for the kernels of the vendor's operators.
const RISCV_PACKAGES: &[Package] = &[
    Package { name: "gcc-riscv64-unknown-elf", probe: &["riscv64-unknown-elf-g++", "--version"] },
    Package { name: "binutils-riscv64-unknown-elf", probe: &["riscv64-unknown-elf-ld", "--version"] },
    Package {
        name: "picolibc-riscv64-unknown-elf",
        probe: &["test", "-d", "/usr/lib/picolibc/riscv64-unknown-elf/lib/rv32im/ilp32"],
    },
];

/// Makes sure that there is a C++ compiler for the card's cores.
pub fn ensure_riscv_compiler() -> Result<()> {
    ensure(RISCV_PACKAGES)
}

/// Makes sure that the packages for building llama.cpp are there.
pub fn ensure_build_packages() -> Result<()> {
    ensure(BUILD_PACKAGES)
}

/// Makes sure that something can speak.
pub fn ensure_speech() -> Result<()> {
    ensure(SPEECH_PACKAGES)
}

/// Makes sure that Python can make a virtual environment, which is where pip runs.
pub fn ensure_venv() -> Result<()> {
    ensure(&[VENV])
}

fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<&str> =
        packages.iter().filter(|package| !package.is_there()).map(|package| package.name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !is_root() || !succeeds(command("apt-get").arg("--version")) {
        bail!(
            "missing on this machine: {list}\ninstall with: sudo apt-get install -y --no-install-recommends {list}"
        );
    }
    eprintln!("installing missing packages: {list}");
    run(command("apt-get").args(["update", "-qq"]))?;
    run(command("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
    .with_context(|| format!("apt-get could not install: {list}"))
}

fn is_root() -> bool {
    capture(command("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// Makes sure that rustc can build for the cores of the card: installs the target if the toolchain is one of rustup's, or says
/// what is missing. (`rust-toolchain.toml` lists the target, but rustup looks at that only where it may install by itself.)
pub fn ensure_device_target() -> Result<()> {
    if has_device_target()? {
        return Ok(());
    }
    if !is_from_rustup()? {
        bail!("{}", without_rustup(&Toolchain::find()?));
    }
    let add = ["target", "add", DEVICE_TARGET];
    eprintln!("adding the Rust target {DEVICE_TARGET}");
    let added = run(rustup().args(add));
    added.with_context(|| {
        format!(
            "the Rust target {DEVICE_TARGET} is missing, and rustup could not add it; install with: rustup target add {DEVICE_TARGET}"
        )
    })?;
    if !has_device_target()? {
        bail!(
            "`rustup target add {DEVICE_TARGET}` changed nothing for `{}`",
            rustc().get_program().display()
        );
    }
    Ok(())
}

/// The `rustc` that cargo uses here.
pub fn rustc() -> Command {
    let mut rustc = command(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(crate::paths::root());
    rustc
}

fn rustup() -> Command {
    let mut rustup = command("rustup");
    rustup.current_dir(crate::paths::root());
    rustup
}

/// Whether the core library of the target is there. (rustup leaves empty folders behind.)
fn has_device_target() -> Result<bool> {
    let folder = capture(rustc().args(["--print", "target-libdir", "--target", DEVICE_TARGET]))?;
    Ok(fs::read_dir(folder.trim()).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore"))
    }))
}

/// Whether rustup is there, and `rustc` is the one that it gives.
fn is_from_rustup() -> Result<bool> {
    let Ok(theirs) = capture(rustup().args(["which", "rustc"])) else { return Ok(false) };
    let Some(theirs) = Path::new(theirs.trim()).ancestors().nth(2) else { return Ok(false) };
    let ours = Toolchain::find()?.sysroot;
    Ok(fs::canonicalize(theirs).ok() == fs::canonicalize(ours).ok())
}

/// Where a toolchain is, and which it is.
struct Toolchain {
    sysroot: PathBuf,
    /// As in the names of the downloads: `1.95.0`.
    version: String,
}

impl Toolchain {
    fn find() -> Result<Self> {
        let sysroot = capture(rustc().args(["--print", "sysroot"]))?;
        let about = capture(rustc().arg("--version"))?;
        let version = about.split_whitespace().nth(1).context("`rustc --version` names no version")?;
        Ok(Self { sysroot: PathBuf::from(sysroot.trim()), version: version.to_owned() })
    }
}

/// What to do where rustup does not manage the toolchain.
fn without_rustup(toolchain: &Toolchain) -> String {
    let Toolchain { sysroot, version } = toolchain;
    let (sysroot, archive) = (sysroot.display(), format!("rust-std-{version}-{DEVICE_TARGET}"));
    format!(
        "the Rust target {DEVICE_TARGET} is missing, and this Rust ({version}, in {sysroot}) is not managed by rustup.\n\
         Either use rustup (https://rustup.rs): rustup target add {DEVICE_TARGET}\n\
         or install the target beside this compiler: unpack https://static.rust-lang.org/dist/{archive}.tar.xz\n\
         and run in it: ./install.sh --prefix={sysroot}"
    )
}

/// Makes sure that rustfmt and clippy are there.
pub fn ensure_lint_components() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if succeeds(cargo().args([subcommand, "--version"])) {
            continue;
        }
        if !is_from_rustup()? {
            let Toolchain { sysroot, version } = Toolchain::find()?;
            bail!(
                "`cargo {subcommand}` is missing, and this Rust ({version}, in {}) is not managed by rustup: install the package \
                 of {component} that belongs to it, or use rustup (https://rustup.rs)",
                sysroot.display()
            );
        }
        eprintln!("adding the Rust component {component}");
        run(rustup().args(["component", "add", component])).with_context(|| {
            format!("`cargo {subcommand}` is missing; install with: rustup component add {component}")
        })?;
    }
    Ok(())
}

/// True if `cargo nextest` works here.
pub fn has_nextest() -> bool {
    succeeds(cargo().args(["nextest", "--version"]))
}
