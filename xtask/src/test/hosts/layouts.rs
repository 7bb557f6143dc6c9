//! `cargo xtask bindings`: how ggml's structs are laid out in the versions whose sources the tests fetch.
//!
//! ```text
//! sources of a version --[xtask/bindings, bindgen]--> a line a struct --[this]--> ggml-backend/src/abi/layouts.txt
//! ```
//! A test of the library compares its own tables with that file, so a field that is missing or at another place fails every run. The file is
//! made anew, and compared, with `--check` or `cargo xtask test --full`. That needs libclang, which nothing else here does: the package that
//! runs bindgen is no member of the workspace and is built here.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{Sources, sources};
use crate::llama::Llama;
use crate::process::{capture, cargo, command, run as run_command};
use crate::{llama, paths};

/// Options of `cargo xtask bindings`.
#[derive(Args)]
pub struct Options {
    /// Only compare with the file that is there
    #[arg(long)]
    check: bool,
}

/// The first lines of the file.
const HEAD: &str = "\
# How ggml's structs are laid out: versions, bytes, fields with their offsets. Made by `cargo xtask bindings`; do not edit.
";

/// `cargo xtask bindings`.
pub fn run(options: &Options) -> Result<()> {
    let llama = llama::ensure()?;
    if options.check {
        return check(&llama);
    }
    let file = file();
    fs::write(&file, table(&llama)?).with_context(|| format!("cannot write {}", file.display()))?;
    println!("{}", file.display());
    Ok(())
}

/// Whether the file is what the headers say.
pub fn check(pinned: &Llama) -> Result<()> {
    let written = fs::read_to_string(file())?;
    if written != table(pinned)? {
        bail!("{} is not what the headers say: see `cargo xtask bindings`", file().display());
    }
    Ok(())
}

fn file() -> PathBuf {
    paths::root().join("ggml-backend/src/abi/layouts.txt")
}

/// The file's text.
fn table(pinned: &Llama) -> Result<String> {
    let program = build()?;
    let mut all: Vec<Sources> = sources(pinned)?;
    all.sort_by_key(|host| numbers(host.ggml));
    let versions: Vec<String> = all.iter().map(|host| format!("{}={}", host.ggml, host.layout)).collect();
    let mut structs: Vec<Struct<'_>> = Vec::new();
    for host in &all {
        for line in layouts(&program, &host.folder)?.lines() {
            let (name, layout) = line.split_once(' ').context("a struct without a layout")?;
            add(&mut structs, name, layout, host.ggml);
        }
    }
    let mut text = format!("{HEAD}versions {}\n", versions.join(" "));
    for (name, layouts) in structs {
        let _ = writeln!(text, "\n{name}");
        for (layout, of) in layouts {
            let of = if of.len() == all.len() { "all".to_owned() } else { of.join(" ") };
            let _ = writeln!(text, "    {of}: {layout}");
        }
    }
    Ok(text)
}

/// A struct's layouts, with the versions that have them.
type Layouts<'a> = Vec<(String, Vec<&'a str>)>;
/// A struct's name and layouts.
type Struct<'a> = (String, Layouts<'a>);

/// Puts a version's layout of a struct to the equal ones of others.
fn add<'a>(structs: &mut Vec<Struct<'a>>, name: &str, layout: &str, version: &'a str) {
    let at = structs.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        structs.push((name.to_owned(), Vec::new()));
        structs.len() - 1
    });
    let layouts = &mut structs[at].1;
    match layouts.iter_mut().find(|(known, _)| known == layout) {
        Some((_, versions)) => versions.push(version),
        None => layouts.push((layout.to_owned(), vec![version])),
    }
}

/// Parts of a version, for the order.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// Builds the package that runs bindgen.
fn build() -> Result<PathBuf> {
    let target = paths::target().join("bindings");
    run_command(
        cargo()
            .args(["build", "--locked", "--manifest-path", "xtask/bindings/Cargo.toml", "--target-dir"])
            .arg(&target),
    )?;
    Ok(target.join("debug/ggml-layouts"))
}

/// A line a struct of a version.
fn layouts(program: &Path, folder: &Path) -> Result<String> {
    capture(command(program).arg(folder)).map_err(|error| match error.to_string() {
        text if ["find libclang", "'stdbool.h'"].iter().any(|what| text.contains(what)) => error.context(
            "bindgen reads headers with libclang, which is not there (Debian: `apt install libclang-dev`; elsewhere LIBCLANG_PATH names its folder)",
        ),
        _ => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_layouts_of_a_struct_are_one_line() {
        let mut structs = Vec::new();
        for (version, layout) in [("0.9.5", "72 a 0"), ("0.12.0", "88 a 0 b 8"), ("0.25.0", "88 a 0 b 8")] {
            add(&mut structs, "s", layout, version);
        }
        let layouts = &structs[0].1;
        assert_eq!(layouts[0], ("72 a 0".to_owned(), vec!["0.9.5"]));
        assert_eq!(layouts[1], ("88 a 0 b 8".to_owned(), vec!["0.12.0", "0.25.0"]));
        assert!(numbers("0.9.5") < numbers("0.12.0"));
    }
}
