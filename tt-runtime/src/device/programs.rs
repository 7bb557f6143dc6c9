//! Tiles that users have for themselves: buffers in their L1, and programs that run there instead of the firmware
//! (`tt_kernel_abi::program`).
//!
//! A tile's firmware stays in L1 while a program runs on the tile, and comes back when an operator of the runtime's own needs it
//! ([`Session::firmware`]): all workers are started anew then, since they count each other. While a program runs or somebody has a buffer in L1,
//! such an operator is refused, since it would need the tile and all of its heap.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use tt_isa::map::{RiscV, SOFT_RESET_ALL};
use tt_isa::noc::NocXy;
use tt_kernel_abi::l1;
use tt_kernel_abi::program::Starts;
use tt_simulator::Fault;
use zerocopy::IntoBytes;

use super::boot::SOFT_RESET;
use super::{Device, Session};
use crate::alloc as pages;
use crate::error::Error;
use crate::grid::{Grid, Logical, Tile, TileRange};
use crate::l1::Allocator;
use crate::report::BufferError;
use crate::transport::{HostRange, TransportError};

/// What of a session's tiles is not the firmware's.
pub(super) struct Programs {
    /// Which session this is: buffers of an earlier one are gone.
    pub number: u64,
    pub grid: Grid,
    memory: Allocator,
    /// Tiles on which programs run, and which.
    taken: BTreeMap<usize, u64>,
    /// Tiles whose firmware has been stopped.
    away: BTreeSet<usize>,
    /// Tiles whose Tensix units programs have used.
    pub(super) tensix: BTreeSet<usize>,
    /// Tiles whose Tensix units wait for what never comes.
    pub(super) stuck: BTreeSet<usize>,
    /// A program has gone wrong: the images may have been overwritten.
    damaged: bool,
    /// Faults that belong to programs nobody has asked yet.
    faults: VecDeque<(u64, Fault)>,
    /// Offsets of the host's memory that pinned buffers may have: its upper half. Results are pushed to what is in front of them.
    pinned: pages::Allocator,
    /// Pinned buffers that there are.
    pins: usize,
}

/// Why a tile cannot be used any more.
const STUCK: &str = "a program has left its Tensix units waiting for what never comes: open the device again";

/// Numbers of sessions and programs.
static NUMBER: AtomicU64 = AtomicU64::new(1);

