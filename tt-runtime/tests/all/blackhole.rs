//! A Blackhole, simulated by the vendor's library, through our transport and its chip's data: configuration space, both
//! kinds of windows, L1, DRAM, NIU registers, telemetry, and a small program on a core. There are no kernels for it yet.
//!
//! `TTSIM_BH_LIB` names the library (`libttsim.so`, built for Blackhole).

use std::path::PathBuf;

use tt_isa::chip::{BLACKHOLE, Harvesting};
use tt_isa::map::{DEBUG_REGS_BASE, NIU_BASE, NIU_STRIDE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;
use tt_isa::rv32;
use tt_isa::tlb::TlbTarget;
use tt_runtime::transport::{Transport, TransportError, ttsim::TtSim};
use tt_runtime::{ChipError, Device, DeviceSpec, DramAddr, Error, Link};

/// Soft reset register of a tile.
const SOFT_RESET: u64 = (DEBUG_REGS_BASE + SOFT_RESET_0) as u64;
/// Bytes of the two kinds of windows.
const WINDOWS: [u64; 2] = [2 << 20, 4 << 30];

fn library() -> Option<PathBuf> {
    match std::env::var_os("TTSIM_BH_LIB").map(PathBuf::from) {
        Some(path) if path.is_file() => Some(path),
        Some(path) => {
            println!("SKIPPED: TTSIM_BH_LIB: {} does not exist", path.display());
            None
        }
        None => {
            println!("SKIPPED: TTSIM_BH_LIB is not set (the vendor's simulator for Blackhole)");
            None
        }
    }
}

/// The chip through windows of so many bytes.
fn link(bytes: u64) -> Option<Link> {
    let transport = TtSim::with_window_of(&library()?, bytes).expect("the library starts");
    Some(Link::new(Box::new(transport)))
}

fn pattern(len: usize, seed: u32) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(0x9E37_79B1) >> 24) as u8 ^ seed as u8).collect()
}

#[test]
fn the_pci_id_names_the_chip() {
    let Some(library) = library() else { return };
    let mut transport = TtSim::new(&library).unwrap();
    assert_eq!(transport.pci_id().unwrap(), BLACKHOLE.pci_id);
    assert_eq!(transport.chip().name, "blackhole");
    assert_eq!(transport.windows()[0].bytes, WINDOWS[0]);
    let error = TtSim::with_window_of(&library, 16 << 20).err().expect("no such windows");
    assert!(matches!(error, TransportError::Window { chip: "blackhole", .. }), "{error}");
}

/// A device of it is refused when it is opened, with the reason, whatever it is used for.
#[test]
fn a_device_of_it_is_refused() {
    let Some(library) = library() else { return };
    let device = Device::open(&DeviceSpec::TtSim { library });
    assert!(device.description().starts_with("Tenstorrent Blackhole"), "{}", device.description());
    assert_eq!(device.memory().total, 0);
    for error in [device.chip().err(), device.info().err(), device.write(DramAddr(0), &[0]).err()] {
        let error = error.expect("no kernels");
        assert!(
            matches!(error, Error::Chip(ChipError::NoKernels { chip }) if chip.name == "blackhole"),
            "{error}"
        );
        assert!(
            error.to_string().contains("recognised and not supported yet: there are no kernels"),
            "{error}"
        );
    }
    assert!(matches!(device.alloc(1), Err(Error::OutOfMemory { .. })));
}

#[test]
fn l1_is_read_and_written_through_both_windows() {
    for bytes in WINDOWS {
        let Some(mut link) = link(bytes) else { return };
        let data = pattern(4096, 1);
        let last = u64::from(BLACKHOLE.tile.l1_size) - data.len() as u64;
        for tile in [NocXy::new(1, 2), NocXy::new(7, 11), NocXy::new(10, 2), NocXy::new(16, 11)] {
            for at in [0x100, last] {
                link.write(tile, at, &data).unwrap();
                let mut back = vec![0; data.len()];
                link.read(tile, at, &mut back).unwrap();
                assert_eq!(back, data, "{tile} {at:#x}");
            }
        }
    }
}

/// All banks, around page borders and at the end of the space.
#[test]
fn dram_is_one_space_through_both_windows() {
    for bytes in WINDOWS {
        let Some(mut link) = link(bytes) else { return };
        assert_eq!(link.dram_size(), 8 * 4_278_190_080);
        let data = pattern(300_001, 7);
        for at in [0x1234, link.dram_size() - data.len() as u64] {
            link.write_dram(DramAddr(at), &data).unwrap();
            let mut back = vec![0; data.len()];
            link.read_dram(DramAddr(at), &mut back).unwrap();
            assert!(back == data, "{at:#x}");
        }
    }
}

/// The three ports of each bank show the same bytes, and no two banks do.
#[test]
fn ports_of_a_bank_show_the_same() {
    let Some(mut link) = link(WINDOWS[0]) else { return };
    let banks = 0..BLACKHOLE.dram.len();
    for bank in banks.clone() {
        link.write(BLACKHOLE.dram_port(bank, 0), 0x40, &[bank as u8; 64]).unwrap();
    }
    for bank in banks {
        for port in 0..3 {
            let mut back = [0xFF; 64];
            link.read(BLACKHOLE.dram_port(bank, port), 0x40, &mut back).unwrap();
            assert_eq!(back, [bank as u8; 64], "bank {bank} port {port}");
        }
    }
}

