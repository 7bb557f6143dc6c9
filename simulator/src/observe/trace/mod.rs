//! Traces: what a chip's cores, coprocessors and NoC do, for people and for Perfetto.
//!
//! ```text
//! tile (recorder), while it runs -> \
//!                                    chip, between quanta (Tracer) -> text lines (text) or JSON events (timeline)
//! NoC packets, while delivered   -> /
//! ```
//! A chip without a trace has no [`Tracer`], and its tiles no [`Recorder`]. With one it does exactly the same, only slower.
//!
//! Clocks: the n-th instruction of a core in a quantum has the clock n after the quantum's first. The coprocessor's
//! instructions have the clock of the core that ran last. Packets have the clock of the quantum's end, when they are delivered.

mod config;
mod host;
mod lanes;
mod marks;
mod recorder;
mod text;
mod timeline;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use tt_isa::noc::NocXy;

pub use config::{TraceConfig, TraceError};
pub use host::HostTimeline;
pub use lanes::Transfer;
pub use marks::{KernelSpan, Mark, Track};
pub use recorder::Recorder;
pub use text::Packet;

use crate::fault::Fault;
use crate::observe::counters::Counters;
use timeline::Timeline;

/// The chip's end of a trace.
pub struct Tracer {
    config: TraceConfig,
    /// NoC 0 positions of the tiles, and the recorders of those that are traced.
    tiles: Vec<(NocXy, Option<Box<Recorder>>)>,
    /// End of the quantum.
    clock: u64,
    out: Output,
}

enum Output {
    Text(BufWriter<File>),
    Timeline(Box<Timeline<BufWriter<File>>>),
    /// The file could not be written any more.
    Closed,
}

