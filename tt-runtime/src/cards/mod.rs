//! Which cards there are, without touching them.
//!
//! ```text
//! /dev/tenstorrent/N                the driver's cards: who they are by GET_DEVICE_INFO and GET_DRIVER_INFO
//! /sys/class/tenstorrent/..         board, serial number and version of the firmware, if firmware tells them
//! /sys/bus/pci/devices/..           chips of the vendor that no driver has taken, with the reason as far as it is known
//! /proc/driver/tenstorrent/N/pids   who has a card open (since 2.5 of the driver)
//! ```
//! All paths are below a [`System`]'s root, so that tests can make a tree up. Numbers have gaps where cards were taken away.

mod error;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tt_isa::arc::NEWEST_BUNDLE;
use tt_isa::chip::{Board, Chip, board};
use tt_isa::pcie::VENDOR;
use tt_kmd_mock::Mock;
use tt_sys::kmd::ioctl::{GetDeviceInfo, GetDriverInfo, Ioctl, Version, since};
use tt_sys::kmd::{Driver, File, Kernel, OpenFlags, errno};

pub use error::{CardError, Users};

use crate::chip::{recognise, supported, title};
use crate::way::Way;

/// Folder of the driver's nodes.
const NODES: &str = "dev/tenstorrent";

/// A machine with its driver.
#[derive(Clone)]
pub struct System {
    driver: Arc<dyn Driver>,
    /// What stands for `/`.
    root: PathBuf,
    /// The board that is simulated behind the driver.
    simulated: Option<&'static Board>,
}

/// A card that can be opened.
#[derive(Clone)]
pub struct Card {
    system: System,
    /// Device node.
    pub node: PathBuf,
    /// Number of the node.
    pub number: u32,
    /// PCI address, in lower case (`0000:c1:00.0`).
    pub address: String,
    /// What its chip is.
    pub chip: &'static Chip,
    /// Version of the driver.
    pub driver: Version,
    /// Board, such as `n150`, if firmware tells it.
    pub board: Option<String>,
    /// Serial number of the board, if firmware tells it.
    pub serial: Option<String>,
    /// Version of the firmware bundle, if firmware tells it.
    pub firmware: Option<String>,
    /// The way to it that its chips share.
    pub way: Way,
}

/// A card that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Number of the node, if there is one.
    pub number: Option<u32>,
    /// PCI address, if it is known.
    pub address: Option<String>,
    /// The card, or why it cannot be used.
    pub card: Result<Card, CardError>,
}

impl Card {
    /// The version of its firmware, if that is newer than what the runtime's facts are from, or none that they know.
    pub fn untried_firmware(&self) -> Option<&str> {
        let version = self.firmware.as_deref()?;
        let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
        let known = match [numbers.next().flatten(), numbers.next().flatten()] {
            [Some(major), Some(minor)] => [major, minor] <= NEWEST_BUNDLE,
            _ => false,
        };
        (!known).then_some(version)
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} at {}", self.node.display(), self.chip.name, self.address)
    }
}

impl System {
    /// This machine.
    pub fn this() -> Self {
        Self::new(Arc::new(Kernel), Path::new("/"))
    }

    /// A machine with this driver whose files are below a root.
    pub fn new(driver: Arc<dyn Driver>, root: &Path) -> Self {
        Self { driver, root: root.into(), simulated: None }
    }

    /// A simulated card behind a version of the driver: its rules, without a kernel.
    ///
    /// # Errors
    /// The host cannot start the simulator's threads.
    pub fn mock(version: Version, board: &'static Board) -> Result<Self, CardError> {
        let root = Path::new("/nonexistent");
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let mock = Mock::new(&root.join(NODES).join("0"), version, 1, board, threads);
        let mock = mock.map_err(|fault| CardError::Mock(fault.to_string()))?;
        Ok(Self { driver: Arc::new(mock), root: root.into(), simulated: Some(board) })
    }

    /// All cards, in the order of their numbers; then what no driver has taken.
    pub fn cards(&self) -> Vec<Found> {
        let mut numbers: Vec<u32> = self.names(NODES).iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        let mut found: Vec<Found> = numbers.into_iter().map(|number| self.look_at(number)).collect();
        let known: Vec<String> = found.iter().filter_map(|card| card.address.clone()).collect();
        found.extend(
            self.without_driver()
                .into_iter()
                .filter(|(at, _)| !known.contains(at))
                .map(|(address, error)| Found { number: None, address: Some(address), card: Err(error) }),
        );
        found
    }

    /// The card with a number.
    pub fn look_at(&self, number: u32) -> Found {
        let address = self.bus_address(number);
        match self.card(number) {
            Ok(card) => Found { number: Some(number), address: Some(card.address.clone()), card: Ok(card) },
            Err(error) => Found { number: Some(number), address, card: Err(error) },
        }
    }

    fn card(&self, number: u32) -> Result<Card, CardError> {
        let node = self.root.join(NODES).join(number.to_string());
        let file = self.open(&node, number)?;
        let (mut driver, mut info) = (GetDriverInfo::ask(), GetDeviceInfo::ask());
        ask(&mut driver, &*file, &node)?;
        // Versions 1.x do not tell their number.
        let version = if driver.out_size_bytes >= 12 { driver.version() } else { Version::new(1, 0, 0) };
        if version < since::CLEANUP {
            return Err(CardError::TooOld { node: node.display().to_string(), version });
        }
        ask(&mut info, &*file, &node)?;
        let chip = recognise(u32::from(info.device_id) << 16 | u32::from(info.vendor_id))?;
        let told = |name| self.attribute(number, name);
        let board = told("tt_card_type").or_else(|| self.simulated.map(|board| board.name.to_owned()));
        Ok(Card {
            system: self.clone(),
            node,
            number,
            address: address(info.pci_domain, info.bus_dev_fn),
            chip: supported(chip)?,
            driver: version,
            board,
            serial: told("tt_serial"),
            firmware: told("tt_fw_bundle_ver"),
            way: Way::default(),
        })
    }

