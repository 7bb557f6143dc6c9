//! Which devices to use: the grammar of `GGML_TT_DEVICES`.
//!
//! ```text
//! unset or empty       every card found
//! 0,1                  cards by number: /dev/tenstorrent/0, ..; all chips of each
//! 0.0,0.1              one chip of a card: an n300 has two
//! 0000:01:00.0         a card by its PCI address
//! 0100018511732044     cards by the serial number of their board
//! sim, sim:n300, ..    the built-in simulator, a device for each chip of the board
//! ttsim:PATH           the vendor's simulator, a shared library
//! metal:N              chip N by the vendor's user-mode driver, where the library was built with feature metal (docs/metal.md)
//! kmd-mock:VERSION     for tests: a simulated n150 behind the rules of a version of the vendor's kernel driver, such as 2.10.0;
//!                      kmd-mock:VERSION:n300 is an n300
//! null, null:FILE      for tests: a card that accepts everything and computes nothing; what it is to execute is written to FILE
//! ```
//! Entries are separated by commas; a path may not contain one. An entry `NAME=VALUE`, or the name of an option that has no
//! value, is an option of the simulated board in front of it:
//!
//! ```text
//! timed                timed mode: everything takes the time that it takes on silicon (docs/timing.md)
//! async=SEED           asynchronous mode: units finish after random delays that follow from SEED, and races and
//!                      missing waits are faults (docs/simulator.md); many times slower
//! rows=N               only the first N rows of Tensix tiles
//! defect=WHAT          something is broken, as link/0/1-1/x/lost; may be given several times (docs/tt.md)
//! ```

use std::path::PathBuf;

use tt_isa::chip::{BLACKHOLE, BOARDS, Board, blackhole, board};
use tt_simulator::{Defect, Mode, UnknownDefect};

use tt_sys::kmd::ioctl::Version;

use crate::cards::{Card, CardError, Found, System};
use crate::chip::title;
use crate::way::Way;

/// The board that `sim` stands for.
const DEFAULT_BOARD: &str = "n150";

/// A device to open.
#[derive(Clone, Debug)]
pub enum DeviceSpec {
    /// A card.
    Card(Card),
    /// A card that was found and cannot be used.
    Unusable(CardError),
    /// A chip of the built-in simulator.
    Sim {
        /// Board.
        board: &'static Board,
        /// Chip of the board, one that the host reaches.
        chip: usize,
        /// How it is simulated.
        options: SimOptions,
        /// The way to its card that the card's chips share.
        way: Way,
    },
    /// The second chip of the card whose first one this is.
    Second(Box<DeviceSpec>),
    /// The vendor's simulator.
    TtSim {
        /// Shared library.
        library: PathBuf,
    },
    /// A chip that the vendor's user-mode driver reaches.
    Metal {
        /// Its number, by the driver's count.
        chip: u32,
    },
    /// Accepts everything and computes nothing: for tests.
    Null {
        /// Board whose first chip it is like.
        board: &'static Board,
        /// File that gets a listing of what is executed ([`crate::Record`]).
        record: Option<PathBuf>,
    },
}

impl DeviceSpec {
    /// A card like the usual one that accepts everything and computes nothing.
    pub fn null(record: Option<PathBuf>) -> Self {
        Self::Null { board: board(DEFAULT_BOARD).expect("a board"), record }
    }

    /// A chip of the built-in simulator that the host reaches.
    pub fn sim(board: &'static Board, chip: usize, options: SimOptions) -> Self {
        Self::Sim { board, chip, options, way: Way::default() }
    }

    /// The device itself or, if it is the second chip of a card, the first one.
    pub fn first(&self) -> &Self {
        match self {
            Self::Second(first) => first,
            spec => spec,
        }
    }

    /// Whether its card has a second chip.
    pub fn has_second(&self) -> bool {
        match self {
            Self::Card(card) => card.has_second(),
            Self::Sim { board, chip, .. } => board.behind(*chip).next().is_some(),
            _ => false,
        }
    }

