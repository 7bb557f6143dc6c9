//! The core of an Ethernet tile in the timed mode (`EthernetTile/BabyRISCV/README.md`): a scoreboard as a Tensix tile's cores have, with its
//! own latencies, and NIUs that are busy.
//!
//! No other client shares the core's port of L1 (`EthernetTile/L1.md`: NoC and Ethernet "do not suffer from access port contention").

use tt_isa::timing::Timing;

use super::initiators::Initiators;
use super::ports::Port;
use super::scoreboard::{Place, Scoreboard};
use crate::fault::Fault;
use crate::model::eth::EthernetTile;
use crate::model::rv32::{Kind, Op};

/// What is kept of a core. Times are the chip's clocks.
pub struct Paced {
    board: Scoreboard,
    port: Port,
    initiators: Initiators,
    /// A turn ends here.
    limit: u64,
    /// When the core has last accessed a register.
    accessed: u64,
    /// When the requests in the outbox were made.
    made: Vec<u64>,
    /// Turns, which count as effects of the core's own.
    turns: u64,
}

impl Paced {
    /// A core that has not run yet.
    pub fn new(timing: &'static Timing) -> Self {
        let ethernet = &timing.ethernet;
        Self {
            board: Scoreboard::new(&ethernet.core, ethernet.icache_bytes),
            port: Port::default(),
            initiators: Initiators::new(&timing.noc),
            limit: 0,
            accessed: 0,
            made: Vec::new(),
            turns: 0,
        }
    }

    /// When the core does something, if nothing reaches its tile before; [`u64::MAX`] if it does not. What wakes it is seen at `clock`.
    pub fn next_event(&self, tile: &EthernetTile, clock: u64) -> u64 {
        match tile.is_awake() {
            true if tile.is_asleep() => clock,
            true => self.board.next(),
            false => u64::MAX,
        }
    }

    /// The core may go on from `begin` to `end`; whether it has been asleep until then (`slept`), or has begun anew (`started`).
    pub fn begin(&mut self, begin: u64, end: u64, slept: bool, started: bool) {
        if started {
            self.board.reset(begin);
        } else if slept {
            self.board.wake(begin);
        }
        self.limit = end;
    }

    /// Instructions that it can execute until its turn ends, at most.
    pub fn budget(&self) -> u32 {
        u32::try_from(self.limit.saturating_sub(self.board.next())).unwrap_or(u32::MAX)
    }

    /// A turn begins.
    pub fn turn(&mut self) {
        self.turns += 1;
    }

    /// What a core that polls compares.
    pub fn changes(&self, tile: &EthernetTile) -> u64 {
        tile.changes().wrapping_sub(self.turns)
    }

    /// A turn is over: what it has asked for was made at a clock, and the core is `asleep` if it only polls.
    pub fn end(&mut self, tile: &mut EthernetTile, asleep: bool) {
        self.board.commit();
        self.take_requests(tile);
        if asleep {
            self.board.sleep(true);
        }
    }

    /// Takes the times at which the requests in the outbox were made; those without one were made by `clock`.
    pub fn take_made(&mut self, tile: &EthernetTile, clock: u64) -> Vec<u64> {
        self.made.resize(tile.requests().len(), clock);
        std::mem::take(&mut self.made)
    }

    /// Whether there is time for an instruction.
    pub fn may_execute(&mut self, tile: &mut EthernetTile, pc: u32, op: &Op, operands: [u32; 2]) -> bool {
        if op.kind == Kind::Unknown {
            return true;
        }
        if tile.requests().len() != self.made.len() {
            self.take_requests(tile);
        }
        let Some((at, place, _)) = self.board.enter(pc, op, operands, self.limit, &mut self.port) else {
            return false;
        };
        if !matches!(place, Place::L1 | Place::Local) {
            self.accessed = at;
            tile.set_clock(at);
        }
        true
    }

    /// The core has started initiators, which are busy until their NIU takes the request.
    fn take_requests(&mut self, tile: &mut EthernetTile) {
        for n in self.made.len()..tile.requests().len() {
            let request = tile.requests()[n];
            let taken = self.initiators.take(&request, self.accessed);
            if taken > self.accessed {
                tile.keep_niu_busy(request.noc, taken);
            }
            self.made.push(self.accessed);
        }
    }
}

/// Lets a core that keeps time run for `budget` clocks, by `turn`, which executes so many instructions at most and says whether the core can go on.
///
/// # Errors
/// The core's fault.
pub fn run(
    paced: &mut Paced,
    tile: &mut EthernetTile,
    budget: u32,
    mut turn: impl FnMut(&mut Paced, &mut EthernetTile, u32) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let begin = tile.clock();
    let (slept, started) = (tile.is_asleep(), tile.take_started());
    if !tile.wake() {
        return Ok(());
    }
    paced.begin(begin, begin + u64::from(budget), slept, started);
    while !tile.is_asleep() && tile.is_awake() {
        let most = paced.budget();
        if most == 0 {
            break;
        }
        paced.turn();
        let result = turn(paced, tile, most);
        paced.end(tile, tile.is_asleep());
        result?;
    }
    tile.set_clock(begin);
    Ok(())
}
