//! A chip: tiles, DRAM, the NoC between them, and time.
//!
//! Time passes in [`Chip::advance`], in quanta. In a quantum every tile that is awake runs on its own, on any
//! number of host threads; then the requests that the tiles made are delivered, tile by tile in a fixed order,
//! each tile's in the order in which its cores made them. So nothing depends on the number of threads, and a
//! request's effect, its response and its counter become visible together, between quanta.

use rayon::prelude::*;
use tt_isa::chip::Board;
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

use crate::arc::Arc;
use crate::dram::Dram;
use crate::fault::Fault;
use crate::grid::{Grid, Node};
use crate::host::Windows;
use crate::tile::Tile;
use crate::tile::niu::{Action, End, Request};

/// Instructions of a core in one quantum. Tiles that wait for the NoC end theirs early.
const QUANTUM: u32 = 16 * 1024;
/// Fewer awake tiles than this run on the caller's thread.
const WORTH_THREADS: usize = 4;
const MEMORY_MAP: &str = "NoC/MemoryMap.md";
/// DRAM is read in units of 32 bytes, everything else in units of 16: both ends agree modulo that.
const DRAM_READ_ALIGN: u64 = 32;
const ALIGN: u64 = 16;

/// What to build.
#[derive(Clone, Debug)]
pub struct ChipConfig {
    /// The board, for grid and telemetry.
    pub board: &'static Board,
    /// Tensix rows that are fused off: bit n is the n-th Tensix row.
    pub harvested: u32,
    /// Host threads.
    pub threads: usize,
}

impl ChipConfig {
    /// The `index`-th chip of a board, as many of the last rows harvested as the board has; a thread a core.
    pub fn of_board(board: &'static Board, index: usize) -> Self {
        let count = board.harvested_rows.get(index).copied().unwrap_or(0);
        let rows = board.chip.tensix_y.len() as u32;
        let harvested = ((1 << count) - 1) << (rows - u32::from(count));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { board, harvested, threads }
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
    pub(crate) grid: Grid,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) dram: Vec<Dram>,
    pub(crate) arc: Arc,
    pub(crate) windows: Windows,
    pub(crate) config: ChipConfig,
    pool: rayon::ThreadPool,
    noc: Counters,
    /// Clocks since power-on, the same for all tiles.
    clock: u64,
}

