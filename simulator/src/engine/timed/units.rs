//! When the coprocessor's units take instructions, and for how long they keep them.
//!
//! | unit | takes one | keeps it |
//! |---|---|---|
//! | matrix, vector | as the instruction table says; not while a block of Dst that it reads is being written | its latency |
//! | unpackers | one of both in two clocks | as long as its bytes take at the speed that both leave each other |
//! | packers | one a clock; not while Dst is being written | as long as its datums or bytes take |
//! | mover | when it has done what it was ordered before | as long as its bytes take |
//! | scalar | when it is done with the last one; its thread waits, too | |
//! | all others | one a clock | |

use tt_isa::insn::{Cost, Opcode, Unit};
use tt_isa::timing::Timing;

use super::ports::Ports;
use crate::model::tensix::Tensix;
use crate::model::tensix::pipe::{Pipe, packers};
use crate::model::tile::MoverWork;
use crate::observe::Issued;
use crate::observe::usage::{UNITS, UnitName};

/// Blocks of Dst, of eight 16-bit rows each.
const BLOCKS: usize = 128;

/// What an unpacker reads for the instruction that it works on.
#[derive(Clone, Copy, Default)]
struct Fetch {
    /// Bytes that were left at `since`.
    left: u64,
    since: u64,
    /// Speed that it wants.
    wants: u8,
}

/// What the units are busy with.
pub struct Units {
    timing: &'static Timing,
    /// Access ports of L1.
    pub ports: Ports,
    /// When matrix unit, vector unit, unpackers and packers take the next instruction.
    matrix: u64,
    vector: u64,
    unpackers: u64,
    /// When the scalar unit is done, and the mover.
    scalar: u64,
    mover: u64,
    /// When each block of Dst can be read, and the last of them.
    blocks: [u64; BLOCKS],
    blocks_last: u64,
    /// Blocks of the instruction that has just been let in.
    written: u128,
    /// The last move of rows, and when.
    moved: Option<(Opcode, u64)>,
    fetches: [Fetch; 2],
    /// Bytes and speed of the unpackers' instructions that wait behind them.
    queued: [Option<(u64, u8)>; 2],
    /// Clocks in which each unit was busy.
    busy: [u64; UNITS],
}

fn cost(opcode: Opcode) -> Cost {
    // The table's test finds instructions without.
    opcode.effects().cost.unwrap_or(Cost { issue: 1, latency: 1 })
}

impl Units {
    /// All idle.
    pub fn new(timing: &'static Timing) -> Self {
        Self {
            timing,
            ports: Ports::new(&timing.port),
            matrix: 0,
            vector: 0,
            unpackers: 0,
            scalar: 0,
            mover: 0,
            blocks: [0; BLOCKS],
            blocks_last: 0,
            written: 0,
            moved: None,
            fetches: Default::default(),
            queued: Default::default(),
            busy: [0; UNITS],
        }
    }

    /// When an instruction's unit takes it at the earliest.
    pub fn free(&mut self, tensix: &Tensix, thread: usize, opcode: Opcode, word: u32) -> u64 {
        match opcode.unit() {
            Unit::Scalar => self.scalar,
            Unit::Vector(_) => self.vector,
            Unit::Unpackers => self.unpackers,
            Unit::Packers => self.blocks_last,
            Unit::Mover => self.mover,
            Unit::Matrix => {
                self.written = tensix.dst_blocks(thread, opcode, word);
                self.matrix.max(self.after_move(opcode)).max(self.readable(opcode, word))
            }
            _ => 0,
        }
    }

    /// When the blocks of Dst that a matrix instruction accumulates on can be read.
    fn readable(&self, opcode: Opcode, word: u32) -> u64 {
        let effects = opcode.effects();
        if self.written == 0 {
            // It may read other rows: of all that were written.
            return if effects.reads_dst(word) { self.blocks_last } else { 0 };
        }
        if !effects.reads_dst(word) {
            return 0;
        }
        bits(self.written).map(|block| self.blocks[block]).max().unwrap_or(0)
    }

    /// What moves of rows keep back (`MOVD2A.md`, `MOVD2B.md`, `MOVA2D.md`, `MOVB2D.md`).
    fn after_move(&self, opcode: Opcode) -> u64 {
        use Opcode::*;
        match self.moved {
            Some((MOVD2A, at)) if !matches!(opcode, MOVD2A | MOVB2A) => at + 2,
            Some((MOVD2B, at)) if opcode != MOVD2B => at + 4,
            Some((MOVA2D | MOVB2D, at))
                if matches!(opcode, MOVD2A | MOVD2B | ELWMUL | MVMUL | DOTPV | GMPOOL | GAPOOL) =>
            {
                at + 4
            }
            _ => 0,
        }
    }

    /// An instruction that no pipe keeps has been executed at `now`: when its thread's next one may be.
    pub fn executed(&mut self, opcode: Opcode, now: u64) -> u64 {
        let mut done = now + u64::from(cost(opcode).issue);
        if opcode.unit() == Unit::Scalar {
            let clocks = self.access(opcode);
            if clocks != 0 {
                done += self.ports.of_scalar_unit().take(now, clocks) - now;
            }
            self.scalar = done;
            self.busy[UnitName::Scalar as usize] += done - now;
        }
        done
    }

    /// The mover gets work at `now`: when it is done.
    pub fn start_mover(&mut self, now: u64, work: MoverWork) -> u64 {
        let [bytes, clocks] = self.timing.unit.mover_copy.map(u64::from);
        let clear = 16 * work.cleared / u64::from(self.timing.unit.mover_clear);
        let clocks = (16 * work.copied * clocks).div_ceil(bytes) + clear;
        let begin = now.max(self.mover);
        self.mover = self.ports.move_data(begin, [work.copied, work.written]).max(begin + clocks);
        self.busy[UnitName::Mover as usize] += self.mover - begin;
        self.mover
    }

