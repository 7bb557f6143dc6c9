//! The NIUs as programs see them: corner cases of multicasts, translation, registers of every tile, malformed requests.

use crate::host::{Host, all_tiles, niu, pattern, tensix};
use crate::initiator::{DATA, Registers, ask, counter, refused, write_to};
use tt_isa::arc;
use tt_isa::chip::WORMHOLE;
use tt_isa::chip::wormhole::ARC_APB_BAR0;
use tt_isa::map::{DEBUG_REGS_BASE, SOFT_RESET_0};
use tt_isa::noc::{self, Ctrl, EDGE_NIU_BASE, NiuCfg, NiuRegisters, NocXy, atomic_increment, reg, tag};
use tt_simulator::Blame;

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

#[test]
fn noc_1_wants_corners_the_other_way_round() {
    let (first, last) = (tensix(1, 1), tensix(3, 2));
    let registers = |start: NocXy, end: NocXy| {
        [
            (REG.targ_lo, DATA),
            (REG.targ_node, WORMHOLE.noc.node_rect(start, end)),
            (REG.ctrl, (Ctrl::WR | Ctrl::WR_INLINE | Ctrl::BRCST_PACKET | Ctrl::RESP_MARKED).bits()),
            (REG.at_len_be, 0xF),
            (REG.at_data, 7),
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
        (REG.targ_node, WORMHOLE.noc.node_rect(tensix(1, 1), tensix(1, 1))),
        (REG.ctrl, (Ctrl::WR | Ctrl::WR_INLINE | Ctrl::BRCST_PACKET).bits()),
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
            (REG.ctrl, ctrl.bits()),
            (REG.at_len_be, 64),
            (REG.packet_tag, tag::HEADER_STORE),
            (REG.at_data, at >> 4),
        ];
        ask(&mut host, own, 0, &[&write[..], &more].concat()).expect("a write");
        assert_eq!(host.read(other, DATA, 64), pattern(64, 3));
        assert_eq!(host.read(other, at, 16) == pattern(16, 3), stored);
    }
    let fault = refused(&[(REG.packet_tag, tag::DELIVER_TO_OVERLAY)]);
    assert_eq!((fault.blame, fault.page), (Blame::NotImplemented, Some("NoC/Overlay/README.md")));
}

