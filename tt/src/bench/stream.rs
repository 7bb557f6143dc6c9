//! Programs that make many reads of the same kind and look at the wall clock before and after.

use tt_isa::chip::Chip;
use tt_isa::map::{DEBUG_REGS_BASE, NIU_BASE, RiscV, WALL_CLOCK_L};
use tt_isa::noc::{Ctrl, NocXy, reg as niu};
use tt_isa::rv32::{b, i, r, s};
use tt_runtime::Error;

use crate::machine::{Ending, Job, Machine};
use crate::program::{Program, reg};
use crate::requests::At;

/// Where what is read goes, in L1.
const DATA: u32 = 0x2_0000;
/// Clocks from the first look at the wall clock until all begin: their programs are loaded meanwhile.
const LOADING: u32 = 200_000;

const NIU: u32 = reg::OWN;
const CLOCK: u32 = reg::OWN + 1;
const BEGIN: u32 = reg::OWN + 2;
const COUNT: u32 = reg::OWN + 3;
const WANTED: u32 = reg::OWN + 4;
const ONE: u32 = reg::OWN + 5;

/// Reads over NoC 0: so many of so many bytes each, from one place.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Name and NoC 0 position of the tile that reads.
    pub reader: (NocXy, NocXy),
    /// What it reads.
    pub from: At,
    /// Bytes of a read.
    pub len: u32,
    /// How many reads.
    pub times: u32,
}

/// Makes all streams at once; for each the clocks at which it began and ended.
///
/// # Errors
/// A program does not come to its end.
pub fn run(machine: &mut Machine, streams: &[Stream]) -> Result<Vec<[u32; 2]>, Error> {
    let Some(first) = streams.first() else { return Ok(Vec::new()) };
    let now = machine.words(first.reader.0, u64::from(DEBUG_REGS_BASE + WALL_CLOCK_L), 1)?[0];
    let chip = machine.chip();
    let job = |stream: &Stream| Job {
        tile: stream.reader.0,
        core: RiscV::Brisc,
        code: program(chip, stream, now.wrapping_add(LOADING)),
    };
    let jobs: Vec<Job> = streams.iter().map(job).collect();
    let endings = machine.run(&jobs)?;
    let clocks = |(stream, ending): (&Stream, Ending)| match ending {
        Ending::Done(words) => Ok([words[0], words[1]]),
        Ending::Hung => Err(Error::Kernels(format!(
            "the reads of tile {} do not come to their end: `tt selftest` may say why",
            stream.reader.0
        ))),
    };
    streams.iter().zip(endings).map(clocks).collect()
}

fn program(chip: &Chip, stream: &Stream, begin: u32) -> Vec<u32> {
    let registers = chip.noc.registers;
    let mut program = Program::of(RiscV::Brisc);
    program.set(NIU, NIU_BASE);
    program.set(CLOCK, DEBUG_REGS_BASE + WALL_CLOCK_L);
    let values = [
        (registers.targ_lo, stream.from.addr as u32),
        (registers.targ_node, chip.noc.node(stream.from.tile)),
        (registers.ret_lo, DATA),
        (registers.ret_node, chip.noc.node(stream.reader.1)),
        (registers.packet_tag, 0),
        (registers.ctrl, (Ctrl::RESP_MARKED | Ctrl::VC_STATIC).bits()),
        (registers.at_len_be, stream.len),
    ];
    for (register, value) in values {
        program.set(reg::T0, value);
        program.add([s("Sw", reg::T0, NIU, register as i32)]);
    }
    // What earlier programs have counted.
    program.add([i("Lw", WANTED, NIU, niu::MST_RD_RESP_RECEIVED as i32)]);
    program.set(COUNT, stream.times);
    program.add([r("Add", WANTED, WANTED, COUNT), i("Addi", ONE, 0, 1)]);
    program.set(reg::T1, begin);
    program.add([i("Lw", reg::T0, CLOCK, 0), r("Sub", reg::T0, reg::T0, reg::T1), b("Blt", reg::T0, 0, -8)]);
    program.add([i("Lw", BEGIN, CLOCK, 0)]);
    let next = program.here();
    program.add([i("Lw", reg::T0, NIU, registers.cmd_ctrl as i32), b("Bne", reg::T0, 0, -4)]);
    program.add([s("Sw", ONE, NIU, registers.cmd_ctrl as i32), i("Addi", COUNT, COUNT, -1)]);
    program.back("Bne", COUNT, 0, next);
    program.add([i("Lw", reg::T0, NIU, niu::MST_RD_RESP_RECEIVED as i32), b("Bne", reg::T0, WANTED, -4)]);
    program.add([i("Lw", reg::T2, CLOCK, 0)]);
    program.leave(0, BEGIN);
    program.leave(1, reg::T2);
    program.end()
}
