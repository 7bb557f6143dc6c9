//! Which cards are found, and which an entry of `GGML_TT_DEVICES` names: on made-up machines.

use crate::machine::{ADDRESS, Machine, SERIAL};
use tt_kmd_mock::VERSIONS;
use tt_runtime::cards::CardError;
use tt_runtime::{ChipError, Device, DeviceSpec, SpecError, parse_devices_of};
use tt_sys::kmd::ioctl::Version;

const NEWEST: Version = VERSIONS[VERSIONS.len() - 1];

fn all(machine: &Machine) -> Vec<DeviceSpec> {
    parse_devices_of(&machine.system(), None).unwrap()
}

#[test]
fn every_card_is_found_without_touching_the_chip() {
    let machine = Machine::new(NEWEST);
    // Whatever is read from the chip would be ones.
    machine.mock.wedge();
    let [DeviceSpec::Card(card)] = &all(&machine)[..] else { panic!("{:?}", all(&machine)) };
    assert_eq!((card.number, card.address.as_str(), card.chip.name), (0, ADDRESS, "wormhole"));
    assert_eq!(
        (card.driver, card.board.as_deref(), card.serial.as_deref()),
        (NEWEST, Some("n150"), Some(SERIAL))
    );
    assert_eq!(card.firmware.as_deref(), Some("19.2.0.0"));
    assert_eq!(machine.mock.open_files(), 0);
}

/// Older drivers and firmware tell less.
#[test]
fn what_is_not_told_is_left_out() {
    let machine = Machine::new(VERSIONS[0]);
    for name in ["tt_card_type", "tt_serial", "tt_fw_bundle_ver"] {
        machine.without(&format!("sys/class/tenstorrent/tenstorrent!0/{name}"));
    }
    let [DeviceSpec::Card(card)] = &all(&machine)[..] else { panic!("{:?}", all(&machine)) };
    assert_eq!((&card.board, &card.serial, &card.firmware), (&None, &None, &None));
    assert_eq!(Device::open(&all(&machine)[0]).description(), "Tenstorrent Wormhole");
}

#[test]
fn cards_are_named_by_number_address_and_serial() {
    let machine = Machine::new(NEWEST);
    let named = |entry: &str| parse_devices_of(&machine.system(), Some(entry));
    for entry in ["0", ADDRESS, SERIAL, "0, sim"] {
        let devices = named(entry).unwrap();
        assert!(matches!(&devices[0], DeviceSpec::Card(card) if card.number == 0), "{entry}: {devices:?}");
    }
    for entry in ["1", "0000:02:00.0", "0100018511732045"] {
        let error = named(entry).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, SpecError::NoSuchCard { .. }), "{text}");
        assert!(text.contains(entry) && text.contains(ADDRESS) && text.contains(SERIAL), "{text}");
    }
    let machine = Machine::new(NEWEST);
    machine.without("dev/tenstorrent/0");
    machine.without(&format!("sys/bus/pci/devices/{ADDRESS}/vendor"));
    let text = parse_devices_of(&machine.system(), Some("0")).unwrap_err().to_string();
    assert!(text.contains("no Tenstorrent card was found; sim simulates one"), "{text}");
    assert!(all(&machine).is_empty());
}

