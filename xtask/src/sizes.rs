//! `cargo xtask sizes`: lengths of source files and functions, to see where a seam is due.
//!
//! Function lengths are taken from indentation (signature to the closing brace of the same depth), which is exact on rustfmt's output
//! but for one-line bodies.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::paths;
use crate::process::{capture, command};

/// Files longer than this want a look.
const LONG_FILE: usize = 600;
/// Functions longer than this want a look.
const LONG_FUNCTION: usize = 40;

/// `cargo xtask sizes`.
pub fn run() -> Result<()> {
    let root = paths::root();
    let listed = capture(command("git").current_dir(&root).args(["ls-files", "*.rs"]))?;
    let mut files = Vec::new();
    for name in listed.lines() {
        let text = fs::read_to_string(root.join(name)).unwrap_or_default();
        files.push((name.to_owned(), text.lines().count(), functions(&text)));
    }
    print_crates(&files);
    print_long(&files);
    Ok(())
}

type File = (String, usize, Vec<(String, usize)>);

fn print_crates(files: &[File]) {
    println!(
        "{:<20} {:>6} {:>8} {:>12} {:>10} {:>12}",
        "folder", "files", "lines", "median file", "median fn", "90 % of fns"
    );
    let mut folders: Vec<&str> = files.iter().map(|(name, ..)| folder(name)).collect();
    folders.dedup();
    for crate_folder in folders {
        let mine = || files.iter().filter(|(name, ..)| folder(name) == crate_folder);
        let lengths: Vec<usize> = mine().map(|(_, lines, _)| *lines).collect();
        let bodies: Vec<usize> = mine().flat_map(|(.., list)| list.iter().map(|(_, lines)| *lines)).collect();
        let total: usize = lengths.iter().sum();
        println!(
            "{crate_folder:<20} {:>6} {total:>8} {:>12} {:>10} {:>12}",
            lengths.len(),
            quantile(&lengths, 50),
            quantile(&bodies, 50),
            quantile(&bodies, 90)
        );
    }
}

fn print_long(files: &[File]) {
    for (name, lines, list) in files {
        if *lines > LONG_FILE {
            println!("long file      {lines:>5}  {name}");
        }
        for (function, lines) in list.iter().filter(|(_, lines)| *lines > LONG_FUNCTION) {
            println!("long function  {lines:>5}  {name}: {function}");
        }
    }
}

fn folder(name: &str) -> &str {
    Path::new(name).iter().next().and_then(|part| part.to_str()).unwrap_or(name)
}

fn quantile(values: &[usize], percent: usize) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}

/// Names and lengths of the functions of a file.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", &line[..indent]);
        let end = lines[start..].iter().position(|line| *line == closing);
        found.push((name, end.map_or(1, |offset| offset + 1)));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let words = line.trim_start();
    let (before, after) = words.split_once("fn ")?;
    let modifiers = ["pub", "pub(crate)", "pub(super)", "const", "unsafe", "extern", "\"C\""];
    before
        .split_whitespace()
        .all(|word| modifiers.contains(&word))
        .then(|| after.split(['(', '<']).next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn functions_end_at_their_own_brace() {
        let text = "pub fn a(x: u32) -> u32 {\n    if x > 0 {\n    }\n    x\n}\n\nfn b() {}\n";
        assert_eq!(functions(text), [("a".to_owned(), 5), ("b".to_owned(), 1)]);
    }
}
