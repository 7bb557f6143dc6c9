//! The NoC as programs see it: every kind of request, its effects, counters and responses, and refused requests.

use crate::host::{COLUMNS, Host, ROWS, Request, all_tiles, copy, end, niu, pattern, poke, tensix, wait_for};
use crate::initiator::{DATA, ask, counter, refused, write_to};
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::{
    Ctrl, NiuRegisters, NocXy, atomic_compare_and_swap, atomic_increment, atomic_swap, atomic_swap_mask, reg,
    tag,
};
use tt_simulator::Blame;

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

/// DRAM to L1, L1 to another tile, a word to a third; each waits for its response.
fn transfers(noc: u32, own: NocXy, other: NocXy, third: NocXy) -> Vec<u32> {
    let dram = WORMHOLE.dram[0];
    // Translated coordinates name Tensix tiles on both NoCs; DRAM is where the NoC counts it.
    let port = if noc == 0 { dram.ports[0] } else { dram.ports[0].mirrored(WORMHOLE.grid) };
    let read = Request {
        noc,
        ctrl: Ctrl::RESP_MARKED,
        target: (port, dram.base as u32 + 0x1000),
        ret: (own, DATA),
        len: WORMHOLE.noc.max_packet,
        data: 0,
    };
    let write = Request {
        ctrl: Ctrl::WR | Ctrl::RESP_MARKED,
        target: (own, DATA + 64),
        ret: (other, DATA + 0x4000),
        len: 100,
        ..read
    };
    let inline = Request {
        ctrl: Ctrl::WR | Ctrl::WR_INLINE | Ctrl::RESP_MARKED,
        target: (third, DATA + 0x5004),
        len: 0xF0,
        data: 0xCAFE_F00D,
        ..read
    };
    [
        read.program(),
        wait_for(niu(noc, reg::MST_RD_RESP_RECEIVED), 1),
        write.program(),
        wait_for(niu(noc, reg::MST_WR_ACK_RECEIVED), 1),
        inline.program(),
        wait_for(niu(noc, reg::MST_WR_ACK_RECEIVED), 2),
        poke(DATA + 0x6000, 1),
        end(),
    ]
    .concat()
}

#[test]
fn noc_requests_on_both_nocs() {
    for noc in 0..2 {
        let mut host = Host::new();
        let (own, other, third) = (tensix(2, 3), tensix(7, 0), tensix(0, 8));
        let dram = WORMHOLE.dram[0];
        let data = pattern(WORMHOLE.noc.max_packet as usize, 3);
        host.try_write(dram.ports[0], dram.base + 0x1000, &data).expect("DRAM");
        host.load(own, RiscV::Brisc, &transfers(noc, own, other, third));
        host.release(own, &[RiscV::Brisc]);
        host.settle();
        assert_eq!(host.read32(own, DATA + 0x6000), 1, "it has seen all responses");
        assert!(host.read(own, DATA, data.len()) == data);
        assert_eq!(host.read(other, DATA + 0x4000, 104), [&data[64..164], &[0; 4]].concat());
        assert_eq!(host.read32(third, DATA + 0x5004), 0xCAFE_F00D);
        let counters = host.chip.counters();
        assert_eq!(
            (counters.noc_requests, counters.noc_bytes),
            (3, u64::from(WORMHOLE.noc.max_packet) + 100 + 4)
        );
    }
}

/// Adds 1 to a word of tile (0,0) `times` times, each time waiting for the old value, then stores the last of them.
fn increments(own: NocXy, times: u32) -> Vec<u32> {
    let request = Request {
        noc: 0,
        ctrl: Ctrl::AT | Ctrl::RESP_MARKED,
        target: (tensix(0, 0), DATA + 4),
        ret: (own, DATA + 0x100),
        len: atomic_increment(1),
        data: 1,
    };
    let responses = |n| wait_for(niu(0, reg::MST_ATOMIC_RESP_RECEIVED), n);
    let rounds = (1..=times).flat_map(|n| [request.program(), responses(n)].concat());
    rounds.chain(copy(DATA + 0x100, DATA + 0x200)).chain(end()).collect()
}

