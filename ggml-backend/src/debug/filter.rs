//! `GGML_TT_OPFILTER=REGEX`: operators that stay off the device.
//!
//! The expression is looked for in `OPERATOR:tensor`, with ggml's name of the operator or of its function:
//! `^SWIGLU:`, `ffn_down`, `^MUL_MAT:Kcur-[0-3]$`. Views are never kept off: they compute nothing, and their memory is the device's.

use std::sync::OnceLock;

use regex_lite::Regex;
use tt_settings::OPFILTER;

use crate::abi::log;

static FILTER: OnceLock<Option<Regex>> = OnceLock::new();

/// Reads the setting.
pub fn start() {
    FILTER.get_or_init(|| {
        let (name, text) = (OPFILTER.name, OPFILTER.text()?);
        match Regex::new(text) {
            Ok(regex) => {
                log::info(&format!("{name}={text}: operators that match stay off the device"));
                Some(regex)
            }
            Err(error) => {
                log::error(&format!("{name}={text} is no regular expression and is ignored: {error}"));
                None
            }
        }
    });
}

/// Whether the user keeps an operator off the device; `names` are the operator's and its function's.
pub fn keeps_off(names: [&str; 2], tensor: impl FnOnce() -> String) -> bool {
    let Some(regex) = FILTER.get().and_then(Option::as_ref) else { return false };
    matches(regex, names, &tensor())
}

fn matches(regex: &Regex, names: [&str; 2], tensor: &str) -> bool {
    names.iter().any(|name| regex.is_match(&format!("{name}:{tensor}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_functions_and_tensors_match() {
        let matches = |regex, tensor| matches(&Regex::new(regex).unwrap(), ["GLU", "SWIGLU"], tensor);
        assert!(matches("^GLU:", "ffn_swiglu-0"));
        assert!(matches("SWIGLU", "x"));
        assert!(matches("^SWIGLU:ffn_.*-[01]$", "ffn_swiglu-1"));
        assert!(!matches("^SWIGLU:ffn_.*-[01]$", "ffn_swiglu-11"));
        assert!(!matches("^MUL", "MUL"));
    }
}
