//! `cargo xtask layers`: which top module of a crate imports which, and whether it may.
//!
//! The rules are data: [`RULES`] has a section for each crate, with a line for each module that lists the modules it may import.
//! A crate with a section must keep it, tests included, and the section itself must not have a cycle. A crate without a
//! section must not have a cycle. A section marked `knots` is for a crate that still has cycles: its lines are the imports
//! without which there would be none. They may only become fewer: a line that is no longer needed is an error.
//!
//! Imports are paths that begin with `crate::`, or with enough `super::` to lead out of the module, in `use` or
//! anywhere else. A name that is not a top module counts as the crate's root (`root` in the rules), because re-exports hide
//! the module behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::paths;

/// The rule.
const RULES: &str = include_str!("../layers.txt");

/// Imports of the top modules of a crate.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// A section of the rule.
#[derive(Default)]
struct Rule {
    /// `may` are imports that make cycles.
    knots: bool,
    may: Imports,
}

/// `cargo xtask layers`.
pub fn run() -> Result<()> {
    let rules = parse(RULES)?;
    let mut complaints = Vec::new();
    for folder in crates(&paths::root())? {
        let imports = imports(&paths::root().join(&folder).join("src"))?;
        println!("{folder}");
        for (module, imported) in &imports {
            println!("    {module}: {}", imported.iter().cloned().collect::<Vec<_>>().join(" "));
        }
        complaints.extend(check(&folder, &imports, rules.get(&folder)));
    }
    match complaints.as_slice() {
        [] => Ok(()),
        all => bail!("the layers are not kept (xtask/layers.txt has the rule):\n  {}", all.join("\n  ")),
    }
}

/// Folders of the workspace's crates.
fn crates(root: &Path) -> Result<Vec<String>> {
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).context("no members")?;
    let names = members.split('"').skip(1).step_by(2).map(str::to_owned);
    Ok(names.chain(["kernels/firmware".to_owned()]).collect())
}

fn parse(text: &str) -> Result<BTreeMap<String, Rule>> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    let mut folder = String::new();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if !line.starts_with(' ') {
            let mut words = line.split_whitespace();
            folder = words.next().unwrap_or_default().to_owned();
            rules.entry(folder.clone()).or_default().knots = words.next() == Some("knots");
            continue;
        }
        let (module, may) = line.split_once(':').with_context(|| format!("no colon: {line}"))?;
        let may = may.split_whitespace().map(str::to_owned).collect();
        rules.entry(folder.clone()).or_default().may.insert(module.trim().to_owned(), may);
    }
    Ok(rules)
}

/// What is wrong with a crate's imports.
fn check(folder: &str, imports: &Imports, rule: Option<&Rule>) -> Vec<String> {
    let Some(rule) = rule else {
        return cycle(imports).map(|path| format!("{folder}: import cycle {path}")).into_iter().collect();
    };
    if rule.knots {
        return check_knots(folder, imports, &rule.may);
    }
    let mut wrong: Vec<String> =
        cycle(&rule.may).map(|path| format!("{folder}: the rule has the cycle {path}")).into_iter().collect();
    for (module, imported) in imports {
        let Some(may) = rule.may.get(module) else {
            wrong.push(format!("{folder}: the module {module} has no line"));
            continue;
        };
        let more = imported.difference(may).map(|other| format!("{folder}: {module} imports {other}"));
        wrong.extend(more);
    }
    let gone = rule.may.keys().filter(|module| !imports.contains_key(*module));
    wrong.extend(gone.map(|module| format!("{folder}: there is no module {module}")));
    wrong
}

/// A crate may have no cycle but through the imports that are listed.
fn check_knots(folder: &str, imports: &Imports, listed: &Imports) -> Vec<String> {
    let mut rest = imports.clone();
    let mut wrong = Vec::new();
    for (module, others) in listed {
        for other in others {
            if !rest.get_mut(module).is_some_and(|imported| imported.remove(other)) {
                wrong.push(format!("{folder}: {module} no longer imports {other}"));
            }
        }
    }
    wrong.extend(cycle(&rest).map(|path| format!("{folder}: import cycle {path}")));
    wrong
}

/// A cycle, if there is one. The root imports everything and may be imported by name only where the rule says so.
fn cycle(imports: &Imports) -> Option<String> {
    imports.keys().find_map(|module| {
        let mut path = Vec::new();
        leads_back(imports, module, module, &mut path, &mut BTreeSet::new())
            .then(|| [&[module.as_str()], &path[..]].concat().join(" -> "))
    })
}

fn leads_back<'a>(
    imports: &'a Imports,
    from: &str,
    to: &str,
    path: &mut Vec<&'a str>,
    seen: &mut BTreeSet<&'a str>,
) -> bool {
    for next in imports.get(from).into_iter().flatten() {
        path.push(next);
        if next == to || seen.insert(next) && leads_back(imports, next, to, path, seen) {
            return true;
        }
        path.pop();
    }
    false
}