#[test]
fn atomics_from_everywhere_add_up_on_any_number_of_threads() {
    const TIMES: u32 = 3;
    let outcome = |threads| {
        let mut host = Host::with_threads(threads);
        for tile in all_tiles() {
            host.load(tile, RiscV::Brisc, &increments(tile, TIMES));
            host.release(tile, &[RiscV::Brisc]);
        }
        host.settle();
        let seen: Vec<u32> = all_tiles().map(|tile| host.read32(tile, DATA + 0x200)).collect();
        (host.read32(tensix(0, 0), DATA + 4), seen, host.chip.counters())
    };
    let (sum, seen, counters) = outcome(1);
    assert_eq!(sum, TIMES * u32::from(COLUMNS) * u32::from(ROWS));
    // Every request had a turn of its own, so no two tiles saw the same value last.
    let mut sorted = seen.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), seen.len());
    for threads in [2, 5] {
        assert_eq!(outcome(threads), (sum, seen.clone(), counters), "{threads} threads");
    }
}

#[test]
fn a_core_multicasts_and_is_answered_by_all() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    for (include, answers) in [(Ctrl::empty(), 5), (Ctrl::BRCST_SRC_INCLUDE, 6)] {
        host.write(own, DATA, &pattern(64, 9));
        let rect = WORMHOLE.noc.node_rect(tensix(0, 0), tensix(2, 1));
        let write = Request {
            noc: 0,
            ctrl: Ctrl::WR | Ctrl::RESP_MARKED | Ctrl::BRCST_PACKET | include,
            target: (own, DATA),
            ret: (tensix(2, 1), DATA + 0x400),
            len: 64,
            data: 0,
        };
        let mut program = write.program();
        // The rectangle's other corner: both are in one register.
        let at = program.len() - poke(0, 0).len();
        program.splice(at..at, poke(niu(0, REG.ret_node), rect));
        let before = host.read32(own, niu(0, reg::MST_WR_ACK_RECEIVED));
        program.extend(wait_for(niu(0, reg::MST_WR_ACK_RECEIVED), before + answers));
        program.extend(copy(niu(0, reg::MST_WR_ACK_RECEIVED), DATA + 0x800));
        program.extend(end());
        host.load(own, RiscV::Brisc, &program);
        host.release(own, &[]);
        host.release(own, &[RiscV::Brisc]);
        host.settle();
        assert_eq!(host.read32(own, DATA + 0x800), before + answers);
        assert_eq!(host.read(tensix(1, 1), DATA + 0x400, 64), pattern(64, 9));
        let own_copy = host.read(own, DATA + 0x400, 64);
        assert_eq!(own_copy == pattern(64, 9), !include.is_empty());
        assert_eq!(host.read32(tensix(3, 1), DATA + 0x400), 0);
    }
}

#[test]
fn noc_requests_that_do_not_line_up_are_refused() {
    let own = tensix(0, 0);
    let dram = WORMHOLE.dram[0];
    let read = Request {
        noc: 0,
        ctrl: Ctrl::RESP_MARKED,
        target: (dram.ports[0], dram.base as u32 + 0x1000),
        ret: (own, DATA + 16),
        len: 64,
        data: 0,
    };
    let requests = [
        // DRAM reads agree modulo 32, others modulo 16.
        (read, "modulo 32"),
        (Request { target: (tensix(1, 1), 0x100), ret: (own, DATA + 8), ..read }, "modulo 16"),
        (
            Request {
                target: (tensix(1, 1), 0x108),
                ret: (own, DATA + 8),
                len: WORMHOLE.noc.max_packet + 1,
                ..read
            },
            "8193 bytes",
        ),
        (Request { target: (NocXy::new(0, 2), 0), ret: (own, DATA), ..read }, "(0,2)"),
        (Request { target: (tensix(1, 1), WORMHOLE.tile.l1_size - 32), ret: (own, DATA), ..read }, "0x"),
    ];
    for (request, what) in requests {
        let mut host = Host::new();
        host.load(own, RiscV::Brisc, &[request.program(), end()].concat());
        host.release(own, &[RiscV::Brisc]);
        let fault = host.run().expect_err(what);
        assert_eq!(fault.blame, Blame::Program, "{fault}");
        assert!(fault.what.contains(what), "{fault}");
        assert!(fault.at.tile.is_some(), "{fault}");
    }
}

