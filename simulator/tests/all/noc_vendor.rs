//! Random sequences of NoC requests, and of accesses to overlay registers, give the same memory and the same counters on
//! this simulator and on the vendor's.
//!
//! Only features that the vendor's simulator has: reads, writes, multicasts with reserved paths, increments of whole words.
//! Each request is made after the response to the one before.

use crate::support::vectors::difference;
use crate::support::{Program, Random, run_here, run_vendor, vendor_library};
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{NIU_BASE, NIU_STRIDE, NOC_OVERLAY_BASE, NOC_OVERLAY_STREAM_STRIDE};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, atomic_increment, reg, tag};
use tt_isa::overlay::reg as overlay;

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

const OWN: NocXy = NocXy::new(18, 18);
/// Programs and their results are here, also in the tiles.
const DATA: u32 = 0x1_0000;
const DATA_LEN: u32 = 0x8000;
/// Bytes of a request.
const LONGEST: u32 = DATA_LEN / 4;
const CASES: u64 = 60;
const REQUESTS: u32 = 12;

/// Counters and identification that both simulators have.
const REGISTERS: [u32; 12] = [
    REG.node_id,
    REG.id_logical,
    REG.x_translate_table + 8,
    REG.x_translate_table + 12,
    reg::MST_ATOMIC_RESP_RECEIVED,
    reg::MST_WR_ACK_RECEIVED,
    reg::MST_RD_RESP_RECEIVED,
    reg::MST_POSTED_ATOMIC_SENT,
    reg::MST_NONPOSTED_WR_REQ_SENT,
    reg::MST_POSTED_WR_REQ_SENT,
    reg::MST_REQS_OUTSTANDING_ID,
    reg::MST_REQS_OUTSTANDING_ID + 4 * 9,
];

/// Where one end of a request is in its half of the memory, aligned as every kind of request allows. The halves are
/// kept apart because the order within a packet that overlaps itself is nowhere defined.
fn offset(random: &mut Random) -> u32 {
    random.next() % (LONGEST / 32) * 32
}

fn request(p: &mut Program, random: &mut Random) {
    let noc = random.next() % 2;
    let base = NIU_BASE + noc * NIU_STRIDE + random.next() % 4 * WORMHOLE.noc.cmd_buf_stride;
    let respond = if random.next().is_multiple_of(2) { Ctrl::RESP_MARKED } else { Ctrl::empty() };
    let tensix =
        |random: &mut Random| NocXy::new(18 + (random.next() % 8) as u8, 18 + (random.next() % 5) as u8);
    let dram = WORMHOLE.dram[0].ports[0];
    let dram = if noc == 0 { dram } else { dram.mirrored(WORMHOLE.grid) };
    let other = if random.next().is_multiple_of(3) { dram } else { tensix(random) };
    let own = (DATA + offset(random), WORMHOLE.noc.node(OWN));
    let remote = (DATA + 2 * LONGEST + offset(random), WORMHOLE.noc.node(other));
    let len = 1 + random.next() % LONGEST;
    let (ctrl, target, ret, len) = match random.next() % 4 {
        0 => (Ctrl::RESP_MARKED, remote, own, len),
        1 => (Ctrl::WR | respond, own, remote, len),
        2 => {
            // Above the rows that differ between chips with and without a harvested row.
            let [a, b] = [tensix(random), tensix(random)];
            let first = NocXy::new(a.x.min(b.x), a.y.min(b.y));
            // At least two columns, so that at least one tile receives it.
            let last = NocXy::new(a.x.max(b.x).max(first.x + 1).min(25), a.y.max(b.y));
            let first = NocXy::new(first.x.min(last.x - 1), first.y);
            let rect = if noc == 0 {
                WORMHOLE.noc.node_rect(first, last)
            } else {
                WORMHOLE.noc.node_rect(last, first)
            };
            let include =
                if random.next().is_multiple_of(2) { Ctrl::BRCST_SRC_INCLUDE } else { Ctrl::empty() };
            let ctrl = Ctrl::WR | Ctrl::BRCST_PACKET | Ctrl::PATH_RESERVE | respond | include;
            (ctrl, own, (remote.0, rect), len)
        }
        _ => {
            let tile = tensix(random);
            (Ctrl::AT | Ctrl::RESP_MARKED, (remote.0, WORMHOLE.noc.node(tile)), own, atomic_increment(0))
        }
    };
    let id = if random.next().is_multiple_of(2) { 0 } else { 9 };
    for (register, value) in [
        (REG.targ_lo, target.0),
        (REG.targ_node, target.1),
        (REG.ret_lo, ret.0),
        (REG.ret_node, ret.1),
        (REG.packet_tag, id << tag::TRANSACTION_ID_SHIFT),
        (REG.ctrl, ctrl.bits()),
        (REG.at_len_be, len),
        (REG.at_data, random.next()),
        (REG.cmd_ctrl, 1),
    ] {
        p.write(base + register, value);
    }
    // Until it is delivered.
    (0..2).for_each(|_| p.delay());
}

