//! Which structs the host has.
//!
//! Three things have to agree before a host is served: what it exports (functions came together with the table entries that they
//! call), its version, and, for a version that this library has not seen, a self-test ([`super::self_test`]) of the structs. What
//! ggml changes without any of that showing (the meaning of an operator's parameters) cannot be recognised.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char};

use super::self_test;
use super::symbols::{Missing, function, symbol};
use super::tables::Layout;

/// A host that can be served.
pub struct Recognised {
    /// Its structs.
    pub layout: Layout,
    /// What the user should know.
    pub warning: Option<String>,
}

/// Why a host cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostError {
    /// A function is missing.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// What it exports belongs to no layout.
    #[error("ggml {0} has an interface that this version of the library does not know; known are {KNOWN}")]
    Layout(String),
    /// An unknown version, not a newer one.
    #[error(
        "ggml {0} is not known to this version of the library ({KNOWN} are); set GGML_TT_ANY_GGML=1 to have its interface tested"
    )]
    Version(String),
    /// The self-test failed.
    #[error(
        "ggml {version} is not known to this version of the library ({KNOWN} are), and its interface is another one: {failure}"
    )]
    SelfTest {
        /// `ggml_version()`
        version: String,
        /// What did not agree.
        failure: String,
    },
}

/// Versions that we have seen, and what the first and last of each layout are (major, minor, patch).
const SEEN: [(Layout, Version, Version); 4] = [
    (Layout::O, Version(0, 9, 5), Version(0, 9, 11)),
    (Layout::A, Version(0, 12, 0), Version(0, 25, ANY)),
    (Layout::B, Version(0, 26, 0), Version(0, 27, ANY)),
    (Layout::C, Version(0, 28, 0), Version(0, 28, ANY)),
];
/// The same for messages.
const KNOWN: &str = "0.9.5 to 0.9.11 and 0.12 to 0.28";
/// Patch releases do not change layouts.
const ANY: u32 = u32::MAX;

/// A version of ggml.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Version(u32, u32, u32);

impl Version {
    /// Of `0.25.3`, `0.25.3-dev`, `0.25`.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(['.', '-', '+']).map(|part| part.parse().ok());
        let (major, minor) = (numbers.next()??, numbers.next()??);
        Some(Self(major, minor, numbers.next().flatten().unwrap_or(0)))
    }
}

/// What is to be done with a host.
#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    /// It is one that we have seen.
    Serve,
    /// It may be like one.
    Test,
    /// It is none of ours.
    Refuse,
}

/// Recognises the host.
pub fn recognise() -> Result<Recognised, HostError> {
    let version = function!("ggml_version", unsafe extern "C" fn() -> *const c_char)?;
    // SAFETY: returns a constant string.
    let version = unsafe { CStr::from_ptr(version()) }.to_string_lossy().into_owned();
    let exports = |name| symbol(name).is_some();
    let layout = exported(
        exports("ggml_backend_tensor_set_2d"),
        exports("ggml_backend_buft_alloc_buffer_n"),
        exports("ggml_backend_tensor_set_n"),
    )
    .ok_or_else(|| HostError::Layout(version.clone()))?;
    match verdict(&version, layout) {
        Verdict::Serve => Ok(Recognised { layout, warning: None }),
        Verdict::Refuse if !tt_settings::ANY_GGML.is_on() => Err(HostError::Version(version)),
        Verdict::Refuse | Verdict::Test => match self_test::rehearse(layout) {
            Ok(()) => {
                let warning = format!(
                    "ggml {version} is not known to this version of the library ({KNOWN} are); its interface passes the self-test"
                );
                Ok(Recognised { layout, warning: Some(warning) })
            }
            Err(failure) => Err(HostError::SelfTest { version, failure }),
        },
    }
}

/// The layout that goes with what a host exports.
fn exported(copies_2d: bool, alloc_n: bool, tensor_n: bool) -> Option<Layout> {
    Some(match (copies_2d, alloc_n, tensor_n) {
        (false, false, false) => Layout::O,
        (true, false, false) => Layout::A,
        (true, true, false) => Layout::B,
        (true, true, true) => Layout::C,
        _ => return None,
    })
}

/// Newer versions are tested, and those between two that we have seen: structs change between releases, with the release's number of
/// before.
fn verdict(version: &str, layout: Layout) -> Verdict {
    let (Some(version), Some(at)) =
        (Version::parse(version), SEEN.iter().position(|(seen, ..)| *seen == layout))
    else {
        return Verdict::Refuse;
    };
    let (_, first, last) = SEEN[at];
    let newest = SEEN[SEEN.len() - 1].2;
    let from = at.checked_sub(1).map_or(first, |before| Version(SEEN[before].2.0, SEEN[before].2.1, 0));
    let to = SEEN.get(at + 1).map_or(newest, |(_, next, _)| *next);
    if (first..=last).contains(&version) {
        Verdict::Serve
    } else if version > newest || (from..to).contains(&version) {
        Verdict::Test
    } else {
        Verdict::Refuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_tell_the_layout() {
        assert_eq!(exported(false, false, false), Some(Layout::O));
        assert_eq!(exported(true, false, false), Some(Layout::A));
        assert_eq!(exported(true, true, false), Some(Layout::B));
        assert_eq!(exported(true, true, true), Some(Layout::C));
        assert_eq!(exported(false, true, true), None);
        assert_eq!(exported(true, false, true), None);
    }

    #[test]
    fn seen_versions_are_served() {
        for (version, layout) in [
            ("0.9.5", Layout::O),
            ("0.9.11", Layout::O),
            ("0.12.0", Layout::A),
            ("0.16.0", Layout::A),
            ("0.20.2", Layout::A),
            ("0.25.3-dev", Layout::A),
            ("0.26.0", Layout::B),
            ("0.27.0", Layout::B),
            ("0.28.4", Layout::C),
        ] {
            assert_eq!(verdict(version, layout), Verdict::Serve, "{version}");
        }
    }

    #[test]
    fn newer_ones_and_those_in_between_are_tested() {
        for (version, layout) in [
            ("0.29.0", Layout::C),
            ("1.0.0", Layout::C),
            ("0.29.0", Layout::A),
            ("0.25.9", Layout::B),
            ("0.27.3", Layout::C),
            ("0.10.0", Layout::A),
            ("0.11.2", Layout::A),
            ("0.11.2", Layout::O),
        ] {
            assert_eq!(verdict(version, layout), Verdict::Test, "{version}");
        }
    }

    #[test]
    fn older_and_contradictory_ones_are_refused() {
        for (version, layout) in [
            ("0.9.4", Layout::O),
            ("0.25.3", Layout::C),
            ("0.28.0", Layout::A),
            ("0.28.0", Layout::B),
            ("", Layout::C),
            ("unknown", Layout::C),
        ] {
            assert_eq!(verdict(version, layout), Verdict::Refuse, "{version}");
        }
    }
}