#[test]
fn a_request_of_the_host_is_delivered_while_all_cores_are_held() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(5, 5));
    host.write(own, DATA, &pattern(64, 1));
    let registers = [
        (REG.targ_lo, DATA),
        (REG.targ_node, WORMHOLE.noc.node(own)),
        (REG.ret_lo, DATA + 0x100),
        (REG.ret_node, WORMHOLE.noc.node(other)),
        (REG.ctrl, (Ctrl::WR | Ctrl::RESP_MARKED).bits()),
        (REG.at_len_be, 64),
        (REG.cmd_ctrl, 1),
    ];
    for (register, value) in registers {
        host.write32(own, niu(0, register), value);
    }
    host.settle();
    assert_eq!(host.read(other, DATA + 0x100, 64), pattern(64, 1));
    assert_eq!(host.read32(own, niu(0, reg::MST_WR_ACK_RECEIVED)), 1);
}

#[test]
fn a_read_is_answered_whatever_resp_marked_says() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(1, 0));
    host.write(other, DATA, &pattern(32, 4));
    let read =
        Request { noc: 0, ctrl: Ctrl::empty(), target: (other, DATA), ret: (own, DATA), len: 32, data: 0 };
    host.load(
        own,
        RiscV::Brisc,
        &[read.program(), wait_for(niu(0, reg::MST_RD_RESP_RECEIVED), 1), poke(DATA + 64, 1), end()].concat(),
    );
    host.release(own, &[RiscV::Brisc]);
    host.settle();
    assert_eq!((host.read(own, DATA, 32), host.read32(own, DATA + 64)), (pattern(32, 4), 1));
    assert_eq!(host.read32(own, niu(0, reg::MST_REQS_OUTSTANDING_ID)), 0);
}

#[test]
fn requests_in_flight_are_counted_in_eight_bits() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    // One request of transaction 0, acknowledged by three receivers: 1 - 3.
    let registers = [
        (REG.targ_lo, DATA),
        (REG.targ_node, WORMHOLE.noc.node_rect(tensix(1, 1), tensix(3, 1))),
        (REG.ctrl, (Ctrl::WR | Ctrl::WR_INLINE | Ctrl::RESP_MARKED | Ctrl::BRCST_PACKET).bits()),
        (REG.at_len_be, 0xF),
        (REG.cmd_ctrl, 1),
    ];
    for (register, value) in registers {
        host.write32(own, niu(0, register), value);
    }
    assert_eq!(host.read32(own, niu(0, reg::MST_REQS_OUTSTANDING_ID)), 1);
    host.settle();
    assert_eq!(host.read32(own, niu(0, reg::MST_WR_ACK_RECEIVED)), 3);
    assert_eq!(host.read32(own, niu(0, reg::MST_REQS_OUTSTANDING_ID)), 0xFE);
}

#[test]
fn byte_enables_select_bytes() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(3, 3));
    host.write(own, DATA, &pattern(32, 5));
    host.write(other, DATA + 64, &[0xEE; 32]);
    let write = write_to(own, DATA, other, DATA + 64);
    let mask = 0x8F00_0FF1_u32;
    let more = [(REG.ctrl, (Ctrl::WR | Ctrl::WR_BE | Ctrl::RESP_MARKED).bits()), (REG.at_len_be, mask)];
    ask(&mut host, own, 0, &[&write[..], &more].concat()).expect("a write");
    let expected: Vec<u8> =
        pattern(32, 5).iter().enumerate().map(|(i, &b)| if mask >> i & 1 == 1 { b } else { 0xEE }).collect();
    assert_eq!(host.read(other, DATA + 64, 32), expected);
    // A register is always written as a whole.
    let register = niu(1, REG.at_data);
    host.write32(own, DATA + register % 16, 0x8765_4321);
    let write = write_to(own, DATA + register % 16, other, register);
    ask(&mut host, own, 0, &[&write[..], &[(REG.at_len_be, 1)]].concat()).expect("a write");
    assert_eq!(host.read32(other, register), 0x8765_4321);
}

