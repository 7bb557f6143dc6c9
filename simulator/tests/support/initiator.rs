//! Requests that a test makes through the registers of a tile's NIU.

#![allow(dead_code, reason = "each test takes what it needs")]

use tt_isa::chip::WORMHOLE;
use tt_isa::noc::{Ctrl, NiuRegisters, NocXy};
use tt_simulator::Fault;

use super::host::{Host, niu, tensix};

/// Registers of the chip's NIUs.
const REG: NiuRegisters = WORMHOLE.noc.registers;

/// Where tests have their data in L1.
pub const DATA: u32 = 0x2_0000;

/// Registers of an initiator, as a test gives them; the rest stays as it was.
pub type Registers<'a> = &'a [(u32, u32)];

/// Makes a request from the host, by the registers of a tile's NIU, and lets it be delivered.
pub fn ask(host: &mut Host, own: NocXy, noc: u32, registers: Registers) -> Result<(), Fault> {
    let start = [(REG.cmd_ctrl, 1)];
    for &(register, value) in registers.iter().chain(&start) {
        host.try_write(own, niu(noc, register).into(), &value.to_le_bytes())?;
    }
    host.run().map(drop)
}

/// A counter of a NIU.
pub fn counter(host: &mut Host, tile: NocXy, noc: u32, register: u32) -> u32 {
    host.read32(tile, niu(noc, register))
}

/// Both ends, own and remote.
pub fn write_to(own: NocXy, from: u32, remote: NocXy, to: u32) -> [(u32, u32); 4] {
    [
        (REG.targ_lo, from),
        (REG.targ_node, WORMHOLE.noc.node(own)),
        (REG.ret_lo, to),
        (REG.ret_node, WORMHOLE.noc.node(remote)),
    ]
}

/// Writes `registers` on top of a write from DATA to DATA of another tile; what the fault says.
pub fn refused(registers: Registers) -> Fault {
    let mut host = Host::new();
    let own = tensix(0, 0);
    let common = [(REG.ctrl, (Ctrl::WR | Ctrl::RESP_MARKED).bits()), (REG.at_len_be, 64)];
    let all = [&write_to(own, DATA, tensix(1, 1), DATA)[..], &common, registers].concat();
    ask(&mut host, own, 0, &all).expect_err("a fault")
}