    /// Clocks that an instruction of the scalar unit takes its port of L1.
    fn access(&self, opcode: Opcode) -> u64 {
        use Opcode::*;
        match opcode {
            LOADIND => 1,
            STOREIND | ATINCGET | ATINCGETPTR | ATSWAP | ATCAS => self.timing.core.store_l1.into(),
            _ => 0,
        }
    }

    /// An instruction of a pipe has been let in at `now`: when it is done (an unpacker's may change), and when its
    /// thread's next one may be let in.
    pub fn keep(&mut self, tensix: &Tensix, issued: &Issued, pipe: Pipe, now: u64, last: u64) -> (u64, u64) {
        let Cost { issue, latency } = cost(issued.opcode);
        let next = now + u64::from(issue);
        match pipe {
            Pipe::Matrix => {
                self.matrix = next;
                self.busy[UnitName::Matrix as usize] += u64::from(issue);
                self.write(now + u64::from(latency));
                self.moved = is_move(issued.opcode).then_some((issued.opcode, now));
                (now + u64::from(latency), now + 1)
            }
            Pipe::Vector => {
                self.vector = next;
                self.busy[UnitName::Vector as usize] += u64::from(issue);
                (now + u64::from(latency), now + 1)
            }
            Pipe::Packers => {
                let packing = self.packing(tensix, issued.opcode);
                self.busy[UnitName::Packers as usize] += packing;
                let begin = now.max(last);
                (self.ports.pack(packers(issued.opcode, issued.word), begin, packing), next)
            }
            Pipe::Unpacker0 | Pipe::Unpacker1 => {
                self.unpackers = next;
                self.busy[pipe as usize] += u64::from(issue);
                (self.fetch(tensix, issued.opcode, pipe as usize, next, last), next)
            }
        }
    }

    /// The blocks of the last instruction can be read from `readable` on (`Dst.md`).
    fn write(&mut self, readable: u64) {
        for block in bits(self.written) {
            self.blocks[block] = readable;
        }
        if self.written != 0 {
            self.blocks_last = readable;
        }
    }

    /// Clocks of a pack.
    fn packing(&self, tensix: &Tensix, opcode: Opcode) -> u64 {
        if opcode != Opcode::PACR {
            return u64::from(cost(opcode).latency);
        }
        let packed = tensix.packed();
        let clocks = if packed.accumulates { u64::from(self.timing.unit.pack_accumulate) } else { 1 };
        let bytes = u64::from(packed.bytes.div_ceil(u32::from(self.timing.unit.pack_bytes))) * clocks;
        bytes.max(packed.datums.div_ceil(u32::from(self.timing.unit.pack_datums)).into()).max(1)
    }

    /// Starts to fetch an unpack's bytes, or notes them if another one is being fetched; when it is done.
    fn fetch(&mut self, tensix: &Tensix, opcode: Opcode, unpacker: usize, now: u64, last: u64) -> u64 {
        let fetched = if opcode == Opcode::UNPACR { tensix.fetched() } else { Default::default() };
        let (bytes, wants) = (u64::from(fetched.bytes), fetched.speed.min(2));
        if last != 0 {
            self.queued[unpacker] = Some((bytes, wants));
            return u64::MAX;
        }
        self.settle(now);
        self.fetches[unpacker] = Fetch { left: bytes, since: now, wants };
        self.done(unpacker)
    }

    /// An unpacker's instruction has left: the next one's bytes are fetched from now on.
    pub fn fetch_next(&mut self, unpacker: usize, now: u64) {
        self.settle(now);
        let (left, wants) = self.queued[unpacker].take().unwrap_or_default();
        self.fetches[unpacker] = Fetch { left, since: now, wants };
    }

    /// When an unpacker's instruction is done, if nothing changes.
    pub fn done(&self, unpacker: usize) -> u64 {
        let fetch = self.fetches[unpacker];
        fetch.since + fetch.left.div_ceil(self.speed(unpacker))
    }

    /// Clocks in which each unit was busy until `now`.
    pub fn busy(&self, now: u64) -> [u64; UNITS] {
        let mut busy = self.busy;
        for (unpacker, fetch) in self.fetches.iter().enumerate() {
            busy[unpacker] += now.saturating_sub(fetch.since).min(fetch.left.div_ceil(self.speed(unpacker)));
        }
        busy
    }

    /// Bytes a clock that an unpacker gets.
    fn speed(&self, unpacker: usize) -> u64 {
        let [first, second] = &self.fetches;
        let bytes = self.timing.unit.unpack_bytes;
        let speed = if first.left == 0 || second.left == 0 {
            self.fetches[unpacker].wants
        } else {
            self.timing.unit.unpack_together[usize::from(second.wants)][usize::from(first.wants)][unpacker]
        };
        u64::from(bytes[usize::from(speed)])
    }

    /// Notes how far both unpackers have come.
    fn settle(&mut self, now: u64) {
        let speeds = [self.speed(0), self.speed(1)];
        for ((fetch, speed), busy) in self.fetches.iter_mut().zip(speeds).zip(&mut self.busy) {
            if now > fetch.since {
                *busy += (now - fetch.since).min(fetch.left.div_ceil(speed));
                fetch.left = fetch.left.saturating_sub((now - fetch.since) * speed);
                fetch.since = now;
            }
        }
    }
}

fn is_move(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(opcode, MOVD2A | MOVD2B | MOVA2D | MOVB2D)
}

fn bits(mut set: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (bit < BLOCKS).then_some(bit)
    })
}