    /// Whether the two are the chips of one card.
    pub fn is_beside(&self, other: &Self) -> bool {
        let second = |spec: &Self| matches!(spec, Self::Second(_));
        let same = self.way().zip(other.way()).is_some_and(|(one, two)| one.is(two));
        same && second(self) != second(other)
    }

    /// The way to the card that its chips share.
    pub fn way(&self) -> Option<&Way> {
        match self {
            Self::Card(Card { way, .. }) | Self::Sim { way, .. } => Some(way),
            Self::Second(first) => first.way(),
            _ => None,
        }
    }

    /// All chips of its card: it, and the second one if there is one.
    fn chips(self) -> impl Iterator<Item = Self> {
        let second = self.has_second().then(|| Self::Second(Box::new(self.clone())));
        std::iter::once(self).chain(second)
    }
}

/// How a chip is simulated.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct SimOptions {
    /// How time passes: fast, asynchronous with the delays of a seed, or timed.
    pub mode: Mode,
    /// Rows of Tensix tiles, if not all.
    pub rows: Option<u32>,
    /// What is broken.
    pub defects: Vec<Defect>,
}

/// An entry that names no device.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SpecError {
    /// No such board.
    #[error("\"{entry}\": there is no board \"{name}\" to simulate (there are: {})", boards())]
    UnknownBoard {
        /// The entry.
        entry: String,
        /// The board's name in it.
        name: String,
    },
    /// A board whose chip is not simulated as a whole.
    #[error(
        "\"{entry}\": a {name} has {} chips, which are not simulated as devices: the simulator has their tiles, RISC-V cores, \
         NoC, memory and host windows, and not their Tensix instructions, Ethernet and PCIe tiles; kernels for them \
         are missing too (there are boards: {})",
        title(BLACKHOLE.name), boards()
    )]
    NotSimulated {
        /// The entry.
        entry: String,
        /// The board's name in it.
        name: &'static str,
    },
    /// A chip of the vendor's user-mode driver is missing.
    #[error("\"{entry}\": name a chip by its number, as in metal:0")]
    NoChip {
        /// The entry.
        entry: String,
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
    /// No such card.
    #[error("\"{entry}\": there is no such card ({there})")]
    NoSuchCard {
        /// The entry.
        entry: String,
        /// Which there are.
        there: String,
    },
    /// A card that cannot be used.
    #[error("\"{entry}\": {error}")]
    Card {
        /// The entry.
        entry: String,
        /// Why.
        error: CardError,
    },
    /// A version of the driver.
    #[error("\"{entry}\": name a version of the kernel driver, as in kmd-mock:2.10.0")]
    NoVersion {
        /// The entry.
        entry: String,
    },
    /// An option.
    #[error(
        "\"{entry}\" is no option of the device in front of it: a simulated board has timed or async=SEED, rows=N, and defect=WHAT"
    )]
    Option {
        /// The entry.
        entry: String,
    },
    /// What is to be broken.
    #[error(transparent)]
    Defect(#[from] UnknownDefect),
    /// Anything else.
    #[error(
        "\"{entry}\" is no device: use numbers, PCI addresses or serial numbers of cards, sim, sim:BOARD, ttsim:PATH or metal:N, separated by commas"
    )]
    Syntax {
        /// The entry.
        entry: String,
    },
}

fn boards() -> String {
    BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().join(", ")
}

/// The devices that `text` asks for; `None` or an empty text asks for every card. One that was not named and cannot be used is there as such.
///
/// # Errors
/// The first entry that names no device.
pub fn parse_devices(text: Option<&str>) -> Result<Vec<DeviceSpec>, SpecError> {
    parse_devices_of(&System::this(), text)
}

