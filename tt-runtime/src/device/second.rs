//! The second chip of a card, which has no PCIe: bytes to and from it by way of the first chip, copies between the two, and its state when the card
//! is opened.
//!
//! ```text
//! upload     host -> half of the first chip's stage -> RELAY on the first chip, over both links  -> DRAM of the second
//! download   DRAM of the second -> RELAY on the second chip -> half of the first chip's stage    -> host, as results of the first chip come
//! ```
//! While cores move one half, the host fills or empties the other. The stage is a piece of the first chip's DRAM behind the runtime's part. A
//! few bytes go by commands of the host ([`remote`](crate::transport::remote)), which needs no launch: so do the ends of a run that blocks do
//! not take, and everything before our firmware runs.
//!
//! Order: a queue of commands has one writer. The host leaves those of the first chip's Ethernet tiles alone from the start of an upload to its
//! end, and looks at them anew then. A download uses those of the second chip's tiles, which the host never does.

use std::ops::Range;
use std::time::{Duration, Instant};

use tt_isa::chip::Chip;
use tt_isa::eth::routing::{
    COMMANDS, READ_POINTER, REQUEST_QUEUE, WRITE_POINTER, WRITES_ACKNOWLEDGED, WRITES_REQUESTED,
};
use tt_isa::map::SOFT_RESET_ALL;
use tt_isa::noc::NocXy;
use tt_kernel_abi::dram::{DRAM_PAGE, DRAM_RESERVED, STREAM_STEPS};
use tt_kernel_abi::{DramAddr, OpDescriptor, Shards, relay};

use super::Session;
use super::boot::SOFT_RESET;
use crate::error::Error;
use crate::link::{Link, runs};
use crate::ops::{self, End};
use crate::transport::remote::Remote;
use crate::transport::{RemoteError, Route, Routes, Transport, TransportError};

/// Bytes of the stage, on chips that have another one behind them. A launch and its wait take a few us; half of the stage takes 80 us over two links at 12.5 GB/s
/// each.
pub(super) const STAGE: u64 = 4 << 20;
const HALF: u64 = STAGE / 2;
/// So many bytes are worth a relay. By commands of the host, each KiB that is written costs 1,060 uncached bytes and a read of a pointer (1.15 us of PCIe) now and
/// then, and each that is read some 68 reads. An upload by relay costs a launch and the look at the queues after it, some 14 reads; a download a launch on
/// the second chip, some 20 reads, and one on the first (counts: `docs/cards.md`).
pub(super) const WORTH_AN_UPLOAD: usize = 16 << 10;
pub(super) const WORTH_A_DOWNLOAD: usize = 2 << 10;
/// Bytes of one launch of a copy to the other chip.
const RELAYED: u64 = 64 << 20;
/// Longest wait for what cores that were just stopped have put into queues.
const PATIENCE: Duration = Duration::from_secs(1);
/// Clocks of a simulator between two looks.
const CLOCKS: u32 = 64;

/// Bytes that lie together on the second chip, except for pages in between.
pub(super) struct Run {
    /// Which bytes of the host's.
    range: Range<usize>,
    there: End,
}

impl Run {
    /// `len` bytes of linear DRAM.
    pub(super) fn linear(addr: DramAddr, len: usize) -> Self {
        Self { range: 0..len, there: End::linear(addr) }
    }

    /// The runs of a part of a matrix' stream of tiles: `range` of the host's bytes is its bytes from `at` on.
    pub(super) fn of_shards(shards: &Shards, at: u64, range: &Range<usize>, banks: u32) -> Vec<Self> {
        let page = u64::from(DRAM_PAGE);
        let run = |(part, bank, offset): (Range<usize>, usize, u64)| {
            let first = (offset / page * u64::from(banks) + bank as u64) * page + offset % page;
            let range = range.start + part.start..range.start + part.end;
            Self { range, there: End { at: DramAddr(first), step: banks } }
        };
        runs(shards, at, range.len()).map(run).collect()
    }

    /// Where byte `at` of it is.
    fn place(&self, at: usize) -> DramAddr {
        DramAddr(relay::place(self.there.at.0, at as u64, self.there.step))
    }
}

/// A part of a run that goes through the stage.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Piece {
    range: Range<usize>,
    there: End,
    /// Where it is in its half of the stage.
    staged: u64,
}

impl Piece {
    fn len(&self) -> u64 {
        self.range.len() as u64
    }
}

/// How runs are moved.
#[derive(Default)]
struct Plan {
    /// What a launch moves, each time a half of the stage.
    batches: Vec<Vec<Piece>>,
    /// What the host moves.
    edges: Vec<(Range<usize>, DramAddr)>,
    /// Bytes of the last batch.
    filled: u64,
}

impl Plan {
    fn of(runs: &[Run]) -> Self {
        let mut plan = Self::default();
        runs.iter().for_each(|run| plan.add(run));
        plan
    }

