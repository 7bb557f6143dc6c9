//! A chip without firmware of ours: tiles that are written and read, and cores that run programs of [`crate::program`].
//!
//! Nothing here is done on all tiles at once, so that a tile that is broken keeps none of the others from being looked at. A program that does
//! not end is an [`Ending`], not an error.

use std::time::{Duration, Instant};

use tt_isa::chip::Chip;
use tt_isa::map::{DEBUG_REGS_BASE, NIU_BASE, RiscV, SOFT_RESET_0, SOFT_RESET_ALL};
use tt_isa::noc::{NocXy, node_id};
use tt_runtime::transport::TransportError;
use tt_runtime::{DeviceSpec, Error, Link, connect};

use crate::program::Mailbox;

/// A program that runs longer than this on a card has not ended.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clocks of a simulator between two looks, and after which a program has not ended.
const LOOK: u32 = 1 << 18;
const LIMIT: u64 = 1 << 34;
/// Soft reset register in a tile's address space.
const SOFT_RESET: u64 = (DEBUG_REGS_BASE + SOFT_RESET_0) as u64;

/// A Tensix tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Worker {
    /// What requests name it: a translated coordinate.
    pub name: NocXy,
    /// NoC 0 position, if its NIU answers.
    pub place: Option<NocXy>,
}

/// A program for a core.
pub struct Job {
    /// The tile.
    pub tile: NocXy,
    /// The core.
    pub core: RiscV,
    /// Its words.
    pub code: Vec<u32>,
}

/// How a program came to its end, and what it left in its mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It has ended.
    Done([u32; Mailbox::WORDS]),
    /// It has not.
    Hung,
}

/// A chip.
pub struct Machine {
    link: Link,
    workers: Vec<Worker>,
    /// What the telemetry says.
    telemetry: Vec<(u16, u32)>,
    /// Its driver is simulated, and time with it.
    mocked: bool,
    patience: Duration,
}

impl Machine {
    /// A program that runs longer than this on a card has not ended.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Takes the chip of a device. All its cores go into reset.
    ///
    /// # Errors
    /// The chip does not answer, or somebody else uses it.
    pub fn open(spec: &DeviceSpec) -> Result<Self, Error> {
        let mut link = Link::new(connect(spec)?);
        link.busy();
        let (chip, harvested) = (link.chip(), link.harvested()?);
        let telemetry = link.telemetry_table()?;
        let mocked = matches!(spec, DeviceSpec::Card(card) if card.is_simulated());
        let names: Vec<NocXy> = chip.workers(harvested).collect();
        let mut workers = Vec::new();
        for name in names {
            let id = link.read32(name, u64::from(NIU_BASE + chip.noc.registers.node_id))?;
            workers.push(Worker { name, place: (id != u32::MAX).then(|| node_id::place(id)) });
            link.write(name, SOFT_RESET, &SOFT_RESET_ALL.to_le_bytes())?;
        }
        Ok(Self { link, workers, telemetry, mocked, patience: PATIENCE })
    }

    /// What the chip is.
    pub fn chip(&self) -> &'static Chip {
        self.link.chip()
    }

    /// Its Tensix tiles, row by row.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// The tiles that answer: name and NoC 0 position.
    pub fn present(&self) -> Vec<(NocXy, NocXy)> {
        self.workers.iter().filter_map(|worker| Some((worker.name, worker.place?))).collect()
    }

    /// The way to the chip.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Clocks in a microsecond, where time means something: on a card, and in a simulator's timed mode.
    pub fn clocks_us(&mut self) -> Option<u32> {
        let clock = self.telemetry.iter().find(|(tag, _)| *tag == tt_isa::arc::tag::AICLK);
        let clock = clock.map(|&(_, value)| value & 0xFFFF);
        match self.link.simulated() {
            Some(simulated) => simulated.clocks_us(),
            None if self.mocked => None,
            None => clock,
        }
    }

    /// Reads words of a tile.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn words(&mut self, tile: NocXy, addr: u64, count: usize) -> Result<Vec<u32>, TransportError> {
        let mut bytes = vec![0; 4 * count];
        self.link.read(tile, addr, &mut bytes)?;
        Ok(bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect())
    }

    /// Writes words of a tile.
    ///
    /// # Errors
    /// The chip does not answer.
    pub fn put(&mut self, tile: NocXy, addr: u64, words: &[u32]) -> Result<(), TransportError> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.link.write(tile, addr, &bytes)
    }

    /// Runs programs, all from about the same time on, and waits for them. Each starts where its core does after reset. The cores are in reset
    /// afterwards.
    ///
    /// # Errors
    /// The chip does not answer, or a simulator finds a fault.
    pub fn run(&mut self, jobs: &[Job]) -> Result<Vec<Ending>, TransportError> {
        for job in jobs {
            self.put(job.tile, job.core.default_reset_pc().into(), &job.code)?;
            self.put(job.tile, Mailbox::of(job.core).into(), &[0; Mailbox::WORDS + 1])?;
        }
        for job in jobs {
            let cores = jobs.iter().filter(|other| other.tile == job.tile).map(|other| other.core);
            let reset = cores.fold(SOFT_RESET_ALL, |reset, core| reset & !core.soft_reset_bit());
            self.put(job.tile, SOFT_RESET, &[reset])?;
        }
        let endings = self.wait(jobs)?;
        for job in jobs {
            self.put(job.tile, SOFT_RESET, &[SOFT_RESET_ALL])?;
        }
        Ok(endings)
    }

    fn wait(&mut self, jobs: &[Job]) -> Result<Vec<Ending>, TransportError> {
        let mut endings = vec![Ending::Hung; jobs.len()];
        let (started, mut clocks) = (Instant::now(), 0);
        loop {
            let simulated = self.link.simulated().is_some();
            let asleep = self.link.advance(LOOK)?.asleep;
            let mut all = true;
            for (job, ending) in jobs.iter().zip(&mut endings).filter(|(_, ending)| **ending == Ending::Hung)
            {
                let at = u64::from(Mailbox::of(job.core));
                if self.link.read32(job.tile, at)? != Mailbox::ENDED {
                    all = false;
                    continue;
                }
                let words = self.words(job.tile, at + 4, Mailbox::WORDS)?;
                *ending = Ending::Done(words.try_into().expect("so many"));
            }
            clocks += u64::from(LOOK);
            let over = if simulated { asleep || clocks > LIMIT } else { started.elapsed() > self.patience };
            if all || over {
                return Ok(endings);
            }
            if !simulated {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
