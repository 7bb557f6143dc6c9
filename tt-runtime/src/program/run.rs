//! A program that has been started, and the wait for its end.
//!
//! ```text
//! launch   images, arguments, first values -> L1 of every tile | BRISC of every tile out of reset
//! wait     time passes | status words of cores that have not ended | text out of their rings | all Done: tiles given back
//! ```
//! Everything is written before the first core starts, so that a kernel may write to any other tile of its program at once.

use std::mem::offset_of;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tt_kernel_abi::program::{SPAN_BYTES, SPANS_AT, SpanRecord, State, Status, Wait};
use tt_simulator::KernelSpan;
use zerocopy::{FromZeros, IntoBytes};

use super::argument::Needs;
use super::start::Loaded;
use super::{OnSpan, OnText, Program, Span, lines};
use crate::device::{Device, Look, Session};
use crate::error::Error;
use crate::grid::Tile;
use crate::report::{CoreState, Place, ProgramError, Trouble};

/// A core that has not ended, as far as is known.
struct Pending {
    kernel: usize,
    tile: Tile,
    /// Bytes of text that have been taken out of its ring.
    taken: u32,
    /// The beginning of a line.
    line: Vec<u8>,
}

/// A program that has been started. Dropping it stops what still runs.
pub struct Run {
    device: Arc<Device>,
    number: u64,
    session: u64,
    kernels: Vec<Loaded>,
    pending: Vec<Pending>,
    /// What its kernels were passed.
    _memory: Vec<Needs>,
    on_text: Option<OnText>,
    on_span: Option<OnSpan>,
    over: bool,
    looks: u32,
    /// All cores are looked at this time.
    patrol: bool,
    /// Instead of the device's.
    patience: Option<Duration>,
}

/// So often all cores are looked at, and not only the first one that has not ended.
const PATROL: u32 = 64;
/// A host that waits for a card does nothing else for so long, then it sleeps between two looks.
const BUSY: Duration = Duration::from_millis(5);
const SLEEP: Duration = Duration::from_micros(50);
/// A card is asked this often whether it is still there, and still ours.
const CHECK: Duration = Duration::from_millis(500);

/// How far a program is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    Over,
    Runs,
    /// Nothing moves any more.
    Asleep,
}

impl Run {
    /// What has just been started, by the program's number in its session.
    pub(super) fn new(
        program: &Program,
        (number, session): (u64, u64),
        kernels: Vec<Loaded>,
        memory: Vec<Needs>,
    ) -> Self {
        let pending = kernels.iter().enumerate().flat_map(|(kernel, loaded)| {
            loaded.tiles.iter().map(move |&tile| Pending { kernel, tile, taken: 0, line: Vec::new() })
        });
        Self {
            device: Arc::clone(&program.device),
            number,
            session,
            pending: pending.collect(),
            kernels,
            _memory: memory,
            on_text: program.on_text.clone(),
            on_span: program.on_span.clone(),
            over: false,
            looks: 0,
            patrol: false,
            patience: program.patience,
        }
    }

    /// Waits until all kernels have ended, and gives their tiles back. On a simulator a program in which nothing moves any more is given up at
    /// once; otherwise one that takes longer than [`Program::patience`] or [`Device::set_patience`] says.
    ///
    /// # Errors
    /// A kernel has panicked, done something wrong, or hangs ([`ProgramError`]); its tiles are stopped then.
    pub fn wait(self) -> Result<(), Error> {
        let patience = match self.patience {
            Some(patience) => patience,
            None => self.device.with_tiles(|session| Ok(session.patience))?,
        };
        self.wait_for(patience)
    }

