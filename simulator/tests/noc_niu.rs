//! The NIUs as programs see them: corner cases of multicasts, translation, registers of every tile, malformed requests.

#[path = "support/asm.rs"]
mod asm;
#[path = "support/host.rs"]
mod host;
#[path = "support/initiator.rs"]
mod initiator;

use host::{Host, all_tiles, niu, pattern, tensix};
use initiator::{DATA, Registers, ask, counter, refused, write_to};
use tt_isa::arc;
use tt_isa::chip::{DRAM_APB_NIU, DRAM_APB_NIU_NOC_STRIDE, DRAM_APB_NIU_STRIDE, WORMHOLE};
use tt_isa::map::{DEBUG_REGS_BASE, L1_SIZE, SOFT_RESET_0};
use tt_isa::noc::{self, Ctrl, EDGE_NIU_BASE, NiuCfg, NocXy, atomic_increment, reg, tag};
use tt_isa::tlb::{ARC_APB_BAR0, PCIE_NIU_BAR0};
use tt_simulator::Blame;

#[test]
fn noc_1_wants_corners_the_other_way_round() {
    let (first, last) = (tensix(1, 1), tensix(3, 2));
    let registers = |start: NocXy, end: NocXy| {
        [
            (reg::TARG_ADDR_LO, DATA),
            (reg::TARG_ADDR_MID, start.mid_rect(end)),
            (reg::CTRL, (Ctrl::WR | Ctrl::WR_INLINE | Ctrl::BRCST_PACKET | Ctrl::RESP_MARKED).bits()),
            (reg::AT_LEN_BE, 0xF),
            (reg::AT_DATA, 7),
        ]
    };
    for (noc, right, wrong) in [(0, (first, last), (last, first)), (1, (last, first), (first, last))] {
        let mut host = Host::new();
        let own = tensix(0, 0);
        ask(&mut host, own, noc, &registers(right.0, right.1)).expect("a multicast");
        for tile in all_tiles() {
            let inside = (19..=21).contains(&tile.x) && (19..=20).contains(&tile.y);
            assert_eq!(host.read32(tile, DATA), if inside { 7 } else { 0 }, "{tile}");
        }
        assert_eq!(counter(&mut host, own, noc, reg::MST_WR_ACK_RECEIVED), 6);
        let fault = ask(&mut host, own, noc, &registers(wrong.0, wrong.1)).expect_err("wrong corners");
        assert_eq!(fault.blame, Blame::Program, "{fault}");
    }
}

#[test]
fn tiles_opt_out_of_broadcasts() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    let row = WORMHOLE.tensix_y[1];
    let at = niu(0, reg::ROUTER_CFG_3);
    let mask = host.read32(tensix(1, 1), at);
    // Rows without Tensix tiles, and the harvested one.
    assert_eq!(mask, 1 | 1 << 6 | 1 << 11);
    assert_eq!(host.read32(tensix(1, 1), niu(1, reg::ROUTER_CFG_3)), 1 | 1 << 5 | 1 << 11);
    host.write32(tensix(1, 1), at, mask | 1 << row);
    host.multicast(tensix(0, 0), tensix(2, 2), DATA.into(), &[1; 4]).expect("a multicast");
    assert_eq!([0, 1, 2].map(|x| host.read32(tensix(x, 1), DATA) != 0), [true, false, true]);
    let registers = [
        (reg::TARG_ADDR_MID, tensix(1, 1).mid_rect(tensix(1, 1))),
        (reg::CTRL, (Ctrl::WR | Ctrl::WR_INLINE | Ctrl::BRCST_PACKET).bits()),
    ];
    let fault = ask(&mut host, own, 0, &registers).expect_err("nobody receives it");
    assert!(fault.what.contains("no tile receives"), "{fault}");
}