fn number() -> u64 {
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

impl Programs {
    pub fn new(grid: Grid, host: Option<HostRange>) -> Self {
        let bytes = host.map_or(0, |host| host.bytes);
        Self {
            pinned: pages::Allocator::new(bytes / 2, bytes),
            pins: 0,
            number: number(),
            memory: Allocator::new(grid.tiles().len()),
            grid,
            taken: BTreeMap::new(),
            away: BTreeSet::new(),
            tensix: BTreeSet::new(),
            stuck: BTreeSet::new(),
            damaged: false,
            faults: VecDeque::new(),
        }
    }

    fn index(&self, at: Logical) -> usize {
        (at.y * self.grid.columns() + at.x) as usize
    }

    fn indices(&self, range: TileRange) -> Vec<usize> {
        range.places().map(|at| self.index(at)).collect()
    }

    /// Whether the range is one of this device's grid.
    fn check(&self, range: TileRange) -> Result<(), BufferError> {
        let known = |tile: Tile| self.grid.tile(tile.logical()) == Ok(tile);
        match known(range.first()) && known(range.last()) {
            true => Ok(()),
            false => Err(BufferError::OtherGrid { range }),
        }
    }
}

/// Bytes of L1 that somebody has, at the same address of all tiles of a range; free again when dropped.
pub(crate) struct Region {
    device: Arc<Device>,
    session: u64,
    pub range: TileRange,
    pub at: u32,
    pub bytes: u32,
}

impl Region {
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    fn check(&self, session: &Session) -> Result<(), Error> {
        match self.session == session.programs.number {
            true => Ok(()),
            false => Err(BufferError::Stale { at: self.at, range: self.range }.into()),
        }
    }

    /// Writes bytes from byte `first` on, to one tile or all.
    pub fn write(&self, tiles: TileRange, first: u32, data: &[u8]) -> Result<(), Error> {
        let _span = tracing::trace_span!("l1 write", addr = self.at + first, bytes = data.len()).entered();
        self.device.with(|session| {
            self.check(session)?;
            session.write_l1(tiles, self.at + first, data)
        })
    }

    /// Reads bytes from byte `first` on of a tile.
    pub fn read(&self, tile: Tile, first: u32, out: &mut [u8]) -> Result<(), Error> {
        let _span = tracing::trace_span!("l1 read", addr = self.at + first, bytes = out.len()).entered();
        self.device.with(|session| {
            self.check(session)?;
            Ok(session.link.read(tile.translated().0, u64::from(self.at + first), out)?)
        })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        self.device.if_open(|session| {
            if session.programs.number == self.session {
                let tiles = session.programs.indices(self.range);
                session.programs.memory.release(&tiles, self.at);
            }
        });
    }
}

/// Bytes of the host's memory that the chip writes to; free again when dropped.
pub(crate) struct HostRegion {
    device: Arc<Device>,
    session: u64,
    offset: u64,
    pub bytes: u32,
    /// As a request names it: low half of the address behind the PCIe tile, and the tile's register with the high bits.
    pub place: [u32; 2],
}

impl HostRegion {
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Runs `f` with where byte `first` is, if the session is still the one that the bytes are of.
    fn with(&self, first: u32, f: impl FnOnce(&mut Session, u64) -> Result<(), Error>) -> Result<(), Error> {
        self.device.with(|session| match self.session == session.programs.number {
            true => f(session, self.offset + u64::from(first)),
            false => Err(BufferError::StalePinned { bytes: self.bytes }.into()),
        })
    }

    /// Reads from byte `first` on. A word can be read while the chip writes there: whatever was written before it is seen by reads after it.
    pub fn read(&self, first: u32, out: &mut [u8]) -> Result<(), Error> {
        let _span = tracing::trace_span!("host read", first, bytes = out.len()).entered();
        self.with(first, |session, at| Ok(session.link.read_host(at, out)?))?;
        fence(Ordering::Acquire);
        Ok(())
    }

    /// Writes from byte `first` on.
    pub fn write(&self, first: u32, data: &[u8]) -> Result<(), Error> {
        let _span = tracing::trace_span!("host write", first, bytes = data.len()).entered();
        self.with(first, |session, at| Ok(session.link.write_host(at, data)?))
    }
}

impl Drop for HostRegion {
    fn drop(&mut self) {
        self.device.if_open(|session| {
            if session.programs.number == self.session {
                session.programs.pinned.release(self.offset, self.bytes.into());
                session.programs.pins -= 1;
            }
        });
    }
}

/// A fault or a place where a core is, for the report of a program.
pub(crate) enum Look {
    /// Nothing has happened that says more.
    Quiet {
        /// Nothing on the chip will move until the host does something.
        asleep: bool,
    },
    /// The simulator has found a fault on a tile of this program.
    Fault(Fault),
}

impl Device {
    /// The grid of the device's Tensix tiles. Boots the chip if that has not happened yet.
    ///
    /// # Errors
    /// The chip does not answer, or does not boot.
    pub fn grid(&self) -> Result<Grid, Error> {
        self.with_queue(|session| Ok(session.programs.grid.clone()))
    }

    /// Allocates L1 on all tiles of a range.
    pub(crate) fn region(self: &Arc<Self>, range: TileRange, bytes: u32) -> Result<Region, Error> {
        self.with(|session| {
            let programs = &mut session.programs;
            programs.check(range)?;
            let tiles = programs.indices(range);
            let at = programs.memory.allocate(&tiles, bytes);
            let at = at.map_err(|largest| BufferError::OutOfL1 { range, wanted: bytes, largest })?;
            Ok(Region { device: Arc::clone(self), session: programs.number, range, at, bytes })
        })
    }

    /// Allocates memory of the host that the chip reaches.
    pub(crate) fn host_region(self: &Arc<Self>, bytes: u32) -> Result<HostRegion, Error> {
        self.with(|session| {
            let host = session.link.host_memory().ok_or(TransportError::NoHostMemory)?;
            let pinned = &mut session.programs.pinned;
            let Some(offset) = pinned.allocate(bytes.into()) else {
                let (free, largest) = (pinned.free_bytes(), pinned.largest());
                return Err(BufferError::OutOfPinned { wanted: bytes, free, largest }.into());
            };
            let (chip, noc) = (session.link.chip(), host.noc + offset);
            let Some(node) = chip.noc.node_at(chip.pcie, noc) else {
                pinned.release(offset, bytes.into());
                return Err(TransportError::HostOutOfReach { chip: chip.name, noc }.into());
            };
            session.programs.pins += 1;
            let (device, session) = (Arc::clone(self), session.programs.number);
            Ok(HostRegion { device, session, offset, bytes, place: [noc as u32, node] })
        })
    }

    /// Runs `f` on the session, for programs and their memory.
    pub(crate) fn with_tiles<T>(&self, f: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.with(f)
    }
}

impl Session {
    /// Writes L1 of all tiles of a range.
    pub(crate) fn write_l1(&mut self, range: TileRange, at: u32, data: &[u8]) -> Result<(), Error> {
        match range.len() {
            1 => self.link.write(range.first().translated().0, u64::from(at), data)?,
            _ => self.link.multicast(range.rect(), u64::from(at), data)?,
        }
        Ok(())
    }

    /// Reads L1 of a tile.
    pub(crate) fn read_l1(&mut self, tile: NocXy, at: u32, out: &mut [u8]) -> Result<(), Error> {
        Ok(self.link.read(tile, u64::from(at), out)?)
    }

    /// Whether a region is one of this session.
    pub(crate) fn has(&self, region: &Region) -> bool {
        region.session == self.programs.number
    }

    /// Whether a tile is one of this session's grid.
    pub(crate) fn has_tile(&self, tile: Tile) -> bool {
        self.programs.check(tile.into()).is_ok()
    }

    /// The session's number.
    pub(crate) fn number(&self) -> u64 {
        self.programs.number
    }

    /// Takes tiles for a program and stops their cores; gives the program's number.
    pub(crate) fn take(&mut self, ranges: &[TileRange]) -> Result<u64, Error> {
        for &range in ranges {
            self.programs.check(range)?;
            let tiles = self.programs.indices(range);
            if let Some(&tile) = tiles.iter().find(|&tile| self.programs.taken.contains_key(tile)) {
                let tile = self.programs.grid.tiles()[tile];
                return Err(Error::Taken { tile, what: "a program", by: "another program runs there" });
            }
            if let Some(&tile) = tiles.iter().find(|&tile| self.programs.stuck.contains(tile)) {
                let tile = self.programs.grid.tiles()[tile];
                return Err(Error::Taken { tile, what: "a program", by: STUCK });
            }
        }
        let program = number();
        for &range in ranges {
            for tile in self.programs.indices(range) {
                self.programs.taken.insert(tile, program);
                self.programs.away.insert(tile);
            }
            self.write_reset(range, SOFT_RESET_ALL)?;
        }
        Ok(program)
    }

    /// Starts the cores of a program on a tile whose memory is ready.
    pub(crate) fn release(&mut self, tile: Tile, starts: &Starts) -> Result<(), Error> {
        let at = tile.translated().0;
        if [RiscV::Trisc0, RiscV::Trisc1, RiscV::Trisc2]
            .iter()
            .any(|&core| starts.cores >> core as u32 & 1 != 0)
        {
            self.programs.tensix.insert(self.programs.index(tile.logical()));
        }
        self.link.write(at, u64::from(l1::PROGRAM), starts.as_bytes())?;
        self.write_reset(tile.into(), SOFT_RESET_ALL & !RiscV::Brisc.soft_reset_bit())
    }

    pub(super) fn write_reset(&mut self, range: TileRange, value: u32) -> Result<(), Error> {
        match range.len() {
            1 => self.link.write(range.first().translated().0, SOFT_RESET, &value.to_le_bytes())?,
            _ => self.link.multicast(range.rect(), SOFT_RESET, &value.to_le_bytes())?,
        }
        Ok(())
    }

    /// Stops the cores of a program's tiles and gives the tiles back. One that has gone wrong may have written anywhere.
    pub(crate) fn give_back(&mut self, program: u64, gone_wrong: bool) -> Result<(), Error> {
        let his = |&(_, &of): &(&usize, &u64)| of == program;
        let tiles: Vec<usize> = self.programs.taken.iter().filter(his).map(|(&tile, _)| tile).collect();
        for &tile in &tiles {
            let tile = self.programs.grid.tiles()[tile];
            self.write_reset(tile.into(), SOFT_RESET_ALL)?;
        }
        if gone_wrong {
            // While the memory that waiting instructions write to is still the program's.
            self.free_units(&tiles)?;
        }
        tiles.iter().for_each(|tile| {
            self.programs.tensix.remove(tile);
        });
        self.programs.taken.retain(|_, of| *of != program);
        self.programs.faults.retain(|(of, _)| *of != program);
        self.programs.damaged |= gone_wrong;
        Ok(())
    }

    /// Lets time pass, and says what has happened to a program.
    pub(crate) fn look(&mut self, program: u64) -> Result<Look, Error> {
        let clocks = self.link.simulated().map(|simulated| simulated.poll_clocks());
        let mut asleep = false;
        if let Some(clocks) = clocks {
            asleep = self.pass(clocks)?;
        }
        let faults = &mut self.programs.faults;
        match faults.iter().position(|(of, _)| *of == program) {
            Some(n) => {
                Ok(faults.remove(n).map_or(Look::Quiet { asleep: false }, |(_, fault)| Look::Fault(fault)))
            }
            None => Ok(Look::Quiet { asleep }),
        }
    }

    /// Lets time pass. Faults on tiles of programs are kept for these.
    pub(super) fn pass(&mut self, clocks: u32) -> Result<bool, Error> {
        match self.link.advance(clocks) {
            Ok(advance) => Ok(advance.asleep),
            Err(TransportError::Fault(fault)) => {
                let places = |tile: &Tile| fault.at.tile == Some(tile.physical().0);
                let tile = self.programs.grid.tiles().iter().position(places);
                match tile.and_then(|tile| self.programs.taken.get(&tile)) {
                    Some(&program) => {
                        self.programs.faults.push_back((program, fault));
                        Ok(false)
                    }
                    None => Err(TransportError::Fault(fault).into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The host's memory that results may be pushed to.
    pub(super) fn host_for_results(&self) -> Option<HostRange> {
        let host = self.link.host_memory()?;
        let bytes = if self.programs.pins == 0 { host.bytes } else { host.bytes / 2 };
        Some(HostRange { bytes, ..host })
    }

    /// Whether a region of the host's memory is one of this session.
    pub(crate) fn has_host(&self, region: &HostRegion) -> bool {
        region.session == self.programs.number
    }

    /// Whether the firmware of all workers is there, or can come back.
    pub(super) fn can_have_firmware(&self) -> bool {
        self.programs.taken.is_empty() && self.programs.memory.first_used().is_none()
    }

    /// Brings the firmware back where a program was. An operator of the runtime's own begins with this.
    pub(super) fn firmware(&mut self) -> Result<(), Error> {
        let tile = |index: usize| self.programs.grid.tiles()[index];
        let what = "an operator that runs on all tiles";
        if let Some((&index, _)) = self.programs.taken.first_key_value() {
            return Err(Error::Taken { tile: tile(index), what, by: "a program runs there: wait for it" });
        }
        if let Some(index) = self.programs.memory.first_used() {
            let by = "somebody has buffers in its L1, which the operator would overwrite: drop them";
            return Err(Error::Taken { tile: tile(index), what, by });
        }
        if let Some(&index) = self.programs.stuck.first() {
            return Err(Error::Taken { tile: tile(index), what, by: STUCK });
        }
        if self.programs.away.is_empty() {
            return Ok(());
        }
        self.restart(self.programs.damaged)?;
        self.programs.away.clear();
        self.programs.damaged = false;
        Ok(())
    }
}
