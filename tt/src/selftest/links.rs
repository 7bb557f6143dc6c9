//! Every link of both NoCs, from each router to the next one.
//!
//! ```text
//! probes: tile -> tile, DRAM -> tile, tile -> DRAM     the shortest ones that reach every link
//!    each tile makes its own -> the host compares what has arrived
//! a link works if data has come over it unharmed; otherwise those are suspected that a failed probe has used and no good one
//! ```
//!
//! A packet takes one way only (`NoC/RoutingPaths.md`), so which links a probe uses is known. Rows and columns without Tensix tiles are reached through
//! DRAM: its tiles answer reads, and their data starts there.

use std::collections::{BTreeMap, BTreeSet};

use tt_isa::chip::Chip;
use tt_isa::map::RiscV;
use tt_isa::noc::{NocXy, RouterLink, route};
use tt_runtime::Error;

use super::Step;
use crate::findings::{Finding, Outcome, Place};
use crate::machine::{Ending, Job, Machine};
use crate::requests::{self, At, Request, STATUS, WORDS, status};

/// Name of the check.
pub const CHECK: &str = "NoC link";
/// In L1: the requests of a tile, what it sends, and what it gets, a place for each probe.
const LIST: u32 = 0x2_0000;
const SENT: u32 = 0x3_0000;
const RECEIVED: u32 = 0x4_0000;
/// In a bank: what is read, and what is written, a place for each probe.
const READ: u64 = 0x1_0000;
const WRITTEN: u64 = 0x8_0000;
/// Bytes of a probe: two flits, so that both halves of a link's wires carry something.
const BYTES: u32 = 64;

/// An end of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// A Tensix tile, by its place in the list of tiles.
    Tile(usize),
    /// A DRAM tile: a bank, and which of its ports.
    Dram(usize, usize),
}

/// A packet that shows whether links work.
#[derive(Clone, Debug)]
struct Probe {
    noc: u8,
    /// The tile that asks for it.
    tile: usize,
    /// The other end; the data goes there if it is a write.
    other: End,
    write: bool,
    /// The links that the data takes.
    links: Vec<RouterLink>,
    /// The links of the packet without data: a read's request, or an acknowledgement.
    rest: Vec<RouterLink>,
}

/// What came of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrival {
    /// All of it.
    Good,
    /// With something wrong in it.
    Harmed,
    /// None of the data.
    Nothing,
    /// The data, and no acknowledgement.
    NoAnswer,
}

/// The machine's tiles as names and positions.
type Tiles = [(NocXy, NocXy)];

/// Tests all links. `before`: what was found so far; banks and tiles whose memory is broken are no witnesses.
///
/// # Errors
/// The chip does not answer.
pub fn test(machine: &mut Machine, before: &[Finding], step: &Step) -> Result<Vec<Finding>, Error> {
    let tiles = machine.present();
    let bad = |place: Place| before.iter().any(|finding| finding.place == place && finding.outcome.is_bad());
    let banks: Vec<usize> =
        (0..machine.chip().dram.len()).filter(|&number| !bad(Place::Bank { number })).collect();
    let probes = choose(machine.chip(), &tiles, &banks);
    let arrivals = run(machine, &tiles, &probes)?;
    let trusted = |probe: &Probe| {
        let ends = [Some(probe.tile), if let End::Tile(n) = probe.other { Some(n) } else { None }];
        !ends.into_iter().flatten().any(|n| bad(tiles[n].1.into()))
    };
    let counted = probes.iter().zip(arrivals);
    let results: Vec<(&Probe, Arrival)> =
        counted.filter(|(probe, arrival)| *arrival == Arrival::Good || trusted(probe)).collect();
    step.one();
    Ok(judge(machine.chip(), &results))
}

/// Number of links of a chip's NoCs.
fn all(chip: &Chip) -> usize {
    2 * 2 * usize::from(chip.grid.x) * usize::from(chip.grid.y)
}

/// The shortest probes that reach every link that can be reached.
fn choose(chip: &'static Chip, tiles: &Tiles, banks: &[usize]) -> Vec<Probe> {
    let mut candidates = Vec::new();
    for noc in [0, 1] {
        for (tile, &(_, place)) in tiles.iter().enumerate() {
            let to_tiles = tiles.iter().enumerate().filter(|(_, (_, at))| {
                // Another one would not be shorter.
                *at != place && (at.x == place.x || at.y == place.y)
            });
            for (other, &(_, at)) in to_tiles {
                candidates.push(probe(chip, noc, (tile, place), (End::Tile(other), at), true));
            }
            for &bank in banks {
                for (port, &at) in chip.dram[bank].ports.iter().enumerate() {
                    let end = (End::Dram(bank, port), at);
                    candidates.push(probe(chip, noc, (tile, place), end, true));
                    candidates.push(probe(chip, noc, (tile, place), end, false));
                }
            }
        }
    }
    candidates.sort_by_key(|probe| probe.links.len());
    let mut reached = BTreeSet::new();
    candidates.retain(|probe| {
        let new = probe.links.iter().any(|link| !reached.contains(link));
        if new {
            reached.extend(probe.links.iter().copied());
        }
        new
    });
    candidates
}