#[test]
fn linked_requests_go_to_one_place() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    let first = write_to(own, DATA, tensix(1, 1), DATA);
    let linked = [(REG.ctrl, (Ctrl::WR | Ctrl::VC_LINKED).bits()), (REG.at_len_be, 16)];
    let other = write_to(own, DATA, tensix(1, 2), DATA);
    ask(&mut host, own, 0, &[&first[..], &linked].concat()).expect("a write");
    ask(&mut host, own, 0, &[(REG.ctrl, Ctrl::WR.bits())]).expect("the same tile");
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
        let [x, y] = [REG.x_translate_table, REG.y_translate_table].map(|r| niu(noc, r + 12));
        let seen = if noc == 0 { position } else { position.mirrored(WORMHOLE.grid) };
        assert_eq!(host.read32(own, x) & 15, u32::from(seen.x));
        assert_eq!(host.read32(own, y) & 15, u32::from(seen.y));
        assert_eq!(
            host.read32(other, niu(noc, REG.node_id)) & 0xFFF,
            u32::from(seen.x) | u32::from(seen.y) << 6
        );
        assert_eq!(host.read32(other, niu(noc, REG.id_logical)), 24 | 24 << 6);
    }
    let write = |remote: NocXy| {
        [
            (REG.targ_lo, DATA),
            (REG.targ_node, WORMHOLE.noc.node(remote)),
            (REG.ctrl, (Ctrl::WR | Ctrl::WR_INLINE).bits()),
            (REG.at_len_be, 0xF),
            (REG.at_data, 3),
        ]
    };
    // Column 24 becomes the one that was column 25, and what was sent is in the register.
    let table = niu(0, REG.x_translate_table + 12);
    let old = host.read32(own, table);
    host.write32(own, table, old & !15 | 9);
    ask(&mut host, own, 0, &write(other)).expect("a write");
    assert_eq!([24, 25].map(|x| host.read32(NocXy::new(x, 24), DATA)), [0, 3]);
    assert_eq!(host.read32(own, niu(0, REG.targ_node)), WORMHOLE.noc.node(NocXy::new(9, 8)));
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
        assert_eq!(read(REG.endpoint_id), endpoint, "{tile}");
        let off = if tile == harvested { NiuCfg::TILE_CLOCK_DISABLE } else { NiuCfg::empty() };
        assert_eq!(read(reg::NIU_CFG_0), (NiuCfg::TRANSLATION_ENABLE | off).bits());
    }
    let fault = host.try_read(harvested, DATA.into(), &mut [0; 4]).expect_err("fused off");
    assert!(fault.what.contains("harvested"), "{fault}");
    // DRAM and ARC show them among their peripherals too, of both NoCs; BAR 0 shows those of PCIe and ARC.
    let node = |at: NocXy| u32::from(at.x) | u32::from(at.y) << 6;
    let blocks = chip.dram_niu.expect("known");
    for (n, y) in [4, 8, 3].into_iter().enumerate() {
        let at = NocXy::new(5, y);
        for (noc, seen) in [at, at.mirrored(chip.grid)].into_iter().enumerate() {
            let addr = blocks.base
                + blocks.tile_stride * n as u64
                + blocks.noc_stride * noc as u64
                + u64::from(REG.node_id);
            let mut word = [0; 4];
            host.try_read(NocXy::new(5, 8), addr, &mut word).expect("a register");
            assert_eq!(u32::from_le_bytes(word) & 0xFFF, node(seen));
        }
    }
    for (noc, seen) in [chip.arc, chip.arc.mirrored(chip.grid)].into_iter().enumerate() {
        let apb = u64::from(arc::APB_NIU[noc] + REG.node_id);
        let mut words = [[0; 4]; 2];
        host.chip.bar0_read(ARC_APB_BAR0 + apb, &mut words[0]).expect("a register");
        host.try_read(chip.arc, WORMHOLE.management.noc + u64::from(arc::APB_BASE) + apb, &mut words[1])
            .expect("a register");
        assert_eq!(words.map(|word| u32::from_le_bytes(word) & 0xFFF), [node(seen); 2]);
        let mut word = [0; 4];
        host.chip
            .bar0_read(WORMHOLE.host.pcie_niu[noc] + u64::from(REG.node_id), &mut word)
            .expect("a register");
        let pcie = [chip.pcie, chip.pcie.mirrored(chip.grid)][noc];
        assert_eq!(u32::from_le_bytes(word) & 0xFFF, node(pcie));
    }
    // DRAM counts what it answers.
    let port = chip.dram[0].ports[0];
    let own = tensix(0, 0);
    let registers = [
        (REG.targ_lo, 0),
        (REG.targ_node, WORMHOLE.noc.node(port)),
        (REG.ret_lo, DATA),
        (REG.ret_node, WORMHOLE.noc.node(own)),
        (REG.ctrl, 0),
        (REG.at_len_be, 64),
    ];
    ask(&mut host, own, 0, &registers).expect("a read");
    let mut word = [0; 4];
    let at = EDGE_NIU_BASE + u64::from(niu(0, reg::SLV_RD_DATA_WORD_SENT));
    host.try_read(port, at, &mut word).expect("a register");
    assert_eq!(u32::from_le_bytes(word), 2);
    // These tiles cannot be made to send.
    let at = EDGE_NIU_BASE + u64::from(niu(0, REG.cmd_ctrl));
    assert_eq!(host.try_write(port, at, &[1, 0, 0, 0]).expect_err("no").blame, Blame::Program);
}