impl Tracer {
    /// Opens the trace's file, for a chip with Tensix tiles at these positions. `tiles` of the configuration are NoC 0
    /// positions now; `clocks_us`: clocks in a microsecond, where clocks are time.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(config: TraceConfig, tiles: &[NocXy], clocks_us: Option<u32>) -> Result<Self, TraceError> {
        let failed = |error| write_error(&config, &error);
        let file = BufWriter::new(File::create(&config.file).map_err(failed)?);
        let out = match config.timeline {
            true => Output::Timeline(Box::new(Timeline::new(file, &config, clocks_us).map_err(failed)?)),
            false => Output::Text(file),
        };
        let mut tracer = Self { config, tiles: Vec::new(), clock: 0, out };
        tracer.tiles = tiles.iter().map(|&at| (at, tracer.recorder(at))).collect();
        Ok(tracer)
    }

    /// A recorder for a tile, if the tile is traced.
    fn recorder(&self, tile: NocXy) -> Option<Box<Recorder>> {
        let wanted = self.config.instructions || self.config.timeline;
        (wanted && self.has_tile(tile)).then(|| Box::new(Recorder::new(&self.config)))
    }

    /// The tiles' ends of it.
    pub fn recorders_mut(&mut self) -> impl Iterator<Item = Option<&mut Recorder>> {
        self.tiles.iter_mut().map(|(_, recorder)| recorder.as_deref_mut())
    }

    fn has_tile(&self, tile: NocXy) -> bool {
        self.config.tiles.is_empty() || self.config.tiles.contains(&tile)
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// The trace cannot be written; so below.
    pub fn packet(&mut self, packet: &Packet) -> Result<(), TraceError> {
        let clock = self.clock;
        let wanted = self.has_tile(packet.from) || packet.to.is_none_or(|to| self.has_tile(to));
        if !wanted || !self.config.has_clock(clock) {
            return Ok(());
        }
        let written = match &mut self.out {
            Output::Text(out) if self.config.noc => writeln!(out, "{clock:>10} {packet}"),
            Output::Timeline(timeline) => {
                timeline.packet(packet);
                Ok(())
            }
            Output::Text(_) | Output::Closed => Ok(()),
        };
        self.check(written)
    }

    /// Whether there is a timeline, which shows what the host does too.
    pub fn is_timeline(&self) -> bool {
        matches!(self.out, Output::Timeline(_))
    }

    /// Writes a packet whose last step is done.
    ///
    /// # Errors
    /// The trace cannot be written; so below.
    pub fn transfer(&mut self, transfer: &Transfer) -> Result<(), TraceError> {
        let shown = self.has_tile(transfer.from) || transfer.to.is_some_and(|to| self.has_tile(to));
        self.on_timeline(|timeline| if shown { timeline.transfer(transfer) } else { Ok(()) })
    }

    /// Writes what begins or ends on the host's side.
    pub fn mark(&mut self, clock: u64, mark: &Mark) -> Result<(), TraceError> {
        self.on_timeline(|timeline| timeline.mark(clock, mark))?;
        self.flush()
    }

    /// Writes a span that a kernel has measured, of a tile that is traced.
    pub fn kernel_span(&mut self, span: &KernelSpan) -> Result<(), TraceError> {
        if !self.has_tile(span.tile) {
            return Ok(());
        }
        self.on_timeline(|timeline| timeline.kernel_span(span.tile, span.core, span.name, span.clocks))?;
        self.flush()
    }

    /// Writes an access of the host.
    pub fn host_access(&mut self, begin: u64, end: u64, what: &'static str) -> Result<(), TraceError> {
        self.on_timeline(|timeline| timeline.host_access(begin, end, what))?;
        self.flush()
    }

    fn on_timeline(
        &mut self,
        write: impl FnOnce(&mut Timeline<BufWriter<File>>) -> io::Result<()>,
    ) -> Result<(), TraceError> {
        let written = match &mut self.out {
            Output::Timeline(timeline) => write(timeline),
            Output::Text(_) | Output::Closed => Ok(()),
        };
        self.check(written)
    }

    /// Collects what the tiles have noted in a quantum that ends at a clock; what each has executed so far.
    pub fn quantum<'a>(
        &mut self,
        clock: u64,
        executed: impl Iterator<Item = &'a Counters>,
    ) -> Result<(), TraceError> {
        self.clock = clock;
        let tiles = self.tiles.iter_mut().zip(executed);
        let recorded =
            tiles.filter_map(|((at, recorder), counters)| Some((*at, recorder.as_mut()?, counters)));
        let out = &mut self.out;
        let written = recorded
            .into_iter()
            .try_for_each(|(at, recorder, counters)| write_tile(out, clock, at, recorder, counters));
        self.check(written)?;
        self.flush()
    }

    /// The packets of the quantum have been delivered.
    pub fn delivered(&mut self) -> Result<(), TraceError> {
        let counted = match &mut self.out {
            Output::Timeline(timeline) => timeline.delivered(self.clock),
            Output::Text(_) | Output::Closed => Ok(()),
        };
        self.check(counted)?;
        self.flush()
    }

    /// Passes what has been traced so far on to the system: the process may end without another word.
    fn flush(&mut self) -> Result<(), TraceError> {
        let written = match &mut self.out {
            Output::Text(out) => out.flush(),
            Output::Timeline(timeline) => timeline.flush(),
            Output::Closed => Ok(()),
        };
        self.check(written)
    }

    /// The first failure ends the trace: the chip can go on without.
    fn check(&mut self, written: io::Result<()>) -> Result<(), TraceError> {
        written.map_err(|error| {
            self.out = Output::Closed;
            write_error(&self.config, &error)
        })
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        if let Output::Timeline(timeline) = &mut self.out {
            for (at, recorder) in &mut self.tiles {
                if let Some(recorder) = recorder {
                    recorder.close();
                    let _ = timeline.units(*at, recorder.busy.drain(..));
                }
            }
            // There is nobody to report the error to.
            let _ = timeline.finish();
        }
    }
}

/// Writes what a tile has noted.
fn write_tile(
    out: &mut Output,
    clock: u64,
    tile: NocXy,
    recorder: &mut Recorder,
    counters: &Counters,
) -> io::Result<()> {
    match out {
        Output::Text(out) => {
            for (clock, instruction) in recorder.instructions.drain(..) {
                writeln!(out, "{clock:>10} {}", text::Line { tile, instruction })?;
            }
            Ok(())
        }
        Output::Timeline(timeline) => {
            timeline.tile(clock, tile, recorder.states.drain(..), counters.by_opcode())?;
            timeline.units(tile, recorder.busy.drain(..))
        }
        Output::Closed => Ok(()),
    }
}

fn write_error(config: &TraceConfig, error: &io::Error) -> TraceError {
    TraceError::Write { file: config.file.clone(), why: error.to_string() }
}

impl From<TraceError> for Fault {
    fn from(error: TraceError) -> Self {
        Fault::program(error.to_string())
    }
}
