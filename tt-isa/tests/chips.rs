//! Facts of both chips, compared with independent sources: the vendor's simulator, or software that runs on cards.

use tt_isa::arc::HarvestTag;
use tt_isa::cfg::{CfgField, Space};
use tt_isa::chip::blackhole::{BOARDS, PHYSICAL_COLUMNS, Present, config, tables, thread};
use tt_isa::chip::wormhole::{config as wormhole, thread as wormhole_thread};
use tt_isa::chip::{BLACKHOLE, CHIPS, Chip, GRAYSKULL, Harvesting, Identity, WORMHOLE, identify};
use tt_isa::noc::{NocXy, Translation};
use tt_isa::timing::{Timing, UnitTiming};
use tt_isa::tlb::{Ordering, TlbTarget};

const fn xy(x: u8, y: u8) -> NocXy {
    NocXy::new(x, y)
}

/// What code that runs on any chip relies on.
#[test]
fn limits_are_powers_of_two() {
    for chip in CHIPS {
        let noc = &chip.noc;
        let sizes = [noc.max_packet, noc.link_width, noc.read_congruence, noc.congruence, noc.cmd_buf_stride];
        assert!(sizes.iter().all(|size| size.is_power_of_two()), "{}", chip.name);
        assert!(noc.congruence <= noc.read_congruence && noc.read_congruence < 256, "{}", chip.name);
        let first = noc.registers.x_translate_table + 4 * noc.table_registers() as u32;
        assert!(first <= noc.registers.y_translate_table, "{}: tables overlap", chip.name);
    }
}

/// Registers hold what the tables say, tiles have the names that mean them, and both NoCs agree.
#[test]
fn names_mean_tiles() {
    for chip in CHIPS {
        for harvested in [0, 0b1, 0b10_0100] {
            let tables = (chip.naming.tables)(harvested);
            let words = chip.noc.table_words(&tables.x);
            assert_eq!(chip.noc.table(&words), tables.x, "{}", chip.name);
            let out = harvested.count_ones();
            for name in chip.workers(out) {
                let tile = chip.noc.position(&tables, name);
                assert_eq!((chip.naming.name)(&tables, tile), name, "{} {tile}", chip.name);
                let other = chip.noc.position(&tables.on(1, chip.grid), name);
                assert_eq!(other.mirrored(chip.grid), tile, "{} {name}", chip.name);
                let (list, at) = match chip.harvesting {
                    Harvesting::Rows => (chip.tensix_y, tile.y),
                    Harvesting::Columns => (chip.tensix_x, tile.x),
                };
                let n = list.iter().position(|&v| v == at).expect("a Tensix tile");
                assert_eq!(harvested >> n & 1, 0, "{} {name} is harvested", chip.name);
            }
            for (bank, ports) in chip.dram.iter().enumerate().filter(|_| chip.dram_translated.is_some()) {
                for (port, &tile) in ports.ports.iter().enumerate() {
                    assert_eq!((chip.naming.name)(&tables, tile), chip.dram_port(bank, port));
                }
            }
        }
    }
}

/// The tile that a name means on a Blackhole.
fn named(names: &Translation, tile: NocXy) -> NocXy {
    BLACKHOLE.noc.position(names, tile)
}

#[test]
fn chips_are_known_by_their_pci_id() {
    for chip in CHIPS {
        assert!(matches!(identify(chip.pci_id), Some(Identity::Chip(found)) if found.name == chip.name));
    }
    assert!(
        matches!(identify(0xFACA_1E52), Some(Identity::Undescribed(chip)) if chip.name == GRAYSKULL.name)
    );
    assert_eq!(GRAYSKULL.reasons.len(), 3);
    assert!(identify(0x1234_1E52).is_none());
}

