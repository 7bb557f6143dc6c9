//! A chip: tiles, DRAM, the NoC between them, and time.
//!
//! Time passes in [`Chip::advance`] (or in that of a [`crate::System`] of chips), in quanta. In a quantum every awake tile
//! runs independently, on any number of host threads. Then the tiles' requests are delivered, tile by tile in a fixed
//! order, and each tile's in the order in which its cores made them. So results do not depend on the number of threads,
//! and a request's effect, response and counter become visible together: between quanta, or, for reads of DRAM,
//! when all cores of the tile wait ([`crate::engine::fast`]).

use std::collections::VecDeque;
use std::sync::Arc as Shared;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tt_isa::chip::Board;
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

use super::system;
use crate::engine::ethernet::EthernetEngine;
use crate::engine::fast::Memory;
use crate::engine::network::Network;
use crate::engine::packets::Packets;
use crate::engine::{Engine, Mode, Observers};
use crate::fault::Fault;
use crate::model::arc::Arc;
use crate::model::defect::Defect;
use crate::model::dram::Dram;
use crate::model::eth::EthernetTile;
use crate::model::eth::firmware::Identity;
use crate::model::eth::line::LineUsage;
use crate::model::grid::{Grid, Node};
use crate::model::noc::{Data, Niu, Port};
use crate::model::pcie::Pcie;
use crate::model::tile::Tile;
use crate::observe::counters::Counters as Executed;
use crate::observe::races::{Note, Races};
use crate::observe::trace::{TraceConfig, Tracer};
use crate::observe::usage::{EthernetUsage, Usage};

use super::defects::DeadLink;
use super::host::Windows;
use super::links::Links;
use super::routing::Jobs;

/// Instructions of a core in one quantum. Tiles that wait for the NoC end theirs early.
const QUANTUM: u32 = 16 * 1024;
/// Fewer awake tiles than this run on the caller's thread.
const WORTH_THREADS: usize = 4;
/// As do all of them after a quantum that was over sooner than this: waking threads takes longer.
const WORTH_WAKING: Duration = Duration::from_micros(200);

/// What to build.
#[derive(Clone, Debug)]
pub struct ChipConfig {
    /// The board, for grid and telemetry.
    pub board: &'static Board,
    /// Tensix rows (or columns: [`tt_isa::chip::Harvesting`]) that are fused off: bit n is the n-th one.
    pub harvested: u32,
    /// Host threads.
    pub threads: usize,
    /// Number of the chip on its board.
    pub index: usize,
    /// How time passes inside.
    pub mode: Mode,
    /// A trace of what happens.
    pub trace: Option<TraceConfig>,
    /// What is broken.
    pub defects: Vec<Defect>,
    /// In the asynchronous mode: the race detector notes what it finds, and the run goes on ([`Chip::take_findings`]).
    pub notes: bool,
}

impl ChipConfig {
    /// The `index`-th chip of a board, as many of the last rows (or columns) harvested as the board has; a thread a core.
    pub fn of_board(board: &'static Board, index: usize) -> Self {
        let count = board.harvested.get(index).copied().unwrap_or(0);
        let harvested = ((1 << count) - 1) << (board.chip.harvestable() - u32::from(count));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            board,
            harvested,
            threads,
            index,
            mode: Mode::Fast,
            trace: None,
            defects: Vec::new(),
            notes: false,
        }
    }

    /// Whom an Ethernet tile of this chip belongs to.
    pub(super) fn identity(&self, channel: usize) -> Identity {
        Identity {
            chip: self.index as u32,
            place: self.board.places.get(self.index).copied().unwrap_or(NocXy::new(0, 0)),
            board_id: self.board.id(self.index),
            channel: channel as u32,
            // Boards all of whose chips the host reaches do without.
            routing: usize::from(self.board.pcie_chips) < self.board.harvested.len()
                || self.board.links.is_empty(),
        }
    }
}