    /// The same with a time of its own.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for(mut self, patience: Duration) -> Result<(), Error> {
        let _span = tracing::debug_span!("wait", program = self.number).entered();
        let begun = Instant::now();
        let mut checked = begun;
        let is_simulated = self.with(|session| Ok(session.link.simulated().is_some()))?;
        loop {
            if !is_simulated && begun.elapsed() > BUSY {
                std::thread::sleep(SLEEP);
                if checked.elapsed() > CHECK {
                    checked = Instant::now();
                    self.with(|session| Ok(session.link.check_chip()?))?;
                }
            }
            let waited = match self.step()? {
                Progress::Over => return Ok(()),
                Progress::Asleep => "nothing on the chip moves any more".to_owned(),
                Progress::Runs if begun.elapsed() > patience => {
                    format!("waited for {:.1} s", patience.as_secs_f32())
                }
                Progress::Runs => continue,
            };
            let cores = self.look_at_all()?;
            self.stop(true)?;
            return Err(Box::new(ProgramError::Hung { waited, cores }).into());
        }
    }

    /// Whether all kernels have ended; lets some time pass on a simulator.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), but for hanging.
    pub fn is_over(&mut self) -> Result<bool, Error> {
        Ok(self.step()? == Progress::Over)
    }

    /// Looks once at what has happened.
    fn step(&mut self) -> Result<Progress, Error> {
        if self.over {
            return Ok(Progress::Over);
        }
        let number = self.number;
        let look = self.with(|session| session.look(number))?;
        let asleep = match look {
            Look::Fault(fault) => {
                let at = self.look_at_faulty(&fault)?;
                self.stop(true)?;
                return Err(Box::new(ProgramError::Fault { fault: fault.to_string(), at }).into());
            }
            Look::Quiet { asleep } => asleep,
        };
        // Cores behind one that runs may have panicked.
        self.looks = self.looks.wrapping_add(1);
        self.patrol = self.looks.is_multiple_of(PATROL);
        let mut at = 0;
        let before = self.pending.len();
        let mut text = false;
        while at < self.pending.len() {
            // A word each: a host reads a card slowly.
            let state = State::from_code(self.word(at, offset_of!(Status, state))?);
            if self.kernels[self.pending[at].kernel].layout.print_bytes != 0 {
                let printed = self.word(at, offset_of!(Status, printed))?;
                text |= self.take_text(at, printed)?;
            }
            match state {
                Some(State::Done) => {
                    self.end_line(at);
                    self.pending.swap_remove(at);
                }
                Some(State::Panicked) => {
                    let core = self.state_of(at, &self.status(at)?)?;
                    self.stop(true)?;
                    return Err(Box::new(ProgramError::Panicked(vec![core])).into());
                }
                // The others are looked at when this one has ended or everything is still, unless they have something to say.
                _ if self.is_silent() && !self.patrol && !asleep => break,
                _ => at += 1,
            }
        }
        if self.pending.is_empty() {
            self.give_spans()?;
            self.stop(false)?;
            return Ok(Progress::Over);
        }
        let moved = text || self.pending.len() < before;
        Ok(if asleep && !moved { Progress::Asleep } else { Progress::Runs })
    }

    fn with<T>(&self, f: impl FnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let number = self.session;
        self.device.with_tiles(|session| match session.number() == number {
            true => f(session),
            false => Err(Error::Failed("it has been opened again while a program ran".into())),
        })
    }

    /// Whether no kernel prints.
    fn is_silent(&self) -> bool {
        self.kernels.iter().all(|kernel| kernel.layout.print_bytes == 0)
    }

    /// A word of a core's status.
    fn word(&self, at: usize, offset: usize) -> Result<u32, Error> {
        let Pending { kernel, tile, .. } = self.pending[at];
        let mut word = [0; 4];
        let addr = self.kernels[kernel].layout.status() + offset as u32;
        self.with(|session| session.read_l1(tile.translated().0, addr, &mut word))?;
        Ok(u32::from_le_bytes(word))
    }

    fn status(&self, at: usize) -> Result<Status, Error> {
        let Pending { kernel, tile, .. } = self.pending[at];
        let mut status = Status::new_zeroed();
        let addr = self.kernels[kernel].layout.status();
        self.with(|session| session.read_l1(tile.translated().0, addr, status.as_mut_bytes()))?;
        Ok(status)
    }

    /// Takes text out of a core's ring; whether there was some.
    fn take_text(&mut self, at: usize, printed: u32) -> Result<bool, Error> {
        let Pending { kernel, tile, taken, .. } = self.pending[at];
        let layout = self.kernels[kernel].layout;
        let count = printed.wrapping_sub(taken).min(layout.print_bytes);
        if count == 0 {
            return Ok(false);
        }
        let mut ring = vec![0; layout.print_bytes as usize];
        let addr = layout.status() + offset_of!(Status, taken) as u32;
        let now = taken.wrapping_add(count);
        self.with(|session| {
            session.read_l1(tile.translated().0, layout.print(), &mut ring)?;
            session.write_l1(tile.into(), addr, &now.to_le_bytes())
        })?;
        self.pending[at].taken = now;
        for n in 0..count {
            let byte = ring[taken.wrapping_add(n) as usize % ring.len()];
            match byte {
                b'\n' => self.end_line(at),
                _ => self.pending[at].line.push(byte),
            }
        }
        Ok(true)
    }

    /// Gives a line of text out.
    fn end_line(&mut self, at: usize) {
        let pending = &mut self.pending[at];
        let line = std::mem::take(&mut pending.line);
        if line.is_empty() {
            return;
        }
        let (tile, core, line) =
            (pending.tile, self.kernels[pending.kernel].core, String::from_utf8_lossy(&line));
        match &self.on_text {
            Some(f) => f(tile, core, &line),
            None => println!("{} {}: {line}", tile.logical(), core.name()),
        }
    }

    /// Gives out the spans that kernels have kept.
    fn give_spans(&self) -> Result<(), Error> {
        for kernel in self.kernels.iter().filter(|kernel| kernel.layout.spans > 0) {
            for &tile in &kernel.tiles {
                let mut count = 0u32;
                self.read(tile, kernel.layout.spans(), count.as_mut_bytes())?;
                for n in 0..count.min(kernel.layout.spans) {
                    let mut record = SpanRecord::new_zeroed();
                    let at = kernel.layout.spans() + SPANS_AT + n * SPAN_BYTES;
                    self.read(tile, at, record.as_mut_bytes())?;
                    self.give_span(tile, kernel, &record)?;
                }
            }
        }
        Ok(())
    }

    fn give_span(&self, tile: Tile, kernel: &Loaded, record: &SpanRecord) -> Result<(), Error> {
        let whole = |[low, high]: [u32; 2]| u64::from(low) | u64::from(high) << 32;
        let name = self.text_of(tile, kernel, record.name, record.name_bytes)?;
        let (begin, end) = (whole(record.begin), whole(record.end));
        let shown =
            KernelSpan { tile: tile.physical().0, core: kernel.core, name: &name, clocks: (begin, end) };
        self.with(|session| session.show_span(&shown))?;
        match &self.on_span {
            Some(f) => f(&Span { tile, core: kernel.core, name, begin, end }),
            None => tracing::debug!(%tile, core = kernel.core.name(), name, begin, end, "span"),
        }
        Ok(())
    }

    fn read(&self, tile: Tile, at: u32, out: &mut [u8]) -> Result<(), Error> {
        self.with(|session| session.read_l1(tile.translated().0, at, out))
    }

    /// Stops the program's cores, if that has not happened, and gives its tiles back.
    fn stop(&mut self, gone_wrong: bool) -> Result<(), Error> {
        if std::mem::replace(&mut self.over, true) {
            return Ok(());
        }
        let number = self.number;
        self.with(|session| session.give_back(number, gone_wrong))
    }

    /// What the cores that have not ended are at.
    fn look_at_all(&self) -> Result<Vec<CoreState>, Error> {
        let mut cores = Vec::new();
        for at in 0..self.pending.len() {
            let status = self.status(at)?;
            if State::from_code(status.state) != Some(State::Done) {
                cores.push(self.state_of(at, &status)?);
            }
        }
        Ok(cores)
    }

    /// What the core of a fault is at, if it is one of the program's; all of its tile otherwise.
    fn look_at_faulty(&self, fault: &tt_simulator::Fault) -> Result<Vec<CoreState>, Error> {
        let is_there = |at: &usize| fault.at.tile == Some(self.pending[*at].tile.physical().0);
        let is_it =
            |at: &usize| fault.at.core.is_none_or(|core| core == self.kernels[self.pending[*at].kernel].core);
        let cores = (0..self.pending.len()).filter(is_there).filter(is_it);
        cores.map(|at| self.status(at).and_then(|status| self.state_of(at, &status))).collect()
    }

    fn state_of(&self, at: usize, status: &Status) -> Result<CoreState, Error> {
        let Pending { kernel, tile, .. } = self.pending[at];
        let kernel = &self.kernels[kernel];
        let state = State::from_code(status.state);
        let place = match status.line {
            0 => None,
            line => Some(Place { file: self.text_of(tile, kernel, status.file, status.file_bytes)?, line }),
        };
        let trouble = match state {
            Some(State::Panicked) => {
                Trouble::Panicked(self.text_of(tile, kernel, status.what, status.value)?)
            }
            Some(State::Running) if status.line != 0 => {
                Trouble::Waits(Wait::from_code(status.what).unwrap_or(Wait::Nothing), status.value)
            }
            other => Trouble::Other(other.unwrap_or(State::Running)),
        };
        let (pc, waits) = self.with(|session| {
            let name = tile.translated().0;
            let mut simulated = session.link.simulated();
            let pc = simulated.as_mut().and_then(|simulated| simulated.pc(name, kernel.core));
            Ok((pc, simulated.map_or_else(Vec::new, |simulated| simulated.waits(name))))
        })?;
        let pc = pc.filter(|_| state == Some(State::Running)).map(|pc| {
            let base = kernel.layout.image();
            (pc, pc.checked_sub(base).map_or_else(Vec::new, |address| lines::of(kernel.image.elf(), address)))
        });
        let name = kernel.image.name().to_owned();
        Ok(CoreState { tile, core: kernel.core, kernel: name, trouble, place, pc, waits })
    }

    /// Text in a kernel's image; nothing where it would be elsewhere.
    fn text_of(&self, tile: Tile, kernel: &Loaded, at: u32, bytes: u32) -> Result<String, Error> {
        let (first, end) = (kernel.layout.image(), kernel.region.at + kernel.region.bytes);
        if at < first || at > end || bytes > end - at {
            return Ok(String::new());
        }
        let mut text = vec![0; bytes as usize];
        self.with(|session| session.read_l1(tile.translated().0, at, &mut text))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Err(error) = self.stop(true) {
            tracing::warn!("a program could not be stopped: {error}");
        }
    }
}