/// Every tile position of a chip is on its grid and belongs to one tile only.
#[test]
fn tiles_do_not_collide() {
    for chip in CHIPS {
        let tensix = chip.tensix_y.iter().flat_map(|&y| chip.tensix_x.iter().map(move |&x| xy(x, y)));
        let ports = chip.dram.iter().flat_map(|bank| bank.ports.iter().copied());
        let mut ports: Vec<NocXy> = ports.collect();
        ports.sort_unstable();
        ports.dedup();
        let mut tiles: Vec<NocXy> =
            tensix.chain(ports).chain(chip.ethernet.iter().copied()).chain([chip.pcie, chip.arc]).collect();
        let count = tiles.len();
        tiles.sort_unstable();
        tiles.dedup();
        assert_eq!(tiles.len(), count, "{}", chip.name);
        assert!(tiles.iter().all(|tile| tile.x < chip.grid.x && tile.y < chip.grid.y), "{}", chip.name);
    }
}

#[test]
fn workers_are_the_tiles_that_are_left() {
    let n300: Vec<NocXy> = WORMHOLE.workers(2).collect();
    assert_eq!((n300.len(), n300[0], n300[8], n300[63]), (64, xy(18, 18), xy(18, 19), xy(25, 25)));
    assert_eq!(WORMHOLE.workers_grid(1), (8, 9));
    // p150 with recent firmware: 120 tiles; the translated columns have a gap.
    let p150: Vec<NocXy> = BLACKHOLE.workers(2).collect();
    assert_eq!(
        (p150.len(), p150[0], p150[7], p150[12], p150[119]),
        (120, xy(1, 2), xy(10, 2), xy(1, 3), xy(14, 11))
    );
    assert_eq!(BLACKHOLE.workers_grid(0), (14, 10));
}

#[test]
fn telemetry_says_how_many_are_harvested() {
    let HarvestTag::Harvested(4) = WORMHOLE.management.harvest else { panic!("tag 4") };
    assert_eq!(WORMHOLE.management.harvest.harvested(Some(0b1001), 10), 2);
    let HarvestTag::Enabled(34) = BLACKHOLE.management.harvest else { panic!("tag 34") };
    assert_eq!(BLACKHOLE.management.harvest.harvested(Some(0x3FFF & !0b101), 14), 2);
    assert_eq!(BLACKHOLE.management.harvest.harvested(None, 14), 0);
}

/// Registers as the vendor's simulator of a Blackhole shows them at tile (1,2).
#[test]
fn node_ids_are_those_of_the_vendors_simulator() {
    assert_eq!(BLACKHOLE.node_id(xy(1, 2), 0), 0x1061_1081);
    assert_eq!(BLACKHOLE.node_id(xy(1, 2), 1), 0x0061_124F);
    assert_eq!(BLACKHOLE.noc.node(xy(1, 2)), 0x81);
    assert_eq!(WORMHOLE.noc.node(xy(1, 2)), 0x810);
    assert_eq!(
        WORMHOLE.noc.node_rect(xy(18, 18), xy(25, 27)),
        (xy(25, 27).x as u32 | 27 << 6 | 18 << 12 | 18 << 18) << 4
    );
    assert_eq!(BLACKHOLE.noc.node_rect(xy(1, 2), xy(14, 11)), 2 << 18 | 1 << 12 | 11 << 6 | 14);
}

#[test]
fn a_whole_blackhole_is_translated() {
    let names = tables(&Present::ALL);
    for tile in BLACKHOLE.workers(0) {
        assert_eq!(named(&names, tile), tile);
    }
    for (bank, number) in BLACKHOLE.dram.iter().zip(0..) {
        for (&port, p) in bank.ports.iter().zip(0..) {
            assert_eq!(named(&names, BLACKHOLE.dram_port(number, p)), port, "bank {number} port {p}");
        }
    }
    assert_eq!(named(&names, xy(19, 24)), xy(2, 0));
    let other = tables(&Present { other_pcie: true, ..Present::ALL });
    assert_eq!(named(&other, xy(19, 24)), xy(11, 0));
    // Channels 4 and 7 are the ones that are left out here.
    let channels = [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13];
    for (x, channel) in (20..).zip(channels) {
        assert_eq!(named(&names, xy(x, 25)), BLACKHOLE.ethernet[channel]);
    }
    let column_8 = [(26, 3), (27, 9), (28, 5), (29, 7), (30, 2), (0, 0)];
    assert!(column_8.iter().all(|&(y, position)| named(&names, xy(8, y)) == xy(8, position)));
    // Rows 0 and 1 name columns as they are, also those that mean something else in other rows.
    assert_eq!(named(&names, xy(9, 0)), xy(9, 0));
    assert_eq!(BLACKHOLE.noc.table_words(&names.x)[0] & 0x3FF, 1 << 5);
    assert_eq!(BLACKHOLE.noc.table_words(&names.x)[3] >> 5 & 31, 19 - 18 + 1);
}

