//! A trace as a timeline: Chrome's JSON trace events, which <https://ui.perfetto.dev> opens.
//!
//! A tile is shown as a process, a core as a thread with spans for its states. Each tile has counters, with a value for each
//! quantum: Tensix instructions by unit, and NoC bytes. One microsecond of the display is one clock.
//!
//! The file is one JSON array. Readers accept it without its end, which a process that dies does not write.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;

use tt_isa::insn::{Opcode, Unit};
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

use super::TraceConfig;
use super::text::Packet;
use crate::observe::CoreState as State;

/// Units of the coprocessor, as the counters call them.
const UNITS: [&str; 7] = ["unpack", "matrix", "vector", "pack", "scalar", "sync", "config"];

/// Writes the events.
pub struct Timeline<W: Write> {
    out: W,
    clocks: Range<u64>,
    first: bool,
    /// By y and x, so that tiles have a fixed order.
    tiles: BTreeMap<(u8, u8), TileLine>,
    end: u64,
}

/// What a core does, from a clock on.
type Open = (State, u64);
/// What a core did, from a clock to another.
type Span = (State, u64, u64);

/// The last two spans of a core: a state that is left in the clock in which it was entered is none, and the one
/// before it may go on.
#[derive(Default)]
struct CoreLine {
    before: Option<Span>,
    now: Option<Open>,
}

impl CoreLine {
    /// Another state begins; the span that has come to its end.
    fn change(&mut self, clock: u64, state: State) -> Option<Span> {
        let (left, start) = self.now.replace((state, clock))?;
        if start < clock {
            return self.before.replace((left, start, clock));
        }
        if let Some((_, start, _)) = self.before.take_if(|before| before.0 == state) {
            self.now = Some((state, start));
        }
        None
    }

    /// The spans that are left when time ends.
    fn close(self, clock: u64) -> impl Iterator<Item = Span> {
        self.before.into_iter().chain(self.now.map(|(state, start)| (state, start, clock)))
    }
}

/// What is known of a tile.
#[derive(Default)]
struct TileLine {
    cores: [CoreLine; RiscV::ALL.len()],
    /// Instructions by opcode at the last quantum.
    executed: Vec<u64>,
    /// Counters as written last.
    units: [u64; UNITS.len()],
    /// Bytes sent and received in this quantum and, as written last, in the one before.
    bytes: [u64; 2],
    written: [u64; 2],
}

impl<W: Write> Timeline<W> {
    /// Begins the array.
    pub fn new(mut out: W, config: &TraceConfig) -> io::Result<Self> {
        write!(out, "[")?;
        let clocks = config.from..config.to;
        Ok(Self { out, clocks, first: true, tiles: BTreeMap::new(), end: 0 })
    }

    /// Counts a packet.
    pub fn packet(&mut self, packet: &Packet) {
        let len = u64::from(packet.request.len);
        for (end, at) in [Some(packet.from), packet.to].into_iter().enumerate() {
            if let Some(tile) = at.and_then(|at| self.tiles.get_mut(&(at.y, at.x))) {
                tile.bytes[end] += len;
            }
        }
    }

    /// What a tile's cores and coprocessor have done in a quantum that ends at `clock`.
    pub fn tile(
        &mut self,
        clock: u64,
        tile: NocXy,
        states: impl Iterator<Item = (u64, RiscV, State)>,
        executed: &[u64; 256],
    ) -> io::Result<()> {
        self.end = clock;
        let mut line = match self.tiles.remove(&(tile.y, tile.x)) {
            Some(line) => line,
            None => {
                self.name_tile(tile)?;
                TileLine { executed: vec![0; executed.len()], ..TileLine::default() }
            }
        };
        for (clock, core, state) in states {
            if let Some(span) = line.cores[core as usize].change(clock, state) {
                self.span(tile, core, span)?;
            }
        }
        self.count_units(tile, clock, &mut line, executed)?;
        self.tiles.insert((tile.y, tile.x), line);
        Ok(())
    }

    /// The packets of a quantum that ends at `clock` have been delivered.
    pub fn delivered(&mut self, clock: u64) -> io::Result<()> {
        let mut tiles = std::mem::take(&mut self.tiles);
        let counted =
            tiles.iter_mut().try_for_each(|(&(y, x), line)| self.count_bytes(NocXy::new(x, y), clock, line));
        self.tiles = tiles;
        counted
    }

