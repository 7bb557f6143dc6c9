//! A device: one chip with our firmware on it.
//!
//! Opening finds out what the chip is; it is booted and given its firmware when it is first used. All calls lock the
//! device; a [`Device`] can be shared between threads. After a fault or a hang the device is failed: every further
//! call gives that error, and opening it again starts over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tt_isa::chip::Chip;
use tt_isa::map::NIU_BASE;
use tt_isa::map::{DEBUG_REGS_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::{NocXy, reg};
use tt_kernel_abi::boot::MAX_BANKS;
use tt_kernel_abi::dram::DRAM_RESERVED;
use tt_kernel_abi::launch::{ErrorReport, Progress};
use tt_kernel_abi::{BankEntry, BootConfig, DramAddr, OpDescriptor, Shards, TensorView, l1};

use crate::alloc::Allocator;
use crate::chip::{ChipError, supported, title};
use crate::error::{CoreReport, Error};
use crate::link::Link;
use crate::placement;
use crate::spec::DeviceSpec;
use crate::transport::{Transport, sim::Sim, ttsim::TtSim};

/// Soft reset register in a tile's address space.
const SOFT_RESET: u64 = (DEBUG_REGS_BASE + SOFT_RESET_0) as u64;
/// A launch in which no worker comes any further for so long is given up. (How long one may take as a whole depends on the tensors, and
/// on whether a simulator runs it.)
const TIME_OUT: Duration = Duration::from_secs(600);
/// How often workers are asked how far they are.
const LOOK: Duration = Duration::from_secs(10);
/// Bytes of one transfer of [`Device::fill`] and [`Device::copy`].
const BOUNCE: usize = 1 << 20;

/// What a device is.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// Short description.
    pub description: String,
    /// PCI address, if it has one.
    pub pci_address: Option<String>,
    /// Columns and rows of worker tiles.
    pub grid: (u32, u32),
    /// Bytes of DRAM.
    pub dram_total: u64,
}

impl DeviceInfo {
    /// Number of worker tiles.
    pub fn workers(&self) -> u32 {
        self.grid.0 * self.grid.1
    }
}

/// How much DRAM there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryInfo {
    /// Bytes that can be allocated on an empty device.
    pub total: u64,
    /// Bytes that can be allocated now.
    pub free: u64,
}

/// What a device has done.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Descriptors executed.
    pub launches: u64,
    /// Clocks, where they are counted: not on a card.
    pub clocks: Option<u64>,
    /// Tensix instructions, where they are counted.
    pub tensix_instructions: Option<u64>,
    /// RISC-V instructions, where they are counted.
    pub riscv_instructions: Option<u64>,
}

/// What a worker has read over NoC 0, which brings its share of the weights.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reads {
    /// Requests, each answered by one packet.
    pub requests: u32,
    /// Bytes, in whole words of a link.
    pub bytes: u64,
}

/// A device.
pub struct Device {
    spec: DeviceSpec,
    /// What it is, or why it cannot be used.
    chip: Result<&'static Chip, Error>,
    allocator: Mutex<Allocator>,
    total: u64,
    state: Mutex<State>,
}

enum State {
    /// Not used yet.
    Closed,
    /// Found, not used yet.
    Found(Box<dyn Transport>),
    Open(Box<Session>),
    Failed(String),
}

/// A booted chip.
struct Session {
    link: Link,
    /// Row by row.
    workers: Vec<NocXy>,
    /// Their numbers.
    numbers: Vec<u32>,
    grid: (u32, u32),
    seq: u32,
    completed: u32,
    errors: u32,
    launches: u64,
}

