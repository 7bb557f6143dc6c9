//! A made-up machine: a tree of files as the system has them, and cards behind the rules of a version of the kernel driver.

#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tt_isa::chip::board;
use tt_kmd_mock::{Mock, Mocks};
use tt_runtime::cards::System;
use tt_runtime::{Device, parse_devices_of};
use tt_sys::kmd::ioctl::Version;

/// PCI address of the first card.
pub const ADDRESS: &str = "0000:01:00.0";
/// Serial number of its board.
pub const SERIAL: &str = "0100018511732044";

/// A machine with cards, from number 0 on.
pub struct Machine {
    /// The first card.
    pub mock: Mock,
    /// All of them.
    mocks: Mocks,
    root: PathBuf,
}

impl Machine {
    /// A machine with an n150.
    pub fn new(version: Version) -> Self {
        Self::of(version, &["n150"])
    }

    /// A machine with these boards: the n-th is on bus n + 1, and its serial number ends with n + 4.
    pub fn of(version: Version, boards: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tt-machine-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(name);
        let mock = |(n, name): (usize, &&str)| {
            let (node, board) = (root.join(format!("dev/tenstorrent/{n}")), board(name).expect("a board"));
            Mock::new(&node, version, n as u8 + 1, board, 1).expect("a card")
        };
        let mocks: Vec<Mock> = boards.iter().enumerate().map(mock).collect();
        let machine = Self { mock: mocks[0].clone(), mocks: Mocks(mocks), root };
        boards.iter().enumerate().for_each(|(n, name)| machine.card(n, name));
        machine
    }

    /// Makes the files of a card.
    fn card(&self, n: usize, board: &str) {
        let (address, serial) = (format!("0000:{:02x}:00.0", n + 1), format!("{}{}", &SERIAL[..15], n + 4));
        self.file(&format!("dev/tenstorrent/{n}"), "");
        self.pci(&address, 0x401E);
        let class = format!("sys/class/tenstorrent/tenstorrent!{n}");
        let attributes = [("tt_card_type", board), ("tt_serial", &*serial), ("tt_fw_bundle_ver", "19.2.0.0")];
        for (name, value) in attributes {
            self.file(&format!("{class}/{name}"), value);
        }
        let device = self.root.join("sys/bus/pci/devices").join(address);
        std::os::unix::fs::symlink(device, self.root.join(class).join("device")).expect("a link");
    }

    /// Makes a file.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, format!("{text}\n")).expect("a file");
    }

    /// Takes a file away.
    pub fn without(&self, path: &str) {
        fs::remove_file(self.root.join(path)).expect("it is there");
    }

    /// Makes a chip of the vendor's on the bus.
    pub fn pci(&self, address: &str, device: u16) {
        self.file(&format!("sys/bus/pci/devices/{address}/vendor"), "0x1e52");
        self.file(&format!("sys/bus/pci/devices/{address}/device"), &format!("{device:#06x}"));
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn node(&self) -> PathBuf {
        self.root.join("dev/tenstorrent/0")
    }

    pub fn system(&self) -> System {
        System::new(Arc::new(self.mocks.clone()), &self.root)
    }

    /// The first card, as a user of it opens it.
    pub fn device(&self) -> Arc<Device> {
        self.devices("0").remove(0)
    }

    /// The devices of an entry.
    pub fn devices(&self, entry: &str) -> Vec<Arc<Device>> {
        let specs = parse_devices_of(&self.system(), Some(entry)).expect("cards");
        specs.iter().map(Device::open).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.root);
    }
}
