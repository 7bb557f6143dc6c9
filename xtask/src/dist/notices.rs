//! Licences of the packages that the library and the command contain, as they require: each package's name and its own licence files.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::process::{capture, cargo};

/// What licence files are called.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// One section a package; packages of the workspace are ours.
pub fn text() -> Result<String> {
    let metadata = capture(
        cargo().args(["metadata", "--format-version", "1", "--locked", "--filter-platform"]).arg(host()?),
    )?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let contained = contained(&metadata)?;
    let mut text = "libggml-tenstorrent.so and tt contain these packages and the standard library of Rust\n\
                    (MIT or Apache-2.0, https://github.com/rust-lang/rust).\n"
        .to_owned();
    for package in list(&metadata["packages"]) {
        if contained.contains(string(&package["id"])) && !package["source"].is_null() {
            section(&mut text, package)?;
        }
    }
    Ok(text)
}

fn host() -> Result<String> {
    let about = capture(crate::tools::rustc().arg("-vV"))?;
    let line = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("`rustc -vV` names no host")?.to_owned())
}

/// The ids of the packages that are linked in: what the library and the command depend on, without what only builds or tests it.
fn contained(metadata: &Value) -> Result<BTreeSet<String>> {
    let packages = list(&metadata["packages"]);
    let root = |name: &str| -> Result<String> {
        let package = packages.iter().find(|package| package["name"] == name);
        Ok(string(&package.with_context(|| format!("no package {name}"))?["id"]).to_owned())
    };
    let mut todo = vec![root("ggml-tenstorrent")?, root("tt")?];
    let compiler_plugin = |id: &str| {
        let package = packages.iter().find(|package| package["id"] == id);
        package.is_some_and(|package| {
            list(&package["targets"]).iter().any(|target| target["kind"][0] == "proc-macro")
        })
    };
    let mut found = BTreeSet::new();
    while let Some(id) = todo.pop() {
        if compiler_plugin(&id) || !found.insert(id.clone()) {
            continue;
        }
        let node = list(&metadata["resolve"]["nodes"]).iter().find(|node| node["id"] == *id);
        for dependency in node.map_or(&[][..], |node| list(&node["deps"])) {
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()) {
                todo.push(string(&dependency["pkg"]).to_owned());
            }
        }
    }
    Ok(found)
}

fn section(text: &mut String, package: &Value) -> Result<()> {
    let line = "-".repeat(100);
    writeln!(text, "\n{line}\n{} {}", string(&package["name"]), string(&package["version"]))?;
    writeln!(text, "licence: {}", package["license"].as_str().unwrap_or("see below"))?;
    if let Some(at) = package["repository"].as_str() {
        writeln!(text, "source: {at}")?;
    }
    let folder = Path::new(string(&package["manifest_path"])).parent().context("no package folder")?;
    let mut files: Vec<_> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && NAMES.iter().any(|start| name.starts_with(start))
    });
    files.sort();
    for file in files {
        let licence = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        writeln!(text, "\n{name}:\n\n{}", String::from_utf8_lossy(&licence).trim())?;
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