/// The same with the cards of a system.
///
/// # Errors
/// As for [`parse_devices`].
pub fn parse_devices_of(system: &System, text: Option<&str>) -> Result<Vec<DeviceSpec>, SpecError> {
    let entries = text.unwrap_or("").trim();
    if entries.is_empty() {
        let device = |found: Found| found.card.map_or_else(DeviceSpec::Unusable, DeviceSpec::Card);
        return Ok(system.cards().into_iter().flat_map(|found| device(found).chips()).collect());
    }
    let mut devices: Vec<Vec<DeviceSpec>> = Vec::new();
    for entry in entries.split(',').map(str::trim) {
        match (option(entry), devices.last_mut()) {
            (Some((name, value)), Some(chips)) => {
                chips.iter_mut().try_for_each(|chip| set_option(chip, entry, name, value))?;
            }
            _ if names_card(entry) => devices.push(cards(system, entry)?),
            _ => devices.push(parse_entry(entry)?),
        }
    }
    Ok(devices.into_iter().flatten().collect())
}

/// Name and value of an entry that is an option and no device.
fn option(entry: &str) -> Option<(&str, Option<&str>)> {
    match entry.split_once('=') {
        Some((name, value)) if !name.contains(':') => Some((name, Some(value))),
        None if is_name(entry) && !["sim", "ttsim", "metal"].contains(&entry) => Some((entry, None)),
        _ => None,
    }
}

fn is_name(entry: &str) -> bool {
    !entry.is_empty() && entry.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn set_option(
    device: &mut DeviceSpec,
    entry: &str,
    name: &str,
    value: Option<&str>,
) -> Result<(), SpecError> {
    let refused = || SpecError::Option { entry: entry.to_owned() };
    if let DeviceSpec::Second(first) = device {
        return set_option(first, entry, name, value);
    }
    let DeviceSpec::Sim { board, options, .. } = device else { return Err(refused()) };
    match (name, value) {
        ("async" | "timed", _) if options.mode != Mode::Fast => return Err(refused()),
        ("timed", None) => options.mode = Mode::Timed,
        ("async", Some(value)) => options.mode = Mode::Async { seed: value.parse().map_err(|_| refused())? },
        ("rows", Some(value)) => {
            let rows = value.parse().map_err(|_| refused())?;
            if !(1..=board.chip.tensix_y.len() as u32).contains(&rows) {
                return Err(refused());
            }
            options.rows = Some(rows);
        }
        ("defect", Some(value)) => options.defects.push(value.parse()?),
        _ => return Err(refused()),
    }
    Ok(())
}

/// Decimal digits of the largest number of a card; longer ones are serial numbers.
const NUMBER_DIGITS: usize = 4;

/// Whether an entry has the form of a card's number, PCI address or serial number.
fn names_card(entry: &str) -> bool {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let (card, chip) = split_chip(entry);
    let number = card.len() <= NUMBER_DIGITS && card.bytes().all(|b| b.is_ascii_digit());
    if chip.is_some() {
        return number;
    }
    let serial = entry.len() > 2 * NUMBER_DIGITS && hex(entry);
    let parts: Vec<&str> = entry.split([':', '.']).collect();
    let address = parts.len() == 4 && parts.iter().all(|part| hex(part));
    !entry.is_empty() && (number || serial || address)
}

/// The number of a card, and that of one of its chips if the entry has one: `0.1`.
fn split_chip(entry: &str) -> (&str, Option<usize>) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match entry.split_once('.') {
        Some((card, chip)) if digits(card) && digits(chip) => (card, chip.parse().ok()),
        _ => (entry, None),
    }
}

