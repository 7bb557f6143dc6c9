//! Every host access, to any address, gives a value or a fault, never a panic, and the chip can still be used.

use crate::host::tensix;
use proptest::prelude::*;
use tt_isa::chip::wormhole::{ARC_APB_BAR0, ARC_CSM_BAR0};
use tt_isa::chip::{WORMHOLE, board};
use tt_isa::map::{DEBUG_REGS_BASE, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::{EDGE_NIU_BASE, NocXy, reg};
use tt_simulator::{Blame, Chip, Fault, System};

/// First addresses of blocks of registers and memory, as some kind of tile shows them to the NoC.
const BLOCKS: [u64; 20] = [
    0,
    0x3_FF00,
    0x16_DF00,
    0xFFB0_0000,
    0xFFB1_1000,
    0xFFB1_2000,
    0xFFB1_3000,
    0xFFB2_0000,
    0xFFB3_0000,
    0xFFB4_0000,
    0xFFB7_F000,
    0xFFB8_0000,
    0xFFB9_0000,
    0xFFB9_4000,
    0xFFBA_0000,
    0xFFEF_0000,
    0x1_0008_0000,
    0x8_0000_0000,
    0x8_8003_0000,
    EDGE_NIU_BASE,
];
/// Where the parts of BAR 0 begin.
const BAR0: [u64; 9] = [
    0,
    0x9C0_0000,
    0xB00_0000,
    WORMHOLE.host.config,
    WORMHOLE.host.pcie_niu[0],
    WORMHOLE.host.pcie_niu[1],
    ARC_CSM_BAR0,
    ARC_APB_BAR0 + 0x3_0000,
    WORMHOLE.host.bar(0) - 64,
];
const CLOCKS: u64 = 20_000;

/// What a host does.
#[derive(Clone, Debug)]
enum Step {
    Read(NocXy, u64, usize),
    Write(NocXy, u64, Vec<u8>),
    ReadBar(u64, usize),
    WriteBar(u64, Vec<u8>),
    Advance,
}

/// Any coordinate, most of them of tiles.
fn tile() -> impl Strategy<Value = NocXy> {
    let any = (0..64_u8, 0..64_u8).prop_map(|(x, y)| NocXy::new(x, y));
    let raw = (0..10_u8, 0..12_u8).prop_map(|(x, y)| NocXy::new(x, y));
    let ethernet = (0..16_usize).prop_map(|n| WORMHOLE.ethernet[n]);
    let edge = prop::sample::select(vec![WORMHOLE.arc, WORMHOLE.pcie, WORMHOLE.dram[0].ports[0]]);
    let tensix = (0..8_u8, 0..10_u8).prop_map(|(x, y)| tensix(x, y));
    prop_oneof![1 => any, 2 => raw, 3 => ethernet, 2 => edge, 4 => tensix]
}

/// Values that mean something somewhere, and any others.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        prop::sample::select(vec![0, 1, 2, 4, 0xF, 16, 64, 0x107C, SOFT_RESET_ALL, 0x800, u32::MAX]),
        (0..32_u32).prop_map(|bit| 1 << bit),
        any::<u32>(),
    ]
}

fn addr() -> impl Strategy<Value = u64> {
    let near = (prop::sample::select(&BLOCKS[..]), 0..0x400_u64).prop_map(|(base, word)| base + 4 * word);
    let odd = (prop::sample::select(&BLOCKS[..]), 0..0x1000_u64).prop_map(|(base, byte)| base + byte);
    prop_oneof![6 => near, 1 => odd, 1 => any::<u64>()]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::collection::vec(word(), 1..8);
    let words = words.prop_map(|words| words.into_iter().flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
    prop_oneof![5 => word().prop_map(|word| word.to_le_bytes().to_vec()), 2 => words, 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

fn bar() -> impl Strategy<Value = u64> {
    let near = (prop::sample::select(&BAR0[..]), 0..0x200_u64).prop_map(|(base, word)| base + 4 * word);
    prop_oneof![4 => near, 1 => 0..WORMHOLE.host.bar(0) + 0x1000, 1 => any::<u64>()]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (tile(), addr(), 0..40_usize).prop_map(|(tile, addr, len)| Step::Read(tile, addr, len)),
        8 => (tile(), addr(), data()).prop_map(|(tile, addr, data)| Step::Write(tile, addr, data)),
        1 => (bar(), 0..40_usize).prop_map(|(at, len)| Step::ReadBar(at, len)),
        3 => (bar(), data()).prop_map(|(at, data)| Step::WriteBar(at, data)),
        1 => Just(Step::Advance),
    ]
}

fn take(chip: &mut Chip, step: &Step) -> Result<(), Fault> {
    match step {
        Step::Read(tile, addr, len) => chip.tile_read(*tile, *addr, &mut vec![0; *len]),
        Step::Write(tile, addr, data) => chip.tile_write(*tile, *addr, data),
        Step::ReadBar(at, len) => chip.bar0_read(*at, &mut vec![0; *len]),
        Step::WriteBar(at, data) => chip.bar0_write(*at, data),
        Step::Advance => Ok(()),
    }
}

fn check(fault: &Fault) {
    assert_ne!(fault.blame, Blame::Internal, "{fault}");
    assert!(!fault.what.is_empty() && fault.page.is_some(), "{fault}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_a_host_does_breaks_a_chip(steps in prop::collection::vec(step(), 1..60)) {
        let mut system = System::new(board("n300").expect("known"), 1).expect("a board");
        for step in &steps {
            if let Err(fault) = take(&mut system.chips()[0], step) {
                check(&fault);
            }
            if matches!(step, Step::Advance) && let Err(fault) = system.advance(CLOCKS) {
                check(&fault);
            }
        }
        // The host's way to the NoC may be misconfigured and a tile may have faulted: without translation, and
        // held, memory is memory.
        let at = NocXy::new(1, 1);
        let reset = u64::from(DEBUG_REGS_BASE + SOFT_RESET_0);
        let chip = &mut system.chips()[0];
        chip.bar0_write(WORMHOLE.host.pcie_niu[0] + u64::from(reg::NIU_CFG_0), &[0; 4]).expect("an NIU");
        chip.tile_write(at, reset, &SOFT_RESET_ALL.to_le_bytes()).expect("soft reset");
        chip.tile_write(at, 0x1000, &[1, 2, 3, 4]).expect("L1");
        let mut out = [0; 4];
        chip.tile_read(at, 0x1000, &mut out).expect("L1");
        prop_assert_eq!(out, [1, 2, 3, 4]);
    }
}

#[test]
fn every_register_of_every_kind_of_tile_answers() {
    let mut system = System::new(board("n300").expect("known"), 1).expect("a board");
    let tiles = [tensix(3, 3), WORMHOLE.ethernet[9], WORMHOLE.arc, WORMHOLE.pcie, WORMHOLE.dram[5].ports[1]];
    let mut answers = 0;
    for tile in tiles {
        for base in BLOCKS {
            for offset in (0..0x1000).step_by(4) {
                let chip = &mut system.chips()[0];
                let addr = base + offset;
                answers += u32::from(chip.tile_read(tile, addr, &mut [0; 4]).is_ok());
                for value in [0_u32, 3, u32::MAX] {
                    if let Err(fault) = chip.tile_write(tile, addr, &value.to_le_bytes()) {
                        check(&fault);
                    }
                }
            }
        }
    }
    assert!(answers > 5_000, "{answers}");
}
