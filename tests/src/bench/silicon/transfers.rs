//! One core's reads and writes of L1 and DRAM, and multicasts. The instructions are those of the vendor's driver: for each
//! request it waits for the initiator, sets its registers, counts in local RAM and computes the next address; at the end it
//! waits for the responses.

use anyhow::Result;
use tt_isa::chip::WORMHOLE;
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, WALL_CLOCK_L};
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy, reg};
use tt_isa::rv32::{i, nop, s};

use super::Anchor;
use super::program::{DATA, LOCAL, NIU, Program, clocks, ready, run};
use crate::bench::Machine;

/// Registers of the chip's NIUs, and their longest packet.
const REG: NiuRegisters = WORMHOLE.noc.registers;
const PACKET: u32 = WORMHOLE.noc.max_packet;

/// The core that makes the requests, one in another row and column, and one in the same column.
pub const OWN: NocXy = NocXy::new(1, 1);
pub const OFF_AXIS: NocXy = NocXy::new(4, 5);
const SAME_AXIS: NocXy = NocXy::new(1, 5);
/// First and last tile of the 64 of a multicast.
const CORNERS: [NocXy; 2] = [NocXy::new(1, 1), NocXy::new(9, 9)];

pub const ANCHORS: [Anchor; 29] = [
    Anchor::clocks("l1.read.64", 293.0, 0.1, |m| read(m, OFF_AXIS, 64, 1)),
    Anchor::clocks("l1.read.8k", 589.0, 0.1, |m| read(m, OFF_AXIS, 8 << 10, 1)),
    Anchor::clocks("l1.read.64k", 2597.0, 0.1, |m| read(m, OFF_AXIS, 64 << 10, 1)),
    Anchor::clocks("l1.read.same_axis.64", 205.0, 0.1, |m| read(m, SAME_AXIS, 64, 1)),
    Anchor::clocks("l1.read.same_axis.8k", 501.0, 0.1, |m| read(m, SAME_AXIS, 8 << 10, 1)),
    Anchor::clocks("l1.read.64.times256", 6674.0, 0.15, |m| read(m, OFF_AXIS, 64, 256)),
    Anchor::clocks("l1.read.64.times256.stateful", 4731.0, 0.15, |m| stateful(m, OFF_AXIS, 64, 256)),
    Anchor::clocks("l1.read.2k.times256", 18_811.0, 0.1, |m| read(m, OFF_AXIS, 2 << 10, 256)),
    Anchor::clocks("l1.write.64", 296.0, 0.1, |m| write(m, OFF_AXIS, 64, 1)),
    Anchor::clocks("l1.write.8k", 624.0, 0.1, |m| write(m, OFF_AXIS, 8 << 10, 1)),
    Anchor::clocks("l1.write.64k", 2499.0, 0.1, |m| write(m, OFF_AXIS, 64 << 10, 1)),
    Anchor::clocks("l1.write.same_axis.64", 206.0, 0.1, |m| write(m, SAME_AXIS, 64, 1)),
    Anchor::clocks("l1.write.64.times256", 5906.0, 0.15, |m| write(m, OFF_AXIS, 64, 256)),
    Anchor::clocks("dram.read.64", 381.0, 0.1, |m| interleaved(m, 64, 1)),
    Anchor::clocks("dram.read.2k", 470.0, 0.1, |m| interleaved(m, 2 << 10, 1)),
    Anchor::clocks("dram.read.8k", 893.0, 0.1, |m| interleaved(m, 8 << 10, 1)),
    Anchor::clocks("dram.read.64.times256", 7272.0, 0.15, |m| interleaved(m, 64, 256)),
    Anchor::clocks("dram.read.2k.times256", 23_818.0, 0.1, |m| interleaved(m, 2 << 10, 256)),
    Anchor::clocks("dram.write.64", 426.0, 0.1, |m| interleaved_writes(m, 64, 1)),
    Anchor::clocks("dram.write.2k", 511.0, 0.1, |m| interleaved_writes(m, 2 << 10, 1)),
    Anchor::clocks("dram.write.8k", 756.0, 0.1, |m| interleaved_writes(m, 8 << 10, 1)),
    Anchor::clocks("dram.write.2k.times256", 24_111.0, 0.1, |m| interleaved_writes(m, 2 << 10, 256)),
    Anchor::clocks("multicast.64.64", 596.0, 0.15, |m| multicast(m, 64)),
    Anchor::clocks("multicast.64.2k", 674.0, 0.15, |m| multicast(m, 2 << 10)),
    Anchor::clocks("multicast.64.8k", 912.0, 0.15, |m| multicast(m, 8 << 10)),
    Anchor::clocks("multicast.64.16k", 1477.0, 0.15, |m| multicast(m, 16 << 10)),
    Anchor::clocks("multicast.64.32k", 2577.0, 0.15, |m| multicast(m, 32 << 10)),
    Anchor::clocks("multicast.64.64k", 4787.0, 0.15, |m| multicast(m, 64 << 10)),
    Anchor::clocks("multicast.64.64.senders8", 2600.0, 0.15, senders),
];