fn probe(
    chip: &Chip,
    noc: u8,
    (tile, place): (usize, NocXy),
    (other, at): (End, NocXy),
    write: bool,
) -> Probe {
    let there = route(noc, place, at, chip.grid).collect();
    let back = route(noc, at, place, chip.grid).collect();
    let (links, rest) = if write { (there, back) } else { (back, there) };
    Probe { noc, tile, other, write, links, rest }
}

/// What a probe carries: different for each, no flit like another.
fn payload(number: usize) -> Vec<u32> {
    (0..BYTES / 4)
        .map(|word| (number as u32 + 1).wrapping_mul(0x9E37_79B1) ^ word.wrapping_mul(0x0101_0101))
        .collect()
}

/// Where a probe's data comes from and goes to; the addresses and the host's names of the tiles.
fn ends(chip: &Chip, tiles: &Tiles, number: usize, probe: &Probe) -> [(At, NocXy); 2] {
    let slot = number as u64 * u64::from(BYTES);
    let in_tile = |n: usize, base: u32| {
        let (name, place) = tiles[n];
        (At { tile: place, addr: u64::from(base) + slot }, name)
    };
    let in_bank = |bank: usize, port: usize, offset: u64| {
        let at = &chip.dram[bank];
        (At { tile: at.ports[port], addr: at.base + offset + slot }, chip.dram_port(bank, port))
    };
    let own = in_tile(probe.tile, if probe.write { SENT } else { RECEIVED });
    match (probe.other, probe.write) {
        (End::Tile(n), _) => [own, in_tile(n, RECEIVED)],
        (End::Dram(bank, port), true) => [own, in_bank(bank, port, WRITTEN)],
        (End::Dram(bank, port), false) => [in_bank(bank, port, READ), own],
    }
}

/// Has all tiles make their probes, and looks what has arrived.
fn run(machine: &mut Machine, tiles: &Tiles, probes: &[Probe]) -> Result<Vec<Arrival>, Error> {
    let chip = machine.chip();
    let mut lists: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, probe) in probes.iter().enumerate() {
        let [(from, name), (to, other)] = ends(chip, tiles, number, probe);
        machine.put(name, from.addr, &payload(number))?;
        machine.put(other, to.addr, &[0; BYTES as usize / 4])?;
        lists.entry(probe.tile).or_default().push(number);
    }
    let mut jobs = Vec::new();
    for (&tile, numbers) in &lists {
        let words = numbers.iter().flat_map(|&number| {
            let [(from, _), (to, _)] = ends(chip, tiles, number, &probes[number]);
            let Probe { noc, write, .. } = probes[number];
            Request { noc, write, from, to, len: BYTES }.words(chip)
        });
        machine.put(tiles[tile].0, LIST.into(), &words.collect::<Vec<u32>>())?;
        let code = requests::program(chip, LIST, numbers.len());
        jobs.push(Job { tile: tiles[tile].0, core: RiscV::Brisc, code });
    }
    let endings = machine.run(&jobs)?;
    let mut arrivals = vec![Arrival::Nothing; probes.len()];
    for ((tile, numbers), ending) in lists.iter().zip(&endings) {
        let list = machine.words(tiles[*tile].0, LIST.into(), WORDS * numbers.len())?;
        for (request, &number) in list.chunks(WORDS).zip(numbers) {
            let [_, (to, name)] = ends(chip, tiles, number, &probes[number]);
            let got = machine.words(name, to.addr, BYTES as usize / 4)?;
            let answered = matches!(ending, Ending::Done(_)) && request[STATUS] == status::ANSWERED;
            arrivals[number] = arrival(&got, &payload(number), answered);
        }
    }
    Ok(arrivals)
}

fn arrival(got: &[u32], want: &[u32], answered: bool) -> Arrival {
    match got == want {
        true if answered => Arrival::Good,
        true => Arrival::NoAnswer,
        false if got.iter().all(|&word| word == 0) => Arrival::Nothing,
        false => Arrival::Harmed,
    }
}

