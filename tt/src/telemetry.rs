//! What the chip's management processor tells of it: numbers with a unit, from the telemetry's tags ([`tt_isa::arc::tag`]).

use serde::Serialize;
use tt_isa::arc::{HarvestTag, tag};
use tt_isa::chip::Chip;

/// A table of tags with their values.
pub type Table = [(u16, u32)];

/// A reading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// What it is of.
    pub name: &'static str,
    /// The number.
    pub value: f64,
    /// Its unit; empty for a count.
    pub unit: &'static str,
}

/// How a value's bits are a number.
#[derive(Clone, Copy)]
enum Form {
    Whole,
    /// 16 bits behind the point.
    Fixed,
}

const READINGS: [(u16, &str, &str, Form); 15] = [
    (tag::ASIC_TEMPERATURE, "chip temperature", "C", Form::Fixed),
    (tag::BOARD_TEMPERATURE, "board temperature", "C", Form::Fixed),
    (tag::THM_LIMIT_THROTTLE, "clocks go down at", "C", Form::Whole),
    (tag::THM_LIMIT_SHUTDOWN, "switches off at", "C", Form::Whole),
    (tag::TDP, "power", "W", Form::Whole),
    (tag::TDP_LIMIT_MAX, "power limit", "W", Form::Whole),
    (tag::TDC, "current", "A", Form::Whole),
    (tag::TDC_LIMIT_MAX, "current limit", "A", Form::Whole),
    (tag::VCORE, "core voltage", "mV", Form::Whole),
    (tag::AICLK, "AI clock", "MHz", Form::Whole),
    (tag::AICLK_LIMIT_MAX, "AI clock limit", "MHz", Form::Whole),
    (tag::AXICLK, "AXI clock", "MHz", Form::Whole),
    (tag::ARCCLK, "ARC clock", "MHz", Form::Whole),
    (tag::GDDR_SPEED, "DRAM speed", "MT/s", Form::Whole),
    (tag::FAN_SPEED, "fan", "rpm", Form::Whole),
];

/// The readings that the table has. All ones is a part that is not there.
pub fn readings(table: &Table) -> Vec<Reading> {
    let reading = |&(wanted, name, unit, form): &(u16, &'static str, &'static str, Form)| {
        let bits = value(table, wanted).filter(|&bits| bits != u32::MAX)?;
        let value = match form {
            Form::Whole => f64::from(bits),
            Form::Fixed => f64::from(bits as i32) / 65536.0,
        };
        Some(Reading { name, value, unit })
    };
    READINGS.iter().filter_map(reading).collect()
}

/// A version of some firmware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Firmware {
    /// What it runs on.
    pub name: &'static str,
    /// Its version, the highest part first.
    pub version: String,
}

const FIRMWARE: [(u16, &str); 4] = [
    (tag::FLASH_BUNDLE_VERSION, "bundle"),
    (tag::CM_FW_VERSION, "ARC"),
    (tag::ETH_FW_VERSION, "Ethernet"),
    (tag::DM_APP_FW_VERSION, "board"),
];

/// The versions that the table has.
pub fn firmware(table: &Table) -> Vec<Firmware> {
    let version = |&(wanted, name): &(u16, &'static str)| {
        let bits = value(table, wanted).filter(|&bits| bits != 0 && bits != u32::MAX)?;
        let [a, b, c, d] = bits.to_be_bytes();
        Some(Firmware { name, version: format!("{a}.{b}.{c}.{d}") })
    };
    FIRMWARE.iter().filter_map(version).collect()
}

/// NoC 0 rows (or columns) of Tensix tiles that are off.
pub fn harvested(chip: &Chip, table: &Table) -> Vec<u8> {
    let order = chip.management.harvest_order;
    let off = |bits: u32| match chip.management.harvest {
        HarvestTag::Harvested(_) => bits,
        HarvestTag::Enabled(_) => !bits,
    };
    let bits = value(table, chip.management.harvest.tag()).map_or(0, off);
    (0..).zip(order).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, &row)| row).collect()
}

/// The number of the board, which is unique.
pub fn board_id(table: &Table) -> Option<u64> {
    let half = |wanted| value(table, wanted).map(u64::from);
    Some(half(tag::BOARD_ID_HIGH)? << 32 | half(tag::BOARD_ID_LOW)?)
}

fn value(table: &Table, wanted: u16) -> Option<u32> {
    table.iter().find(|(tag, _)| *tag == wanted).map(|&(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::WORMHOLE;

    #[test]
    fn tags_become_readings() {
        let table = [(tag::ASIC_TEMPERATURE, 0x2D_8000), (tag::AICLK, 1000), (tag::FAN_SPEED, u32::MAX)];
        let expected = [
            Reading { name: "chip temperature", value: 45.5, unit: "C" },
            Reading { name: "AI clock", value: 1000.0, unit: "MHz" },
        ];
        assert_eq!(readings(&table), expected);
    }

    #[test]
    fn harvested_rows_are_named() {
        let table = [(WORMHOLE.management.harvest.tag(), 0b101)];
        let order = WORMHOLE.management.harvest_order;
        assert_eq!(harvested(&WORMHOLE, &table), [order[0], order[2]]);
        assert!(harvested(&WORMHOLE, &[]).is_empty());
    }
}
