//! `tt info`: the devices, and what they say of themselves.

use clap::Args;

use super::{Devices, Done, Error};
use crate::inventory::{CardEntry, ChipEntry, Entry, look};

/// Lists devices.
#[derive(Args)]
pub struct Info {
    #[command(flatten)]
    devices: Devices,
    /// Only what is known without touching a chip: no temperatures, clocks or harvested tiles
    #[arg(long)]
    list: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl Info {
    /// Lists them.
    ///
    /// # Errors
    /// An argument names no device.
    pub fn run(&self) -> Result<Done, Error> {
        let entries: Vec<Entry> = self.devices.list()?.iter().map(|spec| look(spec, !self.list)).collect();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&entries)?);
            return Ok(Done::Well);
        }
        if entries.is_empty() {
            println!("no Tenstorrent card was found. `sim` is a simulated card, as in `tt info sim`");
        }
        entries.iter().for_each(print);
        Ok(Done::Well)
    }
}

fn line(name: &str, value: impl std::fmt::Display) {
    println!("  {name:<18} {value}");
}

fn print(entry: &Entry) {
    println!("{}", entry.device);
    entry.card.iter().for_each(print_card);
    entry.chip.iter().for_each(print_chip);
    if let Some(problem) = &entry.problem {
        line("problem", problem);
    }
}

fn print_card(card: &CardEntry) {
    line("node", &card.node);
    line("PCI address", &card.address);
    let optional =
        [("board", &card.board), ("serial number", &card.serial), ("firmware bundle", &card.firmware)];
    for (name, value) in optional {
        line(name, value.as_deref().unwrap_or("not told"));
    }
    line("driver", &card.driver);
    line(
        "used by",
        if card.users.is_empty() { "nobody that can be seen".to_owned() } else { card.users.join(", ") },
    );
}

fn print_chip(chip: &ChipEntry) {
    let (columns, rows) = chip.tensix;
    line("Tensix tiles", format!("{} ({columns} x {rows})", columns * rows));
    let what = if chip.harvested_are_rows { "rows" } else { "columns" };
    let off: Vec<String> = chip.harvested.iter().map(ToString::to_string).collect();
    line(
        "harvested",
        if off.is_empty() { "nothing".to_owned() } else { format!("{what} {} of NoC 0", off.join(", ")) },
    );
    line("DRAM", format!("{} GiB in {} banks", chip.dram >> 30, chip.banks));
    if let Some(id) = &chip.board_id {
        line("board number", id);
    }
    for firmware in &chip.firmware {
        line(&format!("{} firmware", firmware.name), &firmware.version);
    }
    for reading in &chip.readings {
        line(reading.name, format!("{} {}", reading.value, reading.unit));
    }
}