/// The tables that the vendor's simulator has: of a chip without bank 2.
#[test]
fn a_missing_bank_is_named_last() {
    let names = tables(&Present { missing_bank: Some(2), ..Present::ALL });
    assert_eq!([17, 18].map(|x| named(&names, xy(x, 12))), [xy(9, 0), xy(0, 0)]);
    let rows = |from: u8| [from, from + 1, from + 2].map(|y| named(&names, xy(17, y)).y);
    assert_eq!([12, 15, 18, 21].map(rows), [[0, 1, 11], [2, 10, 3], [5, 7, 6], [9, 4, 8]]);
    // The seven banks that are left have the first seven names: none of them is bank 2.
    let missing = BLACKHOLE.dram[2].ports;
    for bank in 0..7 {
        assert!(!missing.contains(&named(&names, BLACKHOLE.dram_port(bank, 0))), "{bank}");
    }
    let east = tables(&Present { missing_bank: Some(5), ..Present::ALL });
    assert_eq!([17, 18].map(|x| named(&east, xy(x, 12)).x), [0, 9]);
    assert_eq!(named(&east, BLACKHOLE.dram_port(3, 0)), BLACKHOLE.dram[1].ports[0]);
    assert!(
        (0..7).all(|bank| !BLACKHOLE.dram[5].ports.contains(&named(&east, BLACKHOLE.dram_port(bank, 1))))
    );
}

#[test]
fn harvested_columns_are_named_last() {
    // Physical columns 0 and 3 are NoC columns 1 and 15.
    let names = tables(&Present { tensix_columns: 0x3FFF & !0b1001, ..Present::ALL });
    let positions: Vec<u8> = BLACKHOLE.translated_x.iter().map(|&x| named(&names, xy(x, 5)).x).collect();
    assert_eq!(positions, [2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 16, 15, 1]);
    let left: Vec<NocXy> = BLACKHOLE.workers(2).map(|tile| named(&names, tile)).collect();
    assert!(left.iter().all(|tile| tile.x != 1 && tile.x != 15));
    // Every pair of columns.
    for (a, &column) in PHYSICAL_COLUMNS.iter().enumerate() {
        for b in 0..a {
            let names = tables(&Present { tensix_columns: 0x3FFF & !(1 << a | 1 << b), ..Present::ALL });
            let left: Vec<u8> = BLACKHOLE.workers(2).take(12).map(|tile| named(&names, tile).x).collect();
            assert!(left.windows(2).all(|pair| pair[0] < pair[1]), "{left:?}");
            assert!(!left.contains(&column) && !left.contains(&PHYSICAL_COLUMNS[b]));
        }
    }
}

#[test]
fn blackhole_boards_have_what_their_data_sheets_say() {
    let of = |name: &str| BOARDS.iter().find(|board| board.name == name).expect("a board");
    let tiles = |name: &str| BLACKHOLE.workers(of(name).harvested_columns.into()).count();
    assert_eq!((tiles("p100"), tiles("p150"), tiles("p300")), (120, 120, 120));
    let banks = |name: &str| BLACKHOLE.dram.len() - usize::from(of(name).missing_banks);
    assert_eq!((banks("p100"), banks("p150")), (7, 8));
    for (i, board) in BOARDS.iter().enumerate() {
        assert_eq!(board.pcie.len(), usize::from(board.chips));
        assert!(usize::from(board.unused_ethernet) <= BLACKHOLE.ethernet.len());
        for other in &BOARDS[i + 1..] {
            assert!(board.types.iter().all(|id| !other.types.contains(id)), "{} {}", board.name, other.name);
        }
        for &endpoint in board.pcie {
            let present = Present { other_pcie: endpoint != BLACKHOLE.pcie, ..Present::ALL };
            assert_eq!(named(&tables(&present), xy(19, 24)), endpoint);
        }
    }
}