#[test]
fn inline_writes_repeat_a_word_over_sixteen_bytes() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(2, 5));
    let registers = |at: u32, mask: u32| {
        [
            (REG.targ_lo, at),
            (REG.targ_node, WORMHOLE.noc.node(other)),
            (REG.ctrl, (Ctrl::WR | Ctrl::WR_INLINE).bits()),
            (REG.at_len_be, mask),
            (REG.at_data, 0xDDCC_BBAA),
        ]
    };
    // Bit i of either half is byte i of the aligned 16; the address does not shift them.
    ask(&mut host, own, 1, &registers(DATA + 4, 0x00F0)).expect("a write");
    assert_eq!(host.read(other, DATA, 16), [&[0; 4][..], &[0xAA, 0xBB, 0xCC, 0xDD], &[0; 8]].concat());
    ask(&mut host, own, 1, &registers(DATA + 0x100, 0x8000_0006)).expect("a write");
    let mut expected = [0; 16];
    (expected[1], expected[2], expected[15]) = (0xBB, 0xCC, 0xDD);
    assert_eq!(host.read(other, DATA + 0x100, 16), expected);
    // Registers ignore the mask. A request can make another tile send one of its own.
    let at = niu(1, REG.at_data);
    ask(&mut host, own, 1, &registers(at, 0)).expect("a write");
    assert_eq!(host.read32(other, at), 0xDDCC_BBAA);
    assert_eq!(counter(&mut host, own, 1, reg::MST_POSTED_WR_REQ_SENT), 3);
    assert_eq!(counter(&mut host, own, 1, reg::MST_WR_ACK_RECEIVED), 0);
}

#[test]
fn a_tile_can_make_another_send() {
    let mut host = Host::new();
    let (own, other, third) = (tensix(0, 0), tensix(7, 0), tensix(7, 7));
    host.write(other, DATA, &pattern(64, 8));
    let setup = write_to(other, DATA, third, DATA);
    for (register, value) in setup.into_iter().chain([(REG.ctrl, Ctrl::WR.bits()), (REG.at_len_be, 64)]) {
        host.write32(other, niu(0, register), value);
    }
    let start = [
        (REG.targ_lo, niu(0, REG.cmd_ctrl)),
        (REG.targ_node, WORMHOLE.noc.node(other)),
        (REG.ctrl, (Ctrl::WR | Ctrl::WR_INLINE | Ctrl::RESP_MARKED).bits()),
        (REG.at_data, 1),
    ];
    ask(&mut host, own, 0, &start).expect("a write");
    assert_eq!(host.read(third, DATA, 64), pattern(64, 8));
    assert_eq!(counter(&mut host, other, 0, reg::MST_POSTED_WR_REQ_SENT), 1);
}

#[test]
fn registers_are_read_over_the_noc() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(4, 4));
    let read = |at: u32, len: u32| {
        [
            (REG.targ_lo, at),
            (REG.targ_node, WORMHOLE.noc.node(other)),
            (REG.ret_lo, DATA + at % 16),
            (REG.ret_node, WORMHOLE.noc.node(own)),
            (REG.ctrl, 0),
            (REG.at_len_be, len),
        ]
    };
    let register = DEBUG_REGS_BASE + SOFT_RESET_0;
    ask(&mut host, own, 0, &read(register, 4)).expect("a read");
    assert_eq!(host.read32(own, DATA), SOFT_RESET_ALL);
    // Parts of a register are read as well, and no more than one.
    ask(&mut host, own, 0, &read(register + 1, 2)).expect("a read");
    assert_eq!(host.read(own, DATA + 1, 2), SOFT_RESET_ALL.to_le_bytes()[1..3]);
    let fault = ask(&mut host, own, 0, &read(register, 8)).expect_err("too much");
    assert_eq!((fault.blame, fault.page), (Blame::Program, Some("NoC/Alignment.md")));
}