/// The chips of the cards that an entry names.
fn cards(system: &System, entry: &str) -> Result<Vec<DeviceSpec>, SpecError> {
    let all = system.cards();
    let (card, chip) = split_chip(entry);
    let is = |found: &Found| {
        let serial = found.card.as_ref().ok().and_then(|card| card.serial.as_deref());
        let number = card.parse().ok().filter(|_| card.len() <= NUMBER_DIGITS);
        number.is_some() && found.number == number
            || found.address.as_deref().is_some_and(|address| address.eq_ignore_ascii_case(entry))
            || serial.is_some_and(|serial| serial.eq_ignore_ascii_case(entry))
    };
    let named: Vec<&Found> = all.iter().filter(|found| is(found)).collect();
    let card = |found: &&Found| match &found.card {
        Ok(card) => Ok(DeviceSpec::Card(card.clone())),
        Err(error) => Err(SpecError::Card { entry: entry.to_owned(), error: error.clone() }),
    };
    let named: Vec<DeviceSpec> = named.iter().map(card).collect::<Result<_, _>>()?;
    let wanted = |n: usize| chip.is_none_or(|chip| chip == n);
    let chips = |card: DeviceSpec| card.chips().enumerate().filter(|&(n, _)| wanted(n)).map(|(_, chip)| chip);
    let chips: Vec<DeviceSpec> = named.into_iter().flat_map(chips).collect();
    match chips.is_empty() {
        true => Err(SpecError::NoSuchCard { entry: entry.to_owned(), there: list(&all) }),
        false => Ok(chips),
    }
}

/// The cards of a machine, for a message.
fn list(all: &[Found]) -> String {
    let one = |found: &Found| {
        let number = found.number.map_or_else(String::new, |number| format!("{number} at "));
        let address = found.address.as_deref().unwrap_or("an unknown address");
        let serial = found.card.as_ref().ok().and_then(|card| card.serial.as_deref());
        let serial = serial.map_or_else(String::new, |serial| format!(", board {serial}"));
        let second = found.card.as_ref().is_ok_and(Card::has_second);
        let chips = if second { ", chips .0 and .1" } else { "" };
        format!("{number}{address}{serial}{chips}")
    };
    match all.is_empty() {
        true => "no Tenstorrent card was found; sim simulates one".to_owned(),
        false => format!("there are: {}", all.iter().map(one).collect::<Vec<_>>().join("; ")),
    }
}

/// A version as `kmd-mock` has it behind its colon.
fn version(text: &str) -> Option<Version> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let mut part = || parts.next().flatten();
    let version = Version::new(part()?, part()?, part()?);
    parts.next().is_none().then_some(version)
}

fn mock(entry: &str, text: Option<&str>) -> Result<Vec<DeviceSpec>, SpecError> {
    let owned = || entry.to_owned();
    let (text, name) = match text.and_then(|text| text.split_once(':')) {
        Some((version, name)) => (Some(version), name),
        None => (text, DEFAULT_BOARD),
    };
    let version = text.and_then(version).ok_or_else(|| SpecError::NoVersion { entry: owned() })?;
    let board = board(name).ok_or_else(|| no_board(entry, name))?;
    let card = System::mock(version, board).and_then(|system| system.look_at(0).card);
    let card = card.map_err(|error| SpecError::Card { entry: owned(), error })?;
    Ok(DeviceSpec::Card(card).chips().collect())
}

