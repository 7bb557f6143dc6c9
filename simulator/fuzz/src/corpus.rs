//! Cases as text, with the vendor's results.
//!
//! ```text
//! case matrix TRISC1
//! fill 0x40000 1024 floats 0x1234          address, words, kind, seed
//! setup write 0xffef0004=0xa000000 ..      a line a run of actions of one kind
//! body push 0x26000000 ..                  # MVMUL ..
//! dump copy 0x30000<0xffe00000*64 ..
//! look own 0x30000 0x100
//! result 0x0123456789abcdef                FNV-1a of the bytes, or `refused`
//! ```

use std::fmt::Write as _;

use tt_isa::insn::Disassembly;
use tt_isa::map::RiscV;
use tt_isa::noc::Ctrl;

use crate::case::{Action, Case, Data, Fill, Look, Remote, Request};
use crate::family::Family;
use crate::run::Outcome;

/// A case and what it has to give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The case.
    pub case: Case,
    /// The result.
    pub expected: Expected,
}

/// A result as files keep it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// FNV-1a of its bytes.
    Hash(u64),
    /// The simulator has to refuse the case.
    Refused,
}

impl Expected {
    /// Of an outcome; none if the case does not come to an end.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Done(bytes) => Some(Expected::Hash(fnv1a(bytes))),
            Outcome::Refused(_) => Some(Expected::Refused),
            Outcome::Hangs => None,
        }
    }
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Why a file is no corpus.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ParseError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// The text of a case.
pub fn to_text(entry: &Entry) -> String {
    let case = &entry.case;
    let mut text = format!("case {} {}\n", case.family.name(), case.core.name());
    for Fill { addr, words, data, seed } in &case.fills {
        let name = Data::ALL.iter().find(|row| row.0 == *data).map_or("", |row| row.1);
        let _ = writeln!(text, "fill {addr:#x} {words} {name} {seed:#x}");
    }
    for (part, actions) in [("setup", &case.setup), ("body", &case.body), ("dump", &case.dump)] {
        for run in actions.chunk_by(|a, b| keyword(a) == keyword(b)) {
            // The sequence under test is for people to read.
            let pieces = if part == "body" { 1 } else { 8 };
            for some in run.chunks(pieces) {
                let _ = write!(text, "{part} {}", keyword(&some[0]));
                some.iter().for_each(|action| text.push_str(&operands(action)));
                if part == "body"
                    && let Action::Push(word) = some[0]
                {
                    let _ = write!(text, "  # {}", Disassembly(word));
                }
                text.push('\n');
            }
        }
    }
    for Look { at, addr, len } in &case.looks {
        let _ = writeln!(text, "look {} {addr:#x} {len:#x}", remote_name(*at));
    }
    let _ = match entry.expected {
        Expected::Hash(hash) => writeln!(text, "result {hash:#018x}"),
        Expected::Refused => writeln!(text, "result refused"),
    };
    text
}

fn remote_name(remote: Remote) -> &'static str {
    Remote::ALL.iter().find(|row| row.0 == remote).map_or("", |row| row.1)
}

fn keyword(action: &Action) -> &'static str {
    match action {
        Action::Push(_) => "push",
        Action::Write(..) => "write",
        Action::Copy { .. } => "copy",
        Action::Wait(..) => "wait",
        Action::Sync => "sync",
        Action::Request(_) => "request",
        Action::Code(_) => "code",
    }
}

fn operands(action: &Action) -> String {
    match *action {
        Action::Push(word) | Action::Code(word) => format!(" {word:#x}"),
        Action::Write(addr, value) | Action::Wait(addr, value) => format!(" {addr:#x}={value:#x}"),
        Action::Copy { from, to, words } => format!(" {to:#x}<{from:#x}*{words:#x}"),
        Action::Sync => " 1".to_owned(),
        Action::Request(r) => format!(
            " {:#x},{:#x},{:#x},{},{:#x},{:#x},{:#x},{:#x},{:#x}",
            r.noc,
            r.buffer,
            r.ctrl.bits(),
            remote_name(r.remote),
            r.there,
            r.here,
            r.len,
            r.data,
            r.id
        ),
    }
}

/// The cases of a text.
///
/// # Errors
/// A line that [`to_text`] would not write.
pub fn parse(text: &str) -> Result<Vec<Entry>, ParseError> {
    let mut entries = Vec::new();
    let mut open: Option<Case> = None;
    for (i, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let done = parse_line(&words, &mut open);
        if let Some(entry) = done.map_err(|what| ParseError { line: i + 1, what })? {
            entries.push(entry);
        }
    }
    match open {
        Some(_) => Err(ParseError { line: text.lines().count(), what: "the last case has no result".into() }),
        None => Ok(entries),
    }
}