/// Every Tensix tile is where its translated coordinate says, on both NoCs.
#[test]
fn tiles_say_where_they_are() {
    let Some(mut link) = link(WINDOWS[1]) else { return };
    assert_eq!(link.harvested().unwrap(), 0);
    assert_eq!(BLACKHOLE.harvesting, Harvesting::Columns);
    for tile in BLACKHOLE.workers(0) {
        for noc in [0, 1] {
            let niu = u64::from(NIU_BASE + u32::from(noc) * NIU_STRIDE);
            let mut register = |at: u32| link.read32(tile, niu + u64::from(at)).unwrap();
            let registers = BLACKHOLE.noc.registers;
            assert_eq!(register(registers.node_id), BLACKHOLE.node_id(tile, noc), "{tile} NoC {noc}");
            assert_eq!(register(registers.id_logical), BLACKHOLE.noc.node(tile), "{tile} NoC {noc}");
        }
    }
}

#[test]
fn a_rectangle_is_written_at_once() {
    let Some(mut link) = link(WINDOWS[0]) else { return };
    let rect = (NocXy::new(5, 2), NocXy::new(12, 5));
    link.multicast(rect, 0x2000, &[0xAB; 32]).unwrap();
    for tile in BLACKHOLE.workers(0) {
        let mut word = [0; 4];
        link.read(tile, 0x2000, &mut word).unwrap();
        let inside = (rect.0.x..=rect.1.x).contains(&tile.x) && (rect.0.y..=rect.1.y).contains(&tile.y);
        assert_eq!(word == [0xAB; 4], inside, "{tile}");
    }
}

/// Ten instructions that store three values: a constant, a small number, and a word that the host left.
fn program() -> Vec<u8> {
    let (base, value, copy) = (5, 6, 7);
    let [upper, lower] = rv32::li(value, 0x1234_ABCD);
    let words = [
        rv32::encode("Lui", base, 0, 0, 0x8000),
        upper,
        lower,
        rv32::s("Sw", value, base, 0),
        rv32::i("Addi", value, 0, 77),
        rv32::s("Sw", value, base, 4),
        rv32::i("Lw", copy, base, 16),
        rv32::s("Sw", copy, base, 8),
        rv32::nop(),
        rv32::jal(0, 0),
    ];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn check_program(link: &mut Link, tile: NocXy, start: u32, core: RiscV) {
    link.write(tile, SOFT_RESET, &SOFT_RESET_ALL.to_le_bytes()).unwrap();
    link.write(tile, u64::from(start), &program()).unwrap();
    link.write(tile, 0x8000, &[0; 16]).unwrap();
    link.write(tile, 0x8010, &0xCAFE_F00D_u32.to_le_bytes()).unwrap();
    link.advance(1000).unwrap();
    assert_eq!(link.read32(tile, 0x8000).unwrap(), 0, "held in reset, nothing runs");
    let running = SOFT_RESET_ALL & !core.soft_reset_bit();
    link.write(tile, SOFT_RESET, &running.to_le_bytes()).unwrap();
    link.advance(2000).unwrap();
    let stored = [0x8000, 0x8004, 0x8008].map(|at| link.read32(tile, at).unwrap());
    assert_eq!(stored, [0x1234_ABCD, 77, 0xCAFE_F00D], "{}", core.name());
    link.write(tile, SOFT_RESET, &SOFT_RESET_ALL.to_le_bytes()).unwrap();
    link.write(tile, 0x8000, &[0; 4]).unwrap();
    link.advance(1000).unwrap();
    assert_eq!(link.read32(tile, 0x8000).unwrap(), 0, "in reset again");
}

#[test]
fn a_program_runs_on_brisc() {
    let Some(mut link) = link(WINDOWS[0]) else { return };
    for tile in [NocXy::new(1, 2), NocXy::new(14, 11)] {
        check_program(&mut link, tile, 0, RiscV::Brisc);
    }
}

/// The host sets where the other cores start: on a Wormhole only BRISC can.
#[test]
fn the_host_sets_where_other_cores_start() {
    let Some(mut link) = link(WINDOWS[0]) else { return };
    let (tile, pc) = (NocXy::new(3, 4), BLACKHOLE.tile.reset_pc);
    assert!(pc.on_noc);
    let mut set =
        |register: u32, value: u32| link.write(tile, u64::from(register), &value.to_le_bytes()).unwrap();
    for (t, register) in (0..).zip(pc.trisc) {
        set(register, 0x2_0000 + 0x1000 * t);
    }
    set(pc.trisc_enable, 0b111);
    set(pc.ncrisc, 0x2_4000);
    set(pc.ncrisc_enable, 1);
    for (t, core) in (0..).zip([RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2]) {
        check_program(&mut link, tile, 0x2_0000 + 0x1000 * t, core);
    }
    check_program(&mut link, tile, 0x2_4000, RiscV::Ncrisc);
}

/// Windows are what differs: a target outside of a window's alignment is shown by pointing it elsewhere.
#[test]
fn windows_move_over_addresses() {
    let Some(library) = library() else { return };
    let mut transport = TtSim::new(&library).unwrap();
    let bank = BLACKHOLE.dram_port(1, 0);
    for (at, byte) in [(0, 1), (WINDOWS[0], 2), (5 * WINDOWS[0], 3)] {
        transport.configure_window(0, &TlbTarget::unicast(bank, at)).unwrap();
        transport.write(0, 64, &[byte; 64]).unwrap();
    }
    let mut link = Link::new(Box::new(transport));
    for (at, byte) in [(0, 1), (WINDOWS[0], 2), (5 * WINDOWS[0], 3)] {
        let mut back = [0; 64];
        link.read(bank, at + 64, &mut back).unwrap();
        assert_eq!(back, [byte; 64], "{at:#x}");
    }
}