#[test]
fn windows_do_not_overlap_and_entries_come_back() {
    for chip in CHIPS {
        let mut next = 0;
        for group in chip.host.groups {
            assert_eq!(group.first, next, "{}", chip.name);
            next += group.count;
            let (_, bytes) = chip.host.bars.iter().find(|(bar, _)| *bar == group.bar).expect("a BAR");
            let end = group.offset + u64::from(group.count) * group.window_bytes();
            assert!(end <= *bytes && (group.bar != 0 || end <= chip.host.config), "{}", chip.name);
            for ordering in [Ordering::Default, Ordering::Strict, Ordering::Posted] {
                let target = TlbTarget {
                    addr: 0x7_0000_0000,
                    end: xy(25, 27),
                    start: xy(18, 19),
                    noc: 1,
                    multicast: true,
                    ordering,
                    static_vc: true,
                };
                assert_eq!(group.decode(group.encode(&target)), Some(target));
                assert!(group.encode(&target) >> (8 * chip.host.entry_bytes) == 0);
            }
        }
        let end = chip.host.entry(chip.host.windows());
        assert!(chip.host.driver_window < chip.host.windows() && end < chip.host.pcie_niu[0]);
    }
}

/// Bits as the vendor's drivers write them.
#[test]
fn window_entries_of_a_blackhole() {
    let target =
        TlbTarget { ordering: Ordering::Strict, ..TlbTarget::rect(xy(1, 2), xy(14, 11), 3 << 32 | 5 << 21) };
    let [small, large] = [0, 1].map(|group| BLACKHOLE.host.groups[group].encode(&target));
    let corners = 14 | 11 << 6 | 1 << 12 | 2 << 18;
    assert_eq!(small, (3 << 11 | 5) | corners << 43 | 1 << 69 | 1 << 70);
    assert_eq!(large, 3 | corners << 32 | 1 << 58 | 1 << 59);
}

fn check_fields(chip: &Chip, fields: &[CfgField], words: u32) {
    for (i, field) in fields.iter().enumerate() {
        assert!(field.index < words && field.shift + field.width <= 32, "{}: {field:?}", chip.name);
        for other in fields[i + 1..].iter().take_while(|other| other.index == field.index) {
            assert_eq!(field.mask() & other.mask(), 0, "{}: {field:?} and {other:?}", chip.name);
        }
        assert!(
            fields[i + 1..].iter().all(|other| other.name != field.name),
            "{}: {field:?} twice",
            chip.name
        );
    }
    let place = |field: &CfgField| (field.index, field.shift);
    assert!(fields.windows(2).all(|pair| place(&pair[0]) < place(&pair[1])), "{}", chip.name);
}

#[test]
fn configuration_fields_do_not_overlap() {
    for chip in CHIPS {
        check_fields(chip, chip.registers.config, chip.registers.bank_words);
        check_fields(chip, chip.registers.thread, chip.registers.thread_words);
    }
}

/// How much of Blackhole's configuration is Wormhole's.
#[test]
fn registers_moved() {
    let count = |now: &[CfgField], before: &[CfgField]| {
        let mut count = [0; 3];
        for field in now {
            let kind = match before.iter().find(|other| other.name == field.name) {
                Some(other) if other == field => 0,
                Some(_) => 1,
                None => 2,
            };
            count[kind] += 1;
        }
        count
    };
    // In place, moved or changed, new.
    assert_eq!(count(BLACKHOLE.registers.config, WORMHOLE.registers.config), [37, 469, 91]);
    assert_eq!(count(BLACKHOLE.registers.thread, WORMHOLE.registers.thread), [8, 173, 42]);
}