    fn add(&mut self, run: &Run) {
        let len = run.range.len();
        let head = ((run.there.at.0.next_multiple_of(relay::ALIGN) - run.there.at.0) as usize).min(len);
        let end = len - (len - head) % 4;
        for (from, to) in [(0, head), (end, len)] {
            if from < to {
                self.edges.push((run.range.start + from..run.range.start + to, run.place(from)));
            }
        }
        let mut at = head;
        while at < end {
            let now = self.room().min((end - at) as u64);
            let range = run.range.start + at..run.range.start + at + now as usize;
            let there = End { at: run.place(at), step: run.there.step };
            let piece = Piece { range, there, staged: self.filled };
            self.filled = (self.filled + now).next_multiple_of(relay::ALIGN);
            match self.batches.last_mut() {
                Some(batch) => batch.push(piece),
                None => self.batches.push(vec![piece]),
            }
            at += now as usize;
        }
    }

    /// Bytes that the last batch has room for, after a new one if it has none.
    fn room(&mut self) -> u64 {
        let full = |batch: &Vec<Piece>| batch.len() > STREAM_STEPS;
        if self.filled >= HALF || self.batches.last().is_some_and(full) {
            self.batches.push(Vec::new());
            self.filled = 0;
        }
        HALF - self.filled
    }
}

/// First byte of the half that the n-th batch goes through.
fn half(n: usize) -> DramAddr {
    DramAddr(DRAM_RESERVED + n as u64 % 2 * HALF)
}

/// The ways between a card's two chips.
fn routes(second: &Session) -> Result<Routes, Error> {
    let routes = second.link.transport.routes().cloned();
    Ok(routes.ok_or(TransportError::from(RemoteError::NoLink { links: Vec::new() }))?)
}

/// Descriptor of a copy from the chip of a session to the other one.
fn step(source: &Session, route: &Route, from: End, to: End, bytes: u64) -> Result<OpDescriptor, Error> {
    let (chip, cores) = (source.link.chip(), source.workers.len() as u32);
    ops::relay(chip, route, from, to, bytes, cores).map_err(|error| Error::Unsupported(error.0.into_owned()))
}

/// Writes DRAM of the second chip.
pub(super) fn upload(
    first: &mut Session,
    second: &mut Session,
    runs: &[Run],
    data: &[u8],
) -> Result<(), Error> {
    let (route, plan) = (routes(second)?.to_second, Plan::of(runs));
    for (range, addr) in plan.edges {
        second.link.write_dram(addr, &data[range])?;
    }
    // Past the host's own writes to the second chip, which have their place in the queues.
    second.link.settle()?;
    let mut running: Vec<OpDescriptor> = Vec::new();
    for (n, batch) in plan.batches.iter().enumerate() {
        let mut steps = Vec::new();
        for piece in batch {
            let staged = half(n).offset(piece.staged);
            first.link.write_dram(staged, &data[piece.range.clone()])?;
            steps.push(step(first, &route, End::linear(staged), piece.there, piece.len())?);
        }
        if !running.is_empty() {
            first.end(&running)?;
        }
        first.begin(&steps)?;
        running = steps;
    }
    if !running.is_empty() {
        first.end(&running)?;
        second.link.transport.routes_were_used()?;
    }
    Ok(())
}

/// Reads DRAM of the second chip.
pub(super) fn download(
    first: &mut Session,
    second: &mut Session,
    runs: &[Run],
    out: &mut [u8],
) -> Result<(), Error> {
    let (route, plan) = (routes(second)?.to_first, Plan::of(runs));
    for (range, addr) in plan.edges {
        second.link.read_dram(addr, &mut out[range])?;
    }
    // What the host has written to the stage is there before anything that cores write.
    first.link.settle()?;
    let mut running: Vec<OpDescriptor> = Vec::new();
    for (n, batch) in plan.batches.iter().enumerate() {
        let staged = |piece: &Piece| End::linear(half(n).offset(piece.staged));
        let steps = batch.iter().map(|piece| step(second, &route, piece.there, staged(piece), piece.len()));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        if !running.is_empty() {
            second.end(&running)?;
        }
        second.begin(&steps)?;
        running = steps;
        if n > 0 {
            fetch(first, n - 1, &plan.batches[n - 1], out)?;
        }
    }
    if let Some(last) = plan.batches.last() {
        second.end(&running)?;
        fetch(first, plan.batches.len() - 1, last, out)?;
    }
    Ok(())
}

/// Takes a batch out of the stage.
fn fetch(first: &mut Session, n: usize, batch: &[Piece], out: &mut [u8]) -> Result<(), Error> {
    // The first piece begins the half, and the others follow.
    batch
        .iter()
        .try_for_each(|piece| first.read_dram(half(n).offset(piece.staged), &mut out[piece.range.clone()]))
}