#[test]
fn long_requests_are_split() {
    const LEN: u32 = 2 * WORMHOLE.noc.max_packet + 100;
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(1, 0));
    host.write(own, DATA, &pattern(LEN as usize, 2));
    let write = write_to(own, DATA, other, 0x4_0000);
    let more = [
        (REG.ctrl, (Ctrl::WR | Ctrl::RESP_MARKED).bits()),
        (REG.at_len_be, LEN),
        (REG.packet_tag, 5 << tag::TRANSACTION_ID_SHIFT),
    ];
    ask(&mut host, own, 0, &[&write[..], &more].concat()).expect("a write");
    assert!(host.read(other, 0x4_0000, LEN as usize) == pattern(LEN as usize, 2));
    let expected = [
        (reg::MST_CMD_ACCEPTED, 3),
        (reg::MST_NONPOSTED_WR_REQ_STARTED, 3),
        (reg::MST_NONPOSTED_WR_REQ_SENT, 3),
        (reg::MST_NONPOSTED_WR_DATA_WORD_SENT, 256 + 256 + 4),
        (reg::MST_WR_ACK_RECEIVED, 3),
        (reg::MST_REQS_OUTSTANDING_ID + 4 * 5, 0),
        (reg::MST_WRITE_REQS_OUTGOING_ID + 4 * 5, 0),
        // What is left in the initiator is the last packet.
        (REG.at_len_be, 100),
        (REG.targ_lo, DATA + 2 * WORMHOLE.noc.max_packet),
        (REG.ret_lo, 0x4_0000 + 2 * WORMHOLE.noc.max_packet),
    ];
    for (register, value) in expected {
        assert_eq!(counter(&mut host, own, 0, register), value, "{register:#x}");
    }
    assert_eq!(counter(&mut host, other, 0, reg::SLV_WR_ACK_SENT), 3);
    assert_eq!(counter(&mut host, other, 0, reg::SLV_NONPOSTED_WR_DATA_WORD_RECEIVED), 256 + 256 + 4);
    let fault = refused(&[(REG.at_len_be, WORMHOLE.noc.max_packet + 8), (REG.targ_lo, DATA + 8)]);
    assert!(fault.what.contains("8200 bytes"), "{fault}");
}

#[test]
fn outstanding_requests_are_counted_by_transaction() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    let write = write_to(own, DATA, tensix(1, 1), DATA);
    let more = [(REG.ctrl, (Ctrl::WR | Ctrl::RESP_MARKED).bits()), (REG.at_len_be, 16)];
    for (register, value) in write.into_iter().chain(more) {
        host.write32(own, niu(0, register), value);
    }
    for id in [3, 3, 7] {
        host.write32(own, niu(0, REG.packet_tag), 0xABCD_0000 | id << tag::TRANSACTION_ID_SHIFT);
        host.write32(own, niu(0, REG.cmd_ctrl), 1);
    }
    // Bits that do not exist read as zero.
    assert_eq!(counter(&mut host, own, 0, REG.packet_tag), 7 << tag::TRANSACTION_ID_SHIFT);
    let of = |table: u32, id: u32| table + 4 * id;
    for table in [reg::MST_REQS_OUTSTANDING_ID, reg::MST_WRITE_REQS_OUTGOING_ID] {
        assert_eq!([3, 7, 0].map(|id| counter(&mut host, own, 0, of(table, id))), [2, 1, 0]);
    }
    host.write32(own, niu(0, REG.clear_outstanding), 1 << 3);
    let ids = [3, 7].map(|id| counter(&mut host, own, 0, of(reg::MST_REQS_OUTSTANDING_ID, id)));
    assert_eq!(ids, [0, 1]);
    host.settle();
    // Two responses came for a counter that had been cleared.
    let ids = [3, 7].map(|id| counter(&mut host, own, 0, of(reg::MST_REQS_OUTSTANDING_ID, id)));
    assert_eq!(ids, [0xFE, 0]);
}