fn parse_line(words: &[&str], open: &mut Option<Case>) -> Result<Option<Entry>, String> {
    if let ["case", family, core] = words {
        let family = Family::of_name(family).ok_or("unknown family")?;
        let core = RiscV::ALL.into_iter().find(|c| c.name() == *core).ok_or("unknown core")?;
        *open = Some(Case::new(family, core));
        return Ok(None);
    }
    if let ["result", result] = words {
        let case = open.take().ok_or("a result without a case")?;
        let expected = if *result == "refused" { Expected::Refused } else { Expected::Hash(number(result)?) };
        return Ok(Some(Entry { case, expected }));
    }
    let case = open.as_mut().ok_or("outside of a case")?;
    match words {
        ["fill", addr, count, data, seed] => {
            let data = Data::ALL.iter().find(|row| row.1 == *data).ok_or("unknown data")?.0;
            case.fills.push(Fill { addr: word(addr)?, words: word(count)?, data, seed: number(seed)? });
        }
        ["look", at, addr, len] => {
            case.looks.push(Look { at: remote(at)?, addr: word(addr)?, len: word(len)? });
        }
        [part @ ("setup" | "body" | "dump"), keyword, rest @ ..] => {
            let actions: Vec<Action> =
                rest.iter().map(|text| action(keyword, text)).collect::<Result<_, _>>()?;
            match *part {
                "setup" => case.setup.extend(actions),
                "body" => case.body.extend(actions),
                _ => case.dump.extend(actions),
            }
        }
        _ => return Err(format!("unknown line {words:?}")),
    }
    Ok(None)
}

fn action(keyword: &str, text: &str) -> Result<Action, String> {
    let two = |separator| text.split_once(separator).ok_or_else(|| format!("{text} has no {separator}"));
    Ok(match keyword {
        "push" => Action::Push(word(text)?),
        "code" => Action::Code(word(text)?),
        "sync" => Action::Sync,
        "write" => two('=').and_then(|(a, b)| Ok(Action::Write(word(a)?, word(b)?)))?,
        "wait" => two('=').and_then(|(a, b)| Ok(Action::Wait(word(a)?, word(b)?)))?,
        "copy" => {
            let (to, from) = two('<')?;
            let (from, words) = from.split_once('*').ok_or("a copy without a length")?;
            Action::Copy { from: word(from)?, to: word(to)?, words: word(words)? }
        }
        "request" => request(text)?,
        _ => return Err(format!("unknown action {keyword}")),
    })
}

fn request(text: &str) -> Result<Action, String> {
    let parts: Vec<&str> = text.split(',').collect();
    let [noc, buffer, ctrl, at, there, here, len, data, id] = parts[..] else {
        return Err(format!("{text} has not nine operands"));
    };
    Ok(Action::Request(Request {
        noc: word(noc)?,
        buffer: word(buffer)?,
        ctrl: Ctrl::from_bits_retain(word(ctrl)?),
        remote: remote(at)?,
        there: word(there)?,
        here: word(here)?,
        len: word(len)?,
        data: word(data)?,
        id: word(id)?,
    }))
}

fn remote(text: &str) -> Result<Remote, String> {
    Remote::ALL.iter().find(|row| row.1 == text).map(|row| row.0).ok_or_else(|| format!("{text} is no place"))
}

fn word(text: &str) -> Result<u32, String> {
    number(text)?.try_into().map_err(|_| format!("{text} has more than 32 bits"))
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("{text} is no number"))
}

/// What an instruction word selects by its narrow operands, those of one or two bits: opcode, lowest bit of the operand,
/// value.
pub fn modes(word: u32) -> impl Iterator<Item = (u8, u32, u32)> {
    let row = tt_isa::insn::info(word);
    let narrow = row.into_iter().flat_map(|row| row.fields).filter(|field| field.hi - field.lo < 2);
    narrow.map(move |field| ((word >> 24) as u8, field.lo, field.get(word)))
}

/// Every file of a folder with its cases.
///
/// # Errors
/// A file cannot be read or parsed.
pub fn folder(path: &std::path::Path) -> std::io::Result<Vec<(String, Vec<Entry>)>> {
    let mut files: Vec<_> =
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let entries = parse(&std::fs::read_to_string(file)?)
            .map_err(|error| std::io::Error::other(format!("{name}: {error}")))?;
        Ok((name, entries))
    };
    files.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn cases_survive_the_text() {
        let entries: Vec<Entry> = Family::ALL
            .iter()
            .zip(0..)
            .map(|(row, seed)| Entry {
                case: row.0.generate(&mut Random::new(seed)),
                expected: if seed % 2 == 0 { Expected::Hash(seed << 60) } else { Expected::Refused },
            })
            .collect();
        let text: String = entries.iter().map(to_text).collect();
        assert_eq!(parse(&text).unwrap(), entries);
    }

    #[test]
    fn malformed_text_names_its_line() {
        for (text, line) in [
            ("case matrix TRISC9\n", 1),
            ("\nbody push 0x1\n", 2),
            ("case sync TRISC0\nbody push x\n", 2),
            ("case sync TRISC0\n", 1),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
    }
}
