//! The faults that `docs/simulator.md` shows as examples, so that tests can compare them with real ones.

use tt_simulator::Blame;

/// Every class of fault.
pub const BLAMES: [Blame; 4] = [Blame::Program, Blame::Undocumented, Blame::NotImplemented, Blame::Internal];

/// The examples below a heading of the second level, a paragraph each, with single spaces between the words.
///
/// # Panics
/// The page has no such heading.
pub fn examples(heading: &str) -> Vec<String> {
    let page = include_str!("../../../docs/simulator.md");
    let section = page.split(&format!("\n## {heading}\n")).nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("its text");
    let fault = |block: &&str| {
        let text = block.strip_prefix("    ");
        text.is_some_and(|text| BLAMES.iter().any(|blame| text.starts_with(&format!("{blame}: "))))
    };
    let blocks = section.split("\n\n").filter(fault);
    blocks.map(|block| block.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}