impl Device {
    /// A device. Only what the chip is has been asked: one that cannot be used is known as such
    /// ([`chip`](Self::chip)), and every use of it is that error.
    pub fn open(spec: &DeviceSpec) -> Arc<Self> {
        let (chip, state) = match find(spec) {
            Ok((chip, Some(transport))) => (Ok(chip), State::Found(transport)),
            Ok((chip, None)) => (Ok(chip), State::Closed),
            Err(error) => (Err(error), State::Closed),
        };
        let size = chip.as_ref().map_or(0, |chip| dram_size(chip));
        let allocator = Allocator::new(DRAM_RESERVED, size);
        let total = allocator.free_bytes();
        Arc::new(Self {
            spec: spec.clone(),
            chip,
            allocator: Mutex::new(allocator),
            total,
            state: Mutex::new(state),
        })
    }

    /// What the device's chip is.
    ///
    /// # Errors
    /// Why it cannot be used: it is not known, there are no kernels for it, or it does not answer.
    pub fn chip(&self) -> Result<&'static Chip, Error> {
        self.chip.clone()
    }

    /// What the device is, without touching the chip.
    ///
    /// Programs go by this text: Ollama takes devices with equal ones for cards of a kind, between which it may divide a model, and one
    /// that contains "hip" for AMD's. So it is the same for all of a kind, and has no number of a "chip" and no name of a file.
    pub fn description(&self) -> String {
        let name = match &self.chip {
            Ok(chip) => title(chip.name),
            Err(Error::Chip(error)) => error.name().map_or("device".to_owned(), title),
            Err(_) => "device".to_owned(),
        };
        match &self.spec {
            DeviceSpec::Sim { board, .. } => format!("Tenstorrent {name} {} (simulated)", board.name),
            DeviceSpec::TtSim { .. } => format!("Tenstorrent {name} (vendor simulator)"),
        }
    }

    /// What the device is. Boots the chip if that has not happened yet.
    ///
    /// # Errors
    /// The chip does not answer, or does not boot.
    pub fn info(&self) -> Result<DeviceInfo, Error> {
        let grid = self.with(|session| Ok(session.grid))?;
        Ok(DeviceInfo {
            description: self.description(),
            pci_address: self.pci_address(),
            grid,
            dram_total: self.total,
        })
    }

    /// PCI address of the card, in lower case (`0000:c1:00.0`): simulated devices have none. The chip is not touched.
    pub fn pci_address(&self) -> Option<String> {
        match self.spec {
            DeviceSpec::Sim { .. } | DeviceSpec::TtSim { .. } => None,
        }
    }

    /// How much DRAM there is.
    pub fn memory(&self) -> MemoryInfo {
        MemoryInfo { total: self.total, free: self.allocator.lock().free_bytes() }
    }

    /// Allocates `bytes` bytes of DRAM; their content is undefined.
    ///
    /// # Errors
    /// Not enough memory in one piece.
    pub fn alloc(self: &Arc<Self>, bytes: u64) -> Result<Allocation, Error> {
        let mut allocator = self.allocator.lock();
        match allocator.allocate(bytes) {
            Some(addr) => Ok(Allocation { device: Arc::clone(self), addr: DramAddr(addr), len: bytes }),
            None => Err(Error::OutOfMemory {
                wanted: bytes,
                free: allocator.free_bytes(),
                largest: allocator.largest(),
            }),
        }
    }

    /// Writes DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn write(&self, addr: DramAddr, data: &[u8]) -> Result<(), Error> {
        self.with(|session| session.link.write_dram(addr, data))
    }

    /// Reads DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn read(&self, addr: DramAddr, out: &mut [u8]) -> Result<(), Error> {
        self.with(|session| session.link.read_dram(addr, out))
    }

    /// Writes weight tiles from byte `at` of them on. `tiles` is as [`TensorView::tiles`] makes it; its tiles follow one
    /// another in the order of that function, wherever they lie in DRAM ([`Shards`]).
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn write_tiles(&self, tiles: &TensorView, at: u64, data: &[u8]) -> Result<(), Error> {
        let banks = self.check_tiles(tiles, at, data.len())?;
        self.with(|session| {
            for (shards, at, range) in matrices(tiles, at, data.len(), banks) {
                session.link.write_shards(&shards, at, &data[range])?;
            }
            Ok(())
        })
    }

    /// Reads weight tiles from byte `at` of them on, as [`write_tiles`](Self::write_tiles) writes them.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn read_tiles(&self, tiles: &TensorView, at: u64, out: &mut [u8]) -> Result<(), Error> {
        let banks = self.check_tiles(tiles, at, out.len())?;
        self.with(|session| {
            for (shards, at, range) in matrices(tiles, at, out.len(), banks) {
                session.link.read_shards(&shards, at, &mut out[range])?;
            }
            Ok(())
        })
    }

    /// Number of DRAM banks, if `len` bytes of tiles from byte `at` on are within them.
    fn check_tiles(&self, tiles: &TensorView, at: u64, len: usize) -> Result<u32, Error> {
        self.check_view(tiles)?;
        let (size, addr) = (tiles.span(), DramAddr(tiles.addr.saturating_add(at)));
        match at.checked_add(len as u64) {
            Some(end) if end <= size => Ok(self.chip()?.dram.len() as u32),
            _ => Err(Error::OutOfRange { addr, len: len as u64, size: tiles.addr + size }),
        }
    }

    /// Fills `len` bytes of DRAM.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn fill(&self, addr: DramAddr, len: u64, byte: u8) -> Result<(), Error> {
        let block = vec![byte; len.min(BOUNCE as u64) as usize];
        self.with(|session| {
            let mut done = 0;
            while done < len {
                let now = (len - done).min(BOUNCE as u64);
                session.link.write_dram(addr.offset(done), &block[..now as usize])?;
                done += now;
            }
            Ok(())
        })
    }

    /// Copies DRAM to DRAM, through the host; the ranges may overlap.
    ///
    /// # Errors
    /// Beyond the end; the chip does not answer.
    pub fn copy(&self, to: DramAddr, from: DramAddr, len: u64) -> Result<(), Error> {
        let mut block = vec![0; len.min(BOUNCE as u64) as usize];
        // Overlapping upwards, the last piece has to go first.
        let backwards = from.0 < to.0 && to.0 < from.0 + len;
        self.with(|session| {
            let mut done = 0;
            while done < len {
                let now = (len - done).min(BOUNCE as u64);
                let at = if backwards { len - done - now } else { done };
                let block = &mut block[..now as usize];
                session.link.read_dram(from.offset(at), block)?;
                session.link.write_dram(to.offset(at), block)?;
                done += now;
            }
            Ok(())
        })
    }

    /// Runs a descriptor on all workers and waits for it.
    ///
    /// # Errors
    /// [`Error::Kernel`] if a kernel refused something (the device goes on); a fault or a hang fails the device.
    pub fn execute(&self, descriptor: &OpDescriptor) -> Result<(), Error> {
        let _span = tracing::trace_span!("launch", op = descriptor.op).entered();
        let views = [&descriptor.src0, &descriptor.src1, &descriptor.dst];
        for view in views.into_iter().chain(&descriptor.more) {
            self.check_view(view)?;
        }
        self.with(|session| session.execute(descriptor))
    }

    /// Kernels trust addresses: a tensor has to lie in DRAM as a whole.
    fn check_view(&self, view: &TensorView) -> Result<(), Error> {
        let (len, size) = (view.span(), dram_size(self.chip()?));
        match view.addr.checked_add(len) {
            Some(end) if end <= size => Ok(()),
            _ => Err(Error::OutOfRange { addr: DramAddr(view.addr), len, size }),
        }
    }

    /// What the device has done so far.
    pub fn counters(&self) -> Counters {
        match &mut *self.state.lock() {
            State::Open(session) => {
                let executed = session.link.transport.executed();
                Counters {
                    launches: session.launches,
                    clocks: executed.map(|e| e.clocks),
                    tensix_instructions: executed.map(|e| e.tensix),
                    riscv_instructions: executed.map(|e| e.riscv),
                }
            }
            _ => Counters::default(),
        }
    }

    /// What every worker has read over NoC 0 since it was switched on, by number; counters wrap at 2^32.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn reads(&self) -> Result<Vec<Reads>, Error> {
        self.with(|session| {
            let mut reads = vec![Reads::default(); session.workers.len()];
            let flit = u64::from(session.link.chip().noc.link_width);
            for (&tile, &number) in session.workers.iter().zip(&session.numbers) {
                let mut counter = |register: u32| session.link.read32(tile, u64::from(NIU_BASE + register));
                reads[number as usize] = Reads {
                    requests: counter(reg::MST_RD_REQ_SENT)?,
                    bytes: u64::from(counter(reg::MST_RD_DATA_WORD_RECEIVED)?) * flit,
                };
            }
            Ok(reads)
        })
    }

    /// Forgets a failure: the next use boots the chip anew. What was in its DRAM is lost.
    pub fn reopen(&self) {
        *self.state.lock() = State::Closed;
    }

    /// Runs `f` on the booted chip; failures other than of the request itself fail the device.
    fn with<T>(&self, f: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let chip = self.chip()?;
        let mut state = self.state.lock();
        if let State::Closed | State::Found(_) = *state {
            let transport = match std::mem::replace(&mut *state, State::Closed) {
                State::Found(transport) => Ok(transport),
                _ => connect(&self.spec),
            };
            *state = match transport.and_then(|transport| Session::boot(transport, chip)) {
                Ok(session) => State::Open(Box::new(session)),
                Err(error) => {
                    *state = State::Failed(error.to_string());
                    return Err(error);
                }
            };
        }
        match &mut *state {
            State::Failed(why) => Err(Error::Failed(why.clone())),
            State::Closed | State::Found(_) => unreachable!("opened above"),
            State::Open(session) => {
                let result = f(session);
                if let Err(error @ (Error::Transport(_) | Error::Hung { .. })) = &result {
                    tracing::error!("{error}");
                    *state = State::Failed(error.to_string());
                }
                result
            }
        }
    }
}

