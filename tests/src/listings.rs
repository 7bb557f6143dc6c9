//! Blessed listings: texts of what is made (descriptors, instructions), kept in `tests/listings` and reviewed as diffs.
//!
//! Every run compares. `TT_BLESS=1` writes the files anew.

use std::path::PathBuf;
use std::{env, fs};

/// Compares a text with the listing of this name.
///
/// # Panics
/// They differ; the message shows the first line that does.
pub fn compare(name: &str, text: &str) {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/listings")).join(format!("{name}.txt"));
    if env::var_os("TT_BLESS").is_some() {
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        return;
    }
    let blessed = fs::read_to_string(&file).unwrap_or_default();
    if let Some(difference) = difference(&blessed, text) {
        panic!(
            "{} has changed: {difference}\nIf that is wanted, run the test with TT_BLESS=1.",
            file.display()
        );
    }
}

/// The first line that differs.
fn difference(blessed: &str, now: &str) -> Option<String> {
    if blessed == now {
        return None;
    }
    let (mut blessed, mut now) = (blessed.lines(), now.lines());
    let mut number = 1;
    loop {
        match (blessed.next(), now.next()) {
            (Some(a), Some(b)) if a == b => number += 1,
            (None, None) => return Some("the end of the last line".to_owned()),
            (a, b) => {
                let [a, b] = [a, b].map(|line| line.unwrap_or("(the end)"));
                return Some(format!("line {number}\n  - {a}\n  + {b}"));
            }
        }
    }
}

/// The instructions of each Tensix thread in a text trace of one tile (`TT_SIM_TRACE`); what is repeated is there once.
pub fn threads(trace: &str) -> String {
    let mut text = String::new();
    for thread in ["T0", "T1", "T2"] {
        let lines: Vec<String> = trace.lines().filter_map(|line| instruction(line, thread)).collect();
        text += &format!("{thread}\n");
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            let (len, count) = repeated(rest);
            let indent = if count > 1 { 8 } else { 4 };
            if count > 1 {
                text += &format!("    {count} times\n");
            }
            rest[..len].iter().for_each(|line| text += &format!("{:indent$}{line}\n", ""));
            rest = &rest[len * count..];
        }
    }
    text
}

/// The block at the start that covers most by being repeated: its length, and how many times it is there.
fn repeated(lines: &[String]) -> (usize, usize) {
    const LONGEST: usize = 256;
    let mut best = (1, 1);
    for len in 1..=LONGEST.min(lines.len() / 2) {
        let count = lines.chunks(len).take_while(|chunk| *chunk == &lines[..len]).count();
        if count > 1 && len * count > best.0 * best.1 {
            best = (len, count);
        }
    }
    best
}

/// The disassembly in a trace's line, if it is an instruction of this thread: clock, tile, thread, word, text.
fn instruction(line: &str, thread: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (_clock, _tile, of, word) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let word = u32::from_str_radix(word, 16).ok().filter(|_| of == thread)?;
    Some(tt_isa::insn::Disassembly(word).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_shown() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n").unwrap(), "line 2\n  - b\n  + c");
        assert_eq!(difference("a\n", "a\nc\n").unwrap(), "line 2\n  - (the end)\n  + c");
        assert!(difference("a", "a\n").is_some());
    }

    #[test]
    fn threads_have_their_own_lists_and_loops_are_folded() {
        let mut trace =
            "12 (1,1)  BRISC  00000008 0042a383  lw t2, 4(t0)\n13 (1,1) T0 02000000 NOP\n".to_owned();
        for word in ["02000000", "03000000", "02000000", "03000000", "02000000"] {
            trace += &format!("14 (1,1) T1 {word} (text)\n");
        }
        let [nop, other] = [0x0200_0000, 0x0300_0000].map(tt_isa::insn::Disassembly);
        let expected =
            format!("T0\n    {nop}\nT1\n    2 times\n        {nop}\n        {other}\n    {nop}\nT2\n");
        assert_eq!(threads(&trace), expected);
    }
}