/// How far [`Chip::advance`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Clocks that passed.
    pub clocks: u64,
    /// Nothing on the chip will move until the host does something.
    pub asleep: bool,
}

/// Totals since the chip was made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// RISC-V instructions.
    pub riscv_instructions: u64,
    /// Tensix instructions.
    pub tensix_instructions: u64,
    /// NoC requests.
    pub noc_requests: u64,
    /// Bytes that NoC requests moved.
    pub noc_bytes: u64,
}

/// A chip.
pub struct Chip {
    pub(super) config: ChipConfig,
    pub(super) grid: Grid,
    pub(super) tiles: Vec<Tile>,
    /// What runs each of them, and what it has executed.
    pub(super) engines: Vec<Engine>,
    executed: Vec<Executed>,
    /// Ethernet tiles, by channel, what runs each of them, messages on its link, and commands to its firmware.
    pub(super) ethernet: Vec<EthernetTile>,
    pub(super) ethernet_engines: Vec<EthernetEngine>,
    pub(super) links: Links,
    pub(super) jobs: Vec<Jobs>,
    pub(super) dram: Vec<Dram>,
    /// NIUs of the tiles that make no requests, by position.
    pub(super) edges: Vec<Port>,
    pub(super) arc: Arc,
    pub(super) pcie: Pcie,
    pub(super) windows: Windows,
    /// PCI's command register.
    pub(super) pci_command: u16,
    /// Chips of the board, by number, with which Ethernet links are trained.
    linked: Shared<[usize]>,
    pool: Shared<rayon::ThreadPool>,
    pub(super) traffic: Counters,
    pub(super) dead_links: Vec<DeadLink>,
    /// Data of the packet that is being delivered.
    pub(super) packet: Data,
    /// NoC packets under way, where they take their time.
    pub(super) in_flight: Option<Packets<Option<Note>>>,
    /// Clocks since power-on, the same for all tiles.
    pub(super) clock: u64,
    pub(super) tracer: Option<Box<Tracer>>,
    pub(super) races: Option<Box<Races>>,
    /// When each Tensix tile next does something, if nothing reaches it before ([`Self::quantum`]); where time is kept.
    events: Vec<u64>,
    /// Only one tile does anything in the next quantum, which ends when it asks for something.
    alone: bool,
    /// Something has been written to host memory, and time passes until that happens.
    pub(super) told: bool,
    pub(super) listens: bool,
    /// How long the tiles' last quantum took.
    last_run: Duration,
    /// Faults of the last quantum that the host has not been told of yet, in the order of the tiles.
    faults: VecDeque<Fault>,
}

impl Chip {
    /// A chip after power-on.
    ///
    /// # Errors
    /// The host cannot start the worker threads, or write the trace.
    pub fn new(config: ChipConfig) -> Result<Self, Fault> {
        let name = config.board.chip.name;
        if config.mode == Mode::Timed && config.board.chip.timing.is_none() {
            return Err(Fault::not_implemented(format!("the timed mode of {name}: its costs are not known")));
        }
        let pool = pool(config.threads)?;
        let trace = config.trace.clone();
        let mut chip = Self::on_threads(config, pool);
        trace.iter().try_for_each(|trace| chip.start_trace(trace))?;
        Ok(chip)
    }

    /// A chip after power-on, on the threads of another one.
    ///
    /// # Errors
    /// The trace cannot be written.
    pub(super) fn beside(config: ChipConfig, other: &Self) -> Result<Self, Fault> {
        let trace = config.trace.clone();
        let mut chip = Self::on_threads(config, Shared::clone(&other.pool));
        trace.iter().try_for_each(|trace| chip.start_trace(trace))?;
        Ok(chip)
    }

