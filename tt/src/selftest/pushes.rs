//! The host's memory: a tile writes to the page that the transport has for it, and the host looks.

use tt_isa::map::RiscV;
use tt_runtime::Error;

use super::Step;
use crate::findings::{Finding, Outcome, Place};
use crate::machine::{Job, Machine};
use crate::requests::{self, At, Request, STATUS, status};

/// Name of the check.
pub const CHECK: &str = "writes to host memory";
const LIST: u32 = 0x2_0000;
/// What is written, in L1; the page is congruent to it modulo 32.
const DATA: u32 = 0x3_0000;
const BYTES: u32 = 64;

/// Has a tile write there.
///
/// # Errors
/// The chip does not answer.
pub fn test(machine: &mut Machine, step: &Step) -> Result<Finding, Error> {
    step.one();
    let Some(addr) = machine.link().host_memory().map(|host| host.noc) else {
        return Ok(Finding::skipped(CHECK, "this device has no memory of the host that it can write to"));
    };
    let (chip, tiles) = (machine.chip(), machine.present());
    let Some(&(tile, place)) = tiles.first() else {
        return Ok(Finding::skipped(CHECK, "no tile answers"));
    };
    let from = DATA + (addr % 32) as u32;
    let data: Vec<u32> = (1..=BYTES / 4).map(|n| n.wrapping_mul(0x9E37_79B1)).collect();
    machine.put(tile, from.into(), &data)?;
    let from = At { tile: place, addr: from.into() };
    let write = Request { noc: 0, write: true, from, to: At { tile: chip.pcie, addr }, len: BYTES };
    machine.put(tile, LIST.into(), &write.words(chip))?;
    machine.run(&[Job { tile, core: RiscV::Brisc, code: requests::program(chip, LIST, 1) }])?;
    let answer = machine.words(tile, u64::from(LIST) + 4 * STATUS as u64, 1)?[0];
    let mut bytes = [0; BYTES as usize];
    machine.link().read_host(0, &mut bytes)?;
    let got: Vec<u32> = bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
    let (outcome, what) = match (got == data, answer == status::ANSWERED) {
        (true, true) => (Outcome::Passed, format!("{BYTES} bytes have arrived in this process's memory")),
        (true, false) => (Outcome::Failed, "the data has arrived, the acknowledgement has not".to_owned()),
        (false, _) => (
            Outcome::Failed,
            "what a tile has written has not arrived: an IOMMU may be in the way, or the PCIe tile"
                .to_owned(),
        ),
    };
    Ok(Finding::new(Place::Chip, CHECK, outcome, what))
}