/// A chip and, where it had to be asked, the way to it.
type Found = (&'static Chip, Option<Box<dyn Transport>>);

/// What the chip of a device is, if there are kernels for it.
fn find(spec: &DeviceSpec) -> Result<Found, Error> {
    match spec {
        DeviceSpec::Sim { board, .. } => Ok((supported(board.chip)?, None)),
        DeviceSpec::TtSim { .. } => {
            let transport = connect(spec)?;
            Ok((supported(transport.chip())?, Some(transport)))
        }
    }
}

/// The way to the chip of a device.
fn connect(spec: &DeviceSpec) -> Result<Box<dyn Transport>, Error> {
    Ok(match spec {
        DeviceSpec::Sim { board, chip, options } => Box::new(Sim::new(board, *chip, options)?),
        DeviceSpec::TtSim { library } => Box::new(TtSim::new(library)?),
    })
}

/// Bytes of a chip's DRAM.
fn dram_size(chip: &Chip) -> u64 {
    chip.dram.len() as u64 * chip.dram_bank_size
}

/// The parts of `len` bytes of tiles from byte `at` on, by matrix: where that is, the first byte in it, and which of the
/// `len` bytes.
fn matrices(
    tiles: &TensorView,
    at: u64,
    len: usize,
    banks: u32,
) -> impl Iterator<Item = (Shards, u64, std::ops::Range<usize>)> {
    let (tiles, end) = (*tiles, at + len as u64);
    let matrix = tiles.nb[2].max(1);
    (at / matrix..end.div_ceil(matrix)).map(move |i| {
        let (from, to) = (at.max(i * matrix), end.min((i + 1) * matrix));
        let range = (from - at) as usize..(to - at) as usize;
        (Shards::of_matrix(&tiles, i * matrix, banks), from - i * matrix, range)
    })
}

impl Session {
    fn boot(transport: Box<dyn Transport>, chip: &'static Chip) -> Result<Self, Error> {
        let now = transport.chip();
        if now.pci_id != chip.pci_id {
            return Err(ChipError::Exchanged { before: chip, now }.into());
        }
        let mut link = Link::new(transport);
        let harvested = link.harvested()?;
        let grid = chip.workers_grid(harvested);
        let workers: Vec<NocXy> = chip.workers(harvested).collect();
        let places = workers.iter().map(|&tile| place(&mut link, tile)).collect::<Result<Vec<_>, _>>()?;
        let numbers = placement::numbers(chip, &places);
        let mut session = Self { link, workers, numbers, grid, seq: 0, completed: 0, errors: 0, launches: 0 };
        session.start(chip)?;
        Ok(session)
    }

    /// Loads the firmware and waits until every worker is ready (`tt_kernel_abi::launch`).
    fn start(&mut self, chip: &'static Chip) -> Result<(), Error> {
        let images = match std::env::var_os("GGML_TT_KERNELS") {
            Some(dir) => {
                tt_kernels::images_from_dir(chip, dir.as_ref()).map_err(|e| Error::Kernels(e.to_string()))?
            }
            None => tt_kernels::images(chip).map_err(|_| ChipError::NoKernels { chip })?,
        };
        let rect = self.rect();
        self.link.multicast(rect, SOFT_RESET, &SOFT_RESET_ALL.to_le_bytes())?;
        for image in &images {
            let bytes = image.bytes_for(chip).map_err(|e| Error::Kernels(e.to_string()))?;
            self.link.multicast(rect, u64::from(image.start), bytes)?;
        }
        let mailbox = vec![0; (l1::MAILBOX_END - l1::MAILBOX) as usize];
        self.link.multicast(rect, u64::from(l1::MAILBOX), &mailbox)?;
        for position in 0..self.workers.len() {
            let config = self.boot_config(chip, position);
            self.link.write(
                self.workers[position],
                u64::from(l1::BOOT_CONFIG),
                &bytes(&config.to_words()),
            )?;
        }
        let brisc = SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit();
        self.link.multicast(rect, SOFT_RESET, &brisc.to_le_bytes())?;
        self.wait("booting")
    }

    fn rect(&self) -> (NocXy, NocXy) {
        (self.workers[0], self.workers[self.workers.len() - 1])
    }

    /// For the worker at this position, counted row by row.
    fn boot_config(&self, chip: &Chip, position: usize) -> BootConfig {
        let (index, workers) = (self.numbers[position], self.workers.len() as u32);
        let mut bank = [BankEntry::default(); MAX_BANKS];
        for (number, (entry, b)) in (0..).zip(bank.iter_mut().zip(chip.dram)) {
            // Weights come over NoC 0.
            let read = placement::read_port(chip, number, index, workers);
            let on_noc_1 = b.ports[0].mirrored(chip.grid);
            *entry = BankEntry { node: [chip.noc.node(read), chip.noc.node(on_noc_1)], base: b.base };
        }
        BootConfig {
            magic: BootConfig::MAGIC,
            index,
            logical_x: position as u32 % self.grid.0,
            logical_y: position as u32 / self.grid.0,
            grid_width: self.grid.0,
            grid_height: self.grid.1,
            completion_node: chip.noc.node(self.workers[0]),
            banks: chip.dram.len() as u32,
            bank,
        }
    }

    fn execute(&mut self, descriptor: &OpDescriptor) -> Result<(), Error> {
        // 0 never is a launch's number.
        self.seq = self.seq.wrapping_add(1).max(1);
        let op = OpDescriptor { seq: self.seq, ..*descriptor };
        let rect = self.rect();
        self.link.multicast(rect, u64::from(l1::DESCRIPTOR), &bytes(&op.to_words()))?;
        self.link.multicast(rect, u64::from(l1::GO), &self.seq.to_le_bytes())?;
        self.wait(&format!("operator {} (launch {})", op.op, self.seq))?;
        self.launches += 1;
        self.check_errors()
    }

    /// Waits until every worker has counted itself on the completion word once more.
    fn wait(&mut self, what: &str) -> Result<(), Error> {
        let wanted = self.completed.wrapping_add(self.workers.len() as u32);
        let (mut progress, mut since, mut looked) = (Vec::new(), Instant::now(), Instant::now());
        let clocks = self.link.transport.poll_clocks();
        loop {
            let asleep = self.link.transport.advance(clocks)?.asleep;
            let count = self.link.read32(self.workers[0], u64::from(l1::COMPLETION))?;
            if count == wanted {
                self.completed = wanted;
                return Ok(());
            }
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                let now = self.progress()?;
                if now != progress {
                    (progress, since) = (now, looked);
                }
            }
            if asleep || since.elapsed() > TIME_OUT {
                return Err(self.hung(what)?);
            }
        }
    }

    /// The units of work that the cores of all workers are at.
    fn progress(&mut self) -> Result<Vec<u32>, Error> {
        let mut units = Vec::new();
        for tile in self.workers.clone() {
            for core in RiscV::ALL {
                units.push(self.link.read32(tile, u64::from(l1::progress_words(core)) + 4)?);
            }
        }
        Ok(units)
    }

    /// Which cores have not finished, and where they are.
    fn hung(&mut self, what: &str) -> Result<Error, Error> {
        let mut cores = Vec::new();
        for tile in self.workers.clone() {
            let mut done = Vec::new();
            for core in RiscV::ALL {
                let at = u64::from(l1::progress_words(core));
                let progress =
                    Progress { state: self.link.read32(tile, at)?, detail: self.link.read32(tile, at + 4)? };
                done.push((core, progress, self.link.transport.pc(tile, core)));
            }
            let idle = Progress::state(tt_kernel_abi::launch::Stage::Idle, self.seq);
            if done.iter().any(|(_, progress, _)| progress.state != idle) {
                cores.push(CoreReport { tile, cores: done });
            }
        }
        Ok(Error::Hung { what: what.to_owned(), workers: self.workers.len(), cores })
    }

    fn check_errors(&mut self) -> Result<(), Error> {
        let count = self.link.read32(self.workers[0], u64::from(l1::ERROR_COUNT))?;
        if count == self.errors {
            return Ok(());
        }
        self.errors = count;
        for tile in self.workers.clone() {
            let mut words = [0; 4];
            for (i, word) in (0..).zip(&mut words) {
                *word = self.link.read32(tile, u64::from(l1::ERROR_REPORT) + 4 * i)?;
            }
            let report = ErrorReport::from_words(words);
            if report.launch() == self.seq & 0xFF_FFFF && report.code & 0xFF != 0 {
                return Err(Error::Kernel { tile, report });
            }
        }
        Ok(())
    }
}

/// Where a tile is on NoC 0, as its NIU says: translated coordinates hide which rows are harvested.
fn place(link: &mut Link, tile: NocXy) -> Result<NocXy, Error> {
    let id = link.read32(tile, u64::from(NIU_BASE + link.chip().noc.registers.node_id))?;
    Ok(NocXy::new((id & 63) as u8, (id >> 6 & 63) as u8))
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A piece of a device's DRAM; freed when dropped.
pub struct Allocation {
    device: Arc<Device>,
    addr: DramAddr,
    len: u64,
}

impl Allocation {
    /// First byte.
    pub fn addr(&self) -> DramAddr {
        self.addr
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device that it is on.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        self.device.allocator.lock().release(self.addr.0, self.len);
    }
}