/// Copies between the chips of a card, from the first one `onwards` or to it.
pub(super) fn copy(
    first: &mut Session,
    second: &mut Session,
    onwards: bool,
    (from, to): (DramAddr, DramAddr),
    bytes: u64,
) -> Result<(), Error> {
    let routes = routes(second)?;
    let (source, target, route) = match onwards {
        true => (&mut *first, &mut *second, &routes.to_second),
        false => (&mut *second, &mut *first, &routes.to_first),
    };
    let whole = bytes / 4 * 4;
    // Past the other's own writes.
    target.link.settle()?;
    for at in (0..whole).step_by(RELAYED as usize) {
        let now = RELAYED.min(whole - at);
        let ends = [from, to].map(|addr| End::linear(addr.offset(at)));
        let descriptor = step(source, route, ends[0], ends[1], now)?;
        source.link.check(from.offset(at), now)?;
        target.link.check(to.offset(at), now)?;
        source.moves += 1;
        source.execute(&descriptor)?;
    }
    if onwards {
        second.link.transport.routes_were_used()?;
    }
    // The rest of a word.
    let mut rest = [0; 4];
    let rest = &mut rest[..(bytes - whole) as usize];
    if !rest.is_empty() {
        first_of(onwards, first, second).link.read_dram(from.offset(whole), rest)?;
        first_of(!onwards, first, second).link.write_dram(to.offset(whole), rest)?;
    }
    Ok(())
}

/// One of two.
fn first_of<'a>(first: bool, one: &'a mut Session, two: &'a mut Session) -> &'a mut Session {
    if first { one } else { two }
}

/// Puts the cores of the second chip into reset, whatever the last user of the card has left there, and waits until what they have sent to the first
/// chip has arrived. Nobody may use the chip.
///
/// # Errors
/// It is not reached.
pub(super) fn quiet(first: Box<dyn Transport>, chip: &'static Chip) -> Result<(), TransportError> {
    let remote = Remote::new(first)?;
    let theirs = remote.routes().map_or_else(Vec::new, |routes| routes.to_first.tiles.clone());
    let mut link = Link::new(Box::new(remote));
    let workers: Vec<NocXy> = chip.workers(link.harvested()?).collect();
    if let [first, .., last] | [first @ last] = workers[..] {
        link.multicast((first, last), SOFT_RESET, &SOFT_RESET_ALL.to_le_bytes())?;
    }
    let started = Instant::now();
    for tile in theirs {
        while !is_empty(&mut link, tile)? {
            link.advance(CLOCKS)?;
            if started.elapsed() > PATIENCE {
                tracing::warn!(
                    "the firmware of the second chip's Ethernet tile {tile} has not passed on what a program before has left there"
                );
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whether the firmware of an Ethernet tile has passed on everything that it has been given.
fn is_empty(link: &mut Link, tile: NocXy) -> Result<bool, TransportError> {
    let mut queue = [0; COMMANDS as usize];
    link.read(tile, REQUEST_QUEUE.into(), &mut queue)?;
    let word = |at: u32| &queue[at as usize..at as usize + 4];
    Ok(word(WRITE_POINTER) == word(READ_POINTER) && word(WRITES_REQUESTED) == word(WRITES_ACKNOWLEDGED))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte is moved once, and lies where a bank has it.
    #[test]
    fn runs_are_divided_into_what_blocks_take_and_what_not() {
        for (addr, len, step) in
            [(0x10_0005, 100_003, 1), (8192 * 25 + 32, 5_000_000, 12), (64, 8, 1), (33, 3, 1)]
        {
            let runs = [Run { range: 10..10 + len, there: End { at: DramAddr(addr), step } }];
            let plan = Plan::of(&runs);
            let mut all: Vec<(Range<usize>, DramAddr)> = plan.edges.clone();
            for batch in &plan.batches {
                let mut next = 0;
                for piece in batch {
                    assert!(piece.there.at.0.is_multiple_of(32) && piece.len().is_multiple_of(4));
                    assert!(piece.staged.is_multiple_of(32) && piece.staged >= next);
                    next = piece.staged + piece.len();
                    all.push((piece.range.clone(), piece.there.at));
                }
                assert!(next <= HALF);
            }
            all.sort_by_key(|(range, _)| range.start);
            let mut next = 10;
            for (range, there) in &all {
                assert!(range.start == next && *there == runs[0].place(next - 10), "{range:?}");
                next = range.end;
            }
            assert_eq!(next, 10 + len);
        }
    }

    /// Small runs share a launch.
    #[test]
    fn batches_have_as_many_pieces_as_a_stream_has_steps() {
        let run =
            |n: usize| Run { range: 96 * n..96 * n + 96, there: End::linear(DramAddr(4096 * n as u64)) };
        let runs: Vec<Run> = (0..3000).map(run).collect();
        let plan = Plan::of(&runs);
        let counts: Vec<usize> = plan.batches.iter().map(Vec::len).collect();
        assert_eq!((counts, plan.edges.len()), (vec![1024, 1024, 952], 0));
    }
}
