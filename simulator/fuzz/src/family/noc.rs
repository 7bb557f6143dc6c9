//! NoC requests of a tile to itself, to its partner and to DRAM: reads, writes, multicasts to the pair, in line, atomics, on
//! both NoCs, with sizes and alignments of every kind.

use tt_isa::chip::WORMHOLE;
use tt_isa::map::{NIU_BASE, NIU_STRIDE, RiscV};
use tt_isa::noc::{Ctrl, atomic_increment, reg};

use super::Family;
use super::build::{Builder, Part, READ};
use crate::case::{Action, Case, Data, Look, Remote, Request};
use crate::random::Random;

/// L1 that requests reach, in both tiles.
const AREA: u32 = 0x4_0000;
const AREA_BYTES: u32 = 0x8000;
/// L1 that is not part of the result.
const NOWHERE: u32 = AREA + AREA_BYTES;
/// Counters at the end, of both NIUs.
const COUNTERS: [u32; 6] = [
    reg::MST_ATOMIC_RESP_RECEIVED,
    reg::MST_WR_ACK_RECEIVED,
    reg::MST_RD_RESP_RECEIVED,
    reg::MST_POSTED_ATOMIC_SENT,
    reg::MST_NONPOSTED_WR_REQ_SENT,
    reg::MST_POSTED_WR_REQ_SENT,
];

pub fn generate(random: &mut Random) -> Case {
    let mut b = Builder::new(Family::Noc, random.pick(&RiscV::ALL));
    b.fill(AREA, AREA_BYTES / 4, Data::Bits, random);
    b.part(Part::Body);
    // What has to have come back or to be sent, of each NoC.
    let mut expected = [[0; WAITED.len()]; 2];
    for _ in 0..random.range(1, 12) {
        let request = request(random);
        let posted = !request.ctrl.contains(Ctrl::RESP_MARKED);
        let kind =
            if request.ctrl.contains(Ctrl::AT) { 2 } else { usize::from(request.ctrl.contains(Ctrl::WR)) };
        // Reads always have a response.
        let posted = posted && kind > 0;
        // A multicast is acknowledged by every receiver.
        let both = request.ctrl.contains(Ctrl::BRCST_SRC_INCLUDE) && !posted;
        expected[request.noc as usize][kind + if posted { 2 } else { 0 }] += 1 + u32::from(both);
        b.act(Action::Request(request));
        if random.chance(100) {
            wait(&mut b, &expected);
        }
    }
    b.part(Part::Dump);
    wait(&mut b, &expected);
    for noc in 0..2 {
        for counter in COUNTERS {
            b.read(NIU_BASE + NIU_STRIDE * noc + counter, 1);
        }
    }
    debug_assert!(b.case.looks.iter().all(|look| look.addr >= READ));
    b.case.looks.extend([
        Look::own(AREA, AREA_BYTES),
        Look { at: Remote::Partner, addr: AREA, len: AREA_BYTES },
        Look { at: Remote::Dram, addr: 0, len: AREA_BYTES },
    ]);
    b.case
}

/// Counters to wait for: responses to reads, writes, atomics; posted writes and atomics that are sent.
const WAITED: [u32; 5] = [
    reg::MST_RD_RESP_RECEIVED,
    reg::MST_WR_ACK_RECEIVED,
    reg::MST_ATOMIC_RESP_RECEIVED,
    reg::MST_POSTED_WR_REQ_SENT,
    reg::MST_POSTED_ATOMIC_SENT,
];

fn wait(b: &mut Builder, expected: &[[u32; WAITED.len()]; 2]) {
    for (noc, expected) in (0..).zip(expected) {
        for (counter, &count) in WAITED.into_iter().zip(expected) {
            if count > 0 {
                b.act(Action::Wait(NIU_BASE + NIU_STRIDE * noc + counter, count));
            }
        }
    }
}

fn request(random: &mut Random) -> Request {
    let remote = random.weighted(&[(4, Remote::Partner), (1, Remote::Own), (3, Remote::Dram)]);
    let base = if remote == Remote::Dram { 0 } else { AREA };
    let len = match random.below(4) {
        0 => random.range(1, 64),
        1 => 16 * random.range(1, 64),
        2 => WORMHOLE.noc.max_packet,
        _ => random.range(1, WORMHOLE.noc.max_packet),
    };
    let common = Request {
        noc: random.below(2),
        buffer: random.below(4),
        ctrl: Ctrl::empty(),
        remote,
        there: 0,
        here: 0,
        len,
        data: random.awkward(),
        id: if random.chance(64) { random.below(16) } else { 0 },
    };
    let span = AREA_BYTES - len;
    let answered = if random.chance(200) { Ctrl::RESP_MARKED } else { Ctrl::empty() };
    match random.below(8) {
        0..=2 => {
            // Data are not shifted: both ends agree modulo the remote one's alignment.
            let align = if remote == Remote::Dram { 32 } else { 16 };
            let low = random.below(align.min(span + 1));
            let there = (random.below(span + 1) & !(align - 1)) + low;
            let here = (random.below(span + 1) & !(align - 1)) + low;
            let (there, here) = (there.min(last(span, low, align)), here.min(last(span, low, align)));
            Request { ctrl: Ctrl::RESP_MARKED, there: base + there, here: AREA + here, ..common }
        }
        3..=5 => {
            let low = random.below(16.min(span + 1));
            let there = ((random.below(span + 1) & !15) + low).min(last(span, low, 16));
            let here = ((random.below(span + 1) & !15) + low).min(last(span, low, 16));
            let vc = if random.chance(64) { Ctrl::static_vc(random.below(2)) } else { Ctrl::empty() };
            let (there, here) = (base + there, AREA + here);
            if remote == Remote::Partner && random.chance(80) {
                // Data that the sender overwrites in itself are the next receiver's or not, as it happens.
                let apart = there.abs_diff(here) >= len;
                let own = if apart && random.chance(128) { Ctrl::BRCST_SRC_INCLUDE } else { Ctrl::empty() };
                let multicast = Ctrl::BRCST_PACKET | Ctrl::PATH_RESERVE | own;
                return Request { ctrl: Ctrl::WR | answered | multicast, there, here, ..common };
            }
            Request { ctrl: Ctrl::WR | answered | vc, there, here, ..common }
        }
        6 => {
            let there = 4 * random.below(AREA_BYTES / 4);
            let remote = if remote == Remote::Dram { Remote::Partner } else { remote };
            Request {
                ctrl: Ctrl::WR | Ctrl::WR_INLINE | answered,
                remote,
                there: AREA + there,
                len: 0xF << (there & 15),
                ..common
            }
        }
        _ => Request {
            ctrl: Ctrl::AT | answered,
            remote: if remote == Remote::Dram { Remote::Partner } else { remote },
            there: AREA + 16 * random.below(AREA_BYTES / 16),
            // The vendor's simulator returns the old value of a posted one too, which the documents do not say.
            here: if answered.is_empty() { NOWHERE } else { AREA + 4 * random.below(AREA_BYTES / 4) },
            len: atomic_increment(0),
            ..common
        },
    }
}

/// The last offset below `span` that is `low` modulo `align`.
fn last(span: u32, low: u32, align: u32) -> u32 {
    if span < low { low } else { (span - low) / align * align + low }
}
