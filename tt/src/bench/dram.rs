//! Reads of DRAM: what a channel gives, and all of them.

use std::collections::BTreeSet;

use tt_isa::noc::{NocXy, RouterLink, route};
use tt_runtime::Error;

use super::Figure;
use super::stream::{Stream, run};
use crate::machine::Machine;
use crate::requests::At;

/// Bytes that each tile reads.
const BYTES: u32 = 1 << 20;
/// `DRAMTile/README.md` of the ISA documentation has both, for chosen tiles and 8 KiB packets; GB/s at a clock of 1 GHz.
const ONE: f64 = 22.2;
const ALL: f64 = 265.5;
const SOURCE: &str = "tt-isa-documentation, DRAMTile/README.md";

/// One channel, and all.
///
/// # Errors
/// A program does not come to its end.
pub fn measure(machine: &mut Machine, clocks_us: u32) -> Result<Vec<Figure>, Error> {
    let gigahertz = f64::from(clocks_us) / 1000.0;
    let readers = readers(machine);
    let figure = |name, clocks: f64, published| Figure {
        name,
        value: clocks * gigahertz,
        unit: "GB/s",
        published: Some((published, SOURCE)),
    };
    let one = rate(machine, &readers[..readers.len().min(1)])?;
    let all = rate(machine, &readers)?;
    Ok(vec![figure("DRAM read, one channel", one, ONE), figure("DRAM read, all channels", all, ALL)])
}

/// What all channels give together, in GB/s, and what was published.
///
/// # Errors
/// A program does not come to its end.
pub fn rate_of_all(machine: &mut Machine, clocks_us: u32) -> Result<(f64, f64), Error> {
    let readers = readers(machine);
    Ok((rate(machine, &readers)? * f64::from(clocks_us) / 1000.0, ALL))
}

/// A tile for each bank: those whose data has the shortest way, and no link in common with another one's.
fn readers(machine: &Machine) -> Vec<Stream> {
    let (chip, tiles) = (machine.chip(), machine.present());
    let mut taken: BTreeSet<RouterLink> = BTreeSet::new();
    let mut readers: Vec<Stream> = Vec::new();
    for bank in chip.dram {
        let ways = tiles.iter().flat_map(|&tile| {
            bank.ports.iter().map(move |&port| (tile, port, route(0, port, tile.1, chip.grid)))
        });
        let ways = ways.map(|(tile, port, way)| (tile, port, way.collect::<Vec<RouterLink>>()));
        let free = |tile: NocXy| !readers.iter().any(|reader| reader.reader.1 == tile);
        let shared = |way: &[RouterLink]| way.iter().filter(|link| taken.contains(link)).count();
        let best = ways.filter(|(tile, ..)| free(tile.1)).min_by_key(|(_, _, way)| (shared(way), way.len()));
        if let Some((reader, port, way)) = best {
            taken.extend(way);
            let (len, times) = (chip.noc.max_packet, BYTES / chip.noc.max_packet);
            readers.push(Stream { reader, from: At { tile: port, addr: bank.base }, len, times });
        }
    }
    readers
}

/// Bytes a clock of all together, from when they begin to the last one's end.
fn rate(machine: &mut Machine, streams: &[Stream]) -> Result<f64, Error> {
    let clocks = run(machine, streams)?;
    let begin = clocks.iter().map(|clocks| clocks[0]).min().unwrap_or(0);
    let longest = clocks.iter().map(|clocks| clocks[1].wrapping_sub(begin)).max().unwrap_or(0);
    Ok(f64::from(BYTES) * streams.len() as f64 / f64::from(longest.max(1)))
}