/// Imports of every top module of the crate with this source folder.
fn imports(src: &Path) -> Result<Imports> {
    let mut files = Vec::new();
    collect(src, &mut files)?;
    let modules: Vec<(PathBuf, Vec<String>)> = files
        .into_iter()
        .filter_map(|path| Some((path.clone(), module_of(path.strip_prefix(src).ok()?)?)))
        .collect();
    let top: BTreeSet<&str> = modules.iter().map(|(_, module)| module[0].as_str()).collect();
    let mut imports: Imports = top.iter().map(|&name| (name.to_owned(), BTreeSet::new())).collect();
    for (path, module) in &modules {
        let text = fs::read_to_string(path)?;
        for name in imported(&text, module.len()) {
            let name = if top.contains(name.as_str()) { name } else { "root".to_owned() };
            if name != module[0] {
                imports.entry(module[0].clone()).or_default().insert(name);
            }
        }
    }
    Ok(imports)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        match path.is_dir() {
            true => collect(&path, files)?,
            false if path.extension().is_some_and(|extension| extension == "rs") => files.push(path),
            false => {}
        }
    }
    Ok(())
}

/// The module that a file is; `None` for the root and for programs, which are roots of their own.
fn module_of(path: &Path) -> Option<Vec<String>> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    let root = matches!(parts.as_slice(), [one] if one == "lib" || one == "main");
    (!root && parts.first().is_some_and(|first| first != "bin")).then_some(parts)
}

/// First names of the paths that lead out of a module at this depth of the crate.
fn imported(text: &str, depth: usize) -> BTreeSet<String> {
    let tokens = tokens(text);
    let mut found = BTreeSet::new();
    // Depths of braces at which modules in line end.
    let (mut braces, mut inner) = (0, Vec::new());
    for (i, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => {
                if i >= 2 && tokens[i - 2] == "mod" {
                    inner.push(braces);
                }
                braces += 1;
            }
            "}" => {
                braces = usize::saturating_sub(braces, 1);
                inner.pop_if(|depth| *depth == braces);
            }
            "crate" if tokens.get(i + 1).is_some_and(|next| next == "::") => {
                found.extend(first_names(&tokens[i + 2..]));
            }
            "super" if i == 0 || tokens[i - 1] != "::" => {
                let path = tokens[i..].chunks(2);
                let supers = path.take_while(|pair| matches!(pair, [a, b] if a == "super" && b == "::"));
                let supers = supers.count();
                if supers == depth + inner.len() {
                    found.extend(first_names(&tokens[i + 2 * supers..]));
                }
            }
            _ => {}
        }
    }
    found
}

/// The name that a path goes on with, or the first name of each branch of a group.
fn first_names(tokens: &[String]) -> Vec<String> {
    if tokens.first().is_none_or(|token| token != "{") {
        return tokens.first().cloned().into_iter().collect();
    }
    let (mut names, mut depth, mut begins) = (Vec::new(), 0, true);
    for token in tokens {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => begins = true,
            name if depth == 1 && std::mem::take(&mut begins) => names.push(name.to_owned()),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Names, `::`, braces and commas; comments and strings are left out.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let quoted = code.split('"').enumerate().filter(|(n, _)| n % 2 == 0);
        for piece in quoted.map(|(_, piece)| piece) {
            let mut name = String::new();
            let mut chars = piece.chars().peekable();
            while let Some(c) = chars.next() {
                if c.is_alphanumeric() || c == '_' {
                    name.push(c);
                    continue;
                }
                tokens.extend(Some(std::mem::take(&mut name)).filter(|name| !name.is_empty()));
                match c {
                    ':' if chars.next_if_eq(&':').is_some() => tokens.push("::".to_owned()),
                    '{' | '}' | ',' | '*' => tokens.push(c.to_string()),
                    _ => {}
                }
            }
            tokens.extend(Some(name).filter(|name| !name.is_empty()));
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule holds for every crate of the workspace.
    #[test]
    fn layers_are_kept() {
        let rules = parse(RULES).unwrap();
        let folders = crates(&paths::root()).unwrap();
        let complaints: Vec<String> = folders
            .iter()
            .flat_map(|folder| {
                let imports = imports(&paths::root().join(folder).join("src")).unwrap();
                check(folder, &imports, rules.get(folder))
            })
            .collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        assert!(rules.keys().all(|folder| folders.contains(folder)), "a rule for a crate that is not there");
    }

    #[test]
    fn paths_out_of_a_module_are_found() {
        let text = "
            use crate::{a::{x, y}, b, c as d};
            // use crate::comment;
            use super::e::f;
            fn g() { crate::h::i(\"crate::text\"); super::super::j(); }
            mod tests { use super::*; use super::super::k; }
        ";
        let names = |depth| imported(text, depth).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(names(1), "a b c e h k");
        assert_eq!(names(2), "a b c h j");
    }

    #[test]
    fn what_the_rule_does_not_allow_is_named() {
        let imports = |text| parse(text).unwrap().remove("crate").unwrap().may;
        let rule = parse("crate\n    low:\n    high: low\n").unwrap();
        let check = |text| check("crate", &imports(text), rule.get("crate"));
        assert!(check("crate\n    low:\n    high: low\n").is_empty());
        assert_eq!(check("crate\n    low: high\n    high:\n"), ["crate: low imports high"]);
        assert_eq!(check("crate\n    low:\n    high:\n    new:\n"), ["crate: the module new has no line"]);
        let knot = imports("crate\n    a: b\n    b: c\n    c: a\n");
        assert_eq!(super::check("crate", &knot, None), ["crate: import cycle a -> b -> c -> a"]);
        let rule = parse("crate knots\n    low: high\n").unwrap();
        let knots = |text| super::check("crate", &imports(text), rule.get("crate"));
        assert!(knots("crate\n    low: high\n    high: low\n").is_empty());
        assert_eq!(knots("crate\n    low:\n    high: low\n"), ["crate: low no longer imports high"]);
    }
}