/// Requests in random order, then the registers; the result is all memory that they could have changed in the own tile.
fn program(seed: u64) -> Program {
    let mut random = Random(seed);
    let registers = DATA + DATA_LEN;
    let mut p = Program::new(DATA..registers + 8 * REGISTERS.len() as u32);
    p.memory(DATA, random.bytes(DATA_LEN as usize));
    for _ in 0..REQUESTS {
        request(&mut p, &mut random);
    }
    for noc in 0..2 {
        for (i, register) in (0..).zip(REGISTERS) {
            p.copy(NIU_BASE + noc * NIU_STRIDE + register, registers + 4 * (2 * i + noc));
        }
    }
    p
}

/// Idle overlay streams as counters, in random order; the result is what their registers hold.
fn overlay_program(seed: u64) -> Program {
    let mut random = Random(seed);
    let shown = [
        overlay::REMOTE_SRC,
        overlay::REMOTE_DEST_BUF_START,
        overlay::REMOTE_DEST_BUF_SIZE,
        overlay::REMOTE_DEST_BUF_SPACE_AVAILABLE,
    ];
    let streams: [u32; 5] = [0, 3, 4, 12, 63];
    let at = |stream: u32, index: u32| NOC_OVERLAY_BASE + stream * NOC_OVERLAY_STREAM_STRIDE + 4 * index;
    let mut p = Program::new(DATA..DATA + 4 * (shown.len() * streams.len()) as u32);
    for _ in 0..40 {
        let stream = streams[random.next() as usize % streams.len()];
        let (index, value) = match random.next() % 4 {
            0 => (overlay::REMOTE_SRC, random.next() & 0xFF_FFFF),
            1 => (overlay::REMOTE_DEST_BUF_START, random.next()),
            2 => (overlay::REMOTE_DEST_BUF_SIZE, random.next()),
            _ => (overlay::REMOTE_DEST_BUF_SPACE_AVAILABLE_UPDATE, random.next() << 6),
        };
        p.write(at(stream, index), value);
    }
    for (n, stream) in streams.into_iter().enumerate() {
        for (i, index) in shown.into_iter().enumerate() {
            p.copy(at(stream, index), DATA + 4 * (n * shown.len() + i) as u32);
        }
    }
    p
}

#[test]
fn memory_and_counters_are_the_vendors() {
    compare("noc", CASES, program);
}

#[test]
fn overlay_counters_are_the_vendors() {
    compare("overlay", CASES / 4, overlay_program);
}

/// Runs programs made from seeds on both simulators.
fn compare(name: &str, cases: u64, program: impl Fn(u64) -> Program) {
    let Some(library) = vendor_library() else { return };
    for case in 1..=cases {
        let program = program(case.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let here = run_here(&program).unwrap_or_else(|fault| panic!("case {case}: {fault}"));
        let vendor = run_vendor(&library, &program, &format!("{name}{case}"))
            .unwrap_or_else(|error| panic!("case {case}: {error}"));
        let different = difference(&format!("case {case}"), &here, &vendor);
        assert_eq!(different, None, "{:?}", program.stores().collect::<Vec<_>>());
    }
}
