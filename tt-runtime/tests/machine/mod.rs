//! A made-up machine: a tree of files as the system has them, and a card behind the rules of a version of the kernel driver.

#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tt_isa::chip::board;
use tt_kmd_mock::Mock;
use tt_runtime::cards::System;
use tt_runtime::{Device, parse_devices_of};
use tt_simulator::ChipConfig;
use tt_sys::kmd::ioctl::Version;

/// PCI address of the card.
pub const ADDRESS: &str = "0000:01:00.0";
/// Serial number of its board.
pub const SERIAL: &str = "0100018511732044";

/// A machine with one card, number 0.
pub struct Machine {
    pub mock: Mock,
    root: PathBuf,
}

impl Machine {
    /// A machine with an n150.
    pub fn new(version: Version) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tt-machine-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let root = std::env::temp_dir().join(name);
        let config = ChipConfig { threads: 1, ..ChipConfig::of_board(board("n150").expect("a board"), 0) };
        let mock = Mock::new(&root.join("dev/tenstorrent/0"), version, config).expect("a chip");
        let machine = Self { mock, root };
        machine.file("dev/tenstorrent/0", "");
        machine.pci(ADDRESS, 0x401E);
        let class = "sys/class/tenstorrent/tenstorrent!0";
        let attributes = [("tt_card_type", "n150"), ("tt_serial", SERIAL), ("tt_fw_bundle_ver", "19.2.0.0")];
        for (name, value) in attributes {
            machine.file(&format!("{class}/{name}"), value);
        }
        let device = machine.root.join("sys/bus/pci/devices").join(ADDRESS);
        std::os::unix::fs::symlink(device, machine.root.join(class).join("device")).expect("a link");
        machine
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
        System::new(Arc::new(self.mock.clone()), &self.root)
    }

    /// The card, as a user of it opens it.
    pub fn device(&self) -> Arc<Device> {
        Device::open(&parse_devices_of(&self.system(), Some("0")).expect("a card")[0])
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.root);
    }
}
