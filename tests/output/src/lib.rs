//! Reading the console output of llama.cpp's `test-backend-ops`.
//!
//! One line per case, coloured or not:
//!
//! ```text
//!   MUL_MAT(type_a=f16,type_b=f32,m=16,n=1,k=256,bs=[1,1],nr=[1,1],...): OK
//!   MUL_MAT(...): not supported [TT0]
//!   [MUL_MAT] NMSE = 1.5 > 0.0005   MUL_MAT(...): FAIL
//! ```
//!
//! It is a package of its own because `xtask` uses it too, and `xtask` must build with
//! a host compiler alone, before anything for the card's cores can be built.

/// How one case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ran on the device and agreed with the CPU.
    Ok,
    /// The device declined it.
    NotSupported,
    /// ggml's CPU backend does not compute the case, so there is nothing to compare with.
    NoReference,
    /// Ran and did not agree, or did not run.
    Failed,
}

/// One case: its text with all parameters, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// For example `MUL_MAT(type_a=f32,...)`.
    pub text: String,
    /// How it ended.
    pub verdict: Verdict,
}

impl Case {
    /// Value of a parameter, brackets included (`bs=[2,3]` gives `[2,3]`).
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, arguments) = self.text.split_once('(')?;
        let mut depth = 0_i32;
        let pieces = arguments.trim_end_matches(')').split(move |letter| {
            depth += i32::from(letter == '[') - i32::from(letter == ']');
            letter == ',' && depth == 0
        });
        pieces.filter_map(|piece| piece.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// All cases of an operator in the output of `test-backend-ops test`.
pub fn cases(output: &str, operator: &str) -> Vec<Case> {
    let head = format!("{operator}(");
    output.lines().filter_map(|line| case(&plain(line), &head)).collect()
}

/// A case in the table of `test-backend-ops support --output csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supported {
    /// Its operator.
    pub operator: String,
    /// Its text with all parameters, as `-o` takes it.
    pub text: String,
    /// Whether the device takes it.
    pub yes: bool,
}

/// The cases of the first card.
pub fn supported(csv: &str) -> Vec<Supported> {
    csv.lines().filter(|line| line.starts_with("\"TT0\"")).filter_map(line_of_support).collect()
}

fn line_of_support(line: &str) -> Option<Supported> {
    let fields: Vec<&str> = line.strip_prefix('"')?.strip_suffix('"')?.split("\",\"").collect();
    let [_, operator, parameters, _, yes, ..] = fields[..] else { return None };
    let (operator, text) = (operator.to_owned(), format!("{operator}({parameters})"));
    Some(Supported { operator, text, yes: yes == "1" })
}

fn case(line: &str, head: &str) -> Option<Case> {
    let start = line.find(head)?;
    let end = start + line[start..].find("): ")? + 1;
    let text = line[start..end].to_owned();
    let rest = &line[end + 2..];
    let verdict = if rest.contains("not supported [CPU]") {
        Verdict::NoReference
    } else if rest.contains("not supported") {
        Verdict::NotSupported
    } else if rest.trim_end().ends_with("OK") && !rest.contains("FAIL") {
        Verdict::Ok
    } else {
        Verdict::Failed
    };
    Some(Case { text, verdict })
}

/// A line without its colour codes.
pub fn plain(line: &str) -> String {
    let mut pieces = line.split("\u{1b}[");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(piece.split_once('m').map_or("", |(_, rest)| rest));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "Testing 2 devices\n\
        \x20 MUL_MAT(type_a=f16,type_b=f32,m=16,bs=[2,3],nr=[2,1],o=1): \u{1b}[1;32mOK\u{1b}[0m\n\
        \x20 MUL_MAT(type_a=q4_K,type_b=f32,m=16,bs=[1,1],nr=[1,1],o=1): not supported [TT0] \n\
        [MUL_MAT] NMSE = 2.1 > 0.0005   MUL_MAT(type_a=f32,type_b=f32,m=1,bs=[1,1],nr=[1,1],o=1): \u{1b}[1;31mFAIL\u{1b}[0m\n\
        \x20 MUL_MAT_ID(type_a=f32): \u{1b}[1;32mOK\u{1b}[0m\n\
        \x20 1/2 tests passed\n";

    #[test]
    fn verdicts_are_read() {
        let found: Vec<Verdict> = cases(OUTPUT, "MUL_MAT").iter().map(|case| case.verdict).collect();
        assert_eq!(found, [Verdict::Ok, Verdict::NotSupported, Verdict::Failed]);
    }

    #[test]
    fn support_is_read() {
        let csv = "\"backend_name\",\"op_name\",\"op_params\",\"test_mode\",\"supported\",\"error_message\",\"backend_reg_name\"\n\
            \"TT0\",\"ADD\",\"type=f32,ne=[1,2]\",\"support\",\"1\",\"\",\"\"\n\
            \"CPU\",\"ADD\",\"type=f32\",\"support\",\"1\",\"yes\",\"CPU\"\n";
        let [only] = &supported(csv)[..] else { panic!("one line") };
        assert_eq!(
            (only.operator.as_str(), only.text.as_str(), only.yes),
            ("ADD", "ADD(type=f32,ne=[1,2])", true)
        );
    }

    #[test]
    fn parameters_are_read() {
        let first = &cases(OUTPUT, "MUL_MAT")[0];
        assert_eq!(first.parameter("type_a"), Some("f16"));
        assert_eq!(first.parameter("bs"), Some("[2,3]"));
        assert_eq!(first.parameter("nr"), Some("[2,1]"));
        assert_eq!(first.parameter("o"), Some("1"));
        assert_eq!(first.parameter("zz"), None);
    }
}