    /// Opens a node as a program that asks for power itself, and without waiting for others.
    fn open(&self, node: &Path, number: u32) -> Result<Box<dyn File>, CardError> {
        let name = || node.display().to_string();
        self.driver.open(node, OpenFlags::POWER_AWARE | OpenFlags::NO_WAIT).map_err(|error| {
            match error.raw_os_error() {
                Some(errno::EACCES | errno::EPERM) => CardError::Permission { node: name() },
                Some(errno::EAGAIN) => CardError::Exclusive { node: name(), users: self.users(number) },
                _ => CardError::Call { node: name(), call: "open", error: error.to_string() },
            }
        })
    }

    /// Who has a card open, as far as the driver tells, without this process.
    pub fn users(&self, number: u32) -> Users {
        let pids = self.text(&format!("proc/driver/tenstorrent/{number}/pids")).unwrap_or_default();
        let mut pids: Vec<u32> = pids.lines().filter_map(|line| line.trim().parse().ok()).collect();
        pids.sort_unstable();
        pids.dedup();
        // 0 is a process that this one cannot see, such as one outside of a container.
        let name = |pid| match pid {
            0 => "outside of this container".to_owned(),
            pid => self.text(&format!("proc/{pid}/comm")).unwrap_or_else(|| "unknown".to_owned()),
        };
        let others = pids.into_iter().filter(|&pid| pid != std::process::id());
        Users(others.map(|pid| (pid, name(pid))).collect())
    }

    /// PCI addresses of the vendor's chips, each with why no driver has it.
    fn without_driver(&self) -> Vec<(String, CardError)> {
        const DEVICES: &str = "sys/bus/pci/devices";
        let hex = |address: &str, name: &str| {
            let text = self.text(&format!("{DEVICES}/{address}/{name}"))?;
            u32::from_str_radix(text.trim_start_matches("0x"), 16).ok()
        };
        let mut found: Vec<(String, CardError)> = Vec::new();
        for address in self.names(DEVICES) {
            if hex(&address, "vendor") != Some(VENDOR) {
                continue;
            }
            let Some(device) = hex(&address, "device") else { continue };
            let error = match recognise(device << 16 | VENDOR).and_then(supported) {
                Ok(chip) => CardError::NoDriver { name: title(chip.name), address: address.clone() },
                Err(error) => error.into(),
            };
            found.push((address, error));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    /// Where a node's card is on the bus, as sysfs has it.
    fn bus_address(&self, number: u32) -> Option<String> {
        let link = self.root.join(class(number)).join("device");
        let target = fs::canonicalize(link).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    fn attribute(&self, number: u32, name: &str) -> Option<String> {
        self.text(&format!("{}/{name}", class(number)))
    }

    /// The text of a file, if it has any.
    fn text(&self, path: &str) -> Option<String> {
        let text = fs::read_to_string(self.root.join(path)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Names in a folder.
    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }
}

impl Card {
    /// Opens it.
    ///
    /// # Errors
    /// Not for this user, or not now.
    pub fn open(&self) -> Result<Box<dyn File>, CardError> {
        self.system.open(&self.node, self.number)
    }

    /// Whether it has a second chip, which is reached through the first one.
    pub fn has_second(&self) -> bool {
        let board = self.board.as_deref().and_then(board);
        board.is_some_and(|board| board.behind(0).next().is_some())
    }

    /// Whether its chip is simulated.
    pub fn is_simulated(&self) -> bool {
        self.system.simulated.is_some()
    }

    /// Who else has it open, as far as the driver tells.
    pub fn users(&self) -> Users {
        self.system.users(self.number)
    }

    /// The name of its node.
    pub fn name(&self) -> String {
        self.node.display().to_string()
    }

    /// PCI configuration space, as much as every user may read, if the system shows it.
    pub fn configuration(&self) -> Option<Vec<u8>> {
        fs::read(self.system.root.join("sys/bus/pci/devices").join(&self.address).join("config")).ok()
    }

    /// An error of a call to the driver; `ENODEV` is a card that was taken away, or reset by another program.
    pub fn call_failed(&self, call: &'static str, error: &io::Error) -> CardError {
        match error.raw_os_error() {
            Some(errno::ENODEV) => CardError::Reset { node: self.name() },
            _ => CardError::Call { node: self.name(), call, error: error.to_string() },
        }
    }
}

/// Folder of a card's attributes.
fn class(number: u32) -> String {
    format!("sys/class/tenstorrent/tenstorrent!{number}")
}

/// A PCI address as the system writes it.
fn address(domain: u16, bus_dev_fn: u16) -> String {
    let (bus, device, function) = (bus_dev_fn >> 8, bus_dev_fn >> 3 & 31, bus_dev_fn & 7);
    format!("{domain:04x}:{bus:02x}:{device:02x}.{function}")
}

fn ask<T: Ioctl>(argument: &mut T, file: &dyn File, node: &Path) -> Result<(), CardError> {
    argument.call(file).map_err(|error| CardError::Call {
        node: node.display().to_string(),
        call: T::NAME,
        error: error.to_string(),
    })
}
