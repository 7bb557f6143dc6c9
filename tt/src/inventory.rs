//! What is known of a device: without touching its chip, and then by the chip's telemetry.

use serde::Serialize;
use tt_isa::chip::Harvesting;
use tt_runtime::{Device, DeviceSpec, Link, connect};

use crate::telemetry::{self, Firmware, Reading};

/// A device.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// What it is, as it is named to users.
    pub device: String,
    /// How a card is reached, if it is one.
    pub card: Option<CardEntry>,
    /// Why it cannot be used, or its chip cannot be asked.
    pub problem: Option<String>,
    /// What its chip says.
    pub chip: Option<ChipEntry>,
}

/// A card, without its chip.
#[derive(Clone, Debug, Serialize)]
pub struct CardEntry {
    /// Device node.
    pub node: String,
    /// PCI address.
    pub address: String,
    /// Board.
    pub board: Option<String>,
    /// Serial number of the board.
    pub serial: Option<String>,
    /// Version of the driver.
    pub driver: String,
    /// Version of the firmware bundle, as the driver tells it.
    pub firmware: Option<String>,
    /// Processes that have it open, without this one.
    pub users: Vec<String>,
}

/// A chip.
#[derive(Clone, Debug, Serialize)]
pub struct ChipEntry {
    /// Its name.
    pub name: &'static str,
    /// Columns and rows of Tensix tiles.
    pub tensix: (u32, u32),
    /// Rows or columns that are off, as NoC 0 counts them.
    pub harvested: Vec<u8>,
    /// Whether these are rows.
    pub harvested_are_rows: bool,
    /// Bytes of DRAM.
    pub dram: u64,
    /// DRAM banks.
    pub banks: usize,
    /// The board's number.
    pub board_id: Option<String>,
    /// Versions of firmware.
    pub firmware: Vec<Firmware>,
    /// Temperatures, clocks, power.
    pub readings: Vec<Reading>,
}

/// What is known of a device. `ask`: its chip is asked, too, which takes the card for a moment.
pub fn look(spec: &DeviceSpec, ask: bool) -> Entry {
    let device = Device::open(spec);
    let (description, card) = (device.description(), card(spec));
    let problem = device.chip().err().map(|error| error.to_string());
    // A simulator has been started for the description.
    drop(device);
    let mut entry = Entry { device: description, card, problem, chip: None };
    if !ask || entry.problem.is_some() {
        return entry;
    }
    match chip(spec) {
        Ok(chip) => entry.chip = Some(chip),
        Err(error) => entry.problem = Some(error.to_string()),
    }
    entry
}

fn card(spec: &DeviceSpec) -> Option<CardEntry> {
    let DeviceSpec::Card(card) = spec else { return None };
    let users = card.users().0.into_iter().map(|(id, name)| format!("{id} ({name})")).collect();
    Some(CardEntry {
        node: card.name(),
        address: card.address.clone(),
        board: card.board.clone(),
        serial: card.serial.clone(),
        driver: card.driver.to_string(),
        firmware: card.firmware.clone(),
        users,
    })
}

fn chip(spec: &DeviceSpec) -> Result<ChipEntry, tt_runtime::Error> {
    let mut link = Link::new(connect(spec)?);
    let (chip, harvested, table) = (link.chip(), link.harvested()?, link.telemetry_table()?);
    Ok(ChipEntry {
        name: chip.name,
        tensix: chip.workers_grid(harvested),
        harvested: telemetry::harvested(chip, &table),
        harvested_are_rows: chip.harvesting == Harvesting::Rows,
        dram: link.dram_size(),
        banks: chip.dram.len(),
        board_id: telemetry::board_id(&table).map(|id| format!("{id:016x}")),
        firmware: telemetry::firmware(&table),
        readings: telemetry::readings(&table),
    })
}