    fn count_units(
        &mut self,
        tile: NocXy,
        clock: u64,
        line: &mut TileLine,
        executed: &[u64; 256],
    ) -> io::Result<()> {
        let mut units = [0; UNITS.len()];
        for (opcode, (&now, before)) in executed.iter().zip(&mut line.executed).enumerate() {
            if let (1.., Some(opcode)) = (now - *before, Opcode::of((opcode as u32) << 24)) {
                units[unit(opcode)] += now - *before;
            }
            *before = now;
        }
        if units != line.units {
            line.units = units;
            let pairs: Vec<String> =
                UNITS.iter().zip(units).map(|(name, n)| format!("\"{name}\":{n}")).collect();
            self.counter(tile, clock, "Tensix instructions", &pairs.join(","))?;
        }
        Ok(())
    }

    fn count_bytes(&mut self, tile: NocXy, clock: u64, line: &mut TileLine) -> io::Result<()> {
        let bytes = std::mem::take(&mut line.bytes);
        if bytes != line.written {
            line.written = bytes;
            let [sent, received] = bytes;
            self.counter(
                tile,
                clock,
                "NoC bytes",
                &format!("\"as initiator\":{sent},\"as target\":{received}"),
            )?;
        }
        Ok(())
    }

    fn name_tile(&mut self, tile: NocXy) -> io::Result<()> {
        let pid = pid(tile);
        self.event(&format!(
            r#"{{"name":"process_name","ph":"M","pid":{pid},"tid":0,"args":{{"name":"tile {tile}"}}}}"#
        ))?;
        for core in RiscV::ALL {
            let (tid, name) = (core as u32, core.name());
            self.event(&format!(
                r#"{{"name":"thread_name","ph":"M","pid":{pid},"tid":{tid},"args":{{"name":"{name}"}}}}"#
            ))?;
        }
        Ok(())
    }

    /// A span, as far as it is in the range of clocks.
    fn span(&mut self, tile: NocXy, core: RiscV, (state, start, end): Span) -> io::Result<()> {
        let (start, end) = (start.max(self.clocks.start), end.min(self.clocks.end));
        if start >= end {
            return Ok(());
        }
        let name = match state {
            State::Reset => "reset",
            State::Awake => "awake",
            State::Asleep => "asleep",
        };
        let (pid, tid, dur) = (pid(tile), core as u32, end - start);
        self.event(&format!(
            r#"{{"name":"{name}","ph":"X","ts":{start},"dur":{dur},"pid":{pid},"tid":{tid}}}"#
        ))
    }

    fn counter(&mut self, tile: NocXy, clock: u64, name: &str, args: &str) -> io::Result<()> {
        if !self.clocks.contains(&clock) {
            return Ok(());
        }
        let pid = pid(tile);
        self.event(&format!(r#"{{"name":"{name}","ph":"C","ts":{clock},"pid":{pid},"args":{{{args}}}}}"#))
    }

    fn event(&mut self, json: &str) -> io::Result<()> {
        let comma = if std::mem::take(&mut self.first) { "\n" } else { ",\n" };
        write!(self.out, "{comma}{json}")
    }

    /// Writes out what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends all spans and the array.
    pub fn finish(&mut self) -> io::Result<()> {
        for ((y, x), line) in std::mem::take(&mut self.tiles) {
            for (core, line) in RiscV::ALL.into_iter().zip(line.cores) {
                let mut spans = line.close(self.end);
                spans.try_for_each(|span| self.span(NocXy::new(x, y), core, span))?;
            }
        }
        writeln!(self.out, "\n]")?;
        self.out.flush()
    }
}

/// A tile's number in the file: not 0, which is no process.
fn pid(tile: NocXy) -> u32 {
    1 + u32::from(tile.y) * 64 + u32::from(tile.x)
}

/// Index in [`UNITS`] of what executes an instruction.
fn unit(opcode: Opcode) -> usize {
    match opcode.unit() {
        // It takes a thread's turn, as a wait does.
        _ if opcode == Opcode::NOP => 5,
        Unit::Unpackers => 0,
        Unit::Matrix | Unit::Frontend | Unit::Unknown => 1,
        Unit::Vector(_) => 2,
        Unit::Packers => 3,
        Unit::Scalar | Unit::Mover => 4,
        Unit::Sync => 5,
        Unit::Config | Unit::Misc => 6,
    }
}