#[test]
fn a_posted_write_stores_its_header_twice() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(5, 1));
    host.write(own, DATA, &pattern(64, 3));
    let write = write_to(own, DATA, other, DATA);
    for (ctrl, at, stored) in [(Ctrl::WR, 0x5_0000, true), (Ctrl::WR | Ctrl::RESP_MARKED, 0x5_1000, false)] {
        let more = [
            (reg::CTRL, ctrl.bits()),
            (reg::AT_LEN_BE, 64),
            (reg::PACKET_TAG, tag::HEADER_STORE),
            (reg::AT_DATA, at >> 4),
        ];
        ask(&mut host, own, 0, &[&write[..], &more].concat()).expect("a write");
        assert_eq!(host.read(other, DATA, 64), pattern(64, 3));
        assert_eq!(host.read(other, at, 16) == pattern(16, 3), stored);
    }
    let fault = refused(&[(reg::PACKET_TAG, tag::DELIVER_TO_OVERLAY)]);
    assert_eq!((fault.blame, fault.page), (Blame::NotImplemented, Some("NoC/Overlay/README.md")));
}

#[test]
fn linked_requests_go_to_one_place() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    let first = write_to(own, DATA, tensix(1, 1), DATA);
    let linked = [(reg::CTRL, (Ctrl::WR | Ctrl::VC_LINKED).bits()), (reg::AT_LEN_BE, 16)];
    let other = write_to(own, DATA, tensix(1, 2), DATA);
    ask(&mut host, own, 0, &[&first[..], &linked].concat()).expect("a write");
    ask(&mut host, own, 0, &[(reg::CTRL, Ctrl::WR.bits())]).expect("the same tile");
    ask(&mut host, own, 0, &[&other[..], &linked].concat()).expect("the transaction had ended");
    let fault = ask(&mut host, own, 0, &first).expect_err("another tile");
    assert!(fault.what.contains("linked"), "{fault}");
}

#[test]
fn translation_tables_are_registers() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), NocXy::new(24, 24));
    let position = NocXy::new(8, 8);
    for noc in 0..2 {
        let [x, y] = [reg::X_ID_TRANSLATE_TABLE_0, reg::Y_ID_TRANSLATE_TABLE_0].map(|r| niu(noc, r + 12));
        let seen = if noc == 0 { position } else { position.mirrored(WORMHOLE.grid) };
        assert_eq!(host.read32(own, x) & 15, u32::from(seen.x));
        assert_eq!(host.read32(own, y) & 15, u32::from(seen.y));
        assert_eq!(
            host.read32(other, niu(noc, reg::NODE_ID)) & 0xFFF,
            u32::from(seen.x) | u32::from(seen.y) << 6
        );
        assert_eq!(host.read32(other, niu(noc, reg::NOC_ID_LOGICAL)), 24 | 24 << 6);
    }
    let write = |remote: NocXy| {
        [
            (reg::TARG_ADDR_LO, DATA),
            (reg::TARG_ADDR_MID, remote.mid()),
            (reg::CTRL, (Ctrl::WR | Ctrl::WR_INLINE).bits()),
            (reg::AT_LEN_BE, 0xF),
            (reg::AT_DATA, 3),
        ]
    };
    // Column 24 becomes the one that was column 25, and what was sent is in the register.
    let table = niu(0, reg::X_ID_TRANSLATE_TABLE_0 + 12);
    let old = host.read32(own, table);
    host.write32(own, table, old & !15 | 9);
    ask(&mut host, own, 0, &write(other)).expect("a write");
    assert_eq!([24, 25].map(|x| host.read32(NocXy::new(x, 24), DATA)), [0, 3]);
    assert_eq!(host.read32(own, niu(0, reg::TARG_ADDR_MID)), NocXy::new(9, 8).mid());
    // Without translation there is no such column.
    host.write32(own, niu(0, reg::NIU_CFG_0), 0);
    ask(&mut host, own, 0, &write(position)).expect("a write");
    assert_eq!(host.read32(other, DATA), 3);
    let fault = ask(&mut host, own, 0, &write(other)).expect_err("no such tile");
    assert!(fault.what.contains("(24,24)"), "{fault}");
}