    fn on_threads(config: ChipConfig, pool: Shared<rayon::ThreadPool>) -> Self {
        let (chip, mode) = (config.board.chip, config.mode);
        let grid = Grid::new(chip, config.harvested);
        let nius = |at| [0, 1].map(|noc| Niu::new(&grid.niu_setup(noc, at)));
        let positions = grid.tensix();
        let tiles: Vec<_> = positions.iter().map(|&at| Tile::new(chip, at, nius(at))).collect();
        let edges = grid.positions().map(|at| Port::new(nius(at))).collect();
        let dram = (0..grid.dram_groups()).map(|_| Dram::new(grid.dram_group_size())).collect();
        let ethernet = grid.ethernet().iter().enumerate();
        let ethernet: Vec<_> =
            ethernet.map(|(n, &at)| EthernetTile::new(at, nius(at), &config.identity(n))).collect();
        let mut chip = Self {
            engines: (0..tiles.len()).map(|index| Engine::new(config.mode, index, chip)).collect(),
            executed: tiles.iter().map(|_| Executed::default()).collect(),
            arc: Arc::new(config.board, config.index, config.harvested),
            in_flight: None,
            races: None,
            grid,
            tiles,
            dram,
            pcie: Pcie::new(chip.pci_id),
            windows: Windows::new(chip),
            pci_command: 0,
            linked: [].into(),
            config,
            pool,
            traffic: Counters::default(),
            dead_links: Vec::new(),
            packet: Data::default(),
            edges,
            ethernet_engines: ethernet.iter().map(|_| EthernetEngine::new(mode, chip)).collect(),
            links: ethernet.iter().map(|_| VecDeque::new()).collect(),
            jobs: ethernet.iter().map(|_| Jobs::default()).collect(),
            ethernet,
            clock: 0,
            tracer: None,
            events: Vec::new(),
            alone: false,
            told: false,
            listens: false,
            last_run: Duration::ZERO,
            faults: VecDeque::new(),
        };
        chip.break_things();
        match (chip.config.mode, chip.config.board.chip.timing) {
            (Mode::Async { seed }, _) => {
                chip.in_flight = Some(Packets::new(seed));
                chip.detect_races(seed, &positions);
            }
            (Mode::Timed, Some(timing)) => {
                chip.in_flight = Some(Packets::timed(Network::new(chip.config.board.chip, timing)));
                chip.ethernet.iter_mut().for_each(|tile| tile.keep_time(timing));
            }
            (Mode::Timed, None) | (Mode::Fast, _) => {}
        }
        chip
    }

    /// Does what a message to ARC has asked for: the chip is as after power-on, but that it is still on the same board and in the same
    /// host. What was in its memories is lost.
    pub(super) fn reset_if_asked(&mut self) {
        if !self.arc.take_reset() {
            return;
        }
        let mut chip = Self::on_threads(self.config.clone(), Shared::clone(&self.pool));
        self.pcie.take_host().into_iter().for_each(|host| chip.pcie.set_host(host));
        // The trace goes on with the tiles that there are now; time does not begin anew for it.
        (chip.tracer, chip.clock) = (self.tracer.take(), self.clock);
        let linked = Shared::clone(&self.linked);
        *self = chip;
        self.train_links(linked);
    }

    /// The Ethernet links to some chips of the board, by number, are there.
    pub(super) fn train_links(&mut self, chips: Shared<[usize]>) {
        let (board, index) = (self.config.board, self.config.index);
        for (channel, tile) in self.ethernet.iter_mut().enumerate() {
            let peer = board.peer(index, channel);
            if let Some(peer) = peer.filter(|peer| chips.contains(&peer.chip.into())) {
                let (at, n) = (usize::from(peer.chip), usize::from(peer.channel));
                let identity = ChipConfig::of_board(board, at).identity(n);
                tile.connect(channel, &identity, board.chip.ethernet[n]);
            }
        }
        self.linked = chips;
    }

    /// From now on accesses are watched: memories keep logs, DRAM remembers what was written.
    fn detect_races(&mut self, seed: u64, positions: &[NocXy]) {
        self.races = Some(Box::new(Races::new(self.config.board.chip, seed, positions, self.config.notes)));
        self.tiles.iter_mut().for_each(Tile::enable_log);
        self.dram.iter_mut().for_each(Dram::remember_writes);
    }

