//! Bytes a clock of one core that moves as much as it can, in packets of the greatest length.
//!
//! What was published are the bounds of the vendor's tests ("Directed Ideal",
//! `tests/tt_metal/tt_metal/data_movement/python/test_mappings/test_bounds.yaml`), whole bytes that silicon reaches. How much each of them
//! moves follows from the clocks that an earlier version gives beside them: 1 MiB, 512 KiB, and 2 MiB of multicasts.

use anyhow::Result;
use tt_isa::chip::WORMHOLE;
use tt_isa::map::RiscV;
use tt_isa::noc::Ctrl;

use super::Anchor;
use super::program::clocks;
use super::transfers::{
    COUNT, CTRL, OFF_AXIS, OWN, READ, Requests, WANTED, WRITE, multicasts, reads, writes,
};
use crate::bench::Machine;

const MIB: u32 = 1 << 20;

pub const ANCHORS: [Anchor; 6] = [
    Anchor::bytes("rate.dram.read", 22.0, 0.1, |m| rate(m, &of_bank(reads(OWN, 2 * MIB, 1)), &READ)),
    Anchor::bytes("rate.dram.write", 21.0, 0.1, |m| rate(m, &to_bank(2 * MIB), &WRITE)),
    Anchor::bytes("rate.one_to_one", 30.0, 0.1, |m| {
        rate(m, &writes(WORMHOLE.noc.node(OFF_AXIS), Ctrl::VC_STATIC, MIB, 1, 1), &WRITE)
    }),
    Anchor::bytes("rate.one_from_one", 28.0, 0.1, |m| rate(m, &reads(OFF_AXIS, MIB / 2, 1), &READ)),
    Anchor::bytes("rate.multicast", 14.0, 0.1, |m| rate(m, &multicasts(2 * MIB, OWN), &WRITE)),
    Anchor::bytes("rate.multicast.linked", 22.0, 0.1, linked),
];

/// Bytes a clock.
fn rate(machine: &mut dyn Machine, requests: &Requests, registers: &[(u32, u32)]) -> Result<f64> {
    Ok(requests.bytes() / requests.clocks(machine, registers, &[])?)
}

/// Reads of the first bank instead of a tile.
fn of_bank(requests: Requests) -> Requests {
    let bank = &WORMHOLE.dram[0];
    Requests { from: (bank.base as u32, WORMHOLE.noc.node(bank.ports[0])), ..requests }
}

/// Writes of so many bytes to the first bank.
fn to_bank(len: u32) -> Requests {
    let bank = &WORMHOLE.dram[0];
    let port = WORMHOLE.noc.node(bank.ports[0]);
    Requests { to: (bank.base as u32, port), ..writes(port, Ctrl::VC_STATIC, len, 1, 1) }
}

/// Multicasts of one transaction: the first one reserves the way, the last one gives it free.
fn linked(machine: &mut dyn Machine) -> Result<f64> {
    let all = multicasts(2 * MIB, OWN);
    let linked = Requests { ctrl: all.ctrl | Ctrl::VC_LINKED.bits(), packets: all.packets - 1, ..all };
    let mut program = linked.program();
    program.set(WANTED, all.packets * all.responses);
    program.begin();
    linked.repeat(&mut program, &WRITE, &[]);
    let last = Requests { packets: 1, ..all };
    program.set(CTRL, last.ctrl);
    program.set(COUNT, 1);
    last.repeat(&mut program, &WRITE, &[]);
    program.wait(all.counter, WANTED);
    Ok(all.bytes() / clocks(machine, OWN, RiscV::Brisc, program)?)
}