#[test]
fn every_tile_has_its_nius() {
    let mut host = Host::new();
    let chip = &WORMHOLE;
    let harvested = NocXy::new(18, 27);
    let tiles = [
        (chip.dram[4].ports[1], noc::Endpoint::Dram.id(0, 2, 1)),
        (chip.pcie, noc::Endpoint::PcieOrEmpty.id(0, 0, 2)),
        (chip.arc, noc::Endpoint::Arc.id(0, 0, 0)),
        (harvested, noc::Endpoint::Tensix.id(0, 0, 72)),
    ];
    for (tile, endpoint) in tiles {
        let mut read = |register: u32| {
            let mut word = [0; 4];
            host.try_read(tile, EDGE_NIU_BASE + u64::from(niu(0, register)), &mut word).expect("a register");
            u32::from_le_bytes(word)
        };
        assert_eq!(read(reg::ENDPOINT_ID), endpoint, "{tile}");
        let off = if tile == harvested { NiuCfg::TILE_CLOCK_DISABLE } else { NiuCfg::empty() };
        assert_eq!(read(reg::NIU_CFG_0), (NiuCfg::TRANSLATION_ENABLE | off).bits());
    }
    let fault = host.try_read(harvested, DATA.into(), &mut [0; 4]).expect_err("fused off");
    assert!(fault.what.contains("harvested"), "{fault}");
    // DRAM and ARC show them among their peripherals too, of both NoCs; BAR 0 shows those of PCIe and ARC.
    let node = |at: NocXy| u32::from(at.x) | u32::from(at.y) << 6;
    for (n, y) in [4, 8, 3].into_iter().enumerate() {
        let at = NocXy::new(5, y);
        for (noc, seen) in [at, at.mirrored(chip.grid)].into_iter().enumerate() {
            let addr = DRAM_APB_NIU
                + DRAM_APB_NIU_STRIDE * n as u64
                + DRAM_APB_NIU_NOC_STRIDE * noc as u64
                + u64::from(reg::NODE_ID);
            let mut word = [0; 4];
            host.try_read(NocXy::new(5, 8), addr, &mut word).expect("a register");
            assert_eq!(u32::from_le_bytes(word) & 0xFFF, node(seen));
        }
    }
    for (noc, seen) in [chip.arc, chip.arc.mirrored(chip.grid)].into_iter().enumerate() {
        let apb = u64::from(arc::APB_NIU[noc] + reg::NODE_ID);
        let mut words = [[0; 4]; 2];
        host.chip.bar0_read(ARC_APB_BAR0 + apb, &mut words[0]).expect("a register");
        host.try_read(chip.arc, arc::NOC_XBAR + u64::from(arc::APB_BASE) + apb, &mut words[1])
            .expect("a register");
        assert_eq!(words.map(|word| u32::from_le_bytes(word) & 0xFFF), [node(seen); 2]);
        let mut word = [0; 4];
        host.chip.bar0_read(PCIE_NIU_BAR0[noc] + u64::from(reg::NODE_ID), &mut word).expect("a register");
        let pcie = [chip.pcie, chip.pcie.mirrored(chip.grid)][noc];
        assert_eq!(u32::from_le_bytes(word) & 0xFFF, node(pcie));
    }
    // DRAM counts what it answers.
    let port = chip.dram[0].ports[0];
    let own = tensix(0, 0);
    let registers = [
        (reg::TARG_ADDR_LO, 0),
        (reg::TARG_ADDR_MID, port.mid()),
        (reg::RET_ADDR_LO, DATA),
        (reg::RET_ADDR_MID, own.mid()),
        (reg::CTRL, 0),
        (reg::AT_LEN_BE, 64),
    ];
    ask(&mut host, own, 0, &registers).expect("a read");
    let mut word = [0; 4];
    let at = EDGE_NIU_BASE + u64::from(niu(0, reg::SLV_RD_DATA_WORD_SENT));
    host.try_read(port, at, &mut word).expect("a register");
    assert_eq!(u32::from_le_bytes(word), 2);
    // These tiles cannot be made to send.
    let at = EDGE_NIU_BASE + u64::from(niu(0, reg::CMD_CTRL));
    assert_eq!(host.try_write(port, at, &[1, 0, 0, 0]).expect_err("no").blame, Blame::Program);
}