#[test]
fn both_sides_count_every_kind_of_request() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(6, 6));
    let ends = write_to(own, DATA, other, DATA);
    let turned = write_to(other, DATA, own, DATA);
    let posted = |ctrl: Ctrl| [(REG.ctrl, ctrl.bits()), (REG.at_len_be, 96)];
    let answered = |ctrl: Ctrl| [(REG.ctrl, (ctrl | Ctrl::RESP_MARKED).bits()), (REG.at_len_be, 96)];
    let atomic = |ctrl: Ctrl| [(REG.ctrl, ctrl.bits()), (REG.at_len_be, atomic_increment(0))];
    for registers in [
        [&ends[..], &posted(Ctrl::WR)].concat(),
        [&ends[..], &answered(Ctrl::WR)].concat(),
        [&turned[..], &posted(Ctrl::empty())].concat(),
        [&turned[..], &answered(Ctrl::WR | Ctrl::WR_INLINE)].concat(),
        [&turned[..], &posted(Ctrl::WR | Ctrl::WR_INLINE)].concat(),
        [&turned[..], &atomic(Ctrl::AT)].concat(),
        [&turned[..], &atomic(Ctrl::AT | Ctrl::RESP_MARKED)].concat(),
    ] {
        ask(&mut host, own, 1, &registers).expect("a request");
    }
    let sent = [1, 2, 1, 3, 7, 1, 1, 1, 3, 3, 2, 2, 2, 2, 1, 1];
    let received: [u32; 14] = [1, 2, 1, 3, 3, 1, 1, 1, 4, 4, 2, 2, 2, 2];
    for (i, value) in (0..).zip(sent) {
        let register = reg::MST_ATOMIC_RESP_RECEIVED + 4 * i;
        assert_eq!(counter(&mut host, own, 1, register), value, "{register:#x}");
        assert_eq!(counter(&mut host, own, 0, register), 0, "the other NoC");
    }
    for (i, value) in (0..).zip(received) {
        let register = reg::SLV_ATOMIC_RESP_SENT + 4 * i;
        assert_eq!(counter(&mut host, other, 1, register), value, "{register:#x}");
    }
}

#[test]
fn atomics_answer_with_what_was_there() {
    let mut host = Host::new();
    let (own, other) = (tensix(0, 0), tensix(1, 2));
    let line = [5_u32, 0x1111_FFFF, 7, 0x3333_3333];
    let steps = [
        (0, atomic_compare_and_swap(0, 5, 9), 0, [9, line[1], line[2], line[3]]),
        (4, atomic_increment(1), 2, [9, 0x1112_0001, line[2], line[3]]),
        (8, atomic_swap(2), 0xABCD_EF01, [9, 0x1112_0001, 0xABCD_EF01, line[3]]),
        (12, atomic_swap_mask(0x80), 0x5555_AAAA, [9, 0x1112_0001, 0xABCD_EF01, 0x5555_3333]),
    ];
    host.write(other, DATA, &line.map(u32::to_le_bytes).concat());
    for (at, operation, data, expected) in steps {
        let registers = [
            (REG.targ_lo, DATA + at),
            (REG.targ_node, WORMHOLE.noc.node(other)),
            (REG.ret_lo, DATA + 0x104),
            (REG.ret_node, WORMHOLE.noc.node(own)),
            (REG.ctrl, (Ctrl::AT | Ctrl::RESP_MARKED).bits()),
            (REG.at_len_be, operation),
            (REG.at_data, data),
        ];
        ask(&mut host, own, 0, &registers).expect("an atomic");
        assert_eq!(host.read(other, DATA, 16), expected.map(u32::to_le_bytes).concat());
        assert_eq!(host.read32(own, DATA + 0x104), line[at as usize / 4]);
    }
}

#[test]
fn atomics_are_multicast() {
    let mut host = Host::new();
    let own = tensix(0, 0);
    for (n, x) in (0..3).enumerate() {
        host.write32(tensix(x, 1), DATA, 10 * n as u32);
    }
    let registers = [
        (REG.targ_lo, DATA),
        (REG.targ_node, WORMHOLE.noc.node_rect(tensix(0, 1), tensix(2, 1))),
        (REG.ret_lo, DATA),
        (REG.ret_node, WORMHOLE.noc.node(own)),
        (REG.ctrl, (Ctrl::AT | Ctrl::BRCST_PACKET | Ctrl::RESP_MARKED).bits()),
        (REG.at_len_be, atomic_increment(0)),
        (REG.at_data, 1),
    ];
    ask(&mut host, own, 0, &registers).expect("atomics");
    assert_eq!([0, 1, 2].map(|x| host.read32(tensix(x, 1), DATA)), [1, 11, 21]);
    assert_eq!(counter(&mut host, own, 0, reg::MST_ATOMIC_RESP_RECEIVED), 3);
}
