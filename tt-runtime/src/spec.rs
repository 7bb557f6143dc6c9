//! Which devices to use: the grammar of `GGML_TT_DEVICES`.
//!
//! ```text
//! unset or empty       every card found
//! 0,1                  cards by number
//! sim, sim:n300, ..    the built-in simulator, a device for each chip of the board
//! ttsim:PATH           the vendor's simulator, a shared library
//! ```
//! Entries are separated by commas; a path may not contain one.

use std::path::PathBuf;

use tt_isa::chip::{BOARDS, Board, board};

/// The board that `sim` stands for.
const DEFAULT_BOARD: &str = "n150";

/// A device to open.
#[derive(Clone, Debug)]
pub enum DeviceSpec {
    /// A chip of the built-in simulator.
    Sim {
        /// Board.
        board: &'static Board,
        /// Chip of the board.
        chip: usize,
    },
    /// The vendor's simulator.
    TtSim {
        /// Shared library.
        library: PathBuf,
    },
}

/// An entry that names no device.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SpecError {
    /// No such board.
    #[error("\"{entry}\": there is no board \"{name}\" to simulate (there are: {})", boards())]
    UnknownBoard {
        /// The entry.
        entry: String,
        /// The board's name in it.
        name: String,
    },
    /// A path is missing.
    #[error("\"{entry}\": name the vendor's library, as in ttsim:/path/to/libttsim.so")]
    NoLibrary {
        /// The entry.
        entry: String,
    },
    /// The path names no file.
    #[error("\"{entry}\": there is no file {}", path.display())]
    NoSuchLibrary {
        /// The entry.
        entry: String,
        /// The path.
        path: PathBuf,
    },
    /// A card number.
    #[error("\"{entry}\": this version drives simulated devices only, not yet cards; use sim or ttsim:PATH")]
    Cards {
        /// The entry.
        entry: String,
    },
    /// Anything else.
    #[error("\"{entry}\" is no device: use card numbers, sim, sim:BOARD or ttsim:PATH, separated by commas")]
    Syntax {
        /// The entry.
        entry: String,
    },
}

fn boards() -> String {
    BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().join(", ")
}

/// The devices that `text` asks for; `None` or an empty text asks for every card. This version finds no cards.
///
/// # Errors
/// The first entry that names no device.
pub fn parse_devices(text: Option<&str>) -> Result<Vec<DeviceSpec>, SpecError> {
    let entries = text.unwrap_or("").trim();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let devices = entries.split(',').map(|entry| parse_entry(entry.trim())).collect::<Result<Vec<_>, _>>()?;
    Ok(devices.into_iter().flatten().collect())
}

fn parse_entry(entry: &str) -> Result<Vec<DeviceSpec>, SpecError> {
    let owned = || entry.to_owned();
    let (kind, rest) = match entry.split_once(':') {
        Some((kind, rest)) => (kind, Some(rest)),
        None => (entry, None),
    };
    match (kind, rest) {
        ("sim", name) => {
            let name = name.unwrap_or(DEFAULT_BOARD);
            let board = board(name)
                .ok_or_else(|| SpecError::UnknownBoard { entry: owned(), name: name.to_owned() })?;
            Ok((0..board.harvested_rows.len()).map(|chip| DeviceSpec::Sim { board, chip }).collect())
        }
        ("ttsim", None | Some("")) => Err(SpecError::NoLibrary { entry: owned() }),
        ("ttsim", Some(path)) => {
            let library = PathBuf::from(path);
            if !library.is_file() {
                return Err(SpecError::NoSuchLibrary { entry: owned(), path: library });
            }
            Ok(vec![DeviceSpec::TtSim { library }])
        }
        (number, None) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            Err(SpecError::Cards { entry: owned() })
        }
        _ => Err(SpecError::Syntax { entry: owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_listed() {
        assert!(parse_devices(None).unwrap().is_empty());
        assert!(parse_devices(Some(" ")).unwrap().is_empty());
        assert_eq!(parse_devices(Some("sim")).unwrap().len(), 1);
        assert_eq!(parse_devices(Some("sim:n300, sim")).unwrap().len(), 3);
    }

    #[test]
    fn what_names_no_device_is_said() {
        let error = |text| parse_devices(Some(text)).unwrap_err();
        assert!(error("sim:n999").to_string().contains("n150"));
        assert_eq!(error("ttsim:"), SpecError::NoLibrary { entry: "ttsim:".into() });
        assert!(matches!(error("ttsim:/no/such/file.so"), SpecError::NoSuchLibrary { .. }));
        assert!(matches!(error("0,1"), SpecError::Cards { .. }));
        for text in ["nonsense", "-1", "sim,,sim", "SIM"] {
            assert!(matches!(error(text), SpecError::Syntax { .. }), "{text}");
        }
    }
}
