//! Reads of another tile's L1.

use tt_runtime::Error;

use super::Figure;
use super::stream::{Stream, run};
use crate::machine::Machine;
use crate::requests::At;

/// `TensixTile/L1.md` has no rates: the width of a link, a flit a clock, is the most that one can be.
const SOURCE: &str = "width of a link, a flit a clock";
/// Where data is, in L1, and how much of it is read in all.
const DATA: u64 = 0x4_0000;
const BYTES: u32 = 1 << 20;

/// Bytes a clock of one tile that reads another one's L1, in the largest packets.
///
/// # Errors
/// A program does not come to its end.
pub fn measure(machine: &mut Machine) -> Result<Vec<Figure>, Error> {
    let (chip, tiles) = (machine.chip(), machine.present());
    let (Some(&reader), Some(&(_, tile))) = (tiles.first(), tiles.last()) else { return Ok(Vec::new()) };
    let len = chip.noc.max_packet;
    let stream = Stream { reader, from: At { tile, addr: DATA }, len, times: BYTES / len };
    let clocks = run(machine, &[stream])?;
    let taken = clocks.iter().map(|[begin, end]| end.wrapping_sub(*begin)).max().unwrap_or(0);
    let value = f64::from(BYTES) / f64::from(taken.max(1));
    let published = Some((f64::from(chip.noc.link_width), SOURCE));
    Ok(vec![Figure { name: "NoC read, one tile from another", value, unit: "bytes a clock", published }])
}