/// Registers of a program: what goes into the initiator's.
const TARG_LO: u32 = 20;
const TARG_MID: u32 = 21;
const RET_LO: u32 = 22;
const RET_MID: u32 = 23;
const LEN: u32 = 24;
pub const CTRL: u32 = 25;
const ONE: u32 = 26;
pub const COUNT: u32 = 27;
pub const WANTED: u32 = 28;

/// Requests from one end to the other, `packets` of `len` bytes.
#[derive(Clone, Copy)]
pub struct Requests {
    pub ctrl: u32,
    /// Address and tile of `TARG` and of `RET`.
    pub from: (u32, u32),
    pub to: (u32, u32),
    pub len: u32,
    pub packets: u32,
    /// Responses of each.
    pub responses: u32,
    pub counter: u32,
}

impl Requests {
    /// Registers that do not change, and the counter to wait for.
    pub fn program(&self) -> Program {
        let mut program = Program::on_noc(0);
        let registers = [
            (TARG_LO, REG.targ_lo, self.from.0),
            (TARG_MID, REG.targ_node, self.from.1),
            (RET_LO, REG.ret_lo, self.to.0),
            (RET_MID, REG.ret_node, self.to.1),
            (LEN, REG.at_len_be, self.len),
            (CTRL, REG.ctrl, self.ctrl),
        ];
        for (register, niu, value) in registers {
            program.set(register, value);
            program.store_to_niu(niu, register);
        }
        program.set(ONE, 1);
        program.set(COUNT, self.packets);
        program.set(WANTED, self.packets * self.responses);
        program
    }

    /// Bytes of all.
    pub fn bytes(&self) -> f64 {
        f64::from(self.len) * f64::from(self.packets)
    }

    /// Makes the requests. `registers`: those that each of them sets; `more`: instructions that compute what comes next.
    pub fn repeat(&self, program: &mut Program, registers: &[(u32, u32)], more: &[u32]) {
        let mut request = ready().to_vec();
        request.extend(registers.iter().map(|&(niu, from)| s("Sw", from, NIU, niu as i32)));
        request.push(s("Sw", ONE, NIU, REG.cmd_ctrl as i32));
        // The driver counts what it has asked for.
        request.extend([i("Lw", 6, LOCAL, 0), i("Addi", 6, 6, 1), s("Sw", 6, LOCAL, 0)]);
        request.extend(more);
        program.repeat(COUNT, &request);
    }

    /// Measures them until all responses have come.
    pub fn clocks(&self, machine: &mut dyn Machine, registers: &[(u32, u32)], more: &[u32]) -> Result<f64> {
        let mut program = self.program();
        program.begin();
        self.repeat(&mut program, registers, more);
        program.wait(self.counter, WANTED);
        clocks(machine, OWN, RiscV::Brisc, program)
    }
}

pub const READ: [(u32, u32); 5] = [
    (REG.ctrl, CTRL),
    (REG.ret_lo, RET_LO),
    (REG.targ_lo, TARG_LO),
    (REG.targ_node, TARG_MID),
    (REG.at_len_be, LEN),
];
pub const WRITE: [(u32, u32); 5] = [
    (REG.ctrl, CTRL),
    (REG.targ_lo, TARG_LO),
    (REG.ret_lo, RET_LO),
    (REG.ret_node, RET_MID),
    (REG.at_len_be, LEN),
];

pub fn reads(remote: NocXy, len: u32, times: u32) -> Requests {
    Requests {
        ctrl: (Ctrl::RESP_MARKED | Ctrl::VC_STATIC).bits(),
        from: (DATA, WORMHOLE.noc.node(remote)),
        to: (DATA, WORMHOLE.noc.node(OWN)),
        len: len.min(PACKET),
        packets: times * len.div_ceil(PACKET),
        responses: 1,
        counter: reg::MST_RD_RESP_RECEIVED,
    }
}

fn read(machine: &mut dyn Machine, remote: NocXy, len: u32, times: u32) -> Result<f64> {
    // Two halves of a 64-bit address are put together.
    reads(remote, len, times).clocks(machine, &READ, &[nop(); 4])
}

/// Only addresses are set anew.
fn stateful(machine: &mut dyn Machine, remote: NocXy, len: u32, times: u32) -> Result<f64> {
    reads(remote, len, times).clocks(machine, &[(REG.ret_lo, RET_LO), (REG.targ_lo, TARG_LO)], &[])
}

