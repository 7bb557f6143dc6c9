//! The documents: every relative link leads to a file, and to a heading in it; every source file that they name exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What a document has that others, or the source tree, must agree with.
#[derive(Default)]
struct Document {
    links: Vec<String>,
    code: Vec<String>,
    anchors: BTreeSet<String>,
}

/// Documents by path from the top of the source tree.
type Documents = BTreeMap<PathBuf, Document>;

/// Top of the source tree.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder")
}

/// Every file that git knows, or would know after `git add`.
fn tracked() -> BTreeSet<PathBuf> {
    let listed = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .expect("git lists the source tree");
    let listed = String::from_utf8(listed.stdout).expect("names in UTF-8");
    listed.lines().map(PathBuf::from).collect()
}

/// GitHub's name for a heading: lower case, punctuation dropped, spaces as hyphens.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

fn read(path: &Path) -> Document {
    let text = std::fs::read_to_string(root().join(path)).expect("a document");
    parse(&text)
}

fn parse(text: &str) -> Document {
    let mut document = Document::default();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        if let (Some(heading), Event::Text(part) | Event::Code(part)) = (&mut heading, &event) {
            heading.push_str(part);
        }
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                document.anchors.extend(heading.take().map(|text| anchor(&text)))
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                document.links.push(dest_url.into_string());
            }
            Event::Code(code) => document.code.push(code.into_string()),
            _ => {}
        }
    }
    document
}

/// `path` as seen from `folder`, without `.` and `..`.
fn resolve(folder: &Path, path: &str) -> PathBuf {
    let mut resolved = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            part => resolved.push(part),
        }
    }
    resolved
}

/// A file, or a folder with files.
fn is_there(path: &Path, files: &BTreeSet<PathBuf>) -> bool {
    files.iter().any(|file| file.starts_with(path))
}

/// Whether a piece of code is a path into one of the top folders of the source tree (`a/b.rs`, `a/b/`), without wildcards.
fn names_a_file(code: &str, files: &BTreeSet<PathBuf>) -> bool {
    let top = code.split_once('/').map(|(top, _)| top);
    let plain = code.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
    plain
        && top.is_some_and(|top| {
            !top.is_empty() && files.iter().any(|file| file.starts_with(top) && file != Path::new(top))
        })
}

/// Why a link of the document at `path` leads nowhere.
fn broken(path: &Path, link: &str, all: &Documents, files: &BTreeSet<PathBuf>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, fragment) = link.split_once('#').map_or((link, None), |(file, name)| (file, Some(name)));
    let target = match file {
        "" => path.to_owned(),
        file => resolve(path.parent().expect("a folder"), file),
    };
    if !is_there(&target, files) {
        return Some(format!("{}: link {link}: there is no {}", path.display(), target.display()));
    }
    let has = |name: &str| all.get(&target).is_some_and(|document| document.anchors.contains(name));
    (!fragment.is_none_or(has)).then(|| format!("{}: link {link}: there is no such heading", path.display()))
}

/// What is wrong with the documents.
fn complaints(all: &Documents, files: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, document) in all {
        complaints.extend(document.links.iter().filter_map(|link| broken(path, link, all, files)));
        let named = document.code.iter().filter(|code| names_a_file(code, files));
        let missing = named.filter(|code| !is_there(Path::new(code), files));
        complaints.extend(missing.map(|code| format!("{}: there is no {code}", path.display())));
    }
    complaints
}

#[test]
fn links_and_file_names_lead_somewhere() {
    let files = tracked();
    let documents = files.iter().filter(|file| file.extension().is_some_and(|end| end == "md"));
    let all: Documents = documents.map(|path| (path.clone(), read(path))).collect();
    let links: usize = all.values().map(|document| document.links.len()).sum();
    assert!(all.len() > 10 && links > 40, "only {} documents with {links} links were found", all.len());
    let complaints = complaints(&all, &files);
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn what_leads_nowhere_is_found() {
    let files = ["README.md", "docs/a.md", "tt-isa/src/lib.rs"].map(PathBuf::from).into();
    let readme = "# Top\n[x](docs/a.md#right) [x](docs/a.md#wrong) [x](#top) [x](https://example.org/gone)";
    let page =
        "## Right\n[x](../README.md) [x](b.md) `tt-isa/src/lib.rs` `tt-isa/gone.rs` `and/or` `tt-isa/*.rs`";
    let all = [("README.md", readme), ("docs/a.md", page)];
    let all = all.map(|(path, text)| (PathBuf::from(path), parse(text))).into();
    let expected = [
        "README.md: link docs/a.md#wrong: there is no such heading",
        "docs/a.md: link b.md: there is no docs/b.md",
        "docs/a.md: there is no tt-isa/gone.rs",
    ];
    assert_eq!(complaints(&all, &files), expected);
}

#[test]
fn headings_have_the_names_that_github_gives() {
    assert_eq!(anchor("Where does the time go?"), "where-does-the-time-go");
    assert_eq!(anchor("A new chip's `Chip`"), "a-new-chips-chip");
}