    /// Takes what the race detector has noted since the last call ([`ChipConfig::notes`]): each finding once for a set of kernels, with the
    /// first tile that has it.
    pub fn take_findings(&mut self) -> Vec<Fault> {
        self.races.as_mut().map_or_else(Vec::new, |races| races.take_findings())
    }

    /// Starts new worker threads, in a process that was forked from the one that made the chip: threads stay behind.
    ///
    /// # Errors
    /// The host cannot start threads.
    pub fn restart_threads(&mut self) -> Result<(), Fault> {
        self.pool = pool(self.config.threads)?;
        Ok(())
    }

    /// Totals so far.
    pub fn counters(&self) -> Counters {
        Counters {
            riscv_instructions: self.tiles.iter().map(Tile::instructions).sum::<u64>()
                + self.ethernet.iter().map(EthernetTile::instructions).sum::<u64>(),
            tensix_instructions: self.executed.iter().map(Executed::total).sum(),
            ..self.traffic
        }
    }

    /// What has taken time so far, in the timed mode.
    pub fn usage(&self) -> Option<Usage> {
        let tiles = self.engines.iter().zip(&self.tiles);
        let tiles: Option<Vec<_>> = tiles.map(|(engine, tile)| engine.usage(tile, self.clock)).collect();
        let (links, channels) = self.in_flight.as_ref()?.usage();
        let ethernet = self.ethernet.iter().map(EthernetTile::line_usage);
        let ethernet = ethernet.map(|LineUsage { bytes, busy }| EthernetUsage { bytes, busy }).collect();
        Some(Usage { clocks: self.clock, tiles: tiles?, links, channels, ethernet })
    }

    /// Tensix instructions executed so far, by opcode (bits 31:24 of the word).
    pub fn tensix_instructions_by_opcode(&self) -> [u64; 256] {
        let mut sum = [0; 256];
        for tile in &self.executed {
            sum.iter_mut().zip(tile.by_opcode()).for_each(|(sum, n)| *sum += n);
        }
        sum
    }

    /// Pc of a core of the Tensix tile at a NoC 0 (or translated) coordinate, if it is out of reset.
    pub fn pc(&self, tile: NocXy, core: RiscV) -> Option<u32> {
        let Node::Tensix(index) = self.grid.named(tile)? else { return None };
        let tile = &self.tiles[index];
        tile.is_running(core).then(|| tile.hart(core).pc)
    }

    /// Pc of the core of an Ethernet tile, if it executes customers' code.
    pub fn ethernet_pc(&self, channel: usize) -> Option<u32> {
        self.ethernet.get(channel)?.pc()
    }

    /// Lets up to `clocks` clocks pass: that many instructions of each core.
    ///
    /// # Errors
    /// A fault, in the order of tiles; the next call returns the next one before anything else. The chip stays as it is then,
    /// and can be inspected.
    pub fn advance(&mut self, clocks: u64) -> Result<Progress, Fault> {
        system::advance(std::slice::from_mut(self), clocks)
    }

    /// The same, until the chip has written to host memory ([`System::advance_until_told`](super::system::System::advance_until_told)).
    ///
    /// # Errors
    /// As there.
    pub fn advance_until_told(&mut self, clocks: u64) -> Result<Progress, Fault> {
        system::advance_until_told(std::slice::from_mut(self), clocks)
    }

    /// What a transfer over the NoC takes if nothing is in its way, where time is kept ([`Packets::idle_way`]).
    pub(super) fn idle_way(&self, noc: u8, ends: [NocXy; 2], len: u32, reads: bool) -> [u64; 2] {
        self.in_flight.as_ref().map_or([0; 2], |packets| packets.idle_way(&self.grid, noc, ends, len, reads))
    }