impl Chip {
    /// A chip after power-on.
    ///
    /// # Errors
    /// The host cannot start the worker threads.
    pub fn new(config: ChipConfig) -> Result<Self, Fault> {
        let chip = config.board.chip;
        let grid = Grid::new(chip, config.harvested);
        let tiles =
            grid.tensix().into_iter().map(|(at, logical)| Tile::new(at, logical, chip.grid)).collect();
        let dram = (0..grid.dram_groups()).map(|_| Dram::new(grid.dram_group_size())).collect();
        let pool = pool(config.threads)?;
        let arc = Arc::new(config.board, config.harvested);
        Ok(Self {
            grid,
            tiles,
            dram,
            arc,
            windows: Windows::default(),
            config,
            pool,
            noc: Counters::default(),
            clock: 0,
        })
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
            riscv_instructions: self.tiles.iter().map(Tile::instructions).sum(),
            tensix_instructions: self.tiles.iter().map(|tile| tile.tensix.executed()).sum(),
            ..self.noc
        }
    }

    /// Tensix instructions executed so far, by opcode (bits 31:24 of the word).
    pub fn tensix_instructions_by_opcode(&self) -> [u64; 256] {
        let mut sum = [0; 256];
        for tile in &self.tiles {
            sum.iter_mut().zip(tile.tensix.executed_by_opcode()).for_each(|(sum, n)| *sum += n);
        }
        sum
    }

    /// Pc of a core of the Tensix tile at a NoC 0 (or translated) coordinate, if it is out of reset.
    pub fn pc(&self, tile: NocXy, core: RiscV) -> Option<u32> {
        let Node::Tensix(index) = self.grid.node(self.grid.position(0, tile)?) else { return None };
        let tile = &self.tiles[index];
        tile.is_running(core).then(|| tile.hart(core).pc)
    }

    /// Lets up to `clocks` clocks pass: that many instructions of each core.
    ///
    /// # Errors
    /// The first fault, in the order of tiles. The chip stays as it is then, and can be inspected.
    pub fn advance(&mut self, clocks: u64) -> Result<Progress, Fault> {
        let mut passed = 0;
        while passed < clocks {
            if !self.tiles.iter().any(|tile| tile.is_awake() || tile.has_requests()) {
                return Ok(Progress { clocks: passed, asleep: true });
            }
            let quantum = QUANTUM.min((clocks - passed).try_into().unwrap_or(QUANTUM));
            self.run_tiles(quantum)?;
            self.deliver()?;
            passed += u64::from(quantum);
            self.clock += u64::from(quantum);
            self.tiles.iter_mut().for_each(|tile| tile.set_clock(self.clock));
        }
        Ok(Progress { clocks: passed, asleep: false })
    }

    /// Gives every tile that is awake its turn, whatever happens to the others: what a fault leaves behind does not
    /// depend on the number of threads.
    fn run_tiles(&mut self, quantum: u32) -> Result<(), Fault> {
        let mut awake: Vec<&mut Tile> = self.tiles.iter_mut().filter(|tile| tile.is_awake()).collect();
        let results: Vec<Result<(), Fault>> = if awake.len() < WORTH_THREADS || self.config.threads == 1 {
            awake.iter_mut().map(|tile| tile.run(quantum)).collect()
        } else {
            self.pool.install(|| awake.par_iter_mut().map(|tile| tile.run(quantum)).collect())
        };
        results.into_iter().collect()
    }

    /// Carries out all requests.
    fn deliver(&mut self) -> Result<(), Fault> {
        for index in 0..self.tiles.len() {
            if !self.tiles[index].has_requests() {
                continue;
            }
            let at = self.tiles[index].position;
            for request in self.tiles[index].take_requests() {
                self.carry_out(index, &request).map_err(|fault| located(fault, at, &request))?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, index: usize, request: &Request) -> Result<(), Fault> {
        self.noc.noc_requests += 1;
        self.noc.noc_bytes += u64::from(request.len);
        let mut buffer = [0; tt_isa::noc::MAX_PACKET as usize];
        let data = &mut buffer[..request.len as usize];
        let receivers = match request.action {
            Action::Read => {
                self.check_alignment(request, request.target)?;
                self.read(request.noc, request.target, data)?;
                self.own_l1_write(index, request.ret, data)?;
                1
            }
            Action::Write => {
                self.check_alignment(request, request.ret)?;
                self.tiles[index].noc_read(request.target.addr, data)?;
                self.write(index, request, request.ret, data)?
            }
            Action::WriteInline { data: word } => {
                self.write(index, request, request.target, &word.to_le_bytes())?
            }
            Action::Increment { data, word, wrap } => {
                self.increment(index, request, data, word, wrap)?;
                1
            }
        };
        self.tiles[index].niu_mut(usize::from(request.noc)).count_response(request, receivers);
        Ok(())
    }

    /// The NIUs do not shift data: both ends have to agree modulo the alignment of the remote one.
    fn check_alignment(&self, request: &Request, remote: End) -> Result<(), Fault> {
        let dram_read = request.action == Action::Read
            && !request.multicast
            && matches!(self.node(request.noc, remote.tile()), Ok(Node::Dram(_)));
        let align = if dram_read { DRAM_READ_ALIGN } else { ALIGN };
        if !(request.target.addr ^ request.ret.addr).is_multiple_of(align) {
            let what = format!(
                "NoC addresses {:#x} and {:#x} differ modulo {align}",
                request.target.addr, request.ret.addr
            );
            return Err(Fault::program(what).page(MEMORY_MAP));
        }
        Ok(())
    }

    fn node(&self, noc: u8, tile: NocXy) -> Result<Node, Fault> {
        match self.grid.position(noc, tile).map(|at| self.grid.node(at)) {
            Some(Node::Other) | None => {
                let what = format!("NoC {noc} request to {tile}, where nothing answers");
                Err(Fault::program(what).page("NoC/Coordinates.md"))
            }
            Some(node) => Ok(node),
        }
    }

    /// Reads from wherever `end` is.
    pub(crate) fn read(&mut self, noc: u8, end: End, out: &mut [u8]) -> Result<(), Fault> {
        match self.node(noc, end.tile())? {
            Node::Tensix(index) => self.tiles[index].noc_read(end.addr, out),
            Node::Dram(group) if self.dram[group].read(end.addr, out) => Ok(()),
            Node::Dram(_) => Err(beyond_dram(end, out.len())),
            Node::Arc => self.arc.noc_read(end.addr, out),
            Node::Other => unreachable!("refused by node()"),
        }
    }

    /// Writes to one tile.
    pub(crate) fn write_one(&mut self, noc: u8, end: End, data: &[u8]) -> Result<(), Fault> {
        match self.node(noc, end.tile())? {
            Node::Tensix(index) => self.tiles[index].noc_write(end.addr, data),
            Node::Dram(group) if self.dram[group].write(end.addr, data) => Ok(()),
            Node::Dram(_) => Err(beyond_dram(end, data.len())),
            Node::Arc => self.arc.noc_write(end.addr, data),
            Node::Other => unreachable!("refused by node()"),
        }
    }

    /// Writes to the Tensix tiles of a rectangle; how many there are. Other tiles in it do not listen.
    pub(crate) fn write_rect(
        &mut self,
        noc: u8,
        end: End,
        data: &[u8],
        skip: Option<usize>,
    ) -> Result<u32, Fault> {
        let (start, last) = end.rect();
        let bounds = self.grid.position(noc, start).zip(self.grid.position(noc, last));
        let Some((a, b)) = bounds else {
            let what = format!("multicast rectangle {start} to {last} is not on the grid");
            return Err(Fault::program(what).page("NoC/Coordinates.md"));
        };
        let inside = |v: u8, a: u8, b: u8| (a.min(b)..=a.max(b)).contains(&v);
        let mut receivers = 0;
        for index in 0..self.tiles.len() {
            let at = self.tiles[index].position;
            if Some(index) != skip && inside(at.x, a.x, b.x) && inside(at.y, a.y, b.y) {
                self.tiles[index].noc_write(end.addr, data)?;
                receivers += 1;
            }
        }
        Ok(receivers)
    }

    fn write(&mut self, index: usize, request: &Request, end: End, data: &[u8]) -> Result<u32, Fault> {
        if request.multicast {
            let skip = (!request.include_self).then_some(index);
            return self.write_rect(request.noc, end, data, skip);
        }
        self.write_one(request.noc, end, data)?;
        Ok(1)
    }

    /// Data of a read arrives in the L1 of the tile that asked.
    fn own_l1_write(&mut self, index: usize, end: End, data: &[u8]) -> Result<(), Fault> {
        self.tiles[index].noc_write(end.addr, data)
    }

    fn increment(
        &mut self,
        index: usize,
        request: &Request,
        data: u32,
        word: u32,
        wrap: u32,
    ) -> Result<(), Fault> {
        let Node::Tensix(at) = self.node(request.noc, request.target.tile())? else {
            return Err(Fault::program("NoC atomics work on L1 only").page("NoC/Atomics.md"));
        };
        let addr = (request.target.addr & !15) + 4 * u64::from(word);
        let mut bytes = [0; 4];
        self.tiles[at].noc_read(addr, &mut bytes)?;
        let old = u32::from_le_bytes(bytes);
        let mask = u32::MAX >> (31 - wrap);
        let new = (old & !mask) | (old.wrapping_add(data) & mask);
        self.tiles[at].noc_write(addr, &new.to_le_bytes())?;
        if request.respond {
            self.own_l1_write(index, request.ret, &bytes)?;
        }
        Ok(())
    }
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, Fault> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|i| format!("tt-sim-{i}"))
        .build()
        .map_err(|error| Fault::internal(format!("cannot start simulator threads: {error}")))
}

fn beyond_dram(end: End, len: usize) -> Fault {
    let what = format!("{len} bytes at {:#x} of the DRAM tile {}: beyond its end", end.addr, end.tile());
    Fault::program(what).page("DRAMTile/README.md")
}

fn located(mut fault: Fault, at: NocXy, request: &Request) -> Fault {
    fault.what =
        format!("{} ({:?} over NoC {} of {} bytes)", fault.what, request.action, request.noc, request.len);
    fault.at.tile = Some(at);
    fault
}
