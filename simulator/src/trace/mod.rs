//! Traces: what a chip's cores, coprocessors and NoC do, for people and for Perfetto.
//!
//! ```text
//! tile (recorder), while it runs -> \
//!                                    chip, between quanta (Tracer) -> text lines (text) or JSON events (timeline)
//! NoC packets, while delivered   -> /
//! ```
//! A chip without a trace has no [`Tracer`], and its tiles no [`Recorder`]: what is left of them is a test for `None`
//! a turn of a core, a Tensix instruction and a packet. With one the chip does exactly the same, slower.
//!
//! Clocks: the n-th instruction of a core in a quantum has the clock n after the quantum's first. The coprocessor's
//! instructions have the clock of the core that ran last, packets that of the end of the quantum, when they are delivered.

mod config;
mod recorder;
mod text;
mod timeline;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use tt_isa::noc::NocXy;

pub use config::{TraceConfig, TraceError};
pub use recorder::{Recorder, State};

use crate::chip::Chip;
use crate::fault::Fault;
use crate::grid::Node;
use crate::noc::{Remote, Request};
use crate::tile::Tile;
use text::Packet;
use timeline::Timeline;

impl Chip {
    /// Traces from now on; a trace that was there ends.
    ///
    /// # Errors
    /// A tile that the chip does not have, or a file that cannot be made.
    pub fn start_trace(&mut self, config: &TraceConfig) -> Result<(), TraceError> {
        let position = |&at: &NocXy| match self.grid.named(at) {
            Some(node @ Node::Tensix(_)) => Ok(self.position(node)),
            _ => Err(TraceError::NoTile(at)),
        };
        let tiles = config.tiles.iter().map(position).collect::<Result<_, _>>()?;
        let tracer = Tracer::new(TraceConfig { tiles, ..config.clone() })?;
        for tile in &mut self.tiles {
            tile.recorder = tracer.recorder(tile.position);
        }
        self.tracer = Some(Box::new(tracer));
        Ok(())
    }

    /// Traces a packet that leaves a tile.
    #[cold]
    pub(crate) fn trace_packet(&mut self, from: Node, packet: &Request) -> Result<(), TraceError> {
        let to = match packet.remote {
            Remote::Tile(_) => self.remote_node(packet).ok().map(|to| self.position(to)),
            Remote::Rect(..) => None,
        };
        let packet = Packet { from: self.position(from), to, request: packet };
        self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.packet(&packet))
    }

    /// The packets of a quantum have been delivered.
    pub(crate) fn trace_delivery(&mut self) -> Result<(), Fault> {
        Ok(self.tracer.as_mut().map_or(Ok(()), |tracer| tracer.delivered())?)
    }
}

/// The chip's end of a trace.
pub struct Tracer {
    config: TraceConfig,
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
    /// Opens the trace's file. `tiles` of the configuration are NoC 0 positions now.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(config: TraceConfig) -> Result<Self, TraceError> {
        let failed = |error| write_error(&config, &error);
        let file = BufWriter::new(File::create(&config.file).map_err(failed)?);
        let out = match config.timeline {
            true => Output::Timeline(Box::new(Timeline::new(file, &config).map_err(failed)?)),
            false => Output::Text(file),
        };
        Ok(Self { config, clock: 0, out })
    }

    /// A recorder for a tile, if the tile is traced.
    pub fn recorder(&self, tile: NocXy) -> Option<Box<Recorder>> {
        let wanted = self.config.instructions || self.config.timeline;
        (wanted && self.has_tile(tile)).then(|| Box::new(Recorder::new(&self.config)))
    }

    fn has_tile(&self, tile: NocXy) -> bool {
        self.config.tiles.is_empty() || self.config.tiles.contains(&tile)
    }

    /// Writes a packet.
    fn packet(&mut self, packet: &Packet) -> Result<(), TraceError> {
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

    /// Collects what the tiles have noted in a quantum that ends at a clock.
    pub fn quantum(&mut self, clock: u64, tiles: &mut [Tile]) -> Result<(), TraceError> {
        self.clock = clock;
        let written = tiles.iter_mut().try_for_each(|tile| self.tile(clock, tile));
        self.check(written)?;
        self.flush()
    }

    fn tile(&mut self, clock: u64, tile: &mut Tile) -> io::Result<()> {
        let Some(recorder) = &mut tile.recorder else { return Ok(()) };
        match &mut self.out {
            Output::Text(out) => {
                for (clock, instruction) in recorder.instructions.drain(..) {
                    writeln!(out, "{clock:>10} {}", text::Line { tile: tile.position, instruction })?;
                }
                Ok(())
            }
            Output::Timeline(timeline) => {
                let executed = tile.tensix.executed_by_opcode();
                timeline.tile(clock, tile.position, recorder.states.drain(..), executed)
            }
            Output::Closed => Ok(()),
        }
    }

    /// The packets of the quantum have been delivered.
    fn delivered(&mut self) -> Result<(), TraceError> {
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
            // Nobody is left to tell.
            let _ = timeline.finish();
        }
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