#[test]
fn acknowledgements_of_arc_have_lost_their_transaction() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    let mut write = write_to(own, DATA, WORMHOLE.arc, arc::CSM_BASE + 0x4000);
    write[3].1 |= (arc::NOC_XBAR >> 32) as u32;
    host.write(own, DATA, &pattern(32, 9));
    let more = [
        (reg::CTRL, (Ctrl::WR | Ctrl::RESP_MARKED).bits()),
        (reg::AT_LEN_BE, 32),
        (reg::PACKET_TAG, 4 << tag::TRANSACTION_ID_SHIFT),
    ];
    ask(&mut host, own, 0, &[&write[..], &more].concat()).expect("a write");
    let mut out = [0; 32];
    let at = arc::NOC_XBAR + u64::from(arc::CSM_BASE) + 0x4000;
    host.try_read(WORMHOLE.arc, at, &mut out).expect("CSM");
    assert_eq!(out[..], pattern(32, 9));
    let ids = [0, 4].map(|id| counter(&mut host, own, 0, reg::MST_REQS_OUTSTANDING_ID + 4 * id));
    assert_eq!(ids, [0xFF, 1]);
}

#[test]
fn malformed_requests_are_refused() {
    let rect = tensix(1, 1).mid_rect(tensix(2, 2));
    let vc = Ctrl::static_vc;
    let cases: [(&str, Registers); 12] = [
        ("reserved request type", &[(reg::CTRL, (Ctrl::AT | Ctrl::WR).bits())]),
        ("reserved bits", &[(reg::CTRL, Ctrl::WR.bits() | 1 << 20)]),
        ("own end", &[(reg::TARG_ADDR_MID, tensix(2, 0).mid())]),
        (
            "read from a rectangle",
            &[
                (reg::CTRL, Ctrl::BRCST_PACKET.bits()),
                (reg::TARG_ADDR_MID, rect),
                (reg::RET_ADDR_MID, tensix(0, 0).mid()),
            ],
        ),
        ("class 2", &[(reg::CTRL, (Ctrl::WR | vc(2)).bits())]),
        (
            "class 0",
            &[(reg::CTRL, (Ctrl::WR | Ctrl::BRCST_PACKET | vc(0)).bits()), (reg::RET_ADDR_MID, rect)],
        ),
        ("0 bytes", &[(reg::AT_LEN_BE, 0)]),
        ("modulo 16", &[(reg::RET_ADDR_LO, DATA + 4)]),
        ("4 aligned bytes", &[(reg::RET_ADDR_LO, DEBUG_REGS_BASE + SOFT_RESET_0)]),
        (
            "not a multiple of 32",
            &[(reg::CTRL, (Ctrl::WR | Ctrl::WR_BE).bits()), (reg::RET_ADDR_LO, DATA + 16)],
        ),
        (
            "L1 only",
            &[
                (reg::CTRL, Ctrl::AT.bits()),
                (reg::TARG_ADDR_LO, 0),
                (reg::TARG_ADDR_MID, WORMHOLE.dram[0].ports[0].mid()),
                (reg::AT_LEN_BE, atomic_increment(0)),
            ],
        ),
        (
            "neither Tensix nor Ethernet",
            &[
                (reg::CTRL, (Ctrl::WR | Ctrl::WR_INLINE).bits()),
                (reg::TARG_ADDR_MID, WORMHOLE.dram[0].ports[0].mid()),
            ],
        ),
    ];
    for (what, registers) in cases {
        let fault = refused(registers);
        assert!(fault.what.contains(what), "{what}: {fault}");
        assert_eq!((fault.blame, fault.page.is_some()), (Blame::Program, true), "{fault}");
    }
}

#[test]
fn a_refused_request_does_not_hold_up_the_next() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    for (to, at) in [(tensix(1, 1), L1_SIZE), (tensix(1, 2), DATA)] {
        let more = [(reg::CTRL, Ctrl::WR.bits()), (reg::AT_LEN_BE, 16), (reg::CMD_CTRL, 1)];
        for (register, value) in write_to(own, DATA, to, at).into_iter().chain(more) {
            host.write32(own, niu(0, register), value);
        }
    }
    host.write(own, DATA, &pattern(16, 1));
    host.run().expect_err("beyond L1");
    host.settle();
    assert_eq!(host.read(tensix(1, 2), DATA, 16), pattern(16, 1));
}
