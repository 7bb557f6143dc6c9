//! A trace as a timeline: Chrome's JSON trace events, which <https://ui.perfetto.dev> opens.
//!
//! A tile is shown as a process, a core as a thread with spans for its states. Each tile has counters: Tensix instructions by unit, and NoC
//! bytes. One microsecond of the display is one clock.
//!
//! Where time is kept ([`crate::Mode::Timed`]) a microsecond is one of the chip, and there is more:
//!
//! | process | thread | spans |
//! |---|---|---|
//! | host | operators, launches | what the runtime and its users mark ([`super::Mark`]) |
//! | | PCIe | the host's accesses |
//! | DRAM | | a counter for each channel: GB/s in steps of a microsecond |
//! | tile | cores | what each waits for while it sleeps |
//! | | core, spans | what a kernel of a user's has measured, in any mode |
//! | | units | when they are busy |
//! | | NoC | transfers, from the request to its last response |
//!
//! The file is one JSON array. Readers accept it without its end, which a process that dies does not write.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::Range;

use tt_isa::insn::{Opcode, Unit};
use tt_isa::map::RiscV;
use tt_isa::noc::NocXy;

use super::Mark;
use super::TraceConfig;
use super::lanes::{Lanes, Transfer};
use super::marks::{Marks, Track};
use super::text::Packet;
use crate::model::tensix::pipe::Pipe;

/// Units of the coprocessor, as the counters call them.
const UNITS: [&str; 7] = ["unpack", "matrix", "vector", "pack", "scalar", "sync", "config"];

/// What a core does.
type State = &'static str;
/// It executes.
pub const AWAKE: State = "awake";
/// Where time is kept: something in its tile has changed, and it has looked whether that is what it waits for. A look of the firmware takes 27 clocks.
const LOOK: u64 = 32;

/// Numbers of the processes that are no tiles: above those.
const HOST: u32 = 1 + 64 * 64;
const DRAM: u32 = HOST + 1;
/// First thread of units and of NoC transfers in a tile: behind its cores.
const UNIT: u32 = 8;
const NOC: u32 = 16;
/// First thread of spans that kernels have measured: behind any transfer.
const SPANS: u32 = 1 << 16;
/// Quanta are short where time is kept: counters have a value for so many microseconds.
const COUNTER_US: u64 = 1;