    /// Whether anything on the chip can move.
    pub(super) fn is_busy(&self) -> bool {
        let ethernet = |tile: &EthernetTile| {
            tile.is_awake() || tile.wants_service() || tile.has_frames() || tile.has_requests()
        };
        self.in_flight.as_ref().is_some_and(|packets| !packets.is_empty())
            || self.pcie.next_push().is_some()
            || self.has_awake_tile()
            || self.tiles.iter().any(Tile::has_requests)
            || self.has_messages()
            || self.has_commands()
            || self.ethernet.iter().any(ethernet)
    }

    fn has_awake_tile(&self) -> bool {
        self.engines.iter().zip(&self.tiles).any(|(engine, tile)| engine.is_awake(tile))
    }

    /// Gives every tile that is awake its turn, whatever happens to the others: what a fault leaves behind does not
    /// depend on the number of threads. The faults wait in [`Self::untold`]. How many clocks have passed.
    pub(super) fn run_tiles(&mut self, quantum: u32) -> u32 {
        let begin = Instant::now();
        let (results, quantum) = self.run_tensix(quantum);
        self.last_run = begin.elapsed();
        let clock = self.clock;
        let engines = self.ethernet.iter_mut().zip(&mut self.ethernet_engines);
        let ethernet: Vec<_> = engines
            .filter(|(tile, _)| tile.is_awake())
            .map(|(tile, engine)| {
                tile.set_clock(clock);
                engine.run(tile, quantum)
            })
            .collect();
        let end = self.clock + u64::from(quantum);
        let traced = self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.quantum(end, self.executed.iter()));
        let collected = self.collect_reads();
        let all = results.into_iter().chain(ethernet).chain([traced.map_err(Fault::from), collected]);
        self.faults.extend(all.filter_map(Result::err));
        quantum
    }

    fn run_tensix(&mut self, quantum: u32) -> (Vec<Result<(), Fault>>, u32) {
        let memory = Memory {
            grid: &self.grid,
            dram: &self.dram,
            traced: self.tracer.is_some(),
            lossy: !self.dead_links.is_empty(),
        };
        let mut races = self.races.iter_mut().flat_map(|races| races.tiles_mut());
        let mut recorders = self.tracer.iter_mut().flat_map(|tracer| tracer.recorders_mut());
        let mut awake = Vec::new();
        let end = self.clock + u64::from(quantum);
        let tiles = self.tiles.iter_mut().zip(&mut self.engines).zip(&mut self.executed);
        for (n, ((tile, engine), counters)) in tiles.enumerate() {
            let observers = Observers { counters, races: races.next(), recorder: recorders.next().flatten() };
            let event = self.events.get(n).copied().unwrap_or_else(|| engine.next_event(tile, self.clock));
            if event < end {
                tile.set_clock(self.clock);
                awake.push((tile, engine, observers));
            }
        }
        if self.alone
            && let [(_, engine, _)] = &mut awake[..]
            && engine.run_alone()
        {
            let (tile, engine, observers) = awake.remove(0);
            let result = engine.run(tile, observers, quantum, memory);
            let ran = engine.ended().map_or(quantum, |end| (end - self.clock) as u32);
            return (vec![result], ran);
        }
        let few = awake.len() < WORTH_THREADS || self.last_run < WORTH_WAKING;
        let run = |(tile, engine, observers): (&mut Tile, &mut Engine, Observers)| {
            engine.run(tile, observers, quantum, memory)
        };
        let results = if few || self.config.threads == 1 {
            awake.into_iter().map(run).collect()
        } else {
            self.pool.install(|| awake.into_par_iter().map(run).collect())
        };
        (results, quantum)
    }

    /// One after the other, every fault of the last quantum: a Tensix thread that has faulted sleeps, so its fault
    /// would not come again.
    ///
    /// # Errors
    /// The next fault.
    pub(super) fn untold(&mut self) -> Result<(), Fault> {
        self.faults.pop_front().map_or(Ok(()), Err)
    }

    /// Clocks between two deliveries from now on, at most. `single`: nothing but this chip is there.
    pub(super) fn quantum(&mut self, single: bool) -> u32 {
        if self.in_flight.is_none() {
            return QUANTUM;
        }
        let events = self.next_events();
        let Some(packets) = &mut self.in_flight else { return QUANTUM };
        let (quantum, alone) = packets.quantum(self.clock, if single { events } else { [events[0]; 2] });
        self.alone = alone;
        let push = self.pcie.next_push().unwrap_or(u64::MAX);
        let due = push.min(self.next_on_links()).min(self.next_command_due());
        // What has been sent, and what the firmware has not looked at, has no time yet.
        let new = self.ethernet.iter().any(|tile| tile.has_frames() || tile.wants_service());
        let due = if new { self.clock } else { due };
        quantum.min(due.saturating_sub(self.clock)).clamp(1, u64::from(u32::MAX)) as u32
    }

    /// When the first and the second tile next do something, if none hears from others.
    fn next_events(&mut self) -> [u64; 2] {
        let tiles = self.engines.iter().zip(&self.tiles);
        self.events.clear();
        self.events.extend(tiles.map(|(engine, tile)| engine.next_event(tile, self.clock)));
        let engines = self.ethernet_engines.iter().zip(&self.ethernet);
        let ethernet = engines.map(|(engine, tile)| engine.next_event(tile, self.clock)).min();
        let ethernet = ethernet.unwrap_or(u64::MAX);
        // No Ethernet tile runs alone: it counts twice.
        self.events.iter().chain([&ethernet; 2]).fold([u64::MAX; 2], |[first, second], &event| {
            if event < first { [event, first] } else { [first, second.min(event)] }
        })
    }

    /// A quantum has passed.
    pub(super) fn pass(&mut self, quantum: u32) {
        self.clock += u64::from(quantum);
        self.arc.set_clock(self.clock);
        if let Err(fault) = self.settle_pushes() {
            self.faults.push_back(fault);
        }
        if self.in_flight.is_none() || self.races.is_some() {
            self.tell_time();
        }
    }

    /// Tells all tiles the time. Where quanta are short, those that run know it, and the others when somebody could ask
    /// them.
    pub(super) fn tell_time(&mut self) {
        self.tiles.iter_mut().for_each(|tile| tile.set_clock(self.clock));
        self.ethernet.iter_mut().for_each(|tile| tile.set_clock(self.clock));
    }

    /// Tiles that can make requests, in the order in which they are delivered.
    pub(super) fn sources(&self) -> impl Iterator<Item = Node> + use<> {
        let ethernet = (0..self.ethernet.len()).map(Node::Ethernet);
        (0..self.tiles.len()).map(Node::Tensix).chain(ethernet)
    }

    /// Whether requests of a tile wait.
    pub(super) fn has_requests(&self, node: Node) -> bool {
        match node {
            Node::Tensix(index) => self.tiles[index].has_requests(),
            Node::Ethernet(index) => self.ethernet[index].has_requests(),
            _ => false,
        }
    }

    /// NoC 0 position of a tile.
    pub(super) fn position(&self, node: Node) -> NocXy {
        match node {
            Node::Tensix(index) => self.tiles[index].position(),
            Node::Ethernet(index) => self.ethernet[index].position(),
            Node::Dram { edge, .. }
            | Node::Unmodelled(edge)
            | Node::Pcie(edge)
            | Node::Arc(edge)
            | Node::Empty(edge)
            | Node::Harvested(edge) => self.grid.numbered(edge),
        }
    }
}

fn pool(threads: usize) -> Result<Shared<rayon::ThreadPool>, Fault> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("tt-sim-{i}"))
        .build()
        .map(Shared::new)
        .map_err(|error| Fault::internal(format!("cannot start simulator threads: {error}")))
}