/// What our kernels use.
#[test]
fn fields_are_found_on_each_chip() {
    let at = |field: CfgField| {
        assert_eq!(field.on(&WORMHOLE.registers), field);
        let found = field.on(&BLACKHOLE.registers);
        (found.index, found.shift, found.width)
    };
    assert_eq!(at(wormhole::ECC_SCRUBBER_Enable), (3, 0, 1));
    assert_eq!(at(wormhole::PCK0_ADDR_CTRL_XY_REG_0_Ystride), (12, 16, 16));
    assert_eq!(at(wormhole::PCK_DEST_RD_CTRL_Read_32b_data), (18, 0, 1));
    assert_eq!(at(wormhole::UNP0_ADDR_CTRL_ZW_REG_1_Wstride), (57, 16, 16));
    assert_eq!(at(wormhole::THCON_SEC0_REG1_Pack_L1_Acc), (71, 19, 1));
    assert_eq!(at(wormhole::THCON_SEC0_REG1_Disable_pack_zero_flags), (70, 2, 1));
    assert_eq!(at(wormhole::THCON_SEC1_REG3_Base_address), (124, 0, 32));
    assert_eq!(at(wormhole::DEST_TARGET_REG_CFG_PACK_SEC3_Offset), (183, 0, 12));
    assert_eq!(at(wormhole::RISCV_IC_INVALIDATE_InvalidateAll), (185, 0, 5));
    assert_eq!(at(wormhole::PRNG_SEED_Seed_Val), (186, 0, 32));
    assert_eq!(at(wormhole_thread::FIDELITY_BASE_Phase), (11, 0, 2));
    assert_eq!(at(wormhole_thread::ADDR_MOD_AB_SEC7_SrcBIncr), (19, 8, 6));
    assert_eq!(at(wormhole_thread::ADDR_MOD_DST_SEC2_DestIncr), (30, 0, 10));
    let gone = |space, name| BLACKHOLE.registers.named(space, name).is_none();
    assert!(gone(Space::Config, "TRISC_RESET_PC_SEC0_PC") && gone(Space::Thread, "ADDR_MOD_SET_Base"));
    assert!(gone(Space::Thread, "ADDR_MOD_PACK_SEC4_YsrcIncr"));
    assert_eq!((config::DEST_ACCESS_CFG_swizzle_32b.index, thread::SFPU_DEST_FMT_Base.index), (220, 4));
}

/// The waiting conditions of a chip are different bits, all within the operand.
#[test]
fn conditions_fit_the_instruction() {
    for chip in CHIPS {
        let until = &chip.until;
        let bits = [
            until.thcon,
            until.unpack,
            until.pack,
            until.math,
            until.srca_clear,
            until.srcb_clear,
            until.srca_valid,
            until.srcb_valid,
            until.xmov,
            until.riscv,
            until.sfpu,
            until.config.unwrap_or(0),
        ];
        let operand = chip.insn.named("STALLWAIT").expect("every chip has it").fields[1];
        assert_eq!(bits.iter().sum::<u32>(), operand.mask(), "{}", chip.name);
        assert_eq!(until.unpack0 & until.unpack, until.unpack0);
    }
}

/// A cost of the timed mode that is zero would be something that takes no time.
#[test]
fn every_cost_is_known() {
    for chip in CHIPS {
        let Some(timing) = chip.timing else { continue };
        // Those are indices.
        let unit = UnitTiming { unpack_together: [[[1; 2]; 3]; 3], ..timing.unit };
        let text = format!("{:?}", Timing { unit, ..*timing });
        let words = text.split([' ', ',', '[', ']', '{', '}']);
        let costs: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        assert!(costs.len() > 90, "{}: {} costs", chip.name, costs.len());
        let unknown = costs.iter().position(|&cost| cost == 0);
        assert_eq!(unknown, None, "{}: a cost is not known: {text}", chip.name);
    }
}