/// An n300 is two devices; a T3000 has four of them, each a PCI function.
#[test]
fn a_card_with_two_chips_is_two_devices() {
    let machine = Machine::of(NEWEST, &["n300"; 4]);
    machine.mock.wedge();
    let devices = all(&machine);
    let cards: Vec<(u32, bool)> = devices
        .iter()
        .map(|spec| match (spec, spec.first()) {
            (DeviceSpec::Card(card), _) => (card.number, false),
            (DeviceSpec::Second(_), DeviceSpec::Card(card)) => (card.number, true),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(cards, [0, 1, 2, 3].map(|n| [(n, false), (n, true)]).concat());
    let named = |entry: &str| parse_devices_of(&machine.system(), Some(entry));
    for (entry, count) in [("0", 2), ("2.1", 1), ("1.0,3", 3), (ADDRESS, 2), (SERIAL, 2)] {
        assert_eq!(named(entry).unwrap().len(), count, "{entry}");
    }
    assert!(matches!(&named("2.1").unwrap()[..], [DeviceSpec::Second(first)] if first.has_second()));
    let text = named("0.2").unwrap_err().to_string();
    assert!(text.contains("0 at 0000:01:00.0") && text.contains("chips .0 and .1"), "{text}");
    let [first, second] = [0, 1].map(|n| Device::open(&devices[n]));
    assert_eq!(first.description(), "Tenstorrent Wormhole n300");
    assert_eq!(second.description(), first.description());
    // The first one keeps a stage for what goes to the second.
    assert_eq!(second.memory().total - first.memory().total, 4 << 20);
    // Programs take devices with one address for one.
    assert_eq!((first.pci_address().as_deref(), second.pci_address()), (Some(ADDRESS), None));
    assert!(second.card().is_some_and(|card| card.address == ADDRESS));
    assert_eq!(machine.mock.open_files(), 0);
}

#[test]
fn a_card_with_one_chip_has_no_second() {
    let machine = Machine::new(NEWEST);
    assert_eq!(parse_devices_of(&machine.system(), Some("0.0")).unwrap().len(), 1);
    assert!(matches!(parse_devices_of(&machine.system(), Some("0.1")), Err(SpecError::NoSuchCard { .. })));
}

/// The only device, which cannot be used.
fn unusable(machine: &Machine) -> CardError {
    match &all(machine)[..] {
        [DeviceSpec::Unusable(error)] => error.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_grayskull_is_seen_and_the_reasons_are_said() {
    let machine = Machine::new(NEWEST);
    machine.pci("0000:03:00.0", 0xFACA);
    let devices = all(&machine);
    let [DeviceSpec::Card(_), DeviceSpec::Unusable(error)] = &devices[..] else { panic!("{devices:?}") };
    assert!(matches!(error, CardError::Chip(ChipError::Undescribed { .. })), "{error:?}");
    let text = error.to_string();
    for reason in ["Grayskull", "FP32", "multiplication", "driver"] {
        assert!(text.contains(reason), "{text}");
    }
    assert!(!text.contains('\n'), "one line: {text}");
    assert_eq!(Device::open(&devices[1]).description(), "Tenstorrent Grayskull");
    let named = parse_devices_of(&machine.system(), Some("0000:03:00.0")).unwrap_err();
    assert!(matches!(named, SpecError::Card { .. }) && named.to_string().contains("FP32"), "{named}");
}

#[test]
fn a_blackhole_is_seen_and_has_no_kernels() {
    let machine = Machine::new(NEWEST);
    machine.pci("0000:04:00.0", 0xB140);
    let devices = all(&machine);
    let text = match &devices[1] {
        DeviceSpec::Unusable(error) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(text.starts_with("Blackhole") && text.contains("not supported yet"), "{text}");
}

#[test]
fn a_card_without_a_driver_is_said_with_what_to_do() {
    let machine = Machine::new(NEWEST);
    machine.without("dev/tenstorrent/0");
    let text = unusable(&machine).to_string();
    assert!(
        text.contains(ADDRESS) && text.contains("tenstorrent-dkms") && text.contains("modprobe"),
        "{text}"
    );
}

#[test]
fn an_old_driver_is_said_with_its_version() {
    let machine = Machine::new(Version::new(2, 1, 0));
    let text = unusable(&machine).to_string();
    assert!(text.contains("version 2.1.0") && text.contains("2.2.0 or newer"), "{text}");
}

#[test]
fn a_missing_permission_is_said_with_what_to_do() {
    let machine = Machine::new(NEWEST);
    machine.mock.deny();
    let error = unusable(&machine);
    assert!(matches!(error, CardError::Permission { .. }) && error.to_string().contains("udev"), "{error}");
    let named = parse_devices_of(&machine.system(), Some("0")).unwrap_err();
    assert!(matches!(named, SpecError::Card { error: CardError::Permission { .. }, .. }), "{named:?}");
}

/// What cannot be used fails with its reason wherever it is used.
#[test]
fn an_unusable_device_says_why() {
    let machine = Machine::new(NEWEST);
    machine.mock.deny();
    let device = Device::open(&all(&machine)[0]);
    assert!(device.chip().unwrap_err().to_string().contains("permission"));
    assert!(device.info().unwrap_err().to_string().contains("permission"));
    assert_eq!(device.memory().total, 0);
}
