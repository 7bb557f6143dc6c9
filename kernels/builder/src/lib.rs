//! Compiles kernels for the RISC-V cores of a card from a build script, with the toolchain that compiles the program itself.
//!
//! ```text
//! // build.rs: the package in `kernels` has a binary for each kernel (`src/bin/add.rs`) and depends on `tt-kernel`.
//! fn main() {
//!     tt_kernel_build::kernels("kernels");
//! }
//! ```
//!
//! ```ignore
//! // src/main.rs: a constant for each of them, `kernels::ADD`, which `tt_runtime::program` takes.
//! mod kernels {
//!     include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
//! }
//! ```
//!
//! The package of kernels is a workspace of its own, since it is compiled for `riscv32im-unknown-none-elf`: `rustup target add` that once. How it is
//! optimised and linked is decided here; it needs neither a build script nor a linker script. An image is linked for address 0 and keeps its
//! relocations and its line numbers: the host moves it to where there is room, and names source lines when something goes wrong.

mod compile;

pub use compile::{Compile, Error, TARGET};

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The linker script of a user's kernel: everything in one piece, the entry first.
const SCRIPT: &str = "\
ENTRY(_start)
SECTIONS {
  . = 0;
  .text   : { KEEP(*(.text.start)) *(.text .text.*) }
  .rodata : { *(.rodata .rodata.* .srodata .srodata.*) }
  .data   : ALIGN(16) { *(.data .data.* .sdata .sdata.*) }
  .bss    : { *(.bss .bss.* .sbss .sbss.*) *(COMMON) }
  /DISCARD/ : { *(.comment) *(.riscv.attributes) *(.eh_frame*) *(.note*) }
}
";

/// Compiles the binaries of the package in `folder`, beside the build script's own package, for Wormhole, and writes `kernels.rs` to
/// `OUT_DIR`. A failure ends the build script with the reason.
pub fn kernels(folder: impl AsRef<Path>) {
    if let Err(error) = Kernels::new(folder.as_ref()).build() {
        eprintln!("tt-kernel-build: {error}");
        std::process::exit(1);
    }
}

/// A package of kernels.
pub struct Kernels {
    folder: PathBuf,
    chip: String,
}

impl Kernels {
    /// The package in `folder`, a path from the build script's own package.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), chip: "wormhole".into() }
    }

    /// For another chip: the name of a feature of `tt-kernel`, which the package passes on.
    pub fn chip(mut self, chip: &str) -> Self {
        self.chip = chip.into();
        self
    }

    /// Compiles them, and writes `kernels.rs` to `OUT_DIR`: for each binary `name` a constant `NAME` of `tt_runtime::program::KernelImage`.
    ///
    /// # Errors
    /// The package or the target is missing; the compiler's messages.
    pub fn build(self) -> Result<(), Error> {
        let root = PathBuf::from(compile::variable("CARGO_MANIFEST_DIR")?);
        let out = PathBuf::from(compile::variable("OUT_DIR")?);
        let folder = root.join(&self.folder);
        let script = out.join("kernel.ld");
        write(&script, SCRIPT)?;
        let names = binaries(&folder)?;
        let target = out.join("kernels");
        Compile::new(&folder)
            .target_dir(&target)
            .features(&self.chip)
            .flags(["-C", "relocation-model=static"])
            .flags(["-C".to_owned(), format!("link-arg=-T{}", script.display())])
            .flags(["-C", "link-arg=--emit-relocs", "-C", "link-arg=--no-relax", "-C", "link-arg=--nmagic"])
            .profile(&[
                ("OPT_LEVEL", "2"),
                ("LTO", "fat"),
                ("CODEGEN_UNITS", "1"),
                ("PANIC", "abort"),
                ("DEBUG", "line-tables-only"),
            ])
            .run()?;
        let mut text = String::new();
        for name in &names {
            let constant = name.to_uppercase().replace('-', "_");
            let file = target.join(TARGET).join("release").join(name);
            let _ = writeln!(
                text,
                "/// The kernel `{name}`.\npub const {constant}: ::tt_runtime::program::KernelImage =\n    ::tt_runtime::program::KernelImage::embedded({name:?}, include_bytes!({file:?}));"
            );
        }
        write(&out.join("kernels.rs"), &text)?;
        watch(&folder, &target.join(TARGET).join("release"), &names);
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Names of the binaries: the files and folders of `src/bin`.
fn binaries(folder: &Path) -> Result<Vec<String>, Error> {
    let path = folder.join("src/bin");
    let entries = std::fs::read_dir(&path).map_err(|source| Error::File { path: path.clone(), source })?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            (is_source || path.join("main.rs").is_file())
                .then(|| path.file_stem().map(|name| name.to_string_lossy().into_owned()))?
        })
        .collect();
    names.sort();
    if names.is_empty() {
        return Err(Error::NoKernels { path });
    }
    Ok(names)
}

/// The build script runs again when a source changes that cargo says the kernels are made of.
fn watch(folder: &Path, release: &Path, names: &[String]) {
    println!("cargo::rerun-if-changed={}", folder.join("Cargo.toml").display());
    println!("cargo::rerun-if-changed={}", folder.join("src").display());
    for name in names {
        let Ok(text) = std::fs::read_to_string(release.join(format!("{name}.d"))) else { continue };
        let sources = text.split_once(": ").map_or("", |(_, sources)| sources);
        for source in sources.lines().next().unwrap_or("").split(".rs ") {
            let source = source.trim().trim_end_matches(".rs");
            if !source.is_empty() {
                println!("cargo::rerun-if-changed={source}.rs");
            }
        }
    }
}