pub fn writes(rect: u32, control: Ctrl, len: u32, times: u32, responses: u32) -> Requests {
    Requests {
        ctrl: (Ctrl::WR | Ctrl::RESP_MARKED | control).bits(),
        from: (DATA, WORMHOLE.noc.node(OWN)),
        to: (DATA, rect),
        len: len.min(PACKET),
        packets: times * len.div_ceil(PACKET),
        responses,
        counter: reg::MST_WR_ACK_RECEIVED,
    }
}

fn write(machine: &mut dyn Machine, remote: NocXy, len: u32, times: u32) -> Result<f64> {
    writes(WORMHOLE.noc.node(remote), Ctrl::VC_STATIC, len, times, 1).clocks(machine, &WRITE, &[nop(); 2])
}

/// To 64 tiles, the sender among them, with the way reserved.
pub fn multicasts(len: u32, from: NocXy) -> Requests {
    let control = Ctrl::BRCST_PACKET | Ctrl::BRCST_SRC_INCLUDE | Ctrl::PATH_RESERVE;
    let rect = WORMHOLE.noc.node_rect(CORNERS[0], CORNERS[1]);
    Requests { from: (DATA, WORMHOLE.noc.node(from)), ..writes(rect, control, len, 1, 64) }
}

fn multicast(machine: &mut dyn Machine, len: u32) -> Result<f64> {
    multicasts(len, OWN).clocks(machine, &WRITE, &[nop(); 2])
}

/// The longest of eight such multicasts at once, from tiles of a row.
fn senders(machine: &mut dyn Machine) -> Result<f64> {
    const LOADING: u32 = 10_000;
    let now = machine.read32(OWN, DEBUG_REGS_BASE + WALL_CLOCK_L)?;
    let program = |&x: &u8| {
        let tile = NocXy::new(x, OWN.y);
        let requests = multicasts(64, tile);
        let mut program = requests.program();
        program.begin_at(now + LOADING);
        program.add(&[s("Sw", ONE, NIU, REG.cmd_ctrl as i32)]);
        program.wait(requests.counter, WANTED);
        (tile, RiscV::Brisc, program.end())
    };
    let programs: Vec<_> = WORMHOLE.tensix_x.iter().take(8).map(program).collect();
    let clocks = run(machine, &programs)?;
    Ok(clocks.iter().map(|[begin, end]| f64::from(end.wrapping_sub(*begin))).fold(0.0, f64::max))
}

/// Pages that follow one another over all banks, read.
fn interleaved(machine: &mut dyn Machine, len: u32, times: u32) -> Result<f64> {
    over_banks(machine, &reads(OFF_AXIS, len, times), &READ, (TARG_MID, TARG_LO))
}

/// The same, written.
fn interleaved_writes(machine: &mut dyn Machine, len: u32, times: u32) -> Result<f64> {
    let requests = writes(WORMHOLE.noc.node(OFF_AXIS), Ctrl::VC_STATIC, len, times, 1);
    over_banks(machine, &requests, &WRITE, (RET_MID, RET_LO))
}

/// Requests to all banks in turn. The driver takes the bank's tile and offset from tables; they go to the registers `bank`.
fn over_banks(
    machine: &mut dyn Machine,
    requests: &Requests,
    registers: &[(u32, u32)],
    (node, address): (u32, u32),
) -> Result<f64> {
    let mut program = requests.program();
    let banks = WORMHOLE.dram.len() as u32;
    // Where the tables are in local RAM, and how far the next bank's entries are from the end.
    const TABLES: u32 = 0x100;
    for (n, bank) in (0..).zip(WORMHOLE.dram) {
        for (k, value) in
            [WORMHOLE.noc.node(bank.ports[0]), bank.base as u32 + 0x1000].into_iter().enumerate()
        {
            program.set(5, value);
            program.add(&[s("Sw", 5, LOCAL, (TABLES + 8 * n + 4 * k as u32) as i32)]);
        }
    }
    program.set(29, 0);
    program.set(30, 8 * banks);
    let mut request = ready().to_vec();
    request.extend([
        // The entries of the bank, and the next one's place.
        tt_isa::rv32::r("Add", 7, LOCAL, 29),
        i("Lw", node, 7, TABLES as i32),
        i("Lw", address, 7, TABLES as i32 + 4),
        i("Addi", 29, 29, 8),
    ]);
    request.extend(registers.iter().map(|&(niu, from)| s("Sw", from, NIU, niu as i32)));
    request.push(s("Sw", ONE, NIU, REG.cmd_ctrl as i32));
    request.extend([i("Lw", 6, LOCAL, 0), i("Addi", 6, 6, 1), s("Sw", 6, LOCAL, 0)]);
    request.extend([tt_isa::rv32::b("Bne", 29, 30, 8), i("Addi", 29, 0, 0)]);
    program.begin();
    program.repeat(COUNT, &request);
    program.wait(requests.counter, WANTED);
    clocks(machine, OWN, RiscV::Brisc, program)
}