#[test]
fn acknowledgements_of_arc_have_lost_their_transaction() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    let mut write = write_to(own, DATA, WORMHOLE.arc, arc::CSM_BASE + 0x4000);
    write[3].1 |= (WORMHOLE.management.noc >> 32) as u32;
    host.write(own, DATA, &pattern(32, 9));
    let more = [
        (REG.ctrl, (Ctrl::WR | Ctrl::RESP_MARKED).bits()),
        (REG.at_len_be, 32),
        (REG.packet_tag, 4 << tag::TRANSACTION_ID_SHIFT),
    ];
    ask(&mut host, own, 0, &[&write[..], &more].concat()).expect("a write");
    let mut out = [0; 32];
    let at = WORMHOLE.management.noc + u64::from(arc::CSM_BASE) + 0x4000;
    host.try_read(WORMHOLE.arc, at, &mut out).expect("CSM");
    assert_eq!(out[..], pattern(32, 9));
    let ids = [0, 4].map(|id| counter(&mut host, own, 0, reg::MST_REQS_OUTSTANDING_ID + 4 * id));
    assert_eq!(ids, [0xFF, 1]);
}

#[test]
fn malformed_requests_are_refused() {
    let rect = WORMHOLE.noc.node_rect(tensix(1, 1), tensix(2, 2));
    let vc = Ctrl::static_vc;
    let cases: [(&str, Registers); 12] = [
        ("reserved request type", &[(REG.ctrl, (Ctrl::AT | Ctrl::WR).bits())]),
        ("reserved bits", &[(REG.ctrl, Ctrl::WR.bits() | 1 << 20)]),
        ("own end", &[(REG.targ_node, WORMHOLE.noc.node(tensix(2, 0)))]),
        (
            "read from a rectangle",
            &[
                (REG.ctrl, Ctrl::BRCST_PACKET.bits()),
                (REG.targ_node, rect),
                (REG.ret_node, WORMHOLE.noc.node(tensix(0, 0))),
            ],
        ),
        ("class 2", &[(REG.ctrl, (Ctrl::WR | vc(2)).bits())]),
        ("class 0", &[(REG.ctrl, (Ctrl::WR | Ctrl::BRCST_PACKET | vc(0)).bits()), (REG.ret_node, rect)]),
        ("0 bytes", &[(REG.at_len_be, 0)]),
        ("modulo 16", &[(REG.ret_lo, DATA + 4)]),
        ("4 aligned bytes", &[(REG.ret_lo, DEBUG_REGS_BASE + SOFT_RESET_0)]),
        ("not a multiple of 32", &[(REG.ctrl, (Ctrl::WR | Ctrl::WR_BE).bits()), (REG.ret_lo, DATA + 16)]),
        (
            "L1 only",
            &[
                (REG.ctrl, Ctrl::AT.bits()),
                (REG.targ_lo, 0),
                (REG.targ_node, WORMHOLE.noc.node(WORMHOLE.dram[0].ports[0])),
                (REG.at_len_be, atomic_increment(0)),
            ],
        ),
        (
            "neither Tensix nor Ethernet",
            &[
                (REG.ctrl, (Ctrl::WR | Ctrl::WR_INLINE).bits()),
                (REG.targ_node, WORMHOLE.noc.node(WORMHOLE.dram[0].ports[0])),
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
    for (to, at) in [(tensix(1, 1), WORMHOLE.tile.l1_size), (tensix(1, 2), DATA)] {
        let more = [(REG.ctrl, Ctrl::WR.bits()), (REG.at_len_be, 16), (REG.cmd_ctrl, 1)];
        for (register, value) in write_to(own, DATA, to, at).into_iter().chain(more) {
            host.write32(own, niu(0, register), value);
        }
    }
    host.write(own, DATA, &pattern(16, 1));
    host.run().expect_err("beyond L1");
    host.settle();
    assert_eq!(host.read(tensix(1, 2), DATA, 16), pattern(16, 1));
}