/// Which links do not work, by what has arrived.
fn judge(chip: &Chip, results: &[(&Probe, Arrival)]) -> Vec<Finding> {
    // Data that has arrived shows its way, whether or not the acknowledgement came.
    let shown = |arrival: Arrival| matches!(arrival, Arrival::Good | Arrival::NoAnswer);
    let good: BTreeSet<RouterLink> = results
        .iter()
        .filter(|(_, arrival)| shown(*arrival))
        .flat_map(|(probe, _)| probe.links.clone())
        .collect();
    let suspects = |probe: &Probe, arrival: Arrival| -> BTreeSet<RouterLink> {
        let data = if shown(arrival) { &[][..] } else { &probe.links };
        // A read's request may have been lost as well; an acknowledgement is no data.
        let rest = match arrival {
            Arrival::Nothing if !probe.write => &probe.rest[..],
            Arrival::NoAnswer => &probe.rest,
            _ => &[],
        };
        data.iter().chain(rest).filter(|link| !good.contains(link)).copied().collect()
    };
    let failed: Vec<(BTreeSet<RouterLink>, Arrival)> = results
        .iter()
        .filter(|(_, arrival)| *arrival != Arrival::Good)
        .map(|(probe, arrival)| (suspects(probe, *arrival), *arrival))
        .collect();
    let dead: BTreeMap<RouterLink, Arrival> = failed
        .iter()
        .filter(|(links, arrival)| links.len() == 1 && *arrival != Arrival::NoAnswer)
        .filter_map(|(links, arrival)| Some((*links.first()?, *arrival)))
        .collect();
    let mut findings: Vec<Finding> = dead.iter().map(|(&link, &arrival)| dead_link(link, arrival)).collect();
    // What the links that are known to be dead do not explain.
    let unexplained = failed.iter().filter(|(links, _)| !links.iter().any(|link| dead.contains_key(link)));
    let open: BTreeSet<Vec<RouterLink>> =
        unexplained.map(|(links, _)| links.iter().copied().collect()).collect();
    findings.extend(open.iter().map(|links| one_of(links)));
    let outcome = if findings.is_empty() { Outcome::Passed } else { Outcome::Failed };
    let tested = good.len() + dead.len();
    let what = format!("{} of {tested} links work; {} were not reached", good.len(), all(chip) - tested);
    findings.push(Finding::new(Place::Chip, CHECK, outcome, what));
    findings
}

fn dead_link(link: RouterLink, arrival: Arrival) -> Finding {
    let what = match arrival {
        Arrival::Harmed => "data that takes it is harmed",
        _ => "nothing arrives that takes it",
    };
    Finding::new(link, CHECK, if arrival == Arrival::Harmed { Outcome::Failed } else { Outcome::Hung }, what)
}

fn one_of(links: &[RouterLink]) -> Finding {
    let names: Vec<String> = links.iter().map(ToString::to_string).collect();
    let what = match names.is_empty() {
        true => "packets are lost now and then: every link has worked for other packets".to_owned(),
        false => format!("packets are lost or harmed on one of: {}", names.join(", ")),
    };
    Finding::new(Place::Chip, CHECK, Outcome::Failed, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_isa::chip::WORMHOLE;
    use tt_isa::noc::Axis;

    fn n150() -> Vec<(NocXy, NocXy)> {
        let rows = &WORMHOLE.tensix_y[..9];
        let places = rows.iter().flat_map(|&y| WORMHOLE.tensix_x.iter().map(move |&x| NocXy::new(x, y)));
        places.map(|place| (place, place)).collect()
    }

    #[test]
    fn all_links_are_reached_where_tiles_are() {
        let banks: Vec<usize> = (0..WORMHOLE.dram.len()).collect();
        let probes = choose(&WORMHOLE, &n150(), &banks);
        let reached: BTreeSet<RouterLink> = probes.iter().flat_map(|probe| probe.links.clone()).collect();
        assert!(reached.len() > 440, "{}", reached.len());
        // Each probe has something that those before it have not.
        assert!(probes.len() <= reached.len());
    }

    #[test]
    fn a_dead_link_is_named_and_those_beside_it_are_not() {
        let banks: Vec<usize> = (0..WORMHOLE.dram.len()).collect();
        let probes = choose(&WORMHOLE, &n150(), &banks);
        let dead = RouterLink { noc: 0, from: NocXy::new(4, 3), axis: Axis::X };
        let arrival = |probe: &Probe| match (probe.links.contains(&dead), probe.rest.contains(&dead)) {
            (true, _) => Arrival::Nothing,
            (false, true) => {
                if probe.write {
                    Arrival::NoAnswer
                } else {
                    Arrival::Nothing
                }
            }
            (false, false) => Arrival::Good,
        };
        let results: Vec<(&Probe, Arrival)> = probes.iter().map(|probe| (probe, arrival(probe))).collect();
        let findings = judge(&WORMHOLE, &results);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert_eq!(findings[0].place, dead.into());
    }
}