fn no_board(entry: &str, name: &str) -> SpecError {
    let entry = entry.to_owned();
    match blackhole::BOARDS.iter().find(|board| board.name == name) {
        Some(board) => SpecError::NotSimulated { entry, name: board.name },
        None => SpecError::UnknownBoard { entry, name: name.to_owned() },
    }
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
            let board = board(name).ok_or_else(|| no_board(entry, name))?;
            let first = |chip| DeviceSpec::sim(board, chip, SimOptions::default());
            Ok((0..board.pcie_chips.into()).flat_map(|chip| first(chip).chips()).collect())
        }
        ("kmd-mock", text) => mock(entry, text),
        ("metal", chip) => {
            let chip = chip.and_then(|chip| chip.parse().ok());
            Ok(vec![DeviceSpec::Metal { chip: chip.ok_or_else(|| SpecError::NoChip { entry: owned() })? }])
        }
        ("null", file) => Ok(vec![DeviceSpec::null(file.map(PathBuf::from))]),
        ("ttsim", None | Some("")) => Err(SpecError::NoLibrary { entry: owned() }),
        ("ttsim", Some(path)) => {
            let library = PathBuf::from(path);
            if !library.is_file() {
                return Err(SpecError::NoSuchLibrary { entry: owned(), path: library });
            }
            Ok(vec![DeviceSpec::TtSim { library }])
        }
        _ => Err(SpecError::Syntax { entry: owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_listed() {
        assert_eq!(parse_devices(Some("sim")).unwrap().len(), 1);
        assert_eq!(parse_devices(Some("sim:n300, sim")).unwrap().len(), 3);
        let four = parse_devices(Some("sim:t3000")).unwrap();
        let first = |spec: &DeviceSpec| match spec.first() {
            DeviceSpec::Sim { chip, .. } => *chip,
            _ => unreachable!("none is asked for"),
        };
        assert_eq!(four.iter().map(first).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2, 3, 3]);
        assert!(matches!(four[..2], [DeviceSpec::Sim { .. }, DeviceSpec::Second(_)]));
    }

    #[test]
    fn options_belong_to_the_board_in_front_of_them() {
        let devices = parse_devices(Some("sim:n300, async=7, rows=2, sim")).unwrap();
        let of = |spec: &DeviceSpec| match spec.first() {
            DeviceSpec::Sim { options, .. } => options.clone(),
            _ => unreachable!("none is asked for"),
        };
        let both = SimOptions { mode: Mode::Async { seed: 7 }, rows: Some(2), defects: Vec::new() };
        assert_eq!(devices.iter().map(of).collect::<Vec<_>>(), [both.clone(), both, SimOptions::default()]);
        let timed = parse_devices(Some("sim,rows=2,timed")).unwrap();
        assert_eq!(of(&timed[0]), SimOptions { mode: Mode::Timed, rows: Some(2), defects: Vec::new() });
        let broken = parse_devices(Some("sim,defect=unit/1-1/matrix,defect=dram/3/16/0")).unwrap();
        assert_eq!(of(&broken[0]).defects.len(), 2);
        assert!(matches!(parse_devices(Some("sim,defect=unit/1-1")), Err(SpecError::Defect(_))));
        for text in [
            "sim,async=x",
            "sim,async",
            "sim,rows=0",
            "sim,rows=99",
            "sim,speed=1",
            "sim,tmied",
            "sim,timed=1",
            "sim,timed,async=1",
        ] {
            let refused = parse_devices(Some(text)).unwrap_err();
            assert!(matches!(refused, SpecError::Option { .. }), "{text}");
            assert!(["timed", "async=SEED", "rows=N"].iter().all(|name| refused.to_string().contains(name)));
        }
        assert!(matches!(parse_devices(Some("async=7")), Err(SpecError::Syntax { .. })));
    }

    #[test]
    fn what_names_no_device_is_said() {
        let error = |text| parse_devices(Some(text)).unwrap_err();
        assert!(error("sim:n999").to_string().contains("n150"));
        let blackhole = error("sim:p150").to_string();
        assert!(
            blackhole.contains("Blackhole") && blackhole.contains("not their Tensix instructions"),
            "{blackhole}"
        );
        assert!(matches!(error("ttsim:"), SpecError::NoLibrary { entry } if entry == "ttsim:"));
        assert!(matches!(error("ttsim:/no/such/file.so"), SpecError::NoSuchLibrary { .. }));
        for text in ["kmd-mock", "kmd-mock:2.10", "kmd-mock:2.10.0.1", "kmd-mock:new"] {
            assert!(matches!(error(text), SpecError::NoVersion { .. }), "{text}");
        }
        for text in ["nonsense", "-1", "sim,,sim", "SIM", "12345", "1:2:3"] {
            assert!(matches!(error(text), SpecError::Syntax { .. }), "{text}");
        }
    }
}