/// Writes the events.
pub struct Timeline<W: Write> {
    out: W,
    clocks: Range<u64>,
    /// Clocks in a microsecond, where time is kept.
    clocks_us: Option<u64>,
    marks: Marks,
    /// Cores whose spans have a line.
    with_spans: BTreeSet<(u32, u32)>,
    /// Bytes of each DRAM channel since `counted`, and as written last.
    channels: Vec<(u64, u64)>,
    counted: u64,
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
    /// Another state begins; the span that has come to its end. A core that waits and only looks, for `look` clocks at most, goes on
    /// waiting.
    fn change(&mut self, clock: u64, state: State, look: u64) -> Option<Span> {
        let (left, start) = self.now.replace((state, clock))?;
        let looked = left == AWAKE && clock <= start + look;
        if start < clock && !(looked && self.before.is_some_and(|before| before.0 == state)) {
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
    /// NoC transfers, by NoC.
    lanes: [Lanes; 2],
    /// Units that have a name.
    units_named: bool,
}

impl<W: Write> Timeline<W> {
    /// Begins the array.
    pub fn new(mut out: W, config: &TraceConfig, clocks_us: Option<u32>) -> io::Result<Self> {
        write!(out, "[")?;
        let mut timeline = Self {
            out,
            clocks: config.from..config.to,
            clocks_us: clocks_us.map(u64::from),
            marks: Marks::default(),
            with_spans: BTreeSet::new(),
            channels: Vec::new(),
            counted: 0,
            first: true,
            tiles: BTreeMap::new(),
            end: 0,
        };
        if clocks_us.is_some() {
            timeline.name_process(HOST, "host")?;
            for track in Track::ALL {
                timeline.name_thread(HOST, track as u32, track.name())?;
            }
            timeline.name_process(DRAM, "DRAM")?;
        }
        Ok(timeline)
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
        let look = if self.clocks_us.is_some() { LOOK } else { 0 };
        for (clock, core, state) in states {
            if let Some((name, begin, end)) = line.cores[core as usize].change(clock, state, look) {
                self.span(pid(tile), core as u32, name, (begin, end), "")?;
            }
        }
        if self.clocks_us.is_none() {
            self.count_units(tile, clock, &mut line, executed)?;
        }
        self.tiles.insert((tile.y, tile.x), line);
        Ok(())
    }

    /// When units of a tile were busy.
    pub fn units(&mut self, tile: NocXy, busy: impl Iterator<Item = (Pipe, u64, u64)>) -> io::Result<()> {
        for (pipe, begin, end) in busy {
            let Some(line) = self.tiles.get_mut(&(tile.y, tile.x)) else { return Ok(()) };
            if !std::mem::replace(&mut line.units_named, true) {
                for pipe in Pipe::ALL {
                    self.name_thread(pid(tile), UNIT + pipe as u32, pipe.name())?;
                }
            }
            self.span(pid(tile), UNIT + pipe as u32, "busy", (begin, end), "")?;
        }
        Ok(())
    }

    /// A NoC transfer is done.
    pub fn transfer(&mut self, transfer: &Transfer) -> io::Result<()> {
        let &Transfer { from, channel, request, begin, end, .. } = transfer;
        if let Some(channel) = channel {
            self.channels.resize(self.channels.len().max(channel + 1), (0, 0));
            self.channels[channel].0 += u64::from(request.len);
        }
        let noc = request.noc;
        let Some(line) = self.tiles.get_mut(&(from.y, from.x)) else { return Ok(()) };
        let (lane, is_new) = line.lanes[usize::from(noc)].take(begin, end);
        // Both NoCs have lanes in turn.
        let thread = NOC + 2 * lane + u32::from(noc);
        if is_new {
            self.name_thread(pid(from), thread, &format!("NoC {noc} transfer {lane}"))?;
        }
        self.span(pid(from), thread, transfer.name(), (begin, end), &transfer.details())
    }

    /// Something begins or ends on the host's side.
    pub fn mark(&mut self, clock: u64, mark: &Mark) -> io::Result<()> {
        let Some((track, name, begin)) = self.marks.note(clock, mark) else { return Ok(()) };
        self.span(HOST, track as u32, &name, (begin, clock), "")
    }

    /// A span that a kernel on a core has measured by its tile's clock.
    pub fn kernel_span(
        &mut self,
        tile: NocXy,
        core: RiscV,
        name: &str,
        clocks: (u64, u64),
    ) -> io::Result<()> {
        let (pid, tid) = (pid(tile), SPANS + core as u32);
        if self.with_spans.insert((pid, tid)) {
            self.name_process(pid, &format!("tile {tile}"))?;
            self.name_thread(pid, tid, &format!("{} spans", core.name()))?;
        }
        // Names stand in JSON.
        let plain =
            |letter: char| if matches!(letter, '"' | '\\') || letter.is_control() { '\'' } else { letter };
        let name: String = name.chars().map(plain).collect();
        self.span(pid, tid, &name, clocks, "")
    }

    /// The host has read or written.
    pub fn host_access(&mut self, begin: u64, end: u64, what: &'static str) -> io::Result<()> {
        self.span(HOST, Track::Pcie as u32, what, (begin, end), "")
    }

    /// Whether counters are due where time is kept.
    fn count_channels(&mut self, clock: u64) -> io::Result<bool> {
        let Some(clocks_us) = self.clocks_us else { return Ok(true) };
        if clock < self.counted + COUNTER_US * clocks_us {
            return Ok(false);
        }
        let clocks = (clock - std::mem::replace(&mut self.counted, clock)) as f64;
        for channel in 0..self.channels.len() {
            let (bytes, before) = std::mem::take(&mut self.channels[channel]);
            self.channels[channel].1 = bytes;
            if bytes == 0 && before == 0 {
                continue;
            }
            // Bytes a clock, at so many clocks in a microsecond.
            let rate = bytes as f64 / clocks * clocks_us as f64 / 1e3;
            self.counter(DRAM, clock, &format!("channel {channel:02}"), &format!("\"GB/s\":{rate:.2}"))?;
        }
        Ok(true)
    }

    /// The packets of a quantum that ends at `clock` have been delivered.
    pub fn delivered(&mut self, clock: u64) -> io::Result<()> {
        if !self.count_channels(clock)? {
            return Ok(());
        }
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
            self.counter(pid(tile), clock, "Tensix instructions", &pairs.join(","))?;
        }
        Ok(())
    }

    fn count_bytes(&mut self, tile: NocXy, clock: u64, line: &mut TileLine) -> io::Result<()> {
        let bytes = std::mem::take(&mut line.bytes);
        if bytes != line.written {
            line.written = bytes;
            let [sent, received] = bytes;
            self.counter(
                pid(tile),
                clock,
                "NoC bytes",
                &format!("\"as initiator\":{sent},\"as target\":{received}"),
            )?;
        }
        Ok(())
    }

    fn name_tile(&mut self, tile: NocXy) -> io::Result<()> {
        self.name_process(pid(tile), &format!("tile {tile}"))?;
        RiscV::ALL.into_iter().try_for_each(|core| self.name_thread(pid(tile), core as u32, core.name()))
    }

    fn name_process(&mut self, pid: u32, name: &str) -> io::Result<()> {
        self.event(&format!(
            r#"{{"name":"process_name","ph":"M","pid":{pid},"tid":0,"args":{{"name":"{name}"}}}}"#
        ))
    }

    fn name_thread(&mut self, pid: u32, tid: u32, name: &str) -> io::Result<()> {
        self.event(&format!(
            r#"{{"name":"thread_name","ph":"M","pid":{pid},"tid":{tid},"args":{{"name":"{name}"}}}}"#
        ))
    }

    /// A span, as far as it is in the range of clocks. `args`: what a click on it shows, as pairs of JSON.
    fn span(
        &mut self,
        pid: u32,
        tid: u32,
        name: &str,
        (begin, end): (u64, u64),
        args: &str,
    ) -> io::Result<()> {
        let (begin, end) = (begin.max(self.clocks.start), end.min(self.clocks.end));
        if begin >= end {
            return Ok(());
        }
        let args = if args.is_empty() { String::new() } else { format!(r#","args":{{{args}}}"#) };
        let (ts, dur) = (self.time(begin), self.time(end - begin));
        self.event(&format!(
            r#"{{"name":"{name}","ph":"X","ts":{ts},"dur":{dur},"pid":{pid},"tid":{tid}{args}}}"#
        ))
    }

    /// Clocks as the display's microseconds.
    fn time(&self, clocks: u64) -> String {
        match self.clocks_us {
            Some(clocks_us) => format!("{:.3}", clocks as f64 / clocks_us as f64),
            None => clocks.to_string(),
        }
    }

    fn counter(&mut self, pid: u32, clock: u64, name: &str, args: &str) -> io::Result<()> {
        if !self.clocks.contains(&clock) {
            return Ok(());
        }
        let ts = self.time(clock);
        self.event(&format!(r#"{{"name":"{name}","ph":"C","ts":{ts},"pid":{pid},"args":{{{args}}}}}"#))
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
                let pid = pid(NocXy::new(x, y));
                let mut spans = line.close(self.end);
                spans
                    .try_for_each(|(name, begin, end)| self.span(pid, core as u32, name, (begin, end), ""))?;
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
